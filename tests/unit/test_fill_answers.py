"""What speaks for an answer of the head, and the probability that it is right."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from vernis.core.fill.answers import calibrate, collect_answers
from vernis.core.numeric.neighbors import Neighbors


def log_odds(p: float) -> float:
    p = min(max(p, 1e-4), 1 - 1e-4)
    return float(np.log(p / (1 - p)))


def features_by_hand(p, label, rows, similarity, yes, single):
    """Return what speaks for one answer, from the neighbours of one image."""
    near = [
        (float(s), bool(yes[r, label]) and s > -1) for r, s in zip(rows, similarity, strict=True)
    ]
    with_it = [s for s, has in near if has]
    without = [s for s, has in near if not has]
    farthest = near[-1][0]
    weights = [np.exp(20 * (s - near[0][0])) for s, _ in near[:5]]
    votes = sum(w for w, (_, has) in zip(weights, near[:5], strict=True) if has) / sum(weights)
    found = [
        log_odds(p[label]),
        near[0][0],
        max([farthest, *with_it]) - max([farthest, *without]),
        votes,
    ]
    if single:
        found.append(log_odds(p[label]) - log_odds(max(np.delete(p, label))))
    return found


def neighborhood(seed: int, n: int = 12, k: int = 8):
    """Return probabilities, neighbours (the last ones missing for some) and labels."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([0.4, 0.4, 0.4], size=n)
    p[0] = [1, 0, 0]
    similarity = -np.sort(-rng.uniform(-0.5, 1, (n, k)), axis=1).astype(np.float32)
    similarity[1, 5:] = -1
    similarity[2] = 0.7
    similarity[4] = [-0.96, -0.98, *[-1] * (k - 2)]  # far neighbours, and few
    rows = rng.integers(0, 30, (n, k))
    rows[3, 1:] = rows[3, 0]  # all neighbours say the same
    yes = np.eye(3, dtype=bool)[rng.integers(0, 3, 30)]
    return p, Neighbors(rows, similarity), yes


@pytest.mark.parametrize("seed", range(3))
def test_each_feature_is_what_the_neighbours_of_the_answer_say(seed):
    p, near, yes = neighborhood(seed)
    single = collect_answers(p, near, yes, "single")
    assert single.image.tolist() == list(range(12))
    assert single.label.tolist() == p.argmax(axis=1).tolist()
    several = collect_answers(p, near, yes, "multi")
    wanted = [(i, c) for i in range(12) for c in range(3) if p[i, c] >= 0.2]
    assert list(zip(several.image.tolist(), several.label.tolist(), strict=True)) == wanted
    for answers, is_single in ((single, True), (several, False)):
        for row, (i, c) in enumerate(zip(answers.image, answers.label, strict=True)):
            expected = features_by_hand(
                p[i], c, near.indices[i], near.similarities[i], yes, is_single
            )
            assert answers.features[row] == pytest.approx(expected, abs=1e-6)
            assert answers.probability[row] == p[i, c]


def test_several_labels_are_considered_from_a_fifth_on():
    near = Neighbors(np.zeros((1, 1), int), np.full((1, 1), 0.5, np.float32))
    answers = collect_answers(np.array([[0.2, 0.1999, 0.9]]), near, np.ones((1, 3), bool), "multi")
    assert answers.label.tolist() == [0, 2]


def test_no_image_has_no_answer():
    none = Neighbors(np.zeros((0, 4), int), np.zeros((0, 4), np.float32))
    answers = collect_answers(np.zeros((0, 2)), none, np.ones((3, 2), bool), "single")
    assert answers.features.shape == (0, 5)


def evidence(n: int = 90, n_groups: int = 30):
    rng = np.random.default_rng(1)
    features = rng.normal(size=(n, 3)) * [1, 20, 0] + [0, 5, 2]
    correct = rng.random(n) < 1 / (1 + np.exp(-2 * features[:, 0] - 1))
    return features, correct, rng.integers(0, n_groups, n), rng.normal(size=(7, 3)) * [1, 20, 0]


def fit_by_hand(A, correct, B):
    """Fit with one right answer beyond the surest and one wrong answer below the least sure."""
    low = np.zeros(A.shape[1])
    low[0] = A[:, 0].min() - 1
    high = np.zeros(A.shape[1])
    high[0] = A[:, 0].max() + 1
    model = LogisticRegression().fit([*A, low, high], [*correct, False, True])
    return model.predict_proba(B)[:, 1]


@pytest.mark.parametrize("n_groups", [3, 30])
def test_held_out_answers_are_judged_by_the_other_groups_and_new_ones_by_all(n_groups):
    features, correct, groups, asked = evidence(n_groups=n_groups)
    score, own, new = calibrate(features, correct, groups, asked)
    spread = np.where(features.std(axis=0) > 0, features.std(axis=0), 1e-9)
    A, B = (features - features.mean(axis=0)) / spread, (asked - features.mean(axis=0)) / spread
    expected = np.empty(len(A))
    for train, test in GroupKFold(min(5, n_groups)).split(A, groups=groups):
        assert not set(groups[train]) & set(groups[test])
        expected[test] = fit_by_hand(A[train], correct[train], A[test])
    assert score == pytest.approx(expected, abs=1e-4)
    assert new == pytest.approx(fit_by_hand(A, correct, B), abs=1e-4)
    assert own == pytest.approx(fit_by_hand(A, correct, A), abs=1e-4)


def test_a_group_says_nothing_of_itself():
    features, correct, groups, asked = evidence()
    before = calibrate(features, correct, groups, asked)[0]
    own = groups == groups[0]
    correct[own] = ~correct[own]
    after = calibrate(features, correct, groups, asked)[0]
    assert np.array_equal(before[own], after[own])
    assert not np.array_equal(before[~own], after[~own])


def test_probabilities_are_defined_when_all_answers_are_right_or_none_is_asked():
    features, _, groups, asked = evidence()
    for correct in (np.ones(90, bool), np.zeros(90, bool)):
        score, _, new = calibrate(features, correct, groups, asked)
        assert ((score > 0) & (score < 1)).all()
        assert (new > 0.5).all() == correct.all()
    assert calibrate(features, correct, groups, np.empty((0, 3)))[2].shape == (0,)
