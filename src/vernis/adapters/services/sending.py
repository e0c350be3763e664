"""Pictures as they leave the machine: upright, smaller, encoded anew, without metadata."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from vernis.adapters.files import PictureFiles
from vernis.adapters.isolation import PictureDecoder
from vernis.adapters.pixels import thumbnail_jpeg
from vernis.domain.annotations import SentPicture
from vernis.domain.types import ImageRecord

_QUALITY = 88


def picture_sender(root: Path, edge: int) -> Callable[[ImageRecord], SentPicture]:
    """Return what makes the picture of an image ready to be sent.

    Its longer side has at most ``edge`` pixels. It is drawn from the decoded pixels, so nothing of
    the file goes along: no EXIF, place, name, thumbnail or colour profile.
    """
    read = PictureFiles(root, PictureDecoder(min_side=edge)).read

    def send(image: ImageRecord) -> SentPicture:
        pixels = read(image)
        height, width = pixels.shape[:2]
        scale = min(1.0, edge / max(height, width))
        return SentPicture(
            image.content_hash,
            thumbnail_jpeg(pixels, edge, _QUALITY),
            max(1, round(width * scale)),
            max(1, round(height * scale)),
        )

    return send
