"""How good predictions are: precision, recall, F1, F2 and average precision with intervals.

The intervals are percentile intervals of the bootstrap over groups of images (Efron and Tibshirani
1993, ch. 13): duplicates are drawn together, else the intervals would be too narrow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from vernis.core.numeric.groups import group_codes
from vernis.core.numeric.row_blocks import slices_of
from vernis.domain.errors import InvalidValue

MEASURES = ("precision", "recall", "f1", "f2", "average_precision")
"""The names of the measures, in the order of the columns of an `Evaluation`."""

_MICRO_STEPS = 1000
"""Thresholds at which the interval of the micro average precision is computed."""

_AT_ONCE = 2**20
"""Numbers of the bootstrap's samples that are calculated with at a time: they stay in the cache."""

_DRAWN_AT_ONCE = 16
_SUMS_AT_ONCE = 2**22

Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Intervals:
    """Values of `MEASURES` with their intervals, each of shape (..., 5); NaN where undefined."""

    value: Doubles
    low: Doubles
    high: Doubles

    def measure(self, name: str) -> tuple[Doubles, Doubles, Doubles]:
        """Return ``(value, low, high)`` of one measure."""
        column = MEASURES.index(name)
        return self.value[..., column], self.low[..., column], self.high[..., column]


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """The quality of predictions.

    Attributes
    ----------
    micro : Intervals, shape (5,)
        Over all pairs of image and class together.
    macro : Intervals, shape (5,)
        Mean over the classes that have a known ``yes``.
    per_class : Intervals, shape (n_classes, 5)
    n_yes, n_known : ndarray of int64, shape (n_classes,)
    confidence : float
    """

    micro: Intervals
    macro: Intervals
    per_class: Intervals
    n_yes: NDArray[np.int64]
    n_known: NDArray[np.int64]
    confidence: float

    def to_dict(self, classes: list[str] | None = None) -> dict[str, Any]:
        """Return the evaluation as JSON-able mappings; NaN becomes None."""
        names = classes or [str(c) for c in range(len(self.n_yes))]
        by_class = {
            name: {
                "n_yes": int(self.n_yes[c]),
                "n_known": int(self.n_known[c]),
                **_named(self.per_class, c),
            }
            for c, name in enumerate(names)
        }
        return {
            "confidence": self.confidence,
            "micro": _named(self.micro, ...),
            "macro": _named(self.macro, ...),
            "classes": by_class,
        }


def _named(intervals: Intervals, place: Any) -> dict[str, Any]:
    def plain(number: float) -> float | None:
        return None if np.isnan(number) else round(float(number), 6)

    rows = (intervals.value[place], intervals.low[place], intervals.high[place])
    return {
        name: {"value": plain(v), "low": plain(lo), "high": plain(hi)}
        for name, v, lo, hi in zip(MEASURES, *rows, strict=True)
    }


Counts = NDArray[np.uint8]
"""How often each image is in each sample, shape (n_images, 1 + n_draws); all once in the first."""


def _images_at_once(counts: Counts) -> int:
    return max(1, _AT_ONCE // int(counts.shape[1]))


def _count(table: NDArray[np.bool_], counts: Counts) -> Doubles:
    """Return the weighted column sums, shape (1 + n_draws, n_classes)."""
    found = np.zeros((counts.shape[1], table.shape[1]))
    for part in slices_of(len(table), _images_at_once(counts)):
        by_class = sparse.csr_array(table[part].T, dtype=np.float32)
        found += np.asarray(by_class @ counts[part].astype(np.float32)).T
    return found


def _from_counts(true: Doubles, decided: Doubles, yes: Doubles) -> Doubles:
    """Return precision, recall, F1 and F2, shape (..., 4), NaN where there is no ``yes``."""
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(decided > 0, true / decided, 0.0)
        recall = true / yes
        f1 = 2 * true / (yes + decided)
        f2 = 5 * true / (4 * yes + decided)
    stacked = np.stack([precision, recall, f1, f2], axis=-1)
    stacked[np.broadcast_to(yes, stacked.shape[:-1]) <= 0] = np.nan
    return stacked


def _sums_at_ends(counts: Counts, images: NDArray[np.intp], ends: NDArray[np.intp]) -> Doubles:
    """Return the sums over ``images[: end + 1]`` at each end, shape (n_ends, 1 + n_draws)."""
    images = images[: ends[-1] + 1]
    place = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=-1))
    sums = np.zeros((len(ends), counts.shape[1]))
    for part in slices_of(len(images), _images_at_once(counts)):
        some = counts[images[part]].astype(np.float32)  # whole numbers: the sums are exact
        own = place[part] - place[part.start]
        shape = (int(own[-1]) + 1, len(some))
        ones = np.ones(len(some), np.float32)
        by_end = sparse.csr_array((ones, (own, np.arange(len(some)))), shape=shape)
        sums[place[part.start] : place[part.start] + shape[0]] += by_end @ some
    return np.cumsum(sums, axis=0, out=sums)


