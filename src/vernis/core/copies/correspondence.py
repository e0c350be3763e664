"""Find how two pictures lie on one another from their keypoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.core.copies.keypoints import DIMENSIONS, Keypoints

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
_MIRROR = np.diag([-1.0, 1.0, 1.0])
_BLOCK = 128  # pairs compared at a time
_SUPPORT_BLOCK = 2**17  # entries of the tables of supporters that are made at a time
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
    return overlay_pairs([(first, second)])[0]


def overlay_pairs(pairs: Sequence[tuple[Keypoints, Keypoints]]) -> list[Overlay | None]:
    """Find the overlay of each pair of pictures as ``overlay_keypoints`` does.

    The pairs go through each step together: their tables are so small that one pair at a time
    spends most of its time between the steps.
    """
    found: list[Overlay | None] = []
    for start in range(0, len(pairs), _BLOCK):
        found += _overlay_block(pairs[start : start + _BLOCK])
    return found


def _overlay_block(pairs: Sequence[tuple[Keypoints, Keypoints]]) -> list[Overlay | None]:
    first, second = (_stack([pair[side] for pair in pairs]) for side in (0, 1))
    agreed = _agree(_match(first, second), np.full(len(pairs), LEAST_MATCHES))
    # Where few agree it may be a mirror image, of which more have to.
    unclear = np.flatnonzero(agreed.count < _CLEAR_MATCHES)
    least = np.maximum(agreed.count[unclear] + 1, LEAST_MATCHES)
    mirrored = _agree(_match(first.take(unclear).mirrored(), second.take(unclear)), least)
    better = np.flatnonzero(mirrored.count >= least)
    plain = np.setdiff1d(np.flatnonzero(agreed.count >= LEAST_MATCHES), unclear[better])
    overlays: list[Overlay | None] = [None] * len(pairs)
    for row, overlay in zip(plain, _fit_perspective(agreed.take(plain)), strict=True):
        overlays[row] = overlay
    for row, overlay in zip(unclear[better], _fit_perspective(mirrored.take(better)), strict=True):
        overlays[row] = Overlay(overlay.matrix @ _MIRROR, overlay.matches, overlay.miss)
    return overlays


@dataclass(frozen=True, slots=True, eq=False)
class _Stacked:
    """Keypoints of several pictures, each padded to ``n``; the first ``count`` are there."""

    count: NDArray[np.int64]
    keypoints: Keypoints

    def take(self, rows: NDArray[np.intp]) -> _Stacked:
        points = self.keypoints
        columns = (points.places, points.sizes, points.turns, points.descriptors)
        return _Stacked(self.count[rows], Keypoints(*(column[rows] for column in columns)))

    def mirrored(self) -> _Stacked:
        return _Stacked(self.count, self.keypoints.mirrored())


def _stack(pictures: Sequence[Keypoints]) -> _Stacked:
    count = np.array([len(each) for each in pictures], np.int64)
    shape = len(pictures), int(count.max(initial=1))
    places, sizes = np.zeros((*shape, 2), np.float32), np.ones(shape, np.float32)
    turns = np.zeros(shape, np.float32)
    descriptors = np.zeros((*shape, DIMENSIONS), np.float32)
    for row, each in enumerate(pictures):
        n = len(each)
        places[row, :n], sizes[row, :n], turns[row, :n] = each.places, each.sizes, each.turns
        descriptors[row, :n] = each.descriptors
    return _Stacked(count, Keypoints(places, sizes, turns, descriptors))


@dataclass(frozen=True, slots=True, eq=False)
class _Matches:
    """Keypoints of pairs of pictures that are most like one another, padded behind ``count``.

    Attributes
    ----------
    count : ndarray of int64, shape (n_pairs,)
    source, target : ndarray of float64, shape (n_pairs, n, 2)
        Their places.
    scale, turn : ndarray of float64, shape (n_pairs, n)
        How much larger the second of a match is, and how turned.
    """

    count: NDArray[np.int64]
    source: NDArray[np.float64]
    target: NDArray[np.float64]
    scale: NDArray[np.float64]
    turn: NDArray[np.float64]

    def take(self, rows: NDArray[np.intp]) -> _Matches:
        """Return those of some pairs, padded no more than they need."""
        most = int(self.count[rows].max(initial=0))
        columns = (self.source, self.target, self.scale, self.turn)
        return _Matches(self.count[rows], *(column[rows, :most] for column in columns))

    @property
    def there(self) -> NDArray[np.bool_]:
        """Which are no padding, shape (n_pairs, n)."""
        return np.asarray(np.arange(self.source.shape[1]) < self.count[:, None])


def _match(first: _Stacked, second: _Stacked) -> _Matches:
    """Return keypoints that are one another's most similar, and clearly or very similar."""
    a, b = first.keypoints, second.keypoints
    similar = np.matmul(a.descriptors, b.descriptors.transpose(0, 2, 1))
    # Padding is less similar than anything.
    for row, n in enumerate(second.count.tolist()):
        similar[row, :, n:] = -2.0
    for row, n in enumerate(first.count.tolist()):
        similar[row, n:] = -2.0
    best, back = similar.argmax(axis=2), similar.argmax(axis=1)
    n_pairs, n = best.shape
    mutual = np.take_along_axis(back, best, axis=1) == np.arange(n)
    mutual &= np.arange(n) < np.where(second.count > 0, first.count, 0)[:, None]
    pair, one = np.nonzero(mutual)
    other = best[pair, one]
    near = similar[pair, one]
    rows = np.arange(len(near))
    value = near[rows, other]
    near[rows, other] = -1.0
    # Distances of vectors of length 1.
    clear = 1.0 - value < _RATIO**2 * np.maximum(1.0 - near.max(axis=1, initial=-1.0), 5e-10)
    kept = (value > _SURE) | clear
    pair, one, other = pair[kept], one[kept], other[kept]
    count = np.bincount(pair, minlength=n_pairs)
    column = np.arange(len(pair)) - np.repeat(np.cumsum(count) - count, count)
    shape = n_pairs, int(count.max(initial=0))

    def padded(values: NDArray[np.float32], filling: float) -> NDArray[np.float64]:
        table = np.full((*shape, *values.shape[1:]), filling)
        table[pair, column] = values
        return table

    return _Matches(
        count,
        padded(a.places[pair, one], 0.0),
        padded(b.places[pair, other], 0.0),
        padded(b.sizes[pair, other] / a.sizes[pair, one], 1.0),
        padded(b.turns[pair, other] - a.turns[pair, one], 0.0),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Agreement:
    """The most matches of each pair of pictures that agree on one affine map.

    Attributes
    ----------
    count : ndarray of int64, shape (n_pairs,)
        Places that agree; 0 where none do.
    affine : ndarray of float64, shape (n_pairs, 2, 3)
    chosen : ndarray of bool, shape (n_pairs, n)
        The matches that agree.
    source, target : ndarray of float64, shape (n_pairs, n, 2)
        The places of all matches.
    """

    count: NDArray[np.int64]
    affine: NDArray[np.float64]
    chosen: NDArray[np.bool_]
    source: NDArray[np.float64]
    target: NDArray[np.float64]

    def take(self, rows: NDArray[np.intp]) -> _Agreement:
        places = self.source[rows], self.target[rows]
        return _Agreement(self.count[rows], self.affine[rows], self.chosen[rows], *places)


def _agree(matches: _Matches, least: NDArray[np.int64]) -> _Agreement:
    """Return what most matches agree on, for pairs that have as many as they need at least."""
    n_pairs, n = matches.scale.shape
    count, affine = np.zeros(n_pairs, np.int64), np.zeros((n_pairs, 2, 3))
    chosen = np.zeros((n_pairs, n), dtype=bool)
    # Of about as many matches together, so that little is padded.
    order = np.argsort(matches.count, kind="stable")
    order = order[matches.count[order] >= least[order]]
    while len(order):
        some = order[: max(1, int(_SUPPORT_BLOCK // matches.count[order[-1]] ** 2))]
        order = order[len(some) :]
        part = matches.take(some)
        width = part.scale.shape[1]
        supporters = _supporters(part)
        supports = supporters.sum(axis=2)
        best = np.argsort(-supports, axis=1, kind="stable")[:, :_HYPOTHESES]
        supported = supports.max(axis=1) >= _LEAST_SUPPORT
        for hypothesis in best.T:
            start = supporters[np.arange(len(some)), hypothesis] & supported[:, None]
            agreed, map_, kept = _fit(part, start)
            more = agreed > count[some]
            rows = some[more]
            count[rows], affine[rows] = agreed[more], map_[more]
            chosen[rows, :width] = kept[more]
    return _Agreement(count, affine, chosen, matches.source, matches.target)


def _fit_perspective(found: _Agreement) -> list[Overlay]:
    """Return the perspective maps of what agrees, and how far half of it misses them."""
    weight = found.chosen[:, :, None].astype(np.float64)
    n_pairs, n = found.chosen.shape
    matrix = np.zeros((n_pairs, 3, 3))
    matrix[:, :2], matrix[:, 2, 2] = found.affine, 1.0
    points = np.concatenate([found.source, np.ones((n_pairs, n, 1))], axis=2)
    size = np.maximum(1.0, np.sqrt(np.abs(np.linalg.det(found.affine[:, :, :2]))))
    enough = found.chosen.sum(axis=1) >= _PERSPECTIVE_MATCHES
    miss = np.zeros_like(found.target)
    for round_ in range(3):
        x, y, depth = np.moveaxis(points @ matrix.transpose(0, 2, 1), 2, 0)
        depth = np.where(found.chosen, depth, 1.0)
        place = np.stack([x / depth, y / depth], axis=2)
        miss = (found.target - place) * weight
        if round_ == 2:
            break
        rows = points / depth[:, :, None] * weight
        slopes = np.zeros((n_pairs, n, 2, 8))
        slopes[:, :, 0, :3], slopes[:, :, 1, 3:6] = rows, rows
        slopes[:, :, :, 6:] = -rows[:, :, None, :2] * place[:, :, :, None]
        columns = slopes.reshape(n_pairs, 2 * n, 8)
        normal = columns.transpose(0, 2, 1) @ columns + _PERSPECTIVE_DAMPING * np.eye(8)
        right = columns.transpose(0, 2, 1) @ miss.reshape(n_pairs, 2 * n, 1)
        change = np.zeros((n_pairs, 9))
        change[enough, :8] = np.linalg.solve(normal[enough], right[enough])[:, :, 0]
        matrix += change.reshape(-1, 3, 3)
    far = np.where(found.chosen, np.hypot(miss[:, :, 0], miss[:, :, 1]), np.nan)
    half = np.nanmedian(far, axis=1) / size if n_pairs else size
    return [
        Overlay(map_, count, apart)
        for map_, count, apart in zip(matrix, found.count.tolist(), half.tolist(), strict=True)
    ]


def _supporters(matches: _Matches) -> NDArray[np.bool_]:
    """Return which matches lie where the map of each puts them, shape (n_pairs, n, n)."""
    source, target, scale = matches.source, matches.target, matches.scale
    cosine, sine = scale * np.cos(matches.turn), scale * np.sin(matches.turn)
    x, y = source[:, :, 0], source[:, :, 1]
    ones = np.ones_like(x)
    # Where the map of a match puts the source of another, less the target of that, squared.
    own_x, own_y = target[:, :, 0] - cosine * x + sine * y, target[:, :, 1] - sine * x - cosine * y
    miss = _products((cosine, -sine, -ones, own_x), (x, y, target[:, :, 0], ones))
    np.square(miss, out=miss)
    down = _products((sine, cosine, -ones, own_y), (x, y, target[:, :, 1], ones))
    miss += np.square(down, out=down)
    reach = np.subtract(x[:, None], x[:, :, None])
    np.square(reach, out=reach)
    np.subtract(y[:, None], y[:, :, None], out=down)
    reach += np.square(down, out=down)
    np.sqrt(reach, out=reach)
    reach *= (scale * _SLACK)[:, :, None]
    reach += _TOLERANCE
    supports: NDArray[np.bool_] = miss < np.square(reach, out=reach)
    size = np.log(scale)
    np.subtract(size[:, None], size[:, :, None], out=down)
    supports &= np.abs(down, out=down) < np.log(2.0)
    turn = np.cos(matches.turn), np.sin(matches.turn)
    supports &= _products(turn, turn) > 0.8  # the cosine of the difference
    supports &= matches.there[:, None]
    supports &= matches.there[:, :, None]
    return supports


def _products(
    first: tuple[NDArray[np.float64], ...], second: tuple[NDArray[np.float64], ...]
) -> NDArray[np.float64]:
    """Return the sum of the products of each entry of the first with each of the second.

    Columns of shape (n_pairs, n) give a table of shape (n_pairs, n, n).
    """
    return np.asarray(np.stack(first, axis=2) @ np.stack(second, axis=1))


def _fit(
    matches: _Matches, chosen: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return count, map and matches that agree with it, beginning with those that are chosen.

    A count of 0 where too few agree, or by a map that no edit makes.
    """
    n_pairs = len(chosen)
    affine = np.zeros((n_pairs, 2, 3))
    active = np.arange(n_pairs)
    chosen = chosen.copy()
    for _ in range(_ROUNDS):
        active = active[chosen[active].sum(axis=1) >= LEAST_MATCHES // 2]
        if not len(active):
            break
        source, target = matches.source[active], matches.target[active]
        affine[active] = maps = _fit_affine(source, target, chosen[active])
        miss = source @ maps[:, :, :2].transpose(0, 2, 1) + maps[:, None, :, 2] - target
        miss *= miss
        size = np.maximum(np.sqrt(np.abs(_determinant(maps))), 1e-3)[:, None]
        like = np.abs(np.log(matches.scale[active] / size)) < 0.8
        near = np.sqrt(miss[:, :, 0] + miss[:, :, 1]) < _FINE_TOLERANCE * np.maximum(size, 0.5)
        again = near & like & matches.there[active]
        changed = (again != chosen[active]).any(axis=1)
        active = active[changed]
        chosen[active] = again[changed]
    long, short = _stretch(affine)
    possible = (short >= _LEAST_SCALE) & (long <= _MOST_SCALE) & (long <= _MOST_STRETCH * short)
    possible &= (_determinant(affine) > 0) & (chosen.sum(axis=1) >= LEAST_MATCHES // 2)
    count = np.where(possible, _count_places(matches, chosen), 0)
    return count, affine, chosen


def _fit_affine(
    source: NDArray[np.float64], target: NDArray[np.float64], chosen: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the affine maps of least squares from source to target points, (n_pairs, 2, 3)."""
    weight = chosen[:, :, None].astype(np.float64)
    count = weight.sum(axis=1)
    middle, goal = (source * weight).sum(axis=1) / count, (target * weight).sum(axis=1) / count
    away = (source - middle[:, None]) * weight
    moments = away.transpose(0, 2, 1) @ away + _RIDGE
    right = away.transpose(0, 2, 1) @ (target - goal[:, None])
    linear = np.linalg.solve(moments, right).transpose(0, 2, 1)
    affine = np.empty((len(source), 2, 3))
    affine[:, :, :2] = linear
    affine[:, :, 2] = goal - (linear @ middle[:, :, None])[:, :, 0]
    return affine


def _determinant(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how much larger areas become, negative where they are mirrored."""
    return np.asarray(affine[:, 0, 0] * affine[:, 1, 1] - affine[:, 0, 1] * affine[:, 1, 0])


def _stretch(affine: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the two singular values of the linear part of each map."""
    a, b, c, d = (affine[:, row, column] for row in (0, 1) for column in (0, 1))
    sum_, difference = np.hypot(a + d, c - b), np.hypot(a - d, c + b)
    return (sum_ + difference) / 2, np.abs(sum_ - difference) / 2


def _count_places(matches: _Matches, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Count the chosen matches of each pair, those at one place (the levels of a pyramid) once."""
    counts = []
    for places in (matches.source, matches.target):
        codes = np.where(chosen, np.round(places * 64) @ [1024, 1], np.inf)
        codes.sort(axis=1)
        distinct = np.isfinite(codes)
        distinct[:, 1:] &= codes[:, 1:] != codes[:, :-1]
        counts.append(distinct.sum(axis=1))
    return np.asarray(np.minimum(*counts))
