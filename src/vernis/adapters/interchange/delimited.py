"""Texts of delimited rows (CSV, TSV and their like), in the encodings that programs use."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from vernis.core.words.image_names import is_image_header
from vernis.domain.errors import InvalidLabels

_DELIMITERS = (",", ";", "\t", "|")
_BOMS = (
    *((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe\x00\x00", "utf-32-le")),
    *((b"\x00\x00\xfe\xff", "utf-32-be"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")),
    *((b"\x84\x31\x95\x33", "gb18030"),),
)
_HEAD = 1 << 16
_ROWS_LOOKED_AT = 60
_ZEROS = 0.25
"""Share of zero bytes at odd or even places from which a text is UTF-16 without its mark."""

_LONGEST_CELL = 1 << 28
_MOST_OPEN_QUOTES = 50
_limit = Lock()


def read_delimited(path: Path) -> tuple[list[tuple[int, list[str]]], list[str]]:
    """Return the numbered rows of a file, and notes on what was met.

    Delimited by comma, semicolon, tabulator or bar, or what a first line ``sep=;`` says; UTF-8 or
    UTF-16 with or without a mark, UTF-32 and GB 18030 with one, or else Windows-1252 (said in a
    note). A quote that is never closed costs its own row.

    Raises
    ------
    InvalidLabels
        The file cannot be read, or is no text.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidLabels(f"{path}: cannot be read ({error.strerror})") from error
    text, notes = _decode(path, data)
    first, _, rest = text.partition("\n")
    delimiter = ""
    if first.strip().strip('"').lower().startswith("sep=") and len(first.strip().strip('"')) <= 5:
        # Excel's own line is no row to Excel either.
        delimiter, text = first.strip().strip('"')[4:] or "\t", rest
    usual = "\t" if path.suffix.lower() in (".tsv", ".tab") else ","
    delimiter = delimiter or find_delimiter(text, usual)
    return list(_rows(path, text, delimiter, notes)), notes


def is_delimited(path: Path) -> bool:
    """Tell whether a text file begins with a row of several cells."""
    try:
        with open(path, "rb") as stream:
            text, _ = _decode(path, stream.read(_HEAD))
    except (InvalidLabels, OSError):
        return False
    first = next((line for line in text.splitlines() if line.strip()), "")
    return first.lower().startswith("sep=") or any(mark in first for mark in _DELIMITERS)


def read_header(path: Path) -> list[str]:
    """Return the cells of the first row of a text file; none of a file that is no table."""
    try:
        with open(path, "rb") as stream:
            text, _ = _decode(path, stream.read(_HEAD))
        first, _, rest = text.partition("\n")
        if first.lower().startswith("sep="):
            text = rest
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=find_delimiter(text))
        return next(reader, [])
    except (InvalidLabels, OSError, csv.Error):
        return []


def find_delimiter(text: str, usual: str = ",") -> str:
    """Return the delimiter by which rows have several cells, and most often as many as another.

    Where the header is the column of images alone, or nothing separates, the usual one.
    """
    head = text[:_HEAD]
    first = next((line for line in head.splitlines() if line.strip()), "")
    if is_image_header(first) and not any(mark in first for mark in _DELIMITERS):
        return usual
    scores = {}
    for at, delimiter in enumerate(_DELIMITERS):
        reader = csv.reader(io.StringIO(head, newline=""), delimiter=delimiter)
        rows: list[list[str]] = []
        try:
            for row in reader:
                if any(cell.strip() for cell in row):
                    rows.append(row)
                if len(rows) == _ROWS_LOOKED_AT:
                    break
        except csv.Error:
            continue
        widths = Counter(len(row) for row in rows if len(row) > 1)
        if not widths:
            continue
        width, count = widths.most_common(1)[0]
        named = any(is_image_header(cell) for cell in rows[0])
        several = len(rows[0]) > 1
        scores[delimiter] = (named and several, several, count / len(rows), width > 1, -at)
    return max(scores, key=lambda found: scores[found]) if scores else usual


# --------------------------------------------------------------------------- text


def _decode(path: Path, data: bytes) -> tuple[str, list[str]]:
    mark, encoding = next(((m, name) for m, name in _BOMS if data.startswith(m)), (b"", ""))
    data = data[len(mark) :]
    encoding = encoding or _unmarked_utf16(data) or "utf-8"
    notes: list[str] = []
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            text = data.decode(encoding, errors="replace")
            notes.append(f"damaged {encoding.upper()}; what is no text became �")
        else:
            text = data.decode("cp1252", errors="replace")
            row = data[: error.start].count(b"\n") + 1
            notes.append(f"not UTF-8 (near row {row}); read as Windows-1252")
    text = text.lstrip("\ufeff")
    if "\0" in text:
        raise InvalidLabels(f"{path}: holds zero bytes; it is no table")
    if text.startswith(("%PDF", "{\\rtf", "\x89PNG", "ÿØÿ")):
        raise InvalidLabels(f"{path}: is no table; export it as CSV")
    return text, notes


def _unmarked_utf16(data: bytes) -> str:
    head = data[:_HEAD]
    half = len(head) // 2
    if not half:
        return ""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > _ZEROS * half and even == 0:
        return "utf-16-le"
    if even > _ZEROS * half and odd == 0:
        return "utf-16-be"
    return ""


# --------------------------------------------------------------------------- rows


@contextmanager
def _long_cells() -> Iterator[None]:
    """Let cells be long; the module's limit is for all threads, so one at a time."""
    with _limit:
        before = csv.field_size_limit(_LONGEST_CELL)
        try:
            yield
        finally:
            csv.field_size_limit(before)


def _rows(
    path: Path, text: str, delimiter: str, notes: list[str]
) -> Iterator[tuple[int, list[str]]]:
    # csv.reader ends rows at \r, \n and \r\n; so must the lines by which they are counted.
    lines = io.StringIO(text, newline="").readlines()
    start = number = unclosed = 0
    while start < len(lines):
        found, broken, ended = _read_from(lines, start, delimiter)
        for row in found:
            number += 1
            yield number, row
        if broken < 0:
            return
        number += 1
        if ended - broken == 1 and ended < len(lines):
            yield number, _read_line(lines[broken], delimiter)
        else:
            yield number, _read_line(lines[broken], delimiter, quotes=False)
            notes.append(f"row {number} has a quote that is not closed; it is read without it")
            unclosed += 1
        start = broken + 1
        if unclosed == _MOST_OPEN_QUOTES:
            notes.append(f"too many quotes are not closed; what follows row {number} is left out")
            return


def _read_from(lines: list[str], start: int, delimiter: str) -> tuple[list[list[str]], int, int]:
    """Return the rows from a line on; then the first line of a row that is wrong, and its end.

    -1 where none is.
    """
    reader = csv.reader(
        (lines[at] for at in range(start, len(lines))), delimiter=delimiter, strict=True
    )
    rows: list[list[str]] = []
    begun = start
    try:
        with _long_cells():
            for row in reader:
                rows.append(row)
                begun = start + reader.line_num
    except csv.Error:
        return rows, begun, start + reader.line_num
    return rows, -1, -1


def _read_line(line: str, delimiter: str, *, quotes: bool = True) -> list[str]:
    """Return the cells of a line whose quotes are not as they should be."""
    if quotes:
        return next(csv.reader([line], delimiter=delimiter), [])
    cells = next(csv.reader([line], delimiter=delimiter, quoting=csv.QUOTE_NONE), [])
    return [cell.strip('"') for cell in cells]
