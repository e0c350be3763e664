"""Batches and their undoing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from vernis.adapters.catalog.effective import rank_of
from vernis.adapters.catalog.ledger import Ledger, now
from vernis.adapters.catalog.storage import to_json
from vernis.adapters.catalog.subjects import SUBJECTS, RangeSubject
from vernis.domain.errors import NotFound, UsageError
from vernis.domain.history import IMPORTS, ON_DISK, Change
from vernis.domain.types import Event

# What a batch found and what it left, for each cell that it changed (a statement or a verdict).
_SPAN = """
INSERT INTO temp.reversal
SELECT first.class_id, first.verdict_id, first.source_id, first.image_id, first.region_id,
       class.taxonomy_id, last.after, last.after_probability, last.after_batch,
       first.before, first.before_probability, first.before_batch, 0
FROM (SELECT min(id) AS low, max(id) AS high FROM event WHERE batch_id = ?
      GROUP BY verdict_id, CASE WHEN verdict_id IS NULL THEN source_id END, image_id, region_id,
        class_id
     ) AS span
JOIN event AS first ON first.id = span.low
JOIN event AS last ON last.id = span.high
LEFT JOIN class ON class.id = first.class_id
WHERE first.before_batch IS NOT last.after_batch OR first.before <> last.after
"""
# A cell that now says something else than what the batch left was changed later: it is kept.
_KEEP_STATEMENTS = """
UPDATE temp.reversal SET keep = 1
WHERE class_id IS NOT NULL AND region_id IS NULL AND NOT EXISTS (
  SELECT 1 FROM (SELECT 1) LEFT JOIN statement AS s
    ON s.taxonomy_id = reversal.taxonomy_id AND s.source_id = reversal.source_id
   AND s.image_id = reversal.image_id AND s.class_id = reversal.class_id
  WHERE coalesce(s.state, 'unknown') = reversal.after AND s.probability IS reversal.after_p
    AND s.batch_id IS reversal.after_batch)
"""
_KEEP_REGION_STATEMENTS = """
UPDATE temp.reversal SET keep = 1
WHERE region_id IS NOT NULL AND NOT EXISTS (
  SELECT 1 FROM (SELECT 1) LEFT JOIN region_statement AS s
    ON s.region_id = reversal.region_id AND s.class_id = reversal.class_id
   AND s.source_id = reversal.source_id
  WHERE coalesce(s.state, 'unknown') = reversal.after AND s.probability IS reversal.after_p
    AND s.batch_id IS reversal.after_batch)
"""
_KEEP_VERDICTS = """
UPDATE temp.reversal SET keep = 1
WHERE verdict_id IS NOT NULL AND NOT EXISTS (
  SELECT 1 FROM verdict AS v
  WHERE v.id = reversal.verdict_id AND v.verdict = reversal.after
    AND v.batch_id IS reversal.after_batch)
"""
# In a single taxonomy a source says one yes an image, and one a region: a yes is not restored
# beside another one, …
_KEEP_SECOND_YES = """
UPDATE temp.reversal SET keep = 1
WHERE before = 'yes' AND region_id IS NULL
  AND taxonomy_id IN (SELECT id FROM taxonomy WHERE kind = 'single')
  AND EXISTS (
    SELECT 1 FROM statement AS s
    WHERE s.taxonomy_id = reversal.taxonomy_id AND s.source_id = reversal.source_id
      AND s.image_id = reversal.image_id AND s.state = 'yes' AND NOT EXISTS (
        SELECT 1 FROM temp.reversal AS r
        WHERE r.image_id = s.image_id AND r.class_id = s.class_id AND r.source_id = s.source_id
          AND r.region_id IS NULL))
