"""The support vector machine with a Gaussian kernel, alone and bagged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
from sklearn.svm import SVC

from vernis.core.learn.bagging import subsample_plan
from vernis.core.learn.baselines.interface import (
    Floats,
    Groups,
    Kind,
    class_codes,
    labelled_rows,
    link,
)
from vernis.core.learn.baselines.scores import (
    Doubles,
    Score,
    choose_strength,
    constant_score,
    fit_calibration,
    spread_columns,
)

_STRENGTHS = (1.0, 5.0)


def fit_svm(X: Floats, Y: Floats, strength: float, *, kind: Kind) -> Score:
    """Train Gaussian SVMs (γ = 1 / (n_features · variance)); return their decision function.

    One against one for ``single`` (votes with margins, as scikit-learn adds them), a machine a
    class for ``multi``.
    """
    if kind == "single":
        codes = class_codes(Y)
        present = np.unique(codes)
        if len(present) == 1:
            constant = np.where(np.arange(Y.shape[1]) == present[0], 1.0, -1.0)
            return lambda images: np.tile(constant, (len(images), 1))
        machine = SVC(C=strength, cache_size=200).fit(X, codes)

        def score(images: Floats) -> Doubles:
            found = machine.decision_function(images)
            found = np.stack([-found, found], axis=1) if found.ndim == 1 else found
            return spread_columns(found, present, Y.shape[1])

        return score
    columns = [_fit_column(X, Y[:, column], strength) for column in range(Y.shape[1])]
    return lambda images: np.stack([column(images) for column in columns], axis=1)


def _fit_column(X: Floats, y: Floats, strength: float) -> Callable[[Floats], Any]:
    known = ~np.isnan(y)
    yes = y[known] > 0.5
    if not yes.any() or yes.all():
        constant = constant_score(y)
        return lambda images: np.full(len(images), constant)
    found: Callable[[Floats], Any] = (
        SVC(C=strength, cache_size=200).fit(X[known], yes).decision_function
    )
    return found


class GaussianSVM:
    """A support vector machine with calibrated probabilities.

    Parameters
    ----------
    kind : {'single', 'multi'}
    seed : int
    """

    def __init__(self, kind: Kind, seed: int = 0) -> None:
        self.kind = kind
        self.seed = seed

    def fit(self, X: Floats, Y: Floats, groups: Groups | None = None) -> Self:
        """Train; see `LabelModel`."""
        rows = labelled_rows(Y, self.kind)

        def fit(images: Floats, labels: Floats, strength: float) -> Score:
            return fit_svm(images, labels, strength, kind=self.kind)

        strength, self.slope_, self.shift_ = choose_strength(
            fit,
            X[rows],
            Y[rows],
            self.kind,
            _STRENGTHS,
            None if groups is None else groups[rows],
            calibrated=False,
            seed=self.seed,
        )
        self.score_ = fit(X[rows], Y[rows], strength)
        return self

    def predict_proba(self, X: Floats) -> Floats:
        """Return probabilities; see `LabelModel`."""
        return link(self.slope_ * self.score_(X) + self.shift_, self.kind)


class BaggedSVM:
    """Support vector machines on sub-samples, their scores averaged.

    The calibration is fitted on the out-of-bag scores, so no further folds are needed.

    Parameters
    ----------
    kind : {'single', 'multi'}
    n_estimators : int
    sample_fraction : float
        Share of the groups of each sub-sample, as in ``BaggedMLP``.
    strength : float
        The machines' C.
    seed : int

    Attributes
    ----------
    oob_proba_ : ndarray of float32, shape (n_images, n_classes)
        Of the images of ``fit``; NaN where no machine was held out.
    """

    def __init__(
        self,
        kind: Kind,
        n_estimators: int = 5,
        sample_fraction: float = 0.75,
        strength: float = 5.0,
        seed: int = 0,
    ) -> None:
        self.kind = kind
        self.n_estimators = n_estimators
        self.sample_fraction = sample_fraction
        self.strength = strength
        self.seed = seed

    def fit(self, X: Floats, Y: Floats, groups: Groups | None = None) -> Self:
        """Train; see `LabelModel`."""
        rows = labelled_rows(Y, self.kind)
        plan = subsample_plan(
            len(rows),
            n_estimators=self.n_estimators,
            fraction=self.sample_fraction,
            groups=None if groups is None else groups[rows],
            Y=Y[rows],
            seed=self.seed,
        )
        self.scores_ = [
            fit_svm(X[rows[seen]], Y[rows[seen]], self.strength, kind=self.kind) for seen in plan
        ]
        total, times = np.zeros(Y.shape), np.zeros(len(Y))
        unlabelled = np.setdiff1d(np.arange(len(Y)), rows)
        for seen, score in zip(plan, self.scores_, strict=True):
            held = np.concatenate([rows[~seen], unlabelled])
            if len(held):
                total[held] += score(X[held])
                times[held] += 1
        held_out = total / np.where(times > 0, times, np.nan)[:, None]
        sound = rows[times[rows] > 0]
        self.slope_, self.shift_ = fit_calibration(held_out[sound], Y[sound], self.kind)
        self.oob_proba_ = link(self.slope_ * held_out + self.shift_, self.kind)
        return self

    def predict_proba(self, X: Floats) -> Floats:
        """Return probabilities; see `LabelModel`."""
        mean = np.mean([score(X) for score in self.scores_], axis=0)
        return link(self.slope_ * mean + self.shift_, self.kind)
