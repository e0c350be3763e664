"""What is read stays of one moment while somebody decides in another window."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import vernis
from vernis.adapters.catalog.regions import SqliteRegionStore
from vernis.domain.region_store import NewRegion, RegionLabel
from vernis.domain.regions import Box, Region
from vernis.domain.types import Taxonomy
from vernis.verbs.decide.boxes import boxes_of


@pytest.fixture
def drawn(tmp_path: Path) -> Path:
    """A collection of one picture with two boxes, of a cat and of a dog."""
    Image.new("RGB", (100, 80)).save(tmp_path / "a.png")
    with vernis.Collection.create(tmp_path / "x.vernis") as made:
        made.index(tmp_path)
        made.catalog.labels.define(Taxonomy("pets", "multi", ("cat", "dog")))
        (image,) = made.catalog.images.all(("present",))
        for left, label in ((10, "cat"), (50, "dog")):
            region = Region(Box(left, 10, 20, 20), (100, 80))
            new = NewRegion(image.id, region, (RegionLabel("pets", label),))
            made.catalog.regions.add([new], source="human:ann", verb="boxes")
    return tmp_path / "x.vernis"


@pytest.fixture
def interrupted(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let another process take the dog's box away right after a call of the store."""

    def after(method: str) -> None:
        original = getattr(SqliteRegionStore, method)

        def then_remove(self: SqliteRegionStore, *arguments: Any, **more: Any) -> Any:
            found = original(self, *arguments, **more)
            monkeypatch.setattr(SqliteRegionStore, method, original)
            with vernis.Collection.open(drawn) as other:
                ids = other.catalog.regions.table().ids
                other.catalog.regions.remove([int(ids[-1])], source="human:bo", verb="boxes")
            return found

        monkeypatch.setattr(SqliteRegionStore, method, then_remove)

    return after


def n_boxes(file: Path) -> int:
    annotations = json.loads(file.read_text(encoding="utf-8"))["annotations"]
    return sum("bbox" in one for one in annotations)


@pytest.mark.parametrize("method", ["table", "labels"])
def test_boxes_of_a_picture(drawn: Path, interrupted: Callable[[str], None], method: str) -> None:
    with vernis.Collection.open(drawn) as collection:
        (image,) = collection.catalog.images.all(("present",))
        interrupted(method)
        assert [row.label for row in boxes_of(collection.session, image)] == ["cat", "dog"]
        assert [row.label for row in boxes_of(collection.session, image)] == ["cat"]


@pytest.mark.parametrize("method", ["table", "labels"])
def test_an_export(drawn: Path, interrupted: Callable[[str], None], method: str) -> None:
    target = drawn.parent / "boxes.json"
    with vernis.Collection.open(drawn) as collection:
        interrupted(method)
        collection.export("coco", target)
        assert n_boxes(target) == 2
        again = drawn.parent / "again.json"
        collection.export("coco", again)
        assert n_boxes(again) == 1
