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

    def to_dict(self) -> dict[str, float]:
        """Return value, low and high."""
        return {"value": self.value, "low": self.low, "high": self.high}


def wilson_interval(hits: int, n: int, *, z: float = _NORMAL_95) -> Share:
    """Return a share with Wilson's score interval (Wilson 1927, eq. 3).

    Parameters
    ----------
    hits, n : int
        ``n`` = 0 gives NaN with the interval 0..1.
    z : float
        Quantile of the normal distribution; the default makes an interval of 95 %.
    """
    if n == 0:
        return Share(float("nan"), 0.0, 1.0)
    share = hits / n
    middle = share + z * z / (2 * n)
    half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    low, high = (middle - half) / scale, (middle + half) / scale
    return Share(share, float(max(low, 0.0)), float(min(high, 1.0)))


def measure_labels(
    truth: ArrayLike, labels: ArrayLike, *, n_draws: int = 500, seed: int = 0
) -> dict[str, Any]:
    """Measure labels against the truth.

    Parameters
    ----------
    truth : array_like of bool, shape (n_images, n_classes)
        Every class of every image is judged.
    labels : array_like of bool, shape (n_images, n_classes)
        False where an image does not carry the class; a row without True has no label.
    n_draws : int
        Bootstrap samples of the intervals of precision, recall and F1.
    seed : int

    Returns
    -------
    dict
        ``coverage`` (share of images with a label), ``accuracy`` (share of the labelled images
        whose labels are exactly the truth), ``micro`` and ``macro``: precision, recall and f1; each
        ``{value, low, high}`` with an interval of 95 %.
    """
    Y, L = _tables(truth, labels)
    found = evaluate(Y.astype(np.float32), L.astype(np.float32), L, n_draws=n_draws, seed=seed)
    document = found.to_dict()
    has = L.any(axis=1)
    right = (Y == L).all(axis=1)
    averages = {
        name: {m: document[name][m] for m in ("precision", "recall", "f1")}
        for name in ("micro", "macro")
    }
    return {
        "coverage": wilson_interval(int(has.sum()), len(L)).to_dict(),
        "accuracy": wilson_interval(int((right & has).sum()), int(has.sum())).to_dict(),
        **averages,
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
        with the population's number and its interval of 95 %.
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
        share = wilson_interval(int(where.sum()), len(Y))
        counts[name] = {
            "sample": int(where.sum()),
            **{key: round(number * population, 1) for key, number in share.to_dict().items()},
        }
    return counts


def _tables(truth: ArrayLike, labels: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    Y, L = np.asarray(truth, bool), np.asarray(labels, bool)
    if Y.ndim != 2 or L.shape != Y.shape or not len(Y):
        raise InvalidValue(
            f"expected two (n_images, n_classes) tables of one or more rows, got {Y.shape, L.shape}"
        )
    return Y, L
