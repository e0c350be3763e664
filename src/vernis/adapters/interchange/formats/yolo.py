"""YOLO detection: a text file an image, a line a box: class, centre and sides in fractions.

``data.yaml`` names the classes and the folders, as Ultralytics reads it (docs.ultralytics.com,
"Object Detection Datasets Overview"). Lines of a polygon (segmentation) and with a confidence
(predictions) are read too.
"""

from __future__ import annotations

import ast
import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from vernis.adapters.interchange.formats.files import number, read_lines, read_numbered_lines
from vernis.adapters.interchange.formats.interface import (
    Pictures,
    ReadSettings,
    Written,
    new_folder,
)
from vernis.adapters.interchange.formats.names import FlatNames, read_map, safe_name
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
from vernis.domain.regions import Box, Region, Shape

_NO_SPLIT = "unassigned"
_SPLITS = ("train", "val", "test")
_LISTS = ("classes.txt", "obj.names", "predefined_classes.txt")
_ENTRY = re.compile(r"(?P<key>[^:#\s][^:]*?)\s*:\s*(?P<value>.*)")
_CLOSING = {"[": "]", "{": "}"}
_FLOW = re.compile(r"""\s*(?:'((?:[^']|'')*)'|"([^"]*)"|([^,]+))\s*(?:,|$)""")
_ITEM = re.compile(r"-\s+(?P<value>.*)")


class Yolo:
    """The format; see ``interface.Format``."""

    name = "yolo"
    suffix = ""
    carries = Carries(regions=True, unused_classes=True, splits=True, sizes=True, boxes="inside")

    def recognises(self, path: Path) -> bool:
        """Tell by ``data.yaml`` or a list of classes beside text files of numbers."""
        folder = path.parent if path.is_file() else path
        if path.is_file() and path.suffix.lower() not in (".yaml", ".yml"):
            return False
        return _config_of(folder, path) is not None or (
            any((folder / name).is_file() for name in _LISTS)
            and next(folder.rglob("labels/**/*.txt"), None) is not None
        )

    def read(self, path: Path, settings: ReadSettings) -> ExchangeSet:
        """Read a folder, or the one that a ``data.yaml`` lies in; see ``Format``.

        The size of each picture is needed; it is taken from the settings or the picture's header.
        """
        return _Reading(path, settings).result()

    def write(self, exchange: ExchangeSet, out: Path, pictures: Pictures) -> Written:
        """Write ``data.yaml``, ``labels/SPLIT`` and, where asked, ``images/SPLIT``.

        Images of subfolders get flat names: most readers look into one folder only.
        """
        reduced = reduce_to(exchange, self.carries)
        names = FlatNames(image.uri for image in reduced.exchange.images)
        classes = [c.name for taxonomy in reduced.exchange.taxonomies for c in taxonomy.classes]
        number_of = {name: at for at, name in enumerate(classes)}
        folders = _split_folders(reduced.exchange)
        with new_folder(out) as folder:
            for split in folders.values():
                (folder / "labels" / split).mkdir(parents=True, exist_ok=True)
            for image in reduced.exchange.images:
                name = names.name_of(image.uri)
                stem = name[: len(name) - len(Path(name).suffix)]
                lines = [_line(found, number_of) for found in image.regions]
                file = folder / "labels" / folders[image.split] / f"{stem}.txt"
                file.write_text("".join(lines), encoding="utf-8")
                pictures.place(image.uri, folder / "images" / folders[image.split] / name)
            _write_config(folder, folders, classes)
            _write_list(folder, names, reduced.exchange, folders)
            names.write_map(folder)
        return Written(out, len(reduced.exchange.images), reduced.losses)


def _split_folders(exchange: ExchangeSet) -> dict[str, str]:
    """Return split → folder; all images lie in one folder where there are no splits."""
    splits = sorted({image.split for image in exchange.images})
    if splits in ([], [""]):
        return {"": ""}
    return {split: safe_name(split) if split else _NO_SPLIT for split in splits}


def _line(found: ExchangeRegion, number_of: dict[str, int]) -> str:
    numbers = found.region.box.center(found.region.picture)
    shown = " ".join(f"{min(max(n, 0.0), 1.0):.10g}" for n in numbers)
    return f"{number_of[found.labels[0].label]} {shown}\n"


