"""Maps: points in two dimensions that keep the neighbours of many-dimensional vectors together.

t-SNE is openTSNE's; what is added are exact neighbours (cheaper here than approximate ones up to
some ten thousand vectors), states at several numbers of iterations from one optimisation, and the
placing of new points into a finished map of any method.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.core.explore.neighbors import (
    Neighbors,
    build_cells,
    nearest_neighbors,
    normalize_rows,
    search_cells,
)
from vernis.core.learn.threads import count_threads, single_threaded_products
from vernis.domain.errors import InvalidValue, MissingExtra

MIN_POINTS = 5
"""Fewer points make no map."""

EXAGGERATED_ITERATIONS = 250
"""Iterations of t-SNE's first phase, in which clusters form; not counted as iterations."""

_EXAGGERATION = 12.0
_SAMPLE = 20_000  # vectors from which the principal directions are estimated
_EXACT_NEIGHBORS = 80_000  # vectors up to which all are compared with all
_PROBES = 32
_FFT_FROM = 3_000  # points from which the gradient by interpolation is the faster one
_CALLBACK_EVERY = 50
_POINTS_A_THREAD = 5_000  # fewer: threads wait for one another longer than they work
_PLACING_ITERATIONS = 250
_PLACING_PERPLEXITY = 5.0
_PLACING_NEIGHBORS = 25

Points = NDArray[np.float64]
"""Places in a map, shape (n, 2)."""

