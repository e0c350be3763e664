"""The noise models and the count of wrong labels: closed forms, oracles, planted rates."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, logit, softmax
from scipy.stats import beta

from vernis.core.labels import entry_noise, estimate
from vernis.core.labels.entry_noise import EntryNoise, join_chances, model_entries
from vernis.core.labels.estimate import (
    WrongCount,
    _believe_joint,
    _common_error,
    _common_rate,
    _confident_errors,
    _count_error,
    _count_given,
    _decreasing,
    _fit_common,
    _habits_of,
    _highest_sure,
    _most_to_read,
    _Predictions,
    _shift,
    _sure_contradictions,
    count_wrong,
    model_noise,
)
from vernis.domain.errors import InvalidValue

# ---------------------------------------------------------------------------- one label an image


def predicted(log_probs, given):
    """Return predictions of labelled images with these log-probabilities, however small."""
    found = _Predictions(np.exp(log_probs), np.arange(len(given)), given)
    found._parts, found._held = [slice(0, len(given))], {0: log_probs}
    return found


def count_habits(truth, given):
    return _habits_of(_count_given(truth, given), truth[np.arange(len(given)), given].mean())


def one_each(n=600, k=4, rate=0.15, sharp=1.5, seed=0):
    """Return the probabilities of the given label, the truth and labels random at a rate."""
    rng = np.random.default_rng(seed)
    prior = softmax(sharp * rng.normal(size=(n, k)) * 2, axis=1)
    truth = (rng.random((n, 1)) > prior.cumsum(axis=1)).sum(axis=1)
    share = np.bincount(truth, minlength=k) / n
    given = np.where(rng.random(n) < rate, rng.choice(k, n, p=share), truth)
    return prior ** (1 / sharp) / (prior ** (1 / sharp)).sum(axis=1, keepdims=True), truth, given


def test_the_common_rate_and_exponent_are_those_that_were_planted():
    flat, _, given = one_each(n=20_000)
    slope, transition = _fit_common(predicted(np.log(flat), given))
    share = np.bincount(given) / len(given)
    assert slope == pytest.approx(1.5, abs=0.1)
    rate = 1 - (transition[0, 0] - transition[1, 0])
    assert rate == pytest.approx(0.15, abs=0.03)
    np.testing.assert_allclose(transition, rate * share + (1 - rate) * np.eye(4), atol=1e-9)
    clean, _, right = one_each(n=20_000, rate=0.0)
    assert 1 - np.ptp(_fit_common(predicted(np.log(clean), right))[1][:, 0]) < 0.02


def test_the_common_rate_is_of_greatest_likelihood_within_its_bounds():
    for seed in range(4):
        flat, _, given = one_each(seed=seed, rate=0.3)
        slope, transition = _fit_common(predicted(np.log(flat), given))
        share, rows = np.bincount(given) / len(given), np.arange(len(given))
        rate = 1 - np.ptp(transition[:, 0])

        def likelihood(log_slope, rate, flat=flat, given=given, share=share, rows=rows):
            own = softmax(np.exp(log_slope) * np.log(flat), axis=1)[rows, given]
            return np.log((1 - rate) * own + rate * share[given]).mean()

        best = likelihood(np.log(slope), rate)
        for step in (-0.05, 0.05):
            assert best >= likelihood(np.log(slope) + step, rate) - 1e-6
            assert best >= likelihood(np.log(slope), rate + step) - 1e-6


@pytest.mark.parametrize(("sharpness", "limit"), [(0.02, 1.4), (60.0, -0.7)])
def test_the_exponent_stays_within_a_factor_of_four_or_is_drawn_back(sharpness, limit):
    flat, _, given = one_each(n=4000, rate=0.0, sharp=1.0)
    bent = np.log(flat) * sharpness
    slope = _fit_common(predicted(bent - bent.mean(axis=1, keepdims=True), given))[0]
    # log of the exponent: 0.35 ± 1.05 costs nothing, beyond it a nat for each e
    assert np.log(slope) == pytest.approx(limit, abs=0.25)


def confident_errors_by_hand(p, given):
    """Return the errors that the confident joint counts, scaled to each class's images."""
    k = p.shape[1]
    threshold = [p[given == c, c].mean() if (given == c).any() else np.inf for c in range(k)]
    joint = np.zeros((k, k))
    for row, own in zip(p, given, strict=True):
        sure = [c for c in range(k) if row[c] >= threshold[c]]
        if sure:
            joint[own, max(sure, key=lambda c: row[c])] += 1
    return sum(
        (given == c).sum() * (1 - joint[c, c] / joint[c].sum()) for c in range(k) if joint[c].sum()
    )


