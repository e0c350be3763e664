from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vernis.core.learn.bagging import subsample_plan


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    n_images=st.integers(2, 120),
    n_estimators=st.integers(2, 12),
    fraction=st.floats(0.5, 0.9),
)
def test_plans_keep_groups_together_classes_present_and_images_out_of_bag(
    seed, n_images, n_estimators, fraction
):
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, max(2, n_images // 2), n_images)
    Y = (rng.random((n_images, 5)) < rng.random(5) * 0.3).astype(np.float32)
    Y[rng.random(Y.shape) < 0.1] = np.nan
    plan = subsample_plan(
        n_images, n_estimators=n_estimators, fraction=fraction, groups=groups, Y=Y, seed=seed
    )
    assert plan.shape == (n_estimators, n_images)
    for group in np.unique(groups):
        members = plan[:, groups == group]
        assert (members == members[:, :1]).all()
    n_groups = len(np.unique(groups))
    if n_groups < n_estimators:
        return  # one image may be needed by every estimator
    for label in range(5):
        carriers = Y[:, label] == 1
        if len(np.unique(groups[carriers])) >= 2:
            assert (plan & carriers).any(axis=1).all()
    if (1 - fraction) * n_estimators >= 1:
        assert (~plan).any(axis=0).all()
