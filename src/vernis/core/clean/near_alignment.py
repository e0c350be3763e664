"""Align pairs of fingerprints: one of eight orientations, a crop, a scale.

A placement maps a point of picture *b* to the point of picture *a* that shows the same, both in
coordinates of the picture stretched to the unit square (x to the right, y down):
``p_a = A p_b + t``. All functions work on many pairs at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.core.clean.near_fingerprints import ORIENTATIONS, turn, turn_matrix

COARSE_SIDE = 8
"""Side of the small pictures on which orientation and crop are guessed."""

CROP_SCALES: tuple[float, ...] = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5)
_CROP_STEP = 0.1
WHOLE_GUESSES = 3
CROP_GUESSES = 3
_CENTER = np.array([0.5, 0.5], dtype=np.float32)
# Points that are worked on at a time, so that they stay in the processor's cache.
_BLOCK_POINTS = 65_536
# A step of one round is cut to this size (in picture widths), so that a bad start cannot jump.
_MAX_STEP = 0.08
# Residuals beyond this many grey levels count less, so that a banner does not pull the alignment.
_ROBUST_LEVELS = 20.0
_BRIGHTNESS_ROUNDS = 3


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
        matrix = np.linalg.inv(self.matrix).astype(np.float32)
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


def crop_windows() -> NDArray[np.float32]:
    """Return the crops that are tried: left, top, scale of each, shape (n_crops, 3)."""
    windows = [
        (x, y, scale) for scale in CROP_SCALES for y, x in product(_window_offsets(scale), repeat=2)
    ]
    return np.array(windows, dtype=np.float32)


def guess_placements(
    pictures: NDArray[np.float32], pairs: NDArray[np.int64], *, block: int = 1024
) -> tuple[Placements, NDArray[np.float32]]:
    """Guess how pairs lie on one another by trying every orientation and a grid of crops.

    Several guesses are kept, since a banner can make a wrong crop look better than the true
    placement: the best ``WHOLE_GUESSES`` orientations of the whole picture and the best
    ``CROP_GUESSES`` of the crops of either picture.

    Parameters
    ----------
    pictures : ndarray of float32, shape (n_images, side, side)
        Grey; side a multiple of ``COARSE_SIDE``.
    pairs : ndarray of int64, shape (n_pairs, 2)
    block : int
        Pictures whose crops are held at a time.

    Returns
    -------
    placements : Placements
        ``n_guesses = WHOLE_GUESSES + CROP_GUESSES`` in a row for each pair.
    correlation : ndarray of float32, shape (n_pairs, n_guesses)
        -1..1.
    """
    n = len(pairs)
    whole, gain = _best_orientations(pictures, pairs)
    forward, forward_gain = _best_crops(pictures, pairs[:, 0], pairs[:, 1], block)
    backward, backward_gain = _best_crops(pictures, pairs[:, 1], pairs[:, 0], block)
    guesses = [_placements(whole.ravel()), _placements(forward.ravel())]
    guesses.append(_placements(backward.ravel()).inverse())
    matrix = np.concatenate([g.matrix.reshape(n, -1, 4) for g in guesses], axis=1)
    offset = np.concatenate([g.offset.reshape(n, -1, 2) for g in guesses], axis=1)
    crops = np.concatenate([forward_gain, backward_gain], axis=1)
    best = np.argsort(-crops, axis=1, kind="stable")[:, :CROP_GUESSES] + WHOLE_GUESSES
    keep = np.concatenate([np.broadcast_to(np.arange(WHOLE_GUESSES), (n, WHOLE_GUESSES)), best], 1)
    placements = Placements(
        np.take_along_axis(matrix, keep[..., None], axis=1).reshape(-1, 2, 2),
        np.take_along_axis(offset, keep[..., None], axis=1).reshape(-1, 2),
    )
    return placements, np.take_along_axis(np.concatenate([gain, crops], axis=1), keep, axis=1)


def guess_whole_placements(
    pictures: NDArray[np.float32], pairs: NDArray[np.int64]
) -> tuple[Placements, NDArray[np.float32]]:
    """Like ``guess_placements``, of whole pictures alone: ``WHOLE_GUESSES`` a pair."""
    whole, gain = _best_orientations(pictures, pairs)
    return _placements(whole.ravel()), gain


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
            warped, inside = sample(pictures, pairs[part, 0], now, grid)
            step = _gauss_newton_step(warped, target, inside, grid)
            # b's points move about the centre: A' = A (I + D), t' = t + A (s - D c).
            shift = step[:, 2:] - step[:, :2] * _CENTER
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
    grid: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Read pictures where points fall (bilinear).

    Returns
    -------
    values : ndarray of float32, shape (n_pairs, n_points)
    inside : ndarray of bool, shape (n_pairs, n_points)
        Points that fall on the picture.
    """
    side = pictures.shape[1]
    points = np.einsum("pij,nj->pin", placements.matrix, grid) + placements.offset[:, :, None]
    inside = ((points >= 0) & (points <= 1)).all(axis=1)
    points *= side
    points -= 0.5
    np.clip(points, 0, side - 1, out=points)
    corner = np.minimum(points.astype(np.int32), side - 2)
    points -= corner
    flat = pictures.reshape(-1)
    start = corner[:, 1] * side
    start += corner[:, 0]
    first = start.astype(np.int64) + rows[:, None] * (side * side)
    fx, fy = points[:, 0], points[:, 1]
    upper = flat[first].astype(np.float32)
    upper += fx * (flat[first + 1] - upper)
    first += side
    lower = flat[first].astype(np.float32)
    lower += fx * (flat[first + 1] - lower)
    upper += fy * (lower - upper)
    return upper, inside


