"""Looks into files that hold several pictures: videos, PDF, TIFF, slides. One module a kind.

Each lists the places of a file's pictures and writes one or all of them as picture files.
Never: what becomes of them; the catalog.
"""
