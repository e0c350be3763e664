"""Keypoints and the closer look: any edit is a copy, a variant is none."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFont

from vernis.adapters.fingerprints import compute_fingerprint
from vernis.adapters.keypoints import compute_keypoints
from vernis.core.copies.close_look import CloseLook, Proposal
from vernis.core.copies.color_change import find_color_change
from vernis.core.copies.color_map import unexplained_share
from vernis.core.copies.comparison import (
    VIEW_SIDE,
    Comparison,
    compare_small,
    compare_views,
    name_overlay,
)
from vernis.core.copies.correspondence import Overlay, overlay_keypoints
from vernis.core.copies.families import Families
from vernis.core.copies.fingerprints import Fingerprints, unpack_fingerprints
from vernis.core.copies.keypoints import (
    COUNT,
    DIMENSIONS,
    RECORD_SIZE,
    Keypoints,
    level_sizes,
    unpack_keypoints,
)
from vernis.core.copies.pairs import find_near_pairs
from vernis.core.copies.registration import register, register_small, warp
from vernis.core.copies.votes import propose_by_keypoints
from vernis.domain.errors import InvalidValue

Pixels = NDArray[np.uint8]


def scene(seed: int, size: tuple[int, int] = (360, 280)) -> Image.Image:
    """Return a picture of many coloured shapes."""
    rng = np.random.default_rng(seed)
    ground = Image.fromarray(rng.integers(40, 215, (6, 8, 3)).astype(np.uint8))
    picture = ground.resize(size, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    for _ in range(60):
        x, y, side = (int(v) for v in rng.integers((0, 0, 8), (size[0], size[1], 46)))
        shape = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        shape((x, y, x + side, y + side), fill=tuple(int(v) for v in rng.integers(0, 256, 3)))
    return picture


def pixels(picture: Image.Image) -> Pixels:
    return np.asarray(picture.convert("RGB"))


def view(picture: Image.Image) -> Pixels:
    scale = VIEW_SIDE / max(picture.size)
    size = [max(16, round(side * scale)) for side in picture.size]
    return pixels(picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0))


def points(picture: Image.Image) -> Keypoints:
    return unpack_keypoints(compute_keypoints(pixels(picture)))


def fingerprints(*pictures: Image.Image) -> Fingerprints:
    return unpack_fingerprints(np.stack([compute_fingerprint(pixels(p)) for p in pictures]))


def look_at(first: Image.Image, second: Image.Image) -> Comparison:
    overlay = overlay_keypoints(points(first), points(second))
    assert overlay is not None
    prints = fingerprints(first, second)
    aspects = float(prints.aspect[0]), float(prints.aspect[1])
    small = compare_small(*prints.luma, aspects, overlay)
    assert small.may_be_copies()
    return compare_views(view(first), view(second), small.overlay, 0.85)


def turned(picture: Image.Image) -> Image.Image:
    return picture.rotate(33, Image.Resampling.BICUBIC, expand=True, fillcolor=(250, 240, 0))


def cropped(picture: Image.Image) -> Image.Image:
    return picture.crop((60, 40, 300, 220))


def on_a_screen(picture: Image.Image) -> Image.Image:
    screen = Image.new("RGB", (620, 420), (30, 60, 90))
    ImageDraw.Draw(screen).rectangle((0, 0, 620, 30), fill=(220, 220, 220))
    screen.paste(picture, (180, 70))
    return screen


def tilted(picture: Image.Image) -> Image.Image:
    data = (1.1, 0.12, -20, 0.05, 1.15, -12, 0.0004, 0.0003)
    return picture.transform(
        picture.size, Image.Transform.PERSPECTIVE, data, Image.Resampling.BICUBIC
    )


def mirrored(picture: Image.Image) -> Image.Image:
    return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def captioned(picture: Image.Image) -> Image.Image:
    out = picture.copy()
    font = ImageFont.load_default(40)
    ImageDraw.Draw(out).text((70, 110), "Summer sale", fill="white", font=font)
    return out


EDITS = (turned, cropped, on_a_screen, tilted, mirrored, captioned)


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
@pytest.mark.parametrize("seed", [3, 4])
def test_an_edited_picture_is_a_copy(edit: object, seed: int) -> None:
    original = scene(seed)
    seen = look_at(original, edit(original))  # type: ignore[operator]
    assert (seen.kind, seen.reason) == ("copy", "")
    assert seen.similarity >= 0.85


@pytest.mark.parametrize("seed", range(4))
def test_another_picture_does_not_lie_on_it(seed: int) -> None:
    assert overlay_keypoints(points(scene(seed)), points(scene(seed + 10))) is None


def test_keypoints_of_a_mirrored_picture_are_the_mirrored_keypoints() -> None:
    picture = scene(5)
    here, there = points(picture), points(mirrored(picture)).mirrored()
    best = (here.descriptors @ there.descriptors.T).argmax(axis=1)
    alike = (here.descriptors * there.descriptors[best]).sum(axis=1) > 0.99
    assert alike.mean() > 0.75
    moved = there.places[best] + np.array([1.0, 0.0]) - here.places
    assert np.abs(moved[alike]).max() < 0.01
    turn = np.angle(np.exp(1j * (there.turns[best] - here.turns)))
    assert np.abs(turn[alike]).max() < 0.1


def test_keypoints_lie_within_the_picture_and_are_of_length_one() -> None:
    found = points(scene(6))
    assert 0.5 * COUNT < len(found) <= COUNT
    assert found.descriptors.shape == (len(found), DIMENSIONS)
    np.testing.assert_allclose(np.linalg.norm(found.descriptors, axis=1), 1.0, atol=1e-4)
    assert found.places.min() > 0.0
    assert found.places[:, 0].max() < 1.0
    assert found.places[:, 1].max() < 280 / 360


def test_a_plain_picture_has_no_keypoints() -> None:
    record = compute_keypoints(np.full((90, 120, 3), 200, np.uint8))
    assert record.shape == (RECORD_SIZE,)
    assert len(unpack_keypoints(record)) == 0
    assert overlay_keypoints(unpack_keypoints(record), points(scene(1))) is None


@pytest.mark.parametrize("size", [(1, 1), (3, 900), (900, 3), (19, 19)])
def test_tiny_and_thin_pictures_do_no_harm(size: tuple[int, int]) -> None:
    record = compute_keypoints(np.zeros((size[1], size[0], 3), np.uint8))
    assert len(unpack_keypoints(record)) == 0
    assert all(min(level) >= 1 for level in level_sizes(*size))


def test_a_record_of_another_length_is_refused() -> None:
    with pytest.raises(InvalidValue, match="expected keypoints of uint8 and shape"):
        unpack_keypoints(np.zeros(RECORD_SIZE - 1, np.uint8))


def sign(number: str) -> Image.Image:
    picture = scene(8)
    draw = ImageDraw.Draw(picture)
    draw.rounded_rectangle((90, 60, 270, 220), 16, fill=(20, 60, 160), outline="white", width=6)
    font = ImageFont.load_default(90)
    draw.text((180, 140), number, fill="white", font=font, anchor="mm")
    return picture


def test_another_word_on_the_same_ground_is_a_variant() -> None:
    seen = look_at(sign("27"), sign("58"))
    assert (seen.kind, seen.reason) == ("variant", "content")


def test_the_same_word_is_a_copy() -> None:
    small = sign("27").resize((210, 163), Image.Resampling.BICUBIC)
    assert look_at(sign("27"), small).kind == "copy"


def slide(*lines: str) -> Image.Image:
    picture = Image.new("RGB", (640, 360), "white")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, 640, 60), fill=(20, 90, 60))
    draw.text((20, 14), "Quarterly report", fill="white", font=ImageFont.load_default(28))
    for row, line in enumerate(lines):
        draw.text((50, 90 + 36 * row), line, fill=(30,) * 3, font=ImageFont.load_default(20))
    draw.text((600, 335), "7", fill=(30,) * 3, font=ImageFont.load_default(16))
    return picture


FIRST_LINES = ("Revenue by region", "Tobacco and glass", "Weighed in barrels", "See the annex")
OTHER_LINES = ("Growth of branches", "Wood, paper", "Counted in crates now", "Ask the board")


@pytest.mark.parametrize("nudge", [0.0, 0.02], ids=["still", "lines drawn on other lines"])
def test_slides_of_one_template_are_variants(nudge: float) -> None:
    one, other = view(slide(*FIRST_LINES)), view(slide(*OTHER_LINES))
    placed = np.eye(3)
    placed[0, 1] = nudge
    seen = compare_views(one, other, Overlay(placed, 0), 0.85, related=True)
    assert (seen.kind, seen.reason) == ("variant", "content")


def test_a_smaller_slide_is_a_copy() -> None:
    page = slide(*FIRST_LINES)
    small = page.resize((300, 169), Image.Resampling.BICUBIC)
    assert look_at(page, small).kind == "copy"


def test_another_digit_close_to_the_same_ones_is_a_variant() -> None:
    """Its windows show no more than those around it, which are of the other digits."""
    seen = look_at(sign("8147"), sign("8197"))
    assert (seen.kind, seen.reason) == ("variant", "content")


def before(ground: int) -> Image.Image:
    """Return one sign before a ground of soft colours."""
    colors = np.random.default_rng(ground).integers(60, 200, (6, 8, 3)).astype(np.uint8)
    picture = Image.fromarray(colors).resize((320, 240), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    draw.ellipse((80, 40, 240, 200), fill=(20, 60, 160))
    arrow = [(116, 116), (156, 80), (156, 104), (204, 104), (204, 168), (180, 168), (180, 128)]
    draw.polygon([*arrow, (156, 128), (156, 152)], fill="white")
    return picture


def test_one_sign_before_two_grounds_is_no_copy_whatever_the_fingerprints_say() -> None:
    pictures = [before(1), before(2)]
    look = looker(*pictures)
    related = Proposal((0, 1), Overlay(np.eye(3), 0), 0.9, related=True)
    assert [each.kind for each in look.settle([related], 0.85, Families())] == ["different"]


@pytest.mark.parametrize("power", [0.6, 1.0, 1.7])
def test_one_map_of_colours_explains_an_edit(power: float) -> None:
    first = pixels(before(1)).astype(np.float32)
    inside = np.ones(first.shape[:2], bool)
    nothing = np.zeros_like(inside)
    edited = 255 * (first / 255) ** power * np.array([1.0, 0.9, 0.8], np.float32)
    assert unexplained_share(first, edited.astype(np.float32), inside, nothing) < 0.02
    other = pixels(before(2)).astype(np.float32)
    assert unexplained_share(first, other, inside, nothing) > 0.2


def bottle(fill: tuple[int, int, int]) -> Image.Image:
    picture = Image.new("RGB", (300, 300), "white")
    draw = ImageDraw.Draw(picture)
    draw.polygon([(60, 80), (120, 60), (240, 80), (250, 260), (70, 250)], fill=fill)
    for k in range(9):
        corner = 70 + 18 * k, 40 + (37 * k) % 60
        draw.rectangle((*corner, corner[0] + 9, corner[1] + 12), fill=(40 + 9 * k,) * 3)
    for k in range(8):
        draw.line((80 + 20 * k, 262, 60 + 25 * k, 290), fill=(90, 90, 90), width=3)
    return picture


def test_an_object_of_another_colour_is_a_variant() -> None:
    seen = look_at(bottle((190, 60, 60)), bottle((60, 110, 190)))
    assert (seen.kind, seen.reason) == ("variant", "color")


def test_toning_a_picture_is_no_change_of_an_object() -> None:
    first = pixels(scene(9)).astype(np.float32)
    inside = np.ones(first.shape[:2], bool)
    grey = first.mean(axis=2, keepdims=True)
    for toned in (
        0.4 * first + 0.6 * grey,
        first * np.array([1.1, 1.0, 0.85]),
        np.clip(first * 0.7, 0, 255),
        np.repeat(grey, 3, axis=2),
    ):
        assert not find_color_change(first, toned.astype(np.float32), inside)
        assert not find_color_change(toned.astype(np.float32), first, inside)


def test_hues_that_turn_together_are_an_edit_where_there_are_three() -> None:
    many = pixels(scene(9)).astype(np.float32)
    inside = np.ones(many.shape[:2], bool)
    assert not find_color_change(many, np.ascontiguousarray(many[..., [2, 0, 1]]), inside)
    one = pixels(bottle((190, 60, 60))).astype(np.float32)
    inside = np.ones(one.shape[:2], bool)
    assert find_color_change(one, np.ascontiguousarray(one[..., [2, 0, 1]]), inside)


def test_registration_finds_a_perspective_map() -> None:
    picture = view(scene(11)).astype(np.float32).mean(axis=2)
    true = np.array([[1.02, 0.05, -0.02], [-0.04, 0.97, 0.03], [0.05, -0.04, 1.0]])
    seen, _ = warp(picture, true, (picture.shape[0], picture.shape[1]))
    half = [side[::4, ::4] for side in (seen, picture)]
    small = register_small(*half, np.eye(3)).matrix
    found = register(seen, picture, small).matrix
    corners = np.array([[0.1, 0.1, 1], [0.9, 0.1, 1], [0.9, 0.6, 1], [0.1, 0.6, 1]]).T
    there, here = true @ corners, found @ corners
    miss = np.abs(there[:2] / there[2] - here[:2] / here[2]).max()
    assert miss * VIEW_SIDE < 0.5  # half a pixel


def test_an_overlay_is_inverted_and_chained() -> None:
    one = Overlay(np.array([[0.5, 0.1, 0.2], [-0.1, 0.6, 0.1], [0, 0, 1.0]]), 9)
    np.testing.assert_allclose(one.then(one.inverse()).matrix, np.eye(3), atol=1e-12)
    assert one.inverse().scale() == pytest.approx(1 / one.scale())


def test_transforms_are_named() -> None:
    original = scene(3)
    named = {edit: name_overlay(look_at(original, edit(original))) for edit in EDITS}
    assert named[mirrored] == "hflip"
    assert "rotation" in named[turned].split("+")
    assert "crop" in named[cropped].split("+")
    assert named[captioned] == "banner"
    quarter = original.transpose(Image.Transpose.ROTATE_90)
    assert name_overlay(look_at(original, quarter)) == "rot90"


def test_votes_propose_edited_pictures_and_few_others() -> None:
    originals = [scene(seed) for seed in range(20, 32)]
    pictures = [*originals, *(edit(originals[k]) for k, edit in enumerate(EDITS))]
    records = np.stack([compute_keypoints(pixels(picture)) for picture in pictures])
    pairs, votes = propose_by_keypoints(records, 4)
    found = set(map(tuple, pairs.tolist()))
    assert {(k, 12 + k) for k in range(len(EDITS))} <= found
    assert len(votes) == len(found)
    assert np.all(pairs[:, 0] < pairs[:, 1])
    for k in range(len(EDITS)):
        own = np.flatnonzero((pairs == 12 + k).any(axis=1))
        assert tuple(pairs[own[votes[own].argmax()]]) == (k, 12 + k)


def test_no_keypoints_no_votes() -> None:
    pairs, votes = propose_by_keypoints(np.zeros((3, RECORD_SIZE), np.uint8), 4)
    assert pairs.shape == (0, 2)
    assert votes.shape == (0,)


def test_the_search_finds_any_edit_and_marks_variants() -> None:
    originals = [scene(seed) for seed in range(40, 46)]
    pictures = [*originals, *(edit(originals[k]) for k, edit in enumerate(EDITS))]
    signs = len(pictures)
    pictures += [sign("27"), sign("58")]
    prints = fingerprints(*pictures)
    records = np.stack([compute_keypoints(pixels(p)) for p in pictures])
    views = [view(p) for p in pictures]
    found = find_near_pairs(prints, closer=CloseLook(records, prints, views.__getitem__))
    copies = set(map(tuple, found.copies().pairs.tolist()))
    assert copies == {(k, 6 + k) for k in range(6)}
    variants = found.pairs[found.variants].tolist()
    assert variants == [[signs, signs + 1]]


def looker(*pictures: Image.Image, looks: list[int] | None = None) -> CloseLook:
    """Return the CloseLook of some pictures; the rows that it looks at are noted in ``looks``."""
    records = np.stack([compute_keypoints(pixels(p)) for p in pictures])
    views = [view(p) for p in pictures]

    def look(row: int) -> Pixels:
        if looks is not None:
            looks.append(row)
        return views[row]

    return CloseLook(records, fingerprints(*pictures), look)


def test_pictures_that_are_gone_are_passed_over() -> None:
    original = scene(50)
    closer = looker(original, cropped(original))
    proposals = closer.propose([(0, 1)])
    closer = CloseLook(closer.records, closer.fingerprints, lambda row: None)
    assert closer.settle(proposals, 0.85, Families()) == []
    # What the fingerprints know of a pair is kept.
    known = [Proposal((0, 1), proposals[0].overlay, 0.9, related=True)]
    seen = closer.settle(known, 0.85, Families())
    assert [(each.kind, each.comparison.similarity) for each in seen] == [("copy", 0.9)]


def test_copies_of_copies_are_not_looked_at() -> None:
    original = scene(52)
    others = [turned(original), tilted(original), captioned(original), mirrored(original)]
    pictures = [original, *others]
    looks: list[int] = []
    closer = looker(*pictures, looks=looks)
    compared: list[object] = []
    here = closer._compare_here
    closer._compare_here = lambda task: (compared.append(task), here(task))[1]  # type: ignore[method-assign]
    pairs = [(a, b) for a in range(5) for b in range(a + 1, 5)]
    proposals = closer.propose(pairs)
    assert len(proposals) == len(pairs)
    seen = closer.settle(proposals, 0.85, Families())
    assert sorted(each.pair for each in seen) == pairs
    assert all(each.kind == "copy" for each in seen)
    assert len(compared) < len(pairs)  # in rounds: some of them in vain
    assert set(looks) == set(range(5))


def test_variants_of_a_picture_are_variants_of_its_copies() -> None:
    first, second = sign("27"), sign("58")
    pictures = [first, second, first.resize((300, 233)), second.resize((300, 233))]
    closer = looker(*pictures)
    pairs = [(a, b) for a in range(4) for b in range(a + 1, 4)]
    seen = closer.settle(closer.propose(pairs), 0.7, Families())
    kinds = {each.pair: each.comparison.reason for each in seen}
    assert kinds == {pair: "" if pair in {(0, 2), (1, 3)} else "content" for pair in pairs}


def test_families_join_and_are_told_apart() -> None:
    families = Families()
    families.join(1, 2, 0.9)
    families.join(3, 4, 0.95)
    assert families.verdict(1, 3) is None
    families.tell_apart(2, 4, "color")
    families.tell_apart(2, 3, "content")
    assert families.verdict(1, 3) is None  # of one picture alone it may be a mistake
    families.tell_apart(1, 4, "color")
    assert [families.verdict(a, b) for a in (1, 2) for b in (3, 4)] == ["color"] * 4
    families.join(2, 5, 0.8)
    assert families.verdict(5, 3) is None  # three of three now
    families.tell_apart(5, 3, "color")
    assert families.verdict(1, 4) == "color"
    assert (families.size(1), families.size(4), families.size(9)) == (3, 2, 1)
    assert (families.least(1), families.least(3), families.least(9)) == (0.8, 0.95, 1.0)
    families.join(5, 3, 0.85)  # seen after all: what told them apart is forgotten
    assert families.verdict(1, 4) == "copy"
    families.tell_apart(1, 4, "content")
    assert families.verdict(1, 4) == "copy"


def test_what_told_families_apart_holds_where_one_joins_another() -> None:
    families = Families()
    families.tell_apart(1, 9, "content")
    families.tell_apart(2, 9, "content")
    assert families.verdict(1, 9) == "content"  # all of both
    families.join(1, 2, 0.9)
    assert families.verdict(9, 2) == "content"
    families.join(2, 3, 0.9)
    assert families.verdict(9, 3) is None
    families.tell_apart(9, 3, "color")
    assert families.verdict(9, 3) == "content"  # said more often


def bordered(picture: Image.Image, fill: tuple[int, int, int]) -> Image.Image:
    out = Image.new("RGB", (picture.width + 60, picture.height + 60), fill)
    out.paste(picture, (30, 30))
    return out


def test_mounts_of_two_colours_are_around_one_picture() -> None:
    picture = scene(54)
    one, other = bordered(picture, (0, 160, 140)), bordered(picture, (200, 90, 0))
    known = Proposal((0, 1), Overlay(np.eye(3), 0), 0.9, related=True)
    (seen,) = looker(one, other).settle([known], 0.85, Families())
    assert (seen.kind, seen.comparison.reason) == ("copy", "")


def test_a_digit_on_an_even_board_is_a_variant_whatever_is_around_the_board() -> None:
    seen = look_at(sign("18"), sign("11"))
    assert (seen.kind, seen.reason) == ("variant", "content")


def test_what_lies_on_a_picture_lies_on_its_copy_of_the_same_extent() -> None:
    """That needs no comparison; what two parts share does, and here nothing is seen."""
    original = scene(53)
    toned = original.point(lambda value: value // 2)
    closer = looker(original, toned, cropped(original), original.crop((0, 0, 200, 280)))
    families = Families()
    direct = closer.settle(closer.propose([(0, 1), (0, 2), (0, 3)]), 0.85, families)
    assert [seen.kind for seen in direct] == ["copy"] * 3
    blind = CloseLook(closer.records, closer.fingerprints, lambda row: None)
    chained = blind.follow_chains(direct, {seen.pair for seen in direct}, 0.6, families)
    assert [(seen.pair, seen.kind) for seen in chained] == [((1, 2), "copy"), ((1, 3), "copy")]


def test_two_pictures_of_a_collage_are_no_copies() -> None:
    one, other = scene(55), scene(56)
    collage = Image.new("RGB", (720, 280))
    collage.paste(one, (0, 0))
    collage.paste(other, (360, 0))
    closer = looker(collage, one, other)
    left, right = np.diag([2.0, 2.0, 1.0]), np.array([[2.0, 0, -1], [0, 2, 0], [0, 0, 1]])
    known = [
        Proposal((0, row), Overlay(placed, 0), 0.9, related=True)
        for row, placed in ((1, left), (2, right))
    ]
    families = Families()
    direct = closer.settle(known, 0.7, families)
    assert families.verdict(1, 2) == "copy"  # each is a copy of the collage
    assert [seen.kind for seen in direct] == ["copy"] * 2
    assert closer.follow_chains(direct, {(0, 1), (0, 2)}, 0.6, families) == []


def test_parts_that_moved_are_no_other_content() -> None:
    """Before a ground whose parts moved, as in two shots of a scene, nothing is a variant."""
    first = scene(60, (448, 348))
    second = ImageChops.offset(first, 2, 0)
    for top in range(0, 348, 58):
        band = (0, top, 448, top + 29)
        second.paste(ImageChops.offset(first, -2, 0).crop(band), band)
    for picture, number in ((first, "27"), (second, "58")):
        draw = ImageDraw.Draw(picture)
        draw.rounded_rectangle((150, 100, 300, 240), 16, fill=(20, 60, 160))
        draw.text((225, 170), number, fill="white", font=ImageFont.load_default(80), anchor="mm")
    closer = looker(first, second)
    known = [Proposal((0, 1), Overlay(np.eye(3), 0), 0.9, related=True)]
    (seen,) = closer.settle(known, 0.85, Families())
    assert seen.comparison.reason == ""


def test_chains_reach_copies_that_no_keypoints_join() -> None:
    original = scene(53)
    closer = looker(turned(original), original, cropped(original))
    families = Families()
    direct = closer.settle(closer.propose([(0, 1), (1, 2)]), 0.85, families)
    assert [seen.kind for seen in direct] == ["copy", "copy"]
    blind = CloseLook(np.zeros_like(closer.records), closer.fingerprints, closer.look)
    tried = {seen.pair for seen in direct}
    chained = blind.follow_chains(direct, tried, 0.6, families)
    assert [(seen.pair, seen.kind) for seen in chained] == [((0, 2), "copy")]
    assert (0, 2) in tried
