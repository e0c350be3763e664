"""Vernis: core/clean."""
