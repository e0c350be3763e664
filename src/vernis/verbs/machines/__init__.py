"""Verbs that spread work over machines: what it costs, plans, workers, what they made.

Here: work that is cut into units, which any machine can do without the collection.
Never: how a picture becomes a vector, and what follows from the vectors.

Order: estimate, plan, worker, collect.
"""
