"""Decode pictures to RGB arrays, and the resizing that readers of pixels share."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageOps
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from vernis.adapters.blank_end import find_blank_end, has_hole
from vernis.adapters.color import ColorConverter, flatten
from vernis.adapters.jpeg import PartMissing, load_jpeg
from vernis.adapters.png import load_png
from vernis.adapters.probe import (
    DEFAULT_LIMITS,
    Header,
    Limits,
    exif_orientation,
    open_picture,
    probe,
)
from vernis.domain.damage import SOUND, Damage
from vernis.domain.errors import UnreadableImage
from vernis.domain.ports import Decoded, Pixels

__all__ = [
    "DEFAULT_LIMITS",
    "Header",
    "Limits",
    "decode",
    "decode_opened",
    "fit",
    "probe",
    "resize",
    "thumbnail_jpeg",
]

MIN_SIDE = 256
"""Shorter side, in pixels, that reduced decoding keeps."""

_FILTERS = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "lanczos": Image.Resampling.LANCZOS,
    "box": Image.Resampling.BOX,
}


def decode(
    path: Path,
    *,
    min_side: int | None = MIN_SIDE,
    limits: Limits = DEFAULT_LIMITS,
    converter: ColorConverter | None = None,
) -> Pixels:
    """Decode a picture as a browser shows it.

    The EXIF orientation is applied, colour profiles and CMYK become sRGB, transparent parts lie
    on white (of a picture that is white itself on dark grey), of animations and multi-page files
    the first frame is taken, 16 bits become 8 (the lower ones of grey that uses 12 at most).

    Parameters
    ----------
    path : Path
        The file.
    min_side : int or None
        The picture is reduced by 2, 4 or 8 as long as its shorter side keeps at least this many
        pixels (JPEG inside the decoder, which is 10 times as fast on 12 megapixels). None decodes
        at full size.
    limits : Limits
    converter : ColorConverter or None
        Keeps colour transforms between calls; None builds them anew.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        RGB.

    Raises
    ------
    UnreadableImage
        The only error: the file is no picture, damaged, cut off by more than a tenth, or beyond
        the limits.
    """
    with open_picture(path, limits=limits) as image:
        return decode_opened(path, image, min_side, converter or ColorConverter()).pixels


def decode_opened(
    path: Path, image: Image.Image, min_side: int | None, converter: ColorConverter
) -> Decoded:
    """Decode a picture inside the block of ``open_picture``, and say what is damaged of it."""
    is_jpeg = isinstance(image, JpegImageFile)
    if min_side is not None and is_jpeg:
        image.draft(None, (min_side, min_side))
    profile = image.info.get("icc_profile")
    damage = load_whole(path, image)
    # A JPEG that stands upright is not copied.
    picture = flatten(image if is_jpeg and exif_orientation(image) == 1 else _upright(image))
    if min_side is not None and not is_jpeg:
        picture = _reduce(picture, min_side)
    return Decoded(np.array(converter.to_rgb(picture, profile), dtype=np.uint8), damage)


def load_whole(path: Path, image: Image.Image) -> Damage:
    """Load an opened picture; raises UnreadableImage when more than a tenth of it is missing."""
    try:
        if isinstance(image, JpegImageFile):
            return load_jpeg(image)
        if isinstance(image, PngImageFile):
            return load_png(image)
    except PartMissing as error:
        raise UnreadableImage(path, "the file is cut off (its lower part is missing)") from error
    if has_hole(image):
        image.load()
        return Damage("garbled")
    image.load()
    blank = find_blank_end(image)
    return Damage("blank_end", blank) if blank else SOUND


def resize(
    pixels: Pixels,
    size: tuple[int, int],
    *,
    resample: Literal["bicubic", "bilinear", "lanczos", "box"] = "bicubic",
) -> Pixels:
    """Stretch a picture to a size.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)
    size : tuple of int
        Width and height of the result.
    resample : str
        The filter; widened when shrinking, so that it does not alias.
    """
    if (pixels.shape[1], pixels.shape[0]) == size:
        return pixels
    picture = Image.fromarray(pixels)
    return np.array(picture.resize(size, _FILTERS[resample]), dtype=np.uint8)


def fit(
    pixels: Pixels,
    size: tuple[int, int],
    *,
    fill: tuple[int, int, int] | None = None,
    resample: Literal["bicubic", "bilinear", "lanczos", "box"] = "bicubic",
) -> Pixels:
    """Fit the whole picture into a size, keeping its proportions, centred.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)
    size : tuple of int
        Width and height of the result.
    fill : tuple of int or None
        Colour of the bars; None repeats the outermost rows or columns of the picture.
    resample : str
        The filter.
    """
    height, width = pixels.shape[:2]
    scale = min(size[0] / width, size[1] / height)
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = resize(pixels, inner, resample=resample)
    left, top = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    bars = ((top, size[1] - inner[1] - top), (left, size[0] - inner[0] - left), (0, 0))
    if inner == size:
        return small
    if fill is None:
        return np.pad(small, bars, mode="edge")
    bottom, right = top + inner[1], left + inner[0]
    canvas = np.empty((size[1], size[0], 3), dtype=np.uint8)
    # The bars alone: filling the whole canvas takes longer than all the rest but resizing.
    for bar in (canvas[:top], canvas[bottom:], canvas[:, :left], canvas[:, right:]):
        bar[:] = fill
    canvas[top:bottom, left:right] = small
    return canvas


def thumbnail_jpeg(pixels: Pixels, edge: int = 256, quality: int = 80) -> bytes:
    """Return a JPEG whose longer side has at most ``edge`` pixels; never enlarges.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)
    edge : int
    quality : int
        JPEG quality, 1..95.
    """
    height, width = pixels.shape[:2]
    scale = min(1.0, edge / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    picture = Image.fromarray(resize(pixels, size))
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality, optimize=True)
    return stream.getvalue()


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # damaged EXIF data must not cost the picture
        return image


def _reduce(picture: Image.Image, min_side: int) -> Image.Image:
    """Shrink by the factor that a JPEG decoder would take, so that format twins look alike."""
    ratio = min(picture.size) // min_side
    factor = next((factor for factor in (8, 4, 2) if ratio >= factor), 1)
    return picture.reduce(factor) if factor > 1 else picture
