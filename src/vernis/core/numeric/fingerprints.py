"""One hash for "was this done already": of settings, texts and arrays alike."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Set
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from vernis.domain.errors import InvalidValue


def fingerprint(*parts: Any) -> str:
    """Return a hash that is equal for equal parts, on every machine and in every process.

    Parameters
    ----------
    *parts
        Values that JSON knows, dataclasses, mappings with text as keys, sets, and arrays of numbers
        or text, also within one another. A tuple counts as a list, a scalar of NumPy as Python's; a
        set and a mapping have no order. An array counts with its shape and type, not with its
        layout in memory; a dataclass with its name and the fields that take part in comparisons.

    Returns
    -------
    str
        SHA-256, 64 hexadecimal digits.

    Raises
    ------
    InvalidValue
        If a part is none of these, as its text might differ from run to run.

    Examples
    --------
    >>> fingerprint("learn", 2, {"seed": 0}) == fingerprint("learn", 2, {"seed": 0})
    True
    >>> fingerprint(1) == fingerprint(1.0)
    False
    """
    try:
        text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=_describe)
    except TypeError as error:  # keys of different types, or none that JSON knows
        raise InvalidValue(f"expected mappings with text as keys ({error})") from error
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _describe(part: Any) -> Any:
    """Return what stands in the JSON for a part that JSON does not know."""
    if isinstance(part, np.generic):
        return part.item()
    if isinstance(part, np.ndarray):
        return _describe_array(part)
    if is_dataclass(part) and not isinstance(part, type):
        own = {field.name: getattr(part, field.name) for field in fields(part) if field.compare}
        return {"dataclass": type(part).__name__, "fields": own}
    if isinstance(part, Mapping):
        return dict(part)
    if isinstance(part, Set):
        return {"set": sorted(fingerprint(member) for member in part)}
    raise InvalidValue(
        f"expected JSON-able values, dataclasses or arrays, got {type(part).__name__}"
    )


def _describe_array(array: np.ndarray[Any, Any]) -> dict[str, Any]:
    if array.dtype.kind == "U":
        return {"array": "text", "values": array.tolist()}
    if array.dtype.kind not in "biufcmM":
        raise InvalidValue(f"expected arrays of numbers or text, got {array.dtype}")
    plain = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    digest = hashlib.sha256(plain.reshape(-1).view(np.uint8).data).hexdigest()
    return {"array": plain.dtype.str, "shape": array.shape, "sha256": digest}
