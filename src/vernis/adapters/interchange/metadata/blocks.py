"""Which blocks of metadata stand in the bytes of an image file: XMP packets, EXIF, IPTC.

One walk over the file, which is never decoded. What no walk finds (TIFF, HEIF) is left to Pillow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from vernis.adapters.interchange.metadata.carriers import (
    JPEG_EXTENDED_XMP,
    JPEG_XMP,
    Unfit,
    carrier_of,
    find_slot,
    jpeg_segments,
    png_chunks,
    webp_chunks,
)
from vernis.adapters.interchange.metadata.iptc import PHOTOSHOP, iptc_of_resources

_MOST_OF_PACKET = 1 << 24
_PACKET_STARTS = (b"<?xpacket begin", b"<x:xmpmeta", b"<x:xapmeta")
_PACKET_ENDS = (b"</x:xmpmeta>", b"</x:xapmeta>", b"</rdf:RDF>")
_METADATA = (0xE1, 0xED)  # markers of XMP and EXIF, and of IPTC
_EXIF = b"Exif\0\0"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


@dataclass(frozen=True, slots=True)
class Blocks:
    """The blocks of one file.

    Attributes
    ----------
    packets : tuple of bytes
        XMP, in the order in which they count.
    exif : bytes
        A TIFF structure, empty where there is none.
    iptc : bytes
        IIM datasets.
    by_pillow : bool
        EXIF (and the packet of a TIFF file) has to be asked of Pillow.
    notes : tuple of str
        What is wrong with them.
    """

    packets: tuple[bytes, ...] = ()
    exif: bytes = b""
    iptc: bytes = b""
    by_pillow: bool = False
    notes: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """The file says nothing of its picture."""
        return not (self.packets or self.exif or self.iptc or self.by_pillow or self.notes)


NO_BLOCKS = Blocks()


def find_blocks(data: bytes) -> Blocks:
    """Return the blocks of metadata in the bytes of a file; never raises."""
    carrier = carrier_of(data)
    if carrier == "jpeg":
        return NO_BLOCKS if _is_bare(data) else _blocks_of_jpeg(data)
    if data.startswith(_TIFF):
        return Blocks(by_pillow=True)
    if carrier is None:
        packet = embedded_packet(data)
        found = () if packet is None else (packet,)
        return Blocks(found, by_pillow=data[4:8] == b"ftyp")
    packets, notes = _packet_of_slot(data)
    chunks = png_chunks if carrier == "png" else webp_chunks
    exif, by_pillow = b"", False
    try:
        for kind, start, end in chunks(data):
            if kind in (b"eXIf", b"EXIF"):
                exif = data[start + 8 : end - 4 if carrier == "png" else end]
            elif kind in (b"zTXt", b"tEXt"):
                by_pillow |= data.startswith(b"Raw profile type exif\0", start + 8)
    except Unfit:
        pass
    return Blocks(packets, exif, b"", by_pillow, notes)


def embedded_packet(data: bytes) -> bytes | None:
    """Return the first XMP packet of a file of any format, found by its markers."""
    starts = [at for mark in _PACKET_STARTS if (at := data.find(mark)) >= 0]
    if not starts:
        return None
    start = min(starts)
    tail = data[start : start + _MOST_OF_PACKET]
    for mark in _PACKET_ENDS:
        end = tail.find(mark)
        if end >= 0:
            return bytes(tail[: end + len(mark)])
    return None


def _packet_of_slot(data: bytes) -> tuple[tuple[bytes, ...], tuple[str, ...]]:
    """Return the packet of a PNG or WebP file; one that cannot be written can often be read."""
    try:
        slot = find_slot(data)
    except Unfit as unfit:
        packet = embedded_packet(data)
        return ((), ()) if packet is None else ((packet,), (unfit.reason,))
    return () if slot.packet is None else (slot.packet,), ()


def _is_bare(data: bytes) -> bool:
    """Tell, at little cost, whether a sound JPEG holds no segment of metadata before its picture.

    Most pictures of the web do; a collection of them is indexed as fast as without a look.
    """
    at, end = 2, len(data) - 4
    while at < end and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xDA:
            return True
        if marker in _METADATA or not 0xC0 <= marker <= 0xFE:
            return False
        at += 2 + (data[at + 2] << 8 | data[at + 3])
    return False


def _blocks_of_jpeg(data: bytes) -> Blocks:
    """Walk the segments before the picture; an extended packet is put together from its parts."""
    packets: list[bytes] = []
    notes: list[str] = []
    parts: dict[int, bytes] = {}
    exif, resources, length = b"", b"", 0
    for marker, start, end in _sound_segments(data, notes):
        at = start + 4
        if marker == 0xE1:
            if data.startswith(JPEG_XMP, at):
                packets.append(data[at + len(JPEG_XMP) : end])
            elif data.startswith(_EXIF, at):
                exif += data[at + len(_EXIF) : end]  # a long block goes on in the next segment
            elif data.startswith(JPEG_EXTENDED_XMP, at):
                # A digest of 32 bytes, the whole length, the offset, and a part.
                at += len(JPEG_EXTENDED_XMP) + 32
                length = int.from_bytes(data[at : at + 4], "big")
                parts[int.from_bytes(data[at + 4 : at + 8], "big")] = data[at + 8 : end]
        elif marker == 0xED and data.startswith(PHOTOSHOP, at):
            resources += data[at + len(PHOTOSHOP) : end]
    if len(packets) > 1 and not parts:
        notes.append(f"it holds {len(packets)} XMP packets")
    whole = b"".join(parts[at] for at in sorted(parts))
    if whole and len(whole) == length <= _MOST_OF_PACKET:
        packets.append(whole)
    if not packets and notes:
        packet = embedded_packet(data)
        packets += [] if packet is None else [packet]
    said = tuple(notes) if packets else ()
    return Blocks(tuple(packets), exif, iptc_of_resources(resources), False, said)


def _sound_segments(data: bytes, notes: list[str]) -> Iterator[tuple[int, int, int]]:
    """Yield the segments of a JPEG up to where they are damaged, which becomes a note."""
    try:
        yield from jpeg_segments(data)
    except Unfit as unfit:
        notes.append(unfit.reason)
