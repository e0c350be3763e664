"""One thread inside each matrix product, however blocks overlap; our own threads around them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from threadpoolctl import ThreadpoolController, threadpool_info

from vernis.adapters.engines.threads import ThreadEngine
from vernis.core.numeric import threads
from vernis.core.numeric.threads import in_threads, single_threaded_products


def threads_of_products() -> set[int]:
    return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}


@pytest.fixture(autouse=True)
def two_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let products spread over two threads, on machines of one core too.

    Whatever an earlier test of this process still holds does not count.
    """
    import scipy.linalg  # noqa: F401  # its BLAS, too

    alone = threads._OneThread()
    monkeypatch.setattr(threads, "_one_thread", lambda: alone)
    with ThreadpoolController().limit(limits=2, user_api="blas"):
        yield


def test_the_last_of_several_overlapping_blocks_gives_the_threads_back() -> None:
    first, second = single_threaded_products(), single_threaded_products()
    first.__enter__()
    second.__enter__()
    assert threads_of_products() == {1}
    first.__exit__(None, None, None)
    assert threads_of_products() == {1}
    second.__exit__(None, None, None)
    assert threads_of_products() == {2}


def test_a_block_that_fails_gives_the_threads_back() -> None:
    with pytest.raises(ZeroDivisionError):
        list(in_threads(lambda divisor: 1 // divisor, [1, 0]))
    assert threads_of_products() == {2}


class TellThreads:
    """A stage that tells how many threads products take in its worker."""

    def open(self) -> Callable[[int], set[int]]:
        return lambda item: threads_of_products()


def test_products_of_workers_take_one_thread() -> None:
    found = [one.value for one in ThreadEngine(2).run(TellThreads(), range(6))]
    assert found == [{1}] * 6
    assert threads_of_products() == {2}


def test_an_engine_that_is_closed_early_gives_the_threads_back() -> None:
    outcomes = ThreadEngine(2).run(TellThreads(), range(100))
    next(iter(outcomes))
    outcomes.close()  # type: ignore[attr-defined]
    assert threads_of_products() == {2}


def test_products_of_scipy_are_limited_where_it_is_loaded_late() -> None:
    """NumPy and SciPy bring a BLAS each; what embeds first must not leave the other out."""
    script = (
        "import numpy\n"
        "from threadpoolctl import ThreadpoolController, threadpool_info\n"
        "from vernis.core.numeric.threads import single_threaded_products\n"
        "with single_threaded_products(): pass\n"
        "import scipy.linalg\n"
        "ThreadpoolController().limit(limits=2, user_api='blas')\n"
        "with single_threaded_products():\n"
        "    found = [i['num_threads'] for i in threadpool_info() if i['user_api'] == 'blas']\n"
        "print(found)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert set(json.loads(done.stdout)) == {1}
