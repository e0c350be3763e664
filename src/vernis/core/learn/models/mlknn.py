"""ML-kNN: the posterior of each label given how many neighbours carry it."""

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
from vernis.domain.errors import InvalidValue

_BLOCK = 1024


class MLKNN:
    """Multi-label k nearest neighbours.

    Zhang and Zhou, *ML-KNN: a lazy learning approach to multi-label learning*, Pattern Recognition
    40 (2007): with ``c`` neighbours of an image carrying a label, the label's posterior is

        P(H1) P(c | H1) / (P(H1) P(c | H1) + P(H0) P(c | H0)),

    where ``P(H1) = (s + n_yes) / (2 s + n)`` (eq. 4) and, with ``m[j]`` the training images with
    the label of which exactly ``j`` neighbours carry it,
    ``P(c | H1) = (s + m[c]) / (s (k + 1) + Σ m)`` (eq. 6), and likewise without it (eq. 7).

    Parameters
    ----------
    kind : {'single', 'multi'}
        For ``single`` the posteriors of an image are brought to a sum of 1.
    k : int, default 10
    smoothing : float, default 1
        The ``s`` of the formulas.

    Notes
    -----
    A training image counts neither itself nor its duplicates as neighbours. An unknown label is no
    ``yes`` of a neighbour, and its image takes no part in the counts of that label.
    """

    def __init__(self, kind: Kind, k: int = 10, smoothing: float = 1.0) -> None:
        if k < 1 or not smoothing > 0:
            raise InvalidValue(f"expected k of 1 or more and smoothing above 0, got {k, smoothing}")
        self.kind = kind
        self.k = k
        self.smoothing = smoothing

    def fit(self, X: Floats, Y: Floats, groups: Groups | None = None) -> Self:
        """Count; see `LabelModel`."""
        rows = labelled_rows(Y, self.kind)
        self.X_ = np.ascontiguousarray(X[rows], np.float32)
        Y = Y[rows]
        self.yes_ = (Y == 1).astype(np.uint8)
        own = np.arange(len(rows)) if groups is None else groups[rows]
        near = self._carriers(self.X_, own)
        s, steps = self.smoothing, np.arange(self.k + 1)
        known = ~np.isnan(Y)
        n_yes, n_known = (Y == 1).sum(axis=0), known.sum(axis=0)
        self.prior_ = (s + n_yes) / (2 * s + n_known)
        tables = []
        for carries in (Y == 1, known & (Y != 1)):
            hit = (near[None] == steps[:, None, None]) & carries[None]
            counts = hit.sum(axis=1)  # (k + 1, n_classes)
            tables.append((s + counts) / (s * (self.k + 1) + counts.sum(axis=0)))
        self.likelihood_ = np.stack(tables)
        return self

    def predict_proba(self, X: Floats) -> Floats:
        """Return posteriors; see `LabelModel`."""
        near = self._carriers(np.asarray(X, np.float32), None)
        classes = np.arange(near.shape[1])
        with_label = self.prior_ * self.likelihood_[0][near, classes]
        without = (1 - self.prior_) * self.likelihood_[1][near, classes]
        return to_distribution(with_label / (with_label + without), self.kind)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the fitted parts."""
        return {
            "X": self.X_,
            "yes": self.yes_,
            "prior": self.prior_,
            "likelihood": self.likelihood_,
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Take the fitted parts over."""
        self.X_, self.yes_ = arrays["X"], arrays["yes"]
        self.prior_, self.likelihood_ = arrays["prior"], arrays["likelihood"]
        self.k = self.likelihood_.shape[1] - 1
        return self

    def _carriers(self, X: Floats, own: NDArray[Any] | None) -> NDArray[np.intp]:
        """Return how many of the k nearest training images carry each class, (n, n_classes).

        ``own`` are the groups of the training images when ``X`` are those themselves.
        """
        found = np.zeros((len(X), self.yes_.shape[1]), np.intp)
        k = min(self.k, len(self.X_))
        lengths = (self.X_**2).sum(axis=1)
        for start in range(0, len(X), _BLOCK):
            block = X[start : start + _BLOCK]
            distance = lengths[None] - 2.0 * (block @ self.X_.T)
            if own is not None:
                distance[own[start : start + _BLOCK, None] == own[None]] = np.inf
            nearest = np.argpartition(distance, k - 1, axis=1)[:, :k]
            valid = np.isfinite(np.take_along_axis(distance, nearest, axis=1))
            found[start : start + _BLOCK] = (self.yes_[nearest] * valid[:, :, None]).sum(axis=1)
        return found
