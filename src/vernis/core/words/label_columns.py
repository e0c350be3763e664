"""Decide which columns of a table are taxonomies."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from vernis.core.words.blank_words import USUAL_BLANKS, Blanks
from vernis.core.words.cell_parts import SEPARATOR, ColumnParts, take_apart
from vernis.core.words.column_classes import read_cells, read_names
from vernis.core.words.image_names import Found
from vernis.core.words.sheets import LeftOut

TEXT_NAMES = frozenset({"title", "caption", "description", "headline"})
"""Columns of free text that are kept as metadata of the image."""

_LABEL_NAMES = frozenset(
    {"label", "labels", "class", "classes", "category", "categories", "target", "tags", "y"}
)
_MARKS = frozenset({"x", "1", "y", "yes", "true", "✓", "✔", "*"})
_SPLIT_NAMES = frozenset({"split", "subset", "partition", "fold", "set"})
_METADATA_NAME = re.compile(
    r"(.*[_ ])?(id|ids|index|idx|uuid|guid|path|url|uri|hash|md5|sha1|sha256|checksum|width|height"
    r"|size|resolution|dimensions|bytes|filesize|date|time|timestamp|created|modified|lat|lon|latitude|longitude|notes?"
    r"|comments?|credits?|copyright|text)",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[-+]?((0|[1-9][0-9]*)([.,][0-9]*)?|[.,][0-9]+)([eE][-+]?[0-9]+)?")
_DATE = re.compile(r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}([T ].*)?")
_UNIQUE_SHARE = 0.5
_FEW = 10
_LONG_LETTERS, _LONG_WORDS = 60, 8


@dataclass(frozen=True, slots=True)
class LabelTable:
    """The rows of a label file.

    Attributes
    ----------
    source : str
        Name of the file, for messages.
    folder : str
        Absolute path of the folder that the file lies in, for relative image paths.
    images : tuple of str
        What the image column holds, one a row.
    rows : tuple of int
        Number of each row as a spreadsheet shows it (the header is row 1).
    columns : mapping of str to tuple of str
        The other columns, in the order of the file.
    notes : tuple of str
        What the reader met and the user should know.
    found : tuple of Found
        The image of the collection that each row is about.
    left_out : tuple of LeftOut
        Rows that do not fit.
    image_column : str
    """

    source: str
    folder: str
    images: tuple[str, ...]
    rows: tuple[int, ...]
    columns: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()
    found: tuple[Found, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    image_column: str = "image"


@dataclass(frozen=True, slots=True)
class ColumnUse:
    """What a column is taken for, and in a few words why."""

    name: str
    role: Literal["taxonomy", "class", "split", "metadata"]
    kind: Literal["single", "multi"] = "single"
    reason: str = ""


def split_cell(cell: str, blanks: Blanks = USUAL_BLANKS) -> tuple[str, ...]:
    """Return the classes of a cell, in order and without repetition; blank ones are dropped."""
    return read_names(cell.split(SEPARATOR), blanks)


def judge_column(
    name: str,
    cells: Sequence[str],
    blanks: Blanks = USUAL_BLANKS,
    parts: ColumnParts | None = None,
) -> ColumnUse:
    """Decide whether a column holds classes, a split, or something that is no taxonomy.

    Numbers, dates, identifiers, sizes, paths, free text, blank and constant columns, and columns
    in which more than half of the values are different are metadata. Numbers are classes where
    the column's name says so (``label``, ``class``, ``category``…); numbers with leading zeros are
    names (``007``). One class beside blank cells is
    what a person wrote who was sure of it. Cells of the form ``exact`` are classes always.

    Parameters
    ----------
    name : str
        The column's header.
    cells : sequence of str
    blanks : Blanks
    parts : ColumnParts, optional
        What ``take_apart`` makes of the cells; default with ``|`` between classes.

    Returns
    -------
    ColumnUse
    """
    parts = take_apart(cells, SEPARATOR) if parts is None else parts
    if parts.form == "exact":
        return ColumnUse(name, "taxonomy", "multi" if parts.several else "single")
    labels = read_cells(parts.yes, blanks)
    values = [value for cell in labels for value in cell]
    several = parts.form == "list" or any(len(found) > 1 for found in labels)
    kind: Literal["single", "multi"] = "multi" if several else "single"
    lowered = name.strip().lower()
    if not values:
        return ColumnUse(name, "metadata", kind, "blank")
    if lowered in _SPLIT_NAMES and kind == "single" and len(set(values)) <= _FEW:
        return ColumnUse(name, "split", kind, "it tells the splits apart")
    reason = _why_not_classes(lowered, values, all(labels))
    return ColumnUse(name, "metadata" if reason else "taxonomy", kind, reason)


def may_be_classes(name: str) -> bool:
    """Tell whether a column's name allows it to be one class of several columns of yes and no."""
    lowered = name.strip().lower()
    is_other = lowered in _LABEL_NAMES | _SPLIT_NAMES | TEXT_NAMES
    return not is_other and not _METADATA_NAME.fullmatch(lowered)


def _why_not_classes(name: str, values: Sequence[str], is_full: bool) -> str:
    if name in TEXT_NAMES or _METADATA_NAME.fullmatch(name):
        return "by its name it describes the file"
    if name not in _LABEL_NAMES and all(is_number(value) for value in values):
        return "numbers"
    if all(_DATE.fullmatch(value) for value in values):
        return "dates"
    distinct = len(set(values))
    if distinct == 1 and (is_full or values[0].casefold() in _MARKS):
        return "one value only"
    if len(values) >= _FEW and distinct > _UNIQUE_SHARE * len(values):
        return "most values are different"
    lengths, words = [len(value) for value in values], [len(value.split()) for value in values]
    if median(lengths) > _LONG_LETTERS or median(words) > _LONG_WORDS:
        return "sentences"
    return ""


def is_number(value: str) -> bool:
    """Return whether a value is a number; one with a leading zero (``007``) is a code."""
    return bool(_NUMBER.fullmatch(value))
