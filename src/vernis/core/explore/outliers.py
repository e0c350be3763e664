"""Images that resemble nothing: distances to the nearest others, judged against the rest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vernis.core.numeric.neighbors import nearest_neighbors, nearest_within
from vernis.domain.errors import InvalidValue

THRESHOLD = 3.5
"""Modified z-score past which a value is an outlier (Iglewicz & Hoaglin 1993)."""

FEWEST = 10
"""A class of fewer images has no spread to judge by."""

_MOST_NEIGHBORS = 50
_TO_DEVIATION = 0.6745  # the median absolute deviation of a normal distribution of deviation 1


@dataclass(frozen=True, slots=True, eq=False)
class OutlierScores:
    """How far each image lies from the others.

    Attributes
    ----------
    distances : ndarray of float64, shape (n,)
        Mean cosine distance to the nearest others, 0..2; NaN where it was not judged.
    scores : ndarray of float64, shape (n,)
        0..1, low = far; 0.5 at the threshold; NaN where it was not judged.
    n_neighbors : int
        Others that each image was held against, at most.
    """

    distances: NDArray[np.float64]
    scores: NDArray[np.float64]
    n_neighbors: int

    @property
    def flagged(self) -> NDArray[np.bool_]:
        """Images past the threshold, shape (n,)."""
        return np.asarray(self.scores < 0.5)


def choose_neighbors(n: int) -> int:
    """Return to how many others an image is held: a tenth of them, 50 at most, 1 at least.

    Many, because foreign images seldom come alone: those of one shoot are near to one another, and
    a few neighbours would vouch for each other.
    """
    return max(1, min(_MOST_NEIGHBORS, (n - 1) // 10))


def score_outliers(unit: NDArray[np.float32], *, n_neighbors: int | None = None) -> OutlierScores:
    """Score images by their mean distance to the nearest others.

    The mean over neighbours is that of Angiulli & Pizzuti (2002), PKDD, LNCS 2431, 15-27.

    Parameters
    ----------
    unit : ndarray of float32, shape (n, dim)
        Vectors of length 1.
    n_neighbors : int, optional
        Default as ``choose_neighbors`` says.
    """
    n = len(unit)
    k = choose_neighbors(n) if n_neighbors is None else n_neighbors
    if k < 1:
        raise InvalidValue(f"expected 1 neighbour or more, got {k}")
    if n < 3:
        nothing = np.full(n, np.nan)
        return OutlierScores(nothing, nothing.copy(), k)
    found = nearest_within(unit, min(k, n - 1))
    distances = _mean_distance(found.similarities)
    return OutlierScores(distances, rate_distances(distances), k)


def score_class_outliers(unit: NDArray[np.float32], members: NDArray[np.bool_]) -> OutlierScores:
    """Score the images of one class by their distance to the nearest others of that class.

    Parameters
    ----------
    unit : ndarray of float32, shape (n, dim)
    members : ndarray of bool, shape (n,)
        The images of the class; the rest are NaN. With fewer than 10 all are NaN.
    """
    n, rows = len(unit), np.flatnonzero(members)
    distances, scores = np.full(n, np.nan), np.full(n, np.nan)
    k = max(1, min(_MOST_NEIGHBORS, (len(rows) - 1) // 4))
    if len(rows) >= FEWEST:
        own = np.ascontiguousarray(unit[rows])
        found = nearest_neighbors(own, own, k, exclude_self=True)
        distances[rows] = _mean_distance(found.similarities)
        scores[rows] = rate_distances(distances[rows])
    return OutlierScores(distances, scores, k)


def _mean_distance(similarities: NDArray[np.float32]) -> NDArray[np.float64]:
    # Approximate search marks what it did not find by -2: as far as can be.
    return np.asarray((1.0 - np.maximum(similarities, -1.0)).mean(axis=1), dtype=np.float64)


def rate_distances(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn distances into scores 0..1, low = far, by their modified z-scores.

    ``z = 0.6745 (d - median) / MAD`` and ``score = 2 ** (-max(z, 0) / 3.5)``: 1 at the median and
    below, 0.5 at the threshold of Iglewicz & Hoaglin (1993), "How to detect and handle outliers",
    ASQC. Where most distances are equal (MAD 0) the mean absolute deviation stands in, as they say.

    Parameters
    ----------
    distances : ndarray of float64, shape (n,)
    """
    offsets = distances - np.median(distances)
    spread = float(np.median(np.abs(offsets))) / _TO_DEVIATION
    if spread <= 1e-9:
        spread = 1.253314 * float(np.abs(offsets).mean())
    if spread <= 1e-9:
        return np.ones(len(distances))
    z = np.maximum(offsets / spread, 0.0)
    return np.asarray(np.exp2(-z / THRESHOLD), dtype=np.float64)
