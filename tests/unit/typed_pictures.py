"""Pictures of every type, drawn by code: photos, drawings, documents, screenshots."""

from __future__ import annotations

import io
import math
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

TYPES = ("photo", "drawing", "document", "screenshot")
_WORDS = """
the of and to in is that for it as was with be by on not he his but at are this have
from or had an they which one you were all her she there would their we him been has
when who will no more if out so said what up its about into than them can only other
time new some could these two may first then do any like my now over such our man me
even most made after also did many
""".split()  # noqa: SIM905


def draw_typed(kind: str, seed: int) -> Image.Image:
    """Return a picture of a type; the same seed draws the same one."""
    rng = np.random.default_rng([TYPES.index(kind), seed])
    drawn = {
        "photo": _photo,
        "drawing": _drawing,
        "document": _document,
        "screenshot": _screenshot,
    }[kind](rng)
    return _as_saved(drawn, rng, 0.9 if kind == "photo" else 0.4)


def _as_saved(image: Image.Image, rng: np.random.Generator, jpeg: float) -> Image.Image:
    if rng.random() > jpeg:
        return image
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=int(rng.integers(60, 96)))
    return Image.open(stream).convert("RGB")


@cache
def _fonts() -> list[str]:
    import matplotlib

    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return [str(folder / f"DejaVu{name}.ttf") for name in ("Sans", "Serif", "SansMono")]


def _font(rng: np.random.Generator, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(rng.choice(_fonts())), size)


def _color(rng: np.random.Generator, low: int = 0, high: int = 256) -> tuple[int, int, int]:
    return tuple(int(v) for v in rng.integers(low, high, 3))


def _line(rng: np.random.Generator, font: ImageFont.FreeTypeFont, width: float) -> str:
    text = ""
    while font.getlength(text) < width:
        text += str(rng.choice(_WORDS)) + " "
    return text.rsplit(" ", 2)[0]


def _photo(rng: np.random.Generator) -> Image.Image:
    """Draw light as nature has it: spectra that fall with frequency, objects, blur, noise."""
    height, width = (int(v) for v in rng.integers(300, 640, 2))
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    falling = 1 / np.maximum(np.hypot(fy, fx), 1 / max(height, width)) ** rng.uniform(1.0, 1.6)
    planes = []
    shared = rng.standard_normal((height, width))
    for _ in range(3):
        noise = 0.8 * shared + 0.4 * rng.standard_normal((height, width))
        plane = np.fft.irfft2(np.fft.rfft2(noise) * falling, (height, width))
        planes.append(plane / plane.std() * rng.uniform(25, 60) + rng.uniform(70, 180))
    field = np.stack(planes, axis=2)
    for _ in range(int(rng.integers(0, 6))):
        y, x = rng.uniform(0, height), rng.uniform(0, width)
        ry, rx = rng.uniform(20, height / 2), rng.uniform(20, width / 2)
        away = ((np.arange(height)[:, None] - y) / ry) ** 2 + ((np.arange(width) - x) / rx) ** 2
        soft = 1 / (1 + np.exp(np.clip((away - 1) * rng.uniform(6, 40), -50, 50)))[..., None]
        field = field * (1 - soft) + (0.3 * field + rng.uniform(0, 200, 3)) * soft
    field += rng.standard_normal(field.shape) * rng.uniform(1.5, 7)
    return Image.fromarray(np.clip(field, 0, 255).astype(np.uint8))


