"""An image's other labels speak for each of its labels, and only where that clearly helps."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from vernis.core.labels import dependence, predictions
from vernis.core.labels.dependence import _predict_from_others, listen_to_others
from vernis.core.labels.entry_noise import model_entries, probability_of_multiple
from vernis.core.labels.predictions import MOST_OF_NEIGHBORS, _weight_of, predict_labels
from vernis.core.numeric.kernel_ridge import soft_clip


def labels_that_go_together(n=600, seed=0):
    """Return probabilities from the picture alone, and labels of which 1 and 2 come with 0."""
    rng = np.random.default_rng(seed)
    probs = np.repeat(rng.uniform(0.2, 0.8, (n, 1)), 4, axis=1)
    probs[:, 3] = rng.uniform(0.2, 0.8, n)
    truth = (rng.random((n, 1)) < probs).astype(float)[:, [0, 0, 0, 0]]
    truth[:, 3] = rng.random(n) < probs[:, 3]
    return probs.astype(np.float32), truth


def test_predictions_from_the_others_are_ridge_regressions_without_the_class_and_image():
    rng = np.random.default_rng(1)
    surprise, residual = rng.normal(size=(40, 5)), rng.normal(size=(40, 5))
    predicted, leverage = _predict_from_others(surprise, residual)
    ridge = 0.1 * np.trace(surprise.T @ surprise) / 5
    for k in range(5):
        others = np.delete(surprise, k, axis=1)
        inverse = np.linalg.inv(others.T @ others + ridge * np.eye(4))
        assert np.allclose(predicted[:, k], others @ inverse @ others.T @ residual[:, k])
        assert np.allclose(leverage[:, k], np.diag(others @ inverse @ others.T))


def test_a_missing_label_shows_by_those_that_go_with_it():
    probs, truth = labels_that_go_together()
    given = truth.copy()
    missing = np.flatnonzero(truth[:, 1] == 1)[:20]
    given[missing, 1] = 0
    heard = listen_to_others(probs, given)
    wrong = (given != truth)[:, 1]
    before = average_precision_score(wrong, model_entries(given, probs).wrong[:, 1])
    after = average_precision_score(wrong, model_entries(given, heard).wrong[:, 1])
    assert after > before + 0.3
    assert np.array_equal(heard[:, 3], probs[:, 3])  # nothing goes with it


def test_its_own_label_does_not_speak_for_a_class():
    probs, truth = labels_that_go_together()
    heard = listen_to_others(probs, truth)
    turned = truth.copy()
    turned[0, 1] = 1 - turned[0, 1]
    # the one label moves the coefficients a little, not its own image's probability
    assert abs(listen_to_others(probs, turned)[0, 1] - heard[0, 1]) < 0.03


def test_few_images_or_labels_alone_change_nothing():
    probs, truth = labels_that_go_together(n=39)
    assert np.array_equal(listen_to_others(probs, truth), probs)
    assert np.array_equal(listen_to_others(probs[:, :1], truth[:, :1]), probs[:, :1])
    rng = np.random.default_rng(2)
    alone = rng.uniform(0.1, 0.9, (500, 3)).astype(np.float32)
    assert np.array_equal(listen_to_others(alone, rng.random((500, 3)) < alone), alone)


def test_unknown_labels_are_predicted_and_say_nothing():
    probs, truth = labels_that_go_together()
    truth[:100, 1] = np.nan
    heard = listen_to_others(probs, truth)
    assert np.isfinite(heard).all()
    assert ((heard >= 0) & (heard <= 1)).all()
    yes = truth[:100, 0] == 1
    assert heard[:100, 1][yes].mean() > heard[:100, 1][~yes].mean() + 0.3


def test_probability_of_multiple_is_the_poisson_binomial_tail():
    chances = np.array([[0.2, 0.5, 0.1], [0.9, 0.0, np.nan], [1.0, 1.0, 0.0]])
    none = 0.8 * 0.5 * 0.9
    one = 0.2 * 0.5 * 0.9 + 0.8 * 0.5 * 0.9 + 0.8 * 0.5 * 0.1
    assert probability_of_multiple(chances) == pytest.approx([1 - none - one, 0.0, 1.0], abs=1e-6)


def test_bandwidth_follows_narrow_features():
    rng = np.random.default_rng(3)
    x = rng.uniform(-1, 1, (500, 2)).astype(np.float32)
    y = (np.sin(9 * x[:, 0]) > 0).astype(np.float32)[:, None]
    found = predict_labels(x, np.concatenate([y, 1 - y], axis=1), kind="multi")
    assert ((found[:, 0] > 0.5) == (y[:, 0] == 1)).mean() > 0.93


def test_neighbors_share_in_the_prediction_as_far_as_they_lower_the_error():
    truth = np.array([[1, 0], [0, 1], [1, np.nan]], np.float32)
    torn = np.full((3, 2), 0.5, np.float32)
    right = np.nan_to_num(truth, nan=0.9)
    assert _weight_of(right, torn, truth) == MOST_OF_NEIGHBORS
    assert _weight_of(1 - right, torn, truth) == 0.0
    assert _weight_of(torn, torn, truth) == 0.0
    # 0.5 + w · 0.5 = 1 at w = 1, 0.5 - w · 2 = 0 at w = 1/4: between, by the squares of the steps
    mixed = np.array([[1.0, -1.5], [0.5, 0.5], [0.5, 0.5]], np.float32)
    assert _weight_of(mixed, torn, truth) == pytest.approx((0.25 + 1.0) / (0.25 + 4.0))


def test_several_labels_listen_to_the_nearest_and_one_label_does_not(monkeypatch):
    rng = np.random.default_rng(4)
    x = rng.normal(size=(120, 80)).astype(np.float32)
    y = (x[:, :3] > 0).astype(np.float32)
    asked = []

    def neighbors(features, labels, groups):
        asked.append(len(features))
        return labels.astype(np.float32)  # as if they knew all

    monkeypatch.setattr(predictions, "neighbor_probabilities", neighbors)
    several = predict_labels(x, y, kind="multi")
    one = predict_labels(
        x, np.eye(3, dtype=np.float32)[y.sum(axis=1).astype(int) % 3], kind="single"
    )
    assert asked == [120]
    assert several[y == 1].min() >= 0.5 - 1e-6
    assert several[y == 0].max() <= 0.5 + 1e-6
    assert one.shape == (120, 3)


def heard_by_hand(probs, y, least=100):
    """Correct each entry by a ridge regression on the other images and classes."""
    n, k = probs.shape
    known = np.isfinite(y)
    surprise = np.where(known, model_entries(y, probs).truth - probs, 0)
    residual = np.where(known, y - probs, 0)
    ridge = 0.1 * np.trace(surprise.T @ surprise) / k
    found = probs.copy()
    for c in range(k):
        others = np.delete(surprise, c, axis=1)
        inner, right = others.T @ others + ridge * np.eye(k - 1), others.T @ residual[:, c]
        whole = np.linalg.solve(inner, right)
        predicted = np.empty(n)
        for i in range(n):
            one = others[i]
            if known[i, c]:
                left = np.linalg.solve(inner - np.outer(one, one), right - one * residual[i, c])
                predicted[i] = one @ left
            else:
                predicted[i] = one @ whole
        rows = known[:, c]
        gain = residual[rows, c] ** 2 - (residual[rows, c] - predicted[rows]) ** 2
        if gain.mean() > 3 * gain.std() / np.sqrt(rows.sum()) and rows.sum() >= least * k:
            found[:, c] = soft_clip(probs[:, c] + predicted)
    return found


@pytest.mark.parametrize("seed", range(3))
def test_classes_are_corrected_as_if_each_image_were_left_out(seed):
    probs, truth = labels_that_go_together(n=460, seed=seed)
    given = truth.copy()
    rng = np.random.default_rng(seed)
    given[rng.random(460) < 0.1, 1] = np.nan
    given[rng.random(460) < 0.3, 2] = np.nan  # too few are known for a correction
    heard = listen_to_others(probs, given)
    expected = heard_by_hand(probs.astype(np.float64), given)
    np.testing.assert_allclose(heard, expected, atol=1e-5)
    changed = (np.abs(heard - probs) > 1e-6).mean(axis=0)
    assert changed[0] > 0.9
    assert changed[1] > 0.9
    assert changed[2] == 0


def test_a_weak_connection_is_not_heard():
    """Its gain must be three standard errors, not one."""
    rng = np.random.default_rng(0)
    probs = rng.uniform(0.3, 0.7, (400, 2)).astype(np.float32)
    first = rng.random(400) < probs[:, 0]
    together = rng.random(400) < 0.25
    second = np.where(together, first, rng.random(400) < probs[:, 1])
    labels = np.stack([first, second], axis=1).astype(float)
    assert np.array_equal(
        listen_to_others(probs, labels), heard_by_hand(probs.astype(float), labels).astype("f4")
    )
    exact = np.stack([first, first], axis=1).astype(float)
    assert not np.array_equal(listen_to_others(probs, exact), probs)


def test_the_clearness_is_that_of_the_standard_error(monkeypatch):
    """With few images, so that a wrong variance would change what is corrected."""
    monkeypatch.setattr(dependence, "_IMAGES_A_CLASS", 5)
    changed = []
    for seed in range(40):
        probs, truth = labels_that_go_together(n=24, seed=seed)
        heard = listen_to_others(probs, truth)
        np.testing.assert_allclose(heard, heard_by_hand(probs.astype(float), truth, 5), atol=1e-5)
        changed.append((np.abs(heard - probs) > 1e-6).any(axis=0)[:3].tolist())
    assert 0.1 < np.mean(changed) < 0.9


def test_a_hundred_images_a_class_are_needed():
    probs, truth = labels_that_go_together(n=400)
    assert not np.array_equal(listen_to_others(probs, truth), probs)
    assert np.array_equal(listen_to_others(probs[:399], truth[:399]), probs[:399])
