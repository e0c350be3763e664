"""``lab detect``: found boxes against the given ones, through the collection."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import vernis
from vernis.core.detect.cells import Detections
from vernis.core.detect.vectors import to_vector, vector_length
from vernis.domain.errors import NotFound, NothingToLearn
from vernis.domain.region_store import NewRegion, RegionLabel
from vernis.domain.regions import Box, Region
from vernis.domain.types import Space, Taxonomy
from vernis.session.models import Models

BOXES = {"a.png": [(10, 10, 40, 40)], "b.png": [(20, 30, 60, 50), (50, 50, 90, 95)]}


class Known:
    """A detector that has seen every box of `BOXES` moved by a pixel, and one that is none."""

    name, version, source, classes, long_side = "known", "1", "model:known@1", ("Cat", "dog"), 0
    space = Space("objects", vector_length(5), "float32", {"version": "1"})


@pytest.fixture
def collection(tmp_path, monkeypatch):
    from PIL import Image

    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, name in enumerate(BOXES):
        Image.new("RGB", (100, 100), (number, 0, 0)).save(folder / name)
    monkeypatch.setattr(Models, "object_model", lambda self: Known())
    monkeypatch.chdir(tmp_path)
    with vernis.Collection.create(tmp_path / "x.vernis") as made:
        made.index(folder)
        yield made


def give_boxes(collection, *classes):
    collection.catalog.labels.define(Taxonomy("pets", "multi", tuple(sorted(classes))))
    regions = [
        NewRegion(
            collection.catalog.images.find(name).id,
            Region(Box.from_corners(*corners), (100, 100)),
            (RegionLabel("pets", classes[place % len(classes)]),),
        )
        for name, boxes in BOXES.items()
        for place, corners in enumerate(boxes)
    ]
    collection.catalog.regions.add(regions, source="given", verb="import")


def see_boxes(collection, *names):
    hashes, vectors = [], []
    for name in names:
        n = len(BOXES[name])
        boxes = np.array([*BOXES[name], (0, 0, 9, 9)], np.float32)
        boxes[:, ::2] += 1
        scores = np.array([0.9] * n + [0.1], np.float32)
        found = Detections(boxes, scores, np.array([*range(n), 0]))
        hashes.append(collection.catalog.images.find(name).content_hash)
        vectors.append(to_vector(found, (100, 100), 5))
    collection.catalog.vectors.append(Known.space, hashes, np.stack(vectors))


def test_the_detector_is_measured_on_given_boxes(collection):
    give_boxes(collection, "cat", "dog")
    see_boxes(collection, *BOXES)
    found = collection.lab.detect("pets")
    overall, *by_class = found.rows
    assert (overall["class"], overall["boxes"]) == ("(overall)", 3)
    assert [(row["class"], row["boxes"], row["ap50"]) for row in by_class] == [
        ("cat", 2, 1.0),
        ("dog", 1, 1.0),
    ]
    assert 0.5 < overall["ap"] < 1  # moved by a pixel
    curves = (Path(found.folder) / "precision_recall.csv").read_text().splitlines()
    assert curves[0] == "class,recall,precision,score"
    assert len(curves) == 1 + 3 * 101


def test_targets_as_predictions_are_perfect(collection):
    give_boxes(collection, "cat", "dog")
    assert all(row["ap"] == 1 for row in collection.lab.detect("pets", found="given").rows)


def test_what_is_missing_is_said(collection):
    with pytest.raises(NotFound, match="pets"):
        collection.lab.detect("pets")
    give_boxes(collection, "cat", "bird")
    with pytest.raises(NothingToLearn, match="vernis detect"):
        collection.lab.detect("pets")
    with pytest.raises(NothingToLearn, match="model:other has found no box"):
        collection.lab.detect("pets", found="model:other")
    see_boxes(collection, "a.png")
    notes = " ".join(collection.lab.detect("pets").notes)
    assert "on 1 image with boxes nobody has looked" in notes
    assert "does not know them: bird" in notes


def test_without_boxes_there_is_nothing_to_measure(collection):
    collection.catalog.labels.define(Taxonomy("pets", "multi", ("cat",)))
    with pytest.raises(NothingToLearn, match="no image has a box in pets"):
        collection.lab.detect("pets")
