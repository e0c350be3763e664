"""The flows between two taxonomies: the diagram as a picture and as a page with a table.

Flows come counted and gathered.
Never: the reading of labels.
"""
