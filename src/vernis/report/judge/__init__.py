"""The page on which a person judges a random sample: one file, no network.

Never: what the collection says of an image, in a way that tells it.
"""
