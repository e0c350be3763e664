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
_HYPOTHESES = 2
_CLEAR_MATCHES = 14  # then it is not tried as a mirror image
_LEAST_SUPPORT = 4
_PERSPECTIVE_MATCHES, _PERSPECTIVE_DAMPING = 8, 1e-4
_ROUNDS = 4
_RIDGE = 1e-12 * np.eye(2)
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
    miss : float
        How far half of them lie apart at most, in units of the longer side of the larger scale.
    """

    matrix: NDArray[np.float64]
    matches: int
    miss: float = 0.0

    def inverse(self) -> Overlay:
        """Return how the second picture lies on the first."""
        matrix = _scaled(np.asarray(np.linalg.inv(self.matrix)))
        return Overlay(matrix, self.matches, self.miss)

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
    found, flipped = _agree(first, second, LEAST_MATCHES), False
    if found is None or found.count < _CLEAR_MATCHES:
        more = LEAST_MATCHES if found is None else found.count + 1
        mirrored = _agree(first.mirrored(), second, more)
        if mirrored is not None and mirrored.count >= more:
            found, flipped = mirrored, True
    if found is None or found.count < LEAST_MATCHES:
        return None
    matrix, miss = _fit_perspective(found)
    if flipped:
        matrix = matrix @ np.diag([-1.0, 1.0, 1.0])
    return Overlay(matrix, found.count, miss)


def _match(first: Keypoints, second: Keypoints) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return pairs that are one another's most similar keypoint, and clearly or very similar."""
    similar = first.descriptors @ second.descriptors.T
    rows = np.arange(len(similar))
    best = similar.argmax(axis=1)
    mutual = np.flatnonzero(similar.argmax(axis=0)[best] == rows)
    if len(mutual) < LEAST_MATCHES:
        return mutual, best[mutual]
    near = similar[mutual]
    rows, chosen = np.arange(len(mutual)), best[mutual]
    value = near[rows, chosen]
    near[rows, chosen] = -1.0
    # Distances of vectors of length 1.
    clear = 1.0 - value < _RATIO**2 * np.maximum(1.0 - near.max(axis=1), 5e-10)
    kept = (value > _SURE) | clear
    return mutual[kept], chosen[kept]


@dataclass(frozen=True, slots=True, eq=False)
class _Agreement:
    """Pairs of places that agree on one affine map, shapes (n, 2), and the map, (2, 3)."""

    count: int
    affine: NDArray[np.float64]
    source: NDArray[np.float64]
    target: NDArray[np.float64]


def _agree(first: Keypoints, second: Keypoints, least: int) -> _Agreement | None:
    """Return the most pairs that agree on one affine map; None where there are fewer than that."""
    a, b = _match(first, second)
    if len(a) < least:
        return None
    source, target = first.places[a].astype(np.float64), second.places[b].astype(np.float64)
    scale = (second.sizes[b] / first.sizes[a]).astype(np.float64)
    turn = (second.turns[b] - first.turns[a]).astype(np.float64)
    supporters = _supporters(source, target, scale, turn)
    counts = supporters.sum(axis=1)
    if counts.max() < _LEAST_SUPPORT:
        return None
    best: _Agreement | None = None
    for row in np.argsort(-counts, kind="stable")[:_HYPOTHESES]:
        fitted = _fit(source, target, scale, np.flatnonzero(supporters[row]))
        if fitted is not None and (best is None or fitted.count > best.count):
            best = fitted
    return best


def _fit_perspective(found: _Agreement) -> tuple[NDArray[np.float64], float]:
    """Return a perspective map of the pairs, shape (3, 3), and how far half of them miss it."""
    matrix = np.vstack([found.affine, [0.0, 0.0, 1.0]])
    points = np.column_stack([found.source, np.ones(len(found.source))])
    size = max(1.0, float(np.sqrt(abs(np.linalg.det(found.affine[:, :2])))))
    miss = np.zeros_like(found.target)
    for round_ in range(3):
        x, y, depth = matrix @ points.T
        place = np.column_stack([x / depth, y / depth])
        miss = found.target - place
        if round_ == 2 or len(points) < _PERSPECTIVE_MATCHES:
            break
        rows = (points / depth[:, None])[:, :, None]
        slopes = np.zeros((len(points), 8, 2))
        slopes[:, :3, :1], slopes[:, 3:6, 1:] = rows, rows
        slopes[:, 6:] = -rows[:, :2] * place[:, None]
        columns = slopes.transpose(0, 2, 1).reshape(-1, 8)
        normal = columns.T @ columns + _PERSPECTIVE_DAMPING * np.eye(8)
        change = np.linalg.solve(normal, columns.T @ miss.ravel())
        matrix = matrix + np.append(change, 0.0).reshape(3, 3)
    return matrix, float(np.median(np.hypot(miss[:, 0], miss[:, 1]))) / size


