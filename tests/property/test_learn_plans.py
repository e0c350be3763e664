from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vernis.core.learn.bagging import subsample_plan


def can_be_halved(classes: list[set[int]]) -> bool:
    """Return whether groups can be dealt to two halves so that each holds every class."""
    dealt = sorted(set().union(*classes))
    assert len(dealt) < 16
    return any(
        all(len({half[dealt.index(g)] for g in c}) == 2 for c in classes)
        for half in product((0, 1), repeat=len(dealt))
    )


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    n_images=st.integers(2, 120),
    n_estimators=st.integers(2, 12),
    fraction=st.floats(0.5, 0.9),
)
@example(seed=13, n_images=17, n_estimators=2, fraction=0.5)
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
    shared = [c for c in (Y == 1).T if len(np.unique(groups[c])) >= 2]
    if not all((plan & carriers).any(axis=1).all() for carriers in shared):
        # Two halves: every group is in one of them. That can forbid what is asked.
        assert n_estimators == 2
        assert fraction == 0.5
        assert not can_be_halved([set(groups[c].tolist()) for c in shared])
    if (1 - fraction) * n_estimators >= 1:
        assert (~plan).any(axis=0).all()
