"""What is in a collection: maps, clusters, search, filters, outliers, profiles, spaces.
Arrays in, arrays and small tables out.
Never: the judgement of labels, or drawing.
"""
