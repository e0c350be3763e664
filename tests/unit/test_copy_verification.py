"""The comparison of aligned pictures, window by window, against plain loops."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from vernis.core.copies import verification
from vernis.core.copies.alignment import Placements, fit_brightness, sample
from vernis.core.copies.fingerprints import Fingerprints, turn, turn_matrix
from vernis.core.copies.verification import (
    _agree_if_plain,
    _agree_in_color,
    _compare,
    _compare_windows,
    _holes,
    _match_brightness,
    _soften,
    _window_sums,
    compare,
    compare_structure,
    name_transforms,
    robust_agreement,
)


def soft(seed: int, n: int, side: int = 16) -> np.ndarray:
    rng = np.random.default_rng(seed)
    at = np.linspace(0, 6, side)
    y, x = np.meshgrid(at, at, indexing="ij")
    rough = rng.normal(128, 55, (n, 7, 7))
    pictures = np.stack([map_coordinates(r, [y, x], order=1) for r in rough])
    return pictures.clip(0, 255).astype(np.float32)


def still(n: int, scale: float = 1.0) -> Placements:
    matrix = np.tile(np.eye(2, dtype=np.float32) * scale, (n, 1, 1))
    return Placements(matrix, np.full((n, 2), 0.5 - scale / 2, np.float32))


PAIRS = np.array([[0, 1], [2, 2], [1, 3]])


def test_agreement_is_one_minus_the_loss_over_that_of_a_grey_picture(monkeypatch):
    pictures = soft(0, 4)
    pictures[3] = 0.7 * pictures[1] + 30
    placed = still(3, 0.9)
    found = robust_agreement(pictures, PAIRS, placed)
    for row, (a, b) in enumerate(PAIRS):
        warped, inside = sample(pictures, np.array([a]), placed.take(np.array([row])), 16)
        target = pictures[b].reshape(1, -1)
        gain, bias, _ = fit_brightness(warped, target, inside)

        def loss(difference, inside=inside):
            squared = (difference / 20) ** 2
            return (inside * squared / (1 + squared)).sum()

        plain = max(loss(target - np.median(target[0, ::3])), 0.01 * 256)
        expected = 1 - loss(target - gain * warped - bias) / plain
        assert found[row] == pytest.approx(expected, abs=1e-4)
    monkeypatch.setattr(verification, "_BLOCK_POINTS", 256)
    np.testing.assert_allclose(robust_agreement(pictures, PAIRS, placed), found, atol=1e-5)
    same = robust_agreement(pictures, np.array([[2, 2], [1, 3]]), still(2))
    assert same == pytest.approx([1, 1], abs=1e-2)
    flat = np.full((1, 16, 16), 9, np.float32)
    assert robust_agreement(flat, np.zeros((1, 2), int), still(1)) == pytest.approx([1])


def window_sums_by_hand(plane: np.ndarray) -> list[float]:
    side = len(plane)
    starts = range(0, side - 3, 2)
    return [plane[y : y + 4, x : x + 4].sum() for y in starts for x in starts]


def test_windows_are_four_points_wide_and_overlap_by_half():
    planes = np.random.default_rng(0).random((2, 256)).astype(np.float32)
    found = _window_sums(planes)
    for row in range(2):
        expected = window_sums_by_hand(planes[row].reshape(16, 16))
        np.testing.assert_allclose(found[row], expected, rtol=1e-5)


def holes_by_hand(n: int) -> list[tuple[int, int, int, int]]:
    """Return top, bottom, left, right of what may be left out."""
    bands = [(s, s + t) for t in range(2, n // 3 + 1, 2) for s in range(n - t + 1)]
    marks = sorted({round(i * n / 5) for i in range(6)})
    spans = list(combinations(marks, 2))
    boxes = [(0, n, a, b) for a, b in bands] + [(a, b, 0, n) for a, b in bands]
    boxes += [(*r, *c) for r in spans for c in spans if 3 * (r[1] - r[0]) * (c[1] - c[0]) <= n * n]
    return boxes


@pytest.mark.parametrize("n", [7, 15, 31])
def test_bands_and_boxes_of_at_most_a_third_may_be_left_out(n):
    found = _holes(n)
    assert not found[0].any()
    assert found[1:].mean(axis=1).max() <= 1 / 3 + 0.01
    expected = []
    for top, bottom, left, right in holes_by_hand(n):
        hole = np.zeros((n, n))
        hole[top:bottom, left:right] = 1
        expected.append(hole.ravel())
    np.testing.assert_array_equal(found[1:], expected)


def compare_by_hand(warped, target, inside):
    """Return similarity, that without a hole, and the best before it is cut to 0..1."""
    side = round(len(warped) ** 0.5)
    row = [x[None].astype(np.float32) for x in (warped, target, inside)]
    gain, _, _ = fit_brightness(*row)
    model, target = (x[0].astype(float) for x in _match_brightness(*row, gain))
    n = (side - 4) // 2 + 1
    structure, weights, textures, valid = [], [], [], []
    for y in range(0, side - 3, 2):
        for x in range(0, side - 3, 2):

            def cut(plane, y=y, x=x):
                return plane.reshape(side, side)[y : y + 4, x : x + 4].ravel()

            m, a, b = cut(inside), cut(model), cut(target)
            count = max(m.sum(), 1e-6)
            mean_a, mean_b = (m * a).sum() / count, (m * b).sum() / count
            var_a = max((m * a * a).sum() / count - mean_a**2, 0)
            var_b = max((m * b * b).sum() / count - mean_b**2, 0)
            covariance = (m * a * b).sum() / count - mean_a * mean_b
            one = (2 * covariance + 50) / (var_a + var_b + 50)
            structure.append(one * np.exp(-(((mean_a - mean_b) / 25) ** 2)))
            valid.append(count > 12)
            texture = [np.sqrt(min(v, 400) + 4) * valid[-1] for v in (var_a, var_b)]
            textures.append(texture)
            weights.append(max(texture))
    structure, weights, textures = np.array(structure), np.array(weights), np.array(textures)
    scores = []
    for box in [(0, 0, 0, 0), *holes_by_hand(n)]:
        hole = np.zeros((n, n), bool)
        hole[box[0] : box[1], box[2] : box[3]] = True
        keep = ~hole.ravel()
        rest = max(weights[keep].sum(), 1e-6)
        score = 1 - (weights * (1 - structure))[keep].sum() / rest - 0.3 * hole.mean()
        outside = max(textures[keep, k].sum() / max(textures[:, k].sum(), 1e-6) for k in (0, 1))
        scores.append((score, outside))
    best = max([score for score, outside in scores if outside >= 0.6], default=-1)
    best *= np.mean(valid) >= 0.7
    return np.clip(best, 0, 1), np.clip(scores[0][0], 0, 1), best


@pytest.mark.parametrize("seed", range(5))
def test_similarity_is_that_of_a_plain_loop_over_windows_and_holes(seed):
    pictures = soft(seed, 3)
    rng = np.random.default_rng(seed)
    other = 0.9 * pictures[0] + rng.normal(0, 4 + 6 * seed, (16, 16))
    other[4:7] = 250  # a banner
    inside = np.ones((16, 16))
    inside[:, : (0, 1, 3, 4, 7)[seed]] = 0
    rows = [(pictures[0], other, inside), (pictures[1], pictures[2], inside)]
    warped, target, mask = (
        np.stack([row[k].ravel() for row in rows]).astype(np.float32) for k in range(3)
    )
    found = _compare_windows(warped, target, mask)
    for row in range(2):
        expected = compare_by_hand(warped[row], target[row], mask[row])
        np.testing.assert_allclose([x[row] for x in found[:3]], expected, atol=2e-3)
    gain, bias, _ = fit_brightness(warped, target, mask)
    np.testing.assert_array_equal(found[3], gain)
    np.testing.assert_array_equal(found[4], bias)
    if seed < 3:
        assert found[0][0] > found[1][0] + 0.05  # the banner is left out


def test_most_windows_must_be_inside():
    picture = soft(9, 1).reshape(1, -1)
    for columns, kept in ((4, True), (6, False)):
        inside = np.ones((16, 16), np.float32)
        inside[:, :columns] = 0
        similarity = _compare_windows(picture, picture, inside.reshape(1, -1))[0]
        assert (similarity[0] > 0.9) == kept


def curve_by_hand(dark, bright, mask):
    slope, level, weight = (x[0] for x in fit_brightness(dark[None], bright[None], mask[None]))
    x = (dark - 128) / 128
    line = slope * dark + level
    columns = np.stack([np.ones_like(x), x, x * x], axis=1)
    curve = line
    for _ in range(2):
        normal = columns.T @ (columns * weight[:, None])
        normal += np.eye(3) * (1e-3 * weight.sum() + 1e-3)
        factors = np.linalg.solve(normal, columns.T @ (weight * (bright - line)))
        curve = line + columns @ factors
        weight = mask / (1 + ((bright - curve) / 20) ** 2) ** 2
    return np.clip(curve, 0, 255)


def test_the_darker_picture_is_brought_to_the_other_by_a_curve():
    picture = soft(3, 1).ravel()
    bright = np.minimum(1.5 * picture + 10, 255).astype(np.float32)
    mask = np.ones(256, np.float32)
    mask[:10] = 0
    warped, target = np.stack([picture, bright]), np.stack([bright, picture])
    gain, _, _ = fit_brightness(warped, target, np.stack([mask, mask]))
    assert gain[0] > 1 > gain[1]
    model, matched = _match_brightness(warped, target, np.stack([mask, mask]), gain)
    curve = curve_by_hand(picture, bright, mask)
    np.testing.assert_allclose(model[0], curve, atol=0.2)
    np.testing.assert_array_equal(matched[0], bright)
    np.testing.assert_array_equal(model[1], bright)
    np.testing.assert_allclose(matched[1], curve, atol=0.2)
    straight = gain[0] * picture + fit_brightness(warped, target, np.stack([mask, mask]))[1][0]
    assert np.abs(curve - bright).mean() < 0.8 * np.abs(straight - bright).mean()
    assert model.max() <= 255


def test_crops_are_blurred_as_much_as_what_they_show():
    planes = soft(4, 3, 8)
    scale = np.array([1.0, 0.8, 0.3], np.float32)
    found = _soften(planes.copy(), scale)
    np.testing.assert_array_equal(found[0], planes[0])
    for row in (1, 2):
        k = min(0.12 * (1 / scale[row] ** 2 - 1), 0.25)
        expected = planes[row].astype(float)
        for axis in (0, 1):
            padded = np.pad(expected, [(1, 1), (0, 0)] if axis == 0 else [(0, 0), (1, 1)], "edge")
            before = padded[:-2] if axis == 0 else padded[:, :-2]
            after = padded[2:] if axis == 0 else padded[:, 2:]
            expected = (1 - 2 * k) * expected + k * (before + after)
        np.testing.assert_allclose(found[row], expected, atol=1e-3)
    border = _soften(planes.copy(), np.full(3, 0.95, np.float32))
    np.testing.assert_array_equal(border, planes)


def test_blocks_and_no_pairs_at_all(monkeypatch):
    pictures = soft(5, 4)
    whole = _compare(pictures, PAIRS, still(3, 0.9))
    assert len(whole) == 5
    monkeypatch.setattr(verification, "_BLOCK_POINTS", 256)
    for a, b in zip(whole, _compare(pictures, PAIRS, still(3, 0.9)), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
    np.testing.assert_array_equal(compare_structure(pictures, PAIRS, still(3, 0.9)), whole[0])
    nothing = _compare(pictures, np.zeros((0, 2), int), still(0))
    assert [len(column) for column in nothing] == [0] * 5


def prints(luma, chroma=None) -> Fingerprints:
    luma = np.asarray(luma).clip(0, 255).round().astype(np.uint8)
    if chroma is None:
        chroma = np.full((len(luma), 2, 16, 16), 128)
    return Fingerprints(luma, np.asarray(chroma, np.uint8), np.ones(len(luma), np.float32))


def test_colours_that_differ_lower_the_similarity():
    rng = np.random.default_rng(0)
    chroma = np.full((5, 2, 16, 16), 128.0)
    chroma[0] = 128 + rng.normal(0, 20, (2, 16, 16))
    chroma[1] = chroma[0] + [[[11]], [[8]]]
    chroma[2] = 128 + 1.5 * (chroma[0] - 128)
    chroma[4] = chroma[0] + 3
    chroma = chroma.round().astype(np.uint8)
    pairs = np.array([[0, 0], [0, 1], [0, 2], [0, 3], [0, 4], [1, 2]])
    gain = np.array([1, 1, 1.5, 1, 1, 7], np.float32)
    found = _agree_in_color(chroma, pairs, still(6), gain)
    for row, (a, b) in enumerate(pairs):
        scale = min(max(gain[row], 0.5), 2)
        first, second = chroma[a].astype(float) - 128, chroma[b].astype(float) - 128
        apart = np.sqrt(np.median(((scale * first - second) ** 2).sum(axis=0)))
        excess = max(apart - 8, 0) / 20
        expected = 1.0 if b == 3 else np.exp(-(excess**2))
        assert found[row] == pytest.approx(expected, abs=1e-4)
    assert found[1] < found[4] == 1
    grey = np.full((2, 2, 16, 16), 128, np.uint8)
    assert _agree_in_color(grey, np.array([[0, 1]]), still(1), gain[:1]).tolist() == [1]
    darker = _agree_in_color(chroma, pairs[:1], still(1), np.array([0.3], np.float32))
    apart = np.sqrt(np.median(((0.5 * (chroma[0] - 128.0)) ** 2).sum(axis=0)))
    assert darker[0] == pytest.approx(np.exp(-((max(apart - 8, 0) / 20) ** 2)), abs=1e-4)


def test_colours_are_compared_where_the_placement_lays_them():
    x = np.linspace(60, 200, 16)
    chroma = np.stack([np.tile(x, (16, 1)), np.tile(x, (16, 1)).T])[None]
    turned = turn(chroma, 1)
    both = np.concatenate([chroma, turned]).astype(np.uint8)
    mirror = Placements(turn_matrix(1)[None], np.float32([[1, 0]]))
    pair = np.array([[0, 1]])
    assert _agree_in_color(both, pair, mirror, np.ones(1, np.float32))[0] == pytest.approx(1)
    assert _agree_in_color(both, pair, still(1), np.ones(1, np.float32))[0] < 0.5


def test_plain_pictures_agree_only_when_they_are_the_same():
    scene = soft(6, 1, 64)[0]
    level = np.full((64, 64), 100.0)
    luma = prints([level, level + 2, level + 3, scene, scene + 9]).luma
    pairs = np.array([[0, 1], [0, 2], [1, 2], [3, 4], [0, 3]])
    assert _agree_if_plain(luma, pairs).tolist() == [True, False, True, True, False]


def test_a_comparison_joins_structure_colour_and_what_is_plausible():
    pictures = soft(7, 3, 64)
    pictures[1] = 0.8 * pictures[0] + 20
    pictures[2] = 0.3 * (pictures[0] - 128) + 128
    found = prints(pictures)
    pairs = np.array([[0, 1], [0, 2], [1, 0]])
    similar = compare(found, pairs, still(3))
    structure, _, _, gain, _ = _compare(found.luma, pairs, still(3))
    assert similar[0] == pytest.approx(structure[0], abs=1e-5)
    assert similar[0] > 0.98
    assert gain[1] < 1 / 2.5
    assert similar[1] == 0
    weaker = prints(np.stack([pictures[0], 0.45 * (pictures[0] - 128) + 128]))
    assert compare(weaker, np.array([[0, 1], [1, 0]]), still(2)).min() > 0.9
    rng = np.random.default_rng(0)
    chroma = (128 + rng.normal(0, 20, (3, 2, 16, 16))).clip(0, 255)
    colour = prints(pictures, chroma)
    factor = _agree_in_color(colour.chroma, pairs, still(3), gain)
    assert factor[0] < 0.9
    np.testing.assert_allclose(
        compare(colour, pairs, still(3))[[0, 2]], (similar * factor)[[0, 2]], atol=1e-5
    )


@pytest.mark.parametrize(
    ("width", "height", "plausible"),
    [
        (0.43, 0.43, True),
        (0.41, 0.41, False),
        (0.9, 0.7, True),
        (0.9, 0.68, False),
        (0.5, 0.66, False),
    ],
)
def test_placements_must_not_be_too_small_or_too_stretched(width, height, plausible):
    scene = soft(8, 1, 64)
    matrix = np.float32([[[width, 0], [0, height]]])
    placed = Placements(matrix, np.float32([[0.5 - width / 2, 0.5 - height / 2]]))
    cut = sample(scene, np.zeros(1, int), placed, 64)[0].reshape(1, 64, 64)
    found = prints(np.concatenate([scene, cut]))
    similarity = compare(found, np.array([[0, 1]]), placed)
    assert (similarity[0] > 0.8) == plausible
    assert (similarity[0] == 0) != plausible


def test_changes_are_named():
    scene = soft(10, 1, 64)[0]
    banner = scene.copy()
    banner[20:30] = 255
    crop = sample(scene[None], np.zeros(1, int), still(1, 0.8), 64)[0].reshape(64, 64)
    small = sample(scene[None], np.zeros(1, int), still(1, 0.96), 64)[0].reshape(64, 64)
    luma = [
        scene, 0.92 * (scene - 128) + 128, 0.86 * (scene - 128) + 128, scene + 14, scene + 10,
        banner, crop, small, turn(scene, 1), scene,
    ]  # fmt: skip
    chroma = np.full((10, 2, 16, 16), 128)
    chroma[:9] += 5
    found = prints(luma, chroma)
    pairs = np.array([[0, k] for k in range(1, 10)])
    matrix = np.tile(np.eye(2, dtype=np.float32), (9, 1, 1))
    offset = np.zeros((9, 2), np.float32)
    matrix[5], offset[5] = 0.8 * np.eye(2), 0.1
    matrix[6], offset[6] = 0.96 * np.eye(2), 0.02
    matrix[7], offset[7] = turn_matrix(1), [1, 0]
    placed = Placements(matrix, offset)
    names = name_transforms(found, pairs, placed)
    assert names == (
        "identity", "brightness", "brightness", "identity", "banner", "crop", "identity", "hflip",
        "gray",
    )  # fmt: skip
    back = name_transforms(found, pairs[:, ::-1], placed.inverse())
    assert back == names
    darker = prints([scene, 0.85 * scene])  # a gain alone, below 1
    assert name_transforms(darker, np.array([[0, 1]]), still(1)) == ("brightness",)
    everything = prints(
        [scene, turn(1.3 * crop - 40, 1)], [np.full((2, 16, 16), 140), np.full((2, 16, 16), 128)]
    )
    matrix, offset = matrix[7:8] * 0.8, np.float32([[0.9, 0.1]])
    pair = np.array([[0, 1]])
    assert name_transforms(everything, pair, Placements(matrix, offset)) == (
        "hflip+crop+gray+brightness",
    )


@pytest.mark.parametrize(
    ("first", "second", "grey"), [(1.4, 4.1, True), (1.6, 4.1, False), (1.4, 3.9, False)]
)
def test_grey_is_named_where_one_has_colour_and_the_other_has_none(first, second, grey):
    scene = soft(11, 1, 64)[0]
    chroma = np.full((2, 2, 16, 16), 128)
    for row, spread in enumerate((first, second)):
        count = round((spread - int(spread)) * 256)
        chroma[row] += int(spread)
        chroma[row].reshape(2, -1)[:, :count] += 1
    names = name_transforms(prints([scene, scene], chroma), np.array([[0, 1], [1, 0]]), still(2))
    assert names == (("gray",) * 2 if grey else ("identity",) * 2)
