"""Boxes as arrays, and the boxes that a heat map tells.

A box is a row ``(xmin, ymin, xmax, ymax)``. Its unit is the caller's: here mostly shares of the
picture's width and height, so that boxes of a small map and of the whole picture can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import InvalidValue

Floats = NDArray[np.float64]

_NEIGHBOURHOOD = np.ones((3, 3), np.int8)


@dataclass(frozen=True, slots=True, eq=False)
class ScoredBoxes:
    """Boxes that were found in one map.

    Attributes
    ----------
    boxes : ndarray of float64, shape (n_boxes, 4)
        Shares (xmin, ymin, xmax, ymax) of width and height, in 0..1.
    scores : ndarray of float64, shape (n_boxes,)
        The highest value of the map inside, in 0..1.
    cells : ndarray of int64, shape (n_boxes,)
        Cells of the map that the component covers; the box may hold others.
    """

    boxes: Floats
    scores: Floats
    cells: NDArray[np.int64]


def components(heat: NDArray[np.floating], threshold: float) -> ScoredBoxes:
    """Return a box around each connected part of a map above a threshold, the largest part first.

    Cells touch by their sides or corners (Choe et al., *Evaluating Weakly Supervised Object
    Localization Methods Right*, CVPR 2020, take the contours of the same parts).

    Parameters
    ----------
    heat : ndarray, shape (height, width)
        In 0..1.
    threshold : float
        In 0..1; cells of this value or more count.
    """
    from scipy import ndimage

    heat = _checked(heat)
    labels, count = ndimage.label(heat >= threshold, structure=_NEIGHBOURHOOD)
    if not count:
        return ScoredBoxes(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64))
    height, width = heat.shape
    cells = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    boxes = np.array(
        [
            (x.start / width, y.start / height, x.stop / width, y.stop / height)
            for y, x in ndimage.find_objects(labels)
        ]
    )
    scores = np.asarray(ndimage.maximum(heat, labels, np.arange(1, count + 1)), np.float64)
    order = np.argsort(-cells, kind="stable")
    return ScoredBoxes(boxes[order], scores[order], cells[order].astype(np.int64))


def outer_box(heat: NDArray[np.floating], threshold: float) -> ScoredBoxes:
    """Return the one box around all cells of a map above a threshold; none where there are none.

    With a threshold of 80 / 255 this is the rule of the thesis.
    """
    heat = _checked(heat)
    inside = heat > threshold
    if not inside.any():
        return ScoredBoxes(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64))
    height, width = heat.shape
    rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    box = (columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height)
    return ScoredBoxes(
        np.array([box]), np.array([float(heat.max())]), np.array([int(inside.sum())], np.int64)
    )


def _checked(heat: NDArray[np.floating]) -> NDArray[np.floating]:
    if heat.ndim != 2 or not heat.size:
        raise InvalidValue(f"expected a map of height and width, got shape {heat.shape}")
    return heat
