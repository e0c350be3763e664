"""Class folders: an image lies in a folder named like its class, below its split.

``train/cat/tom.jpg`` is what torchvision's ImageFolder, Keras, YOLO classification and Hugging
Face's imagefolder read. Class names that no folder can have are written with ``%XX``; a map file
beside them says what each name was.
"""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path, PurePosixPath

from vernis.adapters.interchange.formats.interface import (
    Pictures,
    ReadSettings,
    Written,
    new_folder,
)
from vernis.adapters.interchange.formats.names import FlatNames, safe_name
from vernis.adapters.interchange.formats.pictures import find_pictures, uri_below
from vernis.core.exchange.losses import complete_classes, reduce_to
from vernis.domain.errors import InvalidLabels, UsageError
from vernis.domain.exchange import (
    Carries,
    ExchangeClass,
    ExchangeImage,
    ExchangeLabel,
    ExchangeSet,
    ExchangeTaxonomy,
)

_SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
_NO_SPLIT = "unassigned"
_MAP = "vernis_files.csv"
_HEADER = ["file", "image", "split", "class"]


class ClassFolders:
    """The format; see ``interface.Format``."""

    name = "folders"
    suffix = ""
    carries = Carries(
        image_labels="many", unlabelled=False, unused_classes=True, splits=True, taxonomies="one"
    )

    def recognises(self, path: Path) -> bool:
        """Tell by our own map; other folders of pictures are what an index reads by itself."""
        return path.is_dir() and (path / _MAP).is_file()

    def read(self, path: Path, settings: ReadSettings) -> ExchangeSet:
        """Read a folder of class folders, with or without splits above them; see ``Format``."""
        if (path / _MAP).is_file():
            return _read_map(path, settings)
        return _read_folders(path, settings)

    def write(self, exchange: ExchangeSet, out: Path, pictures: Pictures) -> Written:
        """Write a link or a copy of each picture into the folder of each of its classes.

        Raises
        ------
        UsageError
            The pictures are not to be placed: the folders are the labels.
        """
        if pictures.placing == "none":
            raise UsageError("class folders hold the pictures themselves; say --copy or --link")
        return self.write_folders(exchange, out, pictures)

    def write_folders(self, exchange: ExchangeSet, out: Path, pictures: Pictures) -> Written:
        """Do the same, with empty folders where the pictures are not placed."""
        reduced = reduce_to(exchange, self.carries)
        classes = [c.name for taxonomy in reduced.exchange.taxonomies for c in taxonomy.classes]
        folders = _Folders(classes)
        splits = sorted({image.split for image in reduced.exchange.images})
        flat = FlatNames(image.uri for image in reduced.exchange.images)
        rows: list[list[str]] = []
        with new_folder(out) as folder:
            for split in splits or [""]:
                for name in classes:
                    _below(folder, split, splits, folders.names[name]).mkdir(parents=True)
            for image in reduced.exchange.images:
                for label in image.labels:
                    place = _below(folder, image.split, splits, folders.names[label.label])
                    file = place / flat.name_of(image.uri)
                    pictures.place(image.uri, file)
                    rows.append([uri_below(folder, file), image.uri, image.split, label.label])
            for name in classes:
                rows.append(
                    [uri_below(folder, _below(folder, "", [""], folders.names[name])), "", "", name]
                )
            with open(folder / _MAP, "w", encoding="utf-8", newline="") as stream:
                writer = csv.writer(stream, lineterminator="\n")
                writer.writerow(_HEADER)
                writer.writerows(rows)
        return Written(out, len(reduced.exchange.images), reduced.losses)


class _Folders:
    """Gives each class a folder of its own, on disks too that take ``Cat`` and ``cat`` for one."""

    def __init__(self, classes: list[str]) -> None:
        self.names: dict[str, str] = {}
        taken: set[str] = set()
        for name in classes:
            safe = safe_name(name)
            number, unique = 1, safe
            while FlatNames.key(unique) in taken:
                number += 1
                unique = f"{safe}~{number}"
            taken.add(FlatNames.key(unique))
            self.names[name] = unique


def _below(folder: Path, split: str, splits: list[str], name: str) -> Path:
    if splits in ([], [""]):
        return folder / name
    return folder / (safe_name(split) if split else _NO_SPLIT) / name


def _read_map(path: Path, settings: ReadSettings) -> ExchangeSet:
    try:
        with open(path / _MAP, encoding="utf-8", newline="") as stream:
            rows = list(csv.reader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidLabels(f"{path / _MAP}: cannot be read ({error})") from error
    if not rows or rows[0] != _HEADER or any(len(row) != len(_HEADER) for row in rows):
        raise InvalidLabels(f"{path / _MAP}: was changed; delete it to read the folders themselves")
    labels: dict[str, list[str]] = {}
    splits: dict[str, str] = {}
    classes: dict[str, None] = {}
    for _, image, split, name in rows[1:]:
        classes[name] = None
        if image:
            labels.setdefault(image, []).append(name)
            splits[image] = split
    return _as_set(path, settings, labels, splits, list(classes), [])


def _read_folders(path: Path, settings: ReadSettings) -> ExchangeSet:
    labels: dict[str, list[str]] = {}
    splits: dict[str, str] = {}
    loose = 0
    for file in find_pictures(path):
        uri = uri_below(path, file)
        above = list(PurePosixPath(uri).parts[:-1])
        if above and above[0].lower() in _SPLITS and len(above) > 1:
            splits[uri] = _SPLITS[above.pop(0).lower()]
        if not above:
            loose += 1
            continue
        labels[uri] = ["/".join(above)]
    if not labels:
        raise InvalidLabels(f"{path}: holds no pictures in folders of classes")
    notes = [f"{loose:,} pictures lie in no class folder"] if loose else []
    classes = sorted({name for names in labels.values() for name in names})
    return _as_set(path, settings, labels, splits, classes, notes)


def _as_set(
    path: Path,
    settings: ReadSettings,
    labels: dict[str, list[str]],
    splits: dict[str, str],
    classes: list[str],
    notes: list[str],
) -> ExchangeSet:
    several = any(len(names) > 1 for names in labels.values())
    counts = Counter(FlatNames.key(name) for name in classes)
    alike = sum(count for count in counts.values() if count > 1)
    if alike:
        notes.append(f"{alike:,} classes differ only in upper and lower case")
    images = tuple(
        ExchangeImage(
            uri,
            split=splits.get(uri, ""),
            labels=tuple(ExchangeLabel(settings.taxonomy, name) for name in names),
        )
        for uri, names in labels.items()
    )
    return complete_classes(
        ExchangeSet(
            images,
            (
                ExchangeTaxonomy(
                    settings.taxonomy,
                    "multi" if several else "single",
                    tuple(ExchangeClass(name) for name in classes),
                ),
            ),
            folder=str(path.absolute()),
            notes=tuple(notes),
        )
    )
