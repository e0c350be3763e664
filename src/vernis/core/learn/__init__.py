"""Vernis: core/learn."""
