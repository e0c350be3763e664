"""A disk that is full: a decision is refused whole, and taken when it is sent again."""

from __future__ import annotations

import pytest

pytest.importorskip("fastapi", reason='needs the extra "app"')

pytestmark = pytest.mark.app


def test_a_decision_that_finds_no_room_is_refused_whole_and_can_be_sent_again(served):
    ledger = served.session.catalog._ledger
    issue = served.client.get("/api/queue?taxonomy=kind").json["items"][0]["issue"]
    (pages,) = ledger.row("PRAGMA page_count")
    ledger.row(f"PRAGMA max_page_count = {pages}")  # what SQLite does on a full disk, too
    taken, refused = [], None
    for number in range(2000):
        kind, seen = ("dismiss", "open") if number % 2 == 0 else ("reopen", "dismissed")
        sent = {"issue": issue, "answer": kind, "seen": seen, "key": f"full-{number}"}
        answer = served.client.post("/api/decisions", {"answers": [sent]})
        if answer.status != 200:
            refused = answer, sent
            break
        taken.append(answer.json["answers"][0]["outcome"]["batch"])
    assert refused is not None
    answer, sent = refused
    assert answer.status == 507
    assert answer.json["kind"] == "StorageError"
    assert "\n" not in answer.json["error"]
    assert served.session.catalog.integrity() == []
    newest = served.session.catalog.history.batches(1)[0]["id"]
    assert newest == max(taken, default=newest)
    ledger.row("PRAGMA max_page_count = 1073741823")
    again = served.client.post("/api/decisions", {"answers": [sent]})
    assert again.status == 200
    assert again.json["answers"][0]["outcome"]["state"] == "done"
    verdict = "dismissed" if sent["answer"] == "dismiss" else "open"
    assert served.session.catalog.issues.get([issue])[issue].verdict == verdict
