"""How far the parts of two aligned pictures are from where a map of the whole puts them.

A perspective map explains every edit, but not two shots of one scene from two places: what is
nearer to the camera moved further.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_BLOCK = 16
_LEAST_INSIDE = 0.8
_LEAST_SPREAD = 5.0  # grey levels from which a block says where it is
_LEAST_AGREEMENT = 0.5
_LEAST_BLOCKS = 4
_DAMPING = 0.3
_QUANTILE = 0.75
_RIM = 3


def find_local_shift(
    first: NDArray[np.float32], second: NDArray[np.float32], inside: NDArray[np.bool_]
) -> float:
    """Return how far three in four of the blocks that show the same are at most, in pixels.

    One step of Lucas & Kanade (1981) in each block, its brightness and contrast equalized.

    Parameters
    ----------
    first, second : ndarray of float32, shape (height, width)
        Grey levels, one lying on the other.
    inside : ndarray of bool, shape (height, width)
        Where they can be compared.

    Returns
    -------
    float
        0 where too little can be compared.
    """
    height, width = (side // _BLOCK * _BLOCK for side in first.shape)
    if not height or not width:
        return 0.0
    mask = ndimage.binary_erosion(inside, iterations=_RIM, border_value=1)[:height, :width]
    weight = mask.astype(np.float32)
    count = np.maximum(_blocks(weight), 1.0)
    a, spread_a = _equalized(first[:height, :width], weight, count)
    b, spread_b = _equalized(second[:height, :width], weight, count)
    down, across = np.gradient((a + b) * np.float32(0.5))
    miss = a - b
    wide, high = across * weight, down * weight
    xx, xy, yy = _blocks(wide * across), _blocks(wide * down), _blocks(high * down)
    xr, yr = _blocks(wide * miss), _blocks(high * miss)
    agreement = 1.0 - 0.5 * _blocks(weight * miss * miss) / count
    told = (count > _LEAST_INSIDE * _BLOCK**2) & (agreement > _LEAST_AGREEMENT)
    told &= np.minimum(spread_a, spread_b) > _LEAST_SPREAD
    if told.sum() < _LEAST_BLOCKS:
        return 0.0
    xx, yy = xx + _DAMPING, yy + _DAMPING
    shift = np.hypot(yy * xr - xy * yr, xx * yr - xy * xr) / (xx * yy - xy * xy)
    return float(np.quantile(shift[told], _QUANTILE))


def _blocks(values: NDArray[np.float32]) -> NDArray[np.float32]:
    rows, columns = values.shape[0] // _BLOCK, values.shape[1] // _BLOCK
    return np.asarray(values.reshape(rows, _BLOCK, columns, _BLOCK).sum(axis=(1, 3)))


def _equalized(
    picture: NDArray[np.float32], weight: NDArray[np.float32], count: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the picture with mean 0 and spread 1 in each block, and the spread it had."""
    smooth = ndimage.gaussian_filter(picture, 1.0)
    mean = _blocks(smooth * weight) / count
    square = _blocks(smooth * smooth * weight) / count
    spread = np.sqrt(np.maximum(square - mean * mean, 1.0))
    rows, columns = mean.shape
    parts = smooth.reshape(rows, _BLOCK, columns, _BLOCK)
    equal = (parts - mean[:, None, :, None]) / spread[:, None, :, None]
    return np.asarray(equal.reshape(picture.shape)), spread
