"""Odd names go from a collection through every format into a fresh one, and undo takes them out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from vernis.adapters.interchange.formats.registry import FORMATS
from vernis.collection import Collection
from vernis.domain.region_store import NewRegion, RegionLabel
from vernis.domain.regions import Box, Region
from vernis.domain.types import Statement, Taxonomy

FILES = (
    *("train/a|b.jpg", "train/ü 1.jpg", "test/🐟.png", "val/c.webp"),
    *("train/sub/d.jpg", "train/sub/turned.jpg", "test/a|b.jpg"),
)
CLASSES = ("a|b", "a/b", "🐟", "caf\u00e9", 'ß "q"', "=1+1", "con", "x,y;z", "unused")
CELL = {"a|b": "a｜b"}
"""How a cell of a table with lists writes a class, which the table of losses counts."""
PLACED = {"voc": "copy", "yolo": "copy", "hugging-face": "copy", "folders": "link"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trips") / "pictures"
    for number, name in enumerate(FILES):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        picture = Image.effect_noise((60 + number, 40), 60).convert("RGB")
        exif = Image.Exif()
        if "turned" in name:
            exif[0x0112] = 6
        picture.save(folder / name, exif=exif)
    return folder


def fresh(root: Path, home: Path) -> Collection:
    made = Collection.create(home)
    made.index([root], classes_from="none")
    return made


@pytest.fixture(scope="module")
def source(root: Path) -> Iterator[Collection]:
    """Yield a collection with labels of two taxonomies, and boxes on five images."""
    with fresh(root, root.with_name("source.vernis")) as made:
        catalog = made.catalog
        catalog.labels.define(Taxonomy("kind", "multi", CLASSES))
        images = sorted(catalog.images.all(), key=lambda image: image.uri)
        said = [
            Statement(image.id, CLASSES[(number + more) % 8], "yes")
            for number, image in enumerate(images[:-1])
            for more in (0, 3)
        ]
        catalog.labels.record("kind", said, source="human:ann", verb="test")
        boxes = [
            NewRegion(
                image.id,
                Region(Box(3.25 + number, 2.5, 20, 15.125), (image.width, image.height)),
                (RegionLabel("kind", CLASSES[number]),),
            )
            for number, image in enumerate(images[:5])
        ]
        catalog.regions.add(boxes, source="human:ann", verb="test")
        yield made


def labels(collection: Collection) -> set[tuple[str, str]]:
    if "kind" not in [taxonomy.name for taxonomy in collection.session.taxonomies()]:
        return set()
    uris = collection.session.uris()
    return {(uris[held.image_id], held.label) for held in collection.catalog.labels.held("kind")}


def boxes(collection: Collection) -> dict[str, list[float]]:
    table, uris = collection.catalog.regions.table(), collection.session.uris()
    rows = zip(table.image_ids.tolist(), table.boxes.tolist(), strict=True)
    return {uris[image]: box for image, box in rows}


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_collection_goes_through_a_format(name, source, root, tmp_path):
    if "parquet" in name:
        pytest.importorskip("pyarrow")
    format = FORMATS[name]
    out = tmp_path / f"out{format.suffix}"
    how = {PLACED[name]: True} if name in PLACED else {}
    lost = {
        loss.kind: loss.count for loss in source.export(name, out, taxonomy=["kind"], **how).losses
    }
    with fresh(root, tmp_path / "copy.vernis") as copy:
        taxonomy = None if "long" in name else ["kind"]
        done = copy.import_(out, taxonomy=taxonomy)
        assert done.left_out == ()
        wanted, drawn = labels(source), boxes(source)
        if format.carries.image_labels == "none":
            uris = copy.session.uris()
            table = source.catalog.regions.labels("kind")
            places = source.catalog.regions.get(table.region_ids)
            wanted = {(uris[one.image_id], table.labels[row]) for row, one in enumerate(places)}
            assert lost["image labels"] == 7
        if "class names" in lost:
            wanted = {(uri, CELL.get(label, label)) for uri, label in wanted}
        assert labels(copy) == wanted
        if format.carries.regions:
            arrived = boxes(copy)
            assert arrived.keys() == drawn.keys()
            within = 1 if format.carries.boxes == "pixels" else 1e-5
            for uri, box in drawn.items():
                assert arrived[uri] == pytest.approx(box, abs=within), uri
        else:
            assert (boxes(copy), lost["regions"]) == ({}, 5)
        copy.undo(including="imports")
        assert (labels(copy), boxes(copy)) == (set(), {})


@pytest.mark.parametrize("name", ["folders", "yolo", "hugging-face"])
def test_splits_come_back(name, source, root, tmp_path):
    source.export(name, tmp_path / "out", taxonomy=["kind"], copy=True)
    with Collection.create(tmp_path / "of-copies.vernis") as made:
        made.index([tmp_path / "out"], classes_from="none")
        splits = {image.split for image in made.catalog.images.all()}
    # The one image of the third split has no label, so that it lies in no class folder.
    assert splits == ({"train", "test"} if name == "folders" else {"train", "test", "val"})


def test_links_lead_to_the_pictures(source, root, tmp_path):
    source.export("folders", tmp_path / "out", taxonomy=["kind"], link=True)
    links = [path for path in (tmp_path / "out").rglob("*") if path.is_symlink()]
    assert len(links) == 12  # two classes an image, one image without any
    assert {path.resolve() for path in links} <= {root / name for name in FILES}
