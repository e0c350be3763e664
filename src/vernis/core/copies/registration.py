"""Lay one picture on another to a fraction of a pixel, by a perspective map."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)

# From coarse to fine: the halvings of the pictures, every how many-th point, and the most steps.
_LEVELS = (1, 2, 4), (0, 3, 3)
_SMALL_ROUNDS = 8
_STILL = 0.0002  # of the longer side; a smaller step ends a level
_SOFTNESS = 20.0  # grey levels beyond which a difference counts less
_LARGEST_STEP = 0.06
_DAMPING = 1e-3
_LEAST_COVER = 0.08


def warp(
    picture: NDArray[np.float32], matrix: NDArray[np.float64], shape: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Read a picture where the points of a grid fall.

    Parameters
    ----------
    picture : ndarray of float32, shape (height, width) or (height, width, 3)
    matrix : ndarray of float64, shape (3, 3)
        From a point of the grid to one of the picture, both in units of their longer side.
    shape : (int, int)
        Height and width of the grid.

    Returns
    -------
    values : ndarray of float32, shape ``shape`` and the picture's channels
    inside : ndarray of bool, shape ``shape``
        Where a point falls on the picture.
    """
    x, y = grid(shape)
    rows = matrix.astype(np.float32)
    depth = rows[2, 0] * x + rows[2, 1] * y + rows[2, 2]
    depth[np.abs(depth) < 1e-9] = 1e-9
    side = np.float32(max(picture.shape[:2]))
    u = (rows[0, 0] * x + rows[0, 1] * y + rows[0, 2]) * (side / depth) - np.float32(0.5)
    v = (rows[1, 0] * x + rows[1, 1] * y + rows[1, 2]) * (side / depth) - np.float32(0.5)
    height, width = picture.shape[:2]
    inside = (u >= -0.5) & (u <= width - 0.5) & (v >= -0.5) & (v <= height - 0.5) & (depth > 0)
    if picture.ndim == 2:
        values = _read(picture.reshape(1, -1), u, v, width, height)[0].reshape(shape)
    else:
        planes = np.ascontiguousarray(picture.reshape(height * width, -1).T)
        values = np.ascontiguousarray(_read(planes, u, v, width, height).T).reshape(*shape, -1)
    return values, inside.reshape(shape)


def _read(
    planes: NDArray[np.float32],
    u: NDArray[np.float32],
    v: NDArray[np.float32],
    width: int,
    height: int,
) -> NDArray[np.float32]:
    """Read planes between their pixels (bilinear); beyond the rim the last pixel.

    Planes of shape (n_planes, height * width) give values of shape (n_planes, n_points).
    """
    u = np.minimum(np.maximum(u, np.float32(0)), np.float32(width - 1.001))
    v = np.minimum(np.maximum(v, np.float32(0)), np.float32(height - 1.001))
    left, top = np.floor(u), np.floor(v)
    u -= left
    v -= top
    at = (top * np.float32(width) + left).astype(np.intp)  # exact below 2**24
    below = at + width
    values = np.empty((len(planes), len(at)), dtype=np.float32)
    for plane, first in zip(planes, values, strict=True):
        second = plane.take(below)
        beside = plane[1:].take(below)
        beside -= second
        beside *= u
        second += beside
        plane.take(at, out=first, mode="clip")  # they all lie within it
        np.subtract(plane[1:].take(at), first, out=beside)
        beside *= u
        first += beside
        second -= first
        second *= v
        first += second
    return values


