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
    roomy = [level for level in levels if min(level.shape) >= LEAST_SIDE]
    record = np.zeros(RECORD_SIZE, dtype=np.uint8)
    if not roomy:
        return record
    stack = _Stack.build(roomy)
    found = _spread(_detect(stack), stack.shapes[0])
    if not len(found):
        return record
    turns, descriptors = _describe(stack, found)
    factor = _scales()[found[:, 0].astype(np.intp)]
    places = (found[:, 1:3] + 0.5) * factor[:, None] / max(stack.shapes[0])
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
    places: NDArray[np.floating[Any]],
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


@dataclass(frozen=True, slots=True, eq=False)
class _Stack:
    """The levels of a picture, lightly smoothed, in a row.

    Attributes
    ----------
    flat : ndarray of float32, shape (n_pixels,)
        Grey levels.
    shapes : list of (int, int)
        Height and width of each level.
    starts : list of int
        Where each level begins.
    """

    flat: NDArray[np.float32]
    shapes: list[tuple[int, int]]
    starts: list[int]

    @classmethod
    def build(cls, levels: list[NDArray[np.uint8]]) -> _Stack:
        """Smooth each level and put it behind the one before."""
        shapes = [(level.shape[0], level.shape[1]) for level in levels]
        ends = np.cumsum([level.size for level in levels]).tolist()
        starts = [0, *ends[:-1]]
        flat = np.empty(ends[-1], dtype=np.float32)
        for level, start, end in zip(levels, starts, ends, strict=True):
            # Sixteenths of a grey level are whole numbers: the product is exact.
            np.multiply(_smooth(level).ravel(), np.float32(1 / 16), out=flat[start:end])
        return cls(flat, shapes, starts)

    def at(self, found: NDArray[np.float32]) -> _Places:
        """Return the places of keypoints (rows of level, x, y)."""
        bounds = np.array(
            [
                (at, height, width)
                for at, (height, width) in zip(self.starts, self.shapes, strict=True)
            ],
            dtype=np.float32,
        )
        start, height, width = bounds[found[:, 0].astype(np.intp)].T[:, :, None]
        return _Places(self.flat, found[:, 1:2], found[:, 2:3], start, height, width)


