"""Whether other images speak for or against labels at all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vernis.core.numeric.row_blocks import drawn_evenly

FEWEST_WITNESSES = 2
"""Groups of like images, other than an image's own, that must carry its label as well."""

_FEWEST_IMAGES, _MOST_IMAGES = 5, 20_000
_PERMUTATIONS, _CHANCE = 400, 0.025


def without_witnesses(
    labels: NDArray[np.floating], groups: NDArray[np.integer]
) -> NDArray[np.bool_]:
    """Return the labels whose evidence is held out together with the image.

    An image is predicted without its duplicates. Where those are nearly all images of its class,
    the prediction has hardly seen the class, and the label looks wrong however right it is.

    Parameters
    ----------
    labels : ndarray, shape (n_images, n_classes)
        1 yes, 0 no, NaN unknown.
    groups : ndarray of int, shape (n_images,)
        Equal for duplicates.

    Returns
    -------
    ndarray of bool, shape (n_images, n_classes)
        True for a yes that another image of the same group says too, and fewer than
        ``FEWEST_WITNESSES`` other groups.
    """
    rows, classes = np.nonzero(labels == 1)
    _, group = np.unique(groups, return_inverse=True)
    # A pair of group and class, of those that a yes says; never a table of all of them.
    pair = group[rows].astype(np.int64) * labels.shape[1] + classes
    said, entry, times = np.unique(pair, return_inverse=True, return_counts=True)
    n_groups = np.bincount(said % labels.shape[1], minlength=labels.shape[1])
    found = np.zeros(labels.shape, np.bool_)
    found[rows, classes] = (times[entry] > 1) & (n_groups[classes] - 1 < FEWEST_WITNESSES)
    return found


def speak_beyond_chance(
    labels: NDArray[np.floating],
    probs: NDArray[np.floating],
    groups: NDArray[np.integer],
    *,
    seed: int = 0,
) -> bool:
    """Tell whether predictions that left each image out agree with its labels beyond chance.

    A permutation test (Phipson & Smyth 2010) of the mean probability of the labels, above that of
    their class, with one image of each group of duplicates. Predictions that say the same of every
    image speak of none.

    Parameters
    ----------
    labels : ndarray, shape (n_images, n_classes)
        1 yes, 0 no, NaN unknown.
    probs : ndarray, shape (n_images, n_classes)
    groups : ndarray of int, shape (n_images,)
    seed : int
        Of the permutations.
    """
    labelled = np.flatnonzero((labels == 1).any(axis=1))
    _, first = np.unique(np.asarray(groups)[labelled], return_index=True)
    rows = drawn_evenly(labelled[np.sort(first)], _MOST_IMAGES)
    if len(rows) < _FEWEST_IMAGES:
        return False
    yes = labels[rows] == 1
    above = np.asarray(probs, dtype=np.float64)[rows]
    above = above - above.mean(axis=0)
    seen = float(above[yes].sum())
    rng = np.random.default_rng(seed)
    dealt = [float(above[yes[rng.permutation(len(rows))]].sum()) for _ in range(_PERMUTATIONS)]
    as_good = sum(value >= seen - 1e-9 for value in dealt)
    return (as_good + 1) / (_PERMUTATIONS + 1) <= _CHANCE
