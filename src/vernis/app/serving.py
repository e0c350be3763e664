"""Saved models that stay open: pictures in, labels out, one inference at a time.

Requests that wait are answered together. Pictures are decoded by the reader that indexing has, with
its limits, from a file without a name, or of a random one that is removed again: what a sender
calls its picture is never a path.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import NotFound, UnreadableImage
from vernis.domain.ports import Pixels
from vernis.domain.types import ModelRecord
from vernis.session.session import Session
from vernis.verbs.decide.box_prediction import given_boxes
from vernis.verbs.decide.predict import find_model
from vernis.verbs.decide.prediction import FoundBox, SavedHead

if TYPE_CHECKING:
    from vernis.adapters.detectors.learned import LearnedDetector

MOST_PICTURES = 64
"""Pictures of one request."""

_AT_ONCE = 16  # pictures whose vectors are made together
_OPEN = 4  # models that stay open
_DECODERS = 2
_OPEN_FILES = Path("/proc/self/fd")


@dataclass(frozen=True, slots=True)
class Judged:
    """What a model says of one picture."""

    probabilities: NDArray[np.float32] | None
    labels: tuple[tuple[str, float], ...] = ()
    reason: str = ""
    boxes: tuple[FoundBox, ...] = ()


class WarmDetector:
    """A saved detector, ready to answer one picture at a time. Threads may share it.

    Parameters
    ----------
    detector : LearnedDetector
    session : Session
        Opens the decoder.
    """

    def __init__(self, detector: LearnedDetector, session: Session) -> None:
        self.name = detector.name
        self.version = detector.version
        self._detector = detector
        self._find = detector.opening()
        self._decode = session.files.decoder(full_size=True)
        self._lock = threading.Lock()

    def judge(self, pictures: Sequence[bytes]) -> list[Judged]:
        """Return the boxes in encoded pictures, in their order."""
        return [self._judged(one) for one in pictures]

    def close(self) -> None:
        """Nothing is held open."""

    def _judged(self, picture: bytes) -> Judged:
        with self._lock:
            pixels = decode_picture(picture, self._decode)
            if isinstance(pixels, str):
                return Judged(None, (), pixels)
            return Judged(None, boxes=given_boxes(self._detector, self._find(pixels)))


def decode_picture(picture: bytes, decode: Callable[[Path], Pixels]) -> Pixels | str:
    """Return an encoded picture's pixels, or why it cannot be read."""
    try:
        with _as_file(picture) as path:
            return decode(path)
    except UnreadableImage as error:
        return error.reason


@contextmanager
def _as_file(picture: bytes) -> Iterator[Path]:
    """Give a picture as a file: in memory where the system has such files (Linux), else on disk."""
    if hasattr(os, "memfd_create") and _OPEN_FILES.is_dir():
        with os.fdopen(os.memfd_create("vernis"), "wb", buffering=0) as stream:
            stream.write(picture)
            # By the number of the process: the reader that is isolated is another one.
            yield Path(f"/proc/{os.getpid()}/fd/{stream.fileno()}")
        return
    descriptor, name = tempfile.mkstemp(prefix="vernis-")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(picture)
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


