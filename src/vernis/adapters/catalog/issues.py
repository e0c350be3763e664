"""Issues with their verdicts, in the ledger."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from vernis.adapters.catalog import proposals
from vernis.adapters.catalog.history import SqliteHistory
from vernis.adapters.catalog.ledger import Ledger, Row
from vernis.adapters.catalog.storage import to_json
from vernis.adapters.catalog.subjects import PREFERRED
from vernis.domain.errors import InvalidValue, NotFound
from vernis.domain.history import Change
from vernis.domain.types import (
    LABEL_KINDS,
    VERDICTS,
    Categories,
    DuplicateGroup,
    Issue,
    Suggestion,
    Verdict,
)

# Of two issues with one key the worse one stays, in the place of the first.
_FIND = """
INSERT INTO temp.found (key, kind, taxonomy, label, image_id, other_id, score, flagged, evidence)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET
  score = excluded.score, flagged = excluded.flagged, evidence = excluded.evidence
WHERE excluded.score <= score
"""
_UPSERT = """
INSERT INTO issue (key, kind, taxonomy, label, image_id, other_id, score, flagged, evidence)
SELECT key, kind, taxonomy, label, image_id, other_id, score, flagged, evidence
FROM temp.found WHERE true ORDER BY score DESC, position
ON CONFLICT (key) DO UPDATE SET
  score = excluded.score, flagged = excluded.flagged, evidence = excluded.evidence
WHERE score <> excluded.score OR flagged <> excluded.flagged OR evidence <> excluded.evidence
"""
# Of a taxonomy that was removed nothing is suspected.
_KNOWN = """
AND i.taxonomy NOT IN (
  SELECT name FROM taxonomy WHERE removed = 1 EXCEPT SELECT name FROM taxonomy WHERE removed = 0)
"""
# The issue comes first: its index gives the worst ones without a look at the rest.
_ROW = """
SELECT i.kind, i.image_id, i.score, i.flagged, i.taxonomy, i.label, coalesce(i.other_id, 0),
  i.evidence, coalesce(v.verdict, 'open'), i.id
"""
_SELECT = f"""{_ROW}
FROM issue AS i {{by}}
CROSS JOIN image AS m ON m.id = i.image_id
  AND m.state = CASE i.kind WHEN 'broken' THEN 'unreadable' ELSE 'present' END
LEFT JOIN image AS o ON o.id = i.other_id
LEFT JOIN verdict AS v ON v.key = i.key
WHERE (o.id IS NULL OR o.state = 'present') {_KNOWN} {{condition}}
ORDER BY {{order}} LIMIT ?
"""
_KINDS = f"""
SELECT DISTINCT i.image_id, i.kind FROM temp.listed
CROSS JOIN issue AS i ON i.image_id = listed.value
LEFT JOIN verdict AS v ON v.key = i.key
WHERE i.flagged = 1 AND coalesce(v.verdict, 'open') = 'open' {_KNOWN}
"""
# Pairs alone have another image, and are few; no index leads to it.
_KINDS_OF_OTHERS = """
SELECT DISTINCT i.other_id, i.kind FROM issue AS i
LEFT JOIN verdict AS v ON v.key = i.key
WHERE i.kind = 'duplicate' AND i.flagged = 1 AND coalesce(v.verdict, 'open') = 'open'
  AND i.other_id IN (SELECT value FROM temp.listed)
