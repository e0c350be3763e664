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
from typing import Any, TypeVar

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
_RESPONSE_UNIT = 256.0  # of responses to grey levels times 16
_STRONG, _GAP = 0.08, 6  # share of the responses, of every sixth row and column, to begin with
_NO_LEVEL = 255
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


def find_keypoints(
    levels: list[NDArray[np.uint8]], workspace: Workspace | None = None
) -> NDArray[np.uint8]:
    """Return the keypoints of a picture as bytes, shape (RECORD_SIZE,).

    Parameters
    ----------
    levels : list of ndarray of uint8, shape (height, width)
        Grey, of the sizes of ``level_sizes``.
    workspace : Workspace, optional
        Of this thread alone; saves the time of getting memory for each picture anew.
    """
    roomy = [level for level in levels if min(level.shape) >= LEAST_SIDE]
    record = np.zeros(RECORD_SIZE, dtype=np.uint8)
    if not roomy:
        return record
    sheet = _Sheet.build(roomy, Workspace() if workspace is None else workspace)
    found = _choose(sheet)
    if not len(found):
        return record
    turns, descriptors = _describe(sheet, found)
    factor = _scales()[found[:, 0].astype(np.intp)]
    places = (found[:, 1:3] + 0.5) * factor[:, None] / max(sheet.shapes[0])
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


class Workspace:
    """Memory for planes as large as a picture's levels, kept from one picture to the next.

    Not for use by two threads at once.
    """

    def __init__(self) -> None:
        self._size = 0
        self._whole: tuple[NDArray[np.int16], ...] = ()
        self._float: tuple[NDArray[np.float32], ...] = ()

    def whole(self, size: int) -> tuple[NDArray[np.int16], ...]:
        """Return three planes of whole numbers; what they hold is left over."""
        self._grow(size)
        return tuple(plane[:size] for plane in self._whole)

    def float(self, size: int) -> tuple[NDArray[np.float32], ...]:
        """Return two planes of floats; what they hold is left over."""
        self._grow(size)
        return tuple(plane[:size] for plane in self._float)

    def _grow(self, size: int) -> None:
        if size > self._size:
            self._size = size
            self._whole = tuple(np.empty(size, np.int16) for _ in range(3))
            self._float = tuple(np.empty(size, np.float32) for _ in range(2))


