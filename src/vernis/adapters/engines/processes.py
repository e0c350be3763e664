"""Runs a Stage in processes of this machine, one a core.

An interpreter lets one thread at a time do anything but the long loops of its libraries. Where a
picture takes thousands of short ones, threads wait for one another; processes do not. They cost
half a second of start and a memory of their own, so few pictures are better off on threads.
"""

from __future__ import annotations

import pickle
import struct
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import IO, Any, TypeVar

from vernis.adapters.engines.answers import Answer, Broken, pack_answer
from vernis.adapters.engines.threads import check_workers, work_through
from vernis.adapters.helper_process import end_helper, read_exactly, start_helper, take_answers
from vernis.core.numeric.threads import count_cores, single_threaded_products
from vernis.domain.errors import StorageError, WorkerLost
from vernis.domain.ports import Outcome, Stage

Item = TypeVar("Item")
Result = TypeVar("Result")

_LENGTH = struct.Struct("<Q")
_READY = "ready"


@dataclass(frozen=True, slots=True)
class ProcessEngine:
    """One process a core; each does the whole work on one item before it takes the next.

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

        As ``ThreadEngine.run``; stage, items and results are sent by ``pickle``. A process that
        ends in the middle of an item (killed, out of memory) is replaced and the item tried once
        more; where that ends, too, this is the item's error. Where no process can be started, as
        inside a frozen application, or the stage cannot be sent or is of a script, whose names no
        other process knows, threads do the work.

        Raises
        ------
        StorageError
            A result cannot be sent between processes.
        """
        with closing(Helpers(stage)) as helpers:
            outcomes = work_through(_Sending(helpers), items, self.workers or count_cores())
            try:
                yield from outcomes
            except _NotSent as error:
                raise StorageError(
                    f"a result cannot travel between processes ({error}); run the command again "
                    "with --engine threads: what was finished is kept"
                ) from error


class _Ended(Exception):
    """A process ended in the middle of an item."""


class _NotSent(BaseException):
    """A result that cannot be pickled; no error of an item."""


@dataclass(frozen=True, slots=True)
class _Sending:
    """The stage on the threads of this process, each of which waits for a process of its own."""

    helpers: Helpers

    def open(self) -> Callable[[Any], Any]:
        self.helpers.start_one()
        return self.helpers


class Helpers:
    """Processes that work on items of one stage; threads may share them.

    Called with an item, it lets an idle process work on it, or a new one, and returns the result or
    raises what the item raised. Where the stage cannot be sent, or no process can be started, the
    thread that calls does the work.

    Parameters
    ----------
    stage : Stage
    """

    def __init__(self, stage: Stage[Any, Any]) -> None:
        self._stage = stage
        self._idle: list[_Process] = []
        self._all: list[_Process] = []
        self._lock = threading.Lock()
        self._here = threading.local()
        self._sent: bytes | None = None
        with suppress(Exception):  # pickle promises no kind of error
            self._sent = pickle.dumps(stage)

    def start_one(self) -> None:
        """Start a process, or open the stage in this thread; raises whatever opening it raises."""
        process = self._start()
        if process is None:
            self._open_here()
        else:
            self._give_back(process)

    def __call__(self, item: Any) -> Any:
        """Work on one item."""
        process = self._take()
        if process is None:
            with single_threaded_products():
                return self._open_here()(item)
        try:
            answer = self._ask(process, item)
        except _Ended:
            answer = self._ask_another(item)
        if isinstance(answer, Broken):
            raise _NotSent(str(answer.error))
        if answer.error is not None:
            raise answer.error
        return answer.value

    def _ask_another(self, item: Any) -> Answer | Broken:
        process = self._start()
        if process is not None:
            with suppress(_Ended):
                return self._ask(process, item)
        raise WorkerLost("the process that worked on it ended twice (out of memory?)")

    def _ask(self, process: _Process, item: Any) -> Answer | Broken:
        try:
            answer = process.ask(item)
        except BaseException as error:
            process.close()
            with self._lock:
                if process in self._all:
                    self._all.remove(process)
            if isinstance(error, (EOFError, OSError)):
                raise _Ended from error
            raise
        self._give_back(process)
        return answer

    def close(self) -> None:
        """End the processes."""
        with self._lock:
            ending, self._all, self._idle = self._all, [], []
        for process in ending:
            process.close()

    def _take(self) -> _Process | None:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return self._start()

    def _start(self) -> _Process | None:
        """Start a process; None where none works, which is found out once."""
        if self._sent is None:
            return None
        process = _Process.start(self._sent)
        if process is None:
            self._sent = None
            return None
        with self._lock:
            self._all.append(process)
        return process

    def _give_back(self, process: _Process) -> None:
        with self._lock:
            self._idle.append(process)

    def _open_here(self) -> Callable[[Any], Any]:
        """Return this thread's own work."""
        if not hasattr(self._here, "work"):
            self._here.work = self._stage.open()
        work: Callable[[Any], Any] = self._here.work
        return work


class _Process:
    """A process that has opened the stage."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._to, self._from = process.stdin, process.stdout
        self._finalizer = weakref.finalize(self, end_helper, process)

    @classmethod
    def start(cls, stage: bytes) -> _Process | None:
        """Start a process; None where none can run. Raises what opening the stage raises."""
        try:
            process = start_helper(__name__)
        except OSError:
            return None
        started = cls(process)
        try:
            _send(started._to, pickle.dumps((sys.path, stage)))
            answer = pickle.loads(_receive(started._from))
        except (EOFError, OSError):
            started.close()
            return None
        if isinstance(answer, Broken):
            started.close()
            raise answer.error
        return started

    def ask(self, item: Any) -> Answer | Broken:
        """Let it work on an item; raises EOFError or OSError where it has ended."""
        _send(self._to, pickle.dumps(item))
        answer: Answer | Broken = pickle.loads(_receive(self._from))
        return answer

    def close(self) -> None:
        """End it; what it works on is lost."""
        self._finalizer()


def _send(stream: IO[bytes], data: bytes) -> None:
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def _receive(stream: IO[bytes]) -> bytes:
    (length,) = _LENGTH.unpack(read_exactly(stream, _LENGTH.size))
    return read_exactly(stream, length)


def serve() -> None:
    """Work on the items that come on standard input until it ends; a process's main function."""
    answers = take_answers()
    items = sys.stdin.buffer
    sys.path[:], sent = pickle.loads(_receive(items))
    try:
        stage = pickle.loads(sent)
    except Exception:  # of a script, whose names no other process knows
        return
    try:
        work = stage.open()
    except BaseException as error:
        _send(answers, pack_answer(Broken(error)))
        return
    _send(answers, pickle.dumps(_READY))
    with single_threaded_products():  # as many work side by side as there are cores
        while True:
            try:
                item = pickle.loads(_receive(items))
            except EOFError:
                return
            try:
                answer = Answer(0, value=work(item))
            except Exception as error:
                answer = Answer(0, error=error)
            try:
                data = pack_answer(answer)
            except Exception as error:
                data = pack_answer(Broken(error))
            _send(answers, data)


if __name__ == "__main__":
    serve()
