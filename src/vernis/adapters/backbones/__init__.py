"""Pretrained networks that turn a picture into vectors.

Never: the catalog, or a download that nobody asked for.
"""
