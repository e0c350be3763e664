"""How many labels are wrong, and which: a noise model on top of predicted probabilities.

The probabilities say which label an annotator would *give*. The noise model parts them into the
class that is *true* and the habit of giving class j where i is true, so that an image's own label
can be weighed against it (Dawid & Skene 1979, with one annotator and a classifier as prior).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, isotonic_regression, minimize
from scipy.special import expit, logit, softmax

from vernis.core.labels.entry_noise import model_entries
from vernis.core.labels.scores import as_codes, as_matrix
from vernis.core.numeric.row_blocks import slices_of
from vernis.core.numeric.threads import in_threads
from vernis.domain.errors import InvalidValue

FloatArray = NDArray[np.float32]
DoubleArray = NDArray[np.float64]

_PRIOR_STRENGTH = 20.0
_HARD_WEIGHT = 7.0
"""How far the errors that only the confident joint sees are believed, see `_believe_joint`."""
_JOINT_HALF = 100.0
"""Images a class at which the joint is trusted half as far as with endless ones."""
_HARD_FOR_SURE = 1.5
"""So many errors on hard pictures, at most, for one that the sure predictions show. In human labels
of cifar10n_a they are 1 to 2.5, in planted ones none."""
_MOST_HARD_FOR_SURE = 5.0
"""The same for the upper bound of the count."""
_MOST_TRUST = 2.6
"""By so much more the joint is believed for that bound: of people's errors on cifar10n_a three in
five and more of what it counts are true, of planted ones one in ten."""
_RATE_DEVIATIONS = 2.0
"""Standard deviations of the fitted rate and exponent that the interval allows for; the binomial
ones of the labels themselves come on top."""
_LEAST_ERROR = 1.5
"""Labels by which an estimate may always be wrong."""
_MISFIT = 0.03
"""The same, as a share of what was estimated: no model is quite true."""
_SUREST, _FEWEST_SURE = 10, 10
_DEVIATIONS_OF_HABITS = 3.0
_STEPS = (0.05, 0.15)
"""Of the logarithm of the exponent and of the log-odds of the rate, for derivatives."""
_PRIOR_DEVIATIONS = (0.5, 3.0)
"""How far both may lie from where they are fitted when the labels do not tell."""
_NEARLY_CLEAN, _READ_ANYWAY, _FEWEST_READ = 0.04, 0.02, 3
_FREED, _USUAL_YIELD = 10.0, 0.25
_LIKELIHOOD_95 = 1.92
"""Fall of the log-likelihood at the ends of a 95 % interval (Wilks 1938)."""
_ROWS = 16_384
"""Images at a time: no array of all probabilities is made in double precision."""
_HELD = 128_000_000
"""Probabilities up to which their logarithms are kept between passes: 1 GB."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class NoiseModel:
    """Posterior probabilities under the estimated noise.

    Attributes
    ----------
    truth : ndarray of float32, shape (n_images, n_classes)
        Probability that the class is true, the given label taken into account.
    wrong : ndarray of float32, shape (n_images, n_classes)
        Probability that the given state is wrong; NaN where it is unknown. In a single-label
        taxonomy a wrong label is wrong at its given class and at the class that is true.
    image_wrong : ndarray of float32, shape (n_images,)
        Probability that the image carries a wrong label (the highest of its entries); NaN where
        no label is known.
    transition : ndarray of float64
        Row = true class, column = given class. Shape (n_classes, n_classes) for single-label,
        (2, 2) (no, yes) for multi-label.
    spread : tuple of float
        By which factors the count of wrong labels may be lower and higher: by the two estimates
        that it is a mean of (single-label), or by the prior of the error rates (multi-label).
    """

    truth: FloatArray
    wrong: FloatArray
    image_wrong: FloatArray
    transition: DoubleArray
    spread: tuple[float, float]


