"""Which yes and no of a multi-label taxonomy are wrong: a noise model of its own for each class.

A class says yes where it is true, but for a share that was missed, and sometimes where it is not.
Both shares show where the predictions are surest: even there, not every picture has the label.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log, log1p

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

from vernis.core.numeric.threads import single_threaded_products

FloatArray = NDArray[np.float32]
DoubleArray = NDArray[np.float64]

_PRIOR_RATE = 0.1
_PRIOR_LABELS = 10.0
"""The prior of a class: of so many labels of its own, this share is wrong."""
_SURE = 0.9
"""Only what is true with this chance tells missed labels from pictures that are hard to predict."""
_POOLED_LABELS = 50.0
"""The prior of the taxonomy's rates, in labels."""
_SPREAD_RATES = (0.03, 0.25)
"""Prior rates that bound the count: where they matter, the data do not tell."""
_MOST_MISSED = 0.85
"""Logit of the greatest share missed, halved: 0.35. A class that nothing predicts went to 0.5."""
_MOST_BELIEVED = 0.95
"""So surely an entry is wrong at most, see `join_chances`."""
_N_BINS = 200
_LOG_SLOPE = 1.0
_STARTS = (0.5, 1.5)


@dataclass(frozen=True, slots=True, eq=False)
class EntryNoise:
    """What is wrong, image × class.

    Attributes
    ----------
    truth : ndarray of float64, shape (n_images, n_classes)
        Probability that the class is true, the given state taken into account where known.
    wrong : ndarray of float64, shape (n_images, n_classes)
        Probability that the given state is wrong; NaN where it is unknown.
    false_yes, missed_yes : ndarray of float64, shape (n_classes,)
        Share of yes given where the class is not true, and of no given where it is.
    transition : ndarray of float64, shape (2, 2)
        Row = true (no, yes), column = given, over all classes.
    loss : float
        Mean negative log-likelihood of a known given entry, in nats.
    recount : callable
        Number of wrong entries, were that the prior's rate; the classes are fitted anew for it.
    """

    truth: DoubleArray
    wrong: DoubleArray
    false_yes: DoubleArray
    missed_yes: DoubleArray
    transition: DoubleArray
    loss: float
    recount: Callable[[float], float]

    @property
    def spread(self) -> tuple[float, float]:
        """By which factors the count of wrong entries moves with the prior."""
        count = max(float(np.nansum(self.wrong)), 1e-9)
        factors = [self.recount(rate) / count for rate in _SPREAD_RATES]
        return min(1.0, *factors), max(1.0, *factors)


@dataclass(frozen=True, slots=True, eq=False)
class _Binned:
    """The known entries of a class, pooled in bins of equal size along the predictions."""

    position: DoubleArray
    total: DoubleArray
    yes: DoubleArray


def model_entries(labels: NDArray[np.floating], probs: NDArray[np.floating]) -> EntryNoise:
    """Estimate which entries are wrong.

    Parameters
    ----------
    labels : ndarray, shape (n_images, n_classes)
        1 yes, 0 no, NaN unknown.
    probs : ndarray, shape (n_images, n_classes)
        Probabilities of the given labels that did not see the image's own label.

    Returns
    -------
    EntryNoise

    Notes
    -----
    For each class ``P(given yes | x) = a + (1 - a - b) q(x)``: class-conditional noise (Natarajan
    et al., *Learning with Noisy Labels*, NeurIPS 2013) over a truth ``q`` that is a logistic curve
    of the log-odds of the prediction. ``a``, ``b`` and the curve have the greatest penalized
    likelihood together: the share of wrong among the yes, and of missed among the true, is drawn
    towards that of the whole taxonomy (empirical Bayes) with the weight of 10 labels, so that a
    class that nothing predicts is not called wrong altogether. For missed labels that weight is
    multiplied by how many are true for one that is surely so: a ceiling of the predictions and
    a share of missed labels look alike where no prediction reaches the ceiling. Bayes' rule gives
    the chance of each entry.

    The curve must go on where the labels level off, as a smooth regression's does: probabilities
    that have learned the noise itself level off with them, and too little is called wrong.
    """
    y = np.asarray(labels, dtype=np.float64)
    known = np.isfinite(y)
    odds = logit(np.clip(np.asarray(probs, dtype=np.float64), 1e-6, 1.0 - 1e-6))
    centre, scale = odds.mean(axis=0), odds.std(axis=0) + 1e-9
    x = (odds - centre) / scale
    bins = [_bin(x[rows, k], y[rows, k]) for k, rows in enumerate(known.T)]
    rates = (_PRIOR_RATE, _PRIOR_RATE)
    fitted = _fit_all(bins, rates, np.ones(len(bins)))
    truth = _curve(fitted, x)
    rates = _pool_rates(y, truth, _chances(fitted, truth, y))
    unsure = _unsureness(truth, known)
    fitted = _fit_all(bins, rates, unsure, fitted)
    truth = _curve(fitted, x)
    wrong = _chances(fitted, truth, y)

    def recount(rate: float) -> float:
        moved = _fit_all(bins, (rate, rate), unsure, fitted)
        return float(np.nansum(_chances(moved, _curve(moved, x), y)))

    a, b = fitted[:, 0], fitted[:, 1]
    false = float((a * (1.0 - truth)).sum() / max((1.0 - truth).sum(), 1e-9))
    missed = float((b * truth).sum() / max(truth.sum(), 1e-9))
    return EntryNoise(
        truth=np.where(known, np.where(y == 1, 1.0 - wrong, wrong), truth),
        wrong=wrong,
        false_yes=a,
        missed_yes=b,
        transition=np.array([[1.0 - false, false], [missed, 1.0 - missed]]),
        loss=_loss_of(a + (1.0 - a - b) * truth, y),
        recount=recount,
    )


