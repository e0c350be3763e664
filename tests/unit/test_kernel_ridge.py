"""Kernel ridge regression: the joined space, the kernel, leave-out; against dense oracles."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import softmax
from sklearn.decomposition import PCA

from vernis.core.numeric import kernel_ridge
from vernis.core.numeric.components import combine_blocks
from vernis.core.numeric.kernel_ridge import (
    RIDGES,
    KernelBasis,
    fit_temperature,
    kernel_basis,
    leave_group_out,
    leave_out_scores,
    predict_left_out,
    soft_clip,
)
from vernis.domain.errors import InvalidValue


def joined_by_hand(blocks: list[np.ndarray]) -> np.ndarray:
    """Level each block, join them, centre, and scale to a mean squared length of 1."""
    parts = []
    for block in blocks:
        values = np.sqrt(block) if (block >= 0).all() else block
        values = values - values.mean(axis=0)
        spread = values.std(axis=0)
        values = values / np.where(spread > 0, spread, 1)
        if block.shape[1] >= 64:
            length = np.sqrt((values**2).sum(axis=1, keepdims=True))
            values = values / np.where(length > 0, length, 1)
        else:
            values = values / np.sqrt(block.shape[1])
        parts.append(values)
    joined = np.hstack(parts)
    joined = joined - joined.mean(axis=0)
    return joined / np.sqrt((joined**2).sum(axis=1).mean())


def gram(x: np.ndarray) -> np.ndarray:
    return x @ x.T


@pytest.mark.parametrize("columns", [63, 64])
def test_blocks_of_a_relu_are_rooted_levelled_and_joined(columns):
    rng = np.random.default_rng(0)
    relu = np.maximum(rng.normal(size=(20, columns)), 0) ** 2 * 30
    relu[:, 3] = 0  # a feature that never fires
    signed = 7 * rng.normal(size=(20, 5)) + 2
    found = combine_blocks([relu, signed])
    assert found.shape == (20, columns + 5)
    np.testing.assert_allclose(found, joined_by_hand([relu, signed]), atol=1e-5)
    assert (found**2).sum(axis=1).mean() == pytest.approx(1, abs=1e-5)


def test_a_relu_block_counts_by_its_square_root_and_a_signed_one_does_not():
    rng = np.random.default_rng(1)
    relu = rng.exponential(size=(30, 80))
    squared = combine_blocks([relu**2])
    signed = combine_blocks([relu - 1e-3])
    np.testing.assert_allclose(squared, joined_by_hand([relu - relu.mean(axis=0)]), atol=1e-4)
    np.testing.assert_allclose(combine_blocks([relu]), joined_by_hand([relu]), atol=1e-5)
    assert np.abs(combine_blocks([relu]) - signed).max() > 0.01
    touching = relu - relu.min()  # the least value is 0: still a ReLU
    np.testing.assert_allclose(combine_blocks([touching]), joined_by_hand([touching]), atol=1e-5)


@pytest.mark.parametrize("shape", [(40, 12), (12, 40), (120, 90), (30, 30)])
def test_fewer_components_are_the_principal_ones(shape):
    rng = np.random.default_rng(2)
    strength = np.diag(0.6 ** np.arange(8))
    block = rng.normal(size=(shape[0], 8)) @ strength @ rng.normal(size=(8, shape[1]))
    block += 0.01 * rng.normal(size=shape)
    found = combine_blocks([block], 4)
    assert found.shape == (shape[0], 4)
    whole = joined_by_hand([block])
    best = PCA(4, svd_solver="full").fit_transform(whole)
    best = best / np.sqrt((best**2).sum(axis=1).mean())
    np.testing.assert_allclose(gram(found), gram(best), atol=2e-3)
    assert combine_blocks([block], 10_000).shape == shape
    assert combine_blocks([rng.normal(size=(400, 310))]).shape == (400, 300)


def test_blocks_must_be_there_and_of_one_length():
    with pytest.raises(InvalidValue, match=r"got \[2, 3\]"):
        combine_blocks([np.ones((3, 2)), np.ones((2, 2))])
    with pytest.raises(InvalidValue, match=r"got \[\]"):
        combine_blocks([])
    assert (combine_blocks([np.full((4, 3), 2.0)]) == 0).all()


def small(n: int = 30, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=(n, 5))
    return (x / np.sqrt((x**2).sum(axis=1).mean())).astype(np.float32)


def gaussian(a: np.ndarray, b: np.ndarray, bandwidth: float) -> np.ndarray:
    return np.exp(-bandwidth * ((a[:, None] - b[None]) ** 2).sum(axis=2))


@pytest.mark.parametrize("bandwidth", [0.4, 2.0])
def test_the_features_are_those_of_a_gaussian_kernel(bandwidth):
    x = small()
    train = np.arange(30) % 3 > 0
    basis = kernel_basis(x, train, bandwidth=bandwidth)
    K = gaussian(x, x, bandwidth)
    np.testing.assert_allclose(
        basis.features[train] @ basis.features[train].T, K[np.ix_(train, train)], atol=1e-3
    )
    # elsewhere the part of the kernel that the training images span
    inverse = np.linalg.pinv(K[np.ix_(train, train)], rcond=1e-6)
    spanned = K[:, train] @ inverse @ K[train]
    np.testing.assert_allclose(gram(basis.features), spanned, atol=5e-3)
    own = basis.features[train].astype(np.float64)
    np.testing.assert_allclose(own.T @ own, np.diag(basis.spectrum), atol=1e-3)
    assert np.array_equal(basis.train, train)


def test_defaults_of_the_kernel():
    x = small()
    basis, named = kernel_basis(x), kernel_basis(x, np.ones(30, bool), bandwidth=0.4)
    assert np.array_equal(basis.features, named.features)
    assert basis.train.all()
    for bad in (0, -1):
        with pytest.raises(InvalidValue, match="bandwidth above 0"):
            kernel_basis(x, bandwidth=bad)


def test_landmarks_are_a_sample_of_the_training_images():
    x = small(60)
    train = np.arange(60) < 50
    basis = kernel_basis(x, train, n_landmarks=20, seed=1)
    assert basis.features.shape[1] <= 20
    K = gaussian(x, x, 0.4)
    rows = np.sort(np.random.default_rng(1).choice(50, 20, replace=False))
    nystrom = K[:, rows] @ np.linalg.pinv(K[np.ix_(rows, rows)], rcond=1e-6) @ K[rows]
    np.testing.assert_allclose(gram(basis.features), nystrom, atol=5e-3)
    exact = kernel_basis(x, train, n_landmarks=50)
    np.testing.assert_allclose(gram(exact.features[train]), K[:50, :50], atol=1e-3)


def left_out_by_hand(basis: KernelBasis, targets, ridge, groups):
    """Predict each group by ``Y - (I - H)⁻¹ (Y - F)`` with the whole hat matrix."""
    rows = np.flatnonzero(basis.train)
    phi = basis.features[rows].astype(np.float64)
    known = targets[rows].astype(np.float64)
    mean = known.mean(axis=0)
    smooth = np.linalg.solve(phi.T @ phi + ridge * np.eye(phi.shape[1]), phi.T)
    found = basis.features @ (smooth @ (known - mean)) + mean
    fitted = found[rows].copy()
    hat = phi @ smooth + 1 / len(rows)
    for group in np.unique(groups[rows]):
        own = np.flatnonzero(groups[rows] == group)
        system = np.eye(len(own)) - hat[np.ix_(own, own)]
        found[rows[own]] = known[own] - np.linalg.solve(system, (known - fitted)[own])
    return found


@pytest.mark.parametrize("ridge", [0.1, 2.0])
def test_left_out_predictions_are_the_closed_form_over_groups(ridge):
    rng = np.random.default_rng(3)
    train = rng.random(40) < 0.8
    basis = kernel_basis(small(40), train)
    targets = rng.random((40, 3))
    targets[~train] = np.nan
    for groups in (np.arange(40), np.arange(40) // 3, rng.integers(0, 12, 40)):
        found = leave_out_scores(basis, targets, ridge, groups)
        expected = left_out_by_hand(basis, targets, ridge, groups)
        np.testing.assert_allclose(found, expected, atol=2e-3)
    alone = leave_out_scores(basis, targets, ridge)
    np.testing.assert_allclose(
        alone, left_out_by_hand(basis, targets, ridge, np.arange(40)), atol=2e-3
    )


def test_its_own_label_and_those_of_its_group_do_not_move_a_prediction():
    rng = np.random.default_rng(4)
    basis = kernel_basis(small(30))
    targets = rng.random((30, 2)).astype(np.float32)
    groups = np.arange(30) // 2
    before = leave_out_scores(basis, targets, 1.0, groups)
    moved = targets.copy()
    moved[0] += 5
    moved[29] -= 5  # the mean of all stays
    after = leave_out_scores(basis, moved, 1.0, groups)
    plain = leave_out_scores(basis, targets, 1.0)
    assert np.abs(after[2:28] - before[2:28]).max() > 0.3
    assert np.abs(before[:2] - plain[:2]).max() > 1e-3
    # the image left out hears of the other change alone: as if only that one were made
    only = targets.copy()
    only[29] -= 5
    only[1:29] += 5 / 28
    assert np.abs(after[0] - before[0]).max() < np.abs(after[2:28] - before[2:28]).max()


def test_ridges_are_tried_in_steps_of_two_or_a_little_more():
    steps = np.divide(RIDGES[1:], RIDGES[:-1])
    assert ((steps >= 2) & (steps <= 2.5)).all()
    assert (RIDGES[0], RIDGES[-1]) == (0.1, 5.0)


def test_the_ridge_of_least_left_out_error_is_chosen():
    rng = np.random.default_rng(5)
    x = small(60)
    y = (x[:, :2] + 0.2 * rng.normal(size=(60, 2)) > 0).astype(np.float32)
    basis = kernel_basis(x)
    errors = {r: float(((leave_out_scores(basis, y, r) - y) ** 2).mean()) for r in RIDGES}
    found = predict_left_out(basis, y, kind="multi")
    best = min(errors, key=lambda r: errors[r])
    assert 0.1 < best < 5.0
    assert (found.ridge, found.error) == (best, pytest.approx(errors[best]))
    np.testing.assert_allclose(found.probs, soft_clip(leave_out_scores(basis, y, best)), atol=1e-6)
    assert predict_left_out(basis, y, kind="multi", ridges=(5.0, 5.0)).ridge == 5.0
    groups = np.arange(60) // 3
    grouped = predict_left_out(basis, y, kind="multi", groups=groups)
    np.testing.assert_allclose(
        grouped.probs, soft_clip(leave_out_scores(basis, y, grouped.ridge, groups)), atol=1e-6
    )


def test_unknown_entries_are_imputed_by_their_own_predictions():
    rng = np.random.default_rng(6)
    x = small(50)
    y = (x[:, :2] > 0).astype(np.float32)
    y[rng.random((50, 2)) < 0.3] = np.nan
    y[7] = np.nan
    train = np.isfinite(y).any(axis=1)
    basis = kernel_basis(x, train)
    known = np.isfinite(y)
    targets = np.where(known, y, np.nanmean(y, axis=0))
    for _ in range(7):
        scores = leave_out_scores(basis, targets, 1.0)
        targets = np.where(known, y, scores)
    found = predict_left_out(basis, y, kind="multi", ridges=(1.0,))
    np.testing.assert_allclose(found.probs, soft_clip(scores), atol=1e-5)
    assert found.error == pytest.approx(float(((scores - y)[known] ** 2).mean()))
    again = leave_out_scores(basis, np.where(known, y, scores), 1.0)
    assert np.abs(again - scores).max() < 5e-3  # settled


def test_one_label_an_image_becomes_a_softmax_of_the_likeliest_temperature():
    rng = np.random.default_rng(7)
    x = small(80)
    codes = x[:, :3].argmax(axis=1)
    y = np.eye(3, dtype=np.float32)[codes]
    y[rng.random(80) < 0.2] = np.nan
    basis = kernel_basis(x, np.isfinite(y[:, 0]))
    found = predict_left_out(basis, y, kind="single")
    scores = leave_out_scores(basis, y, found.ridge)
    rows = np.flatnonzero(basis.train)

    def loss(log_slope):
        p = softmax(np.exp(log_slope) * scores[rows], axis=1)
        return -np.log(p[np.arange(len(rows)), codes[rows]]).mean()

    best = minimize_scalar(loss, bounds=(-2, 5), method="bounded").x
    slope = fit_temperature(scores[rows], codes[rows])
    assert np.log(slope) == pytest.approx(best, abs=0.01)
    np.testing.assert_allclose(found.probs, softmax(slope * scores, axis=1), atol=1e-5)


def test_the_temperature_has_bounds():
    sure = np.eye(3)[[0, 1, 2, 0]] * 1.0
    assert fit_temperature(0.005 * sure, np.array([0, 1, 2, 0])) == pytest.approx(np.exp(6))
    assert fit_temperature(sure, np.array([1, 2, 0, 1])) == pytest.approx(np.exp(-3))


def test_soft_clipping_keeps_order_and_leaves_the_middle_alone():
    scores = np.array([-0.3, -0.1, 0.0, 0.3, 0.5, 0.8, 1.0, 1.1, 1.3], np.float32)
    found = soft_clip(scores)
    assert (np.diff(found) > 0).all()
    s = 20.0 * scores.astype(np.float64)
    expected = (np.log1p(np.exp(s)) - np.log1p(np.exp(s - 20))) / 20
    np.testing.assert_allclose(found, np.clip(expected, 1e-6, 1 - 1e-6), atol=1e-6)
    assert found[4] == pytest.approx(0.5)
    assert soft_clip(np.array([-9.0, 9.0])).tolist() == pytest.approx([1e-6, 1 - 1e-6])


def test_bad_kinds_and_unknown_labels_are_refused():
    basis = kernel_basis(small(10), np.arange(10) < 5)
    with pytest.raises(InvalidValue, match="'single' or 'multi'"):
        predict_left_out(basis, np.ones((10, 2)), kind="both")
    labels = np.full((10, 2), np.nan)
    labels[8] = 1  # known, yet no training image
    with pytest.raises(InvalidValue, match="one known label"):
        predict_left_out(basis, labels, kind="multi")


def test_a_group_of_equal_pictures_is_solved_without_a_warning():
    x = np.repeat(small(10), 3, axis=0)
    basis = kernel_basis(x)
    y = np.repeat(np.eye(2, dtype=np.float32)[np.arange(10) % 2], 3, axis=0)
    found = leave_out_scores(basis, y, 0.1, np.repeat(np.arange(10), 3))
    assert np.isfinite(found).all()
    assert np.abs(found).max() < 10
    assert kernel_ridge._shared_groups(None, np.arange(3)) == []
    parts = kernel_ridge._shared_groups(np.array([5, 1, 5, 2, 1]), np.array([0, 1, 2, 4]))
    assert sorted(part.tolist() for part in parts) == [[0, 2], [1, 3]]


def test_a_group_larger_than_the_features_is_left_out_as_a_small_one_is():
    rng = np.random.default_rng(2)
    part = (0.02 * rng.normal(size=(90, 12))).astype(np.float32)
    residual = rng.normal(size=(90, 7)).astype(np.float32)
    inverse = rng.uniform(0.5, 9, 12).astype(np.float32)
    hat = (part.astype(float) * inverse) @ part.astype(float).T + 1 / 500
    plain = np.linalg.solve(np.eye(90) * (1 + 1e-6) - hat, residual)
    assert np.abs(plain - residual).max() > 0.05
    assert leave_group_out(part, inverse, 500, residual) == pytest.approx(plain, abs=1e-4)
    small = np.linalg.solve(np.eye(9) * (1 + 1e-6) - hat[:9, :9], residual[:9])
    assert leave_group_out(part[:9], inverse, 500, residual[:9]) == pytest.approx(small, abs=1e-4)