@dataclass(frozen=True, slots=True)
class WrongCount:
    """How many labels are wrong: images (single-label) or images × classes (multi-label).

    ``low`` and ``high`` bound it. ``n_worth_reading`` top-ranked images are worth reading: below
    them fewer than the named share are wrong. ``found`` wrong labels are expected among them.
    """

    count: float
    low: float
    high: float
    n_labelled: int
    n_worth_reading: int
    found: float

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.count <= self.high:
            raise InvalidValue(
                f"expected 0 ≤ low ≤ count ≤ high, got {self.low}, {self.count}, {self.high}"
            )


def model_noise(labels: NDArray[np.generic], probs: NDArray[np.floating]) -> NoiseModel:
    """Estimate which labels are wrong.

    Parameters
    ----------
    labels : ndarray, shape (n_images,) of int (negative = unknown) or (n_images, n_classes) of
        1, 0, NaN
    probs : ndarray, shape (n_images, n_classes)
        Probabilities of the given labels that did not see the image's own label.

    Returns
    -------
    NoiseModel

    Notes
    -----
    Single-label: a label is a random one (drawn by class frequency) at one common rate, else the
    true class, whose probabilities are the given ones raised to an exponent; rate and exponent have
    the greatest likelihood together. The rate is what even the surest predictions do not
    explain, so a taxonomy that is merely hard to predict is not called wrong. But people err on
    hard pictures, which that rate misses; the confident joint (Northcutt et al., *Confident
    Learning*, JAIR 2021) counts those errors, and all pictures besides that the model cannot
    predict. No statistic of labels and predictions tells one from the other, so `_believe_joint`
    takes a part of the joint, and the interval 2.6 times that part. What contradicts the surest
    tenth of each class's predictions counts in any case (a habit of one class is no common rate).

    The posteriors are then shifted (in log-odds) so that they add up to the count.

    Multi-label: every class has a rate of false and of missed labels, see
    `entry_noise.model_entries`; the count is the sum of its chances.
    """
    p = np.asarray(probs)
    if np.ndim(labels) == 1:
        given = as_codes(labels, p.shape[1])
        if given.shape != p.shape[:1]:
            raise InvalidValue(f"expected labels of {len(p)} images, got {given.shape}")
        if not (given >= 0).any():
            raise InvalidValue("expected at least one known label, got none")
        return _model_single(given, p)
    y = as_matrix(labels, p.shape[1])
    if y.shape != p.shape:
        raise InvalidValue(f"expected labels of shape {p.shape}, got {y.shape}")
    if not np.isfinite(y).any():
        raise InvalidValue("expected at least one known label, got none")
    return _model_multi(y, np.clip(p.astype(np.float64), 1e-7, 1.0))


class _Predictions:
    """What was predicted of the labelled images, gone through block by block.

    Parameters
    ----------
    probs : ndarray, shape (n_images, n_classes)
    rows : ndarray of int, shape (m,)
        The labelled images.
    given : ndarray of int, shape (m,)
        Their classes.
    """

    def __init__(
        self, probs: NDArray[np.floating], rows: NDArray[np.intp], given: NDArray[np.intp]
    ) -> None:
        self.given, self.n_classes = given, probs.shape[1]
        self._probs, self._rows = probs, rows
        self._parts = slices_of(len(rows), _ROWS)
        few = len(rows) * self.n_classes <= _HELD
        self._held = {part.start: self._read(part) for part in self._parts} if few else {}

    def __len__(self) -> int:
        return len(self._rows)

    def _read(self, part: slice) -> DoubleArray:
        return np.log(_normalized(self._probs[self._rows[part]]))

    def each(self, work: Callable[[DoubleArray, NDArray[np.intp], slice], T]) -> list[T]:
        """Return what comes of the log-probabilities and classes of each block, in order."""

        def one(part: slice) -> T:
            held = self._held.get(part.start)
            return work(self._read(part) if held is None else held, self.given[part], part)

        if len(self._parts) == 1:
            return [one(self._parts[0])]
        return list(in_threads(one, self._parts))

    def total(self, work: Callable[[DoubleArray, NDArray[np.intp]], DoubleArray]) -> DoubleArray:
        """Return the sum of what comes of each block, added in order."""
        parts = self.each(lambda log_probs, given, _: work(log_probs, given))
        return np.asarray(sum(parts[1:], parts[0]))