class WarmModel:
    """A saved model with its network, ready to answer. Threads may share it.

    Parameters
    ----------
    name : str
    version : int
    head : SavedHead
    session : Session
        Opens the network and the decoder.
    """

    def __init__(self, name: str, version: int, head: SavedHead, session: Session) -> None:
        self.name = name
        self.version = version
        self.head = head
        reader: Any = head.open_reader(session)
        one = None if hasattr(reader, "open_batch") else reader.open()
        self._embed: Callable[[Sequence[Pixels]], NDArray[Any]] = (
            reader.open_batch() if one is None else lambda shown: np.stack([one(p) for p in shown])
        )
        self._decode = session.files.decoder()
        self._decoders = ThreadPoolExecutor(_DECODERS, thread_name_prefix="decode")
        self._waiting: deque[tuple[Pixels, Future[NDArray[Any]]]] = deque()
        self._turn = threading.Lock()

    def judge(self, pictures: Sequence[bytes]) -> list[Judged]:
        """Return what the model says of encoded pictures, in their order."""
        # One picture is handed to no other thread: that takes longer than its decoding may.
        each: Any = map if len(pictures) == 1 else self._decoders.map
        decoded = list(each(self._decoded, pictures))
        rows = self._vectors([one for one in decoded if not isinstance(one, str)])
        probabilities = self.head.predict_proba(np.stack(rows) if rows else np.empty((0, 0)))
        given = zip(probabilities, self.head.labels(probabilities), strict=True)
        found = []
        for one in decoded:
            if isinstance(one, str):
                found.append(Judged(None, (), one))
            else:
                chances, labels = next(given)
                found.append(Judged(chances, labels))
        return found

    def close(self) -> None:
        """End the threads that decode."""
        self._decoders.shutdown(wait=False)

    def _decoded(self, picture: bytes) -> Pixels | str:
        return decode_picture(picture, self._decode)

    def _vectors(self, shown: Sequence[Pixels]) -> list[NDArray[Any]]:
        """Return the vectors of pictures; whoever has the turn makes those of all that wait."""
        futures: list[Future[NDArray[Any]]] = [Future() for _ in shown]
        self._waiting.extend(zip(shown, futures, strict=True))
        for future in futures:
            while not future.done():
                with self._turn:
                    if not future.done():
                        self._embed_waiting()
        return [future.result() for future in futures]

    def _embed_waiting(self) -> None:
        batch = [self._waiting.popleft() for _ in range(min(_AT_ONCE, len(self._waiting)))]
        try:
            vectors = self._embed([pixels for pixels, _ in batch])
        except Exception as error:  # whoever asked is told; the next ones have their turn
            for _, future in batch:
                future.set_exception(error)
            return
        for (_, future), vector in zip(batch, vectors, strict=True):
            future.set_result(vector)


class Models:
    """The models that can be asked, the latest asked ones open.

    Parameters
    ----------
    session : Session
    folder : Path, optional
        Of a saved model, which is the only one then; else those of the session's collection.
    """

    def __init__(self, session: Session, folder: Path | None = None) -> None:
        self._session = session
        self._folder = folder
        self._lock = threading.Lock()
        self._open: dict[tuple[str, int], WarmModel | WarmDetector] = {}

    def records(self) -> list[ModelRecord]:
        """Return what can be asked, newest first."""
        if self._folder is None:
            return list(self._session.catalog.models.records())
        document = self._session.models.read_model_document(self._folder)
        fields = ("name", "version", "taxonomy", "space", "fingerprint", "created", "metrics")
        known = {name: document[name] for name in fields if name in document}
        return [ModelRecord(folder=self._folder.name, **known)]

    def open_head(self, name: str, version: int | None = None) -> WarmModel:
        """Return a head; raises NotFound for a detector, too."""
        found = self.open(name, version)
        if isinstance(found, WarmDetector):
            raise NotFound(
                f"{name} finds boxes and gives no probabilities of pictures; ask predict"
            )
        return found

    def open(self, name: str, version: int | None = None) -> WarmModel | WarmDetector:
        """Return a model, opened where it was not; raises NotFound, ModelError."""
        record = self._find(name, version)
        mark = (record.name, record.version)
        with self._lock:
            model = self._open.pop(mark, None)
            if model is None and record.is_detector:
                of = record if self._folder is None else self._folder
                model = WarmDetector(self._session.models.learned_detector(of), self._session)
            elif model is None:
                if self._folder is None:
                    arrays, settings = self._session.catalog.models.load(record)
                else:
                    given, told = self._session.models.read_model_folder(self._folder)
                    arrays, settings = dict(given), dict(told)
                head = SavedHead.restore(arrays, settings)
                model = WarmModel(record.name, record.version, head, self._session)
            self._open[mark] = model  # the latest stands last
            while len(self._open) > _OPEN:
                self._open.pop(next(iter(self._open))).close()
        return model

    def _find(self, name: str, version: int | None) -> ModelRecord:
        text = name if version is None else f"{name}@{version}"
        if self._folder is None:
            for record in self._session.catalog.models.records():
                if record.is_detector and text in (record.name, f"{record.name}@{record.version}"):
                    return record
            return find_model(self._session, text)
        (record,) = self.records()
        if name in (record.name, record.taxonomy) and version in (None, record.version):
            return record
        raise NotFound(f"no model {text!r}; there is {record.name}@{record.version}")

    def close(self) -> None:
        """Close the models."""
        with self._lock:
            for model in self._open.values():
                model.close()
            self._open.clear()