def _average_precision(
    scores: NDArray[Any], yes: NDArray[np.bool_], images: NDArray[np.intp], counts: Counts
) -> Doubles:
    """Return the average precision in each sample, shape (1 + n_draws,).

    The sum over thresholds of the gain in recall times the precision, equal scores sharing one
    threshold. Only thresholds at which recall grows count, which keeps rare classes quick.
    ``images`` are the rows of ``counts`` that the scores belong to.
    """
    if not yes.any():
        return np.full(counts.shape[1], np.nan)
    order = np.argsort(-scores, kind="stable")
    tie = np.concatenate([[0], np.cumsum(np.diff(scores[order]) != 0)])
    at_yes = np.flatnonzero(yes[order])
    ties = np.unique(tie[at_yes])
    ends = np.searchsorted(tie, ties, side="right") - 1
    last_yes = np.searchsorted(tie[at_yes], ties, side="right") - 1
    ranked, right = images[order], images[order[at_yes]]
    found = np.empty(counts.shape[1])
    # In parts of one width: a single column would be added up in another order.
    n_parts = -(-len(found) // max(8, _SUMS_AT_ONCE // len(ends)))
    for some in np.array_split(np.arange(len(found)), n_parts):
        draws = slice(some[0], some[-1] + 1)
        accepted = _sums_at_ends(counts[:, draws], ranked, ends)
        correct = _sums_at_ends(counts[:, draws], right, last_yes)
        found[draws] = _mean_precision(correct, accepted)
    return found


def _pooled_average_precision(
    scores: NDArray[Any], yes: NDArray[np.bool_], known: NDArray[np.bool_]
) -> float:
    """Return the average precision over all pairs of image and class, block by block."""
    if not yes.any():
        return float("nan")
    thresholds, correct = np.unique(scores[yes], return_counts=True)
    accepted = np.zeros(len(thresholds) + 1, np.int64)
    for part in slices_of(len(scores)):
        # Sorted first: a search in order stays in the processor's cache.
        some = np.sort(scores[part][known[part]])
        reached = np.searchsorted(thresholds, some, side="right")
        accepted += np.bincount(reached, minlength=len(accepted))
    down = slice(None, None, -1)
    both = (np.cumsum(count[down], dtype=np.float64) for count in (correct, accepted[1:]))
    return float(_mean_precision(*(count[:, None] for count in both))[0])


def _mean_precision(correct: Doubles, accepted: Doubles) -> Doubles:
    """Return the mean of the precision over the gains in recall, NaN where none is correct."""
    gain = np.diff(correct, axis=0, prepend=0)
    precision = correct / np.maximum(accepted, 1)
    with np.errstate(invalid="ignore"):
        return np.asarray((gain * precision).sum(axis=0) / correct[-1])


def _micro_average_precision(
    scores: NDArray[Any], yes: NDArray[np.bool_], known: NDArray[np.bool_], counts: Counts
) -> Doubles:
    """Return the average precision over all pairs, read at quantiles of the scores of ``yes``."""
    if not yes.any():
        return np.full(counts.shape[1], np.nan)
    steps = np.unique(np.quantile(scores[yes], np.linspace(0, 1, _MICRO_STEPS)))
    accepted, correct = np.zeros((2, len(steps), counts.shape[1]))
    for part in slices_of(len(scores)):
        own, is_yes = scores[part], yes[part]
        images, classes = np.nonzero(known[part] & (own >= steps[0]))
        place = len(steps) - np.searchsorted(steps, own[images, classes], side="right")
        ones, positive = np.ones(len(images), np.float32), is_yes[images, classes]
        weights = counts[part].astype(np.float32)
        shape = (len(steps), len(own))
        every = sparse.csr_array((ones, (place, images)), shape=shape)
        right = (ones[positive], (place[positive], images[positive]))
        accepted += every @ weights
        correct += sparse.csr_array(right, shape=shape) @ weights
    return _mean_precision(np.cumsum(correct, axis=0), np.cumsum(accepted, axis=0))


def _draw_counts(n_images: int, groups: ArrayLike | None, n_draws: int, seed: int) -> Counts:
    """Return how often each image is in each sample; see `Counts`."""
    codes = group_codes(groups, n_images)
    n_groups = int(codes.max(initial=-1)) + 1
    generator = np.random.default_rng([seed, 0xE7A1])
    counts = np.ones((n_images, 1 + n_draws), np.uint8)
    for start in range(1, 1 + n_draws, _DRAWN_AT_ONCE):
        some = np.empty((min(_DRAWN_AT_ONCE, 1 + n_draws - start), n_images), np.uint8)
        for row in some:
            drawn = generator.integers(n_groups, size=n_groups)
            row[:] = np.bincount(drawn, minlength=n_groups)[codes]
        counts[:, start : start + len(some)] = some.T
    return counts


def _interval(value: Doubles, draws: Doubles, confidence: float) -> Intervals:
    """Return the percentile interval over the first axis of the draws."""
    if len(draws) == 0:
        nothing = np.full(value.shape, np.nan)
        return Intervals(value, nothing, nothing)
    tail = (1 - confidence) / 2
    undefined = np.isnan(draws).all(axis=0)
    filled = np.where(undefined, 0.0, draws)
    low, high = np.nanquantile(filled, [tail, 1 - tail], axis=0)
    hidden = undefined | np.isnan(value)
    return Intervals(value, np.where(hidden, np.nan, low), np.where(hidden, np.nan, high))


def _mean_of_classes(per_class: Doubles) -> Doubles:
    """Return the mean over the classes with a value, along the last axis but one."""
    defined = ~np.isnan(per_class)
    total = np.where(defined, per_class, 0).sum(axis=-2)
    count = defined.sum(axis=-2)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def _centred(draws: Doubles) -> Doubles:
    """Return draws whose mean is the value, which stands in the first row; within 0..1.

    A class that a draw misses must count there as it does in the sample: left out, the rarest and
    worst ones would be missing from most draws. What is left is the average precision of rare
    classes, which rises when their one image is drawn twice.
    """
    if len(draws) > 1:
        draws[1:] += draws[0] - draws[1:].mean(axis=0)
    return np.clip(draws, 0, 1)


def evaluate(
    Y: ArrayLike,
    probabilities: ArrayLike,
    decided: ArrayLike,
    *,
    groups: ArrayLike | None = None,
    n_draws: int = 200,
    confidence: float = 0.95,
    seed: int = 0,
) -> Evaluation:
    """Measure predictions against labels.

    Parameters
    ----------
    Y : array_like, shape (n_images, n_classes)
        1, 0 or NaN where unknown; unknown pairs take no part.
    probabilities : array_like, shape (n_images, n_classes)
        For the average precision; pairs with NaN take no part.
    decided : array_like of bool, shape (n_images, n_classes)
        The labels that the thresholds (or the largest probability) give.
    groups : array_like, shape (n_images,), optional
        Images with equal values (duplicates) are drawn together.
    n_draws : int
        Bootstrap samples; 0 leaves the intervals NaN.
    confidence : float
        In (0, 1).
    seed : int

    Returns
    -------
    Evaluation
        A class without a known ``yes`` has NaN. Precision is 0 where nothing is decided.

    Raises
    ------
    InvalidValue
        If shapes disagree or a number is out of range.
    """
    Y = np.asarray(Y, np.float32)
    scores = np.asarray(probabilities)
    chosen = np.array(decided, bool)
    if Y.ndim != 2 or scores.shape != Y.shape or chosen.shape != Y.shape:
        shapes = (Y.shape, scores.shape, chosen.shape)
        raise InvalidValue(f"expected three (n_images, n_classes) arrays, got {shapes}")
    if not 0 < confidence < 1 or n_draws < 0:
        raise InvalidValue(f"expected confidence in (0, 1), draws ≥ 0, got {confidence, n_draws}")
    known = ~(np.isnan(Y) | np.isnan(scores))
    yes = known & (Y > 0.5)
    samples = _draw_counts(len(Y), groups, n_draws, seed)
    chosen &= known
    counts = [_count(table, samples) for table in (yes & chosen, chosen, yes)]
    per_class = np.empty((1 + n_draws, Y.shape[1], 5))
    per_class[..., :4] = _from_counts(*counts)
    for column in range(Y.shape[1]):
        seen = np.flatnonzero(known[:, column])
        per_class[:, column, 4] = _average_precision(
            scores[seen, column], yes[seen, column], seen, samples
        )
    macro = _centred(_mean_of_classes(np.where(np.isnan(per_class), per_class[:1], per_class)))
    micro = np.empty((1 + n_draws, 5))
    micro[:, :4] = _from_counts(*(c.sum(axis=1) for c in counts))
    micro[:, 4] = _micro_average_precision(scores, yes, known, samples)
    micro[0, 4] = _pooled_average_precision(scores, yes, known)
    return Evaluation(
        micro=_interval(micro[0], micro[1:], confidence),
        macro=_interval(macro[0], macro[1:], confidence),
        per_class=_interval(per_class[0], per_class[1:], confidence),
        n_yes=yes.sum(axis=0),
        n_known=known.sum(axis=0),
        confidence=confidence,
    )
