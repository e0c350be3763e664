"""The folder of a random sample that a person judges: ``sample.json``, ``sample.csv``, a page."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vernis.adapters.interchange.csv_labels import read_label_table
from vernis.core.words.label_columns import split_cell
from vernis.domain.errors import InvalidLabels, StorageError, UsageError

SAMPLE, SHEET, JUDGED, PAGE, RESULT = (
    "sample.json",
    "sample.csv",
    "truth.csv",
    "index.html",
    "comparison.json",
)
_FORMAT = 1
_MOST_NOTES = 10


def write_sample_folder(
    folder: Path, sample: Mapping[str, Any], images: list[str], page: bytes
) -> Path:
    """Write a new sample; returns its page.

    Parameters
    ----------
    folder : Path
        New or empty: judgements of an earlier sample are never overwritten.
    sample : mapping
        JSON-able; what ``read_sample`` returns.
    images : list of str
        The rows of the sheet.
    page : bytes

    Raises
    ------
    UsageError
        The folder holds something.
    StorageError
        It cannot be written.
    """
    require_new(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sheet = io.StringIO()
        writer = csv.writer(sheet, lineterminator="\n")
        writer.writerow(["image", "truth"])
        writer.writerows([image, ""] for image in images)
        _write(folder / SHEET, sheet.getvalue().encode("utf-8"))
        _write(folder / PAGE, page)
        # Last: a folder without it is no sample.
        write_json(folder / SAMPLE, {"format": _FORMAT, **sample})
    except OSError as error:
        raise StorageError(f"{folder}: cannot write the sample ({error.strerror})") from error
    return folder / PAGE


def require_new(folder: Path) -> None:
    """Raise UsageError where a folder holds something."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder}: is there already; name a new folder: --out DIR")


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write a JSON file, all of it or nothing."""
    text = json.dumps(document, ensure_ascii=False, indent=1, default=asdict)
    _write(path, text.encode("utf-8"))


def read_sample(folder: Path) -> dict[str, Any]:
    """Return what ``write_sample_folder`` stored.

    Raises
    ------
    UsageError
        The folder holds no sample, or one of another version.
    """
    try:
        document = json.loads((folder / SAMPLE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{folder}: holds no sample; draw one: vernis lab sample") from error
    if not isinstance(document, dict) or document.pop("format", None) != _FORMAT:
        raise UsageError(f"{folder / SAMPLE}: was written by another version; draw a new sample")
    return document


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a person wrote down.

    Attributes
    ----------
    labels : mapping of str to tuple of str
        Image → its true classes, of the judged images.
    notes : tuple of str
        A line for each row that was left out and for what else a reader should know.
    """

    labels: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()


def read_judgement(
    folder: Path, file: Path | None, sample: Mapping[str, Any], nothing: str
) -> Judgement:
    """Return what was judged; a row that does not fit is left out, with a note.

    Parameters
    ----------
    folder : Path
    file : Path or None
        The CSV file; default ``truth.csv`` of the folder, as the page saves it, else the sheet.
    sample : mapping
        As ``read_sample`` returns it: ``images``, ``kind`` and ``classes``. In the names of classes
        upper and lower case are told apart only where two classes need it.
    nothing : str
        The cell of an image that carries no class; a blank cell is not judged.

    Raises
    ------
    InvalidLabels
        The file cannot be read, has no column ``truth``, or every judged row is left out.
    """
    if file is None:
        file = folder / JUDGED if (folder / JUDGED).exists() else folder / SHEET
    table = read_label_table(file)
    if "truth" not in table.columns:
        raise InvalidLabels(f"{file}: has no column 'truth'; its header is: image,truth")
    drawn = {str(row["image"]) for row in sample["images"]}
    judged: dict[str, tuple[str, ...]] = {}
    first: dict[str, int] = {}
    wrong: list[str] = []
    for image, row, cell in zip(table.images, table.rows, table.columns["truth"], strict=True):
        if not cell:
            continue
        try:
            labels = _read_row(image, cell, drawn, sample, nothing)
        except InvalidLabels as error:
            wrong.append(f"row {row}, '{image}': {error}")
            continue
        if image not in first:
            judged[image], first[image] = labels, row
        elif judged.get(image) != labels:
            judged.pop(image, None)
            wrong.append(
                f"row {row}, '{image}': contradicts row {first[image]}, which counts no more"
            )
    if wrong and not judged:
        more = f" ({_more(len(wrong) - 1)} as wrong)" if len(wrong) > 1 else ""
        raise InvalidLabels(f"{file}: {wrong[0]}{more}")
    left_out = [f"left out {text}" for text in wrong[:_MOST_NOTES]]
    if len(wrong) > _MOST_NOTES:
        left_out.append(f"left out {_more(len(wrong) - _MOST_NOTES)}")
    notes = [f"{file}: {text}" for text in (*table.notes, *left_out)]
    return Judgement(judged, tuple(notes))


def _more(count: int) -> str:
    return f"{count:,} more {'row' if count == 1 else 'rows'}"


def _read_row(
    image: str, cell: str, drawn: Container[str], sample: Mapping[str, Any], nothing: str
) -> tuple[str, ...]:
    """Return the true classes of an image; raises InvalidLabels where the row does not fit."""
    if image not in drawn:
        raise InvalidLabels("no image of this sample")
    if cell.casefold() == nothing:
        return ()
    labels = _as_classes(cell, sample["classes"], nothing)
    if sample["kind"] == "single" and len(labels) > 1:
        raise InvalidLabels(f"takes one class an image, got {' | '.join(labels)}")
    return labels


def _as_classes(cell: str, classes: Sequence[str], nothing: str) -> tuple[str, ...]:
    """Return the classes of a cell as the taxonomy spells them."""
    found = []
    for label in split_cell(cell):
        if label.casefold() == nothing:
            raise InvalidLabels(f"{nothing} stands alone; leave it or the classes beside it out")
        alike = [name for name in classes if name.casefold() == label.casefold()]
        if label not in classes and len(alike) != 1:
            raise InvalidLabels(
                f"'{label}' is no class; the classes are {', '.join(classes[:20])}"
                f"{', …' if len(classes) > 20 else ''}"
            )
        found.append(label if label in classes else alike[0])
    if not found:
        raise InvalidLabels(f"names no class; write {nothing} where the image carries none")
    return tuple(dict.fromkeys(found))


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.part")
    partial.write_bytes(content)
    partial.replace(path)
