"""What a verb is declared with: typed settings with help and range, work, result, how it is shown.

>>> @dataclass(frozen=True)
... class Settings(BaseSettings):
...     taxonomy: Annotated[str, Option("the taxonomy")]
...     _: KW_ONLY
...     limit: Annotated[int, Option("rows of the table", at_least=1)] = 20

Positional fields come before ``KW_ONLY``; on the command line they are arguments, the others are
options. Every reader of a declaration (command line, Python, references) uses ``declared``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Any,
    Generic,
    Literal,
    ParamSpec,
    Protocol,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from vernis.domain.errors import InvalidValue, UsageError

if TYPE_CHECKING:
    import pandas as pd

    from vernis.session.session import Session

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound="BaseSettings")


@dataclass(frozen=True, slots=True)
class Option:
    """Help and range of one field of a verb's settings.

    Attributes
    ----------
    help : str
        A few words, without the default.
    metavar : str
        How a value is called in the help; default the kind of value.
    at_least, at_most, above, below : float or None
        Bounds of a number, inclusive and exclusive.
    parse : callable or None
        Makes the value of the command line's text; raises ValueError with what was expected.
    joined : bool
        On the command line several values stand in one text, between commas.
    many : bool
        An option of the command line takes several words, instead of being repeated.
    whole : bool
        ``parse`` makes a whole sequence of one text.
    alias : tuple of str
        Further names on the command line.
    table_default : object
        What the command line takes instead of None when it prints a table (rows, mostly).
    """

    help: str
    metavar: str = ""
    at_least: float | None = None
    at_most: float | None = None
    above: float | None = None
    below: float | None = None
    parse: Callable[[str], Any] | None = None
    joined: bool = False
    many: bool = False
    whole: bool = False
    alias: tuple[str, ...] = ()
    table_default: Any = None

    @property
    def has_range(self) -> bool:
        """Whether any bound is set."""
        return not (self.at_least is self.at_most is self.above is self.below is None)

    def check(self, name: str, value: Any) -> None:
        """Raise InvalidValue where a number lies outside the range."""
        if not self.has_range or isinstance(value, bool) or not isinstance(value, int | float):
            return
        fits = (
            (self.at_least is None or value >= self.at_least)
            and (self.at_most is None or value <= self.at_most)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )
        if not fits:
            raise InvalidValue(f"expected {name} {self.say_range()}, got {value!r}")

    def say_range(self) -> str:
        """Return the range in words."""
        if self.above is not None and self.below is not None:
            return f"between {self.above:g} and {self.below:g}"
        if self.at_least is not None and self.at_most is not None:
            return f"from {self.at_least:g} to {self.at_most:g}"
        words = (
            ("of {:g} or more", self.at_least),
            ("above {:g}", self.above),
            ("of {:g} or less", self.at_most),
            ("below {:g}", self.below),
        )
        return " and ".join(text.format(bound) for text, bound in words if bound is not None)


def share(help: str, metavar: str = "P") -> Option:
    """Return the option of a number above 0 and below 1."""
    return Option(help, metavar, above=0, below=1)


def count(help: str, metavar: str = "N", at_least: int = 1) -> Option:
    """Return the option of a whole number."""
    return Option(help, metavar, at_least=at_least)


@dataclass(frozen=True, slots=True)
class Declared:
    """One field of a verb's settings, as every reader of the declaration needs it.

    Attributes
    ----------
    name : str
    type : type
        Without the annotation and without None.
    optional : bool
        Whether None may be given.
    default : object
        ``inspect.Parameter.empty`` where the field must be given.
    positional : bool
    option : Option
    """

    name: str
    type: Any
    optional: bool
    default: Any
    positional: bool
    option: Option

    @property
    def annotation(self) -> Any:
        """The type as Python's signature shows it."""
        return self.type | None if self.optional else self.type

    @property
    def is_sequence(self) -> bool:
        """Whether any number of values can be given."""
        return get_origin(self.type) is Sequence

    @property
    def choices(self) -> tuple[Any, ...]:
        """The values that a ``Literal`` (or each value of a sequence of them) may have."""
        inner = get_args(self.type)[0] if self.is_sequence else self.type
        return get_args(inner) if get_origin(inner) is Literal else ()

    def settle(self, value: Any) -> Any:
        """Return the value as the verb gets it; raises InvalidValue."""
        if value is None:
            if self.optional:
                return None
            raise InvalidValue(f"expected a value of {self.name}, got None")
        if self.is_sequence:
            # One name is one value, not its letters.
            values = (value,) if isinstance(value, str | Path) else tuple(value)
            for item in values:
                self._check(item)
            return values
        self._check(value)
        return value

    def _check(self, value: Any) -> None:
        if self.choices and value not in self.choices:
            known = ", ".join(map(str, self.choices))
            raise InvalidValue(f"expected {self.name} of {known}, got {value!r}")
        self.option.check(self.name, value)


@dataclass(frozen=True)
class BaseSettings:
    """Base of every verb's ``Settings``: refuses what lies outside the declared range."""

    def __post_init__(self) -> None:
        kind: Any = type(self)
        for field in declared(kind):
            object.__setattr__(self, field.name, field.settle(getattr(self, field.name)))


