"""One home for the calculations that every room shares: rows, neighbours, principal components,
landmarks, sampling, folds, threads. Arrays in, arrays out.
Never: anything that knows what a label, a duplicate or a picture is.
"""
