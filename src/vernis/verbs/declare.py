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
import numbers
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
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

from vernis.domain.errors import InvalidCall, InvalidValue

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
    python : bool
        Frames and arrays, which only Python can give: no option of the command line.
    requests : str or None
        Of a text that may also name a file or another machine: the pattern of what a request
        over the network may give. None: it gives nothing; default: any text.
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
    python: bool = False
    requests: str | None = ""

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
            return f"between {_say(self.above)} and {_say(self.below)}"
        if self.at_least is not None and self.at_most is not None:
            return f"from {_say(self.at_least)} to {_say(self.at_most)}"
        words = (
            ("of {} or more", self.at_least),
            ("above {}", self.above),
            ("of {} or less", self.at_most),
            ("below {}", self.below),
        )
        return " and ".join(text.format(_say(bound)) for text, bound in words if bound is not None)


def _say(bound: float) -> str:
    return str(bound) if isinstance(bound, int) else f"{bound:g}"


def share(help: str, metavar: str = "P") -> Option:
    """Return the option of a number above 0 and below 1."""
    return Option(help, metavar, above=0, below=1)


def count(help: str, metavar: str = "N", at_least: int = 1) -> Option:
    """Return the option of a whole number."""
    return Option(help, metavar, at_least=at_least)


KEEP_CASE = Option(
    "keep spellings apart that differ in case alone (default: all are taken as the one on most "
    "images, where one is on at most a quarter of them)"
)
"""Of what names the classes of images: a table, folders."""

WORKERS = Option("threads (default: one a core)", "N", at_least=1, at_most=1024)
"""The option of how many threads work on pictures."""

WHERE = Option("only images that this filter holds for, such as 'asset_type:bottle'", "FILTER")
"""The option of a filter: a training set by another taxonomy, a part of the collection."""

SEED = Option("of everything random", "N", at_least=0, at_most=2**32 - 1)
"""The option of a seed: what NumPy and scikit-learn take."""


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
        """Return the value as the verb gets it; raises InvalidValue or InvalidCall."""
        if value is None:
            if self.optional:
                return None
            raise InvalidValue(f"expected a value of {self.name}, got None")
        if not self.is_sequence:
            return self._checked(value, self.type)
        kind = get_args(self.type)[0]
        if get_origin(kind) is tuple:
            return self._tuples(value, get_args(kind))
        # One value is a sequence of one: a name is not its letters, a path is one image.
        if _fits(value, kind) if _is_checked(kind) else isinstance(value, str | Path):
            return (self._checked(value, kind),)
        # The items of a frame are the names of its columns: hardly what was meant.
        if not isinstance(value, Iterable) or isinstance(value, str) or hasattr(value, "columns"):
            raise InvalidCall(_say_mismatch(self.name, f"{_say_type(kind)}, one or several", value))
        return tuple(self._checked(item, kind) for item in value)

    def _tuples(self, value: Any, kinds: Sequence[Any]) -> tuple[tuple[Any, ...], ...]:
        """Return tuples, given as such, as a mapping, or as the command line's texts."""
        if isinstance(value, str):
            value = [value]
        elif isinstance(value, Mapping):
            value = list(value.items())
        expected = f"tuples of ({', '.join(map(_say_type, kinds))})"
        if not isinstance(value, Iterable) or hasattr(value, "columns"):
            raise InvalidCall(_say_mismatch(self.name, expected, value))
        settled = []
        for given in value:
            item = given
            if isinstance(given, str) and self.option.parse is not None:
                try:
                    item = self.option.parse(given)
                except ValueError as error:
                    raise InvalidValue(f"{self.name}: {error}") from None
            whole = isinstance(item, Sequence) and not isinstance(item, str)
            if not whole or len(item) != len(kinds) or not all(map(_fits, item, kinds)):
                raise InvalidCall(_say_mismatch(self.name, expected, item))
            settled.append(tuple(item))
        return tuple(settled)

    def _checked(self, value: Any, kind: Any) -> Any:
        if not _fits(value, kind):
            raise InvalidCall(_say_mismatch(self.name, _say_type(kind), value))
        if isinstance(value, numbers.Number) and hasattr(value, "item"):
            value = value.item()  # NumPy's numbers become Python's
        if self.choices and value not in self.choices:
            known = ", ".join(map(str, self.choices))
            raise InvalidValue(f"expected {self.name} of {known}, got {value!r}")
        if isinstance(value, str) and not value and Path in (self.type, *get_args(self.type)):
            # Taken as a path it would be the working folder: a variable of a script was not set.
            raise InvalidValue(f"expected {self.name} to be a path, got an empty text")
        self.option.check(self.name, value)
        return value


_TYPES: Mapping[Any, tuple[str, Any]] = {
    bool: ("True or False", bool),
    int: ("a whole number", numbers.Integral),
    float: ("a number", numbers.Real),
    str: ("text", str),
    Path: ("a path", os.PathLike),
}
"""What is checked of a value: type of the setting → in words, what is taken for it."""


