"""The invented brands of the demo: colours, emblem and wordmark."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PIL import Image, ImageDraw

from vernis.adapters.demo.canvas import (
    Colour,
    centre,
    darken,
    fit,
    lettering,
    lighten,
    star,
)


@dataclass(frozen=True, slots=True)
class Brand:
    """An invented brand.

    ``glass`` is the colour of its bottles, ``drink`` of what is in them. ``bottle`` and ``tumbler``
    are the shapes of its bottle and of the glass that it prefers, ``designs`` those of its label,
    ``world`` the place of its campaigns.
    """

    name: str
    main: Colour
    second: Colour
    accent: Colour
    emblem: str
    slogan: str
    glass: Colour
    drink: Colour
    capitals: bool
    weight: float
    spacing: float
    bottle: str
    tumbler: str
    designs: tuple[int, ...]
    world: str


BRANDS: tuple[Brand, ...] = (
    Brand(
        "Aldermoor", (22, 82, 58), (243, 234, 208), (201, 158, 66), "mountain",
        "Brewed above the clouds", (38, 74, 44), (226, 150, 34), False, 0.03, 0.0,
        "stubby", "pint", (0, 0, 2), "mountains",
    ),
    Brand(
        "Brisalto", (244, 124, 32), (16, 140, 140), (255, 236, 170), "sun",
        "Taste the long summer", (214, 232, 224), (255, 148, 40), False, 0.04, 0.03,
        "wavy", "highball", (3, 3, 2), "beach",
    ),
    Brand(
        "Korvatt", (24, 24, 28), (214, 176, 88), (176, 28, 36), "crown",
        "Made after midnight", (34, 26, 22), (96, 44, 20), True, 0.02, 0.16,
        "long", "goblet", (0, 0, 2), "bar",
    ),
    Brand(
        "Lumefizz", (226, 62, 140), (108, 62, 190), (255, 240, 120), "star",
        "Sparks in every sip", (238, 214, 230), (250, 120, 170), False, 0.04, 0.05,
        "wavy", "tumbler", (2, 2, 3), "city",
    ),
    Brand(
        "Nordquelle", (28, 98, 176), (236, 246, 252), (98, 196, 232), "drop",
        "Born in the ice", (176, 214, 236), (206, 234, 246), True, 0.0, 0.1,
        "long", "tumbler", (1, 3), "studio",
    ),
    Brand(
        "Tavorra", (124, 22, 50), (238, 216, 178), (74, 112, 62), "leaf",
        "Slow grapes, quick smiles", (58, 22, 34), (130, 16, 46), False, 0.01, 0.04,
        "wine", "goblet", (1, 1, 0), "table",
    ),
)  # fmt: skip


def find_brand(name: str) -> Brand:
    """Return the brand of that name."""
    return next(brand for brand in BRANDS if brand.name == name)


def draw_emblem(brand: Brand, side: int, ink: Colour, ground: Colour) -> Image.Image:
    """Return the emblem as an RGBA sprite of ``side`` × ``side`` pixels."""
    s = side * 2
    sheet = Image.new("RGBA", (s, s))
    draw = ImageDraw.Draw(sheet)
    painters = {
        "mountain": _mountain,
        "sun": _sun,
        "crown": _crown,
        "star": _star,
        "drop": _drop,
        "leaf": _leaf,
    }
    painters[brand.emblem](draw, s, ink, ground)
    return sheet.reduce(2)


def _mountain(draw: ImageDraw.ImageDraw, s: int, ink: Colour, ground: Colour) -> None:
    draw.ellipse((s * 0.04, s * 0.04, s * 0.96, s * 0.96), fill=ink)
    draw.ellipse((s * 0.09, s * 0.09, s * 0.91, s * 0.91), outline=ground, width=max(2, s // 50))
    draw.polygon([(s * 0.17, s * 0.7), (s * 0.43, s * 0.28), (s * 0.69, s * 0.7)], fill=ground)
    draw.polygon([(s * 0.47, s * 0.7), (s * 0.66, s * 0.42), (s * 0.84, s * 0.7)], fill=ground)
    peak = [(s * 0.43, s * 0.28), (s * 0.52, s * 0.43), (s * 0.45, s * 0.4), (s * 0.35, s * 0.41)]
    draw.polygon(peak, fill=ink)


def _sun(draw: ImageDraw.ImageDraw, s: int, ink: Colour, ground: Colour) -> None:
    draw.polygon(star((s / 2, s / 2), s * 0.48, 14, 0.72), fill=ink)
    draw.ellipse((s * 0.22, s * 0.22, s * 0.78, s * 0.78), fill=ground)
    draw.ellipse((s * 0.27, s * 0.27, s * 0.73, s * 0.73), fill=ink)
    for i, y in enumerate((0.52, 0.6, 0.67)):
        inset = 0.3 + 0.04 * i
        draw.line((s * inset, s * y, s * (1 - inset), s * y), fill=ground, width=max(2, s // 36))


def _crown(draw: ImageDraw.ImageDraw, s: int, ink: Colour, ground: Colour) -> None:
    teeth = [
        (0.1, 0.3),
        (0.3, 0.5),
        (0.5, 0.16),
        (0.7, 0.5),
        (0.9, 0.3),
        (0.82, 0.74),
        (0.18, 0.74),
    ]
    draw.polygon([(s * x, s * y) for x, y in teeth], fill=ink)
    draw.rectangle((s * 0.18, s * 0.78, s * 0.82, s * 0.86), fill=ink)
    for x, y in ((0.1, 0.28), (0.5, 0.13), (0.9, 0.28)):
        r = s * 0.055
        draw.ellipse((s * x - r, s * y - r, s * x + r, s * y + r), fill=ink)
    for x in (0.34, 0.5, 0.66):
        gem = [
            (s * x, s * 0.56),
            (s * (x + 0.04), s * 0.63),
            (s * x, s * 0.7),
            (s * (x - 0.04), s * 0.63),
        ]
        draw.polygon(gem, fill=ground)


def _star(draw: ImageDraw.ImageDraw, s: int, ink: Colour, ground: Colour) -> None:
    draw.polygon(star((s * 0.46, s * 0.52), s * 0.45, 5, 0.46, 0.2), fill=ink)
    draw.polygon(star((s * 0.46, s * 0.52), s * 0.25, 5, 0.46, 0.2), fill=ground)
    for x, y, r in ((0.84, 0.2, 0.09), (0.9, 0.42, 0.05), (0.66, 0.08, 0.04)):
        draw.ellipse((s * (x - r), s * (y - r), s * (x + r), s * (y + r)), fill=ink)


def _drop(draw: ImageDraw.ImageDraw, s: int, ink: Colour, ground: Colour) -> None:
    points = []
    for i in range(60):
        a = 2 * math.pi * i / 60
        width = 0.33 * math.sin(a) * math.sin(a / 2) ** 1.3
        points.append((s * (0.5 + width), s * (0.52 - 0.45 * math.cos(a))))
    draw.polygon(points, fill=ink)
    for i, y in enumerate((0.62, 0.72, 0.81)):
        half = 0.2 - 0.045 * i
        box = (s * (0.5 - half), s * (y - 0.06), s * (0.5 + half), s * (y + 0.06))
        draw.arc(box, 20, 160, fill=ground, width=max(2, s // 34))


def _leaf(draw: ImageDraw.ImageDraw, s: int, ink: Colour, ground: Colour) -> None:
    for turn in (-0.75, 0.0, 0.75):
        points = []
        for i in range(40):
            t = i / 39
            half = 0.15 * math.sin(math.pi * t) ** 0.8
            points.append((t * 0.74, half))
        outline = points + [(x, -y) for x, y in reversed(points)]
        a = turn - math.pi / 2
        turned = [
            (
                s * (0.5 + x * math.cos(a) - y * math.sin(a)),
                s * (0.88 + x * math.sin(a) + y * math.cos(a)),
            )
            for x, y in outline
        ]
        draw.polygon(turned, fill=ink)
        tip = (s * (0.5 + 0.6 * math.cos(a)), s * (0.88 + 0.6 * math.sin(a)))
        draw.line((s * 0.5, s * 0.88, *tip), fill=ground, width=max(2, s // 60))


def draw_wordmark(brand: Brand, height: int, ink: Colour) -> Image.Image:
    """Return the brand's name as an RGBA sprite."""
    text = brand.name.upper() if brand.capitals else brand.name
    return lettering(text, height, ink, brand.weight, brand.spacing)


