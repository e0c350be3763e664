"""Sprites of the demo with their keywords: bottles, cans, glasses, crates and people."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageChops

from vernis.adapters.demo.brands import Brand, draw_emblem, draw_label, draw_wordmark
from vernis.adapters.demo.canvas import (
    WHITE,
    Colour,
    Rng,
    Sheet,
    Size,
    mix,
    pick,
    rounded,
    tint,
    vary,
)

Sprite = tuple[Image.Image, set[str]]

# Half widths of a silhouette along its height: height from the top, half width, …, both shares.
BOTTLES: dict[str, tuple[float, ...]] = {
    "long": (0, 0.15, 0.03, 0.16, 0.05, 0.13, 0.3, 0.16, 0.44, 0.44, 0.5, 0.48, 1, 0.48),
    "stubby": (0, 0.17, 0.04, 0.18, 0.06, 0.15, 0.2, 0.18, 0.33, 0.47, 0.38, 0.5, 1, 0.5),
    "wine": (0, 0.14, 0.05, 0.15, 0.06, 0.12, 0.27, 0.13, 0.36, 0.42, 0.41, 0.45, 1, 0.45),
    "wavy": (0, 0.17, 0.06, 0.15, 0.22, 0.2, 0.4, 0.46, 0.62, 0.37, 0.82, 0.46, 1, 0.44),
}
CAN = (0, 0.4, 0.02, 0.42, 0.07, 0.495, 0.93, 0.495, 0.985, 0.41, 1, 0.4)
GLASSES: dict[str, tuple[float, ...]] = {
    "pint": (0, 0.47, 0.1, 0.48, 0.3, 0.46, 0.9, 0.34, 1, 0.35),
    "tumbler": (0, 0.48, 0.9, 0.43, 1, 0.42),
    "highball": (0, 0.4, 0.95, 0.36, 1, 0.36),
    "goblet": (0, 0.36, 0.2, 0.46, 0.4, 0.43, 0.54, 0.2, 0.6, 0.05, 0.9, 0.045, 0.94, 0.3, 1, 0.38),
}
SKINS: tuple[Colour, ...] = (
    (252, 216, 184), (236, 188, 150), (204, 148, 108), (160, 108, 74), (110, 72, 50), (84, 54, 40),
)  # fmt: skip
HAIRS: tuple[Colour, ...] = (
    (38, 28, 26), (84, 54, 34), (140, 92, 50), (206, 164, 92), (160, 70, 40), (150, 150, 154),
)  # fmt: skip
CLOTHES: tuple[Colour, ...] = (
    (214, 84, 74), (60, 110, 170), (240, 190, 80), (84, 150, 120), (240, 238, 230), (70, 66, 84),
    (190, 120, 170), (120, 170, 200),
)  # fmt: skip


def _silhouette(profile: tuple[float, ...], size: Size) -> Image.Image:
    """Return the mask of a symmetric shape, its corners smoothed."""
    y = np.linspace(0, 1, 120)
    half = np.pad(np.interp(y, profile[::2], profile[1::2]), 2, mode="edge")
    half = np.convolve(half, np.full(5, 0.2), mode="valid")
    mask = Sheet(size, (0, 0, 0))
    x = np.concatenate([0.5 + half, 0.5 - half[::-1]])
    mask.poly(zip(x, np.concatenate([y, y[::-1]]), strict=True), WHITE)
    return mask.picture.convert("L")


def draw_bottle(brand: Brand, rng: Rng) -> Sprite:
    """Draw a bottle of the brand; label, fill level, collar, cap and dew vary."""
    glass = vary(brand.glass, rng, 12)
    sheet = Sheet((180, 590), glass)
    sheet.box(0, rng.uniform(0.12, 0.3), 1, 1, mix(glass, brand.drink, 0.6))
    label = draw_label(brand, (180, 236), pick(rng, brand.designs))
    sheet.put(label, 0.5, 0.65 if brand.bottle == "wavy" else 0.7)
    if rng.random() < 0.6:
        sheet.box(0, 0.24, 1, 0.3, brand.main)
        sheet.box(0, 0.24, 1, 0.25, brand.accent)
    sheet.box(0, 0, 1, 0.045, pick(rng, (brand.main, brand.accent, (196, 190, 178))))
    _add_dew(sheet, rng, 0.3)
    sprite = rounded(sheet.picture)
    sprite.putalpha(_silhouette(BOTTLES[brand.bottle], sprite.size))
    return sprite, {"bottle"}


def _add_dew(sheet: Sheet, rng: Rng, top: float) -> None:
    """Sprinkle drops of water at times."""
    for _ in range(70 * (rng.random() < 0.4)):
        r = rng.uniform(0.005, 0.018)
        sheet.disc(rng.random(), rng.uniform(top, 1), r, (226, 232, 238), 1.3)


def draw_can(brand: Brand, rng: Rng) -> Sprite:
    """Draw a can of the brand, slim or stout."""
    w, h = (220, 560) if rng.random() < 0.4 else (300, 500)
    sheet = Sheet((w, h), (206, 210, 216))
    sheet.put(draw_label(brand, (w, int(h * 0.86)), pick(rng, brand.designs)), 0.5, 0.5)
    for x in np.arange(0.04, 1, 0.08) if rng.random() < 0.4 else ():
        sheet.disc(x, 0.11, 0.022, brand.accent)
    _add_dew(sheet, rng, 0.1)
    sprite = Sheet((w, h))
    body = rounded(sheet.picture, 0.55)
    body.putalpha(_silhouette(CAN, (w, h)))
    sprite.put(body, 0.5, 0.5)
    sprite.disc(0.5, 0.02, 0.4, (226, 229, 234), 0.08)
    return sprite.picture, {"can"}


def draw_glass(brand: Brand, rng: Rng) -> Sprite:
    """Draw a glass with the brand's drink, at times with foam, ice or fruit."""
    shape = brand.tumbler if rng.random() < 0.6 else pick(rng, list(GLASSES))
    size = 300, {"pint": 520, "tumbler": 340, "highball": 520, "goblet": 560}[shape]
    depth = 0.52 if shape == "goblet" else 0.9
    level = rng.uniform(0.1, 0.3) * depth
    drink, found = vary(brand.drink, rng, 10), {"glass"}
    sheet = Sheet(size, tint(drink, 0.25), drink, tint(drink, -0.25))
    sheet.box(0, 0, 1, level, (226, 236, 240))
    sheet.box(0, 0, 1, 0.015, WHITE)
    if shape in ("tumbler", "highball") and rng.random() < 0.75:
        found.add("ice")
        for _ in range(5):
            x, y = rng.uniform(0.2, 0.8), level + rng.uniform(0, 0.4)
            cube = Sheet((100, 100), tint(drink, 0.65))
            cube.box(0.06, 0.06, 0.94, 0.94, tint(drink, 0.35), 0.15)
            ice = cube.picture.convert("RGBA").rotate(rng.uniform(0, 90), expand=True)
            sheet.put(ice, x, y, 0.36)
    for _ in range(40):
        x, y = rng.uniform(0.1, 0.9), rng.uniform(level + 0.05, depth)
        sheet.arc(x, y, rng.uniform(0.007, 0.02), 0.006, tint(drink, 0.6))
    if brand.name in ("Aldermoor", "Korvatt") and shape in ("pint", "goblet"):
        found.add("foam")
        for _ in range(90):
            x, y, r = rng.random(), level + rng.uniform(-0.05, 0.1), rng.uniform(0.03, 0.08)
            sheet.disc(x, y, r, vary((246, 240, 226), rng, 8))
    if rng.random() < 0.9 and shape != "goblet":
        ink = WHITE if sum(drink) < 420 else brand.main
        sheet.put(draw_emblem(brand, ink, drink), 0.5, 0.55, 0.36)
    alpha = Sheet(size, (90, 90, 90))
    alpha.box(0, 0, 1, 0.015, (210, 210, 210))
    alpha.box(0, level - 0.05 * ("foam" in found), 1, depth, WHITE)
    body = rounded(sheet.picture, 0.28, 0.5)
    shape_mask = _silhouette(GLASSES[shape], size)
    body.putalpha(ImageChops.multiply(alpha.picture.convert("L"), shape_mask))
    if shape in ("goblet", "pint") or rng.random() < 0.4:
        return body, found
    peel = pick(rng, ((250, 208, 50), (246, 140, 40), (130, 190, 60)))
    sprite = Sheet((380, size[1] + 60))
    x, y = 300 / 380, 80 / sprite.h
    for r, tone in ((0.2, 0.0), (0.18, 0.85)):
        sprite.disc(x, y, r, tint(peel, tone))
    for i in range(0, 360, 40):
        sprite.disc(x, y, 0.16, tint(peel, 0.25), span=(i + 3, i + 37))
    sprite.put(body, 150 / 380, 0.5 + 30 / sprite.h, 300 / 380)
    return sprite.picture, found | {"fruit"}


