"""How good found boxes are at a threshold a class, with intervals, and which thresholds to take.

A found box is right when it overlaps a true one of its class by half (IoU .50), each true box once,
the surest first: what a threshold cuts off never changes what is above it. Intervals are percentile
intervals of the bootstrap over pictures (Efron and Tibshirani 1993, ch. 13): the boxes of a picture
are not independent of each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vernis.core.detect.evaluation import MOST_A_PICTURE, PlacedBoxes
from vernis.core.numeric.boxes import overlaps

Floats = NDArray[np.float64]
Objective = Literal["f1", "f2", "precision"]

NAMES = ("precision", "recall", "f1", "f2", "average_precision")
RIGHT_FROM = 0.5
"""Overlap (IoU) from which a found box is right."""
_CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, eq=False)
class JudgedBoxes:
    """Found boxes, each right or not, and the true boxes of each picture.

    Attributes
    ----------
    pictures, classes : ndarray of int, shape (n,)
    scores : ndarray of float, shape (n,)
        Descending.
    right : ndarray of bool, shape (n,)
    n_true : ndarray of int, shape (n_pictures, n_classes)
    """

    pictures: NDArray[np.intp]
    classes: NDArray[np.intp]
    scores: Floats
    right: NDArray[np.bool_]
    n_true: NDArray[np.intp]


def judge_boxes(
    truth: PlacedBoxes, found: PlacedBoxes, n_pictures: int, n_classes: int
) -> JudgedBoxes:
    """Say of each found box whether it is right.

    Parameters
    ----------
    truth, found : PlacedBoxes
        Pictures are numbered from 0.
    n_pictures, n_classes : int
    """
    n_true = np.zeros((n_pictures, n_classes), np.intp)
    np.add.at(n_true, (truth.pictures, truth.classes), 1)
    rows, right = [np.empty(0, np.intp)], [np.empty(0, bool)]
    true_of, found_of = (_by_picture_and_class(one, n_classes) for one in (truth, found))
    for key, here in found_of.items():
        here = here[np.argsort(-found.scores[here], kind="stable")][:MOST_A_PICTURE]
        there = true_of.get(key, np.empty(0, np.intp))
        rows.append(here)
        right.append(_match(overlaps(found.boxes[here], truth.boxes[there])))
    chosen, fits = np.concatenate(rows), np.concatenate(right)
    order = np.argsort(-found.scores[chosen], kind="stable")
    chosen, fits = chosen[order], fits[order]
    return JudgedBoxes(
        found.pictures[chosen], found.classes[chosen], found.scores[chosen], fits, n_true
    )


def _by_picture_and_class(boxes: PlacedBoxes, n_classes: int) -> dict[int, NDArray[np.intp]]:
    keys = boxes.pictures * n_classes + boxes.classes
    order = np.argsort(keys, kind="stable")
    names, starts = np.unique(keys[order], return_index=True)
    parts = np.split(order, starts[1:]) if len(names) else []
    return dict(zip(names.tolist(), parts, strict=True))


def _match(fit: Floats) -> NDArray[np.bool_]:
    """Return which found boxes take a free true one, shape (n_found,); the surest come first."""
    right = np.zeros(len(fit), bool)
    free = np.ones(fit.shape[1], bool)
    for row, values in enumerate(fit):
        fits = np.where(free, values, -1.0)
        if fits.size and (best := int(fits.argmax())) >= 0 and fits[best] >= RIGHT_FROM:
            right[row], free[best] = True, False
    return right


@dataclass(frozen=True, slots=True, eq=False)
class BoxThresholds:
    """From which score on a found box is kept.

    Attributes
    ----------
    values : ndarray, shape (n_classes,)
    pooled : ndarray of bool, shape (n_classes,)
        Classes that have too few true boxes for a threshold of their own, and share one.
    """

    values: Floats
    pooled: NDArray[np.bool_]


def tune_box_thresholds(
    judged: JudgedBoxes,
    *,
    objective: Objective = "f1",
    precision: float = 0.9,
    fewest: int = 10,
    otherwise: float = 0.5,
) -> BoxThresholds:
    """Return the threshold of each class that is best for the objective.

    Parameters
    ----------
    judged : JudgedBoxes
        Of boxes that were found by parts of the detector that had not seen the pictures.
    objective : {'f1', 'f2', 'precision'}
        ``precision``: the most recall with at least that precision.
    precision : float
    fewest : int
        True boxes below which a class shares the threshold of all.
    otherwise : float
        Taken where nothing was found.
    """
    n_true = judged.n_true.sum(axis=0)
    common = _best_threshold(
        judged.scores, judged.right, int(n_true.sum()), objective, precision, otherwise
    )
    values = np.full(len(n_true), common)
    for label in np.flatnonzero(n_true >= fewest):
        own = judged.classes == label
        values[label] = _best_threshold(
            judged.scores[own], judged.right[own], int(n_true[label]), objective, precision, common
        )
    return BoxThresholds(values, n_true < fewest)


def _best_threshold(
    scores: Floats,
    right: NDArray[np.bool_],
    n_true: int,
    objective: Objective,
    precision: float,
    otherwise: float,
) -> float:
    if not right.any() or not n_true:
        return otherwise
    hits, kept = np.cumsum(right), np.arange(1, len(right) + 1)
    if objective == "precision":
        worth = np.where(hits / kept >= precision, hits, -1)
    else:
        beta = 2.0 if objective == "f2" else 1.0
        worth = (1 + beta**2) * hits / (beta**2 * n_true + kept)
    ends = np.append(np.diff(scores) != 0, True)  # of equal scores all are kept or none
    worth = np.where(ends, worth, -1)
    best = int(np.argmax(worth))
    if worth[best] < 0:
        return float(np.nextafter(scores[0], np.inf))
    below = scores[best + 1] if best + 1 < len(scores) else scores[best]
    return float((scores[best] + below) / 2)


@dataclass(frozen=True, slots=True, eq=False)
class BoxMeasures:
    """Values of `NAMES` with their intervals; NaN where there is no true box.

    Attributes
    ----------
    classes : ndarray, shape (3, n_classes, 5)
        Value, lower and upper bound.
    micro, macro : ndarray, shape (3, 5)
        Of all boxes together, and the mean over classes: its average precision is mAP50.
    n_true : ndarray of int, shape (n_classes,)
    """

    classes: Floats
    micro: Floats
    macro: Floats
    n_true: NDArray[np.intp]

    def to_document(self, classes: Sequence[str], n_pictures: int) -> dict[str, Any]:
        """Return the measures in the form in which those of heads are saved."""
        by_class = {
            name: {
                "n_yes": int(self.n_true[at]),
                "n_known": n_pictures,
                **_named(self.classes[:, at]),
            }
            for at, name in enumerate(classes)
        }
        return {
            "confidence": _CONFIDENCE,
            "micro": _named(self.micro),
            "macro": _named(self.macro),
            "classes": by_class,
        }


def _named(values: Floats) -> dict[str, Any]:
    def plain(number: float) -> float | None:
        return None if np.isnan(number) else round(float(number), 6)

    return {
        name: dict(zip(("value", "low", "high"), map(plain, values[:, at]), strict=True))
        for at, name in enumerate(NAMES)
    }


def measure_boxes(
    judged: JudgedBoxes,
    thresholds: Floats,
    *,
    groups: NDArray[np.int64] | None = None,
    n_draws: int = 200,
    seed: int = 0,
) -> BoxMeasures:
    """Measure found boxes at given thresholds.

    Parameters
    ----------
    judged : JudgedBoxes
    thresholds : ndarray, shape (n_classes,)
    groups : ndarray of int, shape (n_pictures,), optional
        Pictures with equal values are drawn together.
    n_draws : int
        Bootstrap samples of the intervals.
    seed : int
    """
    n_pictures = len(judged.n_true)
    weights = np.ones((n_draws + 1, n_pictures))
    if n_pictures:
        codes = (
            np.arange(n_pictures) if groups is None else np.unique(groups, return_inverse=True)[1]
        )
        n_groups = int(codes.max()) + 1
        generator = np.random.default_rng([seed, 0xB0C5])
        drawn = generator.multinomial(n_groups, np.full(n_groups, 1 / n_groups), n_draws)
        weights[1:] = drawn[:, codes]
    by_class = np.stack(
        [
            _measures(judged, judged.classes == c, [c], weights, thresholds)
            for c in range(len(thresholds))
        ]
    )  # (n_classes, n_draws + 1, 5)
    every = np.ones(len(judged.scores), bool)
    micro = _measures(judged, every, list(range(len(thresholds))), weights, thresholds)
    shown = judged.n_true.sum(axis=0) > 0
    macro = _mean_of_known(by_class[shown]) if shown.any() else np.full(micro.shape, np.nan)
    classes = np.stack([_interval(values) for values in by_class], axis=1)
    return BoxMeasures(classes, _interval(micro), _interval(macro), judged.n_true.sum(axis=0))


def _measures(
    judged: JudgedBoxes,
    rows: NDArray[np.bool_],
    labels: Sequence[int],
    weights: Floats,
    thresholds: Floats,
) -> Floats:
    """Return the measures of some found boxes under each weighting of pictures, (n_draws, 5)."""
    own = weights[:, judged.pictures[rows]]
    right = judged.right[rows]
    kept = judged.scores[rows] >= thresholds[judged.classes[rows]]
    true = weights @ judged.n_true[:, labels].sum(axis=1)
    hits, n_kept = own @ (right & kept), own @ kept
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.stack(
            [
                np.where(n_kept > 0, hits / n_kept, 0.0),
                hits / true,
                2 * hits / (true + n_kept),
                5 * hits / (4 * true + n_kept),
                _average_precision(own, right, true),
            ],
            axis=1,
        )
    found[true <= 0] = np.nan
    return found


def _average_precision(weights: Floats, right: NDArray[np.bool_], true: Floats) -> Floats:
    """Return the area under the best precision at each recall, (n_draws,)."""
    if not len(right):
        return np.zeros(len(weights))
    hits, kept = np.cumsum(weights * right, axis=1), np.cumsum(weights, axis=1)
    precision = hits / np.maximum(kept, 1e-9)
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    return np.asarray((weights * right * best).sum(axis=1) / np.maximum(true, 1e-9))


def _mean_of_known(values: Floats) -> Floats:
    """Return the mean over the first axis, without NaN (a class that a draw does not hold)."""
    known = ~np.isnan(values)
    return np.asarray(np.where(known, values, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1))


def _interval(values: Floats) -> Floats:
    """Return value, lower and upper bound of measures under all draws, shape (3, 5)."""
    value, drawn = values[0], values[1:]
    low, high = np.full(5, np.nan), np.full(5, np.nan)
    for at in range(5):
        known = drawn[~np.isnan(drawn[:, at]), at]
        if len(known) and not np.isnan(value[at]):
            low[at], high[at] = np.quantile(known, [(1 - _CONFIDENCE) / 2, (1 + _CONFIDENCE) / 2])
    return np.stack([value, low, high])
