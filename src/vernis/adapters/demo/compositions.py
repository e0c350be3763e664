"""Pictures of the demo: each asset type in its places, with the labels that are true of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from vernis.adapters.demo import interiors, scenes
from vernis.adapters.demo.brands import BRANDS, Brand
from vernis.adapters.demo.canvas import (
    WHITE,
    Colour,
    darken,
    fit,
    glow,
    grain,
    lift,
    lighten,
    place,
    vignette,
    warp,
)
from vernis.adapters.demo.people import draw_person
from vernis.adapters.demo.prints import LOGO_LAYOUTS, draw_logo, draw_poster
from vernis.adapters.demo.products import draw_bottle, draw_can, draw_crate, draw_glass
from vernis.adapters.demo.scenes import Scene

ASSET_TYPES = ("bottle", "can", "crate", "glass", "landscape", "logo", "people", "poster")
FORMATS = ((1, 1), (4, 3), (3, 4), (3, 2), (2, 3))


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawn picture with what is true of it. ``brand`` is empty where none is to be seen."""

    image: Image.Image
    asset_type: str
    brand: str
    keywords: frozenset[str]


def _size(
    rng: np.random.Generator, shapes: tuple[tuple[int, int], ...] = FORMATS
) -> tuple[int, int]:
    """Return the size of the sheet, twice that of the finished picture."""
    a, b = shapes[int(rng.integers(len(shapes)))]
    longer = int(rng.integers(200, 270)) * 4
    return (longer * a // max(a, b) // 4 * 4, longer * b // max(a, b) // 4 * 4)


def _place(
    size: tuple[int, int], rng: np.random.Generator, options: str, brand: Brand | None = None
) -> Scene:
    """Return one of the places named by ``options``, often the world of the brand's campaigns."""
    names = options.split()
    name = names[int(rng.integers(len(names)))]
    if brand is not None and rng.random() < 0.5:
        name = brand.world
    if name == "studio":
        return interiors.draw_studio(size, rng, brand.main if brand else None)
    indoor: dict[str, Callable[[tuple[int, int], np.random.Generator], Scene]] = {
        "table": interiors.draw_table,
        "bar": interiors.draw_bar,
        "wall": interiors.draw_wall,
    }
    if name in indoor:
        return indoor[name](size, rng)
    outdoor: dict[str, Callable[[tuple[int, int], np.random.Generator, str], Scene]] = {
        "beach": scenes.draw_beach,
        "mountains": scenes.draw_mountains,
        "city": scenes.draw_city,
        "meadow": scenes.draw_meadow,
    }
    light = str(rng.choice(["day", "day", "sunset", "night"]))
    return outdoor[name](size, rng, light)


def _finish(
    scene: Scene, kind: str, brand: str, words: set[str], rng: np.random.Generator
) -> Picture:
    picture = scene.picture
    vignette(picture, float(rng.uniform(0, 0.9)))
    small = grain(picture.reduce(2), rng, float(rng.uniform(1, 5)))
    return Picture(small, kind, brand, scene.keywords | words)


def draw_bottle_picture(brand: Brand, rng: np.random.Generator) -> Picture:
    """Draw one to three bottles, sometimes with a glass beside."""
    size = _size(rng)
    scene = _place(size, rng, "studio studio table bar beach mountains city meadow", brand)
    w, h = size
    count = int(rng.choice([1, 1, 1, 2, 3]))
    height = h * rng.uniform(0.56, 0.8)
    words = {"bottle"} | ({"group"} if count > 1 else set())
    ground = h * scene.ground
    if rng.random() < 0.25:
        glass, found = draw_glass(brand, rng)
        words |= found | {"glass"}
        place(scene.picture, glass, (w * rng.choice([0.2, 0.8]), ground), height * 0.42)
    for i in range(count):
        x = w * (0.5 + (i - (count - 1) / 2) * 0.2 + rng.uniform(-0.07, 0.07))
        drop = (i % 2) * h * 0.03
        angle = float(rng.uniform(-9, 9)) if rng.random() < 0.15 else 0.0
        place(scene.picture, draw_bottle(brand, rng), (x, ground + drop), height, angle)
    return _finish(scene, "bottle", brand.name, words, rng)


def draw_can_picture(brand: Brand, rng: np.random.Generator) -> Picture:
    """Draw one to four cans."""
    size = _size(rng)
    scene = _place(size, rng, "studio studio table bar beach city meadow", brand)
    w, h = size
    count = int(rng.choice([1, 1, 1, 2, 3, 4]))
    height = min(h * rng.uniform(0.42, 0.64), w * 0.95)
    words = {"can"} | ({"group"} if count > 1 else set())
    step = min(0.24, height * 0.6 / w)
    for i in range(count):
        x = w * (0.5 + (i - (count - 1) / 2) * step + rng.uniform(-0.03, 0.03))
        drop = (i % 2) * h * 0.035
        place(scene.picture, draw_can(brand, rng), (x, h * scene.ground + drop), height)
    return _finish(scene, "can", brand.name, words, rng)


def draw_glass_picture(brand: Brand, rng: np.random.Generator) -> Picture:
    """Draw one or two filled glasses; at times the bottle stands small behind."""
    size = _size(rng)
    scene = _place(size, rng, "studio table table bar bar beach meadow", brand)
    w, h = size
    words = {"glass"}
    height = h * rng.uniform(0.44, 0.62)
    ground = h * scene.ground
    count = int(rng.choice([1, 1, 2]))
    if count == 1 and rng.random() < 0.35:
        words.add("bottle")
        place(scene.picture, draw_bottle(brand, rng), (w * 0.8, ground - h * 0.07), height * 1.05)
    for i in range(count):
        glass, found = draw_glass(brand, rng)
        words |= found
        x = w * (0.46 + (i - (count - 1) / 2) * 0.36 + rng.uniform(-0.05, 0.05))
        place(scene.picture, glass, (x, ground), min(height, w * 0.8))
    if count > 1:
        words.add("group")
    return _finish(scene, "glass", brand.name, words, rng)


def draw_crate_picture(brand: Brand, rng: np.random.Generator) -> Picture:
    """Draw a crate of bottles."""
    size = _size(rng)
    scene = _place(size, rng, "studio studio table wall beach meadow", brand)
    w, h = size
    crate = draw_crate(brand, rng)
    height = min(h * 0.72, w * 0.72) * rng.uniform(0.82, 1.05)
    place(scene.picture, crate, (w * rng.uniform(0.45, 0.55), h * (scene.ground + 0.03)), height)
    return _finish(scene, "crate", brand.name, {"bottle", "group", "packaging"}, rng)


def draw_landscape_picture(brand: Brand, rng: np.random.Generator) -> Picture:
    """Draw a place with nobody in it and no brand."""
    size = _size(rng, ((3, 2), (4, 3), (16, 9), (1, 1)))
    scene = _place(size, rng, "beach mountains mountains city meadow")
    return _finish(scene, "landscape", "", set(), rng)


def draw_logo_picture(serial: int, rng: np.random.Generator) -> Picture:
    """Draw a logo as a clean graphic.

    Two logos with the same brand, layout and ground would be near duplicates that nobody planted,
    so the serial number walks through all 240 combinations before one comes again.
    """
    step = (serial * 77 + 13) % 240
    brand, layout = BRANDS[step % 6], LOGO_LAYOUTS[step // 6 % 8]
    grounds = (WHITE, brand.main, *_far_grounds(brand))
    sheet, words = draw_logo(brand, layout, grounds[step // 48], rng)
    side = int(rng.integers(380, 560))
    return Picture(fit(sheet.convert("RGB"), side, side), "logo", brand.name, frozenset(words))


def _far_grounds(brand: Brand) -> tuple[Colour, Colour, Colour]:
    """Return three more grounds that nobody takes for white or the brand's main colour."""
    pale = sum(brand.second) > 630
    second = lighten(brand.main, 0.6) if pale else brand.second
    dark = sum(brand.main) < 120
    return second, brand.accent, darken(brand.accent, 0.55) if dark else (20, 20, 22)


def draw_people_picture(brand: Brand, rng: np.random.Generator) -> Picture:
    """Draw one to three figures; some wear the brand or hold its drink."""
    size = _size(rng)
    scene = _place(size, rng, "studio studio bar beach city meadow table mountains")
    w, h = size
    count = int(rng.choice([1, 1, 2, 3]))
    words = {"people", "portrait" if count == 1 else "group"}
    branded = False
    for i in range(count):
        drink, shirt = None, None
        chance = rng.random()
        if chance < 0.35:
            options = (("bottle", draw_bottle), ("can", draw_can))
            word, painter = options[int(rng.integers(2))]
            drink = painter(brand, rng)
            words.add(word)
        elif chance < 0.55:
            shirt = brand
        branded |= chance < 0.55
        figure = draw_person(rng, shirt, drink)
        height = h * rng.uniform(0.86, 1.0) * (1.0 if count == 1 else 0.86)
        height = min(height, w * 1.5)
        x = w * (0.5 + (i - (count - 1) / 2) * 0.3 + rng.uniform(-0.04, 0.04))
        place(scene.picture, figure, (x, h * 1.04), height, 0, 0)
    return _finish(scene, "people", brand.name if branded else "", words, rng)


def draw_poster_picture(brand: Brand, rng: np.random.Generator) -> Picture:
    """Draw a poster: the bare sheet, hung on a wall, or seen from the side."""
    sheet, words = draw_poster(brand, rng)
    view = rng.random()
    if view < 0.35:
        side = int(rng.integers(420, 600))
        flat = grain(fit(sheet.convert("RGB"), side, side), rng, 1.5)
        return Picture(flat, "poster", brand.name, frozenset(words))
    size = _size(rng)
    scene = _place(size, rng, "wall wall city")
    w, h = size
    hung = fit(sheet, w * 0.72, h * 0.74)
    if view < 0.65:
        at = (int((w - hung.width) * rng.uniform(0.35, 0.65)), int(h * 0.08))
        lift(scene.picture, hung, at, 0.55)
        return _finish(scene, "poster", brand.name, words, rng)
    near, far = rng.uniform(0.02, 0.08), rng.uniform(0.1, 0.2)
    left, right = (near, far) if rng.random() < 0.5 else (far, near)
    a, b = hung.size
    corners = [
        (a * 0.06, b * left),
        (a * 0.94, b * right),
        (a * 0.94, b * (1 - right)),
        (a * 0.06, b * (1 - left)),
    ]
    lift(scene.picture, warp(hung, corners, hung.size), ((w - a) // 2, int(h * 0.08)), 0.6)
    glow(scene.picture, (w / 2, 0), w * 0.4, darken((255, 250, 230), 0.05), 0.25)
    return _finish(scene, "poster", brand.name, words, rng)


PAINTERS: dict[str, Callable[[Brand, np.random.Generator], Picture]] = {
    "bottle": draw_bottle_picture,
    "can": draw_can_picture,
    "crate": draw_crate_picture,
    "glass": draw_glass_picture,
    "landscape": draw_landscape_picture,
    "people": draw_people_picture,
    "poster": draw_poster_picture,
}


def draw_picture(asset_type: str, rng: np.random.Generator, serial: int = 0) -> Picture:
    """Draw a picture of that asset type, for a random brand; ``serial`` tells logos apart."""
    if asset_type == "logo":
        return draw_logo_picture(serial, rng)
    return PAINTERS[asset_type](BRANDS[int(rng.integers(len(BRANDS)))], rng)
