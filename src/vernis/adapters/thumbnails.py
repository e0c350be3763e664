"""Small JPEGs of the pictures, kept beside the catalog so that a picture is decoded once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from vernis.domain.errors import StorageError

FILE_NAME = "thumbnails.sqlite"


class ThumbnailCache:
    """JPEGs by content hash, in a file of its own.

    Derived data: the file may be deleted at any time and is made anew.

    Parameters
    ----------
    folder : Path
        The collection's.
    edge : int
        Longer side of the thumbnails, pixels.
    """

    def __init__(self, folder: Path, edge: int) -> None:
        self._path = folder / FILE_NAME
        self.edge = edge

    def missing(self, hashes: Sequence[str]) -> list[str]:
        """Return the distinct hashes without a thumbnail, in order."""
        with self._open() as connection:
            rows = connection.execute("SELECT hash FROM thumbnail WHERE edge = ?", (self.edge,))
            known = {row[0] for row in rows}
        return [content for content in dict.fromkeys(hashes) if content not in known]

    def add(self, thumbnails: Iterable[tuple[str, bytes]]) -> None:
        """Keep thumbnails, all of them or none."""
        with self._open() as connection, connection:
            connection.executemany(
                "INSERT OR REPLACE INTO thumbnail (edge, hash, jpeg) VALUES (?, ?, ?)",
                ((self.edge, content, jpeg) for content, jpeg in thumbnails),
            )

    def read(self, hashes: Sequence[str]) -> Iterator[bytes | None]:
        """Yield the thumbnail of each hash, None where there is none."""
        with self._open() as connection:
            for content in hashes:
                row = connection.execute(
                    "SELECT jpeg FROM thumbnail WHERE edge = ? AND hash = ?", (self.edge, content)
                ).fetchone()
                yield None if row is None else row[0]

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self._path, timeout=10)) as connection:
                connection.execute(
                    "CREATE TABLE IF NOT EXISTS thumbnail (edge INTEGER NOT NULL, "
                    "hash TEXT NOT NULL, jpeg BLOB NOT NULL, PRIMARY KEY (edge, hash))"
                )
                yield connection
        except sqlite3.Error as error:
            raise StorageError(
                f"{self._path}: cannot be read or written ({error}); it may be deleted, "
                "it is made anew"
            ) from error
