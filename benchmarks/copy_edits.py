"""Edits of pictures drawn from continuous families, and variants that are no copies.

Used by ``duplicates.py edits``. Every edit takes an RGB picture and a generator and returns the
edited picture with its parameters in words. Nothing here is a fixed list of strengths: each draw
is another one.
"""

from __future__ import annotations

import colorsys
import io
import math
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont

Rng = np.random.Generator
Edit = Callable[[Image.Image, Rng], Image.Image]
BICUBIC = Image.Resampling.BICUBIC


def color(rng: Rng) -> tuple[int, int, int]:
    return tuple(int(v) for v in rng.integers(0, 256, 3))  # type: ignore[return-value]


def ground(rng: Rng) -> tuple[int, int, int]:
    """Return white, black, grey or any colour."""
    choice = rng.integers(0, 4)
    grey = int(rng.integers(0, 256))
    return ((255,) * 3, (0,) * 3, (grey,) * 3, color(rng))[choice]


def rotate(im: Image.Image, rng: Rng) -> Image.Image:
    """Turn by any angle; half of the time the corners show a ground, else they are cut off."""
    angle = float(rng.uniform(-180, 180))
    if rng.random() < 0.5:
        return im.rotate(angle, BICUBIC, expand=True, fillcolor=ground(rng))
    turned = im.rotate(angle, BICUBIC, expand=True)
    w, h = inner_rectangle(im.width, im.height, math.radians(angle))
    x, y = (turned.width - w) / 2, (turned.height - h) / 2
    return turned.crop((math.ceil(x), math.ceil(y), int(x + w), int(y + h)))


def inner_rectangle(w: float, h: float, angle: float) -> tuple[float, float]:
    """Return the largest upright rectangle within a turned one."""
    sine, cosine = abs(math.sin(angle)), abs(math.cos(angle))
    long, short = max(w, h), min(w, h)
    if short <= 2 * sine * cosine * long or abs(sine - cosine) < 1e-9:
        half = short / 2
        return (half / sine, half / cosine) if w >= h else (half / cosine, half / sine)
    double = cosine * cosine - sine * sine
    return (w * cosine - h * sine) / double, (h * cosine - w * sine) / double


def crop(im: Image.Image, rng: Rng) -> Image.Image:
    w, h = (max(8, int(side * rng.uniform(0.5, 1.0))) for side in im.size)
    x, y = int(rng.integers(0, im.width - w + 1)), int(rng.integers(0, im.height - h + 1))
    return im.crop((x, y, x + w, y + h))


def perspective(im: Image.Image, rng: Rng) -> Image.Image:
    w, h = im.size
    corners = np.array([(0, 0), (w, 0), (w, h), (0, h)], float)
    moved = corners + np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)]) * rng.uniform(
        0, 0.15, (4, 2)
    ) * [w, h]
    a, b = (moved, corners) if rng.random() < 0.5 else (corners, moved)
    rows = []
    for (x, y), (u, v) in zip(a, b, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    data = np.linalg.solve(np.array(rows), b.reshape(-1))
    return im.transform(im.size, Image.Transform.PERSPECTIVE, data, BICUBIC, fillcolor=ground(rng))


def shear(im: Image.Image, rng: Rng) -> Image.Image:
    k = float(rng.uniform(-0.3, 0.3))
    if rng.random() < 0.5:
        width = im.width + int(abs(k) * im.height)
        data = (1, k, -max(0.0, k) * im.height, 0, 1, 0)
        size = (width, im.height)
    else:
        data = (1, 0, 0, k, 1, -max(0.0, k) * im.width)
        size = (im.width, im.height + int(abs(k) * im.width))
    return im.transform(size, Image.Transform.AFFINE, data, BICUBIC, fillcolor=ground(rng))


def scale(im: Image.Image, rng: Rng) -> Image.Image:
    factor = rng.uniform(0.25, 1.0)
    return im.resize([max(8, round(side * factor)) for side in im.size], BICUBIC)


def jpeg(im: Image.Image, rng: Rng) -> Image.Image:
    stream = io.BytesIO()
    im.save(stream, "JPEG", quality=int(rng.integers(10, 96)))
    return Image.open(stream).convert("RGB")


def blur(im: Image.Image, rng: Rng) -> Image.Image:
    return im.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 3.0) * min(im.size) / 224))


def noise(im: Image.Image, rng: Rng) -> Image.Image:
    a = np.asarray(im, float) + rng.normal(0, rng.uniform(2, 25), (im.height, im.width, 3))
    return Image.fromarray(a.clip(0, 255).astype("uint8"))


