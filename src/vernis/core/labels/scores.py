"""How well a given label agrees with predicted probabilities: scores in 0..1, low = bad.

Labels come as ``(n_images,)`` class indices (negative = unknown) for a single-label taxonomy or
as ``(n_images, n_classes)`` of 1 yes, 0 no, NaN unknown for a multi-label one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import entr, expit, logit

from vernis.core.labels.entry_noise import join_chances, model_entries
from vernis.core.numeric.row_blocks import slices_of
from vernis.domain.errors import InvalidValue
from vernis.domain.types import LabelScorer

FloatArray = NDArray[np.float32]
_EMA_WEIGHT = 0.8
_ROWS = 16_384
"""Images that are scored at a time."""
_OF_ALL = ("balanced", "posterior")
"""Scorers that weigh an image by the frequencies of all."""

LABEL_SCORERS: tuple[LabelScorer, ...] = get_args(LabelScorer)


def default_scorer(kind: str) -> LabelScorer:
    """Return the scorer that ranked best: ``self_confidence`` (single), ``posterior`` (multi)."""
    return "self_confidence" if kind == "single" else "posterior"


def label_quality(
    labels: NDArray[np.generic],
    probs: NDArray[np.floating],
    *,
    scorer: LabelScorer | None = None,
    temperature: float = 0.3,
) -> FloatArray:
    """Score how likely the labels of each image are right.

    Parameters
    ----------
    labels : ndarray, shape (n_images,) of int or (n_images, n_classes) of 1, 0, NaN
    probs : ndarray, shape (n_images, n_classes)
        Probabilities in 0..1 that did not see the image's own label (out-of-bag, leave-out).
    scorer : str, optional
        One of `LABEL_SCORERS`.
        ``mse``: 1 minus the mean squared difference of labels and probabilities (the thesis's
        error). ``self_confidence``: the probability of the given class; with several labels, the
        product over all known entries as a mean per entry. ``normalized_margin``: that
        probability minus the highest other one, brought to 0..1 (Northcutt et al., *Confident
        Learning*, JAIR 2021). ``softmin``: entry scores averaged with weights
        ``exp(-score / temperature)``, so that the worst label decides (Thyagarajan et al.,
        *Identifying Incorrect Annotations in Multi-Label Classification Data*, 2022). ``ema``: the
        exponential moving average (0.8) of the entry scores from the best to the worst (the
        same). ``weighted_entropy``: ``log(1 + r) / r`` of the normalized entropy over the given
        class's probability, ``r`` (Kuan & Mueller, *Model-agnostic label quality scoring to detect
        real-world label errors*, 2022); with several labels of each entry, joined by ``ema``.
        ``balanced``: the worst entry after `balance_probs`. ``posterior``: the chances of a noise
        model for each class, joined (`entry_noise`); single-label: the odds of the given
        class against a label drawn by class frequency. ``mean``: the plain mean of the entry
        scores. Default: see `default_scorer`.
    temperature : float
        Of ``softmin``; greater than 0.

    Returns
    -------
    ndarray of float32, shape (n_images,)
        In 0..1, low = bad; NaN where no label is known.

    Raises
    ------
    InvalidValue
        For shapes that do not fit, probabilities outside 0..1 or an unknown scorer.
    """
    single = np.ndim(labels) == 1
    name = scorer or default_scorer("single" if single else "multi")
    if name not in LABEL_SCORERS:
        raise InvalidValue(f"expected a scorer of {LABEL_SCORERS}, got {name!r}")
    if temperature <= 0:
        raise InvalidValue(f"expected a temperature above 0, got {temperature}")
    if name not in _OF_ALL and len(labels) > _ROWS and len(labels) == len(probs):
        parts = (
            label_quality(labels[part], probs[part], scorer=name, temperature=temperature)
            for part in slices_of(len(labels), _ROWS)
        )
        return np.concatenate(list(parts))
    p, y = _checked(labels, probs)
    known = np.isfinite(y)
    score: NDArray[np.floating]
    if name == "softmin":
        score = _softmin(_agreement(y, p), temperature)
    elif name == "balanced":
        fair = balance_probs(labels, p)
        score = _given_probability(y, fair) if single else _worst(_agreement(y, fair))
    elif name == "posterior":
        score = _against_chance(y, p) if single else join_chances(model_entries(y, p).wrong)
    else:
        chosen = _SINGLE if single else _MULTI
        score = chosen[name](y, p)
    return np.where(known.any(axis=1), np.clip(score, 0.0, 1.0), np.nan).astype(np.float32)


def entry_quality(labels: NDArray[np.generic], probs: NDArray[np.floating]) -> FloatArray:
    """Score each image × class: the probability of the state that is given there.

    Parameters
    ----------
    labels : ndarray, shape (n_images,) or (n_images, n_classes)
    probs : ndarray, shape (n_images, n_classes)

    Returns
    -------
    ndarray of float32, shape (n_images, n_classes)
        The probability where the label is yes, its complement where it is no, NaN where unknown.
    """
    p, y = _checked(labels, probs)
    return _agreement(y, p)


def as_matrix(labels: NDArray[np.generic], n_classes: int) -> FloatArray:
    """Return labels as (n_images, n_classes) of 1, 0, NaN.

    A negative class index is an unknown label: its whole row is NaN.
    """
    if np.ndim(labels) == 2:
        return np.asarray(labels, np.float32)
    given = as_codes(labels, n_classes)
    known = given >= 0
    matrix = np.full((len(given), n_classes), np.nan, dtype=np.float32)
    matrix[known] = 0.0
    matrix[np.flatnonzero(known), given[known]] = 1.0
    return matrix


def as_codes(labels: NDArray[np.generic], n_classes: int) -> NDArray[np.intp]:
    """Return class indices, shape (n_images,), negative where the label is unknown.

    Raises InvalidValue for numbers that are no indices of classes.
    """
    given = np.asarray(labels)
    if given.dtype.kind not in "iu":
        raise InvalidValue(f"expected class indices of an integer type, got {given.dtype}")
    if len(given) and int(given.max()) >= n_classes:
        raise InvalidValue(f"expected class indices below {n_classes}, got {int(given.max())}")
    return given.astype(np.intp, copy=False)


def balance_probs(labels: NDArray[np.generic], probs: NDArray[np.floating]) -> FloatArray:
    """Take half of the class frequencies out of the probabilities.

    A regression leans towards what is frequent: a missing label of a rare class hides behind its
    low probability, an extra one of a frequent class behind its high one. Multi-label: half the
    log-odds of the class's share of ``yes`` is subtracted from the log-odds. Single-label:
    probabilities are divided by the square root of the class's share and normalized (the logit
    adjustment of Menon et al., *Long-tail Learning via Logit Adjustment*, ICLR 2021, by one half).

    Parameters
    ----------
    labels : ndarray, shape (n_images,) or (n_images, n_classes)
    probs : ndarray, shape (n_images, n_classes)

    Returns
    -------
    ndarray of float32, shape (n_images, n_classes)
    """
    p, y = _checked(labels, probs)
    known = np.isfinite(y)
    share = ((y == 1).sum(axis=0) + 1.0) / (known.sum(axis=0) + 2.0)
    if np.ndim(labels) == 1:
        fair = p / np.sqrt(share)
        return np.asarray(fair / np.maximum(fair.sum(axis=1, keepdims=True), 1e-12), np.float32)
    odds = logit(np.clip(p, 0.02, 0.98)) - 0.5 * logit(share)
    return np.asarray(expit(odds), dtype=np.float32)


def _checked(
    labels: NDArray[np.generic], probs: NDArray[np.floating]
) -> tuple[FloatArray, FloatArray]:
    p = np.asarray(probs, dtype=np.float32)
    if p.ndim != 2:
        raise InvalidValue(f"expected probabilities of shape (n, n_classes), got {p.shape}")
    y = as_matrix(labels, p.shape[1])
    if y.shape != p.shape:
        raise InvalidValue(f"expected labels of shape {p.shape}, got {y.shape}")
    if not np.isin(y[np.isfinite(y)], (0.0, 1.0)).all():
        raise InvalidValue("expected labels of 1, 0 or NaN, got other values")
    seen = p[np.isfinite(y)]
    if not bool(((seen >= -1e-6) & (seen <= 1 + 1e-6)).all()):
        raise InvalidValue("expected probabilities in 0..1 wherever a label is known")
    return np.clip(p, 0.0, 1.0), y


def _agreement(y: FloatArray, p: FloatArray) -> FloatArray:
    return np.asarray(np.where(np.isfinite(y), np.where(y == 1, p, 1.0 - p), np.nan))


def _against_chance(y: FloatArray, p: FloatArray) -> FloatArray:
    share = (y == 1).sum(axis=0) / max(int(np.isfinite(y).any(axis=1).sum()), 1)
    own, chance = _given_probability(y, p), np.where(y == 1, share, 0.0).sum(axis=1)
    return np.asarray(own / np.maximum(own + chance, 1e-12))


def _softmin(entries: FloatArray, temperature: float) -> FloatArray:
    known = np.isfinite(entries)
    filled = np.where(known, entries, 1.0)
    weights = np.where(known, np.exp((filled.min(axis=1, keepdims=True) - filled) / temperature), 0)
    total = weights.sum(axis=1)
    score = (weights * filled).sum(axis=1) / np.where(total > 0, total, 1.0)
    return np.asarray(score, dtype=np.float32)


def _worst(entries: FloatArray) -> FloatArray:
    return np.asarray(np.where(np.isfinite(entries), entries, 1.0).min(axis=1, initial=1.0))


def _mean(entries: FloatArray) -> FloatArray:
    known = np.isfinite(entries)
    total = np.where(known, entries, 0.0).sum(axis=1)
    return np.asarray(total / np.maximum(known.sum(axis=1), 1), dtype=np.float32)


def _moving_average(entries: FloatArray) -> FloatArray:
    """Return the exponential moving average of each row's known entries, the worst one last."""
    known = np.isfinite(entries)
    best = np.where(known, entries, -np.inf).max(axis=1, initial=-np.inf, keepdims=True)
    # unknown entries repeat the best, with which the average starts
    ordered = -np.sort(-np.where(known, entries, best), axis=1)
    average = ordered[:, 0].copy()
    for column in ordered.T[1:]:
        average = _EMA_WEIGHT * column + (1.0 - _EMA_WEIGHT) * average
    return np.asarray(average)


