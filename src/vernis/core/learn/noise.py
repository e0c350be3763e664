"""Label noise with known truth, to measure how well errors are found."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vernis.domain.errors import InvalidValue


def _require_rate(name: str, rate: float) -> None:
    if not 0 <= rate <= 1:
        raise InvalidValue(f"expected {name} in 0..1, got {rate!r}")


def _pick(n: int, rate: float, generator: np.random.Generator) -> NDArray[np.intp]:
    """Return ``round(rate * n)`` distinct numbers below n."""
    return np.sort(generator.permutation(n)[: round(rate * n)])


def _coded(labels: ArrayLike) -> tuple[NDArray[np.generic], NDArray[np.intp]]:
    labels = np.asarray(labels)
    if labels.ndim != 1:
        raise InvalidValue(f"expected labels of shape (n_images,), got {labels.shape}")
    classes, codes = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise InvalidValue(f"expected 2 classes or more, got {len(classes)}")
    return classes, codes.astype(np.intp)


def flip_uniform(labels: ArrayLike, rate: float, seed: int = 0) -> NDArray[np.generic]:
    """Replace a share of the labels by another class, each equally probable.

    Parameters
    ----------
    labels : array_like, shape (n_images,)
    rate : float
        Share replaced, in 0..1.
    seed : int

    Returns
    -------
    ndarray, shape (n_images,)
    """
    _require_rate("rate", rate)
    classes, codes = _coded(labels)
    generator = np.random.default_rng([seed, 1])
    chosen = _pick(len(codes), rate, generator)
    shift = generator.integers(1, len(classes), len(chosen))
    codes[chosen] = (codes[chosen] + shift) % len(classes)
    return classes[codes]


def flip_pairs(labels: ArrayLike, rate: float, seed: int = 0) -> NDArray[np.generic]:
    """Replace a share of the labels by one fixed partner of each class (Han et al. 2018).

    Parameters and return value are those of `flip_uniform`; the partners are drawn by seed.
    """
    _require_rate("rate", rate)
    classes, codes = _coded(labels)
    generator = np.random.default_rng([seed, 2])
    ring = generator.permutation(len(classes))
    partner = np.empty(len(classes), np.intp)
    partner[ring] = np.roll(ring, -1)
    chosen = _pick(len(codes), rate, generator)
    codes[chosen] = partner[codes[chosen]]
    return classes[codes]


def flip_by_matrix(labels: ArrayLike, transition: ArrayLike, seed: int = 0) -> NDArray[np.generic]:
    """Draw each label anew from its class's row of a transition matrix.

    Parameters
    ----------
    labels : array_like, shape (n_images,)
    transition : array_like, shape (n_classes, n_classes)
        Row = true class in sorted order, column = given class; rows sum to 1.
    seed : int

    Returns
    -------
    ndarray, shape (n_images,)
    """
    classes, codes = _coded(labels)
    transition = np.asarray(transition, np.float64)
    shape = (len(classes), len(classes))
    sound = transition.shape == shape and (transition >= 0).all()
    if not sound or not np.allclose(transition.sum(axis=1), 1):
        raise InvalidValue(f"expected rows of shape {shape} that sum to 1, got {transition.shape}")
    draws = np.random.default_rng([seed, 3]).random(len(codes))
    bounds = np.cumsum(transition, axis=1)[codes]
    drawn = np.minimum((draws[:, None] >= bounds).sum(axis=1), len(classes) - 1)
    return np.asarray(classes[drawn])


def _matrix(Y: ArrayLike) -> NDArray[np.float32]:
    Y = np.array(Y, np.float32)
    if Y.ndim != 2 or not np.isin(Y[~np.isnan(Y)], (0, 1)).all():
        raise InvalidValue(f"expected a matrix of 1, 0 and NaN, got shape {Y.shape}")
    return Y


def drop_labels(Y: ArrayLike, rate: float, seed: int = 0) -> NDArray[np.float32]:
    """Turn a share of the ``yes`` into ``no``.

    Parameters
    ----------
    Y : array_like, shape (n_images, n_classes)
        1, 0 or NaN.
    rate : float
        Share of all ``yes``.
    seed : int

    Returns
    -------
    ndarray of float32, shape (n_images, n_classes)
    """
    _require_rate("rate", rate)
    Y = _matrix(Y)
    places = np.argwhere(Y == 1)
    chosen = places[_pick(len(places), rate, np.random.default_rng([seed, 4]))]
    Y[chosen[:, 0], chosen[:, 1]] = 0
    return Y


def add_labels(Y: ArrayLike, rate: float, seed: int = 0) -> NDArray[np.float32]:
    """Turn as many ``no`` into ``yes`` as a share of the present ``yes``.

    A class gains labels in proportion to those it has, so that rare classes stay rare. Parameters
    and return value are those of `drop_labels`.
    """
    _require_rate("rate", rate)
    Y = _matrix(Y)
    generator = np.random.default_rng([seed, 5])
    for column in range(Y.shape[1]):
        free = np.flatnonzero(Y[:, column] == 0)
        wanted = rate * np.count_nonzero(Y[:, column] == 1)
        count = int(wanted) + int(generator.random() < wanted % 1)
        Y[generator.permutation(free)[:count], column] = 1
    return Y


def flip_labels(Y: ArrayLike, rate: float, seed: int = 0) -> NDArray[np.float32]:
    """Move a share of the ``yes`` to another class of the same image that is ``no``.

    Parameters and return value are those of `drop_labels`; the number of ``yes`` stays.
    """
    _require_rate("rate", rate)
    Y = _matrix(Y)
    generator = np.random.default_rng([seed, 6])
    places = np.argwhere(Y == 1)
    for image, column in places[_pick(len(places), rate, generator)]:
        free = np.flatnonzero(Y[image] == 0)
        if len(free):
            Y[image, column] = 0
            Y[image, generator.choice(free)] = 1
    return Y


def forget_labels(Y: ArrayLike, rate: float, seed: int = 0) -> NDArray[np.float32]:
    """Make the labels of a share of the images unknown (NaN).

    Parameters and return value are those of `drop_labels`, with the rate counted in images.
    """
    _require_rate("rate", rate)
    Y = _matrix(Y)
    Y[_pick(len(Y), rate, np.random.default_rng([seed, 7]))] = np.nan
    return Y