def brightness(im: Image.Image, rng: Rng) -> Image.Image:
    return ImageEnhance.Brightness(im).enhance(float(np.exp(rng.uniform(-0.6, 0.5))))


def contrast(im: Image.Image, rng: Rng) -> Image.Image:
    return ImageEnhance.Contrast(im).enhance(float(np.exp(rng.uniform(-0.7, 0.6))))


def gamma(im: Image.Image, rng: Rng) -> Image.Image:
    power = float(np.exp(rng.uniform(-0.7, 0.7)))
    return im.point([round(255 * (v / 255) ** power) for v in range(256)] * 3)


def saturation(im: Image.Image, rng: Rng) -> Image.Image:
    return ImageEnhance.Color(im).enhance(float(rng.uniform(0, 2)))


def hue(im: Image.Image, rng: Rng) -> Image.Image:
    h, s, v = im.convert("HSV").split()
    turn = int(rng.integers(10, 246))
    return Image.merge("HSV", (h.point([(x + turn) % 256 for x in range(256)]), s, v)).convert(
        "RGB"
    )


def white_balance(im: Image.Image, rng: Rng) -> Image.Image:
    gains = np.exp(rng.uniform(-0.25, 0.25, 3))
    return im.point([min(255, round(v * g)) for g in gains for v in range(256)])


def posterize(im: Image.Image, rng: Rng) -> Image.Image:
    levels = int(rng.integers(4, 24))
    step = 255 / (levels - 1)
    return im.point([round(round(v / step) * step) for v in range(256)] * 3)


def sharpen(im: Image.Image, rng: Rng) -> Image.Image:
    return im.filter(ImageFilter.UnsharpMask(rng.uniform(0.5, 3), int(rng.uniform(50, 300)), 0))


def border(im: Image.Image, rng: Rng) -> Image.Image:
    w = round(rng.uniform(0.02, 0.15) * max(im.size))
    out = Image.new("RGB", (im.width + 2 * w, im.height + 2 * w), ground(rng))
    out.paste(im, (w, w))
    return out


def frame(im: Image.Image, rng: Rng) -> Image.Image:
    """Put the picture in lines of several colours and a mount of unequal widths."""
    out = im
    for _ in range(int(rng.integers(2, 4))):
        left, top, right, bottom = (
            max(1, round(v * max(im.size))) for v in rng.uniform(0.01, 0.07, 4)
        )
        box = Image.new("RGB", (out.width + left + right, out.height + top + bottom), ground(rng))
        box.paste(out, (left, top))
        out = box
    return out


def ink_on(fill: tuple[int, int, int], rng: Rng) -> tuple[int, int, int]:
    """Return a colour that can be read on another one."""
    while True:
        ink = ground(rng)
        if abs(sum(ink) - sum(fill)) > 240:
            return ink


def words(rng: Rng) -> str:
    letters = np.array(list("abcdefghiklmnoprstuvw"))
    return " ".join(
        "".join(rng.choice(letters, int(rng.integers(3, 9)))).capitalize()
        for _ in range(int(rng.integers(1, 4)))
    )


def text(im: Image.Image, rng: Rng) -> Image.Image:
    out = im.copy()
    draw = ImageDraw.Draw(out)
    font = ImageFont.load_default(max(8, int(rng.uniform(0.06, 0.2) * min(im.size))))
    said = words(rng)
    left, top, right, bottom = draw.textbbox((0, 0), said, font=font)
    x = int(rng.uniform(0, max(1, im.width - (right - left))))
    y = int(rng.uniform(0, max(1, im.height - (bottom - top))))
    if rng.random() < 0.4:
        draw.rectangle((x - 3, y - 3, x + right + 3, y + bottom + 3), fill=ground(rng))
    draw.text((x, y), said, fill=ground(rng), font=font)
    return out


def logo(im: Image.Image, rng: Rng) -> Image.Image:
    """Lay a mark of up to an eighth of the picture over it, opaque or half seen through."""
    w, h = (rng.uniform(0.1, 0.36) * np.array(im.size)).astype(int)
    mark = Image.new("RGBA", (max(6, w), max(6, h)), (0, 0, 0, 0))
    draw = ImageDraw.Draw(mark)
    alpha = int(rng.uniform(90, 256))
    shape = (draw.ellipse, draw.rectangle)[int(rng.integers(0, 2))]
    shape((0, 0, mark.width - 1, mark.height - 1), fill=(*color(rng), alpha))
    k = rng.uniform(0.2, 0.4)
    draw.ellipse(
        (mark.width * k, mark.height * k, mark.width * (1 - k), mark.height * (1 - k)),
        fill=(*color(rng), alpha),
    )
    out = im.copy()
    x = int(rng.integers(0, im.width - mark.width + 1))
    y = int(rng.integers(0, im.height - mark.height + 1))
    out.paste(mark, (x, y), mark)
    return out


