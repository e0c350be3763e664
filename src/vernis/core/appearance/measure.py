"""Measure how a picture looks: one short vector, when it is decoded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vernis.core.appearance.colors import COLORS, N_CODES, measure_colors, sample_codes
from vernis.core.appearance.picture_type import TYPE_FEATURES, measure_type_features
from vernis.domain.errors import InvalidValue

_N = len(COLORS)
SIZE = 5 * _N + len(TYPE_FEATURES)
"""Numbers of the vector: the shares of the colours in the picture and in its middle, their means,
and what the type is told by."""


def measure_appearance(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Measure one picture.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)
        RGB, best with a shorter side of 256 to 512 pixels.

    Returns
    -------
    ndarray of float32, shape (SIZE,)
    """
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.size == 0:
        raise InvalidValue(f"expected pixels of shape (height, width, 3), got {pixels.shape}")
    codes = sample_codes(pixels)
    counts = np.bincount(codes.ravel(), minlength=N_CODES)
    shares, middle, means = measure_colors(codes, counts)
    features = measure_type_features(pixels, codes, counts)
    return np.concatenate([shares, middle, means.ravel(), features])


def color_shares(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the share of each colour in each picture, shape (n_pictures, len(COLORS))."""
    return np.asarray(vectors[:, :_N], np.float32)


def middle_shares(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the share of each colour in the middle, shape (n_pictures, len(COLORS))."""
    return np.asarray(vectors[:, _N : 2 * _N], np.float32)


def mean_colors(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the mean L*, a*, b* of what has each name, shape (n_pictures, len(COLORS), 3)."""
    sums = np.asarray(vectors[:, 2 * _N : 5 * _N], np.float32).reshape(-1, 3, _N)
    return np.asarray((sums / np.maximum(vectors[:, None, :_N], 1e-6)).transpose(0, 2, 1))


def type_features(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return what the type is told by, shape (n_pictures, len(TYPE_FEATURES))."""
    return np.asarray(vectors[:, 5 * _N :], np.float32)
