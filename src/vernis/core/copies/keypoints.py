"""Keypoints of a picture: places that are found again in a turned, cropped or framed copy.

Blobs of the Hessian's determinant in a pyramid of grey pictures, each with an orientation and a
histogram of gradients as in SIFT (Lowe 2004), its values square-rooted (Arandjelović & Zisserman
2012) and kept as the lowest functions of a cosine transform over the cells and a Fourier transform
over the orientations. Mirroring a picture changes the signs of some of these numbers and nothing
else, so that mirrored copies are found without describing a picture twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import InvalidValue

LONGER_SIDE = 192
"""Pixels of the longer side of the largest grey picture that keypoints are looked for in."""
LEVELS = 6
LEVEL_STEP = 2.0**0.5
"""Each of the ``LEVELS`` of the pyramid is smaller than the one before by this factor."""
LEAST_SIDE = 20
"""A level with a shorter side has no room for a keypoint's surroundings."""
COUNT = 112
"""Keypoints that a picture has at the most."""

_CELLS, _ORIENTATIONS = 4, 8
_PATCH, _SPACING = 12, 1.4
_TURN_PATCH, _TURN_SPACING, _TURN_BINS = 11, 1.2, 24
_MARGIN = 6
_LEAST_RESPONSE = 4.0
_GRID = 6
_RANK_PRICE = 0.35
_CLIP = 0.2
_STEPS = 254.0  # a descriptor's number of -0.5..0.5 in steps of one byte
_PLACE = 65535.0
_GEOMETRY_BYTES = 6


@cache
def _transform() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the functions that describe, a row each, and their sign in a mirrored picture."""
    cells = np.arange(_CELLS) + 0.5
    cosine = np.array([np.cos(np.pi * cells * k / _CELLS) for k in range(_CELLS)])
    turns = np.arange(_ORIENTATIONS) * (2 * np.pi / _ORIENTATIONS)
    fourier = np.array(
        [np.ones(_ORIENTATIONS), *(f(k * turns) for k in (1, 2) for f in (np.cos, np.sin))]
    )
    cosine /= np.linalg.norm(cosine, axis=1, keepdims=True)
    fourier /= np.linalg.norm(fourier, axis=1, keepdims=True)
    rows, signs = [], []
    for y, x, a in product(range(_CELLS), range(_CELLS), range(len(fourier))):
        if 0 < y + x + (a + 1) // 2 <= _CELLS:
            rows.append(np.einsum("i,j,a->ija", cosine[y], cosine[x], fourier[a]).ravel())
            # Mirrored along the orientation: cells change their order, sines their sign.
            signs.append((-1.0) ** y * (-1.0 if a and a % 2 == 0 else 1.0))
    return np.array(rows, np.float32), np.array(signs, np.float32)


DIMENSIONS = len(_transform()[1])
"""Numbers of a descriptor."""
RECORD_SIZE = COUNT * (_GEOMETRY_BYTES + DIMENSIONS)
"""Bytes of the keypoints of a picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Keypoints:
    """The keypoints of a picture.

    Attributes
    ----------
    places : ndarray of float32, shape (n, 2)
        x to the right and y down, in units of the picture's longer side.
    sizes : ndarray of float32, shape (n,)
        In the same unit.
    turns : ndarray of float32, shape (n,)
        Orientation, radians from the x axis towards the y axis.
    descriptors : ndarray of float32, shape (n, DIMENSIONS)
        Of length 1.
    """

    places: NDArray[np.float32]
    sizes: NDArray[np.float32]
    turns: NDArray[np.float32]
    descriptors: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.places)

    def mirrored(self) -> Keypoints:
        """Return the keypoints of the picture mirrored left to right, about x = 0."""
        places = self.places * np.array([-1.0, 1.0], np.float32)
        turns = np.float32(np.pi) - self.turns
        return Keypoints(places, self.sizes, turns, mirror_descriptors(self.descriptors))


