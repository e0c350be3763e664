"""Where XMP packets lie in JPEG, PNG and WebP files, and how to set another one in their place.

The files are walked, never decoded. What is not the packet stays byte for byte as it is; WebP alone
has a size and a flag in front that must follow (Google, WebP Container Specification). Sources:
XMP specification part 3, PNG third edition, CIPA DC-007 (multi-picture).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

CarrierName = Literal["jpeg", "png", "webp"]

JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
JPEG_EXTENDED_XMP = b"http://ns.adobe.com/xmp/extension/\0"
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_XMP = b"XML:com.adobe.xmp"
_WEBP_HAS_XMP = 0x04
_WEBP_HAS_ALPHA = 0x10
_MOST_IN_JPEG = 0xFFFF - 2 - len(JPEG_XMP)
_MOST_UNPACKED = 1 << 24
_NO_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})


class Unfit(Exception):
    """A file whose packet cannot be replaced.

    Parameters
    ----------
    kind : str
        A ``RefusalKind``.
    reason : str
    """

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Splice:
    """Bytes of a file, from ``start`` to ``end``, and what takes their place."""

    start: int
    end: int
    replacement: bytes


@dataclass(frozen=True, slots=True)
class Slot:
    """The place of the packet in a file.

    Attributes
    ----------
    carrier : str
    start, end : int
        The whole segment or chunk around the packet; equal where there is none yet.
    packet : bytes or None
    length_must_stay : str
        Why the file allows no packet of another length, empty where it does.
    """

    carrier: CarrierName
    start: int
    end: int
    packet: bytes | None
    length_must_stay: str = ""


def carrier_of(data: bytes) -> CarrierName | None:
    """Return which of the three formats a file is, by its first bytes."""
    if data[:3] == b"\xff\xd8\xff":
        return "jpeg"
    if data[:8] == _PNG:
        return "png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return None


def find_slot(data: bytes) -> Slot:
    """Return where the packet of a file lies, or where one belongs.

    Raises
    ------
    Unfit
        The file is of another format, damaged, or holds XMP that cannot be replaced in one piece.
    """
    carrier = carrier_of(data)
    if carrier is None:
        raise Unfit("format", "only JPEG, PNG and WebP are written in place")
    return {"jpeg": _find_in_jpeg, "png": _find_in_png, "webp": _find_in_webp}[carrier](data)


def set_packet(data: bytes, slot: Slot, packet: bytes | None) -> list[Splice]:
    """Return the splices that put a packet into a file, or take it out with None.

    Raises
    ------
    Unfit
        The packet is too large for the format, or its length must stay.
    """
    if slot.length_must_stay and len(packet or b"") != len(slot.packet or b""):
        raise Unfit("multi-picture", slot.length_must_stay)
    if slot.carrier == "webp":
        return _set_in_webp(data, slot, packet)
    if packet is None:
        framed = b""
    elif slot.carrier == "jpeg":
        if len(packet) > _MOST_IN_JPEG:
            raise Unfit("too large", f"{len(packet):,} bytes of XMP do not fit into a JPEG segment")
        body = JPEG_XMP + packet
        framed = b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body
    else:
        framed = _png_chunk(b"iTXt", _PNG_XMP + b"\0\0\0\0\0" + packet)
    return [Splice(slot.start, slot.end, framed)]


def rest_of(data: bytes, slot: Slot) -> list[bytes | memoryview]:
    """Return all bytes of a file but its packet, in pieces, for comparison.

    Of WebP the size and the flag for XMP in front are left out as well, and the header of the
    extended format where it says no more than the flag.
    """
    view = memoryview(data)
    if slot.carrier != "webp":
        return [view[: slot.start], view[slot.end :]]
    pieces: list[bytes | memoryview] = [view[8:12]]
    for kind, start, end in webp_chunks(data):
        if kind == b"VP8X":
            header = bytearray(data[start + 8 : end])
            header[0] &= ~_WEBP_HAS_XMP
            if bytes(header) != _webp_header(data, 0):
                pieces.append(bytes(header))
        elif kind != b"XMP ":
            pieces.append(view[start:end])
    pieces.append(view[_webp_end(data) :])
    return pieces


def apply_splices(data: bytes, splices: Sequence[Splice]) -> bytes:
    """Return the bytes of a file with all splices done; they must not overlap."""
    parts: list[bytes | memoryview] = []
    done = 0
    view = memoryview(data)
    for splice in sorted(splices, key=lambda s: (s.start, s.end)):
        parts += [view[done : splice.start], splice.replacement]
        done = splice.end
    return b"".join((*parts, view[done:]))


def inverse_splices(data: bytes, splices: Sequence[Splice]) -> list[Splice]:
    """Return the splices that turn the new bytes into ``data`` again."""
    found = []
    moved = 0
    for splice in sorted(splices, key=lambda s: (s.start, s.end)):
        start = splice.start + moved
        found.append(
            Splice(start, start + len(splice.replacement), data[splice.start : splice.end])
        )
        moved += len(splice.replacement) - (splice.end - splice.start)
    return found


# --------------------------------------------------------------------------- JPEG


def jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield marker, start and end of each segment before the picture's data; SOS is the last.

    Raises
    ------
    Unfit
        The markers are damaged.
    """
    at = 2
    while True:
        start = at
        while data[at : at + 2] == b"\xff\xff":
            at += 1  # fill bytes may stand before a marker
        if len(data) < at + 4 or data[at] != 0xFF or data[at + 1] == 0:
            raise Unfit("damaged", f"the JPEG's markers are damaged at byte {at:,}")
        marker = data[at + 1]
        if marker in _NO_LENGTH:
            yield marker, start, at + 2
            at += 2
            continue
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if end < at + 4 or end > len(data):
            raise Unfit("damaged", f"a JPEG segment at byte {at:,} reaches behind the file's end")
        yield marker, at, end
        if marker == 0xDA:
            return
        at = end


