"""Merge what an indexing found with the images that the ledger knows, piece by piece."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import islice
from operator import attrgetter

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vernis.adapters.catalog.history import SqliteHistory
from vernis.adapters.catalog.ledger import Ledger, Row
from vernis.adapters.catalog.matching import match
from vernis.adapters.catalog.storage import plain_name, to_json
from vernis.adapters.catalog.subjects import IMAGE_COLUMNS
from vernis.domain.errors import InvalidValue
from vernis.domain.history import Change
from vernis.domain.types import FoundFile, ImageRecord, ImageState, IndexChanges

_PIECE = 32_768  # found files that are Python objects at a time

OF_PICTURES = frozenset({"mode", "frames", "orientation"})
"""What is kept beside an image and tells of its file alone: another file has other values."""

_UPDATE = (
    "UPDATE image SET uri = ?, content_hash = ?, size = ?, mtime_ns = ?, width = ?, height = ?, "
    "format = ?, state = ?, reason = ?, split = ?, metadata = ? WHERE id = ?"
)
_INSERT = (
    "INSERT INTO image (uri, content_hash, size, mtime_ns, width, height, format, state, reason, "
    "split, metadata) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)

Ids = NDArray[np.int64]
Read = Callable[[Sequence[int]], list[ImageRecord]]


class Indexing:
    """One indexing.

    Parameters
    ----------
    ledger : Ledger
    read : callable
        Returns the images with some ids.
    report_broken : callable
        Called in the last transaction, when every state is set.
    history : SqliteHistory
    batch : int, optional
        Where what came, went, moved and changed is recorded.
    """

    def __init__(
        self,
        ledger: Ledger,
        read: Read,
        report_broken: Callable[[], None],
        history: SqliteHistory,
        batch: int | None,
    ) -> None:
        self._ledger = ledger
        self._read = read
        self._report_broken = report_broken
        self._history = history
        self._batch = batch
        self._fates: Counter[str] = Counter()

    def apply(
        self,
        found: Iterable[FoundFile],
        *,
        complete: bool,
        unchanged: ArrayLike,
        aside: ArrayLike = (),
    ) -> IndexChanges:
        """Merge; see ``ImageStore.apply_index``."""
        files = iter(found)
        piece = list(islice(files, _PIECE))
        settled = [self._kept(unchanged), np.unique(np.asarray(aside, dtype=np.int64))]
        mark = self._mark()
        if len(piece) == _PIECE:
            waiting: list[FoundFile] = []
            while piece:
                with self._ledger.transaction():
                    ids, others = self._settle(piece, mark)
                settled.append(ids)
                waiting += others
                piece = list(islice(files, _PIECE))
            piece = waiting
        with self._ledger.transaction():
            self._merge(piece, np.concatenate(settled), mark, complete)
            self._report_broken()
        fates = self._fates
        return IndexChanges(
            new=fates["new"],
            changed=fates["changed"],
            moved=fates["moved"],
            vanished=fates["vanished"],
            unchanged=fates["unchanged"] + len(settled[0]),
            unreadable=fates["unreadable"],
        )

    def _mark(self) -> int:
        row = self._ledger.row("SELECT coalesce(max(id), 0) FROM image")
        return int(row[0]) if row else 0

    def _kept(self, unchanged: ArrayLike) -> Ids:
        """Return the ids of unchanged images; raises InvalidValue for one that is not present."""
        ids = np.unique(np.asarray(unchanged, dtype=np.int64))
        if len(ids):
            (present,) = self._ledger.columns(
                "SELECT id FROM image WHERE state = 'present' ORDER BY id", kinds=(np.int64,)
            )
            strange = ids[~np.isin(ids, present, assume_unique=True)]
            if len(strange):
                raise InvalidValue(f"expected ids of present images, got {strange[0]}")
        return ids

    # ------------------------------------------------------------------ many files

    def _settle(self, files: Sequence[FoundFile], mark: int) -> tuple[Ids, list[FoundFile]]:
        """Write those files whose fate does not hang on the others.

        A file that lies where a live image of that content lies is that image. A file whose place
        and content no image had when the indexing began (up to id ``mark``) is new. Returns the
        images up to ``mark`` that are settled, and the files that are not.
        """
        here, contents = self._known(files, mark)
        before = self._mark()
        same: list[tuple[FoundFile, int]] = []
        new: list[FoundFile] = []
        waiting: list[FoundFile] = []
        for file in files:
            lying = here.get(file.uri, [])
            alive = [number for number, content in lying if content == file.content_hash]
            if alive:
                same.append((file, alive[0]))
            elif lying or file.content_hash in contents:
                waiting.append(file)
            else:
                new.append(file)
        ids = [number for _, number in same]
        images = self._read(ids)
        self._write([(file, image) for (file, _), image in zip(same, images, strict=True)], new)
        self._record(self._arrived(before))
        self._fates["unchanged"] += len(same)
        self._fates["new"] += len(new)
        self._fates["unreadable"] += sum(1 for file in files if file.reason) - sum(
            1 for file in waiting if file.reason
        )
        return np.array(ids, dtype=np.int64), waiting

    def _known(
        self, files: Sequence[FoundFile], mark: int
    ) -> tuple[dict[str, list[tuple[int, str | None]]], set[str]]:
        """Return what lies or lay at the files' places, and which of their contents are known.

        Of each image its id, and its content when it is alive there.
        """
        here: dict[str, list[tuple[int, str | None]]] = {}
        with self._ledger.listed(file.uri for file in files):
            rows = self._ledger.rows(
                "SELECT image.uri, image.id, image.content_hash, "
                "image.state IN ('present', 'unreadable') "
                "FROM temp.listed CROSS JOIN image ON image.uri = listed.value"
            )
        for uri, number, content, alive in rows:
            if number > mark:
                raise InvalidValue(f"expected each file once, got {uri!r} twice")
            here.setdefault(uri, []).append((number, content if alive else None))
        with self._ledger.listed(sorted({file.content_hash for file in files} - {""})):
            contents = self._ledger.rows(
                "SELECT DISTINCT listed.value FROM temp.listed CROSS JOIN image "
                "ON image.content_hash = listed.value AND image.id <= ?",
                (mark,),
            )
        return here, {str(row[0]) for row in contents}

    # ------------------------------------------------------------------ the rest

    def _merge(self, files: Sequence[FoundFile], settled: Ids, mark: int, complete: bool) -> None:
        """Match files with the images that are not settled, and write what follows."""
        # No condition and no order: an index alone answers that, without a look at the rows.
        (ids,) = self._ledger.columns("SELECT id FROM image", kinds=(np.int64,))
        others = np.sort(ids[(ids <= mark) & ~np.isin(ids, settled)])
        matches = match(files, self._read(others.tolist()), complete=complete)
        before = self._mark()
        # Names are freed before they are given anew: two images may have swapped theirs.
        leaving = [image.id for image in matches.gone] + [
            image.id
            for file, image, _ in matches.pairs
            if image is not None and image.uri != file.uri
        ]
        self._ledger.run_many(
            "UPDATE image SET state = 'vanished', reason = '' WHERE id = ?",
            ((i,) for i in leaving),
        )
        self._write(
            [(file, image) for file, image, _ in matches.pairs if image is not None],
            [file for file, image, _ in matches.pairs if image is None],
        )
        self._record(
            [_gone(image) for image in matches.gone]
            + [
                change
                for file, image, _ in matches.pairs
                if image is not None and (change := _moved(file, image)) is not None
            ]
            + self._arrived(before)
        )
        self._fates.update(fate for _, _, fate in matches.pairs)
        self._fates["vanished"] += len(matches.gone)
        self._fates["unreadable"] += sum(1 for file, _, _ in matches.pairs if file.reason)

    def _arrived(self, before: int) -> list[Change]:
        """Return the change that stands for all images above an id."""
        last = self._mark()
        if last == before:
            return []
        return [Change("arrival", str(before + 1), None, {"through": last}, last - before)]

    def _record(self, changes: Sequence[Change]) -> None:
        if self._batch is not None and changes:
            with self._history.joined(self._batch):
                self._history.record(changes, source="given", verb="index")

    def _write(
        self, known: Iterable[tuple[FoundFile, ImageRecord]], new: Iterable[FoundFile]
    ) -> None:
        """Write the images that differ from what was found, and the new ones."""
        pairs = ((_with_attributes(file, image), image) for file, image in known)
        self._ledger.run_many(
            _UPDATE, ((*_values(file), image.id) for file, image in pairs if _differs(file, image))
        )
        self._ledger.run_many(_INSERT, (_values(file) for file in new))


_measures = attrgetter(
    "uri", "content_hash", "size", "mtime_ns", "width", "height", "format", "reason", "split"
)


def _differs(file: FoundFile, image: ImageRecord) -> bool:
    """Return whether the stored image must be written anew."""
    return (
        image.state != _state(file)
        or _measures(file) != _measures(image)
        or (
            file.metadata != image.metadata
            and to_json(dict(file.metadata)) != to_json(dict(image.metadata))
        )
    )


def _with_attributes(file: FoundFile, image: ImageRecord) -> FoundFile:
    """Return a file with what was kept beside its image: titles, ratings, columns of tables."""
    kept = {name: value for name, value in image.metadata.items() if name not in OF_PICTURES}
    return replace(file, metadata={**kept, **file.metadata}) if kept else file


def _gone(image: ImageRecord) -> Change:
    before = {"state": image.state, "reason": image.reason}
    return Change("index", str(image.id), before, {"state": "vanished", "reason": ""})


def _moved(file: FoundFile, image: ImageRecord) -> Change | None:
    """Return what changed of an image that has another place, content or state; else None."""
    if (file.uri, file.content_hash, _state(file)) == (image.uri, image.content_hash, image.state):
        return None
    old = dict(zip(IMAGE_COLUMNS, _stored(image), strict=True))
    new = dict(zip(IMAGE_COLUMNS, _values(_with_attributes(file, image)), strict=True))
    names = [name for name in IMAGE_COLUMNS if old[name] != new[name]]
    return Change(
        "index", str(image.id), {name: old[name] for name in names}, {n: new[n] for n in names}
    )


def _stored(image: ImageRecord) -> Row:
    """Return the columns of an image after its id."""
    return (
        image.uri,
        image.content_hash,
        image.size,
        image.mtime_ns,
        image.width,
        image.height,
        image.format,
        image.state,
        image.reason,
        image.split,
        to_json(dict(image.metadata)),
    )


def _state(file: FoundFile) -> ImageState:
    return "unreadable" if file.reason else "present"


def _values(file: FoundFile) -> Row:
    """Return the columns of a found image after its id."""
    return (
        file.uri,
        file.content_hash,
        file.size,
        file.mtime_ns,
        file.width,
        file.height,
        file.format,
        _state(file),
        plain_name(file.reason),
        file.split,
        to_json(dict(file.metadata)),
    )
