"""Whether other images speak for or against labels at all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FEWEST_WITNESSES = 2
"""Groups of like images, other than an image's own, that must carry its label as well."""

_FEWEST_IMAGES = 5
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
    _, group = np.unique(groups, return_inverse=True)
    yes = np.nan_to_num(labels) == 1
    count = np.zeros((int(group.max(initial=-1)) + 1, labels.shape[1]), dtype=np.int64)
    np.add.at(count, group, yes)
    others = (count > 0).sum(axis=0)[None] - (count[group] > 0)
    return np.asarray(yes & (count[group] > 1) & (others < FEWEST_WITNESSES))


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
    labelled = np.flatnonzero((np.nan_to_num(labels) == 1).any(axis=1))
    _, first = np.unique(np.asarray(groups)[labelled], return_index=True)
    rows = labelled[np.sort(first)]
    if len(rows) < _FEWEST_IMAGES:
        return False
    yes = np.nan_to_num(labels[rows]) == 1
    above = np.asarray(probs, dtype=np.float64)[rows]
    above = above - above.mean(axis=0)
    seen = float(above[yes].sum())
    rng = np.random.default_rng(seed)
    dealt = [float(above[yes[rng.permutation(len(rows))]].sum()) for _ in range(_PERMUTATIONS)]
    as_good = sum(value >= seen - 1e-9 for value in dealt)
    return (as_good + 1) / (_PERMUTATIONS + 1) <= _CHANCE
