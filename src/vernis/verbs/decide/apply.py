"""``vernis apply``: take over the decisions of another copy of the collection, or of a report."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from vernis.report.wording import counted
from vernis.verbs.decide.decisions import by
from vernis.verbs.decide.handing_over import Conflict, compare, take_over
from vernis.verbs.declare import BaseSettings, Option, Screen, Verb

if TYPE_CHECKING:
    from vernis.session.session import Session

_MOST_NAMED = 3


@dataclass(frozen=True)
class Settings(BaseSettings):
    """Which file, and who wins."""

    file: Annotated[Path | str, Option("a file of vernis export decisions, or saved from a report")]
    _: KW_ONLY
    theirs: Annotated[
        bool, Option("the file wins where somebody decided otherwise here (default: what is here)")
    ] = False
    dry_run: Annotated[bool, Option("show what would be taken over, and change nothing")] = False
    who: Annotated[str, Option("your name (default: the login name)")] = ""


@dataclass(frozen=True, slots=True)
class Result:
    """What was taken over."""

    source: Annotated[str, "name of the collection that the decisions come from"]
    labels: Annotated[int, "labels taken over"]
    verdicts: Annotated[int, "issues decided"]
    keepers: Annotated[int, "images chosen to be kept"]
    regions: Annotated[int, "regions drawn, labelled or taken away"]
    known: Annotated[int, "decisions that are the same here already"]
    conflicts: Annotated[tuple[Conflict, ...], "decided otherwise here"]
    missing: Annotated[tuple[str, ...], "paths of images that are not in this collection"]
    batch: Annotated[int, "what vernis undo takes back; 0 when nothing changed"]
    dry_run: bool
    notes: tuple[str, ...] = ()


def work(session: Session, settings: Settings) -> Result:
    """Take over labels, verdicts, keepers and regions, each image known by content, then by path.

    What somebody decided otherwise here stays, unless ``theirs``, and is listed. All of it is one
    batch. Labels keep their source; verdicts and keepers are those of who takes them over.

    Raises
    ------
    InvalidLabels
        If the file holds no decisions.
    """
    path, who = Path(settings.file), by(settings.who)
    handed = session.interchange.read_decisions(path)
    with nullcontext() if settings.dry_run else session.lock("apply"):
        found = compare(session, handed, theirs=settings.theirs, who=who)
        batch = 0
        if len(found) and not settings.dry_run:
            batch = take_over(session, handed, found, who=who, note=path.name)
    notes = []
    if found.missing:
        named = ", ".join(list(found.missing)[:_MOST_NAMED])
        notes.append(
            f"{counted(len(found.missing), 'image')} of the file not in this collection: {named}"
            + (", …" if len(found.missing) > _MOST_NAMED else "")
        )
    if found.unmatched_issues:
        notes.append(
            f"{counted(found.unmatched_issues, 'verdict')} about issues that this collection does "
            "not have; vernis run finds its issues, then apply the file again"
        )
    if found.regions.unmatched:
        notes.append(
            f"{counted(found.regions.unmatched, 'rejected region')} of models that were not found "
            "here; run the same model, then apply the file again"
        )
    return Result(
        source=handed.collection,
        labels=sum(map(len, found.statements.values())),
        verdicts=sum(map(len, found.verdicts.values())),
        keepers=sum(map(len, found.keepers.values())),
        regions=len(found.regions),
        known=found.known,
        conflicts=tuple(found.conflicts),
        missing=tuple(found.missing),
        batch=batch,
        dry_run=settings.dry_run,
        notes=tuple(notes),
    )


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show the counts, and the conflicts as a table."""
    taken = {
        "labels": result.labels,
        "verdicts": result.verdicts,
        "keepers": result.keepers,
        "regions": result.regions,
        "known already": result.known,
        "conflicts": len(result.conflicts),
    }
    screen.facts(taken)
    if result.conflicts:
        title = (
            "Decided otherwise here: the file won"
            if settings.theirs
            else ("Decided otherwise here, and left so (--theirs takes the file's)")
        )
        screen.table(result.conflicts, ["image", "what", "here", "there"], title=title)
    if result.dry_run:
        screen.line("nothing was changed (--dry-run)")
    elif result.batch:
        screen.line(f"(batch {result.batch}; vernis undo {result.batch} takes it back)")
    else:
        screen.line("nothing changed")


VERB = Verb(Settings, work, show)
