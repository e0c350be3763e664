"""How many labels are wrong, and which: a noise model on top of predicted probabilities.

The probabilities say which label an annotator would *give*. The noise model parts them into the
class that is *true* and the habit of giving class j where i is true, so that an image's own label
can be weighed against it (Dawid & Skene 1979, with one annotator and a classifier as prior).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression, minimize_scalar
from scipy.special import softmax

from vernis.core.clean.label_scores import as_matrix
from vernis.domain.errors import InvalidValue

FloatArray = NDArray[np.float32]
DoubleArray = NDArray[np.float64]

_ROUNDS = 12
_PRIOR_STRENGTH = 20.0
_MODEL_ERROR = 0.2
"""Relative error of the count that sampling alone does not explain (docs/decisions)."""


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
        Probability that the image carries a wrong label; NaN where no label is known.
    transition : ndarray of float64
        Row = true class, column = given class. Shape (n_classes, n_classes) for single-label,
        (2, 2) (no, yes) for multi-label.
    """

    truth: FloatArray
    wrong: FloatArray
    image_wrong: FloatArray
    transition: DoubleArray


@dataclass(frozen=True, slots=True)
class WrongCount:
    """How many images carry a wrong label.

    ``low`` and ``high`` bound it at about 95 %. ``depth`` images from the top of the ranking are
    worth reading: below it fewer than the named share are wrong. ``found`` of the estimated wrong
    ones lie above it.
    """

    count: float
    low: float
    high: float
    n_labelled: int
    depth: int
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
    Alternates between the transition matrix (expectation-maximization, drawn towards one common
    error rate with the weight of 20 images a class) and a sharpening exponent of the
    probabilities (maximum likelihood): errors of the annotators flatten the probabilities, and
    the transition matrix explains that flattening. For multi-label the entries are pooled and
    the two classes are "no" and "yes".
    """
    p = np.clip(np.asarray(probs, dtype=np.float64), 1e-7, 1.0)
    y = as_matrix(labels, p.shape[1])
    if y.shape != p.shape:
        raise InvalidValue(f"expected labels of shape {p.shape}, got {y.shape}")
    return _model_single(y, p) if np.ndim(labels) == 1 else _model_multi(y, p)


def _model_single(y: FloatArray, p: DoubleArray) -> NoiseModel:
    rows: NDArray[np.bool_] = np.asarray(np.isfinite(y).any(axis=1))
    given = np.where(np.isfinite(y), y, 0.0).argmax(axis=1)
    p = p / p.sum(axis=1, keepdims=True)
    slope, transition = _fit(np.log(p[rows]), given[rows])
    prior = softmax(slope * np.log(p), axis=1)
    posterior = prior * transition[:, given].T
    posterior /= posterior.sum(axis=1, keepdims=True)
    truth = np.where(rows[:, None], posterior, prior)
    wrong = np.where(np.isfinite(y), np.where(y == 1, 1.0 - truth, truth), np.nan)
    image_wrong = np.where(rows, 1.0 - truth[np.arange(len(y)), given], np.nan)
    return NoiseModel(_f32(truth), _f32(wrong), _f32(image_wrong), transition)


def _model_multi(y: FloatArray, p: DoubleArray) -> NoiseModel:
    known = np.isfinite(y)
    odds = np.stack([np.log(np.clip(1.0 - p, 1e-7, 1.0)), np.log(p)], axis=-1)
    given = np.where(known, y, 0.0).astype(np.intp)
    slope, transition = _fit(odds[known], given[known])
    prior = softmax(slope * odds, axis=-1)
    posterior = prior * transition[:, given].transpose(1, 2, 0)
    posterior /= posterior.sum(axis=-1, keepdims=True)
    truth = np.where(known, posterior[..., 1], prior[..., 1])
    wrong = np.where(known, np.where(y == 1, 1.0 - truth, truth), np.nan)
    none_wrong = np.where(known, 1.0 - wrong, 1.0).prod(axis=1)
    image_wrong = np.where(known.any(axis=1), 1.0 - none_wrong, np.nan)
    return NoiseModel(_f32(truth), _f32(wrong), _f32(image_wrong), transition)


def _f32(values: NDArray[np.floating]) -> FloatArray:
    return np.asarray(values, dtype=np.float32)


def _fit(log_probs: DoubleArray, given: NDArray[np.intp]) -> tuple[float, DoubleArray]:
    """Return the sharpening exponent and the transition matrix for (m, K) and (m,)."""
    index = np.arange(len(given))
    n_classes = log_probs.shape[1]
    rate = float(np.clip((log_probs.argmax(axis=1) != given).mean(), 0.01, 0.5))
    transition = _common_rate(np.full(n_classes, rate))
    slope = 1.0

    def loss(exponent: float) -> float:
        prior = softmax(np.exp(exponent) * log_probs, axis=1)
        likelihood = np.einsum("ik,ki->i", prior, transition[:, given])
        return -float(np.log(np.maximum(likelihood, 1e-12)).mean())

    for _ in range(_ROUNDS):
        found = minimize_scalar(loss, bounds=(-0.7, 1.4), method="bounded", options={"xatol": 0.02})
        slope = float(np.exp(found.x))
        for _ in range(2):
            prior = softmax(slope * log_probs, axis=1)
            posterior = prior * transition[:, given].T
            posterior /= posterior.sum(axis=1, keepdims=True)
            counts = np.zeros((n_classes, n_classes))
            np.add.at(counts.T, given, posterior)
            rate = 1.0 - float(posterior[index, given].mean())
            counts += _PRIOR_STRENGTH * _common_rate(np.full(n_classes, np.clip(rate, 1e-3, 0.9)))
            transition = counts / counts.sum(axis=1, keepdims=True)
    return slope, transition


def _common_rate(rates: DoubleArray) -> DoubleArray:
    n_classes = len(rates)
    spread = np.repeat((rates / max(n_classes - 1, 1))[:, None], n_classes, axis=1)
    np.fill_diagonal(spread, 1.0 - rates if n_classes > 1 else 1.0)
    return spread


def count_wrong(
    image_wrong: NDArray[np.floating], score: NDArray[np.floating], *, worth: float = 0.25
) -> WrongCount:
    """Count the images with a wrong label and say how deep the ranking is worth reading.

    Parameters
    ----------
    image_wrong : ndarray, shape (n_images,)
        Probability of a wrong label, NaN where none is known.
    score : ndarray, shape (n_images,)
        The ranking, low = bad; NaN where no label is known.
    worth : float
        Reading pays while at least this share of the images is expected to be wrong, in 0..1.

    Returns
    -------
    WrongCount
        The interval joins the binomial spread with a model error of 20 %.
    """
    if not 0 < worth < 1:
        raise InvalidValue(f"expected worth between 0 and 1, got {worth}")
    rows = np.flatnonzero(np.isfinite(image_wrong) & np.isfinite(score))
    if not len(rows):
        return WrongCount(0.0, 0.0, 0.0, 0, 0, 0.0)
    chances = np.asarray(image_wrong, dtype=np.float64)[rows]
    count = float(chances.sum())
    spread = 1.96 * float(
        np.sqrt((chances * (1.0 - chances)).sum() + (_MODEL_ERROR * count / 2) ** 2)
    )
    ranked = chances[np.argsort(score[rows], kind="stable")]
    depth = int(np.count_nonzero(_decreasing(ranked) >= worth))
    return WrongCount(
        count=count,
        low=max(0.0, count - spread),
        high=min(float(len(rows)), count + spread),
        n_labelled=len(rows),
        depth=depth,
        found=float(ranked[:depth].sum()),
    )


def _decreasing(values: DoubleArray) -> DoubleArray:
    """Return the least-squares non-increasing fit of a sequence (pool adjacent violators)."""
    return np.asarray(isotonic_regression(values, increasing=False).x)
