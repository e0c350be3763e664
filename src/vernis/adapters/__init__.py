"""Vernis: adapters."""
