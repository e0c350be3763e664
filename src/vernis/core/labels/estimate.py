"""How many labels are wrong, and which: a noise model on top of predicted probabilities.

The probabilities say which label an annotator would *give*. The noise model parts them into the
class that is *true* and the habit of giving class j where i is true, so that an image's own label
can be weighed against it (Dawid & Skene 1979, with one annotator and a classifier as prior).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, isotonic_regression, minimize
from scipy.special import expit, logit, softmax

from vernis.core.labels.entry_noise import model_entries
from vernis.core.labels.scores import as_matrix
from vernis.domain.errors import InvalidValue

FloatArray = NDArray[np.float32]
DoubleArray = NDArray[np.float64]

_PRIOR_STRENGTH = 20.0
_JOINT_WEIGHT = 0.7
_JOINT_HALF = 100.0
"""Trust in the confident joint: 0.7 with endless images a class, half of it with 100."""
_HARD_FOR_SURE = 3.0
"""So many errors on hard pictures, at most, for one that the sure predictions show. In human labels
of cifar10n_a they are 1.2 to 2.4."""
_MOST_HARD_FOR_SURE = 8.0
"""The same for the upper bound of the count."""
_SUREST = 10
_LIKELIHOOD_95 = 1.92
"""Fall of the log-likelihood at the ends of a 95 % interval (Wilks 1938)."""


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
    predict. The count is a mean of both in which the joint weighs more the more images a class
    has: ``0.7 m / (m + 100)``. Where the sure predictions show no error at all, there is no reason
    to see one in every hard picture: the joint is believed up to `_HARD_FOR_SURE` times what they
    show, which is the upper end of the rate's interval, or what contradicts the surest tenth of
    each class's predictions (a habit of one class is no common rate).

    The posteriors are then shifted (in log-odds) so that they add up to the count.

    Multi-label: every class has a rate of false and of missed labels, see
    `entry_noise.model_entries`; the count is the sum of its chances.
    """
    p = np.clip(np.asarray(probs, dtype=np.float64), 1e-7, 1.0)
    y = as_matrix(labels, p.shape[1])
    if y.shape != p.shape:
        raise InvalidValue(f"expected labels of shape {p.shape}, got {y.shape}")
    if not np.isfinite(y).any():
        raise InvalidValue("expected at least one known label, got none")
    return _model_single(y, p) if np.ndim(labels) == 1 else _model_multi(y, p)


def _model_single(y: FloatArray, p: DoubleArray) -> NoiseModel:
    rows: NDArray[np.bool_] = np.asarray(np.isfinite(y).any(axis=1))
    given = np.where(np.isfinite(y), y, 0.0).argmax(axis=1)
    p = p / p.sum(axis=1, keepdims=True)
    slope, transition = _fit_common(np.log(p[rows]), given[rows])
    prior = softmax(slope * np.log(p), axis=1)
    posterior = _posterior(prior, transition, given)
    index = np.arange(len(y))
    chance = 1.0 - posterior[index, given]
    joint = _confident_errors(p[rows], given[rows])
    images_a_class = float(rows.sum()) / len(np.unique(given[rows]))
    weight = _JOINT_WEIGHT * images_a_class / (images_a_class + _JOINT_HALF)
    highest = _highest_sure(chance[rows], prior[index, given][rows], given[rows], transition)
    highest = max(highest, _sure_contradictions(p[rows], given[rows]))
    shifted, spread = _shift(chance[rows], joint, weight, highest)
    image_wrong = np.full(len(y), np.nan)
    image_wrong[rows] = shifted
    others = posterior.copy()
    others[index, given] = 0.0
    others /= np.maximum(others.sum(axis=1, keepdims=True), 1e-12)
    truth = np.where(rows[:, None], others * image_wrong[:, None], prior)
    truth[rows, given[rows]] = 1.0 - shifted
    wrong = np.where(np.isfinite(y), np.where(y == 1, 1.0 - truth, truth), np.nan)
    habits = _count_habits(truth[rows], given[rows])
    return NoiseModel(_f32(truth), _f32(wrong), _f32(image_wrong), habits, spread)


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


def _confident_errors(p: DoubleArray, given: NDArray[np.intp]) -> float:
    """Return the off-diagonal sum of the confident joint, scaled to the number of labels."""
    n_classes = p.shape[1]
    totals = np.bincount(given, minlength=n_classes)
    own = np.bincount(given, weights=p[np.arange(len(p)), given], minlength=n_classes)
    thresholds = np.where(totals > 0, own / np.maximum(totals, 1), np.inf)
    confident = p >= thresholds
    best = np.where(confident, p, -1.0).argmax(axis=1)
    rows = confident.any(axis=1)
    joint = np.zeros((n_classes, n_classes))
    np.add.at(joint, (given[rows], best[rows]), 1.0)
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
    rate = (n_classes - float(np.trace(transition))) / max(n_classes - 1, 1)
    here = np.log(np.maximum((1.0 - rate) * own + rate * share[given], 1e-12)).sum()

    def fall(log_odds: float) -> float:
        other = float(expit(log_odds))
        there = np.log(np.maximum((1.0 - other) * own + other * share[given], 1e-12)).sum()
        return float(here - there) - _LIKELIHOOD_95

    low, high = float(logit(np.clip(rate, 1e-9, 0.98))), 5.0
    upper = float(expit(brentq(fall, low, high, xtol=1e-3) if fall(high) > 0 else high))
    changed = len(given) * (1.0 - float((share**2).sum()))
    return float(chance.sum()) + max(upper - rate, 0.0) * changed


