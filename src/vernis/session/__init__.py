"""One open collection for the length of a job, and all that a verb reaches the world through.

`Session` hands out the catalog, a snapshot of it that is read once, the engine, embedding spaces,
typed results of earlier work, and what reaches the world: files, places, measures, models,
services, interchange. Adapters are opened here and nowhere above.
Never: a decision of a verb, a calculation, or words for people.
"""
