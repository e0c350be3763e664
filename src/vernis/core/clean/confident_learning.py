"""Confident learning's rule for wrong labels, the peer that flagged images are measured against."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BoolArray = NDArray[np.bool_]


def confident_errors(labels: NDArray[np.generic], probs: NDArray[np.floating]) -> BoolArray:
    """Return the images off the diagonal of the confident joint.

    An image counts for the most probable of the classes that it has with confidence: at least the
    mean probability that the images given the class have of it. It is an error where that is not
    the class given (Northcutt, Jiang & Chuang, *Confident Learning*, JAIR 2021, eq. 1). With
    several labels an image each class is judged alone as yes or no, and one error suffices.

    Parameters
    ----------
    labels : ndarray, shape (n_images,) of class indices (negative = unknown), or (n_images,
        n_classes) of 1, 0, NaN
    probs : ndarray, shape (n_images, n_classes)
        In 0..1; did not see the image's own label.

    Returns
    -------
    ndarray of bool, shape (n_images,)
        False where nothing is known.
    """
    p = np.asarray(probs, dtype=np.float64)
    if np.ndim(labels) == 1:
        return _off_diagonal(np.asarray(labels, dtype=np.int64), p)
    y = np.asarray(labels, dtype=np.float64)
    wrong = np.zeros(len(p), dtype=bool)
    for given, yes in zip(y.T, p.T, strict=True):
        codes = np.where(np.isfinite(given), np.nan_to_num(given), -1).astype(np.int64)
        wrong |= _off_diagonal(codes, np.stack([1.0 - yes, yes], axis=1))
    return wrong


def _off_diagonal(given: NDArray[np.int64], p: NDArray[np.float64]) -> BoolArray:
    known = given >= 0
    threshold = np.full(p.shape[1], np.inf)
    for k in np.unique(given[known]):
        threshold[k] = p[given == k, k].mean()
    confident = p >= threshold - 1e-6
    likeliest = np.where(confident, p, -1.0).argmax(axis=1)
    return np.asarray(known & confident.any(axis=1) & (likeliest != given))