@pytest.mark.parametrize("seed", range(4))
def test_the_confident_joint_counts_what_a_plain_loop_does(seed):
    p, _, given = one_each(n=80, k=5, seed=seed)
    given[given == 3] = 1  # a class that nobody is given
    assert _confident_errors(predicted(np.log(p), given)) == pytest.approx(
        confident_errors_by_hand(p, given)
    )
    lonely = np.array([[0.9, 0.1], [0.2, 0.8]])
    assert _confident_errors(predicted(np.log(lonely), np.array([0, 1]))) == 0


def test_chances_are_shifted_by_the_errors_on_hard_pictures():
    chance = np.array([0.9, 0.3, 0.1, 0.05])
    for hard, most, error in ((0.5, 1.0, 0.1), (0.0, 0.0, 0.0), (2.0, 2.5, 0.4)):
        shifted, spread = _shift(chance, 1.4, (hard, most), error)
        target = 1.4 + hard
        assert shifted.sum() == pytest.approx(target)
        moved = logit(shifted) - logit(chance)
        assert moved == pytest.approx(np.full(4, moved[0]))
        allowed = 2 * error + 1.5 + 0.03 * 1.4
        low, high = max(0, 1.4 - allowed) / target, (1.4 + most + allowed) / target
        assert spread == pytest.approx((min(low, 1), max(high, 1)))
    assert _shift(chance, 1.35, (1e9, 1e9), 0.0)[0].sum() == pytest.approx(4)


def test_the_joint_is_believed_the_more_the_more_is_wrong_for_sure():
    def believe(excess, highest, n_labels=10_000, images_a_class=1e9):
        found = _believe_joint(excess, highest, n_labels=n_labels, images_a_class=images_a_class)
        return pytest.approx(found)

    # 7 times a share of 5 % and the cube root of 0.8 % is 0.07; 2.6 times that at most
    assert believe(500, 80) == (0.07 * 500, 0.182 * 500)
    assert believe(500, 80, images_a_class=100) == (0.035 * 500, 0.091 * 500)
    # never more than 1.5 and 5 for one that is sure, nor more than the joint sees
    assert believe(4000, 10) == (15, 50)
    assert believe(3000, 4000) == (3000, 3000)
    assert believe(-20, 80) == (0, 0)


def test_what_contradicts_the_surest_predictions_of_a_class_counts_at_its_lower_end():
    surer = np.linspace(0, 0.05, 400)[:, None] * [1, -1]
    p = np.tile([[0.9, 0.1], [0.2, 0.8]], (200, 1)) + surer
    given = p.argmax(axis=1)
    assert _sure_contradictions(predicted(np.log(p), given)) == pytest.approx(0, abs=1e-9)
    surest = np.flatnonzero(given == 0)[-20:]
    given[surest[:12]] = 1
    # the interval of 12 in 20, three deviations wide, begins at 0.2943
    assert _sure_contradictions(predicted(np.log(p), given)) == pytest.approx(
        200 * 0.2943, rel=1e-3
    )
    # of 90 images nine are too few to tell
    few = np.r_[surest, np.flatnonzero(given == 0)[:70], np.flatnonzero(p[:, 1] > 0.5)[:90]]
    assert _sure_contradictions(predicted(np.log(p[few]), given[few])) == 0
    given[surest[:12]] = 0
    given[np.flatnonzero(given == 0)[:100]] = 1
    assert _sure_contradictions(predicted(np.log(p), given)) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("rate", [0.03, 0.15])
