"""Pascal VOC: one XML an image, as labelImg, RectLabel, CVAT and datumaro write it.

Whole pixels, of which the first is 1 and the last one belongs to the box (The PASCAL Visual Object
Classes Challenge 2012 Development Kit, annotation format). Attributes go into ``<attributes>`` as
CVAT and datumaro write them, their values as JSON.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from vernis.adapters.interchange.formats.files import (
    child_text,
    head_of,
    number,
    read_lines,
    xml_elements,
    xml_text,
)
from vernis.adapters.interchange.formats.interface import (
    Pictures,
    ReadSettings,
    Written,
    new_folder,
)
from vernis.adapters.interchange.formats.names import FlatNames, read_map, safe_name, safe_uri
from vernis.adapters.interchange.formats.pictures import find_pictures, size_of, uri_below
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

_DEFAULTS = {"pose": "Unspecified", "truncated": "0", "difficult": "0"}
_KNOWN = (*_DEFAULTS, "occluded")
_ONE_CLASS = re.compile(r".+\s(-1|0|1)")
_MAP_OF_LABELS = "labelmap.txt"
_COUNTED = "read with 1 as the first pixel; say if it is 0"
_SETS = ("ImageSets", "Main")
_BACKGROUND = "background"


class Voc:
    """The format; see ``interface.Format``."""

    name = "voc"
    suffix = ""
    carries = Carries(
        regions=True,
        unused_classes=True,
        splits=True,
        sizes=True,
        attributes=frozenset({"region"}),
        boxes="pixels",
    )

    def recognises(self, path: Path) -> bool:
        """Tell by the first XML file that is there."""
        if path.is_file():
            return path.suffix.lower() == ".xml" and "<annotation>" in head_of(path)
        first = next(_xml_files(path), None)
        return first is not None and "<annotation>" in head_of(first)

    def read(self, path: Path, settings: ReadSettings) -> ExchangeSet:
        """Read an XML file or a folder of them; see ``Format``."""
        folder = path if path.is_dir() else path.parent
        if folder.name == "Annotations":
            folder = folder.parent
        reading = _Reading(settings, read_map(folder))
        files = [path] if path.is_file() else list(_xml_files(path))
        splits = _splits(folder)
        for file in files:
            for element in xml_elements(file, frozenset({"annotation"})):
                reading.add(file, element, splits)
        if not reading.images:
            raise InvalidLabels(f"{path}: holds no Pascal VOC annotations")
        if path.is_dir():
            reading.add_unannotated(folder, splits, {file.stem for file in files})
        return reading.result(folder)

    def write(self, exchange: ExchangeSet, out: Path, pictures: Pictures) -> Written:
        """Write ``Annotations``, ``ImageSets``, ``labelmap.txt`` and, where asked, ``JPEGImages``.

        Images of subfolders get flat names: most readers look into one folder only.
        """
        reduced = reduce_to(exchange, self.carries)
        names = FlatNames(image.uri for image in reduced.exchange.images)
        with new_folder(out) as folder:
            (folder / "Annotations").mkdir()
            (folder.joinpath(*_SETS)).mkdir(parents=True)
            splits: dict[str, list[str]] = {}
            for image in reduced.exchange.images:
                name = names.name_of(image.uri)
                stem = name[: len(name) - len(Path(name).suffix)]
                splits.setdefault(image.split, []).append(stem)
                content = tostring(_annotation(image, name), encoding="utf-8")
                (folder / "Annotations" / f"{stem}.xml").write_bytes(content + b"\n")
                pictures.place(image.uri, folder / "JPEGImages" / name)
            for split, stems in splits.items():
                file = folder.joinpath(*_SETS, f"{safe_name(split) if split else 'default'}.txt")
                file.write_text("".join(f"{stem}\n" for stem in stems), encoding="utf-8")
            _write_classes(folder, reduced.exchange)
            names.write_map(folder)
        return Written(out, len(reduced.exchange.images), reduced.losses)


def _xml_files(folder: Path) -> Iterator[Path]:
    inner = folder / "Annotations"
    where = inner if inner.is_dir() else folder
    return (p for p in sorted(where.rglob("*.xml")) if not p.name.startswith("."))


def _splits(folder: Path) -> dict[str, str]:
    """Return stem → split of the lists in ``ImageSets/Main``; ``default`` is no split.

    Lists of one class (``cat_train.txt``) hold a second column and are left out, and so are lists
    that unite others (``trainval``).
    """
    found: dict[str, str] = {}
    files = sorted(folder.joinpath(*_SETS).glob("*.txt"))
    for file in sorted(files, key=lambda f: f.stem in ("trainval", "default")):
        lines = read_lines(file)
        if "_" in file.stem and all(_ONE_CLASS.fullmatch(line.strip()) for line in lines):
            continue
        for line in lines:
            found.setdefault(line, "" if file.stem == "default" else file.stem)
    return found


def _write_classes(folder: Path, exchange: ExchangeSet) -> None:
    names = [found.name for taxonomy in exchange.taxonomies for found in taxonomy.classes]
    lines = ["# label:color_rgb:parts:actions", *(f"{json_name(name)}:::" for name in names)]
    (folder / _MAP_OF_LABELS).write_text("\n".join(lines) + "\n", encoding="utf-8")


def json_name(name: str) -> str:
    """Return a name as a line can hold it: as it is, or as JSON where it would be misread."""
    plain = not any(sign in name for sign in '":#\n\r') and name.strip() == name
    return name if plain else json.dumps(name, ensure_ascii=False)


def _read_classes(folder: Path) -> list[str]:
    file = folder / _MAP_OF_LABELS
    if not file.is_file():
        return []
    found = []
    for line in read_lines(file):
        if line.startswith("#") or not line.strip():
            continue
        if line.startswith('"'):
            try:
                name = str(json.JSONDecoder().raw_decode(line)[0])
            except ValueError:
                name = line.split(":")[0]
        else:
            name = line.split(":")[0]
        if name.strip() and name != _BACKGROUND:
            found.append(name)
    return list(dict.fromkeys(found))


# --------------------------------------------------------------------------- reading


class _Reading:
    def __init__(self, settings: ReadSettings, names: dict[str, str]) -> None:
        self.settings = settings
        self.names = names
        self.images: dict[str, ExchangeImage] = {}
        self.counts: Counter[str] = Counter()

    def add(self, file: Path, element: Element, splits: dict[str, str]) -> None:
        where = str(file)
        written = child_text(element, "filename") or f"{file.stem}.jpg"
        uri = self.names.get(written) or safe_uri(written, where)
        size = self._size(element, uri)
        regions = [
            region
            for at, found in enumerate(element.findall("object"), 1)
            if (region := self._region(found, size, f"{where}: object {at}")) is not None
        ]
        if uri in self.images:
            raise InvalidLabels(f"{where}: '{uri}' is described by two files; keep one")
        self.images[uri] = ExchangeImage(
            uri, size, self._split_of(file, splits), regions=tuple(regions)
        )

    @staticmethod
    def _split_of(file: Path, splits: dict[str, str]) -> str:
        """Return the split of a file: lists name its stem, or its path below Annotations."""
        if file.stem in splits:
            return splits[file.stem]
        parts = file.with_suffix("").parts
        inner = "/".join(parts[parts.index("Annotations") + 1 :]) if "Annotations" in parts else ""
        return splits.get(inner, "")

    def add_unannotated(self, folder: Path, splits: dict[str, str], there: set[str]) -> None:
        """Add the images of the lists that have no file: some programs write none for no box."""
        pictures = {p.stem: p for p in find_pictures(folder / "JPEGImages")}
        for entry, split in splits.items():
            stem = entry.rpartition("/")[2]
            if stem in there:
                continue
            if stem not in pictures:
                self.counts["images are listed that have neither annotations nor a picture"] += 1
                continue
            name = uri_below(folder / "JPEGImages", pictures[stem])
            uri = self.names.get(name, name)
            size = size_of(uri, pictures[stem], self.settings.sizes)
            self.images.setdefault(uri, ExchangeImage(uri, size, split))

    def _size(self, element: Element, uri: str) -> tuple[int, int]:
        found = element.find("size")
        texts = [child_text(found, n) if found is not None else "" for n in ("width", "height")]
        try:
            size = (int(float(texts[0])), int(float(texts[1])))
        except (ValueError, OverflowError):
            size = (0, 0)
        return size if min(size) > 0 else self.settings.sizes.get(uri, (0, 0))

    def _region(self, element: Element, size: tuple[int, int], where: str) -> ExchangeRegion | None:
        name = element.findtext("name") or ""
        if not name.strip():
            raise InvalidLabels(f"{where}: has no name")
        if not all(size):
            self.counts["regions left out because the size of their picture is unknown"] += 1
            return None
        try:
            box, shape, outline = self._shape(element, where)
            region = Region(box, size, shape, outline, None, attributes_text(_attributes(element)))
        except InvalidValue as error:
            raise InvalidLabels(f"{where}: {error}") from error
        if not box.inside(size):
            self.counts["boxes reach outside their picture; kept as they are"] += 1
        return ExchangeRegion(region, (ExchangeLabel(self.settings.taxonomy, name),))

    def _shape(self, element: Element, where: str) -> tuple[Box, Shape, str]:
        found = element.find("bndbox")
        polygon = element.find("polygon")
        if found is None and polygon is None:
            raise InvalidLabels(f"{where}: has no bndbox")
        outline = []
        if polygon is not None:
            points = {child.tag: number(child.text or "", where, child.tag) for child in polygon}
            last = sum(tag.startswith("x") for tag in points)
            outline = [points.get(f"{axis}{n}", 0.0) for n in range(1, last + 1) for axis in "xy"]
        text = json.dumps([outline]) if len(outline) >= 6 else ""
        if found is None:
            xs, ys = outline[::2], outline[1::2]
            return Box.from_corners(min(xs), min(ys), max(xs), max(ys)), "polygon", text
        corners = [
            number(child_text(found, name), where, name)
            for name in ("xmin", "ymin", "xmax", "ymax")
        ]
        self._judge(corners)
        shift = 1.0 if self.settings.one_based else 0.0
        box = Box.from_corners(corners[0] - shift, corners[1] - shift, *corners[2:])
        return box, "polygon" if text else "box", text

    def _judge(self, corners: list[float]) -> None:
        """Count what contradicts pixels that count from 1."""
        if self.settings.one_based:
            if any(n != int(n) for n in corners):
                self.counts[
                    "boxes in fractions of pixels, read with 1 as the first pixel; say if it is 0"
                ] += 1
            elif min(corners[:2]) < 1:
                self.counts[
                    "boxes begin at pixel 0, read with 1 as the first pixel; say if it is 0"
                ] += 1

    def result(self, folder: Path) -> ExchangeSet:
        listed = tuple(ExchangeClass(name) for name in _read_classes(folder))
        return complete_classes(
            ExchangeSet(
                images=tuple(self.images.values()),
                taxonomies=(ExchangeTaxonomy(self.settings.taxonomy, "multi", listed),),
                folder=str(folder.absolute()),
                notes=tuple(f"{count:,} {text}" for text, count in self.counts.items()),
            )
        )


def _attributes(element: Element) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: element.findtext(name) or ""
        for name in _KNOWN
        if element.findtext(name, _DEFAULTS.get(name)) != _DEFAULTS.get(name)
    }
    for child in element.iterfind("attributes/attribute"):
        text = child.findtext("value") or ""
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        found[child.findtext("name") or ""] = value
    return found


# --------------------------------------------------------------------------- writing


def _annotation(image: ExchangeImage, name: str) -> Element:
    root = Element("annotation")
    _add(root, "folder", "JPEGImages")
    _add(root, "filename", name)
    size = SubElement(root, "size")
    for tag, value in zip(("width", "height", "depth"), (*image.size, 3), strict=True):
        _add(size, tag, str(value))
    _add(root, "segmented", "0")
    for found in image.regions:
        root.append(_object(found))
    indent(root)
    return root


def _object(found: ExchangeRegion) -> Element:
    element = Element("object")
    _add(element, "name", found.labels[0].label if found.labels else "")
    others = found.region.attribute_values()
    for tag in _KNOWN:
        if isinstance(others.get(tag), str):
            _add(element, tag, others.pop(tag))
        elif tag in _DEFAULTS:
            _add(element, tag, _DEFAULTS[tag])
    xmin, ymin, xmax, ymax = found.region.box.corners
    box = SubElement(element, "bndbox")
    corners = {"xmin": xmin + 1, "ymin": ymin + 1, "xmax": xmax, "ymax": ymax}
    for tag, value in corners.items():
        _add(box, tag, str(int(value)))
    if others:
        group = SubElement(element, "attributes")
        for key, value in others.items():
            attribute = SubElement(group, "attribute")
            _add(attribute, "name", key)
            _add(attribute, "value", json.dumps(value, ensure_ascii=False))
    return element


def _add(parent: Element, tag: str, text: str) -> None:
    SubElement(parent, tag).text = xml_text(text)
