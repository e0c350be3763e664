"""Maps: points in two dimensions that keep the neighbours of many-dimensional vectors together.

Neighbours (exact ones are cheaper here than approximate ones up to some ten thousand vectors), maps
by UMAP and by the components alone, and the placing of new points into a finished map of any
method. t-SNE has a module of its own, `tsne`; the components come from `numeric.components`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vernis.core.numeric.neighbors import Neighbors, nearest_neighbors, nearest_within
from vernis.domain.errors import InvalidValue, MissingExtra

MIN_POINTS = 5
"""Fewer points make no map."""

_EXACT_NEIGHBORS = 80_000  # vectors up to which all are compared with all
_PROBES = 32

Points = NDArray[np.float64]
"""Places in a map, shape (n, 2)."""


def find_neighbors(components: NDArray[np.float32], count: int, *, seed: int = 0) -> Neighbors:
    """Find the nearest others of each point by cosine: exactly up to 80,000 points.

    Beyond, only the nearest 32 cells of a partition are looked into. Where these hold too few
    points a place is filled with the last neighbour found.

    Parameters
    ----------
    components : ndarray of float32, shape (n, n_components)
    count : int
    seed : int
        Of the partition.
    """
    found = nearest_within(
        components, count, exact_limit=_EXACT_NEIGHBORS, probes=_PROBES, seed=seed
    )
    indices, similarities = found.indices, found.similarities
    for column in range(1, indices.shape[1]):
        lost = indices[:, column] < 0
        indices[lost, column] = indices[lost, column - 1]
        similarities[lost, column] = similarities[lost, column - 1]
    return found


def first_places(components: NDArray[np.float32], seed: int) -> Points:
    """Return the first two components, small, with a jitter of a hundredth."""
    start = np.zeros((len(components), 2))
    start[:, : components.shape[1]] = components[:, :2]
    spread = float(start[:, 0].std()) or 1.0
    start *= 1e-4 / spread
    return start + np.random.default_rng(seed).normal(0, 1e-6, start.shape)


def umap_points(
    components: NDArray[np.float32],
    *,
    n_neighbors: int = 15,
    min_dist: float = 0.1,
    seed: int = 0,
) -> Points:
    """Return the UMAP map (McInnes, Healy & Melville 2018), by umap-learn; cosine, one thread.

    Raises
    ------
    MissingExtra
        umap-learn is not installed.
    InvalidValue
        Too few points.
    """
    require_points(len(components))
    try:
        import umap
    except ImportError as error:
        raise MissingExtra("umap", "a map by UMAP") from error
    model = umap.UMAP(
        n_neighbors=min(n_neighbors, len(components) - 1),
        min_dist=min_dist,
        metric="cosine",
        init=first_places(components, seed) * 1e5 if len(components) else "random",
        random_state=seed,
        n_jobs=1,  # with a seed umap-learn takes one thread, and warns of more
    )
    return np.asarray(model.fit_transform(components), np.float64)


def pca_points(components: NDArray[np.float32]) -> Points:
    """Return the first two principal components."""
    require_points(len(components))
    points = np.zeros((len(components), 2))
    points[:, : components.shape[1]] = components[:, :2]
    return points


def place_by_neighbors(
    new: NDArray[np.float32], reference: NDArray[np.float32], points: Points, *, count: int = 15
) -> Points:
    """Place new points at the mean of their nearest neighbours' places, weighted by similarity.

    The way in which UMAP starts new points; it moves nothing and needs no model of the map.
    """
    if not len(new):
        return np.zeros((0, 2))
    found = nearest_neighbors(new, reference, count)
    weights = np.maximum(found.similarities.astype(np.float64), 1e-6)
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray(np.einsum("ij,ijk->ik", weights, points[found.indices]))


def require_points(n: int) -> None:
    """Raise InvalidValue where there are fewer than ``MIN_POINTS``."""
    if n < MIN_POINTS:
        raise InvalidValue(f"a map needs {MIN_POINTS} different pictures or more, got {n}")
