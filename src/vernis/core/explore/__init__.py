"""Vernis: core/explore."""
