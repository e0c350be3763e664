"""Confident learning's rule, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from vernis.core.labels.confident_learning import confident_errors, pruned_errors


def test_an_image_is_wrong_where_another_class_is_as_sure_as_its_own_images_are():
    probs = np.array([[0.9, 0.1], [0.7, 0.3], [0.1, 0.9], [0.4, 0.6], [0.2, 0.8]])
    given = np.array([0, 0, 1, 1, 0])
    # mean self-confidence: (0.9 + 0.7 + 0.2) / 3 = 0.6 and (0.9 + 0.6) / 2 = 0.75
    assert confident_errors(given, probs).tolist() == [False, False, False, False, True]
    given[4] = -1
    assert not confident_errors(given, probs).any()


def test_one_wrong_entry_makes_an_image_of_several_labels_wrong():
    probs = np.array([[0.9, 0.5], [0.8, 0.5], [0.2, 0.5], [0.1, 0.5], [0.95, 0.5]])
    labels = np.array([[1, 1], [1, 1], [0, 1], [0, 1], [0, 1]], float)
    assert confident_errors(labels, probs).tolist() == [False, False, False, False, True]
    labels[4, 0] = np.nan
    assert not confident_errors(labels, probs).any()


def test_as_many_as_the_joint_counts_are_pruned_those_of_largest_margin_first():
    probs = np.array(
        [[0.9, 0.1], [0.7, 0.3], [0.45, 0.55], [0.2, 0.8], [0.1, 0.9], [0.05, 0.95]], float
    )
    given = np.array([0, 0, 0, 0, 1, 1])
    # thresholds 0.5625 and 0.925: with confidence 0, 0, none, none, none, 1; nothing is counted
    assert not pruned_errors(given, probs).any()
    given = np.array([0, 0, 0, 0, 1, 0])
    # thresholds 0.46 and 0.9: 2 stay and the last counts as 1; of 5 given 0 a third is 1.67 -> 2
    assert pruned_errors(given, probs).tolist() == [False, False, False, True, False, True]
    given[5] = -1
    assert not pruned_errors(given, probs).any()


def test_the_likeliest_class_and_the_last_image_of_a_class_are_never_pruned():
    probs = np.array([[0.51, 0.49], [0.55, 0.45], [0.2, 0.8], [0.3, 0.7]])
    assert not pruned_errors(np.array([0, 0, 1, 1]), probs).any()
    assert not pruned_errors(np.array([0, 1, 1, 1]), 1.0 - probs)[0]


def test_a_class_that_nobody_carries_is_pruned_without_a_warning():
    labels = np.array([[1, 0], [0, 0], [1, 0], [0, 0], [1, 0]], float)
    probs = np.array([[0.9, 0.1], [0.1, 0.2], [0.8, 0.1], [0.9, 0.3], [0.7, 0.1]])
    assert pruned_errors(labels, probs).tolist() == [False, False, False, True, False]


def confident_class(given, p):
    """Return the class that each image has with confidence, None where it has none."""
    k = p.shape[1]
    threshold = [p[given == c, c].mean() if (given == c).any() else np.inf for c in range(k)]
    found = []
    for row in p:
        sure = [c for c in range(k) if row[c] >= threshold[c] - 1e-6]
        found.append(None if not sure else sure[0] if len(sure) == 1 else int(row.argmax()))
    return found


def whole_by_hand(row):
    """Round to whole numbers of the same rounded sum; what is nearest to the next one changes."""
    found = [round(value) for value in row]
    while sum(found) < round(sum(row)):
        rest = [a - b for a, b in zip(row, found, strict=True)]
        found[max(range(len(row)), key=lambda c: (rest[c], c))] += 1
    while sum(found) > round(sum(row)):
        rest = [a - b for a, b in zip(row, found, strict=True)]
        found[min(range(len(row)), key=lambda c: (rest[c], c))] -= 1
    return found


def pruned_by_hand(given, p):
    """Prune by noise rate, one cell of the joint after the other."""
    k = p.shape[1]
    joint = np.zeros((k, k))
    for own, counted in zip(given, confident_class(given, p), strict=True):
        if counted is not None:
            joint[own, counted] += 1
    for c in range(k):
        joint[c, c] = max(joint[c, c], 1)
        joint[c] = joint[c] / joint[c].sum() * (given == c).sum()
    joint = np.array([whole_by_hand(row) for row in joint], float)
    for c in range(k):
        lacking = max(1 - joint[c, c], 0)
        errors = max(np.count_nonzero(joint[c]) - 1, 1)
        joint[c] = np.maximum(joint[c] - lacking / errors, 0)
        joint[c, c] = max(joint[c, c] + lacking / errors, 1) if lacking else joint[c, c]
    joint = np.array([whole_by_hand(column) for column in joint.T]).T
    wrong = np.zeros(len(given), bool)
    for i in range(k):
        rows = [r for r in range(len(given)) if given[r] == i]
        for j in range(k):
            if i != j and len(rows) > 1:
                margin = sorted(rows, key=lambda r: p[r, i] - p[r, j])
                wrong[margin[: int(joint[i, j])]] = True
    likeliest = [p[r, given[r]] >= p[r].max() - 1e-15 for r in range(len(given))]
    return wrong & ~np.array(likeliest)


def noisy(seed, n=90, k=4, sharp=1.0):
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.ones(k) / sharp, n)
    truth = np.array([rng.choice(k, p=row) for row in probs])
    return np.where(rng.random(n) < 0.25, rng.integers(0, k, n), truth), probs


@pytest.mark.parametrize("seed", range(6))
def test_both_rules_are_those_of_plain_loops(seed):
    given, probs = noisy(seed, sharp=1 + seed)
    if seed == 5:
        given[given == 2] = 0
        given[:1] = 3
    counted = confident_class(given, probs)
    expected = [
        c is not None and c != own and probs[r, own] < probs[r].max() - 1e-15
        for r, (own, c) in enumerate(zip(given, counted, strict=True))
    ]
    assert any(expected)
    assert confident_errors(given, probs).tolist() == expected
    pruned = pruned_by_hand(given, probs)
    assert pruned.any()
    assert pruned_errors(given, probs).tolist() == pruned.tolist()


@pytest.mark.parametrize("seed", range(30))
def test_one_image_of_each_small_class_stays(seed):
    given, probs = noisy(seed, n=40, k=9, sharp=3)
    assert pruned_errors(given, probs).tolist() == pruned_by_hand(given, probs).tolist()


def test_the_order_of_images_does_not_matter_and_unknown_ones_take_no_part():
    given, probs = noisy(7)
    order = np.random.default_rng(0).permutation(90)
    for rule in (confident_errors, pruned_errors):
        assert np.array_equal(rule(given[order], probs[order]), rule(given, probs)[order])
        more = np.concatenate([given, [-1, -1]])
        beside = np.concatenate([probs, [[1, 0, 0, 0]] * 2])
        assert rule(more, beside).tolist() == [*rule(given, probs).tolist(), False, False]


def test_several_labels_are_judged_class_by_class():
    rng = np.random.default_rng(0)
    probs = rng.random((80, 3))
    labels = (rng.random((80, 3)) < probs).astype(float)
    labels[rng.random((80, 3)) < 0.1] = np.nan
    for rule in (confident_errors, pruned_errors):
        alone = []
        for k in range(3):
            codes = np.where(np.isnan(labels[:, k]), -1, labels[:, k]).astype(int)
            alone.append(rule(codes, np.stack([1 - probs[:, k], probs[:, k]], axis=1)))
        assert np.array_equal(rule(labels, probs), np.any(alone, axis=0))
        assert rule(labels, probs).any()
