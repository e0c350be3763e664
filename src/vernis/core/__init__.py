"""Vernis: core."""
