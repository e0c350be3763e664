"""Vernis: core/enrich."""
