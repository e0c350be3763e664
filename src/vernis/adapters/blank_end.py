"""See that a picture breaks off or has a hole: formats without checksums say nothing themselves.

A copy that was interrupted ends in zero bytes, or its decoder paints the rest in one colour. Such
a block begins in the middle of a row, right of pixels that go on below others; the bar of a
letterbox or a black ground does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_LEAST_SHARE = 0.02  # of the rows
_ABRUPT = 0.95  # share of the columns in which the picture ends at once
_TEXTURE = 4.0  # grey levels by which the last rows vary
_DIFFERS = 8  # grey levels
_HOLE = bytes(256)  # arithmetic and Huffman codes never write so many zero bytes in a row
_CODED = {"WEBP": (b"VP8 ", b"VP8L", b"ANMF"), "AVIF": (b"mdat",)}
"""Chunks that hold the coded picture."""
_BOTTOM_UP = frozenset({"BMP", "DIB", "TGA"})


def find_blank_end(image: Image.Image) -> float:
    """Return the share of the rows that a block of one colour takes at the end of the file.

    Parameters
    ----------
    image : PIL.Image.Image
        Loaded, not turned.

    Returns
    -------
    float
        0..1; 0 when the picture does not break off in the middle of a row.
    """
    if image.mode not in ("L", "RGB", "RGBA", "CMYK") or min(image.size) < 16:
        return 0.0
    rows = np.asarray(image)
    rows = rows.reshape(*rows.shape[:2], -1)
    if image.format not in _BOTTOM_UP:
        return _measure(rows)
    # The file may hold the rows from the lowest or from the highest on.
    return max(_measure(rows), _measure(rows[::-1]))


def has_hole(image: Image.Image) -> bool:
    """Tell whether the coded data of an opened WebP or AVIF hold a run of zero bytes.

    Interrupted and broken disks leave such; the decoders go on as if nothing were wrong.
    """
    stream: Any = getattr(image, "fp", None)
    kinds = _CODED.get(image.format or "")
    if stream is None or kinds is None:
        return False
    place = stream.tell()
    stream.seek(0)
    data = stream.read()
    stream.seek(place)
    hole = data.find(_HOLE)
    if hole < 0:
        return False
    walk = _webp_chunks(data) if image.format == "WEBP" else _boxes(data)
    return any(kind in kinds and start <= hole < stop for kind, start, stop in walk)


def _webp_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    at = 12
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        yield data[at : at + 4], at + 8, at + 8 + size
        at += 8 + size + size % 2


def _boxes(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        stop = at + size if size >= 8 else len(data)
        yield data[at + 4 : at + 8], at + 8, stop
        at = stop


def _measure(rows: NDArray[np.uint8]) -> float:
    height, width = rows.shape[:2]
    color = rows[-1, -1]
    if (rows[-1] != color).any():
        return 0.0
    blank = _count_blank(rows, color)
    broken = height - blank - 1  # the row in which the picture ends
    if blank < _LEAST_SHARE * height or broken < 2:
        return 0.0
    there = (rows[broken] != color).any(axis=1)
    end = width - int(np.argmax(there[::-1])) if there.any() else 0
    if not 0 < end < width:
        return 0.0
    # What lies above the block, along the whole width, must be picture.
    last = np.concatenate([rows[broken, :end], rows[broken - 1, end:]]).astype(np.int16)
    abrupt = (np.abs(last - color.astype(np.int16)).max(axis=1) >= _DIFFERS).mean()
    texture = last.mean(axis=1).std()
    return blank / height if abrupt >= _ABRUPT and texture >= _TEXTURE else 0.0


def _count_blank(rows: NDArray[np.uint8], color: NDArray[np.uint8]) -> int:
    """Return how many rows at the end have one colour alone."""
    count, step = 0, 64
    while count < len(rows):
        block = rows[max(0, len(rows) - count - step) : len(rows) - count]
        same = (block == color).reshape(len(block), -1).all(axis=1)[::-1]
        if not same.all():
            return count + int(np.argmin(same))
        count += len(block)
    return count
