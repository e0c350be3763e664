"""What is suspected, as tables in the conventions of the field.

Issues as cleanlab's and cleanvision's frames have them: a row an image, for each kind a column
``is_KIND_issue`` and a column ``KIND_score`` (0 to 1, low = bad). Duplicates as fastdup's
``similarity.csv``: a row a pair.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from vernis.domain.types import QUALITY_KINDS, Issue
from vernis.verbs.steps.quality import QualityJudgement, list_quality

if TYPE_CHECKING:
    from vernis.session.session import Session

Row = list[str | float]
_DUPLICATES = ("from", "to", "similarity", "kind", "transform", "group", "keep")


def issue_rows(
    session: Session, taxonomies: Sequence[str], only: Collection[int] | None
) -> Iterator[Row]:
    """Yield a header and a row an image; nothing is judged for it.

    Label issues of several taxonomies have the taxonomy before the names of their columns. What
    was not judged has no columns. ``near_duplicate_sets`` and several labels are lists in JSON.

    Parameters
    ----------
    session : Session
    taxonomies : sequence of str
        Whose label issues are listed.
    only : collection of int, optional
        Ids of the images; None for all.
    """
    images = [image for image in session.images() if only is None or image.id in only]
    columns: dict[str, dict[int, str | float]] = {}
    if session.results.find("quality", QualityJudgement) is not None:
        for issue in list_quality(session):
            _add_scored(columns, issue, issue.kind)
        for kind in QUALITY_KINDS:
            columns.setdefault(f"is_{kind}_issue", {})
    for issue in session.catalog.issues.select(("outlier",), flagged_only=False):
        _add_scored(columns, issue, "outlier")
    judged = {
        name: found
        for name in taxonomies
        if (found := session.catalog.issues.select(("label",), name, flagged_only=False))
    }
    for name, found in judged.items():
        before = f"{name}_" if len(judged) > 1 else ""
        for issue in found:
            _add_scored(columns, issue, f"{before}label")
            given = [str(label) for label in issue.evidence.get("given", ())]
            said = [str(label) for label in issue.evidence.get("suggested", ())]
            columns.setdefault(f"{before}given_label", {})[issue.image_id] = _labels(given)
            predicted = _labels(said or given)
            columns.setdefault(f"{before}predicted_label", {})[issue.image_id] = predicted
    _add_duplicates(session, columns)
    yield ["image", *columns]
    for image in images:
        yield [
            image.uri,
            *(
                cells.get(image.id, "False" if name.startswith("is_") else "")
                for name, cells in columns.items()
            ),
        ]


def _add_scored(columns: dict[str, dict[int, str | float]], issue: Issue, name: str) -> None:
    columns.setdefault(f"is_{name}_issue", {})[issue.image_id] = str(issue.flagged)
    columns.setdefault(f"{name}_score", {})[issue.image_id] = float(issue.score)


def _labels(names: Sequence[str]) -> str:
    """Return one label as it is, several as a list in JSON."""
    return names[0] if len(names) == 1 else json.dumps(names, ensure_ascii=False) if names else ""


def _add_duplicates(session: Session, columns: dict[str, dict[int, str | float]]) -> None:
    """Add who has duplicates; of a group the image that is kept is no issue."""
    groups, uris = session.groups(), session.uris()
    flags: dict[int, str | float] = {}
    sets: dict[int, str | float] = {}
    nearest: dict[int, float] = {}
    for group in groups:
        for image in group.images:
            flags[image] = str(image != group.keeper)
            others = [uris[other] for other in group.images if other != image]
            sets[image] = json.dumps(others, ensure_ascii=False)
        for pair in group.pairs:
            for image in (pair.a, pair.b):
                nearest[image] = min(nearest.get(image, 1.0), 1.0 - pair.similarity)
    if groups:
        columns["is_near_duplicate_issue"] = flags
        columns["near_duplicate_score"] = {
            image.id: nearest.get(image.id, 1.0) for image in session.images()
        }
        columns["near_duplicate_sets"] = sets


def duplicate_rows(session: Session, only: Collection[int] | None) -> Iterator[Row]:
    """Yield a header and a row a pair of images that show the same picture."""
    uris = session.uris()
    yield list(_DUPLICATES)
    for number, group in enumerate(session.groups()):
        for pair in group.pairs:
            if only is None or (pair.a in only and pair.b in only):
                yield [
                    *(uris[pair.a], uris[pair.b], float(pair.similarity), pair.kind),
                    *(pair.transform, number, uris[group.keeper]),
                ]
