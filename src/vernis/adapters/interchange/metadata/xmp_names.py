"""The names of XMP properties that are read or written, with their usual prefixes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from vernis.adapters.interchange.metadata.xmp_document import RDF, Name
from vernis.domain.metadata import WordProperty

PREFIXES: Final[Mapping[str, str]] = {
    "rdf": RDF,
    "dc": "http://purl.org/dc/elements/1.1/",
    "lr": "http://ns.adobe.com/lightroom/1.0/",
    "digiKam": "http://www.digikam.org/ns/1.0/",
    "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
    "stArea": "http://ns.adobe.com/xmp/sType/Area#",
    "stDim": "http://ns.adobe.com/xap/1.0/sType/Dimensions#",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
    "MicrosoftPhoto": "http://ns.microsoft.com/photo/1.0/",
    "xmpNote": "http://ns.adobe.com/xmp/note/",
    "vernis": "urn:vernis:statements:1.0:",
}
"""Prefix → namespace. ``vernis`` is our own: who said which word."""

_PREFIX_OF = {uri: prefix for prefix, uri in PREFIXES.items()}


def named(name: str) -> Name:
    """Return the full name of ``prefix:local``."""
    prefix, _, local = name.partition(":")
    return PREFIXES[prefix], local


def prefix_of(name: Name) -> str:
    """Return the usual prefix of a name."""
    return _PREFIX_OF[name[0]]


WORDS: Final[Mapping[WordProperty, Name]] = {
    "dc:subject": named("dc:subject"),
    "lr:hierarchicalSubject": named("lr:hierarchicalSubject"),
    "digiKam:TagsList": named("digiKam:TagsList"),
}
STATEMENTS: Final = named("vernis:statements")
REGIONS: Final = named("mwg-rs:Regions")
OURS: Final = frozenset({*WORDS.values(), STATEMENTS, REGIONS})
"""The properties that a write touches; all others are the same before and after."""
