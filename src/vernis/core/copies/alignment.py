"""Align pairs of fingerprints: one of eight orientations, a crop, a scale.

A placement maps a point of picture *b* to the point of picture *a* that shows the same, both in
coordinates of the picture stretched to the unit square (x to the right, y down):
``p_a = A p_b + t``. All functions work on many pairs at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.core.copies.fingerprints import ORIENTATIONS, turn_matrix

CENTER = np.array([0.5, 0.5], dtype=np.float32)
_COFACTOR_SIGNS = np.array([[1, -1], [-1, 1]], dtype=np.float32)
# Points that are worked on at a time, so that they stay in the processor's cache.
_BLOCK_POINTS = 65_536
# A step of one round is cut to this size (in picture widths), so that a bad start cannot jump.
_MAX_STEP = 0.08
# Residuals beyond this many grey levels count less, so that a banner does not pull the alignment.
_ROBUST_LEVELS = 20.0
_BRIGHTNESS_ROUNDS = 3
_MEDIAN_STRIDE = 5
# Two numbers are fitted: of pictures with many points so many are enough. The stride is odd, so
# that it walks through all columns.
_FIT_POINTS = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Placements:
    """How each pair lies on one another.

    Attributes
    ----------
    matrix : ndarray of float32, shape (n_pairs, 2, 2)
    offset : ndarray of float32, shape (n_pairs, 2)
    """

    matrix: NDArray[np.float32]
    offset: NDArray[np.float32]

    def take(self, rows: NDArray[np.int64] | slice) -> Placements:
        """Return some of the pairs."""
        return Placements(self.matrix[rows], self.offset[rows])

    def inverse(self) -> Placements:
        """Return the placements of a on b."""
        determinant = np.linalg.det(self.matrix)[:, None, None]
        # Swap the diagonal, change the sign of the rest.
        swapped = self.matrix[:, ::-1, ::-1].swapaxes(1, 2) * _COFACTOR_SIGNS
        matrix = (swapped / determinant).astype(np.float32)
        return Placements(matrix, -np.einsum("pij,pj->pi", matrix, self.offset))

    def after(self, first: Placements) -> Placements:
        """Return the placements of c on a, where self is b on a and ``first`` is c on b."""
        matrix = self.matrix @ first.matrix
        offset = np.einsum("pij,pj->pi", self.matrix, first.offset) + self.offset
        return Placements(matrix, offset)

    def scale(self) -> NDArray[np.float32]:
        """Return the width of b's picture on a, 1 = the whole; shape (n_pairs,)."""
        return np.asarray(np.sqrt(np.abs(np.linalg.det(self.matrix))), dtype=np.float32)

    def orientation(self) -> NDArray[np.int64]:
        """Return the nearest of ``ORIENTATIONS``, shape (n_pairs,): a turned so gives b."""
        turns = np.stack([turn_matrix(k) for k in range(len(ORIENTATIONS))])
        # matrix maps b to a, a turn maps a to b: compare with the transposed turn.
        return np.asarray(np.einsum("pij,kji->pk", self.matrix, turns).argmax(axis=1))


