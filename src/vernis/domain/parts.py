"""Parts of files that are images of their own: frames of videos, pages, pictures of slides.

The uri of a part is that of its file, ``#`` and a place: ``clip.mp4#t=12.480`` (seconds),
``scan.pdf#page=3``, ``deck.pptx#image1.png``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Literal

Inside = Literal["video", "pdf", "tiff", "slides"]
"""Kinds of files that are looked into."""

SUFFIXES: Mapping[Inside, frozenset[str]] = {
    "video": frozenset(
        [
            *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".wmv", ".mpg", ".mpeg", ".mts"),
            *(".m2ts", ".3gp", ".flv", ".ogv"),
        ]
    ),
    "pdf": frozenset([".pdf"]),
    "tiff": frozenset([".tif", ".tiff"]),
    "slides": frozenset([".pptx", ".ppsx", ".potx", ".odp"]),
}

_ENDINGS = "|".join(sorted(suffix[1:] for names in SUFFIXES.values() for suffix in names))
_PART = re.compile(rf"(?P<file>.+\.(?:{_ENDINGS}))#(?P<place>[^/#]+)", re.IGNORECASE | re.DOTALL)
_TIME = re.compile(r"t=(\d+\.\d{3})")
_PAGE = re.compile(r"page=(\d+)")


def kind_inside(name: str) -> Inside | None:
    """Return what kind of file a name says that can be looked into, None for others.

    >>> kind_inside("a/Clip.MP4"), kind_inside("a.jpg")
    ('video', None)
    """
    suffix = PurePosixPath(name).suffix.lower()
    return next((kind for kind, names in SUFFIXES.items() if suffix in names), None)


def split_part(uri: str) -> tuple[str, str] | None:
    """Return the file of a part and its place there; None for a file.

    >>> split_part("a/clip.mp4#t=12.480"), split_part("a/c#1.jpg")
    (('a/clip.mp4', 't=12.480'), None)
    """
    found = _PART.fullmatch(uri)
    return None if found is None else (found["file"], found["place"])


def is_part(uri: str) -> bool:
    """Tell whether an image is a part of a file."""
    return "#" in uri and split_part(uri) is not None


def time_of(place: str) -> float | None:
    """Return the seconds that a place in a video means.

    >>> time_of("t=12.480"), time_of("page=3")
    (12.48, None)
    """
    found = _TIME.fullmatch(place)
    return None if found is None else float(found[1])


def page_of(place: str) -> int | None:
    """Return the page that a place means, from 1.

    >>> page_of("page=3"), page_of("image1.png")
    (3, None)
    """
    found = _PAGE.fullmatch(place)
    return None if found is None else int(found[1])


def time_place(seconds: float) -> str:
    """Return the place of a frame: never later than it, so that it is the next one from there.

    >>> time_place(12.4799999)
    't=12.479'
    """
    return f"t={int(seconds * 1000 + 1e-6) / 1000:.3f}"
