"""Pictures are decoded as a browser shows them, and bad files are refused with a reason."""

from __future__ import annotations

import io
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageCms

from vernis.adapters.isolation import PictureDecoder
from vernis.adapters.pixels import Limits, decode, fit, probe, resize, thumbnail_jpeg
from vernis.domain.errors import UnreadableImage

ORIENTATIONS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}
"""How the stored picture lies for each EXIF orientation, from the upright one."""


def photo(width: int = 60, height: int = 40, seed: int = 0) -> Image.Image:
    """A smooth colourful picture without symmetry."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 255, (4, 5, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def close(a, b, tolerance: float = 6.0) -> bool:
    return a.shape == b.shape and np.abs(a.astype(float) - b.astype(float)).mean() < tolerance


@pytest.mark.parametrize("value", ORIENTATIONS)
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "avif"])
def test_orientation_is_applied_whatever_the_format(tmp_path, value, suffix):
    upright = np.asarray(photo())
    path = tmp_path / f"a.{suffix}"
    exif = Image.Exif()
    exif[0x0112] = value
    stored = Image.fromarray(np.ascontiguousarray(ORIENTATIONS[value](upright)))
    stored.save(path, exif=exif, quality=95)
    assert close(decode(path), upright)
    header = probe(path)
    assert (header.width, header.height) == (60, 40)


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [
        *(("RGB", s) for s in ("jpg", "png", "webp", "gif", "bmp", "tif", "avif", "jp2", "ppm")),
        *(("CMYK", s) for s in ("jpg", "tif")),
        *(("L", s) for s in ("jpg", "png", "tif")),
        *(("P", s) for s in ("png", "gif", "bmp")),
        *(("RGBA", s) for s in ("png", "webp", "tif", "ico")),
        *(("LA", s) for s in ("png",)),
        *(("YCbCr", s) for s in ("jpg", "tif")),
    ],
)
def test_every_mode_becomes_the_same_rgb(tmp_path, mode, suffix):
    original = photo(48, 48)
    path = tmp_path / f"a.{suffix}"
    stored = original.quantize(256) if mode == "P" else original.convert(mode)
    stored.save(path, **({"sizes": [(48, 48)]} if suffix == "ico" else {}))
    wanted = np.asarray(original.convert("L").convert("RGB") if mode in ("L", "LA") else original)
    decoded = decode(path)
    assert decoded.dtype == np.uint8
    assert close(decoded, wanted, 12.0)


def test_transparent_parts_lie_on_white(tmp_path):
    pixels = np.zeros((8, 8, 4), dtype=np.uint8)
    pixels[:, 4:] = (255, 0, 0, 255)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    decoded = decode(tmp_path / "a.png")
    assert (decoded[:, :4] == 255).all()
    assert (decoded[:, 4:] == (255, 0, 0)).all()
    palette = Image.fromarray(pixels[..., :3]).quantize(4)
    palette.save(tmp_path / "p.png", transparency=palette.getpixel((0, 0)))
    assert (decode(tmp_path / "p.png")[:, :4] == 255).all()


def test_sixteen_bits_become_eight(tmp_path):
    ramp = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    for name in ("a.png", "a.tif"):
        Image.fromarray(ramp).save(tmp_path / name)
        decoded = decode(tmp_path / name)
        assert decoded[0, 0, 0] == 0
        assert decoded[-1, -1, 0] == 255
        assert abs(int(decoded[8, 0, 0]) - 128) <= 1


@pytest.mark.parametrize("name", ["a.tif", "a.png"])
def test_twelve_bits_in_sixteen_are_not_black(tmp_path, name):
    ramp = np.linspace(0, 4000, 256).astype(np.uint16).reshape(16, 16)
    Image.fromarray(ramp).save(tmp_path / name)
    assert decode(tmp_path / name).max() > 240


def test_lab_is_converted_to_srgb(tmp_path):
    from PIL.ImageCms import createProfile

    lab = createProfile("LAB")
    original = photo()
    to_lab = ImageCms.buildTransform(createProfile("sRGB"), lab, "RGB", "LAB")
    in_lab = ImageCms.applyTransform(original, to_lab)
    assert in_lab is not None
    in_lab.save(tmp_path / "a.tif")
    assert close(decode(tmp_path / "a.tif"), np.asarray(original))


def matrix_profile(columns: tuple[tuple[float, float, float], ...], gamma: float) -> bytes:
    """An ICC profile (version 2, RGB display) of primaries in XYZ (D50) and a gamma."""

    def fixed(value: float) -> bytes:
        return struct.pack(">i", round(value * 65536))

    def xyz(values: tuple[float, ...]) -> bytes:
        return b"XYZ " + bytes(4) + b"".join(map(fixed, values))

    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    name = b"Swapped\0"
    description = b"desc" + bytes(4) + struct.pack(">I", len(name)) + name + bytes(79)
    tags = {
        b"desc": description + bytes(-len(description) % 4),
        b"wtpt": xyz((0.9642, 1.0, 0.8249)),
        **{
            key: xyz(value) for key, value in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)
        },
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve),
    }
    offset = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for key, data in tags.items():
        table += key + struct.pack(">II", offset + len(body), len(data))
        body += data
    header = struct.pack(">I", offset + len(body)) + b"lcms" + bytes((2, 0x10, 0, 0))
    header += b"mntrRGB XYZ " + bytes(12) + b"acsp" + bytes(28)
    header += b"".join(map(fixed, (0.9642, 1.0, 0.8249))) + bytes(48)
    return header + table + body


def test_picture_is_shown_as_its_profile_says(tmp_path):
    """The profile takes the first channel for blue and the last one for red."""
    red, green = (0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971)
    blue = (0.1431, 0.0606, 0.7141)
    profile = matrix_profile((blue, green, red), 2.2)
    swapped = np.ascontiguousarray(np.asarray(photo())[..., ::-1])
    for suffix in ("png", "jpg", "tif"):
        path = tmp_path / f"a.{suffix}"
        Image.fromarray(swapped).save(path, icc_profile=profile, quality=95)
        for _ in range(2):
            assert close(PictureDecoder()(path), np.asarray(photo()), 8.0)


def test_damaged_or_unfit_profile_is_ignored(tmp_path):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for number, profile in enumerate((b"no profile", srgb[:200], srgb)):
        path = tmp_path / f"{number}.png"
        photo().save(path, icc_profile=profile)
        assert np.array_equal(decode(path), np.asarray(photo()))
    photo().convert("CMYK").save(tmp_path / "c.jpg", icc_profile=srgb, quality=95)
    assert close(decode(tmp_path / "c.jpg"), np.asarray(photo()), 12.0)


def test_first_frame_and_first_page(tmp_path):
    first, second = Image.new("RGB", (20, 20), "red"), Image.new("RGB", (20, 20), "blue")
    for suffix in ("gif", "png", "webp", "tif"):
        path = tmp_path / f"a.{suffix}"
        first.save(path, save_all=True, append_images=[second])
        assert close(decode(path), np.asarray(first))
        assert probe(path).frames == 2


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_large_pictures_are_reduced_but_keep_the_shorter_side(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    photo(1500, 1100).save(path)
    assert decode(path).shape == (275, 375, 3)
    assert decode(path, min_side=600).shape == (1100, 1500, 3)
    assert decode(path, min_side=None).shape == (1100, 1500, 3)
    assert close(decode(path), resize(np.asarray(photo(1500, 1100)), (375, 275)))


def cut(path, share: float) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])


@pytest.mark.parametrize("share", [0.3, 0.7, 0.97])
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "gif", "tif", "bmp", "avif"])
def test_cut_off_files_are_reported(tmp_path, suffix, share):
    if share > 0.9 and suffix in ("jpg", "png"):
        pytest.skip("read, with a note")
    path = tmp_path / f"a.{suffix}"
    noise = np.random.default_rng(0).integers(0, 255, (90, 120, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    cut(path, share)
    with pytest.raises(UnreadableImage) as caught:
        decode(path)
    assert caught.value.reason
    assert str(path) not in caught.value.reason


@pytest.mark.parametrize("ending", [b"\xff\xd9", b"\xff\xd9" + bytes(200), bytes(2000)])
def test_jpeg_that_ends_in_grey_is_not_taken_for_a_picture(tmp_path, ending):
    path = tmp_path / "a.jpg"
    photo(400, 300).save(path, quality=95)
    cut(path, 0.5)
    path.write_bytes(path.read_bytes() + ending)
    with pytest.raises(UnreadableImage, match="cut off"):
        decode(path)


def test_sound_jpegs_with_suspicious_ends_are_read(tmp_path):
    path = tmp_path / "a.jpg"
    Image.new("RGB", (64, 64), (128, 128, 128)).save(path)
    assert (decode(path) == 128).all()
    path.write_bytes(path.read_bytes() + bytes(500))
    assert (decode(path) == 128).all()
    photo().save(path)
    path.write_bytes(path.read_bytes() + b"some trailing text")
    assert decode(path).shape == (40, 60, 3)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (bytes(100), "zero bytes"),
        (b"hello", "text, not a picture"),
        (b"BM", "not a picture, or its header is damaged"),
        (b"<!DOCTYPE html><html>404</html>", "text"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(range(64)), "JPEG XL.*djxl"),
        (b"\xff\x0a" + bytes(range(64)), "JPEG XL.*djxl"),
        (b"<?xml version='1.0'?><svg xmlns='x'></svg>", "SVG.*exported"),
        (b"%PDF-1.7 and so on", "PDF.*--inside pdf"),
        (b"just some words, no picture at all", "text"),
        (b"\x01\x02\x03\x04garbage\xff\xfe\xfd" * 9, "not a picture"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "cut off|not a picture|damaged"),
        (b"\x89PNG\r\n\x1a\n", "not a picture|damaged|cut off"),
    ],
)
def test_files_that_are_no_pictures_are_refused_with_a_reason(tmp_path, data, words):
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    for read in (probe, decode, PictureDecoder()):
        with pytest.raises(UnreadableImage, match=words):
            read(path)


def test_missing_files_and_folders_are_refused(tmp_path):
    with pytest.raises(UnreadableImage, match="gone"):
        decode(tmp_path / "no.jpg")
    with pytest.raises(UnreadableImage, match="folder"):
        decode(tmp_path)


def bomb(width: int, height: int) -> bytes:
    """A tiny PNG whose header promises a huge picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


