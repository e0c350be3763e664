"""Lay one picture on another to a fraction of a pixel, by a perspective map."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)

# Longer sides on the way from coarse to fine are halves of the picture's, and the steps on each.
_ROUNDS = (2, 4, 8)
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
    planes = picture[..., None] if picture.ndim == 2 else picture
    values = _read(planes.reshape(height * width, -1), u, v, width, height)
    values = values.reshape(*shape, -1)
    return (values[..., 0] if picture.ndim == 2 else values), inside.reshape(shape)


def _read(
    pixels: NDArray[np.float32],
    u: NDArray[np.float32],
    v: NDArray[np.float32],
    width: int,
    height: int,
) -> NDArray[np.float32]:
    """Read between the pixels (bilinear); beyond the rim its last pixel."""
    u, v = np.clip(u, 0, width - 1.001), np.clip(v, 0, height - 1.001)
    left, top = u.astype(np.int32), v.astype(np.int32)
    right, below = (u - left)[:, None], (v - top)[:, None]
    at = top * np.int32(width) + left
    first, second = pixels[at], pixels[at + width]
    first += (pixels[at + 1] - first) * right
    second += (pixels[at + width + 1] - second) * right
    first += (second - first) * below
    return np.asarray(first, dtype=np.float32)


@lru_cache(maxsize=256)
def grid(shape: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return x and y of the middles of the pixels of a grid, in units of its longer side."""
    side = max(shape)
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    return ((x + 0.5) / side).ravel(), ((y + 0.5) / side).ravel()


def register(
    first: NDArray[np.float32], second: NDArray[np.float32], matrix: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Refine how the first grey picture lies on the second, from coarse to fine.

    Robust Gauss-Newton steps on the eight numbers of a perspective map, with brightness and
    contrast fitted along (Baker & Matthews 2004, the compositional form).

    Parameters
    ----------
    first, second : ndarray of float32, shape (height, width)
        Grey levels.
    matrix : ndarray of float64, shape (3, 3)
        A guess; of a point of the first to one of the second, in units of the longer side.

    Returns
    -------
    ndarray of float64, shape (3, 3)
    """
    levels = [(first, second)]
    while len(levels) < len(_ROUNDS):
        levels.append((_half(levels[-1][0]), _half(levels[-1][1])))
    for rounds, (a, b) in zip(reversed(_ROUNDS), reversed(levels), strict=True):
        matrix = _refine(a, b, matrix, rounds)
    return matrix


def _half(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = (side // 2 * 2 for side in picture.shape)
    if min(height, width) < 32:
        return picture
    even = picture[:height, :width]
    return np.asarray(
        (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2]) * np.float32(0.25)
    )


def _refine(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    matrix: NDArray[np.float64],
    rounds: int,
) -> NDArray[np.float64]:
    shape = (first.shape[0], first.shape[1])
    x, y = grid(shape)
    target = np.ascontiguousarray(first).ravel()
    best, least = matrix, np.inf
    for round_ in range(rounds + 1):
        warped, inside = warp(second, matrix, shape)
        if inside.mean() < _LEAST_COVER:
            break
        gain, residual, weight = _fit_brightness(target, warped.ravel(), inside.ravel())
        loss = float((1.0 - np.sqrt(weight[inside.ravel()])).mean())
        if loss < least - 1e-5:
            best, least = matrix, loss
        elif round_ > 1:
            break
        if round_ == rounds:
            break
        matrix = _step(warped * np.float32(gain), residual, weight, x, y, matrix)
    return best


def _step(
    model: NDArray[np.float32],
    residual: NDArray[np.float32],
    weight: NDArray[np.float32],
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    matrix: NDArray[np.float64],
) -> NDArray[np.float64]:
    down, across = (np.asarray(g).ravel() * max(model.shape) for g in np.gradient(model))
    columns = np.empty((8, len(x)), dtype=np.float32)
    np.multiply(across, x, out=columns[0])
    np.multiply(across, y, out=columns[1])
    columns[2] = across
    np.multiply(down, x, out=columns[3])
    np.multiply(down, y, out=columns[4])
    columns[5] = down
    tilt = -(columns[0] + columns[4])
    np.multiply(tilt, x, out=columns[6])
    np.multiply(tilt, y, out=columns[7])
    weighted = columns * weight
    normal = (weighted @ columns.T).astype(np.float64)
    normal[np.diag_indices(8)] *= 1.0 + _DAMPING
    normal[np.diag_indices(8)] += 1e-2
    change = np.linalg.solve(normal, (weighted @ residual).astype(np.float64))
    change = np.clip(change, -_LARGEST_STEP, _LARGEST_STEP)
    moved = matrix @ (np.eye(3) + np.append(change, 0.0).reshape(3, 3))
    return np.asarray(moved / moved[2, 2])


def _fit_brightness(
    target: NDArray[np.float32], source: NDArray[np.float32], inside: NDArray[np.bool_]
) -> tuple[float, NDArray[np.float32], NDArray[np.float32]]:
    """Return gain, residual and Geman-McClure weight of target against gain · source + bias."""
    weight = inside.astype(np.float32)
    gain, residual = 1.0, target - source
    for _ in range(3):
        total = max(float(weight.sum()), 1e-9)
        mean_a, mean_b = float(weight @ target) / total, float(weight @ source) / total
        covariance = float((weight * (target - np.float32(mean_a))) @ (source - np.float32(mean_b)))
        away = source - np.float32(mean_b)
        variance = float((weight * away) @ away)
        gain = float(np.clip((covariance + 1.0) / (variance + 1.0), 0.2, 5.0))
        residual = target - np.float32(mean_a) - np.float32(gain) * (source - np.float32(mean_b))
        weight = inside / np.square(1.0 + np.square(residual * np.float32(1 / _SOFTNESS)))
    return gain, residual, weight
