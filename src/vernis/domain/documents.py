"""Any result as plain JSON: the one way from value objects to documents."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any


def to_document(value: Any, digits: int | None = None) -> Any:
    """Return a value as plain JSON: dataclasses as objects, arrays as lists, NaN as null.

    A field named like one of Python's own words (``class_``) loses its underscore.

    Parameters
    ----------
    value : object
        Dataclasses, mappings, sequences, sets, numbers, paths, arrays.
    digits : int, optional
        Decimals that floats are rounded to.
    """
    kind: type = type(value)
    if kind in _AS_THEY_ARE:
        return value
    if kind is float:
        if not math.isfinite(value):
            return None
        return value if digits is None else round(value, digits)
    names = _names(kind)
    if names is not None:
        return {name: to_document(getattr(value, of), digits) for of, name in names}
    if isinstance(value, Mapping):
        return {str(key): to_document(item, digits) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_document(item, digits) for item in value]
    if hasattr(value, "tolist"):
        return to_document(value.tolist(), digits)
    if isinstance(value, float):
        return to_document(float(value), digits)
    return value if isinstance(value, str | int) else str(value)


_AS_THEY_ARE = frozenset((str, int, bool, type(None)))


@cache
def _names(kind: type) -> tuple[tuple[str, str], ...] | None:
    """Return the fields of a dataclass with their names in a document; None of another type.

    A page of a queue has thousands of values of a few types.
    """
    if not is_dataclass(kind):
        return None
    return tuple((field.name, field.name.rstrip("_")) for field in fields(kind))
