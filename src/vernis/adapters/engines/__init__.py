"""Engines: what runs a Stage over many items, on threads of this machine or on a cluster.

Here: whatever knows how work is spread.
Never: what the work is, nor what becomes of its results; a Stage is made and its outcomes are
recorded above.
"""