def _supporters(
    source: NDArray[np.float64],
    target: NDArray[np.float64],
    scale: NDArray[np.float64],
    turn: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Return which pairs lie where the map of each pair puts them, shape (n, n)."""
    right = source[None, :, 0] - source[:, None, 0]
    down = source[None, :, 1] - source[:, None, 1]
    cosine, sine = (scale * np.cos(turn))[:, None], (scale * np.sin(turn))[:, None]
    x = cosine * right
    x -= sine * down
    x += target[:, None, 0] - target[None, :, 0]
    y = sine * right
    y += cosine * down
    y += target[:, None, 1] - target[None, :, 1]
    reach = np.sqrt(np.square(right, out=right) + np.square(down, out=down))
    reach *= scale[:, None]
    reach *= _SLACK
    reach += _TOLERANCE
    miss = np.square(x, out=x)
    miss += np.square(y, out=y)
    supports: NDArray[np.bool_] = np.sqrt(miss, out=miss) < reach
    supports &= np.abs(np.log(scale[None] / scale[:, None])) < np.log(2.0)
    supports &= np.cos(turn[None] - turn[:, None]) > 0.8
    return supports


def _fit(
    source: NDArray[np.float64],
    target: NDArray[np.float64],
    scale: NDArray[np.float64],
    chosen: NDArray[np.int64],
) -> _Agreement | None:
    affine = None
    for _ in range(_ROUNDS):
        if len(chosen) < LEAST_MATCHES // 2:
            return None
        affine = fit_affine(source.take(chosen, axis=0), target.take(chosen, axis=0))
        miss = source @ affine[:, :2].T + affine[:, 2] - target
        miss *= miss
        size = max(abs(_determinant(affine)) ** 0.5, 1e-3)
        like = np.abs(np.log(scale / size)) < 0.8
        near = np.sqrt(miss[:, 0] + miss[:, 1]) < _FINE_TOLERANCE * max(size, 0.5)
        again = np.flatnonzero(near & like)
        if len(again) == len(chosen) and bool((again == chosen).all()):
            break
        chosen = again
    if affine is None or len(chosen) < LEAST_MATCHES // 2:
        return None
    long, short = _stretch(affine[:, :2])
    if short < _LEAST_SCALE or long > _MOST_SCALE or long > _MOST_STRETCH * short:
        return None
    if _determinant(affine) <= 0:
        return None
    source, target = source[chosen], target[chosen]
    return _Agreement(_distinct(source, target), affine, source, target)


def fit_affine(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the affine map of least squares from source to target points, shape (2, 3)."""
    middle, goal = np.add.reduce(source) / len(source), np.add.reduce(target) / len(target)
    away = source - middle
    moments = away.T @ away
    moments += _RIDGE
    linear = np.linalg.solve(moments, away.T @ (target - goal)).T
    affine = np.empty((2, 3))
    affine[:, :2], affine[:, 2] = linear, goal - linear @ middle
    return affine


def _determinant(affine: NDArray[np.float64]) -> float:
    """Return how much larger areas become, negative where they are mirrored."""
    (a, b, _), (c, d, _) = affine.tolist()
    return float(a * d - b * c)


def _stretch(linear: NDArray[np.float64]) -> tuple[float, float]:
    """Return the two singular values of a matrix."""
    (a, b), (c, d) = linear.tolist()
    sum_, difference = np.hypot(a + d, c - b), np.hypot(a - d, c + b)
    return float(sum_ + difference) / 2, float(abs(sum_ - difference)) / 2


def _distinct(source: NDArray[np.float64], target: NDArray[np.float64]) -> int:
    """Count the pairs, those at one place (the levels of a pyramid) once."""
    return min(len(set((np.round(p * 64) @ [1024, 1]).tolist())) for p in (source, target))
