"""Tables of boxes: a row a box, as detectors, notebooks and data sets publish them.

Read are the names of columns of TensorFlow's object detection, Open Images (fractions), RetinaNet
with a header, makesense.ai and the like; what else a row says is kept as attributes. A row without
numbers names an image without boxes. Written are the columns of ``COLUMNS``.
"""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vernis.adapters.interchange.delimited import read_header
from vernis.adapters.interchange.formats.files import number
from vernis.adapters.interchange.formats.interface import (
    Pictures,
    ReadSettings,
    Written,
    new_file,
)
from vernis.adapters.interchange.formats.names import safe_uri
from vernis.adapters.interchange.label_tables import read_sheets
from vernis.core.exchange.losses import complete_classes, reduce_to
from vernis.core.words.box_columns import BoxColumns, find_box_columns
from vernis.domain.errors import InvalidLabels, InvalidValue
from vernis.domain.exchange import (
    Carries,
    ExchangeImage,
    ExchangeLabel,
    ExchangeRegion,
    ExchangeSet,
)
from vernis.domain.regions import Box, Region, attributes_text

COLUMNS = (
    *("image", "split", "width", "height", "label", "xmin", "ymin", "xmax", "ymax"),
    "probability",
)
"""``width`` and ``height`` are those of the upright picture."""

_SUFFIXES = (".csv", ".tsv", ".tab", ".txt")


class BoxTable:
    """The format; see ``interface.Format``."""

    name = "csv-boxes"
    suffix = ".csv"
    carries = Carries(
        regions=True, probabilities=True, splits=True, sizes=True, names="cell", boxes="any"
    )

    def recognises(self, path: Path) -> bool:
        """Tell by the header."""
        if not path.is_file() or path.suffix.lower() not in _SUFFIXES:
            return False
        header = read_header(path)
        # A long table of Vernis says more.
        return find_box_columns(header) is not None and "taxonomy" not in header

    def read(self, path: Path, settings: ReadSettings) -> ExchangeSet:
        """Read a table; what it does not say of sizes, the settings do. See ``Format``."""
        sheet = read_sheets(path)[0]
        columns = find_box_columns(sheet.header)
        if columns is None:
            raise InvalidLabels(
                f"{path}: has no columns of boxes; expected an image, a label and xmin, ymin, "
                "xmax, ymax"
            )
        reading = _Reading(path, settings, columns, ours=tuple(sheet.header) == COLUMNS)
        for at, cells in zip(sheet.numbers, sheet.rows, strict=True):
            reading.add(cells, f"{path}: row {at}")
        return reading.result()

    def write(self, exchange: ExchangeSet, out: Path, pictures: Pictures) -> Written:
        """Write a table; see ``Format``."""
        reduced = reduce_to(exchange, self.carries)
        with new_file(out) as part, open(part, "w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(_rows(reduced.exchange))
        return Written(out, len(reduced.exchange.images), reduced.losses)


def _rows(exchange: ExchangeSet) -> Iterator[Sequence[str | float]]:
    for image in exchange.images:
        size = image.size if all(image.size) else ("", "")
        if not image.regions:
            yield (image.uri, image.split, *size, "", "", "", "", "", "")
        for found in image.regions:
            label = found.labels[0]
            probability = label.probability if label.has_probability else ""
            corners = found.region.box.corners
            yield (image.uri, image.split, *size, label.label, *corners, probability)


@dataclass(slots=True)
class _Reading:
    path: Path
    settings: ReadSettings
    columns: BoxColumns
    ours: bool = False
    rows: dict[str, list[tuple[list[float], str, float, str]]] = field(default_factory=dict)
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    splits: dict[str, str] = field(default_factory=dict)
    largest: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, cells: Sequence[str], where: str) -> None:
        columns = self.columns
        uri = safe_uri(cells[columns.image], where)
        here = self.rows.setdefault(uri, [])
        if columns.width >= 0 and columns.height >= 0 and uri not in self.sizes:
            size = (_whole(cells[columns.width]), _whole(cells[columns.height]))
            if all(size):
                self.sizes[uri] = size
        if columns.split >= 0 and cells[columns.split].strip():
            self.splits.setdefault(uri, cells[columns.split].strip())
        texts = [cells[at].strip() for at in columns.box]
        if not any(texts):
            return
        numbers = [number(text, where, "a side of the box") for text in texts]
        label = cells[columns.label].strip()
        if not label:
            raise InvalidLabels(f"{where}: has a box and no label")
        text = cells[columns.probability].strip() if columns.probability >= 0 else ""
        probability = number(text, where, "probability") if text else math.nan
        others = {name: cells[at] for name, at in columns.others.items() if cells[at].strip()}
        self.largest = max(self.largest, *map(abs, numbers))
        here.append((numbers, label, probability, attributes_text(others)))

    def result(self) -> ExchangeSet:
        fractions = 0 < self.largest <= 1 and not self.ours
        if fractions:
            count = sum(map(len, self.rows.values()))
            self.counts["boxes are fractions of their pictures"] = count
        images = tuple(
            ExchangeImage(
                uri,
                self._size(uri),
                self.splits.get(uri, ""),
                regions=tuple(self._regions(uri, fractions)),
            )
            for uri in self.rows
        )
        return complete_classes(
            ExchangeSet(
                images,
                folder=str(self.path.absolute().parent),
                notes=tuple(f"{count:,} {text}" for text, count in self.counts.items()),
            )
        )

    def _size(self, uri: str) -> tuple[int, int]:
        return self.sizes.get(uri) or self.settings.sizes.get(uri, (0, 0))

    def _regions(self, uri: str, fractions: bool) -> Iterator[ExchangeRegion]:
        size = self._size(uri)
        if not all(size):
            unknown = "regions left out because the size of their picture is unknown"
            self.counts[unknown] += len(self.rows[uri])
            return
        for numbers, label, probability, others in self.rows[uri]:
            if fractions:
                numbers = [n * size[at % 2] for at, n in enumerate(numbers)]
            try:
                if self.columns.given == "corners":
                    box = Box.from_corners(numbers[0], numbers[1], numbers[2], numbers[3])
                else:
                    box = Box(*numbers)
                said = ExchangeLabel(self.settings.taxonomy, label, "yes", probability)
            except InvalidValue as error:
                raise InvalidLabels(f"{self.path}: {uri}: {error}") from error
            if not box.inside(size):
                self.counts["boxes reach outside their picture; kept as they are"] += 1
            yield ExchangeRegion(Region(box, size, attributes=others), (said,))


def _whole(text: str) -> int:
    try:
        return max(0, int(float(text)))
    except (ValueError, OverflowError):
        return 0
