"""Label formats of other tools: one module a format, read and written on the standard library.
A file or folder in, an ``ExchangeSet`` out, and the other way with a loss table.
Never: the metadata inside image files, the catalog, or a format that needs its tool's library.
"""
