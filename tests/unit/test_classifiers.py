from __future__ import annotations

import numpy as np
import pytest

from vernis.core.learn.models.gaussian_svm import fit_gaussian_svm
from vernis.core.learn.models.mlknn import MLKNN
from vernis.core.learn.models.registry import (
    MODELS,
    PARAMETERS,
    check_parameters,
    held_out_predictions,
    make_model,
    parameters_of,
    predict_out_of_sample,
)
from vernis.core.learn.models.stacked import Stacked
from vernis.core.learn.models.stacking import fit_pool
from vernis.core.numeric.losses import log_loss
from vernis.domain.errors import InvalidValue, MissingExtra, NotFound, UsageError


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


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("kind", ["single", "multi"])
@pytest.mark.parametrize("name", CASES)
def test_stored_as_arrays_and_back(name, kind, n_classes):
    X, Y = clouds(kind, n_classes=n_classes)
    model = made(name, kind).fit(X, Y, np.arange(len(X)))
    arrays = model.to_arrays()
    assert not any(array.dtype.hasobject for array in arrays.values())
    again = made(name, kind).restore(arrays)
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))


def test_what_there_is_not_is_said_with_what_there_is():
    with pytest.raises(NotFound, match="there are: bagged_mlp"):
        make_model("tree", "single")


@pytest.mark.parametrize("n_classes", [2, 3, 6])
def test_machines_of_pairs_score_as_scikit_learn(n_classes):
    from sklearn.svm import SVC

    X, Y = clouds("single", n_classes=n_classes)
    codes = Y.argmax(axis=1)
    wider = np.concatenate([Y, np.zeros((len(Y), 1), np.float32)], axis=1)
    found = fit_gaussian_svm(X, wider, 2.0, kind="single")(X)
    expected = SVC(C=2.0).fit(X, codes).decision_function(X)
    if n_classes == 2:
        expected = np.stack([-expected, expected], axis=1)
    assert np.allclose(found[:, :n_classes], expected, atol=1e-9)
    assert (found[:, n_classes] < found[:, :n_classes].min(axis=1)).all()


def test_machines_of_classes_score_as_scikit_learn():
    from sklearn.svm import SVC

    X, Y = clouds("multi")
    Y[:30, 0] = np.nan
    Y[:, 2] = 1
    found = fit_gaussian_svm(X, Y, 1.0, kind="multi")(X)
    for column in range(2):
        known = ~np.isnan(Y[:, column])
        peer = SVC().fit(X[known], Y[known, column] > 0.5)
        assert np.allclose(found[:, column], peer.decision_function(X), atol=1e-9)
    assert (found[:, 2] > 4).all()  # a class that every image has


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_the_stacked_model_is_the_pool_of_its_members(kind):
    X, Y = clouds(kind)
    holes = Y.copy()
    holes[:10] = np.nan
    groups = np.arange(len(X))
    names = ("logistic", "bagged_svm", "mlknn")
    model = Stacked(kind, members=names).fit(X, holes, groups)
    single = [make_model(name, kind).fit(X, holes, groups) for name in names]
    held = [
        predict_out_of_sample(name, one, kind, X, holes, groups, n_folds=3, seed=0)
        for name, one in zip(names, single, strict=True)
    ]
    pool = fit_pool(held, holes, kind)
    assert np.allclose(model.oob_proba_, pool.combine(held))
    expected = pool.combine([one.predict_proba(X) for one in single])
    assert np.allclose(model.predict_proba(X), expected, atol=1e-5)
    arrays = model.to_arrays()
    assert not any(array.dtype.hasobject for array in arrays.values())
    again = Stacked(kind).restore(arrays)
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))


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


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_machines_that_lack_a_part_name_it(kind):
    X, Y = clouds(kind)
    arrays = make_model("svm", kind).fit(X, Y).to_arrays()
    del arrays["gamma"]
    with pytest.raises(KeyError, match="gamma"):
        make_model("svm", kind).restore(arrays)


