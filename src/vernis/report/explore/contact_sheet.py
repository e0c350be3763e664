"""Contact sheets: rows of captioned pictures on one neutral ground, as PNG.

``draw_sheet`` only draws: it gets decoded pictures and returns pixels. The letters are DejaVu Sans,
which Matplotlib brings along and which knows Latin, Greek and Cyrillic.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image, ImageColor, ImageDraw

from vernis.domain.errors import InvalidValue, StorageError
from vernis.domain.ports import Pixels

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

Theme = Literal["light", "dark"]

_THEMES: dict[Theme, dict[str, str]] = {
    "light": {"ground": "#F3F3F3", "ink": "#1A1A1A", "faint": "#5A5A5A", "line": "#B5B5B5"},
    "dark": {"ground": "#202020", "ink": "#F0F0F0", "faint": "#B0B0B0", "line": "#5C5C5C"},
}
_MARK = "#D55E00"  # vermillion of Okabe & Ito, visible to the colour-blind
_MARGIN = 16
_GAP = 12
_FRAME = 4
_TITLE, _TEXT = 20, 13  # letters, in px
_LINE = 17
_FEWEST_LETTERS = 3
_MAX_SIDE = 30_000  # what viewers and Pillow still open without complaint


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """One picture of a sheet.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (height, width, 3), or None
        None draws an empty place that says why in the caption (a file that is gone).
    caption : tuple of str
        Lines below the picture; each is cut to the width of the tile. The first is in full ink.
    frame : str
        Colour of a frame, as ``#RRGGBB``; none when empty.
    boxes : tuple of (x, y, width, height)
        Regions to outline, as shares 0..1 of the picture's width and height.
    """

    pixels: Pixels | None
    caption: tuple[str, ...] = ()
    frame: str = ""
    boxes: tuple[tuple[float, float, float, float], ...] = ()


def draw_sheet(
    rows: Sequence[Sequence[Tile | None]],
    *,
    title: str = "",
    headings: Sequence[str] = (),
    key_columns: int = 0,
    side: int = 176,
    theme: Theme = "light",
) -> Pixels:
    """Draw rows of tiles.

    Parameters
    ----------
    rows : sequence of sequences of Tile
        None leaves a place free; rows may be of different lengths.
    title : str
        A line above all; cut where it is too long.
    headings : sequence of str
        Of the columns, in order.
    key_columns : int
        So many first columns (the query, the cluster's name…) are set apart by a line.
    side : int
        Width and height of the square that holds a picture, in px.
    theme : {"light", "dark"}
        Of the ground, which is opaque, so that the sheet reads on any page.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)

    Raises
    ------
    InvalidValue
        There is nothing to draw, or the sheet would be larger than 30,000 px.
    """
    width = max((len(row) for row in rows), default=0)
    if not width:
        raise InvalidValue("expected at least one picture for the sheet, got none")
    colors = _THEMES[theme]
    lines = [max((len(tile.caption) for tile in row if tile), default=0) for row in rows]
    # A row is as high as its highest picture, so that landscapes leave no empty bands.
    talls = [max((_fitted(tile, side)[1] for tile in row if tile), default=0) for row in rows]
    heights = [tall + 2 * _FRAME + 4 + _LINE * n for tall, n in zip(talls, lines, strict=True)]
    top = _MARGIN + (_TITLE + 14 if title else 0) + (_LINE + 4 if headings else 0)
    lefts = [_left(column, side, key_columns) for column in range(width)]
    size = (
        lefts[-1] + side + 2 * _FRAME + _MARGIN,
        top + sum(heights) + _GAP * (len(rows) - 1) + _MARGIN,
    )
    if max(size) > _MAX_SIDE:
        raise InvalidValue(
            f"expected a sheet of at most {_MAX_SIDE:,} px a side, got {size[0]:,} x {size[1]:,}; "
            "take fewer pictures or smaller ones"
        )
    sheet = Image.new("RGB", size, colors["ground"])
    pen = ImageDraw.Draw(sheet)
    if title:
        font = _font(_TITLE, "DejaVuSans-Bold.ttf")
        pen.text(
            (_MARGIN, _MARGIN - 4),
            shorten(title, font, size[0] - 2 * _MARGIN),
            colors["ink"],
            font,
        )
    small = _font(_TEXT)
    for column, heading in enumerate(headings[:width]):
        text = shorten(heading, small, side + 2 * _FRAME)
        pen.text((lefts[column], top - _LINE - 4), text, colors["faint"], small)
    if 0 < key_columns < width:
        x = lefts[key_columns] - _GAP
        pen.line((x, top, x, size[1] - _MARGIN), colors["line"], 1)
    y = top
    for row, tall, height in zip(rows, talls, heights, strict=True):
        for left, tile in zip(lefts, row, strict=False):
            if tile is not None:
                _draw_tile(sheet, pen, tile, (left, y), (side, tall), colors)
        y += height + _GAP
    return np.array(sheet, dtype=np.uint8)


def save_sheet(pixels: Pixels, path: Path | str) -> Path:
    """Write a drawn sheet as PNG, all of it or nothing.

    Raises
    ------
    StorageError
        The name does not end in ``.png``, or the file cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise StorageError(f"{path}: a sheet is written as PNG; name it {path.stem or 'sheet'}.png")
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", optimize=True)
    partial = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(stream.getvalue())
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise StorageError(f"{path}: cannot write the sheet ({error.strerror})") from error
    return path


