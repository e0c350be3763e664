"""Kernel ridge regression on the one-hot labels, the predictor that label issues are judged by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vernis.core.learn.models.interface import (
    Floats,
    Groups,
    Kind,
    labelled_rows,
    to_distribution,
)
from vernis.core.numeric.additive_ridge import WHOLE, predict_in_passes
from vernis.core.numeric.kernel_ridge import (
    BoolArray,
    impute_targets,
    nystrom_basis,
    predict_left_out,
    soft_clip,
)
from vernis.core.numeric.row_blocks import by_blocks, column_sums, slices_of
from vernis.core.numeric.threads import single_threaded_products
from vernis.domain.ports import Rows

_FITTED = ("center", "scale", "landmarks", "mean", "weights", "slope")


class KernelRidge:
    """Gaussian kernel ridge regression over Nyström features, see ``numeric.kernel_ridge``.

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
    def fit(self, X: Rows, Y: Floats, groups: Groups | None = None) -> Self:
        """Solve; see `LabelModel`. Of very many images the rows are read block by block."""
        rows = labelled_rows(Y, self.kind)
        train = np.zeros(len(X), bool)
        train[rows] = True
        shuffled = np.random.default_rng([self.seed, 0xE1D]).permutation(rows)
        drawn = np.sort(shuffled[: self.n_landmarks])
        if len(X) > WHOLE:
            return self._fit_in_passes(X, Y, groups, train, drawn)
        X = X[:]
        self.center_ = X[rows].mean(axis=0)
        length = float(((X[rows] - self.center_) ** 2).sum(axis=1).mean())
        self.scale_ = np.float32(1 / np.sqrt(max(length, 1e-12)))
        self.landmarks_ = (X[drawn] - self.center_) * self.scale_
        basis = nystrom_basis(self._kernel(X), drawn, train, moments="features")
        found = predict_left_out(basis, Y, kind=self.kind, groups=groups)
        self.oob_proba_ = to_distribution(found.probs, self.kind)
        targets = impute_targets(basis, Y, ~np.isnan(Y), found.ridge, groups, 1)[rows]
        self.mean_ = targets.mean(axis=0)
        inverse = 1.0 / (basis.spectrum + found.ridge)
        weights = inverse[:, None] * (basis.features[rows].T @ (targets - self.mean_))
        self.weights_ = np.asarray(basis.whiten @ basis.rotation @ weights, np.float32)
        self.slope_ = np.float32(found.slope)
        return self

    def _fit_in_passes(
        self, X: Rows, Y: Floats, groups: Groups | None, train: BoolArray, drawn: NDArray[np.intp]
    ) -> Self:
        sums, squares = column_sums(X, train)
        count = int(train.sum())
        center = sums / count
        length = float((squares / count - center**2).sum())
        self.center_ = center.astype(np.float32)
        self.scale_ = np.float32(1 / np.sqrt(max(length, 1e-12)))
        self.landmarks_ = (X[drawn] - self.center_) * self.scale_
        found, fitted = predict_in_passes(
            lambda rows: self._kernel(X[rows]), drawn, train, Y, kind=self.kind, groups=groups
        )
        self.oob_proba_ = found.probs
        for part in slices_of(len(X)):
            self.oob_proba_[part] = to_distribution(found.probs[part], self.kind)
        self.mean_, self.weights_ = fitted.mean, fitted.weights
        self.slope_ = np.float32(found.slope)
        return self

    def predict_proba(self, X: Rows) -> Floats:
        """Return probabilities; see `LabelModel`. Of very many images, block by block."""
        if len(X) <= WHOLE:
            return self._predict(X[:])
        found = np.empty((len(X), self.weights_.shape[1]), np.float32)
        for part, probs in by_blocks(X, self._predict):
            found[part] = probs
        return found

    def _predict(self, X: Floats) -> Floats:
        from scipy.special import softmax

        scores = np.asarray(self._kernel(X) @ self.weights_ + self.mean_)
        if self.kind == "single":
            return to_distribution(softmax(self.slope_ * scores, axis=1), "single")
        return soft_clip(np.asarray(scores, np.float32))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the fitted parts."""
        parts = {name: np.asarray(getattr(self, f"{name}_")) for name in _FITTED}
        return {**parts, "bandwidth": np.asarray(self.bandwidth)}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Take the fitted parts over."""
        for name in _FITTED:
            setattr(self, f"{name}_", arrays[name])
        self.bandwidth = float(arrays["bandwidth"])
        return self

    def _kernel(self, X: Floats) -> Floats:
        # The order of the sum differs from `gaussian_kernel`'s, whose last bits would change the
        # probabilities of saved heads by 1e-5.
        rows = (X - self.center_) * self.scale_
        squared = (rows**2).sum(axis=1)[:, None] + (self.landmarks_**2).sum(axis=1)[None]
        squared = squared - 2.0 * (rows @ self.landmarks_.T)
        return np.asarray(np.exp(-self.bandwidth * np.maximum(squared, 0.0)), np.float32)
