"""Where in a picture its labels are: classifiers of patches, heat maps, boxes, and their fit.
Arrays of patch vectors, maps and boxes in, the same out.
Never: pictures, networks, or the catalog.
"""