@dataclass(frozen=True, slots=True, eq=False)
class _Places:
    """Places on the levels of a stack; but for ``flat`` float32 of shape (n, 1)."""

    flat: NDArray[np.float32]
    x: NDArray[np.float32]
    y: NDArray[np.float32]
    start: NDArray[np.float32]
    height: NDArray[np.float32]
    width: NDArray[np.float32]

    def read(
        self, x: NDArray[np.floating[Any]], y: NDArray[np.floating[Any]]
    ) -> NDArray[np.float32]:
        """Read between the pixels (bilinear); of shape (n, n_points), which are overwritten."""
        for axis, size in ((x, self.width), (y, self.height)):
            # Twice as fast as ``np.clip`` by columns.
            np.maximum(axis, np.float32(0), out=axis)
            np.minimum(axis, size - np.float32(1.001), out=axis)
        left, top = np.floor(x), np.floor(y)
        x -= left
        y -= top
        top *= self.width
        top += left
        top += self.start
        at = top.astype(np.intp)  # float32 holds every whole number below 2**24
        first = self._line(at, x)
        at += self.width.astype(np.intp)
        return _between(first, self._line(at, x), y)

    def _line(self, at: NDArray[np.intp], share: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        return _between(self.flat.take(at), self.flat[1:].take(at), share)


def _between(
    low: NDArray[np.float32], high: NDArray[np.float32], share: NDArray[np.floating[Any]]
) -> NDArray[np.float32]:
    """Return ``low + (high - low) * share``, rounded once."""
    high -= low
    step: NDArray[np.float64] = np.multiply(high, share, dtype=np.float64)
    step += low
    return step.astype(np.float32)


def _smooth(level: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Return a picture smoothed by (1, 2, 1) along both axes but at its rim, times 16."""
    rows = level.astype(np.uint16)
    middle = rows * np.uint16(4)
    inner = middle[1:-1]
    inner >>= 1
    inner += rows[:-2]
    inner += rows[2:]
    out = middle * np.uint16(4)
    inner = out[:, 1:-1]
    inner >>= 1
    inner += middle[:, :-2]
    inner += middle[:, 2:]
    return out


def _detect(stack: _Stack) -> NDArray[np.float32]:
    """Return level, x, y and response of the local maxima, shape (n, 4)."""
    found = []
    for level, (start, (height, width)) in enumerate(zip(stack.starts, stack.shapes, strict=True)):
        plane = stack.flat[start : start + height * width]
        response = _respond(plane, width)
        # Of floats that are not below 0 the bits are in order.
        bits = response.view(np.int32)
        rows = np.maximum(bits[: -2 * width], bits[width:-width])
        np.maximum(rows, bits[2 * width :], out=rows)
        inner = bits[width + 1 : -width - 1]
        highest = np.maximum(rows[:-2], rows[1:-1])
        np.maximum(highest, rows[2:], out=highest)
        peaks = np.zeros(len(rows), dtype=bool)
        np.equal(inner, highest, out=peaks[1:-1])
        peaks &= response[width:-width] > _LEAST_RESPONSE
        grid = peaks.reshape(-1, width)
        grid[:, :_MARGIN] = grid[:, -_MARGIN:] = False
        at = np.flatnonzero(peaks)
        y, x = np.divmod(at.astype(np.int32), np.int32(width))
        rows_found = np.empty((len(at), 4), dtype=np.float32)
        rows_found[:, 0], rows_found[:, 1], rows_found[:, 2] = level, x, y
        rows_found[:, 2] += _MARGIN
        rows_found[:, 3] = response[width:-width][at]
        found.append(rows_found)
    return np.concatenate(found)


def _respond(plane: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """Return the size of the Hessian's determinant of the rows from ``_MARGIN`` - 1 on, flat.

    The picture is one row after the other: what reaches from one row into the next lies within the
    margin.
    """
    first, last = (_MARGIN - 1) * width, len(plane) - (_MARGIN - 1) * width

    def moved(x: int, y: int) -> NDArray[np.float32]:
        return plane[first + y * width + x : last + y * width + x]

    core = np.float32(2) * moved(0, 0)
    across = moved(2, 0) - core
    across += moved(-2, 0)
    down = moved(0, 2) - core
    down += moved(0, -2)
    across *= down
    mixed = moved(2, 2) + moved(-2, -2)
    mixed -= moved(2, -2)
    mixed -= moved(-2, 2)
    mixed *= np.float32(0.25)
    mixed *= mixed
    across -= mixed
    return np.abs(across, out=across)


def _spread(found: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Choose the strongest, less eagerly where a part of the picture has many already."""
    if len(found) <= COUNT:
        return found
    factor = _scales()[found[:, 0].astype(np.intp)]
    column = np.minimum((found[:, 1] * factor / shape[1] * _GRID).astype(np.int32), _GRID - 1)
    row = np.minimum((found[:, 2] * factor / shape[0] * _GRID).astype(np.int32), _GRID - 1)
    part = (row * _GRID + column).astype(np.int64)
    # By part, then the strongest first, then as they come: in one number, which sorts faster.
    strength = np.ascontiguousarray(found[:, 3]).view(np.int32).astype(np.int64)
    places = len(found).bit_length()
    order = np.sort(((part << 31 | (2**31 - 1 - strength)) << places) | np.arange(len(found)))
    order &= (1 << places) - 1
    ordered = part[order]
    starts = np.searchsorted(ordered, np.arange(_GRID**2))
    rank = np.empty(len(found), dtype=np.int64)
    rank[order] = np.arange(len(found)) - starts[ordered]
    price = _RANK_PRICE * rank - np.log(np.maximum(found[:, 3], 1e-3))
    some = np.flatnonzero(price <= np.partition(price, COUNT - 1)[COUNT - 1])
    return found[some[np.argsort(price[some], kind="stable")[:COUNT]]]


@cache
def _scales() -> NDArray[np.float32]:
    """Return how many pixels of the largest level one of each level is."""
    factors: NDArray[np.float32] = np.float32(LEVEL_STEP) ** np.arange(LEVELS, dtype=np.float32)
    return factors


def _describe(
    stack: _Stack, found: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return orientations (radians) and descriptors."""
    places = stack.at(found)
    turns = _orient(places)
    cosine, sine = np.cos(turns)[:, None], np.sin(turns)[:, None]
    right, down = _offsets(_PATCH, _SPACING)
    x, y = places.x + cosine * right, places.y + sine * right
    x -= sine * down
    y += cosine * down
    patch = places.read(x, y)
    histograms = _histograms(patch.reshape(-1, _PATCH, _PATCH))
    numbers = histograms @ _transform()[0].T
    numbers /= np.linalg.norm(numbers, axis=1, keepdims=True) + np.float32(1e-6)
    return turns, numbers


@cache
def _offsets(side: int, spacing: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    axis = ((np.arange(side) - (side - 1) / 2) * spacing).astype(np.float32)
    x, y = np.meshgrid(axis, axis)
    return x.ravel(), y.ravel()


def _orient(places: _Places) -> NDArray[np.float32]:
    """Return the direction in which most of the gradients around each place go."""
    right, down = _offsets(_TURN_PATCH, _TURN_SPACING)
    patch = places.read(places.x + right, places.y + down)
    patch = patch.reshape(-1, _TURN_PATCH, _TURN_PATCH)
    n = len(patch)
    across = (patch[:, 1:-1, 2:] - patch[:, 1:-1, :-2]).reshape(n, -1)
    along = (patch[:, 2:, 1:-1] - patch[:, :-2, 1:-1]).reshape(n, -1)
    # What ``np.hypot`` gives, ten times as fast.
    squares = np.square(across, dtype=np.float64)
    squares += np.square(along, dtype=np.float64)
    strength = np.sqrt(squares).astype(np.float32) * _turn_weights()
    place = np.arctan2(along, across) * (_TURN_BINS / (2 * np.pi)) + _TURN_BINS
    floor = np.floor(place)
    share = (place - floor).astype(np.float64)
    low = floor.astype(np.int64)
    low[low >= _TURN_BINS] -= _TURN_BINS
    high = low + 1
    high[high == _TURN_BINS] = 0
    first = np.arange(n)[:, None] * _TURN_BINS
    flat = np.zeros(n * _TURN_BINS)
    for bins, values in ((low, strength * (1 - share)), (high, strength * share)):
        bins += first
        flat += np.bincount(bins.ravel(), values.ravel(), n * _TURN_BINS)
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
def _turn_weights() -> NDArray[np.float32]:
    """Return how much each gradient around a place counts for its orientation."""
    right, down = _offsets(_TURN_PATCH, _TURN_SPACING)
    weight = np.exp(-(np.square(right) + np.square(down)) / 32.0)
    return np.asarray(weight.reshape(_TURN_PATCH, _TURN_PATCH)[1:-1, 1:-1].ravel())


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
