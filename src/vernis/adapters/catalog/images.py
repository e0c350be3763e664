"""The images of a collection, in the ledger."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vernis.adapters.catalog.history import SqliteHistory
from vernis.adapters.catalog.indexing import Indexing
from vernis.adapters.catalog.issues import SqliteIssueStore
from vernis.adapters.catalog.ledger import Ledger, Row, now
from vernis.adapters.catalog.storage import plain_name, to_json
from vernis.adapters.catalog.subjects import ATTRIBUTE, ImageAttributes
from vernis.core.words.class_names import file_key
from vernis.domain.errors import InvalidValue, NotFound, UsageError
from vernis.domain.history import Change
from vernis.domain.types import (
    IMAGE_STATES,
    Categories,
    FoundFile,
    ImageRecord,
    ImageState,
    ImageTable,
    IndexChanges,
    Issue,
)

_COLUMNS = (
    "id, uri, content_hash, size, mtime_ns, width, height, format, state, reason, split, metadata"
)
_TABLE_KINDS = (
    *(np.int64, str, bytes, np.int64, np.int64, np.int32, np.int32),
    *(Categories, Categories, Categories),
)
_LIVE = ("present", "unreadable")
_LOOKED_UP = 20  # files by which a folder is known
_CANDIDATES = 20_000  # names that are compared when a name is not found


class SqliteImageStore:
    """``ImageStore`` over the ledger. ``issues`` receives the unreadable files."""

    def __init__(self, ledger: Ledger, issues: SqliteIssueStore, history: SqliteHistory) -> None:
        self._ledger = ledger
        self._issues = issues
        self._history = history

    # ------------------------------------------------------------------ root

    def root(self) -> Path | None:
        """Return the indexed root folder, None before the first indexing.

        When its images lie where they lay as seen from the collection, that place is returned:
        both were moved or copied together, and a copy must not act on the files of the original.
        """
        row = self._ledger.row("SELECT uri, relative FROM root WHERE id = 1 AND uri <> ''")
        if row is None:
            return None
        path = _path_of(str(row[0]))
        beside = self.root_beside()
        if beside is None or beside == path.resolve():
            return path
        return path if path.exists() and not self._lie_below(beside) else beside

    def _lie_below(self, folder: Path) -> bool:
        """Return whether most of the first images lie below a folder, as large as they are."""
        rows = self._ledger.rows(
            "SELECT uri, size FROM image WHERE state = 'present' AND uri NOT LIKE '%#%' "
            "AND uri NOT LIKE '%://%' ORDER BY id LIMIT ?",
            (_LOOKED_UP,),
        )
        found = 0
        for uri, size in rows:
            place = folder / _path_of(str(uri))
            found += place.is_file() and place.stat().st_size == size
        return bool(rows) and 2 * found > len(rows)

    def root_beside(self) -> Path | None:
        """Return the folder that lies where the indexed one lay as seen from the collection.

        That is the indexed one itself unless both were moved or copied together; None when no
        folder lies there.
        """
        row = self._ledger.row("SELECT relative FROM root WHERE id = 1 AND relative <> ''")
        beside = None if row is None else (self._ledger.folder / _path_of(str(row[0]))).resolve()
        return beside if beside is not None and beside.is_dir() else None

    def set_root(self, root: Path) -> None:
        """Remember the indexed root folder."""
        absolute = root.absolute()
        try:
            relative = os.path.relpath(absolute, self._ledger.folder.absolute())
        except ValueError:  # another drive
            relative = ""
        self._ledger.run(
            "UPDATE root SET uri = ?1, relative = ?2, added = ?3 "
            "WHERE id = 1 AND (uri <> ?1 OR relative <> ?2)",
            (absolute.as_uri(), _quoted(relative), now()),
        )

    def places(self) -> list[str]:
        """Return the addresses below which images lie besides the root, in the order they came."""
        rows = self._ledger.rows("SELECT uri FROM root WHERE id > 1 ORDER BY id")
        return [str(row[0]) for row in rows]

    def set_places(self, addresses: Sequence[str]) -> None:
        """Remember the addresses below which images lie besides the root."""
        with self._ledger.transaction():
            self._ledger.run("DELETE FROM root WHERE id > 1")
            self._ledger.run_many(
                "INSERT INTO root (uri, added) VALUES (?, ?)",
                ((address, now()) for address in dict.fromkeys(addresses)),
            )

    # ------------------------------------------------------------------ reading

    def all(self, states: Sequence[ImageState] = ("present",)) -> list[ImageRecord]:
        """Return the images in those states, ordered by id."""
        marks = ", ".join("?" * len(states))
        rows = self._ledger.rows(
            f"SELECT {_COLUMNS} FROM image WHERE state IN ({marks}) ORDER BY id", tuple(states)
        )
        return [_record(row) for row in rows]

    def table(self, states: Sequence[ImageState] = ("present",)) -> ImageTable:
        """Return the images in those states as columns, ordered by id."""
        marks = ", ".join("?" * len(states))
        ids, uris, *others = self._ledger.columns(
            "SELECT id, uri, content_hash, size, mtime_ns, width, height, format, split, state "
            f"FROM image WHERE state IN ({marks}) ORDER BY id",
            tuple(states),
            kinds=_TABLE_KINDS,
        )
        return ImageTable(ids, tuple(uris), *others)

    def metadata(self) -> dict[int, Mapping[str, Any]]:
        """Return the metadata of present images, by id; those that have none are left out."""
        rows = self._ledger.rows(
            "SELECT id, metadata FROM image WHERE state = 'present' "
            "AND metadata <> '{}' ORDER BY id"
        )
        return {int(image): json.loads(text) for image, text in rows}

    def count_by_state(self) -> dict[ImageState, int]:
        """Return the number of images in each state, all states named."""
        counted: dict[str, int] = dict(
            self._ledger.rows("SELECT state, count(*) FROM image GROUP BY state")
        )
        return {state: int(counted.get(state, 0)) for state in IMAGE_STATES}

    def get(self, ids: Sequence[int]) -> list[ImageRecord]:
        """Return the images with those ids, in that order; raises NotFound."""
        with self._ledger.listed(int(i) for i in ids):
            rows = self._ledger.rows(
                f"SELECT {_COLUMNS} FROM temp.listed CROSS JOIN image ON image.id = listed.value "
                "ORDER BY listed.position"
            )
        if len(rows) != len(ids):
            missing = sorted({int(i) for i in ids} - {row[0] for row in rows})
            raise NotFound(f"no image has the id {', '.join(map(str, missing[:5]))}")
        return [_record(row) for row in rows]

    def find(self, text: str) -> ImageRecord:
        """Return the image whose uri, id or path is ``text``; raises NotFound with near names.

        Of several images that lay at one place the one that is there now is returned.
        """
        text = plain_name(text)
        uri = text.replace(os.sep, "/").removeprefix("./")
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1
        # A path as the shell completes it counts too, when it lies in the indexed folder.
        path, root = Path(text).absolute(), self.root()
        below = path.relative_to(root).as_posix() if root and path.is_relative_to(root) else uri
        row = self._ledger.row(
            f"SELECT {_COLUMNS} FROM image WHERE uri IN (?1, ?2, ?4) OR id = ?3 "
            "ORDER BY uri = ?1 DESC, uri = ?2 DESC, id = ?3 DESC, "
            "state IN ('present', 'unreadable') DESC, id DESC LIMIT 1",
            (text, uri, number, below),
        )
        if row is None:
            row = self._find_other_form(below)
        if row is None:
            raise NotFound(f"no image is named {text!r}{self._nearest(uri)}")
        return _record(row)

    def _find_other_form(self, uri: str) -> Row | None:
        """Return the one image whose uri is the same in another Unicode form, if there is one."""
        if uri.isascii():
            return None
        key = file_key(uri)
        uris = [str(row[0]) for row in self._ledger.rows("SELECT DISTINCT uri FROM image")]
        found = [there for there in uris if not there.isascii() and file_key(there) == key]
        if len(found) != 1:
            return None
        return self._ledger.row(
            f"SELECT {_COLUMNS} FROM image WHERE uri = ? "
            "ORDER BY state IN ('present', 'unreadable') DESC, id DESC LIMIT 1",
            (found[0],),
        )

    def _nearest(self, uri: str) -> str:
        names = [
            str(row[0])
            for row in self._ledger.rows(
                "SELECT uri FROM image WHERE state IN ('present', 'unreadable') "
                "ORDER BY instr(lower(uri), lower(?)) = 0, id LIMIT ?",
                (uri.rsplit("/", 1)[-1], _CANDIDATES),
            )
        ]
        part = uri.rsplit("/", 1)[-1].lower()
        near = [name for name in names[:3] if part and part in name.lower()]
        near = near or difflib.get_close_matches(uri, names, n=3, cutoff=0.5)
        return f"; did you mean {', '.join(near)}?" if near else ""

    # ------------------------------------------------------------------ writing

    def apply_index(
        self,
        found: Iterable[FoundFile],
        *,
        complete: bool,
        unchanged: ArrayLike = (),
        batch: int | None = None,
        aside: ArrayLike = (),
    ) -> IndexChanges:
        """Merge what an indexing found; see the port.

        Content decides before place: an image whose bytes turn up under another name is moved
        even when its old name holds a new picture. A vanished or trashed image whose file is back
        counts as moved. ``unreadable`` counts the found files that cannot be read, whatever else
        they are. Raises InvalidValue for an unchanged image that is not present.
        """
        indexing = Indexing(self._ledger, self.get, self._report_broken, self._history, batch)
        return indexing.apply(found, complete=complete, unchanged=unchanged, aside=aside)

    def set_splits(self, ids: ArrayLike, splits: Sequence[str]) -> None:
        """Set the split of each image, in one transaction."""
        numbers = np.asarray(ids, dtype=np.int64).tolist()
        with self._ledger.transaction():
            self._ledger.run_many(
                "UPDATE image SET split = ? WHERE id = ?", zip(splits, numbers, strict=True)
            )

    def set_files(self, ids: ArrayLike, sizes: ArrayLike, mtimes: ArrayLike) -> None:
        """Set size and time of change of files that were written, in one transaction."""
        columns = [np.asarray(column, dtype=np.int64).tolist() for column in (sizes, mtimes, ids)]
        with self._ledger.transaction():
            self._ledger.run_many(
                "UPDATE image SET size = ?, mtime_ns = ? WHERE id = ?", zip(*columns, strict=True)
            )

    def set_attributes(
        self, values: Mapping[int, Mapping[str, Any]], *, source: str, verb: str, note: str = ""
    ) -> int:
        """Keep values beside images, as one batch; see the port."""
        subject = ImageAttributes(self._ledger)
        now = subject.now(map(str, values))
        changes = []
        for image, said in values.items():
            kept = now[str(image)]
            new = {name: value for name, value in said.items() if kept.get(name) != value}
            if new:
                before = {name: kept.get(name) for name in new}
                changes.append(Change(ATTRIBUTE, str(image), before, new))
        return self._history.apply(changes, source=source, verb=verb, note=note)

    # ------------------------------------------------------------------ what files said

    def described(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the images whose files were read for what they say, and marks; see the port."""
        ids, marks = self._ledger.columns(
            "SELECT image_id, mark FROM described ORDER BY image_id", kinds=(np.int64, np.int64)
        )
        return ids, marks

    def said_by_files(self, ids: Iterable[int]) -> dict[int, dict[str, Any]]:
        """Return what the files of images said when they were last read; where that is nothing, no
        entry."""
        with self._ledger.listed(int(number) for number in ids):
            rows = self._ledger.rows(
                "SELECT image_id, said FROM temp.listed CROSS JOIN described "
                "ON image_id = listed.value WHERE said <> ''"
            )
        return {int(number): json.loads(said) for number, said in rows}

    def set_described(
        self, ids: ArrayLike, marks: ArrayLike, said: Sequence[Mapping[str, Any]]
    ) -> None:
        """Remember what the files of images said, and their marks, in one transaction."""
        numbers = np.asarray(ids, dtype=np.int64).tolist()
        texts = (to_json(dict(one)) if one else "" for one in said)
        rows = zip(numbers, np.asarray(marks, dtype=np.int64).tolist(), texts, strict=True)
        with self._ledger.transaction():
            self._ledger.run_many(
                "INSERT INTO described (image_id, mark, said) VALUES (?, ?, ?) "
                "ON CONFLICT (image_id) DO UPDATE SET mark = excluded.mark, said = excluded.said",
                rows,
            )

    # ------------------------------------------------------------------ files that were written

    def note_written(self, hashes: Mapping[str, str]) -> None:
        """Remember of files, by their hash, what content was written into; see the port."""
        contents = self.contents_of(hashes.values())
        rows = [(written, contents.get(old, old)) for written, old in hashes.items()]
        with self._ledger.transaction():
            self._ledger.run_many(
                "INSERT OR IGNORE INTO written (hash, content) VALUES (?, ?)",
                (row for row in rows if row[0] != row[1]),
            )

    def contents_of(self, hashes: Iterable[str]) -> dict[str, str]:
        """Return the content of files that were written, by their hash; no others."""
        if self._ledger.row("SELECT 1 FROM written LIMIT 1") is None:
            return {}
        with self._ledger.listed(sorted(set(hashes))):
            rows = self._ledger.rows(
                "SELECT hash, content FROM temp.listed CROSS JOIN written "
                "ON written.hash = listed.value"
            )
        return dict(rows)

    def hashes_of(self, contents: Iterable[str]) -> dict[str, set[str]]:
        """Return the hashes that a file of each content may have, its own among them."""
        found = {content: {content} for content in contents}
        with self._ledger.listed(sorted(found)):
            rows = self._ledger.rows(
                "SELECT content, hash FROM temp.listed CROSS JOIN written "
                "ON written.content = listed.value"
            )
        for content, written in rows:
            found[content].add(written)
        return found

    def _report_broken(self) -> None:
        self._issues.replace(
            ["broken"],
            [
                Issue("broken", image.id, 0.0, evidence={"reason": image.reason})
                for image in self.all(["unreadable"])
            ],
        )

    def set_state(self, ids: Sequence[int], state: ImageState, reason: str = "") -> None:
        """Set the state of images, in one transaction; raises NotFound."""
        if state not in IMAGE_STATES:
            raise InvalidValue(f"expected a state of {IMAGE_STATES}, got {state!r}")
        with self._ledger.transaction():
            images = self.get(ids)
            if state in _LIVE:
                self._refuse_taken(images)
            self._ledger.run_many(
                "UPDATE image SET state = ?, reason = ? WHERE id = ?",
                ((state, reason, int(i)) for i in ids),
            )
            if "unreadable" in {state, *(image.state for image in images)}:
                self._report_broken()

    def _refuse_taken(self, images: Sequence[ImageRecord]) -> None:
        """Raise UsageError when another image lies now where one of these lay."""
        with self._ledger.listed(image.id for image in images if image.state not in _LIVE):
            row = self._ledger.row(
                "SELECT image.uri FROM temp.listed CROSS JOIN image ON image.id = listed.value "
                "JOIN image AS now ON now.root_id = image.root_id AND now.uri = image.uri "
                "AND now.id <> image.id AND now.state IN ('present', 'unreadable') LIMIT 1"
            )
        if row is not None:
            raise UsageError(f"{row[0]}: another image lies there now; move it away first")

    def other_files(self) -> dict[str, int]:
        """Return the count of non-image files by suffix, the commonest first."""
        rows = self._ledger.rows("SELECT suffix, count FROM other_file ORDER BY count DESC, suffix")
        return {str(suffix): int(count) for suffix, count in rows}

    def set_other_files(self, counts: Mapping[str, int]) -> None:
        """Replace the counts of non-image files."""
        with self._ledger.transaction():
            self._ledger.run("DELETE FROM other_file")
            self._ledger.run_many(
                "INSERT INTO other_file (suffix, count) VALUES (?, ?)",
                ((suffix, int(count)) for suffix, count in counts.items() if count),
            )


def _record(row: Row) -> ImageRecord:
    values = (*row[:11], json.loads(row[11]) if row[11] != "{}" else {})
    return ImageRecord(*values)


def _quoted(path: str) -> str:
    return "".join(
        chr(byte) if byte < 128 and byte != 37 else f"%{byte:02X}" for byte in os.fsencode(path)
    )


def _path_of(uri: str) -> Path:
    text = os.fsdecode(unquote_to_bytes(uri.removeprefix("file://")))
    if os.name == "nt" and text.startswith("/"):  # file:///C:/…
        text = text[1:]
    return Path(text)