def _window_offsets(scale: float) -> NDArray[np.float64]:
    count = round((1 - scale) / _CROP_STEP) + 1
    return np.linspace(0.0, 1.0 - scale, count)


def _interpolation(offsets: NDArray[np.float64], scale: float, side: int) -> NDArray[np.float32]:
    """Return the matrix that averages windows of a row, shape (n_offsets, COARSE_SIDE, side)."""
    edges = np.linspace(0, 1, COARSE_SIDE + 1) * scale
    low = (offsets[:, None] + edges[:-1]) * side
    high = (offsets[:, None] + edges[1:]) * side
    pixel = np.arange(side)
    cover = np.minimum(high[..., None], pixel + 1) - np.maximum(low[..., None], pixel)
    weights = np.maximum(cover, 0.0)
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True), dtype=np.float32)


def _crop_descriptors(pictures: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Yield, for each scale, the crops of pictures, shape (n, n_crops, COARSE_SIDE²)."""
    n, side, _ = pictures.shape
    for scale in CROP_SCALES[1:]:
        weights = _interpolation(_window_offsets(scale), scale, side)
        count = len(weights)
        flat = weights.reshape(-1, side)
        rows = (pictures.reshape(-1, side) @ flat.T).reshape(n, side, -1)
        both = flat @ rows  # (n, count * S, count * S): y then x
        crops = both.reshape(n, count, COARSE_SIDE, count, COARSE_SIDE)
        crops = crops.transpose(0, 1, 3, 2, 4).reshape(n, count * count, -1)
        yield standardize(crops)


def standardize(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Remove the mean of the last axis and scale to length 1; flat rows become near zero."""
    centered = rows - rows.mean(axis=-1, keepdims=True)
    energy = np.einsum("...i,...i->...", centered, centered)
    # Grey levels of a flat picture are noise: one level of spread is added.
    centered /= np.sqrt(energy + rows.shape[-1])[..., None]
    return np.asarray(centered)


def _best_orientations(
    pictures: NDArray[np.float32], pairs: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Find the best orientations of the whole second picture on the whole first one.

    Returns the index orientation × n_crops (crop 0 is the whole) and the correlation, shape
    (n_pairs, WHOLE_GUESSES).
    """
    n_crops = len(crop_windows())
    choice = np.zeros((len(pairs), WHOLE_GUESSES), dtype=np.int64)
    best = np.zeros((len(pairs), WHOLE_GUESSES), dtype=np.float32)
    for start in range(0, len(pairs), 4096):
        names, back = np.unique(pairs[start : start + 4096], return_inverse=True)
        small = _small(pictures[names])[back.reshape(-1, 2)]
        first = small[:, 0].reshape(-1, COARSE_SIDE**2)
        second = small[:, 1]
        match = np.stack(
            [
                np.einsum("pn,pn->p", first, turn(second, k).reshape(len(first), -1))
                for k in range(len(ORIENTATIONS))
            ],
            axis=1,
        )
        order = np.argsort(-match, axis=1, kind="stable")[:, :WHOLE_GUESSES]
        choice[start : start + 4096] = order * n_crops
        best[start : start + 4096] = np.take_along_axis(match, order, axis=1)
    return choice, best


def _best_crops(
    pictures: NDArray[np.float32],
    whole: NDArray[np.int64],
    part: NDArray[np.int64],
    block: int,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Find the crop and orientation at which ``part`` shows most like ``whole``.

    Returns the index orientation × n_crops + crop and the correlation, of the best guess of each
    scale, shape (n_pairs, n_scales).
    """
    windows = crop_windows()
    scales = [np.flatnonzero(windows[:, 2] == np.float32(scale)) for scale in CROP_SCALES[1:]]
    choice = np.zeros((len(whole), len(scales)), dtype=np.int64)
    best = np.full((len(whole), len(scales)), -2.0, dtype=np.float32)
    order = np.argsort(whole, kind="stable")
    names, firsts = np.unique(whole[order], return_index=True)
    firsts = np.append(firsts, len(order))
    for begin in range(0, len(names), block):
        end = min(begin + block, len(names))
        rows = order[firsts[begin] : firsts[end]]
        parts, back = np.unique(part[rows], return_inverse=True)
        small = _small(pictures[parts])
        turned = np.stack([turn(small, k).reshape(len(parts), -1) for k in range(8)], axis=1)
        for column, crops in enumerate(_crop_descriptors(pictures[names[begin:end]])):
            first = scales[column][0]
            for k in range(end - begin):
                mine = order[firsts[begin + k] : firsts[begin + k + 1]]
                others = turned[back[firsts[begin + k] - firsts[begin] :][: len(mine)]]
                match = others.reshape(-1, others.shape[2]) @ crops[k].T
                match = match.reshape(len(mine), -1)
                top = match.argmax(axis=1)
                orientation, crop = np.divmod(top, crops.shape[1])
                choice[mine, column] = orientation * len(windows) + first + crop
                best[mine, column] = match[np.arange(len(top)), top]
    return choice, best


def _small(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    n, side, _ = pictures.shape
    step = side // COARSE_SIDE
    small = pictures.reshape(n, COARSE_SIDE, step, COARSE_SIDE, step).mean(axis=(2, 4))
    return standardize(small.reshape(n, -1)).reshape(n, COARSE_SIDE, COARSE_SIDE)


def _placements(choice: NDArray[np.int64]) -> Placements:
    """Return the placement of ``part`` on ``whole`` for each choice of ``_best_crops``."""
    windows = crop_windows()
    orientation, crop = np.divmod(choice, len(windows))
    turns = np.stack([turn_matrix(k) for k in range(len(ORIENTATIONS))])[orientation]
    scale = windows[crop, 2]
    # The turned part is the crop: p_whole = corner + scale * (c + R (p_part - c)).
    matrix = turns * scale[:, None, None]
    offset = windows[crop, :2] + scale[:, None] * _CENTER - matrix @ _CENTER
    return Placements(matrix.astype(np.float32), offset.astype(np.float32))


def _gauss_newton_step(
    warped: NDArray[np.float32],
    target: NDArray[np.float32],
    inside: NDArray[np.bool_],
    grid: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return the change of scale x, y and shift x, y of each pair, shape (n_pairs, 4)."""
    n, points = warped.shape
    side = round(points**0.5)
    gain, bias, weight = fit_brightness(warped, target, inside.astype(np.float32))
    model = gain[:, None] * warped + bias[:, None]
    residual = target - model
    slope_y, slope_x = np.gradient(model.reshape(n, side, side), 1.0 / side, axis=(1, 2))
    gx, gy = slope_x.reshape(n, -1), slope_y.reshape(n, -1)
    spread = grid - _CENTER
    columns = np.stack(
        [gx * spread[:, 0], gy * spread[:, 1], gx, gy, model, np.ones_like(model)], axis=1
    )
    weighted = columns * weight[:, None]
    normal = weighted @ columns.transpose(0, 2, 1)
    right = np.einsum("pkn,pn->pk", weighted, residual)
    diagonal = np.einsum("pkk->pk", normal)
    # Levenberg's damping keeps flat pictures solvable.
    diagonal += 1e-3 * diagonal + 1e-3
    step = np.linalg.solve(normal.astype(np.float64), right[..., None])[..., 0]
    return np.clip(step[:, :4], -_MAX_STEP, _MAX_STEP).astype(np.float32)


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
    # Not from least squares: a white banner would have all the leverage.
    gain = np.ones(len(source), dtype=np.float32)
    residual = target - source
    bias = np.median(residual, axis=1)
    residual -= bias[:, None]
    weight = _robust_weights(residual, 2 * _ROBUST_LEVELS) * inside
    for _ in range(_BRIGHTNESS_ROUNDS):
        gain, bias = _weighted_line(source, target, weight)
        residual = target - gain[:, None] * source - bias[:, None]
        weight = _robust_weights(residual, _ROBUST_LEVELS) * inside
    return gain, bias, weight


def _robust_weights(residual: NDArray[np.float32], level: float) -> NDArray[np.float32]:
    residual *= 1.0 / level
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
