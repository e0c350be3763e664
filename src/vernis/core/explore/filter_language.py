"""The filter language: ``brand:absolut and not asset_type:people and width>1000``.

::

    filter    = both { "or" both }
    both      = negated { "and" negated }
    negated   = "not" negated | "(" filter ")" | condition
    condition = field operator value
    field     = word | quoted
    operator  = ":" | "=" | "!=" | "~" | "<" | "<=" | ">" | ">="
    value     = word | quoted

A word runs to the next blank, bracket or quotation mark (a field's also to the operator); a quoted
name stands between ``"`` or ``'`` and may hold anything, with a backslash before that mark or
another backslash. ``=`` is another spelling of ``:``. ``and`` binds closer than ``or``, ``not``
closer than both; they may be written in capitals. A quoted field is always a taxonomy.

``parse_filter`` gives a tree, ``format_filter`` writes it again, and ``filter_evaluation`` finds
the images that it holds for.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Literal, cast

from vernis.domain.errors import FilterError, InvalidValue

Operator = Literal[":", "!=", "~", "<", "<=", ">", ">="]

_OPERATORS = re.compile(r"!=|<=|>=|[:=~<>]")
_FIELD = re.compile(r"""[^\s()"':=~<>!]+""")
_VALUE = re.compile(r"""[^\s()"']+""")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"' + r"|'((?:[^'\\]|\\.)*)'", re.DOTALL)
_BLANK = re.compile(r"\s*")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_KEYWORDS = frozenset({"and", "or", "not"})
_DEEPEST = 60  # brackets and nots within one another
_EXAMPLE = "a condition such as brand:absolut or width>1000"


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison.

    Attributes
    ----------
    field : str
        As written.
    operator : str
    value : str
    quoted : bool
        The field is quoted, so it names a taxonomy even where a field of that name is built in.
    position : int
        Where the condition begins in the text; no part of its identity.
    value_position : int
        Where its value begins.
    """

    field: str
    operator: Operator
    value: str
    quoted: bool = False
    position: int = dataclasses.field(default=0, compare=False)
    value_position: int = dataclasses.field(default=0, compare=False)

    def __post_init__(self) -> None:
        if not self.quoted and (
            not _FIELD.fullmatch(self.field) or self.field.lower() in _KEYWORDS
        ):
            raise InvalidValue(f"expected a field that is one word, got {self.field!r}")
        if self.operator not in (":", "!=", "~", "<", "<=", ">", ">="):
            raise InvalidValue(f"expected an operator, got {self.operator!r}")


@dataclass(frozen=True, slots=True)
class Not:
    """Holds where ``part`` does not."""

    part: Filter


@dataclass(frozen=True, slots=True)
class And:
    """Holds where all ``parts``, two or more, do."""

    parts: tuple[Filter, ...]

    def __post_init__(self) -> None:
        if len(self.parts) < 2:
            raise InvalidValue(f"expected two parts or more, got {len(self.parts)}")


@dataclass(frozen=True, slots=True)
class Or:
    """Holds where one of the ``parts``, two or more, does."""

    parts: tuple[Filter, ...]

    def __post_init__(self) -> None:
        if len(self.parts) < 2:
            raise InvalidValue(f"expected two parts or more, got {len(self.parts)}")


Filter = Condition | Not | And | Or


def parse_filter(text: str) -> Filter:
    """Read a filter.

    Raises
    ------
    FilterError
        Its message shows the text with a caret below the place.
    """
    return _Parser(text).parse()


def format_filter(tree: Filter) -> str:
    """Write a filter such that ``parse_filter`` gives the same tree again."""
    match tree:
        case Condition():
            named = _quote(tree.field) if tree.quoted else tree.field
            bare = _VALUE.fullmatch(tree.value) and not _OPERATORS.match(tree.value)
            return f"{named}{tree.operator}{tree.value if bare else _quote(tree.value)}"
        case Not():
            return f"not {_format_part(tree.part, (And, Or))}"
        case And():
            return " and ".join(_format_part(part, (And, Or)) for part in tree.parts)
        case Or():
            return " or ".join(_format_part(part, (Or,)) for part in tree.parts)


def _format_part(tree: Filter, looser: tuple[type, ...]) -> str:
    text = format_filter(tree)
    return f"({text})" if isinstance(tree, looser) else text


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class _Parser:
    """Recursive descent over the characters: what a word is depends on where it stands."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0

    def parse(self) -> Filter:
        if not self._text.strip():
            raise FilterError(f"the filter is empty; expected {_EXAMPLE}", self._text, 0)
        tree = self._either()
        self._skip_blanks()
        if self._at < len(self._text):
            if self._text[self._at] == ")":
                raise self._error("this bracket closes nothing")
            raise self._error(
                f"expected 'and', 'or' or the end, got {self._here()}; a name with blanks needs "
                "quotation marks"
            )
        return tree

    def _either(self) -> Filter:
        parts = [self._both()]
        while self._take("or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _both(self) -> Filter:
        parts = [self._negated()]
        while self._take("and"):
            parts.append(self._negated())
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _negated(self) -> Filter:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._error(f"more than {_DEEPEST} brackets or nots within one another")
        tree = self._unlimited()
        self._depth -= 1
        return tree

    def _unlimited(self) -> Filter:
        if self._take("not"):
            return Not(self._negated())
        self._skip_blanks()
        if self._text.startswith("(", self._at):
            opened = self._at
            self._at += 1
            tree = self._either()
            self._skip_blanks()
            if not self._text.startswith(")", self._at):
                if self._at < len(self._text):
                    raise self._error(
                        f"expected 'and', 'or' or ')', got {self._here()}; a name with blanks "
                        "needs quotation marks"
                    )
                raise FilterError("this bracket is not closed", self._text, opened)
            self._at += 1
            return tree
        return self._condition()

    def _condition(self) -> Condition:
        begin = self._at
        quoted = self._quoted()
        if quoted is None:
            word = _FIELD.match(self._text, self._at)
            if word is None or word[0].lower() in _KEYWORDS:
                raise self._error(f"expected {_EXAMPLE}, got {self._here()}")
            self._at = word.end()
        name = word[0] if quoted is None else quoted  # type: ignore[index]
        self._skip_blanks()
        operator = _OPERATORS.match(self._text, self._at)
        if operator is None:
            raise FilterError(
                f"expected {_EXAMPLE}, got {name!r} without a comparison", self._text, begin
            )
        self._at = operator.end()
        self._skip_blanks()
        at = self._at
        value = self._quoted()
        if value is None:
            found = _VALUE.match(self._text, self._at)
            if found is None:
                raise self._error(f"expected a value after {name}{operator[0]}, got {self._here()}")
            if _OPERATORS.match(found[0]):
                raise self._error(f"two comparisons after one another; quote {found[0]!r}")
            value = found[0]
            self._at = found.end()
        sign = ":" if operator[0] == "=" else operator[0]
        return Condition(name, cast(Operator, sign), value, quoted is not None, begin, at)

    def _quoted(self) -> str | None:
        if self._at >= len(self._text) or self._text[self._at] not in "\"'":
            return None
        found = _QUOTED.match(self._text, self._at)
        if found is None:
            raise self._error("this quotation mark is not closed")
        self._at = found.end()
        return _ESCAPED.sub(r"\1", found[1] if found[1] is not None else found[2])

    def _take(self, keyword: str) -> bool:
        self._skip_blanks()
        word = _FIELD.match(self._text, self._at)
        if word is None or word[0].lower() != keyword:
            return False
        self._at = word.end()
        return True

    def _skip_blanks(self) -> None:
        blank = _BLANK.match(self._text, self._at)
        self._at = blank.end() if blank else self._at

    def _here(self) -> str:
        if self._at >= len(self._text):
            return "the end"
        word = _VALUE.match(self._text, self._at)
        return repr(word[0] if word else self._text[self._at])

    def _error(self, reason: str) -> FilterError:
        return FilterError(reason, self._text, self._at)
