"""The geometry of a line of text: the smallest rectangle or the ring that holds its pixels.

Coordinates are ``(x, y)``, x to the right and y downwards; the pixel in column 0 and row 0 covers
the square from 0 to 1. Angles run clockwise on the screen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

LEAST_SIDE = 1e-6
_STEPS = 12
_CLOSE = 0.01
"""Steps of the circle's centre below this many pixels end the search."""
_MOST_POINTS = 600
_SLICE = 0.5
"""Length of a slice of a ring when it is unrolled, as a share of the ring's width."""


@dataclass(frozen=True, slots=True)
class Rectangle:
    """A rectangle in any direction.

    ``angle`` is that of its long side, in radians, in (-pi/2, pi/2]; ``long`` and ``short`` are the
    lengths of its sides.
    """

    center: tuple[float, float]
    long: float
    short: float
    angle: float

    @property
    def area(self) -> float:
        """Its area, in square pixels."""
        return self.long * self.short

    def grown(self, margin: float) -> Rectangle:
        """Return it with every side moved outwards."""
        return Rectangle(self.center, self.long + 2 * margin, self.short + 2 * margin, self.angle)

    def corners(self, turns: int = 0) -> Points:
        """Return its corners, shape ``(4, 2)``, clockwise from where a reader starts.

        Parameters
        ----------
        turns : int
            0: the text runs along the long side, to the right (or downwards where that side is
            upright). Each further turn is a quarter clockwise: 1 is text along the short side.
        """
        angle = self.angle + turns * math.pi / 2
        width, height = (self.long, self.short) if turns % 2 == 0 else (self.short, self.long)
        along = np.array([math.cos(angle), math.sin(angle)]) * width / 2
        down = np.array([-math.sin(angle), math.cos(angle)]) * height / 2
        middle = np.array(self.center)
        return np.stack(
            [
                middle - along - down,
                middle + along - down,
                middle + along + down,
                middle - along + down,
            ]
        )


@dataclass(frozen=True, slots=True)
class Ring:
    """A part of a ring, on which a curved line lies.

    It covers the angles from ``start`` to ``start + span`` (clockwise on the screen) and the
    distances from ``inner`` to ``outer``.
    """

    center: tuple[float, float]
    inner: float
    outer: float
    start: float
    span: float

    @property
    def area(self) -> float:
        """Its area, in square pixels."""
        return self.span * (self.outer**2 - self.inner**2) / 2

    @property
    def length(self) -> float:
        """The length of its middle line."""
        return self.span * (self.outer + self.inner) / 2

    @property
    def width(self) -> float:
        """The distance between its two arcs."""
        return self.outer - self.inner

    def grown(self, margin: float) -> Ring:
        """Return it with every side moved outwards, at most to a full turn."""
        wider = 2 * margin / max((self.inner + self.outer) / 2, LEAST_SIDE)
        span = min(self.span + wider, 2 * math.pi)
        return Ring(
            self.center,
            max(self.inner - margin, 0.0),
            self.outer + margin,
            self.start - (span - self.span) / 2,
            span,
        )

    def mesh(self, turns: int = 0) -> Points:
        """Return the quadrilaterals that unroll it, shape ``(n_slices, 4, 2)``.

        Each has its corners clockwise from the reader's upper left; the slices follow the text.

        Parameters
        ----------
        turns : {0, 2}
            0: the letters stand on the inner arc; 2: they stand on the outer arc.
        """
        count = max(2, math.ceil(self.length / max(self.width * _SLICE, LEAST_SIDE)))
        angles = self.start + self.span * np.linspace(0, 1, count + 1)
        rays = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        outer = np.array(self.center) + self.outer * rays
        inner = np.array(self.center) + self.inner * rays
        quads = np.stack([outer[:-1], outer[1:], inner[1:], inner[:-1]], axis=1)
        return np.roll(quads[::-1], 2, axis=1) if turns % 4 == 2 else quads


def outline_points(mask: NDArray[np.bool_]) -> Points:
    """Return the corners of the outermost pixels of each row, shape ``(n, 2)``.

    Their convex hull is that of all pixels.
    """
    rows = np.flatnonzero(mask.any(axis=1))
    part = mask[rows]
    left = part.argmax(axis=1)
    right = part.shape[1] - part[:, ::-1].argmax(axis=1)
    top = np.concatenate([np.stack([left, rows], 1), np.stack([right, rows], 1)])
    return np.concatenate([top, top + np.array([0, 1])]).astype(np.float64)


