"""Copies, spoilt pictures and files that are no pictures, as an old archive holds them."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from vernis.adapters.demo.canvas import centre, fit, lettering

ORIENTATION_TAG = 0x0112
TURNS = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}


def encode(picture: Image.Image, suffix: str, quality: int = 90) -> bytes:
    """Return the bytes of an image file; ``suffix`` is jpg, png, webp, gif, tiff or bmp."""
    buffer = io.BytesIO()
    if suffix == "jpg":
        picture.save(buffer, "JPEG", quality=quality, subsampling=2 if quality < 90 else 0)
    elif suffix == "webp":
        picture.save(buffer, "WEBP", quality=quality, method=2)
    elif suffix == "gif":
        picture.quantize(128, Image.Quantize.FASTOCTREE).save(buffer, "GIF")
    elif suffix == "png":
        picture.save(buffer, "PNG", compress_level=3)
    elif suffix == "tiff":
        picture.save(buffer, "TIFF", compression="tiff_lzw")
    else:
        picture.save(buffer, "BMP")
    return buffer.getvalue()


def encode_turned(picture: Image.Image, orientation: int) -> bytes:
    """Return a JPEG whose pixels lie on the side and whose EXIF tag says how to turn them."""
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = orientation
    buffer = io.BytesIO()
    picture.transpose(TURNS[orientation]).save(buffer, "JPEG", quality=90, exif=exif)
    return buffer.getvalue()


def decode(data: bytes) -> Image.Image:
    """Return the picture in a file's bytes, turned as its EXIF tag says."""
    with Image.open(io.BytesIO(data)) as opened:
        upright: Image.Image = ImageOps.exif_transpose(opened)
        return upright.convert("RGB")


def twin(data: bytes, suffix: str) -> bytes:
    """Return a file of another format that shows exactly the same pixels."""
    picture = decode(data)
    if suffix != "webp":
        return encode(picture, suffix)
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", lossless=True, quality=20, method=1)
    return buffer.getvalue()


def tag(data: bytes, comment: str) -> bytes:
    """Return the JPEG with a comment segment put in; its pixels stay the same."""
    text = comment.encode("utf-8")
    return data[:2] + b"\xff\xfe" + struct.pack(">H", len(text) + 2) + text + data[2:]


# ------------------------------------------------------------------------ near duplicates


def _scaled(picture: Image.Image, rng: np.random.Generator) -> bytes:
    share = rng.uniform(0.45, 0.75)
    size = (round(picture.width * share), round(picture.height * share))
    return encode(picture.resize(size, Image.Resampling.LANCZOS), "jpg", 88)


def _recompressed(picture: Image.Image, rng: np.random.Generator) -> bytes:
    return encode(picture, "jpg", int(rng.integers(18, 40)))


def _cropped(picture: Image.Image, rng: np.random.Generator) -> bytes:
    w, h = picture.size
    cuts = rng.uniform(0.02, 0.1, 4)
    box = (int(w * cuts[0]), int(h * cuts[1]), int(w * (1 - cuts[2])), int(h * (1 - cuts[3])))
    return encode(picture.crop(box), "jpg", 88)


def _flipped(picture: Image.Image, rng: np.random.Generator) -> bytes:
    return encode(ImageOps.mirror(picture), "jpg", 88)


def _rotated(picture: Image.Image, rng: np.random.Generator) -> bytes:
    turn = (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270)[int(rng.integers(2))]
    return encode(picture.transpose(turn), "jpg", 88)


def _greyscale(picture: Image.Image, rng: np.random.Generator) -> bytes:
    return encode(ImageOps.grayscale(picture).convert("RGB"), "jpg", 88)


def _brightness(picture: Image.Image, rng: np.random.Generator) -> bytes:
    factor = float(rng.choice([0.68, 1.3]))
    return encode(ImageEnhance.Brightness(picture).enhance(factor), "jpg", 88)


def _banner(picture: Image.Image, rng: np.random.Generator) -> bytes:
    copy = picture.copy()
    w, h = copy.size
    high = int(h * 0.12)
    top = 0 if rng.random() < 0.3 else h - high
    ImageDraw.Draw(copy).rectangle((0, top, w, top + high), fill=(196, 30, 46))
    text = fit(lettering("ONLY THIS WEEK", 40, (255, 255, 255), 0.03, 0.05), w * 0.7, high * 0.5)
    centre(copy, text, (w / 2, top + high / 2))
    return encode(copy, "jpg", 88)


def _watermark(picture: Image.Image, rng: np.random.Generator) -> bytes:
    copy = picture.convert("RGB")
    mark = fit(lettering("PREVIEW", 80, (255, 255, 255), 0.02, 0.1), copy.width * 0.6, copy.height)
    mark.putalpha(mark.getchannel("A").point(lambda v: v * 0.45))
    turned = mark.rotate(24, Image.Resampling.BICUBIC, expand=True)
    centre(copy, turned, (copy.width / 2, copy.height / 2))
    return encode(copy, "jpg", 88)


NEAR_COPIES: dict[str, Callable[[Image.Image, np.random.Generator], bytes]] = {
    "scaled": _scaled,
    "recompressed": _recompressed,
    "cropped": _cropped,
    "flipped": _flipped,
    "rotated": _rotated,
    "greyscale": _greyscale,
    "brightness": _brightness,
    "banner": _banner,
    "watermark": _watermark,
}


# ------------------------------------------------------------------------ spoilt pictures


def spoil(picture: Image.Image, kind: str, rng: np.random.Generator) -> Image.Image:
    """Return the picture blurred, too dark, over-exposed or nearly empty."""
    if kind == "blurry":
        return picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(4, 7))))
    if kind == "dark":
        return ImageEnhance.Brightness(picture).enhance(float(rng.uniform(0.09, 0.17)))
    if kind == "overexposed":
        return picture.point(lambda v: min(255.0, 190 + v * 0.9))
    tone = tuple(int(v) for v in rng.integers(60, 220, 3))
    return Image.new("RGB", picture.size, (tone[0], tone[1], tone[2]))


def broken_files(sample: bytes, sample_png: bytes) -> dict[str, tuple[bytes, str]]:
    """Return file name → (bytes, what is wrong) of files that claim to be pictures."""
    spoilt = bytearray(sample_png)
    middle = len(spoilt) // 2
    spoilt[middle : middle + 400] = bytes(400)
    page = b"<!doctype html><title>404</title><p>The requested asset has moved.</p>"
    return {
        "IMG_0000.jpg": (b"", "empty file"),
        "download.jpg": (page, "a web page under the name of a picture"),
        "transfer_interrupted.jpg": (sample[: min(400, len(sample) // 3)], "cut off in the header"),
        "scan_017.png": (bytes(spoilt), "damaged in the middle"),
        "layout_final.tif": (b"II*\x00" + b"\xff" * 60, "directory of tags out of reach"),
    }


def other_files() -> dict[str, bytes]:
    """Return a video, two slide decks and a price list as stubs."""
    video = (
        struct.pack(">I", 24) + b"ftypisom\x00\x00\x02\x00isommp41" + struct.pack(">I", 8) + b"free"
    )
    files = {"spot_30s.mp4": video, "prices.csv": b"article,price\nbottle,1.20\ncan,0.90\n"}
    for name in ("sales_deck.pptx", "brand_story.pptx"):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            stamp = zipfile.ZipInfo("[Content_Types].xml", (2021, 5, 4, 12, 0, 0))
            archive.writestr(stamp, "<Types/>")
        files[name] = buffer.getvalue()
    return files
