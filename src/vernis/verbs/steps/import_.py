"""``vernis import``: import the labels of a table, or of another tool's files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import KW_ONLY, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from vernis.core.exchange.sources import MODEL
from vernis.core.words.sheets import is_long_table
from vernis.domain.errors import InvalidLabels, UsageError
from vernis.verbs.declare import Option, Screen, Verb
from vernis.verbs.steps.exchange_import import import_files, read_files
from vernis.verbs.steps.export import FormatName, LossRow, show_losses
from vernis.verbs.steps.file_words import DEFAULT_TAXONOMY, import_metadata, read_metadata
from vernis.verbs.steps.label_import import ReadTable, import_labels, note_left_out, read_table
from vernis.verbs.steps.table_settings import TableSettings

if TYPE_CHECKING:
    from vernis.core.words.sheets import LeftOut, Sheet
    from vernis.session.session import Session

_SHOWN = 20
_OF_TOOLS = frozenset({".json", ".jsonl", ".xml", ".yaml", ".yml"})
_TABLES = frozenset({"csv", "tsv", "xlsx", "parquet"})
_LONG: Mapping[str, FormatName] = {
    ".csv": "csv-long",
    ".tsv": "tsv-long",
    ".xlsx": "xlsx-long",
    ".parquet": "parquet-long",
}
_CLASSES_SHOWN = 8


def read_model(text: str) -> str:
    """Return ``model:NAME`` as it is; raises ValueError for what is none."""
    if text and not (text.startswith(MODEL) and text.removeprefix(MODEL).strip()):
        raise ValueError(f"{MODEL}NAME, got {text!r}")
    return text


@dataclass(frozen=True)
class Settings(TableSettings):
    """What is imported."""

    file: Annotated[
        Path | str,
        Option(
            "a table (CSV, TSV, Excel, OpenDocument, Parquet): a column that names the images, and "
            "columns of classes; or the file or folder of another tool; with --format xmp the "
            "images whose files are read"
        ),
    ]
    _: KW_ONLY
    format: Annotated[
        FormatName | Literal["auto", "xmp"],
        Option(
            "the format of the file or folder, where it does not tell itself; xmp: keywords, "
            "captions, ratings, dates and places of the image files and their sidecars"
        ),
    ] = "auto"
    source: Annotated[
        str,
        Option(
            "files of other tools: the model whose labels and boxes these are; they are kept as "
            "its proposals",
            "model:NAME",
            parse=read_model,
        ),
    ] = ""
    zero_based: Annotated[bool, Option("Pascal VOC: the first pixel is 0, not 1")] = False
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
    format: Annotated[str, "table, or the format of another tool"] = "table"
    losses: Annotated[tuple[LossRow, ...], "what the collection does not hold, counted"] = ()
    regions: Annotated[int, "boxes and other places in the images"] = 0


def work(session: Session, settings: Settings) -> Result:
    """Record the labels of a table, or of another tool's files, as given ones, as one batch.

    Boxes and other regions come along, with the ids, attributes and classes of the tool, which go
    back to it on export. The class of a box is a label of its image, too. What a file lists as
    predictions of a model (Label Studio), or ``source`` says is one's, is kept as its proposal.

    A row decides about its image: labels that were given before and are not in the row any more
    are withdrawn. Images without a row keep their labels. Blank cells mean unknown. Rows that
    contradict each other, rows of missing images and cells that cannot be understood are left out
    and listed in ``import-notes.csv`` of the collection.
    """
    if settings.format == "xmp":
        return _import_metadata(session, settings)
    if _is_of_a_tool(session, settings):
        return _import_files(session, settings)
    if settings.source or settings.zero_based:
        raise UsageError("--source and --zero-based are of files of other tools, not of tables")
    sheets = session.interchange.read_sheets(Path(settings.file))
    if settings.format == "auto" and (long := _long_format(sheets)):
        return _import_files(session, replace(settings, format=long))
    if settings.dry_run:
        read = read_table(session, sheets, settings)
        return _result(read, [*read.notes, *note_left_out(read.table.source, read.left_out)])
    result = import_table(session, sheets, settings)
    if not result.labelled and not any(row.taken_as == "split" for row in result.columns):
        raise InvalidLabels(result.notes[-1])
    return result


def _long_format(sheets: Sequence[Sheet]) -> FormatName | None:
    """Return the format of a table with a row a label; None for one of another kind."""
    if not sheets or not is_long_table(sheets[0].header):
        return None
    return _LONG.get(Path(sheets[0].source).suffix.lower())


def _is_of_a_tool(session: Session, settings: Settings) -> bool:
    """Tell whether a file or folder is no table of labels; one of boxes is none."""
    if settings.format != "auto":
        return settings.format not in _TABLES
    path = Path(settings.file)
    if path.is_dir() or path.suffix.lower() in _OF_TOOLS:
        return True
    told = (settings.image_column, settings.separator, settings.one_hot, settings.row)
    return all(one is None for one in told) and session.interchange.holds_boxes(path)


def _import_metadata(session: Session, settings: Settings) -> Result:
    path = Path(settings.file)
    taxonomy = _one_taxonomy(settings) or DEFAULT_TAXONOMY
    with nullcontext() if settings.dry_run else session.lock("import"):
        read = read_metadata(session, path, taxonomy)
        if not settings.dry_run:
            import_metadata(session, read, taxonomy)
    return Result(
        rows=len(read.images) + len(read.left_out),
        images=len(read.images),
        image_column="",
        labelled={taxonomy: read.labelled} if read.labelled else {},
        columns=(),
        left_out=tuple(map(_left_out_row, read.left_out)),
        import_notes=None,
        dry_run=settings.dry_run,
        notes=(*note_left_out(read.source, read.left_out), *read.notes),
        format="xmp",
        regions=read.counted_regions,
    )


def _one_taxonomy(settings: Settings) -> str:
    named = list(settings.taxonomy or ())
    if len(named) > 1:
        raise UsageError("name one taxonomy, for the classes of a format that has none")
    return named[0] if named else ""


def _import_files(session: Session, settings: Settings) -> Result:
    path = Path(settings.file)
    if not path.exists():
        raise UsageError(f"{path}: no such file or folder")
    taxonomy = _one_taxonomy(settings)
    try:
        read_model(settings.source)
    except ValueError as error:
        raise UsageError(f"expected a source of {error}") from error
    with nullcontext() if settings.dry_run else session.lock("import"):
        read = read_files(
            session,
            path,
            settings.format,
            taxonomy=taxonomy,
            source=settings.source,
            zero_based=settings.zero_based,
        )
        missing = [name for name in settings.closed if name not in read.labels]
        if missing:
            raise UsageError(
                f"{read.source}: no taxonomy '{missing[0]}' to be closed; it has "
                f"{', '.join(read.labels) or 'none'}"
            )
        if not read.is_usable:
            first = f" (first: '{read.left_out[0].image}')" if read.left_out else ""
            none = "no label" if read.images else "none of its images is in the collection"
            raise InvalidLabels(f"{path}: {none}{first}; nothing was imported")
        listed: Path | None = None
        retired: tuple[str, ...] = ()
        if not settings.dry_run:
            listed = session.interchange.write_import_notes(read.source, read.left_out)
            retired = import_files(session, read, settings.closed)
    said = note_left_out(read.source, read.left_out, str(listed or ""))
    return Result(
        rows=read.images + len(read.left_out),
        images=read.images,
        image_column="",
        labelled={name: labels.labelled for name, labels in read.labels.items()},
        columns=(),
        left_out=tuple(map(_left_out_row, read.left_out)),
        import_notes=None if listed is None else str(listed),
        dry_run=settings.dry_run,
        notes=(*said, *read.notes, *retired),
        format=read.format,
        losses=tuple(LossRow(loss.kind, loss.count, loss.text) for loss in read.losses),
        regions=read.counted_regions,
    )


def import_table(session: Session, sheets: Sequence[Sheet], settings: TableSettings) -> Result:
    """Record the labels of a table that was read; one that holds nothing usable changes nothing.

    A long table, a row a label, is taken as ``work`` takes it.
    """
    long = _long_format(sheets)
    if long is not None:
        path = Path(sheets[0].folder) / sheets[0].source
        return _import_files(session, Settings(path, format=long, closed=settings.closed))
    with session.lock("import"):
        read = read_table(session, sheets, settings)
        listed = session.interchange.write_import_notes(read.table.source, read.left_out)
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
    regions = {"regions": result.regions} if result.regions else {}
    screen.facts({"rows": result.rows, "images": result.images, **labelled, **regions})
    show_losses(result.losses, screen, title="Not taken")
    if result.format != "table":
        screen.line(f"Format: {result.format}.")
    if not result.dry_run:
        return
    if result.format != "table":
        screen.line("Nothing was changed.")
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
