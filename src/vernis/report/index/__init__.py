"""The report of a collection: its page, the sections, the lists and what one can mark in them.

Values come as the dataclasses of ``report.model``.
Never: the reading of the catalog.
"""
