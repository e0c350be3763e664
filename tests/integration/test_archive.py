"""An owner's archive without class folders, and a tree of class folders beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

EVENTS = (
    *("2019/Birthday", "2019/05 Rome", "2020/Office party", "2020/2020-06-01", "2021"),
    *("New Folder (2)", "backup", "backup/old", "Stock", "Stock/2018", "100CANON"),
)
SHAPES = ("disc", "bars", "frame")


def draw(shape: str, ground: int, seed: int) -> Image.Image:
    """Draw a shape on a ground; pictures of one ground look alike, as those of an event do."""
    own, event = np.random.default_rng([seed, 7]), np.random.default_rng([ground, 11])
    tiles = np.clip(event.integers(30, 225, (4, 5, 3)) + own.integers(-9, 10, (4, 5, 3)), 0, 255)
    picture = Image.fromarray(tiles.astype(np.uint8)).resize((160, 128), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(picture)
    side = int(own.integers(50, 75))
    x, y = int(own.integers(4, 156 - side)), int(own.integers(4, 124 - side))
    if shape == "disc":
        pen.ellipse((x, y, x + side, y + side), fill=(220, 40, 40))
    elif shape == "bars":
        for step in range(0, side, 10):
            pen.rectangle((x + step, y, x + step + 4, y + side), fill="white")
    else:
        pen.rectangle((x, y, x + side, y + side), outline=(20, 200, 40), width=9)
    noisy = np.asarray(picture) + own.normal(0, 5, (128, 160, 3))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def put(folder: Path, shape: str, ground: int, seed: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    draw(shape, ground, seed).save(folder / f"IMG_{seed:04}.jpg", quality=90)


@pytest.fixture(scope="module")
def shell(finished, tmp_path_factory):
    """Folders ``archive`` (events that look alike), ``classes`` and ``people`` (at random)."""
    cwd = tmp_path_factory.mktemp("owner")
    rng = np.random.default_rng(0)
    seed = 0
    for event, folder in enumerate(EVENTS):
        for _ in range(8):
            seed += 1
            put(cwd / "archive" / folder, str(rng.choice(SHAPES)), event, seed)
    for number in range(66):
        shape, seed = SHAPES[number % 3], seed + 1
        put(cwd / "classes" / shape, shape, 100 + number, seed)
        person = ("anna", "ben", "carl")[int(rng.integers(3))]
        put(cwd / "people" / person, shape, 300 + number, seed)
    for number in range(6):
        seed += 1
        put(cwd / "classes" / "misc", str(rng.choice(SHAPES)), 200 + number, seed)
    return type(finished)(cwd)


def test_an_archive_is_no_taxonomy_and_says_why(shell):
    done = shell("run", "archive", "--report", "first")
    assert "the folders keep order and name no classes" in done.stderr
    assert "run archive --classes-from folders" in done.stderr
    assert shell.json("taxonomies", "--collection", "archive.vernis") == []
    page = (shell.cwd / "first" / "index.html").read_text(encoding="utf-8")
    assert "looks wrong" not in page.split("<main")[1].split("</p>")[1]

    shell("run", "archive", "--classes-from", "1", "--report", "second")
    (row,) = shell.json("taxonomies", "--collection", "archive.vernis")
    assert {found["class"] for found in row["class_counts"]} >= {"2019", "Stock", "100CANON"}
    shell("run", "archive", "--classes-from", "none", "--report", "third")
    assert shell.json("taxonomies", "--collection", "archive.vernis") == []


def test_class_folders_are_a_taxonomy_without_the_catch_all(shell):
    done = shell("run", "classes", "--report", "classes-report")
    (row,) = shell.json("taxonomies", "--collection", "classes.vernis")
    assert {found["class"] for found in row["class_counts"]} == set(SHAPES)
    assert (row["labelled"], row["images"]) == (66, 72)
    assert row["visual_meaning"] == "yes"
    assert "6 images have no class, as folders such as misc only keep order" in done.stderr


def test_folders_that_the_pictures_do_not_tell_apart_are_none(shell):
    done = shell("run", "people", "--report", "people-report")
    assert "the pictures do not tell them apart" in done.stderr
    assert shell.json("taxonomies", "--collection", "people.vernis") == []


def test_a_run_can_be_limited_to_a_taxonomy_and_leaves_ignored_ones_out(shell):
    at = ("--collection", "classes.vernis")
    shell("taxonomies", "--ignore", "class", "--rename", "class=shape", *at)
    done = shell("run", "classes", "--report", "classes-report")
    assert "ignored: shape" in done.stderr
    assert "shape: " not in done.stdout
    named = shell("run", "classes", "--report", "classes-report", "--taxonomy", "shape")
    assert "shape: " in named.stdout
    shell("undo", *at)
    assert [row["taxonomy"] for row in shell.json("taxonomies", *at)] == ["class"]
