"""Trustworthiness and kept neighbours, against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from vernis.core.explore import map_quality as module
from vernis.core.explore.map_quality import map_quality
from vernis.domain.errors import InvalidValue


def random_map(n=300, seed=0):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n, 12)).astype(np.float32)
    return vectors, vectors[:, :2] + rng.normal(0, 0.5, (n, 2))


@pytest.mark.parametrize("k", [1, 5, 10, 40])
def test_trustworthiness_is_scikit_learns(k):
    vectors, points = random_map()
    ours = map_quality(vectors, points, k)
    theirs = trustworthiness(vectors.astype(np.float64), points, n_neighbors=k, metric="cosine")
    assert ours.trustworthiness == pytest.approx(theirs, abs=1e-6)
    assert (ours.judged, ours.trustworthiness_error) == (300, 0.0)


def test_kept_neighbours_are_counted():
    vectors, points = random_map(120)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    by_vector = np.argsort(-(unit @ unit.T) + 2 * np.eye(120), axis=1)[:, :10]
    ways = ((points[:, None] - points[None]) ** 2).sum(axis=2)
    by_place = np.argsort(ways + 1e9 * np.eye(120), axis=1)[:, :10]
    kept = [len(np.intersect1d(a, b)) / 10 for a, b in zip(by_vector, by_place, strict=True)]
    assert map_quality(vectors, points).preservation == pytest.approx(np.mean(kept))


def test_a_perfect_map_has_perfect_figures():
    angles = np.linspace(0, 1, 60)
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    found = map_quality(circle.astype(np.float32), circle)
    assert found.trustworthiness == pytest.approx(1.0)
    assert found.preservation == pytest.approx(1.0)


def test_a_sample_comes_near_the_whole_and_says_how_near(monkeypatch):
    vectors, points = random_map(2000)
    whole = map_quality(vectors, points)
    monkeypatch.setattr(module, "EXACT_LIMIT", 500)
    some = map_quality(vectors, points, sample=400, seed=1)
    assert some.judged == 400
    assert 0 < some.preservation_error < 0.02
    assert abs(some.preservation - whole.preservation) < 4 * some.preservation_error
    assert abs(some.trustworthiness - whole.trustworthiness) < 4 * some.trustworthiness_error


def test_points_at_one_place_and_few_points():
    vectors, _ = random_map(40)
    assert 0 <= map_quality(vectors, np.zeros((40, 2))).trustworthiness <= 1
    assert map_quality(vectors[:3], np.eye(3, 2)).n_neighbors == 1
    with pytest.raises(InvalidValue, match="3 points or more"):
        map_quality(vectors[:2], np.eye(2))
    with pytest.raises(InvalidValue, match="as many as vectors"):
        map_quality(vectors, np.eye(3, 2))
