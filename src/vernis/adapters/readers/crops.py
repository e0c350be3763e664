"""Cut lines of text out of a picture, level and at the height that a recognizer wants."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vernis.core.text.detection import Line
from vernis.domain.ports import Pixels

Quad = NDArray[np.float64]


class Pyramid:
    """A picture and its halves, so that a line is never shrunk by more than two at a time.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)
    """

    def __init__(self, pixels: Pixels) -> None:
        self._levels = [Image.fromarray(pixels)]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture."""
        return self._levels[0].size

    def level(self, number: int) -> tuple[Image.Image, float, float]:
        """Return the picture halved that many times, and its size over the original's."""
        while len(self._levels) <= number:
            self._levels.append(self._levels[-1].reduce(2))
        first, image = self._levels[0], self._levels[number]
        return image, image.width / first.width, image.height / first.height


def cut_line(
    pyramid: Pyramid, line: Line, turns: int, *, height: int, widest: int
) -> NDArray[np.uint8]:
    """Return a line of text as a level strip.

    Parameters
    ----------
    pyramid : Pyramid
    line : Line
        In pixels of the picture.
    turns : int
        Quarters of a turn clockwise from the long side at which the text starts.
    height : int
        Of the strip, in pixels.
    widest : int
        Longer lines are pressed to this width.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
    """
    if line.ring is not None:
        quads = line.ring.mesh(turns)
        length, tall = line.ring.length, line.ring.width
    else:
        quads = line.rectangle.corners(turns)[None]
        length, tall = line.rectangle.long, line.rectangle.short
        if turns % 2:
            length, tall = tall, length
    depth = max(0, math.floor(math.log2(max(tall, 1.0) / height)))
    image, across, down = pyramid.level(depth)
    quads = quads * np.array([across, down])
    width = strip_width(length, tall, height, widest)
    edges = np.rint(np.linspace(0, width, len(quads) + 1)).astype(int)
    mesh = [
        ((int(left), 0, int(right), height), _pillow_order(quad))
        for left, right, quad in zip(edges[:-1], edges[1:], quads, strict=True)
        if right > left
    ]
    strip = image.transform(
        (width, height), Image.Transform.MESH, mesh, resample=Image.Resampling.BICUBIC
    )
    return np.asarray(strip)


def strip_width(length: float, tall: float, height: int, widest: int) -> int:
    """Return the width of a line's strip, a multiple of 8 pixels."""
    wanted = height * length / max(tall, 1e-6)
    return int(min(max(math.ceil(wanted / 8), 2) * 8, widest))


def _pillow_order(quad: Quad) -> tuple[float, ...]:
    """Return the corners as Pillow wants them: NW, SW, SE, NE."""
    return tuple(float(value) for value in quad[[0, 3, 2, 1]].ravel())
