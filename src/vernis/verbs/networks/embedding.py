"""Read each picture once and store the vectors of every space that misses it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import (
    MissingExtra,
    ModelError,
    StorageError,
    UnreadableImage,
    UsageError,
)
from vernis.domain.ports import Catalog, Decoded, DecodingReader, Outcome, PictureReader
from vernis.domain.types import ImageRecord
from vernis.report.wording import counted
from vernis.session.files import ExaminePicture, ReadPicture
from vernis.verbs.declare import Option

if TYPE_CHECKING:
    from vernis.session.session import Session

# A shard is written when it has this many rows or bytes or after this many seconds, so that memory
# stays bounded and a killed run loses little.
_SHARD_ROWS = 2048
_SHARD_BYTES = 64 * 2**20
_SHARD_SECONDS = 60.0

THOROUGH = Option(
    "take longer and find more: duplicates turned, distorted, framed or set in another picture "
    "among more than 20,000 images, too; and (of run, embed and plan) wrong and missing labels by "
    "a closer look at parts of the pictures, which takes two to three times as long"
)
"""One meaning in every verb that has it."""


@dataclass(frozen=True, slots=True)
class PictureTask:
    """One picture and the positions of the readers that miss its vector."""

    image: ImageRecord
    readers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class PictureStage:
    """Decodes a picture once and hands it to every reader that misses its vector."""

    examine_picture: ExaminePicture
    readers: tuple[PictureReader | DecodingReader, ...]
    larger_picture: ReadPicture | None = None
    """Decodes a picture again for a reader whose ``long_side`` the first decoding has not kept."""

    def open(self) -> Callable[[PictureTask], list[NDArray[Any]]]:
        """Open every reader for one worker."""
        measure = [_opened(reader) for reader in self.readers]

        def work(task: PictureTask) -> list[NDArray[Any]]:
            decoded = self.examine_picture(task.image)
            return [measure[i](self._shown(i, task.image, decoded)) for i in task.readers]

        return work

    def _shown(self, reader: int, image: ImageRecord, decoded: Decoded) -> Decoded:
        """Return what a reader sees: the picture that all share, unless it lost too much."""
        wanted = getattr(self.readers[reader], "long_side", 0)
        longer = max(decoded.pixels.shape[:2])
        if self.larger_picture is None or longer >= min(wanted, max(image.width, image.height)):
            return decoded
        return replace(decoded, pixels=self.larger_picture(image))


def _opened(reader: PictureReader | DecodingReader) -> Callable[[Decoded], NDArray[Any]]:
    if hasattr(reader, "open_decoded"):
        return reader.open_decoded()
    measure = reader.open()
    return lambda decoded: measure(decoded.pixels)


@dataclass(frozen=True, slots=True)
class EmbedSummary:
    """What one run of ``embed_images`` did.

    Attributes
    ----------
    images : int
        Distinct pictures (by content) that the collection holds.
    computed : int
        Pictures that were read in this run.
    failed : dict of str to str
        Path and reason of the images that could not be read; they are marked unreadable.
    spaces : dict of str to int
        Vectors added to each space.
    seconds : float
        Wall-clock time.
    """

    images: int
    computed: int
    failed: Mapping[str, str] = field(default_factory=dict)
    spaces: Mapping[str, int] = field(default_factory=dict)
    seconds: float = 0.0


def embed_images(
    session: Session,
    readers: Sequence[PictureReader | DecodingReader],
    *,
    workers: int | None = None,
    images: Sequence[ImageRecord] | None = None,
    task: str = "embed",
) -> EmbedSummary:
    """Store the missing vectors of every present image, in the space of each reader.

    Work is keyed by content hash and space, so that a second run does only what is new. When the
    run is interrupted, what was computed is stored before the interruption goes on. An image whose
    picture cannot be read or measured becomes ``unreadable`` with the reason.

    Parameters
    ----------
    session : Session
    readers : sequence of PictureReader or DecodingReader
        A picture is decoded once for all of them.
    workers : int, optional
        Default: one a core.
    images : sequence of ImageRecord, optional
        Some of the images; None: all that are present.
    task : str
        What the progress is called.

    Returns
    -------
    EmbedSummary

    Raises
    ------
    ModelError, MissingExtra
        When a reader cannot work at all.
    """
    started = time.monotonic()
    catalog, progress = session.catalog, session.progress
    images = session.images() if images is None else images
    copies: dict[str, list[ImageRecord]] = {}
    for image in images:
        copies.setdefault(image.content_hash, []).append(image)
    tasks = _plan(catalog, readers, copies)
    writer = _ShardWriter(catalog, readers)
    failed: dict[str, str] = {}
    computed = 0
    longest = max((getattr(reader, "long_side", 0) for reader in readers), default=0)
    larger = session.files.pictures(least_side=longest) if longest else None
    stage = PictureStage(session.files.examined_pictures(), tuple(readers), larger)
    outcomes = session.engine(workers, short_steps=True).run(stage, tasks)
    progress(task, 0, len(tasks))
    try:
        for done, outcome in enumerate(outcomes, 1):
            if outcome.error is not None:
                reason = say_failure(outcome.error)
                for image in copies[outcome.item.image.content_hash]:
                    failed[image.uri] = reason
                    writer.set_aside(image.id, reason)
            else:
                writer.add(outcome)
                computed += 1
            progress(task, done, len(tasks))
    finally:
        # Also on Ctrl-C: minutes of work are worth the write.
        close_early(outcomes)
        writer.flush()
    return EmbedSummary(
        images=len(copies),
        computed=computed,
        failed=failed,
        spaces=dict(writer.added),
        seconds=time.monotonic() - started,
    )


def measure_pictures(session: Session, *, thorough: bool = False) -> None:
    """Measure the present pictures that were not measured yet, or only by an older version.

    Duplicates and quality are found from these measures: without them there would seem to be none.
    How pictures look is no part of that, and never the reason to read them again.
    ``thorough`` as in ``Measures.measuring_readers``.

    Raises
    ------
    UsageError
        No picture is measured, and the folder of images is not there.
    """
    readers = session.measures.measuring_readers(thorough=thorough)
    vectors = session.catalog.vectors
    hashes = np.unique(session.table().hashes)
    needed = [
        reader.space for reader in readers if reader.space != session.measures.appearance_space()
    ]
    measured = [vectors.holds(space, hashes) for space in needed]
    if all(held.all() for held in measured):
        return
    root = session.root()
    if root.is_dir():
        with session.lock("embed"):
            embed_images(session, readers)
    elif not all(
        held.any() or space == session.measures.keypoint_space()  # copies are found without, too
        for space, held in zip(needed, measured, strict=True)
    ):
        raise UsageError(f"{root}: not there, and its pictures have to be read (again) for this")


def _plan(
    catalog: Catalog,
    readers: Sequence[PictureReader | DecodingReader],
    copies: Mapping[str, list[ImageRecord]],
) -> list[PictureTask]:
    missing: dict[str, list[int]] = {}
    hashes = list(copies)
    for i, reader in enumerate(readers):
        for content_hash in catalog.vectors.missing(reader.space, hashes):
            missing.setdefault(content_hash, []).append(i)
    return [
        PictureTask(copies[content_hash][0], tuple(missing[content_hash]))
        for content_hash in hashes
        if content_hash in missing
    ]


def say_failure(error: Exception) -> str:
    """Say in one line why a picture cannot be used; raises what is not the picture's fault."""
    if isinstance(error, (ModelError, MissingExtra, StorageError)):
        raise error
    if isinstance(error, UnreadableImage):
        return error.reason
    text = str(getattr(error, "strerror", None) or error).strip()
    return text.splitlines()[0] if text else type(error).__name__


