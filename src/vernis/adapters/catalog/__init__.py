"""The catalog: everything known about a collection, in one folder.

Never: a calculation, or what a stored document means to a verb.
"""
