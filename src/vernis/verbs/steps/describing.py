"""Take what image files and their sidecars say into the catalog while they are indexed.

What a file says is read from the bytes that are hashed; of a file that is as it was only when a
sidecar beside it has changed. What a file said when it was last read is remembered, and only what
is new of it is recorded: what somebody decided otherwise in between, or took back, stays so.
"""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import UsageError
from vernis.domain.exchange import ExchangeRegion
from vernis.domain.metadata import FileMetadata
from vernis.domain.ports import FileSource
from vernis.domain.types import FileTable, FoundFile, ImageRecord, Statement
from vernis.report.wording import counted
from vernis.verbs.decide.decisions import by
from vernis.verbs.decide.wanted_words import FROM_FILES
from vernis.verbs.declare import Option
from vernis.verbs.steps.file_words import (
    DEFAULT_TAXONOMY,
    FILES,
    Told,
    record_regions,
    record_words,
    say_notes,
    tell,
)

if TYPE_CHECKING:
    from vernis.session.session import Session

Choice = Literal["read", "ignore"]
FileWords = Annotated[
    Choice | None,
    Option(
        "keywords, captions, ratings, dates and places of the image files and their sidecars: read "
        "(the default) or ignore; the choice holds from then on"
    ),
]
"""The setting of the verbs that index."""

_PIECE = 10_000  # images of which what they say is recorded in one transaction
_BEFORE = -1  # the mark of images that were listed before files were read
_NEVER = -2
_SILENT = FileMetadata()
_NOTHING = Told()
_PLACES = frozenset({"location", "city", "state", "country", "latitude", "longitude"})
_NAMED = {
    "title": ("title", "titles"),
    "description": ("caption", "captions"),
    "rating": ("rating", "ratings"),
    "place": ("place", "places"),
}


@dataclass(frozen=True, slots=True)
class FileWordsChoice:
    """Whether the words of files are read; a person's choice."""

    VERSION: ClassVar[int] = 1

    choice: Choice = "read"


@dataclass(slots=True)
class Listener:
    """Takes what files say while they are indexed, in few bytes: there may be millions."""

    taxonomy: str
    notes: Counter[str] = field(default_factory=Counter)
    _told: dict[str, bytes] = field(default_factory=dict)
    _regions: dict[str, tuple[ExchangeRegion, ...]] = field(default_factory=dict)

    def hear(self, file: FoundFile) -> None:
        """Take what a file says, if it was read."""
        if file.said is None or file.reason:
            return
        told = _NOTHING if file.said == _SILENT else tell(file.said, self.taxonomy)
        self.notes.update(told.notes)
        said = [told.words, told.kept] if told.is_loud else None
        self._told[file.uri] = b"" if said is None else json.dumps(said).encode()
        if told.regions:
            self._regions[file.uri] = told.regions

    def __contains__(self, uri: str) -> bool:
        return uri in self._told

    def told(self, uri: str) -> Told:
        """Return what a file says."""
        packed = self._told[uri]
        if not packed:
            return _NOTHING
        words, kept = json.loads(packed)
        return Told(tuple(words), kept, self._regions.get(uri, ()))


@dataclass(frozen=True, slots=True)
class DescribeStage:
    """Reads what files say; the work of one file."""

    source: FileSource

    def open(self) -> Callable[[FoundFile], FoundFile]:
        """Return the function that reads one file."""
        return self.source.describe


@dataclass(slots=True)
class _News:
    """What is new of what files say, counted while it is recorded."""

    counts: Counter[str] = field(default_factory=Counter)
    classes: set[str] = field(default_factory=set)
    labelled: int = 0
    regions: int = 0


def chosen(session: Session, asked: Choice | None) -> Choice:
    """Return whether the words of files are read, and remember what was asked for."""
    kept = session.results.find("file-words", FileWordsChoice) or FileWordsChoice()
    if asked is not None and asked != kept.choice:
        session.results.keep("file-words", FileWordsChoice(asked))
    return asked or kept.choice


def taxonomy_of_files(session: Session) -> str:
    """Return the taxonomy of keywords of files: one that was renamed is followed."""
    own = [one.name for one in session.taxonomies() if one.origin == FILES and one.kind == "multi"]
    others = [name for name in own if name not in ("people", "pets")]
    return DEFAULT_TAXONOMY if DEFAULT_TAXONOMY in own or not others else others[0]


def describe_files(
    session: Session,
    source: FileSource,
    listed: FileTable,
    listener: Listener,
    workers: int | None = None,
) -> list[str]:
    """Record what is new of what files say; returns what is to be told of it.

    Parameters
    ----------
    session : Session
        With the images as they were just indexed.
    source : FileSource
    listed : FileTable
        What the source listed.
    listener : Listener
        What was heard of the files that were read while they were indexed.
    workers : int, optional
        Default: one a core.
    """
    images = _listed_images(session, listed)
    heard = np.fromiter((uri in listener for uri in images.uris), np.bool_, len(images.uris))
    changed = (images.before != images.now) & (images.before != _BEFORE)
    unheard = np.flatnonzero(~heard & changed)
    waiting = (listed[row] for row in images.rows[unheard].tolist())
    for outcome in session.engine(workers).run(DescribeStage(source), waiting):
        if outcome.value is not None:
            listener.hear(outcome.value)
    notes = _record_all(session, images, listener, f"{source.name}: what the files say")
    old = int((images.before == _BEFORE).sum())
    if old:
        were = f"{counted(old, 'image')} {'was' if old == 1 else 'were'}"
        notes.append(
            f"{were} listed before the words of files were read; "
            f"to read them: vernis import {shlex.quote(source.name)} --format xmp"
        )
    return [*notes, *say_notes(listener.notes)]


