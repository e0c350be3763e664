"""The bounds of fill: closed forms on few answers, slow oracles, and how often they hold."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import betainc

from vernis.core.fill.bounds import (
    clopper_pearson_lower,
    design_effect,
    estimate_noise,
    precision_bounds,
)


def lower_by_root(k: float, n: float, confidence: float) -> float:
    """Return the share at which ``k`` of ``n`` or more have the chance ``1 - confidence``."""
    return brentq(lambda p: betainc(k, n - k + 1, p) - (1 - confidence), 1e-12, 1 - 1e-12)


@pytest.mark.parametrize(("k", "n"), [(1, 1), (3, 7), (2.5, 4.25), (19, 20), (30, 30)])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_the_bound_of_a_share_takes_fractional_counts(k, n, confidence):
    expected = lower_by_root(k, n, confidence)
    assert clopper_pearson_lower([k], [n], confidence)[0] == pytest.approx(expected)
    assert clopper_pearson_lower([k, 0], n, confidence).tolist() == [pytest.approx(expected), 0]


def test_the_bound_is_one_sided_at_95_percent_and_survives_rounding():
    assert clopper_pearson_lower([4], [9])[0] == pytest.approx(lower_by_root(4, 9, 0.95))
    assert clopper_pearson_lower([3 + 1e-9], [3])[0] == pytest.approx(0.05 ** (1 / 3))


def test_design_effect_is_the_variance_of_group_sums_over_that_of_answers():
    assert design_effect([1, 2, 3], ["a", "a", "b"]) == pytest.approx((9 + 9) / (1 + 4 + 9))
    assert design_effect([1, 1, 1, 3], [7, 7, 7, 2]) == pytest.approx((9 + 9) / 12)
    assert design_effect([0.1, 0.1], [0, 0]) == pytest.approx(2)
    assert design_effect([0.5, -0.5, 0.5], [0, 0, 0]) == 1  # groups that balance count as single
    assert design_effect([], []) == 1
    assert design_effect([0, 0], [0, 0]) == 1


def noise_case(n: int, n_wrong: int) -> tuple[np.ndarray, np.ndarray]:
    """Return answers of which the surest ``n_wrong`` contradict their label with backing."""
    correct = np.arange(n) >= n_wrong
    return correct, np.ones(n, bool)


def test_noise_is_the_lower_bound_of_the_share_contradicted_in_the_surest_part():
    correct, backed = noise_case(100, 6)
    expected = lower_by_root(6, 30, 0.8)
    assert estimate_noise(correct, backed, 1.0) == pytest.approx(expected)
    assert estimate_noise(correct, backed, 2.0) == pytest.approx(lower_by_root(3, 15, 0.8))
    later = np.ones(100, bool)
    later[30:] = False  # all wrong, but none among the surest 30
    assert estimate_noise(later, backed, 1.0) == 0
    backed[:3] = False
    assert estimate_noise(correct, backed, 1.0) == pytest.approx(lower_by_root(3, 30, 0.8))


def test_noise_must_be_clearly_above_what_a_head_errs_itself():
    correct, backed = noise_case(100, 6)
    low = lower_by_root(6, 30, 0.95)
    assert estimate_noise(correct, backed, 1.0, clear=low - 1e-6) > 0
    assert estimate_noise(correct, backed, 1.0, clear=low + 1e-6) == 0
    stricter = lower_by_root(6, 30, 0.999)
    assert estimate_noise(correct, backed, 1.0, (low + stricter) / 2, 0.999) == 0
    one, alone = noise_case(1, 1)
    assert estimate_noise(one, alone, 1.0) == pytest.approx(lower_by_root(1, 1, 0.8))
    # 1 of 30: the lower bound is 0.0017, below the 0.01 that is asked for without saying so
    assert estimate_noise(*noise_case(100, 1), 1.0) == 0
    assert estimate_noise(*noise_case(100, 3), 1.0) > 0  # 0.028


def bounds_by_hand(ok, effect, m, z, confidence):
    """Return precision and bound of each prefix, one at a time."""
    precision, lower = [], []
    for n in range(1, len(ok) + 1):
        p = sum(ok[:n]) / n
        low = lower_by_root(p * n / effect, n / effect, confidence) if p else 0.0
        middle = (p + low) / 2
        own = z**2 * middle * (1 - middle) / m
        precision.append(p)
        lower.append(max(p - ((p - low) ** 2 + own) ** 0.5, 0))
    return precision, lower


@pytest.mark.parametrize(
    ("confidence", "z"), [(0.95, 1.6448536269514722), (0.9, 1.2815515655446004)]
)
@pytest.mark.parametrize("m", [1, 7, 400, np.inf])
def test_bounds_of_each_prefix_by_hand(confidence, z, m):
    ok = np.random.default_rng(3).random(60) < 0.8
    for effect in (1.0, 2.5):
        expected = bounds_by_hand(ok.tolist(), effect, m, z, confidence)
        found = precision_bounds(ok, np.arange(60), effect=effect, n_asked=m, confidence=confidence)
        np.testing.assert_allclose(found, expected, atol=1e-9)
    assert precision_bounds([], [], effect=1.0)[1].shape == (0,)


def test_each_cut_has_its_own_number_of_labels_and_none_counts_as_one():
    ok = np.arange(30) % 6 > 0
    groups = np.arange(30)
    asked = np.arange(30)
    found = precision_bounds(ok, groups, effect=1, n_asked=asked)[1]
    for cut in (0, 1, 17, 29):
        alone = precision_bounds(ok, groups, effect=1, n_asked=max(cut, 1))[1]
        assert found[cut] == alone[cut]
    assert np.array_equal(
        precision_bounds(ok, groups, effect=1)[1],
        precision_bounds(ok, groups, effect=1, confidence=0.95, noise=0.0)[1],
    )


def test_the_promise_holds_for_the_labels_that_are_suggested_now():
    """In 95 % of the draws, of judged answers and of few new ones, and not in nearly all."""
    rng = np.random.default_rng(0)
    n_draws, n, m, truth = 800, 150, 40, 0.9
    judged = rng.random((n_draws, n)) < truth
    right = rng.binomial(m, truth, size=n_draws) / m
    groups = np.arange(n)
    lower = [precision_bounds(ok, groups, effect=1, n_asked=m)[1][-1] for ok in judged]
    assert 0.93 <= np.mean(right >= lower) <= 0.985
    endless = [precision_bounds(ok, groups, effect=1)[1][-1] for ok in judged]
    assert np.mean(right >= endless) < 0.9  # their own chance is what makes it hold
    assert 0.94 <= np.mean(np.array(endless) <= truth) <= 0.98


def ratio_by_hand(ok, groups, noise, confidence, n_draws, rng):
    """Bootstrap the precision over the share of right labels, one draw at a time."""
    names = np.unique(groups)
    top = max(1, round(0.3 * len(ok)))
    found = []
    for _ in range(n_draws):
        drawn = rng.choice(names, len(names))
        times = np.array([(drawn == g).sum() for g in groups])
        hits, total = np.cumsum(times * ok), np.cumsum(times)
        share = hits / np.maximum(total, 1e-9)
        right = np.clip(share[top - 1] - np.mean(ok[:top]) + 1 - noise, 1e-9, 1)
        found.append(np.minimum(share / right, 1))
    return np.quantile(found, 1 - confidence, axis=0)


def test_with_noise_the_bound_carries_its_uncertainty():
    rng = np.random.default_rng(5)
    groups = np.repeat(np.arange(50), 4)
    ok = np.repeat(rng.random(50) < 0.8, 4) & (rng.random(200) < 0.95)
    precision, lower = precision_bounds(ok, groups, effect=1.0, noise=0.1, n_draws=1000)
    share = np.cumsum(ok) / np.arange(1, 201)
    np.testing.assert_allclose(precision, np.minimum(share / 0.9, 1))
    plain = clopper_pearson_lower(precision * np.arange(1, 201), np.arange(1, 201))
    drawn = ratio_by_hand(ok, groups, 0.1, 0.95, 800, rng)
    expected = np.minimum(plain, drawn)
    late = slice(60, None)  # before, few groups are drawn and the quantile jumps
    np.testing.assert_allclose(lower[late], expected[late], atol=0.025)
    assert (drawn < plain)[100:].mean() > 0.9  # whole groups err: the bootstrap decides
    wide = precision_bounds(ok, np.arange(200), effect=1.0, noise=0.1)[1]
    assert wide[100:].mean() > lower[100:].mean() + 0.02


def test_the_noise_is_centred_on_the_precision_of_the_surest_part():
    """Of sixty answers these are eighteen; the one mistake is the nineteenth."""
    ok, groups = np.arange(60) != 18, np.arange(60)
    lower = precision_bounds(ok, groups, effect=1e-9, noise=0.2, n_draws=2000)[1]
    drawn = ratio_by_hand(ok, groups, 0.2, 0.95, 1000, np.random.default_rng(0))
    np.testing.assert_allclose(lower[18:24], drawn[18:24], atol=0.02)


def test_without_a_mistake_noise_changes_nothing():
    ok, groups = np.ones(40, bool), np.arange(40)
    clean = precision_bounds(ok, groups, effect=1.0)[1]
    noisy = precision_bounds(ok, groups, effect=1.0, noise=0.2)
    assert (noisy[0] == 1).all()
    # of the first two answers some draws take none
    np.testing.assert_allclose(noisy[1][5:], clean[5:])


def test_the_bootstrap_is_drawn_by_its_seed():
    ok, groups = np.arange(80) % 9 > 0, np.arange(80) // 2
    first, again, other = (
        precision_bounds(ok, groups, effect=1.0, noise=0.05, seed=seed)[1] for seed in (0, 0, 1)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
