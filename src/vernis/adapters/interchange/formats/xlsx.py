"""Excel workbooks (.xlsx): sheets of texts and numbers, on the standard library.

Source: ECMA-376 part 1 (SpreadsheetML). Texts are written as such, so that a class named
``=1+1`` stays a name and ``007`` keeps its zeros.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

from vernis.adapters.interchange.formats.files import xml_elements, xml_text
from vernis.domain.errors import InvalidLabels, UsageError

MOST_ROWS = 1_048_576
MOST_LETTERS = 32_767
_MOST_BYTES = 1 << 31
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'

_PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" '
    'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPES}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPES}.worksheet+xml"/>'
    "</Types>",
    "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" '
    f'Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
    '<sheet name="labels" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/>'
    "</Relationships>",
}

_DATE_FORMATS = frozenset((*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))
_DATE_CODE = re.compile("[ymdhs]", re.IGNORECASE)
_NO_CODE = re.compile(r"\"[^\"]*\"|\\.|\[[^\]]*\]|General", re.IGNORECASE)
_FIRST_DAY = datetime(1899, 12, 30)
_LAST_DAY = 2_958_466
_LETTERS = re.compile(r"[A-Z]+")
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


def write_xlsx(path: Path, rows: Iterable[Iterable[str | float]]) -> None:
    """Write rows of texts and numbers; the first row is the header and stays in view.

    Raises
    ------
    UsageError
        More rows or letters than a sheet can hold.
    """
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in _PARTS.items():
            archive.writestr(_entry(name), _HEAD + text)
        with archive.open(_entry("xl/worksheets/sheet1.xml"), "w", force_zip64=True) as stream:
            stream.write(
                (
                    f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
                    '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
                    "</sheetView></sheetViews><sheetData>"
                ).encode()
            )
            for at, row in enumerate(rows, 1):
                if at > MOST_ROWS:
                    raise UsageError(f"a sheet holds {MOST_ROWS:,} rows; write CSV or Parquet")
                cells = "".join(_cell(value, at, column) for column, value in enumerate(row))
                stream.write(f'<row r="{at}">{cells}</row>'.encode())
            stream.write(b"</sheetData></worksheet>")


def _entry(name: str) -> zipfile.ZipInfo:
    """Return an entry with a fixed time, so that equal rows give equal files."""
    entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _cell(value: str | float, row: int, column: int) -> str:
    place = f"{_column_name(column)}{row}"
    if not isinstance(value, str):
        return f'<c r="{place}"><v>{value!r}</v></c>'
    if value == "":
        return ""
    if len(value) > MOST_LETTERS:
        raise UsageError(f"cell {place} is longer than {MOST_LETTERS:,} letters; write CSV")
    # What looks like Excel's own escape of a character is escaped itself.
    text = _ESCAPED.sub(lambda found: f"_x005F{found[0]}", value)
    text = text.replace("\r", "_x000D_")
    shown = escape(xml_text(text))
    return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{shown}</t></is></c>'


def _column_name(column: int) -> str:
    name = ""
    column += 1
    while column:
        column, letter = divmod(column - 1, 26)
        name = chr(65 + letter) + name
    return name


def read_xlsx_sheets(path: Path) -> Iterator[tuple[str, Iterator[tuple[int, list[str]]]]]:
    """Yield the name of each sheet and its rows with their numbers; read one after another.

    Cells are texts: numbers as Python writes them, 3.0 as 3; those that a format of zeros shows
    with leading ones (``000``) as they are shown, dates as ``2024-12-31``.

    Raises
    ------
    InvalidLabels
        The file is no workbook, or damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive, TemporaryDirectory() as folder:
            names = archive.namelist()
            sheets = _sheets(archive, names, Path(folder), path)
            shared = _shared_texts(archive, names, Path(folder))
            formats = _formats(archive, names, Path(folder))
            for name, part in sheets:
                yield name, _rows(_extract(archive, part, Path(folder)), shared, formats)
    except (zipfile.BadZipFile, KeyError, OSError, NotImplementedError, RuntimeError) as error:
        raise InvalidLabels(f"{path}: is no readable Excel workbook ({error})") from error


def _rows(
    sheet: Path, shared: list[str], formats: list[_CellFormat]
) -> Iterator[tuple[int, list[str]]]:
    before = 0
    for row in xml_elements(sheet, frozenset({"row"})):
        said = row.get("r", "")
        before = int(said) if said.isascii() and said.isdigit() else before + 1
        yield before, _row(row, shared, formats)


def _extract(archive: zipfile.ZipFile, name: str, folder: Path) -> Path:
    """Write a part to a file of our own name: the parser reads it piece by piece from there."""
    if archive.getinfo(name).file_size > _MOST_BYTES:
        raise OSError(f"{name} is larger than 2 GiB unpacked")
    target = folder / f"part{len(list(folder.iterdir()))}.xml"
    with archive.open(name) as source, open(target, "wb") as out:
        left = _MOST_BYTES
        while piece := source.read(1 << 20):
            left -= len(piece)
            if left < 0:
                raise OSError(f"{name} is larger than 2 GiB unpacked")
            # Prefixes do not matter here, and files of other programs have them.
            out.write(piece)
    return target


