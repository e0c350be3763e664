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
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from vernis.adapters.engines.answers import Answer, Broken, pack_answer
from vernis.adapters.engines.threads import check_workers
from vernis.core.numeric.threads import count_cores, single_threaded_products
from vernis.domain.errors import MissingExtra, StorageError, UsageError
from vernis.domain.ports import Outcome, Stage

Item = TypeVar("Item")
Result = TypeVar("Result")

_WAVE = 4096
"""Items that Daft is given at a time: their results wait in memory, and no more than these are
begun when the caller stops early."""
_BATCH = 8
"""Items that a worker is handed at a time."""
_PART = 64
"""Items whose results a cluster returns together: what a kill of this process costs a worker."""
_ENDED: set[str] = set()
"""The runs whose caller has stopped, for the workers in this process."""


@dataclass(frozen=True, slots=True)
class DaftEngine:
    """Hands the items to Daft in waves, and those to a cluster in parts.

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
        check_workers(self.workers)

    def run(
        self, stage: Stage[Item, Result], items: Iterable[Item]
    ) -> Iterator[Outcome[Item, Result]]:
        """Yield the outcome of each item, in order of completion.

        The items are read on the caller's thread, a wave ahead of the workers. What an item raises
        becomes its outcome's error; what ``stage.open`` raises ends the run. When the caller stops
        early, workers in this process finish the item that they hold, those of a cluster the few
        that they were handed.

        Raises
        ------
        MissingExtra
            Daft is not installed, or Ray where it is asked for.
        UsageError
            The cluster cannot be reached, or the runner was chosen otherwise before.
        StorageError
            Daft ends a wave without the results of all its items, or by an error of its own: the
            cluster has gone.
        """
        daft = _import_daft(self.ray)
        workers = _bounded(self.workers) if self.ray else self.workers or count_cores()
        sent = _send(stage) if self.ray else stage
        work = _Work(sent, uuid.uuid4().hex, workers, in_process=not self.ray)
        spread = _remote(daft, work)
        source = iter(items)
        while wave := list(itertools.islice(source, _WAVE)):
            yield from _run_wave(daft, spread, wave, work)


def _run_wave(
    daft: Any, spread: Any, wave: Sequence[Any], work: _Work
) -> Iterator[Outcome[Any, Any]]:
    packed = [pickle.dumps((place, item)) for place, item in enumerate(wave)]
    frame = daft.from_pydict({"item": packed})
    if not work.in_process:
        frame = frame.into_partitions(-(-len(wave) // _PART))
    # Named, since whoever leaves the loop would close it before the workers are told.
    rows = _translated(frame.select(spread(frame["item"]).alias("outcome")).iter_rows())
    waiting = set(range(len(wave)))
    try:
        for row in rows:
            answer = pickle.loads(row["outcome"])
            if isinstance(answer, Broken):
                raise answer.error
            if answer is None or answer.place not in waiting:
                continue
            waiting.discard(answer.place)
            yield Outcome(wave[answer.place], value=answer.value, error=answer.error)
    except BaseException:
        work.end()  # before Daft is told, which waits for its workers
        raise
    finally:
        rows.close()
    if waiting:
        raise StorageError(
            f"the engine lost {len(waiting)} of {len(wave)} items; run the command again: what "
            "was finished is kept"
        )


def _translated(rows: Iterator[Any]) -> Generator[Any, None, None]:
    """Yield rows; an error of Daft or of Ray, of which each has its own kinds, is told as one."""
    try:
        yield from rows
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise StorageError(
            f"the engine Daft ended ({type(error).__name__}: {reason}); run the command again: "
            "what was finished is kept"
        ) from error


@dataclass(frozen=True, slots=True)
class _Sent:
    """A Stage that lies in the memory of the Ray cluster.

    Ray forgets what a worker was begun with when that is large (a network is), and could not begin
    another one in its place.
    """

    reference: bytes

    def open(self) -> Callable[[Any], Any]:
        import ray

        stage = pickle.loads(ray.get(ray.cloudpickle.loads(self.reference)))
        work: Callable[[Any], Any] = stage.open()
        return work


def _send(stage: Any) -> Any:
    """Return what opens a Stage on the workers of the cluster."""
    import ray
    from daft.pickle import cloudpickle

    if ray.util.client.ray.is_connected():  # by ray://, whose references do not travel
        return stage
    return _Sent(ray.cloudpickle.dumps(ray.put(cloudpickle.dumps(stage))))


@dataclass
class _Work:
    """What Daft's workers do with the items they are handed.

    One object serves all threads of a process. The stage is opened once for each that works at the
    same time and kept between the batches: what a thread of Daft's keeps for itself (a
    ``threading.local``) is gone with each call.
    """

    stage: Any
    token: str
    workers: int
    in_process: bool
    _idle: list[Callable[[Any], Any]] = field(init=False, repr=False)
    _free: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._idle = []
        self._free = threading.BoundedSemaphore(max(1, self.workers))

    def __reduce__(self) -> tuple[Any, ...]:
        return _Work, (self.stage, self.token, self.workers, self.in_process)

    def __call__(self, packed: Sequence[bytes]) -> list[bytes]:
        """Return the pickled answer of each pickled item."""
        if not self.in_process:  # Daft bounds the workers of a cluster
            if _is_told_on_cluster(self.token):
                _ENDED.add(self.token)
            return self._answers(packed)
        with self._free:
            return self._answers(packed)

    def end(self) -> None:
        """Tell the workers that nobody waits for their answers any more."""
        _ENDED.add(self.token)
        if not self.in_process:
            _tell_cluster(self.token)

    def _answers(self, packed: Sequence[bytes]) -> list[bytes]:
        if self.token in _ENDED:
            return [pickle.dumps(None) for _ in packed]
        try:
            work = self._idle.pop()
        except IndexError:
            try:
                work = self.stage.open()
            except BaseException as error:
                return [pack_answer(Broken(error)) for _ in packed]
        try:
            with single_threaded_products():  # as many work side by side as there are cores
                return [self._answer(work, one) for one in packed]
        finally:
            self._idle.append(work)

    def _answer(self, work: Callable[[Any], Any], packed: bytes) -> bytes:
        if self.token in _ENDED:
            return pickle.dumps(None)
        place, item = pickle.loads(packed)
        try:
            answer = Answer(place, value=work(item))
        except Exception as error:
            answer = Answer(place, error=error)
        return pack_answer(answer)


def _tell_cluster(word: str) -> None:
    """Leave a word for all processes of the Ray cluster that this one belongs to."""
    from ray.experimental import internal_kv

    internal_kv._internal_kv_put(word, b"", namespace="vernis")


def _is_told_on_cluster(word: str) -> bool:
    from ray.experimental import internal_kv

    return bool(internal_kv._internal_kv_exists(word, namespace="vernis"))


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
            _use_cluster(daft, ray)
        else:
            _use_this_machine(daft)
    except Exception as error:
        # Neither Daft's nor Ray's exceptions have a common base but Exception.
        reason = " ".join(str(error).split())
        raise UsageError(f"the engine Daft cannot be started ({reason})") from error
    if daft.get_or_infer_runner_type() != wanted:
        raise UsageError("the engine Daft runs elsewhere in this process already; start another")
    return daft


def _use_cluster(daft: Any, address: str) -> None:
    """Join the cluster without what it would write between the lines of the command."""
    import ray

    if not ray.is_initialized():
        ray.init(
            address=None if address == "local" else address,
            log_to_driver=False,
            logging_level="error",
        )
    daft.set_runner_ray(noop_if_initialized=True)


def _bounded(workers: int | None) -> int:
    """Return how many workers of a cluster to ask for, 0 for Daft's choice.

    Daft waits without a word for workers that the cluster has no cores for.
    """
    import ray

    cores = int(ray.cluster_resources().get("CPU", 0))
    return min(workers, max(1, cores)) if workers else 0


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
