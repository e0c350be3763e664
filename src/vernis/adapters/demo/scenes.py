"""Places of the demo, empty and with their keywords: four under the sky, four under a roof."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vernis.adapters.demo.canvas import BLACK, Colour, Rng, Sheet, Size, mix, pick, tint, vary

Scene = tuple[Sheet, set[str]]

GROUND = 0.88
"""Where things stand, as a share of the height."""

ALONG = np.linspace(0, 1, 160)
LIGHTS = ("day", "day", "sunset", "night")
SKIES: dict[str, tuple[tuple[Colour, ...], ...]] = {
    "day": (((52, 122, 204), (130, 186, 232), (222, 238, 246)),
            ((96, 164, 214), (176, 212, 232), (246, 240, 222))),
    "sunset": (((52, 40, 96), (184, 76, 108), (250, 156, 84), (255, 220, 150)),
               ((36, 58, 110), (222, 110, 96), (255, 190, 110))),
    "night": (((6, 10, 30), (20, 32, 72), (52, 62, 112)),
              ((10, 8, 26), (46, 26, 78), (96, 58, 112))),
}  # fmt: skip
DIM = {"day": 0.0, "sunset": -0.3, "night": -0.5}
BACKDROPS: tuple[Colour, ...] = (
    (236, 234, 230), (214, 226, 234), (244, 222, 200), (206, 222, 206), (232, 208, 216),
    (250, 226, 130), (120, 150, 180), (70, 76, 92), (176, 92, 84), (64, 122, 118),
)  # fmt: skip
WOODS: tuple[Colour, ...] = ((150, 102, 64), (112, 70, 44), (188, 144, 98), (86, 62, 52))
WALLS: tuple[Colour, ...] = ((206, 200, 188), (160, 180, 176), (226, 198, 170), (92, 110, 120))


def _draw_sky(size: Size, rng: Rng, light: str) -> Sheet:
    """Draw sun and clouds, or moon and stars."""
    stops = [vary(tone, rng, 10) for tone in pick(rng, SKIES[light])]
    sheet = Sheet(size, *stops)
    x, y, disc = rng.uniform(0.15, 0.85), rng.uniform(0.12, 0.3), (255, 246, 214)
    if light == "night":
        for _ in range(100):
            r, tone = rng.uniform(0.001, 0.002), tint(stops[1], rng.uniform(0.4, 0.9))
            sheet.disc(rng.random(), rng.uniform(0, 0.6), r, tone)
    elif rng.random() < 0.7:
        for _ in range(4):
            cx, cy, r = rng.random(), rng.uniform(0.08, 0.36), rng.uniform(0.1, 0.2)
            for dx, part in ((-0.6, 0.6), (0, 1.0), (0.5, 0.7)):
                sheet.glow(cx + dx * r, cy, r * part, tint(stops[-1], 0.5), 1, 0.45)
    sheet.glow(x, y, 0.16 if light == "night" else 0.5, disc, 0.8)
    sheet.disc(x, y + 0.22 * (light == "sunset"), 0.04, disc)
    return sheet


def _fill_below(sheet: Sheet, line: NDArray[np.float64], level: float, ink: Colour) -> None:
    sheet.poly([*zip(ALONG, level - line, strict=True), (1, 1), (0, 1)], ink)


def _ridge(rng: Rng, rough: float, bends: int) -> NDArray[np.float64]:
    """Return the heights of a mountain ridge along the picture."""
    line = np.zeros_like(ALONG)
    for detail in (1, 3, 9):
        knots = rng.uniform(-rough, rough, bends * detail + 2) / detail
        line += np.interp(ALONG, np.linspace(0, 1, len(knots)), knots)
    return line


def _draw_mountains(sheet: Sheet, rng: Rng, light: str) -> set[str]:
    """Draw ridges in the haze, snowy or green, with firs in front."""
    snowy = rng.random() < 0.4
    near = (70, 88, 104) if snowy else pick(rng, ((36, 74, 66), (60, 82, 52), (64, 60, 84)))
    near, haze = tint(near, DIM[light]), pick(rng, SKIES[light])[1]
    for i in range(4):
        tone, line = mix(haze, near, 0.3 + 0.23 * i), _ridge(rng, 0.13 - 0.022 * i, 3 + i)
        if snowy and i < 3:
            _fill_below(sheet, line, 0.46 + 0.1 * i, tint(tone, 0.65))
            line = line * 0.55 - 0.05
        _fill_below(sheet, line, 0.46 + 0.1 * i, tone)
    ground = tint((226, 233, 242) if snowy else vary((74, 108, 62), rng), DIM[light])
    _fill_below(sheet, _ridge(rng, 0.02, 3), 0.84, ground)
    for _ in range(int(rng.integers(8, 22))):
        x, foot, high = rng.random(), rng.uniform(0.84, 0.95), rng.uniform(0.08, 0.2)
        for i in range(3):
            half, base = high * (0.1 + 0.05 * i), foot - high * (0.5 - 0.25 * i)
            fir = [(x, foot - high * (1 - 0.26 * i)), (x + half, base), (x - half, base)]
            sheet.poly(fir, tint(near, -0.35))
    return {"snow"} if snowy else set()


def _draw_beach(sheet: Sheet, rng: Rng, light: str) -> set[str]:
    """Draw sea and sand, often with a parasol."""
    sea = [tint(c, DIM[light]) for c in ((24, 110, 160), (50, 164, 186), (130, 210, 206))]
    horizon, shore = rng.uniform(0.42, 0.52), rng.uniform(0.64, 0.74)
    depth = shore - horizon + 0.04
    water = Sheet((sheet.w, int(depth * sheet.h)), *sea)
    sheet.put(water.picture, 0.5, horizon + depth / 2)
    for _ in range(40):
        x, y = rng.random(), horizon + (shore - horizon) * rng.random() ** 0.7
        sheet.line([(x, y), (x + rng.uniform(0.02, 0.09), y)], 0.002, tint(sea[1], 0.45))
    waves = 0.012 * np.sin(ALONG * rng.uniform(5, 9) + rng.uniform(0, 6))
    _fill_below(sheet, waves + 0.012, shore, tint(sea[2], 0.6))
    _fill_below(sheet, waves, shore, tint(vary((234, 206, 158), rng, 8), DIM[light]))
    if rng.random() < 0.6:
        x = rng.uniform(0.1, 0.9)
        cloth = pick(rng, ((220, 70, 60), (40, 130, 160), (240, 180, 60)))
        sheet.box(x - 0.004, 0.56, x + 0.004, 0.88, (240, 236, 226))
        for i in range(180, 360, 30):
            ink = (250, 244, 232) if i % 60 else cloth
            sheet.disc(x, 0.68, 0.16, ink, span=(i, i + 30))
    return {"sea"}


def _draw_city(sheet: Sheet, rng: Rng, light: str) -> set[str]:
    """Draw a skyline over a street, its windows lit at night."""
    tone = {"day": (120, 138, 158), "sunset": (86, 62, 92), "night": (20, 22, 44)}[light]
    lamp, lit = ((206, 222, 234), 0.75) if light == "day" else ((255, 220, 140), 0.5)
    for layer in range(2):
        x = -0.05
        while x < 1:
            wide, top = rng.uniform(0.08, 0.17), rng.uniform(0.22, 0.5 + 0.12 * layer)
            body = vary(tone if layer else mix(tone, (200, 200, 214), 0.3), rng, 10)
            sheet.box(x, top, x + wide, 0.82, body)
            if rng.random() < 0.25:
                sheet.poly([(x, top), (x + wide / 2, top - 0.07), (x + wide, top)], body)
            across, up = wide / 4, wide / 4 * sheet.w / sheet.h
            for i in np.flatnonzero(rng.random(int((0.8 - top) / up) * 4 * layer) < lit):
                left, high = x + (i % 4 + 0.28) * across, top + (i // 4 + 0.3) * up
                sheet.box(left, high, left + across * 0.44, high + up * 0.5, lamp)
            x += wide + rng.uniform(0, 0.025)
    road = tint((116, 114, 116), DIM[light])
    sheet.box(0, 0.8, 1, 1, road)
    sheet.box(0, 0.8, 1, 0.83, tint(road, 0.2))
    for _ in range(10 * (light == "night")):
        sheet.glow(rng.random(), rng.uniform(0.7, 0.84), 0.07, (255, 190, 110), 0.8)
    return set()


def _draw_meadow(sheet: Sheet, rng: Rng, light: str) -> set[str]:
    """Draw rolling fields with round trees and flowers."""
    field = pick(rng, ((120, 170, 66), (196, 172, 70), (92, 148, 84)))
    for i in range(4):
        hills = 0.05 * np.sin(ALONG * rng.uniform(3, 7) + rng.uniform(0, 6))
        tone = mix(field, (170, 196, 190), 0.5 - 0.16 * i)
        _fill_below(sheet, hills, 0.54 + 0.1 * i, tint(tone, DIM[light] - 0.05 * i))
        for _ in range(int(rng.integers(0, 5))):
            x, foot, r = rng.random(), 0.53 + 0.1 * i, 0.012 + 0.012 * i
            leaf = tint(vary((58, 110, 52), rng), DIM[light])
            sheet.box(x - r * 0.15, foot - r, x + r * 0.15, foot + r, (92, 70, 50))
            for dx, dy in ((-0.6, -2), (0.6, -2.1), (0, -3)):
                sheet.disc(x + dx * r, foot + dy * r, r, tint(leaf, -0.1 * dx))
    flower = tint(pick(rng, ((232, 70, 70), (250, 220, 80), (210, 130, 220))), DIM[light])
    for depth in rng.random(140):
        sheet.disc(rng.random(), 0.82 + 0.18 * depth, 0.002 + 0.004 * depth, flower)
    return {"trees"}


def _draw_studio(size: Size, rng: Rng, colour: Colour) -> Scene:
    """Draw a seamless backdrop with a spot of light, sometimes with an arch or a disc."""
    tone = vary(pick(rng, BACKDROPS), rng, 10)
    if rng.random() < 0.65:
        tone = vary(tint(colour, rng.uniform(0.15, 0.6)), rng, 8)
    sheet = Sheet(size, tint(tone, -0.12), tint(tone, 0.12), tint(tone, -0.16))
    sheet.glow(rng.uniform(0.3, 0.7), 0.42, 0.7, tint(tone, 0.5), 0.8)
    accent = pick(rng, (tint(tone, 0.45), tint(tone, -0.3), vary((224, 150, 120), rng, 30)))
    x, r, decor = rng.uniform(0.35, 0.65), rng.uniform(0.2, 0.34), rng.random()
    if decor < 0.45:
        sheet.disc(x, 0.44, r, accent)
    if decor < 0.25:
        sheet.box(x - r, 0.44, x + r, 0.9, accent)
    if rng.random() < 0.7:
        sheet.box(0, 0.74, 1, 1, tint(tone, -rng.uniform(0.05, 0.3)))
    return sheet, {"studio"}


def _draw_table(size: Size, rng: Rng, _colour: Colour) -> Scene:
    """Draw a wooden table before a room that is out of focus."""
    wall, left = vary(pick(rng, WALLS), rng), rng.uniform(0.05, 0.5)
    sheet = Sheet(size, tint(wall, -0.15), tint(wall, 0.1))
    for shift in (0, 0.2):
        sheet.box(left + shift, 0.08, left + shift + 0.16, 0.5, tint(wall, 0.6))
    for _ in range(5):
        x, y, r = rng.random(), rng.uniform(0.3, 0.55), rng.uniform(0.05, 0.12)
        sheet.disc(x, y, r, vary((112, 140, 104), rng))
    sheet.defocus()
    wood, top = vary(pick(rng, WOODS), rng, 10), rng.uniform(0.58, 0.68)
    count = int(rng.integers(5, 9))
    boards = Sheet((size[0], int(size[1] * (1 - top))), tint(wood, 0.15), wood, tint(wood, -0.25))
    for i in np.arange(-count, 2 * count):
        for far, width in (((i + 0.5) / count, 0.004), ((i + rng.random()) / count, 0.002)):
            boards.line([(far, 0), (far * 2.2 - 0.6, 1)], width, tint(wood, -90 * width))
    sheet.put(boards.picture, 0.5, (1 + top) / 2)
    return sheet, {"table", "wood"}


def _draw_bar(size: Size, rng: Rng, _colour: Colour) -> Scene:
    """Draw a dim bar with shelves, blurred lights and a dark counter."""
    warm = pick(rng, ((70, 36, 26), (44, 30, 52), (30, 44, 52)))
    sheet = Sheet(size, tint(warm, -0.4), warm, tint(warm, -0.5))
    for shelf in (0.26, 0.5):
        for _ in range(12):
            x, high, tone = rng.random(), rng.uniform(0.09, 0.17), vary((80, 60, 44), rng, 36)
            sheet.box(x - 0.017, shelf - high * 0.7, x + 0.017, shelf, tone)
            sheet.box(x - 0.006, shelf - high, x + 0.006, shelf, tone)
        sheet.box(0, shelf, 1, shelf + 0.014, tint(warm, -0.65))
    sheet.defocus()
    for _ in range(int(rng.integers(9, 18))):
        lamp = pick(rng, ((255, 200, 110), (255, 150, 90), (250, 230, 190), (150, 190, 250)))
        sheet.glow(rng.random(), rng.uniform(0, 0.55), rng.uniform(0.04, 0.14), lamp, 0.7)
    wood = vary(pick(rng, WOODS[:2]), rng, 8)
    for i, share in enumerate((0.25, -0.2, -0.4, -0.6)):
        sheet.box(0, 0.74 + 0.06 * i, 1, 1, tint(wood, share))
    return sheet, {"bar", "night"}


def _draw_wall(size: Size, rng: Rng, _colour: Colour) -> Scene:
    """Draw a wall of bricks or plaster to hang a poster on."""
    tone = vary(pick(rng, WALLS), rng)
    sheet = Sheet(size, tint(tone, 0.1), tint(tone, -0.15))
    if rng.random() < 0.5:
        brick = vary(pick(rng, ((168, 92, 70), (198, 186, 172), (110, 100, 98))), rng, 12)
        sheet.box(0, 0, 1, 1, tint(brick, -0.25))
        for row, column in np.ndindex(20, 11):
            x, y = (column - 0.5 * (row % 2) - 0.5) / 9, row / 20
            sheet.box(x + 0.003, y + 0.003, x + 0.108, y + 0.047, vary(brick, rng, 12))
    sheet.glow(rng.uniform(0.2, 0.8), 0, 0.8, (255, 246, 224), 0.35)
    sheet.box(0, 0.9, 1, 1, vary((90, 86, 86), rng, 20))
    return sheet, {"wall"}


LANDS: dict[str, Callable[[Sheet, Rng, str], set[str]]] = {
    "beach": _draw_beach,
    "mountains": _draw_mountains,
    "city": _draw_city,
    "meadow": _draw_meadow,
}
ROOMS: dict[str, Callable[[Size, Rng, Colour], Scene]] = {
    "studio": _draw_studio,
    "table": _draw_table,
    "bar": _draw_bar,
    "wall": _draw_wall,
}


def draw_place(name: str, size: Size, rng: Rng, colour: Colour = BLACK) -> Scene:
    """Return the place of that name and its keywords; ``colour`` is that of a studio's brand."""
    if name in ROOMS:
        return ROOMS[name](size, rng, colour)
    light = pick(rng, LIGHTS)
    sheet = _draw_sky(size, rng, light)
    return sheet, {name, light, "outdoor"} | LANDS[name](sheet, rng, light)
