"""Shards: what a kill, a lost file or a damaged one leaves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from vernis.adapters.catalog import vectors as shards
from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.domain.errors import NotFound, StorageError
from vernis.domain.types import Space

SPACE = Space("lite0", 4, "float16")


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqliteCatalog]:
    """Return a catalog with two shards: a, b and c, d."""
    with SqliteCatalog.create(tmp_path / "c.vernis") as opened:
        opened.vectors.append(SPACE, ["a", "b"], np.arange(8).reshape(2, 4))
        opened.vectors.append(SPACE, ["c", "d"], np.arange(8, 16).reshape(2, 4))
        yield opened


def files(catalog: SqliteCatalog) -> list[Path]:
    return sorted((catalog.folder / "vectors").iterdir(), key=lambda path: path.stat().st_mtime_ns)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [truncate, flip_a_bit, empty, Path.unlink])
def test_a_damaged_shard_counts_as_missing_and_is_made_again(
    catalog: SqliteCatalog, damage: object
) -> None:
    damage(files(catalog)[0])  # type: ignore[operator]
    with SqliteCatalog.open(catalog.folder) as again:
        assert again.vectors.missing(SPACE, ["a", "b", "c"]) == ["a", "b"]
        with pytest.raises(NotFound, match="1 of 2"):
            again.vectors.read(SPACE, ["a", "c"])
        assert again.vectors.read(SPACE, ["c"])[0, 0] == 8
        again.vectors.append(SPACE, ["a", "b"], np.full((2, 4), 5))
        assert again.vectors.missing(SPACE, ["a", "b", "c", "d"]) == []
        np.testing.assert_array_equal(
            again.vectors.read(SPACE, ["a", "d"]), [[5] * 4, [12, 13, 14, 15]]
        )
        again.vectors.collect_garbage()
        assert len(files(again)) == 2


def test_files_that_a_kill_left_are_removed_and_others_are_not(catalog: SqliteCatalog) -> None:
    folder = catalog.folder / "vectors"
    for name in ("orphan.npy", "half.npy.tmp", "notes.txt"):
        (folder / name).write_bytes(b"x")
    assert catalog.vectors.collect_garbage() == 2
    assert {path.name for path in folder.glob("*.t*")} == {"notes.txt"}
    assert catalog.vectors.missing(SPACE, ["a", "b", "c", "d"]) == []
    assert catalog.vectors.collect_garbage() == 0


def test_a_kill_between_file_and_row_loses_only_that_shard(
    catalog: SqliteCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(shards.ShardVectorStore, "_commit", stop)
        with pytest.raises(KeyboardInterrupt):
            catalog.vectors.append(SPACE, ["e"], np.ones((1, 4)))
    assert catalog.vectors.missing(SPACE, ["a", "e"]) == ["e"]
    assert catalog.vectors.collect_garbage() == 1


def test_a_full_disk_leaves_no_file(
    catalog: SqliteCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shards.np, "save", full)
    with pytest.raises(StorageError, match="disk is full"):
        catalog.vectors.append(SPACE, ["e"], np.ones((1, 4)))
    assert len(files(catalog)) == 2


def test_small_shards_are_merged_while_another_process_reads(
    catalog: SqliteCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "_MANY", 5)
    with SqliteCatalog.open(catalog.folder, read_only=True) as reader:
        assert reader.vectors.read(SPACE, ["a"])[0, 1] == 1
        for number in range(20):
            catalog.vectors.append(SPACE, [f"n{number}"], np.full((1, 4), number))
            names = [f"n{i}" for i in range(number + 1)]
            np.testing.assert_array_equal(
                reader.vectors.read(SPACE, names)[:, 0], range(number + 1)
            )
        assert reader.vectors.read(SPACE, ["d"])[0, 0] == 12
    assert len(files(catalog)) < 10
    assert catalog.vectors.collect_garbage() == 0
    assert catalog.integrity() == []


def test_a_shard_that_a_reader_looked_up_may_be_merged_away(
    catalog: SqliteCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    with SqliteCatalog.open(catalog.folder, read_only=True) as reader:
        original = reader.vectors._shards
        merged = False

        def merge_after_look_up(space_id: int) -> object:
            nonlocal merged
            found = original(space_id)
            if not merged:
                merged = True
                monkeypatch.setattr(shards, "_MANY", 2)
                catalog.vectors.append(SPACE, ["e"], np.ones((1, 4)))
                assert len(files(catalog)) == 1
            return found

        monkeypatch.setattr(reader.vectors, "_shards", merge_after_look_up)
        assert reader.vectors.read(SPACE, ["a", "d"])[:, 0].tolist() == [0, 12]


def test_a_damaged_shard_is_not_merged(
    catalog: SqliteCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    truncate(files(catalog)[0])
    monkeypatch.setattr(shards, "_MANY", 2)
    catalog.vectors.append(SPACE, ["e"], np.ones((1, 4)))
    assert catalog.vectors.missing(SPACE, ["a", "b", "c", "d", "e"]) == ["a", "b"]


def test_nothing_is_merged_or_removed_inside_a_transaction(
    catalog: SqliteCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "_MANY", 2)

    def append_and_stop() -> None:
        with catalog.transaction():
            catalog.vectors.append(SPACE, ["e", "a"], np.ones((2, 4)))
            assert catalog.vectors.collect_garbage() == 0
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        append_and_stop()
    assert catalog.vectors.missing(SPACE, ["a", "b", "c", "d", "e"]) == ["e"]
    assert catalog.vectors.read(SPACE, ["a"])[0, 1] == 1
    assert catalog.vectors.collect_garbage() == 1


def test_many_vectors_are_looked_up_at_once(catalog: SqliteCatalog) -> None:
    hashes = [f"{i:05}" for i in range(3000)]
    catalog.vectors.append(SPACE, hashes, np.arange(3000)[:, None] % 500 * np.ones(4))
    order = np.random.default_rng(0).permutation(3000)
    read = catalog.vectors.read(SPACE, [hashes[i] for i in order])
    np.testing.assert_array_equal(read[:, 0], order % 500)


def test_shards_written_in_transactions_are_merged_by_the_next_collection(
    catalog: SqliteCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "_MANY", 6)
    for number in range(6):
        with catalog.transaction():
            catalog.vectors.append(SPACE, [f"n{number}"], np.full((1, 4), number))
    assert len(files(catalog)) == 8
    assert catalog.vectors.collect_garbage() == 0
    assert len(files(catalog)) == 1
    assert catalog.vectors.read(SPACE, ["d", "n5", "a"])[:, 1].tolist() == [13, 5, 1]
