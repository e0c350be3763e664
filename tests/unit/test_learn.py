from __future__ import annotations

import hashlib

import numpy as np
import pytest

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.adapters.engine import ThreadEngine
from vernis.domain.errors import (
    ModelError,
    NotFound,
    NothingToLearn,
    UnreadableImage,
    UsageError,
)
from vernis.domain.types import (
    DuplicateGroup,
    DuplicatePair,
    FoundFile,
    Space,
    Statement,
    Taxonomy,
)
from vernis.workflows.learn import LearnSettings, learn_taxonomy
from vernis.workflows.predict import SavedHead, predict_pictures
from vernis.workflows.training_data import layer_slices, read_training_data

SPACE = Space("toy", 12, "float32", {"layers": [["a", 8], ["b", 4]]})
FAST = LearnSettings(n_draws=20, head={"hidden": [16], "min_updates": 80, "learning_rate": 5e-3})
CLASSES = ("bird", "fish", "tree")


def digest(number):
    return hashlib.sha256(str(number).encode()).hexdigest()


@pytest.fixture
def catalog(tmp_path):
    """120 images in three clusters; the labels of the last 30 are unknown."""
    rng = np.random.default_rng(0)
    codes = np.arange(120) % 3
    vectors = (rng.normal(size=(3, 12))[codes] + 0.3 * rng.normal(size=(120, 12))).astype("f4")
    with SqliteCatalog.create(tmp_path / "x.vernis") as opened:
        files = [FoundFile(f"{i:03}.jpg", digest(i), 10, 0, 30, 20, "JPEG") for i in range(120)]
        opened.images.apply_index(files, complete=True)
        opened.vectors.append(SPACE, [digest(i) for i in range(120)], vectors)
        ids = [image.id for image in opened.images.all()]
        for name, kind in (("kind", "single"), ("tags", "multi"), ("empty", "single")):
            opened.labels.define(Taxonomy(name, kind, CLASSES))
        for name in ("kind", "tags"):
            said = [Statement(ids[i], CLASSES[codes[i]], "yes") for i in range(90)]
            opened.labels.record(name, said, source="given", verb="import")
        opened.codes, opened.ids, opened.inputs = codes, ids, vectors
        yield opened


@pytest.mark.parametrize("name", ["kind", "tags"])
def test_learns_saves_and_fills(catalog, name):
    summary = learn_taxonomy(catalog, name, SPACE, FAST)
    assert summary.trained
    assert (summary.n_images, summary.n_labelled) == (120, 90)
    assert summary.model.metrics["basis"] == "out-of-bag"
    assert summary.model.metrics["micro"]["f1"]["value"] > 0.9
    predictions = catalog.models.predictions(summary.model)
    assert predictions["image_ids"].tolist() == catalog.ids
    assert np.isfinite(predictions["oob"]).all()
    guessed = predictions["ensemble"][90:].argmax(axis=1)
    assert (guessed == catalog.codes[90:]).mean() > 0.9


def test_a_second_run_trains_only_when_something_changed(catalog):
    first = learn_taxonomy(catalog, "kind", SPACE, FAST)
    again = learn_taxonomy(catalog, "kind", SPACE, FAST)
    assert not again.trained
    assert again.model == first.model
    assert dict(again.thresholds) == dict(first.thresholds)
    assert again.notes == first.notes
    said = [Statement(catalog.ids[100], "fish", "yes")]
    catalog.labels.record("kind", said, source="human:me", verb="label")
    assert learn_taxonomy(catalog, "kind", SPACE, FAST).model.version == 2
    catalog.labels.undo()
    third = learn_taxonomy(catalog, "kind", SPACE, FAST)
    assert third.model.fingerprint == first.model.fingerprint
    assert third.trained  # the latest model was another one


def test_a_damaged_model_is_made_anew(catalog):
    first = learn_taxonomy(catalog, "kind", SPACE, FAST).model
    (catalog.folder / first.folder / "weights.npz").unlink()
    again = learn_taxonomy(catalog, "kind", SPACE, FAST)
    assert again.trained
    assert again.model.version == 2