def _against_entropy(
    entropy: NDArray[np.floating], confidence: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return ``log(1 + r) / r`` of the ratio r of a normalized entropy and a probability."""
    ratio = np.maximum(np.asarray(entropy, np.float64) / np.maximum(confidence, 1e-6), 1e-6)
    return np.asarray(np.log1p(ratio) / ratio)


def _entropy_single(y: FloatArray, p: FloatArray) -> FloatArray:
    entropy = entr(p.astype(np.float64)).sum(axis=1) / np.log(max(p.shape[1], 2))
    return np.asarray(_against_entropy(entropy, _given_probability(y, p)), np.float32)


def _entropy_multi(y: FloatArray, p: FloatArray) -> FloatArray:
    wide = p.astype(np.float64)
    entropy = (entr(wide) + entr(1.0 - wide)) / np.log(2.0)
    return _moving_average(np.asarray(_against_entropy(entropy, _agreement(y, p)), np.float32))


def _mse(y: FloatArray, p: FloatArray) -> FloatArray:
    return np.asarray(1.0 - _mean(np.asarray((y - p) ** 2)))


def _given_probability(y: FloatArray, p: FloatArray) -> FloatArray:
    return np.asarray(np.where(y == 1, p, 0.0).sum(axis=1))


def _margin_single(y: FloatArray, p: FloatArray) -> FloatArray:
    best_other = np.where(y == 1, 0.0, p).max(axis=1, initial=0.0)
    return np.asarray((_given_probability(y, p) - best_other + 1.0) / 2.0)


def _margin_multi(y: FloatArray, p: FloatArray) -> FloatArray:
    """Lowest probability of a yes minus the highest of a no; a missing side counts as certain."""
    low = np.where(y == 1, p, 1.0).min(axis=1, initial=1.0)
    high = np.where(y == 0, p, 0.0).max(axis=1, initial=0.0)
    return np.asarray((low - high + 1.0) / 2.0)


def _geometric(y: FloatArray, p: FloatArray) -> FloatArray:
    agreement = _agreement(y, p)
    return np.asarray(np.exp(_mean(np.log(np.maximum(agreement, 1e-6)))))


_Scorer = Callable[[FloatArray, FloatArray], FloatArray]
_COMMON: dict[str, _Scorer] = {"mse": _mse, "mean": lambda y, p: _mean(_agreement(y, p))}
_SINGLE: dict[str, _Scorer] = _COMMON | {
    "self_confidence": _given_probability,
    "normalized_margin": _margin_single,
    "weighted_entropy": _entropy_single,
    "ema": _given_probability,
}
_MULTI: dict[str, _Scorer] = _COMMON | {
    "self_confidence": _geometric,
    "normalized_margin": _margin_multi,
    "weighted_entropy": _entropy_multi,
    "ema": lambda y, p: _moving_average(_agreement(y, p)),
}