def collage(im: Image.Image, rng: Rng, other: Image.Image) -> Image.Image:
    """Set the picture beside another one, each half of the whole."""
    if rng.random() < 0.5:
        other = other.resize((max(8, round(other.width * im.height / other.height)), im.height))
        other = other.crop((0, 0, min(other.width, im.width), im.height)).resize(im.size)
        pair, size, place = (im, other), (2 * im.width, im.height), (im.width, 0)
    else:
        other = other.resize(im.size)
        pair, size, place = (im, other), (im.width, 2 * im.height), (0, im.height)
    if rng.random() < 0.5:
        pair = pair[::-1]
    out = Image.new("RGB", size)
    out.paste(pair[0], (0, 0))
    out.paste(pair[1], place)
    return out


def screenshot(im: Image.Image, rng: Rng) -> Image.Image:
    """Show the picture in a window on a screen, with bars, a title and lines of text."""
    share = rng.uniform(0.62, 0.92)
    w, h = (round(side / share) for side in im.size)
    out = Image.new("RGB", (w, h), ground(rng))
    draw = ImageDraw.Draw(out)
    x, y = int(rng.integers(0, w - im.width + 1)), int(rng.integers(0, h - im.height + 1))
    font = ImageFont.load_default(max(8, h // 30))
    for line in range(0, h, max(10, h // 20)):
        draw.text((int(rng.integers(2, 12)), line), words(rng), fill=ground(rng), font=font)
    bar = max(4, h // 24)
    draw.rectangle((x - 2, y - bar, x + im.width + 2, y + im.height + 2), fill=ground(rng))
    draw.text((x + 4, y - bar), words(rng), fill=ground(rng), font=font)
    out.paste(im, (x, y))
    return out


SINGLE: dict[str, Edit] = {
    f.__name__: f
    for f in (
        *(rotate, crop, perspective, shear, scale, jpeg, blur, noise, brightness, contrast, gamma),
        *(saturation, hue, white_balance, posterize, sharpen, border, frame, text, logo),
        screenshot,
    )
}
FAMILIES = (*SINGLE, "collage", "two")


def edit(family: str, im: Image.Image, rng: Rng, other: Image.Image) -> tuple[Image.Image, str]:
    """Return the picture edited by a family, and what was done in words."""
    if family == "collage":
        return collage(im, rng, other), family
    if family == "two":
        first, second = rng.choice(list(SINGLE), 2, replace=False)
        return SINGLE[second](SINGLE[first](im, rng), rng), f"{first}+{second}"
    return SINGLE[family](im, rng), family


# ------------------------------------------------------------------ variants: no copies


def _shade(im: Image.Image, rng: Rng) -> Image.Image:
    a = np.asarray(im, float)
    x = np.linspace(0, 3.1, im.width)[None, :, None]
    inside = (a.min(2) < 250)[..., None]
    a = np.where(inside, a * (0.8 + 0.2 * np.sin(x)), a)
    return Image.fromarray((a + rng.normal(0, 2, a.shape)).clip(0, 255).astype("uint8"))


def _hues(rng: Rng, n: int) -> list[tuple[int, int, int]]:
    start = rng.random()
    return [
        tuple(int(255 * v) for v in colorsys.hsv_to_rgb((start + k / n) % 1, 0.75, 0.8))
        for k in range(n)
    ]  # type: ignore[misc]


def garments(rng: Rng, n: int) -> list[Image.Image]:
    """One garment on white in n colours."""
    points = np.array(
        [
            *((200, 120), (260, 150), (340, 150), (400, 120), (520, 220), (460, 290)),
            *((420, 250), (420, 500), (180, 500), (180, 250), (140, 290), (80, 220)),
        ],
        float,
    ) + rng.uniform(-20, 20, (12, 2))
    found = []
    for fill in _hues(rng, n):
        im = Image.new("RGB", (600, 600), "white")
        ImageDraw.Draw(im).polygon([tuple(p) for p in points], fill=fill)
        found.append(_shade(im.filter(ImageFilter.GaussianBlur(1)), rng))
    return found


def labels(rng: Rng, n: int) -> list[Image.Image]:
    """One bottle with n labels."""
    glass, paper, ink = color(rng), (235, 225, 200), (90, 20, 20)
    found = []
    for _ in range(n):
        im = Image.new("RGB", (600, 600), "white")
        d = ImageDraw.Draw(im)
        d.rectangle((265, 60, 335, 200), fill=glass)
        d.rounded_rectangle((220, 180, 380, 560), 40, fill=glass)
        d.rectangle((225, 300, 375, 450), fill=paper)
        d.text((300, 350), words(rng)[:9], fill=ink, font=ImageFont.load_default(34), anchor="mm")
        number = str(int(rng.integers(1900, 2030)))
        d.text((300, 410), number, fill=ink, font=ImageFont.load_default(34), anchor="mm")
        found.append(_shade(im, rng))
    return found


def signs(rng: Rng, n: int) -> list[Image.Image]:
    """One sign with n numbers."""
    board = color(rng)
    ink = ink_on(board, rng)
    back = Image.fromarray(rng.integers(60, 220, (5, 6, 3)).astype("uint8")).resize(
        (480, 360), BICUBIC
    )
    found = []
    for number in rng.choice(90, n, replace=False) + 10:
        im = back.copy()
        d = ImageDraw.Draw(im)
        d.rounded_rectangle((120, 80, 360, 280), 20, fill=board, outline=ink, width=8)
        d.text((240, 180), str(number), fill=ink, font=ImageFont.load_default(120), anchor="mm")
        found.append(_shade(im, rng))
    return found


def slides(rng: Rng, n: int) -> list[Image.Image]:
    """Slides of one template."""
    top, ink = color(rng), (30, 30, 30)
    found = []
    for page in range(n):
        im = Image.new("RGB", (640, 360), "white")
        d = ImageDraw.Draw(im)
        d.rectangle((0, 0, 640, 60), fill=top)
        d.text((20, 14), words(rng), fill="white", font=ImageFont.load_default(28))
        for line in range(int(rng.integers(3, 7))):
            d.text((50, 90 + 36 * line), words(rng), fill=ink, font=ImageFont.load_default(20))
        d.text((600, 335), str(page + 1), fill=ink, font=ImageFont.load_default(16))
        found.append(im)
    return found


def plates(rng: Rng, n: int) -> list[Image.Image]:
    """One device with n colours of a part and n numbers."""
    found = []
    for k, fill in enumerate(_hues(rng, n)):
        im = Image.new("RGB", (600, 600), "white")
        d = ImageDraw.Draw(im)
        d.rounded_rectangle((120, 200, 480, 400), 60, fill=(60, 60, 65))
        d.ellipse((160, 240, 300, 360), fill=fill)
        d.text((390, 300), f"{36 + k}", fill="white", font=ImageFont.load_default(60), anchor="mm")
        found.append(_shade(im, rng))
    return found


def cloths(rng: Rng, n: int) -> list[Image.Image]:
    """Stripes, checks or dots of n pitches and colours."""
    y, x = np.mgrid[0:400, 0:400]
    kind = int(rng.integers(0, 3))
    found = []
    for pitch in np.linspace(14, 80, n).astype(int):
        a, b = rng.integers(20, 235, (2, 3))
        mask = (
            x // pitch % 2,
            (x // pitch + y // pitch) % 2,
            ((x % pitch - pitch / 2) ** 2 + (y % pitch - pitch / 2) ** 2 < (pitch * 0.3) ** 2) * 1,
        )[kind]
        im = np.where(mask[..., None] == 1, a, b) + rng.normal(0, 4, (400, 400, 3))
        found.append(Image.fromarray(im.clip(0, 255).astype("uint8")))
    return found


def printed(rng: Rng, n: int) -> list[Image.Image]:
    """Packages of one design, each with another word where the others have theirs."""
    design = Image.fromarray(rng.integers(30, 225, (7, 5, 3)).astype("uint8")).resize(
        (400, 560), BICUBIC
    )
    patch = color(rng)
    ink = ink_on(patch, rng)
    found = []
    for _ in range(n):
        im = design.copy()
        d = ImageDraw.Draw(im)
        d.rectangle((60, 200, 340, 320), fill=patch)
        d.text((200, 260), words(rng)[:8], fill=ink, font=ImageFont.load_default(48), anchor="mm")
        found.append(_shade(im, rng))
    return found


VARIANTS: dict[str, Callable[[Rng, int], list[Image.Image]]] = {
    f.__name__: f for f in (garments, labels, signs, slides, plates, cloths, printed)
}
