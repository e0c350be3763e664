"""Verbs with which a person decides: what is suspected, agreed with, filled, moved, taken back.

Every change is a batch of the history. The judgements they show are made in `steps`.
Never: a change that cannot be undone.

Order: issues, accept, dismiss, fill, brands, duplicates, keep, trash, restore, write_back, predict,
history, undo, redo, batches.
"""
