"""Which images show the same picture: candidates, alignment, verification, groups, keepers.
Fingerprints and vectors in, pairs and groups out.
Never: the reading of files, or the decision what is moved to the trash.
"""
