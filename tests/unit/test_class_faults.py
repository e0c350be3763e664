"""Classes that are wrong as a whole, and the view in which the others are judged."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vernis.core.labels.class_faults import ClassFault, ClassView, find_class_faults
from vernis.core.labels.predictions import predict_labels
from vernis.core.labels.scores import as_matrix
from vernis.core.numeric.components import combine_blocks


def clouds(n: int, n_classes: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, n_classes, n)
    centres = rng.normal(0, 1, (n_classes, 80))
    return combine_blocks([centres[classes] + rng.normal(0, 1.5, (n, 80))]), classes


def find(
    features: NDArray[np.float32], labels: NDArray[np.int64], **more: object
) -> list[tuple[int, int, int]]:
    matrix = as_matrix(labels, int(labels.max()) + 1)
    probs = predict_labels(features, matrix, kind="single")
    found = find_class_faults(features, labels, probs, **more)  # type: ignore[arg-type]
    return [(fault.label, fault.into, fault.n_images) for fault in found]


def test_a_class_drawn_from_another_is_one_fault() -> None:
    hits = 0
    for seed in range(5):
        features, classes = clouds(200, 4, seed)
        labels = classes.copy()
        of_the_first = np.flatnonzero(classes == 0)
        drawn = np.random.default_rng(seed).choice(of_the_first, 20, replace=False)
        labels[drawn] = 4
        found = find(features, labels)
        assert all(fault == (4, 0, 20) for fault in found)
        hits += len(found)
    assert hits >= 4


def test_right_classes_and_random_columns_are_no_fault() -> None:
    for seed in range(3):
        features, classes = clouds(200, 5, seed)
        assert find(features, classes) == []
        assert find(features, np.random.default_rng(seed).integers(0, 3, 200)) == []


def test_a_pair_that_a_person_told_apart_is_left_alone() -> None:
    features, classes = clouds(200, 4, seed=0)
    labels = classes.copy()
    labels[np.flatnonzero(classes == 0)[:20]] = 4
    assert find(features, labels) == [(4, 0, 20)]
    assert find(features, labels, apart=[(0, 4)]) == []


def test_the_view_joins_and_leaves_out() -> None:
    view = ClassView.of(4, left_out=[2], faults=[ClassFault(3, 0, 5)])
    labels = np.array([[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0], [np.nan, 1, 0, np.nan]])
    reduced = view.reduce(labels)
    assert view.kept.tolist() == [0, 1]
    np.testing.assert_array_equal(reduced, [[1, 0], [1, 0], [0, 0], [np.nan, 1]])
    probs = view.reduce_probabilities(np.array([[0.2, 0.3, 0.25, 0.25]]), "single")
    np.testing.assert_allclose(probs, [[0.6, 0.4]], rtol=1e-6)
    suggested = np.array([[True, False], [False, True], [False, False], [True, True]])
    restored = view.restore(suggested, labels == 1)
    expected = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [1, 1, 0, 0]]
    np.testing.assert_array_equal(restored, np.array(expected, bool))


def test_a_class_that_is_joined_is_not_left_out() -> None:
    view = ClassView.of(3, left_out=[1, 2], faults=[ClassFault(1, 0, 5)])
    assert view.into.tolist() == [0, 0, -1]
