"""Copies, degraded pictures and files that are no pictures, as an old archive holds them."""

from __future__ import annotations

import io
import struct
from typing import Any

from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from vernis.adapters.demo.canvas import BLACK, WHITE, Rng, Sheet, lettering, pick

ORIENTATION_TAG = 0x0112
TURNS = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
NEAR_COPIES = (
    "scaled", "recompressed", "cropped", "flipped", "rotated", "greyscale", "brightness", "banner",
    "watermark",
)  # fmt: skip


def encode(picture: Image.Image, suffix: str, quality: int = 90, **more: Any) -> bytes:
    """Return the bytes of an image file; ``suffix`` is jpg, png, webp, gif, tiff or bmp.

    ``more`` goes to Pillow's writer of that format.
    """
    settings: dict[str, dict[str, Any]] = {
        "jpg": {"format": "JPEG", "quality": quality, "subsampling": 2 if quality < 90 else 0},
        "webp": {"format": "WEBP", "quality": quality, "method": 1},
        "png": {"format": "PNG", "compress_level": 3},
        "tiff": {"format": "TIFF", "compression": "tiff_lzw"},
    }
    if suffix == "gif":
        picture = picture.quantize(256, Image.Quantize.MEDIANCUT)
    buffer = io.BytesIO()
    picture.save(buffer, **settings.get(suffix, {"format": suffix.upper()}) | more)
    return buffer.getvalue()


def encode_turned(picture: Image.Image, orientation: int) -> bytes:
    """Return a JPEG whose pixels lie on the side and whose EXIF tag says how to turn them."""
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = orientation
    return encode(picture.transpose(TURNS[orientation]), "jpg", exif=exif)


def decode(data: bytes) -> Image.Image:
    """Return the picture in a file's bytes, turned as its EXIF tag says."""
    with Image.open(io.BytesIO(data)) as opened:
        upright: Image.Image = ImageOps.exif_transpose(opened)
        return upright.convert("RGB")


def twin(data: bytes, suffix: str) -> bytes:
    """Return a file of another format that shows exactly the same pixels."""
    more = {"lossless": True, "quality": 20} if suffix == "webp" else {}
    return encode(decode(data), suffix, **more)


def tag(data: bytes, comment: str) -> bytes:
    """Return the JPEG with a comment segment put in; its pixels stay the same."""
    text = comment.encode("utf-8")
    return data[:2] + b"\xff\xfe" + struct.pack(">H", len(text) + 2) + text + data[2:]


def near_copy(picture: Image.Image, transform: str, rng: Rng) -> bytes:
    """Return a JPEG of the picture changed by one of ``NEAR_COPIES``."""
    w, h = picture.size
    quality = 88
    match transform:
        case "scaled":
            share = rng.uniform(0.45, 0.75)
            size = (round(w * share), round(h * share))
            picture = picture.resize(size, Image.Resampling.LANCZOS)
        case "recompressed":
            quality = int(rng.integers(18, 40))
        case "cropped":
            left, top, right, bottom = rng.uniform(0.02, 0.1, 4).tolist()
            box = (int(w * left), int(h * top), int(w * (1 - right)), int(h * (1 - bottom)))
            picture = picture.crop(box)
        case "flipped":
            picture = ImageOps.mirror(picture)
        case "rotated":
            picture = picture.transpose(pick(rng, (TURNS[6], TURNS[8])))
        case "greyscale":
            picture = ImageOps.grayscale(picture).convert("RGB")
        case "brightness":
            picture = ImageEnhance.Brightness(picture).enhance(pick(rng, (0.68, 1.3)))
        case "banner" | "watermark":
            sheet = Sheet(picture.size, BLACK)
            sheet.put(picture, 0.5, 0.5)
            if transform == "banner":
                top = pick(rng, (0.0, 0.88, 0.88))
                sheet.box(0, top, 1, top + 0.12, (196, 30, 46))
                sheet.put(lettering("ONLY THIS WEEK", WHITE, 0.03), 0.5, top + 0.06, 0.7, 0.06)
            else:
                mark = lettering("PREVIEW", WHITE)
                mark.putalpha(mark.getchannel("A").point(lambda v: v * 0.45))
                sheet.put(mark.rotate(24, expand=True), 0.5, 0.5, 0.6, 0.9)
            picture = sheet.picture
        case _:
            raise ValueError(f"expected one of {', '.join(NEAR_COPIES)}, got {transform}")
    return encode(picture, "jpg", quality)


def degrade(picture: Image.Image, kind: str, rng: Rng) -> Image.Image:
    """Return the picture blurred, too dark, over-exposed or nearly empty."""
    match kind:
        case "blurry":
            return picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(4, 7))))
        case "dark":
            return ImageEnhance.Brightness(picture).enhance(float(rng.uniform(0.09, 0.17)))
        case "overexposed":
            return picture.point(lambda v: min(255.0, 190 + v * 0.9))
    return Image.new("RGB", picture.size, tuple(rng.integers(60, 220, 3).tolist()))


def broken_files(jpeg: bytes) -> dict[str, tuple[bytes, str]]:
    """Return file name → (bytes, what is wrong) of files that claim to be pictures."""
    png = twin(jpeg, "png")
    middle = len(png) // 2
    page = b"<!doctype html><title>404</title><p>The requested asset has moved.</p>"
    return {
        "IMG_0000.jpg": (b"", "empty file"),
        "download.jpg": (page, "a web page under the name of a picture"),
        "transfer_interrupted.jpg": (jpeg[: min(400, len(jpeg) // 3)], "cut off in the header"),
        "scan_017.png": (png[:middle] + bytes(400) + png[middle + 400 :], "damaged in the middle"),
        "layout_final.tif": (b"II*\x00" + b"\xff" * 60, "directory of tags out of reach"),
    }


OTHER_FILES = {
    "spot_30s.mp4": b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41\x00\x00\x00\x08free",
    "prices.csv": b"article,price\nbottle,1.20\ncan,0.90\n",
    "sales_deck.pptx": b"PK\x05\x06" + bytes(18),
    "brand_story.pptx": b"PK\x05\x06" + bytes(18),
}
"""A video, a price list and two slide decks as stubs."""
