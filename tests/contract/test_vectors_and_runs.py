"""What any VectorStore and RunLog must do."""

from __future__ import annotations

import numpy as np
import pytest

from vernis.domain.errors import InvalidValue, NotFound
from vernis.domain.ports import Catalog
from vernis.domain.types import Space

SPACE = Space("lite0", 3, "float16", {"layer": "pool", "size": 224})


def test_vectors_are_read_in_the_order_of_the_hashes(catalog: Catalog) -> None:
    first, second = np.arange(9).reshape(3, 3), np.arange(9, 15).reshape(2, 3)
    catalog.vectors.append(SPACE, ["a", "b", "c"], first)
    catalog.vectors.append(SPACE, ["d", "e"], second)
    vectors = catalog.vectors.read(SPACE, ["e", "a", "e", "c"])
    assert vectors.dtype == np.float16
    np.testing.assert_array_equal(vectors, [second[1], first[0], second[1], first[2]])
    assert catalog.vectors.spaces() == [(SPACE, 5)]
    assert catalog.vectors.read(SPACE, []).shape == (0, 3)


def test_rows_are_read_where_they_are_asked_for(catalog: Catalog) -> None:
    catalog.vectors.append(SPACE, ["a", "b", "c"], np.arange(9).reshape(3, 3))
    catalog.vectors.append(SPACE, ["d", "e"], np.arange(9, 15).reshape(2, 3))
    hashes = ["e", "a", "d", "c", "a"]
    rows, whole = catalog.vectors.rows(SPACE, hashes), catalog.vectors.read(SPACE, hashes)
    assert (len(rows), rows.shape, rows[:].dtype) == (5, (5, 3), np.float16)
    for key in (slice(1, 4), np.array([4, 0, 0]), np.array([True, False, False, True, False])):
        np.testing.assert_array_equal(rows[key], whole[key])
    assert rows[np.zeros(0, np.intp)].shape == (0, 3)
    with pytest.raises(NotFound, match="1 of 2 vectors"):
        catalog.vectors.rows(SPACE, ["a", "z"])


@pytest.mark.parametrize("dtype", ["float16", "float32", "uint8"])
def test_each_dtype_comes_back(catalog: Catalog, dtype: str) -> None:
    space = Space("s", 3, dtype)  # type: ignore[arg-type]
    vectors = np.array([[0, 1, 255], [7, 8, 9]], dtype=dtype)
    catalog.vectors.append(space, ["a", "b"], vectors)
    read = catalog.vectors.read(space, ["b", "a"])
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, vectors[::-1])


def test_other_settings_are_another_space(catalog: Catalog) -> None:
    other = Space("lite0", 3, "float16", {"layer": "pool", "size": 128})
    same = Space("lite0", 3, "float16", {"size": 224, "layer": "pool"})
    catalog.vectors.append(SPACE, ["a"], np.ones((1, 3)))
    assert catalog.vectors.missing(other, ["a"]) == ["a"]
    assert catalog.vectors.missing(same, ["a"]) == []


def test_missing_ones_are_named_once_in_order(catalog: Catalog) -> None:
    assert catalog.vectors.missing(SPACE, ["z", "a", "z"]) == ["z", "a"]
    catalog.vectors.append(SPACE, ["a"], np.ones((1, 3)))
    assert catalog.vectors.missing(SPACE, ["z", "a", "b", "z"]) == ["z", "b"]
    with pytest.raises(NotFound, match="1 of 2"):
        catalog.vectors.read(SPACE, ["a", "b"])
    with pytest.raises(NotFound):
        catalog.vectors.read(Space("other", 3), ["a"])


@pytest.mark.parametrize("n", [40, 700])  # looked up one by one, and all at once
def test_the_hashes_of_a_table_are_taken_as_they_are(catalog: Catalog, n: int) -> None:
    hashes = [f"{i * 7919 % 10_007:x}" for i in range(n)]
    catalog.vectors.append(SPACE, hashes, np.arange(n)[:, None] * np.ones(3))
    asked = np.array([*hashes[::-1], "zz", "", hashes[0]], dtype="S64")
    assert catalog.vectors.holds(SPACE, asked).tolist() == [True] * n + [False, False, True]
    assert catalog.vectors.holds(SPACE, ["zz", hashes[3]]).tolist() == [False, True]
    assert catalog.vectors.missing(SPACE, asked) == ["zz", ""]
    read = catalog.vectors.read(SPACE, asked[:n])
    np.testing.assert_array_equal(read[:, 0], np.arange(n)[::-1])
    catalog.vectors.append(SPACE, ["zz"], np.full((1, 3), 9))
    assert catalog.vectors.missing(SPACE, asked) == [""]
    assert catalog.vectors.read(SPACE, asked[[n, 0]])[:, 0].tolist() == [9, n - 1]
    assert catalog.vectors.holds(SPACE, []).shape == (0,)
    assert catalog.vectors.holds(Space("other", 3), asked).tolist() == [False] * (n + 3)


def test_a_vector_may_be_written_again(catalog: Catalog) -> None:
    catalog.vectors.append(SPACE, ["a", "b"], np.ones((2, 3)))
    catalog.vectors.append(SPACE, ["a"], np.full((1, 3), 2))
    np.testing.assert_array_equal(catalog.vectors.read(SPACE, ["a", "b"])[:, 0], [2, 1])
    assert catalog.vectors.spaces() == [(SPACE, 2)]


def test_wrong_vectors_are_refused(catalog: Catalog) -> None:
    with pytest.raises(InvalidValue, match=r"\(1, 3\)"):
        catalog.vectors.append(SPACE, ["a"], np.ones((1, 4)))
    with pytest.raises(InvalidValue, match="distinct"):
        catalog.vectors.append(SPACE, ["a", "a"], np.ones((2, 3)))
    with pytest.raises(InvalidValue, match="float16"):
        catalog.vectors.append(SPACE, ["a"], np.full((1, 3), 1e6))
    with pytest.raises(InvalidValue, match="uint8"):
        catalog.vectors.append(Space("u", 1, "uint8"), ["a"], np.array([[256]]))
    assert catalog.vectors.missing(SPACE, ["a"]) == ["a"]
    catalog.vectors.append(SPACE, ["a"], np.full((1, 3), np.nan))
    assert np.isnan(catalog.vectors.read(SPACE, ["a"])).all()


def test_many_small_appends_read_as_one(catalog: Catalog) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.integers(0, 1000, (700, 3))
    hashes = [f"{i:x}" for i in range(700)]
    for start in range(0, 700, 5):
        catalog.vectors.append(SPACE, hashes[start : start + 5], vectors[start : start + 5])
    order = rng.permutation(700)
    read = catalog.vectors.read(SPACE, [hashes[i] for i in order])
    np.testing.assert_array_equal(read, vectors[order])
    assert catalog.vectors.collect_garbage() == 0


def test_a_run_is_done_when_its_latest_fingerprint_is_the_same(catalog: Catalog) -> None:
    assert not catalog.runs.is_done("learn:colour", "x")
    assert catalog.runs.summary("learn:colour") is None
    catalog.runs.finish("learn:colour", "x", {"heads": 1})
    assert catalog.runs.is_done("learn:colour", "x")
    assert not catalog.runs.is_done("learn:thing", "x")
    catalog.runs.finish("learn:colour", "y", {"heads": np.int64(2), "score": np.float32(0.5)})
    assert not catalog.runs.is_done("learn:colour", "x")
    assert catalog.runs.summary("learn:colour") == {"heads": 2, "score": 0.5}
