"""Workflows that try methods on a collection."""
