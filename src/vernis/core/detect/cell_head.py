"""A detector from few boxes: the boxes are those of a pretrained one, only their class is learned.

Every cell of the pretrained detector says where a box might be. A multinomial logistic regression
on what the networks know of the cell tells which class stands in it, or none. Nothing else is
trained: fifty pictures with boxes are enough, and seconds of time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.core.detect.cells import Detections
from vernis.core.numeric.boxes import overlaps, suppress

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class HeadSettings:
    """How the classes of cells are learned.

    Attributes
    ----------
    regularization : float
        C of the logistic regression on standardized features.
    iterations : int
    clip : float
        Standardized features are cut at this many deviations.
    cells_a_box : int
        The best fitting cells of a true box are examples of its class.
    least_fit : float
        If their boxes overlap it at least so much (IoU); cells below it show nothing.
    hard, random : int
        Cells of a picture that are examples of nothing: those that the pretrained detector takes
        for objects, and drawn ones.
    most_overlap : float
        Of two found boxes of a class with a higher IoU the surer one stays.
    least : float
        Less sure ones are left out.
    at_most : int
        Boxes of a picture.
    """

    regularization: float = 0.003
    iterations: int = 50
    clip: float = 6.0
    cells_a_box: int = 6
    least_fit: float = 0.35
    hard: int = 150
    random: int = 150
    most_overlap: float = 0.55
    least: float = 0.02
    at_most: int = 100


@dataclass(frozen=True, slots=True, eq=False)
class SeenCells:
    """The cells of one picture and what the networks know of them.

    Attributes
    ----------
    features : ndarray of float16, shape (n_cells, n_features)
    boxes : ndarray of float32, shape (n_cells, 4)
        Corners in pixels of the picture.
    objectness : ndarray of float32, shape (n_cells,)
        How surely the pretrained detector sees any object, 0..1.
    """

    features: NDArray[np.float16]
    boxes: Floats
    objectness: Floats

    def take(self, rows: NDArray[np.intp]) -> SeenCells:
        """Return some of the cells."""
        return SeenCells(self.features[rows], self.boxes[rows], self.objectness[rows])


def sample_map(values: Floats, points: Floats) -> Floats:
    """Return the values of a map at points between its cells, bilinearly, shape (n, channels).

    Parameters
    ----------
    values : ndarray, shape (channels, height, width)
    points : ndarray, shape (n, 2)
        x and y as shares of the picture, 0..1.
    """
    height, width = values.shape[1:]
    flat = values.reshape(len(values), -1).T
    x = np.clip(points[:, 0] * width - 0.5, 0, width - 1)
    y = np.clip(points[:, 1] * height - 0.5, 0, height - 1)
    left, upper = np.floor(x).astype(int), np.floor(y).astype(int)
    right, lower = np.minimum(left + 1, width - 1), np.minimum(upper + 1, height - 1)
    a, b = (x - left)[:, None].astype(np.float32), (y - upper)[:, None].astype(np.float32)
    top = flat[upper * width + left] * (1 - a) + flat[upper * width + right] * a
    low = flat[lower * width + left] * (1 - a) + flat[lower * width + right] * a
    return np.asarray(top * (1 - b) + low * b, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class CellHead:
    """The learned classes of cells.

    Attributes
    ----------
    mean, scale : ndarray of float32, shape (n_features,)
    weights : ndarray of float32, shape (n_features, n_classes + 1)
        The last column stands for nothing.
    bias : ndarray of float32, shape (n_classes + 1,)
    settings : HeadSettings
    """

    mean: Floats
    scale: Floats
    weights: Floats
    bias: Floats
    settings: HeadSettings

    def probabilities(self, features: NDArray[Any]) -> Floats:
        """Return the probability of each class in each cell, shape (n, n_classes + 1)."""
        z = (features.astype(np.float32) - self.mean) / self.scale
        np.clip(z, -self.settings.clip, self.settings.clip, out=z)
        logits = z @ self.weights + self.bias
        logits -= logits.max(axis=1, keepdims=True)
        np.exp(logits, out=logits)
        logits /= logits.sum(axis=1, keepdims=True)
        return np.asarray(logits, np.float32)

    def find(self, seen: SeenCells) -> Detections:
        """Return the objects in a picture, the surest first."""
        how = self.settings
        probability = self.probabilities(seen.features)[:, :-1]
        rows, classes = np.nonzero(probability > how.least)
        scores = probability[rows, classes]
        best = np.argsort(-scores, kind="stable")[: how.at_most * 10]
        rows, classes, scores = rows[best], classes[best], scores[best]
        kept = suppress(seen.boxes[rows], scores, classes, most=how.most_overlap)[: how.at_most]
        return Detections(seen.boxes[rows[kept]], scores[kept], classes[kept])


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Cells of one training picture, and what they are examples of.

    Attributes
    ----------
    seen : SeenCells
        Those that may be used.
    classes : ndarray of int, shape (n,)
        n_classes stands for nothing.
    first : ndarray of bool, shape (n,)
        Those that the first round uses; of the others the hardest join in the second.
    """

    seen: SeenCells
    classes: NDArray[np.intp]
    first: NDArray[np.bool_]


