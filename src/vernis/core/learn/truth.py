"""Given, predicted and cleaned labels against what a person found to be true."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vernis.core.learn.evaluation import evaluate
from vernis.domain.errors import InvalidValue

_NORMAL_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Share:
    """A share with its interval, and what it makes in the population."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, float | None]:
        """Return value, low and high; a value that is not known is None."""
        value = None if np.isnan(self.value) else self.value
        return {"value": value, "low": self.low, "high": self.high}


def wilson_interval(hits: float, n: float, *, drawn: float = 0.0, z: float = _NORMAL_95) -> Share:
    """Return a share with Wilson's score interval (Wilson 1927, eq. 3).

    Parameters
    ----------
    hits, n : float
        ``n`` = 0 gives NaN with the interval 0..1.
    drawn : float
        Share of the population that was drawn, in 0..1: the variance shrinks by the finite
        population correction (Cochran 1977, *Sampling Techniques*, ch. 3), and who has seen all
        of it knows the share.
    z : float
        Quantile of the normal distribution; the default makes an interval of 95 %.
    """
    if n == 0:
        return Share(float("nan"), 0.0, 1.0)
    share = hits / n
    if drawn >= 1:
        return Share(share, share, share)
    n = n / (1 - drawn)
    middle = share + z * z / (2 * n)
    half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low, high = (middle - half) / scale, (middle + half) / scale
    return Share(share, float(max(low, 0.0)), float(min(high, 1.0)))


def measure_labels(
    truth: ArrayLike,
    labels: ArrayLike,
    *,
    population: int | None = None,
    n_draws: int = 500,
    seed: int = 0,
) -> dict[str, Any]:
    """Measure labels against the truth.

    Parameters
    ----------
    truth : array_like of bool, shape (n_images, n_classes)
        Every class of every image is judged.
    labels : array_like of bool, shape (n_images, n_classes)
        False where an image does not carry the class; a row without True has no label.
    population : int, optional
        Images that these were drawn from; default many more.
    n_draws : int
        Bootstrap samples of the intervals of precision, recall and F1. Where none of them differs,
        as when no label is wrong, the interval is Wilson's instead: of as many answers as there are
        images, and in a macro average of as many as give its variance (`_effective_number`).
    seed : int

    Returns
    -------
    dict
        ``coverage`` (share of images with a label), ``accuracy`` (share of the labelled images
        whose labels are exactly the truth), ``micro`` and ``macro``: precision, recall and f1; each
        ``{value, low, high}`` with an interval of 95 %.
    """
    Y, L = _tables(truth, labels)
    drawn = _share_drawn(len(Y), population)
    found = evaluate(Y.astype(np.float32), L.astype(np.float32), L, n_draws=n_draws, seed=seed)
    document = found.to_dict()
    has = L.any(axis=1)
    right = (Y == L).all(axis=1)
    judged = {"precision": L, "recall": Y, "f1": Y | L}
    averages = {
        name: {m: _of_sample(document[name][m], count(table), drawn) for m, table in judged.items()}
        for name, count in (("micro", _n_images), ("macro", _effective_number))
    }
    return {
        "coverage": wilson_interval(int(has.sum()), len(L), drawn=drawn).to_dict(),
        "accuracy": wilson_interval(
            int((right & has).sum()), int(has.sum()), drawn=drawn
        ).to_dict(),
        **averages,
    }


def _share_drawn(n: int, population: int | None) -> float:
    return 0.0 if population is None else min(1.0, n / max(population, n))


def _n_images(table: NDArray[np.bool_]) -> float:
    return float(table.any(axis=1).sum())


def _effective_number(table: NDArray[np.bool_]) -> float:
    """Return n such that a share of n answers varies as the mean of the shares of the classes.

    With ``n_k`` answers in each of K classes: ``K² / sum(1 / n_k)``.
    """
    answers = table.sum(axis=0)
    answers = answers[answers > 0]
    return float(len(answers) ** 2 / (1 / answers).sum()) if len(answers) else 0.0


def _of_sample(found: dict[str, float | None], n: float, drawn: float) -> dict[str, float | None]:
    """Return a bootstrap interval as one of a finite population; Wilson's where it has no width."""
    value, low, high = (found[key] for key in ("value", "low", "high"))
    if value is None or low is None or high is None:
        return found
    if low == high and value in (0.0, 1.0):
        return wilson_interval(value * n, n, drawn=drawn).to_dict()
    shrink = float(np.sqrt(1 - drawn))
    return {
        "value": value,
        "low": round(value - shrink * (value - low), 6),
        "high": round(value + shrink * (high - value), 6),
    }


def count_changes(
    truth: ArrayLike, given: ArrayLike, cleaned: ArrayLike, population: int
) -> dict[str, dict[str, float]]:
    """Count what cleaning mends and breaks, in the sample and carried over to the population.

    Parameters
    ----------
    truth, given, cleaned : array_like of bool, shape (n_images, n_classes)
    population : int
        Images that the sample was drawn from.

    Returns
    -------
    dict
        ``mended``: labelled images whose labels were wrong and are right after cleaning;
        ``broken``: the other way round; ``missed``: wrong before and after; ``filled_right`` and
        ``filled_wrong``: images without a label that got one. Each ``{sample, value, low, high}``
        with the population's number and its interval of 95 %, never below what the sample holds.
    """
    Y, G = _tables(truth, given)
    _, C = _tables(truth, cleaned)
    was, now = (Y == G).all(axis=1), (Y == C).all(axis=1)
    has, gets = G.any(axis=1), C.any(axis=1)
    kinds = {
        "mended": has & ~was & now,
        "broken": has & was & ~now,
        "missed": has & ~was & ~now,
        "filled_right": ~has & gets & now,
        "filled_wrong": ~has & gets & ~now,
    }
    counts = {}
    for name, where in kinds.items():
        seen = int(where.sum())
        share = wilson_interval(seen, len(Y), drawn=_share_drawn(len(Y), population))
        least, most = seen, max(population, len(Y)) - (len(Y) - seen)
        counts[name] = {
            "sample": seen,
            "value": round(share.value * population, 1),
            "low": round(max(share.low * population, least), 1),
            "high": round(min(share.high * population, most), 1),
        }
    return counts


def _tables(truth: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    Y, L = np.asarray(truth, bool), np.asarray(labels, bool)
    if Y.ndim != 2 or L.shape != Y.shape or not len(Y):
        raise InvalidValue(
            f"expected two (n_images, n_classes) tables of one or more rows, got {Y.shape, L.shape}"
        )
    return Y, L
