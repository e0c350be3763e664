"""Read the few EXIF fields that say what a picture shows: captions, dates, ratings, positions."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

_DATE = re.compile(r"(\d{4})[:-](\d{2})[:-](\d{2})(?:[ T](\d{2}):(\d{2}):(\d{2}))?")
_ZONE = re.compile(r"[+-]\d{2}:\d{2}|Z")
_EXIF, _GPS = 0x8769, 0x8825


@dataclass(frozen=True, slots=True)
class Exif:
    """What the EXIF block of a file says; empty where it says nothing.

    ``position`` is latitude and longitude in degrees, ``iptc_block`` and ``packet`` what TIFF files
    keep in their tags 33723 and 700. ``orientation`` is 0 where it is not said.
    """

    orientation: int = 0
    caption: str = ""
    title: str = ""
    creator: str = ""
    rights: str = ""
    keywords: tuple[str, ...] = ()
    rating: int | None = None
    taken: str = ""
    position: tuple[float, float] | None = None
    altitude: float = math.nan
    iptc_block: bytes = b""
    packet: bytes = b""


def read_exif(path: Path, notes: list[str]) -> Exif:
    """Return the EXIF fields of a file that Pillow (or pillow-heif) opens; never raises.

    Parameters
    ----------
    path : Path
    notes : list of str
        Receives a line where the block is damaged.
    """
    return _guarded(lambda: _open(path), notes)


def parse_exif(block: bytes, notes: list[str]) -> Exif:
    """Return the fields of an EXIF block, a TIFF structure; never raises."""

    def load() -> tuple[Image.Exif, bytes, bytes]:
        main = Image.Exif()
        main.load(block)
        return main, b"", b""

    return _guarded(load, notes)


def _guarded(open_: Callable[[], tuple[Image.Exif, bytes, bytes] | None], notes: list[str]) -> Exif:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = open_()
            if found is None:
                return Exif()
            main, block, packet = found
            return _fields(main, _sub(main, _EXIF), _sub(main, _GPS), block, packet)
    except Exception as error:  # Pillow raises whatever a damaged block makes it stumble over.
        notes.append(f"its EXIF cannot be read ({type(error).__name__})")
        return Exif()


def _open(path: Path) -> tuple[Image.Exif, bytes, bytes] | None:
    try:
        with Image.open(path) as image:
            tags = getattr(image, "tag_v2", {}) if image.format == "TIFF" else {}
            blocks = [_as_bytes(tags.get(tag)) for tag in (33723, 700)]
            return image.getexif(), blocks[0], blocks[1]
    except OSError:
        return _open_heif(path)


def _as_bytes(value: object) -> bytes:
    """Return the bytes of a tag that Pillow read as bytes or as numbers."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, tuple) and all(isinstance(n, int) and 0 <= n < 256 for n in value):
        return bytes(value)
    return b""


def _open_heif(path: Path) -> tuple[Image.Exif, bytes, bytes] | None:
    try:
        import pillow_heif
    except ImportError:
        return None
    try:
        data = pillow_heif.open_heif(path, convert_hdr_to_8bit=False).info.get("exif")
    except (OSError, ValueError, RuntimeError):
        return None
    if not data:
        return None
    exif = Image.Exif()
    exif.load(data)
    return exif, b"", b""


def _sub(main: Image.Exif, tag: int) -> Mapping[int, Any]:
    try:
        return main.get_ifd(tag)
    except Exception:  # A damaged part leaves the others readable.
        return {}


def _fields(
    main: Mapping[int, Any],
    exif: Mapping[int, Any],
    gps: Mapping[int, Any],
    block: bytes,
    packet: bytes,
) -> Exif:
    caption = _text(main.get(0x010E))
    orientation = main.get(0x0112, 0)
    rating = main.get(0x4746)
    return Exif(
        orientation=orientation if orientation in range(1, 9) else 0,
        caption=caption
        or _xp(main.get(0x9C9F))
        or _comment(exif.get(0x9286))
        or _xp(main.get(0x9C9C)),
        title=_xp(main.get(0x9C9B)),
        creator=_text(main.get(0x013B)) or _xp(main.get(0x9C9D)),
        rights=_text(main.get(0x8298)),
        keywords=tuple(p.strip() for p in _xp(main.get(0x9C9E)).split(";") if p.strip()),
        rating=rating if isinstance(rating, int) and 1 <= rating <= 5 else None,
        taken=_date(exif.get(0x9003), exif.get(0x9011))
        or _date(exif.get(0x9004), exif.get(0x9012)),
        position=_position(gps),
        altitude=_altitude(gps),
        iptc_block=block,
        packet=packet,
    )


def _text(value: object) -> str:
    """Return a text that Pillow read as Latin-1 although most programs write UTF-8."""
    if isinstance(value, bytes):
        data = value
    elif isinstance(value, str):
        try:
            data = value.encode("latin-1")
        except UnicodeEncodeError:
            return value.strip("\0 ")
    else:
        return ""
    data = data.split(b"\0")[0]
    try:
        return data.decode("utf-8").strip()
    except UnicodeDecodeError:
        return data.decode("cp1252", "replace").strip()


def _xp(value: object) -> str:
    """Return a text of the tags that Windows writes, in UTF-16."""
    if isinstance(value, tuple):
        value = bytes(value)
    return (
        value.decode("utf-16-le", "replace").split("\0")[0].strip()
        if isinstance(value, bytes)
        else ""
    )


def _comment(value: object) -> str:
    """Return a ``UserComment``: eight bytes that name its encoding, then text."""
    if not isinstance(value, bytes) or len(value) <= 8:
        return ""
    kind, body = value[:8], value[8:]
    if kind == b"UNICODE\0":
        order = "utf-16-be" if body[:1] == b"\0" else "utf-16-le"
        return body.decode(order, "replace").strip("\0 \ufeff")
    return _text(body) if kind in (b"ASCII\0\0\0", b"\0" * 8) else ""


def _date(value: object, zone: object) -> str:
    found = _DATE.match(_text(value))
    if found is None or found[1] == "0000" or found[2] == "00":
        return ""
    day = f"{found[1]}-{found[2]}-{found[3]}"
    if found[4] is None:
        return day
    offset = _text(zone)
    shown = offset if _ZONE.fullmatch(offset) else ""
    return f"{day}T{found[4]}:{found[5]}:{found[6]}{shown}"


def _position(gps: Mapping[int, Any]) -> tuple[float, float] | None:
    latitude = _degrees(gps.get(2), _text(gps.get(1)), 90)
    longitude = _degrees(gps.get(4), _text(gps.get(3)), 180)
    if math.isnan(latitude) or math.isnan(longitude) or latitude == longitude == 0:
        return None
    return latitude, longitude


def _degrees(value: object, letter: str, most: float) -> float:
    if not isinstance(value, tuple) or not value:
        return math.nan
    try:
        parts = [float(part) for part in value[:3]]
    except (TypeError, ValueError, ZeroDivisionError):
        return math.nan
    parts = [0.0 if math.isnan(part) and at else part for at, part in enumerate(parts)]
    degrees = math.fsum(part / 60**at for at, part in enumerate(parts))
    if not 0 <= degrees <= most:
        return math.nan
    return -degrees if letter.upper()[:1] in ("S", "W") else degrees


def _altitude(gps: Mapping[int, Any]) -> float:
    try:
        height = float(gps[6])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return math.nan
    below = gps.get(5) in (1, b"\1")
    return -height if below else height
