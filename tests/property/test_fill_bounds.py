"""Properties of the bounds on which fill's promise rests."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from vernis.core.fill.bounds import (
    clopper_pearson_lower,
    design_effect,
    estimate_noise,
)
from vernis.core.fill.foresight import foresee_precision
from vernis.core.fill.holdout import match_holdout

answers = st.lists(st.booleans(), min_size=1, max_size=80)


@given(answers, st.floats(1, 8), st.floats(0, 0.5), st.integers(1, 30))
@settings(deadline=None, max_examples=30)
def test_bounds_are_shares_whatever_the_answers(ok, effect, noise, n_asked):
    rng = np.random.default_rng(len(ok))
    features, asked = rng.normal(size=(len(ok), 3)), rng.normal(size=(n_asked, 3))
    lower = foresee_precision(
        features, np.array(ok), np.arange(len(ok)), asked, effect=effect, noise=noise, n_draws=20
    )
    assert lower.shape == (n_asked,)
    assert ((lower >= 0) & (lower <= 1)).all()


@given(st.integers(1, 300), st.floats(0.5, 0.99), st.data())
def test_more_right_answers_never_lower_the_bound(n, confidence, data):
    k = data.draw(st.integers(0, n - 1))
    lower = clopper_pearson_lower([k, k + 1], [n, n], confidence)
    assert lower[0] <= lower[1] <= 1


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=60), st.integers(1, 10))
def test_design_effect_is_at_least_one(residual, n_groups):
    assert design_effect(residual, np.arange(len(residual)) % n_groups) >= 1


@given(answers, st.data())
def test_noise_never_exceeds_the_contradictions(ok, data):
    backed = data.draw(st.lists(st.booleans(), min_size=len(ok), max_size=len(ok)))
    top = max(1, round(0.3 * len(ok)))
    noise = estimate_noise(ok, backed, 1.0)
    assert 0 <= noise <= np.mean(~np.array(ok[:top])) + 1e-9


@given(st.integers(0, 10_000), st.integers(4, 40), st.integers(1, 20))
@settings(deadline=None, max_examples=40)
def test_holdout_keeps_duplicates_together_whatever_the_images(seed, n, n_unknown):
    rng = np.random.default_rng(seed)
    X, other = rng.normal(size=(n, 5)), rng.normal(size=(n_unknown, 5))
    pairs = np.arange(n) // 2
    found = match_holdout(X, other, groups=pairs, n_reference=12, seed=seed)
    for pair in np.unique(pairs):
        assert len(np.unique(found.groups[pairs == pair])) == 1
    assert found.n_groups >= 2
    own = found.groups[found.measured][:, None]
    held = found.labelled.similarities > -1
    assert (
        found.groups[found.labelled.indices][held] != np.broadcast_to(own, held.shape)[held]
    ).all()
