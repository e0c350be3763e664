"""Vernis: a folder of images in, a clean, searchable, fully labelled collection out.

>>> import vernis
>>> collection = vernis.Collection.open("photos.vernis")  # doctest: +SKIP
>>> collection.issues("asset_type")  # doctest: +SKIP

Only these names are public; they are imported when they are first used. Never: any work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vernis.version import VERSION

if TYPE_CHECKING:
    from vernis.collection import Collection
    from vernis.domain.errors import VernisError
    from vernis.session.session import find_collection

__version__ = VERSION

__all__ = ["Collection", "VernisError", "__version__", "find_collection"]

_HOMES = {
    "Collection": "vernis.collection",
    "VernisError": "vernis.domain.errors",
    "find_collection": "vernis.session.session",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'vernis' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
