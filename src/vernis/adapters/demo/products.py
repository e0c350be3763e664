"""Sprites of the demo's products: bottles, cans, glasses, crates."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw

from vernis.adapters.demo.brands import Brand, draw_emblem, draw_label, draw_wordmark
from vernis.adapters.demo.canvas import (
    WHITE,
    Colour,
    centre,
    cylinder,
    darken,
    fit,
    gradient,
    lighten,
    mix,
    pick,
    shade_round,
    stamp,
    vary,
)

# Half widths of a silhouette along its height: height from the top, half width, …, both shares.
BOTTLES: dict[str, tuple[float, ...]] = {
    "long": (0, 0.15, 0.03, 0.16, 0.05, 0.13, 0.3, 0.16, 0.44, 0.44, 0.5, 0.48, 1, 0.48),
    "stubby": (0, 0.17, 0.04, 0.18, 0.06, 0.15, 0.2, 0.18, 0.33, 0.47, 0.38, 0.5, 1, 0.5),
    "wine": (0, 0.14, 0.05, 0.15, 0.06, 0.12, 0.27, 0.13, 0.36, 0.42, 0.41, 0.45, 1, 0.45),
    "wavy": (
        0,
        0.17,
        0.05,
        0.18,
        0.07,
        0.15,
        0.22,
        0.2,
        0.4,
        0.46,
        0.62,
        0.37,
        0.82,
        0.46,
        1,
        0.44,
    ),
}


def outline(profile: tuple[float, ...], size: tuple[int, int]) -> Image.Image:
    """Return the mask of a symmetric silhouette, smoothed."""
    w, h = size
    heights = np.linspace(0, 1, 120)
    halves = np.interp(heights, profile[0::2], profile[1::2])
    kernel = np.ones(5) / 5
    smooth = np.convolve(np.pad(halves, 2, mode="edge"), kernel, mode="valid")
    right = [(2 * w * (0.5 + x), 2 * h * y) for y, x in zip(heights, smooth, strict=True)]
    left = [(2 * w - x, y) for x, y in reversed(right)]
    mask = Image.new("L", (2 * w, 2 * h))
    draw = ImageDraw.Draw(mask)
    draw.polygon(right + left, fill=255)
    base = w * 0.12
    draw.rectangle((0, 2 * h - base, 2 * w, 2 * h), fill=0)
    foot = 2 * w * smooth[-1]
    draw.rounded_rectangle((w - foot, 2 * (h - base), w + foot, 2 * h - 1), base, fill=255)
    return mask.reduce(2)


def draw_bottle(brand: Brand, rng: np.random.Generator) -> Image.Image:
    """Return a bottle of the brand; shape, label, fill level and cap vary."""
    w, h = 220, 720
    shape = brand.bottle
    mask = outline(BOTTLES[shape], (w, h))
    glass = vary(brand.glass, rng, 12)
    body = cylinder((w, h), glass, shine=0.5)
    level = int(h * rng.uniform(0.12, 0.3))
    liquid = cylinder((w, h - level), mix(glass, brand.drink, 0.6), shine=0.45)
    body.paste(liquid, (0, level))
    sprite = body.convert("RGBA")
    top, bottom = (0.5, 0.9) if shape != "wavy" else (0.46, 0.84)
    design = int(rng.choice(brand.designs))
    label = draw_label(brand, (int(w * 0.96), int(h * (bottom - top))), design)
    stamp(sprite, shade_round(label), (int(w * 0.02), int(h * top)))
    if rng.random() < 0.6:
        collar = Image.new("RGBA", (w, int(h * 0.06)), (*brand.main, 255))
        ImageDraw.Draw(collar).rectangle((0, 0, w, 6), fill=brand.accent)
        stamp(sprite, shade_round(collar), (0, int(h * 0.24)))
    cap = pick(rng, (brand.main, brand.accent, (196, 190, 178)))
    sprite.paste(cylinder((w, int(h * 0.045)), cap), (0, 0))
    if rng.random() < 0.4:
        _add_dew(sprite, rng, (int(h * 0.3), h))
    sprite.putalpha(mask)
    return sprite


def _add_dew(sprite: Image.Image, rng: np.random.Generator, span: tuple[int, int]) -> None:
    """Sprinkle drops of water on a cold surface."""
    drops = Image.new("RGBA", sprite.size)
    draw = ImageDraw.Draw(drops)
    for _ in range(90):
        x, y, r = rng.uniform(0, sprite.width), rng.uniform(*span), rng.uniform(1.5, 5)
        draw.ellipse((x - r, y - r, x + r, y + r * 1.3), fill=(255, 255, 255, 70))
        draw.ellipse((x - r * 0.5, y - r * 0.6, x, y), fill=(255, 255, 255, 170))
    sprite.alpha_composite(drops)


def draw_can(brand: Brand, rng: np.random.Generator) -> Image.Image:
    """Return a can of the brand; slim or stout, of one of four designs."""
    slim = rng.random() < 0.4
    w, h = (220, 560) if slim else (300, 500)
    skirt = int(h * 0.07)
    art = draw_label(brand, (w, h - 2 * skirt), int(rng.choice(brand.designs)))
    if rng.random() < 0.4:
        _add_pattern(art, brand, rng)
    body = Image.new("RGBA", (w, h))
    metal = (206, 210, 216)
    body.paste(cylinder((w, h), metal, shine=0.7), (0, 0))
    stamp(body, shade_round(art, depth=0.55, shine=0.4), (0, skirt))
    if rng.random() < 0.4:
        _add_dew(body, rng, (skirt, h - skirt))
    profile = (0, 0.4, 0.02, 0.42, 0.07, 0.495, 0.93, 0.495, 0.985, 0.41, 1, 0.4)
    body.putalpha(outline(profile, (w, h)))
    rim = ImageDraw.Draw(body)
    box = (w * 0.1, -h * 0.012, w * 0.9, h * 0.03)
    rim.ellipse(box, fill=(226, 229, 234, 255), outline=(150, 154, 160, 255), width=3)
    return body


def _add_pattern(art: Image.Image, brand: Brand, rng: np.random.Generator) -> None:
    """Print dots or slanting stripes over the upper and lower edge of a can."""
    draw = ImageDraw.Draw(art)
    w, h = art.size
    if rng.random() < 0.5:
        for i in range(12):
            for y in (0.05, 0.93):
                x, r = w * (i + 0.5) / 12, w * 0.022
                draw.ellipse((x - r, h * y - r, x + r, h * y + r), fill=brand.accent)
        return
    for i in range(-2, 14):
        x = w * i / 12
        band = [(x, 0), (x + w * 0.04, 0), (x + w * 0.08, h * 0.12), (x + w * 0.04, h * 0.12)]
        draw.polygon(band, fill=brand.accent)


GLASSES: dict[str, tuple[float, ...]] = {
    "pint": (0, 0.47, 0.1, 0.48, 0.3, 0.46, 0.9, 0.34, 1, 0.35),
    "tumbler": (0, 0.48, 0.9, 0.43, 1, 0.42),
    "highball": (0, 0.4, 0.95, 0.36, 1, 0.36),
    "goblet": (0, 0.36, 0.2, 0.46, 0.4, 0.43, 0.54, 0.2, 0.6, 0.05, 0.9, 0.045, 0.94, 0.3, 1, 0.38),
}


def draw_glass(brand: Brand, rng: np.random.Generator) -> tuple[Image.Image, set[str]]:
    """Return a filled glass with the brand's drink, and what lies in it."""
    shape = brand.tumbler if rng.random() < 0.6 else str(rng.choice(list(GLASSES)))
    w = 300
    h = {"pint": 520, "tumbler": 340, "highball": 520, "goblet": 560}[shape]
    mask = outline(GLASSES[shape], (w, h))
    depth = 0.52 if shape == "goblet" else 0.9
    level = rng.uniform(0.1, 0.3) * depth
    inside = Image.new("RGBA", (w, h), (226, 236, 240, 90))
    drink = vary(brand.drink, rng, 10)
    stops = [lighten(drink, 0.25), drink, darken(drink, 0.25)]
    liquid = gradient((w, int(h * (depth - level))), stops).convert("RGBA")
    inside.paste(liquid, (0, int(h * level)))
    draw = ImageDraw.Draw(inside)
    found: set[str] = set()
    if brand.emblem in ("mountain", "crown") and shape in ("pint", "goblet"):
        _add_foam(draw, rng, w, h, level)
        found.add("foam")
    if shape in ("tumbler", "highball") and rng.random() < 0.75:
        _add_ice(inside, rng, (level, depth))
        found.add("ice")
    _add_bubbles(draw, rng, (w, h), (level + 0.05, depth))
    if rng.random() < 0.6 and shape != "goblet":
        ink = WHITE if sum(drink) < 420 else brand.main
        centre(inside, draw_emblem(brand, int(w * 0.36), ink, drink), (w / 2, h * 0.55))
    alpha = inside.getchannel("A")
    shaded = shade_round(inside, depth=0.28, shine=0.5)
    alpha.paste(0, (0, 0), mask.point(lambda v: 255 - v))
    shaded.putalpha(alpha)
    _rim(shaded, GLASSES[shape][1])
    if shape in ("tumbler", "highball") and rng.random() < 0.6:
        shaded = _add_slice(shaded, rng)
        found.add("fruit")
    return shaded, found