Tick = Callable[[int], None]
"""Is told the iterations that were done."""


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
        step = 8192
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
    if n > _SAMPLE:
        rows = np.sort(np.random.default_rng(seed).choice(n, _SAMPLE, replace=False))
    with single_threaded_products():  # the last bits must not hang on the number of cores
        found = PCA(min(n_components, n, dim), svd_solver="covariance_eigh").fit(
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


def count_neighbors(perplexity: float, n_points: int) -> int:
    """Return how many neighbours a point t-SNE looks at: three times the perplexity."""
    return min(n_points - 1, int(3 * perplexity))


def tsne_states(
    components: NDArray[np.float32],
    neighbors: Neighbors,
    *,
    perplexity: float,
    iterations: Sequence[int],
    seed: int = 0,
    tick: Tick | None = None,
) -> Iterator[tuple[int, Points]]:
    """Yield the t-SNE map after each of several numbers of iterations, of one optimisation.

    van der Maaten & Hinton (2008), *Visualizing Data using t-SNE*; gradient by interpolation
    (Linderman et al. 2019) through openTSNE (Poličar et al. 2024); initialised by the first two
    principal components and with learning rate n (Kobak & Berens 2019).

    Parameters
    ----------
    components : ndarray of float32, shape (n, n_components)
        Principal components, the largest first; n ≥ ``MIN_POINTS``.
    neighbors : Neighbors
        The nearest others of each point by cosine: three times the largest perplexity that will
        be asked for, or all (``count_neighbors``).
    perplexity : float
        The effective number of neighbours of a point, 1 or more; cut to a third of the points.
    iterations : sequence of int
        Ascending; after ``EXAGGERATED_ITERATIONS``.
    seed : int
        Of the jitter that parts points which start at one place.
    tick : callable, optional
        Is told now and then how many iterations were done, the exaggerated ones included.

    Raises
    ------
    InvalidValue
        Too few points, a perplexity below 1 or iterations that do not ascend.
    """
    import openTSNE

    steps = np.diff([0, *iterations])
    _require_points(len(components))
    if perplexity < 1 or not len(steps) or (steps <= 0).any():
        raise InvalidValue(
            f"expected a perplexity of 1 or more and ascending iterations above 0, got "
            f"{perplexity:g} and {list(iterations)}"
        )
    method = "fft" if len(components) >= _FFT_FROM else "bh"
    options: dict[str, Any] = {
        "negative_gradient_method": method,
        "n_jobs": _threads(len(components)),
        "learning_rate": "auto",
        "momentum": 0.8,
        "max_step_norm": 5,
    }
    state = openTSNE.TSNEEmbedding(
        _start(components, seed), _affinities(neighbors, perplexity), **options
    )
    phases = [(EXAGGERATED_ITERATIONS, _EXAGGERATION), *((int(step), 1.0) for step in steps)]
    done = 0
    for step, exaggeration in phases:
        state.optimize(
            n_iter=step,
            exaggeration=exaggeration,
            inplace=True,
            propagate_exception=True,
            callbacks_every_iters=_CALLBACK_EVERY,
            callbacks=None if tick is None else [_Reporter(tick, done)],
        )
        done += step
        if done > EXAGGERATED_ITERATIONS:
            yield done - EXAGGERATED_ITERATIONS, np.array(state, np.float64)


@dataclass(frozen=True, slots=True)
class _Reporter:
    """Passes on the iterations of one phase."""

    tick: Tick
    before: int

    def __call__(self, iteration: int, error: float, embedding: object) -> bool:
        self.tick(self.before + iteration)
        return False


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """Neighbours that were found already, as openTSNE wants an index."""

    neighbors: Neighbors
    k: int

    @property
    def n_samples(self) -> int:
        return len(self.neighbors.indices)

    def build(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the neighbours and their cosine distances."""
        return _with_distances(self.neighbors, self.k)


def _affinities(neighbors: Neighbors, perplexity: float) -> Any:
    from openTSNE.affinity import PerplexityBasedNN

    n = len(neighbors.indices)
    wanted = count_neighbors(perplexity, n)
    if neighbors.indices.shape[1] < wanted:
        raise InvalidValue(
            f"expected {wanted} neighbours for a perplexity of {perplexity:g}, "
            f"got {neighbors.indices.shape[1]}"
        )
    fitting = min(perplexity, (n - 1) / 3)
    return PerplexityBasedNN(
        perplexity=fitting, knn_index=_Found(neighbors, wanted), n_jobs=_threads(n)
    )


def _with_distances(
    neighbors: Neighbors, count: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    distances = 1.0 - neighbors.similarities[:, :count].astype(np.float64)
    return neighbors.indices[:, :count], np.maximum(distances, 0.0)


def _threads(n: int) -> int:
    """Return the threads that are worth it; the map is the same with any number."""
    return count_threads(n // _POINTS_A_THREAD)


def _start(components: NDArray[np.float32], seed: int) -> Points:
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
    _require_points(len(components))
    try:
        import umap
    except ImportError as error:
        raise MissingExtra("umap", "a map by UMAP") from error
    model = umap.UMAP(
        n_neighbors=min(n_neighbors, len(components) - 1),
        min_dist=min_dist,
        metric="cosine",
        init=_start(components, seed) * 1e5 if len(components) else "random",
        random_state=seed,
        n_jobs=1,  # with a seed umap-learn takes one thread, and warns of more
    )
    return np.asarray(model.fit_transform(components), np.float64)


def pca_points(components: NDArray[np.float32]) -> Points:
    """Return the first two principal components."""
    _require_points(len(components))
    points = np.zeros((len(components), 2))
    points[:, : components.shape[1]] = components[:, :2]
    return points


def place_by_tsne(
    new: NDArray[np.float32], reference: NDArray[np.float32], points: Points
) -> Points:
    """Place new points into a t-SNE map without moving it.

    Each starts at the median of its 25 nearest neighbours in the map and is then optimised
    against the map alone, not against the other new ones (Poličar, Stražar & Zupan 2021).

    Parameters
    ----------
    new : ndarray of float32, shape (n_new, n_components)
    reference : ndarray of float32, shape (n, n_components)
        What the map was made of.
    points : ndarray of float64, shape (n, 2)
        The map.

    Returns
    -------
    ndarray of float64, shape (n_new, 2)
    """
    from openTSNE import PartialTSNEEmbedding
    from openTSNE.affinity import joint_probabilities_nn

    if not len(new):
        return np.zeros((0, 2))
    found = nearest_neighbors(new, reference, _PLACING_NEIGHBORS)
    start = np.median(points[found.indices], axis=1)
    count = min(found.indices.shape[1], int(3 * _PLACING_PERPLEXITY))
    threads = _threads(len(new))
    affinities = joint_probabilities_nn(
        *_with_distances(found, count),
        [min(_PLACING_PERPLEXITY, count / 3)],
        symmetrize=False,
        normalization="point-wise",
        n_reference_samples=len(points),
        n_jobs=threads,
    )
    state = PartialTSNEEmbedding(
        start, _reference(points), affinities, negative_gradient_method="bh", dof=1
    )
    state.optimize(
        n_iter=_PLACING_ITERATIONS,
        learning_rate=0.1,
        exaggeration=1.5,
        momentum=0.8,
        max_grad_norm=0.25,
        max_step_norm=None,
        n_jobs=threads,
        inplace=True,
        propagate_exception=True,
    )
    return np.array(state, np.float64)


def _reference(points: Points) -> Any:
    """Return the map as openTSNE's own kind of array; its affinities are not asked for."""
    from openTSNE import TSNEEmbedding

    return TSNEEmbedding(points, SimpleNamespace(P=points))


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


def _require_points(n: int) -> None:
    if n < MIN_POINTS:
        raise InvalidValue(f"a map needs {MIN_POINTS} different pictures or more, got {n}")
