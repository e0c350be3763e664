"""Verbs to begin with: the whole job, the demo, what the collection holds, the report.

They call other verbs' work in order and keep nothing of their own.
Never: a step that cannot be done alone by another verb.

Order: run, demo, serve, status, report, users.
"""
