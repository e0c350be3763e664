from __future__ import annotations

import numpy as np
import pytest

from vernis.core.learn.baselines.interface import log_loss
from vernis.core.learn.baselines.mlknn import MLKNN
from vernis.core.learn.baselines.registry import (
    MODELS,
    STORED,
    from_arrays,
    held_out_predictions,
    make_model,
    to_arrays,
)
from vernis.core.learn.baselines.stacking import fit_pool
from vernis.domain.errors import MissingExtra, NotFound, UsageError


def clouds(kind, n=140, seed=0, n_classes=3):
    rng = np.random.default_rng(seed)
    centres = 2.2 * np.eye(n_classes, 6)
    if kind == "single":
        codes = rng.integers(n_classes, size=n)
        Y = np.eye(n_classes, dtype=np.float32)[codes]
    else:
        Y = (rng.random((n, n_classes)) < 0.4).astype(np.float32)
    X = (Y @ centres + 0.5 * rng.normal(size=(n, 6))).astype(np.float32)
    return X, Y


def made(name, kind):
    try:
        return make_model(name, kind)
    except MissingExtra:
        pytest.skip("xgboost is not installed")


CASES = [
    pytest.param(name, marks=pytest.mark.lab) if name == "xgboost" else name for name in MODELS
]


@pytest.mark.parametrize("kind", ["single", "multi"])
@pytest.mark.parametrize("name", CASES)
def test_every_model_learns_and_masks_the_unknown(name, kind):
    X, Y = clouds(kind)
    holes = Y.copy()
    holes[:10] = np.nan
    if kind == "multi":
        holes[10:20, 0] = np.nan
    model = made(name, kind).fit(X[:100], holes[:100], np.arange(100))
    probabilities = model.predict_proba(X[100:])
    assert probabilities.shape == (40, 3)
    assert probabilities.dtype == np.float32
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    if kind == "single":
        assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-4)
        assert (probabilities.argmax(axis=1) == Y[100:].argmax(axis=1)).mean() > 0.85
    else:
        assert ((probabilities > 0.5) == (Y[100:] > 0.5)).mean() > 0.85


@pytest.mark.parametrize("kind", ["single", "multi"])
@pytest.mark.parametrize("name", [c for c in CASES if c != "bagged_mlp"])
def test_a_class_that_training_lacks_does_no_harm(name, kind):
    X, Y = clouds(kind)
    keep = Y[:, 2] == 0
    model = made(name, kind).fit(X[keep], Y[keep])
    probabilities = model.predict_proba(X)
    assert np.isfinite(probabilities).all()
    assert probabilities[keep, 2].mean() < 0.2


@pytest.mark.parametrize("kind", ["single", "multi"])
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.lab) if n == "xgboost" else n for n in STORED]
)
def test_stored_as_arrays_and_back(name, kind):
    X, Y = clouds(kind)
    model = made(name, kind).fit(X, Y)
    arrays = to_arrays(name, model)
    assert not any(array.dtype.hasobject for array in arrays.values())
    again = from_arrays(name, kind, arrays)
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))


def test_what_cannot_be_stored_or_found_says_so():
    X, Y = clouds("single")
    with pytest.raises(UsageError, match="without pickle"):
        to_arrays("svm", make_model("svm", "single").fit(X, Y))
    with pytest.raises(NotFound, match="there are: bagged_mlp"):
        make_model("tree", "single")


def test_forest_agrees_with_scikit_learn():
    from sklearn.ensemble import RandomForestClassifier

    for kind in ("single", "multi"):
        X, Y = clouds(kind)
        target = Y.argmax(axis=1) if kind == "single" else Y
        peer = RandomForestClassifier(200, random_state=0).fit(X, target)
        expected = peer.predict_proba(X)
        if kind == "multi":
            expected = np.stack([column[:, 1] for column in expected], axis=1)
        found = make_model("forest", kind).fit(X, Y).predict_proba(X)
        assert np.allclose(found, expected, atol=1e-6)


