"""The choice of what is filled, against a plain loop over every cut of every class."""

from __future__ import annotations

import numpy as np
import pytest

from vernis.core.fill.answers import calibrate, collect_answers
from vernis.core.fill.bounds import (
    clopper_pearson_lower,
    design_effect,
    estimate_noise,
)
from vernis.core.fill.foresight import foresee_precision
from vernis.core.fill.head import gather_evidence
from vernis.core.fill.holdout import HoldOut, match_holdout
from vernis.core.fill.plan import plan_fill
from vernis.core.numeric.neighbors import Neighbors
from vernis.domain.errors import InvalidValue


class World:
    """Labelled and unlabelled images around three centres, with a head's probabilities.

    ``weak`` is a class that the head confuses with the next one.
    """

    def __init__(self, seed=0, n=240, n_unknown=120, noise=0.0, weak=None, kind="single"):
        rng = np.random.default_rng(seed)
        centres = 2 * rng.normal(size=(3, 8))
        total = n + n_unknown
        truth = rng.integers(0, 3, total)
        groups = np.arange(n) // 2 if seed % 2 else None
        if groups is not None:
            truth[:n] = truth[:n][2 * groups]  # pairs of duplicates
        self.kind, self.truth = kind, truth
        X = centres[truth] + 1.5 * rng.normal(size=(total, 8))
        if groups is not None:
            X[1:n:2] = X[:n:2]
        odds = -((X[:, None] - centres) ** 2).sum(axis=2) / 2
        odds += 3 * rng.normal(size=odds.shape)
        if weak is not None:
            odds[:, weak] = odds[:, (weak + 1) % 3] + rng.normal(size=total)
        probs = np.exp(odds - odds.max(axis=1, keepdims=True))
        probs /= probs.sum(axis=1, keepdims=True)
        given = np.where(rng.random(n) < noise, rng.integers(0, 3, n), self.truth[:n])
        self.Y = np.eye(3, dtype=np.float32)[given]
        self.held_out, self.unknown = probs[:n], probs[n:]
        self.holdout = match_holdout(X[:n], X[n:], groups=groups)

    def plan(self, precision=0.85, **settings):
        return plan_fill(
            self.Y, self.held_out, self.unknown, self.holdout, kind=self.kind,
            precision=precision, **settings,
        )  # fmt: skip