def test_bombs_are_refused_by_their_header(tmp_path):
    path = tmp_path / "a.png"
    for width, height in ((60_000, 60_000), (14_000, 13_000)):
        path.write_bytes(bomb(width, height))
        for read in (probe, decode):
            with pytest.raises(UnreadableImage, match="limit"):
                read(path)
    riff = b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", 10)
    path.write_bytes(riff + bytes(4) + b"\xfe\x3f\x00" * 2)
    with pytest.raises(UnreadableImage, match="limit"):
        decode(path)


def test_limits_of_pixels_and_bytes(tmp_path):
    path = tmp_path / "a.png"
    photo(100, 100).save(path)
    with pytest.raises(UnreadableImage, match="100 x 100"):
        decode(path, limits=Limits(max_pixels=9_999))
    with pytest.raises(UnreadableImage, match="bytes"):
        decode(path, limits=Limits(max_file_bytes=50))


def test_heic_is_read_or_names_the_extra(tmp_path, monkeypatch):
    path = tmp_path / "a.heic"
    path.write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    monkeypatch.setattr("vernis.adapters.probe._heif_class", lambda: None)
    with pytest.raises(UnreadableImage, match=r"vernis\[heif\]"):
        decode(path)


@pytest.mark.heif
def test_heic_is_decoded_upright(tmp_path):
    heif = pytest.importorskip("pillow_heif")
    path = tmp_path / "a.heic"
    original = photo(96, 64)
    heif.from_pillow(original).save(path, quality=95)
    assert probe(path).format == "HEIF"
    assert close(PictureDecoder()(path), np.asarray(original))


