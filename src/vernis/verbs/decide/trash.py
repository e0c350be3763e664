"""``vernis trash``: move duplicates to a trash folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from vernis.domain.errors import UsageError
from vernis.domain.types import DuplicateKind
from vernis.report.wording import counted
from vernis.verbs.decide.keepers import PREFER, prefer_folders, read_folders
from vernis.verbs.decide.trashing import TrashSummary, plan_trash, reconcile_trash, trash_images
from vernis.verbs.declare import BaseSettings, Option, Screen, Verb

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(BaseSettings):
    """What is moved."""

    _: KW_ONLY
    duplicates: Annotated[bool, Option("the duplicates; of each group one image stays")] = False
    kind: Annotated[
        DuplicateKind,
        Option("the weakest kind of duplicate to move; near also moves near duplicates"),
    ] = "pixels"
    prefer: Annotated[Sequence[Path | str], PREFER] = ()
    dry_run: Annotated[bool, Option("only say what would be moved")] = False


@dataclass(frozen=True, slots=True)
class MovedRow:
    """A file that was moved, or would be."""

    image: Annotated[str, "its path"]
    keeper: Annotated[str, "path of the image that stays for it"]
    kind: Annotated[str, "bytes, pixels or near"]


@dataclass(frozen=True, slots=True)
class Result:
    """What was moved."""

    moved: tuple[MovedRow, ...]
    skipped: Annotated[Mapping[str, str], "path of each file that was not moved → reason"]
    trash: Annotated[str, "the trash folder"]
    batch: Annotated[int, "what vernis undo takes back; 0 when nothing was moved"]
    carried: Annotated[int, "labels that images which stay were given of their duplicates"]


def work(session: Session, settings: Settings) -> Result:
    """Move the duplicates, not the keepers, to the collection's trash folder."""
    if not settings.duplicates:
        raise UsageError("say what goes to the trash: --duplicates")
    trash = session.files.trash()
    if settings.dry_run:
        folders = read_folders(session, settings.prefer) if settings.prefer else None
        done = TrashSummary(plan_trash(session, settings.kind, prefer=folders))
    else:
        with session.lock("trash"):
            # What a killed run moved is no more to be moved.
            reconcile_trash(session.catalog, trash)
            prefer_folders(session, settings.prefer)
            done = trash_images(session, trash, plan_trash(session, settings.kind))
    rows = tuple(MovedRow(file.uri, file.keeper, file.kind) for file in done.moved)
    return Result(rows, done.skipped, str(trash.folder), done.batch, done.carried)


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show each file with the one that stays."""
    for row in result.moved:
        said = f"{row.image}  (kept: {row.keeper})"
        screen.line(said.replace("\n", "\\n"))  # one file, one line
    for uri, reason in result.skipped.items():
        screen.note(f"not moved: {uri}: {reason}")
    done = "would be moved" if settings.dry_run else "moved"
    screen.line(f"{counted(len(result.moved), 'image')} {done} to {result.trash}")
    if result.carried:
        screen.line(f"{counted(result.carried, 'label')} of theirs went to the images that stay")
    if result.batch:
        screen.line(f"(batch {result.batch}; vernis undo {result.batch} moves them back)")


VERB = Verb(Settings, work, show)
