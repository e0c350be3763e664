from __future__ import annotations

import numpy as np
import pytest

from vernis.core.learn.losses import activate, loss_gradient, prepare_targets
from vernis.core.learn.mlp import Network, Training, predict_members, train_network
from vernis.domain.errors import InvalidValue


def blobs(n=240, n_classes=3, d=6, seed=0, spread=0.4):
    rng = np.random.default_rng(seed)
    centers = rng.normal(size=(n_classes, d))
    codes = rng.integers(0, n_classes, n)
    X = centers[codes] + spread * rng.normal(size=(n, d))
    return X.astype(np.float32), codes, np.eye(n_classes, dtype=np.float32)[codes]


def mean_of(network, X):
    return np.concatenate([p.mean(axis=0) for _, p in predict_members(network, X)])


def train(X, Y, n_estimators=3, **options):
    options.setdefault("training", Training(min_updates=60))
    options.setdefault("hidden", (16,))
    return train_network(X, Y, np.ones((n_estimators, len(X)), bool), **options)


@pytest.mark.parametrize("loss", ["sigmoid", "softmax"])
def test_learns_separable_classes(loss):
    X, codes, Y = blobs()
    network = train(X, Y, loss=loss, training=Training(min_updates=200, learning_rate=5e-3))
    probabilities = mean_of(network, X)
    assert (probabilities.argmax(axis=1) == codes).mean() > 0.97
    assert (probabilities >= 0).all()
    assert (probabilities <= 1).all()
    if loss == "softmax":
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("loss", ["sigmoid", "softmax"])
def test_gradient_agrees_with_finite_differences(loss):
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(1, 4, 3))
    Y = np.eye(3, dtype=np.float32)[[0, 2, 1, 0]]
    weight = np.array([1, 2, 0, 0.5], np.float32)
    targets = prepare_targets(Y, loss, sample_weight=weight)
    rows = np.arange(4)[None]

    def value(z):
        p = activate(z.copy(), loss)
        if loss == "softmax":
            each = -(Y * np.log(p)).sum(axis=-1)
        else:
            each = -(Y * np.log(p) + (1 - Y) * np.log(1 - p)).sum(axis=-1)
        return float((each * weight).sum())

    gradient = loss_gradient(activate(logits.copy(), loss), targets, rows, loss)
    for place in np.ndindex(logits.shape):
        step = np.zeros_like(logits)
        step[place] = 1e-5
        slope = (value(logits + step) - value(logits - step)) / 2e-5
        assert gradient[place] == pytest.approx(slope, abs=1e-5)


def test_unknown_labels_have_no_gradient():
    Y = np.array([[1, np.nan, 0], [np.nan, np.nan, np.nan]], np.float32)
    p = np.full((1, 2, 3), 0.3)
    delta = loss_gradient(p.copy(), prepare_targets(Y, "sigmoid"), np.arange(2)[None], "sigmoid")
    np.testing.assert_allclose(delta[0], [[-0.7, 0, 0.3], [0, 0, 0]], atol=1e-6)


def test_softmax_gradient_of_partly_known_rows_is_that_of_the_marginal_likelihood():
    rng = np.random.default_rng(2)
    logits = rng.normal(size=(1, 2, 4))
    Y = np.array([[0, np.nan, np.nan, 0], [np.nan] * 4], np.float32)

    def value(z):
        p = activate(z.copy(), "softmax")
        return float(-np.log(p[0, 0, 1:3].sum()))  # the second row says nothing

    delta = loss_gradient(
        activate(logits.copy(), "softmax"),
        prepare_targets(Y, "softmax"),
        np.arange(2)[None],
        "softmax",
    )
    for place in np.ndindex(logits.shape):
        step = np.zeros_like(logits)
        step[place] = 1e-5
        slope = (value(logits + step) - value(logits - step)) / 2e-5
        assert delta[place] == pytest.approx(slope, abs=1e-5)


