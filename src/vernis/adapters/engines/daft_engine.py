"""Runs a Stage by Daft: on this machine (its native runner), or on the machines of a Ray cluster.

Daft spreads the items; it keeps nothing. Whatever is lost with a worker or with this process was
not recorded, so the next run does it again.
"""

from __future__ import annotations

import itertools
import os
import pickle
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from vernis.adapters.engines.threads import count_cores
from vernis.domain.errors import InvalidValue, MissingExtra, StorageError, UsageError
from vernis.domain.ports import Outcome, Stage

Item = TypeVar("Item")
Result = TypeVar("Result")

_WAVE = 4096
"""Items that Daft is given at a time: their results wait in memory, and no more than these are
begun when the caller stops early."""
_BATCH = 8
"""Items that a worker is handed at a time."""
_ENDED: set[str] = set()
"""The runs whose caller has stopped, for the workers in this process."""


@dataclass(frozen=True, slots=True)
class DaftEngine:
    """Hands the items to Daft in waves.

    The Stage travels to the workers with ``cloudpickle``, items and results with ``pickle``; both
    hold between processes of one program only and are never stored.

    Parameters
    ----------
    workers : int, optional
        None: one for each core, of the machine or of the cluster.
    ray : str
        Address of a Ray cluster (``auto``, ``ray://HOST:10001``, ``local`` for one that is started
        on this machine); empty for Daft's native runner.
    """

    workers: int | None = None
    ray: str = ""

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise InvalidValue(f"expected 1 worker or more, got {self.workers}")

    def run(
        self, stage: Stage[Item, Result], items: Iterable[Item]
    ) -> Iterator[Outcome[Item, Result]]:
        """Yield the outcome of each item, in order of completion.

        The items are read on the caller's thread, a wave ahead of the workers. What an item raises
        becomes its outcome's error; what ``stage.open`` raises ends the run. When the caller stops
        early, workers in this process finish the item that they hold; those of a cluster, their
        part of the wave.

        Raises
        ------
        MissingExtra
            Daft is not installed, or Ray where it is asked for.
        UsageError
            The cluster cannot be reached, or the runner was chosen otherwise before.
        StorageError
            Daft ends a wave without the results of all its items.
        """
        daft = _import_daft(self.ray)
        token = uuid.uuid4().hex
        workers = self.workers or (0 if self.ray else count_cores())
        work = _remote(daft, _Work(stage, token, workers, in_process=not self.ray))
        source = iter(items)
        while wave := list(itertools.islice(source, _WAVE)):
            yield from _run_wave(daft, work, wave, token)


def _run_wave(daft: Any, work: Any, wave: Sequence[Any], token: str) -> Iterator[Outcome[Any, Any]]:
    packed = [pickle.dumps((place, item)) for place, item in enumerate(wave)]
    frame = daft.from_pydict({"item": packed})
    rows = frame.select(work(frame["item"]).alias("outcome")).iter_rows()
    waiting = set(range(len(wave)))
    try:
        for row in rows:
            answer = pickle.loads(row["outcome"])
            if isinstance(answer, _Broken):
                raise answer.error
            if answer is None or answer.place not in waiting:
                continue
            waiting.discard(answer.place)
            yield Outcome(wave[answer.place], value=answer.value, error=answer.error)
    except BaseException:
        _ENDED.add(token)  # before Daft is told, which waits for its workers
        raise
    finally:
        rows.close()
    if waiting:
        raise StorageError(
            f"the engine lost {len(waiting)} of {len(wave)} items; run the command again: what "
            "was finished is kept"
        )


@dataclass(frozen=True, slots=True)
class _Answer:
    """What became of the item of a place in the wave."""

    place: int
    value: Any = None
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class _Broken:
    """A worker that could not open the stage."""

    error: BaseException


@dataclass
class _Work:
    """What Daft's workers do with the items they are handed.

    One object serves all threads of a process, each of which opens the stage for itself.
    """

    stage: Any
    token: str
    workers: int
    in_process: bool
    _opened: Any = field(init=False, repr=False)
    _free: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._opened = threading.local()
        self._free = threading.BoundedSemaphore(max(1, self.workers))

    def __reduce__(self) -> tuple[Any, ...]:
        return _Work, (self.stage, self.token, self.workers, self.in_process)

    def __call__(self, packed: Sequence[bytes]) -> list[bytes]:
        """Return the pickled answer of each pickled item."""
        if not self.in_process:  # Daft bounds the workers of a cluster
            return [self._answer(one) for one in packed]
        with self._free:
            return [self._answer(one) for one in packed]

    def _answer(self, packed: bytes) -> bytes:
        if self.token in _ENDED:
            return pickle.dumps(None)
        try:
            work = self._open()
        except BaseException as error:
            return _pickled(_Broken(error))
        place, item = pickle.loads(packed)
        try:
            answer = _Answer(place, value=work(item))
        except Exception as error:
            answer = _Answer(place, error=error)
        return _pickled(answer)

    def _open(self) -> Callable[[Any], Any]:
        if not hasattr(self._opened, "work"):
            self._opened.work = self.stage.open()
        work: Callable[[Any], Any] = self._opened.work
        return work


def _pickled(answer: _Answer | _Broken) -> bytes:
    """Return an answer as bytes; an error of another library that does not survive it, as text."""
    data = pickle.dumps(answer)
    if answer.error is not None:
        try:
            pickle.loads(data)
        except Exception:
            data = pickle.dumps(_told(answer))
    return data


def _told(answer: _Answer | _Broken) -> _Answer | _Broken:
    error = RuntimeError(f"{type(answer.error).__name__}: {answer.error}")
    if isinstance(answer, _Broken):
        return _Broken(error)
    return _Answer(answer.place, error=error)


def _import_daft(ray: str) -> Any:
    """Import Daft with its telemetry, Ray's and the bars off, and choose where it runs."""
    os.environ.setdefault("DO_NOT_TRACK", "true")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("DAFT_PROGRESS_BAR", "0")
    try:
        import daft

        if ray:
            import ray as _ray  # noqa: F401
    except ImportError as error:
        raise MissingExtra("ray" if ray else "cluster", "the engine Daft") from error
    wanted = "ray" if ray else "native"
    try:
        if ray:
            daft.set_runner_ray(address=None if ray == "local" else ray, noop_if_initialized=True)
        else:
            _use_this_machine(daft)
    except Exception as error:
        # Neither Daft's nor Ray's exceptions have a common base but Exception.
        reason = " ".join(str(error).split())
        raise UsageError(f"the engine Daft cannot be started ({reason})") from error
    if daft.get_or_infer_runner_type() != wanted:
        raise UsageError("the engine Daft runs elsewhere in this process already; start another")
    return daft


def _use_this_machine(daft: Any) -> None:
    """Choose the native runner, which Daft lets a process do once."""
    try:
        daft.set_runner_native()
    except Exception:
        if daft.get_or_infer_runner_type() != "native":
            raise


def _remote(daft: Any, work: _Work) -> Any:
    """Return what applies the work to a column of pickled items."""

    class Worker:
        def __init__(self, work: Any) -> None:
            self.work = work

        def answer(self, items: Any) -> list[bytes]:
            return list(self.work(items.to_pylist()))

        run = daft.method.batch(return_dtype=daft.DataType.binary(), batch_size=_BATCH)(answer)

    limits: dict[str, Any] = {"use_process": False} if work.in_process else {}
    if not work.in_process and work.workers:
        limits["max_concurrency"] = work.workers
    return daft.cls(Worker, **limits)(work).run