def _find_in_jpeg(data: bytes) -> Slot:
    slots: list[Slot] = []
    behind, leading = 2, True
    pictures: int | None = None
    for marker, start, end in jpeg_segments(data):
        body = data[start + 4 : min(end, start + 4 + len(JPEG_EXTENDED_XMP))]
        if marker == 0xE1 and body.startswith(JPEG_EXTENDED_XMP):
            raise Unfit("extended XMP", "its XMP is spread over several segments")
        if marker == 0xE1 and body.startswith(JPEG_XMP):
            slots.append(Slot("jpeg", start, end, data[start + 4 + len(JPEG_XMP) : end]))
        elif marker == 0xE2 and body.startswith(b"MPF\0"):
            pictures = max(pictures or 0, _count_pictures(data[start + 8 : end]))
        leading = leading and (
            marker == 0xE0 or (marker == 0xE1 and body.startswith((b"Exif\0", JPEG_XMP)))
        )
        if leading:
            behind = end
    if len(slots) > 1:
        raise Unfit("unusable XMP", f"it holds {len(slots)} XMP packets")
    slot = slots[0] if slots else Slot("jpeg", behind, behind, None)
    return replace(slot, length_must_stay=_why_fixed(data, end, pictures))


def _why_fixed(data: bytes, behind: int, pictures: int | None) -> str:
    """Return why nothing behind the packet may move: its place is written elsewhere in the file.

    Parameters
    ----------
    data : bytes
    behind : int
        Where the data of the picture begin.
    pictures : int or None
        What the multi-picture index counts; None without an index.
    """
    if pictures is not None and pictures != 1:
        # The index holds the length of the first picture and the places of the others.
        return f"it holds {pictures or 'several'} pictures whose places are written in it"
    if data[-12:-8] in (b"AXS!", b"AXS*"):
        return "it ends in an AFCP block whose places are written in it"
    end = data.find(b"\xff\xd9", behind)
    if end >= 0 and data.find(b"\xff\xd8\xff", end) >= 0:
        return "a second picture stands behind the first, and its place may be written in it"
    return ""


def _count_pictures(body: bytes) -> int:
    """Return the number of pictures that a multi-picture index lists; 0 where it is unreadable."""
    order = {b"II": "<", b"MM": ">"}.get(body[:2])
    if order is None or len(body) < 10:
        return 0
    try:
        (at,) = struct.unpack_from(f"{order}I", body, 4)
        (entries,) = struct.unpack_from(f"{order}H", body, at)
        for entry in range(entries):
            tag, _, _, number = struct.unpack_from(f"{order}HHII", body, at + 2 + 12 * entry)
            if tag == 0xB001:
                return int(number)
    except struct.error:
        return 0
    return 0


# --------------------------------------------------------------------------- PNG


