"""Tables of labels: CSV, TSV, Excel and Parquet, wide or long.

A wide table has a row an image and a column a taxonomy: what people open in a spreadsheet, and what
``import`` reads. A long one has a row a statement, about an
image or a box in it, with state, probability and source: it carries nearly all there is.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from vernis.adapters.interchange.formats.files import number
from vernis.adapters.interchange.formats.interface import (
    Pictures,
    ReadSettings,
    Written,
    new_file,
)
from vernis.adapters.interchange.formats.names import safe_uri
from vernis.adapters.interchange.formats.parquet import write_parquet
from vernis.adapters.interchange.formats.xlsx import write_xlsx
from vernis.adapters.interchange.label_tables import read_label_table, read_sheets
from vernis.core.exchange.losses import complete_classes, reduce_to
from vernis.core.words.column_classes import read_names
from vernis.core.words.column_writing import ColumnOfClasses, write_columns
from vernis.core.words.image_names import IMAGE_NAMES, Found, header_key, is_image_header
from vernis.core.words.label_columns import TEXT_NAMES
from vernis.core.words.sheets import is_long_table
from vernis.core.words.table_reading import Choices, read_labels
from vernis.domain.errors import InvalidLabels, InvalidValue
from vernis.domain.exchange import (
    Carries,
    ExchangeImage,
    ExchangeLabel,
    ExchangeRegion,
    ExchangeSet,
    ExchangeTaxonomy,
)
from vernis.domain.regions import Box, Region, attributes_text
from vernis.domain.types import LabelState

Layout = Literal["wide", "long"]
Kind = Literal["csv", "tsv", "xlsx", "parquet"]

LONG = (
    *("image", "split", "region", "taxonomy", "label", "state", "probability", "source"),
    *("xmin", "ymin", "xmax", "ymax", "width", "height"),
)
"""Columns of a long table. ``region`` numbers the boxes of an image; ``width`` and ``height`` are
those of the upright picture."""

TABLES: Mapping[str, Kind] = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".xlsx": "xlsx",
    ".parquet": "parquet",
}
"""Suffix → kind of table."""

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
            states: frozenset[LabelState] = frozenset({"yes", "no"})
            return Carries(image_labels="many", states=states, splits=True, taxonomies="many")
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
            header = read_sheets(path)[0].header
        except InvalidLabels:
            return False
        if self.layout == "long":
            return is_long_table(header)
        return any(map(is_image_header, header))

    def read(self, path: Path, settings: ReadSettings) -> ExchangeSet:
        """Read a file; columns of a wide one that hold no classes are left out. See ``Format``."""
        if self.layout == "long":
            return _read_long(path)
        return _read_wide(path)

    def write(self, exchange: ExchangeSet, out: Path, pictures: Pictures) -> Written:
        """Write a file; see ``Format``."""
        if self.layout == "wide":
            exchange, texts = _texts(exchange)
        reduced = reduce_to(exchange, self.carries)
        if self.layout == "wide":
            rows = _wide(reduced.exchange, texts)
        else:
            rows = _long(reduced.exchange)
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
            # Of \r\n the module knows that a cell with \r alone must be quoted, too.
            writer = csv.writer(
                stream, delimiter="\t" if kind == "tsv" else ",", lineterminator="\r\n"
            )
            writer.writerows(_shown(row) for row in rows)


def _shown(row: Row) -> list[str]:
    return [cell if isinstance(cell, str) else repr(cell) for cell in row]


# --------------------------------------------------------------------------- wide


def _wide(exchange: ExchangeSet, texts: Mapping[str, Mapping[str, str]]) -> Iterator[Row]:
    columns = write_columns([_column(exchange, taxonomy) for taxonomy in exchange.taxonomies])
    extra = {name: [found.get(i.uri, "") for i in exchange.images] for name, found in texts.items()}
    if any(image.split for image in exchange.images):
        extra = {"split": [image.split for image in exchange.images], **extra}
    extra = {name: cells for name, cells in extra.items() if name not in columns}
    taken = {header_key(name) for name in columns}
    image = next(name for name in IMAGE_NAMES if name not in taken)
    every = {image: [image.uri for image in exchange.images], **extra, **columns}
    yield list(every)
    yield from map(list, zip(*every.values(), strict=True))


def _column(exchange: ExchangeSet, taxonomy: ExchangeTaxonomy) -> ColumnOfClasses:
    def said(image: ExchangeImage, state: LabelState) -> tuple[str, ...]:
        about = (label for label in image.labels if label.taxonomy == taxonomy.name)
        return tuple(dict.fromkeys(label.label for label in about if label.state == state))

    yes = [said(image, "yes") for image in exchange.images]
    no = [
        tuple(label for label in said(image, "no") if label not in carried)
        for image, carried in zip(exchange.images, yes, strict=True)
    ]
    several = taxonomy.kind == "multi" or any(len(cell) > 1 for cell in yes)
    return ColumnOfClasses(taxonomy.name, "multi" if several else "single", yes, no)


def _texts(exchange: ExchangeSet) -> tuple[ExchangeSet, dict[str, dict[str, str]]]:
    """Return the set without the texts that have columns of their own, and those texts."""
    texts: dict[str, dict[str, str]] = {}
    images = []
    for image in exchange.images:
        attributes = json.loads(image.attributes) if image.attributes else {}
        own = [name for name in attributes if name in TEXT_NAMES and attributes[name]]
        for name in own:
            texts.setdefault(name, {})[image.uri] = str(attributes.pop(name))
        images.append(replace(image, attributes=attributes_text(attributes)) if own else image)
    return replace(exchange, images=tuple(images)), texts


def _read_wide(path: Path) -> ExchangeSet:
    table = read_label_table(path)
    named = [
        safe_uri(n, f"{path}: row {row}") for n, row in zip(table.images, table.rows, strict=True)
    ]
    reading = read_labels(replace(table, found=tuple(map(Found, named))), Choices())
    labels: dict[str, list[ExchangeLabel]] = {uri: [] for uri in named}
    for taxonomy in reading.taxonomies:
        for said, state in ((taxonomy.yes, _STATES["yes"]), (taxonomy.no, _STATES["no"])):
            for uri, parts in said.items():
                names = parts if taxonomy.is_exact else read_names(parts)
                labels[uri] += [ExchangeLabel(taxonomy.name, label, state) for label in names]
    splits, texts = reading.attributes.get("split", {}), dict(reading.attributes)
    texts.pop("split", None)
    images = (
        ExchangeImage(
            uri,
            split=splits.get(uri, ""),
            attributes=attributes_text({n: t[uri] for n, t in sorted(texts.items()) if uri in t}),
            labels=tuple(found),
        )
        for uri, found in labels.items()
    )
    left_out = (f"row {entry.row}: {entry.reason}" for entry in reading.left_out)
    return complete_classes(
        ExchangeSet(
            tuple(images),
            tuple(ExchangeTaxonomy(found.name, found.kind) for found in reading.taxonomies),
            folder=table.folder,
            notes=(*table.notes, *reading.notes, *left_out),
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
    sheet = read_sheets(path)[0]
    header = sheet.header
    missing = {"image", "taxonomy", "label"} - set(header)
    if missing:
        raise InvalidLabels(f"{path}: has no column '{min(missing)}'; a long table needs it")
    images: dict[str, ExchangeImage] = {}
    boxes: dict[tuple[str, str], ExchangeRegion] = {}
    for at, cells in zip(sheet.numbers, sheet.rows, strict=True):
        _add_row(images, boxes, dict(zip(header, cells, strict=True)), f"{path}: row {at}")
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
