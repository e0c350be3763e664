"""From a detector's probability map to the lines of text in a picture.

The way of "Real-time scene text detection with differentiable binarization" (Liao et al., AAAI
2020): threshold, connected components, and shapes grown by the ratio of area to perimeter, since
the network is trained on lines that were shrunk by it. What is added here is the ring for lines
that are bent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vernis.core.text.geometry import (
    Points,
    Rectangle,
    Ring,
    fit_ring,
    outline_points,
    smallest_rectangle,
)


@dataclass(frozen=True, slots=True)
class DetectionSettings:
    """What counts as a line; the first three as the network's publisher gives them.

    Attributes
    ----------
    threshold : float
        Least probability of a pixel.
    least_score : float
        Least mean probability of a line's pixels.
    growth : float
        A line grows by this times area over perimeter.
    least_height : float
        In pixels of the map, before growing.
    core : float
        Least probability of the pixels to which a ring is fitted: in the hollow of a bent line the
        network is often half sure.
    bent_below : float
        A line whose core fills less of its rectangle may lie on a ring.
    """

    threshold: float = 0.2
    least_score: float = 0.4
    growth: float = 1.2
    least_height: float = 2.0
    core: float = 0.8
    bent_below: float = 0.7


@dataclass(frozen=True, slots=True)
class Line:
    """Where a line of text lies, in pixels.

    ``ring`` is set where the line is bent. ``score`` is the detector's mean probability.
    """

    rectangle: Rectangle
    score: float
    ring: Ring | None = None

    @property
    def height(self) -> float:
        """Height of the line, across the text."""
        return self.ring.width if self.ring is not None else self.rectangle.short

    def moved(self, right: float, down: float) -> Line:
        """Return it further right and down by that many pixels."""

        def move(center: tuple[float, float]) -> tuple[float, float]:
            return center[0] + right, center[1] + down

        rectangle = replace(self.rectangle, center=move(self.rectangle.center))
        ring = None if self.ring is None else replace(self.ring, center=move(self.ring.center))
        return Line(rectangle, self.score, ring)


def find_lines(
    probability: NDArray[np.floating], settings: DetectionSettings | None = None
) -> list[Line]:
    """Return the lines of text of a probability map, the surest first.

    Parameters
    ----------
    probability : ndarray, shape (height, width)
        The detector's probability of text, 0..1.
    settings : DetectionSettings, optional

    Returns
    -------
    list of Line
        In pixels of the map.
    """
    settings = settings or DetectionSettings()
    labels, count = ndimage.label(probability > settings.threshold, np.ones((3, 3), int))
    lines = []
    for number, place in enumerate(ndimage.find_objects(labels, count), start=1):
        mask = labels[place] == number
        own = np.where(mask, probability[place], 0.0)
        score = float(own[mask].mean())
        if score < settings.least_score:
            continue
        offset = np.array([place[1].start, place[0].start], np.float64)
        line = _enclose(mask, own > settings.core, offset, score, settings)
        if line is not None:
            lines.append(line)
    return sorted(lines, key=lambda line: -line.score)


def _enclose(
    mask: NDArray[np.bool_],
    core: NDArray[np.bool_],
    offset: Points,
    score: float,
    settings: DetectionSettings,
) -> Line | None:
    rectangle = smallest_rectangle(outline_points(mask) + offset)
    if rectangle.short < settings.least_height:
        return None
    margin = settings.growth * rectangle.area / (2 * (rectangle.long + rectangle.short))
    ring = None
    fill = float(core.sum()) / rectangle.area
    if fill < settings.bent_below and rectangle.long >= 1.2 * rectangle.short:
        ring = _bend(core, offset, fill, settings)
    return Line(rectangle.grown(margin), score, ring)


def _bend(
    core: NDArray[np.bool_], offset: Points, fill: float, settings: DetectionSettings
) -> Ring | None:
    """Return the ring of a bent line where it fits clearly better than the rectangle."""
    rows, columns = np.nonzero(core)
    ring = fit_ring(columns + 0.5 + offset[0], rows + 0.5 + offset[1])
    if ring is None or ring.span < 0.3 or ring.length < 2 * ring.width or ring.inner <= 0:
        return None
    if len(rows) / ring.area < max(1.15 * fill, 0.6):
        return None
    margin = settings.growth * ring.area / (2 * (ring.length + ring.width))
    return ring.grown(margin)


def scale_line(line: Line, across: float, down: float) -> Line:
    """Return the line in a picture that is scaled by these factors.

    A rectangle that is neither level nor upright is no rectangle any more where the two differ; the
    smallest that holds it is taken. Of rings the mean of the two factors is taken.
    """
    factors = np.array([across, down])
    rectangle = smallest_rectangle(line.rectangle.corners() * factors)
    ring = line.ring
    if ring is not None:
        mean = math.sqrt(across * down)
        center = (ring.center[0] * across, ring.center[1] * down)
        ring = replace(ring, center=center, inner=ring.inner * mean, outer=ring.outer * mean)
    return Line(rectangle, line.score, ring)
