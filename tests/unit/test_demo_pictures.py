"""The pictures of the demo: what they show, whether classes differ, how they are drawn."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from vernis.adapters.demo import pictures, subjects
from vernis.adapters.demo.brands import BRANDS, draw_emblem, draw_label
from vernis.adapters.demo.canvas import (
    BLACK,
    WHITE,
    Sheet,
    fit,
    lettering,
    mix,
    photograph,
    rounded,
    star,
    tint,
    vary,
)
from vernis.adapters.demo.generate import AMOUNTS
from vernis.adapters.demo.pictures import ASSET_TYPES, HEADLINES, draw_picture
from vernis.adapters.demo.scenes import LANDS, ROOMS, draw_place

RED, BLUE = (200, 30, 30), (30, 30, 200)
NAMES = {brand.name for brand in BRANDS}


# ------------------------------------------------------------------------ pictures


@pytest.mark.parametrize("kind", ASSET_TYPES)
def test_every_asset_type_is_drawn_with_its_own_labels(kind):
    rng = np.random.default_rng(1)
    for serial in range(3):
        picture = draw_picture(kind, rng, serial)
        assert picture.asset_type == kind
        assert picture.image.mode == "RGB"
        assert 150 < min(picture.image.size) <= max(picture.image.size) < 700
        assert np.asarray(picture.image).std() > 5
        assert picture.keywords
        if kind == "landscape":
            assert picture.brand == ""
        elif kind != "people":
            assert picture.brand in NAMES


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("bottle", {"bottle"}),
        ("can", {"can"}),
        ("glass", {"glass"}),
        ("crate", {"bottle", "group", "packaging"}),
        ("people", {"people"}),
        ("poster", {"text"}),
        ("logo", {"graphic"}),
    ],
)
def test_a_picture_has_the_keywords_of_what_it_shows(kind, words):
    picture = draw_picture(kind, np.random.default_rng(2), 2)
    assert words <= picture.keywords
    if kind == "people":
        assert len(picture.keywords & {"portrait", "group"}) == 1
    if kind == "poster":
        assert picture.keywords & set(HEADLINES.values())


def test_the_same_seed_draws_the_same_picture():
    first, second, other = (
        draw_picture("glass", np.random.default_rng(seed)) for seed in (3, 3, 4)
    )
    assert first.image.tobytes() == second.image.tobytes() != other.image.tobytes()
    assert (first.brand, first.keywords) == (second.brand, second.keywords)


def test_logos_do_not_repeat():
    rng = np.random.default_rng(0)
    seen = [draw_picture("logo", rng, serial) for serial in range(42)]
    assert len(seen) >= AMOUNTS["logo"]
    assert len({p.image.resize((48, 48)).tobytes() for p in seen}) == len(seen)
    # Six brands in each of seven layouts, of which two are broad and two have no wordmark.
    assert [sum(p.brand == name for p in seen) for name in sorted(NAMES)] == [7] * 6
    assert sum(p.image.width > p.image.height for p in seen) == 12
    assert sum("text" not in p.keywords for p in seen) == 12
    again = draw_picture("logo", rng, 42)
    assert again.brand == seen[0].brand
    assert again.image.getpixel((2, 2)) != seen[0].image.getpixel((2, 2))
    white = [p for p in seen if "white background" in p.keywords]
    assert 0 < len(white) < len(seen)
    for picture in seen:
        assert (min(picture.image.getpixel((2, 2))) > 230) == (picture in white)


def test_people_are_branded_when_they_wear_or_hold_the_brand(monkeypatch):
    figures = []

    def stand_in(brand, rng, wears, drink):
        figures.append(wears or drink is not None)
        return Image.new("RGBA", (20, 40))

    monkeypatch.setattr(subjects, "draw_person", stand_in)
    monkeypatch.setattr(pictures, "draw_place", lambda name, *_: (Sheet((80, 60), RED), {name}))
    rng, branded = np.random.default_rng(0), set()
    for _ in range(40):
        figures.clear()
        picture = draw_picture("people", rng)
        assert (picture.brand in NAMES) == any(figures)
        assert ("portrait" in picture.keywords) == (len(figures) == 1)
        branded.add(picture.brand != "")
    assert branded == {True, False}


def told_apart(sprites: list[tuple[str, Image.Image]]) -> float:
    """Return the share whose nearest other sprite by its colours is of the same class."""
    colours = []
    for _, sprite in sprites:
        ground = Image.new("RGBA", sprite.size, (*WHITE, 255))
        ground.alpha_composite(sprite)
        pixels = np.asarray(ground.convert("RGB")).reshape(-1, 3) // 64
        counts = np.bincount(pixels @ [16, 4, 1], minlength=64)
        colours.append(np.sqrt(counts / counts.sum()))
    likeness = np.array(colours) @ np.array(colours).T
    np.fill_diagonal(likeness, -1)
    classes = np.array([name for name, _ in sprites])
    return float((classes[likeness.argmax(axis=1)] == classes).mean())


@pytest.mark.parametrize("draw", [subjects.draw_bottle, subjects.draw_can])
def test_the_brand_of_a_product_can_be_seen(draw):
    rng = np.random.default_rng(0)
    sprites = [(brand.name, draw(brand, rng)[0]) for brand in BRANDS for _ in range(4)]
    assert told_apart(sprites) > 0.9


@pytest.mark.parametrize("name", [*LANDS, *ROOMS])
def test_every_place_has_its_keyword_and_differs_from_seed_to_seed(name):
    (sheet, words), (other, _) = (
        draw_place(name, (160, 120), np.random.default_rng(seed), RED) for seed in (0, 1)
    )
    assert name in words
    assert ("outdoor" in words) == (name in LANDS)
    assert len(words & {"day", "sunset", "night"}) == (name in LANDS or name == "bar")
    assert sheet.picture.size == (160, 120)
    assert sheet.picture.tobytes() != other.picture.tobytes()


def test_a_night_is_darker_than_a_day():
    brightness: dict[str, list[float]] = {"day": [], "night": []}
    for seed in range(16):
        sheet, words = draw_place("mountains", (80, 60), np.random.default_rng(seed))
        for light in words & set(brightness):
            brightness[light].append(float(np.asarray(sheet.picture).mean()))
    assert max(brightness["night"]) < min(brightness["day"])


def test_what_is_in_a_glass_is_told():
    rng = np.random.default_rng(0)
    found = [subjects.draw_glass(brand, rng)[1] for brand in BRANDS for _ in range(8)]
    assert set().union(*found) == {"glass", "foam", "ice", "fruit"}
    assert all("glass" in words and not {"foam", "ice"} <= words for words in found)


def test_a_figure_in_the_brand_s_shirt_shows_its_colour():
    brand = BRANDS[0]
    plain, branded = (
        subjects.draw_person(brand, np.random.default_rng(0), wears, None)
        for wears in (False, True)
    )
    at = (260, 900)
    assert np.abs(np.subtract(branded.getpixel(at)[:3], brand.main)).max() <= 8
    assert np.abs(np.subtract(plain.getpixel(at)[:3], brand.main)).max() > 8


def test_a_raised_drink_is_held_beside_the_head():
    rng = np.random.default_rng(0)
    drink = Image.new("RGBA", (60, 200), (*BLUE, 255))
    with_drink = subjects.draw_person(BRANDS[0], rng, False, drink)
    alpha = np.asarray(with_drink.getchannel("A"))
    assert alpha[420, 447] == 255
    assert with_drink.getpixel((447, 420))[:3] == BLUE


# ------------------------------------------------------------------------ brands


def test_the_brands_differ_in_name_emblem_and_colours():
    assert len(NAMES) == len({b.main for b in BRANDS}) == 6
    emblems = {draw_emblem(b, BLACK, WHITE).tobytes() for b in BRANDS}
    assert len(emblems) == 6


def test_an_emblem_has_the_two_colours_that_it_is_asked_for():
    for brand in BRANDS:
        pixels = np.asarray(draw_emblem(brand, RED, BLUE)).reshape(-1, 4)
        assert {tuple(p) for p in pixels[pixels[:, 3] == 255]} == {(*RED, 255), (*BLUE, 255)}
        assert 0.05 < (pixels[:, 3] > 0).mean() < 0.9


def test_the_ink_of_a_logo_stands_out_and_no_two_grounds_are_alike():
    for brand in BRANDS:
        assert len(set(brand.grounds)) == 5
        for ground in brand.grounds:
            assert np.linalg.norm(np.subtract(brand.ink_on(ground), ground)) > 120


def test_the_designs_of_a_label_differ():
    labels = [np.asarray(draw_label(BRANDS[0], (90, 120), design), float) for design in range(4)]
    assert labels[0][2, 2] == pytest.approx(BRANDS[0].main)
    assert labels[1][2, 2] == pytest.approx(BRANDS[0].second)
    assert all(np.abs(a - b).mean() > 5 for a, b in pairwise(labels))


# ------------------------------------------------------------------------ canvas


def test_colours_are_mixed_and_stay_colours():
    assert mix(BLACK, WHITE, 0.5) == (128, 128, 128)
    assert tint(RED, 1) == WHITE
    assert tint(RED, -1) == BLACK
    assert tint(RED, 0) == RED
    rng = np.random.default_rng(0)
    near = [vary((3, 128, 252), rng, 20) for _ in range(200)]
    assert np.min(near) >= 0
    assert np.max(near) <= 255
    assert np.abs(np.subtract(near, (3, 128, 252))).max() <= 20
    assert len(set(near)) > 100


def test_a_sheet_runs_from_its_first_colour_to_its_last():
    column = np.asarray(Sheet((4, 60), RED, BLUE).picture)[:, 0].astype(int)
    assert tuple(column[0]) == RED
    assert tuple(column[-1]) == BLUE
    assert (np.diff(column[:, 0]) <= 0).all()
    assert Sheet((4, 4), RED).picture.getpixel((3, 3)) == RED
    assert Sheet((4, 4)).picture.getpixel((0, 0)) == (0, 0, 0, 0)


def inked(sheet: Sheet) -> np.ndarray:
    return np.asarray(sheet.picture)[..., 0] > 128


def test_shapes_are_drawn_in_shares_of_the_sheet():
    sheet = Sheet((200, 100), BLACK)
    sheet.box(0.25, 0.5, 0.75, 1, WHITE)
    rows, columns = np.nonzero(inked(sheet))
    assert (rows.min(), columns.min(), columns.max()) == (50, 50, 150)
    sheet = Sheet((200, 100), BLACK)
    sheet.disc(0.5, 0.5, 0.1, WHITE)
    assert inked(sheet).sum() == pytest.approx(np.pi * 20**2, rel=0.06)
    sheet = Sheet((200, 100), BLACK)
    sheet.disc(0.5, 0.5, 0.2, WHITE, 0.5, (0, 180))
    rows, columns = np.nonzero(inked(sheet))
    assert rows.min() >= 49
    assert np.ptp(columns) == pytest.approx(80, abs=2)
    assert np.ptp(rows) == pytest.approx(20, abs=2)
    sheet = Sheet((200, 100), BLACK)
    sheet.line([(0.2, 0.5), (0.8, 0.5)], 0.06, WHITE)
    assert np.ptp(np.nonzero(inked(sheet))[1]) == pytest.approx(132, abs=2)
    sheet = Sheet((200, 100), BLACK)
    sheet.poly(star(0.4, 5, 0.5), WHITE)
    assert inked(sheet)[:, 100].any()
    assert not inked(sheet)[0].any()


def test_a_ring_is_hollow():
    sheet = Sheet((200, 200), BLACK)
    sheet.arc(0.5, 0.5, 0.3, 0.02, WHITE)
    assert not inked(sheet)[100, 100]
    assert inked(sheet)[100, 42]


def test_light_and_shadow_fade_from_the_middle():
    light, dark = Sheet((100, 100), (90, 90, 90)), Sheet((100, 100), (90, 90, 90))
    light.glow(0.5, 0.5, 0.4, WHITE)
    dark.glow(0.5, 0.5, 0.4, BLACK, 0.5)
    bright, dim = (np.asarray(s.picture)[50, 50:, 0].astype(int) for s in (light, dark))
    assert bright[0] > 230
    assert (np.diff(bright) <= 0).all()
    assert 40 <= dim[0] < 60
    assert bright[-1] == dim[-1] == 90


def test_a_sprite_is_put_in_its_proportions_with_its_middle_on_the_point():
    sheet = Sheet((200, 100), BLACK)
    sheet.put(Image.new("RGBA", (10, 20), (*WHITE, 255)), 0.25, 0.5, 0.5, 0.8)
    rows, columns = np.nonzero(inked(sheet))
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (80, 40)
    assert columns.mean() == pytest.approx(49.5)
    assert rows.mean() == pytest.approx(49.5)
    sheet.put(Image.new("RGBA", (10, 10), (*RED, 0)), 0.25, 0.5)
    assert inked(sheet).sum() == 80 * 40


def test_a_sprite_stands_on_the_ground_and_darkens_it():
    sheet = Sheet((200, 200), (200, 200, 200))
    sheet.stand(Image.new("RGBA", (30, 60), (*RED, 255)), 0.5, 0.8, 0.6)
    rows, _ = np.nonzero(np.asarray(sheet.picture)[..., 1] == 30)
    assert rows.min() == pytest.approx(40, abs=1)
    assert rows.max() == pytest.approx(159, abs=1)
    assert sheet.picture.getpixel((100, 162))[0] < 180
    assert sheet.picture.getpixel((100, 20)) == (200, 200, 200)


def test_a_sprite_never_sticks_out_of_a_narrow_sheet():
    sheet = Sheet((100, 400), BLACK)
    sheet.stand(Image.new("RGBA", (300, 100), (*WHITE, 255)), 0.5, 0.9, 0.9)
    assert np.ptp(np.nonzero(inked(sheet))[1]) < 91


def test_defocus_takes_the_edges_away_and_keeps_the_mean():
    noise = np.random.default_rng(0).integers(0, 255, (80, 80, 3), dtype=np.uint8)
    sheet = Sheet((80, 80), BLACK)
    sheet.put(Image.fromarray(noise), 0.5, 0.5)
    sheet.defocus()
    after = np.asarray(sheet.picture, float)
    assert (
        np.abs(np.diff(after, axis=1)).mean() < 0.05 * np.abs(np.diff(noise.astype(float))).mean()
    )
    assert after.mean() == pytest.approx(noise.mean(), abs=4)


def test_a_rounded_surface_is_dark_at_its_edges():
    row = np.asarray(rounded(Image.new("RGB", (100, 4), (160, 160, 160))))[0, :, 0].astype(int)
    assert row[27] == row.max() > 160
    assert row[0] == pytest.approx(80, abs=2)
    assert row[-1] == pytest.approx(80, abs=2)


def test_lettering_is_cut_to_its_ink_and_grows_with_the_text():
    word = lettering("IIII", RED)
    alpha = np.asarray(word.getchannel("A"))
    for edge in (alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]):
        assert edge.any()
    assert lettering("IIIIIIII", RED).width > 1.8 * word.width
    assert np.asarray(lettering("I", RED, 0.1).getchannel("A")).sum() > (
        1.5 * np.asarray(lettering("I", RED).getchannel("A")).sum()
    )
    assert set(map(tuple, np.asarray(word)[..., :3].reshape(-1, 3))) == {RED}


def test_fit_keeps_proportions_within_the_box():
    assert fit(Image.new("RGB", (40, 20)), 100, 100).size == (100, 50)
    assert fit(Image.new("RGB", (40, 20)), 100, 10).size == (20, 10)
    assert fit(Image.new("RGB", (400, 2)), 10, 10).size == (10, 1)


def test_a_photograph_has_half_the_size_noise_and_no_lighter_corners():
    sheet = Sheet((200, 120), (120, 120, 120))
    pixels = np.asarray(photograph(sheet, np.random.default_rng(0)), float)
    assert pixels.shape == (60, 100, 3)
    assert 0.5 < pixels[25:35, 45:55].std() < 6
    assert pixels[:5, :5].mean() <= pixels[25:35, 45:55].mean() + 2
