"""Formats in which labels and words come and go: CSV files, judged samples, metadata of files.

Read into the domain's types and written from them. The catalog is never opened here.
"""
