"""Verbs that show what is in the collection: search, maps, clusters, topics, words, outliers.

They read; what they propose becomes labels only where it is accepted.
Never: a judgement of labels.

Order: search, show, map, maps, clusters, topics, vocabulary, profile, outliers, leakage.
"""
