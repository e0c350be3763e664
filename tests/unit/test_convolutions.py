"""Fully convolutional classifiers: arrays that predict as torch does, and what training needs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from vernis.core.learn.convolutional_head import ConvolutionalHead
from vernis.core.learn.heads import make_head, restore_head, save_head
from vernis.core.locate.convolutional_maps import fit_convolutional_maps
from vernis.core.numeric.components import Components
from vernis.core.numeric.convolution_training import (
    TrainingSchedule,
    train_convolutional_classifier,
)
from vernis.core.numeric.convolutions import Convolution, ConvolutionalClassifier
from vernis.core.numeric.losses import log_loss
from vernis.domain.errors import InvalidValue, UsageError

RNG = np.random.default_rng(0)
QUICK = TrainingSchedule(epochs=12, filters=8, hidden=1, batch=8)


def convolution(n_in: int, n_out: int) -> Convolution:
    parts = [
        RNG.normal(size=s).astype(np.float32) for s in (n_in, n_in, (n_out, n_in, 3, 3), n_out)
    ]
    return Convolution(*parts)


def planted(n: int = 24) -> tuple[list[np.ndarray], np.ndarray]:
    """Return maps of which each class has a channel that is high in one cell."""
    rng = np.random.default_rng(1)
    maps = [rng.normal(size=(5, 6, 4)).astype(np.float32) for _ in range(n)]
    for row, one in enumerate(maps):
        one[row % 5, row % 6, row % 2] += 8
    return maps, np.eye(2)[np.arange(n) % 2]


def test_a_convolution_is_what_a_plain_loop_gives():
    layer, maps = convolution(3, 2), RNG.normal(size=(2, 4, 5, 3)).astype(np.float32)
    found = layer.apply(maps)
    for picture, y, x, out in np.ndindex(found.shape):
        total = float(layer.bias[out])
        for row in (-1, 0, 1):
            for column in (-1, 0, 1):
                if 0 <= y + row < 4 and 0 <= x + column < 5:
                    seen = maps[picture, y + row, x + column] * layer.scale + layer.shift
                    total += float(seen @ layer.kernel[out, :, row + 1, column + 1])
        assert found[picture, y, x, out] == pytest.approx(total, abs=1e-4)


def test_a_classifier_comes_back_from_its_arrays(tmp_path):
    components = Components(np.zeros(4, np.float32), np.eye(4, 3, dtype=np.float32))
    made = ConvolutionalClassifier(components, (convolution(3, 5), convolution(5, 2)))
    np.savez(tmp_path / "x.npz", **made.to_arrays())
    with np.load(tmp_path / "x.npz", allow_pickle=False) as arrays:
        again = ConvolutionalClassifier.from_arrays(arrays)
    maps = RNG.normal(size=(2, 6, 7, 4))
    assert np.array_equal(again.class_maps(maps), made.class_maps(maps))
    assert np.allclose(made.scores(maps), made.class_maps(maps).mean(axis=(1, 2)))


def test_parts_that_do_not_fit_are_refused():
    components = Components(np.zeros(4, np.float32), np.eye(4, dtype=np.float32))
    with pytest.raises(InvalidValue, match="takes 3 channels and is given 4"):
        ConvolutionalClassifier(components, (convolution(3, 5),))
    made = ConvolutionalClassifier(components, (convolution(4, 5),))
    with pytest.raises(InvalidValue, match="maps of 4 channels"):
        made.scores(np.zeros((1, 3, 3, 2)))


def test_the_loss_of_constant_answers_is_the_entropy():
    Y = np.array([[1, 0], [0, 1], [0, 1], [0, np.nan]])
    scores = np.zeros(Y.shape)
    assert log_loss(scores, Y, "single") == pytest.approx(np.log(2))
    assert log_loss(scores, Y, "multi") == pytest.approx(np.log(2))


def test_the_head_is_told_apart_from_the_others():
    head = make_head("fcnn", "multi", n_components=3, parameters={"map_shape": (4, 5, 6)})
    assert isinstance(head, ConvolutionalHead)
    with pytest.raises(UsageError, match="'hidden'"):
        make_head("fcnn", "multi", n_components=3, parameters={"map_shape": (4, 5, 6), "hidden": 5})
    with pytest.raises(InvalidValue, match="rows of maps"):
        head.predict_proba(np.zeros((2, 7)))


@pytest.mark.torch
@pytest.mark.parametrize("kind", ["single", "multi"])
def test_training_learns_and_its_arrays_say_what_torch_says(kind, monkeypatch):
    pytest.importorskip("torch")
    from vernis.core.numeric import convolution_training as training

    networks = []
    make = training._network
    monkeypatch.setattr(
        training, "_network", lambda *args: networks.append(make(*args)) or networks[-1]
    )
    maps, Y = planted()
    trained = train_convolutional_classifier(maps, Y, kind, QUICK)
    assert trained.has_learned
    import torch

    read = training._read(maps[0], trained.classifier.components)
    with torch.no_grad():
        said = networks[0].eval()(torch.from_numpy(read[None])).numpy()[0]
    found = trained.classifier.class_maps(maps[0][None])[0].transpose(2, 0, 1)
    assert np.allclose(found, said, atol=1e-4)
    again = train_convolutional_classifier(maps, Y, kind, QUICK)
    assert np.allclose(
        again.classifier.scores(maps[0][None]), trained.classifier.scores(maps[0][None]), atol=1e-3
    )


@pytest.mark.torch
def test_turned_maps_and_missing_channels_are_drawn_by_the_seed():
    pytest.importorskip("torch")
    maps, Y = planted()
    how = replace(QUICK, flips=True, dropout=0.3)
    first, again = (train_convolutional_classifier(maps, Y, "single", how) for _ in range(2))
    plain = train_convolutional_classifier(maps, Y, "single", QUICK)
    said, other, without = (
        one.classifier.scores(np.stack(maps[:3])) for one in (first, again, plain)
    )
    assert np.allclose(said, other, atol=1e-3)
    assert not np.allclose(said, without, atol=1e-3)
    with pytest.raises(InvalidValue, match="dropout below 1"):
        TrainingSchedule(dropout=1.0)


@pytest.mark.torch
def test_unknown_labels_and_maps_of_several_sizes_take_part():
    pytest.importorskip("torch")
    maps, Y = planted()
    Y[0] = np.nan
    maps[3] = maps[3][:, :4]
    trained = train_convolutional_classifier(maps, Y, "multi", QUICK)
    assert np.isfinite(trained.loss)


@pytest.mark.torch
def test_class_maps_point_at_what_is_planted():
    pytest.importorskip("torch")
    maps, Y = planted()
    found = fit_convolutional_maps([[one] for one in maps], Y, QUICK)
    hits = 0
    for row, one in enumerate(maps):
        heat = found.score([one], [row % 2])[0]
        y, x = divmod(int(heat.argmax()), heat.shape[1])
        hits += abs(y - row % 5) <= 1 and abs(x - row % 6) <= 1
    assert hits >= 20


@pytest.mark.torch
def test_a_head_is_saved_without_pickle_and_predicts_the_same():
    pytest.importorskip("torch")
    maps, Y = planted()
    X = np.stack([one.transpose(2, 0, 1).ravel() for one in maps])
    head = make_head(
        "fcnn", "single", n_components=None, parameters={"map_shape": (4, 5, 6), "epochs": 9}
    )
    head.fit(X, Y.astype(np.float32), groups=np.arange(len(X)))
    arrays, settings = save_head(head)
    again = restore_head(arrays, settings)
    assert np.array_equal(again.predict_proba(X), head.predict_proba(X))
    assert head.oob_proba_.shape == Y.shape
    assert "constant answers" in head.notes_[0]
