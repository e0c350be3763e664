"""Regions and what each source says of each region × class, in the ledger."""

from __future__ import annotations

import itertools
import json
import math
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vernis.adapters.catalog.effective import COUNTED, rank_of, that_hold
from vernis.adapters.catalog.history import SqliteHistory
from vernis.adapters.catalog.labels import SqliteLabelStore
from vernis.adapters.catalog.ledger import Ledger, Row
from vernis.adapters.catalog.storage import to_json
from vernis.adapters.catalog.subjects import REGION, region_key, region_range
from vernis.domain.errors import NotFound
from vernis.domain.history import IMPORTS, Change
from vernis.domain.region_store import (
    KnownRegion,
    NewRegion,
    RegionLabels,
    RegionStatement,
    RegionTable,
)
from vernis.domain.regions import SHAPES, Box, Region
from vernis.domain.types import Categories, ImageState, Statement, TaxonomyKind

_PIECE = 4096  # regions that are Python objects at a time

_INSERT = """
INSERT INTO region (id, image_id, source_id, batch_id, x, y, width, height,
  picture_width, picture_height, shape, outline, foreign_id, attributes)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_SAY = """
INSERT INTO temp.region_said (taxonomy_id, region_id, class_id, state, probability)
VALUES (?, ?, ?, ?, ?)
"""
# Of several statements on one cell the last one counts, …
_LAST_SAID = """
INSERT OR REPLACE INTO temp.region_incoming
SELECT region_id, class_id, state, probability FROM temp.region_said
WHERE taxonomy_id = ? ORDER BY position
"""
# … in a single taxonomy a yes withdraws every yes that was said of the region before it, …
_LAST_YES = """
UPDATE temp.region_incoming SET state = 'unknown', probability = NULL
FROM (SELECT region_id, class_id, max(position) FROM temp.region_said
      WHERE state = 'yes' AND taxonomy_id = ?
      GROUP BY region_id HAVING count(*) > 1) AS last
WHERE region_incoming.region_id = last.region_id AND region_incoming.class_id <> last.class_id
  AND region_incoming.state = 'yes'
"""
# … and a source's former yes gives way to its new one.
_REPLACE_YES = """
INSERT OR IGNORE INTO temp.region_incoming
SELECT s.region_id, s.class_id, 'unknown', NULL
FROM temp.region_incoming AS i CROSS JOIN region_statement AS s ON s.region_id = i.region_id
JOIN class ON class.id = s.class_id AND class.taxonomy_id = ?1
WHERE s.source_id = ?2 AND i.state = 'yes' AND s.state = 'yes' AND s.class_id <> i.class_id
"""
_WRITE_EVENTS = """
INSERT INTO event (batch_id, source_id, image_id, region_id, class_id, before, before_probability,
  before_batch, after, after_probability, after_batch)
SELECT ?2, ?1, region.image_id, i.region_id, i.class_id, coalesce(s.state, 'unknown'),
  s.probability, s.batch_id, i.state, i.probability, CASE WHEN i.state <> 'unknown' THEN ?2 END
FROM temp.region_incoming AS i CROSS JOIN region ON region.id = i.region_id
LEFT JOIN region_statement AS s
  ON s.region_id = i.region_id AND s.class_id = i.class_id AND s.source_id = ?1
WHERE i.state <> coalesce(s.state, 'unknown') OR i.probability IS NOT s.probability
"""
_WITHDRAW = """
DELETE FROM region_statement WHERE source_id = ? AND (region_id, class_id) IN (
  SELECT region_id, class_id FROM temp.region_incoming WHERE state = 'unknown')
"""
_STATE = """
INSERT OR REPLACE INTO region_statement
  (region_id, class_id, source_id, state, probability, batch_id)
SELECT region_id, class_id, ?1, after, after_probability, ?2
FROM event WHERE batch_id = ?2 AND id > ?3 AND region_id IS NOT NULL AND after <> 'unknown'
ORDER BY region_id, class_id
"""
# What is said of a place of an image is said of the image, where that source has not spoken of it.
_IMPLIED = """
SELECT DISTINCT region.image_id, class.name
FROM temp.region_incoming AS i CROSS JOIN region ON region.id = i.region_id
JOIN class ON class.id = i.class_id
WHERE i.state = 'yes' AND NOT EXISTS (
  SELECT 1 FROM statement AS s WHERE s.taxonomy_id = ?1 AND s.source_id = ?2
    AND s.image_id = region.image_id AND (s.class_id = i.class_id OR (?3 AND s.state = 'yes')))
