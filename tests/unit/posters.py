"""Draws pictures with known text: a brand beside other words, in ways that are hard to read.

Used by the tests with Pillow's own font and by ``benchmarks/read.py`` with many.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from scipy import ndimage

KINDS = (
    "flat", "low contrast", "blurred", "small", "tilted", "turned 90", "turned 180", "arc",
    "bottle",
)  # fmt: skip

TRAPS: dict[str, tuple[str, str]] = {
    "Absolut": ("absolute", "absolve"),
    "Altos": ("Alton", "autos"),
    "Avión": ("avian", "Avon"),
    "Ballantine's": ("valentines", "Constantine"),
    "Becherovka": ("Berezovka", "Lecherova"),
    "Beefeater": ("defeater", "bee eater"),
    "Brancott Estate": ("Francotte State", "Bancroft Estates"),
    "Campo Viejo": ("campo nuevo", "Campo Diego"),
    "Chivas Regal": ("civic legal", "Shiva Regal"),
    "Havana Club": ("savanna club", "banana club"),
    "Jacob's Creek": ("Jacobs Greek", "Jason Creek"),
    "Jameson": ("Jamison", "damson"),
    "Kahlúa": ("kahuna", "Karla"),
    "Lillet": ("lilies", "billet"),
    "Malibu": ("halibut", "Malian"),
    "Martell": ("Marvell", "cartel"),
    "Monkey 47": ("Monkey 74", "donkey 41"),
    "Mumm": ("Mumbai", "mummy"),
    "Olmeca": ("Olmec", "omega"),
    "Pernod": ("period", "person"),
    "Perrier-Jouët": ("Perrier Jules", "Terrier Rouen"),
    "Plymouth": ("Weymouth", "Plimoth"),
    "Powers": ("flowers", "towers"),
    "Ramazzotti": ("Mazzotta", "Ramazzini"),
    "Redbreast": ("red beast", "breast"),
    "Ricard": ("Richard", "reward"),
    "Royal Salute": ("loyal statute", "royal palate"),
    "Seagram's": ("diagrams", "anagrams"),
    "Suze": ("size", "sure"),
    "The Glenlivet": ("the Glen River", "the Glen Olive"),
}
"""Brands, and two other words or names near each, for posters that do not carry the brand."""

BRANDS = tuple(TRAPS)

_PHRASES = (
    "summer collection", "since 1894", "serve chilled", "limited edition", "40% vol", "70 cl",
    "open daily", "new season", "finest quality", "handmade", "by appointment", "no. 7",
    "drink responsibly", "the original", "product of france", "imported", "extra dry",
    "aged 12 years", "small batch", "live music", "free entry", "friday night", "doors 8 pm",
    "natural flavour", "www.example.com", "batch 0412", "happy hour", "the art of taste",
    "spring menu", "gold medal 2014", "keep in a cool place", "best before", "ice & lemon",
    "house of spirits", "grand opening", "come and see", "two for one", "premium blend",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Poster:
    """A picture, what it is, the brand that it carries ("" for none) and the words on it."""

    pixels: NDArray[np.uint8]
    kind: str
    brand: str
    words: tuple[str, ...]


Font = Path | None
"""A font's file; None is Pillow's own."""


def draw_posters(
    seed: int,
    fonts: Sequence[Font] = (None,),
    *,
    kinds: Sequence[str] = KINDS,
    traps: int = 45,
    empty: int = 45,
) -> Iterator[Poster]:
    """Draw every brand in the kinds, then posters with traps, then pictures without text."""
    for number, kind in enumerate(KINDS):
        if kind not in kinds:
            continue
        rng = np.random.default_rng([seed, number])
        for brand in BRANDS:
            yield draw_poster(kind, brand, rng, fonts)
    rng = np.random.default_rng([seed, len(KINDS)])
    names = rng.permutation([name for pair in TRAPS.values() for name in pair])
    for name in names[:traps]:
        kind = str(rng.choice(["flat", "tilted", "bottle"]))
        poster = draw_poster(kind, str(name), rng, fonts)
        yield Poster(poster.pixels, "trap", "", poster.words)
    for _ in range(empty):
        image, _ = _ground(rng)
        if rng.random() < 0.5:
            _draw_bottle(image, rng)
        yield Poster(np.asarray(image), "empty", "", ())


def draw_poster(kind: str, text: str, rng: np.random.Generator, fonts: Sequence[Font]) -> Poster:
    """Draw one poster with a main text and one to four other lines."""
    image, tone = _ground(rng, plain=kind == "low contrast")
    if kind == "bottle":
        tone = _draw_bottle(image, rng)
    height = {"small": (16, 22), "blurred": (30, 60)}.get(kind, (36, 84))
    letters = _letters(text, int(rng.integers(height[0], height[1] + 1)), rng, fonts)
    widest = 0.9 * math.hypot(*image.size) if kind == "tilted" else 0.86 * image.width
    if kind == "tilted":
        widest = 0.8 * min(image.size)
    if kind == "bottle":
        widest = 0.55 * image.width
    letters = _narrow(letters, widest)
    angle = 0.0
    if kind == "tilted":
        angle = float(rng.uniform(15, 40) * rng.choice([-1, 1]))
        letters = letters.rotate(angle, Image.Resampling.BICUBIC, expand=True)
    if kind == "arc":
        letters = _bend(letters, float(rng.uniform(0.8, 2.0)), 0.9 * image.width)
    if kind == "bottle":
        letters = _wrap(letters, image.width * 0.62, float(rng.uniform(0.05, 0.12)))
    ink = _ink(tone, rng, low=kind == "low contrast")
    free = [image.width - letters.width, image.height - letters.height]
    x, y = (int(rng.integers(0, max(n, 1))) for n in free)
    if kind == "bottle":
        x = free[0] // 2
        y = int(rng.integers(int(0.45 * image.height), int(0.6 * image.height)))
    image.paste(Image.new("RGB", letters.size, ink), (x, y), letters)
    words = [text]
    taken = [(x, y, x + letters.width, y + letters.height)]
    for _ in range(int(rng.integers(1, 5))):
        phrase = str(rng.choice(_PHRASES))
        if _add_phrase(image, phrase, taken, tone, rng, fonts, kind):
            words.append(phrase)
    if kind == "blurred":
        image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(1.2, 2.2))))
    if kind == "turned 90":
        image = image.rotate(int(rng.choice([90, 270])), expand=True)
    if kind == "turned 180":
        image = image.rotate(180)
    return Poster(np.asarray(image), kind, text, tuple(words))


def _add_phrase(
    image: Image.Image,
    phrase: str,
    taken: list[tuple[int, int, int, int]],
    tone: NDArray[np.float64],
    rng: np.random.Generator,
    fonts: Sequence[Font],
    kind: str,
) -> bool:
    letters = _letters(phrase, int(rng.integers(14, 26)), rng, fonts)
    wide = 0.4 if kind == "bottle" else 0.8
    letters = _narrow(letters, wide * image.width)
    for _ in range(30):
        x = int(rng.integers(8, max(image.width - letters.width - 8, 9)))
        y = int(rng.integers(8, max(image.height - letters.height - 8, 9)))
        if kind == "bottle":
            x = (image.width - letters.width) // 2
            y = int(rng.integers(int(0.45 * image.height), int(0.85 * image.height)))
        box = (x - 12, y - 12, x + letters.width + 12, y + letters.height + 12)
        if all(box[2] < a or c < box[0] or box[3] < b or d < box[1] for a, b, c, d in taken):
            ink = _ink(tone, rng, low=kind == "low contrast")
            image.paste(Image.new("RGB", letters.size, ink), (x, y), letters)
            taken.append(box)
            return True
    return False


def _letters(
    text: str, height: int, rng: np.random.Generator, fonts: Sequence[Font]
) -> Image.Image:
    """Return a text as a mask whose letters are about so many pixels tall."""
    chosen = fonts[int(rng.integers(len(fonts)))]
    style = rng.random()
    text = (
        text.upper() if style < 0.35 else text.title() if style < 0.6 and text.islower() else text
    )
    probe = _open_font(chosen, 100)
    left, top, right, bottom = probe.getbbox("H")
    font = _open_font(chosen, max(8, round(100 * height / max(bottom - top, 1))))
    left, top, right, bottom = font.getbbox(text)
    image = Image.new("L", (int(right - left) + 8, int(bottom - top) + 8))
    ImageDraw.Draw(image).text((4 - left, 4 - top), text, fill=255, font=font)
    return image


def _open_font(font: Font, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size) if font is None else ImageFont.truetype(str(font), size)


def _narrow(letters: Image.Image, widest: float) -> Image.Image:
    if letters.width <= widest:
        return letters
    scale = widest / letters.width
    size = (max(1, round(letters.width * scale)), max(1, round(letters.height * scale)))
    return letters.resize(size, Image.Resampling.LANCZOS)


def _ground(
    rng: np.random.Generator, plain: bool = False
) -> tuple[Image.Image, NDArray[np.float64]]:
    """Return a picture without text, and its mean colour."""
    width, height = int(rng.integers(560, 960)), int(rng.integers(480, 900))
    tone = rng.uniform(20, 235, 3)
    if plain:
        tone = np.full(3, rng.uniform(60, 195)) + rng.uniform(-12, 12, 3)
    slope = rng.uniform(-1, 1, 2) * (0 if plain else 25)
    y, x = np.mgrid[0:height, 0:width]
    light = slope[0] * (x / width - 0.5) + slope[1] * (y / height - 0.5)
    values = tone + light[..., None] + rng.normal(0, 2.5, (height, width, 1))
    image = Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(0 if plain else int(rng.integers(0, 6))):
        near = np.clip(tone + rng.uniform(-22, 22, 3), 0, 255).astype(int)
        a, b = rng.uniform(0, 1, 2) * image.size, rng.uniform(0.1, 0.5, 2) * image.size
        box = (*a.tolist(), *(a + b).tolist())
        shape = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        shape(box, fill=tuple(near.tolist()))
    return image, tone


def _draw_bottle(image: Image.Image, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw a bottle with a label over the middle; return the label's colour."""
    w, h = image.size
    glass = rng.uniform(20, 110, 3)
    label = rng.uniform(20, 235, 3)
    x = np.linspace(-1, 1, w)
    shade = np.sqrt(np.clip(1 - (x / 0.64) ** 2, 0, 1))
    values = np.asarray(image, np.float64).copy()
    inside = np.abs(x) < 0.62
    neck = np.abs(x) < 0.2
    rows = np.arange(h)
    body, top = rows > 0.25 * h, rows > 0.02 * h
    mask = (body[:, None] & inside) | (top[:, None] & neck)
    light = (0.55 + 0.45 * shade)[None, :, None]
    values = np.where(mask[..., None], glass * light, values)
    on_label = ((rows > 0.42 * h) & (rows < 0.9 * h))[:, None] & inside
    values = np.where(on_label[..., None], label * light, values)
    image.paste(Image.fromarray(np.clip(values, 0, 255).astype(np.uint8)))
    return label * 0.9


