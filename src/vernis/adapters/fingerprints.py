"""Compute the fingerprint of a decoded picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vernis.core.copies.fingerprints import (
    CHROMA_SIDE,
    FINGERPRINT_SIZE,
    LUMA_SIDE,
    pack_fingerprint,
)
from vernis.domain.ports import Pixels
from vernis.domain.types import Space

FINGERPRINT_SPACE = Space(
    "fingerprint",
    FINGERPRINT_SIZE,
    "uint8",
    {"version": 2, "luma": LUMA_SIDE, "chroma": CHROMA_SIDE},
)


def compute_fingerprint(pixels: Pixels) -> NDArray[np.uint8]:
    """Return the fingerprint of a picture.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)
        RGB, orientation applied.

    Returns
    -------
    ndarray of uint8, shape (FINGERPRINT_SIZE,)
        See ``vernis.core.copies.fingerprints``.
    """
    height, width = pixels.shape[:2]
    # One filtered reduction of the RGB picture; the colour planes shrink further from there.
    picture = Image.fromarray(pixels).resize(
        (LUMA_SIDE, LUMA_SIDE), Image.Resampling.BILINEAR, reducing_gap=3.0
    )
    planes = picture.convert("YCbCr")
    luma = np.asarray(planes.getchannel("Y"))
    small = planes.resize((CHROMA_SIDE, CHROMA_SIDE), Image.Resampling.BOX)
    chroma = np.asarray(small)[..., 1:].transpose(2, 0, 1)
    return pack_fingerprint(luma, chroma, width, height)