def draw_label(brand: Brand, size: tuple[int, int], design: int) -> Image.Image:
    """Return the printed label of a bottle or can, an opaque RGBA sprite; ``design`` is 0..3."""
    w, h = size
    ground, ink = (brand.main, brand.second) if design % 2 == 0 else (brand.second, brand.main)
    sheet = Image.new("RGBA", size, (*ground, 255))
    draw = ImageDraw.Draw(sheet)
    edge = max(2, h // 30)
    if design < 2:
        for y in (edge * 2, h - edge * 3):
            draw.rectangle((0, y, w, y + edge), fill=brand.accent)
    else:
        draw.polygon([(0, h * 0.78), (w, h * 0.55), (w, h), (0, h)], fill=brand.accent)
        draw.polygon([(0, h * 0.84), (w, h * 0.62), (w, h), (0, h)], fill=ink)
    side = int(min(w * 0.5, h * 0.42))
    centre(sheet, draw_emblem(brand, side, ink, ground), (w / 2, h * 0.31))
    word = fit(draw_wordmark(brand, max(18, h // 4), ink), w * 0.78, h * 0.2)
    centre(sheet, word, (w / 2, h * 0.62))
    strip = darken(brand.accent, 0.2) if design < 2 else lighten(ground, 0.2)
    for i, share in enumerate((0.5, 0.36)):
        line = h * (0.79 + 0.06 * i)
        draw.line(
            (w * (0.5 - share / 2), line, w * (0.5 + share / 2), line), fill=strip, width=edge
        )
    return sheet
