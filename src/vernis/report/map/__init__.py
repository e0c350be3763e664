"""The interactive page of a map: what it shows, its template, styles and scripts.

Places, cells and thumbnails are given.
Never: the projecting, tiling or decoding of anything.
"""
