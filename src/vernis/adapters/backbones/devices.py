"""What networks run on: the processor, or a graphics processor by ONNX Runtime's CUDA provider.

On the processor each worker has a session of its own. On a graphics processor all workers of a
process share one: the pictures that they hand in while it is busy are its next batch.
"""

from __future__ import annotations

import hashlib
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vernis.adapters.backbones.onnx_backbone import OpenSession, Session, open_session, plain_reason
from vernis.domain.errors import ModelError, UsageError

Device = Literal["auto", "cpu", "cuda"]
CUDA = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"

_MOST = 256  # pictures of a batch
_LIVE = 64  # memory of a picture in a network, by that of its input; a generous guess
_SHARE = 0.8  # of the memory that is free
_UNKNOWN = 8 << 30  # bytes that are taken for free where nobody says
_LACKING = ("memory", "allocate", "alloc", "cudnn_status_alloc")


def available_providers() -> list[str]:
    """Return what this ONNX Runtime was built with, the best first."""
    import onnxruntime

    return list(onnxruntime.get_available_providers())


def choose_device(asked: Device, providers: Sequence[str] | None = None) -> Literal["cpu", "cuda"]:
    """Return what networks run on.

    Parameters
    ----------
    asked : {'auto', 'cpu', 'cuda'}
        ``auto`` takes CUDA where ONNX Runtime has it.
    providers : sequence of str, optional
        What ONNX Runtime has; None: asked of it.

    Raises
    ------
    UsageError
        CUDA is asked for, and this ONNX Runtime has it not.
    """
    if asked == "cpu":
        return "cpu"
    known = available_providers() if providers is None else list(providers)
    if CUDA in known:
        return "cuda"
    if asked == "auto":
        return "cpu"
    has = ", ".join(name.removesuffix("ExecutionProvider") for name in known)
    raise UsageError(
        f"--device cuda: this ONNX Runtime cannot use a graphics processor (it has {has}); on a "
        'machine with an NVIDIA one put that of pip install "vernis[cuda]" in its place '
        "(docs/guide/machines.md), else --device cpu"
    )


def batch_limit(bytes_a_picture: int, free_bytes: int) -> int:
    """Return how many pictures fit into a batch, by a network's input and the memory left.

    Parameters
    ----------
    bytes_a_picture : int
        Of the network's input.
    free_bytes : int

    Returns
    -------
    int
        1 to 256, a power of two.
    """
    fit = int(_SHARE * free_bytes / max(1, bytes_a_picture * _LIVE))
    limit = max(1, min(_MOST, fit))
    return 1 << (limit.bit_length() - 1)


