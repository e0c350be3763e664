"""Issues with their verdicts, in the ledger."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from vernis.adapters.catalog import proposals
from vernis.adapters.catalog.history import History
from vernis.adapters.catalog.ledger import Ledger, Row
from vernis.adapters.catalog.storage import to_json
from vernis.domain.errors import InvalidValue, NotFound
from vernis.domain.types import VERDICTS, DuplicateGroup, Issue, Suggestion, Verdict

_UPSERT = """
INSERT INTO issue (key, kind, taxonomy, label, image_id, other_id, score, flagged, evidence)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET
  score = excluded.score, flagged = excluded.flagged, evidence = excluded.evidence
WHERE score <> excluded.score OR flagged <> excluded.flagged OR evidence <> excluded.evidence
"""
_SELECT = """
SELECT i.kind, i.image_id, i.score, i.flagged, i.taxonomy, i.label, coalesce(i.other_id, 0),
  i.evidence, coalesce(v.verdict, 'open'), i.id
FROM issue AS i
JOIN image AS m ON m.id = i.image_id
  AND m.state = CASE i.kind WHEN 'broken' THEN 'unreadable' ELSE 'present' END
LEFT JOIN image AS o ON o.id = i.other_id
LEFT JOIN verdict AS v ON v.key = i.key
WHERE (o.id IS NULL OR o.state = 'present')
"""
_VERBS: dict[Verdict, str] = {"accepted": "accept", "dismissed": "dismiss", "open": "reopen"}


class SqliteIssueStore:
    """``IssueStore`` over the ledger."""

    def __init__(self, ledger: Ledger, history: History) -> None:
        self._ledger = ledger
        self._history = history

    # ------------------------------------------------------------------ issues

    def replace(self, kinds: Sequence[str], issues: Iterable[Issue], taxonomy: str = "") -> None:
        """Replace every issue of those kinds (and taxonomy) in one transaction; keep verdicts.

        An issue that was there before keeps its id. Of two issues with the same key the worse one
        is kept. Raises InvalidValue for an issue of another kind or taxonomy, NotFound for an
        unknown image.
        """
        found = list(issues)
        for issue in found:
            if issue.kind not in kinds or issue.taxonomy != taxonomy:
                raise InvalidValue(
                    f"expected issues of kind {list(kinds)} and taxonomy {taxonomy!r}, "
                    f"got {issue.kind!r} of {issue.taxonomy!r}"
                )
        found.sort(key=lambda issue: issue.score, reverse=True)  # of equal keys the last one stays
        with self._ledger.transaction():
            hashes = self._hashes(found)
            rows = {_key(issue, hashes): issue for issue in found}
            marks = ", ".join("?" * len(kinds))
            with self._ledger.listed(rows):
                self._ledger.run(
                    f"DELETE FROM issue WHERE kind IN ({marks}) AND taxonomy = ? "
                    "AND key NOT IN (SELECT value FROM temp.listed)",
                    (*kinds, taxonomy),
                )
            self._ledger.run_many(_UPSERT, (_values(key, issue) for key, issue in rows.items()))

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
    ) -> list[Issue]:
        """Return the issues of present (or, for ``broken``, unreadable) images, worst first."""
        sql, values = _SELECT, list[str]()
        if kinds is not None:
            sql += f" AND i.kind IN ({', '.join('?' * len(kinds))})"
            values += kinds
        if taxonomy is not None:
            sql += " AND i.taxonomy = ?"
            values.append(taxonomy)
        if flagged_only:
            sql += " AND i.flagged = 1"
        if verdicts is not None:
            sql += f" AND coalesce(v.verdict, 'open') IN ({', '.join('?' * len(verdicts))})"
            values += verdicts
        sql += " ORDER BY i.score, i.image_id, i.other_id, i.label, i.id"
        return [_issue(row) for row in self._ledger.rows(sql, values)]

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

    def dismissed_pairs(self) -> set[tuple[int, int]]:
        """Return the pairs that a person judged "not a duplicate", a < b.

        A verdict holds as long as both images have the content that was judged.
        """
        rows = self._ledger.rows(
            "SELECT min(v.image_id, v.other_id), max(v.image_id, v.other_id) FROM verdict AS v "
            "JOIN image AS a ON a.id = v.image_id AND a.content_hash = v.image_hash "
            "JOIN image AS b ON b.id = v.other_id AND b.content_hash = v.other_hash "
            "WHERE v.kind = 'duplicate' AND v.verdict = 'dismissed'"
        )
        return {(int(a), int(b)) for a, b in rows}

    # ------------------------------------------------------------------ suggestions

    def replace_suggestions(self, taxonomy: str, suggestions: Iterable[Suggestion]) -> None:
        """Replace the suggestions of a taxonomy; raises NotFound for an unknown class or image."""
        proposals.replace_suggestions(self._ledger, taxonomy, suggestions)

    def suggestions(self, taxonomy: str) -> list[Suggestion]:
        """Return the suggestions for present images, the most probable first."""
        return proposals.suggestions(self._ledger, taxonomy)


def _key(issue: Issue, hashes: dict[int, str]) -> str:
    given = sorted(issue.evidence.get("given", ())) if issue.kind == "label" else []
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
