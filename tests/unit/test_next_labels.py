"""Which images to label next."""

from __future__ import annotations

import numpy as np
import pytest

from vernis.core.fill import next_labels
from vernis.core.fill.next_labels import choose_next_labels
from vernis.domain.errors import InvalidValue


def served_by(X, waiting, chosen):
    """Return how well the waiting images are served: the sum of their best similarities."""
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    return np.maximum(unit[waiting] @ unit[chosen].T, 0).max(axis=1).sum()


def test_each_choice_is_the_one_that_serves_best_with_those_before():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 5))
    waiting = np.arange(5, 30)
    chosen = choose_next_labels(X, waiting, 4)
    for place, row in enumerate(chosen):
        before = chosen[:place].tolist()
        found = served_by(X, waiting, [*before, row])
        others = [served_by(X, waiting, [*before, other]) for other in waiting]
        assert found == pytest.approx(max(others), abs=1e-4)
    assert set(chosen) <= set(waiting)


def test_the_largest_cluster_comes_first_and_each_cluster_has_its_own():
    rng = np.random.default_rng(1)
    codes = np.repeat([0, 1, 2], [12, 30, 6])
    X = np.eye(3)[codes] + 0.05 * rng.normal(size=(48, 3))
    chosen = choose_next_labels(X, np.arange(48), 3)
    assert codes[chosen].tolist() == [1, 0, 2]


def test_what_a_labelled_image_stands_near_to_can_wait():
    codes = np.repeat([0, 1], [30, 10])
    X = np.eye(2)[codes] + 0.02 * np.random.default_rng(3).normal(size=(40, 2))
    served = np.where(codes == 0, 0.99, 0.1)
    assert codes[choose_next_labels(X, np.arange(40), 1)] == [0]
    assert codes[choose_next_labels(X, np.arange(40), 1, nearest=served)] == [1]


def test_no_image_is_chosen_twice_and_never_more_than_wait():
    same = np.ones((4, 2))
    assert sorted(choose_next_labels(same, np.arange(4), 9)) == [0, 1, 2, 3]
    assert choose_next_labels(same, np.empty(0, int), 2).shape == (0,)


def test_of_very_many_a_sample_is_compared(monkeypatch):
    monkeypatch.setattr(next_labels, "_MOST_COMPARED", 20)
    X = np.random.default_rng(2).normal(size=(100, 4))
    first, again = (choose_next_labels(X, np.arange(100), 30, seed=1) for _ in range(2))
    assert len(first) == 20
    assert first.tolist() == again.tolist()


def test_refuses_to_choose_none():
    with pytest.raises(InvalidValue, match="at least 1"):
        choose_next_labels(np.ones((3, 2)), np.arange(3), 0)
