"""``vernis show``: everything that is known of an image.

Its file, the text, the brands and the objects in it, what the shipped network takes it for, its
colours and its type, its labels with who gave them, what is suggested and suspected, its copies,
its quality and its history. For many images ``--all --out FILE`` writes JSON Lines, a record a
line.
"""

from __future__ import annotations

import json
import webbrowser
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from vernis.domain.documents import to_document
from vernis.domain.errors import UsageError
from vernis.domain.types import IMAGE_STATES
from vernis.report.tables import write_parts
from vernis.report.wording import counted
from vernis.verbs.decide.label_places import LabelPlace, say_place
from vernis.verbs.declare import BaseSettings, OneOf, Option, Screen, Verb
from vernis.verbs.see.filters import chosen_images
from vernis.verbs.see.records import LabelRow, Record, records

if TYPE_CHECKING:
    from vernis.session.session import Session


@dataclass(frozen=True)
class Settings(BaseSettings):
    """Which image is shown."""

    image: Annotated[str | None, Option("path or id")] = None
    _: KW_ONLY
    all: Annotated[bool, Option("write the records of all images that are present")] = False
    where: Annotated[str, Option("of --all: only images that this filter holds for")] = ""
    out: Annotated[Path | str | None, Option("of --all: the file, one record a line")] = None
    open: Annotated[
        bool, Option("on the command line: open the file, a video at the time, a PDF at the page")
    ] = False


@dataclass(frozen=True, slots=True)
class Written:
    """A file of records."""

    path: str
    records: int


@dataclass(frozen=True, slots=True)
class Result:
    """The record of one image, or the file of many."""

    record: Record | None
    written: Annotated[Written | None, "with --all"] = None


def work(session: Session, settings: Settings) -> Result:
    """Return the record of an image, or write those of all.

    Raises
    ------
    UsageError
        Neither an image nor ``all`` with a file is named, or both.
    NotFound
        There is no such image.
    StorageError
        The file cannot be written.
    """
    if settings.all == (settings.image is not None):
        raise UsageError("name an image, or write all of them: vernis show --all --out FILE")
    if settings.image is not None:
        if settings.out is not None or settings.where:
            raise UsageError("--out and --where are of --all; one image is shown: --json")
        image = session.catalog.images.find(settings.image)
        return Result(next(records(session, [image])))
    if settings.out is None:
        raise UsageError("where are the records to be written? vernis show --all --out FILE")
    path = Path(settings.out)
    if path.is_dir():
        raise UsageError(f"{path}: is a folder; name a file, such as {path / 'records.jsonl'}")
    ids = {image.id for image in chosen_images(session, settings.where)}
    wanted = [image for image in session.images(*IMAGE_STATES) if image.id in ids]
    write_parts(path, _lines(session, records(session, wanted), len(wanted)))
    return Result(None, Written(str(path), len(wanted)))


def _lines(session: Session, found: Iterable[Record], total: int) -> Iterator[bytes]:
    session.progress("show", 0, total)
    for done, record in enumerate(found, 1):
        text = json.dumps(to_document(record, 6), ensure_ascii=False, allow_nan=False)
        yield f"{text}\n".encode()
        session.progress("show", done, total)


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show the record in sections, those that hold something; open the file where asked."""
    if result.written is not None:
        screen.line(f"{counted(result.written.records, 'record')} in {result.written.path}")
    record = result.record
    if record is None:
        return
    if settings.open:
        webbrowser.open(record.address)
    facts = {
        "id": record.id,
        "lies in": _said_place(record),
        "state": f"{record.state}: {record.reason}" if record.reason else record.state,
        "picture": _said_picture(record),
        "bytes": record.size or "",
        "modified": record.modified,
        "split": record.split,
        **record.metadata,
        "text": _said_text(record),
        "shows": [f"{one.what} {one.probability:.0%}" for one in record.tags],
        "colours": [f"{one.what} {one.probability:.0%}" for one in record.colors],
        "type": [f"{one.what} {one.probability:.0%}" for one in record.type],
        "copies": record.duplicates.others if record.duplicates else "",
        "keep": record.duplicates.keeper if record.duplicates else "",
    }
    screen.facts({k: v for k, v in facts.items() if v not in ("", None, [])}, title=record.image)
    if record.text:
        screen.table(record.text, ["text", "confidence", "height"], title="Text")
    if record.logos:
        screen.table(record.logos, ["text", "confidence", "height"], title="Logos")
    for brands in record.brands:
        columns = ["brand", "reading", "distance", "certainty", "confidence", "box"]
        screen.table(brands.read, columns, title=f"Read of {brands.taxonomy}")
    if record.objects:
        columns = ["label", "taxonomy", "probability", "holds", "box", "source", "region"]
        screen.table(record.objects, columns, title="Objects")
    rows = [_label_row(row) for row in record.labels if not row.is_proposed]
    if rows:
        screen.table(rows, list(rows[0]), title="Labels")
    if record.suggestions:
        columns = ["taxonomy", "label", "probability", "source", "place"]
        suggested = [
            {**to_document(one), "place": _said([one.place])} for one in record.suggestions
        ]
        screen.table(suggested, _filled(columns, suggested), title="Suggested")
    if record.issues:
        columns = ["kind", "taxonomy", "score", "suggested", "place", "other", "verdict", "note"]
        suspected = [{**to_document(one), "place": _said(one.places[:1])} for one in record.issues]
        screen.table(suspected, _filled(columns, suspected), title="Suspected")
    if record.quality:
        worst = sorted(record.quality.items(), key=lambda item: item[1])[:3]
        screen.facts(dict(worst), title="Quality, the lowest scores")
    if record.history:
        columns = ["time", "verb", "source", "taxonomy", "label", "before", "after"]
        changes = [row for row in record.history if not row.region]
        screen.table(changes, columns, title="History")
        left = len(record.history) - len(changes)
        if left:
            screen.line(f"{counted(left, 'change')} of what regions show: vernis history")


def _said_picture(record: Record) -> str:
    """Return size and format as far as they are known."""
    size = f"{record.width} x {record.height} px" if record.width and record.height else ""
    return ", ".join(said for said in (size, record.format) if said)


def _said_text(record: Record) -> str | int:
    if record.text is None:
        return "" if record.state == "unreadable" else "not read (vernis read)"
    return len(record.text) or "none"


def _said(places: Sequence[LabelPlace | None]) -> str:
    return " ".join(say_place(place) for place in places if place is not None)


def _filled(columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> list[str]:
    """Return the columns without that of places where none is known."""
    return [name for name in columns if name != "place" or any(row["place"] for row in rows)]


def _said_place(record: Record) -> str:
    """Return where a frame, page or picture of slides lies, in words; empty for other images."""
    said = record.metadata
    if "inside" not in said:
        return ""
    if "time" in said:
        minutes, seconds = divmod(float(said["time"]), 60)
        return f"{int(minutes)}:{seconds:06.3f} of {said['inside']}"
    return f"page {said['page']} of {said['inside']}" if "page" in said else str(said["inside"])


def _label_row(row: LabelRow) -> dict[str, object]:
    return {
        "taxonomy": row.taxonomy,
        "label": row.label,
        "holds": row.holds,
        "said_by": [f"{one.source}: {one.state}" for one in row.sources],
    }


VERB = Verb(Settings, work, show, document=OneOf("record", "written"), access="read")
