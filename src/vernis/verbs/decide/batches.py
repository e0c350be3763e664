"""``vernis batches``: the latest batches of changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Annotated

from vernis.verbs.decide.undoing import say_changes
from vernis.verbs.declare import BaseSettings, OneOf, Screen, Verb, count

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(BaseSettings):
    """How many are shown."""

    _: KW_ONLY
    limit: Annotated[int, count("batches")] = 20


@dataclass(frozen=True, slots=True)
class BatchRow:
    """Changes that were made together, and that one undo takes back."""

    id: int
    time: Annotated[str, "UTC"]
    verb: str
    source: Annotated[str, "who made them"]
    note: str
    events: Annotated[int, "changes"]
    changes: Annotated[Mapping[str, int], "how many of what: label, verdict, trash, taxonomy…"]
    undone: Annotated[bool, "whether it was taken back"]
    undoes: Annotated[int | None, "the batch that it takes back"]
    undone_by: Annotated[int | None, "the batch that took it back"]
    skipped: Annotated[int, "labels that an undo left as they are"]


@dataclass(frozen=True, slots=True)
class Result:
    """The latest batches, newest first."""

    rows: tuple[BatchRow, ...]


def work(session: Session, settings: Settings) -> Result:
    """Return the latest batches of changes, newest first."""
    return Result(tuple(BatchRow(**row) for row in session.catalog.history.batches(settings.limit)))


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show the batches as a table."""
    rows = [
        {
            "id": row.id,
            "time": row.time[:16].replace("T", " "),
            "verb": row.verb,
            "by": row.source.removeprefix("human:"),
            "changed": say_changes(row.changes),
            "note": row.note,
            "undone": row.undone,
        }
        for row in result.rows
    ]
    columns = ["id", "time", "verb", "by", "changed", "note", "undone"]
    screen.table(rows, columns, title="" if rows else "Nothing was changed yet.")


VERB = Verb(Settings, work, show, document=OneOf("rows"), access="read")
