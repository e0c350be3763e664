"""Maps: points in two dimensions that keep the neighbours of many-dimensional vectors together.

Principal components, neighbours (exact ones are cheaper here than approximate ones up to some ten
thousand vectors), maps by UMAP and by the components alone, and the placing of new points into a
finished map of any method. t-SNE has a module of its own, `tsne`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vernis.core.numeric.neighbors import (
    Neighbors,
    build_cells,
    nearest_neighbors,
    normalize_rows,
    search_cells,
)
from vernis.core.numeric.threads import single_threaded_products
from vernis.domain.errors import InvalidValue, MissingExtra

MIN_POINTS = 5
"""Fewer points make no map."""

_SAMPLE = 20_000  # vectors from which the principal directions are estimated
_LEAST_SAMPLE = 1000
_VALUES = 2**28  # numbers of float32 in 1 GB
_LONGEST_COVARIANCE = 4096
_EXACT_NEIGHBORS = 80_000  # vectors up to which all are compared with all
_PROBES = 32

Points = NDArray[np.float64]
"""Places in a map, shape (n, 2)."""


@dataclass(frozen=True, slots=True, eq=False)
class Components:
    """A projection on principal directions, which can be repeated on new vectors.

    Attributes
    ----------
    mean : ndarray of float32, shape (dim,)
    directions : ndarray of float32, shape (dim, n_components)
        Orthonormal, the direction of the largest variance first.
    """

    mean: NDArray[np.float32]
    directions: NDArray[np.float32]

    def project(self, vectors: NDArray[np.generic]) -> NDArray[np.float32]:
        """Return the components of vectors, shape (n, n_components)."""
        step = min(8192, max(1, _VALUES // (4 * vectors.shape[1])))
        blocks = [
            (vectors[start : start + step].astype(np.float32) - self.mean) @ self.directions
            for start in range(0, len(vectors), step)
        ]
        width = self.directions.shape[1]
        return np.concatenate(blocks) if blocks else np.zeros((0, width), np.float32)


def principal_components(
    vectors: NDArray[np.generic], n_components: int = 50, *, seed: int = 0
) -> Components:
    """Find the directions of the largest variance (from 20,000 vectors where there are more).

    Vectors of more than 4,096 numbers (a flattened layer) are too long for their covariance: their
    directions are found by a randomized decomposition (Halko, Martinsson & Tropp 2011), from as
    many vectors as 1 GB holds.

    Parameters
    ----------
    vectors : ndarray, shape (n, dim)
    n_components : int
        Cut to what ``n`` and ``dim`` allow.
    seed : int
        Draws the sample.
    """
    from sklearn.decomposition import PCA

    n, dim = vectors.shape
    rows = np.arange(n)
    sample = min(_SAMPLE, max(_VALUES // dim, _LEAST_SAMPLE))
    if n > sample:
        rows = np.sort(np.random.default_rng(seed).choice(n, sample, replace=False))
    solver = "covariance_eigh" if dim <= _LONGEST_COVARIANCE else "randomized"
    with single_threaded_products():  # the last bits must not hang on the number of cores
        found = PCA(min(n_components, len(rows), dim), svd_solver=solver, random_state=seed).fit(
            vectors[rows].astype(np.float32)
        )
    return Components(
        np.asarray(found.mean_, np.float32),
        np.ascontiguousarray(found.components_.T, dtype=np.float32),
    )


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
    if len(components) <= _EXACT_NEIGHBORS:
        return nearest_neighbors(components, components, count, exclude_self=True)
    unit = normalize_rows(components)
    found = search_cells(build_cells(unit, seed=seed), unit, count + 1, probes=_PROBES)
    own = found.indices == np.arange(len(unit))[:, None]
    own[~own.any(axis=1), -1] = True
    shape = (len(unit), count)
    indices = found.indices[~own].reshape(shape)
    similarities = found.similarities[~own].reshape(shape)
    for column in range(1, count):
        lost = indices[:, column] < 0
        indices[lost, column] = indices[lost, column - 1]
        similarities[lost, column] = similarities[lost, column - 1]
    return Neighbors(indices, similarities)


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
