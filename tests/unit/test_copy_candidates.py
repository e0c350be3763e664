"""Candidates and guesses of near duplicates against slow searches over all pairs."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.ndimage import map_coordinates
from sklearn.decomposition import PCA

from vernis.core.copies import candidates, guesses
from vernis.core.copies.alignment import Placements, sample
from vernis.core.copies.candidates import (
    TurnDescriptors,
    _as_pairs,
    _merge,
    describe_turns,
    propose_by_embedding,
    propose_by_turns,
)
from vernis.core.copies.fingerprints import shrink, standardize, turn, turn_matrix
from vernis.core.copies.guesses import (
    CROP_SCALES,
    choose_crops,
    crop_windows,
    describe_small,
    guess_orientations,
    place_crops,
)
from vernis.core.numeric.neighbors import Neighbors


def soft(seed: int, n: int, side: int = 64) -> np.ndarray:
    rng = np.random.default_rng(seed)
    at = np.linspace(0, 9, side)
    y, x = np.meshgrid(at, at, indexing="ij")
    rough = rng.normal(128, 60, (n, 10, 10))
    pictures = np.stack([map_coordinates(r, [y, x], order=1) for r in rough])
    return pictures.clip(0, 255).astype(np.uint8)


def whitened_by_hand(luma: np.ndarray) -> list[np.ndarray]:
    """Return the descriptors of all pictures in each orientation."""
    small = luma.reshape(-1, 8, 8, 8, 8).mean(axis=(2, 4)).reshape(len(luma), 64)
    small = small - small.mean(axis=1, keepdims=True)
    small /= np.sqrt((small**2).sum(axis=1, keepdims=True) + 64)
    turned = [np.stack([turn(p, k).ravel() for p in small.reshape(-1, 8, 8)]) for k in range(8)]
    every = np.concatenate(turned)
    spread, axes = np.linalg.eigh(every.T @ every / len(every))
    spread, axes = np.maximum(spread[::-1][:48], 1e-6), axes[:, ::-1][:, :48]
    found = [t @ axes / spread**0.3 for t in turned]
    return [f / np.linalg.norm(f, axis=1, keepdims=True) for f in found]


def pairs_by_hand(similarity: np.ndarray, k: int) -> dict[tuple[int, int], float]:
    """Return the nearest others of each, as pairs, with the better similarity of both ways."""
    found: dict[tuple[int, int], float] = {}
    for i, row in enumerate(similarity):
        near = [j for j in np.argsort(-row, kind="stable") if j != i][:k]
        for j in near:
            pair = (min(i, j), max(i, j))
            found[pair] = max(found.get(pair, -2), float(row[j]))
    return found


def as_dict(found) -> dict[tuple[int, int], float]:
    pairs, values = found
    assert (pairs[:, 0] < pairs[:, 1]).all()
    assert pairs.tolist() == sorted(pairs.tolist())
    return {(a, b): v for (a, b), v in zip(pairs.tolist(), values.tolist(), strict=True)}


def test_pictures_are_near_in_their_best_orientation():
    luma = soft(0, 34)
    turned = whitened_by_hand(luma)
    similarity = np.max([t @ turned[0].T for t in turned], axis=0)
    found = as_dict(propose_by_turns(describe_turns(luma), 3))
    expected = pairs_by_hand(similarity, 3)
    assert found.keys() == expected.keys()
    for pair, value in expected.items():
        assert found[pair] == pytest.approx(value, abs=5e-3)
    flipped = np.concatenate([luma[:6], luma[:6, ::-1]])
    best = as_dict(propose_by_turns(describe_turns(flipped), 1))
    assert best.keys() == {(i, 6 + i) for i in range(6)}
    assert list(best.values()) == pytest.approx([1] * 6, abs=1e-3)
    descriptors = describe_turns(luma)
    assert len(descriptors) == 34
    np.testing.assert_allclose(descriptors.turned(5) @ descriptors.turned(0).T,
                               turned[5] @ turned[0].T, atol=5e-3)  # fmt: skip


def test_of_no_pictures_nothing_is_proposed():
    none = describe_turns(np.empty((0, 64, 64), np.uint8))
    assert none.turned(3).shape[0] == 0
    pairs, similarity = propose_by_turns(none, 3)
    assert pairs.shape == (0, 2)
    assert len(similarity) == 0


def test_of_many_pictures_a_sample_makes_the_components(monkeypatch):
    luma = soft(1, 40)
    whole = describe_turns(luma)
    monkeypatch.setattr(candidates, "_COVARIANCE_SAMPLE", 15)
    rows = np.sort(np.random.default_rng(3).choice(40, 15, replace=False))
    some, alone = describe_turns(luma, seed=3), describe_turns(luma[rows])
    for k in (0, 3):
        mapped = TurnDescriptors(some.small, alone.basis).turned(k)
        np.testing.assert_allclose(some.turned(k) @ some.turned(0).T,
                                   mapped @ TurnDescriptors(some.small, alone.basis).turned(0).T,
                                   atol=1e-3)  # fmt: skip
    assert (
        np.abs(some.turned(0) @ some.turned(0).T - whole.turned(0) @ whole.turned(0).T).max() > 0.01
    )
    monkeypatch.setattr(candidates, "_COVARIANCE_SAMPLE", 40)
    np.testing.assert_array_equal(describe_turns(luma).basis, whole.basis)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_pictures_have_few_neighbours(count):
    pairs, values = propose_by_turns(describe_turns(soft(2, count)), 8)
    assert len(pairs) == len(values) == count * (count - 1) // 2


@pytest.mark.parametrize("limit", [25, 24])
def test_the_search_by_cells_begins_beyond_the_limit(limit, monkeypatch):
    asked = []

    def by_cells(descriptors, n_neighbors, seed):
        asked.append((n_neighbors, seed))
        return Neighbors(np.zeros((25, 1), int), np.zeros((25, 1), np.float32))

    monkeypatch.setattr(candidates, "EXACT_LIMIT", limit)
    monkeypatch.setattr(candidates, "_search_turns_by_cells", by_cells)
    propose_by_turns(describe_turns(soft(3, 25)), 4, seed=7)
    assert asked == ([] if limit == 25 else [(4, 7)])


def test_an_embedding_is_centred_and_projected_before_it_is_searched():
    rng = np.random.default_rng(0)
    for columns in (20, 160):
        vectors = rng.normal(size=(40, columns)) + 5
        found = as_dict(propose_by_embedding(vectors, 3))
        centred = vectors - vectors.mean(axis=0)
        if columns > 128:
            centred = PCA(min(40, 128), svd_solver="full").fit_transform(vectors)
        unit = centred / np.linalg.norm(centred, axis=1, keepdims=True)
        expected = pairs_by_hand(unit @ unit.T, 3)
        assert found.keys() == expected.keys()
        for pair, value in expected.items():
            assert found[pair] == pytest.approx(value, abs=1e-3)


def test_neighbours_become_distinct_pairs_with_their_best_similarity():
    found = Neighbors(
        np.array([[1, 2, 3], [0, -1, 1], [0, 1, 0], [2, 0, 3]]),
        np.array([[0.9, 0.5, -2.0], [0.8, 0.7, 0.9], [0.6, 0.1, 0.3], [0.2, -0.5, 0.4]], "f4"),
    )
    pairs, values = _as_pairs(found)
    assert pairs.tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [2, 3]]
    assert values.tolist() == pytest.approx([0.9, 0.6, -0.5, 0.1, 0.2])


def test_of_both_searches_the_most_similar_stay_each_once(monkeypatch):
    rng = np.random.default_rng(0)
    for rows in (100_000, 3):
        monkeypatch.setattr(candidates, "_MERGED_ROWS", rows)
        names = [np.stack([rng.permutation(9)[:4] for _ in range(8)]) for _ in range(2)]
        values = [rng.random((8, 4)).astype(np.float32) for _ in range(2)]
        values[1][0] = values[0][0]
        names[1][0] = names[0][0]  # the same twice over
        expected = []
        for row in range(8):
            best: dict[int, float] = {}
            for part in (0, 1):
                for name, value in zip(names[part][row], values[part][row], strict=True):
                    best[name] = max(best.get(name, -2), value)
            ranked = sorted(best.items(), key=lambda e: -e[1])[:4]
            expected.append(ranked)
        first = Neighbors(names[0].copy(), values[0].copy())
        found = _merge(first, Neighbors(names[1].copy(), values[1].copy()))
        for row, wanted in enumerate(expected):
            assert found.indices[row].tolist() == [name for name, _ in wanted]
            assert found.similarities[row].tolist() == pytest.approx([v for _, v in wanted])


def test_windows_of_crops_step_by_a_tenth_over_the_picture():
    expected = []
    for scale in (0.9, 0.8, 0.7, 0.6, 0.5):
        steps = [round(0.1 * i, 6) for i in range(round((1 - scale) * 10) + 1)]
        expected += [(x, y, scale) for y in steps for x in steps]
    np.testing.assert_allclose(crop_windows(), expected, atol=1e-6)
    assert CROP_SCALES == (0.9, 0.8, 0.7, 0.6, 0.5)
    assert len(expected) == sum(n * n for n in (2, 3, 4, 5, 6))


def corners(placed: Placements, row: int) -> np.ndarray:
    """Return where the left upper and the right lower corner of the part lie on the whole."""
    return np.array([[0, 0], [1, 1]]) @ placed.matrix[row].T + placed.offset[row]


def test_a_crop_is_placed_as_its_window_in_every_orientation():
    windows = crop_windows()
    choice = np.arange(8 * len(windows), dtype=np.int16)
    placed = place_crops(choice)
    for row in (0, 1, 17, len(windows), 3 * len(windows) + 20, len(choice) - 1):
        orientation, window = divmod(row, len(windows))
        left, top, scale = windows[window]
        found = corners(placed, row)
        assert found.min(axis=0) == pytest.approx([left, top], abs=1e-5)
        assert found.max(axis=0) == pytest.approx([left + scale, top + scale], abs=1e-5)
        np.testing.assert_allclose(placed.matrix[row], turn_matrix(orientation) * scale, atol=1e-6)


def small_by_hand(picture: np.ndarray) -> np.ndarray:
    step = len(picture) // 8
    flat = picture.reshape(8, step, 8, step).mean(axis=(1, 3)).ravel()
    return standardize(flat.astype(np.float32)).reshape(8, 8)


def test_orientations_are_guessed_by_correlation(monkeypatch):
    pictures = shrink(soft(4, 12), 16)
    pictures[6:] = np.stack(
        [turn(p, k) for p, k in zip(pictures[:6], (1, 2, 3, 4, 5, 6), strict=True)]
    )
    pairs = np.array([[i, 6 + i] for i in range(6)] + [[6 + i, i] for i in range(6)] + [[2, 3]])
    for block in (1024, 4):
        monkeypatch.setattr(guesses, "_BLOCK", block)
        placed, correlation = guess_orientations(pictures, pairs, 3)
        assert placed.matrix.shape == (39, 2, 2)
        assert correlation.shape == (13, 3)
        for row, (a, b) in enumerate(pairs):
            first, second = small_by_hand(pictures[a]), small_by_hand(pictures[b])
            match = np.array([(first * turn(second, k)).sum() for k in range(8)])
            best = np.argsort(-match, kind="stable")[:3]
            np.testing.assert_allclose(correlation[row], match[best], atol=1e-5)
            for place, k in enumerate(best):
                at = 3 * row + place
                np.testing.assert_allclose(placed.matrix[at], turn_matrix(int(k)), atol=1e-6)
                middle = placed.matrix[at] @ [0.5, 0.5] + placed.offset[at]
                np.testing.assert_allclose(middle, [0.5, 0.5], atol=1e-6)
    assert (correlation[:12, 0] > 0.95).all()
    one, only = guess_orientations(pictures, pairs)
    assert one.matrix.shape == (13, 2, 2)
    np.testing.assert_array_equal(only[:, 0], correlation[:, 0])
    # the placement that is guessed lays the second on the first
    warped = sample(pictures, pairs[:, 0], one, 16)[0]
    np.testing.assert_allclose(warped[:12], pictures[pairs[:12, 1]].reshape(12, -1), atol=1e-2)


def test_crops_are_chosen_by_the_best_correlation_over_windows_and_orientations():
    wholes = soft(5, 3)
    pictures = shrink(wholes, 32)
    windows = crop_windows()
    parts = soft(6, 4)
    cuts = {0: (13, 1), 2: (40, 6)}
    for part, (window, orientation) in cuts.items():
        choice = np.array([orientation * len(windows) + window], np.int16)
        placed = place_crops(choice)
        parts[part] = sample(wholes[part : part + 1], np.zeros(1, int), placed, 64)[0].reshape(
            64, 64
        )
    small = describe_small(shrink(parts, 16))
    whole, part = np.array([0, 0, 1, 2, 2]), np.array([0, 3, 1, 2, 0])
    found = choose_crops(pictures, small, whole, part)
    crops = {
        own: [standardize(average_window(pictures[own], *w).ravel()) for w in windows]
        for own in (0, 1, 2)
    }
    for row in range(5):
        turned = [turn(small[part[row]], k).ravel() for k in range(8)]
        scores = [float(t @ crop) for t in turned for crop in crops[int(whole[row])]]
        assert scores[found[row]] == pytest.approx(max(scores), abs=2e-4)
    for row, own in ((0, 0), (3, 2)):
        window, orientation = cuts[own]
        assert found[row] == orientation * len(windows) + window


def average_window(picture: np.ndarray, left: float, top: float, scale: float) -> np.ndarray:
    """Average a window of a picture down to 8 × 8 points, by the area of each pixel."""
    side = len(picture)

    def cover(start: float) -> np.ndarray:
        edges = (start + np.linspace(0, 1, 9) * scale) * side
        weights = np.array(
            [[max(min(b, p + 1) - max(a, p), 0) for p in range(side)] for a, b in pairwise(edges)]
        )
        return weights / weights.sum(axis=1, keepdims=True)

    return (cover(top) @ picture @ cover(left).T).astype(np.float32)
