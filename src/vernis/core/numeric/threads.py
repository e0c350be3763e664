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
from threading import Lock
from typing import Any, TypeVar

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class _OneThread:
    """Keeps BLAS to one thread while anybody holds it; blocks of several threads may overlap."""

    def __init__(self) -> None:
        import scipy.linalg  # noqa: F401  # it brings a BLAS of its own beside NumPy's

        self._controller = ThreadpoolController()  # knows the libraries that are loaded by now
        self._lock = Lock()
        self._holders = 0
        self._limited: Any = None

    def hold(self) -> None:
        with self._lock:
            if self._holders == 0:
                self._limited = self._controller.limit(limits=1, user_api="blas")
            self._holders += 1

    def release(self) -> None:
        with self._lock:
            self._holders -= 1
            if self._holders == 0:
                self._limited.restore_original_limits()


@cache
def _one_thread() -> _OneThread:
    return _OneThread()


@contextmanager
def single_threaded_products() -> Iterator[None]:
    """Keep BLAS to one thread inside the block, for the whole process.

    Where blocks of several threads overlap, until the last of them ends.
    """
    limit = _one_thread()
    limit.hold()
    try:
        yield
    finally:
        limit.release()


def count_cores() -> int:
    """Return the number of cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def count_threads(most: int) -> int:
    """Return the number of threads for that many independent pieces of work."""
    return max(1, min(count_cores(), most))


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
