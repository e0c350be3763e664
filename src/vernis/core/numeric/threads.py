"""How cores are used: our own threads over independent work, one thread inside each matrix product.

Threads inside small products gain little, cost a lot on a busy machine (they wait by spinning) and
may change the last bits with their number. Estimators and blocks of rows are independent, so
spreading them over threads leaves every bit as it is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


@contextmanager
def single_threaded_products() -> Iterator[None]:
    """Keep BLAS to one thread inside the block, for the whole process."""
    with _controller().limit(limits=1, user_api="blas"):
        yield


def count_threads(most: int) -> int:
    """Return the number of threads for that many independent pieces of work."""
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min(cores, most))


def in_threads(
    work: Callable[[_Item], _Result], items: Sequence[_Item], *, ahead: int | None = None
) -> Iterator[_Result]:
    """Yield the results in the order of the items: nothing depends on the number of threads.

    Parameters
    ----------
    work : callable
        From an item to its result.
    items : sequence
    ahead : int, optional
        Results a thread that may wait to be taken, for large ones; default: all.
    """
    n_threads = count_threads(len(items))
    step = max(1, len(items) if ahead is None else ahead * n_threads)
    with single_threaded_products():
        pool = ThreadPoolExecutor(n_threads)
        try:
            for start in range(0, len(items), step):
                yield from pool.map(work, items[start : start + step])
        finally:
            pool.shutdown(cancel_futures=True)
