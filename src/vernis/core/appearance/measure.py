"""Measure how a picture looks: one short vector, when it is decoded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vernis.core.appearance.colors import COLORS, N_CODES, measure_colors, sample_codes
from vernis.core.appearance.picture_type import TYPE_FEATURES, measure_type_features
from vernis.domain.errors import InvalidValue

_N = len(COLORS)
SIZE = 2 * _N + len(TYPE_FEATURES)
"""Numbers of the vector: the shares of the colours in the picture and in its middle, and what the
type is told by."""


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
    there = np.flatnonzero(counts)
    shares = counts[there].astype(np.float32) / np.float32(codes.size)
    whole, middle, tones = measure_colors(codes, there, shares)
    return np.concatenate(
        [whole, middle, measure_type_features(pixels, codes, there, shares, tones)]
    )


def color_shares(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the share of each colour in each picture, shape (n_pictures, len(COLORS))."""
    return np.asarray(vectors[:, :_N], np.float32)


def middle_shares(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the share of each colour in the middle, shape (n_pictures, len(COLORS))."""
    return np.asarray(vectors[:, _N : 2 * _N], np.float32)


def type_features(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return what the type is told by, shape (n_pictures, len(TYPE_FEATURES))."""
    return np.asarray(vectors[:, 2 * _N :], np.float32)