def plan_by_hand(world, precision, allowed=None, confirmed=None, confidence=0.95):
    """Return (image, class, probability) of what is filled, thresholds, class bounds, numbers."""
    yes, holdout, kind = world.Y == 1, world.holdout, world.kind
    rows = [
        i
        for i in holdout.measured.tolist()
        if np.isfinite(world.held_out[i]).all() and (confirmed is None or confirmed[i])
    ]
    at = [holdout.measured.tolist().index(i) for i in rows]
    seen = collect_answers(world.held_out[rows], holdout.labelled.take(at), yes, kind)
    pairs = [(rows[i], c) for i, c in zip(seen.image, seen.label, strict=True)]
    correct = np.array([yes[i, c] for i, c in pairs])
    groups = np.array([holdout.groups[i] for i, _ in pairs])
    backed = np.array(
        [
            confirmed is None and np.mean(yes[holdout.open.indices[at[i]], c]) >= 0.8
            for i, c in zip(seen.image, seen.label, strict=True)
        ]
    )
    unknown = world.unknown.copy()
    if allowed is not None:
        unknown[~allowed] = 0
    new = collect_answers(unknown, holdout.unknown, yes, kind)
    nearest = holdout.labelled.similarities[:, 0]
    far = holdout.unknown.similarities[:, 0] < np.quantile(nearest, 0.01)
    keep = [
        k
        for k, (i, c) in enumerate(zip(new.image, new.label, strict=True))
        if not far[i] and unknown[i, c] > 0
    ]
    score, own, asked = calibrate(seen.features, correct, groups, new.features[keep])
    order = sorted(range(len(score)), key=lambda k: -score[k])
    effect = design_effect(correct - score, groups)
    contradicted = (
        correct[order], backed[order], effect, {"single": 0.01, "multi": 0.03}[kind], confidence
    )  # fmt: skip
    noise = estimate_noise(*contradicted)
    first = sorted(range(len(keep)), key=lambda k: -asked[k])
    lower = foresee_precision(
        seen.features, correct, groups, new.features[keep][first], effect=effect,
        noise=estimate_noise(*contradicted, surely=confidence), confidence=confidence,
    )  # fmt: skip
    numbers = {"noise": noise, "precision": np.nan, "bound": np.nan}
    limits, bounds = np.full(3, np.inf), np.full(3, np.nan)
    cut = None
    for place, k in enumerate(first):
        is_last_of_its_score = place == len(first) - 1 or asked[first[place + 1]] != asked[k]
        as_sure = [one for one in order if own[one] >= asked[k]]
        share = min(np.mean(correct[as_sure]) / (1 - noise), 1) if as_sure else np.nan
        if is_last_of_its_score and lower[place] >= precision and share >= precision:
            cut, measured = place, share
    if cut is None:
        return [], limits, bounds, numbers
    numbers |= {"precision": measured, "bound": lower[cut]}
    limits[:] = asked[first[cut]]
    for column in range(3):
        hits, n, kept, last, best = 0.0, 0, None, None, np.nan
        for k in sorted(range(len(own)), key=lambda k: -own[k]):
            if pairs[k][1] != column or own[k] < asked[first[cut]]:
                continue
            hits, n, last = hits + correct[k] / (1 - noise), n + 1, k
            if (hits + 10 * precision) / (n + 10) >= precision - 0.05:
                kept, best = k, clopper_pearson_lower([min(hits, n)], [n])[0]
        if last is not None and kept != last:
            limits[column] = np.inf if kept is None else own[kept]
        bounds[column] = best
    chosen = [k for k in range(len(keep)) if asked[k] >= limits[new.label[keep[k]]]]
    chosen.sort(key=lambda k: -asked[k])
    filled = [
        (new.image[keep[k]], new.label[keep[k]], min(asked[k] / (1 - noise), 1)) for k in chosen
    ]
    finite = np.isfinite(limits)
    limits[finite] = np.minimum(limits[finite] / (1 - noise), 1)
    return filled, limits, bounds, numbers


def assert_as_by_hand(world, precision, **settings):
    plan = world.plan(precision, **settings)
    filled, limits, bounds, numbers = plan_by_hand(world, precision, **settings)
    assert [(int(i), int(c)) for i, c, _ in filled] == list(
        zip(plan.image.tolist(), plan.label.tolist(), strict=True)
    )
    np.testing.assert_allclose(plan.probability, [p for _, _, p in filled])
    np.testing.assert_allclose(plan.thresholds, limits)
    np.testing.assert_allclose(plan.class_bounds, bounds)
    found = {"noise": plan.noise, "precision": plan.precision, "bound": plan.bound}
    assert found == pytest.approx(numbers, nan_ok=True)
    return plan


@pytest.mark.parametrize("kind", ["single", "multi"])
@pytest.mark.parametrize("seed", [2, 5])
@pytest.mark.parametrize("noise", [0.0, 0.15])
def test_what_is_filled_is_what_a_plain_loop_fills(kind, seed, noise):
    world = World(seed, noise=noise, kind=kind)
    sizes = [len(assert_as_by_hand(world, asked).image) for asked in (0.75, 0.85, 0.95)]
    assert sizes[0] >= sizes[1] > sizes[2]
    plan = world.plan()
    assert (plan.noise > 0) == (noise > 0)
    assert plan.promised == 0.85
    assert plan.bound >= 0.85
    assert not plan.on_confirmed
    assert plan.is_matched == world.holdout.is_matched


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_a_weak_class_is_cut_by_itself(kind):
    world = World(2, n=400, weak=2, kind=kind)
    plan = assert_as_by_hand(world, 0.6)
    assert plan.thresholds[2] > plan.thresholds[0] == plan.thresholds[1]
    noisy = assert_as_by_hand(World(5, n=400, weak=1, kind=kind, noise=0.2), 0.5)
    assert noisy.noise > 0