"""
_SCATTERED = 100  # rows in a row that take as long as one that lies anywhere
# Counted by indexes alone: images that are not there are few, and so are verdicts, which stand in
# no index of issues and are taken from the other side.
_COUNTED = f"""
WHERE CASE i.kind WHEN 'broken' THEN i.image_id IN (
    SELECT id FROM image WHERE state = 'unreadable')
  ELSE i.image_id NOT IN (
    SELECT id FROM image WHERE state IN ('unreadable', 'vanished', 'trashed')) END
  AND (i.other_id IS NULL OR i.other_id NOT IN (
    SELECT id FROM image WHERE state IN ('unreadable', 'vanished', 'trashed')))
{_KNOWN}
"""
_ORDERS = {
    "score": "i.score",
    "image": "i.image_id",
    "uri": "m.uri",
    "other": "i.other_id",
    "kind": "i.kind",
    "label": "i.label",
    "flagged": "i.flagged",
}
_TIES = "i.image_id, i.other_id, i.label, i.id"
_EVERY = (
    "FROM issue AS i CROSS JOIN image AS m ON m.id = i.image_id AND m.state = 'present' "
    f"WHERE i.kind = ? AND i.taxonomy = ? {_KNOWN} ORDER BY i.score, {_TIES}"
)
"""Every issue of a kind and taxonomy, worst first."""
# The first comparison is what the index can be entered by, the second settles equal scores.
_FOLLOWING = """
AND i.score >= (SELECT score FROM issue WHERE id = ?)
AND (i.score, i.image_id, coalesce(i.other_id, 0), i.label, i.id) >
  (SELECT score, image_id, coalesce(other_id, 0), label, id FROM issue WHERE id = ?)
"""
# Pairs alone have another image.
_AMONG = """
 AND (i.image_id IN (SELECT value FROM temp.listed)
  OR (i.kind = 'duplicate' AND i.other_id IN (SELECT value FROM temp.listed)))
