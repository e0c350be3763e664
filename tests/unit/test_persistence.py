from __future__ import annotations

import io
import json

import numpy as np
import pytest

from vernis.core.learn.bagged_mlp import BaggedMLP
from vernis.core.learn.persistence import from_arrays, to_arrays
from vernis.domain.errors import ModelError


def through_files(arrays, settings):
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    stream.seek(0)
    with np.load(stream, allow_pickle=False) as archive:
        return {k: archive[k] for k in archive.files}, json.loads(json.dumps(settings))


def fitted(y, **options):
    X = np.random.default_rng(0).normal(size=(len(y), 7)).astype(np.float32)
    return X, BaggedMLP(hidden=(8,), min_updates=10, n_components=4, **options).fit(X, y)


@pytest.mark.parametrize(
    ("labels", "options"),
    [
        (np.arange(60) % 3, {}),
        (np.array(["ä", "b"])[np.arange(60) % 2], {"class_weight": {"ä": 2.0}}),
        (np.array(["x", "y"], object)[np.arange(60) % 2], {"scaling": "columns"}),
        (np.eye(3)[np.arange(60) % 3], {"class_weight": np.array([1.0, 2.0, 1.0])}),
        (np.eye(3, dtype=int)[np.arange(60) % 3], {"loss": "softmax"}),
    ],
)
def test_a_restored_head_predicts_the_same_bits(labels, options):
    X, model = fitted(labels, **options)
    restored = from_arrays(*through_files(*to_arrays(model)))
    np.testing.assert_array_equal(restored.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(restored.predict(X), model.predict(X))
    assert restored.predict(X).dtype == model.predict(X).dtype
    assert restored.get_params().keys() == model.get_params().keys()
    assert restored.hidden == (8,)


def test_damage_and_newer_formats_are_refused():
    _, model = fitted(np.arange(60) % 3)
    arrays, settings = to_arrays(model)
    with pytest.raises(ModelError, match="format 99"):
        from_arrays(arrays, {**settings, "format": 99})
    with pytest.raises(ModelError, match="damaged"):
        from_arrays({k: v for k, v in arrays.items() if k != "bias_0"}, settings)
    with pytest.raises(ModelError, match="damaged"):
        from_arrays({**arrays, "projection_matrix": arrays["projection_matrix"][:, :2]}, settings)
    with pytest.raises(ModelError, match="damaged"):
        from_arrays({**arrays, "classes": np.arange(5)}, settings)
    with pytest.raises(ModelError, match="damaged"):
        from_arrays(arrays, {**settings, "parameters": {"depth": 3}})


def test_a_head_saved_before_a_parameter_was_renamed_still_opens():
    X, model = fitted(np.arange(60) % 3, sample_share=0.6)
    arrays, settings = through_files(*to_arrays(model))
    settings["parameters"]["sample_fraction"] = settings["parameters"].pop("sample_share")
    restored = from_arrays(arrays, settings)
    assert restored.sample_share == 0.6
    np.testing.assert_array_equal(restored.predict_proba(X), model.predict_proba(X))


def test_one_number_is_one_hidden_layer():
    X = np.random.default_rng(0).normal(size=(60, 7)).astype(np.float32)
    y = np.arange(60) % 3
    one, tuple_ = (BaggedMLP(hidden=h, min_updates=10, n_components=4).fit(X, y) for h in (8, (8,)))
    np.testing.assert_array_equal(one.predict_proba(X), tuple_.predict_proba(X))
    assert from_arrays(*through_files(*to_arrays(one))).hidden == 8
