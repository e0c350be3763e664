"""Means of drawing: colours, and a sheet that takes flat shapes, light and sprites."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import TypeVar

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Colour = tuple[int, int, int]
Point = tuple[float, float]
Rng = np.random.Generator
Size = tuple[int, int]
T = TypeVar("T")

BILINEAR = Image.Resampling.BILINEAR
WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Return the colour that lies ``share`` of the way from ``a`` to ``b``."""
    red, green, blue = (round(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return (red, green, blue)


def tint(colour: Colour, share: float) -> Colour:
    """Mix with white by a positive share, with black by a negative one."""
    return mix(colour, WHITE if share > 0 else BLACK, abs(share))


def vary(colour: Colour, rng: Rng, spread: int = 14) -> Colour:
    """Return a colour near the given one."""
    steps = rng.integers(-spread, spread + 1, 3).tolist()
    red, green, blue = (min(255, max(0, c + s)) for c, s in zip(colour, steps, strict=True))
    return (red, green, blue)


def pick(rng: Rng, options: Sequence[T]) -> T:
    """Return one of the options."""
    return options[int(rng.integers(len(options)))]


@cache
def _halo() -> Image.Image:
    """Return a disc of light that fades from the middle to the rim."""
    away = np.asarray(Image.radial_gradient("L"), dtype=np.float32) / 255 * np.sqrt(2)
    return Image.fromarray((np.clip(1 - away, 0, 1) ** 1.6 * 255).astype(np.uint8))


class Sheet:
    """A picture to draw on, coloured from top to bottom by ``stops``, transparent without any.

    Places are shares of its width and height, (0, 0) being the upper left corner; radii and the
    widths of lines are shares of its width; angles are degrees, clockwise from three o'clock.
    """

    def __init__(self, size: Size, *stops: Colour) -> None:
        self.picture = Image.new("RGB" if stops else "RGBA", size, *stops[:1])
        if len(stops) > 1:
            column = Image.fromarray(np.array(stops, dtype=np.uint8)[:, None, :])
            self.picture.paste(column.resize(size, BILINEAR))
        self.draw = ImageDraw.Draw(self.picture)
        self.w, self.h = size

    def _around(self, x: float, y: float, rx: float, ry: float) -> tuple[float, ...]:
        x, y, rx, ry = x * self.w, y * self.h, rx * self.w, ry * self.w
        return (x - rx, y - ry, x + rx, y + ry)

    def box(self, x0: float, y0: float, x1: float, y1: float, ink: Colour, r: float = 0) -> None:
        """Fill a rectangle, its corners rounded by the radius ``r``."""
        place = (x0 * self.w, y0 * self.h, x1 * self.w, y1 * self.h)
        self.draw.rounded_rectangle(place, r * self.w, fill=ink)

    def poly(self, points: Iterable[Point], ink: Colour) -> None:
        """Fill a polygon."""
        self.draw.polygon([(x * self.w, y * self.h) for x, y in points], fill=ink)

    def line(self, points: Sequence[Point], width: float, ink: Colour) -> None:
        """Draw a line; a broad one has round ends."""
        pixels = max(2, round(width * self.w))
        self.draw.line([(x * self.w, y * self.h) for x, y in points], fill=ink, width=pixels)
        for x, y in points if width > 0.05 else ():
            self.disc(x, y, width / 2, ink)

    def disc(
        self, x: float, y: float, r: float, ink: Colour, flat: float = 1, span: Point = (0, 360)
    ) -> None:
        """Fill a circle or a slice of one; its height is ``flat`` times its width."""
        self.draw.pieslice(self._around(x, y, r, r * flat), *span, fill=ink)

    def arc(
        self, x: float, y: float, r: float, width: float, ink: Colour, span: Point = (0, 360)
    ) -> None:
        """Draw the line of a circle or a piece of it."""
        pixels = max(2, round(width * self.w))
        self.draw.arc(self._around(x, y, r, r), *span, fill=ink, width=pixels)

    def glow(
        self, x: float, y: float, r: float, ink: Colour, strength: float = 1, flat: float = 1
    ) -> None:
        """Lay a soft spot of light on the sheet, or of shadow if the ink is black."""
        box = [round(v) for v in self._around(x, y, r, r * flat)]
        size = (box[2] - box[0] or 1, box[3] - box[1] or 1)
        halo = _halo().resize(size, BILINEAR)
        self.picture.paste(ink, (box[0], box[1]), halo.point(lambda v: v * strength))

    def defocus(self) -> None:
        """Blur what has been drawn."""
        small = self.picture.reduce(8).filter(ImageFilter.GaussianBlur(1))
        self.picture.paste(small.resize(self.picture.size, BILINEAR))

    def put(
        self, sprite: Image.Image, x: float, y: float, wide: float = 1, high: float = 1
    ) -> None:
        """Paste a sprite with its middle on a point, as large as ``wide`` and ``high`` allow."""
        sprite = fit(sprite, wide * self.w, high * self.h)
        left, top = x * self.w - sprite.width / 2, y * self.h - sprite.height / 2
        mask = sprite if sprite.mode == "RGBA" else None
        self.picture.paste(sprite, (round(left), round(top)), mask)

    def stand(self, sprite: Image.Image, x: float, foot: float, high: float) -> None:
        """Stand a sprite on the ground, where it casts a shadow."""
        sprite = fit(sprite, self.w * 0.9, high * self.h)
        wide, high = sprite.width / self.w, sprite.height / self.h
        self.glow(x + wide * 0.08, foot - wide * 0.04, wide * 0.75, BLACK, 0.6, 0.22)
        self.put(sprite, x, foot - high / 2, wide, high)


def fit(sprite: Image.Image, width: float, height: float) -> Image.Image:
    """Scale a sprite to lie within a box in pixels, keeping its proportions."""
    scale = min(width / sprite.width, height / sprite.height)
    size = (max(1, round(sprite.width * scale)), max(1, round(sprite.height * scale)))
    return sprite.resize(size, BILINEAR)


def star(r: float, points: int, inner: float, turn: float = 0.0) -> list[Point]:
    """Return the corners of a star in the middle of a square sheet."""
    angles = turn + np.pi * (np.arange(points * 2) / points - 0.5)
    radii = r * np.where(np.arange(points * 2) % 2, inner, 1.0)
    return list(zip(0.5 + radii * np.cos(angles), 0.5 + radii * np.sin(angles), strict=True))


def rounded(flat: Image.Image, depth: float = 0.5, shine: float = 0.4) -> Image.Image:
    """Return the picture shaded as a cylinder: dark edges and one bright streak."""
    x = np.linspace(0, 1, flat.width, dtype=np.float32)[:, None]
    light = np.interp(x, [0, 0.1, 0.32, 0.6, 0.9, 1], [1 - depth, 0.8, 1, 0.95, 0.72, 1 - depth])
    light = light.astype(np.float32)
    streak = shine * np.exp(-(((x - 0.27) / 0.06) ** 2))
    pixels = np.asarray(flat) * (light * (1 - streak)) + 255 * streak
    return Image.fromarray(pixels.astype(np.uint8))


@cache
def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(90)


def lettering(text: str, ink: Colour, weight: float = 0.0) -> Image.Image:
    """Return the text as a sprite cut to its ink, strokes thickened by a share of its height."""
    alpha = Image.new("L", (int(_font().getlength(text)) + 60, 150))
    stroke = round(90 * weight)
    ImageDraw.Draw(alpha).text((20, 10), text, fill=255, font=_font(), stroke_width=stroke)
    sprite = Image.new("RGBA", alpha.size, ink)
    sprite.putalpha(alpha)
    return sprite.crop(alpha.getbbox())


def photograph(sheet: Sheet, rng: Rng) -> Image.Image:
    """Return the sheet at half its size with dark corners and the fine noise of a camera."""
    strength = float(rng.uniform(0, 0.9))
    corners = Image.radial_gradient("L").point(lambda v: max(0.0, v - 110) * strength)
    sheet.picture.paste(BLACK, (0, 0), corners.resize(sheet.picture.size, BILINEAR))
    pixels = np.asarray(sheet.picture.reduce(2), dtype=np.float32)
    noise = rng.standard_normal(pixels.shape[:2], dtype=np.float32) * float(rng.uniform(1, 5))
    return Image.fromarray(np.clip(pixels + noise[:, :, None], 0, 255).astype(np.uint8))
