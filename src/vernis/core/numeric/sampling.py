"""A stratified random sample in which every image has the same chance."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vernis.domain.errors import InvalidValue


def draw_sample(strata: ArrayLike, size: int, *, seed: int = 0) -> NDArray[np.int64]:
    """Draw rows with equal chances, each stratum in proportion to its size.

    Systematic sampling with a random start from the rows sorted by stratum, in random order within
    each (implicit stratification; Cochran 1977, *Sampling Techniques*, ch. 8). Every row is drawn
    with probability ``size / n``, so plain means over the sample are unbiased, and a stratum of
    ``m`` rows gives ``m * size / n`` of them, rounded up or down.

    Parameters
    ----------
    strata : array_like of int, shape (n,)
        A code for each row.
    size : int
        Rows to draw; all of them when ``n`` is not larger.
    seed : int

    Returns
    -------
    ndarray of int64, shape (min(size, n),)
        In random order, so that every beginning of it is a random sample too.

    Raises
    ------
    InvalidValue
        ``size`` is below 1, or ``strata`` is not one-dimensional.
    """
    codes = np.asarray(strata)
    if codes.ndim != 1:
        raise InvalidValue(f"expected strata of shape (n,), got {codes.shape}")
    if size < 1:
        raise InvalidValue(f"expected a sample of at least 1, got {size}")
    rng = np.random.default_rng([seed, 0x5A3])
    n = len(codes)
    if n <= size:
        return rng.permutation(n).astype(np.int64)
    shuffled = rng.permutation(n)
    ordered = shuffled[np.argsort(codes[shuffled], kind="stable")]
    places = np.floor((rng.random() + np.arange(size)) * n / size).astype(np.int64)
    return rng.permutation(ordered[np.minimum(places, n - 1)]).astype(np.int64)
