"""Models that score first: strength and calibration are chosen on held-out scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from vernis.core.learn.models.interface import Floats, Groups, Kind
from vernis.core.numeric.folds import stratified_folds
from vernis.core.numeric.losses import log_loss

Doubles = NDArray[np.float64]
Score = Callable[[Floats], Doubles]
"""Returns the scores of images, shape (n_images, n_classes)."""

FitScore = Callable[[Floats, Floats, float], Score]
"""Trains on ``X``, ``Y`` at a strength of regularization; returns the scoring function."""


def constant_score(Y: Floats) -> float:
    """Return the log-odds of the share of ``yes`` in a column, kept from infinity."""
    known = Y[~np.isnan(Y)]
    rate = (float((known > 0.5).sum()) + 0.5) / (len(known) + 1.0)
    return float(np.log(rate / (1 - rate)))


def held_out_scores(
    fit: FitScore,
    X: Floats,
    Y: Floats,
    strength: float,
    groups: Groups | None,
    *,
    n_folds: int,
    seed: int,
) -> Doubles:
    """Return scores of every image by a model that saw neither it nor its duplicates."""
    fold = stratified_folds(Y, n_folds, groups=groups, seed=seed)
    scores = np.empty(Y.shape)
    for number in range(n_folds):
        held = fold == number
        if held.any():
            scores[held] = fit(X[~held], Y[~held], strength)(X[held])
    return scores


def fit_calibration(scores: Doubles, Y: Floats, kind: Kind) -> tuple[float, float]:
    """Return ``(slope, shift)`` so that ``link(slope * scores + shift)`` is most likely.

    Platt's sigmoid (1999) over all classes together, for one class an image its counterpart, a
    softmax with a temperature (shift 0).
    """

    def loss(parameters: Doubles) -> float:
        shift = 0.0 if kind == "single" else parameters[1]
        return log_loss(np.exp(parameters[0]) * scores + shift, Y, kind)

    start = np.zeros(1 if kind == "single" else 2)
    found = minimize(loss, start, method="Nelder-Mead", options={"xatol": 1e-2, "fatol": 1e-5})
    slope = float(np.exp(np.clip(found.x[0], -4, 6)))
    return slope, 0.0 if kind == "single" else float(found.x[1])


def choose_strength(
    fit: FitScore,
    X: Floats,
    Y: Floats,
    kind: Kind,
    strengths: Sequence[float],
    groups: Groups | None,
    *,
    calibrated: bool,
    n_folds: int = 2,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Return ``(strength, slope, shift)`` of least held-out log-loss.

    Parameters
    ----------
    fit : callable
    X, Y, kind, groups
        As in `LabelModel`; only labelled images.
    strengths : sequence of float
        Tried in turn.
    calibrated : bool
        Whether the scores are log-odds already; if not, slope and shift are fitted.
    n_folds, seed : int
    """
    best: tuple[float, float, float, float] | None = None
    for strength in strengths:
        scores = held_out_scores(fit, X, Y, strength, groups, n_folds=n_folds, seed=seed)
        slope, shift = (1.0, 0.0) if calibrated else fit_calibration(scores, Y, kind)
        loss = log_loss(slope * scores + shift, Y, kind)
        if best is None or loss < best[0]:
            best = (loss, strength, slope, shift)
    assert best is not None
    return best[1:]


def spread_columns(scores: Doubles, present: NDArray[np.intp], n_classes: int) -> Doubles:
    """Return scores for all classes; those that training did not hold get less than the least."""
    full = np.empty((len(scores), n_classes))
    full[:] = (scores.min(axis=1) - 1.0)[:, None]
    full[:, present] = scores
    return full
