"""What every object store promises: whole objects, put-if-absent, names of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vernis.adapters import buckets, stores
from vernis.adapters.stores import BucketStore, open_store
from vernis.domain.errors import MissingExtra, NotFound, StorageError
from vernis.domain.stores import ObjectStore


@pytest.fixture(params=["folder", pytest.param("bucket", marks=pytest.mark.remote)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    """Return an empty store."""
    if request.param == "folder":
        return open_store(tmp_path / "plans")
    return open_store(request.getfixturevalue("bucket"))


def test_what_is_written_is_read(store: ObjectStore) -> None:
    store.write("made/a.npy", b"\x00first\xff")
    assert store.read("made/a.npy") == b"\x00first\xff"
    store.write("made/a.npy", b"second")
    assert store.read("made/a.npy") == b"second"


def test_what_is_there_is_not_created(store: ObjectStore) -> None:
    assert store.create("made/a.json", b"one")
    assert not store.create("made/a.json", b"two")
    assert store.read("made/a.json") == b"one"


def test_names_are_those_of_one_folder(store: ObjectStore) -> None:
    assert store.names("made") == set()
    store.write("plan.json", b"1")
    store.write("made/a.npy", b"2")
    store.write("made/deep/b.npy", b"3")
    assert store.names("made") == {"a.npy"}
    store.write("made/c.npy", b"4")
    assert store.names("made") == {"a.npy", "c.npy"}


def test_what_is_removed_is_gone(store: ObjectStore) -> None:
    store.write("a", b"1")
    store.remove("a")
    store.remove("a")
    with pytest.raises(NotFound, match="not there"):
        store.read("a")


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    store = open_store(tmp_path)
    store.write("a", b"old")
    monkeypatch.setattr(stores.os, "fsync", refuse)
    with pytest.raises(StorageError, match="the disk is full"):
        store.write("a", b"new")
    monkeypatch.undo()
    assert store.read("a") == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


class Busy:
    """A bucket that answers 503 so many times."""

    def __init__(self, times: int) -> None:
        self.times = times

    def cat_file(self, path: str) -> bytes:
        self.times -= 1
        if self.times >= 0:
            raise OSError("503 Slow Down:\nplease reduce your request rate")
        return path.encode()


def test_a_busy_bucket_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr(buckets.time, "sleep", waits.append)
    assert BucketStore("s3://b", Busy(3), "b").read("x") == b"b/x"
    assert waits == [0.5, 1.0, 2.0]
    with pytest.raises(StorageError, match=r"s3://b/x: the store does not answer \(503 Slow Down"):
        BucketStore("s3://b", Busy(99), "b").read("x")


def test_an_unknown_kind_of_store_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "fsspec.core", None)
    with pytest.raises(MissingExtra, match=r"vernis\[remote\]"):
        open_store("s3://bucket/folder")
    with monkeypatch.context() as patch:
        patch.undo()
        found: Any = open_store("/tmp/x")
        assert found.url == "/tmp/x"