def refine_placements(
    pictures: NDArray[np.float32],
    pairs: NDArray[np.int64],
    placements: Placements,
    rounds: int = 4,
) -> Placements:
    """Refine scale (each axis) and shift by robust Gauss-Newton steps.

    Brightness and contrast are estimated along, as in the enhanced correlation of Evangelidis and
    Psarakis (2008) but by least squares; points with large residuals count less (Huber).

    Parameters
    ----------
    pictures : ndarray of float32, shape (n_images, side, side)
    pairs : ndarray of int64, shape (n_pairs, 2)
        The first is sampled where the points of the second fall.
    placements : Placements
    """
    matrix, offset = placements.matrix.copy(), placements.offset.copy()
    grid = sample_grid(pictures.shape[1])
    block = max(1, _BLOCK_POINTS // len(grid))
    for start in range(0, len(pairs), block):
        part = slice(start, start + block)
        target = pictures[pairs[part, 1]].reshape(-1, len(grid))
        for _ in range(rounds):
            now = Placements(matrix[part], offset[part])
            warped, inside = sample(pictures, pairs[part, 0], now, pictures.shape[1])
            step = _gauss_newton_step(warped, target, inside, grid)
            # b's points move about the centre: A' = A (I + D), t' = t + A (s - D c).
            shift = step[:, 2:] - step[:, :2] * CENTER
            offset[part] += np.einsum("pij,pj->pi", now.matrix, shift)
            matrix[part] *= 1.0 + step[:, None, :2]
    return Placements(matrix, offset)


def sample_grid(side: int) -> NDArray[np.float32]:
    """Return the centres of a picture's points, x and y in 0..1, shape (side², 2)."""
    axis = (np.arange(side, dtype=np.float32) + 0.5) / side
    y, x = np.meshgrid(axis, axis, indexing="ij")
    return np.column_stack([x.ravel(), y.ravel()])


def sample(
    pictures: NDArray[np.floating[Any]] | NDArray[np.uint8],
    rows: NDArray[np.int64],
    placements: Placements,
    side: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Read pictures where the points of a grid of ``side`` × ``side`` fall (bilinear).

    Placements scale along the axes and turn by 90° at the most. Rows and columns are hence
    interpolated one after the other, each by a product with a matrix that has two weights a line.

    Returns
    -------
    values : ndarray of float32, shape (n_pairs, side²)
    inside : ndarray of float32, shape (n_pairs, side²)
        1 where a point falls on the picture, else 0.
    """
    matrix, offset = placements.matrix, placements.offset
    turned = np.flatnonzero(np.abs(matrix[:, 0, 1]) > np.abs(matrix[:, 0, 0]))
    # One of the two entries is 0: the sum is the scale, with its sign, of that axis.
    slope = matrix.sum(axis=2)[:, :, None]
    axis = (np.arange(side, dtype=np.float32) + 0.5) / np.float32(side)
    places = slope * axis + offset[:, :, None]
    within = np.asarray((places >= 0) & (places <= 1), dtype=np.float32)
    weights = _interpolation_weights(places, pictures.shape[1])
    picked = pictures[rows].astype(np.float32, copy=False)
    lines = weights[:, 1] @ picked
    values = np.asarray(lines @ weights[:, 0].swapaxes(1, 2), dtype=np.float32)
    inside = within[:, 1, :, None] * within[:, 0, None, :]
    for planes in (values, inside):
        planes[turned] = planes[turned].swapaxes(1, 2)
    return values.reshape(len(rows), -1), inside.reshape(len(rows), -1)


def _interpolation_weights(places: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Return the share of each pixel of a line in each place (0..1, beyond: the last pixel)."""
    pixel = np.clip(places * np.float32(size) - np.float32(0.5), 0, size - 1)
    weights = pixel[..., None] - np.arange(size, dtype=np.float32)
    np.abs(weights, out=weights)
    np.subtract(1.0, weights, out=weights)
    return np.asarray(np.maximum(weights, 0.0, out=weights))


def _gauss_newton_step(
    warped: NDArray[np.float32],
    target: NDArray[np.float32],
    inside: NDArray[np.float32],
    grid: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return the change of scale x, y and shift x, y of each pair, shape (n_pairs, 4)."""
    n, points = warped.shape
    side = round(points**0.5)
    gain, bias, weight = fit_brightness(warped, target, inside)
    # Six unknowns a pair: scale x and y, shift x and y, gain, bias; then what is left to explain.
    columns = np.empty((n, 7, points), dtype=np.float32)
    model = columns[:, 4]
    np.multiply(gain[:, None], warped, out=model)
    model += bias[:, None]
    for column, axis in ((2, 2), (3, 1)):
        slope = np.gradient(model.reshape(n, side, side), 1.0 / side, axis=axis)
        columns[:, column] = np.asarray(slope).reshape(n, -1)
    np.multiply(columns[:, 2:4], (grid - CENTER).T, out=columns[:, :2])
    columns[:, 5] = 1.0
    np.subtract(target, model, out=columns[:, 6])
    weighted = columns[:, :6] * weight[:, None]
    moments = weighted @ columns.swapaxes(1, 2)
    normal, right = moments[:, :, :6].astype(np.float64), moments[:, :, 6:]
    diagonal = np.einsum("pkk->pk", normal)
    # Levenberg's damping keeps flat pictures solvable.
    diagonal += 1e-3 * diagonal + 1e-3
    step = np.linalg.solve(normal, right)[..., 0]
    return np.asarray(np.clip(step[:, :4], -_MAX_STEP, _MAX_STEP), dtype=np.float32)


def fit_brightness(
    source: NDArray[np.float32], target: NDArray[np.float32], inside: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Fit target ≈ gain · source + bias, robustly (Geman-McClure weights), per row.

    Returns
    -------
    gain, bias : ndarray of float32, shape (n_pairs,)
        The gain is kept within 0.2..5.
    weight : ndarray of float32, shape (n_pairs, n_points)
        0..1; small where a point does not fit.
    """
    stride = max(1, source.shape[1] // _FIT_POINTS)
    stride += 1 - stride % 2
    some = slice(None, None, stride)
    gain, bias, weight = _fit_line(
        *(np.ascontiguousarray(x[:, some]) for x in (source, target, inside))
    )
    if stride > 1:
        weight = _weigh(source, target, gain, bias) * inside
    return gain, bias, weight


def _fit_line(
    source: NDArray[np.float32], target: NDArray[np.float32], inside: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    # Not from least squares: a white banner would have all the leverage.
    gain = np.ones(len(source), dtype=np.float32)
    residual = target - source
    bias = np.median(residual[:, ::_MEDIAN_STRIDE], axis=1)
    residual -= bias[:, None]
    weight = robust_weights(residual, 2 * _ROBUST_LEVELS) * inside
    for _ in range(_BRIGHTNESS_ROUNDS):
        gain, bias = _weighted_line(source, target, weight)
        weight = _weigh(source, target, gain, bias) * inside
    return gain, bias, weight


def _weigh(
    source: NDArray[np.float32],
    target: NDArray[np.float32],
    gain: NDArray[np.float32],
    bias: NDArray[np.float32],
) -> NDArray[np.float32]:
    residual = gain[:, None] * source
    residual += bias[:, None]
    np.subtract(target, residual, out=residual)
    return robust_weights(residual)


def robust_weights(
    residual: NDArray[np.float32], level: float = _ROBUST_LEVELS
) -> NDArray[np.float32]:
    """Return the Geman-McClure weight of each residual (grey levels); 0..1."""
    residual = residual * (1.0 / level)
    residual *= residual
    residual += 1.0
    return np.asarray(1.0 / (residual * residual))


def _weighted_line(
    source: NDArray[np.float32], target: NDArray[np.float32], weight: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    total = np.maximum(weight.sum(axis=1), 1e-6)
    weighted = weight * source
    mean_source = weighted.sum(axis=1) / total
    mean_target = np.einsum("pn,pn->p", weight, target) / total
    covariance = np.einsum("pn,pn->p", weighted, target) / total - mean_source * mean_target
    variance = np.einsum("pn,pn->p", weighted, source) / total - mean_source * mean_source
    gain = np.clip((covariance + 1.0) / (variance + 1.0), 0.2, 5.0)
    return gain, mean_target - gain * mean_source
