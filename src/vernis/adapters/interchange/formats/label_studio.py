"""Label Studio: a JSON list of tasks with annotations by people and predictions by models.

Boxes are percentages of the upright picture (labelstud.io, "Import pre-annotated data into Label
Studio"). What a model said goes into ``predictions``, all else into ``annotations``; beside the
tasks a labelling configuration names the classes.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeGuard
from urllib.parse import quote
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from vernis.adapters.interchange.formats.files import (
    JsonReader,
    head_of,
    xml_elements,
    xml_text,
)
from vernis.adapters.interchange.formats.interface import (
    Pictures,
    ReadSettings,
    Written,
    new_folder,
)
from vernis.adapters.interchange.formats.names import uri_from_url
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

TASKS = "tasks.json"
CONFIG = "label_config.xml"
_LOCAL = "/data/local-files/?d="
_IMAGE_KEYS = ("image", "img", "url", "file", "photo", "picture")
_PER_CENT = 100.0
_SAID = "vernis_source"
_SUFFIX = {"rectanglelabels": "_boxes", "polygonlabels": "_polygons"}
"""Each kind of region has a control of its own, named like its taxonomy with one of these."""

_TAGS = {"RectangleLabels": "_boxes", "PolygonLabels": "_polygons", "Labels": "", "Choices": ""}


class LabelStudio:
    """The format; see ``interface.Format``."""

    name = "label-studio"
    suffix = ""
    carries = Carries(
        image_labels="many",
        regions=True,
        unused_classes=True,
        probabilities=True,
        sources=True,
        splits=True,
        outlines="polygon",
        sizes=True,
        ids=frozenset({"image", "region"}),
        attributes=frozenset({"image", "region"}),
        taxonomies="many",
    )

    def recognises(self, path: Path) -> bool:
        """Tell by the first task of a JSON list."""
        file = path / TASKS if path.is_dir() else path
        if file.suffix.lower() != ".json" or not head_of(file).lstrip().startswith("["):
            return False
        try:
            first = next(JsonReader(file).items(), None)
        except InvalidLabels:
            return False
        return isinstance(first, dict) and "data" in first

    def read(self, path: Path, settings: ReadSettings) -> ExchangeSet:
        """Read a JSON file, or a folder with ``tasks.json``; see ``Format``."""
        file = path / TASKS if path.is_dir() else path
        reading = _Reading(file, settings)
        for at, task in enumerate(JsonReader(file).items(), 1):
            reading.add(task, f"{file}: task {at}")
        return reading.result()

    def write(self, exchange: ExchangeSet, out: Path, pictures: Pictures) -> Written:
        """Write ``tasks.json`` and ``label_config.xml``; pictures go into ``images`` where asked.

        The tasks name the pictures as local files; Label Studio needs
        ``LOCAL_FILES_DOCUMENT_ROOT`` to be the folder that the paths are relative to.
        """
        reduced = reduce_to(exchange, self.carries)
        with new_folder(out) as folder:
            with open(folder / TASKS, "w", encoding="utf-8") as stream:
                stream.write("[")
                for at, image in enumerate(reduced.exchange.images):
                    stream.write(",\n" if at else "\n")
                    json.dump(_task(image, at + 1), stream, ensure_ascii=False)
                    pictures.place(image.uri, folder.joinpath("images", *image.uri.split("/")))
                stream.write("]\n")
            config = tostring(_config(reduced.exchange), encoding="utf-8")
            (folder / CONFIG).write_bytes(config + b"\n")
        return Written(out, len(reduced.exchange.images), reduced.losses)


# --------------------------------------------------------------------------- reading


@dataclass(slots=True)
class _Reading:
    _UNNAMED: ClassVar[str] = "label-studio"
    file: Path
    settings: ReadSettings
    images: dict[str, ExchangeImage] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    kinds: dict[str, list[str]] = field(default_factory=dict)

    def add(self, task: Any, where: str) -> None:
        if not isinstance(task, dict) or not isinstance(task.get("data"), dict):
            raise InvalidLabels(f"{where}: has no data; expected a task of Label Studio")
        data = dict(task["data"])
        key = next((k for k in _IMAGE_KEYS if isinstance(data.get(k), str)), None)
        if key is None:
            raise InvalidLabels(
                f"{where}: its data name no image (looked for {', '.join(_IMAGE_KEYS)})"
            )
        uri = uri_from_url(data.pop(key), where)
        split = data.pop("split", "")
        number = data.pop("foreign_id", task.get("id"))
        width, height = data.pop("width", 0), data.pop("height", 0)
        found = _Found(self, uri, where)
        if isinstance(width, int) and isinstance(height, int):
            found.size = (max(0, width), max(0, height))
        for annotation in task.get("annotations") or task.get("completions") or []:
            if isinstance(annotation, dict) and not annotation.get("was_cancelled"):
                found.add_results(annotation.get("result"), "", math.nan)
        for prediction in task.get("predictions") or []:
            if isinstance(prediction, dict):
                version = str(prediction.get("model_version") or self._UNNAMED)
                version = version if version.startswith("model:") else f"model:{version}"
                score = prediction.get("score")
                probability = score if _is_probability(score) else math.nan
                found.add_results(prediction.get("result"), version, probability)
        if uri in self.images:
            self.counts["tasks name an image that another one names too; they were united"] += 1
            first = self.images[uri]
            found.labels = [*first.labels, *found.labels]
            found.regions = {
                f"{at}": r for at, r in enumerate((*first.regions, *found.regions.values()))
            }
            number = first.foreign_id
        self.images[uri] = ExchangeImage(
            uri,
            found.size,
            split if isinstance(split, str) else "",
            number if isinstance(number, int | str) else None,
            attributes_text(data),
            tuple(found.labels),
            tuple(found.regions.values()),
        )

    def result(self) -> ExchangeSet:
        if not self.images:
            raise InvalidLabels(f"{self.file}: holds no tasks")
        config = self.file.with_name(CONFIG)
        listed = _read_config(config) if config.is_file() else ()
        return complete_classes(
            ExchangeSet(
                tuple(self.images.values()),
                listed,
                folder=str(self.file.absolute().parent),
                notes=tuple(f"{count:,} {text}" for text, count in self.counts.items()),
            )
        )


@dataclass(slots=True)
class _Found:
    """What the results of one task say; several of one id are about one region."""

    reading: _Reading
    uri: str
    where: str
    size: tuple[int, int] = (0, 0)
    labels: list[ExchangeLabel] = field(default_factory=list)
    regions: dict[str, ExchangeRegion] = field(default_factory=dict)

    def add_results(self, results: Any, source: str, probability: float) -> None:
        if not isinstance(results, list):
            return
        for result in results:
            if isinstance(result, dict) and isinstance(result.get("value"), dict):
                self._add(result, source, probability)

    def _add(self, result: Mapping[str, Any], source: str, probability: float) -> None:
        value = result["value"]
        kind = str(result.get("type", ""))
        width, height = result.get("original_width"), result.get("original_height")
        if isinstance(width, int) and isinstance(height, int) and min(width, height) > 0:
            self.size = (width, height)
        meta = dict(result["meta"]) if isinstance(result.get("meta"), dict) else {}
        source = str(meta.pop(_SAID, "")) or source
        score = result.get("score", meta.pop("score", None))
        if _is_probability(score):
            probability = float(score)
        taxonomy = str(result.get("from_name") or self.reading.settings.taxonomy)
        taxonomy = taxonomy.removesuffix(_SUFFIX.get(kind, ""))
        names: Any = next((v for k, v in value.items() if k in (kind, "choices", "labels")), [])
        labels = tuple(
            ExchangeLabel(taxonomy, str(name), "yes", probability, source)
            for name in (names if isinstance(names, list) else [names])
            if str(name).strip()
        )
        if kind == "choices" or "choices" in value:
            self.labels += labels
        elif "x" in value or "points" in value:
            self._add_region(result, kind, value, labels, meta)
        else:
            self.reading.counts[f"results of type '{kind}' were left out"] += 1

    def _add_region(
        self,
        result: Mapping[str, Any],
        kind: str,
        value: Mapping[str, Any],
        labels: tuple[ExchangeLabel, ...],
        meta: dict[str, Any],
    ) -> None:
        size = self.size if all(self.size) else self.reading.settings.sizes.get(self.uri, (0, 0))
        if not all(size):
            self.reading.counts[
                "regions left out because the size of their picture is unknown"
            ] += 1
            return
        self.size = size
        key = str(result.get("id", f"region {len(self.regions)}"))
        if key in self.regions:
            first = self.regions[key]
            more = tuple(label for label in labels if label not in first.labels)
            self.regions[key] = ExchangeRegion(first.region, (*first.labels, *more))
            return
        try:
            box, shape, outline = _shape(value, size)
        except (InvalidValue, KeyError, TypeError, ValueError) as error:
            raise InvalidLabels(
                f"{self.where}: region {key} has no usable {kind} ({error})"
            ) from error
        foreign = meta.pop("vernis_id", result.get("id"))
        region = Region(
            box,
            size,
            shape,
            outline,
            foreign if isinstance(foreign, int | str) else None,
            attributes_text(meta),
        )
        self.regions[key] = ExchangeRegion(region, labels)


def _is_probability(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _shape(value: Mapping[str, Any], size: tuple[int, int]) -> tuple[Box, Shape, str]:
    """Return the region of a value in per cent; a turned rectangle becomes a polygon."""
    scale = size[0] / _PER_CENT, size[1] / _PER_CENT
    if "points" in value:
        points = [(float(x) * scale[0], float(y) * scale[1]) for x, y in value["points"]]
        return _around(points)
    x, y = float(value["x"]) * scale[0], float(value["y"]) * scale[1]
    if "radiusX" in value:
        rx, ry = float(value["radiusX"]) * scale[0], float(value["radiusY"]) * scale[1]
        return Box(x - rx, y - ry, 2 * rx, 2 * ry), "box", ""
    if "width" not in value or "height" not in value:
        return Box(x, y, 0.0, 0.0), "point", ""
    width, height = float(value["width"]) * scale[0], float(value["height"]) * scale[1]
    angle = math.radians(float(value.get("rotation") or 0))
    if not angle:
        return Box(x, y, width, height), "box", ""
    # It turns round its upper left corner, clockwise.
    cos, sin = math.cos(angle), math.sin(angle)
    corners = ((0.0, 0.0), (width, 0.0), (width, height), (0.0, height))
    return _around([(x + a * cos - b * sin, y + a * sin + b * cos) for a, b in corners])


def _around(points: list[tuple[float, float]]) -> tuple[Box, Shape, str]:
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    outline = json.dumps([[n for point in points for n in point]])
    return Box.from_corners(min(xs), min(ys), max(xs), max(ys)), "polygon", outline


def _read_config(path: Path) -> tuple[ExchangeTaxonomy, ...]:
    """Return the classes that a labelling configuration lists."""
    found: dict[str, ExchangeTaxonomy] = {}
    for element in xml_elements(path, frozenset(_TAGS)):
        name = (element.get("name") or "").removesuffix(_TAGS[element.tag])
        names = [child.get("value") or "" for child in element.iter() if child.get("value")]
        single = element.tag == "Choices" and element.get("choice", "single").startswith("single")
        before = found.get(name)
        known = [c.name for c in before.classes] if before else []
        classes = tuple(ExchangeClass(c) for c in dict.fromkeys([*known, *names]))
        kind = "single" if single else before.kind if before else "multi"
        if name:
            found[name] = ExchangeTaxonomy(name, kind, classes)
    return tuple(found.values())


# --------------------------------------------------------------------------- writing


def _task(image: ExchangeImage, number: int) -> dict[str, Any]:
    data: dict[str, Any] = {"image": _LOCAL + quote(image.uri)}
    if image.split:
        data["split"] = image.split
    if all(image.size):
        data["width"], data["height"] = image.size
    data.update(json.loads(image.attributes) if image.attributes else {})
    if isinstance(image.foreign_id, str):
        data["foreign_id"] = image.foreign_id  # Label Studio numbers its tasks
    by_people: list[dict[str, Any]] = []
    by_models: dict[str, list[dict[str, Any]]] = {}
    for result in _results(image):
        source = result["meta"].get(_SAID, "")
        if source.startswith("model:"):
            by_models.setdefault(source, []).append(result)
        else:
            by_people.append(result)
    task: dict[str, Any] = {
        "id": image.foreign_id if isinstance(image.foreign_id, int) else number,
        "data": data,
        "annotations": [{"result": by_people}] if by_people else [],
    }
    if by_models:
        task["predictions"] = [
            {"model_version": source, "result": results} for source, results in by_models.items()
        ]
    return task


def _results(image: ExchangeImage) -> Iterator[dict[str, Any]]:
    for at, label in enumerate(image.labels):
        yield _result(
            f"label-{at}", label.taxonomy, "choices", {"choices": [label.label]}, label, {}
        )
    for at, found in enumerate(image.regions):
        region = found.region
        width, height = region.picture
        polygons = region.polygons()
        if region.shape == "polygon" and len(polygons) == 1:
            kind, points = "polygonlabels", polygons[0]
            shape: dict[str, Any] = {
                "points": [
                    [_PER_CENT * points[n] / width, _PER_CENT * points[n + 1] / height]
                    for n in range(0, len(points) - 1, 2)
                ]
            }
        else:
            kind, box = "rectanglelabels", region.box
            shape = {
                "x": _PER_CENT * box.x / width,
                "y": _PER_CENT * box.y / height,
                "width": _PER_CENT * box.width / width,
                "height": _PER_CENT * box.height / height,
                "rotation": 0,
            }
        key = f"region-{at}" if region.foreign_id is None else str(region.foreign_id)
        meta = region.attribute_values()
        if isinstance(region.foreign_id, int):
            meta["vernis_id"] = region.foreign_id
        label = found.labels[0]
        result = _result(
            key, label.taxonomy + _SUFFIX[kind], kind, {**shape, kind: [label.label]}, label, meta
        )
        yield {
            **result,
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
        }


def _result(
    key: str,
    from_name: str,
    kind: str,
    value: dict[str, Any],
    label: ExchangeLabel,
    meta: dict[str, Any],
) -> dict[str, Any]:
    if label.source:
        meta = {**meta, _SAID: label.source}
    result = {
        "id": key,
        "type": kind,
        "from_name": from_name,
        "to_name": "image",
        "value": value,
        "meta": meta,
    }
    return {**result, "score": label.probability} if label.has_probability else result


def _config(exchange: ExchangeSet) -> Element:
    """Return a labelling configuration for the classes: choices, and boxes or polygons."""
    root = Element("View")
    SubElement(root, "Image", name="image", value="$image")
    drawn = {
        (label.taxonomy, "_polygons" if region.region.shape == "polygon" else "_boxes")
        for image in exchange.images
        for region in image.regions
        for label in region.labels
    }
    for taxonomy in exchange.taxonomies:
        names = [xml_text(found.name) for found in taxonomy.classes]
        choices = SubElement(
            root,
            "Choices",
            name=xml_text(taxonomy.name),
            toName="image",
            choice="single" if taxonomy.kind == "single" else "multiple",
        )
        for name in names:
            SubElement(choices, "Choice", value=name)
        for tag, suffix in _TAGS.items():
            if not suffix or (taxonomy.name, suffix) not in drawn:
                continue
            control = SubElement(root, tag, name=xml_text(taxonomy.name) + suffix, toName="image")
            for name in names:
                SubElement(control, "Label", value=name)
    indent(root)
    return root
