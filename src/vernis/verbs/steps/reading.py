"""Read the text in pictures, each once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from vernis.domain.ports import Pixels
from vernis.domain.readings import ReaderVersion, Reading, TextModel
from vernis.domain.types import ImageRecord
from vernis.verbs.networks.embedding import close_early, say_failure

if TYPE_CHECKING:
    from vernis.session.session import Session

# What is read is written when it is of this many pictures or after this many seconds, so that a
# killed run loses little.
_PICTURES = 256
_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class ReadingStage:
    """Decodes a picture and reads its text."""

    picture: Callable[[ImageRecord], Pixels]
    model: TextModel

    def open(self) -> Callable[[ImageRecord], tuple[Reading, ...]]:
        """Open a reader for one worker."""
        reader = self.model.open()

        def work(image: ImageRecord) -> tuple[Reading, ...]:
            pixels = self.picture(image)
            height, width = pixels.shape[:2]
            return tuple(full_size(one, image, width, height) for one in reader.read(pixels))

        return work


def full_size(reading: Reading, image: ImageRecord, width: int, height: int) -> Reading:
    """Return a reading with its corners in the picture's own pixels, which was read smaller."""
    if not image.width or (image.width, image.height) == (width, height):
        return reading
    return reading.scaled(image.width / width, image.height / height)


@dataclass(frozen=True, slots=True)
class ReadSummary:
    """What one run of ``read_texts`` did.

    Attributes
    ----------
    computed : int
        Distinct pictures that were read in this run.
    failed : dict of str to str
        Path and reason of the images that could not be read; they are marked unreadable.
    seconds : float
        Wall-clock time.
    """

    computed: int
    failed: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0


def read_texts(
    session: Session,
    model: TextModel,
    images: Sequence[ImageRecord],
    *,
    again: bool = False,
    workers: int | None = None,
) -> ReadSummary:
    """Read the pictures that this reader has not read yet, and make it the one that counts.

    Work is keyed by content hash and reader. When the run is interrupted, what was read is stored
    before the interruption goes on. An image whose picture cannot be decoded becomes ``unreadable``
    with the reason.

    Parameters
    ----------
    session : Session
    model : TextModel
    images : sequence of ImageRecord
    again : bool
        Also those that it has read.
    workers : int, optional
        Default: one a core.

    Returns
    -------
    ReadSummary

    Raises
    ------
    ModelError, MissingExtra
        When the reader cannot work at all.
    """
    started = time.monotonic()
    reader, store = ReaderVersion.of(model), session.catalog.readings
    copies: dict[str, list[ImageRecord]] = {}
    for image in images:
        copies.setdefault(image.content_hash, []).append(image)
    hashes = list(copies)
    done_before = np.zeros(len(hashes), bool) if again else store.holds(reader, hashes)
    tasks = [copies[hashes[row]][0] for row in np.flatnonzero(~done_before).tolist()]
    store.use(reader)
    writer = _Writer(session, reader)
    failed: dict[str, str] = {}
    session.progress("read", 0, len(tasks))
    if not tasks:  # the reader need not be opened
        return ReadSummary(0, {}, time.monotonic() - started)
    stage = ReadingStage(session.files.pictures_for_reading(), model)
    outcomes = session.engine(workers).run(stage, tasks)
    computed = 0
    try:
        for done, outcome in enumerate(outcomes, 1):
            if outcome.error is not None:
                reason = say_failure(outcome.error)
                for image in copies[outcome.item.content_hash]:
                    failed[image.uri] = reason
                    writer.set_aside(image.id, reason)
            else:
                writer.add(outcome.item.content_hash, outcome.value or ())
                computed += 1
            session.progress("read", done, len(tasks))
    finally:
        # Also on Ctrl-C: minutes of work are worth the write.
        close_early(outcomes)
        writer.flush()
    return ReadSummary(computed, failed, time.monotonic() - started)


class _Writer:
    """Gathers what is read and writes it in pieces; marks bad pictures with it."""

    def __init__(self, session: Session, reader: ReaderVersion) -> None:
        self._catalog = session.catalog
        self._reader = reader
        self._read: dict[str, tuple[Reading, ...]] = {}
        self._unreadable: dict[str, list[int]] = {}
        self._written = time.monotonic()

    def add(self, content_hash: str, readings: tuple[Reading, ...]) -> None:
        self._read[content_hash] = readings
        if len(self._read) >= _PICTURES or time.monotonic() - self._written > _SECONDS:
            self.flush()

    def set_aside(self, image_id: int, reason: str) -> None:
        self._unreadable.setdefault(reason, []).append(image_id)

    def flush(self) -> None:
        """Write what is gathered, in one transaction."""
        if self._read or self._unreadable:
            with self._catalog.transaction():
                self._catalog.readings.add(self._reader, self._read)
                for reason, ids in self._unreadable.items():
                    self._catalog.images.set_state(ids, "unreadable", reason)
        self._read, self._unreadable = {}, {}
        self._written = time.monotonic()
