"""Readers of text: networks that turn a decoded picture into readings, and their weights.
Never: what a reading means (that is ``core/text``) or where it is kept (that is the catalog).
"""