def shorten(text: str, font: FreeTypeFont, width: float) -> str:
    """Return the text, its middle cut out where it is wider than ``width`` px.

    The end of a file name tells more than its middle.
    """
    text = " ".join(text.split())
    if font.getlength(text) <= width:
        return text
    low, high = _FEWEST_LETTERS, len(text) - 1
    while low < high:
        keep = (low + high + 1) // 2
        if font.getlength(_cut(text, keep)) <= width:
            low = keep
        else:
            high = keep - 1
    return _cut(text, low)


def _cut(text: str, keep: int) -> str:
    tail = keep // 3
    return f"{text[: keep - tail]}…{text[len(text) - tail :] if tail else ''}"


def _left(column: int, side: int, key_columns: int) -> int:
    apart = _GAP if 0 < key_columns <= column else 0
    return _MARGIN + column * (side + 2 * _FRAME + _GAP) + apart


def _fitted(tile: Tile, side: int) -> tuple[int, int]:
    """Return width and height at which a tile is drawn."""
    if tile.pixels is None:
        return side, side
    height, width = tile.pixels.shape[:2]
    scale = min(side / width, side / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def _draw_tile(
    sheet: Image.Image,
    pen: ImageDraw.ImageDraw,
    tile: Tile,
    corner: tuple[int, int],
    room: tuple[int, int],
    colors: dict[str, str],
) -> None:
    x, y = corner
    side, tall = room
    if tile.pixels is None:
        place = (x + _FRAME, y + _FRAME, x + _FRAME + side - 1, y + _FRAME + tall - 1)
        pen.rectangle(place, outline=colors["line"])
        pen.line((*place[:2], *place[2:]), colors["line"])
    else:
        size = _fitted(tile, side)
        picture = Image.fromarray(tile.pixels).resize(size, Image.Resampling.LANCZOS)
        # Captions hang below a common line, so pictures stand on it.
        at = (x + _FRAME + (side - size[0]) // 2, y + _FRAME + (tall - size[1]))
        sheet.paste(picture, at)
        for left, top, across, down in tile.boxes:
            box = (
                at[0] + round(left * size[0]),
                at[1] + round(top * size[1]),
                at[0] + max(0, round((left + across) * size[0]) - 1),
                at[1] + max(0, round((top + down) * size[1]) - 1),
            )
            pen.rectangle(box, outline="#FFFFFF", width=5)
            pen.rectangle(box, outline=_MARK, width=3)
        place = (at[0], at[1], at[0] + size[0] - 1, at[1] + size[1] - 1)
    if tile.frame:
        outside = (place[0] - _FRAME, place[1] - _FRAME, place[2] + _FRAME, place[3] + _FRAME)
        pen.rectangle(outside, outline=ImageColor.getrgb(tile.frame), width=_FRAME)
    font = _font(_TEXT)
    for number, line in enumerate(tile.caption):
        text = shorten(line, font, side + 2 * _FRAME)
        ink = colors["ink"] if number == 0 else colors["faint"]
        pen.text((x + _FRAME, y + tall + 2 * _FRAME + 4 + number * _LINE), text, ink, font)


def _font(size: int, name: str = "DejaVuSans.ttf") -> FreeTypeFont:
    import matplotlib as mpl
    from PIL import ImageFont

    return ImageFont.truetype(str(Path(mpl.get_data_path()) / "fonts" / "ttf" / name), size)