def test_duplicates_are_one_group_also_through_a_third(catalog):
    a, b, c = catalog.ids[:3]
    pair = DuplicatePair(a, b, "near", 0.95)
    other = DuplicatePair(b, c, "near", 0.95)
    catalog.issues.replace_groups(
        [
            DuplicateGroup("near", (a, b), a, "larger", (pair,)),
            DuplicateGroup("near", (b, c), b, "larger", (other,)),
        ]
    )
    data = read_training_data(catalog, "kind", SPACE)
    assert data.groups[0] == data.groups[1] == data.groups[2]
    assert len(np.unique(data.groups)) == 118
    summary = learn_taxonomy(catalog, "kind", SPACE, FAST)
    assert len(set(catalog.models.predictions(summary.model)["groups"][:3])) == 1


def test_blanks_of_labelled_images_count_as_no_and_that_is_said(catalog):
    data = read_training_data(catalog, "tags", SPACE)
    assert data.n_assumed == 180
    assert np.isnan(data.Y[90:]).all()
    assert not np.isnan(data.Y[:90]).any()
    summary = learn_taxonomy(catalog, "tags", SPACE, FAST)
    assert any("taken for 'no'" in note for note in summary.notes)


def test_images_without_vector_are_left_out(catalog):
    more = FoundFile("new.jpg", digest("new"), 10, 0)
    catalog.images.apply_index([more], complete=False)
    summary = learn_taxonomy(catalog, "kind", SPACE, FAST)
    assert (summary.n_images, summary.n_without_vector) == (120, 1)
    assert any("1 image has no vector and was left out" in note for note in summary.notes)


def test_precision_floor_holds_out_of_bag(catalog):
    settings = LearnSettings(objective="precision", floor=0.95, n_draws=0, head=FAST.head)
    summary = learn_taxonomy(catalog, "tags", SPACE, settings)
    for name, threshold in summary.thresholds.items():
        found = summary.model.metrics["classes"][name]["precision"]["value"]
        assert threshold is None or found >= 0.95


def test_too_few_labels_are_said(catalog):
    with pytest.raises(NothingToLearn, match="0 labelled images"):
        learn_taxonomy(catalog, "empty", SPACE, FAST)
    said = [Statement(i, "fish", "yes") for i in catalog.ids[:20]]
    catalog.labels.record("empty", said, source="given", verb="import")
    with pytest.raises(NothingToLearn, match="one class only"):
        learn_taxonomy(catalog, "empty", SPACE, FAST)
    with pytest.raises(NotFound):
        learn_taxonomy(catalog, "nothing", SPACE, FAST)


class ToyReader:
    """Hands out the vector that the picture's first pixel names."""

    def __init__(self, vectors, space=SPACE):
        self.space, self._vectors = space, vectors

    def open(self):
        return lambda pixels: self._vectors[int(pixels[0, 0, 0])]


def read_file(name):
    if name == "bad":
        raise UnreadableImage(name, "not a picture")
    return np.full((1, 1, 3), int(name), np.uint8)


@pytest.mark.parametrize("name", ["kind", "tags"])
def test_predicts_new_pictures_as_the_ensemble_did(catalog, name):
    record = learn_taxonomy(catalog, name, SPACE, FAST).model
    head = SavedHead.restore(*catalog.models.load(record))
    np.testing.assert_allclose(
        head.predict_proba(catalog.inputs),
        catalog.models.predictions(record)["ensemble"],
        atol=1e-6,
    )
    names = ["95", "bad", *(str(i) for i in range(90, 120))]
    found = predict_pictures(
        head, names, ToyReader(catalog.inputs), read_file=read_file, engine=ThreadEngine(2)
    )
    assert [p.image for p in found] == names
    assert found[1].reason == "not a picture"
    assert found[1].labels == ()
    right = [p.labels[:1] and p.labels[0][0] == CLASSES[int(p.image) % 3] for p in found[2:]]
    assert np.mean(right) > 0.9
    if name == "kind":
        assert all(len(p.labels) == 1 for p in found if not p.reason)


def test_vectors_of_another_space_are_refused(catalog):
    record = learn_taxonomy(catalog, "kind", SPACE, FAST).model
    head = SavedHead.restore(*catalog.models.load(record))
    other = ToyReader(catalog.inputs, Space("other", 12, "float32"))
    with pytest.raises(ModelError, match="learn again"):
        predict_pictures(head, ["1"], other, read_file=read_file, engine=ThreadEngine(1))


