"""What a label format can carry of a collection, and the loss table of what it cannot.
Sets of ``domain.exchange`` in, reduced sets and losses out.
Never: the formats themselves, files, or the catalog.
"""