"""


class SqliteRegionStore:
    """``RegionStore`` over the ledger."""

    def __init__(self, ledger: Ledger, history: SqliteHistory, labels: SqliteLabelStore) -> None:
        self._ledger = ledger
        self._history = history
        self._labels = labels
        ledger.run(
            "CREATE TEMP TABLE region_incoming (region_id INTEGER, class_id INTEGER, state TEXT, "
            "probability REAL, PRIMARY KEY (region_id, class_id)) WITHOUT ROWID"
        )
        ledger.run(
            "CREATE TEMP TABLE region_said (position INTEGER PRIMARY KEY, taxonomy_id INTEGER, "
            "region_id INTEGER, class_id INTEGER, state TEXT, probability REAL)"
        )

    # ------------------------------------------------------------------ writing

    def add(
        self, regions: Iterable[NewRegion], *, source: str, verb: str, note: str = ""
    ) -> NDArray[np.int64]:
        """Add regions with what their source says of them, as one batch; see the port."""
        with self._ledger.transaction():
            source_id = self._history.source_id(source)
            batch, is_new = self._history.open_batch(verb, source_id, note)
            row = self._ledger.row("SELECT coalesce(max(id), 0) + 1 FROM region")
            assert row is not None
            first = end = int(row[0])
            classes = _Classes(self._ledger)
            self._ledger.run("DELETE FROM temp.region_said")
            found = iter(regions)
            while piece := list(itertools.islice(found, _PIECE)):
                self._require_images({int(new.image_id) for new in piece})
                self._ledger.run_many(
                    _INSERT,
                    (_values(end + n, new, source_id, batch) for n, new in enumerate(piece)),
                )
                said = (
                    (*classes.find(label.taxonomy, label.label), end + n, label)
                    for n, new in enumerate(piece)
                    for label in new.labels
                )
                self._ledger.run_many(
                    _SAY,
                    ((t, region, c, said.state, _probability(said)) for t, c, region, said in said),
                )
                end += len(piece)
            ids = np.arange(first, end, dtype=np.int64)
            if first < end:
                change = Change(REGION, region_key(first, end - 1), None, True, size=end - first)
                self._history.record([change], source=source, verb=verb, note=note)
                for name, (taxonomy_id, kind) in classes.taxonomies.items():
                    self._take_said(taxonomy_id, kind)
                    self._write(name, taxonomy_id, kind, source, verb, note)
            elif is_new:
                self._history.drop_batch(batch)
            self._ledger.run("DELETE FROM temp.region_said")
        return ids

    def remove(self, ids: ArrayLike, *, source: str, verb: str, note: str = "") -> int:
        """Remove regions, as one batch; see the port."""
        wanted = np.unique(np.asarray(ids, dtype=np.int64))
        with self._ledger.transaction(), self._ledger.listed(wanted.tolist()):
            self._require_regions("SELECT value FROM temp.listed", removed_too=True)
            (here,) = self._ledger.columns(
                "SELECT region.id FROM temp.listed CROSS JOIN region ON region.id = listed.value "
                "WHERE removed = 0 ORDER BY 1",
                kinds=[np.int64],
            )
            self._ledger.run(
                "UPDATE region SET removed = 1 "
                "WHERE removed = 0 AND id IN (SELECT value FROM temp.listed)"
            )
            runs = np.split(here, np.flatnonzero(np.diff(here) > 1) + 1) if len(here) else []
            changes = [
                Change(REGION, region_key(int(run[0]), int(run[-1])), True, False, size=len(run))
                for run in runs
            ]
            return self._history.record(changes, source=source, verb=verb, note=note)

    def record(
        self,
        name: str,
        statements: Iterable[RegionStatement],
        *,
        source: str,
        verb: str,
        note: str = "",
    ) -> int:
        """Record what a source says of regions × classes, as one batch; see the port."""
        with self._ledger.transaction():
            taxonomy_id, kind = _find_taxonomy(self._ledger, name)
            classes = _Classes(self._ledger)
            self._ledger.run("DELETE FROM temp.region_said")
            self._ledger.run_many(
                _SAY,
                (
                    (*_place(classes.find(name, said.label), said), said.state, _probability(said))
                    for said in statements
                ),
            )
            self._require_regions("SELECT region_id FROM temp.region_said")
            self._take_said(taxonomy_id, kind)
            batch = self._write(name, taxonomy_id, kind, source, verb, note)
            self._ledger.run("DELETE FROM temp.region_said")
            return batch

    def _take_said(self, taxonomy_id: int, kind: str) -> None:
        """Fill ``temp.region_incoming`` with what is said in one taxonomy."""
        self._ledger.run("DELETE FROM temp.region_incoming")
        self._ledger.run(_LAST_SAID, (taxonomy_id,))
        if kind == "single":
            self._ledger.run(_LAST_YES, (taxonomy_id,))

    def _write(
        self, name: str, taxonomy_id: int, kind: str, source: str, verb: str, note: str
    ) -> int:
        """Turn ``temp.region_incoming`` into events and statements; returns the batch or 0."""
        source_id = self._history.source_id(source)
        single = kind == "single"
        if single:
            self._ledger.run(_REPLACE_YES, (taxonomy_id, source_id))
        batch, is_new = self._history.open_batch(verb, source_id, note)
        mark = self._ledger.row("SELECT coalesce(max(id), 0) FROM event")
        assert mark is not None
        changed = self._ledger.run(_WRITE_EVENTS, (source_id, batch))
        if changed:
            self._history.write_prepared(batch)
            self._ledger.run(_WITHDRAW, (source_id,))
            self._ledger.run(_STATE, (source_id, batch, mark[0]))
            if rank_of(source) >= COUNTED:
                implied = self._ledger.rows(_IMPLIED, (taxonomy_id, source_id, single))
                said = (Statement(image, label, "yes") for image, label in implied)
                self._labels.record(name, said, source=source, verb=verb, note=note)
        elif is_new:
            self._history.drop_batch(batch)
        self._ledger.run("DELETE FROM temp.region_incoming")
        return batch if changed else 0

    def _require_images(self, ids: set[int]) -> None:
        with self._ledger.listed(sorted(ids)):
            stray = self._ledger.row(
                "SELECT value FROM temp.listed WHERE value NOT IN (SELECT id FROM image) LIMIT 1"
            )
        if stray is not None:
            raise NotFound(f"no image has the id {stray[0]}")

    def _require_regions(self, query: str, *, removed_too: bool = False) -> None:
        known = "SELECT id FROM region" + ("" if removed_too else " WHERE removed = 0")
        stray = self._ledger.row(f"SELECT * FROM ({query}) EXCEPT {known} LIMIT 1")
        if stray is not None:
            raise NotFound(f"no region has the id {stray[0]}")

    # ------------------------------------------------------------------ reading

    def table(
        self,
        *,
        images: ArrayLike | None = None,
        source: str = "",
        taxonomy: str | None = None,
        batch: int | None = None,
        states: Sequence[ImageState] = ("present",),
    ) -> RegionTable:
        """Return the regions as columns; see the port."""
        where, values = _of_images(images, states)
        if source:
            where += " AND substr(source.name, 1, ?) = ?"
            values += [len(source), source]
        if batch is not None:
            where += " AND r.batch_id = ?"
            values.append(int(batch))
        with self._ledger.snapshot(), self._ledger.listed(_listed(images)):
            if taxonomy is not None:
                where += (
                    " AND EXISTS (SELECT 1 FROM region_statement AS s JOIN class AS c "
                    "ON c.id = s.class_id AND c.taxonomy_id = ? WHERE s.region_id = r.id)"
                )
                values.append(_find_taxonomy(self._ledger, taxonomy)[0])
            ids, image_ids, x, y, width, height, *picture, shapes, sources, batches = (
                self._ledger.columns(
                    "SELECT r.id, r.image_id, r.x, r.y, r.width, r.height, r.picture_width, "
                    "r.picture_height, r.shape, source.name, r.batch_id FROM region AS r "
                    f"JOIN source ON source.id = r.source_id WHERE {where} ORDER BY r.id",
                    values,
                    kinds=(
                        *(np.int64, np.int64, np.float64, np.float64, np.float64, np.float64),
                        *(np.int32, np.int32, Categories, Categories, np.int64),
                    ),
                )
            )
        boxes = np.stack((x, y, width, height), axis=1)
        pictures = np.stack(picture, axis=1)
        return RegionTable(ids, image_ids, boxes, pictures, shapes, sources, batches)

    def get(self, ids: ArrayLike) -> list[KnownRegion]:
        """Return the regions with those ids whole, in that order; raises NotFound."""
        wanted = np.asarray(ids, dtype=np.int64).ravel().tolist()
        rows = self._whole(wanted, removed=False)
        if len(rows) < len(wanted):
            missing = next(iter(set(wanted) - {row[0] for row in rows}))
            raise NotFound(f"no region has the id {missing}")
        # Of a million regions few sizes and sources are held.
        sizes: dict[tuple[int, int], tuple[int, int]] = {}
        return [_known(row, sizes) for row in rows]

    def _whole(self, ids: list[int], *, removed: bool) -> list[Row]:
        with self._ledger.listed(ids):
            return self._ledger.rows(
                "SELECT r.id, r.image_id, source.name, r.batch_id, r.x, r.y, r.width, r.height, "
                "r.picture_width, r.picture_height, r.shape, r.outline, r.foreign_id, r.attributes "
                "FROM temp.listed CROSS JOIN region AS r ON r.id = listed.value "
                "JOIN source ON source.id = r.source_id WHERE r.removed = ? "
                "ORDER BY listed.position",
                (int(removed),),
            )

    def taken_away(self, source: str = "human:") -> list[tuple[KnownRegion, str]]:
        """Return the regions that somebody removed, each with who did; see the port."""
        marks = ", ".join("?" * len(IMPORTS))
        rows = self._ledger.rows(
            "SELECT c.key, s.name FROM change AS c JOIN batch AS b ON b.id = c.batch_id "
            "JOIN source AS s ON s.id = b.source_id WHERE c.subject = ? AND c.after = 'false' "
            f"AND substr(s.name, 1, ?) = ? AND b.verb NOT IN ({marks}) ORDER BY c.id",
            (REGION, len(source), source, *IMPORTS),
        )
        who = {number: name for key, name in rows for number in region_range(key)}
        sizes: dict[tuple[int, int], tuple[int, int]] = {}
        found = [_known(row, sizes) for row in self._whole(sorted(who), removed=True)]
        return [(one, who[one.id]) for one in found]

    def labels(
        self,
        name: str,
        *,
        images: ArrayLike | None = None,
        states: Sequence[ImageState] = ("present",),
    ) -> RegionLabels:
        """Return what is said of regions in a taxonomy; see the port."""
        where, values = _of_images(images, states)
        with self._ledger.snapshot(), self._ledger.listed(_listed(images)):
            taxonomy_id, kind = _find_taxonomy(self._ledger, name)
            ids, labels, sources, yes, probabilities, *ranks = self._ledger.columns(
                "SELECT s.region_id, c.name, source.name, s.state = 'yes', s.probability, "
                "source.rank, s.batch_id, source.id FROM region AS r "
                "CROSS JOIN region_statement AS s ON s.region_id = r.id "
                "JOIN class AS c ON c.id = s.class_id AND c.taxonomy_id = ? "
                f"JOIN source ON source.id = s.source_id WHERE {where} "
                "ORDER BY s.region_id, c.name, source.rank DESC, s.batch_id DESC, source.id DESC",
                [taxonomy_id, *values],
                kinds=(
                    *(np.int64, Categories, Categories, np.bool_, np.float64),
                    *(np.int32, np.int64, np.int32),
                ),
            )
        rank, batch, source_ids = ranks
        holds, proposed = _believed(ids, labels, yes, rank, batch, source_ids, kind)
        return RegionLabels(ids, labels, sources, yes, probabilities, holds, proposed)

    def counts_by_source(self) -> dict[str, int]:
        """Return how many regions of present images each source drew or found."""
        where, values = _of_images(None, ("present",))
        rows = self._ledger.rows(
            "SELECT source.name, count(*) FROM region AS r "
            f"JOIN source ON source.id = r.source_id WHERE {where} "
            "GROUP BY source.id ORDER BY source.rank DESC, source.name",
            values,
        )
        return {str(name): int(count) for name, count in rows}


class _Classes:
    """Ids of classes by their names, each taxonomy read once."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._ids: dict[str, dict[str, int]] = {}
        self.taxonomies: dict[str, tuple[int, TaxonomyKind]] = {}

    def find(self, taxonomy: str, label: str) -> tuple[int, int]:
        """Return the ids of a taxonomy and a class of it; raises NotFound."""
        if taxonomy not in self._ids:
            self.taxonomies[taxonomy] = _find_taxonomy(self._ledger, taxonomy)
            rows = self._ledger.rows(
                "SELECT name, id FROM class WHERE taxonomy_id = ?", (self.taxonomies[taxonomy][0],)
            )
            self._ids[taxonomy] = dict(rows)
        number = self._ids[taxonomy].get(label)
        if number is None:
            raise NotFound(f"taxonomy '{taxonomy}' has no class '{label}'; define it")
        return self.taxonomies[taxonomy][0], number


