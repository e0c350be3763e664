"""``lab detector``: detectors from ever more pictures, of squares by cells that see colours."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

import vernis
from vernis.core.detect.cell_head import SeenCells
from vernis.domain.errors import NotFound, NothingToLearn
from vernis.domain.region_store import NewRegion, RegionLabel
from vernis.domain.regions import Box, Region
from vernis.domain.types import Taxonomy
from vernis.session.models import Models

N, STEP = 18, 40
COLOURS = {"red": (220, 20, 20), "blue": (20, 20, 220)}


def look(pixels):
    """Return nine cells, each with the colour of its square."""
    places = [(x, y) for y in range(3) for x in range(3)]
    boxes = np.array([(x, y, x + 1, y + 1) for x, y in places], np.float32) * STEP
    seen = [pixels[y * STEP + 20, x * STEP + 20] / 255 for x, y in places]
    features = np.hstack([np.array(seen), np.ones((9, 1))]).astype(np.float16)
    return SeenCells(features, boxes, np.full(9, 0.5, np.float32))


@pytest.fixture
def collection(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    folder = tmp_path / "pictures"
    monkeypatch.setattr(Models, "cell_reader", lambda self, side: lambda: look)
    monkeypatch.chdir(tmp_path)
    truth = {}
    for number in range(N):
        name = f"{'ab'[number % 2]}/{number:02}.png"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        noise = rng.integers(90, 160, (3 * STEP, 3 * STEP, 3), dtype=np.uint8)
        image = Image.fromarray(noise)
        pen, boxes = ImageDraw.Draw(image), []
        for place, (label, colour) in zip(rng.permutation(9)[:2], COLOURS.items(), strict=True):
            x, y = int(place) % 3 * STEP, int(place) // 3 * STEP
            pen.rectangle((x, y, x + STEP - 1, y + STEP - 1), fill=colour)
            boxes.append((label, (x, y, x + STEP, y + STEP)))
        image.save(folder / name)
        truth[name] = boxes
    with vernis.Collection.create(tmp_path / "x.vernis") as made:
        made.index(folder)
        made.catalog.labels.define(Taxonomy("square", "multi", tuple(sorted(COLOURS))))
        regions = [
            NewRegion(
                made.catalog.images.find(name).id,
                Region(Box.from_corners(*corners), (3 * STEP, 3 * STEP)),
                (RegionLabel("square", label),),
            )
            for name, boxes in truth.items()
            for label, corners in boxes
        ]
        made.catalog.regions.add(regions, source="given", verb="import")
        yield made


def test_each_number_of_pictures_is_learned_and_scored_on_the_same_others(collection):
    found = collection.lab.detector("square", pictures=[4, 8, 50], seeds=2)
    assert [(row["pictures"], row["seeds"]) for row in found.rows] == [(4, 2), (8, 2), (12, 2)]
    assert found.rows[-1]["ap50"] > 0.95
    assert any("there are 12 pictures to learn from" in note for note in found.notes)
    table = [json.loads(line) for line in _table(found.folder)]
    classes = {row["class"] for row in table}
    assert classes == {"(overall)", "red", "blue"}
    assert {row["boxes"] for row in table if row["class"] == "red"} == {6}
    assert list(Path(found.folder).glob("*.png"))


def _table(folder):
    import csv

    (path,) = Path(folder).glob("*.csv")
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            yield json.dumps({**row, "boxes": int(row["boxes"])})


def test_one_group_teaches_and_the_others_are_scored(collection):
    found = collection.lab.detector("square", pictures=[8], seeds=1, group="folder")
    assert [row["group"] for row in found.rows] == ["a", "b"]
    assert all(row["pictures"] == 8 for row in found.rows)


def test_a_filter_names_what_is_scored(collection):
    found = collection.lab.detector("square", pictures=[9], seeds=1, test="folder:a")
    table = list(_table(found.folder))
    assert json.loads(table[0])["boxes"] == 18  # nine pictures of two boxes


def test_what_cannot_be_tried_is_said(collection):
    with pytest.raises(NotFound, match="no column 'camera'"):
        collection.lab.detector("square", group="camera")
    with pytest.raises(NothingToLearn, match="no other group"):
        collection.lab.detector("square", group="split")
