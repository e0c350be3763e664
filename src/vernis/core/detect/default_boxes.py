"""From the maps of an SSD to boxes (Liu et al. 2016, "SSD: Single Shot MultiBox Detector").

Each cell of a map holds default boxes of several shapes; the network says of each the class, or
that there is nothing, and how its centre and its sides differ from those of the object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.core.detect.cells import Detections
from vernis.core.numeric.boxes import suppress
from vernis.domain.errors import InvalidValue

Floats = NDArray[np.float32]

_CENTER, _SIZE = 10.0, 5.0
"""What differences of centres and logarithms of ratios of sides are multiplied by (the paper's
variances .1 and .2)."""
_MOST_GROWTH = np.log(1000.0 / 16)
"""Of a side, as a logarithm: what training has not reined in stays finite."""
_BEFORE_SUPPRESSION = 1000


@dataclass(frozen=True, slots=True)
class DefaultBoxes:
    """The default boxes of an SSD, in pixels of what it sees.

    Attributes
    ----------
    strides : tuple of int
        Pixels between the cells of each map.
    sizes : tuple of float
        Side of the square default box of each map, and one more for the box between two maps.
    ratios : tuple of tuple of float
        Of the other boxes of each map, in either direction.
    """

    strides: tuple[int, ...]
    sizes: tuple[float, ...]
    ratios: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        n = len(self.strides)
        if len(self.sizes) != n + 1 or len(self.ratios) != n:
            raise InvalidValue(f"expected {n + 1} sizes and {n} lists of ratios for {n} maps")

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> DefaultBoxes:
        """Read what `to_document` wrote; raises KeyError, TypeError."""
        return cls(
            tuple(int(one) for one in document["strides"]),
            tuple(float(one) for one in document["sizes"]),
            tuple(tuple(float(one) for one in level) for level in document["ratios"]),
        )

    def to_document(self) -> dict[str, Any]:
        """Return them as plain values."""
        return asdict(self)

    def shapes(self, level: int) -> Floats:
        """Return width and height of the boxes of a cell, shape (n_boxes, 2)."""
        size, following = self.sizes[level], self.sizes[level + 1]
        between = (size * following) ** 0.5
        found = [(size, size), (between, between)]
        for ratio in self.ratios[level]:
            root = ratio**0.5
            found += [(size * root, size / root), (size / root, size * root)]
        return np.array(found, np.float32)

    def centers(self, level: int, height: int, width: int) -> Floats:
        """Return the centres of the cells of a map, row by row, shape (height * width, 2)."""
        rows, columns = np.indices((height, width), np.float32).reshape(2, -1)
        return np.asarray(
            (np.stack([columns, rows], axis=1) + 0.5) * self.strides[level], np.float32
        )


def find_in_default_boxes(
    default: DefaultBoxes,
    classes: Sequence[Floats],
    sides: Sequence[Floats],
    n_classes: int,
    *,
    least: float,
    most_overlap: float,
    at_most: int,
) -> Detections:
    """Return the objects that an SSD sees in a picture, the surest first.

    Parameters
    ----------
    default : DefaultBoxes
    classes : sequence of ndarray, each of shape (n_boxes * (n_classes + 1), height, width)
        Of each map; the first of the classes is nothing.
    sides : sequence of ndarray, each of shape (n_boxes * 4, height, width)
    n_classes : int
    least : float
        Less sure ones are left out.
    most_overlap : float
        Of two boxes of a class with a higher IoU the surer one stays.
    at_most : int
    """
    scores, corners = [], []
    for level, (logits, offsets) in enumerate(zip(classes, sides, strict=True)):
        height, width = logits.shape[1:]
        shapes = default.shapes(level)
        centers = default.centers(level, height, width)
        scores.append(_softmax(_by_box(logits, n_classes + 1))[:, 1:])
        corners.append(
            _corners(
                np.repeat(centers, len(shapes), axis=0),
                np.tile(shapes, (len(centers), 1)),
                _by_box(offsets, 4),
            )
        )
    probability, boxes = np.concatenate(scores), np.concatenate(corners)
    rows, codes = np.nonzero(probability > least)
    sure = probability[rows, codes]
    best = np.argsort(-sure, kind="stable")[:_BEFORE_SUPPRESSION]
    rows, codes, sure = rows[best], codes[best], sure[best]
    kept = suppress(boxes[rows], sure, codes, most=most_overlap)[:at_most]
    return Detections(boxes[rows[kept]], sure[kept], codes[kept])


def _by_box(values: Floats, numbers: int) -> Floats:
    """Return a row a default box: cell by cell, and in a cell shape by shape."""
    channels, height, width = values.shape
    split = values.reshape(channels // numbers, numbers, height * width)
    return np.ascontiguousarray(split.transpose(2, 0, 1).reshape(-1, numbers))


def _softmax(logits: Floats) -> Floats:
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float32)


def _corners(centers: Floats, shapes: Floats, offsets: Floats) -> Floats:
    middle = centers + offsets[:, :2] / _CENTER * shapes
    grown = np.exp(np.minimum(offsets[:, 2:] / _SIZE, _MOST_GROWTH))
    half = grown * shapes / 2
    return np.asarray(np.hstack([middle - half, middle + half]), np.float32)
