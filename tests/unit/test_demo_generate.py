"""The demo's files, planted faults, label file and answer sheet."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps

from vernis.adapters.demo import DemoTruth, PlantedLabel, generate, generate_demo
from vernis.adapters.demo.brands import BRANDS
from vernis.adapters.demo.damage import (
    NEAR_COPIES,
    ORIENTATION_TAG,
    OTHER_FILES,
    TURNS,
    broken_files,
    decode,
    degrade,
    encode,
    encode_turned,
    near_copy,
    tag,
    twin,
)
from vernis.adapters.demo.generate import AMOUNTS, DEGRADED, EXACT, NEAR_EACH, TWINS
from vernis.adapters.demo.labelling import FILLED, MISTAKEN_FOR, UNBRANDED, plant_wrong_labels
from vernis.adapters.demo.pictures import Picture
from vernis.domain.errors import InvalidValue, UsageError

FORMATS = {
    ".jpg": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".gif": "GIF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
}


def scribble(kind: str, rng: np.random.Generator, serial: int = 0) -> Picture:
    """Stand in for the drawing where only the files and the faults matter."""
    blocks = Image.fromarray(rng.integers(0, 255, (9, 12, 3), dtype=np.uint8))
    brand = "" if kind == "landscape" else BRANDS[serial % len(BRANDS)].name
    words = frozenset({kind, "text", "studio", ("day", "night")[serial % 2]})
    return Picture(blocks.resize((160, 120), Image.Resampling.BICUBIC), kind, brand, words)


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(generate, "draw_picture", scribble)


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> DemoTruth:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generate, "draw_picture", scribble)
        return generate_demo(tmp_path_factory.mktemp("demo"), seed=3)


@pytest.fixture(scope="module")
def found(demo) -> dict[str, bytes]:
    return files(demo)


def files(truth: DemoTruth) -> dict[str, bytes]:
    root = Path(truth.pictures)
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def grey(data: bytes, size: tuple[int, int] = (96, 96)) -> np.ndarray:
    return np.asarray(decode(data).convert("L").resize(size), dtype=float)


def likeness(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def rows_of(truth: DemoTruth) -> dict[str, dict[str, str]]:
    with Path(truth.labels_csv).open(encoding="utf-8", newline="") as file:
        return {row["image"]: row for row in csv.DictReader(file)}


# ------------------------------------------------------------------------ files


def test_the_folder_holds_exactly_what_the_answer_sheet_names(demo, found):
    assert set(found) == demo.files()
    assert set(found) == set(demo.labels["asset_type"]) | set(demo.broken) | set(demo.others)
    assert all(set(fields) == set(demo.labels["asset_type"]) for fields in demo.labels.values())


def test_every_picture_can_be_read_and_is_of_the_format_of_its_name(demo, found):
    for name in demo.labels["asset_type"]:
        with Image.open(io.BytesIO(found[name])) as opened:
            assert opened.format == FORMATS[Path(name).suffix], name
        assert min(decode(found[name]).size) > 50
    assert {Path(name).suffix for name in demo.labels["asset_type"]} == set(FORMATS)


def test_only_logos_are_gifs(demo):
    copies = {copy.image for copy in demo.copies}
    gifs = [n for n in demo.labels["asset_type"] if n.endswith(".gif") and n not in copies]
    assert gifs
    assert all(demo.labels["asset_type"][name] in (["logo"], []) for name in gifs)


def test_some_pictures_lie_on_their_side_by_their_exif_tag(demo, found):
    turned = [
        name
        for name in demo.labels["asset_type"]
        if Image.open(io.BytesIO(found[name])).getexif().get(ORIENTATION_TAG) in TURNS
    ]
    assert turned
    assert {Path(name).suffix for name in turned} == {".jpg"}


@pytest.mark.filterwarnings("ignore")
def test_broken_files_cannot_be_read(demo, found):
    assert len(demo.broken) == len(set(demo.broken.values())) == 5
    for name in demo.broken:
        with pytest.raises((OSError, SyntaxError, ValueError)):
            decode(found[name])
    assert {name for name, reason in demo.broken.items() if reason == "empty file"} == {
        name for name in found if not found[name]
    }


def test_other_files_are_counted_by_suffix(demo, found):
    assert demo.other_files == {".mp4": 1, ".csv": 1, ".pptx": 2}
    assert {name.rpartition("/")[2]: found[name] for name in demo.others} == OTHER_FILES


def test_two_originals_never_differ_in_the_suffix_alone(monkeypatch):
    monkeypatch.setattr(generate, "FOLDERS", ("press",))
    draft = generate._Draft(np.random.default_rng(0), 1.0)
    picture = scribble("can", draft.rng)
    for i in range(800):
        draft.files[generate._new_name(picture, draft, ("jpg", "png")[i % 2])] = b""
    assert len({name.rpartition(".")[0] for name in draft.files}) == 800


def test_the_logos_are_numbered_from_zero(tmp_path, monkeypatch):
    calls: dict[str, list[int]] = {}

    def record(kind, rng, serial):
        calls.setdefault(kind, []).append(serial)
        return scribble(kind, rng, serial)

    monkeypatch.setattr(generate, "draw_picture", record)
    generate_demo(tmp_path, scale=0.1)
    assert calls["logo"] == list(range(4))


# ------------------------------------------------------------------------ planted copies


def test_the_planted_copies_are_counted(demo):
    kinds = [copy.kind for copy in demo.copies]
    assert (kinds.count("bytes"), kinds.count("pixels")) == (EXACT, len(TWINS))
    assert kinds.count("near") == len(NEAR_COPIES) * NEAR_EACH
    twins = {c.transform for c in demo.copies if c.kind == "pixels"}
    assert twins == {"as png", "as bmp", "as tiff", "as webp", "metadata"}
    assert {c.transform for c in demo.copies if c.kind == "near"} == set(NEAR_COPIES)
    degraded = {name for names in demo.quality.values() for name in names}
    assert not degraded & {copy.original for copy in demo.copies}


def test_a_copy_has_the_labels_of_its_original(demo):
    for copy in demo.copies:
        for fields in demo.labels.values():
            assert fields[copy.image] == fields[copy.original]


def test_copies_are_as_exact_as_the_truth_says(demo, found):
    for copy in demo.copies:
        assert (found[copy.image] == found[copy.original]) == (copy.kind == "bytes")
        first, second = decode(found[copy.image]), decode(found[copy.original])
        same = first.size == second.size and first.tobytes() == second.tobytes()
        assert same == (copy.kind != "near"), copy


def test_originals_differ_from_one_another(demo, found):
    originals = set(demo.labels["brand"]) - {copy.image for copy in demo.copies}
    assert len({hashlib.sha256(found[name]).digest() for name in originals}) == len(originals)


@pytest.fixture(scope="module")
def sample() -> Image.Image:
    """A colourful picture without any symmetry."""
    rng = np.random.default_rng(5)
    blocks = Image.fromarray(rng.integers(0, 255, (6, 9, 3), dtype=np.uint8))
    return blocks.resize((240, 160), Image.Resampling.BICUBIC)


def changed(sample: Image.Image, transform: str, seed: int = 0) -> Image.Image:
    return decode(near_copy(sample, transform, np.random.default_rng(seed)))


@pytest.mark.parametrize("transform", ["scaled", "recompressed", "greyscale", "brightness"])
def test_near_copies_that_keep_the_view_look_alike(sample, transform):
    copy = changed(sample, transform)
    a, b = (np.asarray(p.convert("L").resize((60, 40)), float) for p in (sample, copy))
    assert likeness(a, b) > 0.95


def test_scaled_and_cropped_copies_are_smaller(sample):
    scaled, cropped = changed(sample, "scaled"), changed(sample, "cropped")
    assert 0.44 < scaled.width / 240 < 0.76
    assert scaled.width / scaled.height == pytest.approx(1.5, abs=0.03)
    assert 0.8 * 240 <= cropped.width < 240
    assert 0.8 * 160 <= cropped.height < 160


def test_a_flipped_copy_is_the_mirror_image(sample):
    flipped = np.asarray(changed(sample, "flipped").convert("L"), float)
    assert likeness(flipped, np.asarray(ImageOps.mirror(sample).convert("L"), float)) > 0.98
    assert likeness(flipped, np.asarray(sample.convert("L"), float)) < 0.9


def test_a_rotated_copy_lies_on_its_side(sample):
    rotated = changed(sample, "rotated")
    assert rotated.size == (160, 240)
    turns = [rotated.rotate(angle, expand=True).convert("L") for angle in (90, -90)]
    original = np.asarray(sample.convert("L"), float)
    assert max(likeness(np.asarray(t, float), original) for t in turns) > 0.98


def test_greyscale_brightness_and_compression_change_what_they_say(sample):
    assert np.ptp(np.asarray(changed(sample, "greyscale"), int), axis=2).max() <= 3
    assert np.ptp(np.asarray(sample, int), axis=2).max() > 100
    means = {np.asarray(changed(sample, "brightness", seed)).mean() for seed in range(6)}
    assert min(means) < np.asarray(sample).mean() < max(means)
    rng = np.random.default_rng(0)
    assert len(near_copy(sample, "recompressed", rng)) < len(encode(sample, "jpg", 80))


def test_a_banner_is_a_red_strip_and_a_watermark_lies_in_the_middle(sample):
    before, after = np.asarray(sample, int), np.asarray(changed(sample, "banner"), int)
    strips = after[:10], after[-10:]
    red = max(float(((s[..., 0] > 150) & (s[..., 1] < 90)).mean()) for s in strips)
    assert red > 0.6
    assert np.abs(before - after)[40:120].mean() < 8
    marked = np.asarray(changed(sample, "watermark"), int)
    difference = np.abs(before - marked).mean(axis=2)
    assert difference[60:100, 60:180].mean() > 3 * difference[:20].mean()


def test_refuses_an_unknown_near_copy(sample):
    with pytest.raises(ValueError, match=r"expected one of scaled, .* got melted"):
        near_copy(sample, "melted", np.random.default_rng(0))


# ------------------------------------------------------------------------ planted quality


def test_each_kind_of_poor_quality_is_planted_in_its_number(demo):
    assert {kind: len(names) for kind, names in demo.quality.items()} == DEGRADED
    names = [name for names in demo.quality.values() for name in names]
    assert len(names) == len(set(names))


def test_spoilt_pictures_are_spoilt_on_disk(demo, found):
    degraded = {name for names in demo.quality.values() for name in names}
    others = set(demo.labels["brand"]) - degraded
    typical = float(np.median([grey(found[name]).mean() for name in others]))
    for name in demo.quality["dark"]:
        assert grey(found[name]).mean() < 0.4 * typical
    for name in demo.quality["overexposed"]:
        assert grey(found[name]).min() >= 180
    for name in demo.quality["low_information"]:
        assert grey(found[name]).std() < 2
        assert demo.labels["asset_type"][name] == demo.labels["brand"][name] == []
        assert demo.labels["keywords"][name] == []


@pytest.mark.parametrize("seed", range(3))
def test_a_blurred_picture_has_lost_its_edges(sample, seed):
    noise = np.random.default_rng(seed).integers(0, 255, (160, 240, 3), dtype=np.uint8)
    sharp = Image.fromarray(noise)
    blurred = degrade(sharp, "blurry", np.random.default_rng(seed))
    edges = [np.asarray(p.convert("L").filter(ImageFilter.FIND_EDGES)) for p in (sharp, blurred)]
    assert edges[1][2:-2, 2:-2].mean() < 0.1 * edges[0][2:-2, 2:-2].mean()


# ------------------------------------------------------------------------ labels


def test_the_csv_holds_the_given_labels_and_exactly_the_planted_mistakes(demo):
    rows = rows_of(demo)
    assert set(rows) == set(demo.labels["asset_type"])
    mistakes = set()
    for taxonomy, given in demo.given.items():
        for name, row in rows.items():
            told = [word for word in row[taxonomy].split("|") if word]
            assert told == given.get(name, [])
            true = demo.labels[taxonomy][name]
            if told and taxonomy != "keywords" and told != true:
                mistakes.add((name, taxonomy, "replaced", told[0], true[0]))
            if told and taxonomy == "keywords":
                mistakes |= {(name, taxonomy, "extra", w, "") for w in set(told) - set(true)}
                mistakes |= {(name, taxonomy, "missing", "", w) for w in set(true) - set(told)}
    planted = {(p.image, p.taxonomy, p.mistake, p.given, p.true) for p in demo.wrong}
    assert mistakes == planted
    assert len(planted) == len(demo.wrong)


def test_every_kind_of_mistake_is_planted(demo):
    assert {(p.taxonomy, p.mistake) for p in demo.wrong} == {
        ("asset_type", "replaced"),
        ("brand", "replaced"),
        ("keywords", "extra"),
        ("keywords", "missing"),
    }


def test_blank_fields_are_those_that_are_true_and_not_given(demo):
    for taxonomy, fields in demo.labels.items():
        blank = demo.blank(taxonomy)
        filled = demo.given[taxonomy]
        true = {name for name, classes in fields.items() if classes}
        assert set(blank) | set(filled) == true
        assert not set(blank) & set(filled)
        assert len(filled) / len(true) == pytest.approx(FILLED[taxonomy], abs=0.1)


def test_a_large_label_file_has_the_shares_of_mistakes_that_are_declared():
    names = [f"{i}.jpg" for i in range(4000)]
    truth = {
        "asset_type": {name: ["can"] for name in names},
        "brand": {name: [UNBRANDED] for name in names},
        "keywords": {name: ["can", "group", "studio"] for name in names},
    }
    truth["keywords"]["0.jpg"] = ["ice"]
    given, wrong = plant_wrong_labels(truth, np.random.default_rng(0))
    count = {
        key: sum((p.taxonomy, p.mistake) == key for p in wrong)
        for key in {(p.taxonomy, p.mistake) for p in wrong}
    }
    assert {t: len(given[t]) / 4000 for t in given} == pytest.approx(FILLED, abs=0.03)
    assert count["asset_type", "replaced"] / len(given["asset_type"]) == pytest.approx(
        0.06, abs=0.015
    )
    assert count["brand", "replaced"] / len(given["brand"]) == pytest.approx(0.05, abs=0.015)
    assert count["keywords", "extra"] / len(given["keywords"]) == pytest.approx(0.12, abs=0.03)
    assert count["keywords", "missing"] / len(given["keywords"]) / 3 == pytest.approx(
        0.04, abs=0.01
    )
    # Where a picture has one keyword only, a filled field keeps it.
    alone = {"other.jpg": ["bar"]} | {name: ["ice"] for name in names}
    given, _ = plant_wrong_labels({"keywords": alone}, np.random.default_rng(0))
    assert all(words for words in given["keywords"].values())
    assert sum("ice" in words for words in given["keywords"].values()) > 1800


def test_no_class_is_mistaken_for_itself():
    assert set(AMOUNTS) | {UNBRANDED} < set(MISTAKEN_FOR)
    for true, others in MISTAKEN_FOR.items():
        assert others
        assert true not in others
        assert set(others) <= set(MISTAKEN_FOR)


def test_about_half_of_the_pictures_have_a_title_that_tells_the_truth(demo):
    titles = {name: row["title"] for name, row in rows_of(demo).items() if row["title"]}
    assert 0.3 < len(titles) / len(demo.labels["brand"]) < 0.7
    for name, title in titles.items():
        (kind,) = demo.labels["asset_type"][name]
        assert kind in title.lower().split()
        assert title.endswith(" studio")


# ------------------------------------------------------------------------ answer sheet


def test_nothing_of_the_truth_lies_among_the_pictures(demo):
    assert not list(Path(demo.pictures).rglob("*.json"))
    assert DemoTruth.load(Path(demo.labels_csv).parent / "truth.json") == demo


def test_an_answer_sheet_refuses_a_mistake_of_no_kind():
    with pytest.raises(InvalidValue, match="got 'typo'"):
        PlantedLabel("a.jpg", "brand", "typo")
    with pytest.raises(FrozenInstanceError):
        PlantedLabel("a.jpg", "brand", "extra").given = "x"


# ------------------------------------------------------------------------ drawing anew


def test_same_seed_gives_the_same_bytes(tmp_path):
    first = generate_demo(tmp_path / "a", seed=5, scale=0.04)
    second = generate_demo(tmp_path / "b", seed=5, scale=0.04)
    other = generate_demo(tmp_path / "c", seed=6, scale=0.04)
    assert files(first) == files(second) != files(other)
    home = {"pictures": first.pictures, "labels_csv": first.labels_csv}
    assert replace(second, **home) == first != replace(other, **home)
    sheets = [(tmp_path / name / "labels.csv").read_bytes() for name in "abc"]
    assert sheets[0] == sheets[1] != sheets[2]


def test_progress_counts_every_picture_once(tmp_path, quick):
    calls = []
    generate_demo(tmp_path, scale=0.1, progress=lambda *call: calls.append(call))
    total = sum(max(2, round(n * 0.1)) for n in AMOUNTS.values())
    assert [call[:3] for call in calls] == [("draw", i + 1, total) for i in range(total)]
    assert {call[3] for call in calls} == set(AMOUNTS)


def test_keeps_the_same_demo_and_replaces_another(tmp_path, quick):
    first = generate_demo(tmp_path, seed=1, scale=0.04)
    before = {p: p.stat().st_mtime_ns for p in Path(first.pictures).rglob("*.jpg")}
    assert generate_demo(tmp_path, seed=1, scale=0.04) == first
    assert before == {p: p.stat().st_mtime_ns for p in Path(first.pictures).rglob("*.jpg")}
    second = generate_demo(tmp_path, seed=2, scale=0.04)
    assert set(files(second)) == second.files() != first.files()


def test_draws_anew_what_is_gone(tmp_path, quick):
    first = generate_demo(tmp_path, seed=1, scale=0.04)
    before = files(first)
    (Path(first.pictures) / min(before)).unlink()
    assert generate_demo(tmp_path, seed=1, scale=0.04) == first
    assert files(first) == before
    (tmp_path / "labels.csv").unlink()
    generate_demo(tmp_path, seed=1, scale=0.04)
    assert (tmp_path / "labels.csv").is_file()


def test_draws_anew_what_an_earlier_version_drew(tmp_path, quick):
    first = generate_demo(tmp_path, seed=1, scale=0.04)
    sheet = tmp_path / "truth.json"
    sheet.write_text(json.dumps(json.loads(sheet.read_text()) | {"drawing": first.drawing - 1}))
    victim = Path(first.pictures) / next(iter(first.labels["brand"]))
    victim.write_bytes(b"old")
    assert generate_demo(tmp_path, seed=1, scale=0.04) == first
    assert victim.read_bytes() != b"old"


def test_a_moved_demo_is_kept_and_its_places_are_told_anew(tmp_path, quick):
    generate_demo(tmp_path / "old", seed=1, scale=0.04)
    (tmp_path / "old").rename(tmp_path / "new")
    moved = generate_demo(tmp_path / "new", seed=1, scale=0.04)
    assert Path(moved.pictures) == tmp_path / "new" / "pictures"
    assert Path(moved.labels_csv).is_file()


def test_refuses_a_folder_that_holds_other_pictures(tmp_path, quick):
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


@pytest.mark.parametrize("scale", [0, 0.03, 11, float("nan")])
def test_refuses_a_scale_out_of_range(tmp_path, scale):
    with pytest.raises(UsageError, match=r"between 0\.04 and 10"):
        generate_demo(tmp_path, scale=scale)
    assert not (tmp_path / "pictures").exists()


# ------------------------------------------------------------------------ files of one picture


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
        copy = twin(data, suffix)
        assert np.array_equal(np.asarray(decode(copy)), pixels)
        assert Image.open(io.BytesIO(copy)).format == FORMATS[f".{suffix}"]
    tagged = tag(data, "größer")
    assert tagged != data
    assert Image.open(io.BytesIO(tagged)).info["comment"].decode() == "größer"
    assert np.array_equal(np.asarray(decode(tagged)), pixels)


@pytest.mark.filterwarnings("ignore")
def test_each_broken_file_is_broken_in_its_own_way(sample):
    broken = broken_files(encode(sample, "jpg"))
    assert len({data for data, _ in broken.values()}) == len(broken)
    for data, reason in broken.values():
        with pytest.raises((OSError, SyntaxError, ValueError)):
            decode(data)
        assert reason
