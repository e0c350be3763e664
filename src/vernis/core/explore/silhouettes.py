"""Silhouettes of a sample of points, measured against all points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vernis.core.numeric.rows import squared_distances
from vernis.domain.errors import InvalidValue

_BLOCK_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True, eq=False)
class Silhouettes:
    """How well points lie in their clusters.

    Attributes
    ----------
    rows : ndarray of int64, shape (n_sample,)
        The points that were measured.
    values : ndarray of float64, shape (n_labelings, n_sample)
        -1..1 for each labeling and point: near 1 well inside its cluster, below 0 nearer to
        another one.
    n_points : int
        All points; each measured one was held against all of them.
    """

    rows: NDArray[np.int64]
    values: NDArray[np.float64]
    n_points: int

    def mean(self) -> NDArray[np.float64]:
        """Return the mean of each labeling, shape (n_labelings,)."""
        return np.asarray(self.values.mean(axis=1), dtype=np.float64)

    def error(self) -> NDArray[np.float64]:
        """Return the standard error of each mean, that of a draw without replacement.

        0 when every point was measured.
        """
        n = self.values.shape[1]
        if n < 2 or n >= self.n_points:
            return np.zeros(len(self.values))
        left = 1.0 - n / self.n_points
        return np.asarray(self.values.std(axis=1, ddof=1) * np.sqrt(left / n), dtype=np.float64)


def measure_silhouettes(
    points: NDArray[np.generic],
    labelings: Sequence[NDArray[np.int64]],
    *,
    sample: int = 2_000,
    seed: int = 0,
) -> Silhouettes:
    """Measure silhouettes under several labelings of the same points.

    ``s = (b - a) / max(a, b)`` with ``a`` the mean distance to the other points of the own cluster
    and ``b`` the smallest mean distance to the points of another one; 0 for a point alone in its
    cluster. Source: Rousseeuw (1987), J. Comput. Appl. Math. 20, 53-65.

    A sample is compared with *all* points, so its mean estimates the silhouette of all without
    bias (comparing the sample with itself does not: its clusters are thinned out). The distances
    are computed once for all labelings.

    Parameters
    ----------
    points : ndarray, shape (n, dim)
        Distances are Euclidean.
    labelings : sequence of ndarray of int64, shape (n,)
        Points below 0 (noise) belong to no cluster and are not measured; every labeling must have
        the same ones.
    sample : int
        Points to measure at most.
    seed : int
        Draws them.

    Raises
    ------
    InvalidValue
        A labeling has another length, or fewer than two clusters.
    """
    X = np.asarray(points, dtype=np.float32)
    if not labelings or any(len(codes) != len(X) for codes in labelings):
        raise InvalidValue(f"expected labelings of {len(X)} points, got {len(labelings)} of others")
    if any(len(np.unique(codes[codes >= 0])) < 2 for codes in labelings):
        raise InvalidValue("expected two clusters or more to measure silhouettes")
    candidates = np.flatnonzero(labelings[0] >= 0)
    if len(candidates) > sample:
        rng = np.random.default_rng(seed)
        candidates = np.sort(rng.choice(candidates, sample, replace=False))
    members = [_indicators(codes) for codes in labelings]
    values = np.empty((len(labelings), len(candidates)))
    step = max(1, _BLOCK_BYTES // (4 * max(1, len(X))))
    for start in range(0, len(candidates), step):
        rows = candidates[start : start + step]
        squared = squared_distances(X[rows], X)
        squared[np.arange(len(rows)), rows] = 0.0
        distances = np.sqrt(squared, out=squared)
        for number, codes in enumerate(labelings):
            sums = np.asarray(distances @ members[number], dtype=np.float64)
            values[number, start : start + step] = _silhouettes(sums, codes, rows)
    return Silhouettes(candidates, values, int((labelings[0] >= 0).sum()))


def _indicators(codes: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return which points lie in which cluster, shape (n, n_clusters), noise in none."""
    return np.asarray(codes[:, None] == np.arange(codes.max() + 1), dtype=np.float32)


def _silhouettes(
    sums: NDArray[np.float64], codes: NDArray[np.int64], rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the silhouettes from each point's sum of distances to every cluster."""
    sizes = np.bincount(codes[codes >= 0], minlength=sums.shape[1])
    own = codes[rows]
    at = np.arange(len(rows))
    others = np.maximum(sizes[own] - 1, 1)
    inside = sums[at, own] / others
    means = np.where(sizes > 0, sums / np.maximum(sizes, 1), np.inf)
    means[at, own] = np.inf
    outside = means.min(axis=1)
    larger = np.maximum(inside, outside)
    values = np.divide(outside - inside, larger, out=np.zeros(len(rows)), where=larger > 0)
    values[sizes[own] < 2] = 0.0
    return np.asarray(values, dtype=np.float64)
