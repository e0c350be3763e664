"""Read labels from CSV files as people and spreadsheets write them."""

from __future__ import annotations

import csv
import io
from collections import Counter
from pathlib import Path

from vernis.core.words.label_columns import IMAGE_NAMES, LabelTable
from vernis.domain.errors import InvalidLabels

_DELIMITERS = (",", ";", "\t")
_MAX_BYTES = 2**30
_MOST_TABLES, _MAX_BYTES_LOOKED_INTO, _ROWS_LOOKED_UP = 20, 2**26, 50
"""What is spent on guessing whether a folder of images holds its own labels."""
_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


def read_label_table(path: Path) -> LabelTable:
    """Read a label file: a header, an ``image`` column, and other columns.

    Delimited by comma, semicolon or tabulator; UTF-8 with or without BOM, UTF-16 with BOM, or
    else Windows-1252 (said in a note).

    Parameters
    ----------
    path : Path

    Raises
    ------
    InvalidLabels
        The file cannot be read, has no usable header or no image column, or a row does not fit
        the header; the message names the file, the row and the remedy.
    """
    text, notes = _read_text(path)
    delimiter = _find_delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] = []
    images: list[str] = []
    rows: list[int] = []
    cells: list[list[str]] = []
    number = 0
    try:
        for number, row in enumerate(reader, 1):
            if not any(cell.strip() for cell in row):
                continue
            if not header:
                header = _check_header(path, row)
                image_at = _find_image_column(path, header)
                continue
            row = _check_row(path, number, row, len(header))
            name = row[image_at].strip()
            if not name:
                raise InvalidLabels(f"{path}: row {number} has no image; fill it or delete the row")
            images.append(name)
            rows.append(number)
            cells.append(row)
    except csv.Error as error:
        raise InvalidLabels(f"{path}: row {number + 1} is not valid CSV ({error})") from error
    if not header or not images:
        raise InvalidLabels(f"{path}: holds no rows; expected a header and one row an image")
    if header[image_at].lower() != IMAGE_NAMES[0]:
        notes.append(f"column '{header[image_at]}' names the images")
    columns = {
        name: tuple(row[at].strip() for row in cells)
        for at, name in enumerate(header)
        if at != image_at and name
    }
    return LabelTable(
        source=path.name,
        folder=str(path.absolute().parent),
        images=tuple(images),
        rows=tuple(rows),
        columns=columns,
        notes=tuple(notes),
    )


def find_label_tables(folder: Path) -> list[Path]:
    """Return the CSV files lying in a folder of images that name images of it, the likeliest first.

    Tables of one row an image come before others (of one row a box, say), longer before shorter.
    Only the folder itself is looked into, and only small files; what cannot be read is no table.
    """
    found: list[tuple[bool, int, Path]] = []
    for path in sorted(folder.glob("*.csv"))[:_MOST_TABLES]:
        try:
            if path.stat().st_size > _MAX_BYTES_LOOKED_INTO:
                continue
            table = read_label_table(path)
        except (InvalidLabels, OSError):
            continue
        some = table.images[:_ROWS_LOOKED_UP]
        if 2 * sum((folder / name).is_file() for name in some) > len(some):
            count = len(set(table.images))
            found.append((count < len(table.images), -count, path))
    return [path for *_, path in sorted(found)]


def _read_text(path: Path) -> tuple[str, list[str]]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InvalidLabels(f"{path}: larger than 1 GiB; split it")
        data = path.read_bytes()
    except OSError as error:
        raise InvalidLabels(f"{path}: cannot be read ({error.strerror})") from error
    encoding = next((name for bom, name in _BOMS if data.startswith(bom)), "utf-8")
    try:
        text, notes = data.decode(encoding), []
    except UnicodeDecodeError as error:
        if encoding == "utf-16":
            raise InvalidLabels(f"{path}: damaged UTF-16; save it as UTF-8") from error
        text = data.decode("cp1252", errors="replace")
        row = data[: error.start].count(b"\n") + 1
        notes = [f"not UTF-8 (near row {row}); read as Windows-1252"]
    if "\0" in text:
        raise InvalidLabels(f"{path}: holds zero bytes; it is not a CSV file")
    return text, notes


def _find_delimiter(text: str) -> str:
    first = next((line for line in text.splitlines() if line.strip()), "")
    parsed = {
        delimiter: next(csv.reader([first], delimiter=delimiter), []) for delimiter in _DELIMITERS
    }
    return max(
        _DELIMITERS,
        key=lambda d: (
            any(cell.strip().lower() in IMAGE_NAMES for cell in parsed[d]),
            len(parsed[d]),
        ),
    )


def _check_header(path: Path, row: list[str]) -> list[str]:
    header = [cell.strip() for cell in row]
    while header and not header[-1]:
        header.pop()  # spreadsheets leave empty columns at the end
    twice = [name for name, count in Counter(header).items() if count > 1 and name]
    if twice:
        raise InvalidLabels(f"{path}: column '{twice[0]}' appears twice; rename one")
    return header


def _find_image_column(path: Path, header: list[str]) -> int:
    lowered = [name.lower() for name in header]
    for name in IMAGE_NAMES:
        if name in lowered:
            return lowered.index(name)
    shown = ", ".join(header[:8]) + (", …" if len(header) > 8 else "")
    raise InvalidLabels(f"{path}: no column 'image'; the columns are {shown}; rename one to image")


def _check_row(path: Path, number: int, row: list[str], width: int) -> list[str]:
    if any(cell.strip() for cell in row[width:]):
        raise InvalidLabels(
            f"{path}: row {number} has {len(row)} cells, the header {width};"
            " put quotes around cells that hold the delimiter"
        )
    return (row + [""] * width)[:width]
