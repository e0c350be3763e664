"""Verbs about networks and the embedding spaces that they make.

Vectors live side by side by space; one space is the current one, which other verbs read.
Never: labels, except to compare spaces by them.

Order: embed, spaces, backbones, layers, compare_spaces, feature_maps.
"""
