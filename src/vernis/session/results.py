"""What verbs found, kept in the catalog with a version and given back as the same type."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from vernis.domain.documents import to_document

if TYPE_CHECKING:
    from cattrs import Converter

    from vernis.domain.ports import RunLog


class Kept(Protocol):
    """A result that can be kept: a dataclass with the version of its shape and of its method.

    A result of another version is as good as none: the work is done anew. What people decided must
    not get lost so: its type says ``UNVERSIONED = True`` where what was written before there were
    versions has the same fields.
    """

    VERSION: ClassVar[int]
    __dataclass_fields__: ClassVar[dict[str, Any]]


K = TypeVar("K", bound=Kept)
V = TypeVar("V")


class Results:
    """The kept results of a collection.

    Parameters
    ----------
    runs : RunLog
    """

    def __init__(self, runs: RunLog) -> None:
        self._runs = runs

    def keep(self, name: str, result: Kept, fingerprint: str = "") -> None:
        """Keep a result under a name such as ``label_issues:brand``.

        ``fingerprint`` says what it was made of, see ``core.numeric.fingerprints``.
        """
        kind = type(result)
        envelope = {"type": kind.__name__, "version": kind.VERSION, "value": to_document(result)}
        self._runs.finish(name, fingerprint, envelope)

    def find(self, name: str, kind: type[K], fingerprint: str | None = None) -> K | None:
        """Return the latest result of that name.

        None where there is none, where it is of another type or version, and, when a fingerprint
        is given, where it was made of something else.
        """
        if fingerprint is not None and not self._runs.is_done(name, fingerprint):
            return None
        kept = self._runs.summary(name)
        if kept is not None and "type" not in kept and getattr(kind, "UNVERSIONED", False):
            return from_document(kind, kept)
        if kept is None or kept.get("type") != kind.__name__ or kept.get("version") != kind.VERSION:
            return None
        return from_document(kind, kept["value"])


def from_document(kind: type[V], document: Any) -> V:
    """Return a dataclass for what ``to_document`` made of it; null is NaN where a float is due."""
    found: V = _converter().structure(document, kind)
    return found


@cache
def _converter() -> Converter:
    from cattrs import Converter
    from cattrs.gen import make_dict_structure_fn, override

    converter = Converter(detailed_validation=False)
    converter.register_structure_hook(
        float, lambda value, _: math.nan if value is None else float(value)
    )
    converter.register_structure_hook_factory(
        is_dataclass,
        lambda kind: make_dict_structure_fn(
            kind,
            converter,
            **{
                field.name: override(rename=field.name.rstrip("_"))
                for field in fields(kind)
                if field.name.endswith("_")
            },  # type: ignore[arg-type]
        ),
    )
    return converter
