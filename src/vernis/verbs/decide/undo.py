"""``vernis undo``: take a batch of changes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from vernis.report.wording import counted
from vernis.verbs.declare import BaseSettings, Option, Screen, Verb

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(BaseSettings):
    """What is taken back."""

    batch: Annotated[int | None, Option("its number (default: the latest that is not undone)")] = (
        None
    )


@dataclass(frozen=True, slots=True)
class Result:
    """What was taken back."""

    id: Annotated[int, "the batch that holds the inverse; undoing it does the changes again"]
    undoes: Annotated[int | None, "the batch that was taken back"]
    events: Annotated[int, "changes taken back"]
    skipped: Annotated[int, "labels that were changed later and stay as they are"]


def work(session: Session, settings: Settings) -> Result:
    """Append the inverse of a batch; raises NotFound."""
    history = session.catalog.history
    row = history.batch(history.undo(settings.batch))
    return Result(id=row["id"], undoes=row["undoes"], events=row["events"], skipped=row["skipped"])


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show what was taken back and how it is done again."""
    screen.line(
        f"took back batch {result.undoes}: {counted(result.events, 'change')} "
        f"(batch {result.id}; vernis undo {result.id} does it again)"
    )
    if result.skipped:
        one = "label was changed later and stays as it is"
        many = "labels were changed later and stay as they are"
        screen.note(f"{counted(result.skipped, one, many)}.")


VERB = Verb(Settings, work, show)
