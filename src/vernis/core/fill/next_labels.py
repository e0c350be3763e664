"""Which images to label next, so that more of the others can be filled."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vernis.core.numeric.row_blocks import as_rows
from vernis.core.numeric.rows import normalize_rows
from vernis.domain.errors import InvalidValue
from vernis.domain.ports import Rows

_MOST_COMPARED = 4000
"""Waiting images that are compared with one another; of more, a sample is."""


def choose_next_labels(
    X: Rows | ArrayLike,
    waiting: ArrayLike,
    n: int,
    *,
    nearest: ArrayLike | None = None,
    seed: int = 0,
) -> NDArray[np.int64]:
    """Choose the images that stand best for all that wait for a label.

    Greedy maximization of the summed similarity of every waiting image to the chosen one that is
    most like it (facility location, Nemhauser et al. 1978: at least 63 % of the best possible
    sum). Dense parts of what is left unknown come first, and no two like images are chosen.

    Parameters
    ----------
    X : Rows, shape (n_images, n_features)
        Embeddings.
    waiting : array_like of int64
        Rows of the images that cannot be filled.
    n : int
        How many to choose, at least 1.
    nearest : array_like, shape (n_waiting,), optional
        Similarity of each waiting image to the nearest labelled one, which serves it already.
    seed : int
        Of the sample of many.

    Returns
    -------
    ndarray of int64, shape (at most n,)
        Rows of ``X``, the most useful first.

    Raises
    ------
    InvalidValue
        If ``n`` is smaller than 1.
    """
    if n < 1:
        raise InvalidValue(f"expected at least 1 image to choose, got {n}")
    rows = np.asarray(waiting, np.int64)
    served = np.zeros(len(rows)) if nearest is None else np.asarray(nearest)
    if len(rows) > _MOST_COMPARED:
        rng = np.random.default_rng([seed, 0xBE57])
        drawn = np.sort(rng.choice(len(rows), _MOST_COMPARED, replace=False))
        rows, served = rows[drawn], served[drawn]
    unit = normalize_rows(as_rows(X)[rows])
    similarity = np.maximum(unit @ unit.T, 0.0)
    served = np.maximum(served, 0.0).astype(np.float32)
    chosen: list[int] = []
    for _ in range(min(n, len(rows))):
        gain = np.maximum(similarity - served[:, None], 0.0).sum(axis=0)
        gain[chosen] = -1.0
        best = int(gain.argmax())
        chosen.append(best)
        served = np.maximum(served, similarity[:, best])
    return rows[chosen]
