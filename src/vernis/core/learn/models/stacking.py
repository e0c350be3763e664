"""Stacking: one prediction out of those of several models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from vernis.core.learn.models.interface import Floats, Kind, link, log_odds
from vernis.core.numeric.losses import log_loss
from vernis.domain.errors import InvalidValue


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """A log-linear pool ``link(Σ weight · log-odds + shift)`` of models.

    Attributes
    ----------
    weights : ndarray of float64, shape (n_models,)
        0 or more.
    shift : float
        0 for ``single``.
    kind : {'single', 'multi'}
    """

    weights: NDArray[np.float64]
    shift: float
    kind: Kind

    def combine(self, probabilities: Sequence[Floats]) -> Floats:
        """Return the pooled probabilities of the models' (each (n_images, n_classes))."""
        scores = np.stack([log_odds(p, self.kind) for p in probabilities])
        return link(np.tensordot(self.weights, scores, axes=1) + self.shift, self.kind)


def fit_pool(probabilities: Sequence[Floats], Y: Floats, kind: Kind) -> Pool:
    """Fit the weights to held-out predictions (Wolpert, *Stacked generalization*, 1992).

    One weight a model rather than a weight a model and class: with many classes and few images the
    latter only learns the noise. The weights are 0 or more (Breiman, *Stacked regressions*, 1996).

    Parameters
    ----------
    probabilities : sequence of ndarray, each of shape (n_images, n_classes)
        By models that did not see the image. NaN rows are left out.
    Y : ndarray, shape (n_images, n_classes)
        1, 0 or NaN.
    kind : {'single', 'multi'}

    Raises
    ------
    InvalidValue
        If there is no model.
    """
    if not probabilities:
        raise InvalidValue("expected one model or more to stack, got none")
    sound = np.all([np.isfinite(p).all(axis=1) for p in probabilities], axis=0)
    scores = np.stack([log_odds(p[sound], kind) for p in probabilities])
    labels, count = Y[sound], len(probabilities)

    def loss(parameters: NDArray[np.float64]) -> float:
        shift = 0.0 if kind == "single" else parameters[-1]
        pooled = np.tensordot(parameters[:count], scores, axes=1) + shift
        return log_loss(pooled, labels, kind)

    start = np.full(count + 1, 1.0 / count)
    start[-1] = 0.0
    bounds = [(0.0, 5.0)] * count + [(-5.0, 5.0) if kind == "multi" else (0.0, 0.0)]
    found = minimize(loss, start, method="L-BFGS-B", bounds=bounds, options={"maxiter": 60})
    return Pool(np.asarray(found.x[:count]), float(found.x[-1]), kind)
