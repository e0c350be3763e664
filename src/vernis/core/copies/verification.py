"""Tell whether two aligned fingerprints show the same picture, and how the one was changed."""

from __future__ import annotations

from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.core.copies.alignment import (
    Placements,
    fit_brightness,
    robust_weights,
    sample,
)
from vernis.core.copies.fingerprints import (
    CHROMA_SIDE,
    LUMA_SIZE,
    ORIENTATIONS,
    Fingerprints,
    is_plain,
)
from vernis.domain.ports import Rows

_STRIDE = 2
_MEDIAN_STRIDE = 3
_SOFTNESS = 0.12
# Variance (grey levels squared) below which a window's structure is noise, and the difference in
# level at which two windows no longer agree.
_NOISE_VARIANCE = 50.0
_LEVEL_SPREAD = 25.0
_TEXTURE_LIMIT = 400.0
_TEXTURE_FLOOR = 4.0
_LEAST_COVER = 0.75
_LEAST_OUTSIDE = 0.6
_LEAST_OVERLAP = 0.7
# Leaving out a part of the picture costs so much similarity, times its share of the area.
_HOLE_PRICE = 0.3
_RHO = 20.0
_BLOCK_POINTS = 262_144

# Beyond these a placement is no copy but a flat part of a picture that fits anything.
_LEAST_SCALE, _MOST_STRETCH, _MOST_GAIN = 0.42, 1.3, 2.5
_SAME_LEVELS = 2.0
# Distance of colours (levels of Cb and Cr) that does not count, and that counts in full.
_COLOR_TOLERANCE, _COLOR_LIMIT = 8.0, 20.0

# What is worth naming: see name_transforms.
_CROP_SCALE = 0.95
_GREY_SPREAD = 1.5
_COLOR_SPREAD = 4.0
_BRIGHTER, _BIAS = 0.12, 12.0
_BANNER_GAIN = 0.05


