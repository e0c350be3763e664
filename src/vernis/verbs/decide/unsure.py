"""Issues that a person was unsure of: they stay undecided, and out of the queue until asked for.

A mark is kept under what the issue is about, so that it survives when issues are found anew. It is
a change like any other: it stands in the history under a name, and undo takes it back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, ClassVar

from vernis.domain.history import Change
from vernis.domain.types import Issue
from vernis.verbs.decide.decisions import by

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True, slots=True)
class UnsureMarks:
    """Which issues of a kind (and taxonomy) somebody was unsure of."""

    VERSION: ClassVar[int] = 1
    UNVERSIONED: ClassVar[bool] = True

    marks: Annotated[Mapping[str, str | None], "images of the issue → who; null: taken back"]


def mark_unsure(session: Session, issue: Issue, who: str) -> int:
    """Note that a person is unsure of an issue; returns the batch, 0 where it was noted before."""
    name, key = _name(issue.kind, issue.taxonomy), key_of(issue)
    known = session.results.find(name, UnsureMarks) or UnsureMarks({})
    if known.marks.get(key) is not None:
        return 0
    with session.catalog.transaction():
        session.results.keep(name, replace(known, marks={**known.marks, key: by(who)}))
        change = Change("result", json.dumps([name, "marks", key]), None, by(who))
        return session.catalog.history.record([change], source=by(who), verb="unsure")


def unsure_keys(session: Session, kind: str, taxonomy: str) -> frozenset[str]:
    """Return what the issues of a queue are about that somebody was unsure of."""
    known = session.results.find(_name(kind, taxonomy), UnsureMarks)
    return frozenset(key for key, who in known.marks.items() if who) if known else frozenset()


def key_of(issue: Issue) -> str:
    """Return what an issue is about, within its kind and taxonomy: its one or two images."""
    return f"{issue.image_id}/{issue.other_id}"


def _name(kind: str, taxonomy: str) -> str:
    return f"unsure:{kind}:{taxonomy}"
