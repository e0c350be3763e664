"""What people decided about regions goes from one copy of a collection to another."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from vernis.collection import Collection
from vernis.domain.errors import InvalidLabels
from vernis.domain.region_store import NewRegion, RegionLabel, RegionStatement
from vernis.domain.regions import Box, Region
from vernis.domain.types import Statement, Taxonomy

MODEL, ANN, BOB = "model:finder@1", "human:ann", "human:bob"
PICTURE = (90, 60)


def region(x: float, **more: object) -> Region:
    return Region(Box(x, 2.5, 10, 12), PICTURE, **more)  # type: ignore[arg-type]


def open_copy(folder: Path) -> Collection:
    """Return a copy in which a model found two things on each image."""
    made = Collection.create(folder.with_suffix(".vernis"))
    made.index([folder])
    catalog = made.catalog
    catalog.labels.define(Taxonomy("thing", "multi", ("cup", "jug")))
    found = [
        NewRegion(image.id, region(x), (RegionLabel("thing", "cup", "yes", 0.6),))
        for image in catalog.images.all()
        for x in (1, 30)
    ]
    catalog.regions.add(found, source=MODEL, verb="detect")
    return made


@pytest.fixture
def copies(tmp_path: Path) -> Iterator[tuple[Collection, Collection]]:
    """Yield two copies with other names for their files."""
    (tmp_path / "one").mkdir()
    for number, name in enumerate("ab"):
        Image.new("RGB", PICTURE, (90 * number, 0, 0)).save(tmp_path / "one" / f"{name}.png")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    (tmp_path / "two" / "a.png").rename(tmp_path / "two" / "other.png")
    with open_copy(tmp_path / "one") as first, open_copy(tmp_path / "two") as second:
        yield first, second


def on(collection: Collection, name: str) -> dict[float, int]:
    """Return the regions on an image by their left edge."""
    image = collection.catalog.images.find(name).id
    table = collection.catalog.regions.table(images=[image])
    return dict(zip(table.boxes[:, 0].tolist(), table.ids.tolist(), strict=True))


def say(collection: Collection, number: int, label: str, state: str, who: str) -> None:
    said = [RegionStatement(number, label, state)]  # type: ignore[arg-type]
    collection.catalog.regions.record("thing", said, source=who, verb="accept")


def said(collection: Collection, name: str) -> set[tuple[float, str, str, bool]]:
    """Return what people say of the regions of an image: place, class, who, yes."""
    places = {number: x for x, number in on(collection, name).items()}
    found = collection.catalog.regions.labels("thing")
    return {
        (places[number], found.labels[row], found.sources[row], bool(found.yes[row]))
        for row, number in enumerate(found.region_ids.tolist())
        if number in places and found.sources[row].startswith("human:")
    }


def decide(first: Collection) -> None:
    """Accept and reject what the model found, draw a jug, take a box away."""
    boxes = on(first, "a.png")
    say(first, boxes[1], "cup", "yes", ANN)
    say(first, boxes[30], "cup", "no", ANN)
    store = first.catalog.regions
    jug = (RegionLabel("thing", "jug"),)
    outline = region(60.125, shape="polygon", outline="[[60.125, 2.5, 70, 3, 66, 14.5]]")
    image = first.catalog.images.find("a.png").id
    store.add([NewRegion(image, outline, jug)], source=ANN, verb="draw")
    store.remove([on(first, "b.png")[30]], source=ANN, verb="draw")


def hand_over(first: Collection, second: Collection, file: Path, **how: object):
    first.export("decisions", file, overwrite=True)
    return second.apply(file, **how)


def test_verdicts_drawn_regions_and_removals_arrive_and_one_undo_takes_them_back(copies, tmp_path):
    first, second = copies
    decide(first)
    file = tmp_path / "decisions.json"
    trial = hand_over(first, second, file, dry_run=True)
    assert (trial.regions, trial.batch) == (4, 0)
    before = on(second, "b.png")
    done = hand_over(first, second, file)
    assert (done.regions, done.conflicts, done.missing) == (4, (), ())
    assert said(second, "other.png") == {
        (1, "cup", ANN, True),
        (30, "cup", ANN, False),
        (60.125, "jug", ANN, True),
    }
    (drawn,) = second.catalog.regions.get([on(second, "other.png")[60.125]])
    assert (drawn.source, drawn.region.shape) == (ANN, "polygon")
    assert drawn.region.outline == "[[60.125, 2.5, 70, 3, 66, 14.5]]"
    assert set(on(second, "b.png")) == {1}
    image = second.catalog.images.find("other.png").id
    held = {h.label for h in second.catalog.labels.held("thing") if h.image_id == image}
    assert held == {"cup", "jug"}
    again = second.apply(file)
    assert (again.regions, again.batch, again.conflicts) == (0, 0, ())
    second.undo(done.batch)
    assert said(second, "other.png") == set()
    assert (set(on(second, "other.png")), on(second, "b.png")) == ({1, 30}, before)


def test_what_a_person_decided_otherwise_stays_and_is_named_unless_the_file_shall_win(
    copies, tmp_path
):
    first, second = copies
    decide(first)
    here = on(second, "other.png")
    say(second, here[1], "cup", "no", BOB)
    say(second, on(second, "b.png")[30], "cup", "yes", BOB)
    near = (RegionLabel("thing", "cup"),)
    image = second.catalog.images.find("other.png").id
    second.catalog.regions.add([NewRegion(image, region(61), near)], source=BOB, verb="draw")
    done = hand_over(first, second, tmp_path / "d.json")
    assert {(one.image, one.here, one.there) for one in done.conflicts} == {
        ("other.png", "cup: no", "cup: yes, of a region"),
        ("other.png", "cup (10 x 12 at 61, 2)", "jug (10 x 12 at 60, 2)"),
        ("b.png", "cup (10 x 12 at 30, 2)", "taken away"),
    }
    assert done.regions == 1
    assert set(on(second, "b.png")) == {1, 30}
    won = hand_over(first, second, tmp_path / "d.json", theirs=True)
    assert won.regions == 3
    assert set(on(second, "b.png")) == {1}
    assert (60.125, "jug", ANN, True) in said(second, "other.png")
    assert (1, "cup", ANN, True) in said(second, "other.png")


def test_a_region_that_was_taken_away_here_does_not_come_back(copies, tmp_path):
    first, second = copies
    say(first, on(first, "b.png")[1], "cup", "yes", ANN)
    second.catalog.regions.remove([on(second, "b.png")[1]], source=BOB, verb="draw")
    done = hand_over(first, second, tmp_path / "d.json")
    (conflict,) = (one for one in done.conflicts if one.what == "region")
    assert (conflict.here, conflict.there) == ("taken away", "cup (10 x 12 at 1, 2)")
    assert set(on(second, "b.png")) == {30}


def test_what_is_no_of_the_image_here_is_no_yes_of_a_region(copies, tmp_path):
    first, second = copies
    say(first, on(first, "a.png")[1], "cup", "yes", ANN)
    image = second.catalog.images.find("other.png").id
    no = [Statement(image, "cup", "no")]
    second.catalog.labels.record("thing", no, source=BOB, verb="label")
    done = hand_over(first, second, tmp_path / "d.json")
    assert (done.regions, done.labels) == (0, 0)
    assert {one.here for one in done.conflicts} == {"cup: no"}


def test_regions_of_a_model_that_did_not_run_here_come_where_a_person_accepted_them(
    copies, tmp_path
):
    first, second = copies
    second.catalog.regions.remove(second.catalog.regions.table().ids, source=MODEL, verb="detect")
    boxes = on(first, "a.png")
    say(first, boxes[1], "cup", "yes", ANN)
    say(first, boxes[30], "cup", "no", ANN)
    done = hand_over(first, second, tmp_path / "d.json")
    assert (done.regions, set(on(second, "other.png"))) == (1, {1})
    (there,) = second.catalog.regions.get([on(second, "other.png")[1]])
    assert there.source == MODEL
    assert any("1 rejected region" in note for note in done.notes)


def test_the_removals_of_imports_are_no_decisions(copies, tmp_path):
    first, _ = copies
    first.catalog.regions.remove([on(first, "b.png")[30]], source="human:ann", verb="import")
    first.export("decisions", tmp_path / "d.json")
    found = json.loads((tmp_path / "d.json").read_text())
    assert (found["version"], "regions" in found) == (1, False)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"box": [1, 2]}, "region 1: 'box' must be a list of 4 numbers"),
        ({"picture": [0, 9]}, "region 1: expected the size of the picture"),
        ({"shape": "star"}, "region 1: expected a shape"),
        ({"labels": [{"taxonomy": "thing", "label": "cup", "state": "maybe"}]}, "yes or no"),
        ({"drawn_by": ""}, "expected the source that drew"),
        ({"removed_by": "model:x"}, "begins with human:"),
        ({"foreign_id": [1]}, "'foreign_id' must be"),
    ],
)
def test_a_damaged_region_is_refused_with_its_place(copies, tmp_path, change, said):
    first, second = copies
    decide(first)
    file = tmp_path / "d.json"
    first.export("decisions", file)
    document = json.loads(file.read_text())
    document["regions"][0] |= change
    file.write_text(json.dumps(document))
    with pytest.raises(InvalidLabels, match=said):
        second.apply(file)
