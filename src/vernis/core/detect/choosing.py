"""Which pictures to draw boxes in next: those that together show most classes, sizes and looks.

A set of pictures is worth what it covers: how near every picture is to one of the set (facility
location), and how many objects of each class and of each size the set is expected to hold, each
further one worth less than the one before. Both grow ever more slowly with the set, so that taking
the best picture again and again comes within 63 % of the best set of that size (Nemhauser, Wolsey
and Fisher 1978, *An analysis of approximations for maximizing submodular set functions*).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SIZES = ("small", "medium", "large")
SIZE_LIMITS = (0.1, 0.3)
"""Square root of the share of its picture that an object covers: below, between, above."""
_FACILITIES = 2000
"""Pictures that stand for all where looks are covered, drawn by the seed."""
_ENOUGH = 3.0
"""Objects of a class or size from which on another one is worth half of the first."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Pictures that may be chosen, and what is known of them.

    Attributes
    ----------
    looks : ndarray of float32, shape (n, dim)
        Rows of length 1.
    classes : ndarray, shape (n, n_classes)
        Expected objects of each class.
    sizes : ndarray, shape (n, 3)
        Objects of each of `SIZES`.
    groups : ndarray of int, shape (n,)
        Equal for duplicates, of which one at most is chosen.
    drawn : ndarray of bool, shape (n,)
        Pictures that have boxes already: they cover what they show, and are not chosen.
    """

    looks: NDArray[np.float32]
    classes: Floats
    sizes: Floats
    groups: NDArray[np.int64]
    drawn: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """Pictures in the order in which they are worth most.

    Attributes
    ----------
    rows : ndarray of int, shape (n_chosen,)
    gains : ndarray, shape (n_chosen, 3)
        What each adds to looks, classes and sizes, as shares of what all pictures cover.
    """

    rows: NDArray[np.intp]
    gains: Floats


def choose_pictures(candidates: Candidates, n: int, *, seed: int = 0) -> Chosen:
    """Choose pictures to draw boxes in, one after the other.

    Parameters
    ----------
    candidates : Candidates
    n : int
        How many, at most.
    seed : int
        Of the pictures that stand for all, where there are many.
    """
    looks, total = candidates.looks, len(candidates.looks)
    rng = np.random.default_rng([seed, 0x1D0])
    places = np.arange(total)
    if total > _FACILITIES:
        places = np.sort(rng.permutation(total)[:_FACILITIES])
    near = np.maximum(looks @ looks[places].T, 0).astype(np.float32)
    drawn = candidates.drawn
    covered = near[drawn].max(axis=0) if drawn.any() else np.zeros(len(places), np.float32)
    counts = [one[drawn].sum(axis=0) for one in (candidates.classes, candidates.sizes)]
    scales = [float(near.max(axis=0).sum()) or 1.0]
    parts = candidates.classes, candidates.sizes
    scales += [float(_worth(one.sum(axis=0)).sum()) or 1.0 for one in parts]
    free = ~np.isin(candidates.groups, candidates.groups[drawn])
    rows: list[int] = []
    gains: list[Floats] = []
    while len(rows) < n and free.any():
        left = np.flatnonzero(free)
        gain = np.zeros((len(left), 3))
        gain[:, 0] = np.maximum(near[left] - covered, 0).sum(axis=1) / scales[0]
        for at, (part, held) in enumerate(zip(parts, counts, strict=True), 1):
            more = _worth(held + part[left]) - _worth(held)
            gain[:, at] = more.sum(axis=1) / scales[at]
        best = int(np.argmax(gain.sum(axis=1)))
        row = int(left[best])
        rows.append(row)
        gains.append(gain[best])
        covered = np.maximum(covered, near[row])
        counts = [held + part[row] for held, part in zip(counts, parts, strict=True)]
        free &= candidates.groups != candidates.groups[row]
    return Chosen(np.array(rows, np.intp), np.array(gains).reshape(-1, 3))


def _worth(counts: Floats) -> Floats:
    """Return what expected numbers of objects are worth."""
    return np.asarray(np.log1p(counts / _ENOUGH))


def size_counts(boxes: NDArray[np.float32]) -> Floats:
    """Return how many boxes are of each of `SIZES`, shape (3,); corners as shares of pictures."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    return np.bincount(
        np.searchsorted(SIZE_LIMITS, np.sqrt(sides.prod(axis=1)), side="right"), minlength=3
    ).astype(np.float64)
