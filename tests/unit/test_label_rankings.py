from __future__ import annotations

import numpy as np
import pytest

from vernis.core.labels import rankings as ranking_module
from vernis.core.labels.neighbor_probabilities import nearest_others, neighbor_probabilities
from vernis.core.labels.rankings import (
    distance_ratio,
    neighbor_votes,
    precision_at,
)
from vernis.core.numeric import neighbors
from vernis.domain.errors import InvalidValue


def unit(*degrees: float) -> np.ndarray:
    angle = np.radians(degrees)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def clusters(seed: int = 0, n: int = 40) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    codes = np.repeat([0, 1, 2], n)
    return (np.eye(8)[codes] + 0.1 * rng.normal(size=(3 * n, 8))).astype(np.float32), codes


def test_votes_are_those_of_a_plain_loop():
    X, codes = clusters()
    given = codes.copy()
    given[[3, 50, 90]] = [1, 2, 0]
    votes = neighbor_votes(X, given, k=6)
    rows = X / np.linalg.norm(X, axis=1, keepdims=True)
    for image in range(len(X)):
        similarity = rows @ rows[image]
        near = [j for j in np.argsort(-similarity) if j != image][:5]
        tally = np.zeros(3)
        for other in near:
            tally[given[other]] += max(similarity[other], 0)
        tally[given[image]] += 2 * similarity[near[0]] - similarity[near[1]]
        own = tally[given[image]]
        assert votes.score[image] == pytest.approx(own / np.linalg.norm(tally), abs=1e-5)
        rest = np.delete(tally, given[image]).max()
        assert votes.margin[image] == pytest.approx((own - rest) / tally.sum(), abs=1e-5)
    assert np.flatnonzero(votes.outvoted).tolist() == [3, 50, 90]


def test_duplicates_do_not_vote():
    X, codes = clusters()
    given = codes.copy()
    given[:6] = 1  # six copies of a picture with one wrong label
    X[:6] = X[0]
    groups = np.arange(len(X))
    assert not neighbor_votes(X, given, groups, k=7).outvoted[:6].any()
    groups[:6] = 0
    assert neighbor_votes(X, given, groups, k=7).outvoted[:6].all()
    assert (distance_ratio(X, given, groups)[:6] < 0.5).all()


def test_votes_need_voters():
    X, codes = clusters(n=2)
    for k in (2, 7):
        with pytest.raises(InvalidValue, match="k"):
            neighbor_votes(X, codes, k=k)


def test_distance_ratio_by_hand():
    X = unit(0, 30, 90, 80)
    score = distance_ratio(X, np.array([0, 0, 1, 0]))
    own, other = 1 - np.cos(np.radians(30)), 1.0
    assert score[0] == pytest.approx(other**2 / (own**2 + other**2), abs=1e-5)
    alone = 1.0  # image 2 is alone in its class: its own distance is the farthest one
    other = 1 - np.cos(np.radians(10))
    assert score[2] == pytest.approx(other**2 / (alone**2 + other**2), abs=1e-5)
    assert score.argsort()[:2].tolist() in ([2, 3], [3, 2])
    assert distance_ratio(np.ones((3, 2)), np.zeros(3, int)) == pytest.approx(np.full(3, 0.5))


def test_probabilities_of_neighbors():
    X, codes = clusters()
    Y = np.eye(3, dtype=np.float32)[codes]
    Y[5] = np.nan
    probs = neighbor_probabilities(X, Y, sizes=(5, 30))
    assert probs[np.arange(len(X)), codes].min() > 0.9
    assert probs.sum(axis=1) == pytest.approx(np.ones(len(X)), abs=1e-4)
    rows = X / np.linalg.norm(X, axis=1, keepdims=True)
    similarity = rows @ rows[0]
    near = [j for j in np.argsort(-similarity) if j != 0][:5]
    weight = np.array([similarity[j] if j != 5 else 0 for j in near])
    expected = (weight[:, None] * np.nan_to_num(Y[near])).sum(axis=0) / weight.sum()
    assert neighbor_probabilities(X, Y, sizes=(5,))[0] == pytest.approx(expected, abs=1e-5)
    few = neighbor_probabilities(X[:3], Y[:3], np.zeros(3, int))  # nobody may speak
    assert few == pytest.approx(np.tile([1, 0, 0], (3, 1)))


