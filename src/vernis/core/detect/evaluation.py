"""How well found boxes fit the true ones, by the protocol of COCO.

Found boxes of a class are matched, the surest first, each with the free true box that it overlaps
most, if the overlap (IoU) reaches a threshold. Average precision (AP) is the area under precision
over recall, read at 101 steps of recall; mAP is its mean over classes and over the thresholds .50,
.55 … .95, mAP50 that at .50 alone (Lin et al. 2014, https://cocodataset.org/#detection-eval).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vernis.core.numeric.boxes import areas, overlaps

Floats = NDArray[np.float64]

THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""Overlaps (IoU) from which a found box counts as right."""
RECALLS = np.linspace(0, 1, 101)
SIZES = ("all", "small", "medium", "large")
"""By the area of a box: up to 32², up to 96², above, in pixels."""
_SIZE_LIMITS = ((0.0, 1e10), (0.0, 32.0**2), (32.0**2, 96.0**2), (96.0**2, 1e10))
MOST_A_PICTURE = 100
"""Found boxes of a class that count in a picture, the surest."""


@dataclass(frozen=True, slots=True, eq=False)
class PlacedBoxes:
    """Boxes of many pictures in one table.

    Attributes
    ----------
    pictures : ndarray of int, shape (n,)
        The picture of each box.
    classes : ndarray of int, shape (n,)
        0..n_classes - 1.
    boxes : ndarray of float, shape (n, 4)
        Corners ``(xmin, ymin, xmax, ymax)`` in pixels.
    scores : ndarray of float, shape (n,)
        How sure each is; of true boxes they mean nothing.
    """

    pictures: NDArray[np.intp]
    classes: NDArray[np.intp]
    boxes: Floats
    scores: Floats

    @classmethod
    def of(
        cls, pictures: object, classes: object, boxes: object, scores: object = None
    ) -> PlacedBoxes:
        """Return a table of anything that NumPy makes arrays of."""
        where = np.asarray(pictures, np.intp)
        sure = np.ones(len(where)) if scores is None else np.asarray(scores, np.float64)
        corners = np.asarray(boxes, np.float64).reshape(-1, 4)
        return cls(where, np.asarray(classes, np.intp), corners, sure)

    def __len__(self) -> int:
        return len(self.pictures)


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Precision and recall of found boxes.

    Classes and sizes without a true box are NaN.

    Attributes
    ----------
    precision : ndarray, shape (n_thresholds, n_recalls, n_classes, n_sizes)
        The best precision at each recall of ``RECALLS`` or more.
    recall : ndarray, shape (n_thresholds, n_classes, n_sizes)
        Share of the true boxes that are found.
    scores : ndarray, shape (n_recalls, n_classes)
        Score of the box at which each recall is reached at an overlap of .50, all sizes; 0 where
        it is not.
    n_true : ndarray of int, shape (n_classes, n_sizes)
    """

    precision: Floats
    recall: Floats
    scores: Floats
    n_true: NDArray[np.intp]

    def mean_ap(self, size: str = "all") -> float:
        """Return mAP over classes and thresholds; NaN without any true box."""
        return _mean(self.precision[..., SIZES.index(size)])

    def mean_ap50(self, size: str = "all") -> float:
        """Return mAP at an overlap of .50."""
        return _mean(self.precision[0, ..., SIZES.index(size)])

    def mean_recall(self, size: str = "all") -> float:
        """Return AR: the mean recall over classes and thresholds."""
        return _mean(self.recall[..., SIZES.index(size)])

    def class_ap(self) -> Floats:
        """Return AP (mean over thresholds) of each class, shape (n_classes,)."""
        return np.asarray(self.precision[..., 0].mean(axis=(0, 1)))

    def class_ap50(self) -> Floats:
        """Return AP at an overlap of .50 of each class, shape (n_classes,)."""
        return np.asarray(self.precision[0, ..., 0].mean(axis=0))


def _mean(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def evaluate_boxes(truth: PlacedBoxes, found: PlacedBoxes, n_classes: int) -> Evaluation:
    """Measure found boxes against the true ones.

    Parameters
    ----------
    truth, found : PlacedBoxes
    n_classes : int

    Returns
    -------
    Evaluation
    """
    shape = len(THRESHOLDS), len(RECALLS), n_classes, len(SIZES)
    precision = np.full(shape, np.nan)
    recall = np.full((len(THRESHOLDS), n_classes, len(SIZES)), np.nan)
    scores = np.full((len(RECALLS), n_classes), np.nan)
    n_true = np.zeros((n_classes, len(SIZES)), np.intp)
    for label in range(n_classes):
        matches = [_match(*pair) for pair in _pictures_of(label, truth, found)]
        for size in range(len(SIZES)):
            n = sum(one.n_true[size] for one in matches)
            n_true[label, size] = n
            if not n:
                continue
            curve, final, at = _curves(matches, size, n)
            precision[:, :, label, size], recall[:, label, size] = curve, final
            if size == 0:
                scores[:, label] = at
    return Evaluation(precision, recall, scores, n_true)


@dataclass(frozen=True, slots=True, eq=False)
class _Matches:
    """What became of the found boxes of one class in one picture, the surest first.

    Attributes
    ----------
    scores : ndarray, shape (n,)
    right, left_out : ndarray of bool, shape (n_sizes, n_thresholds, n)
        What fits a true box, and what counts neither way, as it is of another size.
    n_true : ndarray of int, shape (n_sizes,)
    """

    scores: Floats
    right: NDArray[np.bool_]
    left_out: NDArray[np.bool_]
    n_true: NDArray[np.intp]


def _pictures_of(
    label: int, truth: PlacedBoxes, found: PlacedBoxes
) -> Iterator[tuple[Floats, Floats, Floats]]:
    """Yield true boxes, found boxes and their scores, picture by picture, of one class."""
    true_rows, rows = (np.flatnonzero(one.classes == label) for one in (truth, found))
    for picture in np.union1d(truth.pictures[true_rows], found.pictures[rows]):
        here = rows[found.pictures[rows] == picture]
        here = here[np.argsort(-found.scores[here], kind="stable")][:MOST_A_PICTURE]
        there = true_rows[truth.pictures[true_rows] == picture]
        yield truth.boxes[there], found.boxes[here], found.scores[here]


def _match(true: Floats, boxes: Floats, scores: Floats) -> _Matches:
    """Match the boxes of one class in one picture, for every size and threshold."""
    shape = len(SIZES), len(THRESHOLDS), len(boxes)
    right, left_out = np.zeros(shape, bool), np.zeros(shape, bool)
    fit = overlaps(boxes, true)
    n_true = np.zeros(len(SIZES), np.intp)
    for size, limits in enumerate(_SIZE_LIMITS):
        other = _outside(areas(true), limits)
        n_true[size] = (~other).sum()
        order = np.argsort(other, kind="stable")
        beyond = _outside(areas(boxes), limits)
        for level, threshold in enumerate(THRESHOLDS):
            taken = _assign(fit[:, order], other[order], threshold)
            matched = taken >= 0
            ignored = np.zeros(len(boxes), bool)
            ignored[matched] = other[order][taken[matched]]
            right[size, level] = matched & ~ignored
            left_out[size, level] = ignored | (~matched & beyond)
    return _Matches(scores, right, left_out, n_true)


def _outside(sizes: Floats, limits: tuple[float, float]) -> NDArray[np.bool_]:
    return (sizes < limits[0]) | (sizes > limits[1])


def _assign(fit: Floats, other: NDArray[np.bool_], threshold: float) -> NDArray[np.intp]:
    """Return the true box that each found one takes, -1 for none.

    True boxes of another size stand last, and are taken only where no one else fits.
    """
    taken = np.full(len(fit), -1, np.intp)
    free = np.ones(fit.shape[1], bool)
    least = min(threshold, 1 - 1e-10)
    for row, values in enumerate(fit):
        fits = free & (values >= least)
        for group in (fits & ~other, fits & other):
            if group.any():
                # Of equal ones the last, as COCO's own program takes it.
                best = len(values) - 1 - int(np.argmax(np.where(group, values, -1.0)[::-1]))
                taken[row], free[best] = best, False
                break
    return taken


def _curves(matches: list[_Matches], size: int, n_true: int) -> tuple[Floats, Floats, Floats]:
    """Return precision at each recall, the final recall, and the scores of the steps at .50."""
    scores = np.concatenate([one.scores for one in matches])
    order = np.argsort(-scores, kind="stable")
    right = np.concatenate([one.right[size] for one in matches], axis=1)[:, order]
    left_out = np.concatenate([one.left_out[size] for one in matches], axis=1)[:, order]
    hits = np.cumsum(right, axis=1, dtype=float)
    misses = np.cumsum(~right & ~left_out, axis=1, dtype=float)
    recall = hits / n_true
    precision = hits / np.maximum(hits + misses, np.spacing(1))
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    curve = np.zeros((len(THRESHOLDS), len(RECALLS)))
    at = np.zeros(len(RECALLS))
    for level in range(len(THRESHOLDS)):
        steps = np.searchsorted(recall[level], RECALLS, side="left")
        reached = steps < len(scores)
        curve[level, reached] = best[level, steps[reached]]
        if level == 0:
            at[reached] = scores[order][steps[reached]]
    final = recall[:, -1] if len(scores) else np.zeros(len(THRESHOLDS))
    return curve, final, at
