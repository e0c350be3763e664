"""The figures of the explore verbs, as PNG or SVG files.

Numbers come ready.
Never: the measuring, sampling or decoding of anything.
"""
