"""Nearest neighbours and near pairs against their plain definitions."""

from __future__ import annotations

import numpy as np
import pytest

from vernis.core.numeric import neighbors, threads
from vernis.core.numeric.components import project_rows
from vernis.core.numeric.neighbors import (
    build_cells,
    find_similar_pairs,
    nearest_neighbors,
    nearest_within,
    search_cells,
    top_columns,
)
from vernis.core.numeric.rows import normalize_rows
from vernis.domain.errors import InvalidValue


@pytest.fixture
def vectors() -> np.ndarray:
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(30, 24))
    return (centers[rng.integers(0, 30, 600)] + 0.4 * rng.normal(size=(600, 24))).astype(np.float32)


def plain_cosines(vectors: np.ndarray) -> np.ndarray:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit @ unit.T


def test_nearest_neighbors_are_those_of_a_full_sort(vectors):
    found = nearest_neighbors(vectors, vectors, 7, exclude_self=True)
    cosines = plain_cosines(vectors)
    np.fill_diagonal(cosines, -2)
    expected = -np.sort(-cosines, axis=1)[:, :7]
    np.testing.assert_allclose(found.similarities, expected, atol=1e-5)
    rows = np.arange(len(vectors))[:, None]
    np.testing.assert_allclose(cosines[rows, found.indices], expected, atol=1e-5)


def test_neither_threads_nor_blocks_change_the_neighbors(vectors, monkeypatch):
    found = []
    for n_threads, block_bytes in ((1, 2**26), (3, 4 * 600 * 50)):
        monkeypatch.setattr(threads, "count_threads", lambda most, n=n_threads: min(n, most))
        monkeypatch.setattr(neighbors, "_BLOCK_BYTES", block_bytes)
        found.append(nearest_neighbors(vectors, vectors, 9, exclude_self=True))
    assert np.array_equal(found[0].indices, found[1].indices)
    np.testing.assert_allclose(found[0].similarities, found[1].similarities, atol=1e-6)


def test_queries_may_differ_from_the_base(vectors):
    found = nearest_neighbors(vectors[:5], vectors[5:], 3)
    cosines = plain_cosines(vectors)[:5, 5:]
    assert (found.indices[:, 0] == cosines.argmax(axis=1)).all()


def test_neighbors_are_cut_to_what_there_is(vectors):
    assert nearest_neighbors(vectors[:4], vectors[:4], 9, exclude_self=True).indices.shape == (4, 3)


def test_other_dimensions_are_refused(vectors):
    with pytest.raises(InvalidValue, match="one dimension"):
        nearest_neighbors(vectors[:, :3], vectors, 2)


@pytest.mark.parametrize("dim", [20, 600])
def test_similar_pairs_are_exactly_those_above_the_threshold(dim):
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(200, dim)).astype(np.float32)
    vectors[100:] = vectors[:100] + 0.5 * rng.normal(size=(100, dim))
    pairs, values = find_similar_pairs(vectors, 0.8)
    cosines = plain_cosines(vectors)
    expected = np.argwhere(np.triu(cosines >= 0.8, 1))
    np.testing.assert_array_equal(pairs, expected)
    np.testing.assert_allclose(values, cosines[tuple(expected.T)], atol=1e-5)


def test_probing_every_cell_is_exact(vectors):
    unit = normalize_rows(vectors)
    cells = build_cells(unit, seed=3)
    found = search_cells(cells, unit, 5, probes=len(cells.centers))
    expected = nearest_neighbors(unit, unit, 5)
    np.testing.assert_allclose(found.similarities, expected.similarities, atol=1e-5)
    assert sorted(cells.members.tolist()) == list(range(len(unit)))


def test_many_vectors_are_searched_by_cells_and_lose_little(vectors, monkeypatch):
    exact = nearest_within(vectors, 5)
    monkeypatch.setattr(neighbors, "EXACT_LIMIT", 100)
    found = nearest_within(vectors, 5, seed=0)
    assert found.indices.shape == exact.indices.shape
    assert not (found.indices == np.arange(len(vectors))[:, None]).any()
    assert (found.indices[:, 0] == exact.indices[:, 0]).mean() > 0.95


def test_cells_are_the_same_for_the_same_seed(vectors):
    unit = normalize_rows(vectors)
    first, second = build_cells(unit, seed=5), build_cells(unit, seed=5)
    np.testing.assert_array_equal(first.members, second.members)


def test_zero_vectors_do_no_harm():
    vectors = np.zeros((5, 8), dtype=np.float32)
    assert np.isfinite(nearest_neighbors(vectors, vectors, 2).similarities).all()
    assert np.isfinite(project_rows(vectors, 4)).all()


def test_projection_keeps_the_angles_of_low_dimensional_vectors():
    rng = np.random.default_rng(2)
    flat = rng.normal(size=(300, 6)) @ rng.normal(size=(6, 40))
    flat -= flat.mean(axis=0)
    projected = project_rows(flat.astype(np.float32), 10)
    assert projected.shape == (300, 10)
    np.testing.assert_allclose(plain_cosines(projected), plain_cosines(flat), atol=1e-3)


@pytest.mark.parametrize("levels", [None, 3, 1])
@pytest.mark.parametrize(("width", "count"), [(5, 0), (5, 5), (40, 3), (700, 9), (1_003, 2)])
def test_the_largest_columns_are_those_of_a_stable_sort(
    width: int, count: int, levels: int | None
) -> None:
    rng = np.random.default_rng(width)
    block = rng.normal(size=(60, width)).astype(np.float32)
    if levels is not None:  # many entries are the same
        block = rng.integers(0, levels, (60, width)).astype(np.float32)
    columns, values = top_columns(block, count)
    expected = np.argsort(-block, axis=1, kind="stable")[:, :count]
    assert columns.tolist() == expected.tolist()
    assert values.tolist() == np.take_along_axis(block, expected, axis=1).tolist()


def test_entries_that_are_no_numbers_cost_no_error() -> None:
    block = np.full((3, 20), np.nan, dtype=np.float32)
    block[0, 4], block[1] = 1.0, np.arange(20)
    columns, _ = top_columns(block, 2)
    assert columns.shape == (3, 2)
    assert columns[1].tolist() == [19, 18]