def png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of each chunk; raises Unfit where they are damaged."""
    at = len(_PNG)
    while True:
        if len(data) < at + 12:
            raise Unfit("damaged", "the PNG ends too early")
        length = int.from_bytes(data[at : at + 4], "big")
        kind = data[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(data):
            raise Unfit("damaged", f"a PNG chunk at byte {at:,} reaches behind the file's end")
        yield kind, at, end
        if kind == b"IEND":
            return
        at = end


def _png_chunk(kind: bytes, body: bytes) -> bytes:
    check = zlib.crc32(kind + body)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)


def _find_in_png(data: bytes) -> Slot:
    slots: list[Slot] = []
    before: int | None = None
    for kind, start, end in png_chunks(data):
        if kind == b"IDAT" and before is None:
            before = start
        if kind not in (b"iTXt", b"tEXt", b"zTXt"):
            continue
        keyword, _, value = data[start + 8 : end - 4].partition(b"\0")
        if keyword == b"Raw profile type xmp":
            raise Unfit("unusable XMP", "its XMP is hidden in a text chunk of ImageMagick")
        if kind == b"iTXt" and keyword == _PNG_XMP:
            if zlib.crc32(data[start + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
                raise Unfit("damaged", "the check sum of its XMP is wrong")
            slots.append(Slot("png", start, end, _unpack_text(value)))
    if len(slots) > 1:
        raise Unfit("unusable XMP", f"it holds {len(slots)} XMP packets")
    if before is None:
        raise Unfit("damaged", "the PNG holds no picture")
    return slots[0] if slots else Slot("png", before, before, None)


def _unpack_text(value: bytes) -> bytes:
    """Return the text of an iTXt chunk: flag, method, language, translated keyword, text."""
    packed = value[:1] == b"\1"
    *_, text = value[2:].split(b"\0", 2)
    if not packed:
        return text
    unpacker = zlib.decompressobj()
    try:
        found = unpacker.decompress(text, _MOST_UNPACKED)
    except zlib.error as error:
        raise Unfit("damaged", "its compressed XMP is damaged") from error
    if unpacker.unconsumed_tail:
        raise Unfit("unusable XMP", f"its XMP is larger than {_MOST_UNPACKED >> 20} MiB")
    if not unpacker.eof:
        raise Unfit("damaged", "its compressed XMP is cut off")
    return found


# --------------------------------------------------------------------------- WebP


def _webp_end(data: bytes) -> int:
    return 8 + int.from_bytes(data[4:8], "little")


def webp_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end (with the byte of padding) of each chunk."""
    stop = _webp_end(data)
    if stop > len(data) or stop < 12:
        raise Unfit("damaged", "the WebP is cut off")
    at = 12
    while at + 8 <= stop:
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        end = at + 8 + length + length % 2
        if end > stop:
            raise Unfit("damaged", f"a WebP chunk at byte {at:,} reaches behind the file's end")
        yield data[at : at + 4], at, end
        at = end
    if at != stop:
        raise Unfit("damaged", "the WebP's chunks do not fill it")


def _find_in_webp(data: bytes) -> Slot:
    slots: list[Slot] = []
    behind = 0
    picture = False
    for kind, start, end in webp_chunks(data):
        picture = picture or kind in (b"VP8 ", b"VP8L", b"ANMF")
        if kind == b"XMP ":
            length = int.from_bytes(data[start + 4 : start + 8], "little")
            slots.append(Slot("webp", start, end, data[start + 8 : start + 8 + length]))
        if kind in (b"VP8 ", b"VP8L", b"ANMF", b"EXIF"):
            behind = end
    if len(slots) > 1:
        raise Unfit("unusable XMP", f"it holds {len(slots)} XMP packets")
    if not picture:
        raise Unfit("damaged", "the WebP holds no picture")
    return slots[0] if slots else Slot("webp", behind, behind, None)


def _webp_header(data: bytes, flags: int) -> bytes | None:
    """Return the body of an extended header for a simple WebP; None where it is not simple."""
    for kind, start, _ in webp_chunks(data):
        body = data[start + 8 : start + 18]
        if kind == b"VP8L" and body[:1] == b"\x2f":
            bits = int.from_bytes(body[1:5], "little")
            width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
            flags |= _WEBP_HAS_ALPHA if bits >> 28 & 1 else 0
        elif kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
            width = int.from_bytes(body[6:8], "little") & 0x3FFF
            height = int.from_bytes(body[8:10], "little") & 0x3FFF
        else:
            continue
        sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        return bytes((flags, 0, 0, 0)) + sides
    return None


def _set_in_webp(data: bytes, slot: Slot, packet: bytes | None) -> list[Splice]:
    first, start, _ = next(webp_chunks(data))
    splices: list[Splice] = []
    grown = 0
    if first == b"VP8X":
        flags = data[start + 8]
        new = flags | _WEBP_HAS_XMP if packet is not None else flags & ~_WEBP_HAS_XMP
        if new != flags:
            splices.append(Splice(start + 8, start + 9, bytes((new,))))
    elif packet is not None:
        body = _webp_header(data, _WEBP_HAS_XMP)
        if body is None:
            raise Unfit("damaged", "the WebP's picture has no readable size")
        header = b"VP8X" + struct.pack("<I", len(body)) + body
        splices.append(Splice(12, 12, header))
        grown += len(header)
    framed = b""
    if packet is not None:
        framed = b"XMP " + struct.pack("<I", len(packet)) + packet + b"\0" * (len(packet) % 2)
    splices.append(Splice(slot.start, slot.end, framed))
    grown += len(framed) - (slot.end - slot.start)
    size = _webp_end(data) - 8 + grown
    if grown:
        splices.append(Splice(4, 8, struct.pack("<I", size)))
    return splices
