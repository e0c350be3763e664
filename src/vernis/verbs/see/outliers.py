"""``vernis outliers``: find images that resemble nothing, or not their class."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from vernis.domain.types import Verdict
from vernis.report.wording import counted
from vernis.verbs.declare import BaseSettings, Fields, Option, Screen, Verb, rows_shown
from vernis.verbs.see.outlier_scores import KIND, OutlierSummary, find_outliers

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(BaseSettings):
    """What images are held against, and how many are listed."""

    taxonomy: Annotated[str, Option("far from their class in it (default: from all images)")] = ""
    _: KW_ONLY
    space: Annotated[str | None, Option("embedding space (default: the current one)")] = None
    all: Annotated[bool, Option("every image with its score")] = False
    limit: Annotated[int | None, rows_shown()] = None
    sheet: Annotated[Path | str | None, Option("draw the worst ones as a contact sheet")] = None


@dataclass(frozen=True, slots=True)
class OutlierRow:
    """How far an image lies."""

    image: Annotated[str, "path"]
    score: Annotated[float, "0 to 1, low = far"]
    label: Annotated[str, "the class that it is far from; empty: far from all images"]
    distance: Annotated[float | None, "to its neighbours, 1 - cosine"]
    verdict: str
    flagged: bool


@dataclass(frozen=True, slots=True)
class Result:
    """The outliers, worst first."""

    summary: OutlierSummary
    outliers: tuple[OutlierRow, ...]
    total: Annotated[int, "rows in all, listed or not"]
    sheet: Annotated[str | None, "path of the contact sheet"]
    notes: tuple[str, ...]


def work(session: Session, settings: Settings) -> Result:
    """Find images far from everything, or with a taxonomy far from their class.

    Listed are the flagged images that nobody dismissed, or all with ``all``.
    """
    summary = find_outliers(session, session.space(settings.space), settings.taxonomy)
    verdicts: tuple[Verdict, ...] | None = None if settings.all else ("open", "accepted")
    found = session.catalog.issues.select(
        (KIND,), settings.taxonomy, flagged_only=not settings.all, verdicts=verdicts
    )
    uris = session.uris()
    rows = [
        OutlierRow(
            image=uris[issue.image_id],
            score=issue.score,
            label=issue.label,
            distance=issue.evidence.get("distance"),
            verdict=issue.verdict,
            flagged=issue.flagged,
        )
        for issue in found
    ]
    notes = [] if not summary.unjudged else [_say_unjudged(summary)]
    sheet = None
    if settings.sheet is not None and rows:
        from vernis.verbs.see.sheets import write_outlier_sheet

        sheet = str(write_outlier_sheet(session, rows, settings.sheet))
    elif settings.sheet is not None:
        notes.append("no sheet is drawn: there is no outlier")
    return Result(summary, tuple(rows[: settings.limit]), len(rows), sheet, tuple(notes))


def _say_unjudged(summary: OutlierSummary) -> str:
    few = counted(len(summary.unjudged), "class has", "classes have")
    return f"{few} too few images to judge: {', '.join(summary.unjudged[:5])}"


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show a row an image."""
    columns = ["image", "score", "label", "distance", "verdict"]
    if not settings.taxonomy:
        columns.remove("label")
    summary = result.summary
    are = "is an outlier" if summary.flagged == 1 else "are outliers"
    title = f"{summary.flagged:,} of {counted(summary.images, 'image')} {are}"
    screen.table(result.outliers, columns, title=title, total=result.total)
    if result.sheet is not None:
        screen.line(result.sheet)


VERB = Verb(
    Settings,
    work,
    show,
    document=Fields("summary", "outliers"),
)