def test_the_error_of_the_count_is_how_it_varies_from_sample_to_sample(rate):
    counts, errors = [], []
    for seed in range(60):
        p, _, given = one_each(n=1000, rate=rate, seed=seed)
        p, index = p / p.sum(axis=1, keepdims=True), np.arange(1000)
        slope, transition = _fit_common(predicted(np.log(p), given))
        truth = softmax(slope * np.log(p), axis=1)
        joint = truth * transition[:, given].T
        counts.append(1000 - (joint[index, given] / joint.sum(axis=1)).sum())
        errors.append(_count_error(predicted(np.log(p), given), slope, _common_error(transition)))
    # the truth varies as well, and the fit meets the border of no errors at all
    assert 0.5 < np.std(counts) / np.mean(errors) < 1.6


def test_habits_are_counts_drawn_towards_the_common_rate():
    truth = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.5, 0.5, 0.0]])
    given = np.array([0, 1, 1])
    rate = 1 - (0.9 + 0.8 + 0.5) / 3
    expected = 20 * np.where(np.eye(3) == 1, 1 - rate, rate / 2)
    for row in range(3):
        expected[:, given[row]] += truth[row]
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(count_habits(truth, given), expected)
    certain = count_habits(np.eye(2), np.arange(2))
    assert certain[0, 1] == pytest.approx(20 * 1e-3 / 21)
    wrong = count_habits(np.eye(2)[::-1], np.arange(2))
    assert wrong[0, 1] == pytest.approx((20 * 0.9 + 1) / 21)
    assert _common_rate(0.3, 1).tolist() == [[1.0]]
    np.testing.assert_allclose(_common_rate(0.3, 3)[0], [0.7, 0.15, 0.15])


def test_blocks_of_images_give_what_all_at_once_do(monkeypatch):
    p, _, given = one_each(n=300)
    given[:20] = -1
    whole = model_noise(given, p)
    monkeypatch.setattr(estimate, "_ROWS", 64)
    for held in (estimate._HELD, 0):
        monkeypatch.setattr(estimate, "_HELD", held)
        model = model_noise(given, p)
        for name in ("truth", "wrong", "image_wrong", "transition"):
            np.testing.assert_allclose(getattr(model, name), getattr(whole, name), atol=1e-6)
        assert model.spread == pytest.approx(whole.spread, rel=1e-4)


def model_single_by_hand(p, given):
    """Join the pieces image by image."""
    n, k = p.shape
    rows = np.flatnonzero(given >= 0)
    p = p / p.sum(axis=1, keepdims=True)
    slope, transition = _fit_common(predicted(np.log(p[rows]), given[rows]))
    prior = np.array([[row[c] ** slope for c in range(k)] for row in p])
    prior /= prior.sum(axis=1, keepdims=True)
    posterior = np.array(
        [prior[i] * transition[:, given[i]] if given[i] >= 0 else prior[i] for i in range(n)]
    )
    posterior /= posterior.sum(axis=1, keepdims=True)
    chance = np.array([1 - posterior[i, given[i]] for i in rows])
    m = len(rows) / len(set(given[rows].tolist()))
    joint = confident_errors_by_hand(p[rows], given[rows])
    own = np.array([prior[i, given[i]] for i in rows])
    highest = _highest_sure(chance, own, given[rows], transition)
    sure = max(
        chance.sum(), min(joint, _sure_contradictions(predicted(np.log(p[rows]), given[rows])))
    )
    highest = max(highest, sure)
    hard = _believe_joint(joint - sure, highest, n_labels=len(rows), images_a_class=m)
    rate = 1 - np.ptp(transition[:, 0])
    error = _count_error(predicted(np.log(p[rows]), given[rows]), slope, rate)
    shifted, spread = _shift(chance, sure, hard, error)
    truth = prior.copy()
    for i, wrong in zip(rows, shifted, strict=True):
        others = np.delete(posterior[i], given[i])
        truth[i] = np.insert(others / others.sum() * wrong, given[i], 1 - wrong)
    return truth, dict(zip(rows.tolist(), shifted.tolist(), strict=True)), spread


