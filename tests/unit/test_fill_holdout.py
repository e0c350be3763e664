"""Groups to hold out together: how coarse they are, and whose neighbours they leave."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist

from vernis.core.fill.holdout import (
    SHARES,
    _find_neighbors,
    _is_as_far,
    match_holdout,
)
from vernis.domain.errors import InvalidValue


def unit(rows) -> np.ndarray:
    rows = np.asarray(rows, np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def spread_out(seed: int, n: int, n_clusters: int, wide: float = 0.3) -> np.ndarray:
    """Return images around centres, in no order."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(n_clusters, 6))
    return centres[rng.integers(0, n_clusters, n)] + wide * rng.normal(size=(n, 6))


def is_as_far_by_hand(held: np.ndarray, unknown: np.ndarray) -> bool:
    for decile in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9):
        below = np.mean([value <= np.quantile(unknown, decile) for value in held])
        error = (decile * (1 - decile) * (1 / len(held) + 1 / len(unknown))) ** 0.5
        if below < decile - error / 2:
            return False
    return True


def test_groups_are_coarsened_in_small_steps():
    steps = np.array([1.0, *SHARES])
    assert ((steps[1:] / steps[:-1] > 0.7) & (steps[1:] / steps[:-1] < 0.95)).all()
    assert SHARES[-1] < 0.1


def test_as_far_means_at_every_decile_but_for_half_a_standard_error():
    rng = np.random.default_rng(0)
    found = set()
    for shift in np.linspace(-0.3, 0.3, 13):
        for n_unknown in (8, 60):
            held, unknown = rng.normal(shift, 1, 50), rng.normal(0, 1, n_unknown)
            answer = _is_as_far(held, unknown)
            assert answer == is_as_far_by_hand(held, unknown)
            found.add(answer)
    assert found == {True, False}
    assert _is_as_far(np.ones(3), np.empty(0))
    # only the last decile differs: a tenth of the held-out images is nearer than all others
    held, unknown = np.linspace(0, 1, 1001), np.linspace(0, 1, 1001)
    held[850:] = 2
    assert not _is_as_far(held, unknown)
    held[:150], held[850:] = -1, np.linspace(0.85, 1, 151)
    assert _is_as_far(held, unknown)


def groups_by_hand(X: np.ndarray, unknown: np.ndarray):
    """Return the first partition that is as far as the unknown images are, and whether one is."""
    rows, others = unit(X), unit(unknown)
    far = (others @ rows.T).max(axis=1)
    tree = linkage(pdist(rows, "cosine"), "average")
    similarity = rows @ rows.T
    chosen = np.arange(len(rows))
    for share in (1.0, *SHARES):
        count = max(2, round(share * len(rows)))
        trial = chosen if share == 1 else fcluster(tree, count, "maxclust")
        if len(set(trial.tolist())) < 2:
            break
        chosen = trial
        held = np.where(trial[:, None] == trial[None], -1, similarity).max(axis=1)
        if is_as_far_by_hand(held, far):
            return chosen, True
    return chosen, False


def same_partition(a: np.ndarray, b: np.ndarray) -> bool:
    return np.array_equal(a[:, None] == a[None], b[:, None] == b[None])


@pytest.mark.parametrize("seed", range(6))
def test_the_finest_groups_that_are_far_enough_are_chosen(seed):
    X = spread_out(seed, 60, 12)
    unknown = spread_out(seed + (seed % 2) * 100, 40, 12, 0.3 + 0.1 * seed)
    expected, is_matched = groups_by_hand(X, unknown)
    found = match_holdout(X, unknown)
    assert same_partition(found.groups, expected)
    assert found.is_matched == is_matched
    assert found.n_groups == len(set(expected.tolist()))
    assert found.measured.tolist() == list(range(60))


def test_those_oracles_cover_fine_coarse_and_unmatched_groups():
    found = [
        match_holdout(spread_out(s, 60, 12), spread_out(s + (s % 2) * 100, 40, 12, 0.3 + 0.1 * s))
        for s in range(6)
    ]
    counts = [one.n_groups for one in found]
    assert max(counts) == 60
    assert min(counts) < 20
    X = np.array([[1, 0.01], [1, 0.02], [1, 0.05], [1, 0.11]])
    coarse = match_holdout(X, -X)
    assert not coarse.is_matched
    assert coarse.n_groups == 2  # never one: somebody must be left to speak
    apart = match_holdout(np.eye(6), -np.ones((2, 6)))  # no two of these are nearer than others
    assert (apart.n_groups, apart.is_matched) == (6, False)


