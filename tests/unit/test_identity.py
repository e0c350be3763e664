"""Two files are the same picture only in all that they hold."""

import io

import numpy as np
import pytest
from PIL import Image

from vernis.adapters.isolation import PictureDecoder


def photo(seed: int = 0, size: tuple[int, int] = (60, 40)) -> Image.Image:
    """Return a noisy picture."""
    return Image.fromarray(
        np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3)).astype("uint8")
    )


@pytest.fixture
def digest(tmp_path):
    """Return what saves a picture and digests the file; or digests bytes."""
    count = iter(range(1000))
    decoder = PictureDecoder(min_side=None)

    def save(picture, suffix: str = "png", **more) -> str:
        path = tmp_path / f"{next(count)}.{suffix}"
        if isinstance(picture, bytes):
            path.write_bytes(picture)
        else:
            picture.save(path, **more)
        return decoder.digest(path)

    yield save
    decoder.close()


def test_formats_that_lose_nothing_hold_the_same_picture(digest):
    expected = digest(photo())
    assert digest(photo(), "webp", lossless=True) == expected
    for suffix in ("bmp", "tif", "ppm", "tga"):
        assert digest(photo(), suffix) == expected
    opaque = photo()
    opaque.putalpha(255)
    assert digest(opaque) == expected
    assert digest(photo().quantize(16)) == digest(photo().quantize(16).convert("RGB"))
    assert digest(photo(1)) != expected


def test_orientation_counts_as_it_is_shown(digest):
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = photo().transpose(Image.Transpose.ROTATE_90)
    assert digest(turned, "tif", exif=exif) == digest(turned.transpose(Image.Transpose.ROTATE_270))


def test_what_transparency_alone_shows_counts(digest):
    alpha = Image.new("L", (60, 40), 0)
    alpha.paste(255, (10, 10, 30, 30))
    left, right = Image.new("RGB", (60, 40), "white"), Image.new("RGB", (60, 40), "white")
    left.putalpha(alpha)
    right.putalpha(alpha.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    assert digest(left) != digest(right)
    assert digest(left) != digest(Image.new("RGB", (60, 40), "white"))
    assert digest(left) == digest(left, "tif")


@pytest.mark.parametrize(
    ("suffix", "more"),
    [("tif", {}), ("gif", {"duration": 200}), ("webp", {"duration": 200, "lossless": True})],
)
def test_later_frames_and_pages_count(digest, suffix, more):
    def film(*seeds):
        frames = [photo(seed).quantize(8).convert("RGB") for seed in seeds]
        return digest(frames[0], suffix, save_all=True, append_images=frames[1:], **more)

    assert film(0, 1, 2) == film(0, 1, 2)
    assert len({film(0, 1, 2), film(0, 1, 3), film(0, 1), film(0, 2, 1)}) == 4


def deep_png(values: np.ndarray) -> bytes:
    """Return a PNG of 16 bits a channel, shape (height, width, 3)."""
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    height, width, _ = values.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def test_what_lies_below_8_bits_counts(digest):
    values = np.random.default_rng(0).integers(0, 65536, (40, 60, 3))
    changed = values ^ 1
    assert digest(deep_png(values)) == digest(deep_png(values) + b"tail")
    assert digest(deep_png(values)) != digest(deep_png(changed))
    assert digest(deep_png(values)) != digest(Image.fromarray((values >> 8).astype("uint8")))
    grey, other = (Image.fromarray(v[..., 0].astype("uint16")) for v in (values, changed))
    assert digest(grey) == digest(grey, "tif")
    assert digest(grey) != digest(other)


def test_what_cannot_be_compared_is_the_same_as_its_own_bytes_alone(digest, tmp_path):
    stream = io.BytesIO()
    photo(size=(64, 64)).save(stream, "ICO", sizes=[(16, 16), (64, 64)])
    assert digest(stream.getvalue(), "ico") == digest(stream.getvalue(), "ico")
    assert digest(stream.getvalue(), "ico") != digest(stream.getvalue() + b"x", "ico")


@pytest.mark.parametrize("seed", [0, 1])
def test_a_white_picture_on_nothing_can_be_seen(tmp_path, seed):
    picture = Image.new("RGB", (300, 300), "white")
    alpha = Image.new("L", (300, 300), 0)
    alpha.paste(255, (40 + 90 * seed, 60, 140 + 90 * seed, 200))
    picture.putalpha(alpha)
    picture.save(tmp_path / "a.png")
    pixels = PictureDecoder()(tmp_path / "a.png")
    assert pixels.std() > 40
    dark = Image.new("RGB", (300, 300), (30, 20, 90))
    dark.putalpha(alpha)
    dark.save(tmp_path / "b.png")
    assert (PictureDecoder()(tmp_path / "b.png")[0, 0] == 255).all()
