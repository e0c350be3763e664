from __future__ import annotations

import numpy as np
import pytest

from vernis.core.learn.noise import confusion_transition, flip_by_features
from vernis.core.learn.preprocessing import TextPreprocessor, VectorPreprocessor, keep_components
from vernis.domain.errors import InvalidValue
from vernis.verbs.lab.comparison import SCORES, over_folds
from vernis.verbs.lab.data import one_label_each
from vernis.verbs.lab.toy import SHAPES, draw_points


def test_near_classes_are_confused_more():
    rng = np.random.default_rng(0)
    centres = np.array([[1, 0, 0], [0.9, 0.5, 0], [0, 0, 1]])
    codes = np.repeat([0, 1, 2], 200)
    X = centres[codes] + 0.1 * rng.normal(size=(600, 3))
    given = flip_by_features(codes, X, 0.2)
    changed = given != codes
    assert changed.sum() == 120
    assert changed[codes == 2].mean() < 0.05
    assert set(given[changed & (codes == 0)]) == {1}
    assert np.array_equal(given, flip_by_features(codes, X, 0.2))
    assert not np.array_equal(given, flip_by_features(codes, X, 0.2, seed=1))
    assert np.array_equal(flip_by_features(codes, X, 0.0), codes)
    with pytest.raises(InvalidValue, match="vectors"):
        flip_by_features(codes, X[:5], 0.1)


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.4])
def test_transition_has_the_rate_and_the_confusions(rate):
    rng = np.random.default_rng(0)
    codes = rng.choice(3, size=500, p=[0.6, 0.3, 0.1])
    confusion = np.array([[0.9, 0.08, 0.02], [0.3, 0.69, 0.01], [0.05, 0.05, 0.9]])
    transition = confusion_transition(codes, confusion[codes], rate)
    assert transition.sum(axis=1) == pytest.approx(np.ones(3))
    assert (1 - np.diag(transition))[codes].mean() == pytest.approx(rate, abs=1e-6)
    if rate:
        assert transition[0, 1] == pytest.approx(4 * transition[0, 2], rel=1e-3)
        assert transition[1, 0] > transition[2, 0]


def test_one_label_each_keeps_one_of_the_given():
    Y = np.array([[1, 1, 0], [0, 0, 0], [np.nan, 1, 1]], np.float32)
    single = one_label_each(Y, seed=0)
    assert (single == 1).sum(axis=1).tolist() == [1, 0, 1]
    assert (Y[single == 1] == 1).all()
    assert np.isnan(single[2, 0])


def test_nested_components_equal_those_fitted_alone():
    X = np.random.default_rng(0).normal(size=(80, 12)).astype(np.float32)
    front = VectorPreprocessor([(0, 8), (8, 12)], 6).fit(X)
    alone = VectorPreprocessor([(0, 8), (8, 12)], 3).fit(X)
    kept, other = keep_components(front.apply(X), front.apply(X[:5]), 3)
    assert np.abs(kept) == pytest.approx(np.abs(alone.apply(X)), rel=0.02, abs=1e-3)
    assert np.array_equal(other, kept[:5])


def test_texts_without_a_shared_word_are_zeros():
    assert not TextPreprocessor(5).fit(["", "one", "two"]).apply(["one", ""]).any()
    front = TextPreprocessor(2).fit(["red apple", "red pear", "green apple", "green pear"])
    rows = front.apply(["red apple", "words never seen"])
    assert np.linalg.norm(rows, axis=1) == pytest.approx([1, 0])


def test_interval_over_folds_is_nadeau_and_bengios():
    rows = [{**dict.fromkeys(SCORES, v), "train_s": 1.0, "predict_s": 0.5} for v in (0.4, 0.5, 0.6)]
    summary = over_folds(rows, n_train=80, n_test=20)
    assert summary["micro_f1"] == pytest.approx(0.5)
    assert summary["micro_f1_sd"] == pytest.approx(0.1)
    # t(0.975, 2) = 4.302653; factor sqrt(1/3 + 1/4)
    assert summary["micro_f1_high"] - 0.5 == pytest.approx(4.302653 * 0.1 * (7 / 12) ** 0.5)


@pytest.mark.parametrize("shape", SHAPES)
def test_permuted_labels_keep_their_number(shape):
    X, true, given = draw_points(shape, 200, 0.3, seed=0)
    assert X.shape == (200, 2)
    assert np.array_equal(np.bincount(true), np.bincount(given))
    assert 10 < (true != given).sum() < 60
    assert np.array_equal(draw_points(shape, 200, 0.0, 0)[2], true)
