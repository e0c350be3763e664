"""Verbs that do one step of the job: list, label, judge, learn.

Each is skipped where its inputs are as they were.
Never: a change of labels that a person has not asked for.

Order: index, watch, import_, labels, export, taxonomies, quality, read, detect, tag, annotate,
learn, models, locate, crop.
"""
