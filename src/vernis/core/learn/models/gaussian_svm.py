"""Gaussian support vector machines as plain arrays: scored here, stored without pickle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.svm import SVC

from vernis.core.learn.models.interface import Floats, Kind, class_codes
from vernis.core.learn.models.scores import Doubles, constant_score, spread_columns
from vernis.core.numeric.rows import squared_distances

_BLOCK = 2048
"""Images scored at once, so that the kernel of a large collection needs little memory."""


class GaussianSvm(Protocol):
    """Fitted machines; called with images, they return scores (n_images, n_classes)."""

    def __call__(self, images: Floats) -> Doubles:
        """Return the scores, greater = more likely."""
        ...

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the fitted parts."""
        ...


def fit_gaussian_svm(X: Floats, Y: Floats, strength: float, *, kind: Kind) -> GaussianSvm:
    """Train Gaussian SVMs (γ = 1 / (n_features · variance)).

    One against one for ``single`` (votes with margins, as scikit-learn adds them), a machine a
    class for ``multi``.

    Parameters
    ----------
    X : ndarray, shape (n_images, n_features)
    Y : ndarray, shape (n_images, n_classes)
        1, 0 and NaN for unknown.
    strength : float
        C, above 0.
    kind : {'single', 'multi'}
    """
    return _fit_pairs(X, Y, strength) if kind == "single" else _fit_columns(X, Y, strength)


def restore_gaussian_svm(arrays: Mapping[str, NDArray[Any]], kind: Kind) -> GaussianSvm:
    """Put together what ``to_arrays`` took apart; raises KeyError where a part is missing."""
    made = PairSvm if kind == "single" else ColumnSvm
    return made(*(arrays[part.name] for part in fields(made)))


@dataclass(frozen=True, slots=True, eq=False)
class ColumnSvm:
    """A machine a class, over one set of support vectors.

    Attributes
    ----------
    vectors : ndarray of float32, shape (n_vectors, n_features)
    weights : ndarray of float64, shape (n_vectors, n_classes)
        0 where a vector supports no machine of the class.
    gamma, shift : ndarray of float64, shape (n_classes,)
        Machines that were trained on the same images share their γ.
    """

    vectors: Floats
    weights: Doubles
    gamma: Doubles
    shift: Doubles

    def __call__(self, images: Floats) -> Doubles:
        """Return the scores; see `GaussianSvm`."""
        scores = np.tile(self.shift, (len(images), 1))
        for start in range(0, len(images), _BLOCK):
            block = slice(start, start + _BLOCK)
            squared = squared_distances(_doubles(images[block]), _doubles(self.vectors))
            for gamma in np.unique(self.gamma):
                columns = self.gamma == gamma
                scores[block, columns] += np.exp(-gamma * squared) @ self.weights[:, columns]
        return scores

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the fitted parts."""
        return _parts_of(self)


@dataclass(frozen=True, slots=True, eq=False)
class PairSvm:
    """A machine for every two classes that training held, over one set of support vectors.

    Attributes
    ----------
    vectors : ndarray of float32, shape (n_vectors, n_features)
        The classes one after the other.
    dual : ndarray of float64, shape (n_present - 1, n_vectors)
        Row ``j - 1`` (``j``) weighs a vector of class ``i < j`` (``i > j``) against class ``j``.
    counts : ndarray of int, shape (n_present,)
        Support vectors of each class.
    shift : ndarray of float64, shape (n_present · (n_present - 1) / 2,)
        Of the pairs (0, 1), (0, 2), …
    gamma : ndarray of float64, shape ()
    present : ndarray of int, shape (n_present,)
    n_classes : ndarray of int, shape ()
    """

    vectors: Floats
    dual: Doubles
    counts: NDArray[np.integer]
    shift: Doubles
    gamma: Doubles
    present: NDArray[np.integer]
    n_classes: NDArray[np.integer]

    def __call__(self, images: Floats) -> Doubles:
        """Return the scores; see `GaussianSvm`."""
        if len(self.present) == 1:
            constant = np.where(np.arange(int(self.n_classes)) == self.present[0], 1.0, -1.0)
            return np.tile(constant, (len(images), 1))
        parts = [
            self._votes(images[start : start + _BLOCK]) for start in range(0, len(images), _BLOCK)
        ]
        votes = np.concatenate(parts) if parts else np.zeros((0, len(self.present)))
        return spread_columns(votes, np.asarray(self.present, np.intp), int(self.n_classes))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the fitted parts."""
        return _parts_of(self)

    def _votes(self, images: Floats) -> Doubles:
        """Return won pairs and, in less than 1/3, by which margin; of two classes the margin."""
        kernel = np.exp(-self.gamma * squared_distances(_doubles(images), _doubles(self.vectors)))
        ends = np.cumsum(self.counts)
        against = [
            kernel[:, end - count : end] @ self.dual[:, end - count : end].T
            for end, count in zip(ends, self.counts, strict=True)
        ]
        first, second = np.triu_indices(len(self.present), 1)
        margins = self.shift + np.stack(
            [against[i][:, j - 1] + against[j][:, i] for i, j in zip(first, second, strict=True)],
            axis=1,
        )
        if len(self.present) == 2:
            return np.concatenate([margins, -margins], axis=1)
        won = np.zeros((len(images), len(self.present)))
        total = np.zeros_like(won)
        for column, (i, j) in enumerate(zip(first, second, strict=True)):
            margin = margins[:, column]
            total[:, i] += margin
            total[:, j] -= margin
            won[:, i] += margin >= 0
            won[:, j] += margin < 0
        return np.asarray(won + total / (3.0 * (np.abs(total) + 1.0)))