def _members(kind: Any) -> tuple[Any, ...]:
    return get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)


def _is_checked(kind: Any) -> bool:
    return all(member in _TYPES for member in _members(kind))


def _fits(value: Any, kind: Any) -> bool:
    """Tell whether a value is of a setting's type; types that are not in ``_TYPES`` pass."""
    if not _is_checked(kind):
        return True
    members = _members(kind)
    if type(value).__name__ in ("bool", "bool_"):  # NumPy's too; a flag is no number
        return bool in members
    return any(isinstance(value, _TYPES[member][1]) for member in members)


def _say_type(kind: Any) -> str:
    return " or ".join(_TYPES[m][0] if m in _TYPES else "values" for m in _members(kind))


def _say_mismatch(name: str, expected: str, value: Any) -> str:
    shown, kind = repr(value), type(value).__name__
    brief = len(shown) <= 40 and "\n" not in shown
    return (
        f"expected {name} of {expected}, got {shown} ({kind})"
        if brief
        else (f"expected {name} of {expected}, got a {kind}")
    )


@dataclass(frozen=True)
class BaseSettings:
    """Base of every verb's ``Settings``: refuses what lies outside the declared range."""

    def __post_init__(self) -> None:
        kind: Any = type(self)
        for field in declared(kind):
            object.__setattr__(self, field.name, field.settle(getattr(self, field.name)))


@dataclass(frozen=True, kw_only=True)
class EngineOptions(BaseSettings):
    """What runs the work on many pictures."""

    workers: Annotated[int | None, WORKERS] = None
    engine: Annotated[
        Literal["auto", "threads", "processes", "daft"],
        Option(
            "what runs the work: threads or processes of this machine (auto: processes for many "
            "pictures whose steps are short), or Daft (extra cluster)"
        ),
    ] = "auto"
    ray: Annotated[
        str,
        Option(
            "run Daft on this Ray cluster (extra ray), whose machines see the images under the "
            "same path: auto, ray://HOST:10001, or local for one on this machine",
            "ADDRESS",
            requests=None,
        ),
    ] = ""


@dataclass(frozen=True, kw_only=True)
class NetworkOptions(EngineOptions):
    """What runs the work on many pictures, and what networks run on."""

    device: Annotated[
        Literal["auto", "cpu", "cuda"],
        Option(
            "what networks run on: the processor, an NVIDIA graphics processor (extra cuda), or "
            "auto: that one where there is one"
        ),
    ] = "auto"


def choose_engine(session: Session, settings: Any) -> None:
    """Let a session use the engine and the device that a verb's settings name, if they do."""
    if isinstance(settings, EngineOptions):
        session.run_on(settings.engine, settings.ray)
    if isinstance(settings, NetworkOptions):
        session.run_networks_on(settings.device)


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

    def ask(self, question: str) -> bool | None:
        """Ask a person yes or no; None where nobody can answer."""


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
    collection : Path or None
        The collection itself, where a setting names it.
    name : str
        Of the collection that is made where there is none, without a folder to name it after.
    """

    needed: bool = True
    folder: Path | None = None
    may_be_new: bool = False
    collection: Path | None = None
    name: str = ""


def existing(settings: BaseSettings) -> Home:
    """Say that a verb works on a collection that exists."""
    return Home()


def without(settings: BaseSettings) -> Home:
    """Say that a verb needs no collection."""
    return Home(needed=False)


class OneOf:
    """What ``--json`` prints: the first field of these that is not null, without its name."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def __call__(self, result: Any) -> Any:
        """Return the field's value."""
        values = (getattr(result, name) for name in self.names)
        return next((value for value in values if value is not None), None)


class Fields:
    """What ``--json`` prints: these fields and no others."""

    def __init__(self, *names: str) -> None:
        self.names = names

    def __call__(self, result: Any) -> Any:
        """Return the fields by name."""
        return {name: getattr(result, name) for name in self.names}


FLAT = object()
"""Annotates a field whose own fields are printed in its place."""


