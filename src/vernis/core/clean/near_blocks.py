"""Blocks of work that run on threads and give the same result whatever their number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from vernis.core.learn.threads import count_threads, single_threaded_products

BLOCK = 2048
"""Pictures or pairs of one piece of work."""

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def slices(count: int) -> list[slice]:
    """Return the blocks of so many rows."""
    return [slice(start, start + BLOCK) for start in range(0, count, BLOCK)]


def in_threads(work: Callable[[_Item], _Result], items: Sequence[_Item]) -> Iterator[_Result]:
    """Yield the results in the order of the items: nothing depends on the number of threads."""
    with single_threaded_products():
        pool = ThreadPoolExecutor(count_threads(len(items)))
        try:
            yield from pool.map(work, items)
        finally:
            pool.shutdown(cancel_futures=True)
