"""Vernis: adapters/interchange."""
