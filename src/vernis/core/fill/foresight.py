"""How precise the suggested labels will be: a predictive lower bound for each cut."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from vernis.core.fill.answers import Doubles, ends_of, standardize
from vernis.core.numeric.threads import single_threaded_products

_MISFIT = 0.01
"""Standard deviation of what a logistic curve misses of the true one, as a share of precision. It
does not shrink with more images: on cifar10n_a the curve promised 0.6 points too much."""
_MOST_STEPS = 30


@single_threaded_products()
def foresee_precision(
    features: Doubles,
    correct: NDArray[np.bool_],
    groups: NDArray[np.int64],
    asked: Doubles,
    *,
    effect: float = 1.0,
    noise: float = 0.0,
    confidence: float = 0.95,
    n_draws: int = 200,
    seed: int = 0,
) -> Doubles:
    """Return a lower bound of the precision of the first 1, 2, … asked answers.

    Each bootstrap draw of groups (Efron and Tibshirani 1993, ch. 8) gives another calibration, each
    calibration a precision of the asked answers, to which their own chance is added: the variance
    of independent answers times the design effect. The bound is a quantile of these draws, so it
    speaks of the labels that are suggested now, not of endlessly many like them. All held-out
    answers speak for the surest ones through the curve, which is why it takes fewer of them than a
    bound on the surest held-out answers alone.

    Parameters
    ----------
    features : ndarray, shape (n_answers, n_features)
        Of the held-out answers; see `Answers`.
    correct : ndarray of bool, shape (n_answers,)
    groups : ndarray, shape (n_answers,)
        Held-out answers with the same number are drawn together.
    asked : ndarray, shape (n_asked, n_features)
        Surest first.
    effect : float
        From `design_effect`.
    noise : float
        Share of wrong given labels, by which ``correct`` is too low.
    confidence : float
        One-sided, in (0, 1).
    n_draws, seed : int

    Returns
    -------
    ndarray of float64, shape (n_asked,)
        In 0..1.
    """
    A, B = standardize(features, asked)
    codes = np.unique(groups, return_inverse=True)[1]
    n_groups, taken = int(codes.max()) + 1, np.arange(1, len(B) + 1)
    rng = np.random.default_rng([seed, 0xF0E5])
    times = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=n_draws)
    curves = _fit_curves(A, correct, times[:, codes].astype(np.float64))
    draws = np.empty((n_draws, len(B)), np.float32)
    for draw, curve, chance in zip(draws, curves, rng.standard_normal(n_draws), strict=True):
        p = np.minimum(expit(curve[0] + B @ curve[1:]) / (1 - noise), 1.0)
        # A quarter of an answer stands for the chance of answers that seem certain.
        own = (effect * np.cumsum(p * (1 - p)) + 0.25) / taken**2
        draw[:] = np.cumsum(p) / taken + np.sqrt(own + _MISFIT**2) * chance
    return np.clip(np.quantile(draws, 1 - confidence, axis=0), 0.0, 1.0).astype(np.float64)


def _fit_curves(A: Doubles, correct: NDArray[np.bool_], weights: Doubles) -> Doubles:
    """Return intercept and slopes of one logistic regression a row of weights.

    The regression of `calibrate`, all draws at once: Newton's method on the likelihood with a
    ridge of 1, steps of length 2 at most.
    """
    rows = np.vstack([A, ends_of(A)])
    X = np.column_stack([np.ones(len(rows)), rows])
    y = np.append(correct, [False, True]).astype(np.float64)
    W = np.column_stack([weights, np.ones((len(weights), 2))])
    n_features = X.shape[1]
    ridge = np.diag(np.append(1e-6, np.ones(n_features - 1)))
    squares = (X[:, :, None] * X[:, None, :]).reshape(len(X), -1)
    curves = np.zeros((len(W), n_features))
    for _ in range(_MOST_STEPS):
        p = expit(curves @ X.T)
        slope = (W * (y - p)) @ X - curves @ ridge
        bend = ((W * p * (1 - p)) @ squares).reshape(-1, n_features, n_features) + ridge
        step = np.linalg.solve(bend, slope[:, :, None])[:, :, 0]
        length = np.sqrt((step**2).sum(axis=1, keepdims=True))
        curves += step * np.minimum(1.0, 2.0 / np.maximum(length, 1e-12))
        if length.max() < 1e-6:
            break
    return curves