def _drawing(rng: np.random.Generator) -> Image.Image:
    width, height = (int(v) for v in rng.integers(240, 800, 2))
    ground = (255, 255, 255) if rng.random() < 0.6 else _color(rng)
    image = Image.new("RGB", (2 * width, 2 * height), ground)
    draw = ImageDraw.Draw(image)
    colors = [_color(rng) for _ in range(int(rng.integers(1, 7)))]
    outline = (0, 0, 0) if rng.random() < 0.5 else None
    for _ in range(int(rng.integers(1, 25))):
        x, y = rng.uniform(0, 2 * width), rng.uniform(0, 2 * height)
        size = rng.uniform(0.05, 0.5) * 2 * min(width, height)
        fill = colors[int(rng.integers(len(colors)))]
        thick = int(rng.integers(2, 12))
        shape = rng.random()
        if shape < 0.35:
            box = (x - size, y - size * rng.uniform(0.3, 1), x + size, y + size)
            draw.ellipse(box, fill, outline, thick)
        elif shape < 0.75:
            n = int(rng.integers(3, 9))
            turns = np.sort(rng.uniform(0, 2 * math.pi, n))
            reach = size * rng.uniform(0.4, 1, n)
            points = [(x + r * math.cos(t), y + r * math.sin(t)) for t, r in zip(turns, reach)]  # noqa: B905
            draw.polygon(points, fill, outline)
        else:
            points = [(x + dx, y + dy) for dx, dy in rng.normal(0, size, (6, 2))]
            draw.line(points, outline or fill, thick, joint="curve")
    if rng.random() < 0.4:
        font = _font(rng, int(rng.integers(30, 2 * height // 4)))
        text = str(rng.choice(_WORDS)).upper()
        draw.text((width * 0.3, height * 0.6), text, colors[0], font)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def _document(rng: np.random.Generator) -> Image.Image:
    width = int(rng.integers(500, 1240))
    height = round(width * rng.uniform(1.2, 1.45))
    paper = tuple(255 - int(v) for v in rng.integers(0, 2 + 20 * (rng.random() < 0.4), 3))
    image = Image.new("RGB", (width, height), paper)
    draw = ImageDraw.Draw(image)
    margin = round(width * rng.uniform(0.06, 0.14))
    ink = _color(rng, 0, 60)
    size = round(width * rng.uniform(0.014, 0.026))
    font, y = _font(rng, size), margin
    if rng.random() < 0.7:
        draw.text((margin, y), _line(rng, font, width * 0.25).upper(), ink, _font(rng, 2 * size))
        y += 4 * size
    while y < height - margin:
        if rng.random() < 0.06:
            for row in range(int(rng.integers(2, 6))):
                box = (margin, y + row * 2 * size, width - margin, y + (row + 1) * 2 * size)
                draw.rectangle(box, None, ink)
                draw.text((margin + size, box[1] + 4), _line(rng, font, width * 0.3), ink, font)
            y += 14 * size
            continue
        for _ in range(int(rng.integers(2, 9))):
            if y > height - margin:
                break
            draw.text((margin, y), _line(rng, font, width - 2 * margin), ink, font)
            y += round(1.5 * size)
        y += size
    if rng.random() < 0.5:  # scanned
        turned = image.rotate(rng.uniform(-2, 2), Image.Resampling.BICUBIC, fillcolor=paper)
        tones = np.asarray(turned.filter(ImageFilter.GaussianBlur(rng.uniform(0, 1))), np.float32)
        shade = np.linspace(1, rng.uniform(0.8, 1), width)[None, :, None]
        tones = tones * shade + rng.standard_normal((height, width, 1)) * rng.uniform(0, 5)
        image = Image.fromarray(np.clip(tones, 0, 255).astype(np.uint8))
    return image


def _screenshot(rng: np.random.Generator) -> Image.Image:
    return _page(rng) if rng.random() < 0.35 else _window(rng)


def _page(rng: np.random.Generator) -> Image.Image:
    """Draw a page as browsers show them today: hardly a line, headings, cards, buttons."""
    width, height = [(1366, 768), (420, 900), (1280, 800), (390, 844)][int(rng.integers(4))]
    dark = rng.random() < 0.3
    ground, ink = ((24, 26, 30), (235, 235, 235)) if dark else ((250, 250, 249), (24, 24, 24))
    image = Image.new("RGB", (width, height), ground)
    draw = ImageDraw.Draw(image)
    faint, accent = tuple((3 * g + i) // 4 for g, i in zip(ground, ink, strict=True)), _color(rng)
    left = round(width * rng.uniform(0.03, 0.25))
    y = int(rng.integers(10, 70))
    while y < height - 20:
        size = int(rng.choice((12, 14, 14, 15, 22, 34)))
        font = _font(rng, size)
        for _ in range(int(rng.integers(1, 4))):
            wide = (width - 2 * left) * rng.uniform(0.4, 0.95)
            draw.text((left, y), _line(rng, font, wide), ink, font)
            y += round(1.5 * size)
        kind = rng.random()
        if kind < 0.3:
            draw.rounded_rectangle((left, y, width - left, y + 90), 8, None, faint)
            for x in range(left + 16, width - left - 60, 140):
                draw.text((x, y + 16), str(rng.integers(1, 999)), ink, _font(rng, 24))
                draw.text((x, y + 54), str(rng.choice(_WORDS)), faint, _font(rng, 12))
            y += 100
        elif kind < 0.45:
            draw.rounded_rectangle((left, y, left + 110, y + 30), 6, accent)
            y += 40
        y += int(rng.integers(6, 50))
    return image


def _window(rng: np.random.Generator) -> Image.Image:
    sizes = [(1280, 720), (1366, 768), (1024, 768), (390, 844), (750, 1334), (640, 420), (420, 300)]
    width, height = sizes[int(rng.integers(len(sizes)))]
    dark = rng.random() < 0.35
    tones = (20, 60) if dark else (225, 256)
    ink = _color(rng, 190, 256) if dark else _color(rng, 0, 90)
    accent, line = _color(rng), tuple(128 + (60 if not dark else -40) for _ in range(3))
    image = Image.new("RGB", (width, height), _color(rng, *tones))
    draw = ImageDraw.Draw(image)
    font = _font(rng, int(rng.integers(11, 17)))
    bar = int(rng.integers(28, 60))
    draw.rectangle((0, 0, width, bar), accent if rng.random() < 0.5 else _color(rng, *tones))
    draw.text((12, bar // 3), _line(rng, font, width * 0.2), ink, font)
    left = int(width * rng.uniform(0.12, 0.3)) if width > 600 and rng.random() < 0.7 else 0
    if left:
        draw.rectangle((0, bar, left, height), _color(rng, *tones), line)
        for y in range(bar + 16, height - 20, int(rng.integers(22, 40))):
            draw.text((14, y), _line(rng, font, left * 0.6), ink, font)
    y = bar + 14
    while y < height - 30:
        tall = int(rng.integers(30, 160))
        box = (left + 14, y, width - 14, min(y + tall, height - 10))
        kind = rng.random()
        if kind < 0.35:
            draw.rectangle(box, _color(rng, *tones), line)
        elif kind < 0.5 and box[3] - box[1] > 12:
            draw.rounded_rectangle((box[0], y, box[0] + 140, y + 28), 5, accent)
        elif kind < 0.58:
            part = _photo(rng).resize((max(8, (box[2] - box[0]) // 3), box[3] - box[1] + 1))
            image.paste(part, (box[0], y))
        for row in range(y + 6, box[3] - 16, 20):
            draw.text((left + 24, row), _line(rng, font, (width - left) * 0.6), ink, font)
        y = box[3] + 12
    return image
