"""Labels go out in the formats of other tools, and come in again, with what was lost."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from vernis.adapters.interchange.formats.registry import FORMATS
from vernis.collection import Collection
from vernis.domain.errors import InvalidLabels, UsageError
from vernis.domain.types import Statement, Taxonomy
from vernis.verbs.steps.export import FormatName

NAMES = ("a.jpg", "b.png", "sub/a.jpg", "sub/ä 🐟.jpg", "unlabelled.jpg")


def make(folder: Path) -> Collection:
    pictures = folder / "pictures"
    (pictures / "sub").mkdir(parents=True)
    for number, name in enumerate(NAMES):
        Image.new("RGB", (8 + number, 6), (50 * number, 9, 9)).save(pictures / name)
    collection = Collection.create(folder / "pictures.vernis")
    collection.index([pictures])
    return collection


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[Collection]:
    with make(tmp_path) as opened:
        labels = opened.catalog.labels
        labels.define(Taxonomy("kind", "single", ("photo", "a|b/c", "unused")))
        labels.define(Taxonomy("tags", "multi", ("red", "Kraków 🐟")))
        ids = [opened.catalog.images.find(name).id for name in NAMES]
        kinds = [Statement(ids[n], label, "yes") for n, label in enumerate(["photo", "a|b/c"] * 2)]
        labels.record("kind", kinds, source="human:anna", verb="test")
        tags = [Statement(ids[0], "red", "yes"), Statement(ids[0], "Kraków 🐟", "yes")]
        tags += [Statement(ids[1], "red", "no")]
        labels.record("tags", tags, source="given", verb="test")
        yield opened


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Collection]:
    (tmp_path / "other").mkdir()
    with make(tmp_path / "other") as opened:
        yield opened


def yes(collection: Collection) -> dict[str, dict[str, set[str]]]:
    found: dict[str, dict[str, set[str]]] = {}
    for taxonomy in collection.session.taxonomies():
        matrix = collection.session.matrix(taxonomy.name)
        uris = collection.session.uris()
        for row, column in np.argwhere(matrix.values == 1).tolist():
            cell = found.setdefault(taxonomy.name, {}).setdefault(
                uris[int(matrix.image_ids[row])], set()
            )
            cell.add(taxonomy.classes[column])
    return found


def test_every_format_has_a_name_on_the_command_line():
    assert set(get_args(FormatName)) == set(FORMATS)


@pytest.mark.parametrize("format", ["coco", "hugging-face", "label-studio", "csv-long"])
def test_labels_of_all_taxonomies_come_back(collection, other, tmp_path, format):
    out = tmp_path / f"out{FORMATS[format].suffix}"
    written = collection.export(format, out)
    assert written.images >= 4
    read = other.import_(out, format="auto" if format != "csv-long" else format)
    assert read.format == format
    assert read.left_out == ()
    assert yes(other) == yes(collection)
    (batch, *_) = other.catalog.history.batches()
    assert batch["verb"] == "import"
    # Once more: nothing changes.
    batches = len(other.catalog.history.batches())
    other.import_(out, format=format)
    assert len(other.catalog.history.batches()) == batches


@pytest.mark.parametrize("format", ["cvat", "folders", "hugging-face-csv"])
def test_labels_of_one_taxonomy_come_back(collection, other, tmp_path, format):
    out = tmp_path / f"out{FORMATS[format].suffix}"
    collection.export(format, out, taxonomy=["tags"], link=True)
    other.import_(out, taxonomy=["tags"])
    assert yes(other) == {"tags": yes(collection)["tags"]}


def test_what_is_lost_is_counted(collection, tmp_path):
    written = collection.export("coco", tmp_path / "a.json")
    assert {loss.kind: loss.count for loss in written.losses} == {"states": 1}
    folders = collection.export("folders", tmp_path / "folders", copy=True)
    assert {loss.kind: loss.count for loss in folders.losses} == {
        "states": 1,
        "images": 1,
        "taxonomies": 2,
    }
    assert len(list((tmp_path / "folders").rglob("*.*"))) > 4
    only = collection.export("coco", tmp_path / "b.json", where="kind:photo", states=["yes"])
    assert only.images == 2
    assert only.labelled == {"kind": 2, "tags": 1}
    assert only.losses == ()


@pytest.mark.parametrize(
    ("system", "first"),
    [
        ("aem", ["assetPath", "dc:subject {{String: multi}}", "dam:kind {{String: multi}}"]),
        ("canto", ["File Name", "Keywords", "dam:kind"]),
        ("resourcespace", ["Original filename", "Keywords", "dam:kind"]),
    ],
)
def test_tables_for_asset_management_systems(collection, tmp_path, system, first):
    out = tmp_path / system
    written = collection.export("dam", out, for_=system, column=["kind=dam:kind"], prefix="/x")
    with (out / f"{system}.csv").open(newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows[0] == first
    assert len(rows) == 1 + written.images
    assert written.notes


def test_what_cannot_be_is_refused_in_one_line(collection, tmp_path):
    out = tmp_path / "out"
    for wrong, said in (
        ({"format": "yolo"}, "class folders"),
        ({"format": "dam"}, "--for"),
        ({"format": "coco", "for_": "aem"}, "dam"),
        ({"format": "folders"}, "--copy or --link"),
        ({"format": "folders", "copy": True, "link": True}, "exclude"),
        ({"format": "coco", "states": []}, "yes and no"),
        ({"format": "dam", "for_": "bynder"}, "brand"),
    ):
        with pytest.raises(UsageError, match=said):
            collection.export(out=out, **wrong)
        assert not out.exists()
    (tmp_path / "strange.json").write_text("{}")
    with pytest.raises(InvalidLabels, match="no format that is known"):
        collection.import_(tmp_path / "strange.json")
    with pytest.raises(UsageError, match="no such file"):
        collection.import_(tmp_path / "gone.json")
    Image.new("RGB", (4, 4)).save(tmp_path / "x.png")
    with pytest.raises(InvalidLabels, match="no format"):
        collection.import_(tmp_path / "pictures")
