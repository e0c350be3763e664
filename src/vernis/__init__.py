"""Vernis."""
