"""Which channels of a layer stand out in a picture, and where a channel looks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vernis.domain.ports import Pixels
from vernis.domain.types import ImageRecord

_SPREAD_FLOOR = 0.25
"""Of the median spread of all channels: less would make nearly dead channels stand out."""


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """A place of the collection that excites a channel.

    ``picture`` is the whole fitted square, ``patch`` the part around the peak, ``place`` the peak
    as shares (x, y) of the square, ``heat`` the channel's map of the whole square.
    """

    image: ImageRecord
    peak: float
    place: tuple[float, float]
    picture: Pixels
    patch: Pixels
    heat: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class ChannelView:
    """A channel in the picture that was asked about, and the patches that excite it most.

    ``deviation``: how far its peak in the picture lies above its usual one, standard deviations.
    """

    layer: str
    channel: int
    peak: float
    deviation: float
    heat: NDArray[np.float32]
    side: int
    patches: tuple[Patch, ...]


def standing_out(
    peaks: NDArray[np.generic], collection_peaks: NDArray[np.generic]
) -> NDArray[np.float64]:
    """Return how far each channel's peak in a picture lies above its usual peak.

    Parameters
    ----------
    peaks : ndarray, shape (n_channels,)
        The largest value of each channel in the picture.
    collection_peaks : ndarray, shape (n_images, n_channels)
        The same for many pictures.

    Returns
    -------
    ndarray of float64, shape (n_channels,)
        In standard deviations of the channel's peaks over the pictures.
    """
    usual = np.asarray(collection_peaks, np.float64)
    spread = usual.std(axis=0)
    spread = np.maximum(spread, max(_SPREAD_FLOOR * float(np.median(spread)), 1e-9))
    return np.asarray((np.asarray(peaks, np.float64) - usual.mean(axis=0)) / spread)


def strongest_images(
    values: NDArray[np.generic], groups: NDArray[np.int64], count: int
) -> list[int]:
    """Return the rows of the largest values, at most one row of each group, largest first.

    Parameters
    ----------
    values : ndarray, shape (n_images,)
    groups : ndarray of int64, shape (n_images,)
        Equal for images that are copies of one another.
    count : int
    """
    chosen: list[int] = []
    seen: set[int] = set()
    for row in np.argsort(-np.asarray(values, np.float64), kind="stable"):
        if int(groups[row]) not in seen:
            seen.add(int(groups[row]))
            chosen.append(int(row))
        if len(chosen) == count:
            break
    return chosen


def peak_place(channel: NDArray[np.generic]) -> tuple[float, float]:
    """Return the centre of the largest cell of a map as shares (x, y) of its width and height."""
    height, width = channel.shape
    row, column = divmod(int(np.argmax(channel)), width)
    return (column + 0.5) / width, (row + 0.5) / height


def crop_around(
    picture: NDArray[np.uint8], place: tuple[float, float], side: int
) -> NDArray[np.uint8]:
    """Cut a square around a place, moved inwards where it would leave the picture.

    Parameters
    ----------
    picture : ndarray of uint8, shape (height, width, 3)
    place : tuple of float
        Shares (x, y) of width and height.
    side : int
        Pixels; at most the shorter side of the picture is taken.

    Returns
    -------
    ndarray of uint8, shape (side, side, 3)
    """
    height, width = picture.shape[:2]
    side = max(1, min(side, height, width))
    left = min(max(0, round(place[0] * width - side / 2)), width - side)
    top = min(max(0, round(place[1] * height - side / 2)), height - side)
    return picture[top : top + side, left : left + side]


@dataclass(frozen=True, slots=True)
class Window:
    """A node that looks at a window of its input, for the receptive field."""

    kernel: int = 1
    stride: int = 1
    dilation: int = 1


def receptive_fields(
    nodes: Iterable[tuple[Sequence[str], Sequence[str], Window]], source: str
) -> Mapping[str, int]:
    """Return the side of the square of input pixels that one cell of each tensor can see.

    ``r_out = r_in + (kernel - 1) · dilation · j_in`` and ``j_out = j_in · stride``, where ``j`` is
    the distance of neighbouring cells in input pixels (Araujo, Norris & Sim 2019, Distill, eq. 2).
    Where branches join, the widest counts.

    Parameters
    ----------
    nodes : iterable of (inputs, outputs, Window)
        In the order of the graph.
    source : str
        The picture.
    """
    fields: dict[str, tuple[int, int]] = {source: (1, 1)}
    for inputs, outputs, window in nodes:
        known = [fields[name] for name in inputs if name in fields]
        if not known:
            continue
        reach, jump = max(known)
        reach += (window.kernel - 1) * window.dilation * jump
        for name in outputs:
            fields[name] = (reach, jump * window.stride)
    return {name: reach for name, (reach, _) in fields.items()}
