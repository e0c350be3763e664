"""``vernis boxes wrong``: boxes that may be wrong: another class, nothing, misplaced, missing.

A detector that has not seen a picture looks for boxes in it (the parts of the taxonomy's detector
that were held out; it is learned where the boxes have changed). Whether that tells wrong boxes from
right ones is tried on faults that are planted in the boxes for the trial alone: a kind that is
found no better than by chance is not shown. What is found are issues of the kinds ``swapped_box``,
``spurious_box``, ``misplaced_box`` and ``missing_box``: ``vernis accept swapped_box IMAGE``
corrects the box, ``vernis dismiss`` leaves it, ``vernis undo`` takes it back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Annotated

from vernis.domain.types import Issue
from vernis.report.wording import counted
from vernis.verbs.boxes.faults import KindPower, find_faults
from vernis.verbs.declare import SEED, BaseSettings, OneOf, Option, Screen, Verb, rows_shown

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(BaseSettings):
    """Whose boxes are judged."""

    taxonomy: Annotated[str, Option("the taxonomy whose boxes are judged")]
    _: KW_ONLY
    all: Annotated[bool, Option("also boxes that are suspected too little to be flagged")] = False
    limit: Annotated[int | None, rows_shown()] = None
    seed: Annotated[int, SEED] = 0


@dataclass(frozen=True, slots=True)
class FaultRow:
    """A box that may be wrong."""

    image: Annotated[str, "path relative to the indexed folder"]
    kind: Annotated[str, "swapped_box, spurious_box, misplaced_box or missing_box"]
    label: Annotated[str, "the class of the box; of a missing one what is seen"]
    suggested: Annotated[str, "the class that is seen there; empty: nothing"]
    box: Annotated[tuple[float, ...], "x, y, width, height in pixels of the upright picture"]
    found: Annotated[tuple[float, ...], "where it is seen, where that is somewhere else"]
    score: Annotated[float, "0 to 1, low = bad"]
    verdict: Annotated[str, "open, accepted or dismissed"]
    flagged: Annotated[bool, "whether it is suspected"]
    region: Annotated[int, "id of the box; 0 for a missing one"]


@dataclass(frozen=True, slots=True)
class Result:
    """Boxes that may be wrong, the most suspected of each kind first."""

    rows: tuple[FaultRow, ...]
    total: Annotated[int, "such boxes in all, listed or not"]
    kinds: Annotated[tuple[KindPower, ...], "how well each kind is found, by planted faults"]
    boxes: Annotated[int, "boxes that were judged"]
    images: Annotated[int, "in so many images"]
    detector: Annotated[str, "NAME@VERSION of the detector that judged"]
    notes: tuple[str, ...] = ()


def work(session: Session, settings: Settings) -> Result:
    """Find boxes that may be wrong, and keep them as issues.

    Raises
    ------
    NotFound
        There is no such taxonomy.
    NothingToLearn
        It has too few boxes.
    """
    with session.lock(f"boxes wrong {settings.taxonomy}"):
        done = find_faults(session, settings.taxonomy, settings.seed)
    kinds = [one.kind for one in done.kinds if one.shown]
    found: list[Issue] = []
    for kind in kinds:
        found += session.catalog.issues.select(
            (kind,), settings.taxonomy, flagged_only=not settings.all, order=("score", "uri")
        )
    shown = found if settings.limit is None else found[: settings.limit]
    return Result(
        rows=tuple(_rows(session, shown)),
        total=len(found),
        kinds=done.kinds,
        boxes=done.boxes,
        images=done.images,
        detector=done.detector,
        notes=done.notes,
    )


def _rows(session: Session, issues: Sequence[Issue]) -> list[FaultRow]:
    uris = session.uris_of({issue.image_id for issue in issues})
    return [
        FaultRow(
            image=uris[issue.image_id],
            kind=issue.kind,
            label=str(issue.evidence["given"] or issue.evidence["suggested"]),
            suggested=str(issue.evidence["suggested"]),
            box=tuple(issue.evidence["box"]),
            found=tuple(issue.evidence["found"]),
            score=round(issue.score, 4),
            verdict=issue.verdict,
            flagged=issue.flagged,
            region=int(issue.evidence["region"]),
        )
        for issue in issues
    ]


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show how well each kind is found, and the boxes."""
    rows = [
        {
            "kind": one.kind,
            "planted faults found": (
                "none could be planted"
                if one.auroc != one.auroc
                else f"{one.auroc:.2f} ({one.low:.2f}-{one.high:.2f})"
            ),
            "shown": "yes" if one.shown else "no: no better than chance",
            "flagged": one.flagged,
        }
        for one in result.kinds
    ]
    columns = ["kind", "planted faults found", "shown", "flagged"]
    screen.table(
        rows, columns, title="How often a planted fault is suspected more than a right box"
    )
    listed = [
        {
            "image": row.image,
            "kind": row.kind,
            "label": row.label,
            "suggested": row.suggested,
            "box": ",".join(f"{v:.0f}" for v in row.box),
            "score": row.score,
            "verdict": row.verdict,
        }
        for row in result.rows
    ]
    names = ["image", "kind", "label", "suggested", "box", "score", "verdict"]
    screen.table(listed, names, title=f"Boxes of {settings.taxonomy}", total=result.total)
    judged = f"{counted(result.boxes, 'box', 'boxes')} in {counted(result.images, 'image')} judged"
    screen.line(f"{judged} by {result.detector}, each by parts that have not seen its picture.")
    if result.rows:
        first = result.rows[0]
        screen.line(f"Next: vernis accept {first.kind} {first.image}")


VERB = Verb(Settings, work, show, document=OneOf("rows"))
