"""What a picture fingerprint holds, and the small descriptors derived from it.

A fingerprint is one row of bytes: a small grey picture, two smaller planes of colour difference
and the aspect ratio, all of the whole picture stretched to a square. It is computed once, when a
picture is decoded (``vernis.adapters.fingerprints``); everything that the search for near
duplicates needs comes from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from vernis.core.copies.blocks import slices
from vernis.domain.errors import InvalidValue
from vernis.domain.ports import Rows

Scalar = TypeVar("Scalar", bound=np.generic)

LUMA_SIDE = 64
"""Side of the grey picture, pixels."""
CHROMA_SIDE = 16
"""Side of each plane of colour difference, pixels."""
LUMA_SIZE = LUMA_SIDE * LUMA_SIDE
CHROMA_SIZE = 2 * CHROMA_SIDE * CHROMA_SIDE
FINGERPRINT_SIZE = LUMA_SIZE + CHROMA_SIZE + 2
"""Bytes of a fingerprint."""

ORIENTATIONS: tuple[str, ...] = (
    "identity",
    "hflip",
    "vflip",
    "rot180",
    "transpose",
    "rot270",
    "rot90",
    "transverse",
)
"""The symmetries of the square; rot90 turns a picture by 90° against the clock."""

_TURNS = np.array(
    [
        [[1, 0], [0, 1]],
        [[-1, 0], [0, 1]],
        [[1, 0], [0, -1]],
        [[-1, 0], [0, -1]],
        [[0, 1], [1, 0]],
        [[0, -1], [1, 0]],
        [[0, 1], [-1, 0]],
        [[0, -1], [-1, 0]],
    ],
    dtype=np.float32,
)

# Grey levels; see is_plain.
_LEAST_DETAIL = 1.5

# log2 of an aspect ratio in 1/2048 steps around the middle of 16 bits: 1:65536 at the most.
_ASPECT_STEPS = 2048.0
_ASPECT_ZERO = 32768


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprints:
    """Fingerprints of a collection, taken apart.

    Attributes
    ----------
    luma : Rows of uint8, shape (n_images, LUMA_SIDE, LUMA_SIDE)
        Of very many pictures they are read where some are asked for.
    chroma : Rows of uint8, shape (n_images, 2, CHROMA_SIDE, CHROMA_SIDE)
        Cb and Cr, 128 = grey.
    aspect : ndarray of float32, shape (n_images,)
        Width / height of the original.
    """

    luma: Rows
    chroma: Rows
    aspect: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.luma)


class StoredPlanes:
    """Planes of pictures that lie among the bytes of stored rows, read where they are asked for."""

    def __init__(self, rows: Rows, columns: slice, shape: tuple[int, ...]) -> None:
        self._rows, self._columns, self._shape = rows, columns, shape

    @property
    def shape(self) -> tuple[int, ...]:
        """Pictures, and what each consists of."""
        return len(self._rows), *self._shape

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        """Return the planes of one picture or some."""
        if isinstance(key, int | np.integer):
            return np.asarray(self[np.array([key])][0])
        rows: NDArray[np.uint8] = self._rows[key]
        planes: NDArray[np.uint8] = rows[:, self._columns].reshape(-1, *self._shape)
        return planes


def pack_fingerprint(
    luma: NDArray[np.uint8], chroma: NDArray[np.uint8], width: int, height: int
) -> NDArray[np.uint8]:
    """Return one fingerprint as bytes, shape (FINGERPRINT_SIZE,).

    Parameters
    ----------
    luma : ndarray of uint8, shape (LUMA_SIDE, LUMA_SIDE)
    chroma : ndarray of uint8, shape (2, CHROMA_SIDE, CHROMA_SIDE)
    width, height : int
        Size of the original, pixels.
    """
    steps = round(np.log2(width / height) * _ASPECT_STEPS) + _ASPECT_ZERO
    aspect = np.array([min(max(steps, 0), 65535)], dtype="<u2").view(np.uint8)
    return np.concatenate([luma.ravel(), chroma.ravel(), aspect])


def unpack_fingerprints(rows: Rows) -> Fingerprints:
    """Take rows of bytes apart (views where possible).

    Parameters
    ----------
    rows : Rows of uint8, shape (n_images, FINGERPRINT_SIZE)

    Raises
    ------
    InvalidValue
        When the rows have another length.
    """
    dtype = rows[:0].dtype
    if len(rows.shape) != 2 or rows.shape[1] != FINGERPRINT_SIZE or dtype != np.uint8:
        raise InvalidValue(
            f"expected fingerprints of uint8 and shape (n, {FINGERPRINT_SIZE}), "
            f"got {dtype} of shape {rows.shape}"
        )
    luma: Rows = StoredPlanes(rows, slice(0, LUMA_SIZE), (LUMA_SIDE, LUMA_SIDE))
    chroma: Rows = StoredPlanes(rows, slice(LUMA_SIZE, -2), (2, CHROMA_SIDE, CHROMA_SIDE))
    if isinstance(rows, np.ndarray):
        luma, chroma = luma[:], chroma[:]
    ends = [rows[part][:, -2:] for part in slices(len(rows))]
    last = np.concatenate([np.empty((0, 2), np.uint8), *ends])
    steps = np.ascontiguousarray(last).view("<u2")[:, 0].astype(np.float32)
    aspect = np.exp2((steps - _ASPECT_ZERO) / _ASPECT_STEPS).astype(np.float32)
    return Fingerprints(luma, chroma, aspect)


def turn_matrix(orientation: int) -> NDArray[np.float32]:
    """Return the 2 × 2 matrix that moves a point (x, y), seen from the centre."""
    return np.asarray(_TURNS[orientation])


def turn(planes: NDArray[Scalar], orientation: int) -> NDArray[Scalar]:
    """Turn or mirror pictures, shape (..., side, side)."""
    turned = np.swapaxes(planes, -1, -2) if orientation >= 4 else planes
    if orientation % 4 in (1, 3):
        turned = turned[..., ::-1]
    if orientation % 4 in (2, 3):
        turned = turned[..., ::-1, :]
    return turned


def shrink(planes: NDArray[np.uint8], side: int) -> NDArray[np.float32]:
    """Average pictures of shape (n, size, size) down to (n, side, side).

    ``size`` is a multiple of ``side``, at most 16 times as large.
    """
    step = planes.shape[1] // side
    # Sums of slices: a reduction over axes as short as these costs several times as much.
    rows = planes[:, ::step].astype(np.uint16)
    for k in range(1, step):
        rows += planes[:, k::step]
    sums = rows[:, :, ::step].copy()
    for k in range(1, step):
        sums += rows[:, :, k::step]
    return sums.astype(np.float32) * np.float32(1.0 / step**2)


def standardize(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Remove the mean of the last axis and scale to length 1; flat rows become near zero."""
    centered = rows - rows.mean(axis=-1, keepdims=True)
    energy = np.einsum("...i,...i->...", centered, centered)
    # Grey levels of a flat picture are noise: one level of spread is added.
    centered /= np.sqrt(energy + rows.shape[-1])[..., None]
    return np.asarray(centered)


def is_plain(luma: Rows) -> NDArray[np.bool_]:
    """Tell pictures with too little content to be recognized by it, shape (n_images,).

    Near black, near white, a flat sky, blurred to nothing: such a picture fits any other of its
    kind. What counts is the root mean square of the second differences of the picture at 16 × 16
    points, in grey levels: an even gradient has none.

    Parameters
    ----------
    luma : Rows of uint8, shape (n_images, LUMA_SIDE, LUMA_SIDE)
    """
    plain = np.zeros(len(luma), dtype=bool)
    for start in range(0, len(luma), 4096):
        small = shrink(luma[start : start + 4096], 16)
        across = np.square(np.diff(small, 2, axis=2)).mean(axis=(1, 2))
        down = np.square(np.diff(small, 2, axis=1)).mean(axis=(1, 2))
        plain[start : start + 4096] = np.sqrt((across + down) / 2) < _LEAST_DETAIL
    return plain
