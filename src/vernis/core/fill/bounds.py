"""Lower confidence bounds of a precision that is measured on images which come in groups."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import beta, norm

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
    return float(clopper_pearson_lower([share * n], [n], 0.8)[0]) if low > clear else 0.0


def precision_bounds(
    correct: ArrayLike,
    groups: ArrayLike,
    *,
    effect: float,
    n_asked: ArrayLike = np.inf,
    noise: float = 0.0,
    confidence: float = 0.95,
    n_draws: int = 400,
    seed: int = 0,
) -> tuple[Doubles, Doubles]:
    """Return precision and its lower bound when the first 1, 2, … answers are accepted.

    Clopper and Pearson's bound with the number of answers divided by the design effect. With noise
    in the given labels the precision is divided by the share of right labels, and the bound is the
    lower of that one and of a bootstrap over groups of the ratio itself, which carries the
    uncertainty of the noise. As the promise is for the labels that are suggested now, not for
    endlessly many like them, their own chance (a normal approximation) is added in quadrature.

    Parameters
    ----------
    correct : array_like of bool, shape (n_answers,)
        Surest first.
    groups : array_like, shape (n_answers,)
    effect : float
        From `design_effect`.
    n_asked : array_like of float, shape (n_answers,)
        How many labels would be suggested at each of these cuts.
    noise : float
        From `estimate_noise`.
    confidence : float
        One-sided.
    n_draws, seed : int
        Of the bootstrap.

    Returns
    -------
    precision, lower : ndarray of float64, shape (n_answers,)
    """
    ok = np.asarray(correct, np.float64)
    accepted = np.arange(1, len(ok) + 1)
    precision = np.minimum(np.cumsum(ok) / accepted / (1 - noise), 1.0)
    n = accepted / effect
    lower = clopper_pearson_lower(precision * n, n, confidence)
    if noise > 0 and len(ok):
        drawn = _ratio_bound(ok, np.asarray(groups), noise, confidence, n_draws, seed)
        lower = np.minimum(lower, drawn)
    asked = np.maximum(np.broadcast_to(np.asarray(n_asked, float), ok.shape), 1.0)
    likely = (precision + lower) / 2
    spread = norm.ppf(confidence) ** 2 * likely * (1 - likely) / asked
    lower = np.maximum(precision - np.sqrt((precision - lower) ** 2 + spread), 0.0)
    return precision, lower


def _ratio_bound(
    ok: Doubles,
    groups: NDArray[np.int64],
    noise: float,
    confidence: float,
    n_draws: int,
    seed: int,
) -> Doubles:
    """Bootstrap, over groups, the precision of each prefix divided by the share of right labels.

    That share varies with the precision of the surest part, of which ``1 - noise`` is the centre.
    """
    codes = np.unique(groups, return_inverse=True)[1]
    n_groups = int(codes.max()) + 1
    rng = np.random.default_rng([seed, 0xB0D])
    times = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=n_draws)
    weight = times[:, codes].astype(np.float64)
    hits, total = np.cumsum(weight * ok, axis=1), np.maximum(np.cumsum(weight, axis=1), 1e-9)
    share = hits / total
    top = max(0, round(_SURE * len(ok)) - 1)
    right = np.clip(share[:, top] - ok[: top + 1].mean() + 1 - noise, 1e-9, 1.0)
    ratio = np.minimum(share / right[:, None], 1.0)
    return np.asarray(np.quantile(ratio, 1 - confidence, axis=0))