@dataclass(frozen=True, slots=True, eq=False)
class _Sheet:
    """The levels of a picture, lightly smoothed, side by side on one sheet.

    Attributes
    ----------
    grey : ndarray of int16, shape (n_pixels,)
        Grey levels times 16.
    width : int
        Of the sheet.
    shapes : list of (int, int)
        Height and width of each level.
    corners : list of (int, int)
        y and x of the first pixel of each level.
    workspace : Workspace
    """

    grey: NDArray[np.int16]
    width: int
    shapes: list[tuple[int, int]]
    corners: list[tuple[int, int]]
    workspace: Workspace

    @classmethod
    def build(cls, levels: list[NDArray[np.uint8]], workspace: Workspace) -> _Sheet:
        """Lay out the levels and smooth each."""
        shapes = [(level.shape[0], level.shape[1]) for level in levels]
        height, width, corners = _lay_out(shapes)
        size = height * width
        middle, plain, grey = workspace.whole(size)
        plain[:] = 0
        parts = [
            (slice(y, y + tall), slice(x, x + wide))
            for (y, x), (tall, wide) in zip(corners, shapes, strict=True)
        ]
        sheet = plain.reshape(height, width)
        for level, part in zip(levels, parts, strict=True):
            sheet[part] = level
        _smooth(sheet, parts, middle.reshape(sheet.shape), grey)
        return cls(grey, width, shapes, corners, workspace)

    def owners(self) -> NDArray[np.uint8]:
        """Return the level of each pixel that may be a keypoint, shape (n_pixels,); others have
        ``_NO_LEVEL``."""
        owner = np.full((len(self.grey) // self.width, self.width), _NO_LEVEL, dtype=np.uint8)
        m = _MARGIN
        for level, ((y, x), (tall, wide)) in enumerate(zip(self.corners, self.shapes, strict=True)):
            owner[y + m : y + tall - m, x + m : x + wide - m] = level
        return owner.ravel()

    def find(
        self, at: NDArray[np.intp], levels: NDArray[np.uint8], response: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Return level, x, y and response of pixels of the sheet, by level, shape (n, 4)."""
        order = np.argsort(levels, kind="stable")
        at, levels, response = at.take(order), levels.take(order), response.take(order)
        found = np.empty((len(at), 4), dtype=np.float32)
        y, x = np.divmod(at.astype(np.int32), np.int32(self.width))
        top, left = np.array(self.corners, dtype=np.int32).T
        found[:, 0], found[:, 3] = levels, response
        np.subtract(x, left.take(levels), out=found[:, 1], casting="unsafe")
        np.subtract(y, top.take(levels), out=found[:, 2], casting="unsafe")
        return found

    def at(self, found: NDArray[np.float32]) -> _Places:
        """Return the places of keypoints (rows of level, x, y)."""
        bounds = np.array(
            [
                (y * self.width + x, height, width)
                for (y, x), (height, width) in zip(self.corners, self.shapes, strict=True)
            ],
            dtype=np.float32,
        )
        start, height, width = bounds[found[:, 0].astype(np.intp)].T
        return _Places(self.grey, self.width, found[:, 1], found[:, 2], start, height, width)


def _lay_out(shapes: list[tuple[int, int]]) -> tuple[int, int, list[tuple[int, int]]]:
    """Return height and width of a sheet, and y and x of the corner of each level on it.

    Of a pyramid it is as wide as the largest level, and a tenth of it is empty.
    """
    (h0, w0), (h1, w1), (h2, w2), (h3, w3), (h4, w4), (h5, w5) = shapes + [(0, 0)] * (
        LEVELS - len(shapes)
    )
    second, third = h0, h0 + max(h1, h4 + h5)
    corners = [(0, 0), (second, 0), (third, 0), (third, w2), (second, w1), (second + h4, w1)]
    width = max(w0, w1 + max(w4, w5), w2 + w3)
    return third + max(h2, h3), width, corners[: len(shapes)]


def _smooth(
    sheet: NDArray[np.int16],
    parts: list[tuple[slice, slice]],
    middle: NDArray[np.int16],
    out: NDArray[np.int16],
) -> None:
    """Smooth each part of a sheet by (1, 2, 1) along both axes but at its rim, times 16.

    What lies between the parts is left over; ``out`` is flat.
    """
    np.add(sheet[:-2], sheet[2:], out=middle[1:-1])
    middle[1:-1] += sheet[1:-1]
    middle[1:-1] += sheet[1:-1]
    for rows, columns in parts:
        for row in (rows.start, rows.stop - 1):
            np.multiply(sheet[row, columns], 4, out=middle[row, columns])
    flat, inner = middle.ravel(), out[1:-1]
    np.add(flat[:-2], flat[2:], out=inner)
    inner += flat[1:-1]
    inner += flat[1:-1]
    grid = out.reshape(sheet.shape)
    for rows, columns in parts:
        for column in (columns.start, columns.stop - 1):
            np.multiply(middle[rows, column], 4, out=grid[rows, column])


@dataclass(frozen=True, slots=True, eq=False)
class _Places:
    """Places on the levels of a sheet; but for ``grey`` float32 of shape (n,)."""

    grey: NDArray[np.int16]
    line: int
    x: NDArray[np.float32]
    y: NDArray[np.float32]
    start: NDArray[np.float32]
    height: NDArray[np.float32]
    width: NDArray[np.float32]

    def read(self, x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float32]:
        """Read between the pixels (bilinear); of shape (n_points, n), which are overwritten."""
        left, top = self._split(x, self.width), self._split(y, self.height)
        top *= np.float32(self.line)
        top += left
        top += self.start
        # float32 holds every whole number below 2**24; by way of int32 it is faster.
        return self._between(top.astype(np.int32).astype(np.intp), x, y)

    def read_grid(self, x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float32]:
        """Read where columns x and rows y cross, shape (n_rows, n_columns, n); as ``read``."""
        left, top = self._split(x, self.width), self._split(y, self.height)
        top *= np.float32(self.line)
        top += self.start
        at = top.astype(np.intp)[:, None] + left.astype(np.intp)
        return self._between(at, x, y[:, None])

    @staticmethod
    def _split(axis: NDArray[np.float32], size: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take the whole part off places within the level and return it."""
        # Twice as fast as ``np.clip`` by columns.
        np.maximum(axis, np.float32(0), out=axis)
        np.minimum(axis, size - np.float32(1.001), out=axis)
        whole = np.floor(axis)
        axis -= whole
        return whole

    def _between(
        self, at: NDArray[np.intp], x: NDArray[np.float32], y: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        across, down = x.astype(np.float64), y.astype(np.float64)
        below = self.grey[self.line :]
        first = _between(self.grey.take(at), self.grey[1:].take(at), across)
        read = _between(first, _between(below.take(at), below[1:].take(at), across), down)
        # Sixteenths of a grey level up to here: a power of two costs not a bit.
        read *= np.float32(1 / 16)
        return read


_Number = TypeVar("_Number", np.int16, np.float32)


def _between(
    low: NDArray[_Number], high: NDArray[_Number], share: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return ``low + (high - low) * share``, rounded once; of whole numbers the step is exact."""
    high -= low
    # Converted as a whole: a mixed product or sum is converted in small portions.
    step = high.astype(np.float64)
    step *= share
    step += low.astype(np.float64)
    return step.astype(np.float32)


def _choose(sheet: _Sheet) -> NDArray[np.float32]:
    """Return the chosen of the local maxima: level, x, y and response, shape (n, 4)."""
    response, rest = _respond(sheet)
    least = _guess_least(sheet, response)
    while True:
        chosen, worst = _spread(_detect(sheet, response, rest, least), sheet.shapes[0])
        # Weaker ones count for nothing in the ranks of stronger ones.
        enough = max(_LEAST_RESPONSE, 0.999 * float(np.exp(-worst)))
        if least <= enough:
            return chosen
        least = enough


def _guess_least(sheet: _Sheet, response: NDArray[np.float32]) -> float:
    """Return a response that most of the chosen will exceed, and few of the others."""
    height, width = sheet.shapes[0]
    plane = response[: (height - 2 * _MARGIN + 1) * sheet.width].reshape(-1, sheet.width)
    some = plane[1::_GAP, _MARGIN : width - _MARGIN : _GAP].ravel()
    if not some.size:
        return _LEAST_RESPONSE
    rank = int(some.size * (1 - _STRONG))
    return max(_LEAST_RESPONSE, float(np.partition(some, rank)[rank]) / _RESPONSE_UNIT)


def _detect(
    sheet: _Sheet, response: NDArray[np.float32], rest: NDArray[np.float32], least: float
) -> NDArray[np.float32]:
    """Return level, x, y and response of the local maxima above ``least``, shape (n, 4).

    ``rest`` is memory of the size of the response.
    """
    width = sheet.width
    # Of floats that are not below 0 the bits are in order.
    bits, rows = response.view(np.int32), rest.view(np.int32)[: len(response) - 2 * width]
    np.maximum(bits[: -2 * width], bits[width:-width], out=rows)
    np.maximum(rows, bits[2 * width :], out=rows)
    highest = np.maximum(rows[:-2], rows[1:-1])
    np.maximum(highest, rows[2:], out=highest)
    inner = response[width + 1 : -width - 1]
    peaks = inner.view(np.int32) == highest
    peaks &= inner > np.float32(least * _RESPONSE_UNIT)
    at = np.flatnonzero(peaks)
    strength = inner.take(at)
    at += _MARGIN * width + 1
    levels = sheet.owners().take(at)
    own = np.flatnonzero(levels != _NO_LEVEL)
    strength = strength.take(own) * np.float32(1 / _RESPONSE_UNIT)
    return sheet.find(at.take(own), levels.take(own), strength)


def _respond(sheet: _Sheet) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the size of the Hessian's determinant, in the unit of ``_RESPONSE_UNIT``.

    Of the rows from ``_MARGIN`` - 1 on, flat; and memory of the same size. The sheet is one row
    after the other: what reaches from one row or level into the next lies within the margin.
    """
    plane, width = sheet.grey, sheet.width
    first, last = (_MARGIN - 1) * width, len(plane) - (_MARGIN - 1) * width
    core, side, _ = (memory[: last - first] for memory in sheet.workspace.whole(len(plane)))
    across, other = (memory[: last - first] for memory in sheet.workspace.float(len(plane)))

    def moved(x: int, y: int) -> NDArray[np.int16]:
        return plane[first + y * width + x : last + y * width + x]

    # Sums of grey levels times 16 are whole numbers below 2**15.
    np.add(moved(0, 0), moved(0, 0), out=core)
    np.add(moved(2, 0), moved(-2, 0), out=side)
    side -= core
    across[:] = side
    np.add(moved(0, 2), moved(0, -2), out=side)
    side -= core
    other[:] = side
    across *= other
    np.add(moved(2, 2), moved(-2, -2), out=side)
    side -= moved(2, -2)
    side -= moved(-2, 2)
    other[:] = side
    other *= np.float32(0.25)
    other *= other
    across -= other
    return np.abs(across, out=across), other


def _spread(
    found: NDArray[np.float32], shape: tuple[int, ...]
) -> tuple[NDArray[np.float32], float]:
    """Choose the strongest, less eagerly where a part of the picture has many already.

    Returns
    -------
    chosen : ndarray of float32, shape (n, 4)
    worst : float
        The price that the last of them has.
    """
    if len(found) <= COUNT:
        return found, np.inf
    factor = _scales().take(found[:, 0].astype(np.intp))
    column = np.minimum((found[:, 1] * factor / shape[1] * _GRID).astype(np.int32), _GRID - 1)
    row = np.minimum((found[:, 2] * factor / shape[0] * _GRID).astype(np.int32), _GRID - 1)
    part = (row * _GRID + column).astype(np.int64)
    # By part, then the strongest first, then as they come: in one number, which sorts faster.
    strength = np.ascontiguousarray(found[:, 3]).view(np.int32).astype(np.int64)
    places = len(found).bit_length()
    order = np.sort(((part << 31 | (2**31 - 1 - strength)) << places) | np.arange(len(found)))
    order &= (1 << places) - 1
    ordered = part.take(order)
    starts = np.searchsorted(ordered, np.arange(_GRID**2))
    rank = np.empty(len(found), dtype=np.int64)
    rank[order] = np.arange(len(found)) - starts.take(ordered)
    price = _RANK_PRICE * rank - np.log(np.maximum(found[:, 3], 1e-3))
    worst = np.partition(price, COUNT - 1)[COUNT - 1]
    some = np.flatnonzero(price <= worst)
    chosen = some[np.argsort(price[some], kind="stable")[:COUNT]]
    return found.take(chosen, axis=0), float(worst)


@cache
def _scales() -> NDArray[np.float32]:
    """Return how many pixels of the largest level one of each level is."""
    factors: NDArray[np.float32] = np.float32(LEVEL_STEP) ** np.arange(LEVELS, dtype=np.float32)
    return factors


def _describe(
    sheet: _Sheet, found: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return orientations (radians) and descriptors."""
    places = sheet.at(found)
    turns = _orient(places)
    cosine, sine = np.cos(turns), np.sin(turns)
    right, down = (axis[:, None] for axis in _offsets(_PATCH, _SPACING))
    x, y = cosine * right, sine * right
    x += places.x
    y += places.y
    x -= sine * down
    y += cosine * down
    patch = np.ascontiguousarray(places.read(x, y).T)
    histograms = _histograms(patch)
    numbers = histograms @ _transform()[0].T
    numbers /= np.linalg.norm(numbers, axis=1, keepdims=True) + np.float32(1e-6)
    return turns, numbers


@cache
def _offsets(side: int, spacing: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    x, y = np.meshgrid(_axis(side, spacing), _axis(side, spacing))
    return x.ravel(), y.ravel()


@cache
def _axis(side: int, spacing: float) -> NDArray[np.float32]:
    return ((np.arange(side) - (side - 1) / 2) * spacing).astype(np.float32)


def _orient(places: _Places) -> NDArray[np.float32]:
    """Return the direction in which most of the gradients around each place go."""
    axis = _axis(_TURN_PATCH, _TURN_SPACING)[:, None]
    patch = places.read_grid(places.x + axis, places.y + axis)
    n = patch.shape[2]
    across = (patch[1:-1, 2:] - patch[1:-1, :-2]).reshape(-1, n)
    along = (patch[2:, 1:-1] - patch[:-2, 1:-1]).reshape(-1, n)
    # What ``np.hypot`` gives, ten times as fast.
    squares, others = across.astype(np.float64), along.astype(np.float64)
    squares *= squares
    others *= others
    squares += others
    weighted = np.sqrt(squares, out=squares).astype(np.float32)
    weighted *= _turn_weights()[:, None]
    strength = weighted.astype(np.float64)
    place = np.arctan2(along, across)
    place *= np.float32(_TURN_BINS / (2 * np.pi))
    place += np.float32(_TURN_BINS)
    floor = np.floor(place)
    place -= floor
    share = place.astype(np.float64)
    low = floor.astype(np.int32).astype(np.uint8)
    # Bytes wrap around: what is below the number of bins becomes large.
    low = np.minimum(low, low - np.uint8(_TURN_BINS))
    high = low + np.uint8(1)
    high = np.minimum(high, high - np.uint8(_TURN_BINS))
    upper = strength * share
    np.subtract(1, share, out=share)
    share *= strength
    first = np.arange(0, n * _TURN_BINS, _TURN_BINS)
    flat: NDArray[np.float64] = np.zeros(n * _TURN_BINS)
    for bins, values in ((low, share), (high, upper)):
        at = bins.astype(np.intp)
        at += first
        flat += np.bincount(at.ravel(), values.ravel(), n * _TURN_BINS)
    # With the last bin before the first and the first behind the last.
    ring = np.empty((n, _TURN_BINS + 2))
    ring[:, 1:-1] = flat.reshape(n, _TURN_BINS)
    for _ in range(2):
        ring[:, 0], ring[:, -1] = ring[:, -2], ring[:, 1]
        ring[:, 1:-1] = 0.25 * (ring[:, :-2] + ring[:, 2:]) + 0.5 * ring[:, 1:-1]
    ring[:, 0], ring[:, -1] = ring[:, -2], ring[:, 1]
    peak = ring[:, 1:-1].argmax(axis=1)
    at = peak + np.arange(0, ring.size, _TURN_BINS + 2)
    left, middle, right = (ring.ravel()[k:].take(at) for k in range(3))
    # The top of the parabola through the highest bin and its neighbours.
    shift = 0.5 * (left - right) / np.minimum(left - 2 * middle + right, -1e-6)
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


@cache
def _gradient_weights() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return how much each gradient of a patch counts, across and along; 0 at the rim."""
    right, down = _offsets(_PATCH, _SPACING)
    weight = np.exp(-(np.square(right) + np.square(down)) / 162.0).astype(np.float32)
    inside = np.zeros((_PATCH, _PATCH), dtype=np.float32)
    inside[:, 1:-1] = 1
    return weight * inside.ravel(), weight * inside.T.ravel()


def _histograms(patch: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return histograms of gradients, cells × orientations, shape (n, 128).

    Parameters
    ----------
    patch : ndarray of float32, shape (n, _PATCH²)
    """
    n, flat = len(patch), patch.ravel()
    across, along = np.zeros_like(patch), np.zeros_like(patch)
    # What reaches from one row or patch into the next has no weight.
    np.subtract(flat[2:], flat[:-2], out=across.ravel()[1:-1])
    np.subtract(flat[2 * _PATCH :], flat[: -2 * _PATCH], out=along.ravel()[_PATCH:-_PATCH])
    weight_across, weight_along = _gradient_weights()
    across *= weight_across
    along *= weight_along
    squares_across, squares_along = across * across, along * along
    inverse = squares_across + squares_along
    np.maximum(inverse, np.float32(1e-9), out=inverse)
    np.divide(np.float32(1), inverse, out=inverse)
    rising, falling = across + along, along - across
    half = np.float32(0.5**0.5)
    rising *= half
    falling *= half
    directions = (
        (across, squares_across),
        (rising, rising * rising),
        (along, squares_along),
        (falling, falling * falling),
    )
    cells = _cell_weights()
    bins = np.empty((n, _ORIENTATIONS, _CELLS**2), dtype=np.float32)
    part = np.empty_like(patch)
    for k, (projection, lobe) in enumerate(directions):
        # A cosine to the third power: a gradient counts for its own and the next orientations.
        lobe *= projection
        lobe *= inverse
        bins[:, k] = np.maximum(lobe, 0, out=part) @ cells
        np.negative(np.minimum(lobe, 0, out=part) @ cells, out=bins[:, k + _ORIENTATIONS // 2])
    rows = bins.transpose(0, 2, 1).reshape(n, -1)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True) + np.float32(1e-6)
    np.minimum(rows, np.float32(_CLIP), out=rows)
    rows /= rows.sum(axis=1, keepdims=True) + np.float32(1e-9)
    return np.sqrt(rows, out=rows)
