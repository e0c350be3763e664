"""Near duplicates of drawn pictures: every transform is found, named, and nothing else is."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance

from vernis.adapters.fingerprints import compute_fingerprint
from vernis.adapters.pixels import decode
from vernis.core.copies import blocks as near_blocks
from vernis.core.copies.alignment import Placements
from vernis.core.copies.fingerprints import FINGERPRINT_SIZE, is_plain, unpack_fingerprints
from vernis.core.copies.pairs import NearSettings, find_near_pairs
from vernis.core.numeric import threads
from vernis.domain.errors import InvalidValue


def scene(seed: int, ground: int | None = None) -> Image.Image:
    """Draw shapes on a soft ground; ``ground`` lets pictures share theirs."""
    shared = np.random.default_rng(seed if ground is None else 1000 + ground)
    noise = shared.normal(128, 45, (9, 12, 3)).clip(0, 255).astype(np.uint8)
    picture = Image.fromarray(noise).resize((320, 240), Image.Resampling.BICUBIC)
    rng = np.random.default_rng(seed)
    pen = ImageDraw.Draw(picture)
    for _ in range(9):
        x, y, r = (int(v) for v in rng.integers((0, 0, 8), (320, 240, 40)))
        fill = tuple(int(v) for v in rng.integers(0, 255, 3))
        pen.rectangle((x - r, y - r // 2, x + r, y + r // 2), fill=fill)
    return picture


def with_banner(picture: Image.Image) -> Image.Image:
    covered = picture.copy()
    ImageDraw.Draw(covered).rectangle((0, 100, 320, 130), fill=(255, 255, 255))
    return covered


CHANGES = {
    "identity": lambda p: p.resize((200, 150)),
    "hflip": lambda p: p.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "vflip": lambda p: p.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
    "rot90": lambda p: p.transpose(Image.Transpose.ROTATE_90),
    "rot180": lambda p: p.transpose(Image.Transpose.ROTATE_180),
    "rot270": lambda p: p.transpose(Image.Transpose.ROTATE_270),
    "gray": lambda p: p.convert("L").convert("RGB"),
    "brightness": lambda p: ImageEnhance.Brightness(p).enhance(1.35),
    "banner": with_banner,
}


def fingerprints_of(pictures: list[Image.Image]):
    rows = [compute_fingerprint(np.asarray(picture.convert("RGB"))) for picture in pictures]
    return unpack_fingerprints(np.stack(rows))


@pytest.mark.parametrize("name", CHANGES)
def test_each_transform_is_found_and_named(name):
    pictures = [scene(seed) for seed in range(20)]
    pictures.append(CHANGES[name](pictures[4]))
    found = find_near_pairs(fingerprints_of(pictures))
    assert found.pairs.tolist() == [[4, 20]]
    assert found.transforms == (name,)
    assert found.similarity[0] > 0.85


def test_a_crop_is_found_with_an_embedding():
    pictures = [scene(seed) for seed in range(20)]
    pictures.append(pictures[7].crop((30, 24, 286, 216)))
    vectors = np.random.default_rng(0).normal(size=(21, 16)).astype(np.float32)
    vectors[20] = vectors[7] + 0.05
    found = find_near_pairs(fingerprints_of(pictures), vectors)
    assert found.pairs.tolist() == [[7, 20]]
    assert found.transforms == ("crop",)


def test_a_turned_copy_and_a_banner_meet_over_the_original():
    pictures = [scene(seed) for seed in range(12)]
    pictures.append(CHANGES["rot90"](pictures[3]))
    pictures.append(with_banner(pictures[3]))
    found = find_near_pairs(fingerprints_of(pictures))
    assert {tuple(pair) for pair in found.pairs.tolist()} == {(3, 12), (3, 13), (12, 13)}


def test_other_things_on_the_same_ground_are_no_duplicates():
    pictures = [scene(seed, ground=1) for seed in range(20)]
    assert len(find_near_pairs(fingerprints_of(pictures)).pairs) == 0


def test_the_same_picture_in_another_colour_is_another_product():
    red = np.asarray(scene(1)).copy()
    blue = red[..., ::-1]
    assert (
        len(find_near_pairs(fingerprints_of([Image.fromarray(red), Image.fromarray(blue)])).pairs)
        == 0
    )


def test_plain_pictures_of_different_colour_are_told_apart():
    plain = [Image.new("RGB", (64, 64), colour) for colour in ("red", "blue", "white", "black")]
    assert len(find_near_pairs(fingerprints_of(plain)).pairs) == 0


def test_pictures_with_little_content_are_no_duplicates_of_one_another():
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 60, 240)[:, None, None]
    pictures = [Image.fromarray(np.uint8(level + ramp + [0, 0, 9])) for level in (60, 100, 140)]
    for level in (4, 12, 20, 228, 236, 244):
        noisy = level + rng.normal(0, 2, (240, 320, 3))
        pictures.append(Image.fromarray(noisy.clip(0, 255).astype(np.uint8)))
    blurred = [scene(seed).resize((2, 2)).resize((320, 240)) for seed in (30, 31)]
    prints = fingerprints_of(pictures)
    assert is_plain(prints.luma).all()
    assert len(find_near_pairs(prints).pairs) == 0
    assert len(find_near_pairs(fingerprints_of(blurred)).pairs) == 0
    assert not is_plain(fingerprints_of([scene(seed) for seed in range(20)]).luma).any()


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_pictures_have_no_pairs(count):
    rows = np.zeros((count, FINGERPRINT_SIZE), dtype=np.uint8)
    found = find_near_pairs(unpack_fingerprints(rows))
    assert found.pairs.shape == (0, 2)


def test_embeddings_must_match_and_settings_be_sound():
    prints = fingerprints_of([scene(0), scene(1)])
    with pytest.raises(InvalidValue, match="expected 2 embeddings"):
        find_near_pairs(prints, np.zeros((3, 4)))
    with pytest.raises(InvalidValue, match="threshold"):
        NearSettings(threshold=1.5)


def test_the_same_input_gives_the_same_output():
    pictures = [scene(seed) for seed in range(10)] + [with_banner(scene(2))]
    first, second = (find_near_pairs(fingerprints_of(pictures)) for _ in range(2))
    np.testing.assert_array_equal(first.pairs, second.pairs)
    np.testing.assert_array_equal(first.similarity, second.similarity)
    assert first.transforms == second.transforms


def test_neither_threads_nor_blocks_change_the_result(monkeypatch):
    pictures = [scene(seed) for seed in range(8)]
    pictures += [with_banner(scene(2)), CHANGES["rot90"](scene(2)), CHANGES["gray"](scene(5))]
    vectors = np.random.default_rng(0).normal(size=(len(pictures), 16)).astype(np.float32)
    results = []
    for n_threads, block in ((1, 2048), (3, 7)):
        monkeypatch.setattr(threads, "count_threads", lambda most, n=n_threads: min(n, most))
        monkeypatch.setattr(near_blocks, "BLOCK", block)
        results.append(find_near_pairs(fingerprints_of(pictures), vectors))
    first, second = results
    assert len(first.pairs) == 4
    np.testing.assert_array_equal(first.pairs, second.pairs)
    np.testing.assert_allclose(first.similarity, second.similarity, atol=1e-6)
    assert first.transforms == second.transforms


def test_placements_compose_and_invert():
    rng = np.random.default_rng(0)
    first, second = (
        Placements(
            rng.normal(size=(5, 2, 2)).astype(np.float32),
            rng.normal(size=(5, 2)).astype(np.float32),
        )
        for _ in range(2)
    )
    both = first.after(second)
    point = np.array([0.3, 0.7])
    inner = second.matrix @ point + second.offset
    outer = np.einsum("pij,pj->pi", first.matrix, inner) + first.offset
    np.testing.assert_allclose(both.matrix @ point + both.offset, outer, atol=1e-5)
    back = first.inverse().after(first)
    np.testing.assert_allclose(back.matrix, np.broadcast_to(np.eye(2), (5, 2, 2)), atol=1e-3)


@pytest.mark.real
def test_real_copies_are_found_without_a_wrong_pair(real_data: Path):
    with open(real_data / "copies_a" / "truth.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    groups = sorted({row["group"] for row in rows if row["role"] == "copy"})[:8]
    copies = [row for row in rows if row["group"] in groups and row["transform"] != "crop_80"]
    chosen = copies + [row for row in rows if row["role"] == "distractor"][:100]
    prints = np.stack(
        [compute_fingerprint(decode(real_data / "copies_a" / row["image"])) for row in chosen]
    )
    found = find_near_pairs(unpack_fingerprints(prints))
    right = [chosen[a]["group"] == chosen[b]["group"] for a, b in found.pairs.tolist()]
    expected = 8 * (8 * 7 // 2)
    assert all(right)
    assert sum(right) >= 0.95 * expected
