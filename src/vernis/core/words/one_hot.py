"""Columns of yes and no, one a class, as one taxonomy."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

State = Literal["yes", "no", ""]

_VOCABULARIES: tuple[Mapping[str, State], ...] = (
    {"1": "yes", "0": "no", "1.0": "yes", "0.0": "no", "-1": "", "-1.0": ""},
    {"1": "yes", "-1": "no", "1.0": "yes", "-1.0": "no"},
    {"true": "yes", "false": "no", "t": "yes", "f": "no", "wahr": "yes", "falsch": "no"},
    {"yes": "yes", "no": "no", "y": "yes", "n": "no", "ja": "yes", "nein": "no"},
    {"x": "yes", "✓": "yes", "✔": "yes", "☑": "yes", "✗": "no", "☐": "no", "*": "yes"},
)
"""What columns of one vocabulary hold, in lower case. Where a table has 0 as well as 1 and -1, -1
is the uncertain; where it has 1 and -1 alone, -1 is no."""

_MARKS = _VOCABULARIES[-1]
_PREFIX = re.compile(r"^(.+?)[_.:=-]")
_NO_PREFIXES = frozenset({"is", "has", "label", "class", "tag", "contains", "target"})


@dataclass(frozen=True, slots=True)
class OneHot:
    """Columns that are the classes of one taxonomy.

    Attributes
    ----------
    name : str
        Of the taxonomy: what the columns' names begin with, else ``labels``.
    classes : mapping of str to str
        Column → class.
    states : mapping of str to tuple of str
        Column → ``yes``, ``no`` or nothing of each row.
    broken : mapping of str to tuple of int
        Column → positions of cells that could not be understood.
    """

    name: str
    classes: Mapping[str, str]
    states: Mapping[str, tuple[State, ...]]
    broken: Mapping[str, tuple[int, ...]]


def find_one_hot(
    columns: Mapping[str, Sequence[str]], taken: Collection[str] = ()
) -> OneHot | None:
    """Return the columns that look like classes of yes and no; None where they are fewer than two.

    They share one way of saying it, and at least two of them say both (of marks such as ``x``:
    both mark and blank).

    Parameters
    ----------
    columns : mapping of str to sequence of str
        Those that may be classes by their names.
    taken : collection of str
        Names that the taxonomy cannot have.
    """
    cells = {name: [cell.strip().casefold() for cell in found] for name, found in columns.items()}
    for vocabulary in _VOCABULARIES:
        fitting = [
            name
            for name, found in cells.items()
            if (set(found) - {""}) and _fits(found, vocabulary)
        ]
        varied = [name for name in fitting if _varies(cells[name], vocabulary)]
        if len(varied) >= 2:
            return _as_classes({name: columns[name] for name in fitting}, vocabulary, taken)
    return None


def read_one_hot(columns: Mapping[str, Sequence[str]], taken: Collection[str] = ()) -> OneHot:
    """Return columns that a person says are classes of yes and no; other cells are broken ones."""
    found = [cell.strip().casefold() for cells in columns.values() for cell in cells]
    known = {text: state for words in reversed(_VOCABULARIES) for text, state in words.items()}
    if "0" not in found and "0.0" not in found:
        known.update(_VOCABULARIES[1])
    return _as_classes(columns, known, taken)


def _fits(cells: Sequence[str], vocabulary: Mapping[str, State]) -> bool:
    return all(not cell or cell in vocabulary for cell in cells)


def _varies(cells: Sequence[str], vocabulary: Mapping[str, State]) -> bool:
    states = {vocabulary.get(cell, "") for cell in cells}
    return "yes" in states and ("no" in states or (vocabulary is _MARKS and "" in states))


def _as_classes(
    columns: Mapping[str, Sequence[str]], known: Mapping[str, State], taken: Collection[str]
) -> OneHot:
    name, classes = _name(list(columns))
    while name in taken:
        name += "_"
    states: dict[str, tuple[State, ...]] = {}
    broken: dict[str, tuple[int, ...]] = {}
    for column, cells in columns.items():
        keys = [cell.strip().casefold() for cell in cells]
        states[column] = tuple(known.get(key, "") for key in keys)
        wrong = tuple(at for at, key in enumerate(keys) if key and key not in known)
        if wrong:
            broken[column] = wrong
    return OneHot(name, dict(zip(columns, classes, strict=True)), states, broken)


def _name(columns: Sequence[str]) -> tuple[str, list[str]]:
    """Return the taxonomy's name and the classes: what the names share at their beginning."""
    found = [_PREFIX.match(column) for column in columns]
    prefixes = {match[1] if match else "" for match in found}
    if len(columns) > 1 and len(prefixes) == 1 and (prefix := next(iter(prefixes))):
        rest = [column[len(prefix) + 1 :].strip("_.:=- ") for column in columns]
        if all(rest) and len(set(rest)) == len(rest):
            is_word = prefix.casefold() in _NO_PREFIXES
            return "labels" if is_word else prefix, rest
    return "labels", list(columns)