"""
_KEEP_SECOND_YES_OF_REGIONS = """
UPDATE temp.reversal SET keep = 1
WHERE before = 'yes' AND region_id IS NOT NULL
  AND taxonomy_id IN (SELECT id FROM taxonomy WHERE kind = 'single')
  AND EXISTS (
    SELECT 1 FROM region_statement AS s JOIN class
      ON class.id = s.class_id AND class.taxonomy_id = reversal.taxonomy_id
    WHERE s.region_id = reversal.region_id AND s.source_id = reversal.source_id
      AND s.state = 'yes' AND NOT EXISTS (
        SELECT 1 FROM temp.reversal AS r
        WHERE r.image_id = reversal.image_id AND r.class_id = s.class_id
          AND r.source_id = s.source_id AND r.region_id = s.region_id))
"""
# … and the cells of an image, or of a region, are kept together.
_KEEP_WHOLE_IMAGES = """
UPDATE temp.reversal SET keep = 1
WHERE keep = 0 AND taxonomy_id IN (SELECT id FROM taxonomy WHERE kind = 'single')
  AND (image_id, source_id, taxonomy_id, coalesce(region_id, 0)) IN (
    SELECT image_id, source_id, taxonomy_id, coalesce(region_id, 0) FROM temp.reversal
    WHERE keep = 1 AND class_id IS NOT NULL)
"""
_KEEP = (
    *(_KEEP_STATEMENTS, _KEEP_REGION_STATEMENTS, _KEEP_VERDICTS),
    *(_KEEP_SECOND_YES, _KEEP_SECOND_YES_OF_REGIONS, _KEEP_WHOLE_IMAGES),
)
_APPLY = (
    """
INSERT INTO event (batch_id, source_id, image_id, region_id, class_id, verdict_id, before,
  before_probability, before_batch, after, after_probability, after_batch)
SELECT ?, source_id, image_id, region_id, class_id, verdict_id, after, after_p, after_batch,
  before, before_p, before_batch
FROM temp.reversal WHERE keep = 0 ORDER BY taxonomy_id, image_id, region_id, class_id, verdict_id
""",
    """
DELETE FROM statement WHERE (taxonomy_id, source_id, image_id, class_id) IN (
  SELECT taxonomy_id, source_id, image_id, class_id FROM temp.reversal
  WHERE keep = 0 AND class_id IS NOT NULL AND region_id IS NULL)
""",
    """
INSERT INTO statement (taxonomy_id, source_id, image_id, class_id, state, probability, batch_id)
SELECT taxonomy_id, source_id, image_id, class_id, before, before_p, before_batch
FROM temp.reversal
WHERE keep = 0 AND class_id IS NOT NULL AND region_id IS NULL AND before <> 'unknown'
""",
    """
DELETE FROM region_statement WHERE (region_id, class_id, source_id) IN (
  SELECT region_id, class_id, source_id FROM temp.reversal
  WHERE keep = 0 AND region_id IS NOT NULL)
""",
    """
INSERT INTO region_statement (region_id, class_id, source_id, state, probability, batch_id)
SELECT region_id, class_id, source_id, before, before_p, before_batch
FROM temp.reversal WHERE keep = 0 AND region_id IS NOT NULL AND before <> 'unknown'
""",
    """
UPDATE verdict SET verdict = r.before, batch_id = r.before_batch
FROM temp.reversal AS r WHERE r.verdict_id = verdict.id AND r.keep = 0
""",
)

# Of a thing that a batch changed: what it found, what it left, and how many it stands for.
_CHANGED = """
SELECT first.subject, first.key, first.before, last.after, last.size
FROM (SELECT min(id) AS low, max(id) AS high FROM change WHERE batch_id = ? GROUP BY subject, key
     ) AS span
JOIN change AS first ON first.id = span.low
JOIN change AS last ON last.id = span.high
WHERE first.subject NOT IN (?, ?) AND first.before <> last.after
ORDER BY first.id DESC
"""
_LISTED = """
SELECT b.id, b.time, b.verb, s.name, b.note, b.undone_by IS NOT NULL, b.undoes, b.undone_by,
  b.skipped
FROM batch AS b JOIN source AS s ON s.id = b.source_id
"""
_COUNTS = """
SELECT listed.value, iif(e.class_id IS NULL, 'verdict',
  iif(e.region_id IS NULL, 'label', 'region label')), count(*)
