"""Batches and their undoing."""

from __future__ import annotations

from typing import Any

from vernis.adapters.catalog.effective import rank_of
from vernis.adapters.catalog.ledger import Ledger, now
from vernis.domain.errors import NotFound, UsageError
from vernis.domain.types import Event

# What a batch found and what it left, for each cell that it changed (a statement or a verdict).
_SPAN = """
INSERT INTO temp.reversal
SELECT first.class_id, first.verdict_id, first.source_id, first.image_id, class.taxonomy_id,
       last.after, last.after_probability, last.after_batch,
       first.before, first.before_probability, first.before_batch, 0
FROM (SELECT min(id) AS low, max(id) AS high FROM event WHERE batch_id = ?
      GROUP BY verdict_id, CASE WHEN verdict_id IS NULL THEN source_id END, image_id, class_id
     ) AS span
JOIN event AS first ON first.id = span.low
JOIN event AS last ON last.id = span.high
LEFT JOIN class ON class.id = first.class_id
WHERE first.before_batch IS NOT last.after_batch OR first.before <> last.after
"""
# A cell that now says something else than what the batch left was changed later: it is kept.
_KEEP_STATEMENTS = """
UPDATE temp.reversal SET keep = 1
WHERE class_id IS NOT NULL AND NOT EXISTS (
  SELECT 1 FROM (SELECT 1) LEFT JOIN statement AS s
    ON s.taxonomy_id = reversal.taxonomy_id AND s.source_id = reversal.source_id
   AND s.image_id = reversal.image_id AND s.class_id = reversal.class_id
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
# In a single taxonomy a source says one yes an image: a yes is not restored beside another one, …
_KEEP_SECOND_YES = """
UPDATE temp.reversal SET keep = 1
WHERE before = 'yes' AND taxonomy_id IN (SELECT id FROM taxonomy WHERE kind = 'single')
  AND EXISTS (
    SELECT 1 FROM statement AS s
    WHERE s.taxonomy_id = reversal.taxonomy_id AND s.source_id = reversal.source_id
      AND s.image_id = reversal.image_id AND s.state = 'yes' AND NOT EXISTS (
        SELECT 1 FROM temp.reversal AS r
        WHERE r.image_id = s.image_id AND r.class_id = s.class_id AND r.source_id = s.source_id))
"""
# … and an image's cells are kept together.
_KEEP_WHOLE_IMAGES = """
UPDATE temp.reversal SET keep = 1
WHERE keep = 0 AND taxonomy_id IN (SELECT id FROM taxonomy WHERE kind = 'single')
  AND (image_id, source_id, taxonomy_id) IN (
    SELECT image_id, source_id, taxonomy_id FROM temp.reversal
    WHERE keep = 1 AND class_id IS NOT NULL)
"""
_KEEP = (_KEEP_STATEMENTS, _KEEP_VERDICTS, _KEEP_SECOND_YES, _KEEP_WHOLE_IMAGES)
_APPLY = (
    """
INSERT INTO event (batch_id, source_id, image_id, class_id, verdict_id, before,
  before_probability, before_batch, after, after_probability, after_batch)
SELECT ?, source_id, image_id, class_id, verdict_id, after, after_p, after_batch,
  before, before_p, before_batch
FROM temp.reversal WHERE keep = 0 ORDER BY taxonomy_id, image_id, class_id, verdict_id
""",
    """
DELETE FROM statement WHERE (taxonomy_id, source_id, image_id, class_id) IN (
  SELECT taxonomy_id, source_id, image_id, class_id FROM temp.reversal
  WHERE keep = 0 AND class_id IS NOT NULL)
""",
    """
INSERT INTO statement (taxonomy_id, source_id, image_id, class_id, state, probability, batch_id)
SELECT taxonomy_id, source_id, image_id, class_id, before, before_p, before_batch
FROM temp.reversal WHERE keep = 0 AND class_id IS NOT NULL AND before <> 'unknown'
""",
    """