def mirror_descriptors(descriptors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the descriptors that a mirrored picture has, shape (n, DIMENSIONS)."""
    return np.asarray(descriptors * _transform()[1])


def level_sizes(width: int, height: int) -> list[tuple[int, int]]:
    """Return width and height of each level that a picture of that size has; at least one."""
    scale = LONGER_SIDE / max(width, height)
    sizes = []
    for level in range(LEVELS):
        factor = scale * LEVEL_STEP**-level
        size = max(1, round(width * factor)), max(1, round(height * factor))
        if level and min(size) < LEAST_SIDE:
            break
        sizes.append(size)
    return sizes


def find_keypoints(levels: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Return the keypoints of a picture as bytes, shape (RECORD_SIZE,).

    Parameters
    ----------
    levels : list of ndarray of uint8, shape (height, width)
        Grey, of the sizes of ``level_sizes``.
    """
    planes = [_smooth(level) for level in levels if min(level.shape) >= LEAST_SIDE]
    record = np.zeros(RECORD_SIZE, dtype=np.uint8)
    if not planes:
        return record
    found = _spread(_detect(planes), planes[0].shape)
    if not len(found):
        return record
    turns, descriptors = _describe(planes, found)
    factor = LEVEL_STEP ** found[:, 0]
    places = (found[:, 1:3] + 0.5) * factor[:, None] / max(planes[0].shape)
    _pack(record, places, found[:, 0], turns, descriptors)
    return record


def unpack_keypoints(record: NDArray[np.uint8]) -> Keypoints:
    """Return the keypoints that ``find_keypoints`` gave as bytes.

    Raises
    ------
    InvalidValue
        The record has another length.
    """
    if record.shape != (RECORD_SIZE,) or record.dtype != np.uint8:
        raise InvalidValue(
            f"expected keypoints of uint8 and shape ({RECORD_SIZE},), "
            f"got {record.dtype} of shape {record.shape}"
        )
    rows = record.reshape(COUNT, -1)
    # The size of a keypoint is never 0; the rows behind the last one are.
    rows = rows[rows[:, 4] > 0]
    places = np.ascontiguousarray(rows[:, :4]).view("<u2").astype(np.float32) / np.float32(_PLACE)
    sizes = LEVEL_STEP ** (rows[:, 4].astype(np.float32) - 1.0) * np.float32(8.0 / LONGER_SIDE)
    turns = rows[:, 5].astype(np.float32) * np.float32(2 * np.pi / 256)
    return Keypoints(places, sizes.astype(np.float32), turns, unpack_descriptors(rows))


def unpack_descriptors(rows: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the descriptors of packed keypoints, a row each, of length 1."""
    values = rows[:, _GEOMETRY_BYTES:].view(np.int8).astype(np.float32)
    values /= np.linalg.norm(values, axis=1, keepdims=True) + np.float32(1e-6)
    return values


def _pack(
    record: NDArray[np.uint8],
    places: NDArray[np.float32],
    levels: NDArray[np.float32],
    turns: NDArray[np.float32],
    descriptors: NDArray[np.float32],
) -> None:
    rows = record.reshape(COUNT, -1)[: len(places)]
    steps = np.round(places.clip(0, 1) * _PLACE).astype("<u2")
    rows[:, :4] = np.ascontiguousarray(steps).view(np.uint8)
    rows[:, 4] = levels.astype(np.uint8) + 1
    rows[:, 5] = np.round(turns * (256 / (2 * np.pi))).astype(np.int64) % 256
    numbers = np.round(descriptors * _STEPS).clip(-127, 127).astype(np.int8)
    rows[:, _GEOMETRY_BYTES:] = numbers.view(np.uint8)


def _smooth(level: NDArray[np.uint8]) -> NDArray[np.float32]:
    rows = level.astype(np.float32)
    middle = rows.copy()
    middle[1:-1] = 0.25 * (rows[:-2] + rows[2:]) + 0.5 * rows[1:-1]
    out = middle.copy()
    out[:, 1:-1] = 0.25 * (middle[:, :-2] + middle[:, 2:]) + 0.5 * middle[:, 1:-1]
    return out


def _detect(planes: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return level, x, y and response of the local maxima, shape (n, 4)."""
    found = []
    for level, plane in enumerate(planes):
        core = plane[4:-4, 4:-4]
        across = plane[4:-4, 6:-2] - 2 * core + plane[4:-4, 2:-6]
        down = plane[6:-2, 4:-4] - 2 * core + plane[2:-6, 4:-4]
        mixed = plane[6:-2, 6:-2] + plane[2:-6, 2:-6] - plane[6:-2, 2:-6] - plane[2:-6, 6:-2]
        response = np.abs(across * down - np.square(0.25 * mixed))
        rows = np.maximum(np.maximum(response[:-2], response[1:-1]), response[2:])
        highest = np.maximum(np.maximum(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])
        inner = response[1:-1, 1:-1]
        peaks = ((inner >= highest) & (inner > _LEAST_RESPONSE))[1:-1, 1:-1]
        y, x = np.nonzero(peaks)
        values = inner[1:-1, 1:-1][y, x]
        found.append(np.column_stack([np.full(len(x), level), x + _MARGIN, y + _MARGIN, values]))
    return np.concatenate(found).astype(np.float32)


def _spread(found: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Choose the strongest, less eagerly where a part of the picture has many already."""
    if len(found) <= COUNT:
        return found
    factor = LEVEL_STEP ** found[:, 0]
    column = np.minimum((found[:, 1] * factor / shape[1] * _GRID).astype(np.int64), _GRID - 1)
    row = np.minimum((found[:, 2] * factor / shape[0] * _GRID).astype(np.int64), _GRID - 1)
    part = row * _GRID + column
    order = np.lexsort((-found[:, 3], part))
    rank = np.empty(len(found), dtype=np.int64)
    starts = np.searchsorted(part[order], np.arange(_GRID**2))
    rank[order] = np.arange(len(found)) - starts[part[order]]
    worth = np.log(np.maximum(found[:, 3], 1e-3)) - _RANK_PRICE * rank
    return found[np.argsort(-worth, kind="stable")[:COUNT]]


@dataclass(frozen=True, slots=True, eq=False)
class _Stack:
    """All planes in a row, and where the plane of each keypoint begins."""

    flat: NDArray[np.float32]
    start: NDArray[np.int64]
    width: NDArray[np.int64]
    height: NDArray[np.int64]

    @classmethod
    def build(cls, planes: list[NDArray[np.float32]], levels: NDArray[np.int64]) -> _Stack:
        flat = np.concatenate([plane.ravel() for plane in planes])
        starts = np.cumsum([0, *(plane.size for plane in planes)])[:-1]
        shapes = np.array([plane.shape for plane in planes])
        height, width = shapes[levels, 0][:, None], shapes[levels, 1][:, None]
        return cls(flat, starts[levels][:, None], width, height)

    def read(
        self, x: NDArray[np.floating[Any]], y: NDArray[np.floating[Any]]
    ) -> NDArray[np.float32]:
        """Read between the pixels (bilinear), shape (n, n_points) as x and y."""
        x = np.clip(x, 0, self.width - 1.001).astype(np.float32)
        y = np.clip(y, 0, self.height - 1.001).astype(np.float32)
        left, top = x.astype(np.int64), y.astype(np.int64)
        right, below = x - left, y - top
        at = self.start + top * self.width + left
        first = self.flat[at]
        first += (self.flat[at + 1] - first) * right
        at += self.width
        second = self.flat[at]
        second += (self.flat[at + 1] - second) * right
        return np.asarray(first + (second - first) * below, dtype=np.float32)


def _describe(
    planes: list[NDArray[np.float32]], found: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return orientations (radians) and descriptors."""
    stack = _Stack.build(planes, found[:, 0].astype(np.int64))
    x, y = found[:, 1:2], found[:, 2:3]
    turns = _orient(stack, x, y)
    cosine, sine = np.cos(turns)[:, None], np.sin(turns)[:, None]
    right, down = _offsets(_PATCH, _SPACING)
    patch = stack.read(x + cosine * right - sine * down, y + sine * right + cosine * down)
    histograms = _histograms(patch.reshape(-1, _PATCH, _PATCH))
    numbers = histograms @ _transform()[0].T
    numbers /= np.linalg.norm(numbers, axis=1, keepdims=True) + np.float32(1e-6)
    return turns, numbers


@cache
def _offsets(side: int, spacing: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    axis = ((np.arange(side) - (side - 1) / 2) * spacing).astype(np.float32)
    x, y = np.meshgrid(axis, axis)
    return x.ravel(), y.ravel()


def _orient(stack: _Stack, x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the direction in which most of the gradients around each point go."""
    right, down = _offsets(_TURN_PATCH, _TURN_SPACING)
    patch = stack.read(x + right, y + down).reshape(-1, _TURN_PATCH, _TURN_PATCH)
    n = len(patch)
    across = (patch[:, 1:-1, 2:] - patch[:, 1:-1, :-2]).reshape(n, -1)
    along = (patch[:, 2:, 1:-1] - patch[:, :-2, 1:-1]).reshape(n, -1)
    weight = np.exp(-(np.square(right) + np.square(down)) / 32.0)
    weight = weight.reshape(_TURN_PATCH, _TURN_PATCH)[1:-1, 1:-1].ravel()
    strength = np.hypot(across, along) * weight
    place = np.arctan2(along, across) * (_TURN_BINS / (2 * np.pi)) + _TURN_BINS
    low = place.astype(np.int64)
    share = place - low
    first = np.arange(n)[:, None] * _TURN_BINS
    flat = np.zeros(n * _TURN_BINS)
    for bins, values in ((low, strength * (1 - share)), (low + 1, strength * share)):
        at = (first + bins % _TURN_BINS).ravel()
        flat += np.bincount(at, values.ravel(), n * _TURN_BINS)
    histogram = flat.reshape(n, _TURN_BINS)
    for _ in range(2):
        before, after = np.roll(histogram, 1, axis=1), np.roll(histogram, -1, axis=1)
        histogram = 0.25 * (before + after) + 0.5 * histogram
    peak, rows = histogram.argmax(axis=1), np.arange(n)
    left, middle = histogram[rows, (peak - 1) % _TURN_BINS], histogram[rows, peak]
    right_ = histogram[rows, (peak + 1) % _TURN_BINS]
    # The top of the parabola through the highest bin and its neighbours.
    shift = 0.5 * (left - right_) / np.minimum(left - 2 * middle + right_, -1e-6)
    return np.asarray((peak + shift) * (2 * np.pi / _TURN_BINS), dtype=np.float32)


@cache
def _cell_weights() -> NDArray[np.float32]:
    """Return the share of each point of a patch in each cell, shape (_PATCH², _CELLS²)."""
    width = _PATCH / _CELLS
    axis = np.arange(_PATCH) - (_PATCH - 1) / 2
    middles = (np.arange(_CELLS) + 0.5) * width - _PATCH / 2
    line = np.maximum(0.0, 1 - np.abs(axis[:, None] - middles) / width)
    return np.asarray(
        np.einsum("yi,xj->yxij", line, line).reshape(_PATCH**2, _CELLS**2), dtype=np.float32
    )


def _histograms(patch: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return histograms of gradients, cells × orientations, shape (n, 128)."""
    n = len(patch)
    right, down = _offsets(_PATCH, _SPACING)
    weight = np.exp(-(np.square(right) + np.square(down)) / 162.0).astype(np.float32)
    across, along = np.zeros_like(patch), np.zeros_like(patch)
    across[:, :, 1:-1] = patch[:, :, 2:] - patch[:, :, :-2]
    along[:, 1:-1] = patch[:, 2:] - patch[:, :-2]
    across, along = across.reshape(n, -1) * weight, along.reshape(n, -1) * weight
    inverse = 1.0 / np.maximum(np.square(across) + np.square(along), np.float32(1e-9))
    half = np.float32(0.5**0.5)
    directions = (across, (across + along) * half, along, (along - across) * half)
    cells = _cell_weights()
    bins = np.empty((n, _ORIENTATIONS, _CELLS**2), dtype=np.float32)
    for k, projection in enumerate(directions):
        # A cosine to the third power: a gradient counts for its own and the next orientations.
        lobe = projection * projection * projection * inverse
        bins[:, k] = np.maximum(lobe, 0) @ cells
        bins[:, k + _ORIENTATIONS // 2] = np.maximum(-lobe, 0) @ cells
    rows = bins.transpose(0, 2, 1).reshape(n, -1)
    rows = rows / (np.linalg.norm(rows, axis=1, keepdims=True) + np.float32(1e-6))
    rows = np.minimum(rows, np.float32(_CLIP))
    return np.asarray(np.sqrt(rows / (rows.sum(axis=1, keepdims=True) + np.float32(1e-9))))
