"""How well heat maps place the objects that people framed.

A row is one picture and one class of it that was framed. Choe et al., *Evaluating Weakly Supervised
Object Localization Methods Right* (CVPR 2020), define MaxBoxAccV2; Deselaers et al. (ECCV 2010)
CorLoc; Zhang et al. (IJCV 2018) the pointing game.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vernis.core.locate.boxes import components, outer_box
from vernis.core.numeric.boxes import overlaps
from vernis.domain.errors import InvalidValue

Floats = NDArray[np.float64]

THRESHOLDS: tuple[float, ...] = tuple(round(0.1 * step, 1) for step in range(1, 10))
"""Thresholds of the map, of which the best for all rows together counts."""
OVERLAPS: tuple[float, ...] = (0.3, 0.5, 0.7)
"""Overlaps (intersection over union) of which MaxBoxAccV2 is the mean."""
THESIS_THRESHOLD = 80 / 255
"""The thesis frames every pixel of more than 80 of 255."""
_TOLERANCE = 1 / 96
"""How far beside a box the highest point may lie in the pointing game, of the picture's sides."""


@dataclass(frozen=True, slots=True)
class Placement:
    """How well maps place objects.

    Attributes
    ----------
    rows : int
        Pictures and classes that were scored.
    max_box_acc : float
        MaxBoxAccV2: the mean of ``at`` over its three overlaps.
    at : tuple of float
        For each of ``OVERLAPS`` the share of rows in which some component overlaps some true box by
        that much, at the threshold that is best for all rows.
    thresholds : tuple of float
        These thresholds.
    corloc : float
        The share of rows in which the largest component overlaps a true box by half or more, at
        its best threshold.
    corloc_threshold : float
    pointing : float
        The share of rows in which the highest point of the map lies in a true box.
    rule_of_80 : float
        The share of rows in which the box around all pixels of more than 80 of 255 overlaps a true
        box by half or more.
    """

    rows: int
    max_box_acc: float
    at: tuple[float, ...]
    thresholds: tuple[float, ...]
    corloc: float
    corloc_threshold: float
    pointing: float
    rule_of_80: float


def best_overlaps(
    heat: NDArray[np.floating],
    truth: Floats,
    thresholds: Sequence[float] = THRESHOLDS,
) -> tuple[Floats, Floats]:
    """Return how well a map's components fit the true boxes, at each threshold.

    Parameters
    ----------
    heat : ndarray, shape (height, width)
        In 0..1.
    truth : ndarray of float, shape (n_boxes, 4)
        Shares of width and height.
    thresholds : sequence of float

    Returns
    -------
    any_component, largest : ndarray of float64, shape (n_thresholds,)
        The best overlap of any component, and of the largest one, with any true box.
    """
    found = np.zeros((2, len(thresholds)))
    for column, threshold in enumerate(thresholds):
        fits = overlaps(components(heat, threshold).boxes, truth)
        if fits.size:
            found[:, column] = fits.max(), fits[0].max()
    return found[0], found[1]


def points_inside(heat: NDArray[np.floating], truth: Floats) -> bool:
    """Tell whether the centre of the highest cell lies in a true box, or just beside it."""
    height, width = heat.shape
    row, column = divmod(int(np.argmax(heat)), width)
    x, y = (column + 0.5) / width, (row + 0.5) / height
    low = (truth[:, 0] - _TOLERANCE <= x) & (truth[:, 1] - _TOLERANCE <= y)
    high = (x <= truth[:, 2] + _TOLERANCE) & (y <= truth[:, 3] + _TOLERANCE)
    return bool((low & high).any())


def measure_placement(maps: Sequence[NDArray[np.floating]], truths: Sequence[Floats]) -> Placement:
    """Measure how well maps place the objects.

    Parameters
    ----------
    maps : sequence of ndarray, each of shape (height, width)
        One a row, in 0..1.
    truths : sequence of ndarray, each of shape (n_boxes, 4)
        The true boxes of the row's class: shares of width and height. At least one a row.

    Raises
    ------
    InvalidValue
        There is no row, or a row has no true box.
    """
    if not maps or len(maps) != len(truths):
        raise InvalidValue(f"expected true boxes for each map, got {len(truths)} for {len(maps)}")
    if not all(len(truth) for truth in truths):
        raise InvalidValue("expected at least one true box for each map")
    pairs = [best_overlaps(heat, truth) for heat, truth in zip(maps, truths, strict=True)]
    some = np.stack([one for one, _ in pairs])
    largest = np.stack([one for _, one in pairs])
    accuracy = np.stack([(some >= least).mean(axis=0) for least in OVERLAPS])
    corloc = (largest >= 0.5).mean(axis=0)
    ruled = [
        overlaps(outer_box(heat, THESIS_THRESHOLD).boxes, truth).max(initial=0)
        for heat, truth in zip(maps, truths, strict=True)
    ]
    pointed = [points_inside(heat, truth) for heat, truth in zip(maps, truths, strict=True)]
    best = accuracy.argmax(axis=1)
    return Placement(
        rows=len(maps),
        max_box_acc=float(accuracy.max(axis=1).mean()),
        at=tuple(accuracy.max(axis=1).tolist()),
        thresholds=tuple(THRESHOLDS[column] for column in best),
        corloc=float(corloc.max()),
        corloc_threshold=THRESHOLDS[int(corloc.argmax())],
        pointing=float(np.mean(pointed)),
        rule_of_80=float(np.mean(np.asarray(ruled) >= 0.5)),
    )
