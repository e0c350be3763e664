"""Vectors as rows: to unit length, and the distances between them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

_ROWS = 1024
"""Rows at once, so that no second copy of all vectors is made."""


def normalize_rows(vectors: ArrayLike, dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """Return the vectors at length 1; a zero vector stays zero.

    Parameters
    ----------
    vectors : array_like, shape (n, dim)
    dtype : dtype, default float32
        Of the result and of the calculation.

    Returns
    -------
    ndarray, shape (n, dim)
        A copy, whose bits for a row do not depend on the rows beside it.
    """
    rows = np.array(vectors, dtype=dtype, order="C")
    for start in range(0, len(rows), _ROWS):
        block = rows[start : start + _ROWS]
        lengths = np.linalg.norm(block, axis=1, keepdims=True)
        block /= np.where(lengths > 0, lengths, 1)
    return rows


def squared_distances(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    """Return the squared Euclidean distances of rows, shape (len(a), len(b)), 0 or more.

    In place, by ``|a|² + |b|² - 2 a·b``: a copy more of this matrix is a gigabyte for 170,000
    images and 1,500 landmarks. Distances far below the lengths lose digits.
    """
    values = a @ b.T
    values *= -2.0
    values += (a * a).sum(axis=1)[:, None]
    values += (b * b).sum(axis=1)[None]
    return np.asarray(np.maximum(values, 0.0, out=values))
