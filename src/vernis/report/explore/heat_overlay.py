"""Heat maps laid over pictures, with drawn boxes in white."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from vernis.domain.ports import Pixels

_LONGEST = 320
_HEAT = "inferno"
"""Rises in lightness all the way, so that it reads in grey and for the colour-blind."""


def lay_over(
    picture: Pixels, heat: NDArray[np.floating] | None, truth: NDArray[np.floating] | None = None
) -> Pixels:
    """Return the picture, darkened and grey below a map, with drawn boxes.

    Parameters
    ----------
    picture : ndarray of uint8, shape (height, width, 3)
    heat : ndarray, shape (rows, columns), or None
        In 0..1; stretched over the whole picture. None leaves the picture as it is.
    truth : ndarray, shape (n_boxes, 4), optional
        Corners as shares of width and height.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        At most 320 pixels along the longer side.
    """
    image = Image.fromarray(picture)
    image.thumbnail((_LONGEST, _LONGEST))
    if heat is not None:
        image = _heated(image, heat)
    pen = ImageDraw.Draw(image)
    for corners in () if truth is None else truth:
        places = (corners * np.tile(image.size, 2)).tolist()
        pen.rectangle(places, outline="black", width=3)
        pen.rectangle(places, outline="white", width=1)
    return np.array(image, np.uint8)


def _heated(image: Image.Image, heat: NDArray[np.floating]) -> Image.Image:
    from matplotlib import colormaps

    small = Image.fromarray(np.round(np.clip(heat, 0, 1) * 255).astype(np.uint8))
    values = np.asarray(small.resize(image.size, Image.Resampling.BILINEAR), np.float64) / 255
    grey = np.asarray(image.convert("L"), np.float64)[:, :, None] * 0.67
    share = np.clip(values * 1.3, 0, 0.85)[:, :, None]
    colors = np.asarray(colormaps[_HEAT](values))[:, :, :3] * 255
    mixed = np.asarray(grey * (1 - share) + colors * share)
    return Image.fromarray(np.round(mixed).astype(np.uint8))
