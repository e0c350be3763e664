"""The words of a collection, full-text indexed (SQLite FTS5) in a file of their own.

``words.sqlite`` is derived data like the vectors: it holds the fingerprint of what it was made from
and is made anew when that changes. Labels it follows: it knows the latest event that it has seen,
and the documents of images that later ones are about are made anew. Where it cannot be written (a
read-only folder) the index is made, or followed, in memory.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vernis.adapters.catalog.storage import translating
from vernis.core.words.documents import WordDocument, WordMatches, number_forms

FILE_NAME = "words.sqlite"
FIELDS = WordDocument._fields[1:]
_WEIGHTS = (4.0, 2.0, 1.0)  # of the fields; a label says more than a folder's name
_COMPARED = 20_000  # matches up to which it is told how relevant each is
_PATIENCE = 60.0  # seconds that one process waits for another that follows
_MANY = 20_000  # changed documents, and …
_SHARE = 0.25  # … their share of all, from which the index is made anew
_PENDING = 16 << 20  # bytes of words that are gathered before they are written as a part


class WordSource(Protocol):
    """What an index of words is made from."""

    @property
    def fingerprint(self) -> str:
        """What differs when documents may have changed otherwise than by events."""
        ...

    @property
    def mark(self) -> int:
        """The latest event; documents that are read later are at least as new."""
        ...

    def changed_since(self, mark: int) -> Sequence[int]:
        """Return the images that events after a mark are about."""
        ...

    def documents(self, images: Sequence[int] | None = None) -> Iterable[WordDocument]:
        """Give the documents of some images, default all; of those that are not present none."""
        ...


class WordIndex:
    """Finds images by their words.

    Parameters
    ----------
    folder : Path
        The collection's folder.
    source : WordSource
        Asked for all documents only when the stored index is missing or stale.
    """

    def __init__(self, folder: Path, source: WordSource) -> None:
        self._path = folder / FILE_NAME
        with translating(self._path):
            self._connection = _follow(self._path, source) or _make(self._path, source)

    def vocabulary(self) -> list[str]:
        """Return every word that begins with no digit, in ascending order.

        The others are the numbers of files, nearly all of them.
        """
        with translating(self._path):
            rows = self._connection.execute(
                "SELECT term FROM vocabulary WHERE term < '0' UNION ALL "
                "SELECT term FROM vocabulary WHERE term > ?",
                ("9" + chr(0x10FFFF),),
            ).fetchall()
        return [str(row[0]) for row in rows]

    def begins_a_word(self, text: str) -> bool:
        """Tell whether a word begins so, or is that."""
        with translating(self._path):
            row = self._connection.execute(
                "SELECT term FROM vocabulary WHERE term >= ? LIMIT 1", (text,)
            ).fetchone()
        return row is not None and str(row[0]).startswith(text)

    def begins_a_longer_word(self, text: str) -> bool:
        """Tell whether another word begins so."""
        with translating(self._path):
            row = self._connection.execute(
                "SELECT term FROM vocabulary WHERE term > ? LIMIT 1", (text,)
            ).fetchone()
        return row is not None and str(row[0]).startswith(text)

    def find(self, words: Sequence[str], *, beginnings: bool) -> WordMatches:
        """Return the images that hold all of the words, and where.

        Parameters
        ----------
        words : sequence of str
        beginnings : bool
            Words that begin so count too; otherwise whole ones alone, in singular or plural.
        """
        terms = [_term(word.replace('"', ""), beginnings) for word in words]
        every, some = " AND ".join(terms), " OR ".join(terms)
        all_of = f"({every}) AND " if len(terms) > 1 else ""
        with translating(self._path):
            held = {
                field: self._rows(f"{all_of}{field} : ({some})" if terms else "")
                for field in FIELDS
            }
            ids = np.sort(np.concatenate(list(held.values())), kind="stable")  # of sorted runs
            ids = ids[np.diff(ids, prepend=-1) > 0]
            relevance = np.ones(len(ids))
            if 0 < len(ids) <= _COMPARED:
                found = self._connection.execute(
                    f"SELECT rowid, -bm25(words, {', '.join(map(str, _WEIGHTS))}) FROM words "
                    "WHERE words MATCH ?",
                    (every,),
                ).fetchall()
                told = dict(found)
                relevance = np.array([told.get(image, 0.0) for image in ids.tolist()])
        fields = {field: np.isin(ids, rows, assume_unique=True) for field, rows in held.items()}
        return WordMatches(ids, relevance, fields)

    def _rows(self, query: str) -> NDArray[np.int64]:
        """Return the images that a query matches: as one text, where they are many the quicker."""
        if not query:
            return np.zeros(0, np.int64)
        (text,) = self._connection.execute(
            "SELECT group_concat(rowid) FROM words WHERE words MATCH ?", (query,)
        ).fetchone()
        return np.fromstring(text or "", np.int64, sep=",")

    def close(self) -> None:
        """Release the file."""
        self._connection.close()


def _term(word: str, beginnings: bool) -> str:
    plurals = [] if beginnings else [f"{word}s", f"{word}es"]
    others = "".join(f' OR "{form}"' for form in [*number_forms(word), *plurals])
    # A whole word is found by both parts and so ranks before one that only begins so.
    begun = f' OR "{word}"*' if beginnings else ""
    return f'("{word}"{begun}{others})'


def _open(path: Path, mode: str = "ro") -> sqlite3.Connection:
    address = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(address, uri=True, check_same_thread=False, timeout=_PATIENCE)


def _mark_of(connection: sqlite3.Connection, fingerprint: str) -> int | None:
    """Return the latest event that an index has seen; None when it is stale or damaged."""
    try:
        row = connection.execute("SELECT fingerprint, mark FROM made_from").fetchone()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_BUSY:
            raise
        return None
    except sqlite3.DatabaseError:  # damaged: it is made anew
        return None
    return int(row[1]) if row is not None and row[0] == fingerprint else None


def _follow(path: Path, source: WordSource) -> sqlite3.Connection | None:
    """Open the stored index, brought up to date; None when it has to be made anew."""
    if not path.is_file():
        return None
    stored = _open(path)
    mark = _mark_of(stored, source.fingerprint)
    if mark == source.mark:
        return stored
    if mark is None or mark > source.mark or _are_many(stored, source.changed_since(mark)):
        stored.close()
        return None
    try:
        with closing(_open(path, "rw")) as writer:
            is_whole = _update(writer, source)
    except sqlite3.OperationalError:  # it cannot be written
        memory = _copy(stored)
        stored.close()
        return memory if _update(memory, source) else None
    if is_whole:
        return stored
    stored.close()
    return None


def _are_many(connection: sqlite3.Connection, changed: Sequence[int]) -> bool:
    if len(changed) <= _MANY:
        return False
    (count,) = connection.execute("SELECT count(*) FROM words_docsize").fetchone()
    return len(changed) > _SHARE * int(count)


def _update(connection: sqlite3.Connection, source: WordSource) -> bool:
    """Make the documents anew that events have changed; False when the index is stale by now.

    No journal lies beside the file, as another process may put a new file in its place meanwhile.
    Instead the file says of itself that it is stale while it is written, and nobody reads it.
    """
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA journal_mode = MEMORY")
    connection.execute("BEGIN EXCLUSIVE")
    mark = _mark_of(connection, source.fingerprint)
    if mark is None:
        return False
    changed = [(int(image),) for image in source.changed_since(mark)]
    documents = list(source.documents([image for (image,) in changed])) if changed else []
    connection.execute("UPDATE made_from SET fingerprint = ''")
    connection.commit()
    connection.executemany("DELETE FROM words WHERE rowid = ?", changed)
    _insert(connection, documents)
    connection.commit()
    connection.execute("UPDATE made_from SET fingerprint = ?, mark = ?", _made_from(source, mark))
    connection.commit()
    return True


def _made_from(source: WordSource, least: int = 0) -> tuple[str, int]:
    return source.fingerprint, max(source.mark, least)


def _insert(connection: sqlite3.Connection, documents: Iterable[WordDocument]) -> None:
    sql = f"INSERT INTO words (rowid, {', '.join(FIELDS)}) VALUES (?, ?, ?, ?)"
    connection.executemany(sql, documents)


def _make(path: Path, source: WordSource) -> sqlite3.Connection:
    """Make the index and store it whole; keep it in memory where it cannot be stored."""
    partial = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        with closing(_open(partial, "rwc")) as made:
            _fill(made, source)
        partial.replace(path)
    except (OSError, sqlite3.OperationalError):
        with suppress(OSError):
            partial.unlink()
        memory = sqlite3.connect(":memory:", check_same_thread=False)
        _fill(memory, source)
        return memory
    return _open(path)


def _fill(connection: sqlite3.Connection, source: WordSource) -> None:
    """Write all documents into an empty file, which is of no worth unless it becomes whole."""
    connection.executescript(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
        f"CREATE VIRTUAL TABLE words USING fts5({', '.join(FIELDS)}, prefix='2 3', "
        "tokenize='unicode61 remove_diacritics 2');"
        f"INSERT INTO words (words, rank) VALUES ('hashsize', {_PENDING});"
        "CREATE VIRTUAL TABLE vocabulary USING fts5vocab(words, 'row');"
        "CREATE TABLE made_from (fingerprint TEXT NOT NULL, mark INTEGER NOT NULL) STRICT;"
    )
    _insert(connection, source.documents())
    connection.execute("INSERT INTO words (words) VALUES ('optimize')")
    connection.execute("INSERT INTO made_from VALUES (?, ?)", _made_from(source))
    connection.commit()


def _copy(stored: sqlite3.Connection) -> sqlite3.Connection:
    memory = sqlite3.connect(":memory:", check_same_thread=False)
    stored.backup(memory)
    return memory