def test_neighbours_stand_outside_the_group_and_are_numbered_among_the_labelled():
    X, unknown = spread_out(1, 80, 10), spread_out(101, 30, 10, 0.6)
    found = match_holdout(X, unknown, n_neighbors=4)
    rows, others = unit(X), unit(unknown)
    similarity = rows @ rows.T
    assert found.n_groups < 80
    held = np.where(found.groups[:, None] == found.groups[None], -1, similarity)
    np.testing.assert_allclose(
        found.labelled.similarities, -np.sort(-held, axis=1)[:, :4], atol=1e-6
    )
    np.testing.assert_allclose(found.labelled.nearest, held.max(axis=1), atol=1e-6)
    alone = similarity - 3 * np.eye(80)
    np.testing.assert_allclose(found.open.similarities, -np.sort(-alone, axis=1)[:, :5], atol=1e-6)
    near = others @ rows.T
    np.testing.assert_allclose(
        found.unknown.similarities, -np.sort(-near, axis=1)[:, :4], atol=1e-6
    )
    assert found.unknown.indices[:, 0].tolist() == near.argmax(axis=1).tolist()
    assert match_holdout(X, unknown).labelled.indices.shape == (80, 50)
    some = np.array([5, 2])
    assert np.array_equal(found.open.take(some).indices, found.open.indices[some])
    assert np.array_equal(found.open.take(some).similarities, found.open.similarities[some])


def test_of_many_images_a_sample_is_measured_and_the_rest_follows_the_nearest():
    X, unknown = spread_out(2, 120, 10), spread_out(102, 30, 10, 0.6)
    pairs = np.arange(120) // 2
    found = match_holdout(X, unknown, groups=pairs, n_reference=25, n_neighbors=3)
    assert len(found.measured) == 25
    assert (np.diff(found.measured) > 0).all()
    assert (found.measured % 2 == 0).all()  # the first image of a set of duplicates
    alone = match_holdout(X[found.measured], unknown, n_neighbors=3)
    assert same_partition(found.groups[found.measured], alone.groups)
    assert np.array_equal(found.labelled.indices, found.measured[alone.labelled.indices])
    assert np.array_equal(found.open.indices, found.measured[alone.open.indices])
    assert np.array_equal(found.unknown.indices, found.measured[alone.unknown.indices])
    similarity = unit(X) @ unit(X[found.measured]).T
    for head in range(0, 120, 2):
        nearest = found.measured[similarity[head].argmax()]
        assert found.groups[head] == found.groups[head + 1] == found.groups[nearest]
    again, other = (
        match_holdout(X, unknown, groups=pairs, n_reference=25, seed=seed) for seed in (0, 1)
    )
    assert np.array_equal(again.measured, found.measured)
    assert not np.array_equal(other.measured, found.measured)
    assert len(match_holdout(X, unknown, groups=pairs, n_reference=60).measured) == 60


def test_images_without_neighbours_outside_their_group_have_none_that_counts():
    rows = unit(spread_out(3, 3, 2))
    few = _find_neighbors(rows, rows, 3, np.array([0, 0, 1]))
    assert few.similarities[0].tolist() == pytest.approx([rows[0] @ rows[2], -1, -1], abs=1e-6)
    assert (few.indices >= 0).all()


def test_only_directions_count_and_empty_vectors_are_borne():
    X, unknown = spread_out(4, 30, 4), spread_out(5, 10, 4)
    found, scaled = match_holdout(X, unknown), match_holdout(3 * X, unknown / 7)
    assert np.array_equal(found.groups, scaled.groups)
    np.testing.assert_allclose(found.unknown.similarities, scaled.unknown.similarities, atol=1e-6)
    X[3] = 0
    assert np.isfinite(match_holdout(X, unknown).labelled.similarities).all()
    order = np.random.default_rng(0).permutation(10)
    moved = match_holdout(X, unknown[order])
    assert np.array_equal(moved.groups, match_holdout(X, unknown).groups)


@pytest.mark.parametrize(
    ("X", "unknown", "groups", "message"),
    [
        (np.ones(3), np.ones((2, 4)), None, r"shape \(n, features\)"),
        (np.ones((3, 4)), np.ones((2, 5)), None, "4 features, got 5"),
        (np.ones((3, 4)), np.ones((2, 4)), [0, 1], r"groups of shape \(3,\), got \(2,\)"),
        (np.ones((3, 4)), np.ones((2, 4)), [1, 1, 1], "got 1"),
    ],
)
def test_bad_shapes_are_refused(X, unknown, groups, message):
    with pytest.raises(InvalidValue, match=message):
        match_holdout(X, unknown, groups=groups)
