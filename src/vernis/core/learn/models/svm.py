"""The support vector machine with a Gaussian kernel, alone and bagged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from vernis.core.learn.bagging import subsample_plan
from vernis.core.learn.models.gaussian_svm import (
    GaussianSvm,
    fit_gaussian_svm,
    restore_gaussian_svm,
)
from vernis.core.learn.models.interface import (
    Floats,
    Groups,
    Kind,
    labelled_rows,
    link,
)
from vernis.core.learn.models.scores import choose_strength, fit_calibration

_STRENGTHS = (1.0, 5.0)


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

        def fit(images: Floats, labels: Floats, strength: float) -> GaussianSvm:
            return fit_gaussian_svm(images, labels, strength, kind=self.kind)

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
        self.svm_ = fit(X[rows], Y[rows], strength)
        return self

    def predict_proba(self, X: Floats) -> Floats:
        """Return probabilities; see `LabelModel`."""
        return link(self.slope_ * self.svm_(X) + self.shift_, self.kind)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the fitted parts."""
        calibration = np.asarray([self.slope_, self.shift_])
        return {"calibration": calibration, **self.svm_.to_arrays()}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Take the fitted parts over."""
        self.slope_, self.shift_ = map(float, arrays["calibration"])
        own = {name: part for name, part in arrays.items() if name != "calibration"}
        self.svm_ = restore_gaussian_svm(own, self.kind)
        return self


class BaggedSVM:
    """Support vector machines on sub-samples, their scores averaged.

    The calibration is fitted on the out-of-bag scores, so no further folds are needed.

    Parameters
    ----------
    kind : {'single', 'multi'}
    n_estimators : int
    sample_share : float
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
        sample_share: float = 0.75,
        strength: float = 5.0,
        seed: int = 0,
    ) -> None:
        self.kind = kind
        self.n_estimators = n_estimators
        self.sample_share = sample_share
        self.strength = strength
        self.seed = seed

    def fit(self, X: Floats, Y: Floats, groups: Groups | None = None) -> Self:
        """Train; see `LabelModel`."""
        rows = labelled_rows(Y, self.kind)
        plan = subsample_plan(
            len(rows),
            n_estimators=self.n_estimators,
            fraction=self.sample_share,
            groups=None if groups is None else groups[rows],
            Y=Y[rows],
            seed=self.seed,
        )
        self.svm_ = [
            fit_gaussian_svm(X[rows[seen]], Y[rows[seen]], self.strength, kind=self.kind)
            for seen in plan
        ]
        total, times = np.zeros(Y.shape), np.zeros(len(Y))
        unlabelled = np.setdiff1d(np.arange(len(Y)), rows)
        for seen, score in zip(plan, self.svm_, strict=True):
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
        mean = np.mean([score(X) for score in self.svm_], axis=0)
        return link(self.slope_ * mean + self.shift_, self.kind)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the fitted parts."""
        arrays: dict[str, NDArray[Any]] = {"calibration": np.asarray([self.slope_, self.shift_])}
        for number, machines in enumerate(self.svm_):
            arrays |= {f"{number}_{name}": part for name, part in machines.to_arrays().items()}
        return arrays

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Take the fitted parts over."""
        self.slope_, self.shift_ = map(float, arrays["calibration"])
        parts: dict[str, dict[str, NDArray[Any]]] = {}
        for name, part in arrays.items():
            if name != "calibration":
                number, own = name.split("_", 1)
                parts.setdefault(number, {})[own] = part
        self.svm_ = [
            restore_gaussian_svm(parts[number], self.kind) for number in sorted(parts, key=int)
        ]
        return self
