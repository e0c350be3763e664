"""``locate`` on drawn pictures: labels alone tell where things are."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

import vernis
from vernis.core.locate.stored_maps import SIDE, pack, unpack
from vernis.core.locate.training import choose_pictures, share_below
from vernis.core.numeric.boxes import overlaps
from vernis.domain.errors import InvalidValue, NothingToLearn, UsageError
from vernis.domain.region_store import NewRegion, RegionLabel, RegionStatement
from vernis.domain.regions import Box, Region
from vernis.domain.types import Issue, Statement, Suggestion, Taxonomy
from vernis.session.session import Session
from vernis.verbs.decide.label_places import find_places

SIZE = (240, 160)
SMALL = {"sizes": (224,)}


def draw(path: Path, name: str, seed: int) -> tuple[int, int, int, int]:
    """Draw a red disc with rings (disc) or a chequered square (square); return its box."""
    rng = np.random.default_rng(seed)
    noise = rng.integers(90, 150, (SIZE[1], SIZE[0], 1), np.uint8)
    image = Image.fromarray(np.repeat(noise, 3, axis=2))
    x, y = int(rng.integers(5, SIZE[0] - 75)), int(rng.integers(5, SIZE[1] - 75))
    pen = ImageDraw.Draw(image)
    if name == "disc":
        for ring in range(0, 35, 7):
            color = "#d01010" if ring % 2 else "#ffffff"
            pen.ellipse((x + ring, y + ring, x + 70 - ring, y + 70 - ring), fill=color)
    else:
        for column in range(5):
            for row in range(5):
                place = (x + 14 * column, y + 14 * row, x + 14 * column + 13, y + 14 * row + 13)
                pen.rectangle(place, fill="#101060" if (column + row) % 2 else "#f0e020")
    image.save(path)
    return x, y, x + 70, y + 70


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, tuple[int, ...]]]:
    folder = tmp_path_factory.mktemp("pictures")
    boxes = {}
    for number in range(24):
        name = ("disc", "square")[number % 2]
        boxes[f"{name}{number}.png"] = draw(folder / f"{name}{number}.png", name, number)
    return folder, boxes


def kind_of(name: str) -> str:
    return "disc" if name.startswith("disc") else "square"


def label(collection: vernis.Collection, rows: dict[str, str]) -> None:
    """Record the class of each picture, as a person's."""
    labels = collection.catalog.labels
    labels.define(Taxonomy("shape", "single", tuple(sorted(set(rows.values())))))
    said = [Statement(collection.catalog.images.find(n).id, c, "yes") for n, c in rows.items()]
    labels.record("shape", said, source="human:ann", verb="test")


@pytest.fixture
def collection(drawn, tmp_path: Path) -> Iterator[vernis.Collection]:
    with vernis.Collection.create(tmp_path / "x.vernis") as made:
        made.index(drawn[0])
        label(made, {name: kind_of(name) for name in drawn[1]})
        yield made


def regions_of(collection: vernis.Collection) -> tuple[np.ndarray, list[str], np.ndarray]:
    """Return image ids, classes and probabilities of what is suggested."""
    store = collection.catalog.regions
    table, said = store.table(source="model:locate-"), store.labels("shape")
    mine = np.isin(said.region_ids, table.ids)
    names = [said.labels[row] for row in np.flatnonzero(mine).tolist()]
    rows = np.searchsorted(table.ids, said.region_ids[mine])
    return table.image_ids[rows], names, said.probabilities[mine]


def draw_boxes(collection: vernis.Collection, boxes: dict[str, tuple[int, ...]], n: int) -> None:
    """Record true boxes of the first pictures as a person's."""
    new = []
    for name, corners in list(boxes.items())[:n]:
        image = collection.catalog.images.find(name)
        said = RegionLabel("shape", kind_of(name))
        new.append(NewRegion(image.id, Region(Box.from_corners(*corners), SIZE), (said,)))
    collection.catalog.regions.add(new, source="human:ann", verb="draw")


