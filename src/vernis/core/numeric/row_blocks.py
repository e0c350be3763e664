"""Matrices of very many rows, gone through in blocks: what holds for all rows, in little memory.

A block is always of the same rows, so that sums have the same bits whatever the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vernis.core.numeric.threads import in_threads
from vernis.domain.ports import Rows

BLOCK = 4096
"""Rows at a time."""

HELD = 128_000_000
"""Numbers of float32 that are held rather than made again: 512 MB."""

_AHEAD = 2


class MadeRows:
    """Rows that are made of those of another matrix when they are asked for.

    Parameters
    ----------
    source : Rows
    make : callable
        From rows of ``source`` to rows of this matrix; what it makes of a row must not hang on the
        rows beside it.
    width : int
        Columns.
    """

    def __init__(
        self, source: Rows, make: Callable[[NDArray[Any]], NDArray[np.float32]], width: int
    ) -> None:
        self._source, self._make, self._width = source, make, width

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self._source), self._width

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        """Return some rows; all of them are made block by block."""
        if not isinstance(key, slice) or key != slice(None):
            return self._make(self._source[key])
        return _whole(self)


class ChosenRows:
    """Some rows of a matrix, in any order."""

    def __init__(self, source: Rows, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> None:
        self._source = source
        self._chosen = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self), self._source.shape[1]

    def __len__(self) -> int:
        return len(self._chosen)

    def __getitem__(self, key: Any) -> NDArray[Any]:
        """Return some rows; all of them are read block by block."""
        if not isinstance(key, slice) or key != slice(None):
            return self._source[self._chosen[key]]
        return _whole(self)


class JoinedRows:
    """The rows of several matrices side by side, as float32."""

    def __init__(self, parts: Sequence[Rows]) -> None:
        self._parts = parts

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self), sum(part.shape[1] for part in self._parts)

    def __len__(self) -> int:
        return len(self._parts[0])

    def __getitem__(self, key: Any) -> NDArray[np.float32]:
        """Return some rows; all of them are read block by block."""
        if not isinstance(key, slice) or key != slice(None):
            return np.hstack([np.asarray(part[key], np.float32) for part in self._parts])
        return _whole(self)


def _whole(rows: Rows) -> NDArray[np.float32]:
    whole = np.empty(rows.shape, np.float32)
    for part, some in by_blocks(rows):
        whole[part] = some
    return whole


def as_rows(X: Rows | ArrayLike) -> Rows:
    """Return what is array-like as an array of float32, and other rows as they are."""
    if isinstance(X, MadeRows | JoinedRows | ChosenRows):
        return X
    return np.asarray(X, np.float32)


def hold_if_small(rows: Rows, most: int = HELD) -> Rows:
    """Return the matrix itself where it has so few numbers that they are better held."""
    return rows[:] if len(rows) * rows.shape[1] <= most else rows


def drawn_evenly(rows: NDArray[np.intp], most: int) -> NDArray[np.intp]:
    """Return at most so many of the rows, spread evenly over them."""
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).astype(np.intp)]


def slices_of(n: int, block: int = BLOCK) -> list[slice]:
    """Return the blocks of n rows."""
    return [slice(start, min(start + block, n)) for start in range(0, n, block)]


def by_blocks(
    rows: Rows, work: Callable[[NDArray[Any]], Any] | None = None
) -> Iterator[tuple[slice, Any]]:
    """Yield each block with what ``work`` makes of its rows (default: the rows), in order."""
    parts = slices_of(len(rows))

    def one(part: slice) -> tuple[slice, Any]:
        some = rows[part]
        return part, some if work is None else work(some)

    return in_threads(one, parts, ahead=_AHEAD)


def column_sums(
    rows: Rows, chosen: NDArray[np.bool_] | None = None, centre: NDArray[np.floating] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the sums of each column and of its squares, shape (n_columns,) each.

    Parameters
    ----------
    rows : Rows
    chosen : ndarray of bool, shape (n_rows,), optional
        The rows that count; default all.
    centre : ndarray, shape (n_columns,), optional
        Taken off before.
    """

    def sums(part: slice) -> NDArray[np.float64]:
        some = rows[part]
        if chosen is not None:
            some = some[chosen[part]]
        values = some.astype(np.float64)
        if centre is not None:
            values -= centre
        return np.stack([values.sum(axis=0), (values * values).sum(axis=0)])

    total = np.zeros((2, rows.shape[1]))
    for one in in_threads(sums, slices_of(len(rows)), ahead=_AHEAD):
        total += one
    return total[0], total[1]
