"""Means of drawing: colours, gradients, light, shadows, lettering, perspective."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

Colour = tuple[int, int, int]
Point = tuple[float, float]

WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Return the colour that lies ``share`` of the way from ``a`` to ``b``."""
    r, g, bl = (round(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return (r, g, bl)


def lighten(colour: Colour, share: float) -> Colour:
    """Mix with white."""
    return mix(colour, WHITE, share)


def darken(colour: Colour, share: float) -> Colour:
    """Mix with black."""
    return mix(colour, BLACK, share)


def vary(colour: Colour, rng: np.random.Generator, spread: int = 14) -> Colour:
    """Return a colour near the given one."""
    r, g, b = (int(np.clip(c + rng.integers(-spread, spread + 1), 0, 255)) for c in colour)
    return (r, g, b)


def pick(rng: np.random.Generator, options: Sequence[Colour]) -> Colour:
    """Return one of the colours."""
    return options[int(rng.integers(len(options)))]


def gradient(size: tuple[int, int], stops: Sequence[Colour]) -> Image.Image:
    """Return a picture that runs smoothly from the first colour (top) to the last (bottom)."""
    positions = np.linspace(0, len(stops) - 1, 128)
    channels = [
        np.interp(positions, np.arange(len(stops)), [s[c] for s in stops]) for c in (0, 1, 2)
    ]
    column = np.stack(channels, axis=-1).round().astype(np.uint8)[:, None, :]
    return Image.fromarray(column, "RGB").resize(size, Image.Resampling.BILINEAR)


@lru_cache(maxsize=1)
def _halo() -> Image.Image:
    """Return a disc of light that fades from the middle to the rim."""
    away = np.asarray(Image.radial_gradient("L"), dtype=np.float32) / 255 * math.sqrt(2)
    return Image.fromarray((np.clip(1 - away, 0, 1) ** 1.6 * 255).astype(np.uint8), "L")


def glow(
    picture: Image.Image, centre: Point, radius: float, colour: Colour, strength: float = 1.0
) -> None:
    """Lay a soft light around ``centre`` on the picture."""
    side = max(2, int(radius * 2))
    halo = _halo().resize((side, side), Image.Resampling.BILINEAR)
    if strength < 1:
        halo = halo.point(lambda v: v * strength)
    box = (int(centre[0] - radius), int(centre[1] - radius))
    picture.paste(colour, (*box, box[0] + side, box[1] + side), halo)


def cylinder(
    size: tuple[int, int], colour: Colour, shine: float = 0.55, side: float = 0.27
) -> Image.Image:
    """Return a surface that looks round: dark edges and one bright streak."""
    x = np.linspace(0, 1, 160)
    light = np.interp(x, [0, 0.08, 0.3, 0.6, 0.92, 1], [0.42, 0.7, 1.0, 0.92, 0.62, 0.4])
    streak = shine * np.exp(-(((x - side) / 0.055) ** 2))
    streak += shine * 0.35 * np.exp(-(((x - 0.86) / 0.03) ** 2))
    base = np.asarray(colour, dtype=np.float64)[None, :] * light[:, None]
    lit = base + (255 - base) * np.clip(streak, 0, 1)[:, None]
    row = lit.round().clip(0, 255).astype(np.uint8)[None, :, :]
    return Image.fromarray(row, "RGB").resize(size, Image.Resampling.BILINEAR)


def shade_round(picture: Image.Image, depth: float = 0.5, shine: float = 0.35) -> Image.Image:
    """Return an RGBA picture shaded as if it were wrapped around a cylinder."""
    x = np.linspace(0, 1, 160)
    light = np.interp(x, [0, 0.1, 0.32, 0.6, 0.9, 1], [1 - depth, 0.8, 1.0, 0.95, 0.72, 1 - depth])
    row = (light * 255).astype(np.uint8)[None, :]
    shade = Image.fromarray(row, "L").resize(picture.size, Image.Resampling.BILINEAR)
    rgb = ImageChops.multiply(picture.convert("RGB"), Image.merge("RGB", [shade] * 3))
    streak = (255 * shine * np.exp(-(((x - 0.27) / 0.06) ** 2))).astype(np.uint8)[None, :]
    mask = Image.fromarray(streak, "L").resize(picture.size, Image.Resampling.BILINEAR)
    rgb.paste(WHITE, (0, 0), mask)
    rgb.putalpha(picture.getchannel("A"))
    return rgb


def stamp(picture: Image.Image, sprite: Image.Image, box: tuple[int, int]) -> None:
    """Paste an RGBA sprite with its own transparency."""
    picture.paste(sprite, box, sprite.getchannel("A"))


def place(
    picture: Image.Image,
    sprite: Image.Image,
    foot: Point,
    height: float,
    angle: float = 0.0,
    shadow: float = 0.45,
) -> tuple[int, int, int, int]:
    """Stand a sprite on the point ``foot`` (its bottom centre) and return the box it fills."""
    width = max(2, round(sprite.width * height / sprite.height))
    scaled = sprite.resize((width, max(2, round(height))), Image.Resampling.BICUBIC)
    if angle:
        scaled = scaled.rotate(angle, Image.Resampling.BICUBIC, expand=True)
    left, top = round(foot[0] - scaled.width / 2), round(foot[1] - scaled.height)
    if shadow:
        cast_shadow(picture, (left, top, scaled.width, scaled.height), shadow)
    stamp(picture, scaled, (left, top))
    return (left, top, left + scaled.width, top + scaled.height)


def cast_shadow(picture: Image.Image, box: tuple[int, int, int, int], strength: float) -> None:
    """Draw the soft pool of shadow that a thing casts on the ground below it."""
    left, top, width, height = box
    w, h = max(4, int(width * 1.5)), max(4, int(width * 0.34))
    pool = _halo().resize((w, h), Image.Resampling.BILINEAR).point(lambda v: v * strength * 1.4)
    at = (int(left + width / 2 - w / 2 + width * 0.1), int(top + height - h * 0.55))
    picture.paste(BLACK, (*at, at[0] + w, at[1] + h), pool)


def lift(picture: Image.Image, sprite: Image.Image, at: tuple[int, int], strength: float) -> None:
    """Paste a flat sprite with a blurred drop shadow, as paper on a wall."""
    soft = max(3, sprite.width // 40)
    pad = soft * 3
    alpha = Image.new("L", (sprite.width + 2 * pad, sprite.height + 2 * pad))
    alpha.paste(sprite.getchannel("A"), (pad, pad))
    small = alpha.reduce(4) if min(alpha.size) > 32 else alpha
    blurred = small.filter(ImageFilter.GaussianBlur(soft / 4)).resize(alpha.size)
    blurred = blurred.point(lambda v: v * strength)
    picture.paste(BLACK, (at[0] - pad + soft // 2, at[1] - pad + soft), blurred)
    stamp(picture, sprite, at)


@lru_cache(maxsize=64)
def font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return Pillow's built-in font."""
    return ImageFont.load_default(size)


def lettering(
    text: str, height: int, colour: Colour, weight: float = 0.0, spacing: float = 0.0
) -> Image.Image:
    """Return the text as an RGBA sprite, cut to its ink.

    ``weight`` thickens the strokes and ``spacing`` parts the letters, both as a share of the
    height.
    """
    face = font(max(8, height))
    stroke = round(height * weight)
    gap = height * spacing
    widths = [face.getlength(letter) for letter in text]
    total = int(sum(widths) + gap * max(0, len(text) - 1)) + 2 * stroke + height
    alpha = Image.new("L", (total, height * 2))
    draw = ImageDraw.Draw(alpha)
    x = height / 2
    for letter, width in zip(text, widths, strict=True):
        draw.text((x, height * 0.3), letter, fill=255, font=face, stroke_width=stroke)
        x += width + gap
    ink = alpha.getbbox() or (0, 0, 1, 1)
    alpha = alpha.crop(ink)
    sprite = Image.new("RGBA", alpha.size, (*colour, 255))
    sprite.putalpha(alpha)
    return sprite


def fit(sprite: Image.Image, width: float, height: float) -> Image.Image:
    """Scale a sprite to lie within a box, keeping its proportions."""
    scale = min(width / sprite.width, height / sprite.height)
    size = (max(1, round(sprite.width * scale)), max(1, round(sprite.height * scale)))
    return sprite.resize(size, Image.Resampling.BICUBIC)


def centre(picture: Image.Image, sprite: Image.Image, at: Point) -> None:
    """Stamp a sprite with its middle on a point."""
    stamp(picture, sprite, (round(at[0] - sprite.width / 2), round(at[1] - sprite.height / 2)))


def warp(sprite: Image.Image, corners: Sequence[Point], size: tuple[int, int]) -> Image.Image:
    """Return the RGBA sprite seen in perspective.

    ``corners`` are where its upper left, upper right, lower right and lower left corners go on a
    sheet of the given size.
    """
    w, h = sprite.size
    rows, right = [], []
    for (x, y), (u, v) in zip(corners, [(0, 0), (w, 0), (w, h), (0, h)], strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        right += [u, v]
    solved = np.linalg.solve(np.asarray(rows, float), np.asarray(right, float))
    return sprite.transform(
        size, Image.Transform.PERSPECTIVE, solved.tolist(), Image.Resampling.BICUBIC
    )


def star(at: Point, radius: float, points: int, inner: float, turn: float = 0.0) -> list[Point]:
    """Return the corners of a star."""
    corners = []
    for i in range(points * 2):
        r = radius if i % 2 == 0 else radius * inner
        a = turn + math.pi * i / points - math.pi / 2
        corners.append((at[0] + r * math.cos(a), at[1] + r * math.sin(a)))
    return corners


def soft_layer(
    picture: Image.Image, paint: Callable[[ImageDraw.ImageDraw], None], blur: float, colour: Colour
) -> None:
    """Lay a blurred colour where ``paint`` draws (white on black) on a sheet of a quarter size."""
    sheet = Image.new("L", (picture.width // 4, picture.height // 4))
    paint(ImageDraw.Draw(sheet))
    mask = sheet.filter(ImageFilter.GaussianBlur(blur / 4)).resize(picture.size)
    picture.paste(colour, (0, 0), mask)


def grain(picture: Image.Image, rng: np.random.Generator, strength: float) -> Image.Image:
    """Return the picture with the fine noise of a camera."""
    pixels = np.asarray(picture, dtype=np.int16)
    noise: NDArray[np.int16] = (
        rng.standard_normal(pixels.shape[:2], dtype=np.float32) * strength
    ).astype(np.int16)
    return Image.fromarray(np.clip(pixels + noise[:, :, None], 0, 255).astype(np.uint8), "RGB")


def vignette(picture: Image.Image, strength: float) -> None:
    """Darken the corners."""
    away = Image.radial_gradient("L").resize(picture.size, Image.Resampling.BILINEAR)
    picture.paste(BLACK, (0, 0), away.point(lambda v: max(0.0, v - 110) * strength))
