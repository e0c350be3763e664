"""What stands inside image files and their sidecars: XMP, IPTC and EXIF, read and written.
Bytes of files in, plain records of ``domain.metadata`` out, and the other way.
Never: label formats of other tools, the catalog, or a decision which words go into a file.
"""