"""
_PIECE = 4096  # issues that are Python objects at a time, unless the caller holds them all
_EVIDENCE = re.compile(r"evidence\.(\w+)", re.ASCII)
_DISMISSED = """
SELECT min(v.image_id, v.other_id) AS a, max(v.image_id, v.other_id) AS b FROM verdict AS v
JOIN image AS one ON one.id = v.image_id AND one.content_hash = v.image_hash
JOIN image AS two ON two.id = v.other_id AND two.content_hash = v.other_hash
WHERE v.kind = 'duplicate' AND v.verdict = 'dismissed'
"""
_COUNT_GROUPS = """
SELECT count(*) FROM (
  SELECT 1 FROM duplicate_member AS m JOIN image ON image.id = m.image_id
  WHERE image.state = 'present' GROUP BY m.group_id HAVING count(*) >= 2
)
"""
_VERBS: dict[Verdict, str] = {"accepted": "accept", "dismissed": "dismiss", "open": "reopen"}


class SqliteIssueStore:
    """``IssueStore`` over the ledger."""

    def __init__(self, ledger: Ledger, history: SqliteHistory) -> None:
        self._ledger = ledger
        self._history = history
        ledger.run(
            "CREATE TEMP TABLE found (position INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, "
            "kind TEXT, taxonomy TEXT, label TEXT, image_id INTEGER, other_id INTEGER, "
            "score REAL, flagged INTEGER, evidence TEXT)"
        )

    # ------------------------------------------------------------------ issues

    def replace(self, kinds: Sequence[str], issues: Iterable[Issue], taxonomy: str = "") -> None:
        """Replace every issue of those kinds (and taxonomy) in one transaction; keep verdicts.

        An issue that was there before keeps its id. Of two issues with the same key the worse one
        is kept. Raises InvalidValue for an issue of another kind or taxonomy, NotFound for an
        unknown image.
        """
        with self._ledger.transaction():
            self._ledger.run("DELETE FROM temp.found")
            waiting = iter(issues)
            while piece := list(islice(waiting, _PIECE)):
                for issue in piece:
                    if issue.kind not in kinds or issue.taxonomy != taxonomy:
                        raise InvalidValue(
                            f"expected issues of kind {list(kinds)} and taxonomy {taxonomy!r}, "
                            f"got {issue.kind!r} of {issue.taxonomy!r}"
                        )
                hashes = self._hashes(piece)
                self._ledger.run_many(_FIND, (_values(_key(i, hashes), i) for i in piece))
            self._ledger.run(
                f"DELETE FROM issue WHERE kind IN ({_marks(kinds)}) AND taxonomy = ? "
                "AND key NOT IN (SELECT key FROM temp.found)",
                (*kinds, taxonomy),
            )
            self._ledger.run(_UPSERT)
            self._ledger.run("DELETE FROM temp.found")

    def _hashes(self, issues: Iterable[Issue]) -> dict[int, str]:
        """Return the content hash of every image that the issues name; raises NotFound."""
        ids = {int(i) for issue in issues for i in (issue.image_id, issue.other_id)} - {0}
        with self._ledger.listed(sorted(ids)):
            rows = self._ledger.rows(
                "SELECT image.id, image.content_hash FROM temp.listed CROSS JOIN image "
                "ON image.id = listed.value"
            )
        hashes: dict[int, str] = dict(rows)
        if len(hashes) < len(ids):
            raise NotFound(f"no image has the id {min(ids - hashes.keys())}")
        return {**hashes, 0: ""}

    def select(
        self,
        kinds: Sequence[str] | None = None,
        taxonomy: str | None = None,
        *,
        flagged_only: bool = True,
        verdicts: Sequence[Verdict] | None = None,
        order: Sequence[str] = ("score",),
        limit: int | None = None,
        after: int | None = None,
        images: Sequence[int] | None = None,
    ) -> list[Issue]:
        """Return the issues of present (or, for ``broken``, unreadable) images; see the port.

        Raises InvalidValue for an order that there is not.
        """
        keys = [_order(key) for key in order]
        condition, values = _condition(kinds, taxonomy, flagged_only)
        if images is not None:
            condition += _AMONG
        following: tuple[int, ...] = ()
        if after is not None:
            if tuple(order) != ("score",):
                raise InvalidValue(f"only issues by score can follow another one, got {order!r}")
            following = (int(after),)
        # The worst ones are read in the order of the index. Otherwise, where a good part is asked
        # for, all rows one after another are faster than those one here, one there.
        named = kinds is not None and len(kinds) == 1 and taxonomy is not None
        worst = named and limit is not None and keys[:1] == [_ORDERS["score"]]
        all_rows = images is None and not worst and self._are_many(condition, values)
        by = "NOT INDEXED" if all_rows else ""
        if verdicts is not None:
            condition += f" AND coalesce(v.verdict, 'open') IN ({_marks(verdicts)})"
            values += verdicts
        with self._ledger.listed(sorted({int(i) for i in images or ()})):
            rows = self._ledger.rows(
                _SELECT.format(
                    by=by,
                    condition=condition + (_FOLLOWING if following else ""),
                    order=", ".join([*keys, _TIES]),
                ),
                [*values, *following * 2, -1 if limit is None else limit],
            )
        return [_issue(row) for row in rows]

    def get(self, issue_ids: Sequence[int]) -> dict[int, Issue]:
        """Return the issues with those ids that there are, whatever the state of their images."""
        with self._ledger.listed(sorted({int(i) for i in issue_ids})):
            rows = self._ledger.rows(
                f"{_ROW} FROM temp.listed CROSS JOIN issue AS i ON i.id = listed.value "
                "LEFT JOIN verdict AS v ON v.key = i.key"
            )
        return {issue.id: issue for issue in map(_issue, rows)}

    def _are_many(self, condition: str, values: Sequence[str]) -> bool:
        asked = self._ledger.row(f"SELECT count(*) FROM issue AS i WHERE true {condition}", values)
        last = self._ledger.row("SELECT coalesce(max(id), 0) FROM issue")
        assert asked is not None
        assert last is not None
        return bool(asked[0] * _SCATTERED > last[0])

    def kinds_of_images(self, image_ids: Sequence[int]) -> dict[int, tuple[str, ...]]:
        """Return the kinds of open, flagged issues of each of these images that has one."""
        found: dict[int, set[str]] = {}
        with self._ledger.listed(sorted({int(i) for i in image_ids})):
            for rows in (self._ledger.rows(_KINDS), self._ledger.rows(_KINDS_OF_OTHERS)):
                for image, kind in rows:
                    found.setdefault(int(image), set()).add(kind)
        return {image: tuple(sorted(kinds)) for image, kinds in found.items()}

    def suspected(self, images: Sequence[int] | None = None) -> dict[str, NDArray[np.int64]]:
        """Return the images of flagged issues that were not dismissed, by kind; see the port."""
        with self._ledger.listed(sorted({int(i) for i in images or ()})):
            kinds, ones, others = self._ledger.columns(
                "SELECT i.kind, i.image_id, coalesce(i.other_id, 0) FROM issue AS i "
                "CROSS JOIN image AS m ON m.id = i.image_id AND m.state = 'present' "
                "LEFT JOIN image AS o ON o.id = i.other_id "
                "LEFT JOIN verdict AS v ON v.key = i.key "
                "WHERE i.flagged = 1 AND (o.id IS NULL OR o.state = 'present') "
                f"AND coalesce(v.verdict, 'open') <> 'dismissed' {_KNOWN} "
                f"{_AMONG if images is not None else ''}",
                kinds=(Categories, np.int64, np.int64),
            )
        found = {}
        for code, kind in enumerate(kinds.names):
            rows = kinds.codes == code
            both = np.concatenate((ones[rows], others[rows]))
            found[kind] = np.unique(both[both > 0])
        return found

    def sum_of_open(self, kind: str, taxonomy: str, number: str) -> float | None:
        """Return the sum of a number of the evidence over open, flagged issues; see the port."""
        row = self._ledger.row(
            "SELECT sum(json_extract(i.evidence, ?)) FROM issue AS i "
            "JOIN image AS m ON m.id = i.image_id AND m.state = 'present' "
            "LEFT JOIN verdict AS v ON v.key = i.key "
            "WHERE i.kind = ? AND i.taxonomy = ? AND i.flagged = 1 "
            "AND coalesce(v.verdict, 'open') = 'open'",
            (f"$.{number}", kind, taxonomy),
        )
        return None if row is None or row[0] is None else float(row[0])

    def numbers(self, kind: str, taxonomy: str, number: str) -> NDArray[np.float64]:
        """Return a number of the evidence of every issue of a kind; see the port."""
        values, known = self._ledger.columns(
            "SELECT coalesce(n, 0), n IS NOT NULL FROM (SELECT json_extract(i.evidence, ?) AS n "
            f"{_EVERY})",
            (f"$.{number}", kind, taxonomy),
            kinds=(np.float64, np.bool_),
        )
        return np.asarray(np.where(known, values, np.nan))

    def images_of(self, kind: str, taxonomy: str) -> NDArray[np.int64]:
        """Return the image of every issue of a kind; see the port."""
        (found,) = self._ledger.columns(
            f"SELECT i.image_id {_EVERY}", (kind, taxonomy), kinds=(np.int64,)
        )
        return np.asarray(found)

    def counts(
        self, *, flagged_only: bool = True, verdicts: Sequence[Verdict] | None = ("open",)
    ) -> dict[tuple[str, str], int]:
        """Return the number of issues by kind and taxonomy, as ``select`` would list them."""
        condition, _ = _condition(None, None, flagged_only)
        issues = "issue AS i" if flagged_only else "issue AS i NOT INDEXED"
        wanted = set(VERDICTS if verdicts is None else verdicts)
        found: Counter[tuple[str, str]] = Counter()
        # The undecided ones are all but those that were decided, which alone have a verdict.
        with self._ledger.snapshot():
            if "open" in wanted:
                for kind, taxonomy, count in self._ledger.rows(
                    f"SELECT i.kind, i.taxonomy, count(*) FROM {issues} {_COUNTED} {condition} "
                    "GROUP BY i.kind, i.taxonomy"
                ):
                    found[kind, taxonomy] += count
            if wanted != set(VERDICTS):
                for kind, taxonomy, verdict, count in self._ledger.rows(
                    "SELECT i.kind, i.taxonomy, v.verdict, count(*) "
                    f"FROM verdict AS v CROSS JOIN issue AS i ON i.key = v.key {_COUNTED} "
                    f"{condition} AND v.verdict <> 'open' GROUP BY i.kind, i.taxonomy, v.verdict"
                ):
                    found[kind, taxonomy] += count * ((verdict in wanted) - ("open" in wanted))
        return {name: count for name, count in sorted(found.items()) if count}

    def set_verdict(self, issue_ids: Sequence[int], verdict: Verdict, *, who: str) -> int:
        """Set a verdict on issues, as one batch with events; returns the batch, 0 if no change.

        Raises NotFound for an unknown issue.
        """
        if verdict not in VERDICTS:
            raise InvalidValue(f"expected a verdict of {VERDICTS}, got {verdict!r}")
        with self._ledger.transaction():
            ids = sorted({int(i) for i in issue_ids})
            with self._ledger.listed(ids):
                known = self._ledger.rows(
                    "SELECT issue.id FROM temp.listed CROSS JOIN issue ON issue.id = listed.value"
                )
                if len(known) < len(ids):
                    missing = sorted(set(ids) - {row[0] for row in known})
                    raise NotFound(f"there is no issue {', '.join(map(str, missing[:5]))}")
                return self._judge(verdict, who)

    def _judge(self, verdict: Verdict, who: str) -> int:
        """Set the verdict on the issues in ``temp.listed``."""
        self._ledger.run(
            "INSERT OR IGNORE INTO verdict (key, kind, taxonomy, label, image_id, other_id, "
            "image_hash, other_hash, verdict) "
            "SELECT i.key, i.kind, i.taxonomy, i.label, i.image_id, i.other_id, m.content_hash, "
            "coalesce(o.content_hash, ''), 'open' FROM temp.listed CROSS JOIN issue AS i "
            "ON i.id = listed.value JOIN image AS m ON m.id = i.image_id "
            "LEFT JOIN image AS o ON o.id = i.other_id"
        )
        source = self._history.source_id(f"human:{who}")
        batch, is_new = self._history.open_batch(_VERBS[verdict], source, "")
        changed = self._ledger.run(
            "INSERT INTO event (batch_id, source_id, image_id, verdict_id, before, before_batch, "
            "after, after_batch) SELECT ?1, ?2, v.image_id, v.id, v.verdict, v.batch_id, ?3, ?1 "
            "FROM temp.listed CROSS JOIN issue AS i ON i.id = listed.value "
            "JOIN verdict AS v ON v.key = i.key WHERE v.verdict <> ?3",
            (batch, source, verdict),
        )
        if not changed:
            if is_new:
                self._history.drop_batch(batch)
            return 0
        self._ledger.run(
            "UPDATE verdict SET verdict = ?2, batch_id = ?1 FROM temp.listed "
            "JOIN issue AS i ON i.id = listed.value WHERE i.key = verdict.key "
            "AND verdict.verdict <> ?2",
            (batch, verdict),
        )
        return batch

    # ------------------------------------------------------------------ duplicates

    def replace_groups(self, groups: Iterable[DuplicateGroup]) -> None:
        """Replace the duplicate groups and write one ``duplicate`` issue per pair.

        The issue's score is 1 - similarity; its evidence holds kind, transform, similarity and
        keeper.
        """
        stored = list(groups)
        with self._ledger.transaction():
            proposals.replace_groups(self._ledger, stored)
            self.replace(["duplicate"], proposals.pair_issues(stored))

    def groups(self) -> list[DuplicateGroup]:
        """Return the groups of present images.

        An image that a person judged to be no duplicate of its group's keeper is not in it.
        """
        with self._ledger.snapshot():
            return proposals.groups(self._ledger, self.dismissed_pairs())

    def count_groups(self) -> int:
        """Return the number of groups that ``groups`` would list."""
        if self.dismissed_pairs():  # who is told from a keeper depends on who that is
            return len(self.groups())
        row = self._ledger.row(_COUNT_GROUPS)
        return int(row[0]) if row else 0

    def keep(self, image_ids: Sequence[int], *, source: str, note: str = "") -> int:
        """Choose images to be kept among their duplicates; returns the batch or 0."""
        return self._choose(image_ids, source, note, keep=True)

    def release(self, image_ids: Sequence[int], *, source: str, note: str = "") -> int:
        """Take back that images were chosen to be kept; returns the batch or 0."""
        return self._choose(image_ids, source, note, keep=False)

    def _choose(self, image_ids: Sequence[int], source: str, note: str, *, keep: bool) -> int:
        with self._ledger.transaction():
            known: dict[int, int] = dict(self._ledger.rows("SELECT image_id, batch_id FROM kept"))
            latest = max(known.values(), default=0)
            wanted = [
                image
                for image in dict.fromkeys(map(int, image_ids))
                if (keep and known.get(image) != latest) or (not keep and image in known)
            ]
            if not wanted:
                return 0
            batch, _ = self._history.open_batch("keep", self._history.source_id(source), note)
            changes = [
                Change("keeper", str(image), known.get(image), batch if keep else None)
                for image in wanted
            ]
            return self._history.apply(changes, source=source, verb="keep", note=note)

    def kept(self) -> dict[int, str]:
        """Return the images that a person chose to keep, with who chose, the latest first."""
        return proposals.kept(self._ledger)

    def preferred_folders(self) -> tuple[str, ...]:
        """Return the folders whose images are kept rather than others, in order."""
        return proposals.preferred_folders(self._ledger)

    def prefer_folders(self, folders: Sequence[str], *, source: str) -> int:
        """Set the folders whose images are kept rather than others; returns the batch or 0."""
        before, after = list(self.preferred_folders()), list(folders)
        changes = [Change("preference", PREFERRED, before, after)] if before != after else []
        note = ", ".join(after) or "no folder"
        return self._history.apply(changes, source=source, verb="prefer", note=note)

    def dismissed_pairs(self) -> set[tuple[int, int]]:
        """Return the pairs that a person judged "not a duplicate", a < b.

        A verdict holds as long as both images have the content that was judged.
        """
        return {(int(a), int(b)) for a, b in self._ledger.rows(_DISMISSED)}

    # ------------------------------------------------------------------ suggestions

    def replace_suggestions(
        self, taxonomy: str, suggestions: Iterable[Suggestion], *, source: str = "model"
    ) -> None:
        """Replace what a source suggests; raises NotFound for an unknown class or image."""
        proposals.replace_suggestions(self._ledger, taxonomy, suggestions, source)

    def suggesting(self, taxonomy: str) -> list[str]:
        """Return who suggests labels of a taxonomy; raises NotFound."""
        return proposals.suggesting(self._ledger, taxonomy)

    def suggested(self) -> dict[str, NDArray[np.int64]]:
        """Return the images that each label is suggested for; see the port."""
        return proposals.suggested(self._ledger)

    def suggestions(
        self, taxonomy: str, *, source: str = "model", images: Sequence[int] | None = None
    ) -> list[Suggestion]:
        """Return what a source suggests for present images, the most probable first."""
        return proposals.suggestions(self._ledger, taxonomy, source, images)


def _order(key: str) -> str:
    """Return what SQL sorts by; raises InvalidValue."""
    name, way = (key[1:], " DESC") if key.startswith("-") else (key, "")
    evidence = _EVIDENCE.fullmatch(name)
    if evidence:
        return f"coalesce(json_extract(i.evidence, '$.{evidence[1]}'), 0){way}"
    if name not in _ORDERS:
        raise InvalidValue(
            f"expected an order of {', '.join(_ORDERS)} or evidence.NAME, got {key!r}"
        )
    return _ORDERS[name] + way


def _condition(
    kinds: Sequence[str] | None, taxonomy: str | None, flagged_only: bool
) -> tuple[str, list[str]]:
    """Return what narrows the issues ``i``, and its values."""
    sql, values = "", list[str]()
    if kinds is not None:
        # IN would keep SQLite from reading one kind in the order of its index.
        sql += " AND i.kind = ?" if len(kinds) == 1 else f" AND i.kind IN ({_marks(kinds)})"
        values += kinds
    if taxonomy is not None:
        sql += " AND i.taxonomy = ?"
        values.append(taxonomy)
    if flagged_only:
        sql += " AND i.flagged = 1"
    return sql, values


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))


def _key(issue: Issue, hashes: dict[int, str]) -> str:
    given = sorted(issue.evidence.get("given", ())) if issue.kind in LABEL_KINDS else []
    one, two = int(issue.image_id), int(issue.other_id)
    return to_json(
        [issue.kind, issue.taxonomy, issue.label, one, hashes[one], two, hashes[two], given]
    )


def _values(key: str, issue: Issue) -> Row:
    return (
        key,
        issue.kind,
        issue.taxonomy,
        issue.label,
        int(issue.image_id),
        int(issue.other_id) or None,
        float(issue.score),
        int(issue.flagged),
        to_json(dict(issue.evidence)),
    )


def _issue(row: Row) -> Issue:
    kind, image_id, score, flagged, taxonomy, label, other_id, evidence, verdict, number = row
    return Issue(
        kind,
        image_id,
        score,
        flagged=bool(flagged),
        taxonomy=taxonomy,
        label=label,
        other_id=other_id,
        evidence=json.loads(evidence),
        verdict=verdict,
        id=number,
    )
