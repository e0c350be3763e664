"""Guess how two pictures lie on one another: every orientation, a grid of crops.

The pictures are compared at 8 × 8 points; ``near_alignment`` refines the guesses.
"""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray

from vernis.core.copies.alignment import CENTER, Placements
from vernis.core.copies.fingerprints import ORIENTATIONS, standardize, turn, turn_matrix

COARSE_SIDE = 8
"""Side of the pictures that are compared."""

CROP_SCALES: tuple[float, ...] = (0.9, 0.8, 0.7, 0.6, 0.5)
"""Widths of the crops that are tried, as a share of the picture's width."""

_CROP_STEP = 0.1
_BLOCK = 1024


def crop_windows() -> NDArray[np.float32]:
    """Return the crops that are tried: left, top, scale of each, shape (n_crops, 3)."""
    windows = [
        (x, y, scale) for scale in CROP_SCALES for y, x in product(_window_offsets(scale), repeat=2)
    ]
    return np.array(windows, dtype=np.float32)


def guess_orientations(
    pictures: NDArray[np.float32], pairs: NDArray[np.int64], count: int = 1
) -> tuple[Placements, NDArray[np.float32]]:
    """Guess how whole pictures lie on one another: the best orientations.

    Parameters
    ----------
    pictures : ndarray of float32, shape (n_images, side, side)
        Grey; side a multiple of ``COARSE_SIDE``.
    pairs : ndarray of int64, shape (n_pairs, 2)
    count : int
        Guesses a pair: an object pasted over the picture can make a wrong one look best.

    Returns
    -------
    placements : Placements
        ``count`` in a row for each pair.
    correlation : ndarray of float32, shape (n_pairs, count)
        -1..1.
    """
    choice = np.zeros((len(pairs), count), dtype=np.int64)
    best = np.zeros((len(pairs), count), dtype=np.float32)
    for start in range(0, len(pairs), _BLOCK):
        part = slice(start, start + _BLOCK)
        names, back = np.unique(pairs[part], return_inverse=True)
        small = describe_small(pictures[names])[back.reshape(-1, 2)]
        first, second = small[:, 0].reshape(-1, COARSE_SIDE**2), small[:, 1]
        columns = [
            np.einsum("pn,pn->p", first, turn(second, k).reshape(len(first), -1))
            for k in range(len(ORIENTATIONS))
        ]
        match = np.stack(columns, axis=1)
        choice[part] = np.argsort(-match, axis=1, kind="stable")[:, :count]
        best[part] = np.take_along_axis(match, choice[part], axis=1)
    window = np.array([0.0, 0.0, 1.0], dtype=np.float32)
    return _place(choice.ravel(), np.broadcast_to(window, (choice.size, 3))), best


def choose_crops(
    pictures: NDArray[np.float32],
    small: NDArray[np.float32],
    whole: NDArray[np.int64],
    part: NDArray[np.int64],
) -> NDArray[np.int16]:
    """Choose of which crop of the one picture the other is made, in any orientation.

    Parameters
    ----------
    pictures : ndarray of float32, shape (n_wholes, side, side)
    small : ndarray of float32, shape (n_parts, COARSE_SIDE, COARSE_SIDE)
        From ``describe_small``.
    whole : ndarray of int64, shape (n_pairs,)
        Ascending rows of ``pictures``.
    part : ndarray of int64, shape (n_pairs,)
        Rows of ``small``.

    Returns
    -------
    ndarray of int16, shape (n_pairs,)
        For ``place_crops``.
    """
    turned = np.stack(
        [turn(small, k).reshape(len(small), -1) for k in range(len(ORIENTATIONS))], axis=1
    )
    crops = _crop_descriptors(pictures).transpose(0, 2, 1)
    bounds = np.searchsorted(whole, np.arange(len(pictures) + 1))
    choice = np.empty(len(whole), dtype=np.int16)
    for row, (start, stop) in enumerate(pairwise(bounds.tolist())):
        match = turned[part[start:stop]].reshape(-1, COARSE_SIDE**2) @ crops[row]
        choice[start:stop] = match.reshape(stop - start, -1).argmax(axis=1)
    return choice


def place_crops(choice: NDArray[np.int16]) -> Placements:
    """Return the placements of parts on wholes that ``choose_crops`` has chosen."""
    windows = crop_windows()
    orientation, crop = np.divmod(choice.astype(np.int64), len(windows))
    return _place(orientation, windows[crop])


def describe_small(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return pictures averaged to COARSE_SIDE and standardized, to correlate them."""
    n, side, _ = pictures.shape
    step = side // COARSE_SIDE
    small = pictures.reshape(n, COARSE_SIDE, step, COARSE_SIDE, step).mean(axis=(2, 4))
    return standardize(small.reshape(n, -1)).reshape(n, COARSE_SIDE, COARSE_SIDE)


def _window_offsets(scale: float) -> NDArray[np.float64]:
    count = round((1 - scale) / _CROP_STEP) + 1
    return np.linspace(0.0, 1.0 - scale, count)


def _interpolation(scale: float, side: int) -> NDArray[np.float32]:
    """Return the matrix that averages windows of a row, shape (n_offsets · COARSE_SIDE, side)."""
    edges = np.linspace(0, 1, COARSE_SIDE + 1) * scale
    offsets = _window_offsets(scale)[:, None]
    low, high = (offsets + edges[:-1]) * side, (offsets + edges[1:]) * side
    pixel = np.arange(side)
    cover = np.minimum(high[..., None], pixel + 1) - np.maximum(low[..., None], pixel)
    weights = np.maximum(cover, 0.0).reshape(-1, side)
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True), dtype=np.float32)


def _crop_descriptors(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the crops of pictures, shape (n, n_crops, COARSE_SIDE²)."""
    n, side, _ = pictures.shape
    columns = []
    for scale in CROP_SCALES:
        weights = _interpolation(scale, side)
        count = len(weights) // COARSE_SIDE
        rows = (pictures.reshape(-1, side) @ weights.T).reshape(n, side, -1)
        # y then x of the window and of the point in it
        crops = (weights @ rows).reshape(n, count, COARSE_SIDE, count, COARSE_SIDE)
        columns.append(crops.transpose(0, 1, 3, 2, 4).reshape(n, count * count, -1))
    return standardize(np.concatenate(columns, axis=1))


def _place(orientation: NDArray[np.int64], window: NDArray[np.float32]) -> Placements:
    """Return the placement of a part that, turned, is a window of the whole."""
    turns = np.stack([turn_matrix(k) for k in range(len(ORIENTATIONS))])[orientation]
    # p_whole = corner + scale * (c + R (p_part - c))
    matrix = turns * window[:, 2, None, None]
    offset = window[:, :2] + window[:, 2, None] * CENTER - matrix @ CENTER
    return Placements(matrix.astype(np.float32), offset.astype(np.float32))
