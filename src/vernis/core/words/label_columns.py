"""Decide which columns of a table are taxonomies, and which image each row means."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from vernis.core.words.blank_words import USUAL_BLANKS, Blanks
from vernis.core.words.class_names import file_key
from vernis.core.words.column_classes import read_names

SEPARATOR = "|"
"""Stands between the classes of one cell."""

IMAGE_NAMES = (
    *("image", "filename", "file_name", "file", "path", "filepath", "file_path", "image_path"),
    *("image_name", "image_file", "img", "uri", "image_id"),
)
"""Names of the column that says which image a row is about, the best first."""

TEXT_NAMES = frozenset({"title", "caption", "description", "headline"})
"""Columns of free text that are kept as metadata of the image."""

_LABEL_NAMES = frozenset(
    {"label", "labels", "class", "classes", "category", "categories", "target", "tags", "y"}
)
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
    """

    source: str
    folder: str
    images: tuple[str, ...]
    rows: tuple[int, ...]
    columns: Mapping[str, tuple[str, ...]]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ColumnUse:
    """What a column is taken for, and in a few words why."""

    name: str
    role: Literal["taxonomy", "split", "metadata"]
    kind: Literal["single", "multi"] = "single"
    reason: str = ""


def split_cell(cell: str, blanks: Blanks = USUAL_BLANKS) -> tuple[str, ...]:
    """Return the classes of a cell, in order and without repetition; blank ones are dropped."""
    return read_names(split_parts(cell), blanks)


def split_parts(cell: str) -> list[str]:
    """Return the parts of a cell as they were written."""
    return cell.split(SEPARATOR)


def judge_column(name: str, cells: Sequence[str], blanks: Blanks = USUAL_BLANKS) -> ColumnUse:
    """Decide whether a column holds classes, a split, or something that is no taxonomy.

    Numbers, dates, identifiers, sizes, paths, free text, blank and constant columns, and columns
    in which more than half of the values are different are metadata. Numbers are classes where
    the column's name says so (``label``, ``class``, ``category``…); numbers with leading zeros are
    names (``007``).

    Parameters
    ----------
    name : str
        The column's header.
    cells : sequence of str
    blanks : Blanks

    Returns
    -------
    ColumnUse
    """
    labels = [split_cell(cell, blanks) for cell in cells]
    values = [value for cell in labels for value in cell]
    kind: Literal["single", "multi"] = "multi" if any(len(c) > 1 for c in labels) else "single"
    lowered = name.strip().lower()
    if not values:
        return ColumnUse(name, "metadata", kind, "blank")
    if lowered in _SPLIT_NAMES and kind == "single" and len(set(values)) <= _FEW:
        return ColumnUse(name, "split", kind, "it tells the splits apart")
    reason = _why_not_classes(lowered, values)
    return ColumnUse(name, "metadata" if reason else "taxonomy", kind, reason)


def _why_not_classes(name: str, values: Sequence[str]) -> str:
    if name in TEXT_NAMES or _METADATA_NAME.fullmatch(name):
        return "by its name it describes the file"
    if name not in _LABEL_NAMES and all(is_number(value) for value in values):
        return "numbers"
    if all(_DATE.fullmatch(value) for value in values):
        return "dates"
    distinct = len(set(values))
    if distinct == 1:
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


def match_images(names: Sequence[str], uris: Sequence[str], prefix: str = "") -> list[str]:
    """Find the image that each name means.

    Tried in turn: the uri itself; with the folder of the label file before it (``prefix``); the
    end of a uri, from the file name on to as many folders as the name has; the name without its
    suffix. A name that fits several images is not matched. Unicode forms and backslashes do not
    matter.

    Parameters
    ----------
    names : sequence of str
        Relative paths or file names.
    uris : sequence of str
        The images of the collection.
    prefix : str
        Where the label file's folder lies below the root (``"sub/"``), or, when the root lies
        below it, the part to take away (``"-images/"``).

    Returns
    -------
    list of str
        The uri of each name, empty where there is none or more than one.
    """
    exact = {file_key(uri): uri for uri in uris}
    tails: dict[str, list[str]] = defaultdict(list)
    stems: dict[str, list[str]] = defaultdict(list)
    for normal in exact:
        tails[normal.rsplit("/", 1)[-1]].append(normal)
        stems[_stem(normal)].append(normal)
    found = []
    for name in names:
        wanted = file_key(name)
        direct = next((c for c in (wanted, _moved(wanted, prefix)) if c in exact), "")
        if not direct:
            direct = _one_ending(wanted, tails) or _one_stem(wanted, stems)
        found.append(exact[direct] if direct else "")
    return found


def _moved(name: str, prefix: str) -> str:
    if prefix.startswith("-"):
        return name.removeprefix(prefix[1:])
    return prefix + name


def _stem(name: str) -> str:
    last = name.rsplit("/", 1)[-1]
    return last.rsplit(".", 1)[0] if "." in last[1:] else last


def _one_ending(name: str, tails: Mapping[str, list[str]]) -> str:
    parts = name.split("/")
    candidates = tails.get(parts[-1], [])
    for depth in range(2, len(parts) + 1):
        if len(candidates) <= 1:
            break
        end = "/" + "/".join(parts[-depth:])
        candidates = [uri for uri in candidates if f"/{uri}".endswith(end)]
    return candidates[0] if len(candidates) == 1 else ""


def _one_stem(name: str, stems: Mapping[str, list[str]]) -> str:
    candidates = stems.get(name, [])
    return candidates[0] if len(candidates) == 1 else ""


def find_conflicts(
    matched: Sequence[str],
    rows: Sequence[int],
    columns: Mapping[str, Sequence[str]],
    blanks: Blanks = USUAL_BLANKS,
) -> tuple[list[int], list[tuple[int, int, str]]]:
    """Find images that have several rows.

    Parameters
    ----------
    matched : sequence of str
        The uri of each row, empty where there is none.
    rows : sequence of int
        The number of each row.
    columns : mapping of str to sequence of str
        The columns that will be used.
    blanks : Blanks

    Returns
    -------
    repeated : list of int
        Positions of rows that say the same as an earlier one.
    conflicts : list of (int, int, str)
        Row number, number of the earlier row, and the column in which they differ.
    """
    first: dict[str, int] = {}
    repeated: list[int] = []
    conflicts: list[tuple[int, int, str]] = []
    for position, uri in enumerate(matched):
        if not uri:
            continue
        before = first.setdefault(uri, position)
        if before == position:
            continue
        repeated.append(position)
        for name, cells in columns.items():
            if set(split_cell(cells[before], blanks)) != set(split_cell(cells[position], blanks)):
                conflicts.append((rows[position], rows[before], name))
                break
    return repeated, conflicts