def test_masked_rows_change_nothing():
    X, _, Y = blobs(120)
    more = np.concatenate([X, X + 5]), np.concatenate([Y, np.full_like(Y, np.nan)])
    counts = np.ones((2, 240), bool)
    counts[:, 120:] = False
    alone = train_network(X, Y, counts[:, :120], hidden=(8,))
    beside = train_network(*more, counts, hidden=(8,))
    for a, b in zip(alone.weights, beside.weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_class_known_on_few_images_is_learned_from_those_alone():
    X, codes, Y = blobs(300, seed=3)
    hidden = Y.copy()
    hidden[80:, 2] = np.nan  # the third class is known on 80 images, the rest unknown, not "no"
    network = train(X, hidden, training=Training(min_updates=300, learning_rate=5e-3))
    found = mean_of(network, X)[80:, 2] > 0.5
    assert (found == (codes[80:] == 2)).mean() > 0.95


def test_same_seed_same_network_and_other_seed_another():
    X, _, Y = blobs()
    first, again, other = train(X, Y), train(X, Y), train(X, Y, seed=1)
    np.testing.assert_array_equal(first.weights[0], again.weights[0])
    assert not np.array_equal(first.weights[0], other.weights[0])


def test_fewer_estimators_are_the_first_of_more():
    X, _, Y = blobs()
    few, many = train(X, Y, n_estimators=2), train(X, Y, n_estimators=4)
    np.testing.assert_allclose(few.weights[0], many.weights[0][:2], atol=1e-6)


def test_the_number_of_threads_changes_no_bit(monkeypatch):
    X, _, Y = blobs()
    networks = []
    for n_threads in (1, 2, 5):
        monkeypatch.setattr("vernis.core.learn.mlp.count_threads", lambda most, n=n_threads: n)
        networks.append(train(X, Y, n_estimators=5))
    for network in networks[1:]:
        for a, b in zip(networks[0].weights, network.weights, strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(mean_of(networks[0], X), mean_of(network, X))


def test_a_failing_callback_ends_all_threads(monkeypatch):
    monkeypatch.setattr("vernis.core.learn.mlp.count_threads", lambda most: 2)
    X, _, Y = blobs()

    def fail(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(X, Y, training=Training(epochs=100_000), on_update=fail)


def test_a_prediction_does_not_depend_on_the_rows_beside_it():
    X, _, Y = blobs(700)
    network = train(X, Y)
    whole = mean_of(network, X)
    np.testing.assert_array_equal(whole[300:301], mean_of(network, X[300:301]))
    np.testing.assert_array_equal(whole[123:], mean_of(network, X[123:]))


def test_sample_weights_and_class_weights_shift_the_prediction():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2)).astype(np.float32)
    Y = (rng.random((400, 1)) < 0.3).astype(np.float32)  # no signal: only the prior is learned
    options = {"training": Training(min_updates=300, learning_rate=5e-3)}
    plain = mean_of(train(X, Y, **options), X).mean()
    heavy = mean_of(train(X, Y, class_weight=[5.0], **options), X).mean()
    weighted = mean_of(train(X, Y, sample_weight=1 + 4 * Y[:, 0], **options), X).mean()
    per_label = mean_of(train(X, Y, sample_weight=1 + 4 * Y, **options), X).mean()
    assert plain == pytest.approx(0.3, abs=0.06)
    assert heavy == pytest.approx(1.5 / 2.2, abs=0.08)  # odds times 5
    assert weighted == pytest.approx(heavy, abs=0.02)
    assert per_label == pytest.approx(heavy, abs=0.02)


def test_soft_targets_are_reproduced():
    X = np.random.default_rng(0).normal(size=(300, 2)).astype(np.float32)
    Y = np.tile(np.array([[0.7, 0.2, 0.1]], np.float32), (300, 1))
    network = train(X, Y, loss="softmax", training=Training(min_updates=300, learning_rate=5e-3))
    np.testing.assert_allclose(mean_of(network, X).mean(axis=0), [0.7, 0.2, 0.1], atol=0.02)


def test_multiplicities_are_repetitions():
    X, _, Y = blobs(50)
    counts = np.ones((1, 50), int)
    counts[0, :10] = 3
    seen = []
    train_network(
        X, Y, counts, hidden=(4,), training=Training(epochs=1, batch_size=7),
        on_update=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    assert seen == [(i + 1, 10) for i in range(10)]  # 70 rows in batches of 7


def test_refuses_what_does_not_fit():
    X, _, Y = blobs(20)
    with pytest.raises(InvalidValue, match="one length"):
        train_network(X, Y[:-1], np.ones((2, 20)))
    with pytest.raises(InvalidValue, match="20 columns"):
        train_network(X, Y, np.ones((2, 19)))
    with pytest.raises(InvalidValue, match="every estimator"):
        train_network(X, Y, np.zeros((2, 20)))
    with pytest.raises(InvalidValue, match="batch_size"):
        Training(batch_size=0)
    network = train(X, Y)
    with pytest.raises(InvalidValue, match="n_images, 6"):
        list(predict_members(network, X[:, :3]))
    with pytest.raises(InvalidValue, match="bias of shape"):
        Network(network.weights, tuple(b[:, :1] for b in network.biases), "sigmoid")
