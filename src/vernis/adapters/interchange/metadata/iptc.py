"""Read IPTC metadata (IIM 4.2) out of JPEG files: keywords, captions, dates, places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from vernis.adapters.interchange.metadata.carriers import Unfit, carrier_of, jpeg_segments

PHOTOSHOP = b"Photoshop 3.0\0"
"""How the segment begins that holds Photoshop resources."""
_RESOURCE = b"8BIM"
_IPTC_RESOURCE = 0x0404
_UTF8 = b"\x1b%G"

FIELDS = {
    5: "title",
    15: "category",
    25: "keywords",
    55: "date",
    60: "time",
    80: "creator",
    90: "city",
    92: "location",
    95: "state",
    100: "country_code",
    101: "country",
    105: "headline",
    116: "rights",
    120: "caption",
}
"""Number of a dataset in record 2 → what it is."""


@dataclass(frozen=True, slots=True)
class Iptc:
    """The datasets of a file by name, in their order; ``encoding`` says how they were read."""

    values: dict[str, list[str]] = field(default_factory=dict)
    encoding: str = ""

    def first(self, name: str) -> str:
        """Return the first value of a dataset, empty where there is none."""
        return next(iter(self.values.get(name, [])), "")


def read_iptc_of_jpeg(data: bytes) -> Iptc:
    """Return the IPTC datasets of a JPEG file; empty where it has none or is damaged."""
    if carrier_of(data) != "jpeg":
        return Iptc()
    body = b""
    try:
        for marker, start, end in jpeg_segments(data):
            if marker == 0xED and data.startswith(PHOTOSHOP, start + 4):
                # A resource may go on in the next segment.
                body += data[start + 4 + len(PHOTOSHOP) : end]
    except Unfit:
        pass
    return parse_iptc(iptc_of_resources(body))


def iptc_of_resources(body: bytes) -> bytes:
    """Return the IIM datasets among the Photoshop resources of a file."""
    return b"".join(data for kind, data in _resources(body) if kind == _IPTC_RESOURCE)


def parse_iptc(block: bytes) -> Iptc:
    """Return the datasets of an IIM block.

    Text is UTF-8 where the block says so or where all of it is, else Windows-1252, as most
    programs of that time wrote.
    """
    found: list[tuple[int, bytes]] = []
    says_utf8 = False
    for record, number, value in _datasets(block):
        if (record, number) == (1, 90):
            says_utf8 = value == _UTF8
        elif record == 2 and number in FIELDS:
            found.append((number, value))
    encoding = "utf-8"
    if not says_utf8:
        try:
            b"\n".join(value for _, value in found).decode("utf-8")
        except UnicodeDecodeError:
            encoding = "cp1252"
    values: dict[str, list[str]] = {}
    for number, value in found:
        text = value.decode(encoding, "replace").strip("\0 \t\r\n")
        if text:
            values.setdefault(FIELDS[number], []).append(text)
    return Iptc(values, encoding if values else "")


def _resources(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield kind and data of each Photoshop image resource; stops where they are damaged."""
    at = 0
    while body[at : at + 4] == _RESOURCE and len(body) >= at + 12:
        kind = int.from_bytes(body[at + 4 : at + 6], "big")
        name = body[at + 6] + 1
        at += 6 + name + name % 2
        length = int.from_bytes(body[at : at + 4], "big")
        yield kind, body[at + 4 : at + 4 + length]
        at += 4 + length + length % 2


def _datasets(block: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield record, number and value of each dataset; stops where they are damaged."""
    at = 0
    while at + 5 <= len(block) and block[at] == 0x1C:
        record, number = block[at + 1], block[at + 2]
        length = int.from_bytes(block[at + 3 : at + 5], "big")
        at += 5
        if length & 0x8000:  # an extended dataset: the length of its length
            wide = length & 0x7FFF
            length = int.from_bytes(block[at : at + wide], "big")
            at += wide
        if at + length > len(block):
            return
        yield record, number, block[at : at + length]
        at += length
