"""Sprite sheets: many thumbnails in one picture, which a page loads and draws from."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from PIL import Image, ImageOps

_BLANK = (128, 128, 128)


@dataclass(frozen=True, slots=True)
class SheetSettings:
    """The cells of a sheet: ``columns`` × ``columns`` squares of ``edge`` pixels.

    ``shape`` says whether a cell holds the whole picture or the square in its middle.
    """

    edge: int
    columns: int
    quality: int = 72
    shape: Literal["whole", "square"] = "whole"


@dataclass(slots=True)
class Sheets:
    """Sheets in order, and the size of each picture in its cell (its top left corner).

    Attributes
    ----------
    settings : SheetSettings
    pages : list of bytes
        JPEG.
    sizes : list of (int, int)
        Width and height of every picture, (0, 0) where there is none.
    """

    settings: SheetSettings
    pages: list[bytes] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)


def draw_sheets(
    thumbnails: Iterable[bytes | None], levels: Sequence[SheetSettings]
) -> tuple[Sheets, ...]:
    """Draw the thumbnails into sheets of several sizes, in one pass.

    Parameters
    ----------
    thumbnails : iterable of bytes or None
        JPEGs in the order of the cells; None leaves its cell grey.
    levels : sequence of SheetSettings

    Returns
    -------
    tuple of Sheets
        One a level.
    """
    drawn = tuple(Sheets(level) for level in levels)
    writers = [_Writer(sheets) for sheets in drawn]
    for jpeg in thumbnails:
        picture = None if jpeg is None else _decoded(jpeg, max(level.edge for level in levels))
        for writer in writers:
            writer.add(picture)
    for writer in writers:
        writer.finish()
    return drawn


def _decoded(jpeg: bytes, edge: int) -> Image.Image:
    """Return a thumbnail, decoded no larger than it takes."""
    picture = Image.open(io.BytesIO(jpeg))
    picture.draft("RGB", (edge, edge))
    return picture.convert("RGB")


class _Writer:
    def __init__(self, sheets: Sheets) -> None:
        self._sheets = sheets
        self._page: Image.Image | None = None

    def add(self, picture: Image.Image | None) -> None:
        settings = self._sheets.settings
        number = len(self._sheets.sizes) % settings.columns**2
        if self._page is None:
            side = settings.edge * settings.columns
            self._page = Image.new("RGB", (side, side), _BLANK)
        if picture is None:
            self._sheets.sizes.append((0, 0))
        else:
            small = picture
            if settings.shape == "square":
                small = ImageOps.fit(picture, (settings.edge, settings.edge))
            elif max(picture.size) > settings.edge:
                small = picture.copy()
                small.thumbnail((settings.edge, settings.edge), Image.Resampling.LANCZOS)
            row, column = divmod(number, settings.columns)
            self._page.paste(small, (column * settings.edge, row * settings.edge))
            self._sheets.sizes.append(small.size)
        if number == settings.columns**2 - 1:
            self.finish()

    def finish(self) -> None:
        if self._page is None:
            return
        settings = self._sheets.settings
        used = (len(self._sheets.sizes) - 1) % settings.columns**2 + 1
        rows = -(-used // settings.columns)
        width = (settings.columns if rows > 1 else used) * settings.edge
        stream = io.BytesIO()
        self._page.crop((0, 0, width, rows * settings.edge)).save(
            stream, "JPEG", quality=settings.quality, optimize=True
        )
        self._sheets.pages.append(stream.getvalue())
        self._page = None
