"""The noise model of the entries of a multi-label taxonomy."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from vernis.core.labels.entry_noise import (
    _bin,
    _penalized_loss,
    join_chances,
    model_entries,
)
from vernis.core.labels.issues import find_label_issues
from vernis.core.labels.scores import label_quality
from vernis.core.numeric.components import combine_blocks
from vernis.core.numeric.kernel_ridge import kernel_basis, predict_left_out

FALSE_YES = np.array([0.02, 0.15, 0.05])
MISSED_YES = np.array([0.2, 0.02, 0.1])


def noisy(n: int = 4000, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return chances of the truth, the truth, given labels and smooth predictions of them."""
    rng = np.random.default_rng(seed)
    chance = 1 / (1 + np.exp(-rng.normal(-1.0, 4.0, (n, 3))))
    truth = rng.random((n, 3)) < chance
    flip = rng.random((n, 3)) < np.where(truth, MISSED_YES, FALSE_YES)
    return chance, truth, truth ^ flip, 1 / (1 + (1 / chance - 1) ** 0.6)


def test_finds_the_rates_of_each_class():
    chance, _, given, probs = noisy()
    noise = model_entries(given.astype(np.float32), probs)
    assert np.abs(noise.false_yes - FALSE_YES).max() < 0.04
    assert np.abs(noise.missed_yes - MISSED_YES).max() < 0.05
    yes = FALSE_YES + (1 - FALSE_YES - MISSED_YES) * chance
    exact = np.where(given, FALSE_YES * (1 - chance) / yes, MISSED_YES * chance / (1 - yes))
    assert np.abs(noise.wrong - exact).mean() < 0.03


def test_counts_and_ranks_better_than_the_plain_probabilities():
    _, truth, given, probs = noisy()
    labels = given.astype(np.float32)
    wrong = (truth != given).any(axis=1)
    assert model_entries(labels, probs).wrong.sum() == pytest.approx(
        (truth != given).sum(), rel=0.2
    )
    found = {
        scorer: average_precision_score(wrong, -label_quality(labels, probs, scorer=scorer))
        for scorer in ("posterior", "softmin", "balanced")
    }
    assert found["posterior"] > max(found["softmin"], found["balanced"])


def test_a_class_that_nothing_predicts_keeps_the_prior_rate():
    rng = np.random.default_rng(0)
    labels = (rng.random((120, 30)) < 0.03).astype(np.float32)
    noise = model_entries(labels, np.clip(rng.normal(0.03, 0.01, labels.shape), 0, 1))
    assert noise.wrong[labels == 1].mean() < 0.3
    assert noise.spread[0] <= 1 <= noise.spread[1]


def test_a_class_that_is_hard_to_predict_is_not_taken_for_one_with_missed_labels():
    rng = np.random.default_rng(0)
    looks = rng.normal(size=(2000, 6))
    chance = 1 / (1 + np.exp(1 - 3 * looks))
    chance[:, 5] = 0.4 / (1 + np.exp(4.5 - 3 * looks[:, 5]))  # 0.4 at most, whatever is seen
    given = (rng.random(chance.shape) < chance) & (rng.random(chance.shape) > 0.02)
    probs = chance.copy()
    probs[:, 5] = 1 / (1 + np.exp(2.5 - looks[:, 5]))
    missed = model_entries(given.astype(np.float32), probs).missed_yes
    assert missed[:5].mean() == pytest.approx(0.02, abs=0.02)
    assert missed[5] < 0.1


def test_the_loss_is_that_of_the_given_labels():
    _, _, given, probs = noisy()
    labels = given.astype(np.float32)
    noise = model_entries(labels, probs)
    plain = -np.log(np.where(given, probs, 1 - probs)).mean()
    assert 0 < noise.loss < plain
    assert noise.loss < model_entries(labels, np.roll(probs, 1, axis=0)).loss
    labels[::2] = np.nan
    assert model_entries(labels, probs).loss == pytest.approx(noise.loss, abs=0.03)


def test_unknown_entries_get_a_truth_but_no_chance():
    _, _, given, probs = noisy(500)
    labels = given.astype(np.float32)
    labels[:50, 1] = np.nan
    labels[:, 2] = np.nan
    noise = model_entries(labels, probs)
    assert np.isnan(noise.wrong[:50, 1]).all()
    assert np.isfinite(noise.wrong[50:, 1]).all()
    assert np.isnan(noise.wrong[:, 2]).all()
    assert np.isfinite(noise.truth).all()


def test_two_probable_errors_outweigh_a_sure_one():
    one = join_chances(np.array([[0.3, 0.0], [1e-4, 0.0], [0.0, 0.0], [np.nan, np.nan]]))
    assert one == pytest.approx([1 - 0.95 * 0.3, 1 - 0.95e-4, 1.0, 1.0], abs=1e-9)
    two = join_chances(np.array([[0.9, 0.0], [0.9, 0.9], [0.9, 0.5], [0.9999, 0.0], [0.85, 0.85]]))
    assert two[1] < two[4] < two[3] < two[0]
    assert two[2] < two[0]
    assert (np.diff(join_chances(np.linspace(0, 1, 500)[:, None])) < 0).all()


def test_only_judged_entries_are_scored_while_all_teach():
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 4, 400)
    x = (rng.normal(size=(4, 16))[truth] * 3 + rng.normal(size=(400, 16))).astype(np.float32)
    labels = np.eye(4, dtype=np.float32)[truth]
    extra = np.flatnonzero(truth == 0)[:10]
    labels[extra, 2] = 1
    missing = np.flatnonzero(truth == 1)[:10]
    labels[missing] = np.eye(4, dtype=np.float32)[3]
    probs = predict_left_out(kernel_basis(combine_blocks([x])), labels, kind="multi").probs
    issues = find_label_issues(labels, probs, judged=labels == 1)
    assert issues.scorer == "posterior"
    assert np.isin(issues.order[:20], np.concatenate([extra, missing])).mean() > 0.9
    assert np.isnan(issues.score[~(labels == 1).any(axis=1)]).all()


@pytest.mark.parametrize("seed", range(5))
def test_the_gradient_of_the_loss_is_that_of_its_differences(seed):
    rng = np.random.default_rng(seed)
    position = rng.normal(size=60)
    yes = rng.random(60) < 1 / (1 + np.exp(-3 * position))
    data = _bin(position, yes.astype(float))
    at = rng.uniform([-6, -6, -4, -1], [2, 0.8, 4, 2])
    prior = ((0.1, 0.2), 1.7)
    _, gradient = _penalized_loss(at, data, *prior)
    for axis, slope in enumerate(gradient):
        step = np.eye(4)[axis] * 1e-5
        above, below = (_penalized_loss(at + s, data, *prior)[0] for s in (step, -step))
        assert slope == pytest.approx((above - below) / 2e-5, rel=1e-5, abs=1e-7)
