"""Maps, in the ledger."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.adapters.catalog.ledger import Ledger, now
from vernis.adapters.catalog.storage import to_json
from vernis.domain.errors import NotFound
from vernis.domain.maps import MapPoints, MapRecord

_SELECT = (
    "SELECT name, space, settings, quality, created, "
    "(SELECT count(*) FROM map_point WHERE map_id = map.id), "
    "(SELECT count(*) FROM map_point WHERE map_id = map.id AND placed = 1) FROM map"
)


class SqliteMapStore:
    """``MapStore`` over the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def records(self) -> list[MapRecord]:
        """Return every map, the newest first."""
        return [_record(row) for row in self._ledger.rows(f"{_SELECT} ORDER BY id DESC")]

    def find(self, name: str) -> MapRecord | None:
        """Return the map of that name, None when there is none."""
        row = self._ledger.row(f"{_SELECT} WHERE name = ?", (name,))
        return None if row is None else _record(row)

    def points(self, name: str) -> MapPoints:
        """Return the places of a map; raises NotFound that lists the names there are."""
        rows = self._ledger.rows(
            "SELECT hash, x, y, placed FROM map_point WHERE map_id = ? ORDER BY hash",
            (self._id(name),),
        )
        return MapPoints(
            tuple(row[0] for row in rows),
            np.array([row[1:3] for row in rows], dtype=np.float64).reshape(-1, 2),
            np.array([row[3] for row in rows], dtype=bool),
        )

    def replace(self, record: MapRecord, points: MapPoints) -> None:
        """Write a map; one of the same name goes, in the same transaction."""
        with self._ledger.transaction():
            self._drop(record.name)
            map_id = self._ledger.insert(
                "INSERT INTO map (name, space, settings, quality, created) VALUES (?, ?, ?, ?, ?)",
                (
                    record.name,
                    to_json(dict(record.space)),
                    to_json(dict(record.settings)),
                    to_json(dict(record.quality)),
                    now(),
                ),
            )
            self._add(map_id, points.hashes, points.places, points.placed.tolist())

    def place(
        self,
        name: str,
        hashes: Sequence[str],
        places: NDArray[np.float64],
        quality: Mapping[str, Any],
    ) -> None:
        """Add pictures to a map that is there, and what is now measured of it."""
        with self._ledger.transaction():
            map_id = self._id(name)
            self._add(map_id, hashes, places, [True] * len(hashes))
            self._ledger.run(
                "UPDATE map SET quality = ? WHERE id = ?", (to_json(dict(quality)), map_id)
            )

    def remove(self, name: str) -> None:
        """Remove a map; raises NotFound."""
        with self._ledger.transaction():
            self._id(name)
            self._drop(name)

    def _drop(self, name: str) -> None:
        self._ledger.run(
            "DELETE FROM map_point WHERE map_id = (SELECT id FROM map WHERE name = ?)", (name,)
        )
        self._ledger.run("DELETE FROM map WHERE name = ?", (name,))

    def _add(
        self,
        map_id: int,
        hashes: Sequence[str],
        places: NDArray[np.float64],
        placed: Sequence[bool],
    ) -> None:
        self._ledger.run_many(
            "INSERT INTO map_point (map_id, hash, x, y, placed) VALUES (?, ?, ?, ?, ?)",
            (
                (map_id, content, float(x), float(y), int(later))
                for content, (x, y), later in zip(hashes, places, placed, strict=True)
            ),
        )

    def _id(self, name: str) -> int:
        row = self._ledger.row("SELECT id FROM map WHERE name = ?", (name,))
        if row is None:
            known = ", ".join(record.name for record in self.records()) or "none yet"
            raise NotFound(f"no map {name!r}; there are: {known}")
        return int(row[0])


def _record(row: tuple[Any, ...]) -> MapRecord:
    name, space, settings, quality, created, points, placed = row
    return MapRecord(
        name, json.loads(space), json.loads(settings), json.loads(quality), created, points, placed
    )
