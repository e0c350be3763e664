"""Take the cells of a column apart: lists, and separators that the data show to be some."""

from __future__ import annotations

import ast
import json
import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

SEPARATOR = "|"
"""Stands between the classes of one cell, unless the cells show another one."""

SEPARATORS = (SEPARATOR, ";", "\n", ",", " / ", " ")
"""What may stand between the classes of a cell, the likeliest first."""

SEPARATOR_WORDS = {"\n": "a line break", " ": "a space", "\t": "a tabulator"}
"""How separators that cannot be seen are called."""

_RECUR: dict[str, float] = {";": 0.5, "\n": 0.5, ",": 0.5, " / ": 0.5, " ": 0.9}
"""More than this share of the parts behind the first are known from another place in the cells."""

_COMBINATIONS_A_WORD = 2.0
"""Space is a separator only where cells differ at least so much more than their words."""

_RARELY_IN_NAMES = (SEPARATOR, ";", "\n")
_DECIMAL = re.compile(r"\s*[-+]?(\d{1,3}(,\d{3})+(\.\d+)?|\d+,\d+)\s*")
_LONGEST_LIST = 1 << 20
_LIST_SHARE = 0.5
_QUOTED = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""")

Form = Literal["plain", "list", "exact"]


@dataclass(frozen=True, slots=True)
class ColumnParts:
    """The parts of every cell of a column, as they were written.

    Attributes
    ----------
    yes : tuple of tuple of str
        Parts of each cell.
    no : tuple of tuple of str
        What each cell says no to; only in the form ``exact``.
    form : str
        ``plain``, ``list`` (JSON or Python), or ``exact``: objects such as
        ``{"yes": ["a|b"], "no": []}``, whose names are taken to the letter.
    several : bool
        Cells can hold several classes.
    separator : str
        Of plain cells; empty where they are whole.
    split : int
        Cells that were taken apart.
    broken : tuple of int
        Positions of cells that could not be understood; their parts are empty.
    mixed : tuple of int
        Positions of cells that were taken apart by another separator, too.
    doubtful : tuple of int
        Positions of cells that hold what may be another separator, and were not.
    """

    yes: tuple[tuple[str, ...], ...]
    no: tuple[tuple[str, ...], ...] = ()
    form: Form = "plain"
    several: bool = False
    separator: str = ""
    split: int = 0
    broken: tuple[int, ...] = ()
    mixed: tuple[int, ...] = ()
    doubtful: tuple[int, ...] = ()


def take_apart(cells: Sequence[str], separator: str | None = None) -> ColumnParts:
    """Take the cells of a column apart.

    Lists are taken for lists where most cells are some. ``|`` always separates. Any other
    separator counts only if the parts recur as classes: as a cell of its own, or at several places
    of the lists. ``Smith, John`` and ``Art, French`` stay whole, whose parts keep to their place.
    A cell with another separator than the rest is taken apart where all its parts are classes of
    other cells.

    Parameters
    ----------
    cells : sequence of str
    separator : str or None
        The one to use, lists or not; ``""`` for none; None finds out.
    """
    if separator is None:
        filled = [cell.strip() for cell in cells if cell.strip()]
        if filled and all(_read_exact(cell) is not None for cell in filled):
            return _exact(cells)
        listed = sum(_looks_like_list(cell) for cell in filled)
        if listed and listed >= _LIST_SHARE * len(filled):
            return _lists(cells)
        separator = find_separator(cells)
        if separator:
            return _by_several(cells, separator)
    if not separator:
        return ColumnParts(tuple((cell,) if cell.strip() else () for cell in cells))
    return _split(cells, separator)


def _split(cells: Sequence[str], separator: str) -> ColumnParts:
    parts = tuple(tuple(cell.split(separator)) if cell.strip() else () for cell in cells)
    split = sum(len(found) > 1 for found in parts)
    several = any(sum(bool(part.strip()) for part in found) > 1 for found in parts)
    return ColumnParts(parts, several=several, separator=separator, split=split)


def _by_several(cells: Sequence[str], separator: str) -> ColumnParts:
    """Take cells apart by their separator, and those that use another one by that."""
    found = _split(cells, separator)
    others = [other for other in SEPARATORS[:-1] if other != separator]
    known = {
        _key(part)
        for part in dict.fromkeys(part for cell in found.yes for part in cell)
        if not any(other in part for other in others)
    } - {""}
    parts = list(found.yes)
    mixed: list[int] = []
    doubtful: list[int] = []
    for position, cell in enumerate(found.yes):
        again = []
        for part in cell:
            pieces, is_doubtful = _by_another(part, others, known)
            again += pieces
            if is_doubtful and doubtful[-1:] != [position]:
                doubtful.append(position)
        if len(again) > len(cell):
            parts[position] = tuple(again)
            mixed.append(position)
    several = found.several or bool(mixed)
    return replace(
        found,
        yes=tuple(parts),
        several=several,
        split=sum(len(cell) > 1 for cell in parts),
        mixed=tuple(mixed),
        doubtful=tuple(doubtful),
    )


def _by_another(part: str, others: Sequence[str], known: Collection[str]) -> tuple[list[str], bool]:
    """Return the classes of a part, and whether it holds what may be a separator and stays whole.

    A bar, a semicolon and a line break may be one wherever they stand, others beside a class.
    """
    is_doubtful = False
    for other in others:
        pieces = [piece for piece in part.split(other) if piece.strip()]
        if len(pieces) < 2:
            continue
        are_known = [_key(piece) in known for piece in pieces]
        if all(are_known):
            return pieces, False
        is_doubtful |= other in _RARELY_IN_NAMES or any(are_known)
    return [part], is_doubtful


def _key(part: str) -> str:
    return " ".join(part.split()).casefold()


def find_separator(cells: Sequence[str]) -> str:
    """Return what stands between the classes of the cells; empty where they are whole.

    That is a bar, wherever there is one, but for what more cells hold and whose parts recur.
    """
    values = list(dict.fromkeys(cell.strip() for cell in cells if cell.strip()))
    barred = sum(SEPARATOR in value for value in values)
    for separator in SEPARATORS[1:]:
        with_it = [value for value in values if separator in value]
        if len(with_it) <= barred or (barred and separator == " "):
            continue
        if separator == "," and all(_DECIMAL.fullmatch(value) for value in with_it):
            continue
        if _recur(values, separator, _RECUR[separator]):
            return separator
    return SEPARATOR if barred else ""


def _recur(values: Sequence[str], separator: str, wanted: float) -> bool:
    """Tell whether the parts of cells are classes of their own: they do not keep to one place."""
    places: dict[str, set[int]] = defaultdict(set)
    split = []
    for value in values:
        parts = [_key(part) for part in value.split(separator)]
        parts = [part for part in parts if part]
        if len(parts) == 1:
            places[parts[0]].add(-1)
            continue
        split.append(parts)
        for place, part in enumerate(parts):
            places[part].add(place)
    behind = [part for parts in split for part in parts[1:]]
    if not behind:
        return False
    if separator == " " and len(values) < _COMBINATIONS_A_WORD * len(places):
        return False
    known = sum(len(places[part]) > 1 for part in behind)
    return known > wanted * len(behind)


# --------------------------------------------------------------------------- lists


def _looks_like_list(cell: str) -> bool:
    return cell[0] in "[({" and cell[-1] in "])}"


def _lists(cells: Sequence[str]) -> ColumnParts:
    parts: list[tuple[str, ...]] = []
    broken = []
    for position, cell in enumerate(cells):
        text = cell.strip()
        if not text:
            parts.append(())
        elif text[0] not in "[({":
            parts.append((text,))
        else:
            found = read_list(text)
            if found is None:
                broken.append(position)
            parts.append(found or ())
    split = sum(len(found) > 1 for found in parts)
    return ColumnParts(tuple(parts), (), "list", True, "", split, tuple(broken))


def read_list(text: str) -> tuple[str, ...] | None:
    """Return the items of a list as JSON, Python, NumPy or Label Studio write it; None: of none."""
    if len(text) > _LONGEST_LIST or not _looks_like_list(text):
        return None
    try:
        return _items(json.loads(text, parse_float=str, parse_int=str))
    except (ValueError, RecursionError):
        pass
    inside = text[1:-1].strip()
    quoted = [one or two for one, two in _QUOTED.findall(inside)]
    if len(quoted) > 1 and not _QUOTED.sub("", inside).strip():
        return tuple(quoted)  # as NumPy prints it, without commas
    try:
        return _items(ast.literal_eval(text))
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        pass
    if any(bracket in inside for bracket in "[](){}"):
        return None
    if "'" in inside or '"' in inside:
        return None
    return tuple(part.strip() for part in inside.split(",") if part.strip())


def _items(value: Any) -> tuple[str, ...] | None:
    if isinstance(value, dict):
        # Label Studio: {"choices": [...]}, and a region with its {"rectanglelabels": [...]}.
        named = [v for k, v in value.items() if k == "choices" or str(k).endswith("labels")]
        return _items(named[0]) if len(named) == 1 and isinstance(named[0], list) else None
    if not isinstance(value, list | tuple | set | frozenset):
        return None
    items: list[str] = []
    for item in sorted(map(str, value)) if isinstance(value, set | frozenset) else value:
        if item is None or isinstance(item, bool | int | float | str):
            items.append("" if item is None else str(item))
            continue
        inner = _items(item) if isinstance(item, dict) else None
        if inner is None:
            return None
        items += inner
    return tuple(dict.fromkeys(items))


# --------------------------------------------------------------------------- exact


def _read_exact(text: str) -> dict[str, Any] | None:
    """Return ``{"yes": …, "no": […]}`` of a cell, or None."""
    if not text.startswith('{"'):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict) or not value or not value.keys() <= {"yes", "no"}:
        return None
    names = [value.get("yes", []), value.get("no", [])]
    names[0] = [names[0]] if isinstance(names[0], str) else names[0]
    if not all(isinstance(n, list) and all(isinstance(x, str) for x in n) for n in names):
        return None
    return value


def _exact(cells: Sequence[str]) -> ColumnParts:
    yes: list[tuple[str, ...]] = []
    no: list[tuple[str, ...]] = []
    several = False
    for cell in cells:
        value = _read_exact(cell.strip()) or {}
        said = value.get("yes", "")
        several = several or isinstance(said, list)
        yes.append(tuple(said) if isinstance(said, list) else (said,) if said else ())
        no.append(tuple(value.get("no", ())))
    split = sum(len(found) > 1 for found in yes)
    return ColumnParts(tuple(yes), tuple(no), "exact", several, "", split)


def write_exact(yes: Sequence[str], no: Sequence[str], *, several: bool) -> str:
    """Return the cell of the form ``exact``; empty where there is nothing to say."""
    said: dict[str, Any] = {}
    if yes:
        said["yes"] = list(yes) if several else yes[0]
    elif several and no:
        said["yes"] = []
    if no:
        said["no"] = list(no)
    return json.dumps(said, ensure_ascii=False) if said else ""


def write_list(names: Sequence[str]) -> str:
    """Return the cell of the form ``list``; empty where there is nothing to say."""
    return json.dumps(list(names), ensure_ascii=False) if names else ""
