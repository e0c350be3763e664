"""Vernis: workflows."""
