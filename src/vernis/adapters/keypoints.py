"""Find the keypoints of a decoded picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vernis.core.copies.keypoints import find_keypoints, level_sizes
from vernis.domain.ports import Pixels


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
