"""Folds that spread every class evenly and never separate duplicates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vernis.core.numeric.groups import group_codes
from vernis.domain.errors import InvalidValue


def stratified_parts(
    Y: ArrayLike, shares: Sequence[float], *, groups: ArrayLike | None = None, seed: int = 0
) -> NDArray[np.int64]:
    """Divide images into parts of given shares by iterative stratification.

    Again and again the class with the fewest images left is taken, and each of its images goes to
    the part that still wants most of that class; ties go to the part that wants most images, then
    to chance (Sechidis, Tsoumakas and Vlahavas, *On the stratification of multi-label data*, ECML
    2011, algorithm 1). Here the units are groups of duplicates, the large ones first.

    Parameters
    ----------
    Y : array_like, shape (n_images, n_classes)
        1 is a ``yes``; 0 and NaN are not.
    shares : sequence of float
        Of each part, above 0; they are brought to a sum of 1.
    groups : array_like, shape (n_images,), optional
        Images with equal values stay together.
    seed : int

    Returns
    -------
    ndarray of int64, shape (n_images,)
        The part of each image, 0 ≤ part < len(shares).

    Raises
    ------
    InvalidValue
        If a shape does not fit or a share is not above 0.
    """
    yes = np.nan_to_num(np.asarray(Y, np.float32)) > 0.5
    portions = np.asarray(shares, np.float64)
    if yes.ndim != 2 or portions.ndim != 1 or not len(portions) or not (portions > 0).all():
        raise InvalidValue(f"expected a matrix and shares above 0, got {yes.shape} and {shares}")
    codes = group_codes(groups, len(yes))
    n_groups = int(codes.max(initial=-1)) + 1
    table = np.zeros((n_groups, yes.shape[1]))
    np.add.at(table, codes, yes)
    sizes = np.bincount(codes, minlength=n_groups).astype(np.float64)
    portions = portions / portions.sum()
    generator = np.random.default_rng([seed, 0x5EC])
    return _assign(table, sizes, portions, generator)[codes]


def _assign(
    table: NDArray[np.float64],
    sizes: NDArray[np.float64],
    portions: NDArray[np.float64],
    generator: np.random.Generator,
) -> NDArray[np.int64]:
    """Return the part of each group; ``table`` holds the images of a group by class."""
    wanted = portions[:, None] * table.sum(axis=0)
    wanted_images = portions * sizes.sum()
    part = np.full(len(sizes), -1, np.int64)
    shuffled = generator.permutation(len(sizes))
    by_size = shuffled[np.argsort(-sizes[shuffled], kind="stable")]
    left = table.sum(axis=0)

    def place(group: int, need: NDArray[np.float64]) -> None:
        best = np.flatnonzero(need >= need.max() - 1e-9)
        images = wanted_images[best]
        best = best[images >= images.max() - 1e-9]
        chosen = int(best[generator.integers(len(best))]) if len(best) > 1 else int(best[0])
        part[group] = chosen
        wanted[chosen] -= table[group]
        wanted_images[chosen] -= sizes[group]
        np.subtract(left, table[group], out=left)

    while (left > 0).any():
        label = int(np.argmin(np.where(left > 0, left, np.inf)))
        for group in by_size[(part[by_size] < 0) & (table[by_size, label] > 0)]:
            place(int(group), wanted[:, label])
    for group in by_size[part[by_size] < 0]:
        place(int(group), wanted_images)
    return part


def stratified_folds(
    Y: ArrayLike, n_folds: int = 5, *, groups: ArrayLike | None = None, seed: int = 0
) -> NDArray[np.int64]:
    """Return the fold of each image, shape (n_images,), see `stratified_parts`.

    Raises
    ------
    InvalidValue
        If there are fewer than two folds, or fewer groups than folds.
    """
    Y = np.asarray(Y)
    n_groups = int(group_codes(groups, len(Y)).max(initial=-1)) + 1
    if not 2 <= n_folds <= n_groups:
        raise InvalidValue(f"expected 2 folds or more, at most {n_groups} groups, got {n_folds}")
    return stratified_parts(Y, [1.0] * n_folds, groups=groups, seed=seed)
