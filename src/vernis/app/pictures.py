"""Pictures as pages show them: thumbnails, kept beside the catalog, and previews."""

from __future__ import annotations

import math
import struct
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vernis.domain.errors import InvalidValue, NotFound, VernisError
from vernis.domain.types import ImageRecord
from vernis.report.map.sprites import SheetSettings, draw_sheets

if TYPE_CHECKING:
    from vernis.session.session import Session

THUMBNAIL = 192
"""Longer side of a thumbnail, pixels."""

PREVIEW = 1280
"""Longer side of a preview, pixels."""

BUNDLE = 128
"""Most thumbnails of one request."""

PREVIEWS = 8
"""Most previews of one request."""

SHEET = SheetSettings(edge=48, columns=42, shape="square")
"""Of the sheets that a map draws from: as large as any browser takes a texture."""

_PREVIEWS = 24  # that are kept in memory
_AT_ONCE = 2  # pictures that are decoded at a time: decisions must not wait for them


class Pictures:
    """Draws small pictures of images, each once. Threads may share it.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._store = session.files.thumbnails(THUMBNAIL)
        self._turns = threading.Semaphore(_AT_ONCE)
        self._lock = threading.Lock()
        self._previews: OrderedDict[str, bytes] = OrderedDict()
        self._failed: set[str] = set()

    def image(self, number: int) -> ImageRecord:
        """Return an image by its id; raises NotFound."""
        return self._session.catalog.images.get([number])[0]

    def thumbnails(self, numbers: Sequence[int]) -> list[bytes | None]:
        """Return the thumbnail of each image, None of one whose picture cannot be read.

        Those that are missing are drawn and kept. Raises NotFound for an unknown id.
        """
        images = self._session.catalog.images.get(list(numbers))
        found = list(self._store.read([image.content_hash for image in images]))
        drawn: dict[str, bytes | None] = {}
        for image, jpeg in zip(images, found, strict=True):
            if jpeg is None and image.content_hash not in drawn:
                drawn[image.content_hash] = self._draw(image)
        kept = [(content, jpeg) for content, jpeg in drawn.items() if jpeg is not None]
        if kept:
            self._keep(kept)
        return [
            jpeg if jpeg is not None else drawn.get(image.content_hash)
            for image, jpeg in zip(images, found, strict=True)
        ]

    def stored(self, image: ImageRecord) -> bytes | None:
        """Return the thumbnail of an image if it was drawn before."""
        return next(iter(self._store.read([image.content_hash])))

    def sheet(self, numbers: Sequence[int]) -> tuple[bytes, bool]:
        """Return a sheet of the thumbnails that were drawn before, and whether those are all.

        Raises NotFound for an unknown id.
        """
        images = self._session.catalog.images.get(list(numbers))
        found = list(self._store.read([image.content_hash for image in images]))
        with self._turns:
            (sheets,) = draw_sheets(found, [SHEET])
        return sheets.pages[0], all(found)

    def preview(self, image: ImageRecord) -> bytes:
        """Return a JPEG that is large enough to judge; raises NotFound where none can be drawn."""
        with self._lock:
            known = self._previews.get(image.content_hash)
            if known is not None:
                self._previews.move_to_end(image.content_hash)
                return known
        try:
            with self._turns:
                pixels = self._session.files.pictures(least_side=PREVIEW * 3 // 4)(image)
                drawn = self._session.files.draw_thumbnail(pixels, PREVIEW, 85)
        except (VernisError, OSError) as error:
            raise NotFound(f"{image.uri}: its picture cannot be read") from error
        with self._lock:
            self._previews[image.content_hash] = drawn
            while len(self._previews) > _PREVIEWS:
                self._previews.popitem(last=False)
        return drawn

    def previews(self, numbers: Sequence[int]) -> list[bytes | None]:
        """Return the preview of each image, None of one whose picture cannot be read.

        Raises NotFound for an unknown id.
        """
        found: list[bytes | None] = []
        for image in self._session.catalog.images.get(list(numbers)):
            try:
                found.append(self.preview(image))
            except NotFound:
                found.append(None)
        return found

    def crop(self, image: ImageRecord, box: tuple[int, int, int, int]) -> bytes:
        """Return a part of an image as JPEG, from its own pixels.

        Parameters
        ----------
        image : ImageRecord
        box : tuple of int
            X, Y, width, height in pixels of the upright picture.

        Raises
        ------
        NotFound
            The picture cannot be read.
        InvalidValue
            The box lies outside the picture.
        """
        x, y, width, height = box
        if width < 1 or height < 1 or x < 0 or y < 0 or not image.width or not image.height:
            raise InvalidValue(f"expected a box inside the picture, got {box}")
        if x + width > image.width or y + height > image.height:
            raise InvalidValue(
                f"expected a box inside {image.width} x {image.height} pixels, got {box}"
            )
        # No more pixels are decoded than the part needs to be shown as large as it may be.
        least = min(image.width, image.height) * PREVIEW // max(width, height)
        try:
            with self._turns:
                pixels = self._session.files.pictures(least_side=max(least, 1))(image)
                across, down = pixels.shape[1] / image.width, pixels.shape[0] / image.height
                left, top = int(x * across), int(y * down)
                right = max(left + 1, math.ceil((x + width) * across))
                low = max(top + 1, math.ceil((y + height) * down))
                part = np.ascontiguousarray(pixels[top:low, left:right])
                return self._session.files.draw_thumbnail(part, PREVIEW, 85)
        except (VernisError, OSError) as error:
            raise NotFound(f"{image.uri}: its picture cannot be read") from error

    def _draw(self, image: ImageRecord) -> bytes | None:
        if image.content_hash in self._failed:
            return None
        try:
            with self._turns:
                files = self._session.files
                return files.draw_thumbnail(files.pictures()(image), THUMBNAIL)
        except (VernisError, OSError):
            self._failed.add(image.content_hash)
            return None

    def _keep(self, drawn: Sequence[tuple[str, bytes]]) -> None:
        try:
            with self._lock:
                self._store.add(drawn)
        except VernisError:
            return  # a full or read-only disk: drawn anew the next time


def bundle(jpegs: Sequence[bytes | None]) -> bytes:
    """Return several JPEGs as one body: their number, their lengths (0: none), then all of them.

    Numbers are unsigned, 32 bits, little-endian.
    """
    sizes = [0 if jpeg is None else len(jpeg) for jpeg in jpegs]
    head = struct.pack(f"<{len(sizes) + 1}I", len(sizes), *sizes)
    return b"".join([head, *(jpeg for jpeg in jpegs if jpeg)])


def as_numbers(ids: Sequence[int] | NDArray[np.int64]) -> bytes:
    """Return ids as unsigned 32-bit little-endian numbers."""
    return np.asarray(ids, dtype="<u4").tobytes()
