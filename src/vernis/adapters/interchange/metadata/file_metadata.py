"""Read what an image file and its sidecar say: XMP, IPTC and EXIF as one plain record.

Words of all places are united. Of captions, ratings, dates and places one place counts: the sidecar
before the file, XMP before IPTC before EXIF, but for the date, where the camera's EXIF comes first
(Metadata Working Group, Guidelines for Handling Image Metadata 2.0).
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vernis.adapters.interchange.metadata import xmp_document as xmp
from vernis.adapters.interchange.metadata.blocks import find_blocks
from vernis.adapters.interchange.metadata.exif import Exif, parse_exif, read_exif
from vernis.adapters.interchange.metadata.iptc import Iptc, parse_iptc
from vernis.adapters.interchange.metadata.sidecars import existing_sidecar
from vernis.adapters.interchange.metadata.xmp_document import Document, UnusablePacket
from vernis.adapters.interchange.metadata.xmp_merge import own_words, read_statements
from vernis.adapters.interchange.metadata.xmp_names import WORDS, named
from vernis.adapters.interchange.metadata.xmp_regions import read_regions
from vernis.domain.errors import UnreadableImage
from vernis.domain.metadata import (
    FileMetadata,
    FoundWord,
    Place,
    folded,
    path_of_word,
)

_MOST_BYTES = 1 << 30
_MOST_OF_FILE = 1 << 24
_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')
_BOILERPLATE = re.compile(
    r"((\w+ ){0,2}digital camera|sony dsc|samsung( csc)?"
    r"|kodak digital still camera|exif[_ ]jpeg[_ ](picture|t422)|default|dcim|untitled|charset=.*"
    r"|file written by adobe photoshop.*|created with gimp|screenshot)",
    re.IGNORECASE,
)
"""What cameras and programs write into the caption or the title of every picture."""
_STARS = ((1, 1), (25, 2), (50, 3), (75, 4), (99, 5))
_IPTC_DATE = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})")
_IPTC_TIME = re.compile(r"(\d{2}):?(\d{2}):?(\d{2})(?:([+-]\d{2}):?(\d{2}))?")
_XMP_DEGREES = re.compile(r"(\d+(?:\.\d+)?)(?:,(\d+(?:\.\d+)?))?(?:,(\d+(?:\.\d+)?))?([NSEW])")


@dataclass(slots=True)
class _Layer:
    """A packet, and the name of where it stands: ``sidecar`` or ``xmp``."""

    name: str
    document: Document


@dataclass(slots=True)
class _Raw:
    """All that was read, before one place wins over another."""

    layers: list[_Layer] = field(default_factory=list)
    iptc: Iptc = field(default_factory=Iptc)
    exif: Exif = field(default_factory=Exif)
    notes: list[str] = field(default_factory=list)


_NOTHING = FileMetadata()


def read_file_metadata(
    image: Path, data: bytes | None = None, *, with_sidecar: bool = True
) -> FileMetadata:
    """Return what a file and its sidecar say of the image.

    Never raises for what stands inside: a packet that cannot be read becomes a note.

    Parameters
    ----------
    image : Path
    data : bytes, optional
        Of the file, where they were read already.
    with_sidecar : bool
        Read ``NAME.EXT.xmp`` or ``NAME.xmp`` too.

    Raises
    ------
    UnreadableImage
        The file itself cannot be opened or read.
    """
    raw = _Raw()
    sidecar = existing_sidecar(image) if with_sidecar else None
    if sidecar is not None:
        try:
            _add_packet(raw, "sidecar", sidecar.read_bytes())
        except OSError as error:
            raw.notes.append(f"its sidecar cannot be read ({error.strerror})")
    if data is None:
        try:
            data = _read(image)
        except OSError as error:
            raise UnreadableImage(image, f"cannot be read ({error.strerror})") from error
    blocks = find_blocks(data)
    if blocks.is_empty and sidecar is None:
        return _NOTHING
    raw.notes += blocks.notes
    for packet in blocks.packets:
        _add_packet(raw, "xmp", packet)
    if blocks.by_pillow:
        raw.exif = read_exif(image, raw.notes)
        if raw.exif.packet:
            _add_packet(raw, "xmp", raw.exif.packet)
    elif blocks.exif:
        raw.exif = parse_exif(blocks.exif, raw.notes)
    raw.iptc = parse_iptc(raw.exif.iptc_block or blocks.iptc)
    if not raw.exif.orientation and blocks.packets:
        written = _ORIENTATION.search(blocks.packets[0])
        if written is not None:
            raw.exif = replace(raw.exif, orientation=int(written[1]))
    return _unite(raw)


def _read(path: Path) -> bytes:
    if path.stat().st_size > _MOST_BYTES:
        with open(path, "rb") as stream, mmap.mmap(stream.fileno(), 0, prot=mmap.PROT_READ) as m:
            return m[:_MOST_OF_FILE]
    return path.read_bytes()


def _add_packet(raw: _Raw, name: str, packet: bytes) -> None:
    try:
        raw.layers.append(_Layer(name, xmp.parse(packet)))
    except UnusablePacket as error:
        where = "its sidecar: " if name == "sidecar" else ""
        raw.notes.append(f"{where}{error}")


# --------------------------------------------------------------------------- one record of all


class _Choice:
    """Takes the first place that says something, and remembers which."""

    def __init__(self) -> None:
        self.sources: dict[str, str] = {}

    def __call__(self, name: str, *places: tuple[str, Any]) -> Any:
        for place, value in places:
            if value not in ("", None):
                self.sources[name] = place
                return value
        return None


def _unite(raw: _Raw) -> FileMetadata:
    choose = _Choice()
    texts = _texts(raw, choose)
    rating = choose("rating", *_ratings(raw), ("exif", raw.exif.rating))
    taken = choose("taken", *_dates(raw))
    label = choose("label", *_written(raw, "xmp:Label"))
    place = _place(raw, choose)
    statements = [word for layer in raw.layers for word in read_statements(layer.document)]
    turned = raw.exif.orientation or 1
    regions = [region for layer in raw.layers for region in read_regions(layer.document, turned)]
    return FileMetadata(
        words=tuple(_words(raw)),
        statements=tuple(dict.fromkeys(statements)),
        regions=tuple(dict.fromkeys(regions)),
        rating=rating,
        label=label or "",
        taken=taken or "",
        place=place,
        sources=choose.sources,
        notes=tuple(dict.fromkeys(raw.notes)),
        **texts,
    )


def _texts(raw: _Raw, choose: _Choice) -> dict[str, str]:
    """Return title, caption, creator and rights; what cameras write everywhere is no text."""
    iptc, exif = raw.iptc, raw.exif
    places: dict[str, list[tuple[str, str]]] = {
        "caption": [
            *_written(raw, "dc:description"),
            ("iptc", iptc.first("caption")),
            ("exif", exif.caption),
        ],
        "title": [
            *_written(raw, "dc:title", "photoshop:Headline"),
            ("iptc", iptc.first("title")),
            ("iptc", iptc.first("headline")),
            ("exif", exif.title),
        ],
        "creator": [
            *_written(raw, "dc:creator"),
            ("iptc", iptc.first("creator")),
            ("exif", exif.creator),
        ],
        "rights": [
            *_written(raw, "dc:rights"),
            ("iptc", iptc.first("rights")),
            ("exif", exif.rights),
        ],
    }
    return {
        name: choose(name, *(one for one in found if not _BOILERPLATE.fullmatch(one[1]))) or ""
        for name, found in places.items()
    }


def _written(raw: _Raw, *names: str) -> list[tuple[str, str]]:
    """Return the first value of some properties in every packet, each with its place."""
    return [
        (layer.name, _first(layer.document, named(name))) for layer in raw.layers for name in names
    ]


def _first(document: Document, name: xmp.Name) -> str:
    """Return the first value of a property; of texts in several languages the default one."""
    for element in document.properties(name):
        for item in xmp.items(element):
            if item.attributes.get((xmp.XML, "lang")) == "x-default" and xmp.value(item):
                return xmp.value(item)
    return next(iter(xmp.simple_values(document, name)), "")


def _ratings(raw: _Raw) -> Iterator[tuple[str, int | None]]:
    for layer in raw.layers:
        yield layer.name, _number(_first(layer.document, named("xmp:Rating")), -1, 5)
    for layer in raw.layers:
        percent = _number(_first(layer.document, named("MicrosoftPhoto:Rating")), 1, 100)
        if percent is not None:
            yield layer.name, max(star for least, star in _STARS if percent >= least)


def _number(text: str, least: int, most: int) -> int | None:
    try:
        number = round(float(text))
    except (ValueError, OverflowError):
        return None
    return number if least <= number <= most else None


def _dates(raw: _Raw) -> Iterator[tuple[str, str]]:
    def of(layer: _Layer) -> Iterator[tuple[str, str]]:
        # xmp:CreateDate is when the file was made, which of drawings and scans says nothing.
        for name in ("exif:DateTimeOriginal", "photoshop:DateCreated"):
            yield layer.name, _first(layer.document, named(name))

    for layer in raw.layers:
        if layer.name == "sidecar":
            yield from of(layer)
    yield "exif", raw.exif.taken
    yield "iptc", _iptc_date(raw.iptc)
    for layer in raw.layers:
        yield from of(layer)


def _iptc_date(iptc: Iptc) -> str:
    date = _IPTC_DATE.fullmatch(iptc.first("date"))
    if date is None or date[1] == "0000":
        return ""
    time = _IPTC_TIME.fullmatch(iptc.first("time"))
    day = "-".join(date.groups())
    if time is None:
        return day
    zone = f"{time[4]}:{time[5]}" if time[4] else ""
    return f"{day}T{time[1]}:{time[2]}:{time[3]}{zone}"


def _place(raw: _Raw, choose: _Choice) -> Place:
    names: Mapping[str, str] = {
        "location": "Iptc4xmpCore:Location",
        "city": "photoshop:City",
        "state": "photoshop:State",
        "country": "photoshop:Country",
        "country_code": "Iptc4xmpCore:CountryCode",
    }
    found: dict[str, Any] = {}
    for name, written in names.items():
        layers = [(layer.name, _first(layer.document, named(written))) for layer in raw.layers]
        found[name] = choose(name, *layers, ("iptc", raw.iptc.first(name))) or ""
    points: list[tuple[str, tuple[float, float] | None]] = [
        (layer.name, _xmp_position(layer.document)) for layer in raw.layers
    ]
    sidecars = [point for point in points if point[0] == "sidecar"]
    position = choose("position", *sidecars, ("exif", raw.exif.position), *points)
    if position is not None:
        found["latitude"], found["longitude"] = position
        found["altitude"] = raw.exif.altitude
    return Place(**found)


def _xmp_position(document: Document) -> tuple[float, float] | None:
    """Read ``exif:GPSLatitude`` and its sister: degrees, minutes and a letter."""
    numbers = []
    for name, most in (("exif:GPSLatitude", 90), ("exif:GPSLongitude", 180)):
        found = _XMP_DEGREES.fullmatch(_first(document, named(name)).replace(" ", ""))
        if found is None:
            return None
        degrees = float(found[1]) + float(found[2] or 0) / 60 + float(found[3] or 0) / 3600
        if degrees > most:
            return None
        numbers.append(-degrees if found[4] in "SW" else degrees)
    return numbers[0], numbers[1]


# --------------------------------------------------------------------------- words


@dataclass(slots=True)
class _Seen:
    """A word while it is put together from several lists."""

    path: tuple[str, ...]
    origins: list[str] = field(default_factory=list)
    own: bool = True

    def add(self, origin: str, own: bool) -> None:
        if origin not in self.origins:
            self.origins.append(origin)
        self.own = self.own and own


def _words(raw: _Raw) -> list[FoundWord]:
    """Unite the words of all places; a flat word that ends or heads a path is that path's."""
    paths: dict[tuple[str, ...], _Seen] = {}
    flat: list[tuple[str, str, bool]] = []
    for layer in raw.layers:
        ours = own_words(layer.document)
        for kept_in, name in WORDS.items():
            origin = f"{layer.name}:{kept_in}"
            for text in xmp.simple_values(layer.document, name):
                own = folded(text) in ours[kept_in]
                if kept_in == "dc:subject":
                    flat.append((text, origin, own))
                else:
                    _add_path(paths, path_of_word(text, kept_in), origin, own)
    flat += [(text, "iptc:keywords", False) for text in raw.iptc.values.get("keywords", [])]
    flat += [(text, "exif:XPKeywords", False) for text in raw.exif.keywords]
    leaves = {folded(seen.path[-1]): seen for seen in paths.values()}
    above = {folded(part) for seen in paths.values() for part in seen.path[:-1]}
    for text, origin, own in flat:
        key = folded(text)
        if key in leaves:
            leaves[key].add(origin, own)
        elif key not in above:
            _add_path(paths, (text,), origin, own)
    return [FoundWord(seen.path, tuple(seen.origins), seen.own) for seen in paths.values()]


def _add_path(
    paths: dict[tuple[str, ...], _Seen], path: tuple[str, ...], origin: str, own: bool
) -> None:
    key = tuple(folded(part) for part in path)
    paths.setdefault(key, _Seen(path)).add(origin, own)