def test_neighbors_of_many_images_are_found_in_cells(monkeypatch):
    """Nearly the same ones, and never one of the own group."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 6)).astype(np.float32)
    groups = np.arange(400) // 2
    exact, weights = nearest_others(X, 8, groups)
    monkeypatch.setattr(neighbors, "EXACT_LIMIT", 100)
    found, near = nearest_others(X, 8, groups)
    assert found.shape == exact.shape
    assert not (groups[found] == groups[:, None])[near > 0].any()
    same = [len(set(a) & set(b)) / 8 for a, b in zip(exact.tolist(), found.tolist(), strict=True)]
    assert np.mean(same) > 0.95
    assert (near[found == 0] > 0).any()  # the first image is one like the others
    assert near.max(axis=1) == pytest.approx(weights.max(axis=1), abs=0.2)
    alone, none = nearest_others(X[:150], 3, np.zeros(150, int))
    assert alone.min() >= 0
    assert not none.any()


def test_ties_at_the_border_count_by_their_mean():
    score = np.array([0.1, 0.5, 0.5, 0.5, 0.9])
    wrong = np.array([True, True, False, False, True])
    assert precision_at(score, wrong, 1) == 1
    assert precision_at(score, wrong, 2) == pytest.approx((1 + 1 / 3) / 2)
    assert precision_at(score, wrong, 5) == pytest.approx(3 / 5)
    with pytest.raises(InvalidValue, match="depth"):
        precision_at(score, wrong, 0)


def distance_ratio_by_hand(X, labels, groups):
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    found = []
    for i in range(len(X)):
        away = np.maximum(1 - unit @ unit[i], 0)
        others = [j for j in range(len(X)) if groups[j] != groups[i]]
        same = [away[j] for j in others if labels[j] == labels[i]]
        other = [away[j] for j in others if labels[j] != labels[i]]
        own = min(same) if same else max(other, default=0)
        foreign = min(other) if other else own**0.5
        total = own**2 + foreign**2
        found.append(foreign**2 / total if total else 0.5)
    return np.array(found)


@pytest.mark.parametrize("grouped", [False, True])
def test_distance_ratio_is_that_of_a_plain_loop(grouped, monkeypatch):
    monkeypatch.setattr(ranking_module, "_BLOCK", 7)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 4)).astype(np.float32)
    labels = rng.integers(0, 4, 40)
    labels[labels == 3] = 2
    labels[0] = 3
    groups = np.arange(40) // 4 if grouped else np.arange(40)
    found = distance_ratio(X, labels, groups if grouped else None)
    np.testing.assert_allclose(found, distance_ratio_by_hand(X, labels, groups), atol=1e-5)


def probabilities_by_hand(X, Y, sizes, groups):
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    share = np.nansum(Y, axis=0) / np.maximum(np.isfinite(Y).sum(axis=0), 1)
    best, least = None, np.inf
    for size in sizes:
        found = np.tile(share, (len(Y), 1))
        for i in range(len(Y)):
            similarity = unit @ unit[i]
            near = [j for j in np.argsort(-similarity) if groups[j] != groups[i]][:size]
            for c in range(Y.shape[1]):
                told = [(max(similarity[j], 0), Y[j, c]) for j in near if np.isfinite(Y[j, c])]
                weight = sum(w for w, _ in told)
                if weight > 0:
                    found[i, c] = sum(w * y for w, y in told) / weight
        error = np.nanmean((found - Y) ** 2)
        if error < least:
            best, least = found, error
    return best


@pytest.mark.parametrize("seed", range(3))
def test_probabilities_of_neighbors_are_those_of_a_plain_loop(seed, monkeypatch):
    monkeypatch.setattr(neighbors, "_BLOCK_BYTES", 11 * 4 * 70)
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(70, 5)).astype(np.float32)
    Y = (X[:, :3] + 0.5 * rng.normal(size=(70, 3)) > 0).astype(float)
    Y[rng.random((70, 3)) < 0.2] = np.nan
    Y[:, 2] = np.nan
    groups = np.arange(70) // 3
    for sizes in ((2, 5, 20), (60, 3)):
        found = neighbor_probabilities(X, Y, groups, sizes=sizes)
        np.testing.assert_allclose(found, probabilities_by_hand(X, Y, sizes, groups), atol=1e-5)
    default = neighbor_probabilities(X, Y)
    expected = probabilities_by_hand(X, Y, (5, 10, 20, 50), np.arange(70))
    np.testing.assert_allclose(default, expected, atol=1e-5)


def test_neighbours_come_nearest_first_and_those_opposite_have_no_weight():
    X = unit(0, 10, 50, 170, 200)
    rows, weights = nearest_others(X, 9, None)
    assert rows.shape == (5, 4)
    assert rows[0].tolist()[:2] == [1, 2]
    assert weights[0] == pytest.approx(
        [np.cos(np.radians(10)), np.cos(np.radians(50)), 0, 0], abs=1e-6
    )
    with pytest.raises(InvalidValue, match=r"groups of shape \(5,\), got \(4,\)"):
        nearest_others(X, 2, np.zeros(4, int))


def test_more_votes_than_voters_are_refused_at_the_border():
    X, codes = clusters(n=2)
    assert neighbor_votes(X, codes, k=6).score.shape == (6,)
    assert neighbor_votes(X, codes, k=3).score.shape == (6,)
    for bad in (np.array([-1, 0, 0, 1, 1, 1]), codes[:, None]):
        with pytest.raises(InvalidValue, match="k"):
            neighbor_votes(X, bad, k=3)
    ten = neighbor_votes(*clusters())
    assert np.array_equal(ten.score, neighbor_votes(*clusters(), k=10).score)


def test_a_class_with_all_votes_has_the_whole_margin():
    X = unit(0, 1, 2, 3)
    votes = neighbor_votes(X, np.zeros(4, int), k=3)
    assert votes.margin == pytest.approx(np.ones(4))
    assert votes.score == pytest.approx(np.ones(4))
    assert not votes.outvoted.any()
    apart = neighbor_votes(unit(0, 120, 240), np.array([0, 1, 1]), k=3)
    assert apart.margin == pytest.approx(np.zeros(3))  # nobody near: no votes at all


def test_precision_counts_the_lowest_scores():
    score = np.array([0.9, 0.1, 0.4, 0.2])
    wrong = np.array([True, True, False, False])
    assert [precision_at(score, wrong, n) for n in (1, 2, 3, 4)] == [1, 1 / 2, 1 / 3, 1 / 2]
    with pytest.raises(InvalidValue, match="1 to 4, got 5"):
        precision_at(score, wrong, 5)


@pytest.mark.parametrize(("limit", "exactly"), [(12, True), (11, False)])
def test_cells_are_searched_beyond_the_limit_alone(limit, exactly, monkeypatch):
    asked = []
    search = neighbors.search_cells

    def watched(cells, queries, n_neighbors, *, probes):
        asked.append((n_neighbors, probes))
        return search(cells, queries, n_neighbors, probes=probes)

    monkeypatch.setattr(neighbors, "EXACT_LIMIT", limit)
    monkeypatch.setattr(neighbors, "search_cells", watched)
    nearest_others(np.random.default_rng(0).normal(size=(12, 3)), 4, None)
    assert asked == ([] if exactly else [(5, 32)])
