"""Write words into image files and sidecars, and take such writes back. Nothing else is touched.

The receipt of each write is recorded before the file is set in place. A run that is killed leaves
each file as it was or as it was to become, and which of the two is read from the file.
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from vernis.domain.addresses import is_own_file
from vernis.domain.errors import NotFound
from vernis.domain.history import WRITTEN_FILES, Change
from vernis.domain.metadata import Carrier, Receipt, SidecarStyle, Wanted, WriteRefused
from vernis.domain.ports import MetadataWriter, ProvedWrite
from vernis.domain.types import ImageRecord
from vernis.verbs.decide.decisions import by

if TYPE_CHECKING:
    from vernis.session.session import Session

_MOST_FILES = 64  # that wait to be set in place
_MOST_BYTES = 64 << 20
_PIECE = 1000  # images whose hashes are looked up at a time


@dataclass(frozen=True, slots=True)
class Manner:
    """How files are written: where the words go, names of new sidecars, exiftool or not."""

    where: Carrier = "auto"
    style: SidecarStyle = "full"
    exiftool: bool = False


@dataclass(slots=True)
class WriteSummary:
    """What was written, or would be.

    Attributes
    ----------
    files : Counter
        Kind of file → how many: ``jpeg``, ``png``, ``webp``, ``sidecar``, ``exiftool``.
    added, removed : Counter
        Word → files.
    unchanged : int
        Files that say it all already.
    refused : list of (str, WriteRefused)
        Path of the image, and why.
    notes : Counter
        What was said of a file → files.
    batch : int
        0 where nothing was written.
    swept : int
        Temporary files of a killed run that were removed.
    """

    files: Counter[str] = field(default_factory=Counter)
    added: Counter[str] = field(default_factory=Counter)
    removed: Counter[str] = field(default_factory=Counter)
    unchanged: int = 0
    refused: list[tuple[str, WriteRefused]] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)
    batch: int = 0
    swept: int = 0
    regions: int = 0

    def count(self, receipt: Receipt) -> None:
        """Count a write."""
        self.files[receipt.carrier] += 1
        self.added.update(receipt.added.get("dc:subject", ()))
        self.regions += len(receipt.added.get("mwg-rs:Regions", ()))
        self.removed.update(receipt.removed)
        self.notes.update(receipt.notes)


@dataclass(frozen=True, slots=True)
class UndoneWrites:
    """What became of the files of a batch: path → in words, and path → why not."""

    done: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)


_SAID = {
    "restored": "as it was, byte for byte",
    "removed": "its sidecar is gone again",
    "words": "somebody else has written since: only the words of Vernis were taken out",
}


# --------------------------------------------------------------------------- writing


def write_words(
    session: Session, wanted: Mapping[int, Wanted], manner: Manner, *, apply: bool
) -> WriteSummary:
    """Bring the files of images to what is wanted; each file is proved before it is touched.

    Parameters
    ----------
    session : Session
    wanted : mapping of int to Wanted
        By image.
    manner : Manner
    apply : bool
        Otherwise the files are read and judged, and stay as they are.
    """
    images = session.catalog.images.get(sorted(wanted))
    images.sort(key=lambda image: image.uri)
    summary = WriteSummary()
    with session.interchange.metadata_writer(exiftool=manner.exiftool) as writer:
        if not apply:
            for image, write in _proved(session, writer, images, wanted, manner, summary):
                summary.count(write.receipt)
                session.progress("write-back", 0, len(images), image.uri)
            return summary
        with session.lock("write-back"):
            summary.swept = sweep_parts(session, writer)
            history = session.catalog.history
            batch = history.begin("write-back", source=by())
            done = 0
            with _Writing(session, writer, batch, summary.refused) as writing:
                for image, write in _proved(session, writer, images, wanted, manner, summary):
                    writing.add(image, write, done=summary.count)
                    done += 1
                    session.progress("write-back", done, len(images), image.uri)
            note = ", ".join(f"{n:,} {kind}" for kind, n in summary.files.most_common())
            summary.batch = batch if history.close(batch, note) else 0
    return summary


def _proved(
    session: Session,
    writer: MetadataWriter,
    images: Sequence[ImageRecord],
    wanted: Mapping[int, Wanted],
    manner: Manner,
    summary: WriteSummary,
) -> Iterator[tuple[ImageRecord, ProvedWrite]]:
    """Yield the writes that change something."""
    for start in range(0, len(images), _PIECE):
        piece = images[start : start + _PIECE]
        hashes = session.catalog.images.hashes_of(image.content_hash for image in piece)
        for image in piece:
            try:
                if not is_own_file(image.uri):
                    raise WriteRefused(image.uri, "not a file", "it is no file of its own")
                write = writer.prepare(
                    session.files.path_of(image),
                    wanted[image.id],
                    expected=hashes[image.content_hash],
                    where=manner.where,
                    style=manner.style,
                )
            except WriteRefused as refusal:
                summary.refused.append((image.uri, refusal))
                continue
            if write.receipt.changes:
                yield image, write
            else:
                summary.unchanged += 1


def sweep_parts(session: Session, writer: MetadataWriter) -> int:
    """Remove what a killed run left beside the images; returns the number of files."""
    uris = filter(is_own_file, session.table("present", "unreadable").uris)
    paths = map(session.files.path_of_uri, uris)
    folders = {folder for path in paths for folder in (path.parent, path.resolve().parent)}
    return len(writer.sweep(sorted(folders)))


def sweep_after_kill(session: Session) -> None:
    """Remove what a killed run left beside the images of a collection that was ever written."""
    if session.catalog.history.keys(WRITTEN_FILES):
        with session.interchange.metadata_writer() as writer:
            sweep_parts(session, writer)


class _Writing:
    """Sets proved writes in place, some at a time, with their receipts recorded before.

    Parameters
    ----------
    session : Session
    writer : MetadataWriter
    batch : int
        Of the history.
    refused : list
        Receives the files that were not written after all.
    """

    def __init__(
        self,
        session: Session,
        writer: MetadataWriter,
        batch: int,
        refused: list[tuple[str, WriteRefused]],
    ) -> None:
        self._session = session
        self._writer = writer
        self._batch = batch
        self._refused = refused
        self._waiting: list[tuple[ImageRecord, ProvedWrite, Change, Callable[[Receipt], None]]] = []
        self._bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.flush()

    def add(
        self,
        image: ImageRecord,
        write: ProvedWrite,
        *,
        done: Callable[[Receipt], None],
        undoes: bool = False,
    ) -> None:
        """Add a write; ``done`` is called when it is in place; ``undoes``: it takes one back."""
        document = _document(image, write.receipt)
        states = (document, None) if undoes else (None, document)
        self._waiting.append((image, write, Change(WRITTEN_FILES, str(image.id), *states), done))
        self._bytes += len(write.data or b"")
        if len(self._waiting) >= _MOST_FILES or self._bytes >= _MOST_BYTES:
            self.flush()

    def flush(self) -> None:
        """Record what waits, then set it in place, then note the new sizes and times."""
        waiting, self._waiting, self._bytes = self._waiting, [], 0
        if not waiting:
            return
        self._record([change for _, _, change, _ in waiting], [w.receipt for _, w, _, _ in waiting])
        stamps: dict[int, tuple[int, int]] = {}
        withdrawn: list[Change] = []
        folders: set[Path] = set()
        for image, write, change, done in waiting:
            try:
                stamp = self._writer.commit(write)
            except WriteRefused as refusal:
                self._refused.append((image.uri, refusal))
                withdrawn.append(replace(change, before=change.after, after=change.before))
                continue
            folders.add(Path(write.receipt.path).parent)
            if write.receipt.carrier != "sidecar":
                stamps[image.id] = stamp
            done(write.receipt)
        self._writer.sync(sorted(folders))
        sizes, times = [s for s, _ in stamps.values()], [t for _, t in stamps.values()]
        with self._session.catalog.transaction():
            self._session.catalog.images.set_files(list(stamps), sizes, times)
            if withdrawn:
                self._record(withdrawn, [])

    def _record(self, changes: Sequence[Change], receipts: Sequence[Receipt]) -> None:
        catalog = self._session.catalog
        with catalog.history.joined(self._batch):
            catalog.images.note_written(
                {
                    receipt.after: receipt.before
                    for receipt in receipts
                    if receipt.carrier != "sidecar"
                }
            )
            catalog.history.record(changes, source=by(), verb="write-back")


# --------------------------------------------------------------------------- undo


def undo_writes(session: Session, batch: int, undoing: int) -> UndoneWrites:
    """Bring the files of a batch back to what they were before it.

    Parameters
    ----------
    session : Session
    batch : int
        Of ``write-back``, or an undo of one.
    undoing : int
        The batch that the writes belong to.
    """
    changes = _standing(session.catalog.history.changes(batch, WRITTEN_FILES))
    images = {
        image.id: image for image in session.catalog.images.get([int(c.key) for c in changes])
    }
    done: dict[str, str] = {}
    refused: list[tuple[str, WriteRefused]] = []
    with (
        session.interchange.metadata_writer() as writer,
        _Writing(session, writer, undoing, refused) as writing,
    ):
        for number, change in enumerate(changes, 1):
            image = images[int(change.key)]
            try:
                undone = writer.prepare_undo(_receipt(session, image, change))
            except WriteRefused as refusal:
                refused.append((image.uri, refusal))
                continue
            if undone.kind == "gone":
                reason = "is not there any more"
                refused.append((image.uri, WriteRefused(image.uri, "not a file", reason)))
            elif undone.write is not None:
                said = _SAID[undone.kind]
                writing.add(
                    image,
                    undone.write,
                    done=lambda _, uri=image.uri, said=said: done.update({uri: said}),  # type: ignore[misc]
                    undoes=change.before is None,
                )
            session.progress("undo", number, len(changes), image.uri)
    return UndoneWrites(done, {uri: f"{r.reason}; {r.remedy}" for uri, r in refused})


def _standing(changes: Sequence[Change]) -> list[Change]:
    """Return the writes of a batch but those that were recorded and did not come about."""
    standing: dict[str, list[Change]] = {}
    for change in changes:
        before = standing.setdefault(change.key, [])
        if before and (change.before, change.after) == (before[-1].after, before[-1].before):
            before.pop()
        else:
            before.append(change)
    return [change for row in standing.values() for change in reversed(row)]


def _document(image: ImageRecord, receipt: Receipt) -> dict[str, Any]:
    """Return a receipt as the history keeps it: the file is named by its image."""
    name = Path(receipt.path).name
    return {
        "uri": image.uri,
        "sidecar": "" if receipt.carrier != "sidecar" else name[name.rfind(".") :],
        "stem": receipt.carrier == "sidecar" and not _is_full(image, name),
        "carrier": receipt.carrier,
        "before": receipt.before,
        "after": receipt.after,
        "undo": base64.b64encode(receipt.undo).decode("ascii"),
        "added": {kept_in: list(words) for kept_in, words in receipt.added.items()},
        "size": receipt.size,
    }


def _is_full(image: ImageRecord, name: str) -> bool:
    suffix = Path(image.uri).suffix
    return bool(suffix) and Path(name).stem.lower().endswith(suffix.lower())


def _receipt(session: Session, image: ImageRecord, change: Change) -> Receipt:
    """Return the receipt of a change, with the path where its file lies now."""
    kept = change.after or change.before
    here = session.files.path_of(image).resolve()
    there = session.files.path_of_uri(kept["uri"]).resolve()
    path = here
    if kept["sidecar"]:

        def beside(picture: Path) -> Path:
            name = picture.stem if kept["stem"] else picture.name
            return picture.with_name(name + kept["sidecar"])

        # The image may have moved without its sidecar.
        path = beside(here) if beside(here).exists() else beside(there)
    return Receipt(
        path=str(path),
        carrier=kept["carrier"],
        before=kept["before"],
        after=kept["after"],
        undo=base64.b64decode(kept["undo"]),
        added={kept_in: tuple(words) for kept_in, words in kept["added"].items()},
        size=kept["size"],
    )


def ever_written(session: Session) -> list[int]:
    """Return the present images into which words were ever written."""
    keys = sorted(int(key) for key in session.catalog.history.keys(WRITTEN_FILES))
    try:
        images = session.catalog.images.get(keys)
    except NotFound:  # A catalog that was restored from parts.
        return []
    return [image.id for image in images if image.state == "present"]
