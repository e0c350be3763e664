"""The folder of a random sample that a person judges: ``sample.json``, ``sample.csv``, a page."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vernis.adapters.interchange.label_tables import read_label_table
from vernis.core.words.blank_words import ONLY_EMPTY
from vernis.core.words.class_names import clean_name, same_names
from vernis.core.words.label_columns import split_cell
from vernis.core.words.sheet_cells import as_text, from_text
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


class SampleFolder:
    """The folder of one sample.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def sheet(self) -> Path:
        """The file for those who judge in a spreadsheet."""
        return self.folder / SHEET

    def require_new(self) -> None:
        """Raise UsageError where the folder holds something."""
        if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            raise UsageError(f"{self.folder}: is there already; name a new folder: --out DIR")

    def write(self, sample: Mapping[str, Any], images: Sequence[str], page: bytes) -> Path:
        """Write a new sample; returns its page.

        Parameters
        ----------
        sample : mapping
            JSON-able; what `read` returns.
        images : sequence of str
            The rows of the sheet.
        page : bytes

        Raises
        ------
        UsageError
            The folder holds something: judgements of an earlier sample are never overwritten.
        StorageError
            It cannot be written.
        """
        self.require_new()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            sheet = io.StringIO()
            writer = csv.writer(sheet, lineterminator="\n")
            writer.writerow(["image", "truth"])
            writer.writerows([as_text(image), ""] for image in images)
            _write(self.sheet, sheet.getvalue().encode("utf-8"))
            _write(self.folder / PAGE, page)
            # Last: a folder without it is no sample.
            _write_json(self.folder / SAMPLE, {"format": _FORMAT, **sample})
        except OSError as error:
            raise StorageError(
                f"{self.folder}: cannot write the sample ({error.strerror})"
            ) from error
        return self.folder / PAGE

    def read(self) -> dict[str, Any]:
        """Return what `write` stored.

        Raises
        ------
        UsageError
            The folder holds no sample, or one of another version.
        """
        path = self.folder / SAMPLE
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(
                f"{self.folder}: holds no sample; draw one: vernis lab sample"
            ) from error
        if not isinstance(document, dict) or document.pop("format", None) != _FORMAT:
            raise UsageError(f"{path}: was written by another version; draw a new sample")
        return document

    def write_comparison(self, comparison: Mapping[str, Any]) -> None:
        """Write what the judgements said of the labels; JSON-able."""
        _write_json(self.folder / RESULT, comparison)

    def read_judgement(
        self, file: Path | None, sample: Mapping[str, Any], nothing: str
    ) -> Judgement:
        """Return what was judged; a row that does not fit is left out, with a note.

        Parameters
        ----------
        file : Path or None
            The CSV file; default ``truth.csv`` of the folder, as the page saves it, else the sheet.
        sample : mapping
            As `read` returns it: ``images``, ``kind`` and ``classes``. In the names of classes
            upper and lower case are told apart only where two classes need it.
        nothing : str
            The cell of an image that carries no class; a blank cell is not judged.

        Raises
        ------
        InvalidLabels
            The file cannot be read, has no column ``truth``, or every judged row is left out.
        """
        if file is None:
            judged_on_page = self.folder / JUDGED
            file = judged_on_page if judged_on_page.exists() else self.sheet
        table = read_label_table(file)
        if "truth" not in table.columns:
            raise InvalidLabels(f"{file}: has no column 'truth'; its header is: image,truth")
        drawn = {str(row["image"]) for row in sample["images"]}
        cleaned = {clean_name(uri): uri for uri in drawn}
        judged: dict[str, tuple[str, ...]] = {}
        first: dict[str, tuple[int, tuple[str, ...]]] = {}
        wrong: list[str] = []
        for image, row, cell in zip(table.images, table.rows, table.columns["truth"], strict=True):
            if not cell:
                continue
            image, cell = from_text(image), from_text(cell)
            if image not in drawn:  # blanks at the ends of a name do not survive the sheet
                image = cleaned.get(clean_name(image), image)
            try:
                labels = _read_row(image, cell, drawn, sample, nothing)
            except InvalidLabels as error:
                wrong.append(f"row {row}, '{image}': {error}")
                continue
            if image not in first:
                judged[image], first[image] = labels, (row, labels)
            elif judged.get(image) != labels:
                judged.pop(image, None)
                before, said = first[image]
                does = "repeats" if labels == said else "contradicts"
                wrong.append(f"row {row}, '{image}': {does} row {before}, which counts no more")
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
    whole = same_names(cell, classes)
    if len(whole) == 1:  # a class may hold the sign that joins several
        return (whole[0],)
    found = []
    for label in split_cell(cell, ONLY_EMPTY):
        if label.casefold() == nothing:
            raise InvalidLabels(f"{nothing} stands alone; leave it or the classes beside it out")
        alike = same_names(label, classes)
        if len(alike) != 1:
            raise InvalidLabels(
                f"'{label}' is no class; the classes are {', '.join(classes[:20])}"
                f"{', …' if len(classes) > 20 else ''}"
            )
        found.append(alike[0])
    if not found:
        raise InvalidLabels(f"names no class; write {nothing} where the image carries none")
    return tuple(dict.fromkeys(found))


def _write_json(path: Path, document: Mapping[str, Any]) -> None:
    text = json.dumps(document, ensure_ascii=False, indent=1)
    _write(path, text.encode("utf-8"))


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.part")
    partial.write_bytes(content)
    partial.replace(path)
