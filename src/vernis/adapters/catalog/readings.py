"""What is read in pictures, in the ledger."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.adapters.catalog.ledger import Ledger, Row, now
from vernis.adapters.catalog.storage import to_json
from vernis.domain.readings import PictureText, ReaderVersion, Reading, Spelling
from vernis.domain.types import Hashes, hash_column

# SQLite takes the other columns from the row with the largest value.
_LATEST = """
SELECT p.hash AS hash, p.reader_id AS reader_id, max(t.used) AS used
FROM {listed} picture_read AS p {by} JOIN text_reader AS t ON t.id = p.reader_id GROUP BY p.hash
"""
_LISTED = _LATEST.format(listed="temp.listed CROSS JOIN", by="ON p.hash = listed.value")
_EVERY = _LATEST.format(listed="", by="")
_CORNERS = np.dtype("<f4")
_PIECE = 4096  # pictures whose lines are Python objects at a time


class SqliteReadingStore:
    """``ReadingStore`` over the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def use(self, reader: ReaderVersion) -> None:
        """Make a reader the one whose readings count."""
        with self._ledger.transaction():
            number = self._id(reader)
            last = self._ledger.row("SELECT id FROM text_reader ORDER BY used DESC LIMIT 1")
            used = self._ledger.row("SELECT used FROM text_reader WHERE id = ?", (number,))
            assert last is not None
            assert used is not None
            if last[0] != number or not used[0]:
                self._ledger.run(
                    "UPDATE text_reader SET used = (SELECT max(used) + 1 FROM text_reader) "
                    "WHERE id = ?",
                    (number,),
                )

    def holds(self, reader: ReaderVersion, hashes: Hashes) -> NDArray[np.bool_]:
        """Return which pictures a reader has read, shape (len(hashes),)."""
        row = self._find(reader)
        if row is None:
            return np.zeros(len(hashes), dtype=np.bool_)
        (read,) = self._ledger.columns(
            "SELECT hash FROM picture_read WHERE reader_id = ?", (row,), kinds=[bytes]
        )
        return np.isin(hash_column(hashes), read)

    def add(self, reader: ReaderVersion, read: Mapping[str, Sequence[Reading]]) -> None:
        """Record what was read in pictures; what the reader had read in them before goes."""
        with self._ledger.transaction():
            number, time = self._id(reader), now()
            self._ledger.run_many(
                "DELETE FROM reading WHERE hash = ? AND reader_id = ?",
                ((content, number) for content in read),
            )
            self._ledger.run_many(
                "INSERT OR REPLACE INTO picture_read VALUES (?, ?, ?, ?)",
                ((content, number, len(lines), time) for content, lines in read.items()),
            )
            self._ledger.run_many(
                "INSERT INTO reading VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (content, number, place, *_values(line))
                    for content, lines in read.items()
                    for place, line in enumerate(lines)
                ),
            )

    def texts(self, hashes: Sequence[str]) -> Iterator[PictureText]:
        """Yield what is read in these pictures; those that were not read are left out."""
        readers = self._readers()
        for start in range(0, len(hashes), _PIECE):
            yield from self._piece(hashes[start : start + _PIECE], readers)

    def _piece(
        self, hashes: Sequence[str], readers: Mapping[int, ReaderVersion]
    ) -> list[PictureText]:
        with self._ledger.snapshot(), self._ledger.listed(dict.fromkeys(hashes)):
            latest: dict[str, int] = {
                content: reader for content, reader, _ in self._ledger.rows(_LISTED)
            }
            rows = self._ledger.rows(
                "SELECT r.hash, r.text, r.confidence, r.corners, r.height, r.spelling "
                f"FROM ({_LISTED}) AS l CROSS JOIN reading AS r "
                "ON r.hash = l.hash AND r.reader_id = l.reader_id ORDER BY r.hash, r.line"
            )
        lines: dict[str, list[Reading]] = {content: [] for content in latest}
        for content, *values in rows:
            lines[content].append(_reading(values))
        return [
            PictureText(content, readers[latest[content]], tuple(own))
            for content, own in lines.items()
        ]

    def lines(self, least_confidence: float) -> dict[str, tuple[str, ...]]:
        """Return the lines of every picture that was read, those read less surely left out."""
        with self._ledger.snapshot():
            found: dict[str, list[str]] = {row[0]: [] for row in self._ledger.rows(_EVERY)}
            for content, text in self._ledger.rows(
                f"SELECT r.hash, r.text FROM ({_EVERY}) AS l CROSS JOIN reading AS r "
                "ON r.hash = l.hash AND r.reader_id = l.reader_id "
                "WHERE r.confidence >= ? ORDER BY r.hash, r.line",
                (least_confidence,),
            ):
                found[content].append(text)
        return {content: tuple(own) for content, own in found.items()}

    def counts(self, reader: ReaderVersion) -> dict[str, int]:
        """Return how many lines the reader has read in each picture."""
        row = self._find(reader)
        return dict(
            self._ledger.rows("SELECT hash, lines FROM picture_read WHERE reader_id = ?", (row,))
        )

    def mark(self) -> str:
        """Return what differs when the readings may have changed."""
        read = self._ledger.row("SELECT count(*), max(time) FROM picture_read")
        used = self._ledger.row("SELECT id, used FROM text_reader ORDER BY used DESC LIMIT 1")
        return to_json([read, used])

    def _readers(self) -> dict[int, ReaderVersion]:
        rows = self._ledger.rows("SELECT id, name, settings FROM text_reader")
        return {
            number: ReaderVersion(name, json.loads(settings)) for number, name, settings in rows
        }

    def _find(self, reader: ReaderVersion) -> int | None:
        row = self._ledger.row(
            "SELECT id FROM text_reader WHERE name = ? AND settings = ?",
            (reader.name, to_json(dict(reader.settings))),
        )
        return None if row is None else int(row[0])

    def _id(self, reader: ReaderVersion) -> int:
        found = self._find(reader)
        if found is not None:
            return found
        return self._ledger.insert(
            "INSERT INTO text_reader (name, settings) VALUES (?, ?)",
            (reader.name, to_json(dict(reader.settings))),
        )


def _values(line: Reading) -> Row:
    return (
        line.text,
        float(line.confidence),
        line.corners.astype(_CORNERS).tobytes(),
        float(line.height),
        None if line.spelling is None else line.spelling.to_bytes(),
    )


def _reading(values: Sequence[Any]) -> Reading:
    text, confidence, corners, height, spelling = values
    return Reading(
        text,
        confidence,
        np.frombuffer(corners, _CORNERS).astype(np.float32).reshape(4, 2),
        height,
        None if spelling is None else Spelling.from_bytes(spelling),
    )
