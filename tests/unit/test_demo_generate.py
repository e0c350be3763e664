"""The demo's pictures, faults and answer sheet."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vernis.adapters.demo import DemoTruth, generate_demo
from vernis.adapters.demo.compositions import ASSET_TYPES, draw_picture
from vernis.adapters.demo.damage import NEAR_COPIES, TURNS, decode, encode_turned, tag, twin
from vernis.domain.errors import UsageError


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> DemoTruth:
    return generate_demo(tmp_path_factory.mktemp("demo"), seed=3, scale=0.1)


def files(truth: DemoTruth) -> dict[str, bytes]:
    root = Path(truth.pictures)
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_every_picture_is_in_the_truth_and_can_be_read(demo):
    found = files(demo)
    pictures = set(demo.labels["asset_type"])
    assert pictures <= set(found)
    others = {name for name in found if Path(name).suffix in demo.other_files}
    assert set(found) - pictures == set(demo.broken) | others
    for name in pictures:
        assert decode(found[name]).width > 100


@pytest.mark.filterwarnings("ignore")
def test_broken_files_cannot_be_read(demo):
    found = files(demo)
    for name in demo.broken:
        with pytest.raises((OSError, SyntaxError, ValueError)):
            decode(found[name])


def test_copies_are_what_the_truth_says(demo):
    found = files(demo)
    kinds = {copy.kind for copy in demo.copies}
    assert kinds == {"bytes", "pixels", "near"}
    assert {c.transform for c in demo.copies if c.kind == "near"} == set(NEAR_COPIES)
    for copy in demo.copies:
        same_bytes = found[copy.image] == found[copy.original]
        assert same_bytes == (copy.kind == "bytes")
        if copy.kind == "pixels":
            first, second = decode(found[copy.image]), decode(found[copy.original])
            assert np.array_equal(np.asarray(first), np.asarray(second))


def test_originals_differ_from_one_another(demo):
    found = files(demo)
    originals = set(demo.labels["brand"]) - {copy.image for copy in demo.copies}
    assert len({hashlib.sha256(found[name]).digest() for name in originals}) == len(originals)


def test_the_csv_holds_the_given_labels_and_exactly_the_planted_mistakes(demo):
    with Path(demo.labels_csv).open(encoding="utf-8", newline="") as file:
        rows = {row["image"]: row for row in csv.DictReader(file)}
    assert set(rows) == set(demo.labels["asset_type"])
    mistakes = set()
    for taxonomy, given in demo.given.items():
        for name, row in rows.items():
            told = [word for word in row[taxonomy].split("|") if word]
            assert told == given.get(name, [])
            true = demo.labels[taxonomy][name]
            if told and taxonomy != "keywords" and told != true:
                mistakes.add((name, taxonomy, told[0], true[0]))
            if told and taxonomy == "keywords":
                mistakes |= {(name, taxonomy, word, "") for word in set(told) - set(true)}
                mistakes |= {(name, taxonomy, "", word) for word in set(true) - set(told)}
    assert mistakes == {(p.image, p.taxonomy, p.given, p.true) for p in demo.wrong}
    assert len(demo.blank("asset_type")) > 3


def test_nothing_of_the_truth_lies_among_the_pictures(demo):
    assert not list(Path(demo.pictures).rglob("*.json"))
    assert DemoTruth.load(Path(demo.labels_csv).parent / "truth.json") == demo


def test_same_seed_gives_the_same_bytes(tmp_path):
    first = generate_demo(tmp_path / "a", seed=5, scale=0.04)
    second = generate_demo(tmp_path / "b", seed=5, scale=0.04)
    other = generate_demo(tmp_path / "c", seed=6, scale=0.04)
    assert files(first) == files(second) != files(other)
    assert first.wrong == second.wrong


def test_keeps_the_same_demo_and_replaces_another(tmp_path):
    first = generate_demo(tmp_path, seed=1, scale=0.04)
    before = {p: p.stat().st_mtime_ns for p in Path(first.pictures).rglob("*.jpg")}
    assert generate_demo(tmp_path, seed=1, scale=0.04) == first
    assert before == {p: p.stat().st_mtime_ns for p in Path(first.pictures).rglob("*.jpg")}
    second = generate_demo(tmp_path, seed=2, scale=0.04)
    assert set(files(second)) == second.files() != first.files()


def test_refuses_a_folder_that_holds_other_pictures(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "mine.jpg").write_bytes(b"x")
    with pytest.raises(UsageError, match="not empty"):
        generate_demo(tmp_path)
    assert (tmp_path / "pictures" / "mine.jpg").exists()
    truth = generate_demo(tmp_path / "a", seed=1, scale=0.04)
    stray = Path(truth.pictures) / "press" / "mine.jpg"
    stray.write_bytes(b"x")
    with pytest.raises(UsageError, match=r"mine\.jpg is not part of the demo"):
        generate_demo(tmp_path / "a", seed=2, scale=0.04)
    assert stray.exists()


def test_logos_do_not_repeat():
    rng = np.random.default_rng(0)
    seen = [draw_picture("logo", rng, serial) for serial in range(40)]
    small = {p.image.resize((48, 48)).tobytes() for p in seen}
    assert len(small) == 40


@pytest.mark.parametrize("kind", ASSET_TYPES)
def test_every_asset_type_is_drawn_with_its_own_labels(kind):
    picture = draw_picture(kind, np.random.default_rng(1))
    assert picture.asset_type == kind
    assert picture.image.mode == "RGB"
    assert min(picture.image.size) > 150
    assert np.asarray(picture.image).std() > 5
    assert (picture.brand == "") or kind != "landscape"


@pytest.mark.parametrize("orientation", sorted(TURNS))
def test_turned_pictures_come_out_upright(orientation):
    picture = Image.new("RGB", (80, 40), (200, 30, 30))
    picture.paste((30, 30, 200), (0, 0, 40, 40))
    upright = decode(encode_turned(picture, orientation))
    assert upright.size == (80, 40)
    red, _, blue = upright.getpixel((10, 20))
    assert blue > red


def test_twins_and_comments_keep_the_pixels():
    noise = np.random.default_rng(0).integers(0, 255, (60, 50, 3), dtype=np.uint8)
    data = encode_turned(Image.fromarray(noise), 6)
    pixels = np.asarray(decode(data))
    for suffix in ("png", "bmp", "tiff", "webp"):
        assert np.array_equal(np.asarray(decode(twin(data, suffix))), pixels)
    assert tag(data, "x") != data
    assert np.array_equal(np.asarray(decode(tag(data, "x"))), pixels)
