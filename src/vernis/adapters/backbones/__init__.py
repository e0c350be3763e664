"""Vernis: adapters/backbones."""
