"""Logistic regression and the linear support vector machine: one matrix and one intercept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from vernis.core.learn.models.interface import (
    Floats,
    Groups,
    Kind,
    class_codes,
    labelled_rows,
    link,
)
from vernis.core.learn.models.scores import Score, choose_strength, constant_score
from vernis.core.numeric.threads import single_threaded_products

_STRENGTHS = {"logistic": (0.003, 0.03, 0.3), "svm": (0.0003, 0.003, 0.03)}


class LinearModel:
    """A linear classifier whose strength of regularization is chosen on held-out images.

    Parameters
    ----------
    kind : {'single', 'multi'}
    loss : {'logistic', 'svm'}
        ``svm`` is one against the rest with the squared hinge; its scores are calibrated.
    seed : int

    Attributes
    ----------
    coef_ : ndarray of float32, shape (n_features, n_classes)
    intercept_ : ndarray of float32, shape (n_classes,)
    """

    def __init__(self, kind: Kind, loss: Literal["logistic", "svm"], seed: int = 0) -> None:
        self.kind = kind
        self.loss = loss
        self.seed = seed

    @single_threaded_products()
    def fit(self, X: Floats, Y: Floats, groups: Groups | None = None) -> Self:
        """Train; see `LabelModel`."""
        rows = labelled_rows(Y, self.kind)
        X, Y = X[rows], Y[rows]
        strength, slope, shift = choose_strength(
            self._score,
            X,
            Y,
            self.kind,
            _STRENGTHS[self.loss],
            None if groups is None else groups[rows],
            calibrated=self.loss == "logistic",
            seed=self.seed,
        )
        coef, intercept = self._solve(X, Y, strength)
        self.coef_ = np.asarray(slope * coef, np.float32)
        self.intercept_ = np.asarray(slope * intercept + shift, np.float32)
        return self

    def predict_proba(self, X: Floats) -> Floats:
        """Return probabilities; see `LabelModel`."""
        return link(X @ self.coef_ + self.intercept_, self.kind)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the fitted parts."""
        return {"coef": self.coef_, "intercept": self.intercept_}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Take the fitted parts over."""
        self.coef_, self.intercept_ = arrays["coef"], arrays["intercept"]
        return self

    def _score(self, X: Floats, Y: Floats, strength: float) -> Score:
        coef, intercept = self._solve(X, Y, strength)
        return lambda images: np.asarray(images @ coef + intercept, np.float64)

    def _estimator(self, strength: float) -> Any:
        if self.loss == "logistic":
            return LogisticRegression(C=strength, max_iter=300, tol=1e-3)
        return LinearSVC(C=strength, tol=1e-3, max_iter=2000, random_state=self.seed)

    def _solve(self, X: Floats, Y: Floats, strength: float) -> tuple[Floats, Floats]:
        """Return coefficients (n_features, n_classes) and intercepts (n_classes,)."""
        coef = np.zeros((X.shape[1], Y.shape[1]))
        if self.kind == "multi":
            intercept = np.asarray([constant_score(column) for column in Y.T])
            for column in range(Y.shape[1]):
                known = ~np.isnan(Y[:, column])
                yes = Y[known, column] > 0.5
                if yes.any() and not yes.all():
                    fitted = self._estimator(strength).fit(X[known], yes)
                    coef[:, column], intercept[column] = fitted.coef_[0], fitted.intercept_[0]
            return coef.astype(np.float32), intercept.astype(np.float32)
        codes = class_codes(Y)
        present = np.unique(codes)
        intercept = np.full(Y.shape[1], -10.0)
        if len(present) == 1:
            intercept[present] = 0.0
        else:
            fitted = self._estimator(strength).fit(X, codes)
            weights, shifts = fitted.coef_, fitted.intercept_
            if len(present) == 2:  # scikit-learn gives the second class only
                weights, shifts = np.stack([-weights[0], weights[0]]) / 2, shifts * [-0.5, 0.5]
            coef[:, present], intercept[present] = weights.T, shifts
        return coef.astype(np.float32), intercept.astype(np.float32)
