"""``vernis history``: every change of an image (of the whole collection: vernis batches)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Annotated

from vernis.domain.history import Change
from vernis.report.wording import counted
from vernis.verbs.declare import BaseSettings, OneOf, Option, Screen, Verb

if TYPE_CHECKING:
    import pandas as pd

    from vernis.session.session import Session


_SHOWN = 200  # characters of a path


@dataclass(frozen=True)
class Settings(BaseSettings):
    """Whose history is shown."""

    image: Annotated[str, Option("path or id")]


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One change of a label, a region, a verdict, the file, or whether it is the one to keep."""

    time: Annotated[str, "UTC"]
    batch: Annotated[int, "the batch that it belongs to"]
    verb: str
    source: Annotated[str, "who said it"]
    taxonomy: str
    label: str
    before: str
    after: str
    note: str
    region: Annotated[int, "id of the region that it is about; 0: the whole image"] = 0


@dataclass(frozen=True, slots=True)
class Result:
    """The changes, oldest first."""

    rows: tuple[ChangeRow, ...]


def work(session: Session, settings: Settings) -> Result:
    """Return everything that changed of an image, oldest first; raises NotFound."""
    return Result(tuple(changes_of_image(session, session.catalog.images.find(settings.image).id)))


def changes_of_image(session: Session, image_id: int) -> list[ChangeRow]:
    """Return everything that changed of an image, oldest first."""
    history = session.catalog.history
    rows = [
        row
        for batch, one in history.changes_of_image(image_id)
        for row in _say(batch, one, session)
    ]
    rows += [
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
            region=event.region,
        )
        for event in history.of_image(image_id)
    ]
    return sorted(rows, key=lambda row: row.batch)


def _say(batch: int, change: Change, session: Session) -> list[ChangeRow]:
    """Return a row for each thing that a change was about, in words."""
    made = session.catalog.history.batch(batch)
    return [
        ChangeRow(
            time=made["time"],
            batch=batch,
            verb=made["verb"],
            source=made["source"],
            taxonomy="",
            label=what,
            before=before,
            after=after,
            note=made["note"],
        )
        for what, before, after in _parts(change)
    ]


def _parts(change: Change) -> list[tuple[str, str, str]]:
    """Return what changed, before and after."""
    before, after = change.before, change.after
    if change.subject == "index":
        named = {"uri": "path", "content_hash": "content", "state": "state"}
        return [
            (word, str(before[name])[:_SHOWN], str(after[name])[:_SHOWN])
            for name, word in named.items()
            if name in after
        ]
    if change.subject == "attribute":
        return [(name, _shown(before[name]), _shown(after[name])) for name in after]
    if change.subject == "region":
        what = counted(change.size, "region")
        said_of = {None: "none", False: "removed", True: "there"}
        return [(what, said_of[before], said_of[after])]
    said = {
        "trash": ("file", "in its folder", "in the trash"),
        "written": ("words in the file", "before the write", "written"),
        "arrival": ("image", "unknown", "listed"),
        "keeper": ("the one to keep", "no", "yes"),
    }
    what, no, yes = said[change.subject]
    return [(what, yes if before else no, yes if after else no)]


def _shown(value: object) -> str:
    return "" if value is None else str(value)[:_SHOWN]


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show the changes as a table."""
    columns = ["time", "batch", "verb", "source", "taxonomy", "label", "before", "after"]
    screen.table(result.rows, columns, title=f"History of {settings.image}")


def frame(session: Session, settings: Settings) -> pd.DataFrame:
    """Return one row a change, oldest first."""
    import pandas as pd

    rows = [asdict(row) for row in work(session, settings).rows]
    return pd.DataFrame(rows, columns=[field.name for field in fields(ChangeRow)])


VERB = Verb(Settings, work, show, document=OneOf("rows"), frame=frame, access="read")
