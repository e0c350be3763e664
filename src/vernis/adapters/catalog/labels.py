"""Taxonomies and what each source says of each image × class, in the ledger."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.adapters.catalog.effective import account_labels, effective_labels, rank_of, that_hold
from vernis.adapters.catalog.history import SqliteHistory
from vernis.adapters.catalog.ledger import Ledger, Row
from vernis.adapters.catalog.subjects import ATTRIBUTES, MADE
from vernis.domain.errors import InvalidValue, NotFound, UsageError
from vernis.domain.history import Change
from vernis.domain.types import (
    Categories,
    FillCount,
    HeldLabel,
    LabelAccount,
    LabelMatrix,
    Statement,
    Taxonomy,
)

# Of several statements on one cell the last one counts, …
_MANY_TOUCHED = 50_000
"""Images that others than the giver speak of, from which an account reads all statements."""
_LAST_SAID = """
INSERT OR REPLACE INTO temp.incoming
SELECT image_id, class_id, state, probability FROM temp.said ORDER BY position
"""
# … and in a single taxonomy a yes withdraws every yes that was said of the image before it.
_LAST_YES = """
UPDATE temp.incoming SET state = 'unknown', probability = NULL
FROM (SELECT image_id, class_id, max(position) FROM temp.said WHERE state = 'yes'
      GROUP BY image_id HAVING count(*) > 1) AS last
WHERE incoming.image_id = last.image_id AND incoming.class_id <> last.class_id
  AND incoming.state = 'yes'
"""
# A source's former yes gives way to its new one (single taxonomies).
_REPLACE_YES = """
INSERT OR IGNORE INTO temp.incoming
SELECT s.image_id, s.class_id, 'unknown', NULL
FROM temp.incoming AS i CROSS JOIN statement AS s
  ON s.taxonomy_id = ?1 AND s.source_id = ?2 AND s.image_id = i.image_id
WHERE i.state = 'yes' AND s.state = 'yes' AND s.class_id <> i.class_id
"""
_WITHDRAW_REST = """
INSERT OR IGNORE INTO temp.incoming
SELECT image_id, class_id, 'unknown', NULL
FROM statement WHERE taxonomy_id = ?1 AND source_id = ?2
"""
_WRITE_EVENTS = """
INSERT INTO event (batch_id, source_id, image_id, class_id, before, before_probability,
  before_batch, after, after_probability, after_batch)
SELECT ?3, ?2, i.image_id, i.class_id, coalesce(s.state, 'unknown'), s.probability, s.batch_id,
  i.state, i.probability, CASE WHEN i.state <> 'unknown' THEN ?3 END
FROM temp.incoming AS i LEFT JOIN statement AS s
  ON s.taxonomy_id = ?1 AND s.source_id = ?2 AND s.image_id = i.image_id
 AND s.class_id = i.class_id
WHERE i.state <> coalesce(s.state, 'unknown') OR i.probability IS NOT s.probability
"""
_WITHDRAW = """
DELETE FROM statement WHERE taxonomy_id = ?1 AND source_id = ?2 AND (image_id, class_id) IN (
  SELECT image_id, class_id FROM temp.incoming WHERE state = 'unknown')
"""
_STATE = """
INSERT OR REPLACE INTO statement
  (taxonomy_id, source_id, image_id, class_id, state, probability, batch_id)
SELECT ?1, ?2, image_id, class_id, after, after_probability, ?3
FROM event WHERE batch_id = ?3 AND id > ?4 AND after <> 'unknown' ORDER BY image_id, class_id
"""
# Images with a yes that holds: no other statement on the cell is believed more. What counts of two
# is the rank, then the batch, then the later source, as in ``effective_labels``.
_COUNT_LABELLED = """
WITH denied AS (
  SELECT s.image_id FROM source CROSS JOIN statement AS s
    ON s.taxonomy_id = ?1 AND s.source_id = source.id
  WHERE source.rank > 0 AND s.state = 'no'
)
SELECT count(DISTINCT s.image_id)
FROM source AS a CROSS JOIN statement AS s ON s.taxonomy_id = ?1 AND s.source_id = a.id
WHERE a.rank > 0 AND s.state = 'yes'
  AND s.image_id NOT IN (SELECT id FROM image WHERE state <> 'present')
  AND (s.image_id NOT IN denied OR NOT EXISTS (
    SELECT 1 FROM source AS b CROSS JOIN statement AS o
      ON o.taxonomy_id = ?1 AND o.source_id = b.id
     AND o.image_id = s.image_id AND o.class_id = s.class_id
    WHERE b.rank > 0 AND o.state = 'no' AND (b.rank, o.batch_id, b.id) > (a.rank, s.batch_id, a.id)
  ))
