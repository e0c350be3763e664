from __future__ import annotations

import numpy as np
import pytest

from vernis.core.learn.noise import (
    add_labels,
    drop_labels,
    flip_by_matrix,
    flip_labels,
    flip_pairs,
    flip_uniform,
    forget_labels,
)
from vernis.domain.errors import InvalidValue

NAMES = np.array(["a", "b", "c", "d"])[np.arange(2000) % 4]


@pytest.fixture
def matrix():
    rng = np.random.default_rng(0)
    Y = (rng.random((500, 6)) < [0.5, 0.3, 0.2, 0.1, 0.05, 0.02]).astype(np.float32)
    Y[rng.random(Y.shape) < 0.05] = np.nan
    return Y


@pytest.mark.parametrize("flip", [flip_uniform, flip_pairs])
def test_that_share_is_flipped_and_the_seed_decides_which(flip):
    noisy = flip(NAMES, 0.1, seed=3)
    assert (noisy != NAMES).sum() == 200
    np.testing.assert_array_equal(noisy, flip(NAMES, 0.1, seed=3))
    assert (noisy != flip(NAMES, 0.1, seed=4)).any()


def test_pairs_have_one_partner_and_uniform_flips_all():
    def targets(noisy, name):
        return set(noisy[(name == NAMES) & (noisy != NAMES)])

    pairs, uniform = flip_pairs(NAMES, 0.3), flip_uniform(NAMES, 0.3)
    assert all(len(targets(pairs, name)) == 1 for name in "abcd")
    assert all(targets(uniform, name) == set("abcd") - {name} for name in "abcd")


def test_flips_follow_the_transition_matrix():
    matrix = np.eye(4)
    matrix[0] = [0.6, 0.3, 0.1, 0]
    noisy = flip_by_matrix(NAMES, matrix)
    np.testing.assert_array_equal(noisy[NAMES != "a"], NAMES[NAMES != "a"])
    share = [(noisy[NAMES == "a"] == name).mean() for name in "abcd"]
    np.testing.assert_allclose(share, matrix[0], atol=0.06)


def test_drop_and_add_change_one_direction_only(matrix):
    dropped, added = drop_labels(matrix, 0.1), add_labels(matrix, 0.1)
    n_yes = np.nansum(matrix)
    assert n_yes - np.nansum(dropped) == round(0.1 * n_yes)
    assert np.nansum(added) - n_yes == pytest.approx(0.1 * n_yes, abs=6)
    assert not ((matrix == 0) & (dropped == 1)).any()
    assert not ((matrix == 1) & (added == 0)).any()
    np.testing.assert_array_equal(np.isnan(matrix), np.isnan(dropped))
    np.testing.assert_array_equal(np.isnan(matrix), np.isnan(added))
    gained = np.nansum(added, axis=0) / np.nansum(matrix, axis=0) - 1
    assert (gained < 0.25).all()  # rare classes stay rare


def test_flipped_labels_keep_the_number_of_each_image(matrix):
    flipped = flip_labels(matrix, 0.2)
    np.testing.assert_array_equal(np.nansum(matrix, axis=1), np.nansum(flipped, axis=1))
    moved = (matrix == 1) & (flipped == 0)
    assert moved.sum() == pytest.approx(0.2 * np.nansum(matrix), rel=0.1)


def test_forgotten_images_are_wholly_unknown(matrix):
    forgotten = np.isnan(forget_labels(matrix, 0.25)).all(axis=1)
    assert forgotten.sum() == 125


def test_rate_zero_changes_nothing(matrix):
    for change in (drop_labels, add_labels, flip_labels, forget_labels):
        np.testing.assert_array_equal(change(matrix, 0.0), matrix)


def test_refuses_bad_input(matrix):
    with pytest.raises(InvalidValue, match=r"rate in 0\.\.1"):
        flip_uniform(NAMES, 1.5)
    with pytest.raises(InvalidValue, match="2 classes"):
        flip_uniform(["a", "a"], 0.1)
    with pytest.raises(InvalidValue, match="sum to 1"):
        flip_by_matrix(NAMES, np.ones((4, 4)))
    with pytest.raises(InvalidValue, match="1, 0 and NaN"):
        drop_labels(matrix + 0.5, 0.1)
    with pytest.raises(InvalidValue, match="n_images,"):
        flip_pairs(matrix, 0.1)
