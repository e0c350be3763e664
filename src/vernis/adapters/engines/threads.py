"""Runs a Stage on the threads of this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from vernis.core.numeric.threads import count_cores, single_threaded_products
from vernis.domain.errors import InvalidValue
from vernis.domain.ports import Outcome, Stage

Item = TypeVar("Item")
Result = TypeVar("Result")

# Items handed out a worker. Only items and finished results wait, never decoded pictures; a few
# of each keep the workers busy while the caller writes what it got.
_AHEAD = 8


@dataclass(frozen=True, slots=True)
class ThreadEngine:
    """One worker a core; each does the whole work on one item before it takes the next.

    Decoding, resizing and inference release Python's lock, so threads use all cores where those
    are most of the work, and a worker that does everything needs no queue of pictures between the
    steps. For work of many short steps see ``ProcessEngine``.

    Parameters
    ----------
    workers : int, optional
        None: one for each core that this process may use.
    """

    workers: int | None = None

    def __post_init__(self) -> None:
        check_workers(self.workers)

    def run(
        self, stage: Stage[Item, Result], items: Iterable[Item]
    ) -> Iterator[Outcome[Item, Result]]:
        """Yield the outcome of each item, in order of completion.

        The items are read on the caller's thread, a few ahead of the workers. What an item raises
        becomes its outcome's error; what ``stage.open`` raises ends the run. When the caller stops
        early, by an exception, Ctrl-C or closing the iterator, the workers finish the item they
        hold and end.
        """
        # Each worker is a core's; products inside it that spread over more would wait by spinning.
        with single_threaded_products():
            yield from work_through(stage, items, self.workers or count_cores())


def check_workers(workers: int | None) -> None:
    """Refuse less than one worker; raises InvalidValue."""
    if workers is not None and workers < 1:
        raise InvalidValue(f"expected 1 worker or more, got {workers}")


def work_through(
    stage: Stage[Item, Result], items: Iterable[Item], n_workers: int
) -> Iterator[Outcome[Item, Result]]:
    """Yield the outcome of each item by as many threads; see ``ThreadEngine.run``."""
    tasks: SimpleQueue[tuple[Item] | None] = SimpleQueue()
    results: SimpleQueue[Outcome[Item, Result] | _Broken] = SimpleQueue()
    workers = [
        # A daemon, so that a second Ctrl-C need not wait for a slow picture.
        Thread(target=_work, args=(stage, tasks, results), name=f"vernis-{i}", daemon=True)
        for i in range(n_workers)
    ]
    source = iter(items)
    waiting = 0
    try:
        for worker in workers:
            worker.start()
        exhausted = False
        while True:
            while not exhausted and waiting < n_workers * _AHEAD:
                try:
                    tasks.put((next(source),))
                    waiting += 1
                except StopIteration:
                    exhausted = True
            if not waiting:
                return
            result = results.get()
            if isinstance(result, _Broken):
                raise result.error
            waiting -= 1
            yield result
    finally:
        _empty(tasks)
        for _ in workers:
            tasks.put(None)
        for worker in workers:
            if worker.ident is not None:
                worker.join()


@dataclass(frozen=True, slots=True)
class _Broken:
    """A worker that could not open the stage."""

    error: BaseException


def _empty(tasks: SimpleQueue[Any]) -> None:
    with suppress(Empty):
        while True:
            tasks.get_nowait()


def _work(stage: Stage[Any, Any], tasks: SimpleQueue[Any], results: SimpleQueue[Any]) -> None:
    try:
        work: Callable[[Any], Any] = stage.open()
    except BaseException as error:
        results.put(_Broken(error))
        return
    while (task := tasks.get()) is not None:
        (item,) = task
        try:
            outcome = Outcome(item, value=work(item))
        except Exception as error:
            outcome = Outcome(item, error=error)
        except BaseException as error:
            results.put(_Broken(error))
            return
        results.put(outcome)