def free_memory() -> int:
    """Return the free bytes of the first graphics processor; 8 GB where the driver says nothing."""
    asked = ["nvidia-smi", "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=True)
        return int(said.stdout.split()[0]) << 20
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return _UNKNOWN


@dataclass
class OpenOnCuda:
    """Opens sessions on the first graphics processor; an ``OpenSession`` that can be pickled.

    Workers that open the same graph share its session. Where ``must`` is false and the provider
    turns out not to work on this machine, sessions run on the processor.

    Parameters
    ----------
    must : bool
        Raise where the provider does not work.
    open_shared : callable, optional
        Makes the session that is shared; given by tests.
    measure_free : callable, optional
        Returns the free bytes; given by tests.
    """

    must: bool = True
    open_shared: Callable[[bytes, object], tuple[Any, bool]] | None = None
    measure_free: Callable[[], int] = free_memory
    _shared: dict[str, Session] = field(default_factory=dict, repr=False, compare=False)
    _lock: Any = field(default_factory=threading.Lock, repr=False, compare=False)

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how another process makes its own: sessions stay here."""
        return type(self), (self.must, self.open_shared, self.measure_free)

    def __call__(self, model: bytes, source: object) -> Session:
        """Return the session of a graph.

        Raises
        ------
        ModelError
            The graph cannot be loaded, or the provider does not work and ``must``.
        """
        key = hashlib.sha256(model).hexdigest()
        with self._lock:
            if key not in self._shared:
                self._shared[key] = self._open(model, source)
            return self._shared[key]

    def _open(self, model: bytes, source: object) -> Session:
        make = self.open_shared or open_on_cuda
        session, works = make(model, source)
        if works:
            gathering: Session = GatheringSession(session, self.measure_free())
            return gathering
        if self.must:
            raise ModelError(
                f"{source}: --device cuda: the CUDA provider is installed and does not start on "
                "this machine (its driver, CUDA or cuDNN is missing: docs/guide/machines.md); "
                "else --device cpu"
            )
        own: Session = open_session(model, source)
        return own


def open_on_cuda(model: bytes, source: object) -> tuple[Any, bool]:
    """Return a session, and whether it runs on the graphics processor; raises ModelError.

    ONNX Runtime falls back to the processor by itself and says so only in its log.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    preload = getattr(onnxruntime, "preload_dlls", None)
    if preload is not None:
        preload()  # CUDA and cuDNN as pip packages lie where no loader looks
    try:
        session = onnxruntime.InferenceSession(model, options, providers=[CUDA, CPU])
    except Exception as error:
        raise ModelError(
            f"{source}: ONNX Runtime cannot load it ({plain_reason(error)})"
        ) from error
    return session, CUDA in session.get_providers()


@dataclass
class _Request:
    """Pictures of one worker, and what became of them."""

    outputs: tuple[str, ...] | None
    feeds: Mapping[str, NDArray[Any]]
    finished: bool = False
    values: Sequence[Any] = ()
    error: BaseException | None = None

    @property
    def kind(self) -> tuple[Any, ...]:
        """What requests of one batch have in common."""
        shapes = tuple((name, v.shape[1:], str(v.dtype)) for name, v in self.feeds.items())
        return self.outputs, shapes

    @property
    def size(self) -> int:
        """Pictures."""
        return len(next(iter(self.feeds.values())))


class GatheringSession:
    """Joins what several threads run at once into batches; the ``run`` of an ONNX Runtime session.

    Whoever comes while nothing runs, runs all that waits; the others wait for their part. No
    thread of its own and no delay: a batch is what came in during the last one. Where memory is
    short the batch is halved and tried again. A graph whose first axis is fixed is run picture by
    picture.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
    free_bytes : int
        Memory by which batches are limited.
    """

    def __init__(self, session: Any, free_bytes: int) -> None:
        self._session = session
        self._free = free_bytes
        self._limit = 0  # known with the first picture
        first = session.get_inputs()[0].shape
        self._fixed = bool(first) and isinstance(first[0], int)
        self._waiting: list[_Request] = []
        self._changed = threading.Condition()
        self._busy = False

    def get_inputs(self) -> Any:
        """Return the inputs of the graph."""
        return self._session.get_inputs()

    def run(self, outputs: Sequence[str] | None, feeds: Mapping[str, NDArray[Any]]) -> list[Any]:
        """Return the values of the outputs, in their order; called by any thread."""
        request = _Request(None if outputs is None else tuple(outputs), dict(feeds))
        with self._changed:
            self._waiting.append(request)
        while True:
            with self._changed:
                while self._busy and not request.finished:
                    self._changed.wait()
                if request.finished:
                    break
                self._busy = True
                batch = self._next_batch()
            try:
                self._run_batch(batch)
            except BaseException as error:
                for one in batch:
                    one.error = error
                if not isinstance(error, Exception):
                    raise
            finally:
                with self._changed:
                    for one in batch:
                        one.finished = True
                    self._busy = False
                    self._changed.notify_all()
        if request.error is not None:
            raise request.error
        return list(request.values)

    def _next_batch(self) -> list[_Request]:
        """Take the requests that are run next, those of one kind, from the waiting ones."""
        if not self._waiting:
            return []
        kind = self._waiting[0].kind
        if not self._limit:
            first = next(iter(self._waiting[0].feeds.values()))
            self._limit = 1 if self._fixed else batch_limit(first[0].nbytes, self._free)
        taken: list[_Request] = []
        size = 0
        for request in list(self._waiting):
            if request.kind == kind and (not taken or size + request.size <= self._limit):
                taken.append(request)
                size += request.size
                self._waiting.remove(request)
        return taken

    def _run_batch(self, batch: Sequence[_Request]) -> None:
        names = list(batch[0].feeds)
        joined = {
            name: np.concatenate([request.feeds[name] for request in batch])
            if len(batch) > 1
            else batch[0].feeds[name]
            for name in names
        }
        outputs = None if batch[0].outputs is None else list(batch[0].outputs)
        values = self._run_in_parts(outputs, joined)
        total = sum(request.size for request in batch)
        if len(batch) > 1 and any(np.shape(value)[:1] != (total,) for value in values):
            # An output that is no list of pictures: they cannot be run together.
            self._limit = 1
            for request in batch:
                self._run_batch([request])
            return
        if len(batch) == 1:
            batch[0].values = values
            return
        at = 0
        for request in batch:
            request.values = [value[at : at + request.size] for value in values]
            at += request.size

    def _run_in_parts(self, outputs: list[str] | None, feeds: Mapping[str, Any]) -> list[Any]:
        """Run a batch, in halves where memory is short."""
        n = len(next(iter(feeds.values())))
        found: list[list[Any]] = []
        at = 0
        while at < n:
            size = min(self._limit, n - at)
            part = {name: value[at : at + size] for name, value in feeds.items()}
            try:
                found.append(self._session.run(outputs, part))
            except Exception as error:
                if size == 1 or not any(word in str(error).lower() for word in _LACKING):
                    raise
                self._limit = max(1, size // 2)
                continue
            at += size
        if len(found) == 1:
            return list(found[0])
        return [np.concatenate(values) for values in zip(*found, strict=True)]


def starter(device: Device, providers: Sequence[str] | None = None) -> OpenSession:
    """Return what opens sessions on a device; raises UsageError, see ``choose_device``."""
    if choose_device(device, providers) == "cpu":
        return open_session
    return OpenOnCuda(must=device == "cuda")