def _find_taxonomy(ledger: Ledger, name: str) -> tuple[int, TaxonomyKind]:
    row = ledger.row("SELECT id, kind FROM taxonomy WHERE name = ? AND removed = 0", (name,))
    if row is None:
        rows = ledger.rows("SELECT name FROM taxonomy WHERE removed = 0 ORDER BY name")
        there = ", ".join(str(row[0]) for row in rows) or "none yet"
        raise NotFound(f"there is no taxonomy '{name}'; there are: {there}")
    return int(row[0]), row[1]


def _place(found: tuple[int, int], said: RegionStatement) -> tuple[int, int, int]:
    return found[0], int(said.region_id), found[1]


def _probability(said: Any) -> float | None:
    if said.state == "unknown" or math.isnan(said.probability):
        return None
    return float(said.probability)


def _values(number: int, new: NewRegion, source_id: int, batch: int) -> Row:
    region, box = new.region, new.region.box
    return (
        *(number, int(new.image_id), source_id, batch, box.x, box.y, box.width, box.height),
        *(int(region.picture[0]), int(region.picture[1]), region.shape, region.outline),
        None if region.foreign_id is None else to_json(region.foreign_id),
        region.attributes,
    )


def _known(row: Row, sizes: dict[tuple[int, int], tuple[int, int]]) -> KnownRegion:
    number, image, source, batch, x, y, width, height, w, h, shape, outline, foreign, more = row
    region = Region(
        Box(x, y, width, height),
        sizes.setdefault((w, h), (w, h)),
        SHAPES[SHAPES.index(shape)],
        outline,
        None if foreign is None else json.loads(foreign),
        more,
    )
    return KnownRegion(number, image, region, sys.intern(source), batch)


