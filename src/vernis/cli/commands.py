"""The command line of every verb, made from its declaration by cyclopts."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

from vernis.domain.errors import InvalidValue
from vernis.verbs.catalogue import GROUPS, Entry, entries
from vernis.verbs.declare import Declared, Verb

if TYPE_CHECKING:
    from cyclopts import App

Run = Callable[[Entry, Verb[Any, Any], Any, dict[str, Any]], int]
"""Runs a verb with its settings and the common options; returns the exit code."""

COMMON = ("collection", "quiet", "json")
"""Options of every verb; they may also stand before it."""

_ABOUT = (
    "Turn a folder of images with missing and wrong labels into a clean, fully labelled "
    "collection.\n\nStart with: vernis run PATH (or: vernis demo)"
)
_FAMILIES = {
    "lab": ("try methods on the collection; every study writes one folder", "Studies"),
    "boxes": ("boxes in pictures: what to draw next, accept proposals, find wrong ones", "Boxes"),
}
"""First words of verbs of two words: what they do together, and how the help calls them."""


def build_app(run: Run, wanted: Sequence[str] | None = ()) -> App:
    """Return the application.

    Parameters
    ----------
    run : callable
    wanted : sequence of str, optional
        Only these verbs get their options (their modules are imported); None: all.
    """
    from cyclopts import App, Group, Parameter

    from vernis.version import VERSION

    app = App(
        name="vernis",
        help=_ABOUT,
        version=f"vernis {VERSION}",
        version_flags=["--version", "-V"],
        help_flags=["--help", "-h"],
        default_parameter=Parameter(negative=(), show_default=False),
        group_commands=Group("Help", sort_key=99),
        help_format="plaintext",
    )
    titles = {
        name: Group(title, sort_key=place) for place, (name, title) in enumerate(GROUPS.items())
    }
    families = {
        name: App(name=name, help=about, group=titles[name], group_commands=Group(title))
        for name, (about, title) in _FAMILIES.items()
    }
    for place, entry in enumerate(entries()):
        parent, _, name = entry.name.rpartition(" ")
        complete = wanted is None or entry.name in wanted
        command = _command(entry, run) if complete else _stub
        target = families.get(parent, app)
        group = None if parent else titles[entry.group]
        target.command(command, name=name, help=entry.summary, group=group, sort_key=place)
    for family in families.values():
        app.command(family)
    return app


def _stub() -> None:
    """Stand for a verb that is only listed."""


def _command(entry: Entry, run: Run) -> Callable[..., int]:
    """Return the function whose signature is the verb's declaration."""
    verb = entry.load()
    fields = verb.options()

    def command(*arguments: Any, **keywords: Any) -> int:
        bound = signature.bind(*arguments, **keywords)
        given = dict(bound.arguments)
        common = {name: given.pop(name, None) for name in COMMON}
        values = {
            field.name: _value(field, given[field.name]) for field in fields if field.name in given
        }
        return run(entry, verb, verb.settings(**values), common)

    signature = inspect.Signature([_parameter(field) for field in fields] + _common())
    command.__signature__ = signature  # type: ignore[attr-defined]
    command.__doc__ = entry.summary
    return command


def _parameter(field: Declared) -> inspect.Parameter:
    from cyclopts import Group, Parameter

    option = field.option
    kinds = inspect.Parameter
    kind = kinds.POSITIONAL_ONLY if field.positional else kinds.KEYWORD_ONLY
    about: dict[str, Any] = {"help": _help(field)}
    if not field.positional:
        about["group"] = Group("Options", sort_key=2)
        about["name"] = (f"--{field.name.rstrip('_').replace('_', '-')}", *option.alias)
    if option.many:
        about["consume_multiple"] = True
    default = field.default
    # Of what the words are only read into later (``_value``) no default is of the words' type, and
    # cyclopts compares them where pydantic is loaded.
    is_read_later = option.joined or option.whole or option.parse is not None
    if default is not inspect.Parameter.empty and (is_read_later or default == ()):
        default = None
    return inspect.Parameter(
        field.name,
        kind,
        default=default,
        annotation=Annotated[_type_of(field), Parameter(**about)],
    )


def _help(field: Declared) -> str:
    """Return the help with the default, unless the help or the kind of option says it."""
    text, default = field.option.help, field.default
    blank = default is inspect.Parameter.empty or default in (None, "", ())
    if "default" in text or blank or default is False:
        return text
    shown = ", ".join(map(str, default)) if isinstance(default, tuple) else default
    return f"{text} (default: {shown})"


def _type_of(field: Declared) -> Any:
    """Return the type that cyclopts reads from the words of the command line."""
    option = field.option
    if option.joined or option.whole or (option.parse is not None and not field.is_sequence):
        return str | None
    inner: Any = field.type
    if field.is_sequence:
        item = get_args(field.type)[0]
        item = str if field.option.parse is not None else _plain(item)
        return list[item] | None  # type: ignore[valid-type]
    inner = _plain(inner)
    return inner | None if field.optional else inner


def _plain(kind: Any) -> Any:
    """Return text for what may also be a path in Python."""
    if get_origin(kind) in (Literal, tuple) or kind in (bool, int, float, str):
        return kind
    return str


def _value(field: Declared, value: Any) -> Any:
    """Return the value of the settings for what the command line gave."""
    if value is None:
        return field.default if field.default is not inspect.Parameter.empty else None
    if not isinstance(value, str | list):
        return value
    option = field.option
    texts: Any = value
    if option.joined and isinstance(value, str):
        texts = [part.strip() for part in value.split(",") if part.strip()]
    parse = option.parse
    if parse is None and option.joined:
        parse = {int: int, float: float}.get(get_args(field.type)[0])
    if parse is None:
        return tuple(texts) if isinstance(texts, list) else texts
    try:
        return tuple(map(parse, texts)) if isinstance(texts, list) else parse(texts)
    except ValueError as error:
        name = field.name.rstrip("_").replace("_", "-")
        raise InvalidValue(f"--{name}: {_why(error, texts)}") from error


def _why(error: ValueError, given: Any) -> str:
    if isinstance(error, InvalidValue) or str(error).startswith("expected"):
        return str(error)
    shown = ",".join(given) if isinstance(given, list) else given
    return f"expected numbers between commas, got {shown}"


def _common() -> list[inspect.Parameter]:
    from cyclopts import Group, Parameter

    group = Group("Common options", sort_key=9)

    def option(name: str, kind: Any, default: Any, help: str) -> inspect.Parameter:
        about = Parameter(name=f"--{name}", help=help, group=group)
        return inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, about]
        )

    return [
        option(
            "collection",
            str | None,
            None,
            "the NAME.vernis folder (default: the only one beside or above the working folder)",
        ),
        option("quiet", bool, False, "no progress on standard error"),
        option("json", bool, False, "print JSON on standard output"),
    ]