def convex_hull(points: Points) -> Points:
    """Return the corners of the convex hull, in order, shape ``(n, 2)`` (Andrew's chain)."""
    ordered = sorted(set(map(tuple, points.tolist())))
    if len(ordered) < 3:
        return np.array(ordered)

    def chain(sequence: list[tuple[float, ...]]) -> list[tuple[float, ...]]:
        kept: list[tuple[float, ...]] = []
        for x, y in sequence:
            while len(kept) > 1:
                (ax, ay), (bx, by) = kept[-2], kept[-1]
                if (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0:
                    break
                kept.pop()
            kept.append((x, y))
        return kept[:-1]

    return np.array(chain(ordered) + chain(ordered[::-1]))


def smallest_rectangle(points: Points) -> Rectangle:
    """Return the rectangle of least area that holds all points.

    One of its sides lies on a side of the convex hull (Freeman & Shapira 1975), so each is tried.

    Parameters
    ----------
    points : ndarray, shape (n_points, 2)
        At least one.
    """
    hull = convex_hull(np.asarray(points, np.float64))
    if len(hull) == 1:
        return Rectangle((float(hull[0, 0]), float(hull[0, 1])), 0.0, 0.0, 0.0)
    sides = np.roll(hull, -1, axis=0) - hull
    angles = np.unique(np.mod(np.arctan2(sides[:, 1], sides[:, 0]), math.pi / 2).round(9))
    along = np.stack([np.cos(angles), np.sin(angles)])
    across = np.stack([-np.sin(angles), np.cos(angles)])
    u, v = hull @ along, hull @ across
    width, height = np.ptp(u, axis=0), np.ptp(v, axis=0)
    best = int(np.argmin(width * height))
    middle = (u[:, best].min() + width[best] / 2) * along[:, best]
    middle = middle + (v[:, best].min() + height[best] / 2) * across[:, best]
    angle = float(angles[best])
    if height[best] > width[best]:
        angle += math.pi / 2
    if angle > math.pi / 2:
        angle -= math.pi
    sizes = sorted((float(width[best]), float(height[best])))
    return Rectangle((float(middle[0]), float(middle[1])), sizes[1], sizes[0], angle)


def fit_circle(x: Points, y: Points) -> tuple[float, float] | None:
    """Return the centre from which the points are most nearly at one distance.

    Their distances' variance is made least, by Gauss-Newton steps from the closed form of Kåsa
    (1976), which alone takes a thick short arc for a small circle.

    Parameters
    ----------
    x, y : ndarray, shape (n_points,)

    Returns
    -------
    tuple of float or None
        None where the points lie on a straight line.
    """
    mx, my = float(x.mean()), float(y.mean())
    u, v = x - mx, y - my
    squares = u * u + v * v
    center = _solve(_dot(u, u), _dot(u, v), _dot(v, v), _dot(u, squares) / 2, _dot(v, squares) / 2)
    if center is None:
        return None
    for _ in range(_STEPS):
        across, down = u - center[0], v - center[1]
        distance = np.maximum(np.hypot(across, down), LEAST_SIDE)
        across /= distance
        down /= distance
        across -= across.mean()
        down -= down.mean()
        step = _solve(
            _dot(across, across),
            _dot(across, down),
            _dot(down, down),
            _dot(across, distance),
            _dot(down, distance),
        )
        if step is None:
            return None
        center = center[0] + step[0], center[1] + step[1]
        if max(map(abs, step)) < _CLOSE:
            break
    return mx + center[0], my + center[1]


def _dot(first: Points, second: Points) -> float:
    return float(first @ second)


def _solve(a: float, b: float, c: float, x: float, y: float) -> tuple[float, float] | None:
    """Return the solution of the equations ((a, b), (b, c)) · z = (x, y), None without one."""
    determinant = a * c - b * b
    if abs(determinant) < LEAST_SIDE:
        return None
    return (c * x - b * y) / determinant, (a * y - b * x) / determinant


def fit_ring(x: Points, y: Points) -> Ring | None:
    """Return the part of a ring that holds the pixels of a curved line, None where none fits.

    Its arcs are placed so that a ring that is filled evenly has its own arcs, whatever single
    pixels stick out.

    Parameters
    ----------
    x, y : ndarray, shape (n_pixels,)
        Centres of the pixels.
    """
    if len(x) < 3:
        return None
    every = max(1, len(x) // _MOST_POINTS)
    center = fit_circle(x[::every], y[::every])
    if center is None:
        return None
    distance = np.hypot(x - center[0], y - center[1])
    low, high = np.quantile(distance, [0.05, 0.95])
    spare = (high - low) * 0.05 / 0.9 + 0.5
    bearing = np.sort(np.arctan2(y - center[1], x - center[0]))
    gaps = np.diff(bearing, append=bearing[0] + 2 * math.pi)
    widest = int(gaps.argmax())
    span = 2 * math.pi - float(gaps[widest])
    start = float(bearing[(widest + 1) % len(bearing)])
    return Ring(center, max(float(low - spare), 0.0), float(high + spare), start, span)