UPDATE verdict SET verdict = r.before, batch_id = r.before_batch
FROM temp.reversal AS r WHERE r.verdict_id = verdict.id AND r.keep = 0
""",
)

_BATCH = ("id", "time", "verb", "source", "note", "events")


class History:
    """The append-only events and the batches that hold them together."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def source_id(self, source: str) -> int:
        """Return the id of a source, made when it is new; raises InvalidValue."""
        row = self._ledger.row("SELECT id FROM source WHERE name = ?", (source,))
        if row is not None:
            return int(row[0])
        return self._ledger.insert(
            "INSERT INTO source (name, rank) VALUES (?, ?)", (source, rank_of(source))
        )

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

    # ------------------------------------------------------------------ reading

    def events(self, image_id: int) -> list[Event]:
        """Return the events of an image, oldest first, verdicts on a pair with it included."""
        rows = self._ledger.rows(
            "SELECT e.id, e.batch_id, b.time, s.name, b.verb, e.image_id, "
            "coalesce(t.name, v.taxonomy), coalesce(c.name, v.label), e.before, e.after, "
            "CASE WHEN v.id IS NULL THEN b.note ELSE trim('verdict on ' || v.kind "
            "|| coalesce(' with image ' || v.other_id, '') || '; ' || b.note, '; ') END "
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

    def batches(self, limit: int) -> list[dict[str, Any]]:
        """Return the latest batches, newest first."""
        names = (*_BATCH, "undone", "undoes", "undone_by", "skipped")
        rows = self._ledger.rows(
            "SELECT b.id, b.time, b.verb, s.name, b.note, "
            "(SELECT count(*) FROM event WHERE event.batch_id = b.id), "
            "b.undone_by IS NOT NULL, b.undoes, b.undone_by, b.skipped "
            "FROM batch AS b JOIN source AS s ON s.id = b.source_id ORDER BY b.id DESC LIMIT ?",
            (limit,),
        )
        found = [dict(zip(names, row, strict=True)) for row in rows]
        for batch in found:
            batch["undone"] = bool(batch["undone"])
        return found

    # ------------------------------------------------------------------ undoing

    def undo(self, batch_id: int | None) -> int:
        """Append the inverse of a batch; returns the new batch."""
        with self._ledger.transaction():
            wanted = self._latest() if batch_id is None else int(batch_id)
            row = self._ledger.row(
                "SELECT verb, source_id, undone_by FROM batch WHERE id = ?", (wanted,)
            )
            if row is None:
                raise NotFound(f"there is no batch {wanted}")
            verb, source_id, undone_by = row
            if undone_by is not None:
                raise UsageError(
                    f"batch {wanted} is undone already; undo batch {undone_by} to get it back"
                )
            kept, cells = self._plan(wanted)
            if kept and kept == cells:
                raise UsageError(
                    f"batch {wanted}: all that it changed was changed again later; "
                    "undo the later batches first"
                )
            note = f"undo of batch {wanted} ({verb})"
            note += f"; {kept} later changes kept" if kept else ""
            undoing = self._new_batch("undo", source_id, note, undoes=wanted)
            self._ledger.run(_APPLY[0], (undoing,))
            for statement in _APPLY[1:]:
                self._ledger.run(statement)
            for (taxonomy_id,) in self._ledger.rows(
                "SELECT DISTINCT taxonomy_id FROM temp.reversal WHERE class_id IS NOT NULL"
            ):
                self._ledger.touch(f"labels:{taxonomy_id}")
            self._ledger.run("UPDATE batch SET skipped = ? WHERE id = ?", (kept, undoing))
            self._ledger.run("DELETE FROM temp.reversal")
            self._mark(wanted, undoing)
        return undoing

    def _latest(self) -> int:
        row = self._ledger.row(
            "SELECT max(b.id) FROM batch AS b JOIN source AS s ON s.id = b.source_id "
            "WHERE b.undone_by IS NULL AND b.undoes IS NULL AND s.rank > 0"
        )
        if row is None or row[0] is None:
            raise NotFound("there is nothing to undo")
        return int(row[0])

    def _plan(self, batch_id: int) -> tuple[int, int]:
        """Fill ``temp.reversal``; return how many of its cells are to be kept, and how many."""
        self._ledger.run(
            "CREATE TEMP TABLE IF NOT EXISTS reversal (class_id INTEGER, verdict_id INTEGER, "
            "source_id INTEGER, image_id INTEGER, taxonomy_id INTEGER, after TEXT, after_p REAL, "
            "after_batch INTEGER, before TEXT, before_p REAL, before_batch INTEGER, keep INTEGER)"
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
