"""The invented brands of the demo: colours, emblem, wordmark and label."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from vernis.adapters.demo.canvas import WHITE, Colour, Sheet, Size, lettering, star, tint


@dataclass(frozen=True, slots=True)
class Brand:
    """An invented brand.

    ``wordmark`` is its name as it is printed, with strokes thickened by ``weight``. ``glass`` is
    the colour of its bottles, ``drink`` of what is in them; ``bottle`` and ``tumbler`` are the
    shapes of its bottle and its glass, ``designs`` those of its labels and posters, ``world`` the
    place of its campaigns.
    """

    name: str
    wordmark: str
    slogan: str
    main: Colour
    second: Colour
    accent: Colour
    glass: Colour
    drink: Colour
    weight: float
    bottle: str
    tumbler: str
    designs: tuple[int, ...]
    world: str

    @property
    def grounds(self) -> tuple[Colour, ...]:
        """Five grounds for a logo that nobody takes for one another."""
        second = tint(self.main, 0.6) if sum(self.second) > 630 else self.second
        dark = tint(self.accent, -0.55) if sum(self.main) < 120 else (20, 20, 22)
        return WHITE, self.main, second, self.accent, dark

    def ink_on(self, ground: Colour) -> Colour:
        """Return that of the brand's colours that is the farthest from the ground."""
        return max((self.main, self.second, self.accent), key=lambda c: math.dist(c, ground))


BRANDS: tuple[Brand, ...] = (
    Brand(
        "Aldermoor", "Aldermoor", "Brewed above the clouds",
        (22, 82, 58), (243, 234, 208), (201, 158, 66), (38, 74, 44), (226, 150, 34),
        0.03, "stubby", "pint", (0, 0, 2), "mountains",
    ),
    Brand(
        "Brisalto", "Brisalto", "Taste the long summer",
        (244, 124, 32), (16, 140, 140), (255, 236, 170), (214, 232, 224), (255, 148, 40),
        0.04, "wavy", "highball", (3, 3, 2), "beach",
    ),
    Brand(
        "Korvatt", "K O R V A T T", "Made after midnight",
        (24, 24, 28), (214, 176, 88), (176, 28, 36), (34, 26, 22), (96, 44, 20),
        0.02, "long", "goblet", (0, 0, 2), "bar",
    ),
    Brand(
        "Lumefizz", "Lumefizz", "Sparks in every sip",
        (226, 62, 140), (108, 62, 190), (255, 240, 120), (238, 214, 230), (250, 120, 170),
        0.04, "wavy", "tumbler", (2, 2, 3), "city",
    ),
    Brand(
        "Nordquelle", "NORDQUELLE", "Born in the ice",
        (28, 98, 176), (236, 246, 252), (98, 196, 232), (176, 214, 236), (206, 234, 246),
        0.0, "long", "tumbler", (1, 3), "studio",
    ),
    Brand(
        "Tavorra", "Tavorra", "Slow grapes, quick smiles",
        (124, 22, 50), (238, 216, 178), (74, 112, 62), (58, 22, 34), (130, 16, 46),
        0.01, "wine", "goblet", (1, 1, 0), "table",
    ),
)  # fmt: skip


