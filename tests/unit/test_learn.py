from __future__ import annotations

import hashlib

import numpy as np
import pytest

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.domain.errors import (
    InvalidValue,
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
from vernis.session.files import Files
from vernis.session.session import Session
from vernis.session.vectors import layer_slices
from vernis.verbs.decide.prediction import SavedHead, predict_pictures
from vernis.verbs.steps import learn as verb

SPACE = Space("toy", 12, "float32", {"layers": [["a", 8], ["b", 4]]})
FAST = {"model": "bagged_mlp", "hidden": (16,)}
CLASSES = ("bird", "fish", "tree")


def session_over(catalog):
    session = Session(catalog)
    session.use_space(SPACE)
    return session


def learn(catalog, name, **settings):
    return verb.work(session_over(catalog), verb.Settings(name, **settings))


def record_of(catalog, result):
    name, _, version = result.model.partition("@")
    return next(r for r in catalog.models.records() if (r.name, str(r.version)) == (name, version))


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
    summary = learn(catalog, name, **FAST)
    assert summary.trained
    assert (summary.images, summary.labelled) == (120, 90)
    assert summary.measured == "out-of-bag"
    assert summary.micro.f1.value > 0.9
    predictions = catalog.models.predictions(record_of(catalog, summary))
    assert predictions["image_ids"].tolist() == catalog.ids
    assert np.isfinite(predictions["oob"]).all()
    guessed = predictions["ensemble"][90:].argmax(axis=1)
    assert (guessed == catalog.codes[90:]).mean() > 0.9


def test_a_second_run_trains_only_when_something_changed(catalog):
    first = learn(catalog, "kind", **FAST)
    again = learn(catalog, "kind", **FAST)
    assert not again.trained
    assert again.model == first.model
    assert again.classes == first.classes
    assert again.notes == first.notes
    said = [Statement(catalog.ids[100], "fish", "yes")]
    catalog.labels.record("kind", said, source="human:me", verb="label")
    assert record_of(catalog, learn(catalog, "kind", **FAST)).version == 2
    catalog.history.undo()
    third = learn(catalog, "kind", **FAST)
    marks = [record_of(catalog, result).fingerprint for result in (first, third)]
    assert marks[0] == marks[1]
    assert third.trained  # the latest model was another one


def test_a_damaged_model_is_made_anew(catalog):
    first = record_of(catalog, learn(catalog, "kind", **FAST))
    (catalog.folder / first.folder / "weights.npz").unlink()
    again = learn(catalog, "kind", **FAST)
    assert again.trained
    assert record_of(catalog, again).version == 2


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
    data = session_over(catalog).training_data("kind", SPACE)
    assert data.groups[0] == data.groups[1] == data.groups[2]
    assert len(np.unique(data.groups)) == 118
    summary = learn(catalog, "kind", **FAST)
    assert len(set(catalog.models.predictions(record_of(catalog, summary))["groups"][:3])) == 1


def test_blanks_of_labelled_images_count_as_no_and_that_is_said(catalog):
    data = session_over(catalog).training_data("tags", SPACE)
    assert data.n_assumed == 180
    assert np.isnan(data.Y[90:]).all()
    assert not np.isnan(data.Y[:90]).any()
    summary = learn(catalog, "tags", **FAST)
    assert any("taken for 'no'" in note for note in summary.notes)


def test_images_without_vector_are_left_out(catalog):
    more = FoundFile("new.jpg", digest("new"), 10, 0)
    catalog.images.apply_index([more], complete=False)
    summary = learn(catalog, "kind", **FAST)
    assert summary.images == 120
    assert any("1 image was not embedded and is left out" in note for note in summary.notes)


def test_precision_floor_holds_out_of_bag(catalog):
    summary = learn(catalog, "tags", objective="precision", floor=0.95, **FAST)
    kept = [row for row in summary.classes if row.threshold is not None]
    assert kept
    assert min(row.precision for row in kept) >= 0.95


def test_too_few_labels_are_said(catalog):
    with pytest.raises(NothingToLearn, match="0 labelled images"):
        learn(catalog, "empty", **FAST)
    said = [Statement(i, "fish", "yes") for i in catalog.ids[:20]]
    catalog.labels.record("empty", said, source="given", verb="import")
    with pytest.raises(NothingToLearn, match="one class only"):
        learn(catalog, "empty", **FAST)
    with pytest.raises(NotFound):
        learn(catalog, "nothing", **FAST)


class ToyReader:
    """Hands out the vector that the picture's first pixel names."""

    def __init__(self, vectors, space=SPACE):
        self.space, self._vectors = space, vectors

    def open(self):
        return lambda pixels: self._vectors[int(pixels[0, 0, 0])]


class ToyFiles(Files):
    """Files that are named by the number in their first pixel."""

    def decoder(self, *, full_size=False):
        def decode(path):
            if path.name == "bad":
                raise UnreadableImage(path, "not a picture")
            return np.full((1, 1, 3), int(path.name), np.uint8)

        return decode


def session_of_toys(catalog):
    session = Session(catalog)
    session.files = ToyFiles(session)
    return session


@pytest.mark.parametrize("name", ["kind", "tags"])
def test_predicts_new_pictures_as_the_ensemble_did(catalog, name):
    record = record_of(catalog, learn(catalog, name, **FAST))
    head = SavedHead.restore(*catalog.models.load(record))
    np.testing.assert_allclose(
        head.predict_proba(catalog.inputs),
        catalog.models.predictions(record)["ensemble"],
        atol=1e-6,
    )
    names = ["95", "bad", *(str(i) for i in range(90, 120))]
    found = predict_pictures(session_of_toys(catalog), head, names, ToyReader(catalog.inputs))
    assert [p.image for p in found] == names
    assert found[1].reason == "not a picture"
    assert found[1].labels == ()
    right = [p.labels[:1] and p.labels[0][0] == CLASSES[int(p.image) % 3] for p in found[2:]]
    assert np.mean(right) > 0.9
    if name == "kind":
        assert all(len(p.labels) == 1 for p in found if not p.reason)


def test_vectors_of_another_space_are_refused(catalog):
    record = record_of(catalog, learn(catalog, "kind", **FAST))
    head = SavedHead.restore(*catalog.models.load(record))
    other = ToyReader(catalog.inputs, Space("other", 12, "float32"))
    with pytest.raises(ModelError, match="learn again"):
        predict_pictures(session_of_toys(catalog), head, ["1"], other)


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
    record = record_of(catalog, learn(catalog, "kind"))
    assert catalog.models.load(record)[1]["head"]["head"] == "kernel"
    assert not learn(catalog, "kind", model="kernel", components=400).trained


def test_parameters_of_networks_ask_for_networks(catalog):
    record = record_of(catalog, learn(catalog, "kind", **FAST))
    saved = catalog.models.load(record)[1]["head"]
    assert saved["head"] == "bagged_mlp"
    assert saved["parameters"]["n_components"] == 100
    with pytest.raises(UsageError, match="'kernel' does not take 'epochs'; bagged_mlp, mlp do"):
        learn(catalog, "kind", model="kernel", epochs=2)


@pytest.mark.parametrize("name", ["kind", "tags"])
def test_a_kernel_judges_each_image_without_it(catalog, name):
    odd = catalog.ids[0]
    catalog.labels.record(
        name,
        [Statement(odd, CLASSES[0], "no"), Statement(odd, CLASSES[1], "yes")],
        source="human:me",
        verb="set",
    )
    record = record_of(catalog, learn(catalog, name))
    found = catalog.models.predictions(record)
    row = list(found["image_ids"]).index(odd)
    assert found["oob"][row].argmax() == 0  # what the others say, whatever its own label
    assert found["oob"][row, 1] < found["ensemble"][row, 1]
    unlabelled = np.isnan(session_over(catalog).training_data(name, SPACE).Y).all(axis=1)
    assert unlabelled.any()
    assert np.allclose(found["oob"][unlabelled], found["ensemble"][unlabelled], atol=1e-4)


@pytest.mark.parametrize("name", ["kind", "tags"])
@pytest.mark.parametrize("model", ["logistic", "kernel", "svm", "bagged_svm", "stacking"])
def test_another_model_stands_in_the_heads_place(catalog, name, model):
    summary = learn(catalog, name, components=8, model=model)
    record = record_of(catalog, summary)
    assert summary.trained
    assert summary.micro.f1.value > 0.9
    assert any("weights: " in note for note in summary.notes) == (model == "stacking")
    head = SavedHead.restore(*catalog.models.load(record))
    found = head.predict_proba(catalog.inputs)
    expected = catalog.models.predictions(record_of(catalog, summary))["ensemble"]
    assert np.allclose(found, expected, atol=1e-5)
    assert not learn(catalog, name, components=8, model=model).trained
    with pytest.raises(InvalidValue, match=r"expected model of kernel, .*stacking, .*got 'tree'"):
        learn(catalog, name, model="tree")
