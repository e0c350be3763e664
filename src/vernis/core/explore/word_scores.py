"""Put together what speaks for images in a search by words, as probabilities.

Each part of what is asked may be seen or written in several places; one of them is enough, and they
are taken for independent. An image is as relevant as it is probable that it has every part.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import InvalidValue

Floats = NDArray[np.float32]

HAS = 0.02
"""Images that are taken to have every part have each at least so probably."""


def either(probabilities: Iterable[Floats], n_images: int) -> Floats:
    """Return how probably at least one of the sources is right, shape (n_images,).

    Parameters
    ----------
    probabilities : iterable of ndarray, shape (n_images,)
        One a source, in 0..1; none: zeros.
    n_images : int
    """
    missed = np.ones(n_images, np.float64)
    for one in probabilities:
        missed *= 1.0 - np.asarray(one, np.float64)
    return np.asarray(1.0 - missed, np.float32)


def rank(
    parts: Sequence[Floats], allowed: NDArray[np.bool_], least: float = 0.0
) -> tuple[NDArray[np.int64], Floats, bool]:
    """Rank images by the probability that they have every part of what is asked.

    Parameters
    ----------
    parts : sequence of ndarray, shape (n_images,)
        Probability of each part.
    allowed : ndarray of bool, shape (n_images,)
        Images that may be found.
    least : float
        Of the relevance of what is found; 0: anything for which something speaks.

    Returns
    -------
    rows : ndarray of int64, shape (n_found,)
        Best first; of equal ones the first.
    relevance : ndarray of float32, shape (n_found,)
        The product over the parts. Where no image has every part, the mean over them.
    every : bool
        Whether some image has every part.
    """
    if not parts:
        raise InvalidValue("expected one part or more, got none")
    stacked = np.stack(parts).astype(np.float64)
    weakest = stacked.min(axis=0)
    every = len(parts) == 1 or bool(((weakest >= HAS) & allowed).any())
    relevance = stacked.prod(axis=0) if every else stacked.mean(axis=0)
    rows = np.flatnonzero((relevance > 0) & (relevance >= least) & allowed)
    rows = rows[np.argsort(-relevance[rows], kind="stable")]
    return rows, relevance[rows].astype(np.float32), every