FROM temp.listed CROSS JOIN event AS e ON e.batch_id = listed.value GROUP BY 1, 2
UNION ALL
SELECT listed.value, c.subject, sum(c.size)
FROM temp.listed CROSS JOIN change AS c ON c.batch_id = listed.value GROUP BY 1, 2
"""
_NOT_EMPTY = """
(EXISTS (SELECT 1 FROM event WHERE event.batch_id = b.id)
 OR EXISTS (SELECT 1 FROM change WHERE change.batch_id = b.id))
"""
_DECISION = f"""
b.undoes IS NULL AND s.rank > 0 AND {_NOT_EMPTY}
"""
_BATCH = ("id", "time", "verb", "source", "note", "undone", "undoes", "undone_by", "skipped")


class SqliteHistory:
    """``HistoryStore`` over the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._subjects = {name: make(ledger) for name, make in SUBJECTS.items()}

    def source_id(self, source: str) -> int:
        """Return the id of a source, made when it is new; raises InvalidValue."""
        row = self._ledger.row("SELECT id FROM source WHERE name = ?", (source,))
        if row is not None:
            return int(row[0])
        return self._ledger.insert(
            "INSERT INTO source (name, rank) VALUES (?, ?)", (source, rank_of(source))
        )

    # ------------------------------------------------------------------ writing

    def open_batch(self, verb: str, source_id: int, note: str) -> tuple[int, bool]:
        """Return the batch of the current transaction, and whether it was made by this call."""
        if self._ledger.batch is not None:
            return self._ledger.batch, False
        self._ledger.batch = self._new_batch(verb, source_id, note)
        return self._ledger.batch, True

    def drop_batch(self, batch: int) -> None:
        """Forget a batch that changed nothing."""
        self._ledger.run("DELETE FROM batch WHERE id = ?", (batch,))
        self._ledger.batch = None

    def _new_batch(self, verb: str, source_id: int, note: str, undoes: int | None = None) -> int:
        return self._ledger.insert(
            "INSERT INTO batch (verb, source_id, note, time, undoes) VALUES (?, ?, ?, ?, ?)",
            (verb, source_id, note, now(), undoes),
        )

    def prepare(self, change: Change) -> None:
        """Note a change that is written as soon as the transaction has a batch with changes.

        A taxonomy is made before its labels come: both are one batch, and alone it is none.
        """
        self._ledger.prepared.append(change)

    def write_prepared(self, batch: int) -> None:
        """Write the prepared changes into a batch that has changes of its own."""
        self._write(batch, self._ledger.prepared)
        self._ledger.prepared = []

    def record(self, changes: Sequence[Change], *, source: str, verb: str, note: str = "") -> int:
        """Write changes into the transaction's batch; returns it, 0 when there are none.

        What the change is about must have been changed in the same transaction.
        """
        if not changes:
            return 0
        with self._ledger.transaction():
            batch, _ = self.open_batch(verb, self.source_id(source), note)
            self.write_prepared(batch)
            self._write(batch, changes)
        return batch

    def apply(self, changes: Sequence[Change], *, source: str, verb: str, note: str = "") -> int:
        """Make changes of registered subjects, and record them; returns the batch or 0."""
        with self._ledger.transaction():
            batch = self.record(changes, source=source, verb=verb, note=note)
            self._put({(change.subject, change.key): change.after for change in changes})
        return batch

    def _write(self, batch: int, changes: Sequence[Change]) -> None:
        self._ledger.run_many(
            "INSERT INTO change (batch_id, subject, key, before, after, size) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (
                (batch, c.subject, c.key, to_json(c.before), to_json(c.after), c.size)
                for c in changes
            ),
        )

    # ------------------------------------------------------------------ long work

    def begin(self, verb: str, *, source: str, note: str = "") -> int:
        """Make a batch for work that takes several transactions; see ``joined``."""
        with self._ledger.transaction():
            return self._new_batch(verb, self.source_id(source), note)

    @contextmanager
    def joined(self, batch_id: int) -> Iterator[None]:
        """Open a transaction whose changes belong to a batch that was begun before."""
        with self._ledger.transaction():
            before, self._ledger.batch = self._ledger.batch, batch_id
            try:
                yield
            finally:
                self._ledger.batch = before

    def close(self, batch_id: int, note: str | None = None) -> bool:
        """End a batch that was begun: one without changes is dropped (False), else noted."""
        with self._ledger.transaction():
            dropped = self._ledger.run(
                f"DELETE FROM batch AS b WHERE b.id = ? AND NOT {_NOT_EMPTY}", (batch_id,)
            )
            self._ledger.run(
                "UPDATE batch SET note = coalesce(?, note) WHERE id = ?", (note, batch_id)
            )
        return not dropped

    # ------------------------------------------------------------------ reading

    def of_image(self, image_id: int) -> list[Event]:
        """Return the events of an image, oldest first, verdicts on a pair with it included."""
        rows = self._ledger.rows(
            "SELECT e.id, e.batch_id, b.time, s.name, b.verb, e.image_id, "
            "coalesce(t.name, v.taxonomy), coalesce(c.name, v.label), e.before, e.after, "
            "CASE WHEN v.id IS NULL THEN b.note ELSE trim('verdict on ' || v.kind "
            "|| coalesce(' with image ' || v.other_id, '') || '; ' || b.note, '; ') END, "
            "coalesce(e.region_id, 0) "
            "FROM (SELECT id FROM event WHERE image_id = ?1 UNION SELECT event.id FROM verdict "
            "JOIN event ON event.image_id = verdict.image_id AND event.verdict_id = verdict.id "
            "WHERE verdict.other_id = ?1) AS wanted "
            "JOIN event AS e ON e.id = wanted.id JOIN batch AS b ON b.id = e.batch_id "
            "JOIN source AS s ON s.id = e.source_id LEFT JOIN class AS c ON c.id = e.class_id "
            "LEFT JOIN taxonomy AS t ON t.id = c.taxonomy_id "
            "LEFT JOIN verdict AS v ON v.id = e.verdict_id ORDER BY e.id",
            (int(image_id),),
        )
        return [Event(*row) for row in rows]

    def mark(self) -> int:
        """Return the number of the latest event, for ``images_since``."""
        row = self._ledger.row("SELECT coalesce(max(id), 0) FROM event")
        return int(row[0]) if row else 0

    def images_since(self, mark: int) -> list[int]:
        """Return the images that events after a mark are about, ascending; see the port."""
        rows = self._ledger.rows(
            "SELECT image_id FROM event WHERE id > ?1 UNION SELECT v.other_id FROM event "
            "JOIN verdict AS v ON v.id = event.verdict_id "
            "WHERE event.id > ?1 AND v.other_id IS NOT NULL ORDER BY 1",
            (int(mark),),
        )
        return [int(row[0]) for row in rows]

    def images_of(self, batch_id: int, limit: int) -> list[int]:
        """Return the images whose labels or verdicts a batch changed, at most so many."""
        rows = self._ledger.rows(
            "SELECT DISTINCT image_id FROM event WHERE batch_id = ? ORDER BY id LIMIT ?",
            (int(batch_id), limit),
        )
        return [int(row[0]) for row in rows]

    def changes(self, batch_id: int, subject: str | None = None) -> list[Change]:
        """Return the changes of a batch that are no labels and no verdicts, in their order."""
        rows = self._ledger.rows(
            "SELECT subject, key, before, after, size FROM change WHERE batch_id = ?1 "
            "AND (?2 IS NULL OR subject = ?2) ORDER BY id",
            (int(batch_id), subject),
        )
        return [_change(row) for row in rows]

    def keys(self, subject: str) -> set[str]:
        """Return the keys of all changes of a subject, undone or not."""
        rows = self._ledger.rows("SELECT DISTINCT key FROM change WHERE subject = ?", (subject,))
        return {str(row[0]) for row in rows}

    def changes_of_image(self, image_id: int) -> list[tuple[int, Change]]:
        """Return ``(batch, change)`` of an image's file and place, oldest first."""
        rows = self._ledger.rows(
            "SELECT batch_id, subject, key, before, after, size FROM ("
            "SELECT * FROM change "
            "WHERE subject IN ('trash', 'written', 'keeper', 'index', 'attribute') AND key = ?1 "
            "UNION ALL SELECT c.id, c.batch_id, subject, key, before, after, count(*) "
            "FROM change AS c JOIN region AS r ON r.image_id = ?2 "
            "AND r.id BETWEEN CAST(key AS INTEGER) "
            "AND CAST(substr(key, instr(key, '-') + 1) AS INTEGER) "
            "WHERE subject = 'region' GROUP BY c.id "
            "UNION ALL SELECT * FROM change WHERE subject = 'arrival' "
            "AND CAST(key AS INTEGER) <= ?2 AND ?2 <= "
            "max(coalesce(json_extract(after, '$.through'), 0), "
            "coalesce(json_extract(before, '$.through'), 0))) ORDER BY id",
            (str(int(image_id)), int(image_id)),
        )
        return [(int(row[0]), _change(row[1:])) for row in rows]

    def batches(self, limit: int = 20, before: int | None = None) -> list[dict[str, Any]]:
        """Return the latest batches, newest first; see the port."""
        rows = self._ledger.rows(
            f"{_LISTED} WHERE ({_NOT_EMPTY} OR b.undoes IS NOT NULL) "
            "AND (?1 IS NULL OR b.id < ?1) ORDER BY b.id DESC LIMIT ?2",
            (before, limit),
        )
        return self._described(rows)

    def batch(self, batch_id: int) -> dict[str, Any]:
        """Return one batch as ``batches`` lists it; raises NotFound."""
        found = self._described(self._ledger.rows(f"{_LISTED} WHERE b.id = ?", (int(batch_id),)))
        if not found:
            raise NotFound(f"there is no batch {batch_id}; list them: vernis batches")
        return found[0]

    def _described(self, rows: Sequence[Any]) -> list[dict[str, Any]]:
        found = [dict(zip(_BATCH, row, strict=True)) for row in rows]
        counts: dict[int, dict[str, int]] = {batch["id"]: {} for batch in found}
        with self._ledger.listed(counts):
            for number, subject, count in self._ledger.rows(_COUNTS):
                counts[number][subject] = int(count)
        for batch in found:
            batch["undone"] = bool(batch["undone"])
            batch["changes"] = dict(sorted(counts[batch["id"]].items()))
            batch["events"] = sum(counts[batch["id"]].values())
        return found

    def latest(self, *, imports: bool = False) -> int:
        """Return the latest decision that is not undone; see the port."""
        left_out = () if imports else IMPORTS
        row = self._ledger.row(
            "SELECT max(b.id) FROM batch AS b JOIN source AS s ON s.id = b.source_id "
            f"WHERE b.undone_by IS NULL AND {_DECISION} "
            f"AND b.verb NOT IN ({', '.join('?' * len(left_out))})",
            left_out,
        )
        if row is None or row[0] is None:
            raise NotFound(self._say_nothing_to_undo(imports))
        return int(row[0])

    def _say_nothing_to_undo(self, imports: bool) -> str:
        if not imports:
            try:
                other = self.batch(self.latest(imports=True))
            except NotFound:
                pass
            else:
                return (
                    f"there is no decision to undo; the latest {other['verb']} is batch "
                    f"{other['id']}: vernis undo {other['id']}"
                )
        return "there is nothing to undo"

    def latest_undone(self) -> int:
        """Return the latest undo that holds; see the port."""
        row = self._ledger.row(
            "SELECT max(b.id) FROM batch AS b JOIN batch AS o ON o.id = b.undoes "
            "WHERE o.undone_by = b.id AND b.undone_by IS NULL AND o.undoes IS NULL"
        )
        if row is None or row[0] is None:
            raise NotFound("there is nothing to do again: nothing is undone")
        undoing = int(row[0])
        left_out = ", ".join("?" * len(IMPORTS))
        later = self._ledger.row(
            "SELECT max(b.id) FROM batch AS b JOIN source AS s ON s.id = b.source_id "
            f"WHERE {_DECISION} AND b.id > ? AND b.verb NOT IN ({left_out})",
            (undoing, *IMPORTS),
        )
        if later is not None and later[0] is not None:
            raise NotFound(
                f"a decision was taken after the last undo (batch {later[0]}); to do the undone "
                f"again all the same: vernis undo {undoing}"
            )
        return undoing

    # ------------------------------------------------------------------ undoing

    def undo(self, batch_id: int | None = None, *, source: str = "") -> int:
        """Append the inverse of a batch; returns the new batch. See the port."""
        with self._ledger.transaction():
            wanted = self.latest() if batch_id is None else int(batch_id)
            if self._changed_files(wanted):
                raise UsageError(
                    f"batch {wanted} changed files, which the catalog alone cannot change back: "
                    f"vernis undo {wanted}"
                )
            undoing = self.begin_undo(wanted, source=source)
            self.finish_undo(wanted, undoing)
        return undoing

    def begin_undo(self, batch_id: int, *, source: str = "") -> int:
        """Return a batch for the inverse of a batch; see the port."""
        with self._ledger.transaction():
            row = self._ledger.row(
                "SELECT verb, source_id, undone_by FROM batch WHERE id = ?", (int(batch_id),)
            )
            if row is None:
                raise NotFound(f"there is no batch {batch_id}; list them: vernis batches")
            verb, source_id, undone_by = row
            if undone_by is not None:
                raise UsageError(
                    f"batch {batch_id} is undone already; undo batch {undone_by} to get it back"
                )
            begun = self._ledger.row(
                "SELECT max(id) FROM batch WHERE undoes = ? AND undone_by IS NULL", (int(batch_id),)
            )
            if begun is not None and begun[0] is not None:
                return int(begun[0])
            if source:
                source_id = self.source_id(source)
            # Undoing an undo is called redo, and undoing that is an undo again.
            word = "redo" if verb == "undo" else "undo"
            first = self._first_undone(int(batch_id))
            note = f"{word} of batch {first[0]} ({first[1]})"
            return self._new_batch(word, source_id, note, undoes=int(batch_id))

    def _first_undone(self, batch_id: int) -> tuple[int, str]:
        """Return number and verb of the batch that a row of undos is about."""
        number: int | None = batch_id
        row: Any = None
        while number is not None:
            row = self._ledger.row("SELECT id, verb, undoes FROM batch WHERE id = ?", (number,))
            number = row[2]
        return int(row[0]), str(row[1])

    def finish_undo(self, batch_id: int, undoing: int, skipped: int = 0) -> None:
        """Undo the rest of a batch, and note that it is undone; see the port."""
        with self.joined(undoing):
            kept, cells = self._undo_statements(batch_id, undoing)
            others_kept, others = self._undo_changes(batch_id, undoing)
            kept += others_kept
            if kept and kept == cells + others and not self._changed_files(undoing):
                raise UsageError(
                    f"batch {batch_id}: all that it changed was changed again later; "
                    "undo the later batches first"
                )
            self._ledger.run(
                "UPDATE batch SET skipped = ?1, note = note || ?2 WHERE id = ?3",
                (kept + skipped, f"; {kept} later changes kept" if kept else "", undoing),
            )
            self._mark(batch_id, undoing)

    def _changed_files(self, batch_id: int) -> bool:
        return any(self.changes(batch_id, subject) for subject in ON_DISK)

    def _undo_statements(self, batch_id: int, undoing: int) -> tuple[int, int]:
        """Take labels and verdicts back; returns how many were kept, of how many."""
        kept, cells = self._plan(batch_id)
        self._ledger.run(_APPLY[0], (undoing,))
        for statement in _APPLY[1:]:
            self._ledger.run(statement)
        for (taxonomy_id,) in self._ledger.rows(
            "SELECT DISTINCT taxonomy_id FROM temp.reversal "
            "WHERE class_id IS NOT NULL AND region_id IS NULL"
        ):
            self._ledger.touch(f"labels:{taxonomy_id}")
        self._ledger.run("DELETE FROM temp.reversal")
        return kept, cells

    def _undo_changes(self, batch_id: int, undoing: int) -> tuple[int, int]:
        """Put the earlier states of other things back; returns how many were kept, of how many."""
        rows = self._ledger.rows(_CHANGED, (batch_id, *ON_DISK))
        changed = [_change(row) for row in rows]
        kept_of_ranges, of_ranges = self._undo_ranges(changed, undoing)
        found = [c for c in changed if not isinstance(self._subjects[c.subject], RangeSubject)]
        kept: set[tuple[str, str]] = set()
        for name in {change.subject for change in found}:
            expected = {change.key: change.after for change in found if change.subject == name}
            kept |= {(name, key) for key in self._subjects[name].differing(expected)}
        inverse = [
            Change(change.subject, change.key, change.after, change.before, change.size)
            for change in found
            if (change.subject, change.key) not in kept
        ]
        self._write(undoing, inverse)
        self._put({(change.subject, change.key): change.after for change in inverse})
        return len(kept) + kept_of_ranges, len(found) + of_ranges

    def _undo_ranges(self, changed: Sequence[Change], undoing: int) -> tuple[int, int]:
        """Take changes back that stand for many things each; returns how many were kept, of all.

        One after the other, the latest first: ranges may overlap.
        """
        kept = whole = 0
        for change in changed:
            subject = self._subjects[change.subject]
            if isinstance(subject, RangeSubject):
                inverse = [
                    Change(part.subject, part.key, part.after, part.before, part.size)
                    for part in subject.undoable(change)
                ]
                self._write(undoing, inverse)
                subject.put({part.key: part.after for part in inverse})
                whole += change.size
                kept += change.size - sum(part.size for part in inverse)
        return kept, whole

    def _put(self, states: Mapping[tuple[str, str], Any]) -> None:
        for name in dict.fromkeys(subject for subject, _ in states):
            self._subjects[name].put({key: v for (s, key), v in states.items() if s == name})

    def _plan(self, batch_id: int) -> tuple[int, int]:
        """Fill ``temp.reversal``; return how many of its cells are to be kept, and how many."""
        self._ledger.run(
            "CREATE TEMP TABLE IF NOT EXISTS reversal (class_id INTEGER, verdict_id INTEGER, "
            "source_id INTEGER, image_id INTEGER, region_id INTEGER, taxonomy_id INTEGER, "
            "after TEXT, after_p REAL, after_batch INTEGER, before TEXT, before_p REAL, "
            "before_batch INTEGER, keep INTEGER)"
        )
        self._ledger.run(
            "CREATE INDEX IF NOT EXISTS temp.reversal_image ON reversal (image_id, class_id)"
        )
        self._ledger.run("DELETE FROM temp.reversal")
        self._ledger.run(_SPAN, (batch_id,))
        for statement in _KEEP:
            self._ledger.run(statement)
        row = self._ledger.row("SELECT coalesce(sum(keep), 0), count(*) FROM temp.reversal")
        assert row is not None
        return int(row[0]), int(row[1])

    def _mark(self, batch_id: int, undoing: int) -> None:
        """Note what is undone now: undoing an undo brings back what that had undone, and so on."""
        target: int | None = batch_id
        by: int | None = undoing
        while target is not None:
            self._ledger.run("UPDATE batch SET undone_by = ? WHERE id = ?", (by, target))
            row = self._ledger.row("SELECT undoes FROM batch WHERE id = ?", (target,))
            by = target if by is None else None
            target = row[0] if row is not None else None


def _change(row: Sequence[Any]) -> Change:
    subject, key, before, after, size = row
    return Change(subject, key, json.loads(before), json.loads(after), int(size))
