"""How far a map can be trusted: trustworthiness and the neighbours that it keeps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vernis.core.numeric.rows import normalize_rows
from vernis.domain.errors import InvalidValue

EXACT_LIMIT = 5_000
"""Up to this many points every one is judged; beyond, a sample of points is."""

SAMPLE = 2_000
"""Points that are judged where there are more than ``EXACT_LIMIT``, each against all others."""

_BLOCK_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class MapQuality:
    """How well a map keeps neighbours.

    Attributes
    ----------
    trustworthiness : float
        0..1; low when neighbours in the map are far apart in truth.
    preservation : float
        0..1: share of the true nearest neighbours that are nearest in the map too.
    n_neighbors : int
    judged : int
        Points that were judged: all, or a sample.
    trustworthiness_error, preservation_error : float
        Standard error of the sampling; 0 when all were judged.
    """

    trustworthiness: float
    preservation: float
    n_neighbors: int
    judged: int
    trustworthiness_error: float = 0.0
    preservation_error: float = 0.0


def map_quality(
    vectors: NDArray[np.generic],
    points: NDArray[np.generic],
    n_neighbors: int = 10,
    *,
    seed: int = 0,
    sample: int = SAMPLE,
) -> MapQuality:
    """Judge a map against the vectors that it was made of, by cosine.

    Trustworthiness is that of Venna & Kaski (2001), *Neighborhood preservation in nonlinear
    projection methods*: with r(i, j) the rank of j among the neighbours of i by the vectors, and U
    the k nearest in the map that are not among the k nearest by the vectors::

        T = 1 − 2 / (n k (2n − 3k − 1)) · Σ_i Σ_{j ∈ U(i)} (r(i, j) − k)

    Preservation is the mean share of the k nearest by the vectors that are among the k nearest in
    the map. Past ``EXACT_LIMIT`` points both are means over a sample of the points i; the ranks
    and neighbours of these are among all points, so that the means have no bias.

    Parameters
    ----------
    vectors : ndarray, shape (n, dim)
    points : ndarray, shape (n, 2)
    n_neighbors : int
        k; cut to less than half the points, for which the formula holds.
    seed : int
        Draws the sample.
    sample : int
        Its size.

    Raises
    ------
    InvalidValue
        When the lengths differ or there are fewer than 3 points.
    """
    n = len(vectors)
    if n != len(points) or n < 3:
        raise InvalidValue(
            f"expected 3 points or more, as many as vectors, got {n} and {len(points)}"
        )
    k = max(1, min(n_neighbors, (n - 1) // 2))
    rows = np.arange(n)
    if n > EXACT_LIMIT and sample < n:
        rows = np.sort(np.random.default_rng(seed).choice(n, sample, replace=False))
    near = _nearest_on_map(np.asarray(points, np.float64), rows, k)
    ranks = _ranks(normalize_rows(vectors), rows, near)
    trust = 1 - 2 / (k * (2 * n - 3 * k - 1)) * np.maximum(ranks - k, 0).sum(axis=1)
    kept = (ranks <= k).mean(axis=1)
    sampled = len(rows) < n
    return MapQuality(
        trustworthiness=float(trust.mean()),
        preservation=float(kept.mean()),
        n_neighbors=k,
        judged=len(rows),
        trustworthiness_error=_standard_error(trust, n) if sampled else 0.0,
        preservation_error=_standard_error(kept, n) if sampled else 0.0,
    )


def _standard_error(values: NDArray[np.float64], n: int) -> float:
    """Return the error of the mean of a sample drawn from ``n`` without replacement."""
    m = len(values)
    return float(values.std(ddof=1) / m**0.5 * (1 - m / n) ** 0.5)


def _nearest_on_map(
    points: NDArray[np.float64], rows: NDArray[np.int64], k: int
) -> NDArray[np.int64]:
    from scipy.spatial import cKDTree

    _, found = cKDTree(points).query(points[rows], k=k + 1)
    found = np.asarray(found, np.int64)
    own = found == rows[:, None]
    own[~own.any(axis=1), -1] = True  # points at one place: the own one was not among the first
    return np.asarray(found[~own].reshape(len(rows), k), np.int64)


def _ranks(
    unit: NDArray[np.float32], rows: NDArray[np.int64], others: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the rank (1 = nearest) of ``others`` among the neighbours of ``rows``."""
    ranks = np.empty(others.shape, dtype=np.int64)
    step = max(1, _BLOCK_BYTES // (4 * len(unit)))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        block = unit[rows[part]] @ unit.T
        inside = np.arange(len(block))
        block[inside, rows[part]] = -np.inf
        wanted = np.take_along_axis(block, others[part], axis=1)
        for column in range(others.shape[1]):
            ranks[part, column] = 1 + (block > wanted[:, column : column + 1]).sum(axis=1)
    return ranks