Access = Literal["read", "decide", "work"]
"""What a verb does to a collection: reads it, records a decision in an instant, or works longer."""


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
    shape : OneOf, Fields or None
        What a ``document`` that is a function prints, as the reference tells it.
    frame : callable or None
        ``frame(session, settings) -> DataFrame``, where the Python method returns a frame.
    home : callable
        ``home(settings) -> Home``; it may refuse the settings before a collection is made.
    for_people : callable
        ``for_people(settings) -> settings``: what the command line adds where it prints no JSON,
        such as a figure.
    ask : callable
        ``ask(session, settings, screen) -> settings``: what the command line shows and asks
        before the work, where it prints no JSON.
    then : callable
        ``then(result, settings) -> (verb, values) or None``: the verb that the command line goes
        on with, and its settings, where it prints no JSON.
    access : {'read', 'decide', 'work'}
        What it does: ``read`` writes nothing and is asked for by GET, ``decide`` is done while one
        waits, ``work`` becomes a job of the server.
    """

    settings: Callable[P, Any]
    work: Callable[[Session, Any], R]
    show: Callable[[R, Any, Screen], None]
    document: Callable[[R], Any]
    shape: OneOf | Fields | None
    frame: Callable[[Session, Any], pd.DataFrame] | None
    home: Callable[[Any], Home]
    for_people: Callable[[Any], Any]
    ask: Callable[[Session, Any, Screen], Any]
    then: Callable[[R, Any], tuple[str, Mapping[str, Any]] | None]
    access: Access

    def __init__(
        self,
        settings: Callable[P, S],
        work: Callable[[Session, S], R],
        show: Callable[[R, S, Screen], None],
        *,
        document: Callable[[R], Any] | None = None,
        shape: OneOf | Fields | None = None,
        frame: Callable[[Session, S], pd.DataFrame] | None = None,
        home: Callable[[S], Home] = existing,
        for_people: Callable[[S], S] | None = None,
        ask: Callable[[Session, S, Screen], S] | None = None,
        then: Callable[[R, S], tuple[str, Mapping[str, Any]] | None] | None = None,
        access: Access = "work",
    ) -> None:
        for name, value in (
            ("settings", settings),
            ("work", work),
            ("show", show),
            ("document", document or _whole),
            ("shape", document if isinstance(document, OneOf | Fields) else shape),
            ("frame", frame),
            ("home", home),
            ("for_people", for_people or _whole),
            ("ask", ask or _unasked),
            ("then", then or _nothing_more),
            ("access", access),
        ):
            object.__setattr__(self, name, value)

    def do(self, session: Session, settings: Any) -> R:
        """Do the work, on the engine that the settings name."""
        choose_engine(session, settings)
        return self.work(session, settings)

    @property
    def name(self) -> str:
        """The name of its Python method."""
        return self.work.__module__.rpartition(".")[2]

    @property
    def result(self) -> Any:
        """The type of its result; the other annotations of ``work`` may be unresolved."""
        named = inspect.get_annotations(self.work)["return"]
        return eval(named, vars(inspect.getmodule(self.work))) if isinstance(named, str) else named

    def declared(self) -> tuple[Declared, ...]:
        """Return the fields of the settings."""
        return declared(self.settings)

    def options(self) -> tuple[Declared, ...]:
        """Return the fields that the command line can give."""
        return tuple(field for field in self.declared() if not field.option.python)

    def read(self, arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
        """Return the settings of a Python call.

        Raises
        ------
        InvalidCall
            A parameter is unknown (the message names the nearest one), is missing, or has a value
            of the wrong type.
        InvalidValue
            A value lies outside the range or the choices.
        """
        known = [field.name for field in self.declared()]
        for name in keywords:
            if name not in known:
                raise InvalidCall(f"{self.name}: {_unknown(name, known)}")
        try:
            inspect.signature(self.settings).bind(*arguments, **keywords)
        except TypeError as error:
            takes = ", ".join(field.name for field in self.declared() if field.positional)
            hint = f"the rest by name: help(collection.{self.name})"
            raise InvalidCall(
                f"{self.name}: {error}; in order: {takes or 'none'}; {hint}"
            ) from None
        try:
            return self.settings(*arguments, **keywords)
        except (InvalidCall, InvalidValue) as error:
            raise type(error)(f"{self.name}: {error}") from None


def in_python(result: Any, settings: Any, screen: Screen) -> None:
    """Show nothing: the verb is a method in Python alone, no word of the command line."""


def _whole(result: Any) -> Any:
    return result


def _unasked(session: Session, settings: Any, screen: Screen) -> Any:
    return settings


def _nothing_more(result: Any, settings: Any) -> None:
    """Stand for a verb that the command line ends with."""


_SAME = (
    frozenset({"k", "n", "top", "top_k", "count", "limit", "max_items", "rows", "size", "worst"}),
    frozenset({"where", "filter", "query", "condition"}),
    frozenset({"out", "output", "path", "folder", "file", "filename", "save"}),
    frozenset({"seed", "random_state", "rng"}),
    frozenset({"workers", "n_jobs", "threads", "jobs"}),
    frozenset({"taxonomy", "column", "label", "target", "what"}),
    frozenset({"space", "backbone", "embedding", "features", "layer"}),
    frozenset({"probabilities", "pred_probs", "probs", "proba"}),
    frozenset({"model", "classifier", "head", "estimator"}),
    frozenset({"who", "user", "name", "author"}),
)
"""Words that people use for the same thing, ours among them."""


def _unknown(name: str, known: Sequence[str]) -> str:
    from vernis.core.words.nearest_names import nearest_names

    near = nearest_names(name, known, limit=1)
    near = near or [other for same in _SAME if name in same for other in known if other in same]
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known) or 'none'}"
    return f"no parameter {name!r}; {hint}"
