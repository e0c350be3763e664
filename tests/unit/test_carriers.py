"""A packet is found and set in JPEG, PNG and WebP; all other bytes stay, damage is refused."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vernis.adapters.interchange.metadata.carriers import (
    Unfit,
    apply_splices,
    find_slot,
    inverse_splices,
    rest_of,
    set_packet,
)

PACKET = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
XMP = b"http://ns.adobe.com/xap/1.0/\0"


def saved(format: str, mode: str = "RGB", **how) -> bytes:
    out = io.BytesIO()
    picture = Image.effect_noise((40, 30), 60).convert(mode)
    if "A" in mode:
        picture.putalpha(Image.effect_noise((40, 30), 60))
    picture.save(out, format, **how)
    return out.getvalue()


def frames(format: str) -> bytes:
    others = [Image.effect_noise((40, 30), 60).convert("RGB") for _ in range(2)]
    return saved(format, save_all=True, append_images=others)


FILES = {
    "jpeg": saved("JPEG"),
    "progressive": saved("JPEG", progressive=True),
    "jpeg with exif": saved("JPEG", exif=Image.Exif().tobytes()),
    "jpeg with xmp": saved("JPEG", xmp=b"<a/>"),
    "png": saved("PNG"),
    "palette": saved("PNG", "P"),
    "moving png": frames("PNG"),
    "lossy webp": saved("WEBP"),
    "lossless webp": saved("WEBP", lossless=True),
    "clear webp": saved("WEBP", "RGBA"),
    "clear lossless webp": saved("WEBP", "RGBA", lossless=True),
    "webp with xmp": saved("WEBP", xmp=b"<a/>"),
    "webp with exif": saved("WEBP", exif=Image.Exif().tobytes()),
    "moving webp": frames("WEBP"),
    "trailer": saved("JPEG") + b"Samsung trailer" * 9,
}


def put(data: bytes, packet: bytes | None) -> bytes:
    return apply_splices(data, set_packet(data, find_slot(data), packet))


def rest(data: bytes) -> bytes:
    return b"".join(rest_of(data, find_slot(data)))


def picture_of(data: bytes) -> tuple[object, ...]:
    with Image.open(io.BytesIO(data)) as image:
        found = []
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            found.append((image.mode, image.size, image.tobytes()))
        return tuple(found)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("packet", [PACKET, PACKET + b" "])
def test_a_packet_is_set_and_nothing_else_changes(name, packet):
    old = FILES[name]
    new = put(old, packet)
    assert find_slot(new).packet == packet
    assert rest(new) == rest(old)
    assert picture_of(new) == picture_of(old)
    with Image.open(io.BytesIO(new)) as image:
        image.load()
        assert image.info["xmp"] == packet
    back = inverse_splices(old, set_packet(old, find_slot(old), packet))
    assert apply_splices(new, back) == old
    assert picture_of(put(new, None)) == picture_of(old)
    assert find_slot(put(new, None)).packet is None
    if "webp" not in name and "xmp" not in name:
        assert put(new, None) == old


def test_the_size_in_front_of_a_webp_is_that_of_the_file():
    new = put(FILES["lossy webp"], PACKET)
    assert int.from_bytes(new[4:8], "little") == len(new) - 8
    assert new[12:16] == b"VP8X"
    assert new[20] == 0x04


def test_a_packet_stands_behind_the_exif_segment():
    new = put(FILES["jpeg with exif"], PACKET)
    assert 0 < new.find(b"Exif\0") < new.find(XMP)


def jpeg_with(*segments: tuple[int, bytes], trailer: bytes = b"") -> bytes:
    made = b"".join(
        struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body for marker, body in segments
    )
    plain = saved("JPEG")
    return plain[:2] + made + plain[2:] + trailer


def index_of(pictures: int) -> bytes:
    """Return a multi-picture index that counts pictures."""
    return b"MPF\0II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 0xB001, 4, 1, pictures) + b"\0" * 4


def test_segments_may_be_filled_up():
    plain = saved("JPEG")
    filled = plain[:2] + b"\xff\xff\xff" + plain[2:]
    assert rest(put(filled, PACKET)) == filled


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"GIF89a" + b"\0" * 40, "format"),
        (b"", "format"),
        (jpeg_with((0xE1, b"http://ns.adobe.com/xmp/extension/\0" + b"x" * 40)), "extended XMP"),
        (jpeg_with((0xE1, XMP + b"<a/>"), (0xE1, XMP + b"<b/>")), "unusable XMP"),
        (saved("JPEG")[:200], "damaged"),
        (saved("JPEG")[:20] + b"\0\0" + saved("JPEG")[20:], "damaged"),
        (saved("PNG")[:-12], "damaged"),
        (saved("PNG")[:60], "damaged"),
        (b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 0) + b"IEND\xae\x42\x60\x82", "damaged"),
        (saved("WEBP")[:-9], "damaged"),
        (b"RIFF\x04\0\0\0WEBP", "damaged"),
    ],
)
def test_what_cannot_be_written_is_refused_by_kind(data, kind):
    with pytest.raises(Unfit) as refused:
        put(data, PACKET)
    assert refused.value.kind == kind


@pytest.mark.parametrize(
    "data",
    [
        jpeg_with((0xE2, index_of(2)), trailer=saved("JPEG")),
        jpeg_with((0xE2, b"MPF\0nonsense")),
        jpeg_with(trailer=b"padding" + saved("JPEG")),
        saved("JPEG") + b"AXS!\0\0\0\0\0\0\0\0",
    ],
    ids=["index", "unreadable index", "hidden preview", "AFCP"],
)
def test_nothing_moves_in_a_file_with_several_pictures(data):
    with pytest.raises(Unfit) as refused:
        put(data, PACKET)
    assert refused.value.kind == "multi-picture"
    padded = data[:2] + b"\xff\xe1" + struct.pack(">H", len(XMP) + 52) + XMP + b"y" * 50 + data[2:]
    slot = find_slot(padded)
    same = apply_splices(padded, set_packet(padded, slot, b"x" * 50))
    assert len(same) == len(padded)
    assert rest(same) == rest(padded)


def test_an_index_of_one_picture_moves():
    data = jpeg_with((0xE2, index_of(1)))
    assert rest(put(data, PACKET)) == data


def test_a_packet_that_is_too_large_for_jpeg_is_refused():
    most = 0xFFFF - 2 - len(XMP)
    assert find_slot(put(saved("JPEG"), b"x" * most)).packet == b"x" * most
    with pytest.raises(Unfit) as refused:
        put(saved("JPEG"), b"x" * (most + 1))
    assert refused.value.kind == "too large"
    assert find_slot(put(saved("PNG"), b"x" * 70_000)).packet == b"x" * 70_000


def png_with(kind: bytes, body: bytes, check: int | None = None) -> bytes:
    plain = saved("PNG")
    crc = zlib.crc32(kind + body) if check is None else check
    chunk = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)
    return plain[:33] + chunk + plain[33:]


def test_compressed_packets_of_png_are_read():
    packed = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(PACKET)
    assert find_slot(png_with(b"iTXt", packed)).packet == PACKET
    for data in (
        png_with(b"iTXt", packed[:-8]),
        png_with(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0xxxx"),
        png_with(b"iTXt", packed, check=1),
        png_with(b"zTXt", b"Raw profile type xmp\0\0xx"),
    ):
        with pytest.raises(Unfit):
            find_slot(data)


def test_a_packet_that_unpacks_without_end_is_refused():
    bomb = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b"\0" * (1 << 25))
    with pytest.raises(Unfit, match="larger"):
        find_slot(png_with(b"iTXt", bomb))


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(sorted(FILES)),
    st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), min_size=1, max_size=6),
)
def test_damaged_files_are_refused_or_keep_all_other_bytes(name, damage):
    data = bytearray(FILES[name])
    for at, byte in damage:
        data[at % len(data)] = byte
    old = bytes(data)
    try:
        slot = find_slot(old)
        new = apply_splices(old, set_packet(old, slot, PACKET))
    except Unfit:
        return
    back = inverse_splices(old, set_packet(old, slot, PACKET))
    assert apply_splices(new, back) == old
    assert PACKET in new
