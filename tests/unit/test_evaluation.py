from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, precision_recall_fscore_support

from vernis.core.learn.evaluation import MEASURES, evaluate
from vernis.domain.errors import InvalidValue


def predictions(n=300, n_classes=4, seed=0):
    rng = np.random.default_rng(seed)
    Y = (rng.random((n, n_classes)) < 0.25).astype(np.float32)
    scores = np.clip(0.25 * Y + rng.normal(0.4, 0.15, Y.shape), 0, 1).round(2)
    return Y, scores, scores > 0.55


def test_values_are_those_of_scikit_learn():
    Y, scores, decided = predictions()
    found = evaluate(Y, scores, decided, n_draws=0)
    for average, part in (("micro", found.micro), ("macro", found.macro), (None, found.per_class)):
        for beta, name in ((1, "f1"), (2, "f2")):
            p, r, f, _ = precision_recall_fscore_support(Y, decided, beta=beta, average=average)
            np.testing.assert_allclose(part.measure("precision")[0], p, rtol=1e-6)
            np.testing.assert_allclose(part.measure("recall")[0], r, rtol=1e-6)
            np.testing.assert_allclose(part.measure(name)[0], f, rtol=1e-6)
        expected = average_precision_score(Y, scores, average=average)
        np.testing.assert_allclose(part.measure("average_precision")[0], expected, rtol=1e-5)
    assert np.isnan(found.micro.low).all()


def test_unknown_pairs_take_no_part():
    Y, scores, decided = predictions()
    known = np.random.default_rng(1).random(Y.shape) < 0.7
    masked = np.where(known, Y, np.nan)
    found = evaluate(masked, scores, decided, n_draws=0)
    for column in range(4):
        rows = known[:, column]
        expected = average_precision_score(Y[rows, column], scores[rows, column])
        assert found.per_class.measure("average_precision")[0][column] == pytest.approx(expected)
        p, r, _, _ = precision_recall_fscore_support(
            Y[rows, column], decided[rows, column], average="binary"
        )
        assert found.per_class.measure("precision")[0][column] == pytest.approx(p)
        assert found.per_class.measure("recall")[0][column] == pytest.approx(r)
    assert found.n_known.tolist() == known.sum(axis=0).tolist()
    assert found.micro.measure("average_precision")[0] == pytest.approx(
        average_precision_score(Y[known], scores[known])
    )


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    truth = evaluate(*predictions(60_000, seed=99), n_draws=0)
    inside = []
    for seed in range(40):
        found = evaluate(*predictions(300, seed=seed), n_draws=200, seed=seed)
        for part, true in ((found.micro, truth.micro), (found.macro, truth.macro)):
            inside.append((part.low <= true.value) & (true.value <= part.high))
    coverage = np.mean(inside, axis=0)
    assert (coverage > 0.85).all()
    assert (found.micro.low < found.micro.value).all()
    assert (found.micro.value < found.micro.high).all()


def test_the_interval_of_many_rare_classes_holds_their_mean():
    rng = np.random.default_rng(4)
    Y = np.zeros((300, 80), np.float32)
    scores = rng.random(Y.shape)
    for column in range(80):
        images = rng.choice(300, 150 if column < 8 else 1, replace=False)
        Y[images, column] = 1
        if column < 8:  # the frequent classes are known well, the rare ones not at all
            scores[images, column] += 0.6
    found = evaluate(Y, scores, scores > 0.8).macro
    assert (found.low <= found.value).all()
    assert (found.value <= found.high).all()


def test_duplicates_do_not_narrow_the_interval():
    Y, scores, decided = predictions(150)
    once = evaluate(Y, scores, decided, seed=3)
    four = [np.repeat(a, 4, axis=0) for a in (Y, scores, decided)]
    blind = evaluate(*four, seed=3)
    aware = evaluate(*four, groups=np.repeat(np.arange(150), 4), seed=3)

    def width(e):
        return (e.micro.high - e.micro.low)[2]

    assert width(blind) < 0.7 * width(once)
    assert width(aware) == pytest.approx(width(once), rel=0.2)


def test_a_class_without_yes_is_undefined_and_left_out_of_the_mean():
    Y, scores, decided = predictions()
    Y[:, 3] = 0
    found = evaluate(Y, scores, decided)
    assert np.isnan(found.per_class.value[3]).all()
    np.testing.assert_allclose(found.macro.value, found.per_class.value[:3].mean(axis=0))
    document = found.to_dict(["a", "b", "c", "d"])
    assert document["classes"]["d"]["f1"] == {"value": None, "low": None, "high": None}
    assert set(document["micro"]) == set(MEASURES)


def test_one_label_an_image_makes_micro_precision_the_accuracy():
    rng = np.random.default_rng(0)
    codes, guess = rng.integers(0, 5, 200), rng.integers(0, 5, 200)
    eye = np.eye(5)
    found = evaluate(eye[codes], rng.random((200, 5)), eye[guess], n_draws=0)
    assert found.micro.measure("precision")[0] == pytest.approx((codes == guess).mean())


def test_refuses_bad_input():
    Y, scores, decided = predictions()
    with pytest.raises(InvalidValue, match="three"):
        evaluate(Y, scores[:-1], decided)
    with pytest.raises(InvalidValue, match="confidence"):
        evaluate(Y, scores, decided, confidence=1)
    with pytest.raises(InvalidValue, match="groups of shape"):
        evaluate(Y, scores, decided, groups=[1, 2])
