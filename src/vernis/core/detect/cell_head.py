"""A detector from few boxes: a pretrained one says where they may be; class and fit are learned.

Every cell of the pretrained detector says where a box might be. A multinomial logistic regression
on what the networks know of the cell tells which class stands in it, or none, and a ridge
regression moves the box onto the object (`box_regression`). Nothing else is trained: fifty pictures
with boxes are enough, and seconds of time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vernis.core.detect.box_regression import BoxRegression, boxes_stay, fit_box_regression
from vernis.core.detect.cells import Detections
from vernis.core.numeric.boxes import overlaps, suppress
from vernis.domain.errors import InvalidValue

Floats = NDArray[np.float32]

_MOVED = ("weights", "bias")
_FOR_COMPONENTS = 6000
"""Cells that the principal components are found on."""


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
    components : int
        Principal components of the features that are learned on; all where there are no more.
    cells_a_box : int
        The best fitting cells of a true box are examples of its class.
    least_fit : float
        If their boxes overlap it at least so much (IoU); cells below it show nothing.
    hard, random : int
        Cells of a picture that are examples of nothing: those that the pretrained detector takes
        for objects, and drawn ones.
    most_overlap : float
        Of two found boxes of a class with a higher IoU the surer one stays.
    objectness : float
        How much it counts that the pretrained detector sees an object in the cell: the power of
        its score by which a probability is multiplied.
    looked_at : int
        Cells of a picture that are asked, those that the pretrained detector takes for objects
        first.
    least : float
        Less sure ones are left out.
    at_most : int
        Boxes of a picture.
    """

    regularization: float = 0.003
    iterations: int = 30
    clip: float = 6.0
    components: int = 400
    cells_a_box: int = 6
    least_fit: float = 0.35
    hard: int = 150
    random: int = 150
    most_overlap: float = 0.45
    objectness: float = 0.3
    looked_at: int = 2500
    least: float = 0.02
    at_most: int = 100


class PictureCells(Protocol):
    """All cells of one picture, whose features are read where they are asked for.

    Attributes
    ----------
    boxes, objectness
        As of `SeenCells`.
    """

    @property
    def boxes(self) -> Floats:
        """Corners in pixels of the picture."""
        ...

    @property
    def objectness(self) -> Floats:
        """How surely the pretrained detector sees any object."""
        ...

    def take(self, rows: NDArray[np.intp]) -> SeenCells:
        """Return some of the cells with their features."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class SeenCells:
    """Cells of one picture and what the networks know of them.

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
    flat = np.ascontiguousarray(values.reshape(len(values), -1).T)  # a place's numbers side by side
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
    """The learned classes of cells, and how their boxes move.

    Attributes
    ----------
    mean, scale : ndarray of float32, shape (n_features,)
    weights : ndarray of float32, shape (n_features, n_classes + 1)
        The last column stands for nothing.
    bias : ndarray of float32, shape (n_classes + 1,)
    regression : BoxRegression
    settings : HeadSettings
    """

    mean: Floats
    scale: Floats
    weights: Floats
    bias: Floats
    regression: BoxRegression
    settings: HeadSettings

    def probabilities(self, features: NDArray[Any]) -> Floats:
        """Return the probability of each class in each cell, shape (n, n_classes + 1)."""
        return self._probabilities(
            _standardized(features, self.mean, self.scale, self.settings.clip)
        )

    def _probabilities(self, z: Floats) -> Floats:
        logits = z @ self.weights + self.bias
        logits -= logits.max(axis=1, keepdims=True)
        np.exp(logits, out=logits)
        logits /= logits.sum(axis=1, keepdims=True)
        return np.asarray(logits, np.float32)

    def to_arrays(self) -> tuple[dict[str, Floats], dict[str, Any]]:
        """Take it apart: arrays without pickle, and settings that are JSON-able."""
        arrays = {name: getattr(self, name) for name in ("mean", "scale", "weights", "bias")}
        moved = {"box_weights": self.regression.weights, "box_bias": self.regression.bias}
        return arrays | moved, asdict(self.settings)

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], settings: Mapping[str, Any]
    ) -> CellHead:
        """Put together what `to_arrays` took apart; raises InvalidValue, KeyError, TypeError."""
        mean, scale, weights, bias = (
            np.asarray(arrays[name], np.float32) for name in ("mean", "scale", "weights", "bias")
        )
        if weights.shape != (len(mean), len(bias)) or len(scale) != len(mean):
            raise InvalidValue(f"expected {len(mean)} x {len(bias)} weights, got {weights.shape}")
        regression = boxes_stay(len(mean))  # of heads that were saved before boxes moved
        if "box_weights" in arrays:
            sides, shift = (np.asarray(arrays[f"box_{one}"], np.float32) for one in _MOVED)
            if sides.shape != (len(mean), 4) or shift.shape != (4,):
                raise InvalidValue(f"expected {len(mean)} x 4 box weights, got {sides.shape}")
            regression = BoxRegression(sides, shift)
        return cls(mean, scale, weights, bias, regression, HeadSettings(**settings))

    def find(self, cells: PictureCells) -> Detections:
        """Return the objects in a picture, the surest first."""
        how = self.settings
        likeliest = np.argsort(-cells.objectness, kind="stable")[: how.looked_at]
        seen = cells.take(likeliest)
        z = _standardized(seen.features, self.mean, self.scale, how.clip)
        probability = self._probabilities(z)[:, :-1]
        probability *= seen.objectness[:, None] ** how.objectness
        rows, classes = np.nonzero(probability > how.least)
        scores = probability[rows, classes]
        best = np.argsort(-scores, kind="stable")[: how.at_most * 10]
        rows, classes, scores = rows[best], classes[best], scores[best]
        boxes = self.regression.move(z[rows], seen.boxes[rows])
        kept = suppress(boxes, scores, classes, most=how.most_overlap)[: how.at_most]
        return Detections(boxes[kept], scores[kept], classes[kept])


