"""Workflows that show what is in a collection."""