def _normalized(probs: NDArray[np.floating]) -> DoubleArray:
    p = np.clip(probs.astype(np.float64), 1e-7, 1.0)
    return np.asarray(p / p.sum(axis=1, keepdims=True))


def _model_single(labels: NDArray[np.intp], probs: NDArray[np.floating]) -> NoiseModel:
    rows = np.flatnonzero(labels >= 0)
    given = labels[rows]
    known = _Predictions(probs, rows, given)
    slope, transition = _fit_common(known)
    chance, own = _weigh_labels(known, slope, transition)
    highest = _highest_sure(chance, own, given, transition)
    images_a_class = len(rows) / len(np.unique(given))
    joint = _confident_errors(known)
    sure = max(float(chance.sum()), min(_sure_contradictions(known), joint))
    hard, most_hard = _believe_joint(
        joint - sure,
        max(highest, sure),
        n_labels=len(rows),
        images_a_class=images_a_class,
    )
    error = _count_error(known, slope, _common_error(transition))
    del known  # its logarithms take twice what the predictions take
    shifted, spread = _shift(chance, sure, (hard, most_hard), error)
    return _spread_truth(labels, probs, shifted, slope, transition, spread)


def _weigh_labels(
    known: _Predictions, slope: float, transition: DoubleArray
) -> tuple[DoubleArray, DoubleArray]:
    """Return the chance that each label is wrong, and that of its class before it was seen."""

    def work(
        log_probs: DoubleArray, given: NDArray[np.intp], _: slice
    ) -> tuple[DoubleArray, DoubleArray]:
        prior = softmax(slope * log_probs, axis=1)
        index = np.arange(len(given))
        return 1.0 - _posterior(prior, transition, given)[index, given], prior[index, given]

    chance, own = zip(*known.each(work), strict=True)
    return np.concatenate(chance), np.concatenate(own)


def _spread_truth(
    labels: NDArray[np.intp],
    probs: NDArray[np.floating],
    shifted: DoubleArray,
    slope: float,
    transition: DoubleArray,
    spread: tuple[float, float],
) -> NoiseModel:
    """Share each label's chance of being wrong among the other classes, block by block."""
    image_wrong = np.full(len(labels), np.nan)
    image_wrong[labels >= 0] = shifted
    truth, wrong = (np.empty(probs.shape, np.float32) for _ in range(2))

    def work(part: slice) -> DoubleArray:
        own, chance = labels[part], image_wrong[part]
        rows = np.flatnonzero(own >= 0)
        prior = softmax(slope * np.log(_normalized(probs[part])), axis=1)
        others = _posterior(prior[rows], transition, own[rows])
        index, given = np.arange(len(rows)), own[rows]
        others[index, given] = 0.0
        others /= np.maximum(others.sum(axis=1, keepdims=True), 1e-12)
        others *= chance[rows, None]
        others[index, given] = 1.0 - chance[rows]
        prior[rows] = others
        truth[part] = prior
        counts = _count_given(others, given)
        others[index, given] = 1.0 - others[index, given]
        unknown = np.full(prior.shape, np.nan, np.float32)
        unknown[rows] = others
        wrong[part] = unknown
        return counts

    parts = list(in_threads(work, slices_of(len(labels), _ROWS)))
    habits = _habits_of(np.asarray(sum(parts[1:], parts[0])), float((1.0 - shifted).mean()))
    return NoiseModel(truth, wrong, _f32(image_wrong), habits, spread)