def _rim(glass: Image.Image, half: float) -> None:
    w = glass.width
    box = (w * (0.5 - half), 0, w * (0.5 + half), w * 0.07)
    ImageDraw.Draw(glass).ellipse(box, outline=(255, 255, 255, 210), width=4)


def _add_foam(
    draw: ImageDraw.ImageDraw, rng: np.random.Generator, w: int, h: int, level: float
) -> None:
    top, foam = h * level, h * rng.uniform(0.07, 0.13)
    draw.rectangle((0, top - foam * 0.5, w, top + foam), fill=(252, 246, 230, 255))
    for _ in range(34):
        x, y, r = rng.uniform(0, w), top + rng.uniform(-0.55, 0.95) * foam, rng.uniform(10, 24)
        tint = int(rng.integers(236, 255))
        draw.ellipse((x - r, y - r, x + r, y + r), fill=(tint, tint - 5, tint - 20, 255))


def _add_bubbles(
    draw: ImageDraw.ImageDraw,
    rng: np.random.Generator,
    size: tuple[int, int],
    span: tuple[float, float],
) -> None:
    for _ in range(40):
        x, y = rng.uniform(0.1, 0.9) * size[0], rng.uniform(*span) * size[1]
        r = rng.uniform(2, 6)
        draw.ellipse((x - r, y - r, x + r, y + r), outline=(255, 255, 255, 190), width=2)


