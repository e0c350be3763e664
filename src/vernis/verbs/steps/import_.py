"""``vernis import``: import the labels of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from vernis.domain.errors import InvalidLabels
from vernis.verbs.declare import Option, Screen, Verb
from vernis.verbs.steps.label_import import ReadTable, import_labels, note_left_out, read_table
from vernis.verbs.steps.table_settings import TableSettings

if TYPE_CHECKING:
    from vernis.core.words.sheets import LeftOut, Sheet
    from vernis.session.session import Session

_SHOWN = 20
_CLASSES_SHOWN = 8


@dataclass(frozen=True)
class Settings(TableSettings):
    """What is imported."""

    file: Annotated[
        Path | str,
        Option(
            "a table (CSV, TSV, Excel, OpenDocument, Parquet): a column that names the images, and "
            "columns of classes"
        ),
    ]
    _: KW_ONLY
    dry_run: Annotated[bool, Option("show what would be taken, and change nothing")] = False


@dataclass(frozen=True, slots=True)
class ColumnRow:
    """What a column is taken for."""

    column: str
    taken_as: Annotated[str, "taxonomy, class (of several columns of yes and no), split, metadata"]
    kind: Annotated[str, "single or multi; empty where it is no taxonomy"]
    images: Annotated[int | None, "with a label; null where it is no taxonomy"]
    classes: Annotated[tuple[str, ...], "their names, the most frequent first"]
    why: Annotated[str, "how its cells were read, or why it is no taxonomy"]


@dataclass(frozen=True, slots=True)
class LeftOutRow:
    """A row, or a cell of it, that was left out."""

    row: Annotated[int, "as a spreadsheet numbers it"]
    image: str
    column: Annotated[str, "empty: the whole row"]
    cell: str
    reason: str


@dataclass(frozen=True, slots=True)
class Result:
    """What an import did, or would do."""

    rows: Annotated[int, "rows of the table that name an image"]
    images: Annotated[int, "images that a row is about"]
    image_column: Annotated[str, "column that names the images"]
    labelled: Annotated[Mapping[str, int], "taxonomy → images with a label"]
    columns: Annotated[tuple[ColumnRow, ...], "the other columns, in the order of the table"]
    left_out: Annotated[tuple[LeftOutRow, ...], "rows and cells that could not be taken"]
    import_notes: Annotated[str | None, "the table of what was left out; null: nothing, or dry run"]
    dry_run: Annotated[bool, "nothing was changed"]
    notes: Annotated[tuple[str, ...], "how the table was read, what was left out, and why"]


def work(session: Session, settings: Settings) -> Result:
    """Record the labels of a table as given ones, one batch a taxonomy.

    A row decides about its image: labels that were given before and are not in the row any more
    are withdrawn. Images without a row keep their labels. Blank cells mean unknown. Rows that
    contradict each other, rows of missing images and cells that cannot be understood are left out
    and listed in ``import-notes.csv`` of the collection.
    """
    sheets = session.read_sheets(Path(settings.file))
    if settings.dry_run:
        read = read_table(session, sheets, settings)
        return _result(read, [*read.notes, *note_left_out(read.table.source, read.left_out)])
    result = import_table(session, sheets, settings)
    if not result.labelled and not any(row.taken_as == "split" for row in result.columns):
        raise InvalidLabels(result.notes[-1])
    return result


def import_table(session: Session, sheets: Sequence[Sheet], settings: TableSettings) -> Result:
    """Record the labels of a table that was read; one that holds nothing usable changes nothing."""
    with session.lock("import"):
        read = read_table(session, sheets, settings)
        listed = session.write_import_notes(read.table.source, read.left_out)
        retired = import_labels(session, read, settings) if read.is_usable else ()
    said = note_left_out(read.table.source, read.left_out, str(listed or ""))
    return _result(
        read, [*said, *read.notes, *retired], None if listed is None else str(listed), done=True
    )


def _result(
    read: ReadTable, notes: Sequence[str], listed: str | None = None, *, done: bool = False
) -> Result:
    usable = read.is_usable
    return Result(
        rows=len(read.table.images),
        images=read.reading.images,
        image_column=read.table.image_column,
        labelled={n: found.labelled for n, found in read.labels.items()} if usable else {},
        columns=tuple(_columns(read)),
        left_out=tuple(map(_left_out_row, read.left_out)),
        import_notes=listed,
        dry_run=not done,
        notes=tuple(notes),
    )


def _columns(read: ReadTable) -> list[ColumnRow]:
    how = {taxonomy.name: taxonomy.how for taxonomy in read.reading.taxonomies}
    rows = []
    for use in read.reading.uses:
        labels = read.labels.get(use.name) if use.role == "taxonomy" else None
        counts: dict[str, int] = {}
        for cell in labels.yes.values() if labels is not None else ():
            for label in cell:
                counts[label] = counts.get(label, 0) + 1
        classes = sorted(counts, key=lambda name: (-counts[name], name))
        rows.append(
            ColumnRow(
                use.name,
                use.role,
                labels.kind if labels is not None else "",
                labels.labelled if labels is not None else None,
                tuple(classes),
                how.get(use.name, "") if labels is not None else use.reason,
            )
        )
    return rows


def _left_out_row(entry: LeftOut) -> LeftOutRow:
    return LeftOutRow(entry.row, entry.image, entry.column, entry.cell, entry.reason)


def show(result: Result, settings: Settings, screen: Screen) -> None:
    """Show the counts; of a dry run every column and what would be left out."""
    labelled = {f"labelled in {name}": n for name, n in result.labelled.items()}
    screen.facts({"rows": result.rows, "images": result.images, **labelled})
    if not result.dry_run:
        return
    rows = [
        {
            "column": row.column,
            "taken as": row.taken_as,
            "kind": row.kind,
            "images": "" if row.images is None else row.images,
            "classes": _shown(row.classes),
            "how, or why not": row.why,
        }
        for row in result.columns
    ]
    columns = ["column", "taken as", "kind", "images", "classes", "how, or why not"]
    screen.table(rows, columns, title=f"Would be taken (images: {result.image_column})")
    if result.left_out:
        columns = ["row", "image", "column", "cell", "reason"]
        screen.table(result.left_out[:_SHOWN], columns, title="Would be left out")
        if len(result.left_out) > _SHOWN:
            screen.line(f"{len(result.left_out) - _SHOWN:,} more; --json lists them all.")
    screen.line("Nothing was changed.")


def _shown(classes: Sequence[str]) -> str:
    more = f" | … ({len(classes)})" if len(classes) > _CLASSES_SHOWN else ""
    return " | ".join(classes[:_CLASSES_SHOWN]) + more


VERB = Verb(Settings, work, show)
