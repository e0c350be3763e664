"""Find the images that a filter holds for, on arrays.

What is not known makes a comparison false: ``width>1000`` does not hold for an image whose width is
unknown, and so ``not width>1000`` does.

Names are compared as people read them (``core.words.class_names``). ``*`` in a value stands for any
characters and ``?`` for one, unless something is named just so.

A label of several levels (``Animals|Fish``, as keywords of image files are) is found by each level.

Of the text that is read in a picture, ``:`` asks for words, all of them, wherever they stand, and
``~`` for a piece of a line, blanks and signs left out: ``text~16tgk`` finds ``RE16 TGK``.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vernis.core.explore.filter_language import And, Condition, Filter, Not, Or
from vernis.core.words.class_names import LEVELS, match_key
from vernis.core.words.documents import plain_words
from vernis.core.words.nearest_names import did_you_mean
from vernis.domain.errors import FilterError

Mask = NDArray[np.bool_]

ANY_TAXONOMY = "label"
"""The field that means every taxonomy."""

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    ":": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_UNITS = {"": 1, "b": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*([a-z]*)", re.IGNORECASE)
_RATIO = re.compile(r"(\d+(?:\.\d+)?)/(\d+(?:\.\d+)?)")
_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2}([T ]\d{2}(:\d{2}(:\d{2})?)?)?)?)?", re.ASCII)
_WHOLE_DATE = "0000-01-01T00:00:00"
_WILD = re.compile(r"[*?]")
_SHOWN = 8


@dataclass(frozen=True, slots=True, eq=False)
class LabelColumns:
    """The labels of one taxonomy: ``yes`` has shape (n_images, n_classes), as ``classes``."""

    classes: tuple[str, ...]
    yes: Mask


@dataclass(frozen=True, slots=True, eq=False)
class FilterTable:
    """What filters ask about, one entry an image in every array.

    Attributes
    ----------
    size : int
        Number of images.
    numbers : mapping of str to ndarray of float64, shape (size,)
        NaN where unknown.
    positive : collection of str
        Those of ``numbers`` that are never below 0.
    dates : mapping of str to sequence of str
        ISO 8601, empty where unknown.
    texts : mapping of str to sequence of str
        Compared whole by ``:``, in part by ``~``.
    choices : mapping of str to collection of str
        What the ``texts`` of a field can be, where that is a fixed set.
    readings : mapping of str to sequence of (sequence of str or None)
        The lines of text in each picture, None where it was not read.
    folders : mapping of str to sequence of str
        Paths with ``/``; ``:`` also finds what lies below.
    marks : mapping of str to (mapping of str to ndarray of bool, shape (size,))
        Fields with a fixed set of values, such as ``issue`` with its kinds.
    remedies : mapping of str to str
        What to say where one of the ``marks`` has no value at all.
    other_words : mapping of str to (mapping of str to str)
        Of the ``marks`` of a field: what else a value is called, and the value.
    yielding : collection of str
        Those of ``marks`` that mean the classes of a taxonomy of that name first, where there is
        one: names that owners give theirs.
    taxonomies : mapping of str to LabelColumns
        Read when a filter names them, so this may be a mapping that loads.
    """

    size: int
    numbers: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    positive: Collection[str] = ()
    dates: Mapping[str, Sequence[str]] = field(default_factory=dict)
    texts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    choices: Mapping[str, Collection[str]] = field(default_factory=dict)
    readings: Mapping[str, Sequence[Sequence[str] | None]] = field(default_factory=dict)
    folders: Mapping[str, Sequence[str]] = field(default_factory=dict)
    marks: Mapping[str, Mapping[str, Mask]] = field(default_factory=dict)
    remedies: Mapping[str, str] = field(default_factory=dict)
    other_words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    yielding: Collection[str] = ()
    taxonomies: Mapping[str, LabelColumns] = field(default_factory=dict)


def evaluate_filter(tree: Filter, table: FilterTable, text: str = "") -> Mask:
    """Return for which images a filter holds, shape (table.size,).

    Parameters
    ----------
    tree : Filter
    table : FilterTable
    text : str
        What the tree was read from, for the caret of an error.

    Raises
    ------
    FilterError
        A field, label or value that the table does not have, with the nearest names, or a
        comparison that the field does not allow.
    """
    match tree:
        case Condition():
            return _Comparison(tree, table, text).holds()
        case Not():
            return ~evaluate_filter(tree.part, table, text)
        case And():
            return _all_of([evaluate_filter(part, table, text) for part in tree.parts])
        case Or():
            return _any_of([evaluate_filter(part, table, text) for part in tree.parts])


class _Comparison:
    """One condition against a table."""

    def __init__(self, condition: Condition, table: FilterTable, text: str) -> None:
        self._condition = condition
        self._table = table
        self._text = text

    def holds(self) -> Mask:
        named, table = self._condition.field.lower(), self._table
        if not self._condition.quoted:
            if named in table.readings:
                return self._read_text(table.readings[named])
            if named in table.numbers:
                return self._number(np.asarray(table.numbers[named]))
            if named in table.dates:
                return self._date(table.dates[named])
            if named in table.texts:
                return self._words(table.texts[named])
            if named in table.folders:
                return self._folder(table.folders[named])
            if named in table.marks:
                own = self._own_of(named)
                return self._mark(table.marks[named]) if own is None else self._label([own])
            if named == ANY_TAXONOMY:
                return self._label(list(table.taxonomies))
        return self._label([self._taxonomy()])

    # ------------------------------------------------------------------ kinds of fields

    def _number(self, values: NDArray[np.float64]) -> Mask:
        self._allow(*_COMPARE)
        value = _read_number(self._condition.value)
        if value is None:
            raise self._wrong_value(f"expected a number, got {self._condition.value!r}")
        if value < 0 and self._condition.field.lower() in self._table.positive:
            raise self._wrong_value(f"{self._condition.field} is never below 0")
        known = ~np.isnan(values)
        return np.asarray(_COMPARE[self._condition.operator](values, value) & known)

    def _date(self, values: Sequence[str]) -> Mask:
        self._allow(*_COMPARE)
        value = self._condition.value.replace(" ", "T")
        if not _DATE.fullmatch(self._condition.value):
            raise self._wrong_value(
                f"expected a date such as 2024, 2024-05 or 2024-05-17, got {value!r}"
            )
        try:
            datetime.fromisoformat(value + _WHOLE_DATE[len(value) :])
        except ValueError as error:
            raise self._wrong_value(
                f"there is no date {self._condition.value}; months go to 12, days to the end of "
                "their month, as in 2024, 2024-05 or 2024-05-17"
            ) from error
        # ISO dates compare as text; cut to the precision of the asked one, 2024 means the year.
        compare, length = _COMPARE[self._condition.operator], len(value)
        return self._each(values, lambda v: bool(v) and compare(v[:length], value))

    def _words(self, values: Sequence[str]) -> Mask:
        self._allow(":", "~", "!=")
        named, value = self._condition.field.lower(), self._condition.value
        if self._condition.operator == "~":
            return self._each(values, _part_test(value, values))
        if named == "name" and "/" in value:
            raise self._wrong_value(f"no file name holds a '/'; write path:{value}")
        matching = set(_matching(value, set(values)))
        possible = self._table.choices.get(named)
        if possible is not None and not matching and not _matching(value, possible):
            there = set(values) - {""} or possible
            raise self._wrong_value(
                f"no image can have the {self._condition.field} {value!r}{_choice(value, there)}"
            )
        same = self._each(values, matching.__contains__)
        return ~same if self._condition.operator == "!=" else same

    def _folder(self, values: Sequence[str]) -> Mask:
        self._allow(":", "~")
        if self._condition.operator == "~":
            return self._each(values, _part_test(self._condition.value, values))
        value = match_key(self._condition.value.strip("/"))
        holds = self._each(values, lambda v: f"{match_key(v)}/".startswith(f"{value}/"))
        if not holds.any() and _WILD.search(value):
            below = re.compile(f"{_pattern(value)}/.*", re.DOTALL)
            holds = self._each(values, lambda v: bool(below.fullmatch(f"{match_key(v)}/")))
        if not holds.any():
            raise self._wrong_value(
                f"no image lies in the folder {self._condition.value!r}"
                + _choice(self._condition.value, set(values) - {""})
            )
        return holds

    def _read_text(self, pictures: Sequence[Sequence[str] | None]) -> Mask:
        self._allow(":", "~")
        value = self._condition.value
        if not plain_words(value):
            raise self._wrong_value(f"{value!r} holds neither letter nor digit")
        if all(lines is None for lines in pictures):
            raise self._wrong_value("no picture was read yet; the command for it is vernis read")
        if self._condition.operator == "~":
            tests = [_piece_test(value)]
        else:
            tests = [_word_test(word) for word in value.split() if plain_words(word)]
        holds = (
            lines is not None and all(any(map(test, lines)) for test in tests) for lines in pictures
        )
        return np.fromiter(holds, np.bool_, len(pictures))

    def _own_of(self, named: str) -> str | None:
        """Return the taxonomy that is meant in the place of a field that yields to it."""
        if named not in self._table.yielding:
            return None
        for name in _same_name(named, self._table.taxonomies):
            classes = self._table.taxonomies[name].classes
            if self._condition.operator != ":" or _matching(self._condition.value, classes):
                return name
        return None

    def _mark(self, values: Mapping[str, Mask]) -> Mask:
        self._allow(":")
        remedy = self._table.remedies.get(self._condition.field.lower())
        if remedy and not values:
            raise self._wrong_value(remedy)
        found = _matching(self._condition.value, values)
        if not found:
            others = self._table.other_words.get(self._condition.field.lower(), {})
            found = [others[name] for name in _same_name(self._condition.value, others)]
        if not found:
            raise self._wrong_value(
                f"{self._condition.value!r} is no value of {self._condition.field}"
                + _choice(self._condition.value, values)
            )
        return _any_of([values[name] for name in found])

    def _label(self, names: Sequence[str]) -> Mask:
        self._allow(":", "~")
        value = self._condition.value
        holds = np.zeros(self._table.size, dtype=np.bool_)
        classes: list[str] = []
        known = False
        for name in names:
            columns = self._table.taxonomies[name]
            classes += columns.classes
            if self._condition.operator == "~":
                test = _part_test(value, columns.classes)
                hits = [i for i, label in enumerate(columns.classes) if test(label)]
            else:
                same = {*_matching(value, columns.classes), *_below(value, columns.classes)}
                hits = [i for i, label in enumerate(columns.classes) if label in same]
            known |= bool(hits)
            if hits:
                holds |= columns.yes[:, hits].any(axis=1)
        if not known and self._condition.operator == ":":
            raise self._wrong_value(self._unknown_label(names, classes))
        return holds

    def _unknown_label(self, names: Sequence[str], classes: Sequence[str]) -> str:
        """Say that a label is unknown, and where it is or what resembles it."""
        asked = self._condition.value
        for name, columns in self._table.taxonomies.items():
            same = _same_name(asked, columns.classes)
            if same and name not in names:
                return f"no label {asked!r} in {names[0]}, but {name} has it: {name}:{same[0]}"
        where = names[0] if len(names) == 1 else "any taxonomy"
        return f"no label {asked!r} in {where}{_choice(asked, classes)}"

    def _taxonomy(self) -> str:
        """Return the taxonomy that the field names."""
        asked, table = self._condition.field, self._table
        found = _same_name(asked, table.taxonomies)
        if len(found) == 1:
            return found[0]
        if asked in found:  # of Brand and brand the one that is spelt so
            return asked
        if self._condition.quoted:
            fields: Iterable[str] = table.taxonomies
            reason = f"no taxonomy {asked!r}"
        else:
            fields = [
                *table.numbers,
                *table.dates,
                *table.texts,
                *table.readings,
                *table.folders,
                *table.marks,
                ANY_TAXONOMY,
                *table.taxonomies,
            ]
            reason = f"no field or taxonomy {asked!r}"
        raise FilterError(reason + _choice(asked, fields), self._text, self._condition.position)

    # ------------------------------------------------------------------ common parts

    def _each(self, values: Sequence[str], test: Callable[[str], bool]) -> Mask:
        # Few distinct values (formats, splits, folders) are the rule.
        answers = {value: test(value) for value in set(values)}
        return np.fromiter((answers[value] for value in values), np.bool_, len(values))

    def _allow(self, *operators: str) -> None:
        if self._condition.operator not in operators:
            hint = "; write not …:…" if self._condition.operator == "!=" else ""
            raise FilterError(
                f"{self._condition.field} cannot be compared by {self._condition.operator!r}, "
                f"only by {' '.join(operators)}{hint}",
                self._text,
                self._condition.position,
            )

    def _wrong_value(self, reason: str) -> FilterError:
        return FilterError(reason, self._text, self._condition.value_position)


def _all_of(masks: Sequence[Mask]) -> Mask:
    return np.asarray(np.logical_and.reduce(masks))


def _any_of(masks: Sequence[Mask]) -> Mask:
    return np.asarray(np.logical_or.reduce(masks))


def _same_name(text: str, names: Iterable[str]) -> list[str]:
    """Return the names that a reader takes for ``text``, whatever their case."""
    key = match_key(text)
    return [name for name in names if match_key(name) == key]


def _matching(text: str, names: Iterable[str]) -> list[str]:
    """Return the names that ``text`` means; with ``*`` and ``?`` where nothing is named just so."""
    known = list(names)
    found = _same_name(text, known)
    if found or not _WILD.search(text):
        return found
    pattern = re.compile(_pattern(match_key(text)), re.DOTALL)
    return [name for name in known if pattern.fullmatch(match_key(name))]


def _below(text: str, names: Iterable[str]) -> list[str]:
    """Return the hierarchical names that have ``text`` as one of their levels, or several.

    ``Animals`` and ``Fish`` are levels of ``Animals|Fish|Trout``, and so is ``Fish|Trout``.
    """
    asked = f"{LEVELS}{match_key(text)}{LEVELS}"
    return [name for name in names if LEVELS in name and asked in _levels(name)]


def _levels(name: str) -> str:
    return LEVELS + LEVELS.join(match_key(level) for level in name.split(LEVELS)) + LEVELS


def _part_test(text: str, names: Iterable[str]) -> Callable[[str], bool]:
    """Return whether a name holds ``text``; with ``*`` and ``?`` where none holds it just so."""
    part = match_key(text)
    if not _WILD.search(part) or any(part in match_key(name) for name in set(names)):
        return lambda name: part in match_key(name)
    pattern = re.compile(_pattern(part), re.DOTALL)
    return lambda name: bool(pattern.search(match_key(name)))


def _piece_test(asked: str) -> Callable[[str], bool]:
    """Return whether a line of text holds a piece, blanks and signs left out."""
    piece = "".join(plain_words(asked))
    return lambda line: piece in "".join(plain_words(line))


def _word_test(asked: str) -> Callable[[str], bool]:
    """Return whether a line of text holds a word; signs in it part it into several."""
    if _WILD.search(asked):
        parts = re.split(r"([*?])", asked)
        plain = (part if part in ("*", "?") else "".join(plain_words(part)) for part in parts)
        pattern = re.compile(_pattern("".join(plain)), re.DOTALL)
        return lambda line: any(map(pattern.fullmatch, plain_words(line)))
    words = f" {' '.join(plain_words(asked))} "
    return lambda line: words in f" {' '.join(plain_words(line))} "


def _pattern(key: str) -> str:
    return "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in key)


def _choice(text: str, names: Iterable[str]) -> str:
    """Return the nearest names, or all where they are few."""
    known = sorted(set(names))
    near = did_you_mean(text, known)
    if near or not known:
        return near or "; there is none"
    more = ", …" if len(known) > _SHOWN else ""
    return f"; there are: {', '.join(known[:_SHOWN])}{more}"


def _read_number(text: str) -> float | None:
    """Read 1000, 1e3, 16/9 or 2.5MB; None when it is no number."""
    ratio = _RATIO.fullmatch(text)
    if ratio is not None:
        return float(ratio[1]) / float(ratio[2]) if float(ratio[2]) else None
    found = _NUMBER.fullmatch(text)
    if found is None or found[2].lower() not in _UNITS:
        return None
    value = float(found[1]) * _UNITS[found[2].lower()]
    return value if math.isfinite(value) else None