def _sure_contradictions(p: DoubleArray, given: NDArray[np.intp]) -> float:
    """Return how many labels are wrong, were the others so as those of the surest predictions.

    The surest tenth of each class's predictions shows its habits, which one common rate does not.
    """
    best = p.argmax(axis=1)
    count = 0.0
    for k in np.unique(best):
        own = np.flatnonzero(best == k)
        surest = own[np.argsort(-p[own, k], kind="stable")[: max(len(own) // _SUREST, 1)]]
        count += len(own) * float((given[surest] != k).mean())
    return count


def _shift(
    chance: DoubleArray, joint: float, weight: float, highest: float
) -> tuple[DoubleArray, tuple[float, float]]:
    """Shift the log-odds so that the sum is a weighted mean of itself and of the joint.

    The joint counts as far as ``highest``, the upper bound of what the sure predictions show,
    makes it likely. It bounds the sum only as far as it is trusted: wholly from a weight of one
    half.
    """
    own = float(chance.sum())
    believed = min(joint - own, _HARD_FOR_SURE * highest)
    most = min(joint - own, _MOST_HARD_FOR_SURE * highest)
    target = float(np.clip(own + weight * believed, 1e-9, len(chance) - 1e-9))
    bound = own + min(2.0 * weight, 1.0) * most
    bound = max(bound, highest) if believed > 0 else bound
    odds = logit(np.clip(chance, 1e-6, 1.0 - 1e-6))

    def excess(offset: float) -> float:
        return float(expit(odds + offset).sum()) - target

    low, high = -40.0, 40.0
    offset = float(brentq(excess, low, high)) if excess(low) < 0 < excess(high) else 0.0
    bounds = sorted((own / target, bound / target))
    return np.asarray(expit(odds + offset)), (min(bounds[0], 1.0), max(bounds[1], 1.0))


def _f32(values: NDArray[np.floating]) -> FloatArray:
    return np.asarray(values, dtype=np.float32)


def _fit_common(log_probs: DoubleArray, given: NDArray[np.intp]) -> tuple[float, DoubleArray]:
    """Return the exponent and the transition matrix (K, K) of one common error rate.

    ``log_probs`` has shape (m, K), ``given`` (m,).
    """
    index = np.arange(len(given))
    n_classes = log_probs.shape[1]
    share = np.bincount(given, minlength=n_classes) / len(given)

    def loss(parameters: DoubleArray) -> float:
        own = softmax(np.exp(parameters[0]) * log_probs, axis=1)[index, given]
        rate = expit(parameters[1])
        outside = float((np.abs(parameters - (0.35, -2.0)) - (1.05, 5.0)).clip(0.0).sum())
        likelihood = (1.0 - rate) * own + rate * share[given]
        return outside - float(np.log(np.maximum(likelihood, 1e-12)).mean())

    # Two hills are common: few errors and flat probabilities, or many and sharp ones.
    starts = ((0.3, -3.0), (0.3, -1.0))
    options: Any = {"xatol": 0.01, "fatol": 1e-6, "maxiter": 200}
    found = [
        minimize(loss, np.asarray(start), method="Nelder-Mead", options=options) for start in starts
    ]
    best = min(found, key=lambda result: float(result.fun)).x
    rate = float(expit(best[1]))
    transition = rate * np.tile(share, (n_classes, 1))
    transition[np.diag_indices(n_classes)] += 1.0 - rate
    return float(np.exp(best[0])), transition


def _count_habits(truth: DoubleArray, given: NDArray[np.intp]) -> DoubleArray:
    """Count what is given (m,) where a class is true (m, K), drawn towards a common rate."""
    n_classes = truth.shape[1]
    counts = np.zeros((n_classes, n_classes))
    np.add.at(counts.T, given, truth)
    rate = float(np.clip(1.0 - truth[np.arange(len(given)), given].mean(), 1e-3, 0.9))
    counts += _PRIOR_STRENGTH * _common_rate(rate, n_classes)
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


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
        The interval is the model's spread widened by the binomial one (95 %).
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
    n_worth_reading = int(np.count_nonzero(_decreasing(chances[ranked]) >= min_yield))
    return WrongCount(
        count=count,
        low=max(0.0, count * spread[0] - binomial),
        high=min(max(count, float(entries.size)), count * spread[1] + binomial),
        n_labelled=len(rows),
        n_worth_reading=n_worth_reading,
        found=float(entries[ranked[:n_worth_reading]].sum()),
    )


def _decreasing(values: DoubleArray) -> DoubleArray:
    """Return the least-squares non-increasing fit of a sequence (pool adjacent violators)."""
    return np.asarray(isotonic_regression(values, increasing=False).x)
