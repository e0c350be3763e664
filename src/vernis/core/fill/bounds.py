"""Bounds of shares that are measured on images which come in groups."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import beta

Doubles = NDArray[np.float64]

_SURE = 0.3
"""Share of the best-ranked answers on which wrong given labels are counted."""


def clopper_pearson_lower(correct: ArrayLike, n: ArrayLike, confidence: float = 0.95) -> Doubles:
    """Return the one-sided lower bound of a share.

    Clopper and Pearson (1934), as a quantile of the Beta distribution, which takes fractional
    counts too.

    Parameters
    ----------
    correct, n : array_like
        Correct answers and answers, real numbers, ``correct <= n``.
    confidence : float
        In (0, 1).

    Returns
    -------
    ndarray of float64
        In 0..1; 0 where nothing is correct.
    """
    k, total = np.broadcast_arrays(np.asarray(correct, float), np.asarray(n, float))
    result = np.zeros(k.shape)
    some = k > 0
    result[some] = beta.ppf(1 - confidence, k[some], np.maximum(total - k, 0)[some] + 1)
    return result


def design_effect(residual: ArrayLike, groups: ArrayLike) -> float:
    """Return how many times larger the variance is because the members of a group go together.

    The ratio of the variance of group sums to that of independent residuals (Kish 1965, ch. 5; the
    cluster-robust variance of Liang and Zeger 1986), at least 1.
    """
    residual = np.asarray(residual, np.float64)
    total = float((residual**2).sum())
    if not len(residual) or total <= 0:
        return 1.0
    codes = np.unique(np.asarray(groups), return_inverse=True)[1]
    return max(1.0, float((np.bincount(codes, residual) ** 2).sum()) / total)


def estimate_noise(
    correct: ArrayLike,
    doubtful: ArrayLike,
    effect: float,
    clear: float = 0.01,
    confidence: float = 0.95,
    surely: float = 0.8,
) -> float:
    """Estimate the share of given labels that are wrong from the surest answers.

    Among the first 30 % of the answers, surest first, those count that contradict the given label
    and have the image's nearest labelled neighbours, its burst included, on their side: a head that
    errs on a whole burst is contradicted by that burst, a single wrong label is not. The estimate
    assumes that labels are wrong as often elsewhere. It is 0 unless such contradictions are clearly
    more frequent than ``clear``, so that on clean labels a head's own mistakes are not excused.

    Parameters
    ----------
    correct : array_like of bool, shape (n_answers,)
        Whether the answer agrees with the given label, surest first.
    doubtful : array_like of bool, shape (n_answers,)
        Whether the nearest neighbours speak for the answer.
    effect : float
        Design effect.
    clear : float
        What the lower bound of their share must exceed.
    confidence : float
        Of that lower bound.
    surely : float
        How surely at least the returned share is wrong.

    Returns
    -------
    float
        In 0..1.
    """
    n_top = max(1, round(_SURE * len(np.asarray(correct))))
    contradicted = (~np.asarray(correct, bool) & np.asarray(doubtful, bool))[:n_top]
    share = float(contradicted.mean()) if len(contradicted) else 0.0
    n = n_top / effect
    low = clopper_pearson_lower([share * n], [n], confidence)[0]
    return float(clopper_pearson_lower([share * n], [n], surely)[0]) if low > clear else 0.0
