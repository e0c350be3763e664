"""All label formats by name, and which one a file or folder is."""

from __future__ import annotations

from pathlib import Path

from vernis.adapters.interchange.formats.box_tables import BoxTable
from vernis.adapters.interchange.formats.class_folders import ClassFolders
from vernis.adapters.interchange.formats.coco import Coco
from vernis.adapters.interchange.formats.cvat import Cvat
from vernis.adapters.interchange.formats.files import refuse_damaged
from vernis.adapters.interchange.formats.hugging_face import HuggingFace
from vernis.adapters.interchange.formats.interface import Format
from vernis.adapters.interchange.formats.label_studio import LabelStudio
from vernis.adapters.interchange.formats.tables import Table
from vernis.adapters.interchange.formats.voc import Voc
from vernis.adapters.interchange.formats.yolo import Yolo
from vernis.core.words.nearest_names import did_you_mean
from vernis.domain.errors import InvalidLabels, UsageError

_ALL: tuple[Format, ...] = (
    Coco(),
    Cvat(),
    Voc(),
    Yolo(),
    LabelStudio(),
    HuggingFace("jsonl"),
    HuggingFace("csv"),
    HuggingFace("parquet"),
    ClassFolders(),
    BoxTable(),
    Table("csv", "long"),
    Table("tsv", "long"),
    Table("xlsx", "long"),
    Table("parquet", "long"),
    Table("csv"),
    Table("tsv"),
    Table("xlsx"),
    Table("parquet"),
)

FORMATS: dict[str, Format] = {format.name: format for format in _ALL}
"""Name → format. Those that look more closely come first when one is looked for."""


def format_named(name: str) -> Format:
    """Return a format by its name; raises UsageError with the nearest names."""
    if name in FORMATS:
        return FORMATS[name]
    hint = did_you_mean(name, FORMATS) or f"; there are {', '.join(sorted(FORMATS))}"
    raise UsageError(f"no format '{name}'{hint}")


def recognise(path: Path) -> Format:
    """Return the format of a file or folder.

    Raises
    ------
    InvalidLabels
        It is missing, damaged, or none of the formats.
    """
    if not path.exists():
        raise InvalidLabels(f"{path}: no such file or folder")
    for format in FORMATS.values():
        if format.recognises(path):
            return format
    refuse_damaged(path)
    raise InvalidLabels(
        f"{path}: is of no format that is known; name one: {', '.join(sorted(FORMATS))}"
    )
