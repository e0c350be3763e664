"""What people look at: the pages (one folder each), the charts and the tables of results.

Values come in, files and markup go out. The catalog, the images and the models are never read here.
"""
