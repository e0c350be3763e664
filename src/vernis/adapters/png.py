"""The chunks of a PNG: their checksums, and text that is too long for Pillow."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from typing import IO

from PIL.PngImagePlugin import PngImageFile

from vernis.adapters.jpeg import MOST_LOST, PartMissing
from vernis.domain.damage import SOUND, Damage

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_SHORT_TEXT = 1024  # compressed bytes that cannot hold more than the megabyte that Pillow takes
_LOADING = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"fdAT")


def without_long_text(stream: IO[bytes]) -> IO[bytes]:
    """Return a PNG without compressed text that Pillow might refuse, the stream itself if none.

    Pillow refuses a picture for a text of more than a megabyte, as image generators and long edit
    histories write them. What Vernis reads of texts it reads by itself.
    """
    long = [
        (start, end)
        for kind, start, end in _walk_chunks(stream)
        if kind in (b"zTXt", b"iTXt", b"tEXt") and end - start > _SHORT_TEXT
    ]
    stream.seek(0)
    if not long:
        return stream
    data = stream.read()
    starts = [0, *(end for _, end in long)]
    stops = [*(start for start, _ in long), len(data)]
    return io.BytesIO(b"".join(data[a:b] for a, b in zip(starts, stops, strict=True)))


def load_png(image: PngImageFile) -> Damage:
    """Load an opened PNG; of a cut one as much as is there.

    Raises
    ------
    PartMissing
        More than ``MOST_LOST`` of its rows are missing.
    OSError, SyntaxError, ValueError
        As Pillow raises them.
    """
    stream = image.fp
    bad = stream is not None and _has_bad_checksum(stream)
    try:
        image.load()
    except OSError as error:
        if "truncated" not in str(error).lower() or image.info.get("interlace"):
            raise
        lost = _share_unwritten(image)
        if lost > MOST_LOST:
            raise PartMissing from error
        image.tile = []
        return Damage("cut_off", lost)
    return Damage("checksum") if bad else SOUND


def _walk_chunks(stream: IO[bytes]) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of each whole chunk."""
    stream.seek(0, 2)
    size, at = stream.tell(), len(SIGNATURE)
    while at + 12 <= size:
        stream.seek(at)
        head = stream.read(8)
        end = at + 12 + int.from_bytes(head[:4], "big")
        if end > size:
            return
        yield head[4:], at, end
        if head[4:] == b"IEND":
            return
        at = end


def _has_bad_checksum(stream: IO[bytes]) -> bool:
    """Tell whether the checksum of a chunk that makes the picture is wrong; Pillow skips them."""
    place = stream.tell()
    try:
        for kind, start, end in _walk_chunks(stream):
            if kind in _LOADING:
                stream.seek(start + 4)
                body = stream.read(end - start - 8)
                if zlib.crc32(body) != int.from_bytes(stream.read(4), "big"):
                    return True
    finally:
        stream.seek(place)
    return False


def _share_unwritten(image: PngImageFile) -> float:
    """Return the share of the rows, at the end, that were never written."""
    box = image.im.getbbox()
    return 1.0 if box is None else 1.0 - box[3] / image.height
