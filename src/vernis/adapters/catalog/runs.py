"""Which work is done, in the ledger."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from vernis.adapters.catalog.ledger import Ledger, now
from vernis.adapters.catalog.storage import to_json


class SqliteRunLog:
    """``RunLog`` over the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def is_done(self, workflow: str, fingerprint: str) -> bool:
        """Return whether the latest finished run of the workflow has this fingerprint."""
        row = self._ledger.row(
            "SELECT fingerprint FROM run WHERE workflow = ? ORDER BY id DESC LIMIT 1", (workflow,)
        )
        return row is not None and row[0] == fingerprint

    def finish(self, workflow: str, fingerprint: str, summary: Mapping[str, Any]) -> None:
        """Note that a run has finished."""
        self._ledger.run(
            "INSERT INTO run (workflow, fingerprint, summary, time) VALUES (?, ?, ?, ?)",
            (workflow, fingerprint, to_json(dict(summary)), now()),
        )

    def summary(self, workflow: str) -> dict[str, Any] | None:
        """Return the summary of the latest finished run, None when there is none."""
        row = self._ledger.row(
            "SELECT summary FROM run WHERE workflow = ? ORDER BY id DESC LIMIT 1", (workflow,)
        )
        if row is None:
            return None
        summary: dict[str, Any] = json.loads(row[0])
        return summary