@pytest.mark.parametrize("seed", range(3))
def test_one_label_an_image_is_judged_as_by_hand(seed):
    p, _, given = one_each(n=300, seed=seed)
    given[:20] = -1
    model = model_noise(given, 3 * p / 10)
    truth, chances, spread = model_single_by_hand(p, given)
    np.testing.assert_allclose(model.truth, truth, atol=1e-4)
    assert np.isnan(model.image_wrong[:20]).all()
    assert np.isnan(model.wrong[:20]).all()
    np.testing.assert_allclose(model.image_wrong[20:], list(chances.values()), atol=1e-4)
    for i in range(20, 300):
        own = np.arange(4) == given[i]
        np.testing.assert_allclose(model.wrong[i, own], 1 - truth[i, own], atol=1e-4)
        np.testing.assert_allclose(model.wrong[i, ~own], truth[i, ~own], atol=1e-4)
    assert model.spread == pytest.approx(spread)
    np.testing.assert_allclose(model.transition, count_habits(truth[20:], given[20:]), atol=1e-4)


def test_the_count_of_wrong_labels_holds_the_truth():
    inside = 0
    for seed in range(8):
        p, truth, given = one_each(n=1500, rate=0.1, seed=10 + seed)
        model = model_noise(given, p)
        found = count_wrong(model.image_wrong, 1 - model.image_wrong, spread=model.spread)
        inside += found.low <= (truth != given).sum() <= found.high
    assert inside >= 7


def hard_and_easy(n, k, rate, seed):
    """Return probabilities of a weak model that knows its doubts, the truth and labels."""
    rng = np.random.default_rng(seed)
    sharp = np.where(rng.random(n) < 0.7, 9.0, 1.5)[:, None]
    p = softmax(sharp * rng.normal(size=(n, k)), axis=1)
    truth = (rng.random((n, 1)) > p.cumsum(axis=1)).sum(axis=1).clip(0, k - 1)
    wrong = rng.choice(n, round(rate * n), replace=False)
    given = truth.copy()
    given[wrong] = (truth[wrong] + rng.integers(1, k, len(wrong))) % k
    # a model that has learned the errors as well is less sure
    flat = p ** (1 / (1 + 2 * rate))
    return flat / flat.sum(axis=1, keepdims=True), truth, given


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.03, 0.1, 0.4])
def test_the_count_is_right_for_errors_that_are_no_doubts_of_the_model(rate):
    found, planted = [], []
    for seed in range(6):
        p, truth, given = hard_and_easy(3000, 8, rate, seed)
        model = model_noise(given, p)
        score = p[np.arange(len(p)), given]
        found.append(count_wrong(model.image_wrong, score, spread=model.spread))
        planted.append(int((truth != given).sum()))
    mean = np.mean([one.count for one in found])
    assert abs(mean - planted[0]) <= max(0.3 * planted[0], 20)
    held = [one.low <= n <= one.high for one, n in zip(found, planted, strict=True)]
    assert sum(held) >= 5
    if rate < 0.03:
        assert all(one.n_worth_reading <= max(0.02 * 3000, planted[0]) for one in found)


def test_the_order_of_classes_and_images_does_not_matter():
    p, _, given = one_each(n=300)
    turn, order = np.array([2, 0, 3, 1]), np.random.default_rng(0).permutation(300)
    model = model_noise(given, p)
    turned = model_noise(np.argsort(turn)[given], p[:, turn])
    np.testing.assert_allclose(turned.image_wrong, model.image_wrong, atol=2e-3)
    np.testing.assert_allclose(turned.truth, model.truth[:, turn], atol=2e-3)
    moved = model_noise(given[order], p[order])
    np.testing.assert_allclose(moved.image_wrong, model.image_wrong[order], atol=2e-3)


