"""Detections of a picture as one vector of fixed length, as the catalog stores measures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vernis.core.detect.cells import Detections

_NUMBERS = 6
"""Of each object: the box as shares of the picture, score and class."""


def vector_length(at_most: int) -> int:
    """Return the length of a vector that holds so many objects."""
    return at_most * _NUMBERS


def to_vector(found: Detections, picture: tuple[int, int], at_most: int) -> NDArray[np.float32]:
    """Return the surest objects of a picture as one vector; where there are fewer, 0 follows.

    Parameters
    ----------
    found : Detections
        Boxes in pixels.
    picture : (int, int)
        Width and height.
    at_most : int
    """
    rows = np.zeros((at_most, _NUMBERS), np.float32)
    n = min(len(found), at_most)
    width, height = picture
    shares = found.boxes[:n] / np.array([width, height, width, height], np.float32)
    rows[:n, :4] = shares.clip(0, 1)
    rows[:n, 4], rows[:n, 5] = found.scores[:n], found.classes[:n]
    return rows.ravel()


@dataclass(frozen=True, slots=True, eq=False)
class ObjectTable:
    """Objects in many pictures.

    Attributes
    ----------
    pictures : ndarray of int, shape (n,)
        Row of the picture; ascending, and the surest object of a picture first.
    boxes : ndarray of float32, shape (n, 4)
        Corners as shares of the picture.
    scores : ndarray of float32, shape (n,)
    classes : ndarray of int, shape (n,)
    """

    pictures: NDArray[np.intp]
    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.pictures)

    def take(self, rows: NDArray[np.bool_]) -> ObjectTable:
        """Return some of the objects, by a mask."""
        return ObjectTable(
            self.pictures[rows], self.boxes[rows], self.scores[rows], self.classes[rows]
        )

    @classmethod
    def of_vectors(cls, vectors: NDArray[np.float32], least: float) -> ObjectTable:
        """Return the objects of these vectors whose score is `least` or more.

        Parameters
        ----------
        vectors : ndarray, shape (n_pictures, length)
        least : float
            Above 0.
        """
        rows = vectors.reshape(len(vectors), vectors.shape[1] // _NUMBERS, _NUMBERS)
        pictures, places = np.nonzero(rows[..., 4] >= least)
        chosen = rows[pictures, places]
        return cls(pictures, chosen[:, :4], chosen[:, 4], chosen[:, 5].astype(np.intp))
