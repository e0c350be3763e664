"""Vernis: report."""
