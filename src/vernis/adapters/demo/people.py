"""People-like figures of the demo, in a flat drawing style."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw

from vernis.adapters.demo.brands import Brand, draw_emblem
from vernis.adapters.demo.canvas import Colour, centre, darken, lighten, mix, pick, vary

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

WIDTH, HEIGHT = 420, 900


def draw_person(
    rng: np.random.Generator, brand: Brand | None = None, drink: Image.Image | None = None
) -> Image.Image:
    """Return one standing figure, cut off at the hips, with a shirt of the brand or of any colour.

    ``drink`` is a sprite that the figure raises.
    """
    skin, hair = vary(pick(rng, SKINS), rng, 8), vary(pick(rng, HAIRS), rng, 8)
    shirt = vary(brand.main if brand else pick(rng, CLOTHES), rng, 8)
    sheet = Image.new("RGBA", (WIDTH * 2, HEIGHT * 2))
    draw = ImageDraw.Draw(sheet)
    style = int(rng.integers(5))
    if style in (1, 2):
        _long_hair(draw, hair, style)
    _torso(draw, shirt, skin, rng)
    _head(draw, skin, rng)
    _hair(draw, hair, style)
    raised = drink is not None
    _arms(draw, shirt, skin, raised)
    figure = sheet.reduce(2)
    if brand:
        centre(figure, draw_emblem(brand, 90, brand.second, shirt), (WIDTH / 2, 560))
    if drink is not None:
        height = 250
        held = drink.resize(
            (round(drink.width * height / drink.height), height), Image.Resampling.BICUBIC
        )
        held = held.rotate(-8, Image.Resampling.BICUBIC, expand=True)
        figure.alpha_composite(held, (max(0, 372 - held.width // 2 - 10), 250))
        hand = ImageDraw.Draw(figure)
        for i in range(4):
            y = 384 + i * 17
            hand.rounded_rectangle(
                (336, y, 394, y + 19), 9, fill=skin, outline=darken(skin, 0.14), width=1
            )
    return (
        figure
        if rng.random() < 0.5 or raised
        else figure.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    )


def _torso(
    draw: ImageDraw.ImageDraw, shirt: Colour, skin: Colour, rng: np.random.Generator
) -> None:
    draw.rounded_rectangle((370, 560, 470, 760), 44, fill=darken(skin, 0.12))
    body = [(240, 760), (330, 720), (510, 720), (600, 760), (620, 1800), (220, 1800)]
    draw.polygon(body, fill=shirt)
    draw.pieslice((200, 716, 400, 916), 150, 300, fill=shirt)
    draw.pieslice((440, 716, 640, 916), 240, 30, fill=shirt)
    cut = rng.random()
    if cut < 0.4:
        draw.polygon([(360, 715), (480, 715), (420, 840)], fill=skin)
    else:
        draw.chord((350, 650, 490, 780), 0, 180, fill=skin)
    if cut > 0.75:
        for y in range(880, 1800, 120):
            draw.rectangle((226, y, 614, y + 44), fill=lighten(shirt, 0.45))
    draw.polygon([(560, 960), (600, 760), (620, 1800), (560, 1800)], fill=darken(shirt, 0.14))


def _head(draw: ImageDraw.ImageDraw, skin: Colour, rng: np.random.Generator) -> None:
    draw.ellipse((282, 280, 558, 640), fill=skin)
    for x in (270, 546):
        draw.ellipse((x, 440, x + 32, 510), fill=skin)
    for x in (356, 484):
        draw.ellipse((x - 15, 440, x + 15, 476), fill=(44, 34, 34))
        draw.ellipse((x - 3, 446, x + 7, 456), fill=(255, 255, 255))
        draw.arc((x - 36, 398, x + 36, 450), 200, 340, fill=darken(skin, 0.5), width=8)
    draw.arc((396, 470, 446, 530), 20, 160, fill=darken(skin, 0.28), width=7)
    for x in (330, 510):
        draw.ellipse((x - 26, 510, x + 26, 550), fill=mix(skin, (226, 84, 74), 0.25))
    smile = rng.random()
    if smile < 0.55:
        draw.chord(
            (364, 520, 476, 600), 10, 170, fill=(250, 246, 242), outline=(150, 60, 60), width=6
        )
    else:
        draw.arc((370, 510, 470, 584), 20, 160, fill=(160, 66, 66), width=9)


def _hair(draw: ImageDraw.ImageDraw, hair: Colour, style: int) -> None:
    if style == 4:
        draw.chord((276, 256, 564, 560), 180, 360, fill=hair)
        draw.rectangle((250, 392, 590, 420), fill=darken(hair, 0.3))
        return
    draw.pieslice((272, 240, 568, 600), 180, 360, fill=hair)
    draw.polygon(
        [(286, 420), (300, 356), (540, 356), (560, 430), (500, 372), (380, 400)], fill=hair
    )
    if style == 0:
        for a in np.linspace(math.pi, 2 * math.pi, 9):
            x, y = 420 + 138 * math.cos(a), 400 + 140 * math.sin(a)
            draw.ellipse((x - 46, y - 46, x + 46, y + 46), fill=hair)
    if style == 3:
        draw.ellipse((360, 170, 480, 290), fill=hair)


def _long_hair(draw: ImageDraw.ImageDraw, hair: Colour, style: int) -> None:
    length = 860 if style == 1 else 680
    draw.rounded_rectangle((252, 330, 588, length), 120, fill=darken(hair, 0.12))


def _arms(draw: ImageDraw.ImageDraw, shirt: Colour, skin: Colour, raised: bool) -> None:
    sleeve, dark = darken(shirt, 0.08), darken(skin, 0.05)
    draw.line((262, 820, 200, 1230), fill=sleeve, width=104)
    draw.line((200, 1230, 220, 1620), fill=dark, width=80)
    draw.ellipse((214, 770, 314, 870), fill=sleeve)
    draw.ellipse((152, 1180, 252, 1280), fill=dark)
    draw.ellipse((526, 770, 626, 870), fill=sleeve)
    if raised:
        draw.line((576, 820, 700, 1120), fill=sleeve, width=104)
        draw.line((706, 1130, 726, 800), fill=dark, width=84)
        draw.ellipse((656, 1080, 760, 1184), fill=dark)
        return
    draw.line((578, 820, 640, 1230), fill=sleeve, width=104)
    draw.line((640, 1230, 620, 1620), fill=dark, width=80)
    draw.ellipse((588, 1180, 688, 1280), fill=dark)
