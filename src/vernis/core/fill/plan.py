"""Fill unknown labels at a precision that the user names.

What is promised: of all the labels that are suggested for a taxonomy together, at least the named
share is right, with a one-sided confidence of 95 %. It is no promise for each class: with a few
dozen images a class no bound could hold one. Yet a class whose own held-out answers fall clearly
short gets a stricter threshold or is left out.

How it is kept: labelled images are held out in groups as far from the rest as the unlabelled images
are (`holdout`); a logistic regression turns the head's held-out probability and the agreement
of the neighbours into the probability of being right; answers are accepted from the surest down as
long as their foreseen precision holds with the named confidence (`foresight`) and the held-out
answers that are as sure kept it too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vernis.core.fill.answers import Answers, Doubles, Kind, calibrate, collect_answers
from vernis.core.fill.bounds import clopper_pearson_lower, design_effect, estimate_noise
from vernis.core.fill.foresight import foresee_precision
from vernis.core.fill.holdout import HoldOut
from vernis.domain.errors import InvalidValue

_CLASS_PRIOR = 10.0
"""How many answers at the pooled precision a class starts with when it is judged by itself."""
_CLASS_SLACK = 0.05
"""How far below the named precision a class may fall by itself."""
_CLEAR_NOISE = {"single": 0.01, "multi": 0.03}
"""Lower bound from which contradicted labels count as wrong labels. With several labels an image
neighbours may rightly carry another one, so more is asked for."""
_BACKING = 0.8
"""Share of the nearest neighbours that must carry a label to speak for it."""
FEWEST = 10
"""Held-out answers below which nothing is promised."""


@dataclass(frozen=True, slots=True, eq=False)
class FillPlan:
    """What may be filled.

    Attributes
    ----------
    image, label : ndarray of int64, shape (n_suggested,)
        Row among the unlabelled images and column of the class, surest first.
    probability : ndarray of float64, shape (n_suggested,)
        That the label is right, from the held-out answers.
    thresholds : ndarray of float64, shape (n_classes,)
        Of that probability; infinite where nothing can be promised.
    class_bounds : ndarray of float64, shape (n_classes,)
        Lower bound of each class's own held-out precision; NaN where it has no held-out answer. For
        information: the promise is for all classes together.
    class_precision : ndarray of float64, shape (n_classes,)
        Share of right answers among all held-out answers of a class, sure or not, label noise
        included; NaN where there are none.
    promised : float
        The named precision.
    precision : float
        Of the held-out answers as sure as the suggested ones; NaN when nothing is suggested.
    bound : float
        Lower bound of the precision of what is suggested; NaN when nothing is.
    noise : float
        Estimated share of wrong given labels, already taken out of ``precision`` and ``bound``.
    n_held_out, n_groups : int
        Held-out answers and their groups.
    n_out_of_distribution : int
        Unlabelled images unlike every held-out one; nothing is suggested for them.
    is_matched : bool
        See `HoldOut`.
    on_confirmed : bool
        Whether the promise rests on confirmed labels alone.
    """

    image: NDArray[np.int64]
    label: NDArray[np.int64]
    probability: Doubles
    thresholds: Doubles
    class_bounds: Doubles
    class_precision: Doubles
    promised: float
    precision: float
    bound: float
    noise: float
    n_held_out: int
    n_groups: int
    n_out_of_distribution: int
    is_matched: bool
    on_confirmed: bool


def plan_fill(
    Y: ArrayLike,
    held_out: ArrayLike,
    unknown: ArrayLike,
    holdout: HoldOut,
    *,
    kind: Kind,
    precision: float,
    allowed: ArrayLike | None = None,
    confirmed: ArrayLike | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> FillPlan:
    """Choose the labels whose precision can be promised.

    Parameters
    ----------
    Y : array_like, shape (n_labelled, n_classes)
        1 where the label is given, else 0 or NaN (both count as "not given").
    held_out : array_like, shape (n_labelled, n_classes)
        Probabilities by estimators that saw nothing of an image's group. Rows of NaN are left out.
    unknown : array_like, shape (n_unknown, n_classes)
        Probabilities for the unlabelled images.
    holdout : HoldOut
        From `match_holdout`.
    kind : {'single', 'multi'}
    precision : float
        The share of right labels to promise, in (0, 1).
    allowed : array_like of bool, shape (n_unknown, n_classes), optional
        False where the label was denied already.
    confirmed : array_like of bool, shape (n_labelled,), optional
        Images whose labels a person confirmed; given, the promise rests on them alone, and no label
        noise is assumed.
    confidence : float
        One-sided, in (0, 1).
    seed : int

    Returns
    -------
    FillPlan

    Raises
    ------
    InvalidValue
        If a number is out of range or shapes disagree.

    Notes
    -----
    Wrong given labels lower the measured precision, so the promise errs on the safe side, save for
    mistakes that the labels repeat systematically, which no held-out image can show.
    """
    Y, held_out = np.asarray(Y, np.float32), np.asarray(held_out)
    unknown = np.asarray(unknown, np.float64)
    _check(Y, held_out, unknown, precision, confidence)
    yes = Y == 1
    trusted = None if confirmed is None else np.asarray(confirmed, bool)
    seen = _held_out_answers(yes, held_out, holdout, kind, trusted)
    ood = _out_of_distribution(holdout)
    asked = _asked_answers(yes, unknown, allowed, holdout, kind, ood)
    n_classes, n_groups = Y.shape[1], len(np.unique(seen.groups))
    plan = _empty_plan(n_classes, precision, seen, ood, holdout, trusted is not None)
    if len(seen.correct) < FEWEST or n_groups < 2:
        return plan
    cut = find_cut(seen, asked, kind, trusted is not None, precision, confidence, seed)
    if cut.last is None:
        return replace(plan, noise=cut.noise)
    asked_score, noise = cut.asked_score, cut.noise
    pooled = float(np.sort(asked_score)[::-1][cut.last])
    limits, bounds = _class_limits(cut.own_score, seen, n_classes, pooled, precision, noise)
    chosen = np.flatnonzero(asked_score >= limits[asked.label])
    ranked = chosen[np.argsort(-asked_score[chosen], kind="stable")]
    return replace(
        plan,
        image=asked.image[ranked],
        label=asked.label[ranked],
        probability=np.minimum(asked_score[ranked] / (1 - noise), 1.0),
        thresholds=np.minimum(limits / (1 - noise), np.where(np.isinf(limits), np.inf, 1.0)),
        class_bounds=bounds,
        precision=cut.precision,
        bound=cut.bound,
        noise=noise,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """How far down the asked answers may be accepted.

    ``last``: the place of the last accepted one, surest first; None where nothing can be promised.
    """

    own_score: Doubles
    asked_score: Doubles
    noise: float
    last: int | None = None
    precision: float = np.nan
    bound: float = np.nan


def find_cut(
    seen: SeenAnswers,
    asked: Answers,
    kind: Kind,
    is_confirmed: bool,
    precision: float,
    confidence: float,
    seed: int,
) -> Cut:
    """Return how far down the asked answers can be accepted, by the held-out ones."""
    score, own_score, asked_score = calibrate(
        seen.answers.features, seen.correct, seen.groups, asked.features
    )
    order = np.argsort(-score, kind="stable")
    effect = design_effect(seen.correct - score, seen.groups)
    backed = np.zeros(len(order), bool) if is_confirmed else seen.backed[order]
    contradicted = seen.correct[order], backed, effect, _CLEAR_NOISE[kind], confidence
    noise = estimate_noise(*contradicted)
    first = np.argsort(-asked_score, kind="stable")
    lower = foresee_precision(
        seen.answers.features,
        seen.correct,
        seen.groups,
        asked.features[first],
        effect=effect,
        noise=estimate_noise(*contradicted, surely=confidence),
        confidence=confidence,
        seed=seed,
    )
    measured = _held_out_precision(own_score, seen.correct, asked_score[first], noise)
    last = np.append(np.diff(asked_score[first]) != 0, True)[: len(first)]
    holds = np.flatnonzero((lower >= precision) & (measured >= precision) & last)
    if not len(holds):
        return Cut(own_score, asked_score, noise)
    at = int(holds[-1])
    return Cut(own_score, asked_score, noise, at, float(measured[at]), float(lower[at]))


@dataclass(frozen=True, slots=True, eq=False)
class SeenAnswers:
    """Held-out answers, whether they agree with the given label, whether neighbours back them."""

    answers: Answers
    correct: NDArray[np.bool_]
    backed: NDArray[np.bool_]
    groups: NDArray[np.int64]


def _held_out_answers(
    yes: NDArray[np.bool_],
    held_out: NDArray[np.floating],
    holdout: HoldOut,
    kind: Kind,
    trusted: NDArray[np.bool_] | None,
) -> SeenAnswers:
    usable = ~np.isnan(held_out).any(axis=1)
    if trusted is not None:
        usable &= trusted
    known = np.flatnonzero(np.asarray(usable)[holdout.measured])
    rows = holdout.measured[known]
    own = held_out[rows].astype(np.float64)
    answers = collect_answers(own, holdout.labelled.take(known), yes, kind)
    beside = yes[holdout.open.indices[known][answers.image], answers.label[:, None]]
    return SeenAnswers(
        answers=answers,
        correct=yes[rows[answers.image], answers.label],
        backed=np.asarray(beside.mean(axis=1) >= _BACKING),
        groups=holdout.groups[rows[answers.image]],
    )


def _check(Y: ArrayLike, held: ArrayLike, unknown: Doubles, precision: float, sure: float) -> None:
    shape = np.shape(Y)
    if len(shape) != 2 or np.shape(held) != shape or unknown.shape[1:] != shape[1:]:
        raise InvalidValue(
            f"expected probabilities of shape {shape} and (n, {shape[-1]}), got {np.shape(held)} "
            f"and {unknown.shape}"
        )
    for name, value in (("precision", precision), ("confidence", sure)):
        if not 0 < value < 1:
            raise InvalidValue(f"expected a {name} between 0 and 1, got {value!r}")


def _empty_plan(
    n_classes: int,
    precision: float,
    seen: SeenAnswers,
    ood: NDArray[np.bool_],
    holdout: HoldOut,
    on_confirmed: bool,
) -> FillPlan:
    return FillPlan(
        image=np.empty(0, np.int64),
        label=np.empty(0, np.int64),
        probability=np.empty(0),
        thresholds=np.full(n_classes, np.inf),
        class_bounds=np.full(n_classes, np.nan),
        class_precision=_class_precision(seen, n_classes),
        promised=precision,
        precision=np.nan,
        bound=np.nan,
        noise=0.0,
        n_held_out=len(seen.correct),
        n_groups=len(np.unique(seen.groups)),
        n_out_of_distribution=int(ood.sum()),
        is_matched=holdout.is_matched,
        on_confirmed=on_confirmed,
    )


def _class_precision(seen: SeenAnswers, n_classes: int) -> Doubles:
    n = np.bincount(seen.answers.label, minlength=n_classes)
    hits = np.bincount(seen.answers.label, seen.correct, n_classes)
    return np.asarray(np.divide(hits, n, out=np.full(n_classes, np.nan), where=n > 0))


def _out_of_distribution(holdout: HoldOut) -> NDArray[np.bool_]:
    """Return the unlabelled images farther from all labels than 99 % of the held-out ones."""
    if not len(holdout.measured):
        return np.ones(len(holdout.unknown.similarities), bool)
    return np.asarray(holdout.unknown.nearest < np.quantile(holdout.labelled.nearest, 0.01))


def _asked_answers(
    yes: NDArray[np.bool_],
    unknown: Doubles,
    allowed: ArrayLike | None,
    holdout: HoldOut,
    kind: Kind,
    ood: NDArray[np.bool_],
) -> Answers:
    """Return the answers, without denied labels and images out of distribution (``ood``)."""
    if allowed is not None:
        unknown = np.where(np.asarray(allowed, bool), unknown, 0.0)
    found = collect_answers(unknown, holdout.unknown, yes, kind)
    keep = ~ood[found.image] & (found.probability > 0)
    return Answers(
        found.image[keep], found.label[keep], found.probability[keep], found.features[keep]
    )


def _held_out_precision(
    score: Doubles, correct: NDArray[np.bool_], cuts: Doubles, noise: float
) -> Doubles:
    """Return the precision of the held-out answers that are at least as sure as each cut.

    NaN where none is.
    """
    order = np.argsort(-score, kind="stable")
    n = np.searchsorted(-score[order], -cuts, side="right")
    hits = np.append(0, np.cumsum(correct[order]))[n]
    share = np.divide(hits, n, out=np.full(len(cuts), np.nan), where=n > 0)
    return np.asarray(np.minimum(share / (1 - noise), 1.0))


def _class_limits(
    score: Doubles,
    seen: SeenAnswers,
    n_classes: int,
    pooled: float,
    precision: float,
    noise: float,
) -> tuple[Doubles, Doubles]:
    """Raise the pooled threshold for classes that fall clearly short by themselves."""
    limits, bounds = np.full(n_classes, pooled), np.full(n_classes, np.nan)
    label, correct = seen.answers.label, seen.correct
    for column in np.unique(label):
        own = np.flatnonzero((label == column) & (score >= pooled))
        if not len(own):
            continue
        own = own[np.argsort(-score[own], kind="stable")]
        hits, n = np.cumsum(correct[own]) / (1 - noise), np.arange(1, len(own) + 1)
        shrunk = (hits + _CLASS_PRIOR * precision) / (n + _CLASS_PRIOR)
        good = np.flatnonzero(shrunk >= precision - _CLASS_SLACK)
        kept = int(good[-1]) if len(good) else -1
        if kept < len(own) - 1:
            limits[column] = np.inf if kept < 0 else float(score[own[kept]])
        if kept >= 0:
            bounds[column] = clopper_pearson_lower([min(hits[kept], n[kept])], [n[kept]])[0]
    return limits, bounds
