"""One open collection for the length of a job, and all that a verb reaches the world through.

`Session` hands out the catalog, a snapshot of it that is read once, the engine, pictures, embedding
spaces and typed results of earlier work; adapters are opened here and nowhere above.
Never: a decision of a verb, a calculation, or words for people.
"""
