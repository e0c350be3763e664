"""Runs a Stage in processes of this machine, one a core.

An interpreter lets one thread at a time do anything but the long loops of its libraries. Where a
picture takes thousands of short ones, threads wait for one another; processes do not. They cost
half a second of start and a memory of their own, so few pictures are better off on threads.
"""

from __future__ import annotations

import os
import pickle
import struct
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

from vernis.adapters.engines.answers import Answer, Broken, pack_answer
from vernis.adapters.engines.threads import ThreadEngine, work_through
from vernis.core.numeric.threads import count_cores, single_threaded_products
from vernis.domain.errors import InvalidValue, StorageError, WorkerLost
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
        if self.workers is not None and self.workers < 1:
            raise InvalidValue(f"expected 1 worker or more, got {self.workers}")

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
        try:
            helpers = Helpers(stage)
        except NotSendable:
            yield from ThreadEngine(self.workers).run(stage, items)
            return
        with closing(helpers):
            outcomes = work_through(_Sending(helpers), items, self.workers or count_cores())
            try:
                yield from outcomes
            except _NotSent as error:
                raise StorageError(
                    f"a result cannot travel between processes ({error}); run the command again "
                    "with --engine threads: what was finished is kept"
                ) from error


class NotSendable(Exception):
    """A stage that cannot travel to another process."""


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
    raises what the item raised.

    Parameters
    ----------
    stage : Stage

    Raises
    ------
    NotSendable
    """

    def __init__(self, stage: Stage[Any, Any]) -> None:
        try:
            self._sent = pickle.dumps(stage)
        except Exception as error:  # pickle promises no kind of error
            raise NotSendable(str(error)) from error
        self._stage = stage
        self._idle: list[_Process] = []
        self._all: list[_Process] = []
        self._lock = threading.Lock()
        self._here = threading.local()

    def start_one(self) -> None:
        """Start a process, or open the stage in this thread where none can be started.

        Raises whatever opening the stage raises.
        """
        self._give_back(self._start())

    def __call__(self, item: Any) -> Any:
        """Work on one item."""
        for last in (False, True):
            process = self._take()
            if process is None:
                return self._work_here(item)
            try:
                answer = process.ask(item)
            except (EOFError, OSError) as error:
                self._drop(process)
                if last:
                    raise WorkerLost(
                        "the process that worked on it ended twice (out of memory?)"
                    ) from error
            except BaseException:
                self._drop(process)
                raise
            else:
                self._give_back(process)
                if isinstance(answer, Broken):
                    raise _NotSent(str(answer.error))
                if answer.error is not None:
                    raise answer.error
                return answer.value
        raise AssertionError

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
        process = _Process.start(self._sent)
        if process is not None:
            with self._lock:
                self._all.append(process)
        return process

    def _give_back(self, process: _Process | None) -> None:
        if process is not None:
            with self._lock:
                self._idle.append(process)

    def _drop(self, process: _Process) -> None:
        process.close()
        with self._lock:
            if process in self._all:
                self._all.remove(process)

    def _work_here(self, item: Any) -> Any:
        if not hasattr(self._here, "work"):
            self._here.work = self._stage.open()
        with single_threaded_products():
            return self._here.work(item)


class _Process:
    """A process that has opened the stage."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._to, self._from = process.stdin, process.stdout
        self._finalizer = weakref.finalize(self, _end, process)

    @classmethod
    def start(cls, stage: bytes) -> _Process | None:
        """Start a process; None where none can run. Raises what opening the stage raises."""
        package_parent = str(Path(__file__).parents[3])
        search = os.pathsep.join(filter(None, (package_parent, os.environ.get("PYTHONPATH"))))
        command = [sys.executable, "-P", "-m", __name__]  # -P: a pickle.py of the working folder
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # its errors come as answers
                start_new_session=True,  # Ctrl-C is the business of the process that started it
                env={**os.environ, "PYTHONPATH": search, "OMP_NUM_THREADS": "1"},
            )
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


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            try:
                stream.close()
            except OSError:  # a flush into the dead process
                continue
    process.wait()


def _send(stream: IO[bytes], data: bytes) -> None:
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def _receive(stream: IO[bytes]) -> bytes:
    (length,) = _LENGTH.unpack(_read(stream, _LENGTH.size))
    return _read(stream, length)


def _read(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def serve() -> None:
    """Work on the items that come on standard input until it ends; a process's main function."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a codec prints must not mix with the answers
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