# ------------------------------------------------------------------ the helper process


def test_helper_gives_the_same_pixels_and_the_same_reasons(tmp_path):
    decoder = PictureDecoder()
    path = tmp_path / "a.tif"
    photo(700, 600).save(path)
    assert np.array_equal(decoder(path), decode(path))
    cut(path, 0.5)
    with pytest.raises(UnreadableImage) as there:
        decoder(path)
    with pytest.raises(UnreadableImage) as here:
        decode(path)
    assert there.value.reason == here.value.reason
    decoder.close()


def test_names_that_are_not_utf8_reach_the_helper(tmp_path):
    name = b"caf\xe9 \n.tif".decode("utf-8", "surrogateescape")
    try:
        photo().save(tmp_path / name)
    except OSError:
        pytest.skip("this file system refuses names that are not UTF-8")
    assert PictureDecoder()(tmp_path / name).shape == (40, 60, 3)


def test_hanging_decoder_is_stopped_and_the_next_picture_is_read(tmp_path):
    Image.fromarray(
        np.random.default_rng(0).integers(0, 255, (4000, 4000, 3), dtype=np.uint8)
    ).save(tmp_path / "slow.tif", compression="tiff_lzw")
    photo().save(tmp_path / "quick.tif")
    decoder = PictureDecoder(limits=Limits(timeout_seconds=0.05))
    with pytest.raises(UnreadableImage, match="longer than"):
        decoder(tmp_path / "slow.tif")
    assert PictureDecoder()(tmp_path / "quick.tif").shape == (40, 60, 3)