def test_labels_are_found_in_the_pictures(collection, drawn):
    found = collection.locate("shape", **SMALL)
    assert (found.images, found.maps, found.computed, found.unreadable) == (24, 24, 24, 0)
    assert found.threshold_from == "assumed"
    assert {row.class_: row.images for row in found.classes} == {"disc": 12, "square": 12}
    images, names, probabilities = regions_of(collection)
    assert len(images) == found.boxes >= 24
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    table = collection.catalog.regions.table(source="model:locate-")
    centers = table.boxes[:, :2] + table.boxes[:, 2:] / 2
    hits = 0
    for name, (x0, y0, x1, y1) in drawn[1].items():
        image = collection.catalog.images.find(name)
        best = np.flatnonzero(images == image.id)
        best = best[np.argmax(probabilities[best])]
        assert name.startswith(names[best])
        x, y = centers[best]
        hits += x0 <= x <= x1 and y0 <= y <= y1
    assert hits >= 16  # by chance 3


def test_what_is_suggested_is_no_label_and_can_be_undone(collection):
    before = collection.catalog.labels.matrix("shape").values
    collection.locate("shape", **SMALL)
    assert np.array_equal(collection.catalog.labels.matrix("shape").values, before)
    said = collection.catalog.regions.labels("shape")
    assert said.proposed.all()
    assert not said.holds.any()
    collection.undo(collection.catalog.history.batches()[0]["id"])
    assert not len(collection.catalog.regions.table())


def test_maps_are_kept_until_labels_change(collection):
    first = collection.locate("shape", **SMALL)
    again = collection.locate("shape", **SMALL)
    assert (again.computed, again.boxes) == (0, first.boxes)
    batches = len(collection.catalog.history.batches(limit=100))
    looser = collection.locate("shape", threshold="thesis", **SMALL)
    assert (looser.computed, looser.boxes, looser.threshold_from) == (0, 24, "thesis")
    assert len(regions_of(collection)[0]) == 24
    collection.locate("shape", threshold="thesis", **SMALL)
    assert (
        len(collection.catalog.history.batches(limit=100)) == batches + 1
    )  # the same suggestions are not written again
    label(collection, {"disc0.png": "square"})
    assert collection.locate("shape", **SMALL).computed == 24


def test_issues_and_suggestions_point_at_the_place_of_their_label(drawn, tmp_path):
    folder, boxes = drawn
    with vernis.Collection.create(tmp_path / "x.vernis") as made:
        made.index(folder)
        rows = {name: kind_of(name) for name in boxes}
        rows.pop("disc4.png")
        label(made, {**rows, "square5.png": "disc"})
        blank, wrong = (made.catalog.images.find(n) for n in ("disc4.png", "square5.png"))
        evidence = {"change": "replaced", "given": ["disc"], "suggested": ["square"]}
        issue = Issue("label", wrong.id, 0.1, taxonomy="shape", evidence=evidence)
        made.catalog.issues.replace(("label",), [issue], "shape")
        suggestion = Suggestion(blank.id, "shape", "disc", 0.9, promised=True)
        made.catalog.issues.replace_suggestions("shape", [suggestion], source="model")
        assert made.explore.show("disc4.png").record.suggestions[0].place is None
        found = made.locate("shape", **SMALL)
        assert (found.suggested, found.maps) == (2, 23)
        assert blank.id not in regions_of(made)[0].tolist()
        (suggested,) = made.explore.show("disc4.png").record.suggestions
        assert (suggested.place.label, suggested.place.source) == ("disc", "heat map")
        assert overlap_of(suggested.place.box, boxes["disc4.png"]) > 0.2
        (row,) = made.explore.show("square5.png").record.issues
        assert row.places[0].label == "square"
        assert overlap_of(row.places[0].box, boxes["square5.png"]) > 0.2
        # What a person drew goes before any map, and what is read before a map too.
        drawn_box = Region(Box.from_corners(*boxes["square5.png"]), SIZE)
        said = RegionLabel("shape", "square")
        made.catalog.regions.add(
            [NewRegion(wrong.id, drawn_box, (said,))], source="human:ann", verb="draw"
        )
        session = Session(made.catalog)
        with_region = find_places(session, "shape", [(wrong.id, "square"), (wrong.id, "none")])
        assert {key: place.source for key, place in with_region.items()} == {
            (wrong.id, "square"): "human:ann"
        }


