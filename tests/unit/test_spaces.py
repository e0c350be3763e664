"""Comparing embedding spaces: the measures against oracles, and what is recommended."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.core.explore.spaces import (
    components_for,
    explained_variance,
    mean_and_error,
    neighbour_precision,
    recommend_space,
)
from vernis.domain.errors import UsageError
from vernis.domain.types import Space
from vernis.session.session import Session
from vernis.verbs.networks.space_names import refuse_taken_name


@pytest.mark.parametrize("shape", [(60, 8), (12, 30)])
def test_explained_variance_is_that_of_scikit_learn(shape: tuple[int, int]) -> None:
    X = np.random.default_rng(0).normal(size=shape) * np.geomspace(9, 0.1, shape[1])
    expected = np.cumsum(PCA().fit(X).explained_variance_ratio_)
    curve = explained_variance(X.astype(np.float32))
    np.testing.assert_allclose(curve, expected[: len(curve)], atol=1e-5)
    assert curve[-1] == pytest.approx(1)
    assert components_for(curve, 0.9) == int((expected < 0.9).sum()) + 1


def test_vectors_that_do_not_vary_are_explained_by_one_component() -> None:
    curve = explained_variance(np.ones((5, 3)))
    assert curve.tolist() == [1, 1, 1]
    assert components_for(curve, 0.99) == 1


def brute_precision(X: np.ndarray, Y: np.ndarray, k: int) -> list[float]:
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    found = []
    for i in range(len(X)):
        near = sorted((j for j in range(len(X)) if j != i), key=lambda j: -(unit[i] @ unit[j]))[:k]
        shares = [len({*Y[i].nonzero()[0]} & {*Y[j].nonzero()[0]}) / Y[j].sum() for j in near]
        found.append(float(np.mean(shares)))
    return found


@pytest.mark.parametrize("several", [False, True])
def test_neighbour_precision_is_that_of_a_plain_loop(several: bool) -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(40, 6))
    Y = np.eye(4)[rng.integers(0, 4, 40)]
    if several:
        Y = np.maximum(Y, rng.integers(0, 2, Y.shape))
    found = neighbour_precision(X, Y, [1, 5])
    np.testing.assert_allclose(found[:, 0], brute_precision(X, Y, 1), atol=1e-6)
    np.testing.assert_allclose(found[:, 1], brute_precision(X, Y, 5), atol=1e-6)


def test_mean_and_error_of_one_value() -> None:
    assert mean_and_error(np.array([0.5])) == (0.5, 0.0)


def test_of_equals_the_cheapest_is_recommended() -> None:
    rng = np.random.default_rng(2)
    good = rng.random(400)
    equal = good + rng.normal(0, 0.1, 400) - 0.001
    poor = good - 0.3 + rng.normal(0, 0.1, 400)
    advice = recommend_space([good, equal, poor], [10.0, 4.0, 1.0], [1280, 320, 16])
    assert (advice.best, advice.chosen) in {(0, 1), (1, 1)}
    assert advice.equals == (0, 1)
    assert recommend_space([good, equal], [4.1, 4.0], [192, 320]).chosen == 0  # costs are alike
    assert recommend_space([good, poor], [10.0, 1.0], [1280, 16]).chosen == 0
    assert recommend_space([good, equal], [float("nan"), 9.0], [8, 320]).chosen == 1
    assert recommend_space([good, equal], [float("nan")] * 2, [8, 320]).chosen == 0


INPUT = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "scale": 1 / 255, "channels": "RGB"}
RECIPE = {
    "layers": [["pooled", 4]],
    "pooling": "avg",
    "side": 224,
    "fit": "soft",
    "sha256": "ab" * 32,
    "input": INPUT,
}


@pytest.mark.parametrize(
    ("change", "known", "asked"),
    [
        ({"pooling": "max"}, "pooled (avg, model abababab)", "pooled (max, model abababab)"),
        ({"sha256": "cd" * 32}, "model abababab", "model cdcdcdcd"),
        ({"side": 128}, "side 224", "side 128"),
        ({"fit": "crop"}, "fit soft", "fit crop"),
        ({"runtime": "openvino"}, "runtime onnxruntime", "runtime openvino"),
        ({"input": INPUT | {"channels": "BGR"}}, "channels RGB", "channels BGR"),
        ({"input": INPUT | {"mean": [0.0, 0.25, 0.5]}}, "mean 0.5 0.5 0.5", "mean 0.0 0.25 0.5"),
        ({"input": INPUT | {"scale": 1.0}}, "scale 0.0039", "scale 1.0"),
    ],
)
def test_a_taken_name_is_refused_with_what_differs(tmp_path, change, known, asked) -> None:
    with SqliteCatalog.create(tmp_path / "x.vernis") as catalog:
        held = Space("mine", 4, "float16", RECIPE)
        catalog.vectors.append(held, ["0" * 64], np.zeros((1, 4), np.float16))
        refuse_taken_name(Session(catalog), held)
        with pytest.raises(UsageError) as refused:
            refuse_taken_name(Session(catalog), Space("mine", 4, "float16", RECIPE | change))
    before, _, after = str(refused.value).partition(", not of ")
    assert known in before
    assert asked in after
    differing = [part for part in ("side", "fit", "runtime", "channels", "mean") if part in before]
    assert len(differing) <= 1
