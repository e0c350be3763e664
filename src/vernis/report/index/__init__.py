"""The report of a collection: its page, the sections, the lists and what one can mark in them.

Values come as the dataclasses of ``report.model``. The catalog is never read here.
"""