def _model_multi(y: FloatArray, p: DoubleArray) -> NoiseModel:
    entries = model_entries(y, p)
    known = np.isfinite(y)
    worst = np.where(known, entries.wrong, 0.0).max(axis=1)
    image_wrong = np.where(known.any(axis=1), worst, np.nan)
    return NoiseModel(
        _f32(entries.truth),
        _f32(entries.wrong),
        _f32(image_wrong),
        entries.transition,
        entries.spread,
    )


def _posterior(prior: DoubleArray, transition: DoubleArray, given: NDArray[np.intp]) -> DoubleArray:
    joint = prior * transition[:, given].T
    return np.asarray(joint / np.maximum(joint.sum(axis=1, keepdims=True), 1e-300))


def _confident_errors(known: _Predictions) -> float:
    """Return the off-diagonal sum of the confident joint, scaled to the number of labels."""
    given, n_classes = known.given, known.n_classes

    def of_given(log_probs: DoubleArray, own: NDArray[np.intp], _: slice) -> DoubleArray:
        return np.asarray(np.exp(log_probs[np.arange(len(own)), own]))

    totals = np.bincount(given, minlength=n_classes)
    said = np.bincount(given, weights=np.concatenate(known.each(of_given)), minlength=n_classes)
    thresholds = np.where(totals > 0, said / np.maximum(totals, 1), np.inf)

    def count(log_probs: DoubleArray, own: NDArray[np.intp]) -> DoubleArray:
        p = np.exp(log_probs)
        # A probability that is its class's threshold reaches it, whatever its last bit.
        confident = p >= thresholds * (1.0 - 1e-12)
        best = np.where(confident, p, -1.0).argmax(axis=1)
        rows = confident.any(axis=1)
        counted = np.zeros((n_classes, n_classes))
        np.add.at(counted, (own[rows], best[rows]), 1.0)
        return counted

    joint = known.total(count)
    counted = joint.sum(axis=1)
    errors = 1.0 - np.diag(joint) / np.maximum(counted, 1.0)
    return float((np.where(counted > 0, errors, 0.0) * totals).sum())


def _highest_sure(
    chance: DoubleArray, own: DoubleArray, given: NDArray[np.intp], transition: DoubleArray
) -> float:
    """Return how many labels are wrong, were the rate of random labels its upper bound.

    The bound is that of a 95 % interval by the likelihood ratio, the exponent as it is. ``chance``
    and ``own`` (m,) are those of being wrong, and of the given class before its label was seen.
    """
    n_classes = len(transition)
    share = np.bincount(given, minlength=n_classes) / len(given)
    rate = _common_error(transition)
    here = np.log(np.maximum((1.0 - rate) * own + rate * share[given], 1e-12)).sum()

    def fall(log_odds: float) -> float:
        other = float(expit(log_odds))
        there = np.log(np.maximum((1.0 - other) * own + other * share[given], 1e-12)).sum()
        return float(here - there) - _LIKELIHOOD_95

    low, high = float(logit(np.clip(rate, 1e-9, 0.98))), 5.0
    upper = float(expit(brentq(fall, low, high, xtol=1e-3) if fall(high) > 0 else high))
    changed = len(given) * (1.0 - float((share**2).sum()))
    return float(chance.sum()) + max(upper - rate, 0.0) * changed


def _common_error(transition: DoubleArray) -> float:
    """Return the rate of random labels that a transition matrix of `_fit_common` was made of."""
    n_classes = len(transition)
    return (n_classes - float(np.trace(transition))) / max(n_classes - 1, 1)


