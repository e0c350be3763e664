"""``vernis keep``: choose the image that stays of a group of duplicates.

The choice holds for every later search, after renames and new indexings too, and the image never
goes to the trash with the duplicates. Of two that are chosen in one group the later is the keeper.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Annotated

from vernis.domain.errors import UsageError
from vernis.report.wording import counted
from vernis.verbs.decide.decisions import by
from vernis.verbs.declare import BaseSettings, Option, Screen, Verb

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(BaseSettings):
    """Which images stay, and by whose choice."""

    images: Annotated[Sequence[str], Option("paths or ids of images")]
    _: KW_ONLY
    release: Annotated[bool, Option("take the choice back: Vernis chooses again")] = False
    who: Annotated[str, Option("your name (default: the login name)")] = ""


@dataclass(frozen=True, slots=True)
class KeptRow:
    """An image that was chosen, or released."""

    image: Annotated[str, "its path"]
    duplicates: Annotated[tuple[str, ...], "paths of its duplicates now"]


@dataclass(frozen=True, slots=True)
class Result:
    """What was chosen."""

    images: tuple[KeptRow, ...]
    batch: Annotated[int, "what vernis undo takes back; 0 when nothing changed"]


def work(session: Session, settings: Settings) -> Result:
    """Choose images to be kept, as one batch; raises NotFound for one that is not there."""
    if not settings.images:
        raise UsageError("say which image stays: vernis keep IMAGE")
    issues = session.catalog.issues
    records = [session.catalog.images.find(text) for text in settings.images]
    gone = next((image for image in records if image.state in ("trashed", "vanished")), None)
    if gone is not None and not settings.release:
        mend = "vernis restore it first" if gone.state == "trashed" else "vernis index first"
        raise UsageError(f"{gone.uri}: it is {gone.state}; {mend}")
    note = ", ".join(image.uri for image in records)[:200]
    change = issues.release if settings.release else issues.keep
    with session.lock("keep"):
        batch = change([image.id for image in records], source=by(settings.who), note=note)
    uris, groups = session.uris(), session.groups()
    rows = []
    for image in records:
        others = [
            uris[other]
            for group in groups
            if image.id in group.images
            for other in group.images
            if other != image.id
        ]
        rows.append(KeptRow(image.uri, tuple(others)))
    return Result(tuple(rows), batch)


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show what stays instead of what."""
    for row in result.images:
        if settings.release:
            screen.line(f"{row.image}: no longer chosen")
        elif row.duplicates:
            rest = ", ".join(row.duplicates[:3]) + (", …" if len(row.duplicates) > 3 else "")
            screen.line(
                f"{row.image} stays, of {counted(len(row.duplicates) + 1, 'copy', 'copies')}"
            )
            screen.line(f"  the rest: {rest}")
        else:
            screen.line(f"{row.image} stays; it has no duplicates now")
    if result.batch:
        screen.line(f"(batch {result.batch}; vernis undo {result.batch} takes it back)")
    else:
        screen.line("nothing changed")


VERB = Verb(Settings, work, show, access="decide")
