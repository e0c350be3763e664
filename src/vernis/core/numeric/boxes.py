"""Boxes as arrays: corners ``(xmin, ymin, xmax, ymax)``, one a row, in pixels or any other unit."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float32] | NDArray[np.float64]
"""Shape (n, 4)."""


def areas(boxes: Boxes) -> NDArray[np.float64]:
    """Return the area of each box; 0 where a corner lies before the other."""
    return np.asarray(np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1), np.float64)


def shared_areas(a: Boxes, b: Boxes) -> NDArray[np.float64]:
    """Return the area that each box of `a` has in common with each of `b`, shape (n_a, n_b)."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    sides = np.maximum(high - low, 0)
    return np.asarray(sides[..., 0] * sides[..., 1], np.float64)


def overlaps(a: Boxes, b: Boxes) -> NDArray[np.float64]:
    """Return the intersection over union (IoU) of each pair, shape (n_a, n_b), in 0..1.

    Two boxes without an area have 0.
    """
    shared = shared_areas(a, b)
    return _shares(shared, areas(a)[:, None] + areas(b)[None] - shared)


def paired_overlaps(a: Boxes, b: Boxes) -> NDArray[np.float64]:
    """Return the intersection over union of each box of `a` with that of `b` in its row."""
    low, high = np.maximum(a[:, :2], b[:, :2]), np.minimum(a[:, 2:], b[:, 2:])
    shared = areas(np.hstack([low, high]))
    return _shares(shared, areas(a) + areas(b) - shared)


def _shares(shared: NDArray[np.float64], union: NDArray[np.float64]) -> NDArray[np.float64]:
    fit = np.zeros_like(shared)
    np.divide(shared, union, out=fit, where=union > 0)
    return fit


def suppress(
    boxes: Boxes,
    scores: NDArray[np.floating[Any]],
    classes: NDArray[np.integer[Any]],
    *,
    most: float,
) -> NDArray[np.intp]:
    """Return the rows that stay when a surer box of the same class covers a box too far.

    Greedy non-maximum suppression, one class apart from the other.

    Parameters
    ----------
    boxes : ndarray, shape (n, 4)
    scores : ndarray, shape (n,)
    classes : ndarray of int, shape (n,)
    most : float
        A box goes when its IoU with a surer one that stays is above this, in 0..1.

    Returns
    -------
    ndarray of int, shape (n_kept,)
        The surest first; equal scores in the order in which they came.
    """
    order = np.argsort(-scores, kind="stable")
    covered = overlaps(boxes[order], boxes[order]) > most
    covered &= classes[order, None] == classes[order]
    stays = np.ones(len(order), bool)
    for row in range(len(order)):
        if stays[row]:
            stays[row + 1 :] &= ~covered[row, row + 1 :]
    return order[stays]