@dataclass(frozen=True, slots=True)
class _Images:
    """The present images that were listed: rows of the listing, and marks of their sidecars."""

    ids: NDArray[np.int64]
    uris: Sequence[str]
    rows: NDArray[np.int64]
    now: NDArray[np.int64]
    before: NDArray[np.int64]


def _listed_images(session: Session, listed: FileTable) -> _Images:
    table = session.table()
    rows = listed.rows_of(table.uris)
    here = np.flatnonzero(rows >= 0)
    now = np.zeros(len(here), dtype=np.int64)
    for at, row in enumerate(rows[here].tolist() if listed.sidecars else ()):
        now[at] = listed.sidecars.get(row, 0)
    ids = table.ids[here]
    uris = [table.uris[row] for row in here.tolist()]
    return _Images(ids, uris, rows[here], now, _marks(session, ids))


def _record_all(session: Session, images: _Images, listener: Listener, note: str) -> list[str]:
    """Record what was heard as one batch, piece by piece; returns what is to be told of it."""
    heard = [at for at, uri in enumerate(images.uris) if uri in listener]
    if not heard:
        return []
    history, news = session.catalog.history, _News()
    batch = history.begin("import", source=by(), note=note)
    notes: list[str] = []
    for start in range(0, len(heard), _PIECE):
        rows = np.array(heard[start : start + _PIECE], dtype=np.int64)
        said = [listener.told(images.uris[row]) for row in rows.tolist()]
        ids = images.ids[rows]
        documents = [one.document() if one.is_loud else {} for one in said]
        # Most files say nothing, and said nothing before.
        loud = {
            image: (one, document)
            for image, row, one, document in zip(
                ids.tolist(), rows.tolist(), said, documents, strict=True
            )
            if one.is_loud or images.before[row] >= 0
        }
        try:
            with history.joined(batch):
                _record(session, listener.taxonomy, loud, news)
                session.catalog.images.set_described(ids, images.now[rows], documents)
        except UsageError as error:  # a taxonomy of that name holds one label an image
            notes.append(f"what the image files say was not taken: {error}")
            break
    return [_say(news, batch), *notes] if history.close(batch) else notes


def _marks(session: Session, images: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the mark of each image when its file was read, ``_NEVER`` where it was not."""
    known, marks = session.catalog.images.described()
    if not len(known):
        return np.full(len(images), _NEVER, dtype=np.int64)
    at = np.minimum(np.searchsorted(known, images), len(known) - 1)
    return np.where(known[at] == images, marks[at], _NEVER)


def _record(
    session: Session,
    taxonomy: str,
    told: Mapping[int, tuple[Told, Mapping[str, Any]]],
    news: _News,
) -> None:
    """Record what is new of some images, inside a transaction of the batch.

    ``told`` holds for each image what its file says, and that as it will be remembered.
    """
    before = session.catalog.images.said_by_files(told)
    said: list[Statement] = []
    regions: dict[int, Told] = {}
    kept: dict[int, tuple[Mapping[str, Any], Mapping[str, Any]]] = {}
    for image, (one, new) in told.items():
        old = before.get(image, {})
        if new == old:
            continue
        words = old.get("words", ())
        said += [Statement(image, label, "yes") for label in one.words if label not in words]
        said += [Statement(image, label, "unknown") for label in words if label not in one.words]
        if new.get("regions") != old.get("regions"):
            regions[image] = one
        if new.get("kept") != old.get("kept"):
            kept[image] = old.get("kept", {}), one.kept
    record_words(session.catalog, taxonomy, said, note="words of files")
    if regions:
        record_regions(session.catalog, taxonomy, regions, note="regions of files")
    _record_attributes(session, kept, news)
    new_words = [statement for statement in said if statement.state == "yes"]
    news.classes.update(statement.label for statement in new_words)
    news.labelled += len({statement.image_id for statement in new_words})
    news.regions += sum(len(one.regions) for one in regions.values())


def _record_attributes(
    session: Session,
    kept: Mapping[int, tuple[Mapping[str, Any], Mapping[str, Any]]],
    news: _News,
) -> None:
    """Keep what files say now in place of what they said before, unless somebody changed that."""
    images = session.catalog.images
    values: dict[int, dict[str, Any]] = {}
    for image in images.get(list(kept)) if kept else ():
        old, new = kept[image.id]
        changed = {
            name: new.get(name)
            for name in {*old, *new}
            if old.get(name) != new.get(name) and _is_files(image, name, old)
        }
        if changed:
            values[image.id] = changed
            named = {"place" if name in _PLACES else name for name in changed}
            news.counts.update(named)
    images.set_attributes(values, source=FROM_FILES, verb="import")


def _is_files(image: ImageRecord, name: str, old: Mapping[str, Any]) -> bool:
    """Tell whether what is kept beside an image is what its file said; dates are the index's."""
    return name == "taken" or image.metadata.get(name) == old.get(name)


def _say(news: _News, batch: int) -> str:
    """Return one line about what files said."""
    parts = []
    if news.labelled:
        classes = counted(len(news.classes), "keyword")
        parts.append(f"{classes} of {counted(news.labelled, 'image')}")
    parts += [
        counted(news.counts[key], *words) for key, words in _NAMED.items() if news.counts[key]
    ]
    if news.regions:
        parts.append(counted(news.regions, "region"))
    found = ", ".join(parts) or "other remarks"
    return f"the image files say: {found}; vernis undo {batch} takes this back"
