from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import fbeta_score, precision_score

from vernis.core.learn.thresholds import decide_single, threshold_curve, tune_thresholds
from vernis.domain.errors import InvalidValue


def noisy_scores(n=400, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    Y = (rng.random((n, n_classes)) < [0.5, 0.2, 0.1][:n_classes]).astype(np.float32)
    scores = np.clip(0.3 * Y + rng.normal(0.35, 0.15, Y.shape), 0, 1).round(2)
    return Y, scores.astype(np.float32)


@pytest.mark.parametrize(("objective", "beta"), [("f1", 1), ("f2", 2)])
def test_no_threshold_is_better_than_the_tuned_one(objective, beta):
    Y, scores = noisy_scores()
    tuned = tune_thresholds(Y, scores, objective=objective, shrinkage=0)
    decided = tuned.decide(scores)
    for column in range(3):
        best = max(
            fbeta_score(Y[:, column], scores[:, column] >= t, beta=beta)
            for t in np.unique(scores[:, column])
        )
        found = fbeta_score(Y[:, column], decided[:, column], beta=beta)
        assert found == pytest.approx(best)
    assert tuned.warnings == ()


def test_few_images_say_less_about_a_threshold_than_many():
    Y = np.zeros((400, 2), np.float32)
    Y[:200, 0] = 1
    Y[:12, 1] = 1
    scores = np.where(Y == 1, [0.8, 0.2], [0.4, 0.1])  # parted at 0.6 and at 0.15
    own = tune_thresholds(Y, scores, shrinkage=0)
    drawn = tune_thresholds(Y, scores)
    np.testing.assert_allclose(own.values, [0.6, 0.15])
    assert own.pooled == drawn.pooled == pytest.approx(0.6)
    assert drawn.values[0] == pytest.approx(0.6)
    weighted = (12 * np.log(0.15 / 0.85) + 20 * np.log(0.6 / 0.4)) / 32
    assert drawn.values[1] == pytest.approx(1 / (1 + np.exp(-weighted)))


def test_precision_floor_is_kept_with_the_most_recall():
    Y, scores = noisy_scores()
    tuned = tune_thresholds(Y, scores, objective="precision", precision=0.8)
    decided = tuned.decide(scores)
    for column in range(3):
        assert precision_score(Y[:, column], decided[:, column]) >= 0.8
        lower = scores[:, column] >= tuned.values[column] - 0.01
        assert precision_score(Y[:, column], lower) < 0.8


def test_a_floor_out_of_reach_accepts_nothing():
    Y = np.tile([[1.0], [0.0]], (50, 1))
    tuned = tune_thresholds(Y, np.full((100, 1), 0.5), objective="precision", precision=0.9)
    assert np.isinf(tuned.values[0])
    assert not tuned.decide(np.ones((3, 1))).any()


def test_rare_classes_share_the_pooled_threshold_and_are_named():
    Y, scores = noisy_scores()
    Y[:, 2] = 0
    Y[:4, 2] = 1
    Y[10:, 1] = np.nan
    tuned = tune_thresholds(Y, scores, min_yes=10)
    assert tuned.is_pooled.tolist() == [False, True, True]
    assert tuned.values[1] == tuned.values[2] == tuned.pooled
    assert [w.column for w in tuned.warnings] == [1, 2]
    assert tuned.warnings[1].n_yes == 4


def test_curve_counts_and_leaves_the_unknown_out():
    curve = threshold_curve([1, 0, np.nan, 1, 0], [0.9, 0.8, 0.7, 0.8, np.nan])
    np.testing.assert_allclose(curve.threshold, [0.85, 0.4])
    np.testing.assert_array_equal(curve.accepted, [1, 3])
    np.testing.assert_array_equal(curve.correct, [1, 2])
    np.testing.assert_allclose(curve.precision, [1, 2 / 3])
    np.testing.assert_allclose(curve.recall, [0.5, 1])
    np.testing.assert_allclose(curve.f_measure(1), [2 / 3, 4 / 5])


def test_empty_curve():
    curve = threshold_curve([np.nan], [0.3])
    assert len(curve.threshold) == 0
    assert curve.n_yes == 0


def test_decide_single_takes_one_class_an_image():
    decided = decide_single([[0.2, 0.7, 0.1], [0.4, 0.4, 0.2]])
    np.testing.assert_array_equal(decided, [[False, True, False], [True, False, False]])


def test_refuses_bad_input():
    Y, scores = noisy_scores()
    with pytest.raises(InvalidValue, match="probabilities of shape"):
        tune_thresholds(Y, scores[:, :2])
    with pytest.raises(InvalidValue, match="f1, f2 or precision"):
        tune_thresholds(Y, scores, objective="f3")
    with pytest.raises(InvalidValue, match="precision in"):
        tune_thresholds(Y, scores, objective="precision")