def _ink(tone: NDArray[np.float64], rng: np.random.Generator, low: bool) -> tuple[int, int, int]:
    brightness = float(tone @ [0.299, 0.587, 0.114])
    if low:
        step = rng.uniform(35, 55) * (1 if brightness < 128 else -1)
        colour = tone + step
    else:
        colour = rng.uniform(0, 255, 3)
        for _ in range(200):
            if abs(float(colour @ [0.299, 0.587, 0.114]) - brightness) > 90:
                break
            colour = rng.uniform(0, 255, 3)
    red, green, blue = np.clip(colour, 0, 255).astype(int).tolist()
    return red, green, blue


def _bend(letters: Image.Image, span: float, widest: float) -> Image.Image:
    """Return the mask on an arc of so many radians."""
    strip = np.asarray(letters, np.float64)
    height, width = strip.shape
    radius = width / span
    outer = radius + height
    half = outer * math.sin(min(span / 2, math.pi / 2)) + 2
    top, low = -outer - 2, -radius * math.cos(span / 2) + 2
    y, x = np.mgrid[top:low:1.0, -half:half:1.0]
    distance, bearing = np.hypot(x, y), np.arctan2(x, -y)
    places = [outer - distance, (bearing / span + 0.5) * width]
    bent = ndimage.map_coordinates(strip, places, order=1, cval=0.0)
    return _narrow(Image.fromarray(np.clip(bent, 0, 255).astype(np.uint8)), widest)


def _wrap(letters: Image.Image, across: float, sag: float) -> Image.Image:
    """Return the mask as it looks on a cylinder so many pixels across, seen from above."""
    strip = np.asarray(letters, np.float64)
    height, width = strip.shape
    radius = across / 2
    reach = min(width / 2 / radius, 1.35)
    half = radius * math.sin(reach)
    drop = sag * across
    y, x = np.mgrid[0 : height + drop : 1.0, -half:half:1.0]
    angle = np.arcsin(np.clip(x / radius, -1, 1))
    places = [y - drop * np.cos(angle), width / 2 + angle * radius]
    bent = ndimage.map_coordinates(strip, places, order=1, cval=0.0)
    return Image.fromarray(np.clip(bent, 0, 255).astype(np.uint8))
