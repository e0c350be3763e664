"""Which pictures a localizer learns from, and what its peaks are worth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def choose_pictures(Y: NDArray[np.floating], most: int, seed: int) -> NDArray[np.int64]:
    """Return the rows to learn from, ascending: rare classes first, then by chance.

    Parameters
    ----------
    Y : ndarray of float, shape (n_images, n_classes)
        1, 0 or NaN.
    most : int
        Pictures at most.
    seed : int
    """
    order = np.random.default_rng(seed).permutation(len(Y))
    if len(order) <= most:
        return np.arange(len(Y))
    carries = (Y == 1)[order]
    a_class = max(1, most // max(1, Y.shape[1]))
    wanted = np.zeros(len(order), bool)
    for column in np.argsort(carries.sum(axis=0), kind="stable"):
        lacking = a_class - int((carries[:, column] & wanted).sum())
        fresh = np.flatnonzero(carries[:, column] & ~wanted)
        wanted[fresh[: max(0, lacking)]] = True
    chosen = np.concatenate([np.flatnonzero(wanted), np.flatnonzero(~wanted)])[:most]
    return np.sort(order[chosen]).astype(np.int64)


def share_below(peaks: NDArray[np.floating], others: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the share of other pictures' peaks that lie below each peak, in 0..1.

    Parameters
    ----------
    peaks : ndarray, shape (n,)
        The highest score of a class in pictures that carry it.
    others : ndarray, shape (m,)
        The highest score of the same class in pictures without it. Without any, 0.5 is returned.
    """
    if not len(others):
        return np.full(len(peaks), 0.5)
    return np.asarray(np.searchsorted(np.sort(others), peaks) / len(others), np.float64)
