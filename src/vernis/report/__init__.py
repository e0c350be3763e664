"""What people look at: the pages (one folder each), the charts and the tables of results.

Values come in, files and markup go out.
Never: the reading of the catalog, of images or of models.
"""
