"""``learn --model detector`` and ``predict --boxes``, through the collection."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw

import vernis
from vernis.domain.errors import MissingExtra, NotFound, NothingToLearn, UsageError
from vernis.domain.region_store import NewRegion, RegionLabel, RegionStatement
from vernis.domain.regions import Box, Region
from vernis.domain.types import Taxonomy
from vernis.verbs.boxes.faults import find_faults

N_BOXED, N_OTHERS, SIDE = 12, 3, 200
CLASSES = ("disc", "square")


def draw(seed: int):
    """Return a noisy picture with a red disc and a blue square, and their boxes."""
    rng = np.random.default_rng(seed)
    image = Image.fromarray(rng.integers(90, 170, (SIDE, SIDE, 3), dtype=np.uint8))
    pen = ImageDraw.Draw(image)
    boxes = []
    for name, left in zip(CLASSES, rng.permutation([10, 110]).tolist(), strict=True):
        x, y, size = left + rng.integers(0, 20), rng.integers(10, 110), rng.integers(50, 70)
        box = [int(x), int(y), int(x + size), int(y + size)]
        if name == "disc":
            pen.ellipse(box, fill=(220, 30, 30))
        else:
            pen.rectangle(box, fill=(30, 40, 220))
        boxes.append((name, box))
    return image, boxes


@pytest.fixture(scope="module")
def learnt(tmp_path_factory):
    """A collection of which twelve pictures are boxed, after its detector was learned."""
    home = tmp_path_factory.mktemp("detector")
    folder = home / "pictures"
    folder.mkdir()
    truth = {}
    for number in range(N_BOXED + N_OTHERS):
        image, truth[f"{number:02}.png"] = draw(number)
        image.save(folder / f"{number:02}.png")
    with vernis.Collection.create(home / "x.vernis") as made:
        made.index(folder)
        made.catalog.labels.define(Taxonomy("shape", "multi", CLASSES))
        give(made, {name: truth[name] for name in list(truth)[:N_BOXED]})
        result = made.learn("shape", model="detector")
        yield made, truth, result


def give(collection, boxes, source="given"):
    regions = [
        NewRegion(
            collection.catalog.images.find(name).id,
            Region(Box.from_corners(*corners), (SIDE, SIDE)),
            (RegionLabel("shape", label),),
        )
        for name, own in boxes.items()
        for label, corners in own
    ]
    return collection.catalog.regions.add(regions, source=source, verb="import")


def test_its_worth_is_measured_out_of_fold_and_said(learnt):
    _, _, result = learnt
    assert result.model == "shape-detector@1"
    assert (result.head, result.labelled) == ("detector", N_BOXED)
    assert "out-of-fold" in result.measured
    assert [(row.class_, row.n) for row in result.classes] == [("disc", 12), ("square", 12)]
    assert result.macro.average_precision.value > 0.8
    assert all(row.threshold is not None for row in result.classes)
    assert any("mAP50" in note and "24 boxes in 12 pictures" in note for note in result.notes)
    assert any("12 pictures are few" in note for note in result.notes)


def test_the_same_boxes_and_settings_are_not_learned_twice(learnt):
    made, _, result = learnt
    again = made.learn("shape", model="detector")
    assert (again.model, again.trained) == (result.model, False)


def test_it_is_kept_as_arrays_and_json(learnt):
    made, _, _ = learnt
    record = made.catalog.models.latest("shape", kind="detector")
    assert made.catalog.models.latest("shape") is None
    folder = made.catalog.folder / record.folder
    saved = json.loads((folder / "model.json").read_text())["settings"]
    assert saved["classes"] == list(CLASSES)
    assert saved["kind"] == "detector"
    with np.load(folder / "weights.npz", allow_pickle=False) as arrays:
        assert arrays["weights"].shape[1] == len(CLASSES) + 1
    out_of_fold = made.catalog.models.predictions(record)
    assert len(out_of_fold["boxes"]) == len(out_of_fold["scores"]) > 24
    assert [row.name for row in made.models().rows] == ["shape-detector"]


def test_boxes_are_proposed_where_none_were_drawn(learnt):
    made, truth, _ = learnt
    done = made.predict("shape", boxes=True)
    for name in list(truth)[N_BOXED:]:
        boxes = done.loc[[name]].set_index("label")
        for label, (xmin, ymin, xmax, ymax) in truth[name]:
            x, y, width, height = boxes.loc[label, ["x", "y", "width", "height"]]
            assert (x, y) == pytest.approx((xmin, ymin), abs=12)
            assert (x + width, y + height) == pytest.approx((xmax, ymax), abs=12)
    said = made.catalog.regions.labels("shape")
    own = np.array([source == "model:shape-detector@1" for source in said.sources])
    assert own.any()
    assert not said.holds[own].any()
    assert np.isnan(made.catalog.labels.matrix("shape").values[N_BOXED:]).all()
    again = made.predict("shape", boxes=True)
    assert again.attrs["counts"] == {**done.attrs["counts"], "added": 0}


def test_what_somebody_answered_stays_and_the_rest_is_replaced(learnt):
    made, truth, _ = learnt
    made.predict("shape", boxes=True)
    before = made.catalog.regions.table(source="model:shape-detector@1")
    image = made.catalog.images.find(list(truth)[-1]).id
    region = int(before.ids[before.image_ids == image][0])
    label = next(
        one
        for one, of in zip(
            made.catalog.regions.labels("shape").labels,
            made.catalog.regions.labels("shape").region_ids,
            strict=True,
        )
        if of == region
    )
    made.catalog.regions.record(
        "shape", [RegionStatement(region, label)], source="human:ann", verb="accept"
    )
    made.predict("shape", boxes=True, again=True)
    after = made.catalog.regions.table(source="model:shape-detector@1")
    assert region in after.ids
    assert len(after) == len(before)


def test_files_are_looked_at_without_a_trace(learnt, tmp_path):
    made, _, _ = learnt
    image, boxes = draw(77)
    image.save(tmp_path / "new.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    Image.new("RGB", (8, 8)).save(tmp_path / "tiny.png")
    n = len(made.catalog.regions.table())
    names = [tmp_path / name for name in ("new.png", "broken.png", "tiny.png")]
    found = made.predict("shape", names, boxes=True)
    assert set(found.loc[str(names[0]), "label"]) == {label for label, _ in boxes}
    assert found.loc[str(names[1]), "reason"]
    assert not found.drop(str(names[1])).reason.any()  # 8 pixels are no reason
    assert len(made.catalog.regions.table()) == n


def test_a_folder_of_a_detector_needs_no_collection(learnt, tmp_path):
    made, _, _ = learnt
    record = made.catalog.models.latest("shape", kind="detector")
    image, boxes = draw(78)
    image.save(tmp_path / "new.png")
    from vernis.session.session import Session
    from vernis.verbs.decide import predict

    folder = made.catalog.folder / record.folder
    settings = predict.Settings(str(folder), [tmp_path / "new.png"], boxes=True)
    (row,) = predict.work(Session(None), settings).rows
    assert {hit.label for hit in row.boxes} == {label for label, _ in boxes}


def test_what_does_not_go_together_is_refused_in_a_line(learnt, tmp_path):
    made, _, _ = learnt
    with pytest.raises(UsageError, match="name picture files"):
        made.predict("shape")
    with pytest.raises(NotFound, match="ask it: vernis predict shape --boxes"):
        made.predict("shape", [tmp_path / "a.png"])
    with pytest.raises(NotFound, match="learn one: vernis learn other --model detector"):
        made.predict("other", boxes=True)
    with pytest.raises(UsageError, match="has no hidden"):
        made.learn("shape", model="detector", hidden=[8])


def test_two_boxes_are_too_few(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    image, boxes = draw(1)
    image.save(folder / "a.png")
    with vernis.Collection.create(tmp_path / "x.vernis") as made:
        made.index(folder)
        made.catalog.labels.define(Taxonomy("shape", "multi", CLASSES))
        with pytest.raises(NothingToLearn, match="has 0 boxes in 0 pictures"):
            made.learn("shape", model="detector")
        give(made, {"a.png": boxes})
        with pytest.raises(NothingToLearn, match="2 boxes in 1 picture; a detector needs 10"):
            made.learn("shape", model="detector")
        assert not made.models().rows


@pytest.mark.torch
@pytest.mark.parametrize("network", ["nanodet", "ssd"])
def test_a_network_is_trained_measured_and_used_like_any_detector(learnt, network, monkeypatch):
    pytest.importorskip("torchvision")
    from vernis.adapters.training import choice
    from vernis.adapters.training.views import ViewSettings

    trainer = choice.detector_trainer(network)
    quick = replace(trainer, views=ViewSettings(side=192, crop=128), batch=2)
    monkeypatch.setattr(choice, "detector_trainer", lambda _: quick)
    made, truth, _ = learnt
    result = made.learn("shape", model=network, epochs=1)
    again = made.learn("shape", model=network, epochs=1)
    assert (result.head, result.trained) == (network, True)
    assert result.labelled >= N_BOXED
    assert (again.model, again.trained) == (result.model, False)
    assert "out-of-fold" in result.measured
    assert any("of 2 steps: the out-of-fold mAP" in note for note in result.notes)
    assert find_faults(made.session, "shape", 0).detector == result.model  # no other is learned
    record = made.catalog.models.latest("shape", kind="detector")
    folder = made.catalog.folder / record.folder
    saved = json.loads((folder / "model.json").read_text())["settings"]
    assert (saved["engine"], saved["network"]) == ("torch", network)
    assert set(saved["thresholds"]) == set(CLASSES)
    with np.load(folder / "weights.npz", allow_pickle=False) as arrays:
        assert arrays["graph"].dtype == np.uint8
    found = made.predict("shape", [made.session.root() / name for name in truth], boxes=True)
    assert not found.reason.any()
    detector = made.session.models.learned_detector(record)
    height, width = 50, 90
    objects = detector.opening()(np.zeros((height, width, 3), np.uint8))
    assert (objects.boxes <= np.array([width, height] * 2)).all()


@pytest.mark.torch
def test_a_stopped_training_leaves_nothing_behind(learnt, monkeypatch):
    pytest.importorskip("torch")
    from vernis.adapters.training import nanodet_training

    made, _, _ = learnt
    before = len(made.models().rows)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(nanodet_training, "draw_views", stop)
    with pytest.raises(KeyboardInterrupt):
        made.learn("shape", model="nanodet", epochs=1, seed=3)
    assert len(made.models().rows) == before
    with made.session.lock("another"):
        pass  # nothing holds the collection any longer


def test_without_torch_one_line_says_what_to_install(learnt, monkeypatch):
    import sys

    made, _, _ = learnt
    for name in ("torch", "torchvision"):
        monkeypatch.setitem(sys.modules, name, None)
    for network in ("nanodet", "ssd"):
        with pytest.raises(MissingExtra, match=r"vernis\[torch\]"):
            made.learn("shape", model=network)
