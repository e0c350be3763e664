"""Confident learning's rule, by hand."""

from __future__ import annotations

import numpy as np

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