@cache
def declared(settings: Any) -> tuple[Declared, ...]:
    """Return the fields of a verb's settings, the positional ones first."""
    hints = get_type_hints(settings, include_extras=True)
    found = []
    for field in sorted(fields(settings), key=lambda field: _depth(settings, field.name)):
        kind, *extras = get_args(hints[field.name])
        option = next(extra for extra in extras if isinstance(extra, Option))
        members = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
        real = [member for member in members if member is not NoneType]
        default = field.default
        if default is MISSING:
            default = inspect.Parameter.empty
        found.append(
            Declared(
                name=field.name,
                type=real[0] if len(real) == 1 else Union[tuple(real)],  # noqa: UP007
                optional=len(real) < len(members),
                default=default,
                positional=not field.kw_only,
                option=option,
            )
        )
    return tuple(sorted(found, key=lambda item: not item.positional))


def _depth(settings: type, name: str) -> int:
    """Return how far up the bases a field is declared: a verb's own fields are told first."""
    return next(
        depth
        for depth, base in enumerate(settings.__mro__)
        if name in inspect.get_annotations(base)
    )


def rows_shown(default: int = 20, what: str = "rows") -> Option:
    """Return the option of how many rows are wanted: all in Python and JSON, few in a table."""
    return Option(
        f"{what} (default: {default} in a table, all with --json)",
        "N",
        at_least=1,
        table_default=default,
    )


class Screen(Protocol):
    """Where a result is shown: tables, facts and lines for people."""

    def table(
        self,
        rows: Sequence[Any],
        columns: Sequence[str],
        *,
        title: str = "",
        limit: int | None = None,
        total: int | None = None,
    ) -> None:
        """Show rows (mappings or dataclasses), at most ``limit``; say how many more there are.

        ``total`` counts those that ``rows`` stand for, where they are not all.
        """

    def facts(self, facts: Mapping[str, Any], *, title: str = "") -> None:
        """Show names and values, one a line."""

    def line(self, text: str = "") -> None:
        """Show a line."""

    def note(self, text: str) -> None:
        """Say something beside the result."""


@dataclass(frozen=True, slots=True)
class Home:
    """Which collection a verb works on.

    Attributes
    ----------
    needed : bool
        False: the verb needs none.
    folder : Path or None
        A folder of images, for which a collection is made where there is none yet.
    may_be_new : bool
        A collection that is named by its folder is made where there is none yet.
    """

    needed: bool = True
    folder: Path | None = None
    may_be_new: bool = False


def existing(settings: BaseSettings) -> Home:
    """Say that a verb works on a collection that exists."""
    return Home()


def without(settings: BaseSettings) -> Home:
    """Say that a verb needs no collection."""
    return Home(needed=False)


@dataclass(frozen=True, slots=True, init=False)
class Verb(Generic[P, R]):
    """The one declaration of a verb.

    Attributes
    ----------
    settings : type
        A frozen dataclass on ``BaseSettings``.
    work : callable
        ``work(session, settings) -> Result``.
    show : callable
        ``show(result, settings, screen)``.
    document : callable
        What ``--json`` prints of the result; default the whole of it.
    frame : callable or None
        ``frame(session, settings) -> DataFrame``, where the Python method returns a frame.
    home : callable
        ``home(settings) -> Home``; it may refuse the settings before a collection is made.
    for_people : callable
        ``for_people(settings) -> settings``: what the command line adds where it prints no JSON,
        such as a figure.
    """

    settings: Callable[P, Any]
    work: Callable[[Session, Any], R]
    show: Callable[[R, Any, Screen], None]
    document: Callable[[R], Any]
    frame: Callable[[Session, Any], pd.DataFrame] | None
    home: Callable[[Any], Home]
    for_people: Callable[[Any], Any]

    def __init__(
        self,
        settings: Callable[P, S],
        work: Callable[[Session, S], R],
        show: Callable[[R, S, Screen], None],
        *,
        document: Callable[[R], Any] | None = None,
        frame: Callable[[Session, S], pd.DataFrame] | None = None,
        home: Callable[[S], Home] = existing,
        for_people: Callable[[S], S] | None = None,
    ) -> None:
        for name, value in (
            ("settings", settings),
            ("work", work),
            ("show", show),
            ("document", document or _whole),
            ("frame", frame),
            ("home", home),
            ("for_people", for_people or _whole),
        ):
            object.__setattr__(self, name, value)

    def declared(self) -> tuple[Declared, ...]:
        """Return the fields of the settings."""
        return declared(self.settings)

    def read(self, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
        """Return the settings of a Python call.

        Raises
        ------
        UsageError
            A keyword is unknown; the message names the nearest one.
        """
        known = [field.name for field in self.declared()]
        for name in keywords:
            if name not in known:
                raise UsageError(_unknown(name, known))
        return self.settings(*arguments, **keywords)


def _whole(result: Any) -> Any:
    return result


def _unknown(name: str, known: Sequence[str]) -> str:
    from vernis.core.words.nearest_names import nearest_names

    near = nearest_names(name, known, limit=1)
    hint = f"did you mean {near[0]}" if near else f"there are: {', '.join(known)}"
    return f"no setting {name!r}; {hint}?" if near else f"no setting {name!r}; {hint}"