def _sure_contradictions(known: _Predictions) -> float:
    """Return how many labels are wrong at least, if all are as those of the surest predictions.

    The surest tenth of each class's predictions, if that is 10 images or more, shows its habits,
    which one common rate does not. The share of each class is the lower end of its interval (Wilson
    1927, three standard deviations).
    """

    def likeliest(
        log_probs: DoubleArray, _: NDArray[np.intp], __: slice
    ) -> tuple[NDArray[np.intp], DoubleArray]:
        return log_probs.argmax(axis=1), log_probs.max(axis=1)

    given = known.given
    best, surety = (np.concatenate(parts) for parts in zip(*known.each(likeliest), strict=True))
    square = _DEVIATIONS_OF_HABITS**2
    count = 0.0
    for k in np.unique(best):
        own = np.flatnonzero(best == k)
        n = len(own) // _SUREST
        if n < _FEWEST_SURE:
            continue
        surest = own[np.argsort(-surety[own], kind="stable")[:n]]
        share = float((given[surest] != k).mean())
        wide = np.sqrt(square * (share * (1.0 - share) + square / (4.0 * n)) / n)
        lowest = (share + square / (2.0 * n) - float(wide)) / (1.0 + square / n)
        count += len(own) * max(lowest, 0.0)
    return count


def _believe_joint(
    excess: float, highest: float, *, n_labels: int, images_a_class: float
) -> tuple[float, float]:
    """Return how many errors on hard pictures are believed in, and how many at most.

    ``excess`` is what the confident joint counts beyond the common rate: errors of people, who err
    on hard pictures, and of the model. The more labels are wrong where the model is sure
    (``highest``, the upper bound of that rate), and the more the joint sees beside them, the
    likelier are they people's: of all labels, the joint's share and the cube root of the other
    one, times ``7 m / (m + 100)`` for m images a class, is the weight.
    """
    found = max(excess, 0.0)
    trust = _HARD_WEIGHT * images_a_class / (images_a_class + _JOINT_HALF)
    weight = trust * found / n_labels * (highest / n_labels) ** (1 / 3)
    hard = min(min(weight, 1.0) * found, _HARD_FOR_SURE * highest)
    most = min(min(_MOST_TRUST * weight, 1.0) * found, _MOST_HARD_FOR_SURE * highest)
    return hard, most


