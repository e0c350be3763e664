"""The catalog in memory touches no file and is made in milliseconds."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.domain.errors import CatalogBusy, CatalogError
from vernis.domain.types import FoundFile, Space


def test_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with SqliteCatalog.in_memory() as catalog, catalog.lock("index"):
        catalog.images.set_root(tmp_path / "pictures")
        catalog.images.apply_index([FoundFile("a.jpg", "h", 1, 1)], complete=True)
        catalog.vectors.append(Space("s", 2), ["h"], np.ones((1, 2)))
        catalog.models.save(
            "t", "s", arrays={}, settings={}, metrics={}, fingerprint="", predictions={}
        )
        catalog.vectors.collect_garbage()
        assert catalog.vectors.missing(Space("s", 2), ["h"]) == []
        assert catalog.images.root() == tmp_path / "pictures"
        assert catalog.integrity() == []
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(CatalogError, match="closed"):
        catalog.images.all()


def test_two_catalogs_in_memory_know_nothing_of_each_other() -> None:
    with SqliteCatalog.in_memory() as one, SqliteCatalog.in_memory() as other:
        one.images.apply_index([FoundFile("a.jpg", "h", 1, 1)], complete=True)
        one.vectors.append(Space("s", 1), ["h"], np.ones((1, 1)))
        assert (len(other.images.all()), other.vectors.spaces()) == (0, [])


def test_another_thread_does_not_share_the_lock_in_memory() -> None:
    seen: list[Exception] = []

    def work(catalog: SqliteCatalog) -> None:
        try:
            with catalog.lock("index"):
                pass
        except CatalogBusy as error:
            seen.append(error)

    with SqliteCatalog.in_memory(patience=0.1) as catalog:
        with catalog.lock("learn"), catalog.lock("fill"):
            thread = threading.Thread(target=work, args=(catalog,))
            thread.start()
            thread.join()
        with catalog.lock("index"):
            pass
    assert "'fill'" in str(seen[0])
