"""The world, one thing a module: files, pictures, the catalog, networks, formats, trash.

Never: a decision of a verb, or a judgement on labels. Opened by the session alone.
"""
