"""Decode a JPEG and tell from the same pass whether its data add up to the picture.

libjpeg goes on after nearly any damage and only counts a warning, which Pillow does not hand out.
But the data of a sound JPEG end exactly where its picture is complete: the bits after the last
block of each stretch (a scan, or the part of one between two restart markers) are padding of less
than a byte. So the decoder is fed up to shortly before the end of a stretch, then in small steps,
and then zero bytes that stand for the few bytes by which it reads ahead. One that is done before
the end has skipped data; one that is not done behind it lacks data. Damage that by chance costs as
many bits as the blocks that it replaces is not seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from vernis.domain.damage import SOUND, Damage

MOST_LOST = 0.1
"""Share of its rows that a picture may lack at its end and still be read."""

_AHEAD = 8  # bytes by which libjpeg reads ahead at most (a register of 64 bits)
_STEPS = (-16, -12, -8, -4, -2, 0, _AHEAD, _AHEAD + 1)
"""Where the decoder is stopped around the end of a stretch, in bytes from there."""
_BEFORE = -2  # the last byte of a stretch holds bits of its last block
_IN_A_ROW = 4  # of the steps up to there; by chance a decoder may take all in one of them
_MOST_STRETCHES = 512  # of more, evenly many are looked at: each costs some 20 microseconds
_MOST_BYTES = 2**28  # larger files are decoded as they come from the disk
_END = b"\xff\xd9"
_SOI, _EOI, _SOS, _TEM = 0xD8, 0xD9, 0xDA, 0x01
_RST0, _RST7 = 0xD0, 0xD7
_NO_MARKERS = (0, 0xFF)
_HUFFMAN_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
_PROGRESSIVE = 0xC2
_NO_FRAMES = frozenset({0xC4, 0xC8, 0xCC})
_BETWEEN_SCANS = frozenset({_EOI, _SOS, 0xC4, 0xDB, 0xDC, 0xDD, 0xFE, *range(0xE0, 0xF0)})
_GREY = 128


class PartMissing(Exception):
    """More than ``MOST_LOST`` of the picture is missing."""


class _Decoder(Protocol):
    """A codec of Pillow."""

    def decode(self, data: memoryview) -> tuple[int, int]: ...


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the entropy-coded data of a JPEG lie.

    Attributes
    ----------
    stretches : list of (int, int)
        First byte, and the byte after the last, of each.
    scans : list of bytes
        The parameters of each scan, as its header holds them.
    frame : int
        Marker of the frame, 0 when there is none.
    has_end : bool
        Whether the end marker was found.
    in_order : bool
        No marker stands where none belongs, and the restart markers count up.
    """

    stretches: list[tuple[int, int]]
    scans: list[bytes]
    frame: int
    has_end: bool
    in_order: bool


def load_jpeg(image: JpegImageFile) -> Damage:
    """Load the first picture of an opened JPEG, reduced where ``draft`` asked for it.

    Returns
    -------
    Damage
        ``cut_off`` and ``garbled`` pictures are loaded as far as their data reach. A file that
        lacks its end marker alone is sound.

    Raises
    ------
    PartMissing
        More than ``MOST_LOST`` of its rows, or of a progressive picture the first rendering of
        some frequencies, are missing.
    OSError
        The data are damaged so that libjpeg gives up.
    """
    stream = image.fp
    if stream is None or len(image.tile) != 1 or image.tile[0].offset != 0:
        image.load()
        return SOUND
    stream.seek(0)
    data = stream.read(_MOST_BYTES)
    layout = _find_layout(data)
    if not layout.has_end and data.endswith(bytes(2)):
        # Interrupted copies leave zero bytes, which would be taken for data.
        data = data.rstrip(b"\0")
        layout = _find_layout(data)
    if len(data) == _MOST_BYTES or layout.frame not in _HUFFMAN_FRAMES or not layout.stretches:
        stream.seek(0)
        image.load()
        return SOUND
    is_complete = _decode(image, data, layout)
    if is_complete and layout.in_order:
        return SOUND
    lost = _share_lost(image)
    if lost > MOST_LOST or (not layout.has_end and not _is_drawn(layout, image)):
        raise PartMissing
    return Damage("garbled" if layout.has_end else "cut_off", lost)


