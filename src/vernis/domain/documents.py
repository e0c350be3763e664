"""Any result as plain JSON: the one way from value objects to documents."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
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
    if is_dataclass(value) and not isinstance(value, type):
        return {
            field.name.rstrip("_"): to_document(getattr(value, field.name), digits)
            for field in fields(value)
        }
    if isinstance(value, Mapping):
        return {str(key): to_document(item, digits) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_document(item, digits) for item in value]
    if hasattr(value, "tolist"):
        return to_document(value.tolist(), digits)
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return value if digits is None else round(value, digits)
    return value if isinstance(value, str | int | bool | None) else str(value)