@lru_cache(maxsize=256)
def grid(shape: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return x and y of the middles of the pixels of a grid, in units of its longer side."""
    side = max(shape)
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    return ((x + 0.5) / side).ravel(), ((y + 0.5) / side).ravel()


@dataclass(frozen=True, slots=True, eq=False)
class Registered:
    """How one picture lies on another.

    Attributes
    ----------
    matrix : ndarray of float64, shape (3, 3)
        Of a point of the first to one of the second, in units of the longer side.
    apart : float
        How much they differ there, 0..1: the mean of r² / (r² + 20²) over differences r of grey
        levels.
    """

    matrix: NDArray[np.float64]
    apart: float


def register(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    matrix: NDArray[np.float64],
    goes_on: Callable[[Registered], bool] = lambda _: True,
) -> Registered:
    """Refine how the first grey picture lies on the second, from coarse to fine.

    Robust Gauss-Newton steps on the eight numbers of a perspective map, with brightness and
    contrast fitted along (Baker & Matthews 2004, the additive form).

    Parameters
    ----------
    first, second : ndarray of float32, shape (height, width)
        Grey levels.
    matrix : ndarray of float64, shape (3, 3)
        A guess, as ``register_small`` gives it.
    goes_on : callable
        Asked after each level whether the next is worth it.
    """
    levels = (first, second), (_half(first), _half(second))
    found = Registered(matrix, 1.0)
    for level, stride, rounds in _LEVELS:
        found = _refine(*levels[level], found.matrix, stride, rounds)
        if not goes_on(found):
            break
    return found


def register_small(
    first: NDArray[np.float32], second: NDArray[np.float32], matrix: NDArray[np.float64]
) -> Registered:
    """Refine how a small grey picture, of about 64 pixels, lies on another; see ``register``."""
    return _refine(first, second, matrix, 1, _SMALL_ROUNDS)


def _half(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = (side // 2 * 2 for side in picture.shape)
    if min(height, width) < 32:
        return picture
    even = picture[:height, :width]
    return np.asarray(
        (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) * np.float32(0.25)
    )


@lru_cache(maxsize=512)
def _points(shape: tuple[int, int], stride: int) -> tuple[NDArray[np.float32], ...]:
    x, y = (axis.reshape(shape)[::stride, ::stride].ravel() for axis in grid(shape))
    return x, y


def _refine(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    matrix: NDArray[np.float64],
    stride: int,
    rounds: int,
) -> Registered:
    x, y = _points((first.shape[0], first.shape[1]), stride)
    target = np.ascontiguousarray(first[::stride, ::stride]).ravel()
    height, width = second.shape
    side = np.float32(max(height, width))
    planes = np.empty((3, height, width), dtype=np.float32)
    planes[0] = second
    planes[1, 1:-1] = (second[2:] - second[:-2]) * (side / 2)
    planes[2, :, 1:-1] = (second[:, 2:] - second[:, :-2]) * (side / 2)
    planes[1, [0, -1]] = planes[2, :, [0, -1]] = 0
    flat = planes.reshape(3, -1)
    best = Registered(matrix, np.inf)
    for round_ in range(rounds + 1):
        u, v, depth = _project(matrix, x, y)
        inside = (u >= 0) & (u <= width / side) & (v >= 0) & (v <= height / side) & (depth > 0)
        if inside.mean() < _LEAST_COVER:
            break
        read = _read(flat, u * side - 0.5, v * side - 0.5, width, height)
        gain, residual, weight = _fit_brightness(target, read[0], inside)
        apart = 1.0 - float(np.sqrt(weight).sum()) / float(inside.sum())
        if apart < best.apart - 1e-5:
            best = Registered(matrix, apart)
        elif round_ > 1:
            break
        if round_ == rounds:
            break
        slopes = read[1:] * (np.float32(gain) / depth)
        change = _solve(slopes[1], slopes[0], (u, v), (x, y), residual, weight)
        matrix = matrix + np.append(change, 0.0).reshape(3, 3)
        if np.abs(change).max() < _STILL:
            break
    return best


def _project(
    matrix: NDArray[np.float64], x: NDArray[np.float32], y: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    rows = matrix.astype(np.float32)
    depth = rows[2, 0] * x + rows[2, 1] * y + rows[2, 2]
    depth[np.abs(depth) < 1e-9] = 1e-9
    u = (rows[0, 0] * x + rows[0, 1] * y + rows[0, 2]) / depth
    v = (rows[1, 0] * x + rows[1, 1] * y + rows[1, 2]) / depth
    return u, v, depth


def _solve(
    across: NDArray[np.float32],
    down: NDArray[np.float32],
    place: tuple[NDArray[np.float32], NDArray[np.float32]],
    point: tuple[NDArray[np.float32], NDArray[np.float32]],
    residual: NDArray[np.float32],
    weight: NDArray[np.float32],
) -> NDArray[np.float64]:
    """Return the step of the eight numbers, of least weighted squares."""
    x, y = point
    columns = np.empty((8, len(x)), dtype=np.float32)
    tilt = -(across * place[0] + down * place[1])
    for row, slope in ((0, across), (3, down), (6, tilt)):
        np.multiply(slope, x, out=columns[row])
        np.multiply(slope, y, out=columns[row + 1])
        if row < 6:
            columns[row + 2] = slope
    weighted = columns * weight
    normal = (weighted @ columns.T).astype(np.float64)
    normal[np.diag_indices(8)] *= 1.0 + _DAMPING
    normal[np.diag_indices(8)] += 1e-2
    change = np.linalg.solve(normal, (weighted @ residual).astype(np.float64))
    return np.asarray(np.clip(change, -_LARGEST_STEP, _LARGEST_STEP))


def _fit_brightness(
    target: NDArray[np.float32], source: NDArray[np.float32], inside: NDArray[np.bool_]
) -> tuple[float, NDArray[np.float32], NDArray[np.float32]]:
    """Return gain, residual and Geman-McClure weight of target against gain · source + bias."""
    weight = inside.astype(np.float32)
    gain, residual = 1.0, target - source
    for _ in range(3):
        total = max(float(weight.sum()), 1e-9)
        mean_a, mean_b = float(weight @ target) / total, float(weight @ source) / total
        away, level = source - np.float32(mean_b), target - np.float32(mean_a)
        weighted = weight * away
        covariance, variance = float(weighted @ level), float(weighted @ away)
        gain = float(np.clip((covariance + 1.0) / (variance + 1.0), 0.2, 5.0))
        residual = level - np.float32(gain) * away
        weight = 1.0 / np.square(1.0 + np.square(residual * np.float32(1 / _SOFTNESS)))
        weight *= inside
    return gain, residual, weight