def robust_agreement(
    pictures: NDArray[np.float32], pairs: NDArray[np.int64], placements: Placements
) -> NDArray[np.float32]:
    """Return how much of a's contrast b explains when large differences count little.

    One minus the summed Geman-McClure loss of the difference after fitting brightness, over that
    of a picture of one grey. Cheap; used to rank guesses.

    Parameters
    ----------
    pictures : ndarray of float32, shape (n_images, side, side)
    pairs : ndarray of int64, shape (n_pairs, 2)
    placements : Placements

    Returns
    -------
    ndarray of float32, shape (n_pairs,)
        1 = the same, about 0 = unrelated.
    """
    side = pictures.shape[1]
    out = np.empty(len(pairs), dtype=np.float32)
    step = max(1, _BLOCK_POINTS // side**2)
    for start in range(0, len(pairs), step):
        part = slice(start, start + step)
        warped, mask = sample(pictures, pairs[part, 0], placements.take(part), side)
        target = pictures[pairs[part, 1]].reshape(-1, side * side)
        gain, bias, _ = fit_brightness(warped, target, mask)
        loss = _loss(target - gain[:, None] * warped - bias[:, None], mask)
        plain = _loss(target - np.median(target[:, ::_MEDIAN_STRIDE], axis=1)[:, None], mask)
        out[part] = 1.0 - loss / np.maximum(plain, 0.01 * side * side)
    return out


def compare_structure(
    pictures: NDArray[np.float32], pairs: NDArray[np.int64], placements: Placements
) -> NDArray[np.float32]:
    """Return the part of ``compare`` that looks at grey pictures alone, at any size.

    Parameters
    ----------
    pictures : ndarray of float32, shape (n_images, side, side)
    pairs : ndarray of int64, shape (n_pairs, 2)
    placements : Placements
        Of the second on the first; its scale at most 1.

    Returns
    -------
    ndarray of float32, shape (n_pairs,)
        0..1.
    """
    return _compare(pictures, pairs, placements)[0]


def compare(
    fingerprints: Fingerprints, pairs: NDArray[np.int64], placements: Placements
) -> NDArray[np.float32]:
    """Compare aligned pictures window by window.

    The structure term of the SSIM (Wang et al. 2004) in windows of an eighth of the picture, times
    a term for the windows' level, averaged with the windows' texture as weight. One rectangle of
    at most a third of the picture is left out where that helps (a banner, a watermark), provided
    that 60 % of the texture of one of the pictures lies outside it.

    Parameters
    ----------
    fingerprints : Fingerprints
    pairs : ndarray of int64, shape (n_pairs, 2)
    placements : Placements
        Of the second on the first; its scale at most 1.

    Returns
    -------
    ndarray of float32, shape (n_pairs,)
        0..1.
    """
    names, local = np.unique(pairs, return_inverse=True)
    similarity, _, _, gain, _ = _compare(fingerprints.luma[names], local.reshape(-1, 2), placements)
    similarity = similarity * _agree_in_color(fingerprints.chroma, pairs, placements, gain)
    widths = np.abs(placements.matrix).max(axis=1)
    plausible = (
        (widths.min(axis=1) >= _LEAST_SCALE)
        & (widths.max(axis=1) <= _MOST_STRETCH * widths.min(axis=1))
        & (np.maximum(gain, 1.0 / gain) <= _MOST_GAIN)
    )
    plausible &= _agree_if_plain(fingerprints.luma, pairs)
    return np.asarray(similarity * plausible, dtype=np.float32)


def name_transforms(
    fingerprints: Fingerprints, pairs: NDArray[np.int64], placements: Placements
) -> tuple[str, ...]:
    """Say how the first picture of each pair became the second.

    Parameters
    ----------
    fingerprints : Fingerprints
    pairs : ndarray of int64, shape (n_pairs, 2)
    placements : Placements
        Of the second on the first.

    Returns
    -------
    tuple of str
        An orientation and the changes (``crop``, ``gray``, ``brightness``, ``banner``) joined by
        ``+``; ``identity`` when there is none. Changes of size are not seen here.
    """
    orientation = placements.orientation()
    swap = placements.scale() > 1.0
    inverse = placements.inverse()
    inward = Placements(
        np.where(swap[:, None, None], inverse.matrix, placements.matrix),
        np.where(swap[:, None], inverse.offset, placements.offset),
    )
    ordered = np.where(swap[:, None], pairs[:, ::-1], pairs)
    rows, local = np.unique(ordered, return_inverse=True)
    luma = fingerprints.luma[rows]
    _, plain, best, gain, bias = _compare(luma, local.reshape(-1, 2), inward)
    crop = inward.scale() < _CROP_SCALE
    spread = _color_spread(fingerprints.chroma[rows])
    first, second = spread[local.reshape(-1, 2)].T
    grey = (np.minimum(first, second) < _GREY_SPREAD) & (np.maximum(first, second) > _COLOR_SPREAD)
    bright = (np.abs(np.log(gain)) > _BRIGHTER) | (np.abs(bias) > _BIAS)
    banner = best - plain > _BANNER_GAIN
    names = []
    for row in range(len(pairs)):
        parts = [ORIENTATIONS[orientation[row]]] if orientation[row] else []
        changes = (("crop", crop), ("gray", grey), ("brightness", bright), ("banner", banner))
        parts += [name for name, seen in changes if seen[row]]
        names.append("+".join(parts) or ORIENTATIONS[0])
    return tuple(names)


def _agree_if_plain(luma: Rows, pairs: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Let pictures without content, which fit everything, only agree when they are the same."""
    names, local = np.unique(pairs, return_inverse=True)
    local = local.reshape(-1, 2)
    flat = luma[names].reshape(len(names), LUMA_SIZE)
    agree: NDArray[np.bool_] = np.asarray(~is_plain(luma[names])[local].any(axis=1))
    for row in np.flatnonzero(~agree):
        first, second = flat[local[row]].astype(np.int16)
        agree[row] = np.abs(first - second).mean() <= _SAME_LEVELS
    return agree


def _agree_in_color(
    planes: Rows,
    pairs: NDArray[np.int64],
    placements: Placements,
    gain: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return a factor 0..1, below 1 where two pictures in colour differ in colour.

    A picture in another colour is another product; a picture without colour is a copy.
    """
    factor = np.ones(len(pairs), dtype=np.float32)
    names, local = np.unique(pairs, return_inverse=True)
    chroma, pairs = planes[names], local.reshape(-1, 2)
    spread = _color_spread(chroma)
    rows = np.flatnonzero(spread[pairs].min(axis=1) >= _GREY_SPREAD)
    if not len(rows):
        return factor
    difference = np.zeros((len(rows), CHROMA_SIDE**2), dtype=np.float32)
    for plane in (0, 1):
        colors = np.ascontiguousarray(chroma[:, plane])
        warped, _ = sample(colors, pairs[rows, 0], placements.take(rows), CHROMA_SIDE)
        target = colors[pairs[rows, 1]].reshape(len(rows), -1).astype(np.float32)
        # Brighter pictures are more colourful by the same factor.
        scale = np.clip(gain[rows], 0.5, 2.0)[:, None]
        difference += np.square((warped - 128.0) * scale - (target - 128.0))
    apart = np.sqrt(np.median(difference, axis=1))
    excess = np.maximum(apart - _COLOR_TOLERANCE, 0.0) / _COLOR_LIMIT
    factor[rows] = np.exp(-np.square(excess))
    return factor


def _color_spread(chroma: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the mean distance from grey of each picture, shape (n_images,)."""
    away = np.abs(chroma.astype(np.int16) - 128)
    return np.asarray(away.mean(axis=(1, 2, 3), dtype=np.float32))


def _loss(difference: NDArray[np.float32], mask: NDArray[np.float32]) -> NDArray[np.float32]:
    squared = np.square(difference * (1.0 / _RHO))
    return np.asarray((mask * squared / (1.0 + squared)).sum(axis=1))


def _compare(
    pictures: NDArray[np.floating[Any]] | NDArray[np.uint8],
    pairs: NDArray[np.int64],
    placements: Placements,
) -> tuple[NDArray[np.float32], ...]:
    """Return the columns of ``_compare_windows``; pictures of shape (n_images, side, side)."""
    columns: list[tuple[NDArray[np.float32], ...]] = []
    side = pictures.shape[1]
    step = max(1, _BLOCK_POINTS // side**2)
    for start in range(0, len(pairs), step):
        part = slice(start, start + step)
        warped, inside = sample(pictures, pairs[part, 0], placements.take(part), side)
        target = pictures[pairs[part, 1]].astype(np.float32)
        target = _soften(target, placements.take(part).scale()).reshape(len(target), -1)
        columns.append(_compare_windows(warped, target, inside))
    if not columns:
        return tuple(np.zeros(0, dtype=np.float32) for _ in range(5))
    return tuple(np.concatenate(column) for column in zip(*columns, strict=True))


def _soften(planes: NDArray[np.float32], scale: NDArray[np.float32]) -> NDArray[np.float32]:
    """Blur the crops as much as the pictures, of which they show a part, are blurred."""
    blurred = np.flatnonzero(scale < _CROP_SCALE)
    crops, side = planes[blurred], planes.shape[1]
    # A kernel (k, 1 - 2k, k) has the variance 2k; a box of 1/scale points against one of one.
    k = np.minimum(_SOFTNESS * (1.0 / np.square(scale[blurred]) - 1.0), 0.25)[:, None, None]
    for axis in (1, 2):
        padded = np.pad(crops, [(0, 0), *((int(axis == a),) * 2 for a in (1, 2))], mode="edge")
        before = np.take(padded, range(side), axis=axis)
        after = np.take(padded, range(2, side + 2), axis=axis)
        crops = crops * (1 - 2 * k) + k * (before + after)
    planes[blurred] = crops
    return planes


def _compare_windows(
    warped: NDArray[np.float32], target: NDArray[np.float32], mask: NDArray[np.float32]
) -> tuple[NDArray[np.float32], ...]:
    """Return similarity, similarity without leaving anything out, gain and bias."""
    gain, bias, _ = fit_brightness(warped, target, mask)
    model, target = _match_brightness(warped, target, mask, gain)
    count = np.maximum(_window_sums(mask), 1e-6)
    mean_a, mean_b = _window_sums(mask * model) / count, _window_sums(mask * target) / count
    square_a = _window_sums(mask * model * model) / count
    square_b = _window_sums(mask * target * target) / count
    var_a = np.maximum(square_a - mean_a * mean_a, 0.0)
    var_b = np.maximum(square_b - mean_b * mean_b, 0.0)
    covariance = _window_sums(mask * model * target) / count - mean_a * mean_b
    structure = (2 * covariance + _NOISE_VARIANCE) / (var_a + var_b + _NOISE_VARIANCE)
    structure *= np.exp(-np.square((mean_a - mean_b) / _LEVEL_SPREAD))
    valid = count > _LEAST_COVER * 4 * _STRIDE * _STRIDE
    texture_a = np.sqrt(np.minimum(var_a, _TEXTURE_LIMIT) + _TEXTURE_FLOOR) * valid
    texture_b = np.sqrt(np.minimum(var_b, _TEXTURE_LIMIT) + _TEXTURE_FLOOR) * valid
    weight = np.maximum(texture_a, texture_b)
    lost = weight * (1.0 - structure)
    holes = _holes(round(valid.shape[1] ** 0.5)).T
    outside = np.maximum(_share_outside(texture_a, holes), _share_outside(texture_b, holes))
    rest = np.maximum(weight.sum(axis=1, keepdims=True) - weight @ holes, 1e-6)
    score = 1.0 - (lost.sum(axis=1, keepdims=True) - lost @ holes) / rest
    score -= _HOLE_PRICE * holes.mean(axis=0)
    best = np.where(outside >= _LEAST_OUTSIDE, score, -1.0).max(axis=1)
    best *= valid.mean(axis=1) >= _LEAST_OVERLAP
    plain = np.clip(score[:, 0], 0.0, 1.0)
    return np.clip(best, 0.0, 1.0).astype(np.float32), plain, best, gain, bias


def _match_brightness(
    warped: NDArray[np.float32],
    target: NDArray[np.float32],
    mask: NDArray[np.float32],
    gain: NDArray[np.float32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Bring the darker of the two to the brightness of the other by a quadratic tone curve.

    Brightening cuts off at white, channel by channel; there is a curve from dark to bright, none
    back.
    """
    up = (gain >= 1.0)[:, None]
    dark, bright = np.where(up, warped, target), np.where(up, target, warped)
    slope, level, weight = fit_brightness(dark, bright, mask)
    x = (dark - 128.0) / 128.0
    columns = np.stack([np.ones_like(x), x, x * x], axis=1)
    # Kept near the straight line that fits robustly.
    line = slope[:, None] * dark + level[:, None]
    curve = line
    for _ in range(2):
        residual = bright - line
        weighted = columns * weight[:, None]
        normal = weighted @ columns.transpose(0, 2, 1)
        normal[:, range(3), range(3)] += 1e-3 * weight.sum(axis=1)[:, None] + 1e-3
        right = np.einsum("pkn,pn->pk", weighted, residual)
        factors = np.linalg.solve(normal, right[..., None])[..., 0]
        curve = line + np.einsum("pk,pkn->pn", factors, columns)
        weight = robust_weights(bright - curve) * mask
    curve = np.clip(curve, 0, 255)
    return np.where(up, curve, warped), np.where(up, target, curve)


def _window_sums(flat: NDArray[np.float32]) -> NDArray[np.float32]:
    side = round(flat.shape[1] ** 0.5)
    # Slices: a reduction over axes as short as these costs six times as much.
    rows = flat.reshape(len(flat), side // _STRIDE, _STRIDE, side)
    columns = rows[:, :, 0] + rows[:, :, 1]
    sums = columns[:, :, ::_STRIDE] + columns[:, :, 1::_STRIDE]
    pairs = sums[:, 1:] + sums[:, :-1]
    return np.asarray((pairs[:, :, 1:] + pairs[:, :, :-1]).reshape(len(flat), -1))


def _share_outside(texture: NDArray[np.float32], holes: NDArray[np.float32]) -> NDArray[np.float32]:
    total = np.maximum(texture.sum(axis=1, keepdims=True), 1e-6)
    return np.asarray(1.0 - (texture @ holes) / total)


@cache
def _holes(n: int) -> NDArray[np.float32]:
    """Return the rectangles of n × n windows that may be left out; the first is none.

    Entries are 0 or 1; shape (n_holes, n²).
    """
    bands = [
        (start, start + thick)
        for thick in range(2, n // 3 + 1, 2)
        for start in range(0, n - thick + 1)
    ]
    spans = list(combinations(np.unique(np.linspace(0, n, 6).round().astype(int)).tolist(), 2))
    boxes = [(0, n, *band) for band in bands] + [(*band, 0, n) for band in bands]
    boxes += [
        (*rows, *columns)
        for rows in spans
        for columns in spans
        if (rows[1] - rows[0]) * (columns[1] - columns[0]) * 3 <= n * n
    ]
    holes = np.zeros((1 + len(boxes), n, n), dtype=np.float32)
    for hole, (top, bottom, left, right) in zip(holes[1:], boxes, strict=True):
        hole[top:bottom, left:right] = 1.0
    return holes.reshape(len(holes), -1)