def _parts_of(machines: ColumnSvm | PairSvm) -> dict[str, NDArray[Any]]:
    return {part.name: getattr(machines, part.name) for part in fields(machines)}


def _doubles(rows: Floats) -> Doubles:
    return np.asarray(rows, np.float64)


def _train(X: Floats, target: NDArray[Any], strength: float) -> tuple[SVC, float]:
    variance = float(X.var(dtype=np.float64))
    gamma = 1.0 / (X.shape[1] * variance) if variance > 0 else 1.0
    return SVC(C=strength, gamma=gamma, cache_size=200).fit(X, target), gamma


def _fit_pairs(X: Floats, Y: Floats, strength: float) -> PairSvm:
    codes = class_codes(Y)
    present, n_classes = np.unique(codes), np.asarray(Y.shape[1])
    if len(present) == 1:
        none = np.zeros((0, X.shape[1]), np.float32)
        nothing = np.zeros((0, 0))
        return PairSvm(
            none, nothing, np.zeros(1, int), np.zeros(0), np.asarray(1.0), present, n_classes
        )
    machine, gamma = _train(X, codes, strength)
    # Of two classes scikit-learn gives the machine of the second.
    sign = -1.0 if len(present) == 2 else 1.0
    return PairSvm(
        X[machine.support_],
        sign * machine.dual_coef_,
        np.asarray(machine.n_support_),
        sign * machine.intercept_,
        np.asarray(gamma),
        present,
        n_classes,
    )


def _fit_columns(X: Floats, Y: Floats, strength: float) -> ColumnSvm:
    weights = np.zeros(Y.shape)
    shift = np.asarray([constant_score(column) for column in Y.T])
    gamma = np.ones(Y.shape[1])
    for column in range(Y.shape[1]):
        known = np.flatnonzero(~np.isnan(Y[:, column]))
        yes = Y[known, column] > 0.5
        if yes.any() and not yes.all():
            machine, gamma[column] = _train(X[known], yes, strength)
            weights[known[machine.support_], column] = machine.dual_coef_[0]
            shift[column] = machine.intercept_[0]
    supports = weights.any(axis=1)
    return ColumnSvm(X[supports], weights[supports], gamma, shift)