def alike(correct, groups, n_classes=2, said=None):
    """Return labels, probabilities and a hold-out in which all answers have the same evidence."""
    n = len(correct)
    said = np.zeros(n, int) if said is None else said
    held = np.full((n + 1, n_classes), 0.05 / (n_classes - 1))
    held[np.arange(n), said] = 0.95
    held[n] = np.nan
    Y = np.zeros((n + 1, n_classes), np.float32)
    Y[np.arange(n), np.where(correct, said, (said + 1) % n_classes)] = 1
    Y[n] = 1  # everybody's neighbour, which has all labels
    near = Neighbors(np.full((n + 1, 2), n), np.full((n + 1, 2), 0.9, np.float32))
    unknown = near.take(np.zeros(20, int))
    return Y, held, HoldOut(np.append(groups, -1), np.arange(n + 1), near, near, unknown, True)


def test_a_class_without_a_right_answer_is_left_out():
    said = np.repeat([0, 1], [120, 8])
    Y, held, holdout = alike(said == 0, np.arange(128), said=said)
    new = np.array([[0.95, 0.05]] * 15 + [[0.05, 0.95]] * 5)
    plan = plan_fill(Y, held, new, holdout, kind="single", precision=0.8)
    assert plan.image.tolist() == list(range(15))
    assert np.isinf(plan.thresholds[1])
    assert plan.thresholds[0] < 1
    assert np.isnan(plan.class_bounds[1])
    assert plan.class_bounds[0] == pytest.approx(0.05 ** (1 / 120))


def test_a_class_may_keep_its_surest_answer_alone():
    said = np.repeat([0, 1], [200, 8])
    correct = (said == 0) | (np.arange(208) == 200)
    Y, held, holdout = alike(correct, np.arange(208), said=said)
    held[200] = [0.02, 0.98]
    new = np.array([[0.95, 0.05]] * 16 + [[0.02, 0.98], [0.05, 0.95]] * 2)
    plan = plan_fill(Y, held, new, holdout, kind="single", precision=0.85)
    assert plan.thresholds[0] < plan.thresholds[1] < 1
    assert plan.class_bounds[1] == pytest.approx(0.05)  # 1 of 1


def test_denied_labels_images_without_a_prediction_and_confirmed_ones():
    world = World(6)
    rng = np.random.default_rng(0)
    allowed = rng.random((120, 3)) < 0.6
    allowed[:10] = False
    plan = assert_as_by_hand(world, 0.8, allowed=allowed)
    assert allowed[plan.image, plan.label].all()
    world.held_out[::7] = np.nan
    world.held_out[3, 1] = np.nan
    missing = np.isnan(world.held_out).any(axis=1)
    assert assert_as_by_hand(world, 0.8).n_held_out == 240 - missing.sum()
    confirmed = rng.random(240) < 0.7
    sure = assert_as_by_hand(world, 0.75, confirmed=confirmed)
    assert sure.on_confirmed
    assert sure.n_held_out == (confirmed & ~missing).sum()
    assert sure.n_groups == len(np.unique(world.holdout.groups[confirmed & ~missing]))
    assert_as_by_hand(world, 0.8, confidence=0.8)


def test_confirmed_labels_are_taken_as_right():
    world = World(8, noise=0.2)
    assert world.plan().noise > 0
    plan = assert_as_by_hand(world, 0.6, confirmed=np.ones(240, bool))
    assert plan.noise == 0
    assert len(plan.image)


