"""Propose pairs of images that may be near duplicates, without comparing all with all.

Two searches complete one another. Small grey pictures, partly whitened, in all eight orientations
find turned, mirrored, recompressed, recoloured and lightly covered copies; embeddings of a network
find crops and heavier changes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vernis.core.clean.near_fingerprints import ORIENTATIONS, shrink, standardize, turn
from vernis.core.explore.neighbors import (
    EXACT_LIMIT,
    Neighbors,
    build_cells,
    nearest_within,
    normalize_rows,
    project_rows,
    search_cells,
    top_columns,
)

_SIDE = 8
_WHITENING = 0.6
_COMPONENTS = 48
_EMBEDDING_COMPONENTS = 128
_COVARIANCE_SAMPLE = 20_000


def describe_turns(luma: NDArray[np.uint8], *, seed: int = 0) -> NDArray[np.float32]:
    """Describe pictures in each of the eight orientations by a short unit vector.

    Grey pictures of 8 × 8 points are standardized and projected on the principal components of
    all pictures in all orientations; each component is divided by a power of its spread, since
    without whitening the few coarse components that all photographs share drown the rest.

    Parameters
    ----------
    luma : ndarray of uint8, shape (n_images, LUMA_SIDE, LUMA_SIDE)
    seed : int
        Draws the sample for the components.

    Returns
    -------
    ndarray of float32, shape (8, n_images, 48)
    """
    small = np.concatenate(
        [shrink(luma[start : start + 4096], _SIDE) for start in range(0, len(luma), 4096)]
        or [np.zeros((0, _SIDE, _SIDE), np.float32)]
    )
    small = standardize(small.reshape(len(small), -1)).reshape(small.shape)
    turned = [turn(small, k).reshape(len(small), -1) for k in range(len(ORIENTATIONS))]
    rng = np.random.default_rng(seed)
    rows = np.arange(len(small))
    if len(rows) > _COVARIANCE_SAMPLE:
        rows = np.sort(rng.choice(rows, _COVARIANCE_SAMPLE, replace=False))
    moments = sum(t[rows].T @ t[rows] for t in turned) / max(1, len(ORIENTATIONS) * len(rows))
    spread, directions = np.linalg.eigh(np.asarray(moments, dtype=np.float64))
    spread, directions = spread[::-1][:_COMPONENTS], directions[:, ::-1][:, :_COMPONENTS]
    basis = directions * np.maximum(spread, 1e-6) ** (-_WHITENING / 2)
    return np.stack([normalize_rows(t @ basis.astype(np.float32)) for t in turned])


def propose_by_turns(
    descriptors: NDArray[np.float32], n_neighbors: int, *, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Propose the nearest others of each picture over the eight orientations.

    Parameters
    ----------
    descriptors : ndarray of float32, shape (8, n_images, dim)
    n_neighbors : int
    seed : int
        Of the partition used past ``EXACT_LIMIT`` images.

    Returns
    -------
    pairs : ndarray of int64, shape (n_pairs, 2)
        a < b, sorted, distinct.
    similarities : ndarray of float32, shape (n_pairs,)
    """
    base = descriptors[0]
    n = len(base)
    if n <= EXACT_LIMIT:
        found = _search_turns_exactly(descriptors, n_neighbors)
    else:
        cells = build_cells(base, seed=seed)
        parts = [search_cells(cells, turned, n_neighbors + 1, probes=4) for turned in descriptors]
        indices = np.concatenate([part.indices for part in parts], axis=1)
        similarities = np.concatenate([part.similarities for part in parts], axis=1)
        similarities[indices == np.arange(n)[:, None]] = -2.0
        # A symmetric picture names one neighbour in two orientations.
        best = np.argsort(-similarities, axis=1, kind="stable")[:, : n_neighbors + 2]
        found = Neighbors(
            np.take_along_axis(indices, best, axis=1),
            np.take_along_axis(similarities, best, axis=1),
        )
    return _as_pairs(found)


def propose_by_embedding(
    vectors: NDArray[np.generic], n_neighbors: int, *, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Propose the nearest others of each image in an embedding space.

    Parameters
    ----------
    vectors : ndarray, shape (n_images, dim)
    n_neighbors : int
    seed : int

    Returns
    -------
    pairs : ndarray of int64, shape (n_pairs, 2)
        a < b, sorted, distinct.
    similarities : ndarray of float32, shape (n_pairs,)
        Cosine after centring and projection on the principal components.
    """
    projected = project_rows(vectors, _EMBEDDING_COMPONENTS, seed=seed)
    return _as_pairs(nearest_within(projected, n_neighbors, seed=seed))


def _search_turns_exactly(descriptors: NDArray[np.float32], n_neighbors: int) -> Neighbors:
    base = np.ascontiguousarray(descriptors[0].T)
    n = base.shape[1]
    k = max(0, min(n_neighbors, n - 1))
    indices = np.empty((n, k), dtype=np.int64)
    similarities = np.empty((n, k), dtype=np.float32)
    step = max(1, 4_000_000 // max(1, n))
    for start in range(0, n, step):
        best = descriptors[0, start : start + step] @ base
        for turned in descriptors[1:]:
            np.maximum(best, turned[start : start + step] @ base, out=best)
        rows = np.arange(len(best))
        best[rows, rows + start] = -2.0
        indices[start : start + step], similarities[start : start + step] = top_columns(best, k)
    return Neighbors(indices, similarities)


def _as_pairs(found: Neighbors) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    n, k = found.indices.shape
    first = np.repeat(np.arange(n), k)
    second = found.indices.ravel()
    keep = (second >= 0) & (second != first)
    first, second = first[keep], second[keep]
    values = found.similarities.ravel()[keep]
    codes = np.minimum(first, second) * n + np.maximum(first, second)
    order = np.lexsort((-values, codes))
    codes = codes[order]
    distinct = np.ones(len(codes), dtype=bool)
    distinct[1:] = codes[1:] != codes[:-1]
    codes = codes[distinct]
    return np.column_stack([codes // max(1, n), codes % max(1, n)]), values[order][distinct]
