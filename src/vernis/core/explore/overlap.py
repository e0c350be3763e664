"""Give every point of a map a cell of its own, near its place, so that pictures do not overlap.

Points are dealt to free cells near their places, then windows of the grid are dealt anew by exact
linear assignment: the sum of squared ways only ever falls, and the cost grows with the number of
points instead of its cube.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import InvalidValue

_WINDOW = 20  # cells; linear assignment in a window of 400 cells takes some milliseconds
_ROUNDS = 2
_ROOM = 0.12  # of the longer side, added on each; what stays empty is cut off
_CLIP = 0.002  # share of the points at each edge whose way outside does not widen the grid


@dataclass(frozen=True, slots=True, eq=False)
class Tiling:
    """A cell for every point.

    Attributes
    ----------
    columns, rows : int
        Of the grid.
    cells : ndarray of int64, shape (n, 2)
        Column and row of each point, no two equal; row 0 is at the top.
    mean_way : float
        Mean distance between a point's place and its cell's centre, in cells.
    """

    columns: int
    rows: int
    cells: NDArray[np.int64]
    mean_way: float


def tile_points(points: NDArray[np.generic], *, fill: float = 0.5) -> Tiling:
    """Assign each point a cell near its place.

    Parameters
    ----------
    points : ndarray, shape (n, 2)
        x to the right, y upwards.
    fill : float
        About the share of the cells that points take, above 0 to 1: 1 fills a rectangle whole,
        less leaves the gaps between the clusters of the map.

    Raises
    ------
    InvalidValue
        When the shape is another, a place is not finite or ``fill`` lies outside.
    """
    places = np.array(points, dtype=np.float64)
    if places.ndim != 2 or places.shape[1] != 2 or not np.isfinite(places).all():
        raise InvalidValue(f"expected finite points of shape (n, 2), got {places.shape}")
    if not 0.0 < fill <= 1.0:
        raise InvalidValue(f"expected a fill above 0 to 1, got {fill}")
    if not len(places):
        return Tiling(0, 0, np.zeros((0, 2), np.int64), 0.0)
    places, columns, rows = _scaled(places, fill)
    cells = _deal(places, columns, rows)
    for round_ in range(_ROUNDS):
        shift = (round_ % 2) * _WINDOW // 2
        _improve(places, cells, columns, rows, shift)
    ways = np.sqrt(((cells + 0.5 - places) ** 2).sum(axis=1))
    cells -= cells.min(axis=0)
    columns, rows = (cells.max(axis=0) + 1).tolist()
    return Tiling(columns, rows, cells, float(ways.mean()))


def _scaled(places: NDArray[np.float64], fill: float) -> tuple[NDArray[np.float64], int, int]:
    """Return the places in units of cells, y downwards, and the size of the grid."""
    n = len(places)
    places[:, 1] *= -1
    low, high = np.quantile(places, [_CLIP, 1 - _CLIP], axis=0)
    extent = np.maximum(high - low, 1e-12)
    ratio = float(np.clip(extent[0] / extent[1], 0.25, 4.0))
    cells = n / fill
    columns = max(1, round((cells * ratio) ** 0.5))
    rows = max(1, -(-round(cells) // columns))
    while columns * rows < n:
        rows += 1
    size = np.array([columns, rows], dtype=np.float64)
    inside = np.clip((places - low) * ((size - 1e-6) / extent), 0.0, size - 1e-6)
    # Room around, into which the pictures of a dense part at the edge can spread.
    room = round(_ROOM * max(columns, rows)) if fill < 1.0 else 0
    return inside + room, columns + 2 * room, rows + 2 * room


def _deal(places: NDArray[np.float64], columns: int, rows: int) -> NDArray[np.int64]:
    """Give each point the nearest free cell, those nearest to their own cell's centre first."""
    from scipy.spatial import cKDTree

    n = len(places)
    cells = np.full((n, 2), -1, dtype=np.int64)
    free = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2)
    waiting = np.arange(n)
    while len(waiting):
        # Every waiting point asks for its nearest free cell; the nearest asker gets it. At least
        # one point is served in each round, most of them in the first few.
        tree = cKDTree(free + 0.5)
        found = tree.query(places[waiting])
        ways, wanted = np.asarray(found[0]), np.asarray(found[1])
        order = np.lexsort((waiting, ways))
        served, first = np.unique(wanted[order], return_index=True)
        lucky = order[first]
        cells[waiting[lucky]] = free[served]
        waiting = np.delete(waiting, lucky)
        free = np.delete(free, served, axis=0)
    return cells


def _improve(
    places: NDArray[np.float64],
    cells: NDArray[np.int64],
    columns: int,
    rows: int,
    shift: int,
) -> None:
    """Deal the cells of each window anew, in place, at the least sum of squared ways."""
    from scipy.optimize import linear_sum_assignment

    across = -(-(columns + shift) // _WINDOW)
    window = (cells[:, 0] + shift) // _WINDOW + across * ((cells[:, 1] + shift) // _WINDOW)
    order = np.argsort(window, kind="stable")
    starts = np.flatnonzero(np.diff(window[order], prepend=-1))
    for members in np.split(order, starts[1:]):
        if len(members) < 2:
            continue
        down, along = divmod(int(window[members[0]]), across)
        left, top = along * _WINDOW - shift, down * _WINDOW - shift
        x = np.arange(max(0, left), min(columns, left + _WINDOW))
        y = np.arange(max(0, top), min(rows, top + _WINDOW))
        inside = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
        costs = ((places[members][:, None] - (inside + 0.5)[None]) ** 2).sum(axis=2)
        _, chosen = linear_sum_assignment(costs)
        cells[members] = inside[chosen]


def hilbert_order(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the points' order along a Hilbert curve, so that neighbours come near one another.

    Parameters
    ----------
    cells : ndarray of int64, shape (n, 2)
        0 or more.
    """
    if not len(cells):
        return np.zeros(0, np.int64)
    side = 1 << max(1, int(cells.max()).bit_length())
    x, y = cells[:, 0].copy(), cells[:, 1].copy()
    place = np.zeros(len(cells), dtype=np.int64)
    step = side // 2
    while step:
        right, down = (x & step) > 0, (y & step) > 0
        place += step * step * ((3 * right) ^ down)
        # Turn the quarter so that the curve inside it runs on from the last one.
        flip = ~down & right
        x[flip], y[flip] = side - 1 - x[flip], side - 1 - y[flip]
        swap = ~down
        x[swap], y[swap] = y[swap], x[swap].copy()
        step //= 2
    return np.argsort(place, kind="stable")
