"""Read what an image file and its sidecar say: XMP, IPTC and EXIF as one plain record.

Words of all places are united. Of captions, ratings, dates and places one place counts: the sidecar
before the file, XMP before IPTC before EXIF, but for the date, where the camera's EXIF comes first
(Metadata Working Group, Guidelines for Handling Image Metadata 2.0).
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vernis.adapters.interchange.metadata import xmp_document as xmp
from vernis.adapters.interchange.metadata.carriers import (
    JPEG_EXTENDED_XMP,
    JPEG_XMP,
    Unfit,
    carrier_of,
    find_slot,
    jpeg_segments,
)
from vernis.adapters.interchange.metadata.exif import Exif, read_exif
from vernis.adapters.interchange.metadata.iptc import Iptc, parse_iptc, read_iptc_of_jpeg
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
_MOST_OF_PACKET = 1 << 24
_PACKET_STARTS = (b"<?xpacket begin", b"<x:xmpmeta", b"<x:xapmeta")
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


def read_file_metadata(image: Path, *, with_sidecar: bool = True) -> FileMetadata:
    """Return what a file and its sidecar say of the image.

    Never raises for what stands inside: a packet that cannot be read becomes a note.

    Parameters
    ----------
    image : Path
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
    try:
        data = _read(image)
    except OSError as error:
        raise UnreadableImage(image, f"cannot be read ({error.strerror})") from error
    for packet in _packets(image, data, raw.notes):
        _add_packet(raw, "xmp", packet)
    raw.exif = read_exif(image, raw.notes)
    raw.iptc = read_iptc_of_jpeg(data)
    if raw.exif.iptc_block:
        raw.iptc = parse_iptc(raw.exif.iptc_block)
    return _unite(raw)


def embedded_packet(data: bytes) -> bytes | None:
    """Return the first XMP packet of a file of any format, found by its markers."""
    starts = [at for mark in _PACKET_STARTS if (at := data.find(mark)) >= 0]
    if not starts:
        return None
    start = min(starts)
    tail = data[start : start + _MOST_OF_PACKET]
    for mark in (b"</x:xmpmeta>", b"</x:xapmeta>", b"</rdf:RDF>"):
        end = tail.find(mark)
        if end >= 0:
            return bytes(tail[: end + len(mark)])
    return None


def _read(path: Path) -> bytes:
    if path.stat().st_size > _MOST_BYTES:
        with open(path, "rb") as stream, mmap.mmap(stream.fileno(), 0, prot=mmap.PROT_READ) as m:
            return m[:_MOST_OF_PACKET]
    return path.read_bytes()


def _packets(image: Path, data: bytes, notes: list[str]) -> Iterator[bytes]:
    carrier = carrier_of(data)
    if carrier is None:
        packet = embedded_packet(data)
        if packet is not None:
            yield packet
        return
    try:
        slot = find_slot(data)
    except Unfit as unfit:
        # It cannot be written, but what it holds can be read.
        found = _packets_of_jpeg(data) if carrier == "jpeg" else []
        if not found:
            packet = embedded_packet(data)
            found = [] if packet is None else [packet]
        if found and unfit.kind != "extended XMP":
            notes.append(unfit.reason)
        yield from found
        return
    if slot.packet is not None:
        yield slot.packet


def _packets_of_jpeg(data: bytes) -> list[bytes]:
    """Return all packets of a JPEG; an extended one is put together from its segments.

    Such a segment holds a digest, the whole length, an offset and a part.
    """
    found: list[bytes] = []
    parts: dict[int, bytes] = {}
    length = 0
    try:
        for marker, start, end in jpeg_segments(data):
            body = data[start + 4 : end]
            if marker == 0xE1 and body.startswith(JPEG_XMP):
                found.append(body[len(JPEG_XMP) :])
            elif marker == 0xE1 and body.startswith(JPEG_EXTENDED_XMP):
                body = body[len(JPEG_EXTENDED_XMP) + 32 :]
                length = int.from_bytes(body[:4], "big")
                parts[int.from_bytes(body[4:8], "big")] = body[8:]
    except Unfit:
        pass
    whole = b"".join(parts[at] for at in sorted(parts))
    if whole and len(whole) == length <= _MOST_OF_PACKET:
        found.append(whole)
    return found


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
    iptc, exif = raw.iptc, raw.exif

    def text(*names: str) -> list[tuple[str, str]]:
        return [
            (layer.name, _first(layer.document, named(name)))
            for layer in raw.layers
            for name in names
        ]

    caption = choose(
        "caption",
        *text("dc:description"),
        ("iptc", iptc.first("caption")),
        ("exif", exif.caption),
    )
    title = choose(
        "title",
        *text("dc:title", "photoshop:Headline"),
        ("iptc", iptc.first("title") or iptc.first("headline")),
        ("exif", exif.title),
    )
    creator = choose(
        "creator",
        *text("dc:creator"),
        ("iptc", iptc.first("creator")),
        ("exif", exif.creator),
    )
    rights = choose(
        "rights",
        *text("dc:rights"),
        ("iptc", iptc.first("rights")),
        ("exif", exif.rights),
    )
    rating = choose("rating", *_ratings(raw), ("exif", exif.rating))
    taken = choose("taken", *_dates(raw))
    label = choose("label", *text("xmp:Label"))
    place = _place(raw, choose)
    statements = [word for layer in raw.layers for word in read_statements(layer.document)]
    regions = [
        region for layer in raw.layers for region in read_regions(layer.document, exif.orientation)
    ]
    return FileMetadata(
        words=tuple(_words(raw)),
        statements=tuple(dict.fromkeys(statements)),
        regions=tuple(dict.fromkeys(regions)),
        title=title or "",
        caption=caption or "",
        creator=creator or "",
        rights=rights or "",
        rating=rating,
        label=label or "",
        taken=taken or "",
        place=place,
        sources=choose.sources,
        notes=tuple(dict.fromkeys(raw.notes)),
    )


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