def _listed(images: ArrayLike | None) -> list[int]:
    if images is None:
        return []
    return sorted(set(map(int, np.asarray(images).ravel())))


def _of_images(images: ArrayLike | None, states: Sequence[ImageState]) -> tuple[str, list[Any]]:
    """Return the condition, and its values, that a region ``r`` is there, on a wanted image."""
    where = (
        "r.removed = 0 AND r.image_id NOT IN (SELECT id FROM image WHERE state NOT IN "
        f"({', '.join('?' * len(states))}))"
    )
    if images is not None:
        where += " AND r.image_id IN (SELECT value FROM temp.listed)"
    return where, list(states)


def _believed(
    ids: NDArray[np.int64],
    labels: Categories,
    yes: NDArray[np.bool_],
    rank: NDArray[np.int32],
    batch: NDArray[np.int64],
    source_ids: NDArray[np.int32],
    kind: TaxonomyKind,
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return which statements hold, and which are proposals without an answer."""
    places, regions = np.unique(ids, return_inverse=True)
    n_classes = max(len(labels.names), 1)
    codes = labels.codes.astype(np.int64)
    columns = (regions, codes, rank, batch, yes, source_ids, np.arange(len(ids)))
    # Of equal ones the last counts: the later source, which stands first.
    rows = np.stack(columns, axis=1).astype(np.int64)[::-1]
    holds = np.zeros(len(ids), dtype=np.bool_)
    for held in that_hold(rows, n_classes, kind):
        holds[held[:, 6]] = True
    counted = rank >= COUNTED
    cells = regions * n_classes + codes
    answered = np.isin(cells, cells[counted])
    if kind == "single":
        decided = np.zeros(len(places), dtype=np.bool_)
        decided[regions[holds & yes]] = True
        answered |= decided[regions]
    return holds, ~counted & ~answered