def draw_crate(brand: Brand, rng: Rng) -> Sprite:
    """Draw a wooden crate or a carton with the necks of two rows of bottles."""
    sheet, count = Sheet((640, 560)), int(rng.integers(4, 6))
    bottles = [draw_bottle(brand, rng)[0] for _ in range(2)]
    for row, i in np.ndindex(2, count):
        x = (i + 0.5 + 0.22 * (row - 0.5)) / count
        sheet.put(pick(rng, bottles), x, 0.38 + 0.045 * row, high=0.71)
    wooden = rng.random() < 0.4
    ground = vary((172, 122, 74), rng) if wooden else vary(brand.main, rng, 10)
    front = Sheet((640, 325), tint(ground, 0.12), ground, tint(ground, -0.3))
    for y in (0, 1 / 3, 2 / 3) if wooden else ():
        front.box(0, y, 1, y + 0.03, tint(ground, -0.5))
    if not wooden:
        front.box(0.38, 0.05, 0.62, 0.17, tint(ground, -0.6), 0.03)
    ink = tint(brand.main, -0.3) if wooden else brand.second
    front.put(draw_emblem(brand, ink, ground), 0.17, 0.56, 0.19)
    front.put(draw_wordmark(brand, ink), 0.6, 0.58, 0.55, 0.25)
    sheet.put(front.picture, 0.5, 0.71)
    return sheet.picture, {"bottle", "group", "packaging"}


