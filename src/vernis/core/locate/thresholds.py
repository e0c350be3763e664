"""The threshold of a heat map that frames objects best, learnt where people have drawn boxes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vernis.core.locate.measures import OVERLAPS, THESIS_THRESHOLD, Floats, best_overlaps

FEWEST_BOXES = 10
"""Drawn boxes below which no threshold is learnt."""
GRID: tuple[float, ...] = tuple(round(0.05 * step, 2) for step in range(2, 19))
"""Thresholds that are tried."""
ONE_OBJECT, MANY_OBJECTS = 0.3, 0.4
"""What is taken where nothing was drawn: for one large object a picture, and for many small ones
(docs/decisions/locate.md: three sets are no law)."""


def learn_threshold(maps: Sequence[NDArray[np.floating]], truths: Sequence[Floats]) -> float | None:
    """Return the threshold whose boxes fit drawn ones best, None where too few were drawn.

    It maximizes the mean over `OVERLAPS` of the share of maps in which some box fits that well.
    Of equal ones the middle is taken.

    Parameters
    ----------
    maps : sequence of ndarray, each of shape (height, width)
        One a picture and class, in 0..1.
    truths : sequence of ndarray, each of shape (n_boxes, 4)
        The drawn boxes of each: shares of width and height.
    """
    if sum(map(len, truths)) < FEWEST_BOXES:
        return None
    fits = np.stack(
        [best_overlaps(heat, truth, GRID)[0] for heat, truth in zip(maps, truths, strict=True)]
    )
    quality = np.mean([(fits >= least).mean(axis=0) for least in OVERLAPS], axis=0)
    best = np.flatnonzero(quality >= quality.max() - 1e-9)
    return GRID[int(best[len(best) // 2])]


def named_threshold(name: str) -> float | None:
    """Return the threshold of a name (``thesis``) or number; None for ``auto``.

    Raises
    ------
    ValueError
        It is neither a name nor a number between 0 and 1.
    """
    if name == "auto":
        return None
    if name == "thesis":
        return THESIS_THRESHOLD
    number = float(name)
    if not 0 < number < 1:
        raise ValueError(name)
    return number