def choose_examples(
    seen: SeenCells,
    boxes: NDArray[np.float64],
    classes: NDArray[np.intp],
    n_classes: int,
    settings: HeadSettings,
    rng: np.random.Generator,
) -> Examples:
    """Choose the cells of a picture that are learned from.

    Parameters
    ----------
    seen : SeenCells
    boxes : ndarray, shape (n_true, 4)
        All true boxes of the picture.
    classes : ndarray of int, shape (n_true,)
    n_classes : int
    settings : HeadSettings
    rng : Generator
    """
    fit = overlaps(seen.boxes, boxes)
    target = np.full(len(seen.boxes), n_classes)
    best_fit = np.zeros(len(seen.boxes))
    for column, label in enumerate(classes):
        best = np.argsort(-fit[:, column], kind="stable")[: settings.cells_a_box]
        best = best[fit[best, column] >= settings.least_fit]
        better = best[fit[best, column] > best_fit[best]]
        target[better], best_fit[better] = label, fit[better, column]
    nothing = (fit.max(axis=1, initial=0) < settings.least_fit) & (target == n_classes)
    empty = np.flatnonzero(nothing)
    likely = empty[np.argsort(-seen.objectness[empty], kind="stable")]
    drawn = rng.permutation(likely[settings.hard :])
    examples = np.flatnonzero(target < n_classes)
    first = np.concatenate([examples, likely[: settings.hard], drawn[: settings.random]])
    later = np.concatenate(
        [
            likely[settings.hard : 5 * settings.hard],
            drawn[settings.random : 2 * settings.random],
        ]
    )
    later = np.setdiff1d(later, first)
    rows = np.concatenate([first, later])
    return Examples(seen.take(rows), target[rows], np.arange(len(rows)) < len(first))


def fit_cell_head(
    examples: Sequence[Examples], n_classes: int, settings: HeadSettings | None = None
) -> CellHead:
    """Learn the classes of cells, in two rounds: the second adds what the first took for objects.

    Parameters
    ----------
    examples : sequence of Examples
        One a picture.
    n_classes : int
    settings : HeadSettings, optional
    """
    how = settings or HeadSettings()
    head = None
    for _ in range(2):
        parts, labels = [], []
        for one in examples:
            chosen = one.first
            if head is not None:
                waiting = np.flatnonzero(~one.first)
                taken = head.probabilities(one.seen.features[waiting])[:, :-1].max(axis=1)
                hardest = waiting[np.argsort(-taken, kind="stable")[: how.hard // 2]]
                chosen = chosen.copy()
                chosen[hardest] = True
            parts.append(one.seen.features[chosen])
            labels.append(one.classes[chosen])
        head = _fit(np.concatenate(parts), np.concatenate(labels), n_classes, how, head)
    assert head is not None
    return head


def _fit(
    features: NDArray[np.float16],
    labels: NDArray[np.intp],
    n_classes: int,
    how: HeadSettings,
    before: CellHead | None,
) -> CellHead:
    from sklearn.linear_model import LogisticRegression

    X = features.astype(np.float32)
    mean = X.mean(axis=0) if before is None else before.mean
    scale = X.std(axis=0) + 1e-3 if before is None else before.scale
    X -= mean
    X /= scale
    np.clip(X, -how.clip, how.clip, out=X)
    model = LogisticRegression(C=how.regularization, max_iter=how.iterations)
    model.fit(X, labels)
    weights = np.zeros((X.shape[1], n_classes + 1), np.float32)
    bias = np.full(n_classes + 1, -30.0, np.float32)
    coefficients, intercepts = model.coef_, model.intercept_
    if len(model.classes_) == 2:
        coefficients, intercepts = (
            np.vstack([-a, a]) / 2 for a in (coefficients, intercepts[:, None])
        )
        intercepts = intercepts[:, 0]
    weights[:, model.classes_] = coefficients.T
    bias[model.classes_] = intercepts
    return CellHead(mean, scale, weights, bias, how)
