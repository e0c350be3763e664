"""What the nearest other images say of each image's labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from vernis.core.numeric.neighbors import build_cells, normalize_rows, search_cells, top_columns
from vernis.domain.errors import InvalidValue

FloatArray = NDArray[np.float32]

NEIGHBORS: tuple[int, ...] = (5, 10, 20, 50)
"""Numbers of neighbours that `neighbor_probabilities` chooses from."""

_BLOCK = 512
_EXACT = 20_000  # images up to which all are compared with all
_PROBES = 32
_SPARE = 10  # found besides, for those of the own group


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
    unit = normalize_rows(features)
    own = group_codes(groups, len(unit))
    count = min(count, len(unit) - 1)
    if len(unit) > _EXACT:
        return _nearest_in_cells(unit, count, own)
    indices = np.empty((len(unit), count), np.int64)
    weights = np.empty((len(unit), count), np.float32)
    for start in range(0, len(unit), _BLOCK):
        part = slice(start, start + _BLOCK)
        similarity = unit[part] @ unit.T
        similarity[own[part, None] == own[None]] = -2.0
        indices[part], values = top_columns(similarity, count)
        weights[part] = np.maximum(values, 0.0)
    return indices, weights


def _nearest_in_cells(
    unit: FloatArray, count: int, own: NDArray[np.integer]
) -> tuple[NDArray[np.int64], FloatArray]:
    found = search_cells(build_cells(unit), unit, count + _SPARE, probes=_PROBES)
    similarity = found.similarities.copy()
    similarity[own[found.indices] == own[:, None]] = -2.0
    similarity[found.indices < 0] = -2.0
    columns, values = top_columns(similarity, count)
    indices = np.take_along_axis(found.indices, columns, axis=1)
    return np.maximum(indices, 0), np.maximum(values, 0.0).astype(np.float32)


def _as_rows(indices: NDArray[np.int64], weights: FloatArray) -> csr_array:
    """Return the weights as a sparse matrix, an image a row."""
    n, count = indices.shape
    starts = np.arange(0, n * count + 1, count)
    return csr_array((weights.ravel(), indices.ravel(), starts), shape=(n, n))


def group_codes(groups: NDArray[np.integer] | None, count: int) -> NDArray[np.integer]:
    """Return the group of each image: its own where none are given."""
    own = np.arange(count) if groups is None else np.asarray(groups)
    if own.shape != (count,):
        raise InvalidValue(f"expected groups of shape ({count},), got {own.shape}")
    return own