def test_models_need_one_known_label_of_the_right_shape():
    with pytest.raises(InvalidValue, match="one known label, got none"):
        model_noise(np.array([-1, -1]), np.full((2, 2), 0.5))
    with pytest.raises(InvalidValue, match=r"shape \(2, 3\), got \(2, 2\)"):
        model_noise(np.zeros((2, 2)), np.full((2, 3), 0.5))


# ---------------------------------------------------------------------------- the count


def test_counts_with_their_interval_by_hand():
    chance = np.array([0.9, 0.5, np.nan, 0.2, 0.1])
    score = np.array([0.1, 0.3, 0.0, 0.8, np.nan])
    found = count_wrong(chance, score, spread=(0.5, 2.0))
    own = 1.96 * np.sqrt(0.09 + 0.25 + 0.16)
    assert (found.count, found.n_labelled) == (pytest.approx(1.6), 3)
    assert found.low == pytest.approx(max(0, 1.6 - np.hypot(0.8, own)))
    assert found.high == pytest.approx(min(3, 1.6 + np.hypot(1.6, own)))
    assert (found.n_worth_reading, found.found) == (2, pytest.approx(1.4))
    many = np.tile([0.9, 0.1], 200)
    wide = count_wrong(many, 1 - many, spread=(0.7, 1.2))
    own = 1.96 * np.sqrt(400 * 0.09)
    assert wide.low == pytest.approx(200 - np.hypot(60, own))
    assert wide.high == pytest.approx(200 + np.hypot(40, own))
    narrow = count_wrong(many, 1 - many)
    assert (narrow.low, narrow.high) == (pytest.approx(200 - own), pytest.approx(200 + own))


def test_entries_are_counted_where_there_are_several():
    entries = np.array([[0.6, 0.5, np.nan], [0.1, 0.0, 0.2], [np.nan] * 3])
    found = count_wrong(
        np.array([0.6, 0.2, np.nan]), np.array([0.2, 0.9, np.nan]), labels_wrong=entries
    )
    assert (found.count, found.n_labelled) == (pytest.approx(1.4), 2)
    assert (found.n_worth_reading, found.found) == (1, pytest.approx(1.1))
    assert found.high <= 6
    certain = np.ones((2, 3))
    assert count_wrong(np.ones(2), np.zeros(2), labels_wrong=certain).high == 6


def test_reading_pays_down_to_the_named_share_of_a_smoothed_ranking():
    chance = np.array([0.1, 0.9, 0.6, 0.2, 0.31, 0.24])
    many, score = np.repeat(chance, 100), np.arange(600) / 1000
    # pooled from the top: 0.1 and 0.9 and 0.6 make 0.533, 0.2 and 0.31 make 0.255
    assert count_wrong(many, score).n_worth_reading == 500
    assert count_wrong(many, score, min_yield=0.26).n_worth_reading == 300
    assert count_wrong(many, score, min_yield=0.2).n_worth_reading == 600
    assert count_wrong(many, score, min_yield=0.54).n_worth_reading == 0
    np.testing.assert_allclose(_decreasing(chance), [1.6 / 3, 1.6 / 3, 1.6 / 3, 0.255, 0.255, 0.24])
    for bad in (0, 1):
        with pytest.raises(InvalidValue, match="between 0 and 1"):
            count_wrong(many, score, min_yield=bad)


def test_in_nearly_clean_labels_no_more_are_flagged_than_are_surely_wrong():
    # 2 % of all, or as many as are wrong for sure
    assert _most_to_read(5.0, 30.0, 1000, 0.25) == 20
    assert _most_to_read(28.0, 39.0, 1000, 0.25) == 28
    assert _most_to_read(28.0, 50.0, 1000, 0.25) == 28 + 100
    assert _most_to_read(0.0, 1.0, 40, 0.25) == 3
    # who reads at a lower yield reads on, at a higher one no less
    assert _most_to_read(28.0, 39.0, 1000, 0.05) == 140
    assert _most_to_read(28.0, 39.0, 1000, 0.5) == 28
    doubtful = np.concatenate([np.full(100, 0.3), np.full(4900, 0.001)])
    score = np.arange(5000) / 5000
    assert count_wrong(doubtful, score).n_worth_reading == 100
    assert count_wrong(np.roll(doubtful, 0)[:2000], score[:2000]).n_worth_reading == 40


