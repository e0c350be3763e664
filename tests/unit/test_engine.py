"""The thread engine beyond what every engine promises: one opening a worker, clean endings."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from vernis.adapters.engines.threads import ThreadEngine
from vernis.core.numeric.threads import count_cores
from vernis.domain.errors import ModelError


@dataclass
class Doubling:
    """Doubles numbers, refuses those given, and counts the workers that opened it."""

    refuse: frozenset[int] = frozenset()
    opened: list[str] = field(default_factory=list)

    def open(self) -> Callable[[int], int]:
        self.opened.append(threading.current_thread().name)

        def work(item: int) -> int:
            if item in self.refuse:
                raise ValueError(f"cannot double {item}")
            return 2 * item

        return work


class Unopenable:
    def open(self) -> Callable[[int], int]:
        raise ModelError("weights.onnx: damaged")


def alive_workers() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("vernis-")]


def test_stage_is_opened_once_a_worker() -> None:
    stage = Doubling()
    list(ThreadEngine(3).run(stage, range(100)))
    assert sorted(stage.opened) == ["vernis-0", "vernis-1", "vernis-2"]


def test_a_stage_that_cannot_be_opened_ends_the_run() -> None:
    with pytest.raises(ModelError, match="damaged"):
        list(ThreadEngine(2).run(Unopenable(), range(20)))
    assert not alive_workers()


def test_items_are_read_lazily_on_the_callers_thread() -> None:
    read: list[int] = []
    names: set[str] = set()

    def items() -> Iterator[int]:
        for i in range(1_000_000):
            read.append(i)
            names.add(threading.current_thread().name)
            yield i

    outcomes = ThreadEngine(2).run(Doubling(), items())
    for _ in range(10):
        next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]
    assert len(read) <= 10 + 2 * 8
    assert names == {threading.current_thread().name}
    assert not alive_workers()


def test_an_interruption_of_the_caller_ends_the_workers() -> None:
    def consume() -> None:
        for i, _ in enumerate(ThreadEngine(2).run(Doubling(), range(1000))):
            if i == 5:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        consume()
    for thread in alive_workers():
        thread.join(timeout=10)
    assert not alive_workers()


def test_one_worker_a_core() -> None:
    assert count_cores() >= 1
