"""What stands in image files and their sidecars: words, regions, captions, dates, places.

Plain records that the readers of files return and the writers of files take. Frozen.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from vernis.domain.errors import InvalidValue, VernisError
from vernis.domain.regions import Box

WordProperty = Literal["dc:subject", "lr:hierarchicalSubject", "digiKam:TagsList"]
WORD_PROPERTIES: tuple[WordProperty, ...] = (
    "dc:subject",
    "lr:hierarchicalSubject",
    "digiKam:TagsList",
)
"""The three lists of keywords that programs read, from flat to hierarchical."""

COPIED = "copy"
"""Source of a word that stood elsewhere in the file and was repeated in a list that was new."""

_UNFIT = re.compile("[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def folded(word: str) -> str:
    """Return a word as it is compared: composed (NFC), so that both spellings of é are one."""
    return unicodedata.normalize("NFC", word)


def _require(condition: bool, expected: str, actual: object) -> None:
    if not condition:
        raise InvalidValue(f"expected {expected}, got {actual!r}")


@dataclass(frozen=True, slots=True)
class Word:
    """A label as it goes into a file, and who said it.

    Attributes
    ----------
    path : tuple of str
        From the top of the hierarchy to the word itself; one element for a flat word. Any
        characters but control characters.
    taxonomy, label : str
        What Vernis calls it.
    source : str
        ``human:anna``, ``given``, ``model:NAME``, …
    model : str
        ``NAME@VERSION`` of the model that proposed it, empty where none did.
    probability : float
        0..1, NaN where there is none.
    time : str
        When it was said, ISO 8601.
    """

    path: tuple[str, ...]
    taxonomy: str = ""
    label: str = ""
    source: str = ""
    model: str = ""
    probability: float = math.nan
    time: str = ""

    def __post_init__(self) -> None:
        _require(bool(self.path) and all(p.strip() for p in self.path), "a word", self.path)
        for text in (*self.path, self.taxonomy, self.label, self.source, self.model, self.time):
            _require(not _UNFIT.search(text), "text without control characters", text)
        known = not math.isnan(self.probability)
        _require(not known or 0 <= self.probability <= 1, "a probability", self.probability)

    def text(self, kept_in: WordProperty) -> str:
        """Return the word as a list of keywords holds it.

        ``lr:hierarchicalSubject`` sets ``|`` between the levels and ``digiKam:TagsList`` ``/``;
        neither knows an escape, so these characters inside a name become their full-width twins.
        """
        if kept_in == "dc:subject":
            return self.path[-1].strip()
        between, twin = ("|", "｜") if kept_in == "lr:hierarchicalSubject" else ("/", "／")
        return between.join(part.strip().replace(between, twin) for part in self.path)


def path_of_word(text: str, kept_in: WordProperty) -> tuple[str, ...]:
    """Return the levels of a word as a list of keywords holds it; inverts ``Word.text``."""
    if kept_in == "dc:subject":
        return (text,)
    between, twin = ("|", "｜") if kept_in == "lr:hierarchicalSubject" else ("/", "／")
    parts = (part.strip().replace(twin, between) for part in text.split(between))
    return tuple(part for part in parts if part) or (text,)


@dataclass(frozen=True, slots=True)
class WrittenRegion:
    """A region with one class, as it goes into a file (Metadata Working Group, ``mwg-rs``).

    Attributes
    ----------
    id : str
        By which Vernis knows it again; empty for a region of another program.
    name : str
        The class, or the person's name.
    box : Box
        In pixels of the upright picture.
    picture : (int, int)
        Size of the upright picture.
    type : str
        ``Face``, ``Pet``, ``Focus``, ``BarCode`` or empty: the standard knows no other.
    taxonomy, source, model, probability, time
        As in ``Word``.
    """

    id: str
    name: str
    box: Box
    picture: tuple[int, int]
    type: str = ""
    taxonomy: str = ""
    source: str = ""
    model: str = ""
    probability: float = math.nan
    time: str = ""

    def __post_init__(self) -> None:
        _require(min(self.picture) > 0, "the size of the picture", self.picture)
        for text in (self.id, self.name, self.taxonomy, self.source, self.model, self.time):
            _require(not _UNFIT.search(text), "text without control characters", text)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a file shall say of its image when the write is done: all of it, not only the new.

    Words and regions that Vernis wrote earlier and that are not wanted any more are taken out;
    those of others stay whatever is wanted. ``regions`` None leaves all regions as they are;
    ``taxonomies`` names those that it speaks of, None for all: what Vernis wrote earlier of others
    stays.
    """

    words: tuple[Word, ...] = ()
    regions: tuple[WrittenRegion, ...] | None = None
    taxonomies: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class FoundWord:
    """A keyword that stands in a file.

    ``origins`` names the places: ``xmp:dc:subject``, ``iptc:keywords``, ``exif:XPKeywords``, …
    ``own`` is true where Vernis put it there, so that it is not taken for somebody's word.
    """

    path: tuple[str, ...]
    origins: tuple[str, ...]
    own: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a picture was taken, or what it shows; names, and degrees (south and west negative)."""

    latitude: float = math.nan
    longitude: float = math.nan
    altitude: float = math.nan
    location: str = ""
    city: str = ""
    state: str = ""
    country: str = ""
    country_code: str = ""

    @property
    def known(self) -> bool:
        """Something is known."""
        names = (self.location, self.city, self.state, self.country, self.country_code)
        return any(names) or not math.isnan(self.latitude)


@dataclass(frozen=True, slots=True)
class FileMetadata:
    """What a file and its sidecar say of an image.

    Attributes
    ----------
    words : tuple of FoundWord
        In the order in which they stand; hierarchical ones once, with their path.
    statements : tuple of Word
        What Vernis wrote about its own words.
    regions : tuple of WrittenRegion
    title, caption, creator, rights : str
    rating : int or None
        -1 (rejected) to 5.
    label : str
        The colour label (``xmp:Label``).
    taken : str
        ISO 8601, without a time zone where the file has none.
    place : Place
    sources : mapping of str to str
        For each of the fields above that is set, where it was read: ``caption`` → ``iptc``.
    notes : tuple of str
        What could not be read, in a few words each.
    """

    words: tuple[FoundWord, ...] = ()
    statements: tuple[Word, ...] = ()
    regions: tuple[WrittenRegion, ...] = ()
    title: str = ""
    caption: str = ""
    creator: str = ""
    rights: str = ""
    rating: int | None = None
    label: str = ""
    taken: str = ""
    place: Place = Place()
    sources: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


# --------------------------------------------------------------------------- writing

Carrier = Literal["auto", "embed", "sidecar"]
"""``auto`` embeds in JPEG, PNG and WebP and writes a sidecar beside all others."""

SidecarStyle = Literal["full", "stem"]
"""``full`` is ``NAME.EXT.xmp``; ``stem`` is ``NAME.xmp``, as Lightroom reads it beside raws."""

UndoneKind = Literal["restored", "removed", "words", "nothing", "gone"]
"""``restored`` byte for byte; ``removed`` (a sidecar that the write had made); ``words`` where
somebody else had written since and only our own words were taken out; ``nothing`` where the write
had never happened or was undone before; ``gone`` where there is no file."""

RefusalKind = Literal[
    "changed",
    "read-only",
    "hard link",
    "not a file",
    "busy",
    "format",
    "extended XMP",
    "multi-picture",
    "too large",
    "damaged",
    "unusable XMP",
    "foreign owner",
    "disk",
]

REMEDIES: Mapping[RefusalKind, str] = {
    "changed": "index it again, then write",
    "read-only": "make the file and its folder writable, or leave it out",
    "hard link": "write a sidecar, or replace the hard link by a copy",
    "not a file": "leave it out",
    "busy": "wait until the other program is done, then write again",
    "format": "write a sidecar",
    "extended XMP": "write a sidecar",
    "multi-picture": "write a sidecar",
    "too large": "write a sidecar",
    "damaged": "write a sidecar",
    "unusable XMP": "repair its metadata (exiftool can rewrite it), then write again",
    "foreign owner": "write as that user, or write a sidecar",
    "disk": "make room or check the disk, then write again",
}


class WriteRefused(VernisError):
    """A file was not written; it is exactly as it was.

    Parameters
    ----------
    path : str
    kind : str
        One of ``RefusalKind``; ``REMEDIES`` holds the way out of each.
    reason : str
        Why, in a few words, without the path.
    """

    def __init__(self, path: str, kind: RefusalKind, reason: str) -> None:
        super().__init__(f"{path}: {reason}; {REMEDIES[kind]}")
        self.path = path
        self.kind = kind
        self.reason = reason
        self.remedy = REMEDIES[kind]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What one write did to one file: enough to tell whether it happened, and to undo it.

    It is kept by the caller before the file is renamed into place. Whether a killed run got that
    far is read from the file: it has one hash or the other.

    Attributes
    ----------
    path : str
        The file that was written: the image or its sidecar.
    carrier : str
        ``jpeg``, ``png``, ``webp``, ``sidecar`` or ``exiftool``.
    before, after : str
        SHA-256 of the whole file in hexadecimal; ``before`` is empty for a new sidecar, ``after``
        for one that was taken away.
    undo : bytes
        Compressed; the bytes that the write replaced, and where.
    added : mapping of str to tuple of str
        The words that this write put into each list, for taking them out again one by one.
    removed : tuple of str
        Words of Vernis that it took out.
    size : int
        Bytes of the file after the write.
    notes : tuple of str
        What was not written, in a few words each.
    """

    path: str
    carrier: str
    before: str
    after: str
    undo: bytes
    added: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    removed: tuple[str, ...] = ()
    size: int = 0
    notes: tuple[str, ...] = ()

    @property
    def changes(self) -> bool:
        """The file was, or is to be, changed."""
        return self.before != self.after
