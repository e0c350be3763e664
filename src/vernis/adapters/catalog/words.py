"""The words of a collection, full-text indexed (SQLite FTS5) in a file of their own.

``words.sqlite`` is derived data like the vectors: it holds the fingerprint of what it was made from
and is made anew when that changes. Where it cannot be written (a read-only folder) the index is
made in memory.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from vernis.adapters.catalog.storage import translating
from vernis.core.words.documents import WordDocument, WordMatch, number_forms

FILE_NAME = "words.sqlite"
FIELDS = WordDocument._fields[1:]
_WEIGHTS = (4.0, 2.0, 1.0)  # of the fields; a label says more than a folder's name
_MARK = "\x02"


class WordIndex:
    """Finds images by their words.

    Parameters
    ----------
    folder : Path
        The collection's folder.
    fingerprint : str
        Of what the documents are made from.
    documents : callable
        Gives the documents; called only when the stored index is missing or stale.
    """

    def __init__(
        self, folder: Path, fingerprint: str, documents: Callable[[], Iterable[WordDocument]]
    ) -> None:
        self._path = folder / FILE_NAME
        with translating(self._path):
            opened = _open_stored(self._path, fingerprint)
            if opened is None:
                opened = _make(self._path, fingerprint, documents())
        self._connection = opened

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

    def find(self, words: Sequence[str], *, beginnings: bool) -> list[WordMatch]:
        """Return the images that hold all of the words, best first.

        Parameters
        ----------
        words : sequence of str
        beginnings : bool
            Words that begin so count too; otherwise whole ones alone, in singular or plural.
        """
        if not words:
            return []
        terms = [_term(word.replace('"', ""), beginnings) for word in words]
        marks = ", ".join(
            f"instr(highlight(words, {column}, '{_MARK}', ''), '{_MARK}') > 0"
            for column in range(len(FIELDS))
        )
        with translating(self._path):
            rows = self._connection.execute(
                f"SELECT rowid, -bm25(words, {', '.join(map(str, _WEIGHTS))}), {marks} "
                "FROM words WHERE words MATCH ? ORDER BY 2 DESC, rowid",
                (" AND ".join(terms),),
            ).fetchall()
        return [
            WordMatch(
                int(row[0]),
                float(row[1]),
                tuple(field for field, hit in zip(FIELDS, row[2:], strict=True) if hit),
            )
            for row in rows
        ]

    def close(self) -> None:
        """Release the file."""
        self._connection.close()


def _term(word: str, beginnings: bool) -> str:
    plurals = [] if beginnings else [f"{word}s", f"{word}es"]
    others = "".join(f' OR "{form}"' for form in [*number_forms(word), *plurals])
    # A whole word is found by both parts and so ranks before one that only begins so.
    begun = f' OR "{word}"*' if beginnings else ""
    return f'("{word}"{begun}{others})'


def _open_stored(path: Path, fingerprint: str) -> sqlite3.Connection | None:
    """Open the stored index, read-only; None when it is missing, stale or damaged."""
    if not path.is_file():
        return None
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True, check_same_thread=False
    )
    try:
        row = connection.execute("SELECT value FROM made_from").fetchone()
        if row is not None and row[0] == fingerprint:
            return connection
    except sqlite3.DatabaseError:  # damaged: it is made anew
        pass
    connection.close()
    return None


def _make(path: Path, fingerprint: str, documents: Iterable[WordDocument]) -> sqlite3.Connection:
    """Make the index and store it whole; keep it in memory where it cannot be stored."""
    memory = sqlite3.connect(":memory:", check_same_thread=False)
    columns = ", ".join(FIELDS)
    memory.executescript(
        f"CREATE VIRTUAL TABLE words USING fts5({columns}, prefix='2 3', "
        "tokenize='unicode61 remove_diacritics 2');"
        "CREATE VIRTUAL TABLE vocabulary USING fts5vocab(words, 'row');"
        "CREATE TABLE made_from (value TEXT NOT NULL) STRICT;"
    )
    memory.executemany(f"INSERT INTO words (rowid, {columns}) VALUES (?, ?, ?, ?)", documents)
    memory.execute("INSERT INTO words (words) VALUES ('optimize')")
    memory.execute("INSERT INTO made_from VALUES (?)", (fingerprint,))
    memory.commit()
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        partial.write_bytes(memory.serialize())
        partial.replace(path)
    except OSError:
        with suppress(OSError):
            partial.unlink()
    return memory