def draw_emblem(brand: Brand, ink: Colour, ground: Colour) -> Image.Image:
    """Return the emblem in two colours as a square RGBA sprite."""
    sheet = Sheet((280, 280))
    match brand.name:
        case "Aldermoor":  # two peaks in a ring
            sheet.disc(0.5, 0.5, 0.46, ink)
            sheet.arc(0.5, 0.5, 0.41, 0.02, ground)
            sheet.poly([(0.17, 0.7), (0.43, 0.28), (0.69, 0.7)], ground)
            sheet.poly([(0.47, 0.7), (0.66, 0.42), (0.84, 0.7)], ground)
            sheet.poly([(0.43, 0.28), (0.52, 0.43), (0.45, 0.4), (0.35, 0.41)], ink)
        case "Brisalto":  # a sun over the sea
            sheet.poly(star(0.48, 14, 0.72), ink)
            sheet.disc(0.5, 0.5, 0.28, ground)
            sheet.disc(0.5, 0.5, 0.23, ink)
            for i in range(3):
                half, y = 0.2 - 0.04 * i, 0.52 + 0.075 * i
                sheet.line([(0.5 - half, y), (0.5 + half, y)], 0.028, ground)
        case "Korvatt":  # a crown
            teeth = [(0.1, 0.3), (0.3, 0.5), (0.5, 0.16), (0.7, 0.5), (0.9, 0.3)]
            sheet.poly([*teeth, (0.82, 0.74), (0.18, 0.74)], ink)
            sheet.box(0.18, 0.78, 0.82, 0.86, ink)
            for x, y in teeth[::2]:
                sheet.disc(x, y - 0.03, 0.055, ink)
            for x in (0.34, 0.5, 0.66):
                sheet.disc(x, 0.63, 0.035, ground)
        case "Lumefizz":  # a star that sparkles
            sheet.poly(star(0.45, 5, 0.46, 0.2), ink)
            sheet.poly(star(0.25, 5, 0.46, 0.2), ground)
            for x, y, r in ((0.86, 0.18, 0.09), (0.94, 0.4, 0.05), (0.7, 0.06, 0.04)):
                sheet.disc(x, y, r, ink)
        case "Nordquelle":  # a drop
            around = np.linspace(0, 2 * np.pi, 60)
            bulge = 0.33 * np.sin(around) * np.abs(np.sin(around / 2)) ** 1.3
            sheet.poly(zip(0.5 + bulge, 0.52 - 0.45 * np.cos(around), strict=True), ink)
            for i, y in enumerate((0.5, 0.62, 0.73)):
                sheet.arc(0.5, y, 0.17 - 0.035 * i, 0.028, ground, (30, 150))
        case _:  # three leaves
            along = np.concatenate([np.linspace(0, 1, 30), np.linspace(1, 0, 30)])
            width = 0.15 * np.sin(np.pi * along) ** 0.8 * np.repeat([1, -1], 30)
            for turn in (-0.75, 0.0, 0.75):
                x = 0.74 * along * np.sin(turn) + width * np.cos(turn)
                y = -0.74 * along * np.cos(turn) + width * np.sin(turn)
                sheet.poly(zip(0.5 + x, 0.88 + y, strict=True), ink)
                tip = (0.5 + 0.6 * math.sin(turn), 0.88 - 0.6 * math.cos(turn))
                sheet.line([(0.5, 0.88), tip], 0.016, ground)
    return sheet.picture


def draw_wordmark(brand: Brand, ink: Colour) -> Image.Image:
    """Return the brand's name as an RGBA sprite."""
    return lettering(brand.wordmark, ink, brand.weight)


def draw_label(brand: Brand, size: Size, design: int) -> Image.Image:
    """Return the printed label of a bottle or can; ``design`` is 0..3."""
    ground, ink = (brand.main, brand.second) if design % 2 == 0 else (brand.second, brand.main)
    sheet = Sheet(size, ground)
    if design < 2:
        sheet.box(0, 0.06, 1, 0.095, brand.accent)
        sheet.box(0, 0.905, 1, 0.94, brand.accent)
    else:
        sheet.poly([(0, 0.78), (1, 0.55), (1, 1), (0, 1)], brand.accent)
        sheet.poly([(0, 0.84), (1, 0.62), (1, 1), (0, 1)], ink)
    sheet.put(draw_emblem(brand, ink, ground), 0.5, 0.31, 0.5, 0.42)
    sheet.put(draw_wordmark(brand, ink), 0.5, 0.62, 0.78, 0.2)
    strip = tint(brand.accent, -0.2) if design < 2 else tint(ground, 0.2)
    sheet.box(0.25, 0.775, 0.75, 0.8, strip)
    sheet.box(0.32, 0.83, 0.68, 0.86, strip)
    return sheet.picture
