"""Confident learning's rule, by hand."""

from __future__ import annotations

import numpy as np

from vernis.core.clean.confident_learning import confident_errors


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
