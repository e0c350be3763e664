"""The figures of the explore verbs, as PNG or SVG files.

Numbers come ready. Nothing is measured, sampled or decoded here.
"""
