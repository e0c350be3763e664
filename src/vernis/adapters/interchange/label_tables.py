"""Read tables of labels as people and programs write them. The one home of reading tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from vernis.adapters.interchange.delimited import is_delimited, read_delimited
from vernis.adapters.interchange.formats.parquet import read_parquet
from vernis.adapters.interchange.formats.xlsx import read_xlsx_sheets
from vernis.core.words.cell_parts import write_list
from vernis.core.words.image_columns import find_images, name_images
from vernis.core.words.image_names import ImageFinder
from vernis.core.words.label_columns import LabelTable
from vernis.core.words.sheets import Sheet, make_sheet
from vernis.domain.errors import InvalidLabels, MissingExtra, UsageError

SUFFIXES = (
    *(".csv", ".tsv", ".tab", ".txt", ".xlsx", ".xlsm", ".ods", ".xls", ".xlsb", ".parquet"),
)
"""Of the files that may be tables."""

_CALAMINE = (".ods", ".xls", ".xlsb")
_MAX_BYTES = 2**30
_MOST_TABLES, _MAX_BYTES_LOOKED_INTO = 20, 2**26
"""What is spent on guessing whether a folder of images holds its own labels."""

Row = tuple[int, Sequence[str]]


def read_sheets(path: Path) -> list[Sheet]:
    """Read the sheets of a table: CSV and its like, Excel, OpenDocument or Parquet.

    What kind it is, the file says itself; where it does not, its suffix.

    Parameters
    ----------
    path : Path

    Returns
    -------
    list of Sheet
        Those that hold something; at least one.

    Raises
    ------
    InvalidLabels
        The file cannot be read, or is no table; the message names the file and the remedy.
    MissingExtra
        Its kind needs a library that is not installed.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InvalidLabels(f"{path}: larger than 1 GiB; split it")
        with open(path, "rb") as stream:
            head = stream.read(8)
    except OSError as error:
        raise InvalidLabels(f"{path}: cannot be read ({error.strerror})") from error
    folder = str(path.absolute().parent)
    sheets = []
    notes: list[str] = []
    for name, rows in _read(path, head, notes):
        sheet = make_sheet(rows, path.name, folder, name=name, notes=notes)
        if sheet.header:
            sheets.append(sheet)
    if not any(sheet.rows for sheet in sheets):
        raise InvalidLabels(f"{path}: holds no rows; expected a header and rows below it")
    return [sheet for sheet in sheets if sheet.rows]


def _read(path: Path, head: bytes, notes: list[str]) -> Iterator[tuple[str, Iterator[Row]]]:
    """Yield name and numbered rows of each sheet."""
    suffix = path.suffix.lower()
    if head.startswith(b"PAR1"):
        yield "", _parquet_rows(path)
    elif head.startswith(b"\xd0\xcf\x11\xe0") or (head.startswith(b"PK") and suffix in _CALAMINE):
        yield from _calamine_sheets(path)
    elif head.startswith(b"PK") or suffix in (".xlsx", ".xlsm"):
        yield from read_xlsx_sheets(path)
    else:
        rows, said = read_delimited(path)
        notes += said
        yield "", iter(rows)


def _calamine_sheets(path: Path) -> Iterator[tuple[str, Iterator[Row]]]:
    try:
        import python_calamine
    except ImportError as error:
        raise MissingExtra("sheets", f"{path}: reading {path.suffix or 'Excel'} files") from error
    try:
        with python_calamine.CalamineWorkbook.from_path(str(path)) as book:
            for name in book.sheet_names:
                cells = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
                yield (
                    name,
                    ((n, [_cell_text(cell) for cell in row]) for n, row in enumerate(cells, 1)),
                )
    except (python_calamine.CalamineError, OSError) as error:
        raise InvalidLabels(f"{path}: is no readable spreadsheet ({error})") from error


def _parquet_rows(path: Path) -> Iterator[Row]:
    for at, row in enumerate(read_parquet(path), 2):
        if at == 2:
            yield 1, list(row)
        yield at, ["" if cell is None else _cell_text(cell) for cell in row.values()]


def _cell_text(cell: Any) -> str:
    """Return a cell as a person would write it: whole numbers without a point."""
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, list | tuple):
        return write_list([str(item) for item in cell])
    return str(cell)


def read_label_table(path: Path, image_column: str | None = None) -> LabelTable:
    """Read a table whose column of images is known by its name, not by the images of a collection.

    Raises
    ------
    InvalidLabels
        The file cannot be read, is no table, or has no such column.
    """
    try:
        return name_images(read_sheets(path)[0], image_column)
    except UsageError as error:
        if isinstance(error, InvalidLabels):
            raise
        raise InvalidLabels(f"{path.parent / str(error)}; rename one to image") from error


def find_label_tables(folder: Path, finder: ImageFinder) -> list[Path]:
    """Return the tables lying in a folder of images that name images of it, the likeliest first.

    Tables of one row an image come before others (of one row a box, say), longer before shorter.
    Only the folder itself is looked into, and only small files; what cannot be read is no table.
    """
    found: list[tuple[bool, int, Path]] = []
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)
    for path in paths[:_MOST_TABLES]:
        try:
            if not path.is_file() or path.stat().st_size > _MAX_BYTES_LOOKED_INTO:
                continue
            if path.suffix.lower() == ".txt" and not is_delimited(path):
                continue
            table = find_images(read_sheets(path), finder)
        except (UsageError, MissingExtra, OSError):
            continue
        if 2 * sum(bool(this.uri) for this in table.found) > len(table.found) and table.columns:
            count = len(set(table.images))
            found.append((count < len(table.images), -count, path))
    return [path for *_, path in sorted(found)]
