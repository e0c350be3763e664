"""How the head uses cores: our own threads over estimators, one thread inside each matrix product.

Threads inside the small products of training gain little, cost a lot on a busy machine (they wait
by spinning) and may change the last bits with their number. Estimators are independent, so
spreading them over threads leaves every bit as it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]


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
