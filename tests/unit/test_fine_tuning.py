"""``learn --fine-tune``, through the collection: a network of its own that needs no torch later."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw

import vernis
from vernis.adapters.training import choice
from vernis.adapters.training.classifier_training import ClassifierTraining
from vernis.domain.errors import MissingExtra, NothingToLearn, UsageError
from vernis.domain.types import Statement, Taxonomy

CLASSES = ("disc", "square")
N_LABELLED, N_OTHERS, SIDE = 20, 2, 96


def draw(number: int) -> Image.Image:
    """Return a disc (even) or a square (odd) of any colour before noise."""
    rng = np.random.default_rng(number)
    image = Image.fromarray(rng.integers(90, 170, (SIDE, SIDE, 3), dtype=np.uint8))
    x, y = rng.integers(5, 35, 2).tolist()
    pen, box = ImageDraw.Draw(image), [x, y, x + 50, y + 50]
    color = tuple(rng.integers(0, 255, 3).tolist())
    (pen.rectangle if number % 2 else pen.ellipse)(box, fill=color)
    return image


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    home = tmp_path_factory.mktemp("tuned")
    folder = home / "pictures"
    folder.mkdir()
    for number in range(N_LABELLED + N_OTHERS):
        draw(number).save(folder / f"{number:02}.png")
    with vernis.Collection.create(home / "x.vernis") as made:
        made.index(folder)
        made.embed()
        give(made, "shape", "single", N_LABELLED)
        give(made, "shapes", "multi", N_LABELLED)
        give(made, "few", "single", 8)
        yield made


@pytest.fixture
def quick(monkeypatch):
    """One drawn view a picture, one epoch."""
    pytest.importorskip("torch")
    training = ClassifierTraining(views=1, epochs=1)
    monkeypatch.setattr(choice, "classifier_trainer", lambda _: training)


def give(made, name, kind, n):
    made.catalog.labels.define(Taxonomy(name, kind, CLASSES))
    ids = [made.catalog.images.find(f"{number:02}.png").id for number in range(n)]
    said = [Statement(one, CLASSES[number % 2], "yes") for number, one in enumerate(ids)]
    made.catalog.labels.record(name, said, source="given", verb="import")


@pytest.mark.torch
@pytest.mark.usefixtures("quick")
def test_it_is_measured_out_of_fold_saved_and_predicts_without_torch(made, monkeypatch):
    result = made.learn("shape", fine_tune=True)
    again = made.learn("shape", fine_tune=True)
    assert (result.head, result.labelled, result.trained) == ("fine_tuned", N_LABELLED, True)
    assert (again.model, again.trained) == (result.model, False)
    assert result.measured == again.measured == "out-of-fold"
    assert any("trained on 20 pictures" in note for note in result.notes)
    record = made.catalog.models.latest("shape")
    stored = made.catalog.models.predictions(record)
    labelled = stored["ensemble"][:N_LABELLED], stored["oob"][:N_LABELLED]
    assert not np.array_equal(*labelled)  # folds have not seen what they judge
    assert np.array_equal(stored["ensemble"][N_LABELLED:], stored["oob"][N_LABELLED:])
    assert result.micro.f1.value == pytest.approx(right(labelled[1]))
    assert [space.name for space in made.session.spaces()] == [made.session.space().name]
    monkeypatch.setitem(sys.modules, "torch", None)
    files = [made.session.root() / f"{number:02}.png" for number in range(N_LABELLED)]
    told = made.predict("shape", files)
    assert not told.reason.any()
    said = labelled[0].argmax(axis=1)
    assert told.label.tolist() == [CLASSES[column] for column in said]
    np.testing.assert_allclose(told.probability, labelled[0].max(axis=1), atol=1e-5)
    alone = made.predict(str(made.catalog.folder / record.folder), files[:1])
    assert alone.label.tolist() == told.label.tolist()[:1]
    made.fill("shape")  # by vectors that no label went into


def right(probabilities):
    return (probabilities.argmax(axis=1) == np.arange(len(probabilities)) % 2).mean()


@pytest.mark.torch
@pytest.mark.usefixtures("quick")
def test_several_labels_get_thresholds(made):
    result = made.learn("shapes", fine_tune=True)
    assert [row.n for row in result.classes] == [10, 10]
    assert all(row.threshold is not None for row in result.classes)


@pytest.mark.torch
def test_the_network_learns_what_its_maps_show():
    pytest.importorskip("torch")
    training = ClassifierTraining(views=1, epochs=8, batch=8)
    look = training.open_maps(0)
    maps = [look(np.asarray(draw(number))) for number in range(8)]
    assert maps[0].shape == (2, 112, 14, 14)
    Y = np.eye(2, dtype=np.float32)[np.arange(8) % 2]
    assert right(training.train(maps, Y, "single", seed=0).scores(maps)) > 0.9
    short = training.with_epochs(1)
    first, again = (short.train(maps, Y, "multi", seed=0) for _ in range(2))
    assert first.graph == again.graph


@pytest.mark.torch
def test_a_stopped_training_leaves_nothing_behind(made, monkeypatch):
    pytest.importorskip("torch")
    before = len(made.models().rows)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ClassifierTraining, "_loss", stop)
    with pytest.raises(KeyboardInterrupt):
        made.learn("shape", fine_tune=True, epochs=1, seed=3)
    assert len(made.models().rows) == before
    with made.session.lock("another"):
        pass  # nothing holds the collection any longer


@pytest.mark.torch
def test_too_few_pictures_are_refused_before_any_is_read(made):
    pytest.importorskip("torch")
    with pytest.raises(NothingToLearn, match="8 labelled images; --fine-tune needs 20"):
        made.learn("few", fine_tune=True)


def test_without_torch_one_line_says_what_to_install(made, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtra, match=r"vernis\[torch\]"):
        made.learn("shape", fine_tune=True, seed=4)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"model": "svm"}, "leave --model out"),
        ({"components": 10}, "leave --components out"),
        ({"estimators": 3}, "leave --estimators out"),
        ({"maps": "efficientnet_lite0:stage5"}, "leave --maps out"),
    ],
)
def test_what_belongs_to_other_models_is_refused(made, more, said):
    with pytest.raises(UsageError, match=said):
        made.learn("shape", fine_tune=True, **more)
