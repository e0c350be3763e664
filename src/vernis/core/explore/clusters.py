"""Clusters of images: k-means over a range of k, density clusters, numbers that stay."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vernis.core.explore.silhouettes import Silhouettes, measure_silhouettes
from vernis.core.numeric.rows import normalize_rows
from vernis.domain.errors import InvalidValue

NOISE = -1
"""The code of a point that lies in no cluster."""

_RESTARTS = 4


@dataclass(frozen=True, slots=True, eq=False)
class KMeansScan:
    """k-means for each k of a range.

    Attributes
    ----------
    ks : tuple of int
    codes : tuple of ndarray of int64, shape (n,)
        The cluster of each point, 0-based, for each k.
    centers : tuple of ndarray of float32, shape (k, dim)
    silhouettes : Silhouettes
        One labeling each k.
    """

    ks: tuple[int, ...]
    codes: tuple[NDArray[np.int64], ...]
    centers: tuple[NDArray[np.float32], ...]
    silhouettes: Silhouettes

    @property
    def best(self) -> int:
        """The position of the k with the largest mean silhouette; of equal ones the smallest."""
        return int(np.argmax(self.silhouettes.mean()))

    @property
    def rivals(self) -> tuple[int, ...]:
        """The other ks whose silhouette the sample cannot tell from the best one.

        Their mean difference to it, measured on the same points, is less than two standard errors.
        """
        values = self.silhouettes.values
        best = self.best
        paired = Silhouettes(
            self.silhouettes.rows, values[best] - values, self.silhouettes.n_points
        )
        near = paired.mean() <= 2 * paired.error()
        return tuple(k for i, k in enumerate(self.ks) if near[i] and i != best)


def fit_kmeans(
    points: NDArray[np.float32],
    k: int,
    *,
    start: NDArray[np.float32] | None = None,
    seed: int = 0,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Cluster points by k-means (Lloyd, k-means++), the best of four starts.

    Parameters
    ----------
    points : ndarray of float32, shape (n, dim)
    k : int
        2..n.
    start : ndarray of float32, shape (k, dim), optional
        Centers to begin with, in place of the four draws.
    seed : int

    Returns
    -------
    codes : ndarray of int64, shape (n,)
    centers : ndarray of float32, shape (k, dim)

    Raises
    ------
    InvalidValue
        There are fewer distinct points than clusters.
    """
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    if not 2 <= k <= len(points):
        raise InvalidValue(f"expected k between 2 and the {len(points)} images, got {k}")
    first = "k-means++" if start is None else np.asarray(start, dtype=points.dtype)
    model = KMeans(k, init=first, n_init=_RESTARTS if start is None else 1, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            codes = model.fit_predict(points)
        except ConvergenceWarning as error:
            distinct = len(np.unique(points, axis=0))
            raise InvalidValue(
                f"expected k of at most {distinct}, the number of distinct pictures, got {k}"
            ) from error
    return codes.astype(np.int64), np.asarray(model.cluster_centers_, dtype=np.float32)


def scan_kmeans(
    points: NDArray[np.float32], ks: Sequence[int], *, seed: int = 0, sample: int = 2_000
) -> KMeansScan:
    """Cluster points for each k and measure the silhouettes on one sample.

    Parameters
    ----------
    points : ndarray of float32, shape (n, dim)
    ks : sequence of int
        In ascending order.
    seed : int
    sample : int
        Points whose silhouette is measured, each against all points.
    """
    fits = [fit_kmeans(points, k, seed=seed) for k in ks]
    codes = tuple(found for found, _ in fits)
    silhouettes = measure_silhouettes(points, codes, sample=sample, seed=seed)
    return KMeansScan(tuple(ks), codes, tuple(centers for _, centers in fits), silhouettes)


def cluster_by_density(points: NDArray[np.float32], min_size: int) -> NDArray[np.int64]:
    """Find dense regions (HDBSCAN, leaves of the condensed tree); the rest is noise.

    Source: Campello, Moulavi & Sander (2013), PAKDD, LNCS 7819, 160-172. The leaves, not the most
    stable clusters: of photographs these tend to be two or three that hold everything.

    Parameters
    ----------
    points : ndarray of float32, shape (n, dim)
    min_size : int
        Images of a cluster at least, 2 or more.

    Returns
    -------
    ndarray of int64, shape (n,)
        0-based; ``NOISE`` in none.
    """
    from sklearn.cluster import HDBSCAN

    if min_size < 2:
        raise InvalidValue(f"expected clusters of 2 images or more, got {min_size}")
    if len(points) <= min_size:
        return np.full(len(points), NOISE, dtype=np.int64)
    model = HDBSCAN(
        min_cluster_size=min_size,
        min_samples=min(3, min_size),
        cluster_selection_method="leaf",
        copy=True,
    )
    return np.asarray(model.fit_predict(points), dtype=np.int64)


def mean_vectors(
    vectors: NDArray[np.float32], codes: NDArray[np.int64], n_clusters: int
) -> NDArray[np.float32]:
    """Return the mean of each cluster's vectors, shape (n_clusters, dim); zeros where empty."""
    sums = np.zeros((n_clusters, vectors.shape[1]), dtype=np.float64)
    inside = codes >= 0
    np.add.at(sums, codes[inside], vectors[inside])
    sizes = np.bincount(codes[inside], minlength=n_clusters)
    return np.asarray(sums / np.maximum(sizes, 1)[:, None], dtype=np.float32)


def order_by_size(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the codes of the clusters, the largest first, equal ones by their first point."""
    sizes = np.bincount(codes[codes >= 0])
    firsts = np.array(
        [np.argmax(codes == c) if sizes[c] else len(codes) for c in range(len(sizes))]
    )
    order = np.lexsort((firsts, -sizes))
    return np.asarray(order[sizes[order] > 0], dtype=np.int64)


def match_rows(
    old: NDArray[np.floating], new: NDArray[np.floating], *, least: float = 0.5
) -> dict[int, int]:
    """Pair rows of two matrices so that the sum of their cosines is largest.

    The assignment problem, solved exactly (Hungarian method; Kuhn 1955). Pairs whose cosine is
    below ``least`` are no pairs.

    Parameters
    ----------
    old, new : ndarray, shape (n_old, dim) and (n_new, dim)
    least : float
        -1..1.

    Returns
    -------
    dict of int to int
        Row of ``new`` → row of ``old``.
    """
    from scipy.optimize import linear_sum_assignment

    if not len(old) or not len(new):
        return {}
    cosines = normalize_rows(new, np.float64) @ normalize_rows(old, np.float64).T
    rows, columns = linear_sum_assignment(cosines, maximize=True)
    return {int(r): int(c) for r, c in zip(rows, columns, strict=True) if cosines[r, c] >= least}


def number_anew(pairs: dict[int, int], old: Sequence[int], count: int) -> list[int]:
    """Give each new row its number: that of its pair, or the next one that was never used.

    Parameters
    ----------
    pairs : dict of int to int
        As ``match_rows`` returns them.
    old : sequence of int
        The numbers of the old rows.
    count : int
        How many new rows there are, in the order in which fresh numbers are given.
    """
    following = max(old, default=0) + 1
    numbers = []
    for row in range(count):
        if row in pairs:
            numbers.append(old[pairs[row]])
        else:
            numbers.append(following)
            following += 1
    return numbers


def central_members(
    points: NDArray[np.float32], codes: NDArray[np.int64], cluster: int, count: int
) -> NDArray[np.int64]:
    """Return the members nearest to their mean, the nearest first.

    The first one is the medoid under squared Euclidean distance: the sum of a member's squared
    distances to all others grows with its distance to their mean.
    """
    members = np.flatnonzero(codes == cluster)
    offsets = points[members] - points[members].mean(axis=0)
    distances = np.einsum("ij,ij->i", offsets, offsets)
    return members[np.argsort(distances, kind="stable")[:count]]
