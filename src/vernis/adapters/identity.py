"""Tell whether two files hold the same picture in all of it, not only in what is shown.

Decoding for networks and eyes throws away: transparency, further frames and pages, what lies below
the upper 8 bits, black of CMYK, colours outside sRGB. Files of which one may go to the trash must
agree in these as well. Where this cannot be compared, a file is the same as its own bytes alone.
"""

from __future__ import annotations

import hashlib
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from vernis.adapters.color import is_srgb
from vernis.adapters.pixels import load_whole
from vernis.adapters.probe import Limits, open_picture

_COMPARED = frozenset(
    {"JPEG", "MPO", "PNG", "GIF", "WEBP", "BMP", "DIB", "TIFF", "PPM", "TGA", "PCX", "QOI"}
)
"""Formats of which Pillow shows everything, or says what it leaves out."""
_MOST_PIXELS = 2 * 10**9  # of all frames together; a longer film is compared by its bytes
_SAMPLES, _BITS = 277, 258  # TIFF's tags
_NATIVE = "L" if sys.byteorder == "little" else "B"
_OTHER_END = {"L": "B", "B": "L"}


def digest_picture(path: Path, image: Image.Image, limits: Limits) -> str:
    """Return a digest of every frame of an opened picture, with alpha and all bits.

    Parameters
    ----------
    path : Path
    image : PIL.Image.Image
        Inside the block of ``open_picture``.
    limits : Limits

    Returns
    -------
    str
        Equal for files that hold the same picture, whatever their format.

    Raises
    ------
    UnreadableImage, or what Pillow raises while it loads.
    """
    n_frames = int(getattr(image, "n_frames", 1))
    is_small = image.width * image.height * n_frames <= _MOST_PIXELS
    if image.format not in _COMPARED or not is_small or _leaves_out(image):
        return _digest_bytes(path)
    low = _find_low_bytes(image)
    if low is not None and n_frames > 1:
        return _digest_bytes(path)
    digest = hashlib.sha256()
    if n_frames > 1:  # each format has its own rules of how frames follow each other
        digest.update(f"{image.format} {image.info.get('loop')}".encode())
    for number in range(n_frames):
        if number:
            image.seek(number)
            image.load()
        else:
            load_whole(path, image)
        duration = int(image.info.get("duration", 0)) if n_frames > 1 else 0
        digest.update(f"{duration}\n".encode())
        _add_frame(digest, image)
    if low is not None:
        with suppress(ValueError), open_picture(path, limits=limits) as again:
            again.tile = low  # type: ignore[attr-defined]
            again.load()
            _add_frame(digest, again)
            return digest.hexdigest()
        return _digest_bytes(path)
    return digest.hexdigest()


def _digest_bytes(path: Path) -> str:
    with open(path, "rb") as stream:
        return "bytes " + hashlib.file_digest(stream, "sha256").hexdigest()


def _leaves_out(image: Image.Image) -> bool:
    """Tell whether Pillow drops samples or bits of a picture that cannot be had otherwise."""
    if image.format == "PPM":
        tiles: list[Any] = getattr(image, "tile", [])
        return bool(tiles) and tiles[0][0] != "raw"  # another white than 255
    if image.format != "TIFF":
        return False
    tags: Any = image.tag_v2  # type: ignore[attr-defined]
    deep = max(tags.get(_BITS, (1,))) > 8 and image.mode not in ("I;16", "I;16B", "I", "F")
    return tags.get(_SAMPLES, 1) > len(image.getbands()) or (
        deep and _find_low_bytes(image) is None
    )


def _find_low_bytes(image: Image.Image) -> list[Any] | None:
    """Return the tiles that read the lower byte of 16-bit colours, None where there are none.

    Pillow reads 16 bits a channel as their upper 8. With the bytes taken for those of the other
    end, the same decoder gives the lower 8.
    """
    tiles: list[Any] = []
    for tile in getattr(image, "tile", []):
        args = tile[3]
        first = args[0] if isinstance(args, tuple) and args else args
        name, _, order = str(first).partition(";16")
        if not order or image.mode not in ("RGB", "RGBA", "LA", "RGBX"):
            return None
        swapped = f"{name};16{_OTHER_END[_NATIVE if order == 'N' else order[0]]}"
        rest = (swapped, *args[1:]) if isinstance(args, tuple) else swapped
        tiles.append(tile._replace(args=rest) if hasattr(tile, "_replace") else (*tile[:3], rest))
    return tiles or None


def _add_frame(digest: Any, image: Image.Image) -> None:
    """Add mode, size and samples of a loaded frame, upright; an opaque alpha counts for nothing."""
    picture: Image.Image = image
    with suppress(Exception):  # damaged EXIF data must not cost the picture
        picture = ImageOps.exif_transpose(image)
    profile = image.info.get("icc_profile")
    if profile and not is_srgb(profile):
        digest.update(hashlib.sha256(profile).digest())
    kind, samples = _as_samples(picture)
    digest.update(f"{kind} {picture.width} {picture.height}\n".encode())
    digest.update(samples)


def _as_samples(picture: Image.Image) -> tuple[str, bytes]:
    if picture.mode.startswith("I"):
        values = np.asarray(picture).astype(np.int64)
        if values.size and values.min() >= 0 and values.max() <= 0xFFFF:
            return "grey of 16 bits", values.astype("<u2").tobytes()
        return "grey of 32 bits", values.astype("<i4").tobytes()
    if picture.mode in ("F", "CMYK", "LAB", "YCbCr", "HSV"):
        return picture.mode, picture.tobytes()
    if picture.has_transparency_data or picture.mode in ("RGBa", "La"):
        straight = picture.convert("RGBA")
        if straight.getchannel("A").getextrema() != (255, 255):
            return "RGBA", straight.tobytes()
        picture = straight
    return "RGB", picture.convert("RGB").tobytes()
