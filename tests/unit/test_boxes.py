"""``boxes wrong``, ``boxes accept`` and ``boxes next``, through the collection."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import vernis
from vernis.core.detect.cells import Detections
from vernis.core.detect.choosing import Candidates, choose_pictures, size_counts
from vernis.core.detect.vectors import to_vector
from vernis.domain.errors import NotFound, UsageError
from vernis.domain.region_store import NewRegion, RegionLabel
from vernis.domain.regions import Box, Region
from vernis.domain.types import DETECTED, Space, Taxonomy
from vernis.verbs.boxes import faults

CLASSES = ("cat", "dog")
PLACES = ((10, 10, 40, 40), (50, 50, 90, 90))
N = 40


@pytest.fixture
def collection(tmp_path, monkeypatch):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(N):
        Image.new("RGB", (100, 100), (number, 0, 0)).save(folder / f"{number:02}.png")
    monkeypatch.chdir(tmp_path)
    with vernis.Collection.create(tmp_path / "x.vernis") as made:
        made.index(folder)
        made.catalog.labels.define(Taxonomy("pets", "multi", CLASSES))
        yield made


def add(collection, image, corners, label, source="given", probability=float("nan")):
    region = Region(Box.from_corners(*corners), (100, 100))
    said = RegionLabel("pets", label, probability=probability)
    (added,) = collection.catalog.regions.add(
        [NewRegion(image.id, region, (said,))], source=source, verb="import"
    )
    return int(added)


@pytest.fixture
def judged(collection, monkeypatch):
    """Pictures with a cat and a dog, which a detector knows well, and a fault of each kind."""
    rng = np.random.default_rng(0)
    images, regions = list(collection.catalog.images.all(("present",))), {}
    for at, image in enumerate(images):
        for place, label in zip(PLACES, CLASSES, strict=True):
            given, where = label, place
            if (at, label) == (3, "cat"):
                given = "dog"
            if (at, label) == (5, "dog"):
                where = tuple(v + 18 for v in place)
            if (at, label) != (6, "dog"):
                regions[at, label] = add(collection, image, where, given)
    regions[4, "extra"] = add(collection, images[4], (60, 5, 80, 20), "cat")
    boxes = np.array([place for _ in images for place in PLACES], np.float32)
    record = collection.catalog.models.save(
        "pets",
        DETECTED,
        name="pets-detector",
        arrays={},
        settings={},
        metrics={},
        fingerprint="x",
        predictions={
            "image_ids": np.array([image.id for image in images]),
            "box_images": np.repeat([image.id for image in images], 2),
            "boxes": boxes + rng.uniform(-1, 1, boxes.shape).astype(np.float32),
            "scores": rng.uniform(0.7, 0.9, 2 * N).astype(np.float32),
            "classes": np.tile([0, 1], N),
        },
    )
    monkeypatch.setattr(faults, "learn_detector", lambda *rest: SimpleNamespace(record=record))
    return collection, images, regions


def boxes_of(collection, image):
    said = collection.catalog.regions.labels("pets", images=[image.id])
    table = collection.catalog.regions.table(images=[image.id])
    rows = np.flatnonzero(said.holds & said.yes)
    places = table.boxes[np.searchsorted(table.ids, said.region_ids[rows])]
    return sorted(
        (said.labels[int(row)], *np.round(place, -1).astype(int).tolist())
        for row, place in zip(rows, places, strict=True)
    )


def test_each_kind_of_wrong_box_is_an_issue(judged):
    made, _images, regions = judged
    result = made.boxes_wrong("pets")
    assert all(one.shown and one.auroc > 0.9 for one in result.kinds)
    first = {}
    for row in result.rows:
        first.setdefault(row.kind, row)
    swapped = first["swapped_box"]
    assert (swapped.image, swapped.label, swapped.suggested) == ("03.png", "dog", "cat")
    assert swapped.region == regions[3, "cat"]
    assert (first["spurious_box"].image, first["spurious_box"].suggested) == ("04.png", "")
    assert first["misplaced_box"].image == "05.png"
    assert first["misplaced_box"].found[:2] == pytest.approx((50, 50), abs=2)
    assert (first["missing_box"].image, first["missing_box"].label) == ("06.png", "dog")
    assert first["missing_box"].region == 0


def test_accepting_corrects_the_box_and_undo_takes_it_back(judged):
    made, images, _ = judged
    made.boxes_wrong("pets")
    right = [("cat", 10, 10, 30, 30), ("dog", 50, 50, 40, 40)]
    kinds = {"swapped_box": 3, "spurious_box": 4, "misplaced_box": 5, "missing_box": 6}
    before = {at: boxes_of(made, images[at]) for at in kinds.values()}
    batches = []
    for kind, at in kinds.items():
        assert before[at] != right
        done = made.accept(kind, [images[at].uri])
        assert done.changes >= 1
        batches.append(done.batch)
        assert boxes_of(made, images[at]) == right
    for batch in reversed(batches):
        made.undo(batch)
    assert {at: boxes_of(made, images[at]) for at in kinds.values()} == before


def test_a_dismissed_issue_is_remembered_when_boxes_are_judged_again(judged):
    made, _images, _ = judged
    made.boxes_wrong("pets")
    made.dismiss("swapped_box", ["03.png"])
    again = made.boxes_wrong("pets")
    row = next(row for row in again.rows if row.kind == "swapped_box" and row.image == "03.png")
    assert row.verdict == "dismissed"
    assert made.explore.select("issue:misplaced_box").size


def propose(made, n=4):
    images = list(made.catalog.images.all(("present",)))[:n]
    for at, image in enumerate(images):
        add(made, image, PLACES[0], "cat", "model:seer@1", 0.5 + at / 10)
        add(made, image, PLACES[1], "dog", "model:seer@1", 0.9)
    return images


def test_proposals_are_accepted_on_named_images_by_a_person(collection):
    images = propose(collection)
    done = collection.boxes_accept("pets", ["00.png"], who="ann")
    assert (done.boxes, done.images, done.left) == (2, 1, 6)
    said = collection.catalog.regions.labels("pets", images=[images[0].id])
    assert said.holds.sum() == 2
    assert "human:ann" in said.sources.names
    assert collection.catalog.labels.matrix("pets").values[0].tolist() == [1, 1]
    collection.undo(done.batch)
    assert not collection.catalog.regions.labels("pets").holds.any()


def test_sure_ones_are_accepted_in_bulk_and_others_rejected(collection):
    propose(collection)
    assert collection.boxes_accept("pets", sure=0.65, classes=["Cat"]).boxes == 2
    rejected = collection.boxes_accept("pets", ["00.png"], reject=True)
    assert (rejected.boxes, rejected.left) == (2, 4)
    said = collection.catalog.regions.labels("pets")
    assert int((said.holds & ~said.yes).sum()) == 2
    assert collection.boxes_accept("pets", sure=0.0, source="model:other").boxes == 0


def test_objects_become_boxes_of_a_taxonomy_of_ones_own(collection):
    collection.catalog.labels.define(Taxonomy("mine", "multi", ("Dog", "bird")))
    images = propose(collection)
    done = collection.boxes_accept("pets", ["00.png"], into="mine")
    assert done.boxes == 1
    said = collection.catalog.regions.labels("mine", images=[images[0].id])
    assert [said.labels[int(row)] for row in np.flatnonzero(said.holds)] == ["Dog"]
    with pytest.raises(NotFound, match="none of the proposed classes"):
        collection.boxes_accept("pets", ["01.png"], into="mine", classes=["cat"])


def test_which_proposals_must_be_said(collection):
    propose(collection)
    with pytest.raises(UsageError, match="name the images"):
        collection.boxes_accept("pets")
    with pytest.raises(UsageError, match="name the images"):
        collection.boxes_accept("pets", ["00.png"], sure=0.5)
    with pytest.raises(NotFound, match="no box of 'cow'"):
        collection.boxes_accept("pets", sure=0.5, classes=["cow"])


def test_a_choice_covers_looks_classes_and_sizes():
    rng = np.random.default_rng(0)
    looks = np.repeat(np.eye(4, dtype="f4"), 10, axis=0)
    classes = np.zeros((40, 2))
    classes[:39, 0] = 1
    classes[7, 1] = 1  # the only picture of the second class
    sizes = np.zeros((40, 3))
    sizes[:, 1] = 2
    sizes[25, 0] = 8  # the only one with small objects
    groups, drawn = np.arange(40), np.zeros(40, bool)
    groups[26] = groups[25]
    everything = Candidates(looks, classes, sizes, groups, drawn)
    chosen = choose_pictures(everything, 5)
    assert {7, 25} <= set(chosen.rows.tolist())
    assert set((chosen.rows // 10).tolist()) == {0, 1, 2, 3}
    assert len(chosen.rows) == 5
    assert (np.diff(chosen.gains.sum(axis=1)) <= 1e-9).all()
    drawn[:30] = True
    rest = choose_pictures(Candidates(looks, classes, sizes, groups, drawn), 50)
    assert (rest.rows >= 30).all()
    assert len(rest.rows) == 10
    assert rng is not None


def test_sizes_are_counted_by_the_share_of_a_side():
    boxes = np.array([(0, 0, 0.05, 0.05), (0, 0, 0.2, 0.2), (0, 0, 0.9, 0.9), (0, 0, 0.1, 0.1)])
    assert size_counts(boxes.astype("f4")).tolist() == [1, 2, 1]


def test_pictures_to_draw_next(collection):
    images = list(collection.catalog.images.all(("present",)))
    space = Space("looks", 4, "float32", {})
    rows = np.repeat(np.eye(4, dtype="f4"), N // 4, axis=0)
    rows += np.random.default_rng(0).normal(0, 0.01, rows.shape).astype("f4")
    collection.catalog.vectors.append(space, [image.content_hash for image in images], rows)
    collection.session.use_space(space)
    model = collection.session.models.object_model()
    seen = Detections(np.array([(0, 0, 5, 5)], "f4"), np.array([0.9], "f4"), np.array([0]))
    collection.catalog.vectors.append(
        model.space, [images[1].content_hash], to_vector(seen, (100, 100), 100)[None]
    )
    add(collection, images[0], PLACES[0], "cat")
    result = collection.boxes_next("pets", n=4)
    chosen = [row.image for row in result.rows]
    assert len(set(chosen)) == 4
    assert images[0].uri not in chosen
    assert images[1].uri in chosen  # the one with a small object
    assert {int(name[:2]) // (N // 4) for name in chosen} >= {1, 2, 3}
    assert result.drawn == 1