def mlknn_by_hand(X, y, x_new, k, s):
    """Follow the paper's equations for one label, with loops."""
    n = len(X)
    prior = (s + sum(y)) / (2 * s + n)
    with_label, without = [0] * (k + 1), [0] * (k + 1)
    for i in range(n):
        others = sorted((sum((X[i] - X[j]) ** 2), j) for j in range(n) if j != i)[:k]
        count = int(sum(y[j] for _, j in others))
        (with_label if y[i] else without)[count] += 1
    near = sorted((sum((x_new - X[j]) ** 2), j) for j in range(n))[:k]
    c = int(sum(y[j] for _, j in near))
    yes = prior * (s + with_label[c]) / (s * (k + 1) + sum(with_label))
    no = (1 - prior) * (s + without[c]) / (s * (k + 1) + sum(without))
    return yes / (yes + no)


@pytest.mark.parametrize(("k", "s"), [(3, 1.0), (5, 0.5)])
def test_mlknn_follows_its_formula(k, s):
    X, Y = clouds("multi", n=40)
    model = MLKNN("multi", k=k, smoothing=s).fit(X, Y)
    new = X[:6] + 0.3
    expected = [[mlknn_by_hand(X, Y[:, c], x, k, s) for c in range(3)] for x in new]
    assert model.predict_proba(new) == pytest.approx(np.asarray(expected), abs=1e-6)


def test_mlknn_on_numbers_small_enough_for_paper():
    # Four images on a line, k = 1, s = 1; the label is carried by the two on the left.
    X = np.array([[0.0], [1.0], [10.0], [11.0]], np.float32)
    Y = np.array([[1.0], [1.0], [0.0], [0.0]], np.float32)
    # prior 3/6; each carrier's neighbour carries it: P(1|H1) = 3/4, P(1|H0) = 1/4
    model = MLKNN("multi", k=1).fit(X, Y)
    assert model.predict_proba(np.array([[0.4], [10.6]], np.float32))[:, 0].tolist() == [0.75, 0.25]


def test_mlknn_does_not_ask_duplicates():
    X = np.array([[0.0], [0.0], [5.0], [6.0]], np.float32)
    Y = np.array([[1.0], [1.0], [0.0], [0.0]], np.float32)
    alone = MLKNN("multi", k=1).fit(X, Y, np.array([0, 0, 1, 2]))
    # without one another, both carriers have a neighbour that does not carry the label
    assert alone.likelihood_[0][:, 0].tolist() == [0.75, 0.25]


@pytest.mark.parametrize("name", ["logistic", "bagged_svm", "kernel"])
def test_held_out_predictions_know_less_than_fitted_ones(name):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 40)).astype(np.float32)
    Y = np.eye(2, dtype=np.float32)[rng.integers(2, size=90)]  # nothing to learn
    model = make_model(name, "single").fit(X, Y, np.arange(90))
    held = held_out_predictions(name, "single", X, Y, np.arange(90), fitted=model)
    assert abs((held.argmax(axis=1) == Y.argmax(axis=1)).mean() - 0.5) < 0.2


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_the_pool_prefers_the_better_model(kind):
    X, Y = clouds(kind, n=300)
    good = make_model("logistic", kind).fit(X[:150], Y[:150]).predict_proba(X)
    noise = np.random.default_rng(1).random(Y.shape).astype(np.float32)
    bad = noise / noise.sum(axis=1, keepdims=True) if kind == "single" else noise
    pool = fit_pool([bad, good], Y, kind)
    assert pool.weights[1] > 5 * pool.weights[0]
    pooled = pool.combine([bad, good])
    safe = [np.clip(p, 1e-6, 1 - 1e-6) for p in (pooled, good)]
    loss = [log_loss(np.log(p) if kind == "single" else np.log(p / (1 - p)), Y, kind) for p in safe]
    assert loss[0] <= loss[1] + 1e-3
