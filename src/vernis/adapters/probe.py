"""Open picture files safely and read their headers.

Every limit is checked on the header, before a decoder allocates a picture. Every exception of
Pillow and of the codecs below it leaves this module as ``UnreadableImage`` with a reason that a
person understands.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

from PIL import ExifTags, Image, UnidentifiedImageError

from vernis.adapters.png import SIGNATURE, without_long_text
from vernis.domain.errors import UnreadableImage

MAINSTREAM_FORMATS = ("JPEG", "MPO", "PNG", "GIF", "WEBP", "BMP", "DIB", "AVIF")
"""Formats whose decoders every browser runs on hostile files; decoded in the caller's process."""

EXOTIC_FORMATS = (
    *("TIFF", "JPEG2000", "PSD", "TGA", "ICO", "CUR", "ICNS", "PPM", "PCX", "DCX", "SGI", "DDS"),
    *("QOI", "BLP", "FLI", "FTEX", "GBR", "IM", "IMT", "MSP", "MCIDAS", "PIXAR", "SPIDER", "SUN"),
    *("XBM", "XPM", "XVTHUMB"),
)
"""Formats that are decoded in a helper process. Left out: those that start other programs (EPS),
need the screen (WMF) or are mere stubs."""

HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
_TEXT_STARTS = (b"<!doctype", b"<html", b"<?xml", b"<svg", b"{", b"%pdf", b"%!ps")
_BEGIN_LIKE_TEXT = (b"GIF", b"RIFF", b"BM", b"II", b"MM", b"8BPS")
_OTHER_FORMATS = (
    (b"\xff\x0a", "a JPEG XL picture", "converted to PNG it is read (djxl)"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture", "converted to PNG it is read (djxl)"),
    (b"<svg", "a vector drawing (SVG)", "exported as PNG it is read"),
    (b"%PDF", "a document (PDF)", "its pages are read with vernis index --inside pdf"),
    (b"%!PS", "a vector drawing (EPS)", "exported as PNG it is read"),
    (b"8BPS\0\x02", "a large Photoshop document (PSB)", "saved as TIFF or PNG it is read"),
    (b"gimp xcf", "a GIMP picture", "exported as PNG it is read"),
    (b"v/1\x01", "an OpenEXR picture", "converted to TIFF it is read"),
    (b"#?RADIANCE", "a Radiance picture (HDR)", "converted to TIFF it is read"),
    (b"FUJIFILMCCD-RAW", "a raw photo", "developed as JPEG or TIFF it is read"),
)
"""How files of formats that are not read begin, what they are, and what would help."""
_PNG_EXIF_KEYS = frozenset({"exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp"})
_TRANSPOSING_ORIENTATIONS = frozenset({5, 6, 7, 8})
_QUIET: tuple[str, None, type[Warning], re.Pattern[str], int] = (
    "ignore",
    None,
    Warning,
    re.compile(r"PIL\."),
    0,
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What reading one picture may cost.

    Parameters
    ----------
    max_pixels : int
        Pictures with more pixels in their header are refused. The default is the number at which
        Pillow refuses; a larger value needs ``PIL.Image.MAX_IMAGE_PIXELS`` raised as well.
    max_file_bytes : int
        Larger files are refused.
    max_memory_bytes : int
        Memory that a helper process may take for one picture, beside its own.
    isolate_above_pixels : int
        Pictures with more pixels are decoded in the helper process whatever their format.
    timeout_seconds : float
        Time that a helper process may take for one picture.
    """

    max_pixels: int = 178_956_970
    max_file_bytes: int = 2**30
    max_memory_bytes: int = 2 * 2**30
    isolate_above_pixels: int = 50_000_000
    timeout_seconds: float = 30.0


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Header:
    """What a picture's header says.

    ``width`` and ``height`` are pixels as shown, after the orientation. ``mode`` is Pillow's name
    of the pixel type. ``orientation`` is the EXIF value 1..8, 1 when absent or invalid.
    ``taken`` is the EXIF date as ``YYYY-MM-DDTHH:MM:SS``, empty when there is none.
    """

    format: str
    width: int
    height: int
    mode: str
    frames: int
    orientation: int
    taken: str


def probe(path: Path, *, limits: Limits = DEFAULT_LIMITS) -> Header:
    """Read the header of a picture without decoding it.

    Parameters
    ----------
    path : Path
        The file.
    limits : Limits

    Raises
    ------
    UnreadableImage
        The file is not a picture, is damaged in its header, or is beyond the limits.
    """
    with open_picture(path, limits=limits) as image:
        orientation = exif_orientation(image)
        width, height = image.size
        if orientation in _TRANSPOSING_ORIENTATIONS and image.format != "TIFF":
            width, height = height, width  # Pillow swaps the size of a TIFF by itself
        return Header(
            format=image.format or "",
            width=width,
            height=height,
            mode=image.mode,
            frames=_count_frames(image),
            orientation=orientation,
            taken=_exif_date(image),
        )


@contextmanager
def open_picture(path: Path, *, limits: Limits = DEFAULT_LIMITS) -> Iterator[Image.Image]:
    """Open a picture, its header read and within the limits; translate every error.

    Parameters
    ----------
    path : Path
        The file.
    limits : Limits

    Yields
    ------
    PIL.Image.Image
        Not yet loaded. Errors that the caller's block meets while loading are translated too.

    Raises
    ------
    UnreadableImage
    """
    _hush_pillow()
    try:
        with open(path, "rb") as stream:
            _check_file(path, stream, limits)
            with _open_stream(stream) as image:
                _check_pixels(path, image.size, limits)
                yield image
    except UnreadableImage:
        raise
    except UnidentifiedImageError as error:
        raise UnreadableImage(path, _why_unidentified(path)) from error
    except Exception as error:  # codecs raise nearly anything: ValueError, struct.error, zlib.error
        raise UnreadableImage(path, _reason(error, limits)) from error


def exif_orientation(image: Image.Image) -> int:
    """Return the EXIF orientation 1..8 of an opened picture; 1 when absent, invalid or damaged."""
    if not _has_cheap_exif(image):
        return 1
    try:
        value = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # damaged EXIF data must not cost the picture
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _has_cheap_exif(image: Image.Image) -> bool:
    """Tell whether EXIF data can be had without decoding: Pillow looks behind a PNG's pixels."""
    return image.format != "PNG" or not _PNG_EXIF_KEYS.isdisjoint(image.info)


def _hush_pillow() -> None:
    """Ignore warnings and logs of Pillow: what matters comes as an error, reported by file.

    ``warnings.catch_warnings`` would swap the filters of the whole process, which is not safe
    while several threads decode.
    """
    if _QUIET not in warnings.filters:
        warnings.filterwarnings("ignore", module=_QUIET[3].pattern)
    logger = logging.getLogger("PIL")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())


def _check_file(path: Path, stream: IO[bytes], limits: Limits) -> None:
    size = stream.seek(0, 2)
    stream.seek(0)
    if size == 0:
        raise UnreadableImage(path, "the file is empty")
    if size > limits.max_file_bytes:
        raise UnreadableImage(
            path, f"the file has {size:,} bytes, more than the limit of {limits.max_file_bytes:,}"
        )
    head = stream.read(30)
    stream.seek(0)
    if head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X":
        # libwebp allocates the canvas when the file is opened, so look before
        width = int.from_bytes(head[24:27], "little") + 1
        height = int.from_bytes(head[27:30], "little") + 1
        _check_pixels(path, (width, height), limits)


def _check_pixels(path: Path, size: tuple[int, int], limits: Limits) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise UnreadableImage(path, f"the picture has no pixels ({width} x {height})")
    if width * height > limits.max_pixels:
        raise UnreadableImage(
            path,
            f"{width} x {height} pixels are more than the limit of {limits.max_pixels:,}"
            " (a decompression bomb?)",
        )


def _open_stream(stream: IO[bytes]) -> Image.Image:
    head = stream.read(64)
    stream.seek(0)
    # mif1 and msf1 are names of AVIF as well, which then says so among its compatible brands
    if head[4:8] == b"ftyp" and head[8:12] in HEIF_BRANDS and b"avif" not in head:
        heif = _heif_class()
        if heif is None:
            raise _MissingHeif
        return heif(stream)
    if head.startswith(SIGNATURE):
        stream = without_long_text(stream)
    return Image.open(stream, formats=_known_formats())


@cache
def _known_formats() -> tuple[str, ...]:
    Image.init()
    return tuple(name for name in (*MAINSTREAM_FORMATS, *EXOTIC_FORMATS) if name in Image.OPEN)


class _MissingHeif(Exception):
    """The file is HEIC and the extra is not installed."""


def _heif_class() -> Callable[[IO[bytes]], Image.Image] | None:
    try:
        from pillow_heif import HeifImageFile
    except ImportError:
        return None
    found: Callable[[IO[bytes]], Image.Image] = HeifImageFile
    return found


def _count_frames(image: Image.Image) -> int:
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception:  # later frames may be damaged; the first one is what we show
        return 1


def _exif_date(image: Image.Image) -> str:
    if not _has_cheap_exif(image):
        return ""
    try:
        exif = image.getexif()
        details = exif.get_ifd(ExifTags.IFD.Exif) if exif else {}
        value = details.get(ExifTags.Base.DateTimeOriginal) or exif.get(ExifTags.Base.DateTime)
    except Exception:  # damaged EXIF data must not cost the picture
        return ""
    found = re.match(r"(\d{4})[:-](\d{2})[:-](\d{2})[ T](\d{2}:\d{2}:\d{2})", str(value or ""))
    if not found or found[1] == "0000":
        return ""
    return f"{found[1]}-{found[2]}-{found[3]}T{found[4]}"


def _why_unidentified(path: Path) -> str:
    with open(path, "rb") as stream:
        head = stream.read(512)
    if not head.strip(b"\0"):
        return "the file holds only zero bytes"
    for start, name, remedy in _OTHER_FORMATS:
        if head.lstrip().startswith(start) or (start == b"<svg" and b"<svg" in head.lower()):
            return f"it is {name}; {remedy}"
    if head.lstrip().lower().startswith(_TEXT_STARTS) or _is_text(head):
        return "the file holds text, not a picture"
    return "not a picture, or its header is damaged"


def _is_text(head: bytes) -> bool:
    if any(byte < 9 for byte in head):
        return False
    if len(head) < 8 and head.startswith(_BEGIN_LIKE_TEXT):
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4  # the cut may fall inside a letter
    return True


def _reason(error: Exception, limits: Limits) -> str:
    """Say in a few words why a picture cannot be read."""
    text = " ".join(str(error).split())
    lowered = text.lower()
    if isinstance(error, _MissingHeif):
        return 'HEIC pictures need an extra: pip install "vernis[heif]"'
    if isinstance(error, Image.DecompressionBombError):
        return f"more pixels than the limit of {limits.max_pixels:,} (a decompression bomb?)"
    if isinstance(error, MemoryError):
        return "the picture needs more memory than there is"
    if isinstance(error, PermissionError):
        return "no permission to read the file"
    if isinstance(error, FileNotFoundError):
        return "the file is gone"
    if isinstance(error, IsADirectoryError):
        return "it is a folder"
    if "truncated" in lowered or "not enough" in lowered or "unexpected end" in lowered:
        return f"the file is cut off ({text})"
    if isinstance(error, OSError) and error.errno is not None and error.strerror:
        return f"the disk refused to read it ({error.strerror})"
    return f"damaged picture data ({text or type(error).__name__})"
