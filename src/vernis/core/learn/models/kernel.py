"""Kernel ridge regression on the one-hot labels, the predictor that label issues are judged by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vernis.core.labels.leave_out import (
    KernelBasis,
    leave_out_scores,
    predict_left_out,
    soft_clip,
)
from vernis.core.learn.models.interface import (
    Floats,
    Groups,
    Kind,
    labelled_rows,
    to_distribution,
)
from vernis.core.numeric.threads import single_threaded_products


class KernelRidge:
    """Gaussian kernel ridge regression over Nyström features.

    Kernel and choice of the ridge are those of ``core.labels.leave_out``; here the map is kept,
    so that new images can be predicted.

    Parameters
    ----------
    kind : {'single', 'multi'}
    bandwidth : float
        Of ``exp(-bandwidth · |a - b|²)``, vectors of mean squared length 1.
    n_landmarks : int
    seed : int
        Draws the landmarks.

    Attributes
    ----------
    oob_proba_ : ndarray of float32, shape (n_images, n_classes)
        Leave-out probabilities of the images of ``fit``.
    """

    def __init__(
        self, kind: Kind, bandwidth: float = 0.4, n_landmarks: int = 1000, seed: int = 0
    ) -> None:
        self.kind = kind
        self.bandwidth = bandwidth
        self.n_landmarks = n_landmarks
        self.seed = seed

    @single_threaded_products()
    def fit(self, X: Floats, Y: Floats, groups: Groups | None = None) -> Self:
        """Solve; see `LabelModel`."""
        rows = labelled_rows(Y, self.kind)
        train = np.zeros(len(X), bool)
        train[rows] = True
        self.center_ = X[rows].mean(axis=0)
        length = float(((X[rows] - self.center_) ** 2).sum(axis=1).mean())
        self.scale_ = np.float32(1 / np.sqrt(max(length, 1e-12)))
        drawn = np.random.default_rng([self.seed, 0xE1D]).permutation(rows)[: self.n_landmarks]
        self.landmarks_ = (X[np.sort(drawn)] - self.center_) * self.scale_
        values, vectors = np.linalg.eigh(self._kernel(X[np.sort(drawn)]).astype(np.float64))
        kept = values > 1e-6 * values[-1]
        whiten = vectors[:, kept] / np.sqrt(values[kept])
        seen = self._kernel(X) @ whiten.astype(np.float32)
        spectrum, rotation = np.linalg.eigh((seen[rows].T @ seen[rows]).astype(np.float64))
        features = seen @ rotation.astype(np.float32)
        basis = KernelBasis(features, np.maximum(spectrum, 0.0), train)
        found = predict_left_out(basis, Y, kind=self.kind, groups=groups)
        self.oob_proba_ = to_distribution(found.probs, self.kind)
        targets = self._targets(basis, Y, found.ridge, groups)[rows]
        self.mean_ = targets.mean(axis=0)
        inverse = 1.0 / (basis.spectrum + found.ridge)
        weights = inverse[:, None] * (features[rows].T @ (targets - self.mean_))
        self.weights_ = np.asarray(whiten @ rotation @ weights, np.float32)
        self.slope_ = self._slope(basis, Y, found.ridge, groups)
        return self

    def predict_proba(self, X: Floats) -> Floats:
        """Return probabilities; see `LabelModel`."""
        from scipy.special import softmax

        scores = self._kernel(X) @ self.weights_ + self.mean_
        if self.kind == "single":
            return to_distribution(softmax(self.slope_ * scores, axis=1), "single")
        return soft_clip(np.asarray(scores, np.float32))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the fitted parts."""
        names = ("center", "scale", "landmarks", "mean", "weights", "slope")
        return {
            **{name: np.asarray(getattr(self, f"{name}_")) for name in names},
            "bandwidth": np.asarray(self.bandwidth),
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Take the fitted parts over."""
        for name in ("center", "scale", "landmarks", "mean", "weights", "slope"):
            setattr(self, f"{name}_", arrays[name])
        self.bandwidth = float(arrays["bandwidth"])
        return self

    def _kernel(self, X: Floats) -> Floats:
        rows = (X - self.center_) * self.scale_
        squared = (rows**2).sum(axis=1)[:, None] + (self.landmarks_**2).sum(axis=1)[None]
        squared = squared - 2.0 * (rows @ self.landmarks_.T)
        return np.asarray(np.exp(-self.bandwidth * np.maximum(squared, 0.0)), np.float32)

    def _targets(
        self, basis: KernelBasis, Y: Floats, ridge: float, groups: Groups | None
    ) -> Floats:
        """Return the labels with the unknown ones replaced by their leave-out prediction."""
        known = ~np.isnan(Y)
        rates = np.where(known, Y, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        targets = np.where(known, Y, rates).astype(np.float32)
        if known[basis.train].all():
            return targets
        scores = leave_out_scores(basis, targets, ridge, groups)
        return np.asarray(np.where(known, Y, scores), np.float32)

    def _slope(
        self, basis: KernelBasis, Y: Floats, ridge: float, groups: Groups | None
    ) -> np.float32:
        """Return the temperature that turns scores into probabilities (single only)."""
        from vernis.core.labels.leave_out import fit_temperature

        if self.kind == "multi":
            return np.float32(1)
        targets = self._targets(basis, Y, ridge, groups)
        scores = leave_out_scores(basis, targets, ridge, groups)[basis.train]
        given = np.nan_to_num(Y[basis.train]).argmax(axis=1)
        return np.float32(fit_temperature(scores, given))