def join_chances(wrong: NDArray[np.floating]) -> DoubleArray:
    """Join the chances of an image's entries into a score of the image.

    ``Π (1 - 0.95 w)``: the chance that all entries are right, where none is believed to be wrong
    beyond 95 %. Else one entry that the model is sure of would outweigh two that are probably
    wrong, and a model's last few percent are the least to be trusted.

    Parameters
    ----------
    wrong : ndarray, shape (n_images, n_classes)
        In 0..1, NaN where unknown.

    Returns
    -------
    ndarray of float64, shape (n_images,)
        In 0..1, low = bad; 1 where nothing is known.
    """
    chance = np.clip(np.nan_to_num(np.asarray(wrong, dtype=np.float64)), 0.0, 1.0)
    return np.asarray(np.exp(np.log1p(-_MOST_BELIEVED * chance).sum(axis=1)))


def probability_of_multiple(wrong: NDArray[np.floating]) -> DoubleArray:
    """Return the chance that two labels of an image or more are wrong, shape (n_images,).

    The entries count as independent (the Poisson binomial distribution): one minus the chances of
    none and of exactly one.

    Parameters
    ----------
    wrong : ndarray, shape (n_images, n_classes)
        In 0..1, NaN where unknown.
    """
    chance = np.clip(np.nan_to_num(np.asarray(wrong, dtype=np.float64)), 0.0, 1.0 - 1e-9)
    none = np.exp(np.log1p(-chance).sum(axis=1))
    one = none * (chance / (1.0 - chance)).sum(axis=1)
    return np.asarray(np.clip(1.0 - none - one, 0.0, 1.0))


def _bin(x: DoubleArray, y: DoubleArray) -> _Binned:
    if not len(x):
        return _Binned(np.zeros(1), np.zeros(1), np.zeros(1))
    order = np.argsort(x, kind="stable")
    starts = np.linspace(0, len(x), min(_N_BINS, len(x)), endpoint=False).astype(np.intp)
    total = np.diff(np.append(starts, len(x))).astype(np.float64)
    return _Binned(
        np.add.reduceat(x[order], starts) / total, total, np.add.reduceat(y[order], starts)
    )


@single_threaded_products()
def _fit_all(
    bins: list[_Binned],
    rates: tuple[float, float],
    unsure: DoubleArray,
    near: DoubleArray | None = None,
) -> DoubleArray:
    """Return a, b, offset and slope of every class, shape (n_classes, 4)."""
    fits = [
        _fit(b, rates, unsure[k], None if near is None else near[k]) for k, b in enumerate(bins)
    ]
    return np.asarray(fits, dtype=np.float64).reshape(-1, 4)


def _fit(
    data: _Binned, rates: tuple[float, float], unsure: float, near: DoubleArray | None
) -> DoubleArray:
    n = max(float(data.total.sum()), 1.0)
    share = float(np.clip(data.yes.sum() / n, 1e-3, 1.0 - 1e-3))
    if near is not None:
        a, b = logit(np.clip(2.0 * near[:2], 1e-5, 0.99))
        starts = [np.array([a, b, near[2], np.log(near[3])])]
    else:
        low = logit(np.clip([2.0 * rates[0] * share, 2.0 * rates[1]], 1e-5, 0.9))
        starts = [np.array([*low, logit(share), slope]) for slope in _STARTS]
    found = [
        minimize(
            _penalized_loss,
            start,
            (data, rates, unsure),
            method="L-BFGS-B",
            jac=True,
            bounds=[(-14.0, 6.0), (-14.0, _MOST_MISSED), (-30.0, 30.0), (-4.0, 4.0)],
        )
        for start in starts
    ]
    best = min(found, key=lambda result: float(result.fun)).x
    return np.array([0.5 * expit(best[0]), 0.5 * expit(best[1]), best[2], np.exp(best[3])])


