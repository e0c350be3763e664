"""Lines on an arc that the detector takes for straight ones, found by their ink.

The detector often fills the hollow of an arc, so that its map tells no arc. The letters do: their
pixels lie between two circles. Where those fit, the line can be unrolled and read again.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vernis.core.text.geometry import Points, Rectangle, Ring, fit_circle, fit_ring

Mask = NDArray[np.bool_]

_LEAST_CONTRAST = 12.0
"""Pixels nearer to the ground's colour than this (of 0..255 in each channel) are no ink."""
_LEAST_INK = 60  # pixels
_MOST_POINTS = 800
_ROUNDS = 4
_SLACK = 1.25
"""Ink so far from the line's middle, in halves of its width, still belongs to it."""
_LEAST_KEPT = 0.75
_LEAST_SPAN, _MOST_SPAN = 0.35, math.pi
_LEAST_RATIO = 1.5
_MARGIN = 0.18
"""Of the width of the ring, on each side: the recognizer wants letters with a rim."""


def find_ink(strip: NDArray[np.uint8], inside: Mask) -> Mask:
    """Return the pixels that differ from the ground, by Otsu's threshold (1979).

    Parameters
    ----------
    strip : ndarray of uint8, shape (height, width, 3)
    inside : ndarray of bool, shape (height, width)
        What is of the picture; the ground's colour is the median there.
    """
    if not inside.any():
        return inside
    values = strip.astype(np.float32)
    distance = np.sqrt(((values - np.median(values[inside], axis=0)) ** 2).sum(axis=-1))
    levels = np.minimum(distance[inside], 255).astype(np.int64)
    counts = np.bincount(levels, minlength=256).astype(np.float64)
    below, sums = np.cumsum(counts), np.cumsum(counts * np.arange(256))
    rest = np.maximum(below * (below[-1] - below), 1.0)
    between = (sums[-1] * below / below[-1] - sums) ** 2 / rest
    return np.asarray((distance > max(float(between.argmax()), _LEAST_CONTRAST)) & inside)


def fit_bent_line(ink: Mask) -> Ring | None:
    """Return the ring on which most of the ink lies, None where it lies on none.

    The circle is fitted again without what lies off the line, such as other words in its hollow.

    Parameters
    ----------
    ink : ndarray of bool, shape (height, width)

    Returns
    -------
    Ring or None
        In pixels of the mask, with a rim.
    """
    rows, columns = np.nonzero(ink)
    if len(rows) < _LEAST_INK:
        return None
    x, y = columns.astype(np.float64) + 0.5, rows.astype(np.float64) + 0.5
    # The circle is sought from all ink, and from its outline above and below, to which other words
    # on the other side do nothing.
    above = np.unique(columns, return_index=True)[1]
    below = len(columns) - 1 - np.unique(columns[::-1], return_index=True)[1]
    rings = (_fit(x, y, start) for start in (np.arange(len(x)), above, below))
    found = [ring for ring in rings if ring is not None and _is_line(ring, len(ink))]
    best = min(found, key=lambda ring: ring.width, default=None)
    return None if best is None else best.grown(_MARGIN * best.width)


def _fit(x: Points, y: Points, start: NDArray[np.intp]) -> Ring | None:
    """Return the ring of most of the ink; its centre is first sought from some of it."""
    part, kept = start, np.zeros(len(x), np.bool_)
    for _ in range(_ROUNDS):
        every = part[:: max(1, len(part) // _MOST_POINTS)]
        center = fit_circle(x[every], y[every])
        if center is None:
            return None
        away = np.hypot(x - center[0], y - center[1])
        middle = float(np.median(away))
        # Twice the median deviation is half the width of what is spread evenly.
        half = max(2 * float(np.median(np.abs(away - middle))), 1.0)
        near = np.abs(away - middle) <= _SLACK * half
        if (near == kept).all():
            break
        part, kept = np.flatnonzero(near), near
    return fit_ring(x[kept], y[kept]) if kept.mean() >= _LEAST_KEPT else None


def _is_line(ring: Ring, height: int) -> bool:
    """Tell whether a ring is clearly bent, longer than wide, and narrower than the strip."""
    return (
        ring.inner > 0
        and _LEAST_SPAN <= ring.span <= _MOST_SPAN
        and ring.length >= _LEAST_RATIO * ring.width
        and ring.width <= (1 - _MARGIN / 2) * height
    )


def strip_places(rectangle: Rectangle, width: int, height: int) -> NDArray[np.float64]:
    """Return where the pixels of a rectangle's strip lie in the picture, (height, width, 2)."""
    across = ((np.arange(width) + 0.5) / width - 0.5) * rectangle.long
    down = ((np.arange(height) + 0.5) / height - 0.5) * rectangle.short
    along = np.array([math.cos(rectangle.angle), math.sin(rectangle.angle)])
    upright = np.array([-along[1], along[0]])
    middle = np.array(rectangle.center)
    return np.asarray(middle + across[None, :, None] * along + down[:, None, None] * upright)


def place_ring(ring: Ring, rectangle: Rectangle, width: int, height: int) -> Ring:
    """Return a ring of a rectangle's strip as it lies in the picture."""
    across = (ring.center[0] / width - 0.5) * rectangle.long
    down = (ring.center[1] / height - 0.5) * rectangle.short
    cos, sin = math.cos(rectangle.angle), math.sin(rectangle.angle)
    center = (
        rectangle.center[0] + cos * across - sin * down,
        rectangle.center[1] + sin * across + cos * down,
    )
    scale = math.sqrt(rectangle.long / width * rectangle.short / height)
    start = ring.start + rectangle.angle
    return Ring(center, ring.inner * scale, ring.outer * scale, start, ring.span)
