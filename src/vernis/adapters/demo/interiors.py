"""Places of the demo under a roof: studio, table, bar, wall."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

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
from vernis.adapters.demo.scenes import Scene

BACKDROPS: tuple[Colour, ...] = (
    (236, 234, 230),
    (214, 226, 234),
    (244, 222, 200),
    (206, 222, 206),
    (232, 208, 216),
    (250, 226, 130),
    (120, 150, 180),
    (70, 76, 92),
    (176, 92, 84),
    (64, 122, 118),
)
WOODS: tuple[Colour, ...] = ((150, 102, 64), (112, 70, 44), (188, 144, 98), (86, 62, 52))


def draw_studio(
    size: tuple[int, int], rng: np.random.Generator, colour: Colour | None = None
) -> Scene:
    """Return a seamless backdrop with a spot of light, sometimes with an arch or a disc.

    ``colour`` is a brand's; without it, and at times with it, any backdrop will do.
    """
    w, h = size
    tone = vary(pick(rng, BACKDROPS), rng, 10)
    if colour is not None and rng.random() < 0.65:
        tone = vary(lighten(colour, float(rng.uniform(0.15, 0.6))), rng, 8)
    picture = gradient(size, [darken(tone, 0.12), lighten(tone, 0.12), darken(tone, 0.16)])
    glow(picture, (w * rng.uniform(0.3, 0.7), h * 0.42), w * 0.7, lighten(tone, 0.5), 0.8)
    draw = ImageDraw.Draw(picture)
    accent = pick(rng, (lighten(tone, 0.45), darken(tone, 0.3), vary((224, 150, 120), rng, 30)))
    decor = rng.random()
    if decor < 0.25:
        x, r = w * rng.uniform(0.35, 0.65), w * rng.uniform(0.24, 0.34)
        draw.rounded_rectangle((x - r, h * 0.14, x + r, h * 0.86), r, fill=accent)
    elif decor < 0.45:
        x, y, r = w * rng.uniform(0.3, 0.7), h * rng.uniform(0.35, 0.5), w * rng.uniform(0.2, 0.36)
        draw.ellipse((x - r, y - r, x + r, y + r), fill=accent)
    if rng.random() < 0.7:
        floor = darken(tone, rng.uniform(0.05, 0.3))
        depth = int(h * 0.26)
        picture.paste(gradient((w, depth), [lighten(floor, 0.1), floor]), (0, h - depth))
    return Scene(picture, frozenset({"studio"}), 0.88)


def _planks(size: tuple[int, int], wood: Colour, rng: np.random.Generator) -> Image.Image:
    """Return boards seen from a low angle, so wider towards the front."""
    w, h = size
    boards = gradient(size, [lighten(wood, 0.15), wood, darken(wood, 0.25)])
    draw = ImageDraw.Draw(boards)
    count = int(rng.integers(5, 9))
    for i in range(-count, 2 * count):
        far, near = w * (i + 0.5) / count, w * (0.5 + ((i + 0.5) / count - 0.5) * 2.2)
        draw.line((far, 0, near, h), fill=darken(wood, 0.45), width=3)
        for _ in range(3):
            s = rng.uniform(0, 1)
            a, b = far + s * w / count, near + s * w * 2.2 / count
            draw.line((a, 0, b, h), fill=darken(wood, rng.uniform(0.06, 0.18)), width=2)
    draw.line((0, 1, w, 1), fill=lighten(wood, 0.4), width=4)
    return boards


def draw_table(size: tuple[int, int], rng: np.random.Generator) -> Scene:
    """Return a wooden table before a room that is out of focus."""
    w, h = size
    wall = vary(
        pick(rng, ((214, 206, 190), (160, 180, 176), (226, 198, 170), (120, 130, 140))), rng
    )
    picture = gradient(size, [darken(wall, 0.15), lighten(wall, 0.1)])

    def window(draw: ImageDraw.ImageDraw) -> None:
        x = rng.uniform(0.05, 0.5) * w / 4
        for i in range(2):
            left = x + i * w * 0.05
            draw.rectangle((left, h * 0.02, left + w * 0.04, h * 0.125), fill=230)

    soft_layer(picture, window, 10, (255, 250, 232))
    greens = [
        (rng.uniform(0, w), rng.uniform(0.3, 0.55) * h, rng.uniform(0.05, 0.12) * w)
        for _ in range(5)
    ]

    def plants(draw: ImageDraw.ImageDraw) -> None:
        for x, y, r in greens:
            draw.ellipse(((x - r) / 4, (y - r) / 4, (x + r) / 4, (y + r) / 4), fill=170)

    soft_layer(picture, plants, 14, vary((84, 120, 78), rng))
    wood = vary(pick(rng, WOODS), rng, 10)
    top = int(h * rng.uniform(0.58, 0.68))
    picture.paste(_planks((w, h - top), wood, rng), (0, top))
    return Scene(picture, frozenset({"table", "wood"}), 0.9)


def draw_bar(size: tuple[int, int], rng: np.random.Generator) -> Scene:
    """Return a dim bar with shelves, blurred lights and a dark counter."""
    w, h = size
    warm: Colour = pick(rng, ((70, 36, 26), (44, 30, 52), (30, 44, 52)))
    picture = gradient(size, [darken(warm, 0.4), warm, darken(warm, 0.5)])
    draw = ImageDraw.Draw(picture)
    for shelf in (0.26, 0.5):
        for _ in range(int(rng.integers(9, 15))):
            x, height, half = rng.uniform(0, w), h * rng.uniform(0.09, 0.17), w * 0.017
            tone = pick(
                rng, ((120, 74, 34), (60, 90, 60), (150, 120, 80), (110, 40, 50), (90, 110, 120))
            )
            draw.rectangle(
                (x - half, h * shelf - height * 0.7, x + half, h * shelf), fill=darken(tone, 0.3)
            )
            draw.rectangle(
                (x - half * 0.35, h * shelf - height, x + half * 0.35, h * shelf),
                fill=darken(tone, 0.3),
            )
        draw.rectangle((0, h * shelf, w, h * shelf + h * 0.014), fill=darken(warm, 0.65))
    picture = picture.reduce(4).filter(ImageFilter.GaussianBlur(2)).resize(size)
    for _ in range(int(rng.integers(9, 18))):
        lamp = pick(rng, ((255, 200, 110), (255, 150, 90), (250, 230, 190), (150, 190, 250)))
        at = (rng.uniform(0, w), rng.uniform(0, 0.55) * h)
        r = w * rng.uniform(0.02, 0.06)
        glow(picture, at, r * 3, lamp, 0.35)
        ImageDraw.Draw(picture, "RGBA").ellipse(
            (at[0] - r, at[1] - r, at[0] + r, at[1] + r), fill=(*lamp, 80)
        )
    top = int(h * 0.74)
    wood = vary(pick(rng, WOODS[:2]), rng, 8)
    picture.paste(
        gradient((w, h - top), [lighten(wood, 0.25), darken(wood, 0.2), darken(wood, 0.6)]),
        (0, top),
    )
    return Scene(picture, frozenset({"bar", "night"}), 0.9)


def draw_wall(size: tuple[int, int], rng: np.random.Generator) -> Scene:
    """Return a wall of bricks, plaster or concrete to hang a poster on."""
    w, h = size
    kind = rng.integers(3)
    if kind == 0:
        brick = vary(pick(rng, ((168, 92, 70), (198, 186, 172), (110, 100, 98))), rng, 12)
        picture = Image.new("RGB", size, darken(brick, 0.25))
        draw = ImageDraw.Draw(picture)
        bw, bh = w / 9, h / 20
        for row in range(21):
            for column in range(-1, 10):
                x, y = (column + 0.5 * (row % 2)) * bw, row * bh
                draw.rectangle((x + 2, y + 2, x + bw - 2, y + bh - 2), fill=vary(brick, rng, 12))
    else:
        tone = vary(
            pick(rng, ((206, 200, 188), (150, 160, 164), (222, 204, 176), (92, 110, 120))), rng
        )
        picture = gradient(size, [lighten(tone, 0.1), darken(tone, 0.15)])
        if kind == 2:
            draw = ImageDraw.Draw(picture)
            for i in (1, 2):
                draw.line((w * i / 3, 0, w * i / 3, h), fill=darken(tone, 0.2), width=3)
    glow(picture, (w * rng.uniform(0.2, 0.8), 0), w * 0.8, (255, 246, 224), 0.35)
    floor = int(h * 0.9)
    ground = mix((110, 104, 100), (60, 60, 66), rng.random())
    picture.paste(gradient((w, h - floor), [ground, darken(ground, 0.35)]), (0, floor))
    return Scene(picture, frozenset({"wall"}), 0.9)
