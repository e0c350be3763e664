"""Sheets as people fill them: which row is the header, and which rows fit it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from vernis.core.words.image_names import is_image_header

_ROWS_ABOVE = 15
"""A title, a date and blank lines may stand above the header; no more rows than that."""

_TITLE_SHARE = 0.6
"""A row that fills less than this share of the usual width, above such rows, is no header."""

_SHIFTED_SHARE = 0.9


_OF_LONG_TABLES = frozenset({"image", "taxonomy", "label", "state"})


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row, or a cell of it, that was not taken, and why.

    Attributes
    ----------
    row : int
        As a spreadsheet numbers it.
    reason : str
    image : str
        What the row says of the image.
    column : str
        Empty where the whole row is meant.
    cell : str
    """

    row: int
    reason: str
    image: str = ""
    column: str = ""
    cell: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet of a file, before it is known which of its columns names the images.

    Attributes
    ----------
    source : str
        Name of the file, for messages.
    folder : str
        Absolute path of the folder that the file lies in, for relative image paths.
    header : tuple of str
        Distinct names; those of blank header cells are ``column 3`` and the like.
    numbers : tuple of int
        Number of each row as a spreadsheet shows it.
    rows : tuple of tuple of str
        As wide as the header; cells as they were written.
    name : str
        Of the sheet in a workbook of several.
    first : tuple of str
        The header as it was written.
    notes : tuple of str
        What the reader met and the user should know.
    left_out : tuple of LeftOut
        Rows that do not fit.
    """

    source: str
    folder: str
    header: tuple[str, ...]
    numbers: tuple[int, ...]
    rows: tuple[tuple[str, ...], ...]
    name: str = ""
    first: tuple[str, ...] = ()
    first_number: int = 1
    notes: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


def is_long_table(header: Iterable[str]) -> bool:
    """Tell whether a table holds a row a label rather than a row an image."""
    return set(header) >= _OF_LONG_TABLES


def make_sheet(
    rows: Iterable[tuple[int, Sequence[str]]],
    source: str,
    folder: str,
    *,
    name: str = "",
    notes: Sequence[str] = (),
    left_out: Sequence[LeftOut] = (),
) -> Sheet:
    """Return the sheet of numbered rows.

    Blank rows are skipped, short ones filled up. Rows above the header (a title, a date) are left
    aside with a note. A row with more filled cells than the header is left out, unless nearly all
    rows have one more: then the header lacks the name of the first column, as R writes it.

    Parameters
    ----------
    rows : iterable of (int, sequence of str)
        Number and cells of each row.
    source, folder, name, notes, left_out
        See ``Sheet``.
    """
    full = [(number, list(row)) for number, row in rows if any(cell.strip() for cell in row)]
    if not full:
        return Sheet(source, folder, (), (), (), name, notes=tuple(notes))
    said = list(notes)
    at = _header_at([row for _, row in full[: _ROWS_ABOVE + 20]])
    if at:
        said.append(
            f"the header is row {full[at][0]}; what stands above it is no part of the table"
        )
    first_number, first = full[at]
    body = full[at + 1 :]
    first = _without_blank_end(first)
    widths = [len(_without_blank_end(row)) for _, row in body]
    one_more = sum(width == len(first) + 1 for width in widths)
    if body and first and one_more >= _SHIFTED_SHARE * len(body):
        first = ["", *first]
    width = len(first)
    header = _distinct(first, [row for _, row in body], said)
    fitting = [(n, row) for (n, row), wide in zip(body, widths, strict=True) if wide <= width]
    long = [
        LeftOut(
            number,
            f"{wide} cells, the header has {width}; quote cells that hold the delimiter",
            cell=row[width] if wide > width else "",
        )
        for (number, row), wide in zip(body, widths, strict=True)
        if wide > width
    ]
    return Sheet(
        source,
        folder,
        tuple(header),
        tuple(number for number, _ in fitting),
        tuple(tuple((row + [""] * width)[:width]) for _, row in fitting),
        name,
        tuple(first),
        first_number,
        tuple(said),
        (*left_out, *long),
    )


def without_header(sheet: Sheet, image_at: int) -> Sheet:
    """Return a sheet whose first row is data: the columns are called by their number.

    The one that names the images is called ``image``, the other one of two ``label``.
    """
    width = len(sheet.header)
    names = [f"column {n}" for n in range(1, width + 1)]
    if width == 2:
        names = ["label", "label"]
    names[image_at] = "image"
    return Sheet(
        sheet.source,
        sheet.folder,
        tuple(names),
        (sheet.first_number, *sheet.numbers),
        (sheet.first, *sheet.rows),
        sheet.name,
        (),
        0,
        (*sheet.notes, "there is no header; the columns are called by their number"),
        sheet.left_out,
    )


def _header_at(rows: Sequence[Sequence[str]]) -> int:
    filled = [sum(bool(cell.strip()) for cell in row) for row in rows]
    usual = median(filled)
    for at, row in enumerate(rows[:_ROWS_ABOVE]):
        if filled[at] >= _TITLE_SHARE * usual or any(map(is_image_header, row)):
            return at
    return 0


def _without_blank_end(row: Sequence[str]) -> list[str]:
    kept = list(row)
    while kept and not kept[-1].strip():
        kept.pop()  # spreadsheets leave empty columns at the end
    return kept


def _distinct(first: Sequence[str], rows: Sequence[Sequence[str]], notes: list[str]) -> list[str]:
    """Return distinct column names, with a note where two were equal."""
    header: list[str] = []
    counts: Counter[str] = Counter()
    for at, cell in enumerate(first):
        name = cell.strip() or f"column {at + 1}"
        counts[name] += 1
        if counts[name] > 1:
            new = f"{name} ({counts[name]})"
            notes.append(f"two columns are called '{name}'; the later one is called '{new}' here")
            name = new
        header.append(name)
    return header
