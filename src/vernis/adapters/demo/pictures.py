"""Pictures of the demo: each asset type in its places, with the labels that are true of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from vernis.adapters.demo import subjects
from vernis.adapters.demo.brands import BRANDS, Brand, draw_emblem, draw_wordmark
from vernis.adapters.demo.canvas import Rng, Sheet, fit, lettering, photograph, pick, star, tint
from vernis.adapters.demo.scenes import GROUND, Scene, draw_place

ASSET_TYPES = ("bottle", "can", "crate", "glass", "landscape", "logo", "people", "poster")


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawn picture with what is true of it. ``brand`` is empty where none is to be seen."""

    image: Image.Image
    asset_type: str
    brand: str
    keywords: frozenset[str]


PRODUCTS: dict[str, tuple[Callable[[Brand, Rng], subjects.Sprite], str, int, float]] = {
    "bottle": (subjects.draw_bottle, "studio table bar beach mountains city meadow", 3, 0.68),
    "can": (subjects.draw_can, "studio studio table bar beach city meadow", 4, 0.53),
    "crate": (subjects.draw_crate, "studio studio table wall beach meadow", 1, 0.66),
    "glass": (subjects.draw_glass, "studio table table bar bar beach meadow", 2, 0.53),
}
"""How a product is drawn, where, how many of it at most and how high, as a share."""

HEADLINES = {
    "SUMMER": "summer", "NEW": "launch", "LIVE TONIGHT": "festival", "OPEN AIR": "festival",
    "WINTER EDITION": "winter", "2 FOR 1": "sale",
}  # fmt: skip
"""What a poster says, and its keyword."""

LAYOUTS = {
    "stacked": ((0.5, 0.37, 0.42), (0.5, 0.78, 0.7)),
    "beside": ((0.2, 0.5, 0.26), (0.64, 0.5, 0.54)),
    "emblem": ((0.5, 0.5, 0.7), None),
    "word": (None, (0.5, 0.47, 0.8)),
    "badge": ((0.5, 0.39, 0.34), (0.5, 0.69, 0.54)),
    "seal": ((0.5, 0.39, 0.34), (0.5, 0.69, 0.54)),
    "tile": (None, None),
}
"""Where a logo has its emblem and its wordmark: x, y and width as shares."""


def draw_picture(asset_type: str, rng: Rng, serial: int = 0) -> Picture:
    """Draw a picture of that asset type, for a random brand; ``serial`` numbers the logos."""
    brand = pick(rng, BRANDS)
    match asset_type:
        case "landscape":
            sheet, words = _scene(rng, "beach mountains mountains city meadow")
            return Picture(photograph(sheet, rng), asset_type, "", frozenset(words))
        case "logo":
            return _draw_logo(serial, rng)
        case "people":
            return _draw_people(brand, rng)
        case "poster":
            return _draw_poster(brand, rng)
    return _draw_product(asset_type, brand, rng)


