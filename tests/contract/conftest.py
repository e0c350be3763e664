"""Every implementation of the Catalog port, opened empty."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.domain.ports import Catalog
from vernis.domain.types import FoundFile, Taxonomy

IMPLEMENTATIONS = {"sqlite": SqliteCatalog.create, "memory": SqliteCatalog.in_memory}


@pytest.fixture(params=sorted(IMPLEMENTATIONS))
def catalog(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Catalog]:
    """Return an empty catalog."""
    with IMPLEMENTATIONS[request.param](tmp_path / "c.vernis") as opened:
        yield opened


@pytest.fixture
def labelled(catalog: Catalog) -> Catalog:
    """Return a catalog with four images (ids 1-4), a single and a multi taxonomy."""
    catalog.images.apply_index(
        [FoundFile(f"{name}.jpg", f"hash-{name}", 10, 1) for name in "abcd"], complete=True
    )
    catalog.labels.define(Taxonomy("colour", "single", ("blue", "green", "red")))
    catalog.labels.define(Taxonomy("thing", "multi", ("cup", "glass", "plate")))
    return catalog
