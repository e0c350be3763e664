"""``vernis restore``: move trashed images back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from vernis.report.wording import counted
from vernis.verbs.decide.trashing import restore_images
from vernis.verbs.declare import BaseSettings, Option, Screen, Verb

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(BaseSettings):
    """What is moved back."""

    images: Annotated[Sequence[str], Option("paths or ids of images (default: all)")] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """What was moved back."""

    restored: Annotated[tuple[str, ...], "paths"]
    skipped: Annotated[Mapping[str, str], "path of each file that was not moved back → reason"]
    batch: Annotated[int, "what vernis undo takes back; 0 when nothing was moved"]


def work(session: Session, settings: Settings) -> Result:
    """Move trashed images back; raises NotFound for one that is not in the trash."""
    with session.lock("restore"):
        done = restore_images(session, session.files.trash(), settings.images)
    return Result(tuple(file.uri for file in done.moved), done.skipped, done.batch)


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show how many were moved back."""
    for uri, reason in result.skipped.items():
        screen.note(f"not moved back: {uri}: {reason}")
    screen.line(f"{counted(len(result.restored), 'image')} moved back")
    if result.batch:
        screen.line(f"(batch {result.batch}; vernis undo {result.batch} moves them there again)")


VERB = Verb(Settings, work, show)
