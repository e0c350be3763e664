"""t-SNE maps, by openTSNE, and the placing of new points into them.

What is added are exact neighbours (`projection.find_neighbors`), states at several numbers of
iterations from one optimisation, and a last phase that keeps more of the nearest neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.core.explore.projection import Points, first_places, require_points
from vernis.core.numeric.neighbors import Neighbors, nearest_neighbors
from vernis.core.numeric.threads import count_threads
from vernis.domain.errors import InvalidValue

EXAGGERATED_ITERATIONS = 250
"""Iterations of t-SNE's first phase, in which clusters form; not counted as iterations."""

_EXAGGERATION = 12.0
_LAST_PHASE = 5  # every fifth iteration is of the last phase
_LAST_PHASE_FROM = 3_000  # points; with fewer it changes nothing, or loses
_LAST_PERPLEXITY = 15.0  # its perplexity is not below; with 6, ten neighbours are kept less often
_FFT_FROM = 3_000  # points from which the gradient by interpolation is the faster one
_CALLBACK_EVERY = 50
_POINTS_A_THREAD = 5_000  # fewer: threads wait for one another longer than they work
_PLACING_ITERATIONS = 250
_PLACING_PERPLEXITY = 5.0
_PLACING_NEIGHBORS = 25

Tick = Callable[[int], None]
"""Is told the iterations that were done."""


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
    principal components and with learning rate n (Kobak & Berens 2019). From 3,000 points on
    the last fifth of the iterations goes by half the perplexity, but by 15 at least: the large one
    has laid out the whole, the small one keeps more of each point's nearest
    (docs/decisions/map.md).

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
    wanted = [int(count) for count in iterations]
    require_points(len(components))
    if perplexity < 1 or not wanted or (np.diff([0, *wanted]) <= 0).any():
        raise InvalidValue(
            f"expected a perplexity of 1 or more and ascending iterations above 0, got "
            f"{perplexity:g} and {list(iterations)}"
        )
    state = _embedding(first_places(components, seed), neighbors, perplexity)
    done = _optimize(state, EXAGGERATED_ITERATIONS, _EXAGGERATION, tick, 0)
    ends_finer = len(components) >= _LAST_PHASE_FROM and perplexity > _LAST_PERPLEXITY
    for count in wanted:
        last = count // _LAST_PHASE if ends_finer else 0
        done = _optimize(state, EXAGGERATED_ITERATIONS + count - last - done, 1.0, tick, done)
        ending = state
        if last:  # a copy: more iterations go on from before the last phase
            ending = _embedding(np.array(state), neighbors, max(perplexity / 2, _LAST_PERPLEXITY))
            _optimize(ending, last, 1.0, tick if count == wanted[-1] else None, done)
        yield count, np.array(ending, np.float64)


def _embedding(places: Points, neighbors: Neighbors, perplexity: float) -> Any:
    import openTSNE

    n = len(places)
    return openTSNE.TSNEEmbedding(
        places,
        _affinities(neighbors, perplexity),
        negative_gradient_method="fft" if n >= _FFT_FROM else "bh",
        n_jobs=_threads(n),
        learning_rate="auto",
        momentum=0.8,
        max_step_norm=5,
    )


def _optimize(
    state: Any, iterations: int, exaggeration: float, tick: Tick | None, before: int
) -> int:
    """Move the points; return the iterations that were done, those ``before`` included."""
    if iterations > 0:
        state.optimize(
            n_iter=iterations,
            exaggeration=exaggeration,
            inplace=True,
            propagate_exception=True,
            callbacks_every_iters=_CALLBACK_EVERY,
            callbacks=None if tick is None else [_Reporter(tick, before)],
        )
    return before + max(iterations, 0)


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