def _write_config(folder: Path, folders: dict[str, str], classes: list[str]) -> None:
    """Write ``data.yaml``; texts are JSON, which every YAML reader takes."""
    where = {split: "/".join(filter(None, ("images", name))) for split, name in folders.items()}
    first = where.get("train") or next(iter(where.values()))
    lines = [
        f"{split}: {_quoted(where.get(split, first))}"
        for split in _SPLITS
        if split != "test" or split in where
    ]
    others = [split for split in where if split not in (*_SPLITS, "")]
    lines += [f"{_quoted(split)}: {_quoted(where[split])}" for split in others]
    lines += [f"nc: {len(classes)}", "names:"]
    lines += [f"  {at}: {_quoted(name)}" for at, name in enumerate(classes)]
    (folder / "data.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_list(
    folder: Path, names: FlatNames, exchange: ExchangeSet, folders: dict[str, str]
) -> None:
    """Name the pictures, for readers that have labels alone: a stem does not say the suffix."""
    rows = [
        "/".join(filter(None, ("images", folders[image.split], names.name_of(image.uri))))
        for image in exchange.images
    ]
    (folder / "images.txt").write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


# --------------------------------------------------------------------------- data.yaml


def read_config(path: Path) -> dict[str, object]:
    """Return the keys of a ``data.yaml``: texts, lists of texts, and ``names`` by number.

    Reads the part of YAML that these files use: flow lists and mappings, and one level of
    indented items or entries.
    """
    found: dict[str, object] = {}
    key = ""
    for at, line in _whole_lines(read_numbered_lines(path)):
        where = f"{path}: line {at}"
        text = line.strip()
        if text.startswith("#") or text in ("---", "..."):
            continue
        inside = line[0] in " \t" or text.startswith("- ")
        if inside and key:
            _add_inside(found, key, text, where)
            continue
        entry = _match_entry(text)
        if entry is None:
            raise InvalidLabels(f"{where}: '{text[:60]}' cannot be read; expected KEY: VALUE")
        key, value = entry
        found[key] = _yaml_value(value, where) if value else None
    return found