def _add_ice(inside: Image.Image, rng: np.random.Generator, span: tuple[float, float]) -> None:
    for _ in range(5):
        side = int(rng.uniform(70, 104))
        cube = Image.new("RGBA", (side, side))
        draw = ImageDraw.Draw(cube)
        box = (3, 3, side - 4, side - 4)
        draw.rounded_rectangle(
            box, 16, fill=(255, 255, 255, 88), outline=(255, 255, 255, 200), width=4
        )
        draw.line((14, side * 0.3, side * 0.4, 12), fill=(255, 255, 255, 220), width=6)
        turned = cube.rotate(float(rng.uniform(0, 90)), Image.Resampling.BICUBIC, expand=True)
        x = int(rng.uniform(0.08, 0.65) * inside.width)
        y = int((span[0] - 0.05 + rng.uniform(0, 0.4)) * inside.height)
        inside.alpha_composite(turned, (x, max(0, y)))


def _add_slice(glass: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Put a slice of citrus on the rim; the sprite grows to hold it."""
    peel: Colour = pick(rng, ((250, 208, 50), (246, 140, 40), (130, 190, 60)))
    side = int(glass.width * 0.52)
    sheet = Image.new("RGBA", (glass.width + side // 2, glass.height + side // 3))
    fruit = Image.new("RGBA", (side, side))
    draw = ImageDraw.Draw(fruit)
    draw.ellipse((0, 0, side - 1, side - 1), fill=peel)
    draw.ellipse((8, 8, side - 9, side - 9), fill=lighten(peel, 0.85))
    middle = side / 2
    for i in range(9):
        box = (16, 16, side - 17, side - 17)
        draw.pieslice(box, i * 40 + 3, i * 40 + 37, fill=lighten(peel, 0.25))
    draw.ellipse((middle - 7, middle - 7, middle + 7, middle + 7), fill=lighten(peel, 0.85))
    sheet.alpha_composite(fruit, (glass.width - side // 2, 0))
    sheet.alpha_composite(glass, (0, side // 3))
    return sheet


def draw_crate(brand: Brand, rng: np.random.Generator) -> Image.Image:
    """Return a crate or carton with the necks of several bottles."""
    w, h = 640, 560
    sheet = Image.new("RGBA", (w, h))
    count = int(rng.integers(4, 6))
    bottles = [fit(draw_bottle(brand, rng), 200, 400) for _ in range(2)]
    for row in range(2):
        for i in range(count):
            bottle = bottles[int(rng.integers(2))]
            x = int((i + 0.5 + 0.22 * (row - 0.5)) * w / count - bottle.width / 2)
            sheet.alpha_composite(bottle, (min(max(0, x), w - bottle.width), 10 + 26 * row))
    wooden = rng.random() < 0.4
    ground = vary((172, 122, 74), rng) if wooden else vary(brand.main, rng, 10)
    top = int(h * 0.42)
    front = gradient((w, h - top), [lighten(ground, 0.12), ground, darken(ground, 0.3)])
    panel = front.convert("RGBA")
    draw = ImageDraw.Draw(panel)
    if wooden:
        for i in (1, 2):
            y = panel.height * i / 3
            draw.line((0, y, w, y), fill=(*darken(ground, 0.5), 255), width=10)
    else:
        draw.rounded_rectangle((w * 0.38, 16, w * 0.62, 54), 18, fill=(*darken(ground, 0.6), 255))
    ink = darken(brand.main, 0.3) if wooden else brand.second
    emblem = draw_emblem(brand, 120, ink, ground)
    word = fit(draw_wordmark(brand, 90, ink), w * 0.55, 80)
    centre(panel, emblem, (w * 0.17, panel.height * 0.56))
    centre(panel, word, (w * 0.6, panel.height * 0.58))
    sheet.paste(panel, (0, top))
    edge = math.ceil(w * 0.02)
    ImageDraw.Draw(sheet).rectangle(
        (0, top, w - 1, h - 1), outline=(*darken(ground, 0.4), 255), width=edge
    )
    return sheet
