"""Further pages of TIFF files; the first one is the file itself."""

from __future__ import annotations

from pathlib import Path

from vernis.adapters.probe import open_picture
from vernis.domain.errors import UnreadableImage
from vernis.domain.parts import page_of

_MOST = 2_000


def count_pages(path: Path) -> int:
    """Return the pages of a TIFF file; 1 where it cannot be read, which reading it will say."""
    try:
        with open_picture(path) as image:
            return min(_MOST, int(getattr(image, "n_frames", 1)))
    except (UnreadableImage, OSError):
        return 1


def write_page(path: Path, place: str, target: Path) -> None:
    """Write a page of a TIFF file as a TIFF file of its own; raises UnreadableImage."""
    page = page_of(place)
    if page is None:
        raise UnreadableImage(path, f"{place!r} is no page")
    with open_picture(path) as image:
        try:
            image.seek(page - 1)
            image.load()
            more = {"icc_profile": image.info["icc_profile"]} if "icc_profile" in image.info else {}
            image.save(target, "TIFF", compression="tiff_lzw", **more)
        except EOFError as error:
            raise UnreadableImage(path, f"has no page {page}") from error
        except (OSError, ValueError, SyntaxError) as error:
            raise UnreadableImage(path, f"page {page} cannot be decoded ({error})") from error
