"""The command line: parsers made from the declarations, tables, JSON, progress, exit codes.

Never: the work of a verb, or a text that only one verb says.
"""