def test_a_count_lies_in_its_interval_or_is_refused():
    with pytest.raises(InvalidValue, match="low ≤ count ≤ high"):
        WrongCount(1.0, 1.5, 2.0, 3, 1, 0.5)
    with pytest.raises(InvalidValue, match="low ≤ count ≤ high"):
        WrongCount(1.0, -0.5, 2.0, 3, 1, 0.5)
    with pytest.raises(InvalidValue, match="low ≤ count ≤ high"):
        WrongCount(3.0, 0.5, 2.0, 3, 1, 0.5)
    assert WrongCount(1.0, 1.0, 1.0, 3, 1, 0.5).low == 1


# ---------------------------------------------------------------------------- several labels


def loss_by_hand(t, position, yes, rates, unsure):
    """Return the penalized loss of a class at the logits of 2a and 2b, offset, log slope."""
    a, b = expit(t[0]) / 2, expit(t[1]) / 2
    q = expit(t[2] + np.exp(t[3]) * position)
    p = a + (1 - a - b) * q
    mean = q.mean()
    false = a * (1 - mean) / (a * (1 - mean) + (1 - b) * mean)

    def log_beta(share, centre):
        return beta.logpdf(share, 10 * centre + 1, 10 * (1 - centre) + 1) - beta.logpdf(
            centre, 10 * centre + 1, 10 * (1 - centre) + 1
        )

    def peak(centre):
        return centre * np.log(centre) + (1 - centre) * np.log(1 - centre)

    extra = log_beta(false, rates[0]) + 10 * peak(rates[0])
    missed = log_beta(b, rates[1]) + 10 * peak(rates[1])
    likelihood = np.where(yes, np.log(p), np.log(1 - p)).sum()
    return ((t[3] - 1) ** 2 / 2 - likelihood - extra - unsure * missed) / len(yes)


@pytest.mark.parametrize("seed", range(4))
def test_the_loss_of_a_class_is_its_penalized_likelihood(seed):
    rng = np.random.default_rng(seed)
    position, yes = rng.normal(size=50), rng.random(50) < 0.4
    data = entry_noise._bin(position, yes.astype(float))
    t = rng.uniform([-6, -6, -4, -1], [2, 0.8, 4, 2])
    found = entry_noise._penalized_loss(t, data, (0.1, 0.2), 1.7)[0]
    assert found == pytest.approx(loss_by_hand(t, position, yes, (0.1, 0.2), 1.7))


def test_bins_hold_all_entries_in_their_order():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=950), (rng.random(950) < 0.3).astype(float)
    bins = entry_noise._bin(x, y)
    assert len(bins.total) == 200
    assert set(bins.total.tolist()) == {4.0, 5.0}
    assert (bins.total.sum(), bins.yes.sum()) == (950, y.sum())
    assert (np.diff(bins.position) > 0).all()
    order = np.argsort(x)
    assert bins.position[0] == pytest.approx(x[order[:4]].mean())
    assert bins.yes[0] == y[order[:4]].sum()
    assert bins.position @ bins.total == pytest.approx(x.sum())
    few = entry_noise._bin(x[:3], y[:3])
    assert few.position.tolist() == pytest.approx(sorted(x[:3]))
    assert entry_noise._bin(x[:0], y[:0]).total.tolist() == [0]


