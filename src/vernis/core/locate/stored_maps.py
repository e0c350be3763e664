"""A heat map as bytes of one length, whatever the picture: what a collection keeps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vernis.core.locate.heat_maps import enlarge
from vernis.domain.errors import InvalidValue

SIDE = 40
"""Cells along each side: as many as a picture of 640 pixels has at 16 pixels a cell."""
_MARK = 8
LENGTH = SIDE * SIDE + 4 + _MARK
"""Bytes of a stored map."""


@dataclass(frozen=True, slots=True, eq=False)
class StoredMap:
    """Where a label is in a picture.

    Attributes
    ----------
    heat : ndarray of float64, shape (SIDE, SIDE)
        In 0..1; the picture is stretched to a square.
    confidence : float
        In 0..1.
    """

    heat: NDArray[np.float64]
    confidence: float

    def in_size(self, width: int, height: int, longest: int = 112) -> NDArray[np.float64]:
        """Return the map in a picture's proportions, with so many cells along the longer side."""
        scale = longest / max(width, height)
        size = max(16, round(height * scale)), max(16, round(width * scale))
        return enlarge(self.heat, size)


def pack(heat: NDArray[np.floating], confidence: float, mark: str) -> NDArray[np.uint8]:
    """Return a map as bytes.

    Parameters
    ----------
    heat : ndarray, shape (height, width)
        In 0..1.
    confidence : float
        In 0..1.
    mark : str
        Hexadecimal digits of what made the map; the first 16 are kept.

    Returns
    -------
    ndarray of uint8, shape (LENGTH,)
    """
    square = np.clip(enlarge(heat, (SIDE, SIDE)) * 255, 0, 255)
    head = np.array([confidence], "<f4").tobytes() + bytes.fromhex(mark[: 2 * _MARK])
    return np.concatenate(
        [np.frombuffer(head, np.uint8), np.round(square).astype(np.uint8).ravel()]
    )


def unpack(data: NDArray[np.uint8]) -> tuple[StoredMap, str]:
    """Return the map of which `pack` made these bytes, and its mark; raises InvalidValue."""
    if data.shape != (LENGTH,):
        raise InvalidValue(f"expected {LENGTH} bytes of a heat map, got shape {data.shape}")
    confidence = float(np.frombuffer(data[:4].tobytes(), "<f4")[0])
    heat = data[4 + _MARK :].reshape(SIDE, SIDE) / 255
    return StoredMap(heat, confidence), data[4 : 4 + _MARK].tobytes().hex()
