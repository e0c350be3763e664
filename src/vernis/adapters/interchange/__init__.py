"""The formats of other programs: tables of labels, words in files, boxes; one module a format.

Never: the catalog; what was read comes as values, and what is written is handed in.
"""
