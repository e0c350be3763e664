"""The approximate index: recall, filters, its files."""

from __future__ import annotations

import importlib.util
import json

import numpy as np
import pytest

from vernis.core.explore.search import scan
from vernis.core.numeric.rows import normalize_rows

pytestmark = [
    pytest.mark.ann,
    pytest.mark.skipif(importlib.util.find_spec("faiss") is None, reason="faiss is not installed"),
]


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(60, 32))
    picked = centers[rng.integers(0, 60, 4000)]
    return (picked + 0.4 * rng.normal(size=picked.shape)).astype(np.float16)


@pytest.fixture(scope="module")
def index(vectors, tmp_path_factory):
    from vernis.adapters.ann import ApproximateIndex

    return ApproximateIndex.open(tmp_path_factory.mktemp("ann"), "space", "f", vectors)


def test_it_reaches_the_recall_that_it_states(index, vectors):
    assert index.recall >= 0.99
    found = 0
    for row in range(0, 4000, 100):
        query = normalize_rows(vectors[row : row + 1])
        exact = scan(query, vectors, 10)
        hits = index.search(query, 10)
        found += len(np.intersect1d(hits.rows, exact.rows))
        assert (np.diff(hits.scores) <= 0).all()
        assert hits.rows[0] == row
    assert found / 400 >= 0.95


def test_only_allowed_rows_are_found(index, vectors):
    allowed = np.zeros(4000, dtype=bool)
    allowed[::50] = True
    hits = index.search(normalize_rows(vectors[:1]), 10, allowed)
    assert len(hits.rows)
    assert allowed[hits.rows].all()


def test_a_stored_index_is_used_until_the_vectors_change(vectors, tmp_path):
    from vernis.adapters.ann import ApproximateIndex

    calls: list[str] = []

    def progress(task: str, done: int, total: int | None, note: str = "") -> None:
        calls.append(task)

    query = normalize_rows(vectors[:1])
    first = ApproximateIndex.open(tmp_path, "space", "a", vectors, progress=progress)
    assert calls
    calls.clear()
    again = ApproximateIndex.open(tmp_path, "space", "a", vectors, progress=progress)
    assert not calls
    assert again.search(query, 5).rows.tolist() == first.search(query, 5).rows.tolist()
    ApproximateIndex.open(tmp_path, "space", "b", vectors, progress=progress)
    assert calls
    assert json.loads((tmp_path / "space.json").read_text())["fingerprint"] == "b"
    (tmp_path / "space.faiss").write_bytes(b"damaged")
    calls.clear()
    ApproximateIndex.open(tmp_path, "space", "b", vectors, progress=progress)
    assert calls


def test_a_handful_of_vectors_is_enough(tmp_path):
    from vernis.adapters.ann import ApproximateIndex

    index = ApproximateIndex.open(tmp_path, "s", "f", np.eye(5, dtype=np.float16))
    assert index.search(np.eye(5, dtype=np.float32)[:1], 8).rows[0] == 0
