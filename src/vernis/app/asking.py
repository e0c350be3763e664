"""A verb's settings as a request gives them: what can be asked for, its types, its reading.

Everything follows from the verb's declaration. No setting that names a place on the server's disk
can be asked for, and no frame; who asks is known to the server.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from vernis.domain.errors import InvalidCall
from vernis.verbs.catalogue import Entry, entries
from vernis.verbs.declare import Declared, OneOf, Verb, existing

WHO = "who"
"""The setting that says who decides: the server fills it in."""


def path_of(entry: Entry) -> str:
    """Return a verb's name in an address: ``lab noise`` is ``lab-noise``."""
    return entry.name.replace(" ", "-")


@cache
def askable_verbs() -> Mapping[str, tuple[Entry, Verb[Any, Any]]]:
    """Return the verbs that can be asked for, by their names in an address.

    Left out are those that work on no collection, and those that cannot do without a place on the
    disk or a frame.
    """
    found = {}
    for entry in entries():
        verb = entry.load()
        lacking = [field for field in verb.declared() if not is_askable(field)]
        needs_more = any(field.default is inspect.Parameter.empty for field in lacking)
        names_frames = verb.show.__name__ == "in_python"
        if not (needs_more or names_frames or is_the_server(entry) or not _stays_here(verb)):
            found[path_of(entry)] = (entry, verb)
    return found


def _stays_here(verb: Verb[Any, Any]) -> bool:
    """Tell whether a verb works on the collection that is open, unless it is told otherwise."""
    if verb.home is existing:
        return True
    if any(field.default is inspect.Parameter.empty for field in verb.declared()):
        return False
    home = verb.home(verb.settings())
    return home.needed and home.folder is None


def is_the_server(entry: Entry) -> bool:
    """Tell the verbs of the server itself."""
    return entry.module.startswith("vernis.app.")


def is_askable(field: Declared) -> bool:
    """Tell whether a request may give a setting."""
    option = field.option
    unsafe = option.python or option.requests is None or _names_a_place(field.type)
    return not (unsafe or field.name == WHO)


def asked(verb: Verb[Any, Any]) -> tuple[Declared, ...]:
    """Return the settings that a request may give."""
    return tuple(field for field in verb.declared() if is_askable(field))


def _names_a_place(kind: Any) -> bool:
    return kind is Path or any(_names_a_place(part) for part in get_args(kind))


def name_of(field: Declared) -> str:
    """Return how a setting is called in a request: without the underscore of Python's own words."""
    return field.name.rstrip("_")


def read_settings(verb: Verb[Any, Any], given: Mapping[str, Any], who: str = "") -> Any:
    """Return the settings of a request; raises InvalidCall, InvalidValue.

    Parameters
    ----------
    verb : Verb
    given : mapping
        Name → value, as JSON holds it.
    who : str
        Who asks.
    """
    names = {name_of(field): field for field in asked(verb)}
    values = {}
    for name, value in given.items():
        if name not in names:
            known = ", ".join(names) or "none"
            raise InvalidCall(f"{name!r} is no setting that can be asked for; there are: {known}")
        values[names[name].name] = _settled(_known_here(names[name], value))
    if who and any(field.name == WHO for field in verb.declared()):
        values[WHO] = who
    return verb.read((), values)


def read_query(verb: Verb[Any, Any], pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return the settings that an address gives, as JSON would hold them.

    Raises
    ------
    InvalidCall
        A setting cannot stand in an address, is given twice, or has a value of the wrong type.
    """
    names = {name_of(field): field for field in asked(verb)}
    found: dict[str, Any] = {}
    for name, text in pairs:
        field = names.get(name)
        if field is None:
            found[name] = text  # refused with all others that are not known
            continue
        if not is_simple(field):
            raise InvalidCall(f"{name} cannot stand in an address")
        value = _read_text(field, text)
        if field.is_sequence:
            found.setdefault(name, []).append(value)
        elif name in found:
            raise InvalidCall(f"{name} is given twice")
        else:
            found[name] = value
    return found


def _read_text(field: Declared, text: str) -> Any:
    kind = get_args(field.type)[0] if field.is_sequence else field.type
    try:
        if kind is bool:
            return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
        return kind(text) if kind in (int, float) else text
    except (KeyError, ValueError) as error:
        said = "true or false" if kind is bool else "a number"
        raise InvalidCall(f"expected {name_of(field)} to be {said}, got {text!r}") from error


def _known_here(field: Declared, value: Any) -> Any:
    """Return a value that names no file and no machine; raises InvalidCall."""
    pattern = field.option.requests
    texts = value if isinstance(value, list) else [value]
    for text in texts if pattern else ():
        if isinstance(text, str) and not re.fullmatch(pattern or "", text):
            raise InvalidCall(
                f"{name_of(field)}: a request cannot name a file of the disk, got {text!r}"
            )
    return value


def _settled(value: Any) -> Any:
    """Return a value of JSON as Python has it: pairs are tuples."""
    if not isinstance(value, list):
        return value
    return tuple(tuple(item) if isinstance(item, list) else item for item in value)


def is_simple(field: Declared) -> bool:
    """Tell whether a setting can stand in an address: a text, number, flag, or several of them."""
    kind = get_args(field.type)[0] if field.is_sequence else field.type
    return get_origin(kind) is not tuple


def printed_type(verb: Verb[Any, Any]) -> Any:
    """Return the type of what a verb's answer holds."""
    from typing import get_type_hints

    result, shape = verb.result, verb.shape
    if not isinstance(shape, OneOf):
        return result
    kinds = [get_type_hints(result, include_extras=True)[name] for name in shape.names]
    return kinds[0] if len(kinds) == 1 else Union[tuple(kinds)]  # noqa: UP007


def plain_type(kind: Any) -> Any:
    """Return a setting's type as JSON has it: any sequence is a list."""
    if get_origin(kind) is Sequence:
        return list[plain_type(get_args(kind)[0])]  # type: ignore[misc]
    return kind