def test_the_promise_counts_how_few_labels_it_is_for():
    """Of the same kind of images, few unlabelled ones can be promised less than many."""
    world = World(2, n_unknown=400)
    many = world.plan(0.85)
    few = World(2, n_unknown=400)
    few.unknown = few.unknown[:12]
    unknown = few.holdout.unknown.take(np.arange(12))
    few.holdout = HoldOut(
        few.holdout.groups, few.holdout.measured, few.holdout.labelled, few.holdout.open,
        unknown, few.holdout.is_matched,
    )  # fmt: skip
    assert len(many.image) > 100
    assert len(few.plan(0.85).image) == 0
    plan = few.plan(0.7)
    assert 0 < len(plan.image) <= 12
    assert plan.bound < many.bound


def far_away(world, rows):
    """Return the world with some unlabelled images moved away from every label."""
    similarity = world.holdout.unknown.similarities.copy()
    similarity[rows] -= 1.5
    h = world.holdout
    unknown = Neighbors(h.unknown.indices, similarity)
    world.holdout = HoldOut(h.groups, h.measured, h.labelled, h.open, unknown, h.is_matched)
    return world


def test_images_out_of_distribution_are_left_alone_and_change_no_other():
    near = World(2).plan()
    rows = near.image[:6]
    moved = far_away(World(2), rows)
    plan = assert_as_by_hand(moved, 0.85)
    assert plan.n_out_of_distribution == near.n_out_of_distribution + 6
    assert not np.isin(plan.image, rows).any()
    kept = ~np.isin(near.image, rows)
    assert set(plan.image.tolist()) <= set(near.image[kept].tolist())
    assert len(plan.image) >= 0.8 * kept.sum()


def test_with_few_answers_or_one_group_nothing_is_promised():
    def small(n, n_groups):
        Y, held, holdout = alike(np.ones(n, bool), np.arange(n) % n_groups)
        new = np.tile([0.95, 0.05], (20, 1))
        return plan_fill(Y, held, new, holdout, kind="single", precision=0.1)

    assert len(small(10, 10).image) == 20
    assert small(10, 10).thresholds[1] == small(10, 10).thresholds[0] < 1
    assert len(small(9, 9).image) == 0
    assert len(small(20, 1).image) == 0
    assert len(small(20, 2).image) == 20
    none = small(9, 3)
    assert (none.n_held_out, none.n_groups, none.noise) == (9, 3, 0)
    assert np.isnan([none.precision, none.bound, *none.class_bounds]).all()
    assert np.isinf(none.thresholds).all()


def test_a_bound_that_is_not_reached_still_tells_the_noise():
    world = World(8, n=600, noise=0.15)
    plan = assert_as_by_hand(world, 0.9999)
    assert len(plan.image) == 0
    assert np.isnan(plan.bound)
    assert plan.noise > 0
    assert np.isinf(plan.thresholds).all()


def test_without_measured_images_everything_is_out_of_distribution():
    empty = Neighbors(np.zeros((0, 2), int), np.zeros((0, 2), np.float32))
    near = Neighbors(np.zeros((3, 2), int), np.full((3, 2), 0.9, np.float32))
    holdout = HoldOut(np.arange(2), np.zeros(0, int), empty, empty, near, True)
    half = np.full((2, 2), 0.5)
    plan = plan_fill(np.eye(2), half, np.full((3, 2), 0.5), holdout, kind="single", precision=0.5)
    assert plan.n_out_of_distribution == 3
    assert (plan.n_held_out, len(plan.image)) == (0, 0)


def test_plain_lists_do_as_well():
    world, said = World(2), World(2)
    said.Y, said.held_out, said.unknown = (
        part.tolist() for part in (world.Y, world.held_out, world.unknown)
    )
    assert said.plan().image.tolist() == world.plan().image.tolist()