def _find_layout(data: bytes) -> _Layout:
    """Walk over the segments and the entropy-coded data up to the end marker."""
    values = np.frombuffer(data, dtype=np.uint8)
    places = np.flatnonzero(values[:-1] == 0xFF)
    kinds = values[places + 1]
    are_markers = (kinds != 0) & (kinds != 0xFF)
    places, kinds = places[are_markers], kinds[are_markers]
    found = _Layout([], [], 0, False, True)
    frame, in_order, at = 0, True, 2
    while True:
        if at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] not in _NO_MARKERS:
            place, kind = at, data[at + 1]  # as a rule one segment follows the other at once
        else:
            row = int(places.searchsorted(at))
            if row == len(places) or places[row] + 4 > len(data):
                has_end = row < len(places) and kinds[row] == _EOI
                return _Layout(found.stretches, found.scans, frame, bool(has_end), in_order)
            place, kind = int(places[row]), int(kinds[row])
        if kind == _EOI:
            return _Layout(found.stretches, found.scans, frame, True, in_order)
        if kind == _TEM or _RST0 <= kind <= _SOI:
            at = place + 2
            continue
        at = place + 2 + int.from_bytes(data[place + 2 : place + 4], "big")
        if at > len(data):  # cut within a header
            return _Layout(found.stretches, found.scans, frame, False, in_order)
        if 0xC0 <= kind <= 0xCF and kind not in _NO_FRAMES:
            frame = kind
        if kind != _SOS:
            continue
        found.scans.append(data[place + 4 : at])
        row = int(places.searchsorted(at))
        end = row + int(np.argmin(_are_restarts(kinds[row:])))
        stops = [*places[row:end].tolist(), int(places[end]) if end < len(places) else len(data)]
        starts = [at, *(place + 2 for place in stops[:-1])]
        found.stretches.extend(zip(starts, stops, strict=True))
        counted = (kinds[row:end] - _RST0 - np.arange(end - row)) % 8 == 0
        ends_well = end == len(places) or int(kinds[end]) in _BETWEEN_SCANS
        in_order = in_order and bool(counted.all()) and ends_well
        at = stops[-1]


def _are_restarts(kinds: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which markers are restart markers, with one more that is none."""
    return np.append((kinds >= _RST0) & (kinds <= _RST7), False)


def _decode(image: JpegImageFile, data: bytes, layout: _Layout) -> bool:
    """Load the picture; return whether every stretch ended where its data end."""
    _, extents, _, args = image.tile[0]
    image.load_prepare()
    # What an image file does when it loads itself, but for the steps.
    decoder: Any = Image._getdecoder(image.mode, "jpeg", args, image.decoderconfig)
    decoder.setimage(image.im, extents)
    try:
        is_complete = _feed(decoder, data, layout)
    finally:
        decoder.cleanup()
    image.tile = []
    image.load_end()
    return is_complete


def _feed(decoder: _Decoder, data: bytes, layout: _Layout) -> bool:
    padded, ends = _with_padding(data, layout)
    taken, is_complete = 0, True
    for number, (start, end) in enumerate(ends, 1):
        skipped = 0
        for step in _STEPS:
            upto = end + step
            if upto <= start:
                continue
            count, error = decoder.decode(padded[taken:upto])
            if count < 0:  # done with the picture, or with its patience
                if error < 0:
                    raise OSError("broken data stream")
                return is_complete and number == len(ends) and step >= 0
            taken += count
            # A decoder that is done with a stretch skips what follows, so it takes all it gets.
            skipped = skipped + 1 if taken == upto else 0
            if step == _BEFORE:
                is_complete = is_complete and skipped < _IN_A_ROW
        is_complete = is_complete and skipped > 1
    count, error = decoder.decode(padded[taken:])
    if count >= 0 or error < 0:
        raise OSError("broken data stream")
    return is_complete and (layout.frame == _PROGRESSIVE or len(layout.scans) > 1)


def _with_padding(data: bytes, layout: _Layout) -> tuple[memoryview, list[tuple[int, int]]]:
    """Put zero bytes behind each stretch that is looked at; return where those lie now."""
    every = -(-len(layout.stretches) // _MOST_STRETCHES)
    chosen = layout.stretches[::-1][::every][::-1]  # the last is among them
    parts: list[bytes | memoryview] = []
    ends: list[tuple[int, int]] = []
    length = last = 0
    view = memoryview(data)
    for start, end in chosen:
        stop = end
        while stop > start and data[stop - 1] == 0xFF:  # fill bytes belong to the marker
            stop -= 1
        parts += [view[last:stop], bytes(_AHEAD + 1)]
        length += stop - last
        ends.append((max(length - (stop - start), 0), length))
        length += _AHEAD + 1
        last = stop
    # Of a file that is cut between two scans a part of a header may be left.
    parts.append(view[last:] if layout.has_end else _END)
    return memoryview(b"".join(parts)), ends


def _share_lost(image: JpegImageFile) -> float:
    """Return the share of the rows, at the end, in which libjpeg painted grey for want of data."""
    rows = np.asarray(image)
    if image.mode not in ("L", "RGB"):
        last = rows[-1, -1]
    else:
        last = np.full_like(rows[-1, -1], _GREY)
    grey = (rows == last).reshape(len(rows), -1).all(axis=1)[::-1]
    return float((len(rows) if grey.all() else int(np.argmin(grey))) / len(rows))


def _is_drawn(layout: _Layout, image: JpegImageFile) -> bool:
    """Tell whether a file that is cut off holds the whole picture, be it coarsely.

    One scan is drawn as far as it reaches. Of several, those before the last must hold every
    frequency of every component: what is missing then are the finest details.
    """
    if len(layout.scans) == 1 and layout.frame != _PROGRESSIVE:
        return True
    drawn: dict[int, set[int]] = {}
    for scan in layout.scans[:-1]:
        count = scan[0]
        if len(scan) < 4 + 2 * count:
            return False
        first, last = scan[1 + 2 * count], scan[2 + 2 * count]
        for component in scan[1 : 1 + 2 * count : 2]:
            drawn.setdefault(component, set()).update(range(first, last + 1))
    return len(drawn) == image.layers and all(len(known) == 64 for known in drawn.values())
