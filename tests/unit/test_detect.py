"""``detect`` with a detector of coloured squares: once each, proposals only, answers stay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

import vernis
from vernis.core.detect.cells import Detections
from vernis.core.detect.vectors import to_vector, vector_length
from vernis.domain.errors import FilterError
from vernis.domain.region_store import RegionStatement
from vernis.domain.types import Space
from vernis.session.models import Models
from vernis.verbs.see import show
from vernis.verbs.see.browsing import count_facets
from vernis.verbs.see.filters import filter_table, select_images

COLOURS = {"red": (255, 0, 0), "blue": (0, 0, 255)}


@dataclass
class Squares:
    """Sees one red and one blue square a picture; how sure, the height of the picture tells."""

    name: str = "squares"
    version: str = "1"
    classes: tuple[str, ...] = ("red", "blue")
    long_side: int = 416
    score: float = 0.75
    seen: list[tuple[int, ...]] = field(default_factory=list)

    @property
    def source(self) -> str:
        return f"model:{self.name}@{self.version}"

    @property
    def space(self) -> Space:
        return Space("objects", vector_length(5), "float32", {"version": self.version})

    def open(self) -> Callable[[Any], Any]:
        def look(pixels: np.ndarray) -> np.ndarray:
            self.seen.append(pixels.shape)
            boxes, classes = [], []
            for label, colour in enumerate(COLOURS.values()):
                rows, columns = np.nonzero((np.abs(pixels.astype(int) - colour) < 60).all(axis=2))
                if len(rows) > 9:
                    edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
                    boxes.append(edges)
                    classes.append(label)
            found = Detections(
                np.array(boxes, np.float32).reshape(-1, 4),
                np.full(len(boxes), self.score, np.float32),
                np.array(classes, int),
            )
            height, width = pixels.shape[:2]
            return to_vector(found, (width, height), 5)

        return look


def draw(path: Path, *colours: str, size: int = 300) -> None:
    image = Image.new("RGB", (size, size), "#dddddd")
    pen = ImageDraw.Draw(image)
    for number, colour in enumerate(colours):
        left = size * (1 + 5 * number) // 10
        pen.rectangle((left, size // 5, left + size // 5, size // 2), fill=COLOURS[colour])
    image.save(path)


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch) -> Squares:
    made = Squares()
    monkeypatch.setattr(Models, "object_model", lambda self: made)
    return made


@pytest.fixture
def collection(tmp_path: Path, detector: Squares) -> Iterator[vernis.Collection]:
    folder = tmp_path / "pictures"
    folder.mkdir()
    draw(folder / "both.png", "red", "blue")
    draw(folder / "red.png", "red")
    draw(folder / "none.png")
    with vernis.Collection.create(tmp_path / "x.vernis") as made:
        made.index(folder)
        yield made


def names(collection: vernis.Collection, where: str) -> list[str]:
    ids = select_images(collection.session, where)
    return sorted(image.uri for image in collection.catalog.images.get(ids.tolist()))


def test_objects_are_proposed_and_label_nothing(collection, detector):
    found = collection.detect()
    assert (found.images, found.with_objects, found.objects, found.computed) == (3, 2, 3, 3)
    assert dict(found.classes) == {"red": 2, "blue": 1}
    table = collection.catalog.regions.table()
    assert set(table.sources.names) == {"model:squares@1"}
    np.testing.assert_allclose(sorted(table.boxes[:, 3]), [91, 91, 91], atol=1)
    matrix = collection.catalog.labels.matrix("detected")
    assert not (matrix.values == 1).any()
    assert collection.catalog.labels.taxonomy("detected").ignored


def test_a_second_run_looks_only_at_new_pictures(collection, detector, tmp_path):
    collection.detect()
    again = collection.detect()
    assert (again.computed, again.added, again.objects) == (0, 0, 3)
    draw(tmp_path / "pictures" / "new.png", "blue", size=310)
    (tmp_path / "pictures" / "copy.png").write_bytes(
        (tmp_path / "pictures" / "red.png").read_bytes()
    )
    collection.index(tmp_path / "pictures")
    later = collection.detect()
    assert (later.computed, later.added, later.objects) == (1, 2, 5)


def test_filters_and_the_record_know_the_objects(collection, detector):
    with pytest.raises(FilterError, match="vernis detect"):
        names(collection, "object:red")
    assert names(collection, "objects>=0") == []
    collection.detect()
    assert names(collection, "object:red") == ["both.png", "red.png"]
    assert names(collection, "object:blue and objects>=2") == ["both.png"]
    assert names(collection, "objects<1") == ["none.png"]
    with pytest.raises(FilterError, match="no value of object; there are: blue, red"):
        names(collection, "object:rad")
    record = show.work(collection.session, show.Settings("both.png")).record
    assert record is not None
    assert [(one.label, one.holds, one.probability) for one in record.objects] == [
        ("red", False, 0.75),
        ("blue", False, 0.75),
    ]
    assert record.objects[0].box[:2] == pytest.approx((30, 60), abs=1)


def test_answers_of_people_stay(collection, detector):
    collection.detect()
    regions = collection.catalog.regions
    image = collection.catalog.images.find("both.png")
    labels = regions.labels("detected", images=[image.id])
    red, blue = (int(labels.region_ids[labels.labels.equal(name)][0]) for name in ("red", "blue"))
    yes, no = RegionStatement(red, "red"), RegionStatement(blue, "blue", "no")
    regions.record("detected", [yes, no], source="human:ann", verb="review")
    assert names(collection, "object:blue") == []
    assert names(collection, "detected:red") == ["both.png"]
    found = collection.detect(again=True)
    assert found.added == 1  # that of red.png, which nobody has answered
    assert set(regions.table(images=[image.id]).ids.tolist()) == {red, blue}


def test_another_limit_replaces_what_nobody_answered(collection, detector):
    collection.detect()
    assert collection.detect(sure=0.9).objects == 0
    assert collection.detect(sure=0.5).objects == 3
    assert len(collection.catalog.regions.table()) == 3


def test_undo_takes_the_objects_back_and_again_brings_them(collection, detector):
    collection.detect()
    collection.undo(int(collection.catalog.regions.table().batches[0]))
    assert len(collection.catalog.regions.table()) == 0
    assert collection.detect().added == 0
    assert collection.detect(again=True).added == 3


def test_a_filter_chooses_the_pictures(collection, detector):
    assert collection.detect(where="name:red.png").computed == 1
    assert names(collection, "objects>=0") == ["red.png"]
    assert collection.detect().added == 2


def test_bad_files_are_set_aside(collection, detector, tmp_path):
    path = tmp_path / "pictures" / "none.png"
    path.write_bytes(path.read_bytes()[:60])
    found = collection.detect()
    assert (found.unreadable, found.computed) == (1, 2)
    assert "none.png" in found.notes[0]
    assert [image.uri for image in collection.catalog.images.all(("unreadable",))] == ["none.png"]


def test_pictures_that_shrink_too_far_are_decoded_larger(collection, detector, tmp_path):
    draw(tmp_path / "pictures" / "square.jpg", "red", size=800)
    collection.index(tmp_path / "pictures")
    collection.detect(where="name:square.jpg")
    assert detector.seen == [(800, 800, 3)]


def test_run_finds_objects_with_the_same_decoding(tmp_path, detector):
    folder = tmp_path / "pictures"
    folder.mkdir()
    draw(folder / "both.png", "red", "blue")
    with vernis.Collection.create(tmp_path / "x.vernis") as made:
        found = made.run(folder, detect=True, report=tmp_path / "report")
        assert found.images_with_objects == 1
        assert len(detector.seen) == 1
        assert made.detect().computed == 0


def test_objects_are_counted_as_a_facet(collection, detector):
    session = collection.session
    images = session.images()
    before = count_facets(session, filter_table(session), np.ones(3, bool))
    assert "object" not in {facet.name for facet in before}
    collection.detect()
    shown = np.array([image.uri == "red.png" for image in images])
    facets = count_facets(session, filter_table(session), shown)
    (objects,) = (facet for facet in facets if facet.name == "object")
    assert [(one.value, one.shown, one.total) for one in objects.values] == [
        ("red", 1, 2),
        ("blue", 0, 1),
    ]
