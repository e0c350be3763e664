"""Bounding-box regression from few boxes: how the box of a cell moves onto the object.

The boxes of a pretrained detector fit the objects that it was trained on; those of other classes
may begin higher or be slimmer. Centre and size of the true box, seen from that of the cell, are a
ridge regression on the components of the cell (Girshick et al. 2014, "Rich feature hierarchies for
accurate object detection", appendix C). With few boxes it learns noise: how strong the penalty is,
and which share of the way a box goes, is what brings boxes of other pictures nearest to the true
ones; where nothing does, boxes stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vernis.core.numeric.boxes import paired_overlaps

Floats = NDArray[np.float32]

_PENALTIES = (0.01, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0)
"""Of the ridge, in mean variances of a component."""
_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Of the way; 0: boxes stay."""
_FOLDS = 5
_MOST = 1.0
"""A centre moves by this many sides of its box at the most, a side grows or shrinks e-fold."""


@dataclass(frozen=True, slots=True, eq=False)
class BoxRegression:
    """How boxes move, by what is known of their cells.

    Attributes
    ----------
    weights : ndarray of float32, shape (n_features, 4)
    bias : ndarray of float32, shape (4,)
        Of the centre's x and y in sides of the box, and of the logarithms of its sides.
    """

    weights: Floats
    bias: Floats

    def move(self, features: Floats, boxes: Floats) -> Floats:
        """Return the moved boxes, shape (n, 4); of the features of their cells and the boxes."""
        return _moved(boxes, features @ self.weights + self.bias)


def boxes_stay(n_features: int) -> BoxRegression:
    """Return the regression that leaves boxes where they are."""
    return BoxRegression(np.zeros((n_features, 4), np.float32), np.zeros(4, np.float32))


def fit_box_regression(
    features: Sequence[Floats], boxes: Sequence[Floats], true: Sequence[Floats]
) -> BoxRegression:
    """Learn how boxes move onto the true ones.

    Parameters
    ----------
    features : sequence of ndarray, each of shape (n, n_features)
        Of the cells of one picture that show an object; views of a picture one after the other.
    boxes, true : sequence of ndarray, each of shape (n, 4)
        Corners of the cell's box and of the object's.
    """
    X, P, G = (np.concatenate(list(parts)).astype(np.float64) for parts in (features, boxes, true))
    # Pictures that follow one another stay together, also the views of one.
    number = np.repeat(np.arange(len(features)), list(map(len, features)))
    folds = number * _FOLDS // max(1, len(features))
    present = np.unique(folds)
    if len(present) < _FOLDS:
        return boxes_stay(X.shape[1])
    Y = np.clip(_moves(P, G), -_MOST, _MOST)
    fit = np.zeros((len(_PENALTIES), len(_SHARES)))
    for fold in present:
        out = folds == fold
        for row, (weights, bias) in enumerate(_ridges(X[~out], Y[~out])):
            moves = X[out] @ weights + bias
            for column, share in enumerate(_SHARES):
                fit[row, column] += paired_overlaps(_moved(P[out], share * moves), G[out]).sum()
    best, column = divmod(int(fit.argmax()), len(_SHARES))
    weights, bias = (_SHARES[column] * part for part in _ridges(X, Y)[best])
    return BoxRegression(weights.astype(np.float32), bias.astype(np.float32))


def _ridges(
    X: NDArray[np.float64], Y: NDArray[np.float64]
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Return weights and bias of the ridge regression with each of the penalties."""
    middle, target = X.mean(axis=0), Y.mean(axis=0)
    centred = X - middle
    values, axes = np.linalg.eigh(centred.T @ centred / len(X))
    onto = axes.T @ (centred.T @ (Y - target)) / len(X)
    found = []
    for penalty in _PENALTIES:
        weights = axes @ (onto / (values + penalty * max(values.mean(), 1e-12))[:, None])
        found.append((weights, target - middle @ weights))
    return found


def _moves(boxes: NDArray[np.float64], true: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how each box would have to move, shape (n, 4)."""
    (centers, sides), (aims, sizes) = _middles(boxes), _middles(true)
    return np.hstack([(aims - centers) / sides, np.log(sizes / sides)])


def _moved(boxes: NDArray[np.floating], moves: NDArray[np.floating]) -> Floats:
    centers, sides = _middles(boxes)
    near = np.clip(moves, -_MOST, _MOST)
    centers = centers + near[:, :2] * sides
    half = sides * np.exp(near[:, 2:]) / 2
    return np.asarray(np.hstack([centers - half, centers + half]), np.float32)


def _middles(
    boxes: NDArray[np.floating],
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return centres and sides, a side being a pixel at least."""
    return (boxes[:, :2] + boxes[:, 2:]) / 2, np.maximum(boxes[:, 2:] - boxes[:, :2], 1)