def test_a_class_is_fitted_at_the_least_loss():
    rng = np.random.default_rng(1)
    position = rng.normal(size=400)
    true = rng.random(400) < expit(3 * position - 1)
    yes = true ^ (rng.random(400) < np.where(true, 0.15, 0.04))
    data = entry_noise._bin(position, yes.astype(float))
    a, b, offset, slope = entry_noise._fit(data, (0.1, 0.1), 1.3, None)
    at = np.array([logit(2 * a), logit(2 * b), offset, np.log(slope)])
    least = entry_noise._penalized_loss(at, data, (0.1, 0.1), 1.3)[0]
    for start in rng.uniform([-6, -6, -3, -1], [1, 0.8, 3, 2], (6, 4)):
        other = minimize(
            lambda t: entry_noise._penalized_loss(t, data, (0.1, 0.1), 1.3)[0],
            start, method="Nelder-Mead", options={"maxiter": 3000},
        )  # fmt: skip
        assert least <= other.fun + 1e-5
    near = entry_noise._fit(data, (0.1, 0.1), 1.3, np.array([a, b, offset, slope]))
    assert near == pytest.approx([a, b, offset, slope], abs=0.02)


def model_entries_by_hand(y, probs):
    """Estimate class by class, from the fit of one class on."""
    k = y.shape[1]
    known = ~np.isnan(y)
    odds = logit(np.clip(probs, 1e-6, 1 - 1e-6))
    x = (odds - odds.mean(axis=0)) / odds.std(axis=0)
    data = [entry_noise._bin(x[known[:, c], c], y[known[:, c], c]) for c in range(k)]

    def judge(fits):
        q = np.stack([expit(o + s * x[:, c]) for c, (_, _, o, s) in enumerate(fits)], axis=1)
        wrong = np.full(y.shape, np.nan)
        for i, c in np.argwhere(known):
            a, b = fits[c][:2]
            yes = a * (1 - q[i, c]) + (1 - b) * q[i, c]
            wrong[i, c] = a * (1 - q[i, c]) / yes if y[i, c] else b * q[i, c] / (1 - yes)
        return q, wrong

    fits = [entry_noise._fit(d, (0.1, 0.1), 1.0, None) for d in data]
    q, wrong = judge(fits)
    extra = (wrong[y == 1].sum() + 5) / ((y == 1).sum() + 50)
    missed = (wrong[y == 0].sum() + 5) / (q[known].sum() + 50)
    rates = (min(max(extra, 0.005), 0.4), min(max(missed, 0.005), 0.4))
    unsure = [
        (q[known[:, c], c].sum() + 10) / (q[known[:, c] & (q[:, c] > 0.9), c].sum() + 10)
        for c in range(k)
    ]
    near = [entry_noise._fit(d, rates, unsure[c], fits[c]) for c, d in enumerate(data)]
    return near, *judge(near), data, unsure


def entries(n=250, seed=0):
    rng = np.random.default_rng(seed)
    chance = expit(rng.normal(-1, 3, (n, 3)))
    truth = rng.random((n, 3)) < chance
    flip = rng.random((n, 3)) < np.where(truth, [0.2, 0.02, 0.1], [0.02, 0.15, 0.05])
    y = (truth ^ flip).astype(float)
    y[rng.random((n, 3)) < 0.1] = np.nan
    return y, expit(0.6 * logit(chance))


