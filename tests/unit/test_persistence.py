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
