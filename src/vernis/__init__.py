"""Vernis: a folder of images in, a clean, searchable, fully labelled collection out.

>>> import vernis
>>> collection = vernis.Collection.open("photos.vernis")  # doctest: +SKIP
>>> collection.issues("asset_type")  # doctest: +SKIP
"""

from __future__ import annotations

from vernis.collection import Collection, find_collection
from vernis.domain.errors import VernisError
from vernis.version import VERSION

__version__ = VERSION

__all__ = ["Collection", "VernisError", "__version__", "find_collection"]
