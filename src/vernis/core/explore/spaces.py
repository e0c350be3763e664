"""Which embedding space suits a taxonomy: explained variance, neighbours' labels, cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vernis.core.numeric.neighbors import nearest_neighbors

EQUAL_WITHIN = 2.0
"""Standard errors of the paired difference within which two spaces count as equally good."""


def explained_variance(vectors: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return the share of the variance that the first 1, 2, … principal components explain.

    Parameters
    ----------
    vectors : ndarray, shape (n, dim)

    Returns
    -------
    ndarray of float64, shape (min(n, dim),)
        Rises to 1; all 1 when the vectors do not vary.
    """
    from scipy.linalg import eigvalsh  # a verb that only names this module stays light

    rows = np.asarray(vectors, np.float64)
    rows = rows - rows.mean(axis=0)
    # The smaller of the two products has the same eigenvalues but for zeros.
    product = rows.T @ rows if rows.shape[1] <= len(rows) else rows @ rows.T
    values = np.maximum(eigvalsh(product)[::-1], 0.0)
    total = values.sum()
    return np.asarray(np.cumsum(values) / total if total > 0 else np.ones(len(values)))


def components_for(curve: NDArray[np.float64], share: float) -> int:
    """Return how many components explain at least ``share`` (0..1) of the variance."""
    return int(np.searchsorted(curve, share - 1e-12) + 1)


def neighbour_precision(
    vectors: NDArray[np.generic], Y: NDArray[np.generic], ks: Sequence[int]
) -> NDArray[np.float64]:
    """Return how well the labels of each image's nearest neighbours (cosine) fit its own.

    A neighbour counts with the share of its classes that the image carries too: 0 or 1 where every
    image has one class, and a precision of its label set where it has several.

    Parameters
    ----------
    vectors : ndarray, shape (n, dim)
        Of distinct pictures: copies of one another would flatter every space.
    Y : ndarray, shape (n, n_classes)
        1 where an image carries a class; every image carries at least one.
    ks : sequence of int
        Numbers of neighbours, each below n.

    Returns
    -------
    ndarray of float64, shape (n, len(ks))
        Precision at each k, 0..1.
    """
    carried = np.asarray(Y == 1, np.float32)
    found = nearest_neighbors(vectors, vectors, max(ks), exclude_self=True).indices
    shares = carried / carried.sum(axis=1, keepdims=True)
    fits = np.empty(found.shape)
    for place in range(found.shape[1]):
        fits[:, place] = np.einsum("ij,ij->i", carried, shares[found[:, place]])
    means = np.cumsum(fits, axis=1) / np.arange(1, found.shape[1] + 1)
    return np.asarray(means[:, [k - 1 for k in ks]])


def mean_and_error(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the mean and its standard error (0 for a single value)."""
    n = len(values)
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(n)) if n > 1 else 0.0


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The space to take.

    Attributes
    ----------
    best : int
        The space of the highest mean precision.
    chosen : int
        The cheapest of those that are as good as the best.
    equals : tuple of int
        The spaces whose precision cannot be told from the best's, the best among them.
    """

    best: int
    chosen: int
    equals: tuple[int, ...]


def recommend_space(
    precision: Sequence[NDArray[np.float64]], costs: Sequence[float], dims: Sequence[int]
) -> Recommendation:
    """Choose the cheapest of the spaces that cannot be told from the most precise one.

    Two spaces are told apart by the paired differences of their images' precision: more than
    ``EQUAL_WITHIN`` standard errors. Of equals the one of least cost is chosen; costs within a
    tenth of the least are alike, and the fewer dimensions decide. Unknown costs count as highest.

    Parameters
    ----------
    precision : sequence of ndarray, shape (n_images,)
        Of each space, for the same images in the same order.
    costs : sequence of float
        NaN where unknown.
    dims : sequence of int
    """
    means = [float(values.mean()) for values in precision]
    best = int(np.argmax(means))
    equals = []
    for i, values in enumerate(precision):
        gap, error = mean_and_error(precision[best] - values)
        if i == best or gap <= EQUAL_WITHIN * error:
            equals.append(i)
    known = [costs[i] if np.isfinite(costs[i]) else np.inf for i in equals]
    least = min(known)
    cheap = [i for i, cost in zip(equals, known, strict=True) if cost <= 1.1 * least]
    return Recommendation(best, min(cheap, key=lambda i: (dims[i], i)), tuple(equals))
