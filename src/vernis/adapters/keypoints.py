"""Find the keypoints of a decoded picture, and shrink it for a closer look."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vernis.core.copies.comparison import VIEW_SIDE
from vernis.core.copies.keypoints import RECORD_SIZE, find_keypoints, level_sizes
from vernis.domain.ports import Pixels
from vernis.domain.types import Space

KEYPOINT_SPACE = Space("keypoints", RECORD_SIZE, "uint8", {"version": 1})
_LEAST_VIEW = 16  # pixels of the shorter side of a very long picture


def compute_keypoints(pixels: Pixels) -> NDArray[np.uint8]:
    """Return the keypoints of a picture as bytes.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)
        RGB, orientation applied.

    Returns
    -------
    ndarray of uint8, shape (RECORD_SIZE,)
        See ``vernis.core.copies.keypoints``.
    """
    height, width = pixels.shape[:2]
    first, *others = level_sizes(width, height)
    bilinear = Image.Resampling.BILINEAR
    grey = Image.fromarray(pixels).resize(first, bilinear, reducing_gap=2.0).convert("L")
    levels = [grey, *(grey.resize(size, bilinear, reducing_gap=3.0) for size in others)]
    return find_keypoints([np.asarray(level) for level in levels])


def shrink_to_view(pixels: Pixels) -> Pixels:
    """Return the picture as it is compared at a closer look, about ``VIEW_SIDE`` pixels long."""
    height, width = pixels.shape[:2]
    scale = VIEW_SIDE / max(width, height)
    size = max(_LEAST_VIEW, round(width * scale)), max(_LEAST_VIEW, round(height * scale))
    small = Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(small)
