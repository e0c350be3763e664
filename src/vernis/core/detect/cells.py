"""From the cells of a one-stage detector to boxes.

A cell of a map looks at one square of the picture, and says for each class whether an object is
centred near it, and how far its four sides are (Li et al. 2020, "Generalized Focal Loss": each
distance is a distribution over bins, read as its mean).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vernis.core.numeric.boxes import suppress

Floats = NDArray[np.float32]

_MOST_BEFORE_SUPPRESSION = 1000
"""Surer candidates than these are enough for any picture; the work grows with their square."""


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """Objects in one picture, the surest first.

    Attributes
    ----------
    boxes : ndarray of float32, shape (n, 4)
        Corners ``(xmin, ymin, xmax, ymax)``.
    scores : ndarray of float32, shape (n,)
        In 0..1.
    classes : ndarray of int, shape (n,)
    """

    boxes: Floats
    scores: Floats
    classes: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """All cells of a picture's maps in one list, finest map first, row by row.

    Attributes
    ----------
    logits : ndarray of float32, shape (n_cells, n_classes)
    bins : ndarray of float32, shape (n_cells, 4, n_bins)
        Unnormalized log-probability of the distance to the left, upper, right and lower side, in
        strides.
    centers : ndarray of float32, shape (n_cells, 2)
        In pixels of the picture that the network saw.
    strides : ndarray of float32, shape (n_cells,)
    """

    logits: Floats
    bins: Floats
    centers: Floats
    strides: Floats

    @classmethod
    def of_maps(cls, maps: Sequence[Floats], strides: Sequence[int], n_classes: int) -> Cells:
        """Return the cells of a picture's maps.

        Parameters
        ----------
        maps : sequence of ndarray, each of shape (n_classes + 4 * n_bins, height, width)
        strides : sequence of int
            Pixels of the picture that a cell of each map stands for.
        n_classes : int
        """
        flat = np.concatenate([one.reshape(len(one), -1) for one in maps], axis=1).T
        centers, steps = [], []
        for one, stride in zip(maps, strides, strict=True):
            rows, columns = np.indices(one.shape[1:], np.float32).reshape(2, -1)
            centers.append((np.stack([columns, rows], axis=1) + 0.5) * stride)
            steps.append(np.full(len(rows), stride, np.float32))
        bins = flat[:, n_classes:].reshape(len(flat), 4, -1)
        return cls(flat[:, :n_classes], bins, np.concatenate(centers), np.concatenate(steps))

    def boxes(self, rows: NDArray[np.intp] | slice = slice(None)) -> Floats:
        """Return the box that each cell sees, as corners, shape (n_rows, 4)."""
        bins = self.bins[rows]
        weights = np.exp(bins - bins.max(axis=2, keepdims=True))
        steps = np.arange(bins.shape[2], dtype=np.float32)
        distances = (weights @ steps) / weights.sum(axis=2) * self.strides[rows, None]
        x, y = self.centers[rows].T
        left, upper, right, lower = distances.T
        return np.stack([x - left, y - upper, x + right, y + lower], axis=1)


def find_objects(cells: Cells, *, least: float, most_overlap: float, at_most: int) -> Detections:
    """Return the objects that the cells see.

    Parameters
    ----------
    cells : Cells
    least : float
        Less sure ones are left out, in 0..1 without the ends.
    most_overlap : float
        Of two boxes of a class with a higher IoU the surer one stays.
    at_most : int
        Number of objects.
    """
    rows, classes = np.nonzero(cells.logits > np.log(least / (1 - least)))
    scores = 1 / (1 + np.exp(-cells.logits[rows, classes]))
    if len(scores) > _MOST_BEFORE_SUPPRESSION:
        best = np.sort(np.argsort(-scores, kind="stable")[:_MOST_BEFORE_SUPPRESSION])
        rows, classes, scores = rows[best], classes[best], scores[best]
    boxes = cells.boxes(rows)
    kept = suppress(boxes, scores, classes, most=most_overlap)[:at_most]
    return Detections(boxes[kept], scores[kept].astype(np.float32), classes[kept])
