"""Pretrained networks that turn a picture into vectors: found, opened, run, described.

What is done with the vectors never lives here, nor does the decoding of files.
"""