THESIS = {"hidden": 24, "sample_share": 0.9, "batch_size": 16}


def test_networks_take_neurons_samples_and_batches_from_outside():
    X, Y = clouds("single")
    bagged = make_model("bagged_mlp", "single", parameters=THESIS).fit(X, Y).model
    assert [w.shape[1:] for w in bagged.network_.weights] == [(6, 24), (24, 3)]
    # of five estimators each image is held out from half of one on average
    assert bagged.in_bag_.mean() == pytest.approx(0.9, abs=0.01)
    deep = make_model("mlp", "single", parameters={"hidden": [16, 8], "batch_size": 32}).fit(X, Y)
    assert [w.shape for w in deep.layers_] == [(6, 16), (16, 8), (8, 3)]
    svm = make_model("bagged_svm", "multi", parameters={"sample_share": 0.5}).fit(X, Y)
    assert np.isfinite(svm.oob_proba_).all()


def test_the_size_of_batches_changes_what_a_network_learns():
    X, Y = clouds("multi")
    small, large = (
        make_model("mlp", "multi", parameters={"batch_size": size}).fit(X, Y).predict_proba(X)
        for size in (8, 128)
    )
    assert not np.allclose(small, large, atol=1e-3)


def test_a_stack_hands_parameters_to_the_members_that_have_them():
    X, Y = clouds("single")
    model = Stacked("single", members=("logistic", "bagged_mlp"), parameters=THESIS).fit(X, Y)
    networks = model.models_.get("bagged_mlp")
    if networks is not None:  # it may have got no weight
        assert networks.model.hidden == 24
    assert parameters_of("logistic", THESIS) == {}
    assert parameters_of("mlp", THESIS) == {"hidden": 24, "batch_size": 16}
    with pytest.raises(UsageError, match="none of logistic, svm takes 'hidden'"):
        Stacked("single", members=("logistic", "svm"), parameters={"hidden": 8})


def test_out_of_sample_predictions_come_from_models_of_the_same_parameters():
    X, Y = clouds("single")
    own = {"hidden": 2, "epochs": 1}
    model = make_model("mlp", "single", 0, own).fit(X, Y)
    found = [
        predict_out_of_sample(
            "mlp", model, "single", X, Y, None, n_folds=3, seed=0, parameters=parameters
        )
        for parameters in (own, None)
    ]
    assert not np.allclose(*found, atol=1e-2)


@pytest.mark.parametrize(
    ("name", "parameters", "error", "message"),
    [
        ("mlp", {"hidden": 0}, InvalidValue, "hidden layers of 1 neuron or more"),
        ("mlp", {"hidden": (64, -1)}, InvalidValue, "hidden layers of 1 neuron or more"),
        ("bagged_mlp", {"hidden": 2.5}, InvalidValue, "hidden layers of 1 neuron or more"),
        ("bagged_mlp", {"sample_share": 1.0}, InvalidValue, "sample_share between 0 and 1"),
        ("bagged_svm", {"sample_share": 0}, InvalidValue, "sample_share between 0 and 1"),
        ("mlp", {"batch_size": 0}, InvalidValue, "batch_size of 1 or more"),
        ("mlp", {"sample_share": 0.5}, UsageError, "bagged_mlp, bagged_svm do"),
        ("forest", {"hidden": 5}, UsageError, "'forest' does not take 'hidden'; bagged_mlp, mlp"),
        ("kernel", {"depth": 5}, UsageError, "'kernel' does not take 'depth'"),
    ],
)
def test_parameters_out_of_range_or_of_another_model_are_refused(name, parameters, error, message):
    with pytest.raises(error, match=message):
        make_model(name, "single", parameters=parameters)


def test_a_study_may_set_what_one_of_its_models_has():
    check_parameters(("kernel", "mlp"), {"hidden": 8})
    check_parameters(("stacking",), {"sample_share": 0.9})
    assert set(PARAMETERS) <= set(MODELS)
