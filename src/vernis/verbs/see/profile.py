"""``vernis profile``: what is special to each class of a taxonomy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from vernis.core.explore.periods import Unit
from vernis.domain.errors import UsageError
from vernis.report.wording import counted
from vernis.verbs.declare import BaseSettings, OneOf, Option, Screen, Verb, count, rows_shown
from vernis.verbs.see.flows import TracedFlows, trace_flows
from vernis.verbs.see.periods import OverTime, profile_over
from vernis.verbs.see.profiles import Profile, SpecialRow, file_name, profile_taxonomy

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(BaseSettings):
    """Which classes, compared by what; or the flows to another taxonomy."""

    taxonomy: Annotated[str, Option("the taxonomy")]
    _: KW_ONLY
    by: Annotated[
        Sequence[str],
        Option("compare the labels of this taxonomy (repeatable; default: all)"),
    ] = ()
    class_: Annotated[str, Option("one class alone")] = ""
    over: Annotated[
        Unit | None,
        Option("what the classes show over time, by the date of the post, the picture or the file"),
    ] = None
    to: Annotated[str | None, Option("draw the flows to this taxonomy as a Sankey diagram")] = None
    min_flow: Annotated[int, count("flows of fewer images are added up as 'other'")] = 5
    max_nodes: Annotated[int, count("labels of a side")] = 30
    out: Annotated[
        Path | str | None,
        Option("write figures and tables into this folder (vernis: profile-TAXONOMY)"),
    ] = None
    limit: Annotated[int | None, rows_shown(30)] = None


@dataclass(frozen=True, slots=True)
class Result:
    """The profile, or the flows where ``to`` was given, or the course where ``over`` was."""

    profile: Profile | None
    flows: TracedFlows | None
    course: Annotated[OverTime | None, "with over"] = None


def work(session: Session, settings: Settings) -> Result:
    """Return how often each class is met and what other labels are special to it.

    A label is special to a class when the interval of its lift leaves out 1.

    Raises
    ------
    UsageError
        Both ``to`` and ``over`` are given, or no image has a date.
    """
    out = None if settings.out is None else Path(settings.out)
    if settings.over is not None:
        if settings.to is not None:
            raise UsageError("--to draws flows, --over a course in time: one of the two")
        course = profile_over(
            session,
            settings.taxonomy,
            settings.over,
            by=settings.by,
            only=settings.class_,
            out=out,
        )
        return Result(None, None, course)
    if settings.to is None:
        found = profile_taxonomy(
            session, settings.taxonomy, by=settings.by, only=settings.class_, out=out
        )
        return Result(found, None)
    flows = trace_flows(
        session,
        settings.taxonomy,
        settings.to,
        min_flow=settings.min_flow,
        max_nodes=settings.max_nodes,
        out=out,
    )
    return Result(None, flows)


def prepare(settings: Settings) -> Settings:
    """Return the settings with the folder that the command line writes into."""
    if settings.out is not None:
        return settings
    return replace(settings, out=f"profile-{file_name(settings.taxonomy)}")


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show the classes and what is special to them, or the flows."""
    files: tuple[str, ...] = ()
    if result.flows is not None:
        _show_flows(result.flows, settings, screen)
        files = result.flows.files
    elif result.profile is not None:
        _show_profile(result.profile, settings, screen)
        files = result.profile.files
    elif result.course is not None:
        _show_course(result.course, settings, screen)
        files = result.course.files
    for path in files:
        screen.line(f"  {path}")


def _show_profile(profile: Profile, settings: Settings, screen: Screen) -> None:
    if not settings.class_:
        rows = [
            {"class": row.class_, "count": row.count, "share": f"{row.share:.1%}"}
            for row in profile.classes
        ]
        title = f"{settings.taxonomy}: {counted(profile.labelled, 'labelled image')}"
        screen.table(rows, ["class", "count", "share"], title=title, limit=settings.limit)
    special = _most_special(profile.special, settings)
    if not special:
        screen.line("no label of another taxonomy is surely more or less frequent in a class")
        return
    columns = ["label", "images", "share", "in all", "lift", "interval"]
    if not settings.class_:
        columns.insert(0, "class")
    if len(profile.by) > 1:
        columns.insert(columns.index("label"), "taxonomy")
    title = "What is special: lift = share in the class / share in all labelled images (95 %)"
    shown = special[: settings.limit]
    screen.table(shown, columns, title=title)
    if len(profile.special) > len(shown):
        screen.note(f"{len(profile.special):,} in all: --class NAME, --limit or --json shows them")


_WHENCE = {"feed": "when it was posted", "picture": "when it was taken", "file": "of the file"}


def _show_course(course: OverTime, settings: Settings, screen: Screen) -> None:
    rows = [
        {
            "class": row.class_,
            course.over: row.period,
            "images": row.images,
            "share": "" if row.share is None else f"{row.share:.0%}",
            "labels": list(row.labels),
            "rising": list(row.rising),
        }
        for row in course.rows
        if row.images
    ]
    columns = ["class", course.over, "images", "share", "labels", "rising"]
    title = f"{course.taxonomy} over {counted(len(course.periods), course.over)}"
    screen.table(rows, columns, title=title, limit=settings.limit)
    dates = [f"{_WHENCE[name]} {n:,}" for name, n in course.dated.items()]
    left = f"; {counted(course.undated, 'image')} without a date" if course.undated else ""
    screen.line(f"The date of an image: {', '.join(dates)}{left}.")
    if course.dated.get("file") == sum(course.dated.values()):
        screen.note("all dates are those of the files, which may be when they were copied")


def _most_special(rows: Sequence[SpecialRow], settings: Settings) -> list[dict[str, Any]]:
    """Return the rows as text; of all classes together only the surest three of each."""
    shown: list[dict[str, Any]] = []
    taken: dict[str, int] = {}
    for row in rows:
        taken[row.class_] = taken.get(row.class_, 0) + 1
        if settings.class_ or (taken[row.class_] <= 3 and row.low > 1):
            shown.append(
                {
                    "class": row.class_,
                    "taxonomy": row.taxonomy,
                    "label": row.label,
                    "images": f"{row.images:,} of {row.of:,}",
                    "share": f"{row.share:.1%}",
                    "in all": f"{row.whole_share:.1%}",
                    "lift": f"{row.lift:.2f}",
                    "interval": f"{row.low:.2f}-{row.high:.2f}",
                }
            )
    return shown


def _show_flows(flows: TracedFlows, settings: Settings, screen: Screen) -> None:
    rows = [
        {
            "from": row.from_,
            "to": row.to,
            "images": row.images,
            "share": f"{row.share:.1%}",
            "lift": row.lift,
        }
        for row in flows.flows
    ]
    title = f"From {flows.from_} to {flows.to}"
    columns = ["from", "to", "images", "share", "lift"]
    screen.table(rows, columns, title=title, limit=settings.limit)
    screen.line(flows.note)


VERB = Verb(
    Settings,
    work,
    show,
    document=OneOf("flows", "course", "profile"),
    for_people=prepare,
)
