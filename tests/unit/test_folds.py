from __future__ import annotations

import numpy as np
import pytest

from vernis.core.numeric.folds import stratified_folds, stratified_parts
from vernis.domain.errors import InvalidValue


def test_rare_labels_are_spread_as_evenly_as_can_be():
    rng = np.random.default_rng(0)
    Y = (rng.random((500, 8)) < [0.5, 0.3, 0.2, 0.1, 0.05, 0.03, 0.02, 0.02]).astype(float)
    fold = stratified_folds(Y, 5)
    by_fold = np.stack([Y[fold == number].sum(axis=0) for number in range(5)])
    assert (by_fold.max(axis=0) - by_fold.min(axis=0)).max() <= 3
    assert np.ptp(np.bincount(fold)) <= 6
    random = np.random.default_rng(1).integers(5, size=500)
    plain = np.stack([Y[random == number].sum(axis=0) for number in range(5)])
    assert np.abs(by_fold - Y.sum(axis=0) / 5).sum() < np.abs(plain - Y.sum(axis=0) / 5).sum() / 3


def test_one_label_an_image_gives_folds_that_differ_by_one():
    codes = np.repeat(np.arange(6), [50, 20, 11, 7, 5, 3])
    fold = stratified_folds(np.eye(6)[codes], 5)
    for code in range(6):
        assert np.ptp(np.bincount(fold[codes == code], minlength=5)) <= 1


def test_groups_stay_together_and_shares_are_kept():
    rng = np.random.default_rng(0)
    Y = (rng.random((400, 4)) < 0.3).astype(float)
    groups = rng.integers(150, size=400)
    part = stratified_parts(Y, [3, 1], groups=groups)
    assert all(len(set(part[groups == g])) == 1 for g in np.unique(groups))
    assert (part == 1).mean() == pytest.approx(0.25, abs=0.04)
    assert Y[part == 1].sum(axis=0) / Y.sum(axis=0) == pytest.approx(np.full(4, 0.25), abs=0.04)


def test_seeds_and_bad_input():
    Y = np.eye(4)[np.arange(40) % 4]
    assert np.array_equal(stratified_folds(Y, 4, seed=1), stratified_folds(Y, 4, seed=1))
    assert not np.array_equal(stratified_folds(Y, 4, seed=1), stratified_folds(Y, 4, seed=2))
    assert set(stratified_folds(np.full((9, 2), np.nan), 3)) == {0, 1, 2}
    with pytest.raises(InvalidValue, match="folds"):
        stratified_folds(Y, 2, groups=np.zeros(40))
    with pytest.raises(InvalidValue, match="shares above 0"):
        stratified_parts(Y, [1, 0])