def draw_person(brand: Brand, rng: Rng, wears: bool, drink: Image.Image | None) -> Image.Image:
    """Draw a figure from the hips up, in the brand's shirt or in any, raising ``drink``."""
    skin, hair = vary(pick(rng, SKINS), rng, 8), vary(pick(rng, HAIRS), rng, 8)
    shirt = vary(brand.main if wears else pick(rng, CLOTHES), rng, 8)
    sheet, style, cut = Sheet((520, 1050)), int(rng.integers(5)), rng.random()
    if style in (1, 2):
        sheet.box(0.3, 0.18, 0.7, 0.48 if style == 1 else 0.38, tint(hair, -0.12), 0.14)
    sheet.box(0.44, 0.31, 0.56, 0.45, tint(skin, -0.12), 0.05)
    body = [(0.29, 0.42), (0.39, 0.4), (0.61, 0.4), (0.71, 0.42), (0.74, 1), (0.26, 1)]
    sheet.poly(body, shirt)
    sheet.disc(0.5, 0.395, 0.08, skin, 1.8 if cut < 0.4 else 1, (0, 180))
    for y in np.arange(0.49, 1, 0.067) if cut > 0.75 else ():
        sheet.box(0.27, y, 0.73, y + 0.024, tint(shirt, 0.45))
    _draw_head(sheet, skin, hair, style, rng)
    for side in (-1, 1):
        shoulder, elbow, hand = 0.5 + side * 0.19, 0.5 + side * 0.26, 0.5 + side * 0.25
        low, end = (0.62, 0.46) if side == 1 and drink else (0.68, 0.9)
        reach = 0.06 if side == 1 and drink else 0
        sheet.line([(elbow + reach, low), (hand + reach * 1.3, end)], 0.09, tint(skin, -0.05))
        sheet.line([(shoulder, 0.46), (elbow + reach, low)], 0.125, tint(shirt, -0.08))
    if wears:
        sheet.put(draw_emblem(brand, brand.second, shirt), 0.5, 0.62, 0.28)
    if drink:
        sheet.put(drink.rotate(-8, expand=True), 0.84, 0.39, 0.32, 0.32)
        for i in range(4):
            y = 0.42 + 0.019 * i
            sheet.box(0.78, y, 0.91, y + 0.017, tint(skin, -0.02 * i), 0.02)
    return sheet.picture


def _draw_head(sheet: Sheet, skin: Colour, hair: Colour, style: int, rng: Rng) -> None:
    """Draw face and hair: 0 curls, 1 and 2 long, 3 a bun, 4 a cap."""
    sheet.disc(0.5, 0.255, 0.165, skin, 1.3)
    for side in (-1, 1):
        sheet.disc(0.5 + side * 0.16, 0.263, 0.02, skin, 2)
        sheet.disc(0.5 + side * 0.08, 0.255, 0.018, (44, 34, 34), 1.2)
        sheet.arc(0.5 + side * 0.08, 0.248, 0.045, 0.01, tint(skin, -0.5), (210, 330))
        sheet.disc(0.5 + side * 0.11, 0.295, 0.03, mix(skin, (226, 84, 74), 0.25), 0.7)
    sheet.arc(0.5, 0.278, 0.03, 0.01, tint(skin, -0.28), (20, 160))
    if rng.random() < 0.55:
        sheet.disc(0.5, 0.3, 0.065, (250, 246, 242), 1, (10, 170))
    sheet.arc(0.5, 0.3, 0.065, 0.011, (155, 62, 62), (10, 170))
    sheet.disc(0.5, 0.23, 0.175, hair, 1, (180, 360))
    if style == 4:
        sheet.box(0.3, 0.215, 0.7, 0.232, tint(hair, -0.3))
    else:
        sheet.poly([(0.33, 0.228), (0.67, 0.228), (0.6, 0.2), (0.45, 0.222)], hair)
    for a in np.linspace(np.pi, 2 * np.pi, 9) if style == 0 else ():
        sheet.disc(0.5 + 0.165 * np.cos(a), 0.22 + 0.08 * np.sin(a), 0.055, hair)
    if style == 3:
        sheet.disc(0.5, 0.13, 0.07, hair)
