"""The catalog's edges: names, moved folders, errors of the system."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import sys
from pathlib import Path

import numpy as np
import pytest

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.adapters.catalog.effective import rank_of
from vernis.adapters.catalog.matching import match
from vernis.adapters.catalog.storage import to_json, translated_os, translated_sqlite, translating
from vernis.domain.errors import CatalogBusy, CatalogError, InvalidValue, StorageError
from vernis.domain.types import FoundFile, ImageRecord


def test_a_collection_moved_with_its_pictures_finds_them(tmp_path: Path) -> None:
    (tmp_path / "one" / "pictures").mkdir(parents=True)
    with SqliteCatalog.create(tmp_path / "one" / "c.vernis") as catalog:
        catalog.images.set_root(tmp_path / "one" / "pictures")
    (tmp_path / "one").rename(tmp_path / "two")
    with SqliteCatalog.open(tmp_path / "two" / "c.vernis", read_only=True) as catalog:
        assert catalog.images.root() == tmp_path / "two" / "pictures"


def test_a_root_that_is_gone_is_still_named(tmp_path: Path) -> None:
    with SqliteCatalog.create(tmp_path / "c.vernis") as catalog:
        catalog.images.set_root(tmp_path / "gone")
        assert catalog.images.root() == tmp_path / "gone"


@pytest.mark.skipif(sys.platform != "linux", reason="names are text there")
def test_a_root_whose_name_is_no_text_is_kept(tmp_path: Path) -> None:
    root = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9 100%"))
    root.mkdir()
    with SqliteCatalog.create(root / "c.vernis") as catalog:
        catalog.images.set_root(root)
        assert catalog.images.root() == root
        found = FoundFile("a", "h", 1, 1, reason="cannot read caf\udce9")
        catalog.images.apply_index([found], complete=True)
        assert catalog.images.all(["unreadable"])[0].reason == "cannot read caf%E9"


def test_each_failure_of_the_system_has_its_line() -> None:
    path = Path("c.vernis")
    for number, text in (
        (errno.ENOSPC, "disk is full"),
        (errno.EDQUOT, "disk is full"),
        (errno.EROFS, "permissions"),
        (errno.EACCES, "permissions"),
        (errno.EIO, os.strerror(errno.EIO)),
    ):
        error = translated_os(OSError(number, os.strerror(number)), path)
        assert isinstance(error, StorageError)
        assert text in str(error)
        assert "c.vernis" in str(error)


@pytest.mark.parametrize(
    ("code", "kind", "text"),
    [
        (sqlite3.SQLITE_FULL, StorageError, "disk is full"),
        (sqlite3.SQLITE_READONLY, StorageError, "read-only"),
        (sqlite3.SQLITE_READONLY | 8 << 8, StorageError, "read-only"),
        (sqlite3.SQLITE_IOERR, StorageError, "cannot be read"),
        (sqlite3.SQLITE_CANTOPEN, StorageError, "cannot be read"),
        (sqlite3.SQLITE_BUSY, CatalogBusy, "another process"),
        (sqlite3.SQLITE_NOTADB, CatalogError, "damaged"),
        (sqlite3.SQLITE_CORRUPT, CatalogError, "damaged"),
        (sqlite3.SQLITE_CONSTRAINT, CatalogError, "boom"),
    ],
)
def test_each_failure_of_sqlite_has_its_line(
    code: int, kind: type[CatalogError], text: str
) -> None:
    error = sqlite3.OperationalError("boom")
    error.sqlite_errorcode = code
    with pytest.raises(kind, match=text) as caught, translating(Path("c.vernis")):
        raise error
    assert caught.value.__cause__ is error
    assert type(translated_sqlite(error, Path("x"))) is kind


def test_json_holds_plain_values() -> None:
    value = {"b": np.float32(0.5), "a": [np.int64(1), np.array([1, 2])], "p": Path("x"), "s": {2}}
    assert json.loads(to_json(value)) == {"a": [1, [1, 2]], "b": 0.5, "p": "x", "s": [2]}
    assert to_json({"b": 1, "a": 2}) == to_json({"a": 2, "b": 1})


def test_sources_are_ranked_by_their_first_word() -> None:
    order = ["human:ann", "accepted:fill@m", "given", "reader:ocr", "model:m@1"]
    ranks = [rank_of(source) for source in order]
    assert ranks == sorted(ranks, reverse=True)
    assert len(set(ranks)) == len(ranks)
    assert rank_of("api:google-vision") == rank_of("reader:ocr")
    assert rank_of("given:folders") == rank_of("given")
    for wrong in ("", "humanoid:x", "Human:x"):
        with pytest.raises(InvalidValue, match="human, accepted, given"):
            rank_of(wrong)


def test_matching_takes_every_file_and_every_image_once() -> None:
    known = [ImageRecord(i, f"{i}.jpg", "same", 1, 1) for i in range(1, 5)]
    found = [FoundFile(f"{i}.jpg", "same", 1, 1) for i in (3, 9, 4, 8)]
    matches = match(found, known, complete=True)
    assert [file.uri for file, _, _ in matches.pairs] == [file.uri for file in found]
    fates = {file.uri: fate for file, _, fate in matches.pairs}
    assert fates == {"3.jpg": "unchanged", "4.jpg": "unchanged", "9.jpg": "moved", "8.jpg": "moved"}
    assert len({image.id for _, image, _ in matches.pairs if image}) == 4
    assert matches.gone == []
