"""Label noise with known truth, to measure how well errors are found."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vernis.core.numeric.rows import normalize_rows
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


def flip_by_features(
    labels: ArrayLike, X: ArrayLike, rate: float, seed: int = 0
) -> NDArray[np.generic]:
    """Replace a share of the labels by the class whose centre is the nearest wrong one.

    Images near another class are confused more: an image's chance grows with how much closer it
    lies to the wrong centre (cosine, standardized over the images), by drawing without replacement
    with Gumbel noise. A plain form of instance-dependent noise (Xia et al., *Part-dependent label
    noise*, NeurIPS 2020).

    Parameters
    ----------
    labels : array_like, shape (n_images,)
    X : array_like, shape (n_images, n_features)
    rate : float
        Share replaced, in 0..1.
    seed : int

    Returns
    -------
    ndarray, shape (n_images,)
    """
    _require_rate("rate", rate)
    classes, codes = _coded(labels)
    vectors = np.asarray(X, np.float64)
    if len(vectors) != len(codes):
        raise InvalidValue(f"expected {len(codes)} vectors, got {len(vectors)}")
    vectors = normalize_rows(vectors - vectors.mean(axis=0), np.float64)
    centres = [vectors[codes == code].mean(axis=0) for code in range(len(classes))]
    similarity = vectors @ normalize_rows(centres, np.float64).T
    rows = np.arange(len(codes))
    own = similarity[rows, codes]
    similarity[rows, codes] = -np.inf
    nearest = similarity.argmax(axis=1)
    closeness = similarity[rows, nearest] - own
    closeness = (closeness - closeness.mean()) / max(float(closeness.std()), 1e-12)
    urge = closeness + np.random.default_rng([seed, 8]).gumbel(size=len(codes)) / 2
    chosen = np.argsort(-urge, kind="stable")[: round(rate * len(codes))]
    codes[chosen] = nearest[chosen]
    return classes[codes]


def confusion_transition(
    labels: ArrayLike, probabilities: ArrayLike, rate: float
) -> NDArray[np.float64]:
    """Return a transition matrix of a mean noise rate that follows a model's confusions.

    Off the diagonal, a row is proportional to the mean probability that held-out predictions give
    the wrong classes; classes that are confused more get more of the noise.

    Parameters
    ----------
    labels : array_like of int, shape (n_images,)
        Class numbers below n_classes.
    probabilities : array_like, shape (n_images, n_classes)
    rate : float
        Share of all images whose label changes on average, in 0..1; a class's own share is at most
        0.9.

    Returns
    -------
    ndarray of float64, shape (n_classes, n_classes)
    """
    _require_rate("rate", rate)
    codes, p = np.asarray(labels, np.intp), np.asarray(probabilities, np.float64)
    n_classes = p.shape[1]
    mass = np.full((n_classes, n_classes), 1e-6)
    for code in np.unique(codes):
        mass[code] += p[codes == code].mean(axis=0)
    np.fill_diagonal(mass, 0.0)
    away = mass.sum(axis=1)
    share = np.bincount(codes, minlength=n_classes) / max(len(codes), 1)
    low, high = 0.0, 1e9
    for _ in range(80):  # the factor that gives the mean rate, the cap of 0.9 considered
        middle = (low + high) / 2 if high < 1e8 else max(2 * low, 1.0)
        if (share * np.minimum(middle * away, 0.9)).sum() < rate:
            low = middle
        else:
            high = middle
    moved = np.minimum(high * away, 0.9) if rate else np.zeros(n_classes)
    transition: NDArray[np.float64] = mass / away[:, None] * moved[:, None]
    np.fill_diagonal(transition, 1 - moved)
    return transition