@pytest.mark.skipif("sys.platform != 'linux'")
def test_memory_of_the_helper_is_bounded(tmp_path):
    Image.new("RGB", (5000, 5000)).save(tmp_path / "big.tif")
    photo().save(tmp_path / "small.tif")
    decoder = PictureDecoder(limits=Limits(max_memory_bytes=40_000_000))
    with pytest.raises(UnreadableImage, match="memory"):
        decoder(tmp_path / "big.tif")
    assert decoder(tmp_path / "small.tif").shape == (40, 60, 3)


def test_killed_helper_is_replaced(tmp_path):
    photo().save(tmp_path / "a.tif")
    decoder = PictureDecoder()
    decoder(tmp_path / "a.tif")
    helper = decoder._thread.helper
    helper._process.kill()
    helper._process.wait()
    assert decoder(tmp_path / "a.tif").shape == (40, 60, 3)


def test_interrupted_helper_never_gives_the_next_file_the_wrong_picture(tmp_path, monkeypatch):
    photo(seed=1).save(tmp_path / "a.tif")
    photo(seed=2).save(tmp_path / "b.tif")
    decoder = PictureDecoder()
    decoder(tmp_path / "a.tif")
    with monkeypatch.context() as patch:

        def interrupt(*_):
            raise KeyboardInterrupt

        patch.setattr("vernis.adapters.isolation.read_exactly", interrupt)
        with pytest.raises(KeyboardInterrupt):
            decoder(tmp_path / "a.tif")
    assert np.array_equal(decoder(tmp_path / "b.tif"), np.asarray(photo(seed=2)))


def test_jpegs_of_many_scans_and_large_pictures_go_to_the_helper(tmp_path, monkeypatch):
    path = tmp_path / "a.jpg"
    photo().save(path, progressive=True)
    decoder = PictureDecoder()
    plain = decoder(path)
    assert not hasattr(decoder._thread, "helper")
    monkeypatch.setattr("vernis.adapters.isolation.MAX_SCANS", 2)
    assert np.array_equal(decoder(path), plain)
    assert decoder._thread.helper.is_alive()
    photo().save(tmp_path / "b.png")
    large = PictureDecoder(limits=Limits(isolate_above_pixels=100))
    assert np.array_equal(large(tmp_path / "b.png"), np.asarray(photo()))
    assert large._thread.helper.is_alive()


def test_threads_share_a_decoder(tmp_path):
    paths = []
    for seed in range(12):
        paths.append(tmp_path / f"{seed}.{'tif' if seed % 2 else 'png'}")
        photo(seed=seed).save(paths[-1])
    decoder = PictureDecoder()
    with ThreadPoolExecutor(3) as pool:
        for seed, pixels in enumerate(pool.map(decoder, paths)):
            assert np.array_equal(pixels, np.asarray(photo(seed=seed)))


# ------------------------------------------------------------------ resizing


def test_fit_keeps_the_whole_picture_and_its_proportions():
    pixels = np.asarray(photo(60, 40))
    fitted = fit(pixels, (90, 90), fill=(255, 255, 255))
    assert fitted.shape == (90, 90, 3)
    assert (fitted[:15] == 255).all()
    assert (fitted[-15:] == 255).all()
    assert close(fitted[15:75], resize(pixels, (90, 60)))
    edged = fit(pixels, (90, 90))
    assert np.array_equal(edged[0], edged[15])


@pytest.mark.parametrize("size", [(1, 3000), (3000, 1), (1, 1)])
def test_extreme_proportions_survive(size):
    pixels = np.full((size[1], size[0], 3), 7, dtype=np.uint8)
    assert (fit(pixels, (224, 224)) == 7).all()
    with Image.open(io.BytesIO(thumbnail_jpeg(pixels))) as small:
        assert max(small.size) <= 256


def test_thumbnail_never_enlarges():
    with Image.open(io.BytesIO(thumbnail_jpeg(np.asarray(photo(60, 40))))) as small:
        assert small.size == (60, 40)
    with Image.open(io.BytesIO(thumbnail_jpeg(np.asarray(photo(800, 400)), 100))) as small:
        assert small.size == (100, 50)
