"""Find how two pictures lie on one another from their keypoints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.core.copies.keypoints import Keypoints

LEAST_MATCHES = 6
"""Keypoints that must lie on one another; of unrelated photos at most 3 or 4 do by chance."""

_SURE = 0.7
_RATIO = 0.85
_TOLERANCE, _SLACK = 0.03, 0.1
_FINE_TOLERANCE = 0.02
_HYPOTHESES = 3
_ROUNDS = 4
_LEAST_SCALE, _MOST_SCALE, _MOST_STRETCH = 0.12, 8.0, 2.2


@dataclass(frozen=True, slots=True, eq=False)
class Overlay:
    """How a picture lies on another one.

    Attributes
    ----------
    matrix : ndarray of float64, shape (3, 3)
        From a point (x, y, 1) of the first picture to that of the second, up to a factor; both in
        units of the longer side of their picture.
    matches : int
        Keypoints that lie on one another by it.
    """

    matrix: NDArray[np.float64]
    matches: int

    def inverse(self) -> Overlay:
        """Return how the second picture lies on the first."""
        return Overlay(_scaled(np.asarray(np.linalg.inv(self.matrix))), self.matches)

    def then(self, other: Overlay) -> Overlay:
        """Return the overlay of the first on a third picture: ``other`` is second on third."""
        return Overlay(_scaled(other.matrix @ self.matrix), min(self.matches, other.matches))

    def scale(self) -> float:
        """Return how much larger the first appears in the second, as a factor of its sides."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:2, :2]))))


def _scaled(matrix: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    return np.asarray(matrix / matrix[2, 2])


def overlay_keypoints(first: Keypoints, second: Keypoints) -> Overlay | None:
    """Find how the first picture, or its mirror image, lies on the second.

    Every pair of keypoints that are most like one another says how large, how turned and where the
    one picture lies on the other; what most pairs agree on is fitted by an affine map (as in the
    clustering of poses of Lowe 2004, section 7.3, but counted exactly).

    Parameters
    ----------
    first, second : Keypoints

    Returns
    -------
    Overlay or None
        None where fewer than ``LEAST_MATCHES`` keypoints agree.
    """
    if min(len(first), len(second)) < LEAST_MATCHES:
        return None
    plain = _agree(first, second)
    mirror = _agree(first.mirrored(), second)
    count, affine, flipped = max(
        ((*plain, False), (*mirror, True)), key=lambda found: (found[0], not found[2])
    )
    if affine is None or count < LEAST_MATCHES:
        return None
    matrix = np.vstack([affine, [0.0, 0.0, 1.0]])
    if flipped:
        matrix = matrix @ np.diag([-1.0, 1.0, 1.0])
    return Overlay(matrix, count)


def _match(first: Keypoints, second: Keypoints) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return pairs that are one another's most similar keypoint, and clearly or very similar."""
    similar = first.descriptors @ second.descriptors.T
    rows = np.arange(len(similar))
    best = similar.argmax(axis=1)
    mutual = similar.argmax(axis=0)[best] == rows
    value = similar[rows, best]
    similar[rows, best] = -1.0
    next_best = similar.max(axis=1)
    distance = np.sqrt(np.maximum(2.0 - 2.0 * value, 0.0))
    other = np.sqrt(np.maximum(2.0 - 2.0 * next_best, 1e-9))
    chosen = np.flatnonzero(mutual & ((value > _SURE) | (distance < _RATIO * other)))
    return chosen, best[chosen]


def _agree(first: Keypoints, second: Keypoints) -> tuple[int, NDArray[np.float64] | None]:
    """Return how many pairs agree on one affine map, and the map, shape (2, 3)."""
    a, b = _match(first, second)
    if len(a) < LEAST_MATCHES:
        return 0, None
    source, target = first.places[a].astype(np.float64), second.places[b].astype(np.float64)
    scale = (second.sizes[b] / first.sizes[a]).astype(np.float64)
    turn = (second.turns[b] - first.turns[a]).astype(np.float64)
    supporters = _supporters(source, target, scale, turn)
    counts = supporters.sum(axis=1)
    best: tuple[int, NDArray[np.float64] | None] = (0, None)
    for row in np.argsort(-counts, kind="stable")[:_HYPOTHESES]:
        fitted = _fit(source, target, scale, np.flatnonzero(supporters[row]))
        if fitted is not None and fitted[0] > best[0]:
            best = fitted
    return best


def _supporters(
    source: NDArray[np.float64],
    target: NDArray[np.float64],
    scale: NDArray[np.float64],
    turn: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Return which pairs lie where the map of each pair puts them, shape (n, n)."""
    away = source[None] - source[:, None]
    cosine, sine = (scale * np.cos(turn))[:, None], (scale * np.sin(turn))[:, None]
    x = cosine * away[..., 0] - sine * away[..., 1] + target[:, None, 0]
    y = sine * away[..., 0] + cosine * away[..., 1] + target[:, None, 1]
    miss = np.hypot(x - target[None, :, 0], y - target[None, :, 1])
    reach = scale[:, None] * np.hypot(away[..., 0], away[..., 1])
    same_size = np.abs(np.log(scale[None] / scale[:, None])) < np.log(2.0)
    same_turn = np.cos(turn[None] - turn[:, None]) > 0.8
    return np.asarray((miss < _TOLERANCE + _SLACK * reach) & same_size & same_turn)


def _fit(
    source: NDArray[np.float64],
    target: NDArray[np.float64],
    scale: NDArray[np.float64],
    chosen: NDArray[np.int64],
) -> tuple[int, NDArray[np.float64]] | None:
    affine = None
    for _ in range(_ROUNDS):
        if len(chosen) < LEAST_MATCHES // 2:
            return None
        affine = fit_affine(source[chosen], target[chosen])
        miss = np.linalg.norm(source @ affine[:, :2].T + affine[:, 2] - target, axis=1)
        size = max(float(np.sqrt(abs(np.linalg.det(affine[:, :2])))), 1e-3)
        like = np.abs(np.log(scale / size)) < 0.8
        again = np.flatnonzero((miss < _FINE_TOLERANCE * max(size, 0.5)) & like)
        if np.array_equal(again, chosen):
            break
        chosen = again
    if affine is None or len(chosen) < LEAST_MATCHES // 2:
        return None
    long, short = np.linalg.svd(affine[:, :2], compute_uv=False)
    if short < _LEAST_SCALE or long > _MOST_SCALE or long > _MOST_STRETCH * short:
        return None
    if np.linalg.det(affine[:, :2]) <= 0:
        return None
    return _distinct(source[chosen], target[chosen]), affine


def fit_affine(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the affine map of least squares from source to target points, shape (2, 3)."""
    columns = np.column_stack([source, np.ones(len(source))])
    return np.asarray(np.linalg.lstsq(columns, target, rcond=None)[0].T)


def _distinct(source: NDArray[np.float64], target: NDArray[np.float64]) -> int:
    """Count the pairs, those at one place (the levels of a pyramid) once."""
    return min(len(np.unique(np.round(p * 64), axis=0)) for p in (source, target))