def overlap_of(box: tuple[float, ...], corners: tuple[int, ...]) -> float:
    x, y, width, height = box
    found = np.array([[x, y, x + width, y + height]])
    return float(overlaps(found, np.array([corners], float))[0, 0])


def test_boxes_that_people_drew_stay_and_teach_the_threshold(collection, drawn):
    draw_boxes(collection, drawn[1], 9)
    assert collection.locate("shape", **SMALL).threshold_from == "assumed"
    draw_boxes(collection, dict(list(drawn[1].items())[9:]), 3)
    found = collection.locate("shape", **SMALL)
    assert found.threshold_from == "learned"
    assert (found.drawn, found.computed) == (12, 0)
    known = {collection.catalog.images.find(name).id for name in list(drawn[1])[:12]}
    assert not known & set(regions_of(collection)[0].tolist())


def test_two_boxes_teach_no_threshold_and_boxes_outside_no_place(collection, drawn):
    names = sorted(drawn[1])[:3]
    inside, outside = drawn[1][names[0]], (SIZE[0] + 5, 5, SIZE[0] + 50, 60)
    draw_boxes(collection, {names[0]: inside, names[1]: inside, names[2]: outside}, 3)
    found = collection.locate("shape", **SMALL)
    assert (found.threshold_from, found.drawn) == ("assumed", 2)


def test_accepted_suggestions_survive_another_run(collection):
    collection.locate("shape", **SMALL)
    store = collection.catalog.regions
    one = store.table().ids[0]
    name = store.labels("shape").labels[0]
    store.record("shape", [RegionStatement(int(one), name)], source="human:ann", verb="accept")
    collection.locate("shape", threshold="0.6", **SMALL)
    assert one in store.table().ids


def test_other_methods_and_sizes_and_a_sheet(collection, drawn, tmp_path):
    cam = collection.locate("shape", method="cam", sizes=(128, 224), sheet=tmp_path / "s.png")
    assert (cam.maps, cam.computed) == (24, 24)
    assert cam.source.startswith("model:locate-cam@")
    with Image.open(tmp_path / "s.png") as sheet:
        assert min(sheet.size) > 500
    draw_boxes(collection, drawn[1], 12)
    again = collection.locate("shape", method="cam", sizes=(128, 224), sheet=tmp_path / "t.png")
    assert again.computed == 0
    assert (tmp_path / "t.png").read_bytes() != (tmp_path / "s.png").read_bytes()


@pytest.mark.torch
def test_a_fully_convolutional_network_locates_too(collection, drawn):
    pytest.importorskip("torch")
    found = collection.locate("shape", method="fcnn", **SMALL)
    assert (found.maps, found.computed) == (24, 24)
    assert not [note for note in found.notes if "not learned" in note]
    assert collection.locate("shape", method="fcnn", **SMALL).computed == 0
    with pytest.raises(UsageError, match="reads one map"):
        collection.locate(
            "shape", method="fcnn", backbone="efficientnet_lite0:stage4+stage5", **SMALL
        )


@pytest.mark.torch
def test_a_convolutional_head_reads_maps_and_predicts_without_torch(
    collection, drawn, tmp_path, monkeypatch
):
    pytest.importorskip("torch")
    collection.embed()
    learned = collection.learn("shape", model="fcnn", epochs=9)
    assert learned.head == "fcnn"
    assert learned.micro.f1.value > 0.7
    assert any("constant answers" in note for note in learned.notes)
    assert not collection.learn("shape", model="fcnn", epochs=9).trained
    monkeypatch.setitem(sys.modules, "torch", None)  # importing it fails from here on
    names = sorted(drawn[1])[:4]
    found = collection.predict("shape", [drawn[0] / name for name in names])
    assert list(found.label) == [kind_of(name) for name in names]
    assert len(Session(collection.catalog).spaces()) == 1  # maps are no embedding
    collection.fill("shape")


def test_only_the_convolutional_head_reads_maps(collection):
    collection.embed()
    with pytest.raises(UsageError, match="goes with --model fcnn"):
        collection.learn("shape", maps="efficientnet_lite0:stage5")
    with pytest.raises(UsageError, match="no map"):
        collection.learn("shape", model="fcnn", maps="efficientnet_lite0:pooled")


