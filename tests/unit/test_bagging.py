from __future__ import annotations

import numpy as np
import pytest

from vernis.core.learn.bagging import subsample_plan
from vernis.domain.errors import InvalidValue


def test_every_image_is_out_of_bag_with_five_estimators():
    plan = subsample_plan(1003, seed=4)
    held = (~plan).sum(axis=0)
    assert held.min() == 1
    assert held.max() == 2
    assert plan.mean() == pytest.approx(0.75, abs=0.002)
    np.testing.assert_allclose(plan.mean(axis=1), 0.75, atol=0.03)


def test_a_class_of_two_images_is_in_every_sample():
    for seed in range(20):
        y = np.arange(60) // 2  # 30 classes of two images
        plan = subsample_plan(60, Y=y, seed=seed)
        for label in range(30):
            assert (plan & (y == label)).any(axis=1).all()
        assert (~plan).any(axis=0).all()


def test_classes_are_spread_evenly():
    y = np.repeat(np.arange(10), 100)
    plan = subsample_plan(1000, Y=y)
    shares = np.stack([plan[:, y == label].mean(axis=1) for label in range(10)])
    np.testing.assert_allclose(shares, 0.75, atol=0.05)


def test_the_plan_follows_the_seed():
    assert (subsample_plan(50, seed=1) == subsample_plan(50, seed=1)).all()
    assert (subsample_plan(50, seed=1) != subsample_plan(50, seed=2)).any()


def test_one_image_or_one_estimator():
    assert subsample_plan(1).any(axis=1).all()
    assert subsample_plan(40, n_estimators=1).sum() == 30
    assert subsample_plan(40, fraction=1.0).all()


def test_refuses_what_cannot_be():
    with pytest.raises(InvalidValue, match="share"):
        subsample_plan(10, fraction=0)
    with pytest.raises(InvalidValue, match="groups of shape"):
        subsample_plan(10, groups=[1, 2])
