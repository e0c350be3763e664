"""Places of the demo: studio, table, bar, beach, mountains, city, meadow."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from vernis.adapters.demo.canvas import (
    Colour,
    darken,
    glow,
    gradient,
    lighten,
    mix,
    pick,
    soft_layer,
    vary,
)


@dataclass(frozen=True, slots=True)
class Scene:
    """An empty place: the picture, its keywords, where the ground begins (share of the height)."""

    picture: Image.Image
    keywords: frozenset[str]
    ground: float


SKIES: dict[str, list[list[Colour]]] = {
    "day": [
        [(52, 122, 204), (130, 186, 232), (222, 238, 246)],
        [(96, 164, 214), (176, 212, 232), (246, 240, 222)],
    ],
    "sunset": [
        [(52, 40, 96), (184, 76, 108), (250, 156, 84), (255, 220, 150)],
        [(36, 58, 110), (222, 110, 96), (255, 190, 110)],
    ],
    "night": [
        [(6, 10, 30), (20, 32, 72), (52, 62, 112)],
        [(10, 8, 26), (46, 26, 78), (96, 58, 112)],
    ],
}


def draw_sky(size: tuple[int, int], rng: np.random.Generator, light: str) -> Image.Image:
    """Return a sky with sun, moon, stars or clouds."""
    options = SKIES[light]
    stops = [vary(c, rng, 10) for c in options[int(rng.integers(len(options)))]]
    w, h = size
    sky = gradient(size, stops)
    x, y = rng.uniform(0.15, 0.85) * w, h * rng.uniform(0.12, 0.3)
    if light == "night":
        draw = ImageDraw.Draw(sky)
        for _ in range(120):
            sx, sy, r = rng.uniform(0, w), rng.uniform(0, h * 0.6), rng.uniform(0.6, 2.2)
            draw.ellipse(
                (sx - r, sy - r, sx + r, sy + r), fill=lighten(stops[1], rng.uniform(0.4, 0.95))
            )
        glow(sky, (x, y), w * 0.16, (200, 210, 240), 0.5)
        draw.ellipse(
            (x - w * 0.035, y - w * 0.035, x + w * 0.035, y + w * 0.035), fill=(246, 242, 224)
        )
        return sky
    low = h * rng.uniform(0.4, 0.52) if light == "sunset" else y
    sun: Colour = (255, 226, 150) if light == "sunset" else (255, 250, 226)
    glow(sky, (x, low), w * 0.5, sun, 0.8)
    r = w * (0.06 if light == "sunset" else 0.04)
    ImageDraw.Draw(sky).ellipse((x - r, low - r, x + r, low + r), fill=lighten(sun, 0.5))
    if rng.random() < 0.7:
        _add_clouds(sky, rng, lighten(stops[-1], 0.55 if light == "day" else 0.2))
    return sky


def _add_clouds(sky: Image.Image, rng: np.random.Generator, colour: Colour) -> None:
    w, h = sky.width // 4, sky.height // 4
    spots = [
        (rng.uniform(0, w), rng.uniform(0.06, 0.36) * h, rng.uniform(0.06, 0.13) * w)
        for _ in range(4)
    ]

    def paint(draw: ImageDraw.ImageDraw) -> None:
        for x, y, r in spots:
            for dx, grow in ((-1.2, 0.55), (-0.5, 0.85), (0.3, 1.0), (1.1, 0.6)):
                cx, half = x + dx * r, r * grow
                draw.ellipse((cx - half, y - half * 0.62, cx + half, y + half * 0.3), fill=200)

    soft_layer(sky, paint, 9, colour)


def _ridge(rng: np.random.Generator, width: int, rough: float, bends: int) -> np.ndarray:
    """Return the height of a mountain ridge over 0..1 for 160 places."""
    x = np.linspace(0, 1, 160)
    line = np.zeros_like(x)
    for octave in range(4):
        knots = rng.uniform(-1, 1, bends * 2**octave + 2)
        places = np.linspace(0, 1, len(knots))
        line += np.interp(x, places, knots) * rough / 2**octave
    return line


def _fill_below(
    draw: ImageDraw.ImageDraw, line: np.ndarray, size: tuple[int, int], level: float, colour: Colour
) -> None:
    w, h = size
    top = [(w * i / (len(line) - 1), h * (level - v)) for i, v in enumerate(line)]
    draw.polygon([*top, (w, h), (0, h)], fill=colour)


def draw_mountains(size: tuple[int, int], rng: np.random.Generator, light: str) -> Scene:
    """Return ridges in the haze, snowy or green, with firs in front."""
    w, h = size
    picture = draw_sky(size, rng, light)
    draw = ImageDraw.Draw(picture)
    snowy = bool(rng.random() < 0.4)
    haze = picture.getpixel((w // 2, int(h * 0.55)))
    assert isinstance(haze, tuple)
    near: Colour = (70, 88, 104) if snowy else pick(rng, ((36, 74, 66), (60, 82, 52), (64, 60, 84)))
    near = darken(near, {"day": 0.0, "sunset": 0.35, "night": 0.65}[light])
    for i in range(4):
        level = 0.46 + 0.1 * i
        tone = mix((haze[0], haze[1], haze[2]), near, 0.3 + 0.23 * i)
        line = _ridge(rng, w, 0.13 - 0.022 * i, 3 + i)
        if snowy and i < 3:
            _fill_below(draw, line, size, level, lighten(tone, 0.65))
            _fill_below(draw, line * 0.55 - 0.05, size, level, tone)
        else:
            _fill_below(draw, line, size, level, tone)
    ground = lighten((214, 224, 236), 0.3) if snowy else vary((74, 108, 62), rng)
    ground = darken(ground, {"day": 0.0, "sunset": 0.35, "night": 0.6}[light])
    _fill_below(draw, _ridge(rng, w, 0.02, 3), size, 0.84, ground)
    for _ in range(int(rng.integers(8, 22))):
        _fir(
            draw,
            rng.uniform(0, w),
            h * rng.uniform(0.84, 0.95),
            h * rng.uniform(0.08, 0.2),
            darken(near, 0.35),
        )
    words = {"mountains", light, "outdoor"} | ({"snow"} if snowy else set())
    return Scene(picture, frozenset(words), 0.86)


def _fir(draw: ImageDraw.ImageDraw, x: float, foot: float, height: float, colour: Colour) -> None:
    for i in range(3):
        top, base = foot - height * (1 - 0.26 * i), foot - height * (0.5 - 0.22 * i)
        half = height * (0.14 + 0.06 * i)
        draw.polygon([(x, top), (x + half, base), (x - half, base)], fill=colour)
    draw.rectangle(
        (x - height * 0.03, foot - height * 0.08, x + height * 0.03, foot), fill=darken(colour, 0.4)
    )


def draw_beach(size: tuple[int, int], rng: np.random.Generator, light: str) -> Scene:
    """Return sky, sea and sand, often with a parasol or a palm."""
    w, h = size
    picture = draw_sky(size, rng, light)
    dim = {"day": 0.0, "sunset": 0.25, "night": 0.6}[light]
    sea = [darken(c, dim) for c in ((24, 110, 160), (50, 164, 186), (130, 210, 206))]
    horizon, shore = int(h * rng.uniform(0.42, 0.52)), int(h * rng.uniform(0.64, 0.74))
    picture.paste(gradient((w, shore - horizon + 20), sea), (0, horizon))
    draw = ImageDraw.Draw(picture)
    for _ in range(46):
        y = horizon + (shore - horizon) * rng.random() ** 0.7
        x, length = rng.uniform(0, w), w * rng.uniform(0.02, 0.09)
        draw.line((x, y, x + length, y), fill=lighten(sea[1], 0.45), width=2)
    sand = darken(vary((234, 206, 158), rng, 8), dim)
    line = 0.012 * np.sin(np.linspace(0, rng.uniform(5, 9), 160) + rng.uniform(0, 6))
    _fill_below(draw, line + 0.012, size, shore / h, lighten(sea[2], 0.6))
    _fill_below(draw, line, size, shore / h, sand)
    for _ in range(70):
        x, y = rng.uniform(0, w), rng.uniform(shore + h * 0.03, h)
        draw.ellipse((x, y, x + 6, y + 3), fill=darken(sand, 0.1))
    if rng.random() < 0.45:
        _parasol(
            draw,
            (w * rng.uniform(0.1, 0.9), h * 0.86),
            h * 0.34,
            pick(rng, ((220, 70, 60), (40, 130, 160), (240, 180, 60))),
        )
    elif rng.random() < 0.6:
        _palm(
            draw,
            (w * float(rng.choice([0.08, 0.92])), h * 0.9),
            h * 0.62,
            darken((52, 96, 56), dim),
            rng,
        )
    return Scene(picture, frozenset({"beach", light, "outdoor", "sea"}), 0.84)


def _parasol(
    draw: ImageDraw.ImageDraw, foot: tuple[float, float], height: float, colour: Colour
) -> None:
    x, y = foot
    r = height * 0.55
    draw.line((x, y, x, y - height), fill=(240, 236, 226), width=max(3, int(height * 0.03)))
    draw.pieslice((x - r, y - height - r * 0.1, x + r, y - height + r * 1.3), 180, 360, fill=colour)
    for i in (-1, 1):
        a, b = x + i * r * 0.2, x + i * r * 0.6
        wedge = (min(a, b), y - height - r * 0.1, max(a, b), y - height + r * 1.3)
        draw.pieslice(wedge, 180, 360, fill=(250, 244, 232))


def _palm(
    draw: ImageDraw.ImageDraw,
    foot: tuple[float, float],
    height: float,
    leaf: Colour,
    rng: np.random.Generator,
) -> None:
    x, y = foot
    lean = rng.uniform(-0.15, 0.15) * height
    trunk = [(x + lean * t**2, y - height * t) for t in np.linspace(0, 1, 12)]
    draw.line(trunk, fill=(122, 92, 62), width=max(6, int(height * 0.045)))
    tx, ty = trunk[-1]
    for angle in np.linspace(-2.9, -0.25, 8) + rng.uniform(-0.15, 0.15):
        length = height * 0.34
        upper, lower = [], []
        for t in np.linspace(0, 1, 10):
            px = tx + math.cos(angle) * length * t
            py = ty + math.sin(angle) * length * t * 0.7 + length * 0.7 * t**2
            half = length * 0.09 * math.sin(math.pi * t) + 1
            upper.append((px, py - half))
            lower.append((px, py + half))
        draw.polygon(upper + lower[::-1], fill=leaf)


def draw_city(size: tuple[int, int], rng: np.random.Generator, light: str) -> Scene:
    """Return a skyline over a street, windows lit at night."""
    w, h = size
    picture = draw_sky(size, rng, light)
    draw = ImageDraw.Draw(picture)
    tone: Colour = {"day": (120, 138, 158), "sunset": (86, 62, 92), "night": (20, 22, 44)}[light]
    lamp: Colour = (255, 220, 140) if light != "day" else (206, 222, 234)
    for layer in range(2):
        x = -w * 0.05
        shade = mix(tone, (200, 200, 214), 0.3) if layer == 0 else tone
        while x < w:
            width, top = (
                w * rng.uniform(0.08, 0.17),
                h * rng.uniform(0.22, 0.5 if layer == 0 else 0.62),
            )
            body = vary(shade, rng, 10)
            draw.rectangle((x, top, x + width, h), fill=body)
            if rng.random() < 0.25:
                draw.polygon(
                    [(x, top), (x + width / 2, top - h * 0.07), (x + width, top)], fill=body
                )
            if layer == 1:
                _windows(
                    draw, rng, (x, top, x + width, h * 0.8), lamp, 0.75 if light == "day" else 0.5
                )
            x += width + w * rng.uniform(0, 0.025)
    road = {"day": (116, 114, 116), "sunset": (70, 58, 72), "night": (28, 28, 42)}[light]
    draw.rectangle((0, h * 0.8, w, h * 0.83), fill=lighten(road, 0.2))
    picture.paste(gradient((w, int(h * 0.17) + 1), [road, darken(road, 0.3)]), (0, int(h * 0.83)))
    if light == "night":
        for _ in range(10):
            glow(
                picture,
                (rng.uniform(0, w), h * rng.uniform(0.7, 0.84)),
                w * 0.07,
                (255, 190, 110),
                0.8,
            )
    return Scene(picture, frozenset({"city", light, "outdoor"}), 0.86)


def _windows(
    draw: ImageDraw.ImageDraw,
    rng: np.random.Generator,
    box: tuple[float, float, float, float],
    lamp: Colour,
    share: float,
) -> None:
    x0, y0, x1, y1 = box
    step = (x1 - x0) / max(3, int((x1 - x0) // 26))
    for row in range(int((y1 - y0) / step)):
        for column in range(round((x1 - x0) / step)):
            if rng.random() < share:
                x, y = x0 + (column + 0.28) * step, y0 + (row + 0.3) * step
                draw.rectangle((x, y, x + step * 0.44, y + step * 0.5), fill=vary(lamp, rng, 16))


def draw_meadow(size: tuple[int, int], rng: np.random.Generator, light: str) -> Scene:
    """Return rolling fields with round trees and flowers."""
    w, h = size
    picture = draw_sky(size, rng, light)
    draw = ImageDraw.Draw(picture)
    dim = {"day": 0.0, "sunset": 0.3, "night": 0.65}[light]
    field = pick(rng, ((120, 170, 66), (196, 172, 70), (92, 148, 84)))
    x = np.linspace(0, 1, 160)
    for i in range(4):
        line = 0.05 * np.sin(x * rng.uniform(3, 7) + rng.uniform(0, 6))
        tone = darken(mix(field, (170, 196, 190), 0.5 - 0.16 * i), dim + 0.05 * i)
        _fill_below(draw, line, size, 0.54 + 0.1 * i, tone)
        for _ in range(int(rng.integers(0, 5))):
            _tree(
                draw,
                rng.uniform(0, w),
                h * (0.53 + 0.1 * i),
                h * (0.05 + 0.035 * i),
                darken(vary((58, 110, 52), rng), dim),
            )
    flower = pick(rng, ((232, 70, 70), (250, 220, 80), (210, 130, 220), (250, 250, 244)))
    for _ in range(140):
        fx, depth = rng.uniform(0, w), rng.random()
        y, r = h * (0.82 + 0.18 * depth), 2 + 4 * depth
        draw.ellipse((fx - r, y - r, fx + r, y + r), fill=darken(vary(flower, rng), dim))
    return Scene(picture, frozenset({"meadow", light, "outdoor", "trees"}), 0.86)


def _tree(draw: ImageDraw.ImageDraw, x: float, foot: float, height: float, leaf: Colour) -> None:
    draw.rectangle(
        (x - height * 0.06, foot - height * 0.5, x + height * 0.06, foot + height * 0.1),
        fill=(92, 70, 50),
    )
    for dx, dy, r in ((-0.25, -0.75, 0.34), (0.25, -0.78, 0.34), (0, -1.0, 0.4)):
        cx, cy = x + dx * height, foot + dy * height
        shade = lighten(leaf, 0.08) if dx == 0 else leaf
        draw.ellipse(
            (cx - r * height, cy - r * height, cx + r * height, cy + r * height), fill=shade
        )