@pytest.mark.torch
def test_an_interrupted_training_loses_nothing(collection, monkeypatch):
    pytest.importorskip("torch")
    from vernis.core.numeric import convolution_training as training

    collection.embed()
    kept = collection.learn("shape")

    def interrupted(*args, **settings):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training, "_trained_layers", interrupted)
        with pytest.raises(KeyboardInterrupt):
            collection.learn("shape", model="fcnn", epochs=3)
    assert [record.version for record in collection.catalog.models.records()] == [1]
    assert not collection.learn("shape").trained
    assert kept.model == "shape@1"


def test_a_filter_limits_what_is_learned_and_located(collection):
    found = collection.locate("shape", where="id<=18", **SMALL)
    assert found.images == 18
    with pytest.raises(UsageError, match="holds for none"):
        collection.locate("shape", where="width>1000", **SMALL)


def test_wrong_settings_say_what_is_right(collection):
    with pytest.raises(UsageError, match="between 0 and 1, thesis or auto"):
        collection.locate("shape", threshold="half")
    with pytest.raises(UsageError, match="in steps of 32"):
        collection.locate("shape", sizes=(100,))
    with pytest.raises(UsageError, match="no map"):
        collection.locate("shape", backbone="pooled", **SMALL)


def test_labels_of_one_class_alone_teach_nothing(drawn, tmp_path):
    with vernis.Collection.create(tmp_path / "y.vernis") as made:
        made.index(drawn[0])
        label(made, dict.fromkeys(drawn[1], "thing"))
        with pytest.raises(NothingToLearn, match="nothing tells where it is"):
            made.locate("shape", **SMALL)


def test_tiny_and_unreadable_pictures_cost_only_themselves(drawn, tmp_path):
    import shutil

    folder = tmp_path / "p"
    shutil.copytree(drawn[0], folder)
    Image.new("RGB", (8, 8), "red").save(folder / "tiny.png")
    with vernis.Collection.create(tmp_path / "z.vernis") as made:
        made.index(folder)
        label(made, {**{name: kind_of(name) for name in drawn[1]}, "tiny.png": "disc"})
        (folder / "disc0.png").write_bytes(b"no picture any more")
        found = made.locate("shape", **SMALL)
        assert (found.maps, found.unreadable) == (24, 1)
        assert "disc0.png" in found.notes[0]
        table = made.catalog.regions.table(images=[made.catalog.images.find("tiny.png").id])
        assert (table.boxes[:, :2] + table.boxes[:, 2:] <= 8).all()


def test_a_map_comes_back_from_its_bytes():
    heat = np.linspace(0, 1, 30 * 20).reshape(30, 20)
    stored, mark = unpack(pack(heat, 0.75, "0123456789abcdef0000"))
    assert mark == "0123456789abcdef"
    assert stored.confidence == 0.75
    assert stored.heat.shape == (SIDE, SIDE)
    assert stored.in_size(200, 300).shape == (112, 75)
    assert np.abs(stored.in_size(20, 30, 30) - heat).max() < 0.02
    with pytest.raises(InvalidValue, match="bytes of a heat map"):
        unpack(np.zeros(5, np.uint8))


def test_pictures_of_rare_classes_are_learned_from_first():
    Y = np.zeros((100, 2))
    Y[:, 0] = 1
    Y[97:] = [0, 1]
    rows = choose_pictures(Y, 10, 0)
    assert len(rows) == 10
    assert set(rows.tolist()) >= {97, 98, 99}
    assert rows.tolist() == sorted(rows.tolist())
    assert choose_pictures(Y, 100, 0).tolist() == list(range(100))


def test_confidence_is_the_share_of_other_pictures_that_score_lower():
    assert share_below(np.array([0.0, 2.5, 9.0]), np.array([3.0, 1.0, 2.0, 4.0])).tolist() == [
        0,
        0.5,
        1,
    ]
    assert share_below(np.array([1.0]), np.zeros(0)).tolist() == [0.5]