def _count_error(known: _Predictions, slope: float, rate: float) -> float:
    """Return the standard error of the expected number of wrong labels, by rate and exponent.

    The delta method: its gradient and the curvature of the log-likelihood, both by differences.
    """
    shares = np.bincount(known.given, minlength=known.n_classes) / len(known)
    steps = np.asarray(_STEPS)
    start = np.array([np.log(slope), float(logit(np.clip(rate, 1e-6, 1.0 - 1e-6)))])

    def loss_and_count(*moves: float) -> tuple[float, float]:
        moved = start + np.asarray(moves) * steps
        factor, error = np.exp(moved[0]), float(expit(moved[1]))

        def work(log_probs: DoubleArray, given: NDArray[np.intp]) -> DoubleArray:
            own = softmax(factor * log_probs, axis=1)[np.arange(len(given)), given]
            share = shares[given]
            likelihood = np.maximum((1.0 - error) * own + error * share, 1e-12)
            wrong = error * share * (1.0 - own) / likelihood
            return np.array([-np.log(likelihood).sum(), wrong.sum()])

        loss, count = known.total(work).tolist()
        return loss, count

    here = loss_and_count(0.0, 0.0)[0]
    around = {(i, j): loss_and_count(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j}
    curvature = np.diag(1.0 / np.square(_PRIOR_DEVIATIONS))
    curvature[0, 0] += (around[1, 0][0] + around[-1, 0][0] - 2.0 * here) / steps[0] ** 2
    curvature[1, 1] += (around[0, 1][0] + around[0, -1][0] - 2.0 * here) / steps[1] ** 2
    mixed = around[1, 1][0] + around[-1, -1][0] - around[1, -1][0] - around[-1, 1][0]
    curvature[[0, 1], [1, 0]] = mixed / (4.0 * steps[0] * steps[1])
    gradient = np.array([around[1, 0][1] - around[-1, 0][1], around[0, 1][1] - around[0, -1][1]])
    gradient /= 2.0 * steps
    values, vectors = np.linalg.eigh(curvature)
    # Where the likelihood is not at its hilltop, the prior bounds how far the parameters move.
    values = np.maximum(values, min(1.0 / np.square(_PRIOR_DEVIATIONS)))
    return float(np.sqrt(((vectors.T @ gradient) ** 2 / values).sum()))


def _shift(
    chance: DoubleArray, sure: float, hard: tuple[float, float], error: float
) -> tuple[DoubleArray, tuple[float, float]]:
    """Shift the log-odds so that their sum is what the sure predictions show and hard pictures add.

    ``hard`` are the errors on hard pictures that are believed in, and at most. Also return by which
    factors the sum may be lower and higher: without the errors on hard pictures, or with most of
    them, and by the ``error`` of the common rate.
    """
    target = float(np.clip(sure + hard[0], 1e-9, len(chance) - 1e-9))
    allowed = _RATE_DEVIATIONS * error + _LEAST_ERROR + _MISFIT * sure
    low, high = sure - allowed, sure + hard[1] + allowed
    odds = logit(np.clip(chance, 1e-6, 1.0 - 1e-6))

    def excess(offset: float) -> float:
        return float(expit(odds + offset).sum()) - target

    ends = (-40.0, 40.0)
    offset = float(brentq(excess, *ends)) if excess(ends[0]) < 0 < excess(ends[1]) else 0.0
    bounds = (max(low, 0.0) / target, high / target)
    return np.asarray(expit(odds + offset)), (min(bounds[0], 1.0), max(bounds[1], 1.0))


def _f32(values: NDArray[np.floating]) -> FloatArray:
    return np.asarray(values, dtype=np.float32)


def _fit_common(known: _Predictions) -> tuple[float, DoubleArray]:
    """Return the exponent and the transition matrix (K, K) of one common error rate."""
    n_classes = known.n_classes
    share = np.bincount(known.given, minlength=n_classes) / len(known)

    def loss(parameters: DoubleArray) -> tuple[float, DoubleArray]:
        slope, rate = float(np.exp(parameters[0])), float(expit(parameters[1]))

        def work(log_probs: DoubleArray, given: NDArray[np.intp]) -> DoubleArray:
            index = np.arange(len(given))
            probs = softmax(slope * log_probs, axis=1)
            own, chance = probs[index, given], share[given]
            likelihood = np.maximum((1.0 - rate) * own + rate * chance, 1e-12)
            steeper = log_probs[index, given] - np.einsum("ij,ij->i", probs, log_probs)
            sloped = (1.0 - rate) * own * slope * steeper / likelihood
            rated = rate * (1.0 - rate) * (chance - own) / likelihood
            return np.array([np.log(likelihood).sum(), sloped.sum(), rated.sum()])

        fit, *down = (known.total(work) / len(known)).tolist()
        beyond = parameters - (0.35, -2.0)
        outside = (np.abs(beyond) - (1.05, 5.0)).clip(0.0)
        gradient = np.sign(beyond) * (outside > 0) - down
        return float(outside.sum()) - fit, gradient

    # Two hills are common: few errors and flat probabilities, or many and sharp ones.
    starts = ((0.3, -3.0), (0.3, -1.0))
    found = [minimize(loss, start, jac=True, method="L-BFGS-B") for start in starts]
    best = min(found, key=lambda result: float(result.fun)).x
    rate = float(expit(best[1]))
    transition = rate * np.tile(share, (n_classes, 1))
    transition[np.diag_indices(n_classes)] += 1.0 - rate
    return float(np.exp(best[0])), transition


def _count_given(truth: DoubleArray, given: NDArray[np.intp]) -> DoubleArray:
    """Return how often each class is given where one is true (K, K), by chances (m, K)."""
    counts = np.zeros((truth.shape[1], truth.shape[1]))
    np.add.at(counts.T, given, truth)
    return counts


def _habits_of(counts: DoubleArray, right: float) -> DoubleArray:
    """Return the shares of what is given, drawn towards the rate that is common to all."""
    rate = float(np.clip(1.0 - right, 1e-3, 0.9))
    drawn = counts + _PRIOR_STRENGTH * _common_rate(rate, len(counts))
    return np.asarray(drawn / drawn.sum(axis=1, keepdims=True))


def _common_rate(rate: float, n_classes: int) -> DoubleArray:
    spread = np.full((n_classes, n_classes), rate / max(n_classes - 1, 1))
    np.fill_diagonal(spread, 1.0 - rate if n_classes > 1 else 1.0)
    return spread


def count_wrong(
    image_wrong: NDArray[np.floating],
    score: NDArray[np.floating],
    *,
    labels_wrong: NDArray[np.floating] | None = None,
    spread: tuple[float, float] = (1.0, 1.0),
    min_yield: float = 0.25,
) -> WrongCount:
    """Count the wrong labels and say how deep the ranking is worth reading.

    Parameters
    ----------
    image_wrong : ndarray, shape (n_images,)
        Probability of a wrong label, NaN where none is known.
    score : ndarray, shape (n_images,)
        The ranking, low = bad; NaN where no label is known.
    labels_wrong : ndarray, shape (n_images, n_classes), optional
        Count these probabilities (NaN = unknown) instead of the images.
    spread : (float, float)
        Factors of the model's error, see `NoiseModel`.
    min_yield : float
        Reading pays while at least this share of the images is expected to be wrong, in 0..1.

    Returns
    -------
    WrongCount
        The interval joins the model's spread and the binomial one (95 %), independent errors, by
        the root of the sum of their squares.
    """
    if not 0 < min_yield < 1:
        raise InvalidValue(f"expected a min_yield between 0 and 1, got {min_yield}")
    rows = np.flatnonzero(np.isfinite(image_wrong) & np.isfinite(score))
    if not len(rows):
        return WrongCount(0.0, 0.0, 0.0, 0, 0, 0.0)
    chances = np.asarray(image_wrong, dtype=np.float64)[rows]
    entries = chances[:, None] if labels_wrong is None else np.nan_to_num(labels_wrong[rows])
    entries = np.asarray(entries, dtype=np.float64)
    count = float(entries.sum())
    binomial = 1.96 * float(np.sqrt((entries * (1.0 - entries)).sum()))
    ranked = np.argsort(score[rows], kind="stable")
    low = max(0.0, count - float(np.hypot(count * (1.0 - spread[0]), binomial)))
    high = count + float(np.hypot(count * (spread[1] - 1.0), binomial))
    pays = int(np.count_nonzero(_decreasing(chances[ranked]) >= min_yield))
    n_worth_reading = min(pays, _most_to_read(low, count, len(rows), min_yield))
    return WrongCount(
        count=count,
        low=low,
        high=min(max(count, float(entries.size)), high),
        n_labelled=len(rows),
        n_worth_reading=n_worth_reading,
        found=float(entries[ranked[:n_worth_reading]].sum()),
    )


def _most_to_read(low: float, count: float, n_labelled: int, min_yield: float) -> int:
    """Return how many images are worth reading at most, at a yield of one quarter.

    Few wrong labels are hard to tell from pictures that are hard to predict. So where no more than
    4 % are probably wrong (``count``), no more are flagged than are surely so (``low``), or 2 % of
    all, or 3 images. Above it the bound rises steeply, and soon the yield alone counts. Whoever
    reads at a lower yield reads on in proportion.
    """
    freed = _FREED * max(0.0, count - _NEARLY_CLEAN * n_labelled)
    most = max(float(_FEWEST_READ), _READ_ANYWAY * n_labelled, low + freed)
    return int(most * max(1.0, _USUAL_YIELD / min_yield))


def _decreasing(values: DoubleArray) -> DoubleArray:
    """Return the least-squares non-increasing fit of a sequence (pool adjacent violators)."""
    return np.asarray(isotonic_regression(values, increasing=False).x)
