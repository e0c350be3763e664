"""Vernis: domain."""
