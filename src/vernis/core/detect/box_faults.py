"""Which given boxes may be wrong, by what a detector finds that has not seen their pictures.

A *swapped* box shows another class; a *spurious* one shows nothing; a *misplaced* one lies beside
its object; a *missing* one was never drawn. Every score is a suspicion, high = suspected, of one
given box, or of one found box where a given one may be missing.

How well such scores tell wrong boxes from right ones depends on the detector, so each kind is tried
on faults that are planted in the very boxes, and one that does no better than chance is not shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vernis.core.detect.cells import Detections
from vernis.core.numeric.boxes import overlaps

Floats = NDArray[np.float64]
FaultKind = Literal["swapped", "spurious", "misplaced", "missing"]

KINDS: tuple[FaultKind, ...] = ("swapped", "spurious", "misplaced", "missing")
_TOUCHES = 0.1
"""Overlap (IoU) from which a found box may be of the object that a given one is meant for."""
_SAME = 0.5
"""Overlap (IoU) from which two boxes are of the same object."""
_SHARE = 0.1
"""Share of the boxes in which each kind of fault is planted."""
_MOVED = (0.25, 0.5)
"""Share of its sides by which a planted misplaced box is moved, in both directions."""


@dataclass(frozen=True, slots=True, eq=False)
class GivenBoxes:
    """The given boxes of one picture; corners in pixels, shape (n, 4), and classes, shape (n,)."""

    boxes: Floats
    classes: NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Suspicions:
    """What speaks against the boxes of one picture.

    Attributes
    ----------
    swapped, spurious, misplaced : ndarray, shape (n_given,)
    found : ndarray of int, shape (n_given, 2)
        Of each given box the found box that speaks for another class, and the one that lies
        better; -1 where there is none.
    missing : ndarray, shape (n_found,)
        0 for a found box that a given one explains.
    """

    swapped: Floats
    spurious: Floats
    misplaced: Floats
    found: NDArray[np.intp]
    missing: Floats

    def of(self, kind: FaultKind) -> Floats:
        """Return the suspicions of one kind."""
        values: Floats = getattr(self, kind)
        return values


def suspect_boxes(given: GivenBoxes, found: Detections) -> Suspicions:
    """Return what speaks against the given boxes of a picture.

    Parameters
    ----------
    given : GivenBoxes
    found : Detections
        By a detector that has not seen the picture, down to hardly sure ones.
    """
    n, m = len(given.classes), len(found)
    fit = overlaps(given.boxes, found.boxes.astype(np.float64)).reshape(n, m)
    sure = found.scores.astype(np.float64)
    same = given.classes[:, None] == found.classes[None]
    support = fit * sure
    own = np.where(same, support, 0).max(axis=1, initial=0)
    other = np.where(same, 0, support)
    cross = other.max(axis=1, initial=0)
    touches = same & (fit >= _TOUCHES)
    # A better place: a sure box of the class that the given one meets only in part, and that no
    # other given box explains.
    taken = np.zeros((n, m))
    for row in range(n):
        others = np.delete(fit, row, axis=0)
        taken[row] = others.max(axis=0, initial=0)
    better = np.where(touches & (taken < _SAME), sure * (1 - fit), 0)
    place = better.max(axis=1, initial=0)
    best = np.full((n, 2), -1)
    if m:
        best[:, 0] = np.where(cross > 0, other.argmax(axis=1), -1)
        best[:, 1] = np.where(place > 0, better.argmax(axis=1), -1)
    explained = fit.max(axis=0, initial=0)
    missing = np.where(explained < _SAME, sure * (1 - explained), 0)
    return Suspicions(
        swapped=cross - own,
        spurious=1 - support.max(axis=1, initial=0),
        misplaced=place - own,
        found=best,
        missing=_once(found, missing),
    )


def _once(found: Detections, missing: Floats) -> Floats:
    """Return the suspicions with 0 for all but the surest of boxes of the same object."""
    left = missing.copy()
    fit = overlaps(found.boxes, found.boxes)
    for row in np.argsort(-missing, kind="stable"):
        if left[row] > 0:
            others = fit[row] >= _SAME
            others[row] = False
            left[others & (missing <= missing[row])] = 0
    return left


@dataclass(frozen=True, slots=True)
class FaultPower:
    """How well faults of a kind are told from right boxes, by planted ones.

    Attributes
    ----------
    auroc : float
        How often a planted fault is suspected more than a right box; .5 is chance. NaN where none
        could be planted.
    low, high : float
        Its 95 % interval over pictures.
    limit : float
        From this suspicion on one box of three is wrong, where one of twenty is in all; infinite
        where there is no such suspicion.
    """

    auroc: float
    low: float
    high: float
    limit: float

    @property
    def is_better_than_chance(self) -> bool:
        """Whether the interval lies above chance."""
        return bool(self.low > 0.5)


_ASSUMED = 0.05
"""Share of wrong boxes of a kind at which the limit of flagged ones is set."""
_WORTH_READING = 1 / 3
"""Share of the flagged boxes that are wrong then."""
_DRAWS = 200


def try_faults(
    given: Sequence[GivenBoxes], found: Sequence[Detections], n_classes: int, seed: int = 0
) -> Mapping[FaultKind, FaultPower]:
    """Plant faults of each kind in the boxes, and measure how well they are found.

    Parameters
    ----------
    given : sequence of GivenBoxes
        One a picture.
    found : sequence of Detections
        By detectors that have not seen the pictures.
    n_classes : int
    seed : int
    """
    right = [suspect_boxes(*pair) for pair in zip(given, found, strict=True)]
    powers: dict[FaultKind, FaultPower] = {}
    for kind in KINDS:
        rng = np.random.default_rng([seed, KINDS.index(kind)])
        scores, faults, pictures = [], [], []
        for at, (boxes, seen, before) in enumerate(zip(given, found, right, strict=True)):
            values, wrong = _plant(kind, boxes, seen, before, n_classes, rng)
            scores.append(values)
            faults.append(wrong)
            pictures.append(np.full(len(values), at))
        powers[kind] = _power(
            np.concatenate([*scores, []]),
            np.concatenate([*faults, []]).astype(bool),
            np.concatenate([*pictures, []]).astype(np.intp),
            len(given),
            sum(len(one.classes) for one in given),
            rng,
        )
    return powers


def _plant(
    kind: FaultKind,
    given: GivenBoxes,
    found: Detections,
    before: Suspicions,
    n_classes: int,
    rng: np.random.Generator,
) -> tuple[Floats, NDArray[np.bool_]]:
    """Return suspicions of one kind with faults planted in a picture, and which are of faults."""
    n = len(given.classes)
    chosen = rng.random(n) < _SHARE
    nothing = np.zeros(len(before.of(kind)), bool)
    if not chosen.any() or (kind == "swapped" and n_classes < 2):
        return before.of(kind), nothing
    if kind == "missing":
        left = GivenBoxes(given.boxes[~chosen], given.classes[~chosen])
        after = suspect_boxes(left, found)
        gone = overlaps(found.boxes.astype(np.float64), given.boxes[chosen])
        faults = gone.max(axis=1, initial=0) >= _SAME
        shown = after.missing > 0
        return after.missing[shown], faults[shown]
    boxes, classes = given.boxes.copy(), given.classes.copy()
    if kind == "swapped":
        classes[chosen] = (classes[chosen] + rng.integers(1, n_classes, chosen.sum())) % n_classes
    elif kind == "misplaced":
        boxes[chosen] = _move(boxes[chosen], rng)
    else:
        limits = boxes[:, 2:].max(axis=0)
        added = boxes[chosen]
        sides = added[:, 2:] - added[:, :2]
        corner = rng.random((len(added), 2)) * np.maximum(limits - sides, 0)
        boxes = np.concatenate([boxes, np.hstack([corner, corner + sides])])
        classes = np.concatenate([classes, classes[chosen]])
        chosen = np.arange(len(boxes)) >= n
    return suspect_boxes(GivenBoxes(boxes, classes), found).of(kind), chosen


def _move(boxes: Floats, rng: np.random.Generator) -> Floats:
    """Return boxes that are moved by a part of their sides, up or down, left or right."""
    sides = boxes[:, 2:] - boxes[:, :2]
    shift = sides * rng.uniform(*_MOVED, sides.shape) * rng.choice([-1, 1], sides.shape)
    moved: Floats = boxes + np.hstack([shift, shift])
    return moved


def _power(
    scores: Floats,
    faults: NDArray[np.bool_],
    pictures: NDArray[np.intp],
    n_pictures: int,
    n_given: int,
    rng: np.random.Generator,
) -> FaultPower:
    if not faults.any() or faults.all():
        return FaultPower(np.nan, np.nan, np.nan, np.inf)
    value = area_under_curve(scores, faults)
    drawn = []
    rows_of = [np.flatnonzero(pictures == at) for at in range(n_pictures)]
    for _ in range(_DRAWS):
        rows = np.concatenate([rows_of[at] for at in rng.integers(0, n_pictures, n_pictures)])
        wrong = faults[rows]
        if wrong.any() and not wrong.all():
            drawn.append(area_under_curve(scores[rows], wrong))
    low, high = np.quantile(drawn, [0.025, 0.975]) if drawn else (np.nan, np.nan)
    return FaultPower(value, float(low), float(high), _limit(scores, faults, n_given))


def area_under_curve(scores: Floats, positive: NDArray[np.bool_]) -> float:
    """Return how often a positive scores above a negative, ties as half (area under the ROC)."""
    order, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    n = int(positive.sum())
    m = len(positive) - n
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * m)) if order.size else np.nan


def _limit(scores: Floats, faults: NDArray[np.bool_], n_given: int) -> float:
    """Return the lowest suspicion from which on a third are faults, where one of twenty boxes is.

    A missing box is looked for among all found ones, of which there are many more than boxes.
    """
    order = np.argsort(-scores, kind="stable")
    caught = np.cumsum(faults[order]) / faults.sum()
    false = np.cumsum(~faults[order]) / (~faults).sum()
    expected, others = _ASSUMED * n_given, int((~faults).sum())
    rate = expected * caught / np.maximum(expected * caught + others * false, 1e-12)
    good = np.flatnonzero((rate >= _WORTH_READING) & (np.cumsum(faults[order]) >= 3))
    return float(scores[order][good[-1]]) if len(good) else float(np.inf)