def _penalized_loss(
    t: DoubleArray, data: _Binned, rates: tuple[float, float], unsure: float
) -> tuple[float, DoubleArray]:
    """Return the loss of a class and its gradient, at the logits of 2a and 2b, offset, log slope.

    Penalized negative log-likelihood, divided by the number of known entries.
    """
    n = max(float(data.total.sum()), 1.0)
    half_a, half_b = float(expit(t[0])), float(expit(t[1]))
    a, b, slope = 0.5 * half_a, 0.5 * half_b, float(np.exp(t[3]))
    q = expit(t[2] + slope * data.position)
    p = np.clip(a + (1.0 - a - b) * q, 1e-9, 1.0 - 1e-9)
    no = data.total - data.yes
    mean = float(data.total @ q) / n
    # Of all that is given as yes, so much is false.
    false = a * (1.0 - mean)
    given = max(false + (1.0 - b) * mean, 1e-12)
    extra, d_extra = _log_beta(false / given, rates[0])
    missed, d_missed = _log_beta(b, rates[1])
    fit = data.yes @ np.log(p) + no @ np.log1p(-p)
    loss = 0.5 * (t[3] - _LOG_SLOPE) ** 2 - fit - _PRIOR_LABELS * (extra + unsure * missed)

    by_p = no / (1.0 - p) - data.yes / p
    by_extra = -_PRIOR_LABELS * d_extra / given**2
    by_a = by_p @ (1.0 - q) + by_extra * (1.0 - mean) * (1.0 - b) * mean
    by_b = by_extra * false * mean - by_p @ q - _PRIOR_LABELS * unsure * d_missed
    by_mean = -by_extra * a * (1.0 - b)
    by_odds = q * (1.0 - q) * ((1.0 - a - b) * by_p + by_mean * data.total / n)
    gradient = [
        by_a * a * (1.0 - half_a),
        by_b * b * (1.0 - half_b),
        by_odds.sum(),
        slope * (by_odds @ data.position) + t[3] - _LOG_SLOPE,
    ]
    return float(loss) / n, np.array(gradient) / n


def _log_beta(value: float, mean: float) -> tuple[float, float]:
    """Return the log density of a share but for a constant, and its derivative."""
    v = min(max(value, 1e-9), 1.0 - 1e-9)
    return mean * log(v) + (1.0 - mean) * log1p(-v), mean / v - (1.0 - mean) / (1.0 - v)


def _curve(fitted: DoubleArray, x: DoubleArray) -> DoubleArray:
    return np.asarray(expit(fitted[:, 2] + fitted[:, 3] * x))


def _chances(fitted: DoubleArray, truth: DoubleArray, y: DoubleArray) -> DoubleArray:
    """Return the chance that each entry is wrong by Bayes' rule; NaN where unknown."""
    a, b = fitted[:, 0], fitted[:, 1]
    false, right = a * (1.0 - truth), (1.0 - b) * truth
    missed, absent = b * truth, (1.0 - a) * (1.0 - truth)
    extra = false / np.maximum(false + right, 1e-300)
    gone = missed / np.maximum(missed + absent, 1e-300)
    return np.asarray(np.where(np.isfinite(y), np.where(y == 1, extra, gone), np.nan))


def _unsureness(truth: DoubleArray, known: NDArray[np.bool_]) -> DoubleArray:
    """Return how many are true for one that is surely so, shape (n_classes,), 1 or more."""
    true = np.where(known, truth, 0.0)
    sure = np.where(truth > _SURE, true, 0.0)
    ratio = (true.sum(axis=0) + _PRIOR_LABELS) / (sure.sum(axis=0) + _PRIOR_LABELS)
    return np.asarray(ratio, dtype=np.float64)


def _loss_of(given_yes: DoubleArray, y: DoubleArray) -> float:
    known = np.isfinite(y)
    if not known.any():
        return 0.0
    chance = np.clip(np.where(y == 1, given_yes, 1.0 - given_yes)[known], 1e-9, 1.0)
    return -float(np.log(chance).mean())


def _pool_rates(y: DoubleArray, truth: DoubleArray, wrong: DoubleArray) -> tuple[float, float]:
    """Return the share of wrong among all yes, and of missed among all that is true."""
    prior = _POOLED_LABELS * _PRIOR_RATE
    yes = y == 1
    extra = (wrong[yes].sum() + prior) / (yes.sum() + _POOLED_LABELS)
    known = np.isfinite(y)
    missed = (wrong[y == 0].sum() + prior) / (truth[known].sum() + _POOLED_LABELS)
    low, high = np.clip([extra, missed], 0.005, 0.4)
    return float(low), float(high)