def _scene(rng: Rng, places: str, brand: Brand | None = None) -> Scene:
    """Return one of the places at twice the final size, often that of the brand's campaigns."""
    wide, upright = ((3, 2), (4, 3), (1, 1)), ((2, 3), (3, 4)) if brand else ((16, 9),)
    a, b = pick(rng, (*wide, *upright))
    longer, name = int(rng.integers(800, 1080)), pick(rng, places.split())
    size = (longer * a // max(a, b) // 8 * 8, longer * b // max(a, b) // 8 * 8)
    if brand and rng.random() < 0.5:
        name = brand.world
    return draw_place(name, size, rng, brand.main if brand else (0, 0, 0))


def _draw_product(kind: str, brand: Brand, rng: Rng) -> Picture:
    """Draw one or several of a product, at times with a drink beside."""
    draw, places, most, size = PRODUCTS[kind]
    sheet, words = _scene(rng, places, brand)
    sprites = [draw(brand, rng) for _ in range(min(most, pick(rng, (1, 1, 1, 2, 3, 4))))]
    share, count = sheet.w / sheet.h, len(sprites)
    ratio = sum(image.width / image.height for image, _ in sprites) / count
    high = min(size * rng.uniform(0.82, 1.18), 0.95 * share / ratio / count)
    if kind in ("bottle", "glass") and rng.random() < 0.25:
        other, part = ("glass", 0.5) if kind == "bottle" else ("bottle", 1.1)
        sprite, found = PRODUCTS[other][0](brand, rng)
        words |= found
        sheet.stand(sprite, pick(rng, (0.15, 0.85)), GROUND - 0.04, high * part)
    for i, (sprite, found) in enumerate(sprites):
        words |= found
        x = 0.5 + (i - (count - 1) / 2) * high * ratio / share + rng.uniform(-0.06, 0.06)
        sheet.stand(sprite, x, GROUND + i % 2 * 0.03, high)
    if count > 1:
        words.add("group")
    return Picture(photograph(sheet, rng), kind, brand.name, frozenset(words))


def _draw_people(brand: Brand, rng: Rng) -> Picture:
    """Draw one to three figures; some wear the brand or hold its drink."""
    sheet, words = _scene(rng, "studio studio bar beach city meadow table mountains", brand)
    count = pick(rng, (1, 1, 2, 3))
    high = min(rng.uniform(0.86, 1.0) * (1.0 if count == 1 else 0.86), 1.5 * sheet.w / sheet.h)
    branded = False
    for i in range(count):
        chance, drink = rng.random(), None
        if chance < 0.35:
            drink, found = pick(rng, (subjects.draw_bottle, subjects.draw_can))(brand, rng)
            words |= found
        branded |= chance < 0.55
        figure = subjects.draw_person(brand, rng, 0.35 <= chance < 0.55, drink)
        x = 0.5 + (i - (count - 1) / 2) * 0.3 + rng.uniform(-0.04, 0.04)
        sheet.put(figure, x, 1.04 - high / 2, high=high)
    words |= {"people", "portrait" if count == 1 else "group"}
    name = brand.name if branded else ""
    return Picture(photograph(sheet, rng), "people", name, frozenset(words))


def _draw_poster(brand: Brand, rng: Rng) -> Picture:
    """Draw a poster: the bare sheet, hung on a wall, or seen from the side."""
    printed, words = _draw_print(brand, rng)
    view = rng.random()
    if view < 0.35:
        return Picture(photograph(printed, rng), "poster", brand.name, frozenset(words))
    sheet, found = draw_place(pick(rng, ("wall", "wall", "city")), (880, 880), rng)
    hung = fit(printed.picture.convert("RGBA"), sheet.w * 0.82, sheet.h * 0.8)
    if view > 0.65:
        w, h = hung.size
        left, right = (float(v) * h for v in rng.permutation([0.05, rng.uniform(0.15, 0.3)]))
        corners = (-0.05 * w, -left, -0.05 * w, h + left, w * 1.05, h + right, w * 1.05, -right)
        hung = hung.transform(hung.size, Image.Transform.QUAD, corners, Image.Resampling.BILINEAR)
    left, top = (sheet.w - hung.width) // 2, round(sheet.h * 0.08)
    shadow = hung.getchannel("A").point(lambda v: v * 0.4)
    sheet.picture.paste("black", (left + 9, top + 14), shadow)
    sheet.picture.paste(hung, (left, top), hung)
    return Picture(photograph(sheet, rng), "poster", brand.name, frozenset(words | found))


def _draw_print(brand: Brand, rng: Rng) -> tuple[Sheet, set[str]]:
    """Draw a printed sheet with headline, product or emblem, brand and slogan."""
    size = pick(rng, ((740, 1030), (740, 1030), (1030, 740)))
    ground = pick(rng, (brand.main, brand.second, brand.accent))
    ink = brand.second if ground == brand.main else brand.main
    tone = tint(ground, 0.14 if sum(ground) < 480 else -0.08)
    sheet, decor = Sheet(size, tint(ground, 0.12), tint(ground, -0.12)), pick(rng, brand.designs)
    if decor == 0:
        for i in range(0, 360, 30):
            sheet.disc(0.5, 0.5, 1, tone, span=(i, i + 15))
    elif decor == 1:
        for i in range(6, 0, -1):
            sheet.disc(0.5, 0.5, 0.1 * i, tone if i % 2 else ground)
    elif decor == 2:
        sheet.poly([(0, 0.62), (1, 0.36), (1, 0.66), (0, 0.92)], tone)
        sheet.poly([(0, 0.74), (1, 0.48), (1, 0.53), (0, 0.79)], brand.accent)
    else:
        for x, y, r in rng.random((40, 3)):
            sheet.disc(x, y, 0.005 + 0.05 * r, tone)
    sheet.glow(0.5, 0.46, 0.5, tint(ground, 0.5), 0.35)
    product, words = pick(rng, ("bottle", "can", "glass", "")), {"text"}
    if not product:
        sheet.put(draw_emblem(brand, ink, ground), 0.5, 0.47, 0.5, 0.5)
    else:
        words.add(product)
        sprite, _ = PRODUCTS[product][0](brand, rng)
        sprite = sprite.rotate(rng.uniform(-14, 14) * (rng.random() < 0.5), expand=True)
        sheet.put(sprite, rng.uniform(0.38, 0.62), 0.48, high=0.52)
    head = pick(rng, tuple(HEADLINES))
    sheet.put(lettering(head, ink, 0.04), 0.5, 0.12, 0.84, 0.14)
    sheet.put(draw_wordmark(brand, ink), 0.5, 0.85, 0.7, 0.11)
    sheet.put(lettering(brand.slogan, ink), 0.5, 0.94, 0.6, 0.035)
    return sheet, words | {HEADLINES[head]}


def _draw_logo(serial: int, rng: Rng) -> Picture:
    """Draw a logo as a clean graphic.

    Two logos of the same brand and layout would be near duplicates that nobody planted, so the
    serial number walks through all 42 pairs of them before one comes again, on another ground.
    """
    step = (serial * 121 + 13) % 210
    brand, layout = BRANDS[step % 6], list(LAYOUTS)[step // 6 % 7]
    paper = ground = brand.grounds[step // 42]
    ink = brand.ink_on(paper)
    second = brand.accent if brand.accent != paper else brand.main
    sheet, words = Sheet((760, 560 if layout in ("beside", "word") else 760), ground), {"graphic"}
    (emblem, word), size = LAYOUTS[layout], rng.uniform(0.8, 1.0)
    if layout in ("badge", "seal"):
        sheet.poly(star(0.47 * size, 24, 0.92 if layout == "seal" else 1.0), ink)
        sheet.arc(0.5, 0.5, 0.42 * size, 0.011, ground)
        ink, ground = ground, ink
    if layout == "tile":
        for i in range(25):
            mark = draw_emblem(brand, ink if i % 2 else second, ground)
            sheet.put(mark, (i % 5 + 0.5) / 5, (i // 5 + 0.5) / 5, 0.13)
    if layout == "word":
        sheet.box(0.2, 0.63, 0.8, 0.65, second)
        sheet.put(lettering(brand.slogan, ink), 0.5, 0.73, 0.6)
    if emblem:
        sheet.put(draw_emblem(brand, ink, ground), emblem[0], emblem[1], emblem[2] * size)
    if word:
        words.add("text")
        sheet.put(draw_wordmark(brand, ink), word[0], word[1], word[2] * size, 0.25)
    if min(paper) > 230:
        words.add("white background")
    side = int(rng.integers(380, 560))
    return Picture(fit(sheet.picture, side, side), "logo", brand.name, frozenset(words))
