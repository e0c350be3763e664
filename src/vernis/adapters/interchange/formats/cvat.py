"""CVAT for images 1.1: one XML with boxes, polygons and tags.

Source: docs.cvat.ai, "CVAT XML format", version 1.1 for image tasks. Coordinates are pixels of the
upright picture.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from vernis.adapters.interchange.formats.files import (
    files_of,
    head_of,
    number,
    xml_elements,
    xml_text,
)
from vernis.adapters.interchange.formats.interface import (
    Pictures,
    ReadSettings,
    Written,
    new_file,
    united,
)
from vernis.adapters.interchange.formats.names import safe_uri
from vernis.core.exchange.losses import complete_classes, reduce_to
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
from vernis.domain.regions import Box, Region, Shape, attributes_text

_READ = frozenset({"image", "label", "track"})
_FLAGS = {"occluded": "0", "z_order": "0", "group_id": "0"}


class Cvat:
    """The format; see ``interface.Format``."""

    name = "cvat"
    suffix = ".xml"
    carries = Carries(
        image_labels="many",
        regions=True,
        unused_classes=True,
        splits=True,
        outlines="polygon",
        sizes=True,
        ids=frozenset({"image"}),
        id_types="int",
        attributes=frozenset({"region"}),
    )

    def recognises(self, path: Path) -> bool:
        """Tell by the root element."""
        return any("<annotations" in head_of(file) for file in files_of(path, self.suffix))

    def read(self, path: Path, settings: ReadSettings) -> ExchangeSet:
        """Read a file image by image, or all of a folder, each a split; see ``Format``."""
        files = [f for f in files_of(path, self.suffix) if "<annotations" in head_of(f)]
        if not files:
            raise InvalidLabels(f"{path}: holds no files of CVAT for images")
        return united(path, [(file, _read_file(file, settings)) for file in files])

    def write(self, exchange: ExchangeSet, out: Path, pictures: Pictures) -> Written:
        """Write a file, image by image; pictures are uploaded to CVAT on their own."""
        reduced = reduce_to(exchange, self.carries)
        taken = {image.foreign_id for image in reduced.exchange.images}
        free = (n for n in range(len(taken) + len(reduced.exchange.images) + 1) if n not in taken)
        with new_file(out) as part, open(part, "w", encoding="utf-8") as stream:
            stream.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n')
            stream.write("  <version>1.1</version>\n")
            stream.write(_text(_meta(reduced.exchange)))
            for image in reduced.exchange.images:
                number = next(free) if image.foreign_id is None else image.foreign_id
                stream.write(_text(_image(image, str(number))))
            stream.write("</annotations>\n")
        return Written(out, len(reduced.exchange.images), reduced.losses)


# --------------------------------------------------------------------------- reading


def _read_file(path: Path, settings: ReadSettings) -> ExchangeSet:
    reading = _Reading(path, settings)
    for element in xml_elements(path, _READ):
        if element.tag == "image":
            reading.add(element)
        elif element.tag == "label":
            name = element.findtext("name") or ""
            if name.strip():
                reading.classes[name] = None
        else:
            reading.counts["tracks of videos were left out"] += 1
    return reading.result()


@dataclass(slots=True)
class _Reading:
    path: Path
    settings: ReadSettings
    classes: dict[str, None] = field(default_factory=dict)
    images: dict[str, ExchangeImage] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def add(self, element: Element) -> None:
        where = f"{self.path}: image {element.get('id', '?')}"
        uri = safe_uri(element.get("name", ""), where)
        size = (_whole(element.get("width")), _whole(element.get("height")))
        if not all(size):
            size = self.settings.sizes.get(uri, (0, 0))
        if uri in self.images:
            raise InvalidLabels(f"{where}: '{uri}' stands twice; keep one")
        labels: list[ExchangeLabel] = []
        regions: list[ExchangeRegion] = []
        for at, child in enumerate(element, 1):
            label = child.get("label", "")
            if not label.strip():
                continue
            said = ExchangeLabel(self.settings.taxonomy, label)
            if child.tag == "tag":
                labels.append(said)
                continue
            region = self._region(child, size, f"{where}: {child.tag} {at}")
            if region is not None:
                regions.append(ExchangeRegion(region, (said,)))
        number = element.get("id", "")
        self.images[uri] = ExchangeImage(
            uri,
            size,
            element.get("subset", ""),
            int(number) if number.isascii() and number.isdigit() else None,
            labels=tuple(labels),
            regions=tuple(regions),
        )

    def _region(self, element: Element, size: tuple[int, int], where: str) -> Region | None:
        if not all(size):
            self.counts["regions left out because the size of their picture is unknown"] += 1
            return None
        try:
            found = _shape(element, where)
            if found is None:
                self.counts[f"shapes of kind {element.tag} were left out"] += 1
                return None
            region = Region(found[0], size, found[1], found[2], None, _attributes(element))
        except InvalidValue as error:
            raise InvalidLabels(f"{where}: {error}") from error
        if not region.box.inside(size):
            self.counts["boxes reach outside their picture; kept as they are"] += 1
        return region

    def result(self) -> ExchangeSet:
        if not self.images:
            raise InvalidLabels(f"{self.path}: holds no images; expected CVAT for images 1.1")
        listed = tuple(ExchangeClass(name) for name in self.classes)
        return complete_classes(
            ExchangeSet(
                tuple(self.images.values()),
                (ExchangeTaxonomy(self.settings.taxonomy, "multi", listed),),
                folder=str(self.path.absolute().parent),
                notes=tuple(f"{count:,} {text}" for text, count in self.counts.items()),
            )
        )


def _whole(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else 0


def _shape(element: Element, where: str) -> tuple[Box, Shape, str] | None:
    def at(name: str) -> float:
        return number(element.get(name, ""), where, name)

    if element.tag == "box":
        box = Box.from_corners(at("xtl"), at("ytl"), at("xbr"), at("ybr"))
        return box, "box", ""
    if element.tag == "ellipse":
        rx, ry = at("rx"), at("ry")
        return Box(at("cx") - rx, at("cy") - ry, 2 * rx, 2 * ry), "box", ""
    if element.tag not in ("polygon", "polyline", "points"):
        return None
    flat = [
        number(text, where, "points")
        for pair in element.get("points", "").split(";")
        for text in pair.split(",")
    ]
    xs, ys = flat[::2], flat[1::2]
    if len(xs) != len(ys):
        raise InvalidLabels(f"{where}: points are '{element.get('points', '')[:60]}'")
    box = Box.from_corners(min(xs), min(ys), max(xs), max(ys))
    if element.tag == "polygon":
        return box, "polygon", json.dumps([flat], separators=(",", ":"))
    return box, "point" if len(xs) == 1 else "box", ""


def _attributes(element: Element) -> str:
    values: dict[str, object] = {
        name: element.get(name)
        for name, default in _FLAGS.items()
        if element.get(name, default) != default
    }
    for child in element.iterfind("attribute"):
        text = child.text or ""
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        values[child.get("name", "")] = value
    return attributes_text(values)


# --------------------------------------------------------------------------- writing


def _text(element: Element) -> str:
    indent(element, level=1)
    return f"  {tostring(element, encoding='unicode')}\n"


def _meta(exchange: ExchangeSet) -> Element:
    """Return the head of a file: of a task, or of a project with a task a split."""
    splits = sorted({image.split for image in exchange.images if image.split})
    root = Element("meta")
    above = SubElement(root, "project" if splits else "task")
    labels = SubElement(above, "labels")
    for taxonomy in exchange.taxonomies:
        labels.extend(_label(found.name) for found in taxonomy.classes)
    if splits:
        tasks = SubElement(above, "tasks")
        for split in splits:
            SubElement(SubElement(tasks, "task"), "subset").text = xml_text(split)
    return root


def _label(name: str) -> Element:
    element = Element("label")
    SubElement(element, "name").text = xml_text(name)
    SubElement(element, "attributes")
    return element


def _image(image: ExchangeImage, number: str) -> Element:
    element = Element("image", id=number, name=xml_text(image.uri))
    if image.split:
        element.set("subset", xml_text(image.split))
    if all(image.size):
        element.set("width", str(image.size[0]))
        element.set("height", str(image.size[1]))
    for found in image.regions:
        region = found.region
        polygons = region.polygons()
        shared = {"label": xml_text(found.labels[0].label), "source": "manual"}
        others = region.attribute_values()
        for name, default in _FLAGS.items():
            flag = others.pop(name) if isinstance(others.get(name), str) else default
            shared[name] = flag
        if region.shape == "polygon" and polygons:
            child = SubElement(element, "polygon", shared)
            points = polygons[0]
            pairs = (f"{points[n]!r},{points[n + 1]!r}" for n in range(0, len(points) - 1, 2))
            child.set("points", ";".join(pairs))
        else:
            child = SubElement(element, "box", shared)
            for name, value in zip(("xtl", "ytl", "xbr", "ybr"), region.box.corners, strict=True):
                child.set(name, repr(value))
        for key, value in others.items():
            attribute = SubElement(child, "attribute", name=xml_text(key))
            attribute.text = json.dumps(value, ensure_ascii=False)
    for label in image.labels:
        SubElement(element, "tag", label=xml_text(label.label), source="manual")
    return element
