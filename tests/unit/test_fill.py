"""The statistics of fill: bounds, hold-outs, plans."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from vernis.core.fill.answers import collect_answers
from vernis.core.fill.bounds import (
    clopper_pearson_lower,
    design_effect,
    estimate_noise,
)
from vernis.core.fill.head import gather_evidence
from vernis.core.fill.holdout import match_holdout
from vernis.core.learn.heads import Head, make_head
from vernis.core.numeric.neighbors import Neighbors, nearest_neighbors
from vernis.domain.errors import InvalidValue

PARAMETERS = {"n_estimators": 8, "hidden": (32,), "min_updates": 150, "learning_rate": 5e-3}


def fast_head(kind: str = "single", model: str = "bagged_mlp") -> Head:
    parameters = PARAMETERS if model == "bagged_mlp" else {}
    return make_head(model, kind, n_components=None, parameters=parameters)


def test_bound_is_the_share_at_which_so_many_right_answers_become_unlikely():
    lower = clopper_pearson_lower([45], [50], 0.95)[0]
    assert binom.sf(44, 50, lower) == pytest.approx(0.05)
    assert clopper_pearson_lower([20], [20], 0.95)[0] == pytest.approx(0.05 ** (1 / 20))
    assert clopper_pearson_lower([0], [20])[0] == 0


def test_bound_covers_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = rng.binomial(60, 0.9, size=4000)
    covered = np.mean(clopper_pearson_lower(hits, np.full(4000, 60.0)) <= 0.9)
    assert covered >= 0.95 - 0.01


def test_design_effect_is_the_group_size_when_groups_err_together():
    rng = np.random.default_rng(0)
    alone = rng.normal(size=400)
    assert design_effect(alone, np.arange(400)) == 1
    assert design_effect(alone, np.arange(400) // 4) < 2
    assert design_effect(np.repeat(alone, 4), np.repeat(np.arange(400), 4)) == pytest.approx(4)


def test_noise_needs_neighbours_on_the_side_of_the_answer():
    rng = np.random.default_rng(1)
    ok = rng.random(1000) > 0.1
    assert estimate_noise(ok, np.ones(1000, bool), 1.0) == pytest.approx(0.1, abs=0.035)
    assert estimate_noise(ok, np.zeros(1000, bool), 1.0) == 0
    clean = np.append(np.ones(600, bool), rng.random(400) > 0.5)
    assert estimate_noise(clean, np.ones(1000, bool), 1.0) == 0


def bursts(rng, n_bursts, size, spread, centres, wide):
    """Return embeddings of bursts around class centres, and their classes."""
    codes = rng.integers(len(centres), size=n_bursts)
    middles = centres[codes] + wide * rng.normal(size=(n_bursts, centres.shape[1]))
    rows = np.repeat(middles, size, axis=0)
    rows = rows + spread * rng.normal(size=rows.shape)
    return rows.astype(np.float32), np.repeat(codes, size), np.repeat(np.arange(n_bursts), size)


def test_holdout_joins_bursts_when_the_unknown_come_from_elsewhere():
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(5, 24))
    X, _, burst = bursts(rng, 40, 6, 0.05, centres, 0.7)
    same = np.arange(240) % 2 == 0
    fine = match_holdout(X[same], X[~same])
    assert fine.is_matched
    assert fine.n_groups >= 0.85 * same.sum()
    other, _, _ = bursts(rng, 40, 6, 0.05, centres, 0.7)
    coarse = match_holdout(X, other)
    assert coarse.is_matched
    assert coarse.n_groups < 60
    for number in range(40):
        assert len(np.unique(coarse.groups[burst == number])) == 1
    assert np.median(coarse.labelled.nearest) <= np.median(coarse.unknown.nearest) + 0.05


def test_holdout_never_separates_duplicates_and_samples_many_images():
    rng = np.random.default_rng(3)
    X, other = rng.normal(size=(300, 16)), rng.normal(size=(50, 16))
    pairs = np.arange(300) // 2
    found = match_holdout(X, other, groups=pairs, n_reference=60)
    assert len(found.measured) == 60
    assert (found.groups[0::2] == found.groups[1::2]).all()
    assert (found.labelled.indices[:, 0] != found.measured).all()


def test_holdout_says_when_nothing_is_as_strange_as_the_unknown():
    rng = np.random.default_rng(4)
    X = rng.normal(size=(80, 8)) * 0.05 + np.eye(8)[0]
    assert not match_holdout(X, -X).is_matched


def test_holdout_refuses_what_it_cannot_compare():
    with pytest.raises(InvalidValue, match="two groups"):
        match_holdout(np.ones((3, 4)), np.ones((2, 4)), groups=[1, 1, 1])
    with pytest.raises(InvalidValue, match="4 features"):
        match_holdout(np.ones((3, 4)), np.ones((2, 5)))


def test_neighbors_are_the_most_similar_of_other_groups():
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(40, 6)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    groups = np.arange(40) // 4
    found = nearest_neighbors(rows, rows, 3, groups=groups)
    similarity = rows @ rows.T
    similarity[groups[:, None] == groups] = -1
    assert np.allclose(found.similarities, -np.sort(-similarity, axis=1)[:, :3], atol=1e-6)


def test_answers_hold_what_the_neighbours_say():
    yes = np.array([[1, 0], [1, 0], [0, 1]], bool)
    near = Neighbors(np.array([[0, 1, 2]]), np.array([[0.9, 0.8, 0.5]], np.float32))
    answers = collect_answers(np.array([[0.7, 0.3]]), near, yes, "single")
    assert answers.label.tolist() == [0]
    odds, nearest, gap, votes, margin = answers.features[0]
    assert nearest == pytest.approx(0.9)
    assert gap == pytest.approx(0.4)
    assert votes > 0.99
    assert margin > odds > 0
    both = collect_answers(np.array([[0.7, 0.3]]), near, yes, "multi")
    assert both.label.tolist() == [0, 1]


def made_up(rng, n, noise):
    """Return 4-class data with overlapping classes, true classes, and labels with noise."""
    centres = np.random.default_rng(7).normal(size=(4, 12))
    codes = rng.integers(4, size=n)
    X = (centres[codes] + 1.0 * rng.normal(size=(n, 12))).astype(np.float32)
    wrong = rng.random(n) < noise
    given = np.where(wrong, (codes + rng.integers(1, 4, size=n)) % 4, codes)
    return X, codes, given


def label_matrix(given, unknown):
    Y = np.eye(4, dtype=np.float32)[given]
    Y[unknown] = np.nan
    return Y


@pytest.mark.parametrize("model", ["kernel", "bagged_mlp"])
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_promise_holds_on_the_true_labels(noise, model):
    misses, filled = 0, []
    for seed in range(6):
        X, codes, given = made_up(np.random.default_rng(seed), 900, noise)
        unknown = np.arange(900) >= 500
        head = fast_head(model=model)
        Y = label_matrix(given, unknown)
        evidence = gather_evidence(X, Y, kind="single", head=head, seed=seed)
        plan = evidence.plan(0.9)
        right = codes[evidence.unlabelled[plan.image]] == plan.label
        misses += len(right) > 0 and right.mean() < 0.9
        filled.append(len(right) / unknown.sum())
        assert (np.diff(plan.probability) <= 0).all()
        assert (plan.noise > 0) == (noise > 0)
    assert misses <= 1
    assert np.median(filled) > 0.3


def test_what_cannot_be_promised_is_left_unknown():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 8)).astype(np.float32)
    given = rng.integers(4, size=300)
    Y = label_matrix(given, np.arange(300) >= 200)
    plan = gather_evidence(X, Y, kind="single", head=fast_head()).plan(0.9)
    assert len(plan.image) == 0
    assert np.isinf(plan.thresholds).all()
    assert np.isnan(plan.bound)


def test_denied_labels_are_not_suggested():
    X, _, given = made_up(np.random.default_rng(1), 700, 0.0)
    unknown = np.arange(700) >= 500
    Y = label_matrix(given, unknown)
    Y[unknown, 0] = 0
    plan = gather_evidence(X, Y, kind="single", head=fast_head()).plan(0.8)
    assert len(plan.image) > 50
    assert not (plan.label == 0).any()
    assert plan.n_held_out == 500


def test_images_out_of_distribution_are_counted_and_not_filled():
    X, _, given = made_up(np.random.default_rng(1), 700, 0.0)
    far = np.arange(700) >= 690
    apart = np.zeros((700, 12), np.float32)
    apart[far] = np.abs(X[far])
    X = np.hstack([np.where(far[:, None], 0, X), apart])  # nothing in common with any label
    Y = label_matrix(given, np.arange(700) >= 500)
    plan = gather_evidence(X, Y, kind="single", head=fast_head()).plan(0.3)
    filled = 500 + plan.image
    assert len(filled) > 180  # nearly all the others
    assert not far[filled].any()
    assert 10 <= plan.n_out_of_distribution <= 10 + 0.05 * 190


def test_several_labels_an_image():
    X, codes, _ = made_up(np.random.default_rng(2), 800, 0.0)
    Y = np.eye(4, dtype=np.float32)[codes]
    Y = np.column_stack([Y, (codes < 2).astype(np.float32)])
    truth, unknown = Y.copy(), np.arange(800) >= 450
    Y[unknown] = np.nan
    evidence = gather_evidence(X, Y, kind="multi", head=fast_head("multi"))
    plan = evidence.plan(0.9)
    right = truth[evidence.unlabelled[plan.image], plan.label] == 1
    assert right.mean() >= 0.9
    assert (plan.label == 4).any()
    strict = evidence.plan(0.97)
    assert len(strict.image) < len(plan.image)


def test_confirmed_labels_alone_can_carry_the_promise():
    X, codes, given = made_up(np.random.default_rng(3), 900, 0.2)
    sure = np.arange(900) < 300
    given[sure] = codes[sure]
    unknown = np.arange(900) >= 600
    evidence = gather_evidence(X, label_matrix(given, unknown), kind="single", head=fast_head())
    plan = evidence.plan(0.85, confirmed=sure[evidence.labelled])
    assert plan.on_confirmed
    assert plan.noise == 0
    assert plan.n_held_out == 300
    right = codes[evidence.unlabelled[plan.image]] == plan.label
    assert right.mean() >= 0.85


def test_a_class_that_falls_short_is_held_back():
    rng = np.random.default_rng(4)
    X, codes, given = made_up(rng, 1200, 0.0)
    bad = codes == 3
    given[bad] = np.where(rng.random(bad.sum()) < 0.5, 3, 2)
    unknown = np.arange(1200) >= 800
    plan = gather_evidence(X, label_matrix(given, unknown), kind="single", head=fast_head()).plan(
        0.8
    )
    assert plan.thresholds[3] > plan.thresholds[0] or plan.thresholds[2] > plan.thresholds[0]


def test_refuses_bad_numbers():
    X, _, given = made_up(np.random.default_rng(1), 100, 0.0)
    evidence = gather_evidence(
        X, label_matrix(given, np.arange(100) >= 60), kind="single", head=fast_head()
    )
    with pytest.raises(InvalidValue, match="precision"):
        evidence.plan(1.0)
    with pytest.raises(InvalidValue, match="shape"):
        gather_evidence(X, np.ones((3, 2)), kind="single", head=fast_head())


def test_same_seed_same_plan():
    X, _, given = made_up(np.random.default_rng(6), 500, 0.05)
    Y = label_matrix(given, np.arange(500) >= 300)
    first, second = (
        gather_evidence(X, Y, kind="single", head=fast_head(), seed=3).plan(0.8) for _ in range(2)
    )
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.probability, second.probability)
