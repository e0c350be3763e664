"""One large picture of thumbnails on the cells of a map, with frames in colour and a legend."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from vernis.domain.errors import StorageError

GROUND = (255, 255, 255)
_INK = (24, 24, 27)
_MUTED = (99, 99, 107)
_BLANK = (214, 214, 212)
_MOST_SIDE = 6000
_LEAST_SIDE = 64
_LARGEST, _SMALLEST = 128, 20
_MARGIN = 0.02


@dataclass(frozen=True, slots=True)
class Tile:
    """A picture of the mosaic: its cell, the colour of its frame (None: no frame), its JPEG."""

    column: int
    row: int
    color: str | None
    jpeg: bytes | None


@dataclass(frozen=True, slots=True)
class LegendEntry:
    """A colour, what it stands for, and how many pictures have it."""

    color: str
    name: str
    count: int


def tile_edge(columns: int, rows: int) -> int:
    """Return the side of a cell, pixels, with which the picture stays below 6,000 pixels."""
    return max(_SMALLEST, min(_LARGEST, _MOST_SIDE // max(columns, rows, 1)))


def draw_mosaic(
    tiles: Iterable[Tile],
    columns: int,
    rows: int,
    *,
    title: str,
    subtitle: str,
    legend_title: str = "",
    legend: Sequence[LegendEntry] = (),
) -> Image.Image:
    """Draw the mosaic; title above and legend below the grid, so that they cover no picture.

    Parameters
    ----------
    tiles : iterable of Tile
    columns, rows : int
        Of the grid.
    title, subtitle : str
    legend_title : str
    legend : sequence of LegendEntry

    Returns
    -------
    Image
        RGB on white.
    """
    edge = tile_edge(columns, rows)
    width = max(columns * edge, 900)
    margin = max(24, round(_MARGIN * width))
    scale = max(15, round((width + 2 * margin) / 95))
    heading = _Text(scale)
    lines = heading.rows_of(legend, legend_title, width)
    top = margin + round(3.6 * scale)
    bottom = margin + (round(0.8 * scale) + len(lines) * round(1.7 * scale) if lines else 0)
    picture = Image.new("RGB", (width + 2 * margin, top + rows * edge + bottom), GROUND)
    left = margin + (width - columns * edge) // 2
    pen = ImageDraw.Draw(picture)
    pen.text((margin, margin * 0.8), title, fill=_INK, font=heading.bold)
    pen.text((margin, margin * 0.8 + 1.75 * scale), subtitle, fill=_MUTED, font=heading.plain)
    for tile in tiles:
        place = (left + tile.column * edge, top + tile.row * edge)
        _draw_tile(picture, pen, tile, place, edge)
    heading.draw(pen, lines, margin, top + rows * edge + round(0.8 * scale))
    return picture


def save_mosaic(picture: Image.Image, path: Path, most_bytes: int | None = None) -> Path:
    """Write the mosaic as PNG, all of it or nothing; raises StorageError.

    With ``most_bytes`` the picture is made smaller until its file is no larger.
    """
    data = _as_png(picture)
    while most_bytes is not None and len(data) > most_bytes and min(picture.size) > _LEAST_SIDE:
        scale = min(0.95, 0.97 * (most_bytes / len(data)) ** 0.5)
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        picture = picture.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
        data = _as_png(picture)
    partial = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(data)
        partial.replace(path)
    except OSError as error:
        raise StorageError(f"{path}: cannot write the picture ({error.strerror})") from error
    return path


def _as_png(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "PNG", compress_level=6)
    return stream.getvalue()


def _draw_tile(
    picture: Image.Image, pen: ImageDraw.ImageDraw, tile: Tile, place: tuple[int, int], edge: int
) -> None:
    gap = max(1, edge // 24)
    frame = max(2, round(edge * 0.06)) if tile.color else 0
    left, top = place[0] + gap, place[1] + gap
    side = edge - 2 * gap
    if tile.color:
        pen.rectangle((left, top, left + side - 1, top + side - 1), fill=tile.color)
    inner = side - 2 * frame
    corner = (left + frame, top + frame)
    if tile.jpeg is None:
        pen.rectangle((*corner, corner[0] + inner - 1, corner[1] + inner - 1), fill=_BLANK)
        return
    with Image.open(io.BytesIO(tile.jpeg)) as thumbnail:
        picture.paste(_square(thumbnail.convert("RGB"), inner), corner)


def _square(thumbnail: Image.Image, side: int) -> Image.Image:
    """Return the middle of a thumbnail as a square."""
    width, height = thumbnail.size
    least = min(width, height)
    left, top = (width - least) // 2, (height - least) // 2
    box = (left, top, left + least, top + least)
    return thumbnail.resize((side, side), Image.Resampling.LANCZOS, box=box, reducing_gap=2.0)


class _Text:
    """The lettering, and the lines of the legend."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.plain = _font("DejaVuSans.ttf", size)
        self.bold = _font("DejaVuSans-Bold.ttf", round(1.3 * size))

    def rows_of(
        self, legend: Sequence[LegendEntry], title: str, width: int
    ) -> list[list[tuple[str | None, str]]]:
        """Return lines of (colour, text) that fit the width; the title comes first."""
        if not legend:
            return []
        lines: list[list[tuple[str | None, str]]] = [[(None, title)]] if title else [[]]
        used = self._width(None, title)
        for entry in legend:
            item = (entry.color, f"{entry.name} ({entry.count:,})")
            wide = self._width(*item)
            if used + wide > width and lines[-1]:
                lines.append([])
                used = 0.0
            lines[-1].append(item)
            used += wide
        return lines

    def draw(
        self,
        pen: ImageDraw.ImageDraw,
        lines: Sequence[Sequence[tuple[str | None, str]]],
        left: int,
        top: int,
    ) -> None:
        size = self._size
        for number, line in enumerate(lines):
            x, y = float(left), top + number * round(1.7 * size)
            for color, text in line:
                if color is not None:
                    pen.rectangle((x, y + 0.1 * size, x + size, y + 1.1 * size), fill=color)
                start = x + (1.4 * size if color is not None else 0)
                pen.text((start, y), text, fill=_INK if color else _MUTED, font=self.plain)
                x += self._width(color, text)

    def _width(self, color: str | None, text: str) -> float:
        mark = 1.4 * self._size if color is not None else 0
        return float(mark + self.plain.getlength(text) + 1.6 * self._size)


def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """Return a face of DejaVu, which comes with Matplotlib and knows many scripts."""
    import matplotlib as mpl

    return ImageFont.truetype(str(Path(mpl.get_data_path()) / "fonts" / "ttf" / name), size)