"""


class SqliteLabelStore:
    """``LabelStore`` over the ledger."""

    def __init__(self, ledger: Ledger, history: SqliteHistory) -> None:
        self._ledger = ledger
        self._history = history
        ledger.run(
            "CREATE TEMP TABLE incoming (image_id INTEGER, class_id INTEGER, state TEXT, "
            "probability REAL, PRIMARY KEY (image_id, class_id)) WITHOUT ROWID"
        )
        ledger.run(
            "CREATE TEMP TABLE said (position INTEGER PRIMARY KEY, image_id INTEGER, "
            "class_id INTEGER, state TEXT, probability REAL)"
        )

    # ------------------------------------------------------------------ taxonomies

    def taxonomies(self) -> list[Taxonomy]:
        """Return every taxonomy, by name."""
        with self._ledger.snapshot():
            return [self.taxonomy(str(row[0])) for row in self._taxonomy_rows()]

    def taxonomy(self, name: str) -> Taxonomy:
        """Return it; raises NotFound that lists the names there are."""
        taxonomy_id, kind, closed, origin, description, ignored = self._find(name)
        classes = self._ledger.rows("SELECT name FROM class WHERE taxonomy_id = ?", (taxonomy_id,))
        return Taxonomy(
            name,
            kind,
            tuple(sorted(row[0] for row in classes)),
            bool(closed),
            origin,
            description=description,
            ignored=bool(ignored),
        )

    def define(self, taxonomy: Taxonomy) -> Taxonomy:
        """Create the taxonomy or add its missing classes; returns the stored one.

        A taxonomy once declared ``closed`` stays so; ``ignored`` is taken of a new one alone. That
        it was made or closed belongs to the batch of the transaction, if that changes labels too;
        else to the first such batch in which its maker (``origin``) defines it again.
        Raises UsageError when the stored one is of the other kind.
        """
        with self._ledger.transaction():
            known = self._ledger.row(
                "SELECT id, closed, origin FROM taxonomy WHERE name = ? AND removed = 0",
                (taxonomy.name,),
            )
            self._ledger.run(
                "INSERT INTO taxonomy (name, kind, closed, origin, description, ignored) "
                "VALUES (?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (name) WHERE removed = 0 DO UPDATE SET "
                "closed = max(closed, excluded.closed), "
                "origin = CASE origin WHEN '' THEN excluded.origin ELSE origin END, "
                "description = CASE description WHEN '' THEN excluded.description "
                "ELSE description END",
                (
                    taxonomy.name,
                    taxonomy.kind,
                    int(taxonomy.closed),
                    taxonomy.origin,
                    taxonomy.description,
                    int(taxonomy.ignored),
                ),
            )
            taxonomy_id, kind, *_ = self._find(taxonomy.name)
            if kind != taxonomy.kind:
                raise UsageError(
                    f"taxonomy '{taxonomy.name}' is {kind}-label already and cannot become "
                    f"{taxonomy.kind}-label; choose another name"
                )
            self._ledger.run_many(
                "INSERT OR IGNORE INTO class (taxonomy_id, name) VALUES (?, ?)",
                ((taxonomy_id, name) for name in taxonomy.classes),
            )
            if known is None or (
                known[2] and known[2] == taxonomy.origin and self._is_unused(taxonomy_id)
            ):
                self._history.prepare(Change("taxonomy", f"{taxonomy_id}.{MADE}", False, True))
            elif taxonomy.closed and not known[1]:
                self._history.prepare(Change("taxonomy", f"{taxonomy_id}.closed", False, True))
        return self.taxonomy(taxonomy.name)

    def _is_unused(self, taxonomy_id: int) -> bool:
        """Return whether nobody has said anything in a taxonomy, and no batch has made it."""
        row = self._ledger.row(
            "SELECT EXISTS (SELECT 1 FROM event JOIN class ON class.id = event.class_id "
            "WHERE class.taxonomy_id = ?1) OR EXISTS (SELECT 1 FROM change "
            "WHERE subject = 'taxonomy' AND key = ?2)",
            (taxonomy_id, f"{taxonomy_id}.{MADE}"),
        )
        return row is not None and not row[0]

    def change_taxonomy(
        self, name: str, attributes: Mapping[str, Any], *, source: str, verb: str, note: str = ""
    ) -> int:
        """Change attributes of a taxonomy, as one batch; see the port."""
        for attribute, value in attributes.items():
            if attribute not in ATTRIBUTES:
                raise InvalidValue(
                    f"expected an attribute of {', '.join(ATTRIBUTES)}, got {attribute!r}"
                )
            kind = str if attribute in ("name", "kind", "description") else bool
            if not isinstance(value, kind):
                raise InvalidValue(f"expected {attribute} to be {kind.__name__}, got {value!r}")
        with self._ledger.transaction():
            taxonomy_id = self._find(name)[0]
            row = self._ledger.row(
                f"SELECT {', '.join(ATTRIBUTES)} FROM taxonomy WHERE id = ?", (taxonomy_id,)
            )
            now = dict(zip(ATTRIBUTES, row or (), strict=True))
            # The value object refuses a blank name and an unknown kind.
            Taxonomy(attributes.get("name", name), attributes.get("kind", now["kind"]))
            changes = [
                Change(
                    "taxonomy",
                    f"{taxonomy_id}.{attribute}",
                    bool(now[attribute]) if isinstance(value, bool) else now[attribute],
                    value,
                )
                for attribute, value in attributes.items()
                if now[attribute] != value
            ]
            return self._history.apply(changes, source=source, verb=verb, note=note)

    def _taxonomy_rows(self) -> list[Row]:
        return self._ledger.rows("SELECT name FROM taxonomy WHERE removed = 0 ORDER BY name")

    def _find(self, name: str) -> Row:
        row = self._ledger.row(
            "SELECT id, kind, closed, origin, description, ignored FROM taxonomy "
            "WHERE name = ? AND removed = 0",
            (name,),
        )
        if row is None:
            names = ", ".join(str(r[0]) for r in self._taxonomy_rows()) or "none yet"
            raise NotFound(f"there is no taxonomy '{name}'; there are: {names}")
        return row

    def revision(self, name: str) -> tuple[int, int]:
        """Return a value that differs when the matrix of a taxonomy may have changed."""
        taxonomy_id = self._find(name)[0]
        return self._ledger.revision("image", "taxonomy", "class", f"labels:{taxonomy_id}")

    # ------------------------------------------------------------------ reading

    def matrix(self, name: str, images: Sequence[int] | None = None) -> LabelMatrix:
        """Return the effective labels of present images; see the port and ``effective_labels``."""
        with self._ledger.snapshot():
            taxonomy = self.taxonomy(name)
            if images is None:
                ids, rows = self._counted(taxonomy)
            else:
                with self._ledger.listed(sorted({int(i) for i in images})):
                    ids, rows = self._counted(taxonomy, "temp.listed CROSS JOIN")
        values, confirmed = effective_labels(
            rows,
            (len(ids), len(taxonomy.classes)),
            kind=taxonomy.kind,
            closed=taxonomy.closed,
        )
        return LabelMatrix(taxonomy, ids, values, confirmed)

    def _counted(
        self, taxonomy: Taxonomy, of: str = ""
    ) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return the present images (``of`` the listed ones), and what counts of them.

        That is row, column, rank, batch, yes and source; see ``effective_labels``.
        """
        taxonomy_id = self._find(taxonomy.name)[0]
        listed = "AND id IN (SELECT value FROM temp.listed)" if of else ""
        (ids,) = self._ledger.columns(
            f"SELECT id FROM image WHERE state = 'present' {listed} ORDER BY id", kinds=(np.int64,)
        )
        class_ids: dict[str, int] = dict(
            self._ledger.rows("SELECT name, id FROM class WHERE taxonomy_id = ?", (taxonomy_id,))
        )
        columns = np.full(max(class_ids.values(), default=0) + 1, -1, dtype=np.int32)
        columns[[class_ids[label] for label in taxonomy.classes]] = range(len(taxonomy.classes))
        images, classes, *others = self._ledger.columns(
            "SELECT s.image_id, s.class_id, source.rank, s.batch_id, s.state = 'yes', "
            f"source.id FROM {of} source CROSS JOIN statement AS s "
            "ON s.taxonomy_id = ? AND s.source_id = source.id "
            f"{'AND s.image_id = listed.value' if of else ''} WHERE source.rank > 0",
            (taxonomy_id,),
            kinds=(np.int64, *[np.int32] * 5),
        )
        places = np.searchsorted(ids, images)
        here = places < len(ids)
        here[here] = ids[places[here]] == images[here]
        rows = np.empty((int(here.sum()), 6), dtype=np.int32)
        for number, column in enumerate((places, columns[classes], *others)):
            rows[:, number] = column[here]
        return ids, rows

    def account(self, name: str) -> LabelAccount:
        """Return what became of the labels that came in; raises NotFound."""
        with self._ledger.snapshot():
            taxonomy = self.taxonomy(name)
            sources: dict[int, str] = dict(self._ledger.rows("SELECT id, name FROM source"))
            given, touched = self._touched(name)
            if given is None or len(touched) > _MANY_TOUCHED:
                _, rows = self._counted(taxonomy)
                return account_labels(
                    rows, len(taxonomy.classes), kind=taxonomy.kind, sources=sources
                )
            with self._ledger.listed(touched):
                _, rows = self._counted(taxonomy, "temp.listed CROSS JOIN")
                labels, images = self._given_elsewhere(name, given)
        account = account_labels(rows, len(taxonomy.classes), kind=taxonomy.kind, sources=sources)
        by_source = Counter(account.by_source)
        by_source[sources[given].partition(":")[0]] += labels
        return replace(
            account,
            at_import=account.at_import + labels,
            now=account.now + labels,
            images_at_import=account.images_at_import + images,
            images_now=account.images_now + images,
            by_source=dict((+by_source).most_common()),
        )

    def _touched(self, name: str) -> tuple[int | None, list[int]]:
        """Return the one source that gave labels, and the images that others speak of.

        None where several gave some, or nobody did.
        """
        taxonomy_id = self._find(name)[0]
        said = self._ledger.rows(
            "SELECT id, rank FROM source WHERE rank > 0 AND EXISTS (SELECT 1 FROM statement "
            "WHERE taxonomy_id = ? AND source_id = source.id)",
            (taxonomy_id,),
        )
        given = [number for number, rank in said if rank == rank_of("given")]
        if len(given) != 1:
            return None, []
        rows = self._ledger.rows(
            "SELECT DISTINCT s.image_id FROM source CROSS JOIN statement AS s "
            "ON s.taxonomy_id = ? AND s.source_id = source.id "
            "WHERE source.rank > 0 AND source.id <> ? ORDER BY s.image_id LIMIT ?",
            (taxonomy_id, given[0], _MANY_TOUCHED + 1),
        )
        return int(given[0]), [row[0] for row in rows]

    def _given_elsewhere(self, name: str, source: int) -> tuple[int, int]:
        """Count the labels that a source gave, and their images, but of the listed images."""
        row = self._ledger.row(
            "SELECT count(*), count(DISTINCT s.image_id) FROM statement AS s JOIN image "
            "ON image.id = s.image_id AND image.state = 'present' "
            "WHERE s.taxonomy_id = ? AND s.source_id = ? AND s.state = 'yes' "
            "AND s.image_id NOT IN (SELECT value FROM temp.listed)",
            (self._find(name)[0], source),
        )
        assert row is not None
        return row[0], row[1]

    def held(self, name: str) -> list[HeldLabel]:
        """Return the labels that present images carry, with who says them; raises NotFound."""
        with self._ledger.snapshot():
            taxonomy = self.taxonomy(name)
            ids, rows = self._counted(taxonomy)
            sources: dict[int, str] = dict(self._ledger.rows("SELECT id, name FROM source"))
            yes, _ = that_hold(rows, len(taxonomy.classes), taxonomy.kind)
            with self._ledger.listed(np.unique(yes[:, 3]).tolist()):
                times: dict[int, str] = dict(
                    self._ledger.rows(
                        "SELECT id, time FROM temp.listed JOIN batch ON batch.id = listed.value"
                    )
                )
            probabilities = {
                tuple(cell): p
                for *cell, p in self._ledger.rows(
                    "SELECT s.image_id, class.name, s.source_id, s.probability FROM statement AS s "
                    "JOIN class ON class.id = s.class_id "
                    "WHERE s.taxonomy_id = ? AND s.probability IS NOT NULL",
                    (self._find(name)[0],),
                )
            }
        found = []
        for row, column, _rank, batch, _yes, source in yes[np.lexsort(yes.T[1::-1])].tolist():
            image, label = int(ids[row]), taxonomy.classes[column]
            p = probabilities.get((image, label, source), math.nan)
            found.append(HeldLabel(image, label, sources[source], times[batch], p))
        return found

    def fill_counts(self) -> dict[str, FillCount]:
        """Return how far each taxonomy is filled, by its name; no matrix is read."""
        with self._ledger.snapshot():
            present = self._ledger.row("SELECT count(*) FROM image WHERE state = 'present'")
            assert present is not None
            found = self._ledger.rows(
                "SELECT id, name, (SELECT count(*) FROM class WHERE taxonomy_id = taxonomy.id) "
                "FROM taxonomy WHERE removed = 0 ORDER BY name"
            )
            counts = {}
            for taxonomy_id, name, n_classes in found:
                labelled = self._ledger.row(_COUNT_LABELLED, (taxonomy_id,))
                assert labelled is not None
                counts[str(name)] = FillCount(int(labelled[0]), int(n_classes), int(present[0]))
        return counts

    def statements(self, name: str, image_id: int) -> list[tuple[str, Statement]]:
        """Return ``(source, statement)`` of every source for one image, the most believed first."""
        rows = self._ledger.rows(
            "SELECT source.name, s.image_id, class.name, s.state, s.probability "
            "FROM source CROSS JOIN statement AS s "
            "ON s.taxonomy_id = ? AND s.source_id = source.id AND s.image_id = ? "
            "JOIN class ON class.id = s.class_id "
            "ORDER BY source.rank DESC, s.batch_id DESC, source.name, class.name",
            (self._find(name)[0], int(image_id)),
        )
        return [
            (source, Statement(image, label, state, math.nan if p is None else p))
            for source, image, label, state, p in rows
        ]

    def statements_about(self, name: str, labels: Collection[str]) -> dict[str, list[Statement]]:
        """Return what each source says of these labels, the most believed source first."""
        taxonomy_id = self._find(name)[0]
        self._require_classes(name, taxonomy_id, set(labels))
        found: dict[str, list[Statement]] = {}
        with self._ledger.listed(sorted(labels)):
            rows = self._ledger.rows(
                "SELECT source.name, s.image_id, class.name, s.state, s.probability "
                "FROM source CROSS JOIN statement AS s "
                "ON s.taxonomy_id = ?1 AND s.source_id = source.id "
                "JOIN class ON class.id = s.class_id "
                "WHERE class.name IN (SELECT value FROM temp.listed) "
                "ORDER BY source.rank DESC, source.name, s.image_id, class.name",
                (taxonomy_id,),
            )
        for source, image, label, state, p in rows:
            said = Statement(image, label, state, math.nan if p is None else p)
            found.setdefault(source, []).append(said)
        return found

    def images_said_by(self, name: str, source: str) -> set[int]:
        """Return the images that carry a label by a source whose name begins so; see the port."""
        rows = self._ledger.rows(
            "SELECT DISTINCT s.image_id FROM source CROSS JOIN statement AS s "
            "ON s.taxonomy_id = ? AND s.source_id = source.id "
            "WHERE s.state = 'yes' AND substr(source.name, 1, ?) = ?",
            (self._find(name)[0], len(source), source),
        )
        return {int(row[0]) for row in rows}

    def carried_by(self, images: Sequence[int] | None = None) -> dict[str, NDArray[np.int64]]:
        """Return the images that carry a label by each source that says anything; see the port."""
        found: dict[str, NDArray[np.int64]] = {}
        with self._ledger.snapshot():
            said = self._ledger.rows(
                "SELECT DISTINCT source.id, source.name FROM source JOIN taxonomy "
                "ON taxonomy.removed = 0 WHERE EXISTS (SELECT 1 FROM statement AS s "
                "WHERE s.taxonomy_id = taxonomy.id AND s.source_id = source.id) ORDER BY 2"
            )
            with self._ledger.listed(sorted({int(i) for i in images or ()})):
                only = "" if images is None else "AND s.image_id IN (SELECT value FROM temp.listed)"
                for source_id, name in said:
                    (found[name],) = self._ledger.columns(
                        "SELECT DISTINCT s.image_id FROM taxonomy CROSS JOIN statement AS s "
                        "ON s.taxonomy_id = taxonomy.id AND s.source_id = ? "
                        f"WHERE taxonomy.removed = 0 AND s.state = 'yes' {only}",
                        (source_id,),
                        kinds=(np.int64,),
                    )
        return found

    def proposed(self, images: Sequence[int] | None = None) -> dict[str, NDArray[np.int64]]:
        """Return the images of which models alone say a label, by label; see the port."""
        with self._ledger.listed(sorted({int(i) for i in images or ()})):
            only = "" if images is None else "AND s.image_id IN (SELECT value FROM temp.listed)"
            names, ids = self._ledger.columns(
                "SELECT class.name, s.image_id FROM source CROSS JOIN taxonomy "
                "CROSS JOIN statement AS s "
                "ON s.taxonomy_id = taxonomy.id AND s.source_id = source.id "
                "JOIN class ON class.id = s.class_id "
                "WHERE source.rank = 0 AND taxonomy.removed = 0 AND s.state = 'yes' "
                f"{only} AND NOT EXISTS (SELECT 1 FROM source AS other "
                "CROSS JOIN statement AS o ON o.taxonomy_id = s.taxonomy_id "
                "AND o.source_id = other.id AND o.image_id = s.image_id "
                "AND o.class_id = s.class_id WHERE other.rank > 0)",
                kinds=(Categories, np.int64),
            )
        return {name: np.unique(ids[names.codes == code]) for code, name in enumerate(names.names)}

    def counts_by_source(self) -> dict[str, int]:
        """Return how many labels (yes or no) of present images each source states."""
        rows = self._ledger.rows(
            "SELECT source.name, count(*) FROM statement AS s "
            "JOIN source ON source.id = s.source_id "
            "WHERE s.image_id NOT IN (SELECT id FROM image WHERE state <> 'present') "
            "AND s.taxonomy_id NOT IN (SELECT id FROM taxonomy WHERE removed = 1) "
            "GROUP BY source.id ORDER BY source.rank DESC, source.name"
        )
        return {str(name): int(count) for name, count in rows}

    # ------------------------------------------------------------------ writing

    def record(
        self,
        name: str,
        statements: Iterable[Statement],
        *,
        source: str,
        verb: str,
        note: str = "",
    ) -> int:
        """Record what a source says, with one event per change; see the port.

        Inside a ``transaction()`` all changes join one batch, so that one undo takes them back.
        Raises NotFound for an unknown class or image.
        """
        with self._ledger.transaction():
            taxonomy_id, kind, *_ = self._find(name)
            self._fill_incoming(name, taxonomy_id, kind, statements)
            return self._write(taxonomy_id, kind, source, verb, note)

    def replace_source(
        self, name: str, statements: Iterable[Statement], *, source: str, verb: str, note: str = ""
    ) -> int:
        """Like ``record``, and withdraw what the source said before and does not say now."""
        with self._ledger.transaction():
            taxonomy_id, kind, *_ = self._find(name)
            self._fill_incoming(name, taxonomy_id, kind, statements)
            self._ledger.run(_WITHDRAW_REST, (taxonomy_id, self._history.source_id(source)))
            return self._write(taxonomy_id, kind, source, verb, note)

    def _fill_incoming(
        self, name: str, taxonomy_id: int, kind: str, statements: Iterable[Statement]
    ) -> None:
        """Put the statements into ``temp.incoming``; of several on one cell the last one counts."""
        classes: dict[str, int] = dict(
            self._ledger.rows("SELECT name, id FROM class WHERE taxonomy_id = ?", (taxonomy_id,))
        )
        missing: set[str] = set()

        def rows() -> Iterator[Row]:
            for said in statements:
                class_id = classes.get(said.label)
                if class_id is None:
                    missing.add(said.label)
                else:
                    yield int(said.image_id), class_id, said.state, _probability(said)

        self._ledger.run("DELETE FROM temp.said")
        self._ledger.run("DELETE FROM temp.incoming")
        self._ledger.run_many(
            "INSERT INTO temp.said (image_id, class_id, state, probability) VALUES (?, ?, ?, ?)",
            rows(),
        )
        if missing:
            raise _no_class(name, missing)
        self._ledger.run(_LAST_SAID)
        if kind == "single":
            self._ledger.run(_LAST_YES)
        self._ledger.run("DELETE FROM temp.said")
        stray = self._ledger.row(
            "SELECT image_id FROM temp.incoming WHERE image_id NOT IN (SELECT id FROM image) "
            "LIMIT 1"
        )
        if stray is not None:
            raise NotFound(f"no image has the id {stray[0]}")

    def _require_classes(self, name: str, taxonomy_id: int, labels: set[str]) -> None:
        with self._ledger.listed(sorted(labels)):
            rows = self._ledger.rows(
                "SELECT class.name FROM temp.listed CROSS JOIN class "
                "ON class.taxonomy_id = ? AND class.name = listed.value",
                (taxonomy_id,),
            )
        missing = labels - {str(row[0]) for row in rows}
        if missing:
            raise _no_class(name, missing)

    def _write(self, taxonomy_id: int, kind: str, source: str, verb: str, note: str) -> int:
        """Turn ``temp.incoming`` into events and statements; returns the batch or 0."""
        source_id = self._history.source_id(source)
        place = (taxonomy_id, source_id)
        if kind == "single":
            self._ledger.run(_REPLACE_YES, place)
        batch, is_new = self._history.open_batch(verb, source_id, note)
        mark = self._ledger.row("SELECT coalesce(max(id), 0) FROM event")
        assert mark is not None
        changed = self._ledger.run(_WRITE_EVENTS, (*place, batch))
        if changed:
            self._history.write_prepared(batch)
            self._ledger.run(_WITHDRAW, place)
            self._ledger.run(_STATE, (*place, batch, mark[0]))
            self._ledger.touch(f"labels:{taxonomy_id}")
        elif is_new:
            self._history.drop_batch(batch)
        self._ledger.run("DELETE FROM temp.incoming")
        return batch if changed else 0


def _no_class(name: str, labels: set[str]) -> NotFound:
    wrong = ", ".join(map(repr, sorted(labels)[:3]))
    return NotFound(f"taxonomy '{name}' has no class {wrong}; define it")


def _probability(said: Statement) -> float | None:
    if said.state == "unknown" or math.isnan(said.probability):
        return None
    return float(said.probability)