@pytest.mark.parametrize("seed", [0, 1])
def test_entries_are_judged_as_class_by_class(seed):
    y, probs = entries(seed=seed)
    fits, q, wrong, data, unsure = model_entries_by_hand(y, probs)
    found = model_entries(y, probs)
    a, b = np.array([f[0] for f in fits]), np.array([f[1] for f in fits])
    np.testing.assert_allclose(found.false_yes, a, atol=1e-6)
    np.testing.assert_allclose(found.missed_yes, b, atol=1e-6)
    np.testing.assert_allclose(found.wrong, wrong, atol=1e-5)
    expected = np.where(np.isnan(y), q, np.where(y == 1, 1 - wrong, wrong))
    np.testing.assert_allclose(found.truth, expected, atol=1e-5)
    false = (a * (1 - q)).sum() / (1 - q).sum()
    missed = (b * q).sum() / q.sum()
    np.testing.assert_allclose(
        found.transition, [[1 - false, false], [missed, 1 - missed]], atol=1e-6
    )
    yes = a * (1 - q) + (1 - b) * q
    loss = -np.log(np.where(y == 1, yes, 1 - yes))[~np.isnan(y)].mean()
    assert found.loss == pytest.approx(loss, abs=1e-6)

    def recount(rate):
        moved = [entry_noise._fit(d, (rate, rate), unsure[c], fits[c]) for c, d in enumerate(data)]
        total = 0.0
        odds = logit(probs)
        x = (odds - odds.mean(axis=0)) / odds.std(axis=0)
        for i, c in np.argwhere(~np.isnan(y)):
            a, b, offset, slope = moved[c]
            t = expit(offset + slope * x[i, c])
            given = a * (1 - t) + (1 - b) * t
            total += a * (1 - t) / given if y[i, c] else b * t / (1 - given)
        return total

    few, many = recount(0.03), recount(0.25)
    assert found.recount(0.03) == pytest.approx(few, rel=1e-3)
    count = np.nansum(wrong)
    assert found.spread == pytest.approx((min(1, few / count), max(1, many / count)), rel=1e-3)
    assert found.spread[0] < 1 < found.spread[1]


def test_bounds_of_the_missed_share_and_of_extreme_predictions():
    y = np.zeros((300, 1))
    y[:30] = 1
    probs = np.full((300, 1), 0.5)
    probs[:30], probs[-1] = 1.0, 0.0
    found = model_entries(y, probs)
    assert np.isfinite(found.wrong).all()
    assert found.wrong[0, 0] < 0.02
    data = entry_noise._bin(np.linspace(-1, 1, 100), (np.arange(100) % 7 == 0).astype(float))
    missed = entry_noise._fit(data, (0.1, 0.49), 100.0, None)[1]
    assert missed == pytest.approx(0.35, abs=0.002)  # whatever the prior asks for
    nothing = model_entries(np.full((5, 2), np.nan), np.full((5, 2), 0.4))
    assert np.isnan(nothing.wrong).all()
    assert nothing.loss == 0


@pytest.mark.parametrize(
    ("counts", "spread"),
    [((1.5, 3.0), (1.0, 3.0)), ((0.2, 0.5), (0.2, 1.0)), ((0.5, 2.0), (0.5, 2.0))],
)
def test_the_spread_always_holds_the_count_itself(counts, spread):
    none = np.zeros((1, 1))
    by_rate = dict(zip((0.03, 0.25), counts, strict=True))
    noise = EntryNoise(none, none + 1, none, none, none, 0.0, by_rate.__getitem__)
    assert noise.spread == pytest.approx(spread)


def test_an_image_of_several_labels_is_as_wrong_as_its_worst_entry():
    y, probs = entries()
    y[0] = np.nan
    model, found = model_noise(y, probs), model_entries(y, probs)
    known = ~np.isnan(y).all(axis=1)
    assert np.array_equal(np.isfinite(model.image_wrong), known)
    worst = np.nanmax(found.wrong[known], axis=1)
    np.testing.assert_allclose(model.image_wrong[known], worst, atol=1e-4)
    np.testing.assert_allclose(model.truth, found.truth, atol=1e-4)
    np.testing.assert_allclose(model.transition, found.transition, atol=1e-5)
    assert model.spread == pytest.approx(found.spread, rel=1e-3)


def test_joined_chances_by_their_formula():
    wrong = np.random.default_rng(0).random((50, 4)) ** 3
    wrong[0] = [0.001, 0.002, 0.001, 0.0]
    wrong[1, 1:] = np.nan
    expected = np.prod(1 - 0.95 * np.nan_to_num(wrong), axis=1)
    np.testing.assert_allclose(join_chances(wrong), expected, atol=1e-12)
    assert (join_chances(np.full((1, 3), 0.5)) < join_chances(np.array([[0.5, 0, 0]]))).all()
