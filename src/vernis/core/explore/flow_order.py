"""The order of the nodes of a two-layer flow diagram in which few flows cross."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def weigh_crossings(flows: ArrayLike) -> float:
    """Return the sum over crossing pairs of flows of the product of their sizes.

    Flows ``i → k`` and ``j → l`` cross when i < j and k > l (Eades & Wormald 1994, weighted).

    Parameters
    ----------
    flows : array_like, shape (n_left, n_right)
        In the order of drawing.
    """
    F = np.asarray(flows, np.float64)
    if F.size == 0:
        return 0.0
    # below[i, k]: all flows from rows under i to columns before k.
    columns = np.cumsum(F, axis=1) - F
    below = np.cumsum(columns[::-1], axis=0)[::-1] - columns
    return float((F * below).sum())


def order_layers(flows: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return orders of the left and the right nodes with few crossings.

    From the order of correspondence analysis (Hill 1974), each node in turn is moved to its best
    place (sifting, Matuszewski et al. 1999) as long as that lowers ``weigh_crossings``.

    Parameters
    ----------
    flows : array_like, shape (n_left, n_right)
        Not negative.

    Returns
    -------
    left : ndarray of int64, shape (n_left,)
    right : ndarray of int64, shape (n_right,)
    """
    F = np.asarray(flows, np.float64)
    return _larger_first(F, *_sift(F, *_spectral(F)))


def _descending(sizes: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.argsort(-sizes, kind="stable").astype(np.int64)


def _spectral(F: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Order both layers by the first axis of correspondence analysis."""
    rows, columns = (np.sqrt(np.maximum(F.sum(axis=axis), 1e-12)) for axis in (1, 0))
    if min(F.shape) < 2:
        return _descending(F.sum(axis=1)), _descending(F.sum(axis=0))
    U, _, V = np.linalg.svd(F / rows[:, None] / columns, full_matrices=False)
    left, right = U[:, 1] / rows, V[1] / columns
    return (
        np.argsort(left, kind="stable").astype(np.int64),
        np.argsort(right, kind="stable").astype(np.int64),
    )


def _sift(
    F: NDArray[np.float64], left: NDArray[np.int64], right: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Move nodes of either layer to their best place while that helps."""
    for _ in range(len(left) + len(right)):
        before = weigh_crossings(F[np.ix_(left, right)])
        left = _sift_rows(F[:, right], left)
        right = _sift_rows(F[left].T, right)
        if weigh_crossings(F[np.ix_(left, right)]) >= before - 1e-9:
            break
    return left, right


def _sift_rows(F: NDArray[np.float64], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Take each row out and put it where it crosses least."""
    # cost[i, j]: crossings of rows i and j when i is above j.
    cost = F @ (np.cumsum(F, axis=1) - F).T
    placed = order.tolist()
    for row in order.tolist():
        place = placed.index(row)
        placed.pop(place)
        above, below = cost[placed, row], cost[row, placed]
        crossings = np.concatenate([[0.0], np.cumsum(above)])
        crossings += below.sum() - np.concatenate([[0.0], np.cumsum(below)])
        best = int(crossings.argmin())
        placed.insert(best if crossings[best] < crossings[place] - 1e-9 else place, row)
    return np.array(placed, np.int64)


def _larger_first(
    F: NDArray[np.float64], left: NDArray[np.int64], right: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Turn the diagram upside down when the larger left nodes are below (crossings stay)."""
    sizes = F.sum(axis=1)[left]
    centre = (sizes * np.arange(len(sizes))).sum() / max(sizes.sum(), 1e-12)
    if centre > (len(sizes) - 1) / 2 + 1e-9:
        return left[::-1].copy(), right[::-1].copy()
    return left, right
