"""Parts of a picture to be looked at instead of the whole."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import InvalidValue

CENTRE_SHARE = 0.7
"""Side of a blind centre crop, as a share of the picture's."""


def centre_crop(share: float = CENTRE_SHARE) -> NDArray[np.float64]:
    """Return the corners of the middle of a picture, as shares of width and height."""
    if not 0 < share <= 1:
        raise InvalidValue(f"expected a share in 0..1, got {share}")
    low = (1 - share) / 2
    return np.array([low, low, 1 - low, 1 - low])


def with_margin(corners: NDArray[np.floating], margin: float) -> NDArray[np.float64]:
    """Return a box that is wider by a share of its own sides at every side, inside the picture.

    Parameters
    ----------
    corners : ndarray, shape (4,)
        Shares (xmin, ymin, xmax, ymax) of width and height.
    margin : float
        0 or more.
    """
    if margin < 0:
        raise InvalidValue(f"expected a margin of 0 or more, got {margin}")
    low, high = np.asarray(corners[:2], np.float64), np.asarray(corners[2:], np.float64)
    grow = margin * (high - low)
    return np.concatenate([low - grow, high + grow]).clip(0, 1)


def cut(picture: NDArray[np.uint8], corners: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return a part of a picture: every pixel that the box touches, at least one.

    Parameters
    ----------
    picture : ndarray of uint8, shape (height, width, 3)
    corners : ndarray, shape (4,)
        Shares (xmin, ymin, xmax, ymax) of width and height.
    """
    height, width = picture.shape[:2]
    left, top = int(corners[0] * width), int(corners[1] * height)
    left, top = min(left, width - 1), min(top, height - 1)
    right = max(left + 1, min(width, int(np.ceil(corners[2] * width))))
    bottom = max(top + 1, min(height, int(np.ceil(corners[3] * height))))
    return picture[top:bottom, left:right]
