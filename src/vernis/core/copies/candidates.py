"""Propose pairs of images that may be near duplicates, without comparing all with all.

Two searches complete one another. Small grey pictures, partly whitened, in all eight orientations
find turned, mirrored, recompressed, recoloured and lightly covered copies; embeddings of a network
find crops and heavier changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vernis.core.copies.blocks import slices
from vernis.core.copies.fingerprints import ORIENTATIONS, shrink, standardize, turn
from vernis.core.numeric.components import leading_directions, project_rows
from vernis.core.numeric.neighbors import (
    EXACT_LIMIT,
    Neighbors,
    build_cells,
    nearest_within,
    search_cells,
    top_columns,
)
from vernis.core.numeric.rows import normalize_rows
from vernis.core.numeric.threads import in_threads
from vernis.domain.ports import Rows

_SIDE = 8
_WHITENING = 0.6
_COMPONENTS = 48
_EMBEDDING_COMPONENTS = 128
_COVARIANCE_SAMPLE = 20_000
_TURN_PROBES = 4
_MERGED_ROWS = 65_536


@dataclass(frozen=True, slots=True, eq=False)
class TurnDescriptors:
    """Descriptors of pictures in each orientation, made when they are asked for.

    Attributes
    ----------
    small : ndarray of float32, shape (n_images, 8, 8)
        Standardized.
    basis : ndarray of float32, shape (64, 48)
    """

    small: NDArray[np.float32]
    basis: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.small)

    def turned(self, orientation: int) -> NDArray[np.float32]:
        """Return unit vectors of the pictures in one orientation, shape (n_images, 48)."""
        planes = turn(self.small, orientation)
        return normalize_rows(planes.reshape(len(planes), _SIDE**2) @ self.basis)


def describe_turns(luma: Rows, *, seed: int = 0) -> TurnDescriptors:
    """Describe pictures in each of the eight orientations by a short unit vector.

    Grey pictures of 8 × 8 points are standardized and projected on the principal components of
    all pictures in all orientations; each component is divided by a power of its spread, since
    without whitening the few coarse components that all photographs share drown the rest.

    Parameters
    ----------
    luma : Rows of uint8, shape (n_images, LUMA_SIDE, LUMA_SIDE)
    seed : int
        Draws the sample for the components.
    """
    small = np.empty((len(luma), _SIDE, _SIDE), dtype=np.float32)
    for rows in slices(len(luma)):
        flat = shrink(luma[rows], _SIDE).reshape(-1, _SIDE**2)
        small[rows] = standardize(flat).reshape(-1, _SIDE, _SIDE)
    rng = np.random.default_rng(seed)
    some = small
    if len(small) > _COVARIANCE_SAMPLE:
        some = small[np.sort(rng.choice(len(small), _COVARIANCE_SAMPLE, replace=False))]
    turned = [turn(some, k).reshape(len(some), _SIDE**2) for k in range(len(ORIENTATIONS))]
    moments = sum(t.T @ t for t in turned) / max(1, len(ORIENTATIONS) * len(some))
    directions, spread = leading_directions(np.asarray(moments), _COMPONENTS)
    basis = directions * np.maximum(spread, 1e-6) ** (-_WHITENING / 2)
    return TurnDescriptors(small, basis.astype(np.float32))


def propose_by_turns(
    descriptors: TurnDescriptors, n_neighbors: int, *, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Propose the nearest others of each picture over the eight orientations.

    Parameters
    ----------
    descriptors : TurnDescriptors
    n_neighbors : int
    seed : int
        Of the partition used past ``EXACT_LIMIT`` images.

    Returns
    -------
    pairs : ndarray of int64, shape (n_pairs, 2)
        a < b, sorted, distinct.
    similarities : ndarray of float32, shape (n_pairs,)
    """
    if len(descriptors) <= EXACT_LIMIT:
        return _as_pairs(_search_turns_exactly(descriptors, n_neighbors))
    return _as_pairs(_search_turns_by_cells(descriptors, n_neighbors, seed))


def propose_by_embedding(
    vectors: Rows, n_neighbors: int, *, seed: int = 0
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Propose the nearest others of each image in an embedding space.

    Parameters
    ----------
    vectors : Rows, shape (n_images, dim)
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


def _search_turns_exactly(descriptors: TurnDescriptors, n_neighbors: int) -> Neighbors:
    turned = [descriptors.turned(k) for k in range(len(ORIENTATIONS))]
    base = np.ascontiguousarray(turned[0].T)
    n = base.shape[1]
    k = max(0, min(n_neighbors, n - 1))
    indices = np.empty((n, k), dtype=np.int64)
    similarities = np.empty((n, k), dtype=np.float32)
    step = max(1, 4_000_000 // max(1, n))
    for start in range(0, n, step):
        best = turned[0][start : start + step] @ base
        for queries in turned[1:]:
            np.maximum(best, queries[start : start + step] @ base, out=best)
        rows = np.arange(len(best))
        best[rows, rows + start] = -2.0
        indices[start : start + step], similarities[start : start + step] = top_columns(best, k)
    return Neighbors(indices, similarities)


def _search_turns_by_cells(descriptors: TurnDescriptors, n_neighbors: int, seed: int) -> Neighbors:
    cells = build_cells(descriptors.turned(0), seed=seed)

    def search(orientation: int) -> Neighbors:
        turned = descriptors.turned(orientation)
        # A picture may find itself, in a symmetric one's every orientation.
        found = search_cells(cells, turned, n_neighbors + 1, probes=_TURN_PROBES)
        found.similarities[found.indices == np.arange(len(turned))[:, None]] = -2.0
        return found

    parts = in_threads(search, range(len(ORIENTATIONS)))
    best = next(parts)
    for part in parts:
        best = _merge(best, part)
    # The least similar column was room for the picture itself.
    return Neighbors(best.indices[:, :n_neighbors], best.similarities[:, :n_neighbors])


def _merge(first: Neighbors, second: Neighbors) -> Neighbors:
    """Return the most similar of both, each neighbour once; changes the first."""
    count = first.indices.shape[1]
    for start in range(0, len(first.indices), _MERGED_ROWS):
        rows = slice(start, start + _MERGED_ROWS)
        names = np.concatenate([first.indices[rows], second.indices[rows]], axis=1)
        values = np.concatenate([first.similarities[rows], second.similarities[rows]], axis=1)
        twice = names[:, :count, None] == names[:, None, count:]
        # Of a neighbour that both name, the more similar orientation stays.
        better = values[:, :count, None] >= values[:, None, count:]
        values[:, count:][(twice & better).any(axis=1)] = -2.0
        values[:, :count][(twice & ~better).any(axis=2)] = -2.0
        best, first.similarities[rows] = top_columns(values, count)
        first.indices[rows] = np.take_along_axis(names, best, axis=1)
    return first


def _as_pairs(found: Neighbors) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    n, k = found.indices.shape
    first = np.repeat(np.arange(n), k)
    second = found.indices.ravel()
    # What is left out, the picture itself or a neighbour named twice, has the similarity -2.
    keep = (second >= 0) & (second != first) & (found.similarities.ravel() > -2.0)
    first, second = first[keep], second[keep]
    values = found.similarities.ravel()[keep]
    codes = np.minimum(first, second) * n + np.maximum(first, second)
    order = np.lexsort((-values, codes))
    codes = codes[order]
    distinct = np.ones(len(codes), dtype=bool)
    distinct[1:] = codes[1:] != codes[:-1]
    codes = codes[distinct]
    return np.column_stack([codes // max(1, n), codes % max(1, n)]), values[order][distinct]
