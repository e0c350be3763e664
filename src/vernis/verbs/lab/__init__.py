"""Verbs that try methods on a collection: studies of models, noise and scorers, judged samples.

A study reads labels, vectors and duplicates and writes one folder (`study`); it changes no label.
Never: a method itself, which belongs to the core; or a figure, which belongs to the report.

Order: models, components, thresholds, spaces, noise, errors, locate, crops, detect, detector, toy,
sample, truth, rerun, diff.
"""
