"""Posters and logos of the demo."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw

from vernis.adapters.demo.brands import Brand, draw_emblem, draw_wordmark
from vernis.adapters.demo.canvas import (
    Colour,
    centre,
    darken,
    fit,
    glow,
    gradient,
    lettering,
    lighten,
    place,
    stamp,
    star,
)
from vernis.adapters.demo.products import draw_bottle, draw_can, draw_glass

HEADLINES: tuple[tuple[str, str], ...] = (
    ("SUMMER", "summer"),
    ("NEW", "launch"),
    ("LIVE TONIGHT", "festival"),
    ("WINTER EDITION", "winter"),
    ("2 FOR 1", "sale"),
    ("OPEN AIR", "festival"),
)


def draw_poster(brand: Brand, rng: np.random.Generator) -> tuple[Image.Image, set[str]]:
    """Return a printed sheet with headline, product and brand, and its keywords."""
    w, h = (560, 780) if rng.random() < 0.7 else (780, 560)
    ground = [brand.main, brand.second, brand.accent][int(rng.integers(3))]
    ink = brand.second if ground == brand.main else brand.main
    sheet = gradient((w, h), [lighten(ground, 0.12), darken(ground, 0.12)]).convert("RGBA")
    draw = ImageDraw.Draw(sheet)
    _decorate(sheet, draw, brand, ground, rng)
    head, word = HEADLINES[int(rng.integers(len(HEADLINES)))]
    words = {"text", word}
    title = fit(lettering(head, 110, ink, 0.04, 0.03), w * 0.84, h * 0.14)
    centre(sheet, title, (w / 2, h * 0.12))
    kind = int(rng.integers(4))
    if kind < 3:
        sprite = (
            (draw_bottle, draw_can)[kind % 2](brand, rng) if kind < 2 else draw_glass(brand, rng)[0]
        )
        height = h * rng.uniform(0.46, 0.54)
        angle = float(rng.uniform(-14, 14)) if rng.random() < 0.5 else 0.0
        place(sheet, sprite, (w * rng.uniform(0.38, 0.62), h * 0.77), height, angle, 0.3)
        words.add(("bottle", "can", "glass")[kind])
    else:
        centre(sheet, draw_emblem(brand, int(min(w, h) * 0.5), ink, ground), (w / 2, h * 0.47))
    name = fit(draw_wordmark(brand, 100, ink), w * 0.7, h * 0.11)
    centre(sheet, name, (w / 2, h * 0.86))
    line = fit(lettering(brand.slogan, 36, ink), w * 0.6, h * 0.035)
    centre(sheet, line, (w / 2, h * 0.945))
    if rng.random() < 0.5:
        edge = max(6, w // 60)
        draw.rectangle((edge, edge, w - edge, h - edge), outline=ink, width=edge // 2)
    return sheet, words


def _decorate(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    brand: Brand,
    ground: Colour,
    rng: np.random.Generator,
) -> None:
    """Lay rays, rings, a band or waves on the sheet."""
    w, h = sheet.size
    tone = lighten(ground, 0.14) if sum(ground) < 480 else darken(ground, 0.08)
    kind = int(rng.integers(4))
    if kind == 0:
        reach = math.hypot(w, h)
        for i in range(12):
            box = (w / 2 - reach, h * 0.5 - reach, w / 2 + reach, h * 0.5 + reach)
            draw.pieslice(box, i * 30, i * 30 + 15, fill=tone)
    elif kind == 1:
        for i in range(6, 0, -1):
            r = min(w, h) * 0.11 * i
            box = (w / 2 - r, h * 0.5 - r, w / 2 + r, h * 0.5 + r)
            draw.ellipse(box, fill=tone if i % 2 else ground)
    elif kind == 2:
        draw.polygon([(0, h * 0.62), (w, h * 0.36), (w, h * 0.66), (0, h * 0.92)], fill=tone)
        draw.polygon(
            [(0, h * 0.74), (w, h * 0.48), (w, h * 0.53), (0, h * 0.79)], fill=brand.accent
        )
    else:
        for _ in range(40):
            x, y, r = rng.uniform(0, w), rng.uniform(0, h), rng.uniform(4, 34)
            draw.ellipse((x - r, y - r, x + r, y + r), fill=tone)
    glow(sheet, (w / 2, h * 0.46), min(w, h) * 0.5, lighten(ground, 0.5), 0.35)


LOGO_LAYOUTS = ("stacked", "beside", "badge", "seal", "tile", "word", "emblem", "ribbon")


def draw_logo(
    brand: Brand, layout: str, ground: Colour, rng: np.random.Generator
) -> tuple[Image.Image, set[str]]:
    """Return a logo in one of the layouts on a ground of that colour, and its keywords."""
    w, h = (720, 720) if layout in ("badge", "seal", "tile", "emblem") else (860, 560)
    inks: tuple[Colour, ...] = (brand.main, brand.second, brand.accent)
    ink = max(inks, key=lambda c: _contrast(c, ground))
    sheet = Image.new("RGBA", (w, h), (*ground, 255))
    draw = ImageDraw.Draw(sheet)
    name = draw_wordmark(brand, 150, ink)
    scale = float(rng.uniform(0.8, 1.0))
    if layout == "stacked":
        centre(sheet, draw_emblem(brand, int(270 * scale), ink, ground), (w / 2, h * 0.36))
        centre(sheet, fit(name, w * 0.7 * scale, 110), (w / 2, h * 0.77))
    elif layout == "beside":
        centre(sheet, draw_emblem(brand, int(230 * scale), ink, ground), (w * 0.2, h / 2))
        centre(sheet, fit(name, w * 0.54 * scale, 120), (w * 0.64, h / 2))
    elif layout == "word":
        centre(sheet, fit(name, w * 0.82 * scale, 200), (w / 2, h * 0.46))
        draw.line((w * 0.2, h * 0.66, w * 0.8, h * 0.66), fill=brand.accent, width=12)
    elif layout == "emblem":
        centre(sheet, draw_emblem(brand, int(520 * scale), ink, ground), (w / 2, h / 2))
    elif layout == "ribbon":
        _ribbon(sheet, brand, ink, ground)
    elif layout == "tile":
        for i in range(5):
            for j in range(5):
                tint = ink if (i + j) % 2 else brand.accent
                mark = draw_emblem(brand, 96, tint, ground)
                centre(sheet, mark, (w * (i + 0.5) / 5, h * (j + 0.5) / 5))
    else:
        _round_mark(sheet, brand, layout, ink, ground)
    words = {"white background"} if min(ground) > 230 else set()
    if layout not in ("tile", "emblem"):
        words.add("text")
    return sheet, words | {"graphic"}


def _contrast(a: Colour, b: Colour) -> int:
    return sum(abs(x - y) for x, y in zip(a, b, strict=True))


def _ribbon(sheet: Image.Image, brand: Brand, ink: Colour, ground: Colour) -> None:
    w, h = sheet.size
    draw = ImageDraw.Draw(sheet)
    for side in (0, 1):
        x = w * (0.04 + 0.92 * side)
        inner = w * (0.22 + 0.56 * side)
        notch = w * (0.1 + 0.8 * side)
        points = [
            (x, h * 0.4),
            (inner, h * 0.4),
            (inner, h * 0.72),
            (x, h * 0.72),
            (notch, h * 0.56),
        ]
        draw.polygon(points, fill=darken(ink, 0.25))
    draw.rectangle((w * 0.13, h * 0.32, w * 0.87, h * 0.64), fill=ink)
    centre(sheet, fit(draw_wordmark(brand, 130, ground), w * 0.6, h * 0.18), (w / 2, h * 0.48))
    centre(sheet, draw_emblem(brand, 110, ink, ground), (w / 2, h * 0.17))


def _round_mark(sheet: Image.Image, brand: Brand, layout: str, ink: Colour, ground: Colour) -> None:
    w, h = sheet.size
    draw = ImageDraw.Draw(sheet)
    r = w * 0.44
    if layout == "seal":
        draw.polygon(star((w / 2, h / 2), r * 1.06, 24, 0.92), fill=ink)
    else:
        draw.ellipse((w / 2 - r, h / 2 - r, w / 2 + r, h / 2 + r), fill=ink)
    inner = r * 0.88
    box = (w / 2 - inner, h / 2 - inner, w / 2 + inner, h / 2 + inner)
    draw.ellipse(box, outline=ground, width=8)
    centre(sheet, draw_emblem(brand, int(r * 0.78), ground, ink), (w / 2, h * 0.38))
    name = fit(draw_wordmark(brand, 120, ground), r * 1.3, r * 0.3)
    stamp(sheet, name, (int(w / 2 - name.width / 2), int(h * 0.62)))
