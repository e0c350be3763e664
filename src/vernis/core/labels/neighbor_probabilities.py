"""What the nearest other images say of each image's labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from vernis.core.numeric.neighbors import nearest_within

FloatArray = NDArray[np.float32]

NEIGHBORS: tuple[int, ...] = (5, 10, 20, 50)
"""Numbers of neighbours that `neighbor_probabilities` chooses from."""

_PROBES = 32


def neighbor_probabilities(
    features: NDArray[np.floating],
    Y: NDArray[np.floating],
    groups: NDArray[np.integer] | None = None,
    sizes: Sequence[int] = NEIGHBORS,
) -> FloatArray:
    """Return the share of each class among the nearest other images, weighted by similarity.

    Parameters
    ----------
    features : ndarray, shape (n_images, dim)
        Compared by cosine; a similarity below 0 counts as 0.
    Y : ndarray, shape (n_images, n_classes)
        1, 0 or NaN.
    groups : ndarray of int, shape (n_images,), optional
        Images of one group never speak for one another.
    sizes : sequence of int
        Numbers of neighbours; taken is that of the least squared error against the given labels.

    Returns
    -------
    ndarray of float32, shape (n_images, n_classes)
        In 0..1; the share over all images where no neighbour has a known label.
    """
    indices, weights = nearest_others(features, max(sizes), groups)
    known = np.isfinite(Y)
    values = np.where(known, Y, 0.0).astype(np.float32)
    share = values.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    best, least = np.broadcast_to(share, Y.shape), np.inf
    for size in sizes:
        speak = _as_rows(indices[:, :size], weights[:, :size])
        total = speak @ known.astype(np.float32)
        found = np.where(total > 0, (speak @ values) / np.maximum(total, 1e-12), share)
        error = float(((found - Y)[known] ** 2).mean())
        if error < least:
            best, least = found, error
    return np.asarray(np.clip(best, 0.0, 1.0), np.float32)


def nearest_others(
    features: NDArray[np.floating], count: int, groups: NDArray[np.integer] | None
) -> tuple[NDArray[np.int64], FloatArray]:
    """Return the nearest images outside the own group, and similarities cut off at 0.

    Up to 20,000 images exactly; beyond, the nearest 32 cells of a partition are looked into, so
    that the cost grows as n·sqrt(n).

    Returns
    -------
    indices : ndarray of int64, shape (n_images, count)
    weights : ndarray of float32, shape (n_images, count)
        0 where nobody is left to ask; the index says nothing there.
    """
    found = nearest_within(features, min(count, len(features) - 1), groups=groups, probes=_PROBES)
    return np.maximum(found.indices, 0), np.maximum(found.similarities, 0.0)


def _as_rows(indices: NDArray[np.int64], weights: FloatArray) -> csr_array:
    """Return the weights as a sparse matrix, an image a row."""
    n, count = indices.shape
    starts = np.arange(0, n * count + 1, count)
    return csr_array((weights.ravel(), indices.ravel(), starts), shape=(n, n))
