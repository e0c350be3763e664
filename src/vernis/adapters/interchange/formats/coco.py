"""COCO detection files: one JSON with images, annotations and categories.

Sources: cocodataset.org, "Data format"; pycocotools. Numbers of ids and boxes come back as the
same decimals; what this module does not know is kept as attributes and written again. Labels of
whole images are annotations with a category and no box, as Datumaro's ``coco_labels`` has them.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from vernis.adapters.interchange.formats.files import JsonReader, files_of, head_of
from vernis.adapters.interchange.formats.interface import (
    Pictures,
    ReadSettings,
    Written,
    new_file,
    united,
)
from vernis.adapters.interchange.formats.names import safe_uri
from vernis.core.exchange.losses import reduce_to
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
from vernis.domain.regions import Box, ForeignId, Region, Shape, attributes_text

_STREAMED = frozenset({"images", "annotations", "categories"})
_IMAGE_KEYS = frozenset({"id", "file_name", "width", "height", "split"})
_CLASS_KEYS = frozenset({"id", "name"})
_REGION_KEYS = frozenset({"id", "image_id", "category_id", "bbox", "segmentation", "score"})
_MOST_LOOKED_INTO = 20
_OWN_TAXONOMY = "vernis_taxonomy"


class Coco:
    """The format; see ``interface.Format``."""

    name = "coco"
    suffix = ".json"
    carries = Carries(
        image_labels="many",
        regions=True,
        unused_classes=True,
        probabilities=True,
        splits=True,
        outlines="any",
        sizes=True,
        ids=frozenset({"image", "region", "class"}),
        attributes=frozenset({"image", "region", "class", "set"}),
        taxonomies="many",
    )

    def recognises(self, path: Path) -> bool:
        """Tell by the keys of a JSON object."""
        return any(_has_keys(file) for file in files_of(path, self.suffix)[:_MOST_LOOKED_INTO])

    def read(self, path: Path, settings: ReadSettings) -> ExchangeSet:
        """Read a file, or all of a folder, each a split; see ``Format``.

        Takes about the memory of the finished regions: the text is never whole in memory.
        """
        files = [file for file in files_of(path, self.suffix) if path.is_file() or _has_keys(file)]
        if not files:
            raise InvalidLabels(f"{path}: holds no COCO files")
        return united(path, [(file, _Reading(file, settings).result()) for file in files])

    def write(self, exchange: ExchangeSet, out: Path, pictures: Pictures) -> Written:
        """Write a file; regions that say no or unknown are left out. See ``Format``."""
        reduced = reduce_to(exchange, self.carries)
        writing = _Writing(reduced.exchange)
        with new_file(out) as part, open(part, "w", encoding="utf-8") as stream:
            for piece in writing.pieces():
                stream.write(piece)
        return Written(out, len(reduced.exchange.images), reduced.losses, tuple(writing.notes))


def _has_keys(path: Path) -> bool:
    if not head_of(path).lstrip().startswith("{"):
        return False
    try:
        found = set()
        for key, _ in JsonReader(path).members(_STREAMED):
            found.add(key)
            if {"images", "annotations"} <= found or {"images", "categories"} <= found:
                return True
    except InvalidLabels:
        return False
    return False


# --------------------------------------------------------------------------- reading


@dataclass(slots=True)
class _Class:
    taxonomy: str
    name: str


@dataclass(slots=True)
class _Reading:
    """Reads twice: what the annotations refer to may stand behind them."""

    path: Path
    settings: ReadSettings
    images: dict[Any, tuple[str, tuple[int, int], str, str]] = field(default_factory=dict)
    classes: dict[Any, _Class] = field(default_factory=dict)
    taxonomies: dict[str, list[ExchangeClass]] = field(default_factory=dict)
    labels: dict[Any, tuple[ExchangeLabel, ...]] = field(default_factory=dict)
    regions: dict[Any, list[ExchangeRegion]] = field(default_factory=dict)
    of_images: dict[Any, list[ExchangeLabel]] = field(default_factory=dict)
    others: dict[str, Any] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def result(self) -> ExchangeSet:
        categories: list[dict[str, Any]] = []
        for key, value in JsonReader(self.path).members(_STREAMED):
            if key == "images":
                self._add_image(value)
            elif key == "categories":
                categories.append(self._object(value, "a category"))
            elif key != "annotations":
                self.others[key] = value
        if not self.images:
            raise InvalidLabels(f"{self.path}: holds no images; expected a COCO file")
        self._add_classes(categories)
        for key, value in JsonReader(self.path).members(_STREAMED):
            if key == "annotations":
                self._add_region(self._object(value, "an annotation"))
        return self._set()

    def _object(self, value: Any, what: str) -> dict[str, Any]:
        named = value.get("id") if isinstance(value, dict) else None
        numberless = named is None and what == "an annotation"  # some programs number none
        if not isinstance(value, dict) or not (numberless or isinstance(named, int | str)):
            shown = str(value)[:60]
            raise InvalidLabels(f"{self.path}: {what} is {shown}, expected one with an id")
        return value

    def _add_image(self, value: Any) -> None:
        found = self._object(value, "an image")
        where = f"{self.path}: image {found['id']}"
        uri = safe_uri(str(found.get("file_name", "")), where)
        size = (_whole(found.get("width")), _whole(found.get("height")))
        if not all(size):
            size = self.settings.sizes.get(uri, (0, 0))
        others = {key: v for key, v in found.items() if key not in _IMAGE_KEYS}
        split = found.get("split", "")
        if not isinstance(split, str):
            split, others["split"] = "", split
        if found["id"] in self.images:
            raise InvalidLabels(f"{where} stands twice; give each image an id of its own")
        self.images[found["id"]] = (uri, size, split, attributes_text(others))

    def _add_classes(self, categories: list[dict[str, Any]]) -> None:
        """Name the classes; two of one name are told apart by supercategory or id."""
        names = Counter((self._taxonomy_of(c), str(c.get("name", "")).strip()) for c in categories)
        pairs = Counter(
            (self._taxonomy_of(c), str(c.get("name", "")).strip(), str(c.get("supercategory")))
            for c in categories
        )
        for found in categories:
            taxonomy = self._taxonomy_of(found)
            plain = str(found.get("name", "")).strip()
            name = plain or f"category {found['id']}"
            above = found.get("supercategory")
            if names[taxonomy, plain] > 1:
                alone = above and pairs[taxonomy, plain, str(above)] == 1
                name = f"{name} ({above})" if alone else f"{name} (id {found['id']})"
                self.counts["categories share their name with another; told apart in brackets"] += 1
            if found["id"] in self.classes:
                raise InvalidLabels(f"{self.path}: category {found['id']} stands twice")
            others = {
                key: v for key, v in found.items() if key not in (*_CLASS_KEYS, _OWN_TAXONOMY)
            }
            if name != found.get("name"):
                others["name"] = found.get("name")
            self.classes[found["id"]] = _Class(taxonomy, name)
            self.taxonomies.setdefault(taxonomy, []).append(
                ExchangeClass(name, found["id"], attributes_text(others))
            )

    def _taxonomy_of(self, category: Mapping[str, Any]) -> str:
        return str(category.get(_OWN_TAXONOMY) or self.settings.taxonomy)

    def _add_region(self, found: Mapping[str, Any]) -> None:
        where = f"{self.path}: annotation {found.get('id', '')}"
        image = self.images.get(found.get("image_id"))
        if image is None:
            self.counts["annotations of no image in the file were left out"] += 1
            return
        if found.get("bbox") is None and not found.get("segmentation"):
            if found.get("category_id") is None:
                raise InvalidLabels(f"{where}: has neither a box, an outline nor a category")
            self.of_images.setdefault(found["image_id"], []).extend(self._labels(found, where))
            return
        if not all(image[1]):
            self.counts["regions left out because the size of their picture is unknown"] += 1
            return
        try:
            box, shape, outline = self._shape(found, where)
        except InvalidValue as error:
            raise InvalidLabels(f"{where}: {error}") from error
        if not box.inside(image[1]):
            self.counts["boxes reach outside their picture; kept as they are"] += 1
        region = Region(
            box, image[1], shape, outline, found.get("id"), attributes_text(_others(found, box))
        )
        labels = self._labels(found, where)
        self.regions.setdefault(found["image_id"], []).append(ExchangeRegion(region, labels))

    def _shape(self, found: Mapping[str, Any], where: str) -> tuple[Box, Shape, str]:
        outline = found.get("segmentation") or None
        text = "" if outline is None else json.dumps(outline, separators=(",", ":"))
        shape: Shape = "box" if outline is None else "polygon"
        if isinstance(outline, dict):
            shape = "mask"
        box = found.get("bbox")
        if box is None and shape == "polygon":
            numbers = [float(n) for polygon in outline or [] for n in polygon]
            if not numbers:
                raise InvalidLabels(f"{where}: has neither a box nor an outline")
            self.counts["boxes are taken from the outline"] += 1
            xs, ys = numbers[::2], numbers[1::2]
            return Box.from_corners(min(xs), min(ys), max(xs), max(ys)), shape, text
        if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
            raise InvalidLabels(f"{where}: bbox is {str(box)[:60]}, expected four numbers")
        if box[2] < 0 or box[3] < 0:
            self.counts["boxes with negative sides were turned round"] += 1
            return Box.from_corners(box[0], box[1], box[0] + box[2], box[1] + box[3]), shape, text
        return Box(*(float(n) for n in box)), shape, text

    def _labels(self, found: Mapping[str, Any], where: str) -> tuple[ExchangeLabel, ...]:
        category = found.get("category_id")
        if category is None:
            return ()
        if category not in self.classes:
            self.counts["categories that the file does not list were named by their id"] += 1
            name = f"category {category}"
            self.classes[category] = _Class(self.settings.taxonomy, name)
            self.taxonomies.setdefault(self.settings.taxonomy, []).append(
                ExchangeClass(name, category)
            )
        named = self.classes[category]
        score = _score(found)
        if score is not None:
            return (ExchangeLabel(named.taxonomy, named.name, "yes", score),)
        if category not in self.labels:  # one object for the many regions of a class
            self.labels[category] = (ExchangeLabel(named.taxonomy, named.name),)
        return self.labels[category]

    def _set(self) -> ExchangeSet:
        uris = Counter(image[0] for image in self.images.values())
        images: dict[str, ExchangeImage] = {}
        for number, (uri, size, split, attributes) in self.images.items():
            regions = tuple(self.regions.pop(number, ()))
            labels = tuple(dict.fromkeys(self.of_images.pop(number, ())))
            if uri in images:
                first = images[uri]
                images[uri] = ExchangeImage(
                    uri,
                    first.size,
                    first.split,
                    first.foreign_id,
                    first.attributes,
                    tuple(dict.fromkeys((*first.labels, *labels))),
                    (*first.regions, *regions),
                )
                continue
            images[uri] = ExchangeImage(uri, size, split, number, attributes, labels, regions)
        twice = sum(count - 1 for count in uris.values())
        if twice:
            self.counts["images stand twice under one name; their regions were united"] = twice
        return ExchangeSet(
            images=tuple(images.values()),
            taxonomies=tuple(
                ExchangeTaxonomy(name, "multi", tuple(classes))
                for name, classes in self.taxonomies.items()
            ),
            attributes=attributes_text(self.others),
            folder=str(self.path.absolute().parent),
            notes=tuple(f"{count:,} {text}" for text, count in self.counts.items()),
        )


def _others(found: Mapping[str, Any], box: Box) -> dict[str, Any]:
    """Return what else an annotation says; the area of the box and "no crowd" go without saying."""
    others = {key: value for key, value in found.items() if key not in _REGION_KEYS}
    if others.get("area") == box.area:
        del others["area"]
    if others.get("iscrowd") == 0:
        del others["iscrowd"]
    if found.get("score") is not None and _score(found) is None:
        others["score"] = found["score"]
    return others


def _score(found: Mapping[str, Any]) -> float | None:
    """Return the score of an annotation where it is a probability."""
    score = found.get("score")
    return float(score) if _is_number(score) and 0 <= score <= 1 else None


def _is_number(value: Any) -> TypeGuard[int | float]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value)


def _whole(value: Any) -> int:
    return int(value) if _is_number(value) and value >= 1 else 0


# --------------------------------------------------------------------------- writing


@dataclass(slots=True)
class _Writing:
    """Writes a set; foreign ids stay, things without one get the next free number."""

    exchange: ExchangeSet
    notes: list[str] = field(default_factory=list)

    def pieces(self) -> Iterator[str]:
        """Yield the text of the file in pieces."""
        images = _Ids("images", [image.foreign_id for image in self.exchange.images], self.notes)
        classes = [
            (taxonomy.name, found)
            for taxonomy in self.exchange.taxonomies
            for found in taxonomy.classes
        ]
        ids = _Ids("classes", [found.foreign_id for _, found in classes], self.notes)
        number_of = {
            (taxonomy, found.name): ids.next(found.foreign_id) for taxonomy, found in classes
        }
        regions = _Ids(
            "regions",
            [r.region.foreign_id for image in self.exchange.images for r in image.regions],
            self.notes,
        )
        others: dict[str, Any] = (
            json.loads(self.exchange.attributes) if self.exchange.attributes else {}
        )
        yield "{"
        for key, value in others.items():
            yield f"{_json(key)}: {_json(value)},\n"
        yield '"images": ['
        numbers = []
        for at, image in enumerate(self.exchange.images):
            numbers.append(images.next(image.foreign_id))
            yield (",\n" if at else "\n") + _json(_image(image, numbers[-1]))
        yield '],\n"annotations": ['
        first = True
        for image, number in zip(self.exchange.images, numbers, strict=True):
            written = [
                _annotation(found, regions.next(found.region.foreign_id), number, number_of)
                for found in image.regions
            ]
            written += [
                _image_label(label, regions.next(None), number, number_of) for label in image.labels
            ]
            for annotation in written:
                yield ("\n" if first else ",\n") + _json(annotation)
                first = False
        yield '],\n"categories": ['
        plain = {taxonomy.name for taxonomy in self.exchange.taxonomies} <= {
            ReadSettings().taxonomy
        }
        for at, (taxonomy, kind) in enumerate(classes):
            category = _category(kind, number_of[taxonomy, kind.name], "" if plain else taxonomy)
            yield (",\n" if at else "\n") + _json(category)
        yield "]}\n"


class _Ids:
    """Gives out ids: the foreign ones where they are distinct, free numbers elsewhere."""

    def __init__(self, what: str, foreign: list[ForeignId], notes: list[str]) -> None:
        counts = Counter(found for found in foreign if found is not None)
        self.twice = {found for found, count in counts.items() if count > 1}
        whole = [found for found in counts if isinstance(found, int)]
        self.last = max([0, *whole])
        self.given: set[ForeignId] = set()
        changed = sum(counts[found] - 1 for found in self.twice)
        if changed:
            notes.append(f"{changed:,} {what} had an id that stands twice and got a new one")

    def next(self, foreign: ForeignId) -> ForeignId:
        """Return the id of the next thing."""
        if foreign is not None and foreign not in self.given:
            self.given.add(foreign)
            return foreign
        self.last += 1
        return self.last


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _number(value: float) -> float | int:
    """Return whole numbers without a decimal point, as most COCO files have them."""
    return int(value) if value.is_integer() and abs(value) < 1 << 53 else value


def _image(image: ExchangeImage, number: ForeignId) -> dict[str, Any]:
    found: dict[str, Any] = {"id": number, "file_name": image.uri}
    if all(image.size):
        found["width"], found["height"] = image.size
    if image.split:
        found["split"] = image.split
    return {**found, **(json.loads(image.attributes) if image.attributes else {})}


def _category(found: ExchangeClass, number: ForeignId, taxonomy: str) -> dict[str, Any]:
    others = json.loads(found.attributes) if found.attributes else {}
    named = {"id": number, "name": others.pop("name", found.name), **others}
    return {**named, _OWN_TAXONOMY: taxonomy} if taxonomy else named


def _image_label(
    label: ExchangeLabel,
    number: ForeignId,
    image: ForeignId,
    number_of: Mapping[tuple[str, str], ForeignId],
) -> dict[str, Any]:
    category = number_of[label.taxonomy, label.label]
    written: dict[str, Any] = {"id": number, "image_id": image, "category_id": category}
    return {**written, "score": label.probability} if label.has_probability else written


def _annotation(
    found: ExchangeRegion,
    number: ForeignId,
    image: ForeignId,
    number_of: Mapping[tuple[str, str], ForeignId],
) -> dict[str, Any]:
    region = found.region
    box = region.box
    written: dict[str, Any] = {"id": number, "image_id": image}
    for label in found.labels:
        written["category_id"] = number_of[label.taxonomy, label.label]
        if label.has_probability:
            written["score"] = label.probability
    written["bbox"] = [_number(n) for n in (box.x, box.y, box.width, box.height)]
    written["segmentation"] = json.loads(region.outline) if region.outline else []
    written["area"], written["iscrowd"] = _number(box.area), 0
    return {**written, **region.attribute_values()}
