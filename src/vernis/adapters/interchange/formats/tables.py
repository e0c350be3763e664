"""Tables of labels: CSV, TSV, Excel and Parquet, wide or long.

A wide table has a row an image and a column a taxonomy, the classes of a cell joined by ``|``: what
people open in a spreadsheet, and what ``import`` reads. A long one has a row a statement, about an
image or a box in it, with state, probability and source: it carries nearly all there is.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vernis.adapters.interchange.csv_labels import read_label_table
from vernis.adapters.interchange.formats.files import number, read_text
from vernis.adapters.interchange.formats.interface import (
    Pictures,
    ReadSettings,
    Written,
    new_file,
)
from vernis.adapters.interchange.formats.names import safe_uri
from vernis.adapters.interchange.formats.parquet import read_parquet, write_parquet
from vernis.adapters.interchange.formats.xlsx import read_xlsx, write_xlsx
from vernis.core.exchange.losses import complete_classes, reduce_to
from vernis.core.words.label_columns import (
    IMAGE_NAMES,
    SEPARATOR,
    LabelTable,
    judge_column,
    split_cell,
)
from vernis.domain.errors import InvalidLabels, InvalidValue
from vernis.domain.exchange import (
    Carries,
    ExchangeImage,
    ExchangeLabel,
    ExchangeRegion,
    ExchangeSet,
    ExchangeTaxonomy,
)
from vernis.domain.regions import Box, Region
from vernis.domain.types import LabelState

Layout = Literal["wide", "long"]
Kind = Literal["csv", "tsv", "xlsx", "parquet"]

LONG = (
    *("image", "split", "region", "taxonomy", "label", "state", "probability", "source"),
    *("xmin", "ymin", "xmax", "ymax", "width", "height"),
)
"""Columns of a long table. ``region`` numbers the boxes of an image; ``width`` and ``height`` are
those of the upright picture."""

Row = list[str | float]

_STATES: Mapping[str, LabelState] = {"yes": "yes", "no": "no", "unknown": "unknown"}


@dataclass(frozen=True, slots=True)
class Table:
    """The format; see ``interface.Format``.

    Attributes
    ----------
    kind : str
        ``csv``, ``tsv``, ``xlsx`` or ``parquet``.
    layout : str
        ``wide`` or ``long``.
    """

    kind: Kind = "csv"
    layout: Layout = "wide"

    @property
    def name(self) -> str:
        """What the user types."""
        return self.kind if self.layout == "wide" else f"{self.kind}-long"

    @property
    def suffix(self) -> str:
        """Of the file that it writes."""
        return f".{self.kind}"

    @property
    def carries(self) -> Carries:
        """What it can hold."""
        if self.layout == "wide":
            return Carries(image_labels="many", splits=True, taxonomies="many", names="cell")
        return Carries(
            image_labels="many",
            regions=True,
            region_labels="many",
            states=frozenset({"yes", "no", "unknown"}),
            probabilities=True,
            sources=True,
            splits=True,
            sizes=True,
            taxonomies="many",
        )

    def recognises(self, path: Path) -> bool:
        """Tell by the columns."""
        if not path.is_file() or path.suffix.lower() != self.suffix:
            return False
        try:
            header = next(_read_rows(path), [])
        except InvalidLabels:
            return False
        if self.layout == "long":
            return {"image", "taxonomy", "label", "state"} <= set(header)
        return any(name.strip().lower() in IMAGE_NAMES for name in header)

    def read(self, path: Path, settings: ReadSettings) -> ExchangeSet:
        """Read a file; columns of a wide one that hold no classes are left out. See ``Format``."""
        if self.layout == "long":
            return _read_long(path)
        return _read_wide(read_table(path))

    def write(self, exchange: ExchangeSet, out: Path, pictures: Pictures) -> Written:
        """Write a file; see ``Format``."""
        reduced = reduce_to(exchange, self.carries)
        rows = _wide(reduced.exchange) if self.layout == "wide" else _long(reduced.exchange)
        with new_file(out) as part:
            write_rows(part, rows, self.kind)
        return Written(out, len(reduced.exchange.images), reduced.losses)


def write_rows(path: Path, rows: Iterator[Row], kind: Kind) -> None:
    """Write a header and rows in one of the kinds of tables."""
    if kind == "xlsx":
        write_xlsx(path, rows)
    elif kind == "parquet":
        header = [str(name) for name in next(rows)]
        blank = [
            {name: None if cell == "" else cell for name, cell in zip(header, row, strict=True)}
            for row in rows
        ]
        write_parquet(path, blank)
    else:
        with open(path, "w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(
                stream, delimiter="\t" if kind == "tsv" else ",", lineterminator="\n"
            )
            writer.writerows(_shown(row) for row in rows)


def _shown(row: Row) -> list[str]:
    return [cell if isinstance(cell, str) else repr(cell) for cell in row]


def read_table(path: Path) -> LabelTable:
    """Return a table of any kind as the import of labels takes it.

    Raises
    ------
    InvalidLabels
        The file cannot be read, or has no column of images.
    """
    if path.suffix.lower() in (".xlsx", ".parquet"):
        rows = list(_read_rows(path))
        header = [name.strip() for name in rows[0]] if rows else []
        at = next((n for n, name in enumerate(header) if name.lower() in IMAGE_NAMES), None)
        if at is None:
            shown = ", ".join(header[:8])
            raise InvalidLabels(
                f"{path}: no column 'image'; the columns are {shown}; rename one to image"
            )
        full = [
            (number, (row + [""] * len(header))[: len(header)])
            for number, row in enumerate(rows[1:], 2)
            if any(cell.strip() for cell in row)
        ]
        nameless = next((number for number, row in full if not row[at].strip()), None)
        if nameless is not None:
            raise InvalidLabels(f"{path}: row {nameless} has no image; fill it or delete the row")
        return LabelTable(
            source=path.name,
            folder=str(path.absolute().parent),
            images=tuple(row[at].strip() for _, row in full),
            rows=tuple(number for number, _ in full),
            columns={
                name: tuple(row[n].strip() for _, row in full)
                for n, name in enumerate(header)
                if n != at and name
            },
        )
    return read_label_table(path)


def _read_rows(path: Path) -> Iterator[list[str]]:
    suffix = path.suffix.lower()
    if suffix == ".xlsx":
        yield from read_xlsx(path)
    elif suffix == ".parquet":
        for at, row in enumerate(read_parquet(path)):
            if at == 0:
                yield list(row)
            yield ["" if cell is None else _text(cell) for cell in row.values()]
    else:
        delimiter = "\t" if suffix == ".tsv" else ","
        reader = csv.reader(io.StringIO(read_text(path), newline=""), delimiter=delimiter)
        try:
            yield from reader
        except csv.Error as error:
            raise InvalidLabels(f"{path}: row {reader.line_num} is no CSV ({error})") from error


def _text(cell: object) -> str:
    if isinstance(cell, list):
        return SEPARATOR.join(map(str, cell))
    return repr(cell) if isinstance(cell, float) else str(cell)


# --------------------------------------------------------------------------- wide


def _wide(exchange: ExchangeSet) -> Iterator[Row]:
    names = [taxonomy.name for taxonomy in exchange.taxonomies]
    splits = any(image.split for image in exchange.images)
    yield ["image", *(["split"] if splits else []), *names]
    for image in exchange.images:
        cells = [
            SEPARATOR.join(label.label for label in image.labels if label.taxonomy == name)
            for name in names
        ]
        yield [image.uri, *([image.split] if splits else []), *cells]


def _read_wide(table: LabelTable) -> ExchangeSet:
    uses = {name: judge_column(name, cells) for name, cells in table.columns.items()}
    splits = next((table.columns[n] for n, use in uses.items() if use.role == "split"), None)
    taxonomies = [(n, use.kind) for n, use in uses.items() if use.role == "taxonomy"]
    images: dict[str, ExchangeImage] = {}
    for at, name in enumerate(table.images):
        where = f"{table.source}: row {table.rows[at]}"
        uri = safe_uri(name, where)
        if uri in images:
            raise InvalidLabels(f"{where}: '{uri}' stands twice; keep one row")
        labels = tuple(
            ExchangeLabel(taxonomy, label)
            for taxonomy, _ in taxonomies
            for label in split_cell(table.columns[taxonomy][at])
        )
        images[uri] = ExchangeImage(uri, split=splits[at] if splits else "", labels=labels)
    others = [name for name, use in uses.items() if use.role == "metadata"]
    notes = [f"columns without classes: {', '.join(others)}"] if others else []
    return complete_classes(
        ExchangeSet(
            tuple(images.values()),
            tuple(ExchangeTaxonomy(name, kind) for name, kind in taxonomies),
            folder=table.folder,
            notes=(*table.notes, *notes),
        )
    )


# --------------------------------------------------------------------------- long


def _long(exchange: ExchangeSet) -> Iterator[Row]:
    yield list(LONG)
    for image in exchange.images:
        size: Row = [*image.size] if all(image.size) else ["", ""]
        about: list[tuple[ExchangeLabel | None, str | float, Row]] = [
            (label, "", ["", "", "", ""]) for label in image.labels
        ]
        about += [
            (label, at, [*found.region.box.corners])
            for at, found in enumerate(image.regions, 1)
            for label in found.labels
        ]
        for label, region, corners in about or [(None, "", ["", "", "", ""])]:
            yield [image.uri, image.split, region, *_said(label), *corners, *size]


def _said(label: ExchangeLabel | None) -> Row:
    if label is None:
        return ["", "", "", "", ""]
    probability: str | float = label.probability if label.has_probability else ""
    return [label.taxonomy, label.label, label.state, probability, label.source]


def _read_long(path: Path) -> ExchangeSet:
    rows = _read_rows(path)
    header = [name.strip() for name in next(rows, [])]
    missing = {"image", "taxonomy", "label"} - set(header)
    if missing:
        raise InvalidLabels(f"{path}: has no column '{min(missing)}'; a long table needs it")
    images: dict[str, ExchangeImage] = {}
    boxes: dict[tuple[str, str], ExchangeRegion] = {}
    for at, cells in enumerate(rows, 2):
        if any(cells):
            padded = cells + [""] * (len(header) - len(cells))
            _add_row(images, boxes, dict(zip(header, padded, strict=False)), f"{path}: row {at}")
    found: dict[str, list[ExchangeRegion]] = {}
    for (uri, _), region in boxes.items():
        found.setdefault(uri, []).append(region)
    whole = (
        ExchangeImage(i.uri, i.size, i.split, labels=i.labels, regions=tuple(found.get(i.uri, ())))
        for i in images.values()
    )
    return complete_classes(ExchangeSet(tuple(whole), folder=str(path.absolute().parent)))


def _add_row(
    images: dict[str, ExchangeImage],
    boxes: dict[tuple[str, str], ExchangeRegion],
    cells: Mapping[str, str],
    where: str,
) -> None:
    uri = safe_uri(cells["image"], where)
    size = (_whole(cells.get("width", "")), _whole(cells.get("height", "")))
    image = images.get(uri) or ExchangeImage(
        uri, size if all(size) else (0, 0), cells.get("split", "")
    )
    images[uri] = image
    if not cells["label"].strip():
        return
    label = _label(cells, where)
    key = cells.get("region", "")
    if not key:
        images[uri] = ExchangeImage(
            uri, image.size, image.split, labels=(*image.labels, label), regions=()
        )
        return
    before = boxes.get((uri, key))
    if before is not None:
        boxes[uri, key] = ExchangeRegion(before.region, (*before.labels, label))
        return
    corners = [number(cells.get(name, ""), where, name) for name in LONG[8:12]]
    try:
        box = Box.from_corners(corners[0], corners[1], corners[2], corners[3])
        boxes[uri, key] = ExchangeRegion(Region(box, image.size), (label,))
    except InvalidValue as error:
        raise InvalidLabels(f"{where}: {error}") from error


def _label(cells: Mapping[str, str], where: str) -> ExchangeLabel:
    state = _STATES.get(cells.get("state", "") or "yes")
    if state is None:
        raise InvalidLabels(f"{where}: state is '{cells['state']}', expected yes, no or unknown")
    text = cells.get("probability", "")
    probability = number(text, where, "probability") if text else math.nan
    source = cells.get("source", "")
    try:
        return ExchangeLabel(cells["taxonomy"], cells["label"], state, probability, source)
    except InvalidValue as error:
        raise InvalidLabels(f"{where}: {error}") from error


def _whole(text: str) -> int:
    try:
        return max(0, int(float(text)))
    except (ValueError, OverflowError):
        return 0
