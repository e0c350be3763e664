"""How much of two aligned pictures no map of colours as a whole explains.

Brightness, contrast, gamma, saturation, white balance, a turn of the hues: each maps the colours of
a picture, the same everywhere. One sign before two grounds, or a logo on two pages, needs another
map for what stands around it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vernis.core.copies.color_change import YCC

_BLOCK = 8
_LEAST_INSIDE, _MOST_COVERED = 0.9, 0.1
_LEAST_BLOCKS = 40
_ROUNDS = 6
_SOFT, _ODD = 0.03, 0.08  # shares of the range of a channel
_STEADY = 1e-3
_GROUND_BINS = 32  # levels of a channel that the ground is found in
_LEAST_GROUND, _EVEN = 0.35, 0.9
_SAME, _LEAST_SAME = 14.0, 0.5
_LEAST_FIGURE = 0.01
_OTHER_GROUND = 40.0  # in the plane of Cb and Cr
_TONED, _SAME_LIGHT = 0.94, 15.0


def unexplained_share(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    inside: NDArray[np.bool_],
    covered: NDArray[np.bool_],
) -> float:
    """Return the share of two aligned pictures whose colours no map of the whole explains.

    Polynomials of the second degree in the three channels, fitted robustly to the means of blocks
    of 8 pixels, from the one to the other and back; the better of both counts.

    Parameters
    ----------
    first, second : ndarray of float32, shape (height, width, 3)
        RGB, 0..255, one lying on the other.
    inside : ndarray of bool, shape (height, width)
        Where they can be compared.
    covered : ndarray of bool, shape (height, width)
        Where something was laid over one of them; not counted.

    Returns
    -------
    float
        0..1; 0 where too little can be compared.
    """
    count = np.maximum(_means(inside.astype(np.float32)[..., None]), 1e-6)
    weight = inside.astype(np.float32)[..., None]
    free = (count[..., 0] > _LEAST_INSIDE) & (
        _means(covered.astype(np.float32)[..., None])[..., 0] < _MOST_COVERED
    )
    if free.sum() < _LEAST_BLOCKS:
        return 0.0
    one, other = (
        (_means(rgb * weight) / count)[free].astype(np.float64) / 255 for rgb in (first, second)
    )
    return min(_left_over(one, other), _left_over(other, one))


def stands_before_another_ground(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    inside: NDArray[np.bool_],
    covered: NDArray[np.bool_],
) -> bool:
    """Tell whether a figure that keeps its colours stands before two even grounds.

    A picture of two tones has a map of colours for any two grounds. No edit of the whole makes
    them of it: a turn of the hues and white balance turn the figure's colours too, and what takes
    saturation away leaves the brightness of the ground. Parameters as of ``unexplained_share``.
    """
    seen = inside & ~covered
    ground = seen & _even_ground(first, seen)
    other = seen & _even_ground(second, seen)
    if min(ground.sum(), other.sum()) < _LEAST_GROUND * max(1, seen.sum()):
        return False
    both = ground & other
    figure = ndimage.binary_erosion(seen & ~(ground | other))
    least = _LEAST_FIGURE * seen.sum()
    if both.sum() < _EVEN * max(ground.sum(), other.sum()) or figure.sum() < least:
        return False
    same = np.abs(first[figure] - second[figure]).max(axis=1) < _SAME
    if same.mean() < _LEAST_SAME:
        return False
    one, two = (np.median(rgb[both], axis=0) @ YCC.T for rgb in (first, second))
    if np.linalg.norm(two[1:] - one[1:]) < _OTHER_GROUND:
        return False
    strength = float(np.linalg.norm(one[1:]) * np.linalg.norm(two[1:]))
    paler = float(one[1:] @ two[1:]) >= _TONED * strength - 1.0
    return not (paler and abs(float(two[0] - one[0])) < _SAME_LIGHT)


def _even_ground(picture: NDArray[np.float32], seen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return where a picture has the colour that most of it has."""
    if not seen.any():
        return seen
    step = 256 // _GROUND_BINS
    codes = (picture[seen].clip(0, 255).astype(np.int64) // step) @ [
        _GROUND_BINS**2,
        _GROUND_BINS,
        1,
    ]
    mode = np.bincount(codes).argmax()
    color = np.median(picture[seen][codes == mode], axis=0)
    return np.asarray(np.abs(picture - color).max(axis=2) < _SAME)


def _means(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    rows, columns = (side // _BLOCK for side in picture.shape[:2])
    whole = picture[: rows * _BLOCK, : columns * _BLOCK]
    return np.asarray(whole.reshape(rows, _BLOCK, columns, _BLOCK, -1).mean(axis=(1, 3)))


def _left_over(colors: NDArray[np.float64], target: NDArray[np.float64]) -> float:
    r, g, b = colors.T
    terms = np.column_stack([np.ones(len(colors)), colors, colors**2, r * g, g * b, b * r])
    weight = np.ones(len(colors))
    miss = np.zeros(len(colors))
    for _ in range(_ROUNDS):
        weighted = terms * weight[:, None]
        normal = weighted.T @ terms + _STEADY * np.eye(terms.shape[1])
        miss = np.abs(target - terms @ np.linalg.solve(normal, weighted.T @ target)).mean(axis=1)
        weight = _SOFT / np.maximum(miss, _SOFT)
    return float((miss > _ODD).mean())
