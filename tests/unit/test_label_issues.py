"""Label issues: scores, noise model, suggestions, witnesses, on small worlds with known truth."""

from __future__ import annotations

import numpy as np
import pytest

from vernis.core.labels.estimate import count_wrong, model_noise
from vernis.core.labels.issues import find_label_issues, find_supporting_neighbors
from vernis.core.labels.scores import LABEL_SCORERS, as_matrix, entry_quality, label_quality
from vernis.core.numeric.components import combine_blocks
from vernis.core.numeric.kernel_ridge import kernel_basis, leave_out_scores, predict_left_out
from vernis.domain.errors import InvalidValue


def clouds(n: int = 400, n_classes: int = 5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, n_classes, n)
    centres = rng.normal(size=(n_classes, 20)) * 2.0
    return (centres[truth] + rng.normal(size=(n, 20))).astype(np.float32), truth


def planted(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, truth = clouds(seed=seed)
    rng = np.random.default_rng(seed + 1)
    given = truth.copy()
    wrong = rng.permutation(len(truth))[:60]
    given[wrong] = (given[wrong] + rng.integers(1, 5, 60)) % 5
    return x, truth, given


def test_each_scorer_ranks_a_contradicted_label_last():
    probs = np.array([[0.9, 0.05, 0.05], [0.1, 0.8, 0.1], [0.05, 0.9, 0.05]])
    single = np.array([0, 1, 2])
    multi = as_matrix(single, 3)
    for scorer in LABEL_SCORERS:
        for labels in (single, multi):
            score = label_quality(labels, probs, scorer=scorer)
            assert score.argmin() == 2
            assert ((score >= 0) & (score <= 1)).all()


def test_moving_average_ends_with_the_worst_label_and_skips_unknown_ones():
    probs = np.array([[0.9, 0.4, 0.8], [0.9, 0.4, 0.2]])
    labels = np.array([[1, 0, 1], [1, np.nan, 0]])
    # by hand: 0.9, 0.8, 0.6 from the best to the worst; then 0.9, 0.8
    expected = [0.8 * 0.6 + 0.2 * (0.8 * 0.8 + 0.2 * 0.9), 0.8 * 0.8 + 0.2 * 0.9]
    assert label_quality(labels, probs, scorer="ema") == pytest.approx(expected)


def test_weighted_entropy_is_the_published_formula():
    probs = np.array([[0.7, 0.2, 0.1], [0.7, 0.2, 0.1]])
    entropy = -(0.7 * np.log(0.7) + 0.2 * np.log(0.2) + 0.1 * np.log(0.1)) / np.log(3)
    ratios = np.array([entropy / 0.7, entropy / 0.1])
    found = label_quality(np.array([0, 2]), probs, scorer="weighted_entropy")
    assert found == pytest.approx(np.log1p(ratios) / ratios, rel=1e-5)
    one = label_quality(np.array([[0.0]]), np.array([[0.5]]), scorer="weighted_entropy")
    assert one == pytest.approx(np.log1p(2) / 2)  # one bit of entropy over one half


def test_unknown_labels_have_no_score_and_do_not_count():
    probs = np.full((3, 2), 0.5)
    assert np.isnan(label_quality(np.array([0, -1, 1]), probs)).tolist() == [False, True, False]
    labels = np.array([[1, np.nan], [np.nan, np.nan], [0, 1]])
    assert np.isnan(label_quality(labels, probs)).tolist() == [False, True, False]
    assert np.isnan(entry_quality(labels, probs)).sum() == 3
    sure = np.array([[0.9, 0.0], [0.0, 0.0], [0.1, 0.9]])
    assert label_quality(labels, sure, scorer="mse")[0] == pytest.approx(0.99, abs=1e-6)


def test_bad_input_is_refused_with_expected_and_actual():
    with pytest.raises(InvalidValue, match=r"shape \(2, 3\)"):
        label_quality(np.zeros((2, 2)), np.zeros((2, 3)))
    with pytest.raises(InvalidValue, match=r"0\.\.1"):
        label_quality(np.array([0, 1]), np.array([[2.0, 0.0], [0.0, 1.0]]))
    with pytest.raises(InvalidValue, match="below 2"):
        label_quality(np.array([0, 2]), np.zeros((2, 2)))
    with pytest.raises(InvalidValue, match="scorer"):
        label_quality(np.array([0, 1]), np.eye(2), scorer="best")  # type: ignore[arg-type]


def test_leave_out_scores_equal_training_without_the_group():
    x, truth = clouds(60, 3)
    basis = kernel_basis(combine_blocks([x]), n_landmarks=100)
    targets = as_matrix(truth, 3)
    groups = np.arange(60)
    groups[[3, 4, 5]] = 3
    out = leave_out_scores(basis, targets, 0.5, groups)
    plain = leave_out_scores(basis, targets, 0.5)
    # An intercept is fitted by centring on the mean of all images, so the oracle solves the same
    # problem with an unpenalized constant column.
    phi = np.column_stack([basis.features, np.ones(60)]).astype(np.float64)
    for left_out, result in (([3, 4, 5], out), ([7], plain)):
        kept = np.setdiff1d(np.arange(60), left_out)
        penalty = 0.5 * np.eye(phi.shape[1])
        penalty[-1, -1] = 0.0
        a = phi[kept].T @ phi[kept] + penalty
        oracle = phi[left_out] @ np.linalg.solve(a, phi[kept].T @ targets[kept])
        assert np.abs(result[left_out] - oracle).max() < 0.03


def test_planted_errors_come_first_with_the_true_class_and_a_fair_count():
    x, truth, given = planted()
    features = combine_blocks([x])
    learned = predict_left_out(kernel_basis(features), as_matrix(given, 5), kind="single")
    issues = find_label_issues(given, learned.probs)
    wrong = truth != given
    assert wrong[issues.order[:60]].mean() > 0.9
    found = np.flatnonzero(issues.flagged & wrong)
    assert len(found) > 50
    assert (issues.suggested[found].argmax(axis=1) == truth[found]).mean() > 0.9
    assert set(issues.change) == {"replaced"}
    assert issues.wrong.low <= 60 <= issues.wrong.high
    assert 0.75 <= issues.wrong.count / 60 <= 1.25


def test_multi_label_names_extra_and_missing():
    x, truth = clouds()
    labels = as_matrix(truth, 5)
    labels[:, 4] = labels[:, 0]
    first = np.flatnonzero(truth == 0)[:8]
    labels[first, 4] = 0
    second = np.flatnonzero(truth == 1)[:8]
    labels[second, 2] = 1
    learned = predict_left_out(kernel_basis(combine_blocks([x])), labels, kind="multi")
    issues = find_label_issues(labels, learned.probs)
    planted_rows = np.concatenate([first, second])
    assert np.isin(issues.order[:16], planted_rows).mean() > 0.85
    assert (issues.change[first] == "missing").mean() > 0.8
    assert (issues.change[second] == "extra").mean() > 0.8
    assert issues.suggested[first[0]].tolist() == [True, False, False, False, True]


def test_unknown_entries_do_not_pull_predictions_down():
    x, truth = clouds()
    labels = as_matrix(truth, 5)
    hidden = np.random.default_rng(3).random(labels.shape) < 0.5
    learned = predict_left_out(
        kernel_basis(combine_blocks([x])), np.where(hidden, np.nan, labels), kind="multi"
    )
    guess = learned.probs[hidden] > 0.5
    assert (guess == (labels[hidden] == 1)).mean() > 0.95


def test_an_image_without_labels_is_predicted():
    x, truth = clouds()
    given = truth.copy()
    given[:50] = -1
    basis = kernel_basis(combine_blocks([x]), given >= 0)
    learned = predict_left_out(basis, as_matrix(given, 5), kind="single")
    assert (learned.probs[:50].argmax(axis=1) == truth[:50]).mean() > 0.95
    issues = find_label_issues(given, learned.probs)
    assert np.isnan(issues.score[:50]).all()
    assert not issues.flagged[:50].any()
    assert len(issues.order) == 350


def test_witnesses_carry_the_suggested_class_and_stand_outside_the_group():
    x, _truth, given = planted()
    features = combine_blocks([x])
    learned = predict_left_out(kernel_basis(features), as_matrix(given, 5), kind="single")
    issues = find_label_issues(given, learned.probs)
    queries = issues.order[:5]
    witnesses = find_supporting_neighbors(features, given, issues, queries)
    for image, row in zip(queries, witnesses.indices, strict=True):
        assert (given[row[row >= 0]] == issues.suggested[image].argmax()).all()
    groups = np.arange(len(x))
    groups[witnesses.indices[0]] = groups[queries[0]]
    again = find_supporting_neighbors(features, given, issues, queries, groups=groups)
    assert not np.intersect1d(
        again.indices[0], witnesses.indices[0][witnesses.indices[0] >= 0]
    ).size


def test_noise_model_tells_the_more_confused_classes():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 6000)
    habit = np.array([[0.8, 0.15, 0.05], [0.05, 0.9, 0.05], [0.0, 0.0, 1.0]])
    given = (rng.random(6000)[:, None] > habit[truth].cumsum(axis=1)).sum(axis=1)
    clean = np.full((6000, 3), 0.01)
    clean[np.arange(6000), truth] = 0.98
    model = model_noise(given, clean @ habit)
    assert 0.05 < model.transition[0, 1] < 0.2
    assert model.transition[0, 1] > model.transition[0, 2] > model.transition[2, 0]
    assert np.nansum(model.image_wrong) == pytest.approx((given != truth).sum(), rel=0.4)


def test_depth_ends_where_the_errors_end():
    chance = np.concatenate([np.full(30, 0.9), np.full(70, 0.02)])
    count = count_wrong(chance, np.arange(100.0))
    assert count.n_worth_reading == 30
    assert count.count == pytest.approx(28.4)
    assert count.found == pytest.approx(27.0)
    empty = count_wrong(np.full(4, np.nan), np.full(4, np.nan))
    assert (empty.count, empty.n_worth_reading) == (0.0, 0)


def test_same_seed_same_result():
    x, _, given = planted()
    runs = [
        predict_left_out(
            kernel_basis(combine_blocks([x, x[:, :7]], 10), n_landmarks=100, seed=4),
            as_matrix(given, 5),
            kind="single",
        ).probs
        for _ in range(2)
    ]
    assert (runs[0] == runs[1]).all()