@pytest.mark.parametrize("order_of", ["images", "classes"])
def test_the_order_of_images_and_classes_does_not_matter(order_of):
    world, moved = World(10), World(10)
    plan = world.plan()
    if order_of == "classes":
        turn = np.array([2, 0, 1])
        moved.Y, moved.held_out, moved.unknown = (
            part[:, turn] for part in (world.Y, world.held_out, world.unknown)
        )
        same = moved.plan()
        assert turn[same.label].tolist() == plan.label.tolist()
        assert same.image.tolist() == plan.image.tolist()
        return
    order = np.random.default_rng(0).permutation(120)
    moved.unknown = world.unknown[order]
    h = world.holdout
    moved.holdout = HoldOut(
        h.groups, h.measured, h.labelled, h.open, h.unknown.take(order), h.is_matched
    )
    same = moved.plan()
    assert order[same.image].tolist() == plan.image.tolist()
    assert np.array_equal(same.thresholds, plan.thresholds)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"precision": 0.0}, "precision between 0 and 1, got 0.0"),
        ({"precision": 1.0}, "precision between 0 and 1, got 1.0"),
        ({"confidence": 1.0}, "confidence between 0 and 1, got 1.0"),
        ({"confidence": 0.0}, "confidence"),
        ({"held_out": np.zeros((239, 3))}, r"shape \(240, 3\)"),
        ({"unknown": np.zeros((120, 2))}, r"\(120, 2\)"),
        ({"Y": np.zeros(240)}, "shape"),
    ],
)
def test_bad_numbers_and_shapes_are_refused(change, message):
    world = World(0)
    arrays = {"Y": world.Y, "held_out": world.held_out, "unknown": world.unknown}
    settings = {"precision": 0.8} | {k: v for k, v in change.items() if k not in arrays}
    arrays |= {k: v for k, v in change.items() if k in arrays}
    with pytest.raises(InvalidValue, match=message):
        plan_fill(*arrays.values(), world.holdout, kind="single", **settings)


class RecordingHead:
    """A head that keeps what it was trained on, and says of each image its row."""

    def fit(self, X, Y, groups, on_update):
        self.X, self.Y, self.groups, self.on_update = X, Y, groups, on_update
        rows = np.arange(len(X), dtype=np.float32)[:, None] / len(X)
        self.oob_proba_ = np.hstack([rows, -rows])
        self.ensemble_proba_ = np.hstack([rows + 2, -rows])
        return self


def test_evidence_is_held_out_by_group_and_filled_where_no_label_is():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 5))
    Y = np.full((40, 2), np.nan)
    labelled = np.arange(40) % 4 < 3
    Y[labelled, rng.integers(0, 2, labelled.sum())] = 1
    Y[3] = [0, np.nan]  # a denied label makes no labelled image
    groups = np.arange(40) // 2
    head, said = RecordingHead(), []
    evidence = gather_evidence(
        X, Y, kind="multi", head=head, groups=groups, seed=3, on_update=lambda *n: said.append(n)
    )
    lists = gather_evidence(X.tolist(), Y.tolist(), kind="multi", head=RecordingHead())
    assert np.array_equal(lists.Y, evidence.Y, equal_nan=True)
    assert evidence.labelled.tolist() == np.flatnonzero(labelled).tolist()
    assert evidence.unlabelled.tolist() == np.flatnonzero(~labelled).tolist()
    np.testing.assert_allclose(evidence.held_out[:, 0] * 40, evidence.labelled, atol=1e-4)
    np.testing.assert_allclose(evidence.unknown[:, 0] * 40 - 80, evidence.unlabelled, atol=1e-4)
    assert np.array_equal(evidence.Y, Y[labelled], equal_nan=True)
    assert evidence.allowed[0].tolist() == [False, True]
    assert evidence.allowed[1:].all()
    expected = match_holdout(X[labelled], X[~labelled], groups=groups[labelled], seed=3)
    assert np.array_equal(head.groups[labelled], expected.groups)
    assert np.array_equal(evidence.holdout.groups, expected.groups)
    alone = head.groups[~labelled]
    assert len(np.unique(alone)) == len(alone)
    assert not np.isin(alone, head.groups[labelled]).any()
    head.on_update(1, 2)
    assert said == [(1, 2)]
    with pytest.raises(InvalidValue, match=r"shape \(40, n_classes\), got \(39, 2\)"):
        gather_evidence(X, Y[:39], kind="multi", head=head)
    with pytest.raises(InvalidValue, match="got"):
        gather_evidence(X, Y[:, 0], kind="multi", head=head)
