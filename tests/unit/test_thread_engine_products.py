"""Workers of the thread engine multiply matrices on one core each."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from threadpoolctl import threadpool_info

from vernis.adapters.engines.threads import ThreadEngine


class CountThreads:
    """A stage that tells how many threads a product may use in its worker."""

    def open(self) -> Callable[[int], int]:
        return lambda item: most_threads()


def most_threads() -> int:
    return max(one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas")


def test_products_inside_a_worker_take_one_thread() -> None:
    before = most_threads()
    if before == 1:
        pytest.skip("this machine's products take one thread anyway")
    found = [one.value for one in ThreadEngine(2).run(CountThreads(), range(6))]
    assert found == [1] * 6
    assert most_threads() == before  # and what comes after them as many as ever
