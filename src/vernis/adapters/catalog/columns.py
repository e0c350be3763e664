"""Columns of a query's result, gathered chunk by chunk."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.domain.types import Categories, hash_column

ColumnKind = type[Any]
"""A dtype of NumPy, ``bytes``, ``str`` or ``Categories``."""


class Column:
    """One column; ``kind`` as in ``Ledger.columns``."""

    def __init__(self, kind: ColumnKind) -> None:
        self._kind = kind
        self._parts: list[NDArray[Any]] = []
        self._texts: list[str] = []
        self._codes: defaultdict[str, int] = defaultdict(itertools.count().__next__)

    def add(self, values: Sequence[Any]) -> None:
        """Add the values of a chunk of rows."""
        if self._kind is str:
            self._texts.extend(values)
        elif self._kind is bytes:
            self._parts.append(hash_column(values))
        elif self._kind is Categories:
            codes = map(self._codes.__getitem__, values)
            self._parts.append(np.fromiter(codes, np.uint32, len(values)))
        else:
            self._parts.append(np.array(values, dtype=self._kind))

    def value(self) -> Any:
        """Return the whole column, once: an array, a list of str or Categories."""
        if self._kind is str:
            return self._texts
        if not self._parts:
            empty = {bytes: np.dtype("S1"), Categories: np.dtype(np.uint8)}
            whole = np.empty(0, dtype=empty.get(self._kind, self._kind))
        else:
            whole = np.concatenate(self._parts)
            self._parts = []  # before those of the next column are copied
        if self._kind is Categories:
            names = tuple(self._codes)
            return Categories(whole.astype(np.min_scalar_type(max(len(names) - 1, 0))), names)
        return whole
