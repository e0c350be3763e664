"""What every label model can do, and the shapes in which labels reach it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, softmax

from vernis.domain.errors import InvalidValue

Kind = Literal["single", "multi"]
Floats = NDArray[np.float32]
Groups = NDArray[np.int64]


class LabelModel(Protocol):
    """A classifier of images by their vectors.

    ``Y`` has shape (n_images, n_classes) with 1, 0 and NaN for unknown; ``groups`` (n_images,) is
    equal for duplicates. Probabilities have shape (n_images, n_classes); with one class an image
    (``single``) their rows sum to 1.
    """

    def fit(self, X: Floats, Y: Floats, groups: Groups | None = None) -> Self:
        """Train on the images that have a known label."""
        ...

    def predict_proba(self, X: Floats) -> Floats:
        """Return the probability of every class for every image."""
        ...

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the fitted parts as plain arrays: they are stored without pickle."""
        ...

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Take over what ``to_arrays`` of a model of the same kind returned."""
        ...


def labelled_rows(Y: Floats, kind: Kind) -> NDArray[np.intp]:
    """Return the images to train on: those with a ``yes`` (single) or with any known label.

    Raises
    ------
    InvalidValue
        If there are fewer than two.
    """
    known = (Y == 1).any(axis=1) if kind == "single" else ~np.isnan(Y).all(axis=1)
    rows = np.flatnonzero(known)
    if len(rows) < 2:
        raise InvalidValue(f"expected 2 labelled images or more, got {len(rows)}")
    return rows


def class_codes(Y: Floats) -> NDArray[np.intp]:
    """Return the class of each image of a single-label matrix, shape (n_images,)."""
    return np.asarray(np.nan_to_num(Y).argmax(axis=1), np.intp)


def without_unknown(Y: Floats) -> Floats:
    """Return the matrix with every unknown taken for ``no``, for models that cannot mask."""
    return np.asarray(np.nan_to_num(Y, nan=0.0) > 0.5, np.float32)


def to_distribution(probabilities: NDArray[np.floating], kind: Kind) -> Floats:
    """Return float32 probabilities in 0..1, whose rows sum to 1 when the kind is ``single``."""
    values = np.clip(probabilities, 0.0, 1.0)
    if kind == "single":
        total = values.sum(axis=1, keepdims=True)
        values = np.where(total > 0, values / np.maximum(total, 1e-12), 1.0 / values.shape[1])
    return np.asarray(values, np.float32)


def link(scores: NDArray[np.floating], kind: Kind) -> Floats:
    """Return the softmax of the rows (single) or the logistic function of each score (multi)."""
    values = np.asarray(scores, np.float64)
    return np.asarray(softmax(values, axis=1) if kind == "single" else expit(values), np.float32)


def log_odds(probabilities: NDArray[np.floating], kind: Kind) -> NDArray[np.float64]:
    """Return what `link` turns into the probabilities, up to a constant of each row if single."""
    safe = np.clip(np.asarray(probabilities, np.float64), 1e-6, 1 - 1e-6)
    return np.asarray(np.log(safe) if kind == "single" else logit(safe))
