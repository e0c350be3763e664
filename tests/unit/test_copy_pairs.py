"""The cascade from candidates to verified pairs, and the chains that follow, step by step."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from vernis.core.copies import blocks, pairs
from vernis.core.copies.alignment import Placements, refine_placements, sample
from vernis.core.copies.cascade import (
    Checked,
    Pyramid,
    _finish,
    _inward,
    _refine,
    best_of,
    verify_chain,
    verify_guesses,
)
from vernis.core.copies.fingerprints import Fingerprints, shrink, turn, turn_matrix
from vernis.core.copies.guesses import (
    choose_crops,
    describe_small,
    guess_orientations,
    place_crops,
)
from vernis.core.copies.pairs import (
    NearSettings,
    _chains,
    _choose_crops,
    _follow_chains,
    _guess_all,
    find_near_pairs,
    verify_candidates,
)
from vernis.core.copies.verification import compare, compare_structure, robust_agreement
from vernis.domain.errors import InvalidValue


def soft(seed: int, n: int, side: int = 64) -> np.ndarray:
    rng = np.random.default_rng(seed)
    at = np.linspace(0, 9, side)
    y, x = np.meshgrid(at, at, indexing="ij")
    rough = rng.normal(128, 60, (n, 10, 10))
    pictures = np.stack([map_coordinates(r, [y, x], order=1) for r in rough])
    return pictures.clip(0, 255).astype(np.uint8)


def prints(luma: np.ndarray) -> Fingerprints:
    chroma = np.full((len(luma), 2, 16, 16), 128, np.uint8)
    return Fingerprints(luma, chroma, np.ones(len(luma), np.float32))


def still(n: int, scale: float = 1.0) -> Placements:
    matrix = np.tile(np.eye(2, dtype=np.float32) * scale, (n, 1, 1))
    return Placements(matrix, np.full((n, 2), 0.5 - scale / 2, np.float32))


def crop_of(luma: np.ndarray, placed: Placements) -> np.ndarray:
    return sample(luma[None], np.zeros(1, int), placed, 64)[0].reshape(64, 64).astype(np.uint8)


@pytest.fixture(scope="module")
def collection() -> np.ndarray:
    """Ten pictures; 10 is 0 turned, 11 a crop of 1, 12 and 13 are 2 a little changed."""
    luma = soft(0, 10)
    cut = crop_of(luma[1], still(1, 0.8))
    noisy = luma[2] * 0.9 + np.random.default_rng(0).normal(0, 6, (2, 64, 64))
    turned = turn(luma[0], 6)
    return np.concatenate([luma, [turned, cut], noisy.clip(0, 255).astype(np.uint8)])


def test_pairs_are_turned_so_that_the_sampled_picture_is_the_larger():
    placed = Placements(
        np.concatenate([still(1, 0.7).matrix, still(1, 1.5).matrix, still(1).matrix]),
        np.concatenate([still(1, 0.7).offset, still(1, 1.5).offset, still(1).offset]),
    )
    found, inward = _inward(np.array([[0, 1], [2, 3], [4, 5]]), placed)
    assert found.tolist() == [[0, 1], [3, 2], [4, 5]]
    np.testing.assert_allclose(inward.scale(), [0.7, 1 / 1.5, 1], atol=1e-6)
    np.testing.assert_allclose(inward.matrix[1] * 1.5, np.eye(2), atol=1e-6)
    np.testing.assert_allclose(inward.offset[1], [1 / 6, 1 / 6], atol=1e-6)


def test_refining_keeps_the_direction_of_a_pair():
    luma = soft(1, 1)
    cut = crop_of(luma[0], still(1, 0.8))
    small = shrink(np.stack([luma[0], cut]), 32)
    inside, outside = still(1, 0.77), still(1, 1 / 0.77)
    forward = _refine(small, np.array([[0, 1]]), inside, 4)
    back = _refine(small, np.array([[1, 0]]), outside, 4)
    assert forward.scale()[0] == pytest.approx(0.8, abs=0.01)
    assert back.scale()[0] == pytest.approx(1.25, abs=0.02)
    plain = refine_placements(small, np.array([[0, 1]]), inside, 4)
    np.testing.assert_allclose(forward.matrix, plain.matrix)
    np.testing.assert_allclose(back.inverse().matrix, plain.matrix, atol=1e-5)
    np.testing.assert_allclose(back.inverse().offset, plain.offset, atol=1e-5)


def checked(rows, values, scale=None) -> Checked:
    rows = np.array(rows).reshape(-1, 2)
    scale = np.ones(len(rows)) if scale is None else np.array(scale)
    matrix = (np.eye(2) * scale[:, None, None]).astype(np.float32)
    offset = np.repeat(scale[:, None], 2, axis=1).astype(np.float32)
    return Checked(rows, Placements(matrix, offset), np.array(values, np.float32))


def test_of_a_pair_found_twice_the_more_similar_one_stays():
    first = checked([[3, 4], [0, 2], [0, 1]], [0.7, 0.9, 0.8], [0.1, 0.2, 0.3])
    second = checked([[0, 2], [3, 4], [1, 2]], [0.95, 0.6, 0.5], [0.4, 0.5, 0.6])
    for parts in ([first, second], [second, first]):
        found = best_of(parts)
        assert found.pairs.tolist() == [[0, 1], [0, 2], [1, 2], [3, 4]]
        assert found.similarity.tolist() == pytest.approx([0.8, 0.95, 0.5, 0.7])
        assert found.placements.scale().tolist() == pytest.approx([0.3, 0.4, 0.6, 0.1])
        assert found.placements.offset[:, 0].tolist() == pytest.approx([0.3, 0.4, 0.6, 0.1])
    assert best_of([]).pairs.shape == (0, 2)
    assert best_of([first]).take(slice(0, 1)).pairs.tolist() == [[0, 1]]


def verify_by_hand(pyramid, rows, guesses, threshold):
    """Verify one pair after the other through the gates."""
    found = {}
    count = len(guesses.matrix) // len(rows)
    for place, pair in enumerate(rows):
        own = np.arange(place * count, (place + 1) * count)
        tried = []
        for guess in own:
            one = guesses.take(np.array([guess]))
            agreement = robust_agreement(pyramid.coarse, *_inward(pair[None], one))[0]
            tried.append((agreement, guess))
        best = sorted(tried, key=lambda t: (-t[0], t[1]))[:2]
        refined = []
        for agreement, guess in best:
            if agreement >= 0.18:
                one = _refine(pyramid.coarse, pair[None], guesses.take(np.array([guess])), 4)
                value = robust_agreement(pyramid.coarse, *_inward(pair[None], one))[0]
                refined.append((value, one))
        if not refined:
            continue
        agreement, one = max(refined, key=lambda t: t[0])
        if agreement < 0.3:
            continue
        for side, rounds in ((16, 0), (32, 3), (64, 2)):
            names, local = np.unique(pair, return_inverse=True)
            pictures = shrink(pyramid.fingerprints.luma[names], side)
            one = _refine(pictures, local.reshape(1, 2), one, rounds)
            if side < 64:
                structure = compare_structure(pictures, *_inward(local.reshape(1, 2), one))[0]
                if structure < 0.6 * threshold:
                    break
        else:
            similarity = compare(pyramid.fingerprints, *_inward(pair[None], one))[0]
            if similarity >= threshold:
                found[tuple(pair.tolist())] = (similarity, one)
    return found


def all_pairs(n: int) -> np.ndarray:
    return np.array([[a, b] for a in range(n) for b in range(a + 1, n)])


@pytest.mark.parametrize("threshold", [0.85, 0.4])
def test_guesses_are_verified_from_coarse_to_fine(collection, threshold):
    pyramid = Pyramid.build(prints(collection))
    np.testing.assert_allclose(pyramid.coarse, shrink(collection, 16))
    rows = all_pairs(len(collection))
    guesses = guess_orientations(pyramid.coarse, rows, 3)[0]
    found = verify_guesses(pyramid, rows, guesses, threshold)
    expected = verify_by_hand(pyramid, rows, guesses, threshold)
    assert [tuple(pair) for pair in found.pairs.tolist()] == list(expected)
    for row, (similarity, placed) in enumerate(expected.values()):
        assert found.similarity[row] == pytest.approx(similarity, abs=2e-3)
        np.testing.assert_allclose(found.placements.matrix[row], placed.matrix[0], atol=2e-3)
    assert {(0, 10), (2, 12), (2, 13)} <= set(expected)
    assert ((12, 13) in expected) == (threshold < 0.8)
    nothing = verify_guesses(pyramid, np.zeros((0, 2), int), still(0), threshold)
    assert len(nothing.pairs) == 0


def test_of_two_good_guesses_the_better_one_stays():
    """A picture that nearly looks the same in the mirror has two."""
    half = soft(7, 1)[0].astype(float)
    even = (half + half[:, ::-1]) / 2 + 0.15 * (half - half[:, ::-1])
    other = 0.95 * even + np.random.default_rng(0).normal(0, 3, (64, 64))
    luma = np.stack([even, other, soft(8, 1)[0]]).clip(0, 255).astype(np.uint8)
    pyramid = Pyramid.build(prints(luma))
    rows = np.array([[0, 2], [0, 1], [1, 2]])
    guesses = guess_orientations(pyramid.coarse, rows, 2)[0]
    found = verify_guesses(pyramid, rows, guesses, 0.3)
    each = [
        verify_guesses(pyramid, rows[1:2], guesses.take(np.array([g])), 0.3).similarity
        for g in (2, 3)
    ]
    assert min(len(one) for one in each) == 1  # both would do
    assert found.pairs.tolist() == [[0, 1]]
    assert found.similarity[0] == max(float(one[0]) for one in each)
    assert found.placements.orientation().tolist() == [0]


def test_a_chain_counts_as_it_is_and_refined(collection):
    pyramid = Pyramid.build(prints(collection))
    row = np.array([[1, 11], [1, 11], [3, 4]])
    placed = Placements(
        np.concatenate([still(1, 0.8).matrix, still(1, 0.76).matrix, still(1).matrix]),
        np.concatenate([still(1, 0.8).offset, still(1, 0.76).offset, still(1).offset]),
    )
    found = verify_chain(pyramid, row[:1], placed.take(slice(0, 1)), 0.55)
    implied = compare(pyramid.fingerprints, row[:1], placed.take(slice(0, 1)))
    refined = _finish(pyramid, row[:1], placed.take(slice(0, 1)), 0.55)
    assert found.similarity[0] == max(implied[0], refined.similarity[0])
    off = verify_chain(pyramid, row[1:2], placed.take(slice(1, 2)), 0.9)
    assert compare(pyramid.fingerprints, row[1:2], placed.take(slice(1, 2)))[0] < 0.9
    assert off.pairs.tolist() == [[1, 11]]
    assert off.placements.scale()[0] == pytest.approx(0.8, abs=0.01)
    assert len(verify_chain(pyramid, row[2:], placed.take(slice(2, 3)), 0.3).pairs) == 0


def chains_by_hand(found: Checked, n: int, tried: set[int], degree: int = 16):
    """Return the untried pairs two steps apart with the middle of the best weaker step."""
    steps = {}
    inverse = found.placements.inverse()
    for row, (a, b) in enumerate(found.pairs.tolist()):
        steps[a, b] = (found.similarity[row], found.placements, row)
        steps[b, a] = (found.similarity[row], inverse, row)
    best = {}
    for middle in range(n):
        around = sorted((key for key in steps if key[0] == middle), key=lambda key: -steps[key][0])[
            :degree
        ]
        for one in around:
            for other in around:
                a, c = one[1], other[1]
                if a < c and a * n + c not in tried:
                    value = min(steps[one][0], steps[other][0])
                    if (a, c) not in best or value > best[a, c][0]:
                        best[a, c] = (value, steps[one], steps[other])
    return best


@pytest.mark.parametrize("degree", [16, 2])
def test_chains_lead_over_the_most_similar_middle(degree, monkeypatch):
    monkeypatch.setattr(pairs, "_CHAIN_DEGREE", degree)
    rng = np.random.default_rng(1)
    rows = all_pairs(8)[rng.permutation(28)[:13]]
    values = rng.permutation(13) / 20 + 0.3
    matrix = np.stack([turn_matrix(int(k)) for k in rng.integers(0, 8, 13)])
    matrix = (matrix * rng.uniform(0.7, 1.3, (13, 1, 1))).astype(np.float32)
    placed = Placements(matrix, rng.normal(size=(13, 2)).astype(np.float32))
    found = Checked(rows, placed, values.astype(np.float32))
    tried = {int(a * 8 + b) for a, b in rows}
    expected = chains_by_hand(found, 8, tried, degree)
    got, chained = _chains(found, 8, tried)
    assert [tuple(pair) for pair in got.tolist()] == sorted(expected)
    point = np.array([0.2, 0.9])
    for row, pair in enumerate(got.tolist()):
        _, first, second = expected[tuple(pair)]
        # middle → a is undone after c → middle
        middle = second[1].matrix[second[2]] @ point + second[1].offset[second[2]]
        back = np.linalg.solve(first[1].matrix[first[2]], middle - first[1].offset[first[2]])
        there = chained.matrix[row] @ point + chained.offset[row]
        np.testing.assert_allclose(there, back, atol=1e-3)
    every = {int(a * 8 + b) for a, b in all_pairs(8)}
    assert len(_chains(found, 8, every)[0]) == 0


def test_chains_are_followed_over_verified_pairs_until_nothing_is_new(monkeypatch):
    """On a line of six pictures each round reaches twice as far, at most three rounds."""
    asked = []

    def verify(pyramid, rows, placed, threshold):
        asked.append((sorted(map(tuple, rows.tolist())), threshold))
        keep = [r for r in range(len(rows)) if rows[r, 1] - rows[r, 0] != 4]
        return checked(rows[keep], [0.9 if b - a < 3 else 0.6 for a, b in rows[keep].tolist()])

    monkeypatch.setattr(pairs, "verify_chain", verify)
    pyramid = Pyramid.build(prints(soft(2, 6)))
    start = checked([[0, 1], [1, 2], [2, 3], [3, 4], [4, 5]], [0.9] * 5)
    found = _follow_chains(pyramid, start, NearSettings())
    assert asked[0] == ([(0, 2), (1, 3), (2, 4), (3, 5)], 0.55)
    # a pair below the threshold leads no farther
    assert asked[1][0] == [(0, 3), (0, 4), (1, 4), (1, 5), (2, 5)]
    assert len(asked) <= 3
    assert {(0, 3), (1, 4), (2, 5)} <= set(map(tuple, found.pairs.tolist()))
    assert (0, 4) not in set(map(tuple, found.pairs.tolist()))
    asked.clear()
    weak = checked([[0, 1], [1, 2]], [0.9, 0.84])
    assert len(_follow_chains(pyramid, weak, NearSettings()).pairs) == 2
    assert asked == []
    alone = _follow_chains(pyramid, checked([[0, 1], [1, 2]], [0.85, 0.9]), NearSettings())
    assert alone.pairs.tolist() == [[0, 1], [0, 2], [1, 2]]


def test_crops_are_chosen_for_both_directions(collection, monkeypatch):
    pyramid = Pyramid.build(prints(collection))
    rows = np.array([[1, 11], [5, 1], [11, 1], [0, 3]])
    small = shrink(collection, 32)
    expected = []
    for whole, part in ((0, 1), (1, 0)):
        for pair in rows:
            one = np.zeros(1, int)
            describe = describe_small(pyramid.coarse[pair[part]][None])
            expected.append(choose_crops(small[pair[whole]][None], describe, one, one)[0])
    expected = np.array(expected).reshape(2, 4).T
    for block in (2048, 3):
        monkeypatch.setattr(blocks, "BLOCK", block)
        np.testing.assert_array_equal(_choose_crops(pyramid, rows), expected)
    assert _choose_crops(pyramid, rows[:0]).shape == (0, 2)
    guesses = _guess_all(pyramid, rows, expected)
    assert guesses.matrix.shape == (16, 2, 2)
    orientations = guess_orientations(pyramid.coarse, rows, 2)[0]
    for row in range(4):
        np.testing.assert_array_equal(
            guesses.matrix[4 * row : 4 * row + 2], orientations.matrix[2 * row : 2 * row + 2]
        )
        np.testing.assert_array_equal(
            guesses.offset[4 * row : 4 * row + 2], orientations.offset[2 * row : 2 * row + 2]
        )
        forward = place_crops(expected[row, :1])
        backward = place_crops(expected[row, 1:]).inverse()
        np.testing.assert_allclose(guesses.matrix[4 * row + 2], forward.matrix[0])
        np.testing.assert_allclose(guesses.offset[4 * row + 3], backward.offset[0], atol=1e-6)
        np.testing.assert_allclose(guesses.matrix[4 * row + 3], backward.matrix[0], atol=1e-6)
    assert guesses.scale()[2] == pytest.approx(0.8, abs=1e-5)  # 11 is a crop of 1


def test_candidates_are_verified_once_and_progress_reaches_the_total(collection, monkeypatch):
    pyramid = Pyramid.build(prints(collection))
    turned = np.array([[0, 3], [0, 10], [2, 12], [2, 13], [4, 5]])
    near = np.array([[0, 10], [1, 11], [5, 6]])
    said, compared = [], []
    original = verify_guesses

    def verify(pyramid, rows, guesses, threshold):
        compared.extend((*pair, len(guesses.matrix) // len(rows)) for pair in rows.tolist())
        assert threshold == 0.85
        return original(pyramid, rows, guesses, threshold)

    monkeypatch.setattr(pairs, "verify_guesses", verify)
    monkeypatch.setattr(pairs, "BLOCK", 2)
    monkeypatch.setattr(blocks, "BLOCK", 2)
    found = verify_candidates(
        pyramid, turned, near, NearSettings(), lambda done, total: said.append((done, total))
    )
    assert found.pairs.tolist() == [[0, 10], [1, 11], [2, 12], [2, 13]]
    assert sorted(compared) == [
        (0, 3, 1), (0, 10, 1), (1, 11, 4), (2, 12, 1), (2, 13, 1), (4, 5, 1), (5, 6, 4),
    ]  # fmt: skip
    assert said == [(2, 8), (4, 8), (5, 8), (8, 8)]
    silent = verify_candidates(pyramid, turned, near[:0], NearSettings())
    assert silent.pairs.tolist() == [[0, 10], [2, 12], [2, 13]]


def test_pairs_are_sorted_and_named_with_their_own_transforms(collection):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(14, 8))
    vectors[11] = vectors[1] + 0.05
    found = find_near_pairs(prints(collection), vectors)
    assert found.pairs.tolist() == [[0, 10], [1, 11], [2, 12], [2, 13], [12, 13]]
    # 10 is 0 turned against the clock
    assert found.transforms[:2] == ("rot90", "crop")
    assert found.similarity[:4].min() >= 0.85 > found.similarity[4] >= 0.55  # over 2
    without = find_near_pairs(prints(collection))
    assert [1, 11] not in without.pairs.tolist()
    strict = find_near_pairs(prints(collection), vectors, NearSettings(0.9999, 0.9999))
    assert strict.pairs.tolist() == [[0, 10]]
    told = []
    find_near_pairs(prints(collection), vectors, report=lambda *n: told.append(n))
    assert told[-1][0] == told[-1][1]
    more = np.concatenate([collection, turn(collection[:1], 1)])
    crossed = find_near_pairs(prints(more), np.vstack([vectors, vectors[:1]])).pairs.tolist()
    assert crossed[:4] == [[0, 10], [0, 14], [1, 11], [2, 12]]
    two = find_near_pairs(prints(collection[[0, 10]]))
    assert two.pairs.tolist() == [[0, 1]]


def test_settings_are_passed_on(collection, monkeypatch):
    asked = {}
    monkeypatch.setattr(
        pairs, "describe_turns", lambda luma, seed: asked.setdefault("seed", seed) and None
    )
    monkeypatch.setattr(
        pairs, "propose_by_turns",
        lambda d, n, seed: (asked.setdefault("turns", (n, seed)) and np.zeros((0, 2), int), 0),
    )  # fmt: skip
    monkeypatch.setattr(
        pairs, "propose_by_embedding",
        lambda d, n, seed: (asked.setdefault("near", (n, seed)) and np.zeros((0, 2), int), 0),
    )  # fmt: skip
    settings = NearSettings(turn_neighbors=3, embedding_neighbors=5, seed=9)
    assert len(find_near_pairs(prints(collection), np.zeros((14, 2)), settings).pairs) == 0
    assert asked == {"seed": 9, "turns": (3, 9), "near": (5, 9)}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bridged_threshold": 0.0}, "0 < bridged"),
        ({"bridged_threshold": 0.9}, "0.9 and 0.85"),
        ({"threshold": 1.0}, "< 1"),
        ({"turn_neighbors": 0}, "one neighbour or more, got 0, 8 and 24"),
        ({"embedding_neighbors": 0}, "got 8, 0 and 24"),
        ({"keypoint_neighbors": 0}, "got 8, 8 and 0"),
    ],
)
def test_odd_settings_are_refused(settings, message):
    with pytest.raises(InvalidValue, match=message):
        NearSettings(**settings)
    assert NearSettings(0.6, 0.6, 1, 1).threshold == 0.6
