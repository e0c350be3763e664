"""Count wrong labels by a sample that a person judged, drawn with known chances.

A model's count can be far off where people err on hard pictures. A judged sample cannot: each
judged label stands for as many as its chance of being drawn says, and the model's chances only make
the interval narrow (difference estimator: Särndal, Swensson & Wretman, *Model Assisted Survey
Sampling*, 1992, ch. 6; prediction-powered inference: Angelopoulos et al., *Science* 2023).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t as student

from vernis.domain.errors import InvalidValue
from vernis.domain.types import Estimate

Floats = NDArray[np.float64]

_FLOOR = 0.05
"""Added to the standard deviation of a label: those that seem right are drawn too, for a wrong one
among them must be able to show."""
_FEWEST = 10
"""Judged labels below which nothing is counted by them."""


def drawing_chances(variance: ArrayLike, size: int) -> Floats:
    """Return the chance of each image to be drawn, in proportion to its doubt (Neyman 1934).

    Parameters
    ----------
    variance : array_like of float, shape (n,)
        ``Σ p (1 - p)`` over the labels of an image, p the model's chance that one is wrong.
    size : int
        Images to draw; all of them when ``n`` is not larger.

    Returns
    -------
    ndarray of float64, shape (n,)
        In 0..1, of the sum ``min(size, n)``; proportional to the root of the variance and 0.05, but
        for those that would be above 1.
    """
    doubt = np.sqrt(np.maximum(np.asarray(variance, np.float64), 0.0)) + _FLOOR
    if size < 1:
        raise InvalidValue(f"expected a sample of at least 1, got {size}")
    chances = np.ones(len(doubt))
    free = np.full(len(doubt), len(doubt) > size)
    while free.any():
        scaled = doubt[free] * ((size - (~free).sum()) / doubt[free].sum())
        if scaled.max() <= 1.0:
            chances[free] = scaled
            break
        free[np.flatnonzero(free)[scaled > 1.0]] = False
    return chances


def draw_by_doubt(expected: ArrayLike, chances: Floats, *, seed: int = 0) -> NDArray[np.int64]:
    """Draw rows with given chances, evenly over what is expected of them.

    Systematic sampling with unequal chances (Madow 1949) from the rows in the order of ``expected``
    (random among equals): each row is drawn with its chance, and any range of expectations gives as
    many as its chances sum to, rounded up or down.

    Parameters
    ----------
    expected : array_like of float, shape (n,)
        Wrong labels that the model expects of each image.
    chances : ndarray of float64, shape (n,)
        See `drawing_chances`.
    seed : int

    Returns
    -------
    ndarray of int64, shape (round(sum of chances),)
        In random order: any beginning of it is a sample with its chances in proportion.
    """
    rng = np.random.default_rng([seed, 0xD0B7])
    shuffled = rng.permutation(len(chances))
    order = shuffled[np.argsort(np.asarray(expected)[shuffled], kind="stable")]
    reached = np.cumsum(chances[order])
    size = round(float(reached[-1])) if len(reached) else 0
    places = (rng.random() + np.arange(size)) * (reached[-1] / size if size else 1.0)
    rows = order[np.minimum(np.searchsorted(reached, places, side="right"), len(order) - 1)]
    return rng.permutation(rows).astype(np.int64)


def count_by_judged(
    found: ArrayLike,
    expected: ArrayLike,
    chances: ArrayLike,
    *,
    total: float,
    counts: ArrayLike | None = None,
    most: float = np.inf,
) -> Estimate | None:
    """Estimate the wrong labels of all images by those that were judged.

    The sum of what the model expects, and the differences to it of the judged images, each divided
    by its chance of being judged. Free of bias whatever the model says.

    Parameters
    ----------
    found : array_like of float, shape (m,)
        Wrong labels of each judged image.
    expected : array_like of float, shape (m,)
        What the model expected of them before.
    chances : array_like of float, shape (m,)
        Their chances of being drawn and judged, above 0.
    total : float
        Sum of what the model expected of all images.
    counts : array_like of bool, shape (m,), optional
        Which of them are still to be counted; the others were judged and have changed since, and
        the share of ``total`` that they stand for is left out.
    most : float
        Wrong labels that there can be at most.

    Returns
    -------
    Estimate or None
        None below 10 images that count. The interval is that of the design (95 %), and its upper
        end has room for one more wrong label among those that seem right, as none may have been
        drawn. Never below what was found.
    """
    y, w, q = (np.asarray(values, np.float64) for values in (found, expected, chances))
    keeps = np.ones(len(y), bool) if counts is None else np.asarray(counts, bool)
    if keeps.sum() < _FEWEST:
        return None
    if not keeps.all():
        total *= float((w / q)[keeps].sum() / max((w / q).sum(), 1e-12))
        y, w, q = y[keeps], w[keeps], q[keeps]
    m, open_ = len(y), 1.0 - np.minimum(q, 1.0)
    parts = (y - w) / q
    value = total + float(parts.sum())
    if open_.max() <= 0:  # all were judged
        return Estimate(float(y.sum()), float(y.sum()), float(y.sum()))
    # Hájek's variance of a sample of fixed size (1964).
    middle = float((open_ * parts).sum() / open_.sum())
    variance = m / (m - 1) * float((open_ * (parts - middle) ** 2).sum())
    half = float(student.ppf(0.975, m - 1)) * float(np.sqrt(variance))
    unseen = float(np.average(1.0 / q, weights=open_))
    seen = float(y.sum())
    return Estimate(
        *(
            float(np.clip(end, seen, max(most, seen)))
            for end in (value, value - half, value + half + unseen)
        )
    )


def foretell_error(variance: ArrayLike, size: int, count: float) -> float | None:
    """Return the half-width of the interval that a judged sample gives, as a share of the count.

    By the model's own doubt; where it expects too few wrong labels it is too small.

    Parameters
    ----------
    variance : array_like of float, shape (n,)
        See `drawing_chances`.
    size : int
        Images to be judged.
    count : float
        Wrong labels that are expected in all; None comes back below 1.
    """
    spread = np.asarray(variance, np.float64)
    if count < 1 or len(spread) <= size:
        return None
    chances = drawing_chances(spread, size)
    squared = float((spread * (1.0 / chances - 1.0)).sum())
    unseen = float(np.average(1.0 / chances, weights=chances * (1.0 - chances) + 1e-12))
    return (1.96 * float(np.sqrt(squared)) + unseen / 2.0) / count
