"""Verbs about the boxes of a taxonomy: which may be wrong, which to accept, what to draw next.

They read regions and what detectors propose; every change is a batch of the history.
Never: learning a detector (`steps`) or drawing.

Order: next, accept, wrong.
"""