def _sheets(
    archive: zipfile.ZipFile, names: list[str], folder: Path, path: Path
) -> list[tuple[str, str]]:
    """Return name and part of each sheet, in the order of the workbook; hidden ones come last."""
    parts = sorted(
        (name for name in names if re.fullmatch(r"xl/worksheets/[^/]+\.xml", name)),
        key=lambda name: (len(name), name),
    )
    if not parts:
        raise InvalidLabels(f"{path}: holds no sheet")
    book, links = "xl/workbook.xml", "xl/_rels/workbook.xml.rels"
    if book not in names or links not in names:
        return [(part.rpartition("/")[2].removesuffix(".xml"), part) for part in parts]
    found = xml_elements(_extract(archive, links, folder), frozenset({"Relationship"}))
    targets = {
        link.get("Id", ""): link.get("Target", "").removeprefix("/xl/").removeprefix("/")
        for link in found
    }
    sheets: list[tuple[bool, str, str]] = []
    for sheet in xml_elements(_extract(archive, book, folder), frozenset({"sheet"})):
        linked = next((v for k, v in sheet.items() if k.rpartition(":")[2] == "id"), "")
        part = f"xl/{targets.get(linked, '')}"
        if part in parts:
            sheets.append((sheet.get("state", "visible") != "visible", sheet.get("name", ""), part))
    sheets.sort(key=lambda sheet: sheet[0])
    return [(name, part) for _, name, part in sheets] or [("", part) for part in parts]


@dataclass(frozen=True, slots=True)
class _CellFormat:
    """How a number is shown, as far as it is more than a number."""

    digits: int = 0
    is_date: bool = False


def _formats(archive: zipfile.ZipFile, names: list[str], folder: Path) -> list[_CellFormat]:
    """Return the format of each style of cells."""
    if "xl/styles.xml" not in names:
        return []
    file = _extract(archive, "xl/styles.xml", folder)
    codes: dict[str, str] = {}
    styles: list[_CellFormat] = []
    for element in xml_elements(file, frozenset({"numFmt", "cellXfs"})):
        if element.tag == "numFmt":
            codes[element.get("numFmtId", "")] = element.get("formatCode", "")
            continue
        for style in element.iter("xf"):
            number = style.get("numFmtId", "0")
            code = codes.get(number, "")
            is_date = bool(_DATE_CODE.search(_NO_CODE.sub("", code)))
            is_date = is_date or (not code and number.isdigit() and int(number) in _DATE_FORMATS)
            styles.append(_CellFormat(len(code) if set(code) == {"0"} else 0, is_date))
    return styles


def _shared_texts(archive: zipfile.ZipFile, names: list[str], folder: Path) -> list[str]:
    if "xl/sharedStrings.xml" not in names:
        return []
    file = _extract(archive, "xl/sharedStrings.xml", folder)
    return [_text_of(element) for element in xml_elements(file, frozenset({"si"}))]


def _row(row: Element, shared: list[str], formats: list[_CellFormat]) -> list[str]:
    cells: list[str] = []
    for cell in row.iter("c"):
        place = _LETTERS.match(cell.get("r", ""))
        column = _column_number(place[0]) if place else len(cells)
        cells += [""] * (column - len(cells))
        cells.append(_value(cell, shared, formats))
    return cells


def _column_number(name: str) -> int:
    number = 0
    for letter in name:
        number = number * 26 + ord(letter) - 64
    return min(number - 1, 16_383)


def _value(cell: Element, shared: list[str], formats: list[_CellFormat]) -> str:
    kind = cell.get("t", "n")
    text = cell.findtext("v") or ""
    if kind == "inlineStr":
        return _text_of(cell)
    if kind == "s":
        at = int(text) if text.isdigit() else -1
        return shared[at] if 0 <= at < len(shared) else ""
    if kind == "b":
        return "TRUE" if text == "1" else "FALSE"
    if kind == "n" and text:
        style = cell.get("s", "0")
        at = int(style) if style.isascii() and style.isdigit() else 0
        return _number(text, formats[at] if at < len(formats) else _CellFormat())
    return _unescape(text)


def _number(text: str, shown: _CellFormat) -> str:
    try:
        number = float(text)
    except ValueError:
        return text
    if shown.is_date and 0 < number < _LAST_DAY:
        moment = _FIRST_DAY + timedelta(days=number)
        return str(moment.date()) if number.is_integer() else moment.isoformat(" ", "seconds")
    if not number.is_integer() or abs(number) >= 1e15:
        return repr(number)
    return str(int(number)).zfill(shown.digits)


def _text_of(element: Element) -> str:
    """Return the text of a cell or shared string; rich text stands in several pieces."""
    return _unescape("".join(piece.text or "" for piece in element.iter("t")))


def _unescape(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)
