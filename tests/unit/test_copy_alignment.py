"""Placements of pictures on one another, and their refinement, against dense formulas."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from vernis.core.copies import alignment
from vernis.core.copies.alignment import (
    Placements,
    _gauss_newton_step,
    fit_brightness,
    refine_placements,
    robust_weights,
    sample,
    sample_grid,
)
from vernis.core.copies.fingerprints import turn, turn_matrix


def soft(seed: int, side: int = 32, n: int = 1) -> np.ndarray:
    """Return pictures without edges."""
    rng = np.random.default_rng(seed)
    at = np.linspace(0, 5, side)
    y, x = np.meshgrid(at, at, indexing="ij")
    rough = rng.normal(128, 60, (n, 6, 6))
    return np.stack([map_coordinates(r, [y, x], order=3) for r in rough]).astype(np.float32)


def place(scale, shift, orientation=0) -> Placements:
    """Return the placement of a picture that is a window of the other one."""
    matrix = (turn_matrix(orientation).T * np.asarray(scale, np.float32)).T.astype(np.float32)
    offset = np.float32([0.5, 0.5]) + np.float32(shift) - matrix @ np.float32([0.5, 0.5])
    return Placements(matrix[None], offset[None])


def test_scale_and_orientation_of_a_placement():
    for k in range(8):
        placed = place((0.5, 0.8), (0, 0), k)
        assert placed.scale()[0] == pytest.approx(np.sqrt(0.4))
        inside = Placements(turn_matrix(k)[None] * np.float32(0.7), placed.offset)
        # what is turned so, undone: the matrix leads from b to a
        assert turn(
            np.arange(4).reshape(2, 2), int(inside.inverse().orientation()[0])
        ).tolist() == (turn(np.arange(4).reshape(2, 2), k).tolist())
        assert inside.orientation()[0] == [0, 1, 2, 3, 4, 6, 5, 7][k]
    both = Placements(np.stack([np.eye(2)] * 3).astype("f4"), np.zeros((3, 2), "f4"))
    assert both.take(np.array([0, 2])).matrix.shape == (2, 2, 2)
    assert both.take(slice(1, 2)).offset.shape == (1, 2)


def test_robust_weights_are_geman_mcclure():
    residual = np.array([[0.0, 10.0, -20.0, 60.0]], np.float32)
    expected = 1 / (1 + (residual / 20) ** 2) ** 2
    np.testing.assert_allclose(robust_weights(residual), expected, rtol=1e-5)
    np.testing.assert_allclose(robust_weights(residual, 40.0), 1 / (1 + (residual / 40) ** 2) ** 2)
    assert residual[0, 1] == 10  # the input stays


def brightness_by_hand(source, target, inside):
    """Fit one pair by reweighted least squares, from the median difference on."""
    bias = np.median((target - source)[::5])
    weight = inside / (1 + ((target - source - bias) / 40) ** 2) ** 2
    for _ in range(3):
        total = weight.sum()
        ms, mt = (weight @ source) / total, (weight @ target) / total
        covariance = (weight * source) @ target / total - ms * mt
        variance = (weight * source) @ source / total - ms**2
        gain = np.clip((covariance + 1) / (variance + 1), 0.2, 5)
        bias = mt - gain * ms
        weight = inside / (1 + ((target - gain * source - bias) / 20) ** 2) ** 2
    return gain, bias, weight


@pytest.mark.parametrize("gain", [0.1, 0.6, 1.0, 1.7, 9.0])
def test_brightness_is_fitted_robustly(gain):
    rng = np.random.default_rng(0)
    source = rng.normal(100, 25, (2, 256)).astype(np.float32)
    target = (gain * source + 12 + rng.normal(0, 2, (2, 256))).astype(np.float32)
    target[1, :40] = 255  # a white banner
    inside = np.ones((2, 256), np.float32)
    inside[0, 200:] = 0
    found = fit_brightness(source, target, inside)
    for row in range(2):
        expected = brightness_by_hand(*(x[row].astype(float) for x in (source, target, inside)))
        for value, wanted in zip(found, expected, strict=True):
            np.testing.assert_allclose(value[row], wanted, rtol=2e-3, atol=2e-3)
    if 0.2 < gain < 5:
        assert found[0] == pytest.approx([gain, gain], rel=0.03)
        assert found[1][0] == pytest.approx(12, abs=4)
    assert (found[2][0, 200:] == 0).all()


def test_of_many_points_every_odd_stride_is_fitted_and_all_are_weighed():
    rng = np.random.default_rng(1)
    source = rng.normal(100, 25, (1, 4096)).astype(np.float32)
    target = (1.3 * source + 5).astype(np.float32)
    target[:, ::7] = 0
    inside = (rng.random((1, 4096)) < 0.9).astype(np.float32)
    gain, bias, weight = fit_brightness(source, target, inside)
    every = slice(None, None, 5)  # 4096 // 1024 = 4, made odd
    expected = brightness_by_hand(source[0, every], target[0, every], inside[0, every])
    assert (gain[0], bias[0]) == pytest.approx(expected[:2], rel=2e-3)
    wanted = inside[0] / (1 + ((target - gain * source - bias)[0] / 20) ** 2) ** 2
    np.testing.assert_allclose(weight[0], wanted, atol=1e-4)
    few = fit_brightness(source[:, :2047], target[:, :2047], inside[:, :2047])
    by_hand = brightness_by_hand(source[0, :2047], target[0, :2047], inside[0, :2047])
    assert few[0][0] == pytest.approx(by_hand[0], rel=1e-3)
    np.testing.assert_allclose(few[2][0], by_hand[2], atol=1e-3)


def test_nothing_inside_gives_no_warning():
    zeros = np.zeros((1, 64), np.float32)
    gain, bias, weight = fit_brightness(zeros, zeros + 9, zeros)
    assert np.isfinite([gain[0], bias[0]]).all()
    assert (weight == 0).all()


def step_by_hand(warped, target, inside, side):
    """Solve the damped normal equations of one pair, and cut the step."""
    gain, bias, weight = brightness_by_hand(warped, target, inside)
    model = gain * warped + bias
    down, across = np.gradient(model.reshape(side, side), 1 / side)
    axis = (np.arange(side) + 0.5) / side
    x, y = np.tile(axis, side) - 0.5, np.repeat(axis, side) - 0.5
    A = np.stack(
        [
            across.ravel() * x,
            down.ravel() * y,
            across.ravel(),
            down.ravel(),
            model,
            np.ones(side**2),
        ],
        axis=1,
    )
    normal = A.T @ (A * weight[:, None])
    normal += np.diag(1e-3 * np.diag(normal) + 1e-3)
    step = np.linalg.solve(normal, A.T @ (weight * (target - model)))
    return np.clip(step[:4], -0.08, 0.08)


@pytest.mark.parametrize("seed", range(3))
def test_a_step_solves_the_damped_normal_equations(seed):
    pictures = soft(seed, 16)
    rows = np.zeros(1, int)
    placed = place((1.03, 0.97), (0.02, -0.01))
    still = place((1, 1), (0, 0))
    warped, inside = sample(pictures, rows, still, 16)
    target = sample(pictures, rows, placed, 16)[0]
    inside[0, :20] = 0
    found = _gauss_newton_step(warped, target, inside, sample_grid(16))[0]
    expected = step_by_hand(*(x[0].astype(float) for x in (warped, target, inside)), 16)
    np.testing.assert_allclose(found, expected, atol=2e-4)
    assert found == pytest.approx([0.03, -0.03, 0.02, -0.01], abs=0.02)
    # where there is hardly a slope, the damping decides
    faint = [1e-5 * (x - x.mean()) for x in (warped, target)]
    weak = _gauss_newton_step(*faint, inside, sample_grid(16))[0]
    expected = step_by_hand(*(x[0].astype(float) for x in (*faint, inside)), 16)
    np.testing.assert_allclose(weak, expected, atol=1e-5)
    assert 1e-4 < np.abs(weak).max() < 0.8 * np.abs(found).max()
    far = _gauss_newton_step(warped, 255 - target, inside, sample_grid(16))
    assert np.abs(far).max() <= 0.08 + 1e-6
    flat = np.full((1, 256), 7, np.float32)
    assert (_gauss_newton_step(flat, flat, inside, sample_grid(16)) == 0).all()


@pytest.mark.parametrize("orientation", [0, 1, 5])
def test_refinement_finds_the_window_that_was_cut(orientation, monkeypatch):
    side = 32
    pictures = soft(4, side, 2)
    truth = place((0.8, 0.72), (0.06, -0.04), orientation)
    cut = sample(pictures, np.zeros(1, int), truth, side)[0].reshape(side, side)
    pictures[1] = 0.8 * cut + 20
    start = place((0.76, 0.76), (0.04, -0.02), orientation)
    pairs = np.array([[0, 1]])
    found = refine_placements(pictures, pairs, start, 8)
    np.testing.assert_allclose(found.matrix, truth.matrix, atol=0.01)
    np.testing.assert_allclose(found.offset, truth.offset, atol=0.01)
    assert np.abs(refine_placements(pictures, pairs, start).matrix - start.matrix).max() > 0.02
    assert (refine_placements(pictures, pairs, start, 0).matrix == start.matrix).all()
    four, default = (refine_placements(pictures, pairs, start, *n) for n in ((4,), ()))
    assert (four.matrix == default.matrix).all()
    monkeypatch.setattr(alignment, "_BLOCK_POINTS", side * side)
    many = Placements(np.repeat(start.matrix, 3, axis=0), np.repeat(start.offset, 3, axis=0))
    blocks = refine_placements(pictures, np.repeat(pairs, 3, axis=0), many, 8)
    np.testing.assert_allclose(blocks.matrix, np.repeat(found.matrix, 3, axis=0), atol=1e-4)
    np.testing.assert_allclose(blocks.offset, np.repeat(found.offset, 3, axis=0), atol=1e-4)


def test_a_step_moves_about_the_centre():
    """The picture is scaled about its middle, so a scale alone leaves the middle where it is."""
    pictures = soft(5, 32, 2)
    truth = place((0.9, 0.9), (0, 0))
    pictures[1] = sample(pictures, np.zeros(1, int), truth, 32)[0].reshape(32, 32)
    start = place((0.93, 0.93), (0, 0))
    found = refine_placements(pictures, np.array([[0, 1]]), start, 6)
    middle = found.matrix[0] @ [0.5, 0.5] + found.offset[0]
    assert middle == pytest.approx([0.5, 0.5], abs=2e-3)
    assert found.scale()[0] == pytest.approx(0.9, abs=3e-3)


def test_points_on_the_border_are_inside_and_beyond_it_the_last_pixel_is_read():
    pictures = np.arange(16, dtype=np.float32).reshape(1, 4, 4)
    placed = Placements(
        np.float32([[[2, 0], [0, 1]]]), np.float32([[-0.25, 0]])
    )  # x = -0.25 + 2 * (1/8, 3/8, 5/8, 7/8) = 0, 0.5, 1, 1.5
    values, inside = sample(pictures, np.zeros(1, int), placed, 4)
    assert inside.reshape(4, 4)[0].tolist() == [1, 1, 1, 0]
    assert values.reshape(4, 4)[0].tolist() == [0, 1.5, 3, 3]
    assert values.reshape(4, 4)[:, 0].tolist() == [0, 4, 8, 12]