def test_the_lab_holds_methods_against_drawn_boxes(collection, drawn, tmp_path):
    draw_boxes(collection, drawn[1], 24)
    found = collection.lab.locate("shape", sizes=(224,), folds=2, out=tmp_path / "run")
    rows = {row["method"]: row for row in found.rows}
    assert set(rows) == {"patches", "cam", "centre"}
    assert all(row["rows"] == 24 for row in rows.values())
    # Labels alone tell more than that objects lie in the middle.
    assert rows["patches"]["pointing"] > rows["centre"]["pointing"]
    assert rows["patches"]["max_box_acc"] > rows["centre"]["max_box_acc"]
    assert (tmp_path / "run" / "table.csv").is_file()
    assert not len(collection.catalog.regions.table(source="model:"))


def test_the_lab_learns_from_one_split_where_it_is_told_so(collection, drawn, tmp_path):
    draw_boxes(collection, drawn[1], 24)
    with pytest.raises(UsageError, match="no splits"):
        collection.lab.locate("shape", train="train", out=tmp_path / "a", **SMALL)
    images = collection.images().index
    ids = [collection.catalog.images.find(name).id for name in images]
    splits = ["train" if number < 18 else "test" for number in range(24)]
    collection.catalog.images.set_splits(ids, splits)
    found = collection.lab.locate(
        "shape", train="train", methods=("patches",), out=tmp_path / "b", **SMALL
    )
    assert [row["rows"] for row in found.rows] == [6]


def test_the_lab_needs_boxes(collection, tmp_path):
    with pytest.raises(NothingToLearn, match="10 are needed"):
        collection.lab.locate("shape", out=tmp_path / "run", **SMALL)


def test_the_report_shows_maps_over_pictures(collection, drawn, tmp_path):
    def page():
        collection.report(out=tmp_path / "report")
        return (tmp_path / "report" / "index.html").read_text()

    assert 'id="places"' not in page()
    collection.locate("shape", **SMALL)
    shown = page()
    assert 'id="places"' in shown
    assert shown.count("data:image/jpeg;base64,") == 12
    assert "Least sure" in shown
    draw_boxes(collection, drawn[1], 12)
    assert "surest first" in page()


def test_parts_of_pictures_are_held_against_whole_ones(collection, tmp_path):
    collection.embed()
    found = collection.lab.crops("shape", size=224, folds=2, out=tmp_path / "run")
    rows = {row["view"]: row for row in found.rows}
    assert rows["whole"]["micro_f1_against_whole"] == 0
    assert rows["whole"]["area"] == 1
    assert rows["blind centre"]["area"] == pytest.approx(0.49)
    assert 0 < rows["heat crop"]["area"] < rows["rule of 80"]["area"] <= 1
    assert rows["heat crop"]["micro_f1"] >= rows["blind centre"]["micro_f1"]
    for row in rows.values():
        low, high = (row[f"micro_f1_against_whole_{end}"] for end in ("low", "high"))
        assert low <= row["micro_f1_against_whole"] <= high
    assert (tmp_path / "run" / "crops.png").is_file()


def test_views_are_parts_of_pictures_and_files_only_when_asked(collection, drawn, tmp_path):
    draw_boxes(collection, drawn[1], 3)
    found = collection.crop("shape", margin=0, **SMALL)
    assert len(found.views) == 24
    assert found.folder is None
    assert sum(view.origin == "drawn" for view in found.views) == 3
    boxes = {view.image: view.box for view in found.views if view.origin == "drawn"}
    assert boxes == {name: drawn[1][name] for name in boxes}
    located = [view for view in found.views if view.origin == "located"]
    assert all(0 < view.share <= 1 and view.file is None for view in located)
    every = collection.crop("shape", rule="all", out=tmp_path / "parts", **SMALL)
    assert all(a.share >= b.share - 1e-3 for a, b in zip(every.views, found.views, strict=True))
    files = sorted((tmp_path / "parts").iterdir())
    assert len(files) == 24
    first = next(view for view in every.views if view.origin == "drawn")
    with Image.open(first.file) as part:
        assert part.width == pytest.approx(first.box[2] - first.box[0], abs=2)
    with pytest.raises(UsageError, match="there already"):
        collection.crop("shape", out=tmp_path / "parts", **SMALL)
