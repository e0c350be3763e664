"""How many labels are wrong, and which: a noise model on top of predicted probabilities.

The probabilities say which label an annotator would *give*. The noise model parts them into the
class that is *true* and the habit of giving class j where i is true, so that an image's own label
can be weighed against it (Dawid & Skene 1979, with one annotator and a classifier as prior).
"""

from __future__ import annotations

from dataclasses import dataclass

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
_HARD_WEIGHT = 7.0
"""How far the errors that only the confident joint sees are believed, see `_believe_joint`."""
_JOINT_HALF = 100.0
"""Images a class at which the joint is trusted half as far as with endless ones."""
_HARD_FOR_SURE = 1.5
"""So many errors on hard pictures, at most, for one that the sure predictions show. In human labels
of cifar10n_a they are 1 to 2.5, in planted ones none."""
_MOST_HARD_FOR_SURE = 5.0
"""The same for the upper bound of the count."""
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
    takes a part of the joint, and the interval twice that part. What contradicts the surest tenth
    of each class's predictions counts in any case (a habit of one class is no common rate).

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
    known = np.log(p[rows])
    slope, transition = _fit_common(known, given[rows])
    prior = softmax(slope * np.log(p), axis=1)
    posterior = _posterior(prior, transition, given)
    index = np.arange(len(y))
    chance = 1.0 - posterior[index, given]
    highest = _highest_sure(chance[rows], prior[index, given][rows], given[rows], transition)
    images_a_class = float(rows.sum()) / len(np.unique(given[rows]))
    joint = _confident_errors(p[rows], given[rows])
    sure = max(float(chance[rows].sum()), min(_sure_contradictions(p[rows], given[rows]), joint))
    hard, most_hard = _believe_joint(
        joint - sure,
        max(highest, sure),
        n_labels=int(rows.sum()),
        images_a_class=images_a_class,
    )
    error = _count_error(known, given[rows], slope, _common_error(transition))
    shifted, spread = _shift(chance[rows], sure, (hard, most_hard), error)
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


def _sure_contradictions(p: DoubleArray, given: NDArray[np.intp]) -> float:
    """Return how many labels are wrong at least, if all are as those of the surest predictions.

    The surest tenth of each class's predictions, if that is 10 images or more, shows its habits,
    which one common rate does not. The share of each class is the lower end of its interval (Wilson
    1927, three standard deviations).
    """
    best = p.argmax(axis=1)
    square = _DEVIATIONS_OF_HABITS**2
    count = 0.0
    for k in np.unique(best):
        own = np.flatnonzero(best == k)
        n = len(own) // _SUREST
        if n < _FEWEST_SURE:
            continue
        surest = own[np.argsort(-p[own, k], kind="stable")[:n]]
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
    most = min(min(2.0 * weight, 1.0) * found, _MOST_HARD_FOR_SURE * highest)
    return hard, most


def _count_error(
    log_probs: DoubleArray, given: NDArray[np.intp], slope: float, rate: float
) -> float:
    """Return the standard error of the expected number of wrong labels, by rate and exponent.

    The delta method: its gradient and the curvature of the log-likelihood, both by differences.
    """
    index = np.arange(len(given))
    share = (np.bincount(given, minlength=log_probs.shape[1]) / len(given))[given]
    steps = np.asarray(_STEPS)
    start = np.array([np.log(slope), float(logit(np.clip(rate, 1e-6, 1.0 - 1e-6)))])

    def loss_and_count(*moves: float) -> tuple[float, float]:
        moved = start + np.asarray(moves) * steps
        own = softmax(np.exp(moved[0]) * log_probs, axis=1)[index, given]
        error = float(expit(moved[1]))
        likelihood = np.maximum((1.0 - error) * own + error * share, 1e-12)
        wrong = error * share * (1.0 - own) / likelihood
        return -float(np.log(likelihood).sum()), float(wrong.sum())

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


def _fit_common(log_probs: DoubleArray, given: NDArray[np.intp]) -> tuple[float, DoubleArray]:
    """Return the exponent and the transition matrix (K, K) of one common error rate.

    ``log_probs`` has shape (m, K), ``given`` (m,).
    """
    index = np.arange(len(given))
    n_classes = log_probs.shape[1]
    share = np.bincount(given, minlength=n_classes) / len(given)

    def loss(parameters: DoubleArray) -> tuple[float, DoubleArray]:
        slope, rate = float(np.exp(parameters[0])), float(expit(parameters[1]))
        probs = softmax(slope * log_probs, axis=1)
        own, chance = probs[index, given], share[given]
        likelihood = np.maximum((1.0 - rate) * own + rate * chance, 1e-12)
        beyond = parameters - (0.35, -2.0)
        outside = (np.abs(beyond) - (1.05, 5.0)).clip(0.0)
        steeper = log_probs[index, given] - np.einsum("ij,ij->i", probs, log_probs)
        gradient = np.sign(beyond) * (outside > 0)
        gradient[0] -= float(((1.0 - rate) * own * slope * steeper / likelihood).mean())
        gradient[1] -= float((rate * (1.0 - rate) * (chance - own) / likelihood).mean())
        return float(outside.sum() - np.log(likelihood).mean()), gradient

    # Two hills are common: few errors and flat probabilities, or many and sharp ones.
    starts = ((0.3, -3.0), (0.3, -1.0))
    found = [minimize(loss, start, jac=True, method="L-BFGS-B") for start in starts]
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
