"""Vernis: adapters/catalog."""