def _standardized(features: NDArray[Any], mean: Floats, scale: Floats, clip: float) -> Floats:
    z = (features.astype(np.float32) - mean) / scale
    np.clip(z, -clip, clip, out=z)
    return np.asarray(z, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Cells of one training picture, and what they are examples of.

    Attributes
    ----------
    seen : SeenCells
        Those that may be used.
    classes : ndarray of int, shape (n,)
        n_classes stands for nothing.
    true : ndarray of float32, shape (n, 4)
        The true box that each shows, NaN where it shows nothing.
    first : ndarray of bool, shape (n,)
        Those that the first round uses; of the others the hardest join in the second.
    """

    seen: SeenCells
    classes: NDArray[np.intp]
    true: Floats
    first: NDArray[np.bool_]


def choose_examples(
    seen: PictureCells,
    boxes: NDArray[np.float64],
    classes: NDArray[np.intp],
    n_classes: int,
    settings: HeadSettings,
    rng: np.random.Generator,
) -> Examples:
    """Choose the cells of a picture that are learned from.

    Parameters
    ----------
    seen : PictureCells
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
    true = np.full((len(seen.boxes), 4), np.nan, np.float32)
    for column, label in enumerate(classes):
        best = np.argsort(-fit[:, column], kind="stable")[: settings.cells_a_box]
        best = best[fit[best, column] >= settings.least_fit]
        better = best[fit[best, column] > best_fit[best]]
        target[better], best_fit[better] = label, fit[better, column]
        true[better] = boxes[column]
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
    return Examples(seen.take(rows), target[rows], true[rows], np.arange(len(rows)) < len(first))


@dataclass(frozen=True, slots=True, eq=False)
class CellProjection:
    """Standardized features of cells, and their principal components. It knows no class.

    Attributes
    ----------
    mean, scale : ndarray of float32, shape (n_features,)
    axes : ndarray of float32, shape (n_features, n_components)
    clip : float
    """

    mean: Floats
    scale: Floats
    axes: Floats
    clip: float

    def apply(self, features: NDArray[Any]) -> Floats:
        """Return the components of cells, shape (n, n_components)."""
        z = _standardized(features, self.mean, self.scale, self.clip)
        return np.asarray(z @ self.axes, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class ProjectedExamples:
    """Examples as components; ``boxes`` are those of the cells, the others as of `Examples`."""

    features: Floats
    boxes: Floats
    classes: NDArray[np.intp]
    true: Floats
    first: NDArray[np.bool_]

    def moves(self) -> tuple[Floats, Floats, Floats]:
        """Return features, boxes and true boxes of the cells that show an object."""
        shows = ~np.isnan(self.true[:, 0])
        return self.features[shows], self.boxes[shows], self.true[shows]


def project_examples(
    examples: Sequence[Examples], settings: HeadSettings | None = None
) -> tuple[CellProjection, list[ProjectedExamples]]:
    """Return the projection of the examples, and each of them projected.

    Parameters
    ----------
    examples : sequence of Examples
        One or more a picture.
    settings : HeadSettings, optional
    """
    how = settings or HeadSettings()
    X = np.concatenate([one.seen.features[one.first] for one in examples]).astype(np.float32)
    mean, scale = X.mean(axis=0), X.std(axis=0) + 1e-3
    n_features = X.shape[1]
    axes = np.eye(n_features, dtype=np.float32)
    if n_features > how.components:
        rows = np.random.default_rng(0).permutation(len(X))[:_FOR_COMPONENTS]
        z = np.clip((X[rows] - mean) / scale, -how.clip, how.clip)
        _, vectors = np.linalg.eigh(z.T @ z)
        axes = np.ascontiguousarray(vectors[:, ::-1][:, : how.components], np.float32)
    projection = CellProjection(mean, scale, axes, how.clip)
    return projection, [
        ProjectedExamples(
            projection.apply(one.seen.features), one.seen.boxes, one.classes, one.true, one.first
        )
        for one in examples
    ]


def fit_cell_head(
    projection: CellProjection,
    examples: Sequence[ProjectedExamples],
    n_classes: int,
    settings: HeadSettings | None = None,
) -> CellHead:
    """Learn the classes of cells and how their boxes move.

    The classes in two rounds: the second adds what the first took for objects.

    Parameters
    ----------
    projection : CellProjection
    examples : sequence of ProjectedExamples
        Of the pictures that are learned from, the views of each one after the other.
    n_classes : int
    settings : HeadSettings, optional
    """
    how = settings or HeadSettings()
    weights, bias = _fit(examples, [one.first for one in examples], n_classes, how, None)
    chosen = []
    for one in examples:
        waiting = np.flatnonzero(~one.first)
        logits = one.features[waiting] @ weights + bias
        taken = logits[:, :-1].max(axis=1, initial=-np.inf) - logits[:, -1]
        hardest = waiting[np.argsort(-taken, kind="stable")[: how.hard // 2]]
        rows = one.first.copy()
        rows[hardest] = True
        chosen.append(rows)
    weights, bias = _fit(examples, chosen, n_classes, how, (weights, bias))
    moves = fit_box_regression(*zip(*(one.moves() for one in examples), strict=True))
    onto = BoxRegression(projection.axes @ moves.weights, moves.bias)
    return CellHead(projection.mean, projection.scale, projection.axes @ weights, bias, onto, how)


def _fit(
    examples: Sequence[ProjectedExamples],
    rows: Sequence[NDArray[np.bool_]],
    n_classes: int,
    how: HeadSettings,
    start: tuple[Floats, Floats] | None,
) -> tuple[Floats, Floats]:
    """Return weights (n_components, n_classes + 1) and bias (n_classes + 1,)."""
    from scipy.optimize import minimize

    X = np.concatenate([one.features[chosen] for one, chosen in zip(examples, rows, strict=True)])
    labels = np.concatenate(
        [one.classes[chosen] for one, chosen in zip(examples, rows, strict=True)]
    )
    present = np.unique(labels)
    targets = np.searchsorted(present, labels)
    n, width, k = len(X), X.shape[1], len(present)
    given = np.zeros((n, k), np.float32)
    given[np.arange(n), targets] = 1

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        flat = values.reshape(width + 1, k)
        weights = flat[:-1].astype(np.float32)
        logits = X @ weights + flat[-1].astype(np.float32)
        logits -= logits.max(axis=1, keepdims=True)
        np.exp(logits, out=logits)
        logits /= logits.sum(axis=1, keepdims=True)
        own = np.maximum(logits[np.arange(n), targets], 1e-12)
        value = -how.regularization * float(np.log(own, dtype=np.float64).sum())
        value += 0.5 * float((flat[:-1] ** 2).sum())
        logits -= given
        gradient = np.empty_like(flat)
        gradient[:-1] = how.regularization * (X.T @ logits) + flat[:-1]
        gradient[-1] = how.regularization * logits.sum(axis=0, dtype=np.float64)
        return value, gradient.ravel()

    first = np.zeros((width + 1, k))
    if start is not None:
        first[:-1], first[-1] = start[0][:, present], start[1][present]
    found = minimize(
        loss, first.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": how.iterations}
    ).x.reshape(width + 1, k)
    weights = np.zeros((width, n_classes + 1), np.float32)
    bias = np.full(n_classes + 1, -30.0, np.float32)
    weights[:, present], bias[present] = found[:-1], found[-1]
    return weights, bias