def test_slices_of_layers():
    assert layer_slices(SPACE) == [(0, 8), (8, 12)]
    assert layer_slices(Space("plain", 5)) == [(0, 5)]


@pytest.mark.real
def test_reads_several_labels_of_real_pictures(real_data):
    import csv

    from vernis.adapters.backbones.zoo import open_backbone
    from vernis.adapters.pixels import decode
    from vernis.core.learn.bagged_mlp import BaggedMLP
    from vernis.core.learn.evaluation import evaluate
    from vernis.core.learn.thresholds import tune_thresholds

    folder = real_data / "aquarium"
    with open(folder / "images.csv", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    names = sorted({label for row in rows for label in row["labels"].split("|") if label})
    Y = np.array([[n in row["labels"].split("|") for n in names] for row in rows], np.float32)
    train = np.array([row["split"] == "train" for row in rows])
    embed = open_backbone().reader().open()
    X = np.stack([embed(decode(folder / row["image"])) for row in rows])
    model = BaggedMLP().fit(X[train], Y[train])
    found = model.predict_proba(X[~train])
    decided = tune_thresholds(Y[train], model.oob_proba_).decide(found)
    quality = evaluate(Y[~train], found, decided)
    assert quality.micro.measure("f1")[1] > 0.78  # the interval's lower end
    assert quality.macro.measure("average_precision")[0] > 0.88


def test_the_kernel_is_learned_when_nothing_is_said(catalog):
    record = learn_taxonomy(catalog, "kind", SPACE, LearnSettings(n_draws=0)).model
    assert catalog.models.load(record)[1]["head"]["head"] == "kernel"
    named = LearnSettings(n_draws=0, model="kernel", n_components=400)
    assert not learn_taxonomy(catalog, "kind", SPACE, named).trained


def test_parameters_of_networks_ask_for_networks(catalog):
    record = learn_taxonomy(catalog, "kind", SPACE, FAST).model
    saved = catalog.models.load(record)[1]["head"]
    assert saved["head"] == "bagged_mlp"
    assert saved["parameters"]["n_components"] == 100
    with pytest.raises(UsageError, match="'kernel' does not take 'epochs'; bagged_mlp, mlp do"):
        learn_taxonomy(catalog, "kind", SPACE, LearnSettings(model="kernel", head={"epochs": 2}))


@pytest.mark.parametrize("name", ["kind", "tags"])
def test_a_kernel_judges_each_image_without_it(catalog, name):
    odd = catalog.ids[0]
    catalog.labels.record(
        name,
        [Statement(odd, CLASSES[0], "no"), Statement(odd, CLASSES[1], "yes")],
        source="human:me",
        verb="set",
    )
    record = learn_taxonomy(catalog, name, SPACE, LearnSettings(n_draws=0)).model
    found = catalog.models.predictions(record)
    row = list(found["image_ids"]).index(odd)
    assert found["oob"][row].argmax() == 0  # what the others say, whatever its own label
    assert found["oob"][row, 1] < found["ensemble"][row, 1]
    unlabelled = np.isnan(read_training_data(catalog, name, SPACE).Y).all(axis=1)
    assert unlabelled.any()
    assert np.allclose(found["oob"][unlabelled], found["ensemble"][unlabelled], atol=1e-4)


@pytest.mark.parametrize("name", ["kind", "tags"])
@pytest.mark.parametrize("model", ["logistic", "kernel", "svm", "bagged_svm", "stacking"])
def test_another_model_stands_in_the_heads_place(catalog, name, model):
    settings = LearnSettings(n_draws=20, n_components=8, model=model)
    summary = learn_taxonomy(catalog, name, SPACE, settings)
    assert summary.trained
    assert summary.model.metrics["micro"]["f1"]["value"] > 0.9
    assert any("weights: " in note for note in summary.notes) == (model == "stacking")
    head = SavedHead.restore(*catalog.models.load(summary.model))
    found = head.predict_proba(catalog.inputs)
    expected = catalog.models.predictions(summary.model)["ensemble"]
    assert np.allclose(found, expected, atol=1e-5)
    assert not learn_taxonomy(catalog, name, SPACE, settings).trained
    with pytest.raises(NotFound, match=r"no model 'tree'; there are: bagged_mlp, .*stacking"):
        learn_taxonomy(catalog, name, SPACE, LearnSettings(model="tree"))
