"""Hugging Face imagefolder: ``metadata.jsonl`` or ``metadata.csv`` beside the pictures.

A row a picture with ``file_name`` and a column a taxonomy: a text where an image has one class, a
list where it may have several; boxes in ``objects`` with ``bbox`` (COCO's x, y, width, height) and
``category`` (huggingface.co/docs/datasets, "Create an image dataset"). A split is a folder with a
metadata file of its own.

The loader takes words in the path of a picture for its split: ``beach_test.jpg`` would go into the
split ``test``, without its labels and without a word. Pictures with such a path get a number for
their name; a map file says what it was.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from vernis.adapters.interchange.delimited import read_delimited
from vernis.adapters.interchange.formats.files import head_of, read_numbered_lines, read_text
from vernis.adapters.interchange.formats.interface import (
    Pictures,
    ReadSettings,
    Written,
    new_folder,
)
from vernis.adapters.interchange.formats.names import (
    read_map,
    safe_name,
    safe_suffix,
    safe_uri,
    write_map,
)
from vernis.adapters.interchange.formats.parquet import read_parquet, write_parquet
from vernis.adapters.interchange.formats.pictures import size_of
from vernis.core.exchange.losses import complete_classes, reduce_to
from vernis.core.words.cell_parts import SEPARATOR
from vernis.core.words.label_columns import judge_column, split_cell
from vernis.domain.errors import InvalidLabels, InvalidValue
from vernis.domain.exchange import (
    Carries,
    ExchangeClass,
    ExchangeImage,
    ExchangeLabel,
    ExchangeRegion,
    ExchangeSet,
    ExchangeTaxonomy,
)
from vernis.domain.regions import Box, Region, attributes_text

Kind = Literal["jsonl", "csv", "parquet"]

_FILES: Mapping[Kind, str] = {
    "jsonl": "metadata.jsonl",
    "csv": "metadata.csv",
    "parquet": "metadata.parquet",
}
_CLASSES = "vernis_classes.json"
_SPLIT_WORD = re.compile(
    r"(?<![^\W_])(train(ing)?|test(ing)?|eval(uation)?|val|valid(ation)?|dev)(?![^\W_])",
    re.IGNORECASE,
)
_KNOWN_SPLITS = frozenset({"train", "val", "valid", "validation", "dev", "test"})
_NO_SPLIT = "unassigned"
_RESERVED = ("file_name", "objects", "image_id")


@dataclass(frozen=True, slots=True)
class HuggingFace:
    """The format; see ``interface.Format``.

    Attributes
    ----------
    kind : str
        Which metadata file is written; all are read.
    """

    kind: Kind = "jsonl"
    suffix: str = ""

    @property
    def name(self) -> str:
        """What the user types."""
        return "hugging-face" if self.kind == "jsonl" else f"hugging-face-{self.kind}"

    @property
    def carries(self) -> Carries:
        """What it can hold; a table of CSV holds no boxes."""
        flat = self.kind == "csv"
        return Carries(
            image_labels="many",
            regions=not flat,
            unused_classes=True,
            splits=True,
            ids=frozenset({"image"}),
            id_types="text",
            taxonomies="many",
            names="cell" if flat else "any",
        )

    def recognises(self, path: Path) -> bool:
        """Tell by a metadata file of its kind with a column ``file_name``."""
        own = [file for file, _ in _metadata_files(path) if file.name == _FILES[self.kind]]
        return any(self.kind == "parquet" or "file_name" in head_of(file) for file in own)

    def read(self, path: Path, settings: ReadSettings) -> ExchangeSet:
        """Read a folder, or one metadata file; see ``Format``."""
        folder = path if path.is_dir() else path.parent
        reading = _Reading(folder, settings, read_map(folder))
        for file, split in _metadata_files(path):
            reading.add_file(file, split)
        return reading.result()

    def write(self, exchange: ExchangeSet, out: Path, pictures: Pictures) -> Written:
        """Write a metadata file a split, and the pictures beside it where asked."""
        reduced = reduce_to(exchange, self.carries)
        splits: dict[str, list[ExchangeImage]] = {}
        for image in reduced.exchange.images:
            splits.setdefault(image.split, []).append(image)
        boxed = any(image.regions for image in reduced.exchange.images)
        with_ids = any(image.foreign_id is not None for image in reduced.exchange.images)
        columns = _columns(reduced.exchange.taxonomies)
        lists = _lists(reduced.exchange)
        names = _file_names(reduced.exchange.images) if pictures.placing != "none" else {}
        with new_folder(out) as folder:
            for split, images in splits.items():
                place = folder
                if list(splits) != [""]:
                    place = folder / (safe_name(split) if split else _NO_SPLIT)
                place.mkdir(exist_ok=True)
                rows = []
                for image in images:
                    name = names.get(image.uri, image.uri)
                    rows.append({"file_name": name, **_row(image, columns, lists, boxed, with_ids)})
                    pictures.place(image.uri, place.joinpath(*name.split("/")))
                _write_rows(place / _FILES[self.kind], rows, self.kind)
            _write_classes(folder / _CLASSES, reduced.exchange.taxonomies)
            if names:
                write_map(folder, names.items())
        return Written(out, len(reduced.exchange.images), reduced.losses, _split_notes(splits))


def _file_names(images: tuple[ExchangeImage, ...]) -> dict[str, str]:
    """Return uri → name of the pictures whose path holds the name of a split."""
    taken = {image.uri for image in images}
    free = (name for n in count(1) if (name := f"image-{n:06d}") not in taken)
    return {
        image.uri: next(free) + safe_suffix(PurePosixPath(image.uri))
        for image in images
        if _SPLIT_WORD.search(image.uri)
    }


def _split_notes(splits: Mapping[str, list[ExchangeImage]]) -> tuple[str, ...]:
    """Say which pictures the loader will not show."""
    lost = {name: len(images) for name, images in splits.items() if name not in _KNOWN_SPLITS}
    if list(splits) == [""] or not lost:
        return ()
    shown = ", ".join(f"{name or 'no split'} ({number:,})" for name, number in lost.items())
    return (f"Hugging Face loads the splits train, validation and test; it leaves out: {shown}",)


def _metadata_files(path: Path) -> Iterator[tuple[Path, str]]:
    """Yield each metadata file and its split, which is the name of its folder below the root."""
    names = set(_FILES.values())
    if path.is_file():
        if path.name in names:
            yield path, ""
        return
    if not path.is_dir():
        return
    places = [(path, ""), *((p, p.name) for p in sorted(path.iterdir()) if p.is_dir())]
    inner = [(p, split) for place, _ in places[:1] for p, split in _inside(place / "data")]
    for place, split in (*places, *inner):
        for name in sorted(names):
            if (place / name).is_file():
                yield place / name, "" if split == _NO_SPLIT else split


def _inside(folder: Path) -> list[tuple[Path, str]]:
    return [(p, p.name) for p in sorted(folder.iterdir()) if p.is_dir()] if folder.is_dir() else []


# --------------------------------------------------------------------------- reading


@dataclass(slots=True)
class _Row:
    uri: str
    path: Path
    split: str
    where: str
    values: dict[str, Any]


@dataclass(slots=True)
class _Reading:
    folder: Path
    settings: ReadSettings
    names: Mapping[str, str]
    rows: list[_Row] = field(default_factory=list)
    flat: bool = False
    columns: Mapping[str, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def add_file(self, file: Path, split: str) -> None:
        # Where the file lies in a folder of the root, its pictures do too.
        for at, values in _read_rows(file):
            where = f"{file}: row {at}"
            name = values.pop("file_name", None)
            if not isinstance(name, str):
                raise InvalidLabels(f"{where}: names no file_name")
            name = safe_uri(name, where)
            uri = self.names.get(name, name)
            self.rows.append(_Row(uri, file.parent / name, split, where, values))
        self.flat = self.flat or file.suffix == ".csv"

    def result(self) -> ExchangeSet:
        if not self.rows:
            raise InvalidLabels(f"{self.folder}: holds no rows of metadata (jsonl, csv or parquet)")
        listed = _read_classes(self.folder / _CLASSES)
        ours = listed is not None
        if listed is None:
            kinds = self._judge()
        else:
            columns = _columns(listed)
            self.columns = {column: name for name, column in columns.items()}
            kinds = {columns[t.name]: t.kind for t in listed}
        images: dict[str, ExchangeImage] = {}
        for row in self.rows:
            uri = row.uri
            if not ours and row.split:
                uri = f"{row.split}/{uri}"
            if uri in images:
                raise InvalidLabels(f"{row.where}: '{uri}' stands twice; keep one row")
            images[uri] = self._image(uri, row, kinds)
        taxonomies = listed or tuple(ExchangeTaxonomy(n, k) for n, k in kinds.items())
        return complete_classes(
            ExchangeSet(
                tuple(images.values()),
                tuple(taxonomies),
                folder=str(self.folder.absolute()),
                notes=tuple(f"{count:,} {text}" for text, count in self.counts.items()),
            )
        )

    def _judge(self) -> dict[str, Literal["single", "multi"]]:
        """Tell which columns hold classes: lists of texts, and texts that look like classes."""
        kinds: dict[str, Literal["single", "multi"]] = {}
        columns = dict.fromkeys(name for row in self.rows for name in row.values)
        for name in columns:
            cells = [row.values.get(name) for row in self.rows]
            if name in _RESERVED or not any(cells):
                continue
            if all(c is None or _is_texts(c) for c in cells):
                kinds[name] = "multi"
            elif all(c is None or isinstance(c, str) for c in cells):
                use = judge_column(name, [c or "" for c in cells])
                if use.role == "taxonomy":
                    kinds[name] = use.kind if self.flat else "single"
        return kinds

    def _image(
        self, uri: str, row: _Row, kinds: Mapping[str, Literal["single", "multi"]]
    ) -> ExchangeImage:
        labels: list[ExchangeLabel] = []
        others: dict[str, Any] = {}
        number = row.values.pop("image_id", None)
        boxes = row.values.pop("objects", None)
        for name, cell in row.values.items():
            if name not in kinds:
                if cell not in (None, ""):
                    others[name] = cell
                continue
            texts = split_cell(cell or "") if self.flat else cell if _is_texts(cell) else [cell]
            labels += [
                ExchangeLabel(name, str(t)) for t in texts if t is not None and str(t).strip()
            ]
        regions: tuple[ExchangeRegion, ...] = ()
        if isinstance(boxes, dict) and boxes.get("bbox"):
            size = size_of(uri, row.path if row.path.is_file() else None, self.settings.sizes)
            regions = self._regions(boxes, size, row.where)
        return ExchangeImage(
            uri,
            (0, 0),
            row.split,
            number if isinstance(number, int | str) and number != "" else None,
            attributes_text(others),
            tuple(labels),
            regions,
        )

    def _regions(
        self, boxes: Mapping[str, Any], size: tuple[int, int], where: str
    ) -> tuple[ExchangeRegion, ...]:
        found = boxes["bbox"]
        names = boxes.get("category") or boxes.get("categories") or boxes.get("label") or []
        spaces = boxes.get("taxonomy") or [self.settings.taxonomy] * len(found)
        if len(names) != len(found) or len(spaces) != len(found):
            raise InvalidLabels(
                f"{where}: objects hold {len(found)} boxes and {len(names)} categories"
            )
        if not all(size):
            self.counts["regions left out because the size of their picture is unknown"] += len(
                found
            )
            return ()
        regions = []
        for box, name, space in zip(found, names, spaces, strict=True):
            try:
                region = Region(Box(*(float(n) for n in box)), size)
            except (InvalidValue, TypeError, ValueError) as error:
                raise InvalidLabels(f"{where}: a bbox is {str(box)[:60]} ({error})") from error
            if not region.box.inside(size):
                self.counts["boxes reach outside their picture; kept as they are"] += 1
            text = name if isinstance(name, str) else f"class {name}"
            regions.append(ExchangeRegion(region, (ExchangeLabel(space, text),)))
        return tuple(regions)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _read_rows(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    if file.suffix == ".parquet":
        yield from enumerate(read_parquet(file), 1)
    elif file.suffix == ".csv":
        rows, _ = read_delimited(file)
        header = rows[0][1] if rows else []
        for at, cells in rows[1:]:
            if any(cells):
                yield at, dict(zip(header, cells, strict=False))
    else:
        for at, line in read_numbered_lines(file):
            try:
                row = json.loads(line)
            except ValueError as error:
                raise InvalidLabels(f"{file}: row {at} is no JSON ({error})") from error
            if not isinstance(row, dict):
                raise InvalidLabels(f"{file}: row {at} is no object")
            yield at, row


def _read_classes(file: Path) -> tuple[ExchangeTaxonomy, ...] | None:
    """Return the taxonomies of a folder that Vernis wrote; None for one of others."""
    if not file.is_file():
        return None
    try:
        found = json.loads(read_text(file))
        return tuple(
            ExchangeTaxonomy(t["name"], t["kind"], tuple(ExchangeClass(c) for c in t["classes"]))
            for t in found["taxonomies"]
        )
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidLabels(f"{file}: was changed ({error}); delete it") from error


# --------------------------------------------------------------------------- writing


def _columns(taxonomies: tuple[ExchangeTaxonomy, ...]) -> dict[str, str]:
    """Return taxonomy → column; a name that means something else here gets an addition."""
    found: dict[str, str] = {}
    for taxonomy in taxonomies:
        column = taxonomy.name
        while column in _RESERVED or column in found.values():
            column += "_labels"
        found[taxonomy.name] = column
    return found


def _lists(exchange: ExchangeSet) -> set[str]:
    """Return the taxonomies whose column holds lists: all rows of a column have one type."""
    found = {taxonomy.name for taxonomy in exchange.taxonomies if taxonomy.kind == "multi"}
    for image in exchange.images:
        counts = Counter(label.taxonomy for label in image.labels)
        found |= {name for name, count in counts.items() if count > 1}
    return found


def _row(
    image: ExchangeImage,
    columns: Mapping[str, str],
    lists: set[str],
    boxed: bool,
    with_ids: bool,
) -> dict[str, Any]:
    row: dict[str, Any] = {}
    if with_ids:
        row["image_id"] = image.foreign_id
    for taxonomy, column in columns.items():
        names = [label.label for label in image.labels if label.taxonomy == taxonomy]
        row[column] = names if taxonomy in lists else next(iter(names), None)
    if boxed:
        boxes = [found.region.box for found in image.regions]
        row["objects"] = {
            "bbox": [[b.x, b.y, b.width, b.height] for b in boxes],
            "category": [found.labels[0].label for found in image.regions],
            "taxonomy": [found.labels[0].taxonomy for found in image.regions],
        }
    return row


def _write_rows(file: Path, rows: list[dict[str, Any]], kind: Kind) -> None:
    if kind == "parquet":
        write_parquet(file, rows)
        return
    with open(file, "w", encoding="utf-8", newline="") as stream:
        if kind == "jsonl":
            for row in rows:
                stream.write(json.dumps(row, ensure_ascii=False) + "\n")
            return
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(rows[0] if rows else ["file_name"])
        for row in rows:
            writer.writerow(
                SEPARATOR.join(v) if isinstance(v, list) else "" if v is None else v
                for v in row.values()
            )


def _write_classes(file: Path, taxonomies: tuple[ExchangeTaxonomy, ...]) -> None:
    found = [
        {"name": t.name, "kind": t.kind, "classes": [c.name for c in t.classes]} for t in taxonomies
    ]
    text = json.dumps({"taxonomies": found}, ensure_ascii=False, indent=1)
    file.write_text(text, encoding="utf-8")
