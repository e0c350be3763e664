"""``vernis run``: the steps in their order, over a ``Collection``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vernis.domain.errors import InvalidValue, NothingToLearn, UsageError

if TYPE_CHECKING:
    from vernis.collection import Collection


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Options of ``Collection.run``.

    Attributes
    ----------
    labels : Path, str or None
        A CSV file; None takes the classes from the folders' names.
    taxonomies : sequence of str or None
        Columns of the CSV to use; None takes those that look like taxonomies.
    closed : sequence of str
        Taxonomies in which an image with a label has none of the others.
    precision : {"fp32", "int8"} or None
        Arithmetic of the backbone; None takes the default.
    fill_precision : float
        Precision that fill suggestions promise, 0..1.
    workers : int or None
        Threads; None takes one a core.
    seed : int
    report : Path or str
        Folder of the report.
    """

    labels: Path | str | None = None
    taxonomies: Sequence[str] | None = None
    closed: Sequence[str] = field(default_factory=tuple)
    precision: str | None = None
    fill_precision: float = 0.95
    workers: int | None = None
    seed: int = 0
    report: Path | str = "report"

    def __post_init__(self) -> None:
        if not 0.0 < self.fill_precision < 1.0:
            raise InvalidValue(f"expected a precision between 0 and 1, got {self.fill_precision}")


def check_inputs(path: Path, labels: Path | str | None) -> None:
    """Raise one clear error when a run has nothing to work on; makes no collection.

    Raises
    ------
    UsageError
        The folder or the label file is not there, or the folder holds no images.
    InvalidLabels
        The label file is no table of labels.
    """
    from vernis.adapters.files import FolderSource
    from vernis.adapters.interchange.csv_labels import read_label_table

    if not path.is_dir():
        raise UsageError(f"{path}: no such folder; vernis run takes a folder of images")
    if labels is not None:
        if not Path(labels).is_file():
            raise UsageError(f"{labels}: no such file; --labels takes a CSV file")
        read_label_table(Path(labels))
    if not FolderSource(path.resolve()).list_files()[0]:
        raise UsageError(f"{path}: holds no images; vernis run takes a folder of images")


def run(collection: Collection, path: Path, options: RunOptions) -> dict[str, Any]:
    """Index, embed, judge quality, find duplicates, learn, find label issues, fill, report.

    Every step skips what was done before on the same input. Raises as ``check_inputs``, which a
    caller asks before it makes a collection.
    """
    from vernis.workflows.quality import count_open_quality

    notes: list[str] = []
    with collection.catalog.lock("run"):
        facts = _list_images(collection, path, options, notes)
        collection.embed(precision=options.precision, workers=options.workers)
        facts["unreadable"] = len(collection.catalog.images.all(("unreadable",)))
        collection.find_quality_issues()
        issues, images = count_open_quality(collection.catalog)
        facts |= {"quality issues": issues, "images with quality issues": images}
        facts["duplicate groups"] = collection.find_duplicates()
        for taxonomy in collection.catalog.labels.taxonomies():
            facts |= _work_on_labels(collection, taxonomy.name, options, notes)
        page = collection.report(options.report, workers=options.workers)
    return {"facts": facts, "notes": notes, "report": str(page), "next": _next(collection)}


def _list_images(
    collection: Collection, path: Path, options: RunOptions, notes: list[str]
) -> dict[str, Any]:
    index = collection.index(path, workers=options.workers)
    if not index["images"]:
        raise UsageError(f"{path}: holds no images; vernis run takes a folder of images")
    if options.labels is not None:
        imported = collection.import_labels(
            options.labels, taxonomies=options.taxonomies, closed=options.closed
        )
        notes += imported["notes"]
    else:
        collection.label_by_folders()
    if not collection.catalog.labels.taxonomies():
        notes.append(_say_no_labels(path))
    return {
        "images": index["images"],
        "other files": index["other_files"],
        "unreadable": index["unreadable"],
    }


def _say_no_labels(path: Path) -> str:
    """Return what is missing, and the command that mends it where a file of labels lies there."""
    from vernis.adapters.interchange.csv_labels import find_label_tables

    tables = find_label_tables(path)
    if tables:
        return (
            f"no labels were read, but {tables[0].name} names images of this folder; to find "
            f"wrong and missing labels: vernis run {path} --labels {tables[0]}"
        )
    return (
        "no labels: the images do not lie in class folders; give --labels FILE.csv to find "
        "wrong and missing labels"
    )


def _work_on_labels(
    collection: Collection, name: str, options: RunOptions, notes: list[str]
) -> dict[str, Any]:
    try:
        learned = collection.learn(name, seed=options.seed)
    except NothingToLearn as error:
        notes.append(str(error))
        return {}
    notes += learned.get("notes", [])
    found = collection.find_label_issues(name, seed=options.seed)
    filled = collection.fill(name, precision=options.fill_precision)
    return {
        f"{name}: probably wrong labels": found,
        f"{name}: labels to fill": len(filled["suggestions"]),
    }


def _next(collection: Collection) -> str:
    status = collection.status()
    for taxonomy in status["taxonomies"]:
        if status["issues"].get(f"label:{taxonomy['name']}"):
            return f"vernis issues {taxonomy['name']}"
    if status["duplicate_groups"]:
        return "vernis duplicates"
    return "vernis status"
