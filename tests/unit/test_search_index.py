"""Search by example: combination, and the exact index against a full scan."""

from __future__ import annotations

import numpy as np
import pytest

from vernis.core.explore.search import ExactIndex, best_rows, combine_examples, recall, scan
from vernis.core.numeric.neighbors import Neighbors, nearest_neighbors
from vernis.core.numeric.rows import normalize_rows
from vernis.domain.errors import InvalidValue


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(40, 300)) * np.linspace(2, 0.05, 300)
    picked = centers[rng.integers(0, 40, 3000)]
    return (picked + 0.3 * rng.normal(size=picked.shape)).astype(np.float16)


def test_a_scan_is_the_nearest_neighbours(vectors):
    expected = nearest_neighbors(vectors[:1], vectors, 9)
    found = scan(normalize_rows(vectors[:1]), vectors, 9)
    assert found.rows.tolist() == expected.indices[0].tolist()
    np.testing.assert_allclose(found.scores, expected.similarities[0], atol=1e-5)


@pytest.mark.parametrize("rule", ["all", "any"])
@pytest.mark.parametrize("count", [1, 10, 400, 5000])
def test_the_index_finds_what_a_scan_finds(vectors, rule, count):
    index = ExactIndex(vectors)
    rng = np.random.default_rng(count)
    for _ in range(5):
        some = rng.choice(len(vectors), 5, replace=False)
        queries = combine_examples(vectors[some[:3]], vectors[some[3:]], rule)
        allowed = rng.random(len(vectors)) < 0.5
        for mask in (None, allowed):
            expected, found = (
                scan(queries, vectors, count, mask),
                index.search(queries, count, mask),
            )
            np.testing.assert_allclose(found.scores, expected.scores, atol=2e-6)
            assert len(set(found.rows)) == len(found.rows)
            if mask is not None:
                assert mask[found.rows].all()


def test_a_query_unlike_all_vectors_is_still_exact(vectors):
    index = ExactIndex(vectors)
    query = np.random.default_rng(5).normal(size=(1, 300)).astype(np.float32)
    np.testing.assert_allclose(
        index.search(query, 20).scores, scan(query, vectors, 20).scores, atol=1e-4
    )


def test_few_vectors_and_none_allowed():
    vectors = np.eye(3, dtype=np.float32)
    index = ExactIndex(vectors)
    assert index.search(vectors[:1], 8).rows.tolist() == [0, 1, 2]
    assert index.search(vectors[:1], 8, np.zeros(3, bool)).rows.tolist() == []
    assert index.search(vectors[:1], 1, np.array([False, False, True])).rows.tolist() == [2]
    with pytest.raises(InvalidValue, match="3 dimensions"):
        index.search(np.ones((1, 4), np.float32), 1)


def test_ties_are_in_the_order_of_rows():
    found = best_rows(np.arange(6), np.array([1, 2, 2, 2, 0, 2], dtype=np.float32), 3)
    assert found.rows.tolist() == [1, 2, 3]


def test_scores_of_several_examples_are_their_mean_or_the_largest_less_a_quarter(vectors):
    unit = normalize_rows(vectors)
    to_good, to_bad = unit @ unit[:2].T, unit @ unit[2:4].T
    for rule, expected in (("all", to_good.mean(axis=1)), ("any", to_good.max(axis=1))):
        queries = combine_examples(vectors[:2], vectors[2:4], rule)
        scores = (unit @ queries.T).max(axis=1)
        np.testing.assert_allclose(scores, expected - 0.25 * to_bad.mean(axis=1), atol=1e-5)


def test_an_example_is_needed():
    nothing = np.zeros((0, 4), dtype=np.float32)
    with pytest.raises(InvalidValue, match="at least one example"):
        combine_examples(nothing, nothing)


def test_recall_counts_ties_as_found():
    exact = Neighbors(np.array([[0, 1]]), np.array([[0.9, 0.5]], dtype=np.float32))
    assert recall(exact, exact) == 1.0
    tied = Neighbors(np.array([[0, 7]]), np.array([[0.9, 0.5]], dtype=np.float32))
    assert recall(tied, exact) == 1.0
    missed = Neighbors(np.array([[0, 7]]), np.array([[0.9, 0.4]], dtype=np.float32))
    assert recall(missed, exact) == 0.5


def test_examples_and_queries_of_other_dimensions_are_refused(vectors):
    with pytest.raises(InvalidValue, match="counter-examples of 3 dimensions, got 2"):
        combine_examples(np.ones((1, 3)), np.ones((1, 2)))
    with pytest.raises(InvalidValue, match="queries of 300 dimensions, got 4"):
        ExactIndex(vectors).search(np.ones((1, 4), np.float32), 3)


def test_the_index_holds_less_than_the_vectors(vectors):
    index = ExactIndex(vectors.astype(np.float32))
    assert len(index) == 3000
    assert 0 < index.nbytes < vectors.astype(np.float32).nbytes


def test_nothing_to_be_found_is_all_found():
    none = Neighbors(np.zeros((2, 0), np.int64), np.zeros((2, 0), np.float32))
    assert recall(none, none) == 1.0
