"""Detectors of objects: networks that turn a decoded picture into boxes, and their weights.
Never: what a box means for labels, or where it is kept (that is the catalog).
"""
