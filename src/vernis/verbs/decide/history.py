"""``vernis history``: every change of an image."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Annotated

from vernis.verbs.declare import BaseSettings, Option, Screen, Verb

if TYPE_CHECKING:
    import pandas as pd

    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(BaseSettings):
    """Whose history is shown."""

    image: Annotated[str, Option("path or id")]


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One change of a label or a verdict."""

    time: Annotated[str, "UTC"]
    batch: Annotated[int, "the batch that it belongs to"]
    verb: str
    source: Annotated[str, "who said it"]
    taxonomy: str
    label: str
    before: str
    after: str
    note: str


@dataclass(frozen=True, slots=True)
class Result:
    """The changes, oldest first."""

    rows: tuple[ChangeRow, ...]


def work(session: Session, settings: Settings) -> Result:
    """Return every change of an image's labels and verdicts, oldest first; raises NotFound."""
    record = session.catalog.images.find(settings.image)
    return Result(
        tuple(
            ChangeRow(
                time=event.time,
                batch=event.batch_id,
                verb=event.verb,
                source=event.source,
                taxonomy=event.taxonomy,
                label=event.label,
                before=event.before,
                after=event.after,
                note=event.note,
            )
            for event in session.catalog.history.of_image(record.id)
        )
    )


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show the changes as a table."""
    columns = ["time", "batch", "verb", "source", "taxonomy", "label", "before", "after"]
    screen.table(result.rows, columns, title=f"History of {settings.image}")


def frame(session: Session, settings: Settings) -> pd.DataFrame:
    """Return one row a change, oldest first."""
    import pandas as pd

    rows = [asdict(row) for row in work(session, settings).rows]
    return pd.DataFrame(rows, columns=[field.name for field in fields(ChangeRow)])


VERB = Verb(Settings, work, show, document=lambda result: result.rows, frame=frame)