def _whole_lines(lines: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Yield number and text of each line; a list in brackets may go on over several."""
    whole, start = "", 0
    for at, line in lines:
        whole, start = (f"{whole} {line.strip()}", start) if whole else (line, at)
        value = whole.partition(":")[2].strip()
        if value[:1] in ("[", "{") and value.count(value[0]) > value.count(_CLOSING[value[0]]):
            continue
        yield start, whole
        whole = ""
    if whole:
        yield start, whole


def _add_inside(found: dict[str, object], key: str, text: str, where: str) -> None:
    """Add an indented line to the list or mapping of a key."""
    item = _ITEM.fullmatch(text)
    if item is not None:
        values = found[key] if isinstance(found[key], list) else []
        found[key] = [*values, _yaml_value(item["value"], where)]  # type: ignore[misc]
        return
    entry = _match_entry(text)
    if entry is None:
        raise InvalidLabels(f"{where}: '{text[:60]}' cannot be read; expected KEY: VALUE")
    inner = found[key] if isinstance(found[key], dict) else {}
    inner[entry[0]] = _yaml_value(entry[1], where)  # type: ignore[index]
    found[key] = inner


def _match_entry(text: str) -> tuple[str, str] | None:
    if text.startswith('"'):
        try:
            key, end = json.JSONDecoder().raw_decode(text)
        except ValueError:
            return None
        rest = text[end:].lstrip()
        return (str(key), rest[1:].strip()) if rest.startswith(":") else None
    entry = _ENTRY.fullmatch(text)
    return (entry["key"].strip("'\""), entry["value"].strip()) if entry else None


def _yaml_value(text: str, where: str) -> object:
    """Return a text, a list or a mapping of texts."""
    if text.startswith('"'):
        try:
            return json.JSONDecoder().raw_decode(text)[0]
        except ValueError as error:
            raise InvalidLabels(f"{where}: {text[:60]} is no text ({error})") from error
    if text.startswith("'"):
        end = re.match(r"'((?:[^']|'')*)'", text)
        return end[1].replace("''", "'") if end else text
    if text.startswith(("[", "{")):
        return _flow(text, where)
    return re.split(r"\s#", text)[0].strip()


def _flow(text: str, where: str) -> object:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        if not (text.startswith("[") and text.endswith("]")):
            raise InvalidLabels(f"{where}: {text[:60]} cannot be read; write a line each") from None
        parts = (found[1] or found[2] or found[3] or "" for found in _FLOW.finditer(text[1:-1]))
        return [part.replace("''", "'").strip() for part in parts if part.strip()]
    if isinstance(value, dict):
        return {str(k): str(v) for k, v in value.items()}
    return [str(v) for v in value] if isinstance(value, list) else str(value)


# --------------------------------------------------------------------------- reading


def _config_of(folder: Path, path: Path) -> Path | None:
    if path.is_file():
        candidates = [path]
    else:
        candidates = [folder / "data.yaml", *sorted(folder.glob("*.y*ml"))]
    for candidate in candidates:
        if candidate.is_file():
            try:
                if "names" in read_config(candidate):
                    return candidate
            except InvalidLabels:
                continue
    return None


class _Reading:
    def __init__(self, path: Path, settings: ReadSettings) -> None:
        self.folder = path.parent if path.is_file() else path
        self.settings = settings
        config = _config_of(self.folder, path)
        self.config = read_config(config) if config is not None else {}
        self.classes = self._class_names()
        self.names = read_map(self.folder)
        self.counts: Counter[str] = Counter()
        self.images: dict[str, ExchangeImage] = {}
        self.known: dict[str, tuple[str, Path]] = {}

    def _class_names(self) -> dict[int, str]:
        names = self.config.get("names")
        if isinstance(names, dict):
            try:
                return {int(key): str(name) for key, name in names.items()}
            except ValueError as error:
                raise InvalidLabels(f"{self.folder}: names are not numbered ({error})") from error
        if not isinstance(names, list):
            lists = (self.folder / name for name in _LISTS)
            file = next((file for file in lists if file.is_file()), None)
            names = [line.strip() for line in read_lines(file)] if file is not None else []
        return {at: str(name) for at, name in enumerate(names)}

    def result(self) -> ExchangeSet:
        self._tell_twins()
        used: set[Path] = set()
        for picture, path, split in self._pictures():
            labels = self._labels_of(picture)
            used.add(labels)
            self._add(picture, path, split, labels)
        orphans = [f for f in self._label_files() if f not in used]
        if orphans:
            self.counts["label files of no picture were left out"] = len(orphans)
        if not self.images:
            raise InvalidLabels(
                f"{self.folder}: holds labels of no known picture; put the pictures beside them"
            )
        listed = tuple(ExchangeClass(name) for _, name in sorted(self.classes.items()))
        return complete_classes(
            ExchangeSet(
                images=tuple(self.images.values()),
                taxonomies=(ExchangeTaxonomy(self.settings.taxonomy, "multi", listed),),
                folder=str(self.folder.absolute()),
                notes=tuple(f"{count:,} {text}" for text, count in self.counts.items()),
            )
        )

    def _tell_twins(self) -> None:
        """Tell classes of one name apart by their number."""
        counts = Counter(self.classes.values())
        twins = {name for name, count in counts.items() if count > 1}
        if twins:
            self.counts["classes share their name with another; told apart by their number"] = sum(
                counts[name] for name in twins
            )
            self.classes = {
                at: f"{name} (class {at})" if name in twins else name
                for at, name in self.classes.items()
            }

    def _pictures(self) -> Iterator[tuple[str, Path | None, str]]:
        """Yield the path below the folder, the file where it is there, and the split."""
        splits = self._split_of_folder()
        listed = self.folder / "images.txt"
        if listed.is_file():
            rows = read_lines(listed)
        else:
            rows = [uri_below(self.folder, path) for path in find_pictures(self.folder)]
            rows = rows or self._known_pictures()
        for row in rows:
            path = self.folder / row
            above = row.rpartition("/")[0]
            split = next(
                (s for place, s in splits if above == place or above.startswith(f"{place}/")), ""
            )
            yield row, path if path.is_file() else None, split

    def _known_pictures(self) -> list[str]:
        """Return the pictures of labels that lie alone, by the names that the caller knows."""
        by_stem: dict[str, list[str]] = {}
        for uri in self.settings.sizes:
            by_stem.setdefault(Path(uri).stem, []).append(uri)
        rows = []
        for file in self._label_files():
            below = file.relative_to(self.folder).with_suffix("").as_posix()
            found = by_stem.get(file.stem, [])
            near = [uri for uri in found if below.endswith(uri.rpartition(".")[0])]
            if len(near or found) == 1:
                uri = (near or found)[0]
                row = f"{below}{Path(uri).suffix}".replace("labels/", "images/", 1)
                self.known[row] = (uri, file)
                rows.append(row)
        return rows

    def _split_of_folder(self) -> list[tuple[str, str]]:
        """Return (folder, split), the deepest folder first."""
        found: dict[str, set[str]] = {}
        for key, value in self.config.items():
            if key in ("names", "nc", "path", "download", "roboflow"):
                continue
            for place in value if isinstance(value, list) else [value]:
                text = str(place).replace("\\", "/").removeprefix("./")
                text = re.sub(r"^(\.\./)+", "", text).strip("/")
                found.setdefault(text, set()).add({"valid": "val"}.get(key, key))
        # A folder of several splits, as for a set without any, says nothing but by its name.
        known = [
            (place, name)
            for place, splits in found.items()
            for name in splits
            if len(splits) == 1 or place.rpartition("/")[2] == safe_name(name)
        ]
        if (self.folder / "images" / _NO_SPLIT).is_dir() or (
            self.folder / "labels" / _NO_SPLIT
        ).is_dir():
            known = [(p, "" if p == f"images/{_NO_SPLIT}" else s) for p, s in known]
            known.append((f"images/{_NO_SPLIT}", ""))
        for name in ("train", "val", "valid", "test"):
            for place in (f"images/{name}", f"{name}/images"):
                if place not in found:
                    known.append((place, "val" if name == "valid" else name))
        return sorted(known, key=lambda pair: -len(pair[0]))

    def _labels_of(self, picture: str) -> Path:
        """Return the label file of a picture: in ``labels`` for ``images``, named ``.txt``."""
        if picture in self.known:
            return self.known[picture][1]
        parts = picture.split("/")
        at = max((n for n, part in enumerate(parts[:-1]) if part == "images"), default=-1)
        if at >= 0:
            parts[at] = "labels"
        stem = parts[-1][: len(parts[-1]) - len(Path(parts[-1]).suffix)]
        return self.folder.joinpath(*parts[:-1], f"{stem}.txt")

    def _label_files(self) -> Iterator[Path]:
        return (p for p in sorted(self.folder.rglob("*.txt")) if "labels" in p.parts)

    def _add(self, picture: str, path: Path | None, split: str, labels: Path) -> None:
        name = picture.rpartition("/")[2]
        own = (self.folder / "images.txt").is_file()
        uri = self.names.get(name) or (name if own else picture)
        if picture in self.known:
            uri = self.known[picture][0]
        size = size_of(uri, path, self.settings.sizes)
        regions: list[ExchangeRegion] = []
        if labels.is_file():
            lines = read_numbered_lines(labels)
            if lines and not all(size):
                self.counts["pictures whose size is unknown; their boxes were left out"] += 1
                lines = []
            regions = [self._region(line, size, f"{labels}: line {at}") for at, line in lines]
        elif path is not None:
            self.counts["pictures without a label file, taken as empty"] += 1
        self.images[uri] = ExchangeImage(uri, size, split, regions=tuple(regions))

    def _region(self, line: str, size: tuple[int, int], where: str) -> ExchangeRegion:
        parts = line.split()
        numbers = [number(part, where, f"number {at}") for at, part in enumerate(parts)]
        if len(numbers) < 5 or numbers[0] != int(numbers[0]) or numbers[0] < 0:
            raise InvalidLabels(
                f"{where}: '{line[:60]}', expected a class and four numbers or more"
            )
        label = self._class(int(numbers[0]))
        probability = math.nan
        shape: Shape = "box"
        outline = ""
        try:
            if len(numbers) in (5, 6):
                box = Box.from_center(numbers[1], numbers[2], numbers[3], numbers[4], size)
                if len(numbers) == 6 and 0 <= numbers[5] <= 1:
                    probability = numbers[5]
            else:
                points = [n * size[at % 2] for at, n in enumerate(numbers[1:])]
                points = points[: len(points) // 2 * 2]
                shape, outline = "polygon", json.dumps([points])
                xs, ys = points[::2], points[1::2]
                box = Box.from_corners(min(xs), min(ys), max(xs), max(ys))
        except InvalidValue as error:
            raise InvalidLabels(f"{where}: {error}") from error
        if not box.inside(size):
            self.counts["boxes reach outside their picture; kept as they are"] += 1
        return ExchangeRegion(
            Region(box, size, shape, outline),
            (ExchangeLabel(self.settings.taxonomy, label, "yes", probability),),
        )

    def _class(self, at: int) -> str:
        if at not in self.classes:
            self.counts["boxes of a class that has no name; named by its number"] += 1
            return f"class {at}"
        return self.classes[at]
