"""Files that are damaged a little: read, and said; sound ones: read, and nothing said."""

import io

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from vernis.adapters import jpeg
from vernis.adapters.isolation import PictureDecoder
from vernis.adapters.pixels import decode
from vernis.domain.damage import DAMAGE_KINDS, DAMAGE_SPACE, SOUND, Damage
from vernis.domain.errors import InvalidValue, UnreadableImage


def photo(seed: int = 0, size: tuple[int, int] = (640, 480)) -> Image.Image:
    """Return a smooth picture with some noise."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 255, (9, 12, 3)).astype("uint8"))
    pixels = np.asarray(small.resize(size, Image.Resampling.BICUBIC), dtype=np.float32)
    return Image.fromarray(np.clip(pixels + rng.normal(0, 4, pixels.shape), 0, 255).astype("uint8"))


def encoded(picture: Image.Image, suffix: str = "JPEG", **more) -> bytes:
    """Return a picture as a file."""
    stream = io.BytesIO()
    picture.save(stream, suffix, **more)
    return stream.getvalue()


def examined(tmp_path, data: bytes, name: str = "a.jpg"):
    """Decode a file and return what was found."""
    path = tmp_path / name
    path.write_bytes(data)
    return PictureDecoder().examine(path)


HOW = [
    {},
    {"quality": 95, "subsampling": 0},
    {"progressive": True},
    {"optimize": True},
    {"restart_marker_rows": 1},
    {"restart_marker_blocks": 1},
    {"restart_marker_rows": 2, "progressive": True},
]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("size", [(640, 480), (17, 9), (8, 8), (1200, 1100)])
def test_sound_jpegs_are_sound_and_look_as_pillow_decodes_them(tmp_path, how, mode, size):
    for seed in range(3):
        data = encoded(photo(seed, size).convert(mode), **how)
        assert examined(tmp_path, data).damage == SOUND
        image = Image.open(io.BytesIO(data))
        expected = np.asarray(Image.open(io.BytesIO(data)))
        assert jpeg.load_jpeg(image) == SOUND
        assert np.array_equal(np.asarray(image), expected)


@pytest.mark.parametrize("color", ["white", "black", (128, 128, 128), (10, 200, 90)])
def test_flat_jpegs_are_sound(tmp_path, color):
    for how in HOW:
        data = encoded(Image.new("RGB", (300, 200), color), **how)
        assert examined(tmp_path, data).damage == SOUND


@pytest.mark.parametrize("size", [(300, 200), (2000, 1500)])
def test_a_jpeg_without_its_end_marker_is_sound(tmp_path, size):
    for how in HOW:
        data = encoded(photo(1, size), **how)
        whole, short = examined(tmp_path, data), examined(tmp_path, data[:-2])
        assert short.damage == SOUND
        assert np.array_equal(whole.pixels, short.pixels)


def test_what_follows_the_picture_is_no_damage(tmp_path):
    data = encoded(photo())
    for tail in (bytes(5000), b"trailing text", data):
        assert examined(tmp_path, data + tail).damage == SOUND


@pytest.mark.parametrize("share", [0.91, 0.95, 0.99])
def test_a_jpeg_cut_by_less_than_a_tenth_is_read_and_said(tmp_path, share):
    data = encoded(photo(2), quality=90)
    whole, found = examined(tmp_path, data), examined(tmp_path, data[: int(len(data) * share)])
    assert found.damage.kind == "cut_off"
    assert abs(found.damage.lost - (1 - share)) < 0.035  # rows of blocks are lost as one
    rows = int((1 - found.damage.lost) * 480) - 16
    assert np.array_equal(found.pixels[: rows // 2], whole.pixels[: rows // 2])


@pytest.mark.parametrize("tail", [b"", b"\xff\xd9", bytes(3000), b"\xff\xd9" + bytes(90)])
def test_a_jpeg_cut_in_the_middle_is_refused(tmp_path, tail):
    data = encoded(photo(3))
    with pytest.raises(UnreadableImage, match="cut off"):
        examined(tmp_path, data[: len(data) // 2] + tail)


def test_a_progressive_jpeg_that_lacks_its_last_details_is_read(tmp_path):
    data = encoded(photo(4), progressive=True)
    found = examined(tmp_path, data[: int(len(data) * 0.93)])
    assert found.damage.kind == "cut_off"
    whole = examined(tmp_path, data).pixels.astype(int)
    assert np.abs(found.pixels - whole).mean() < 4
    with pytest.raises(UnreadableImage, match="cut off"):
        examined(tmp_path, data[: int(len(data) * 0.2)])


def test_a_progressive_jpeg_may_be_cut_anywhere_behind_its_drawing(tmp_path):
    data = encoded(photo(4, (64, 48)), progressive=True)
    last_scan = data.rindex(b"\xff\xda")
    assert last_scan < 0.9 * len(data)
    assert examined(tmp_path, data[:-2]).damage == SOUND
    for end in range(last_scan + 30, len(data) - 12):
        assert examined(tmp_path, data[:end]).damage.kind == "cut_off"
    with pytest.raises(UnreadableImage, match="cut off"):
        examined(tmp_path, data[: data.index(b"\xff\xda") + 40])


def test_most_overwritten_jpegs_are_said_to_be_garbled(tmp_path):
    rng = np.random.default_rng(7)
    found = 0
    for seed in range(40):
        data = bytearray(encoded(photo(seed), **HOW[seed % 4]))
        start = int(rng.integers(1000, len(data) - 300))
        data[start : start + 200] = rng.integers(0, 255, 200).astype("uint8").tobytes()
        try:
            found += examined(tmp_path, bytes(data)).damage.kind == "garbled"
        except UnreadableImage:
            found += 1
    assert found >= 24


def test_a_restart_marker_out_of_turn_is_damage(tmp_path):
    data = bytearray(encoded(photo(5), restart_marker_rows=1))
    place = data.index(b"\xff\xd3")
    data[place + 1] = 0xD5
    assert examined(tmp_path, bytes(data)).damage.kind == "garbled"


def test_a_long_text_does_not_cost_a_png(tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add_text("workflow", "{node: 1} " * 300_000, zip=True)
    info.add_text("short", "kept")
    data = encoded(photo(6), "PNG", pnginfo=info)
    found = examined(tmp_path, data, "a.png")
    assert found.damage == SOUND
    assert np.array_equal(
        found.pixels, examined(tmp_path, encoded(photo(6), "PNG"), "b.png").pixels
    )


def test_a_png_with_a_wrong_checksum_is_read_and_said(tmp_path):
    data = bytearray(encoded(photo(7), "PNG"))
    place = data.rindex(b"IDAT")
    length = int.from_bytes(data[place - 4 : place], "big")
    data[place + 4 + length] ^= 1
    assert examined(tmp_path, bytes(data), "a.png").damage == Damage("checksum")


def test_a_png_cut_by_less_than_a_tenth_is_read_and_said(tmp_path):
    data = encoded(photo(8), "PNG")
    found = examined(tmp_path, data[: int(len(data) * 0.95)], "a.png")
    assert found.damage.kind == "cut_off"
    assert 0 < found.damage.lost <= 0.1
    with pytest.raises(UnreadableImage, match="cut off"):
        examined(tmp_path, data[: int(len(data) * 0.8)], "a.png")


@pytest.mark.parametrize("suffix", ["bmp", "tif", "ppm"])
@pytest.mark.parametrize("share", [0.6, 0.85, 0.95])
def test_zero_bytes_at_the_end_of_a_raw_picture_are_damage(tmp_path, suffix, share):
    data = encoded(photo(10), {"tif": "TIFF"}.get(suffix, suffix.upper()))
    start = int(len(data) * share) + 500
    spoilt = data[:start] + bytes(len(data) - start)
    found = examined(tmp_path, spoilt, f"a.{suffix}")
    assert found.damage.kind == "blank_end"
    assert abs(found.damage.lost - (1 - share)) < 0.02
    assert examined(tmp_path, data, f"b.{suffix}").damage == SOUND


@pytest.mark.parametrize(
    ("suffix", "more"), [("WEBP", {}), ("WEBP", {"lossless": True}), ("AVIF", {})]
)
def test_a_hole_of_zero_bytes_is_damage(tmp_path, suffix, more):
    data = encoded(photo(14), suffix, quality=90, **more)
    hole = len(data) // 2
    spoilt = data[:hole] + bytes(600) + data[hole + 600 :]
    try:
        assert examined(tmp_path, spoilt, "a.img").damage.kind == "garbled"
    except UnreadableImage:  # its decoder may notice
        assert suffix == "AVIF"
    assert examined(tmp_path, data, "b.img").damage == SOUND
    for color in ("white", "black"):
        flat = encoded(Image.new("RGB", (1500, 1000), color), suffix, **more)
        assert examined(tmp_path, flat, "c.img").damage == SOUND


def test_bars_and_dark_grounds_are_no_damage(tmp_path):
    picture = photo(11)
    picture.paste("black", (0, 400, 640, 480))
    assert examined(tmp_path, encoded(picture, "BMP"), "a.bmp").damage == SOUND
    ground = Image.new("RGB", (640, 480))
    ground.paste(photo(12, (300, 250)), (170, 90))
    ground.paste(photo(13, (90, 11)), (0, 340))
    assert examined(tmp_path, encoded(ground, "BMP"), "b.bmp").damage == SOUND
    assert examined(tmp_path, encoded(Image.new("RGB", (64, 64)), "BMP"), "c.bmp").damage == SOUND


def test_the_helper_process_tells_the_damage_too(tmp_path):
    path = tmp_path / "a.jpg"
    data = encoded(photo(9))
    path.write_bytes(data[: int(len(data) * 0.95)])
    decoder = PictureDecoder()
    helper = decoder._find_helper()
    here = decoder.examine(path)
    there = helper.decode(path)
    decoder.close()
    assert there.damage == here.damage
    assert np.array_equal(there.pixels, here.pixels)
    assert np.array_equal(decode(path), here.pixels)


def test_a_damage_is_a_vector_of_its_space():
    assert Damage("garbled", 0.25).as_vector().tolist() == [DAMAGE_KINDS.index("garbled"), 0.25]
    assert len(SOUND.as_vector()) == DAMAGE_SPACE.dim
    with pytest.raises(InvalidValue):
        Damage("burnt")
    with pytest.raises(InvalidValue):
        Damage("cut_off", 1.5)
