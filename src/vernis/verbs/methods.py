"""Verbs as Python methods: real signatures and parameter documentation from the declaration."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Sequence
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Concatenate,
    Literal,
    ParamSpec,
    TypeVar,
    get_args,
    get_origin,
)

from vernis.verbs.declare import Declared, Verb, choose_engine

if TYPE_CHECKING:
    import pandas as pd

P = ParamSpec("P")
R = TypeVar("R")


def method(verb: Verb[P, R]) -> Callable[Concatenate[Any, P], R]:
    """Return the method that does a verb's work; its owner has a ``session``."""

    def call(self: Any, /, *arguments: P.args, **keywords: P.kwargs) -> R:
        return verb.do(self.session, verb.read(arguments, keywords))

    _document(call, verb, "Result: its fields are those of ``--json``.")
    return call


def frame_method(verb: Verb[P, Any]) -> Callable[Concatenate[Any, P], pd.DataFrame]:
    """Return the method that gives a verb's result as a pandas frame."""
    assert verb.frame is not None
    make = verb.frame

    def call(self: Any, /, *arguments: P.args, **keywords: P.kwargs) -> pd.DataFrame:
        settings = verb.read(arguments, keywords)
        choose_engine(self.session, settings)
        return make(self.session, settings)

    _document(call, verb, inspect.getdoc(make) or "")
    return call


def _document(call: Any, verb: Verb[Any, Any], returns: str) -> None:
    """Give a method its signature, and a docstring with the help of every setting."""
    fields = verb.declared()
    here = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = [_parameter(field) for field in fields]
    call.__signature__ = inspect.Signature([here, *parameters])
    said = (inspect.getdoc(inspect.getmodule(verb.work)) or "").split("\n\n", 1)
    summary = said[0].partition("``: ")[2] or said[0]
    lines = [summary[:1].upper() + summary[1:]]
    if len(said) > 1:
        lines += ["", said[1]]
    if fields:
        lines += ["", "Parameters", "----------"]
        for field in fields:
            lines += [f"{field.name} : {name_of(field)}", textwrap.indent(say(field), "    ")]
    lines += ["", "Returns", "-------", returns]
    call.__doc__ = "\n".join(lines)
    call.__module__ = verb.work.__module__
    call.__name__ = call.__qualname__ = verb.name


def _parameter(field: Declared) -> inspect.Parameter:
    kinds = inspect.Parameter
    kind = kinds.POSITIONAL_OR_KEYWORD if field.positional else kinds.KEYWORD_ONLY
    return inspect.Parameter(field.name, kind, default=field.default, annotation=field.annotation)


def say(field: Declared) -> str:
    """Return the help of a field with its range."""
    option = field.option
    return f"{option.help}; {option.say_range()}" if option.has_range else option.help


def name_of(field: Declared) -> str:
    """Return the type of a field in the words of a docstring."""
    kind = field.option.metavar if field.option.python else _type_name(field.type)
    return f"{kind} or None" if field.optional else kind


def _type_name(kind: Any) -> str:
    if field_choices := (get_args(kind) if get_origin(kind) is Literal else ()):
        return "{" + ", ".join(map(repr, field_choices)) + "}"
    if get_origin(kind) is Annotated:
        return _type_name(get_args(kind)[0])
    if get_origin(kind) is Sequence:
        return f"sequence of {_type_name(get_args(kind)[0])}"
    if get_origin(kind) is tuple:
        return f"({', '.join(map(_type_name, get_args(kind)))})"
    if members := get_args(kind):
        return " or ".join(map(_type_name, members))
    return str(getattr(kind, "__name__", kind))