def undecoded(failed: Mapping[str, str]) -> tuple[str, ...]:
    """Return the note on pictures that could not be decoded, by path and reason; none without."""
    if not failed:
        return ()
    uri, reason = next(iter(sorted(failed.items())))
    return (f"{counted(len(failed), 'image')} could not be decoded, such as {uri}: {reason}",)


def close_early(outcomes: Iterator[Any]) -> None:
    """Let the workers of an engine end after the items that they hold."""
    close = getattr(outcomes, "close", None)
    if close is not None:
        close()


class _ShardWriter:
    """Gathers vectors by space and appends them in shards; marks bad pictures with them."""

    def __init__(self, catalog: Catalog, readers: Sequence[PictureReader | DecodingReader]) -> None:
        self._catalog = catalog
        self._spaces = [reader.space for reader in readers]
        self._hashes: list[list[str]] = [[] for _ in readers]
        self._rows: list[list[NDArray[Any]]] = [[] for _ in readers]
        self._unreadable: dict[str, list[int]] = {}
        self._bytes = 0
        self._written = time.monotonic()
        self.added = {space.name: 0 for space in self._spaces}

    def add(self, outcome: Outcome[PictureTask, list[NDArray[Any]]]) -> None:
        vectors = outcome.value or []
        for i, vector in zip(outcome.item.readers, vectors, strict=True):
            self._hashes[i].append(outcome.item.image.content_hash)
            self._rows[i].append(vector)
            self._bytes += vector.nbytes
        full = max(map(len, self._rows), default=0) >= _SHARD_ROWS or self._bytes >= _SHARD_BYTES
        if full or time.monotonic() - self._written > _SHARD_SECONDS:
            self.flush()

    def set_aside(self, image_id: int, reason: str) -> None:
        self._unreadable.setdefault(reason, []).append(image_id)

    def flush(self) -> None:
        """Write what is gathered, all spaces in one transaction."""
        if not any(self._rows) and not self._unreadable:
            return
        with self._catalog.transaction():
            for space, hashes, rows in zip(self._spaces, self._hashes, self._rows, strict=True):
                if rows:
                    self._catalog.vectors.append(space, hashes, np.stack(rows))
                    self.added[space.name] += len(rows)
            for reason, ids in self._unreadable.items():
                self._catalog.images.set_state(ids, "unreadable", reason)
        self._hashes = [[] for _ in self._spaces]
        self._rows = [[] for _ in self._spaces]
        self._unreadable = {}
        self._bytes = 0
        self._written = time.monotonic()
