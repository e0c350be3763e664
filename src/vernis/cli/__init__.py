"""Vernis: cli."""
