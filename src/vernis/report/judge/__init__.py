"""The page on which a person judges a random sample: one file, no network.

What the collection says of an image never reaches this page in a way that tells it.
"""
