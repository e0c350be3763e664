"""Boxes come in from the files of other tools, and go out to them again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vernis.adapters.interchange.formats.registry import FORMATS
from vernis.collection import Collection
from vernis.domain.errors import InvalidLabels, UsageError
from vernis.domain.region_store import NewRegion, RegionStatement

NAMES = ("a.jpg", "empty.jpg", "sub/a.jpg", "sub/ä 🐟.jpg")
SIZE = (64, 48)


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[Collection]:
    pictures = tmp_path / "pictures"
    (pictures / "sub").mkdir(parents=True)
    for number, name in enumerate(NAMES):
        Image.new("RGB", SIZE, (50 * number, 9, 9)).save(pictures / name)
    with Collection.create(tmp_path / "pictures.vernis") as opened:
        opened.index([pictures])
        yield opened


def document() -> dict[str, Any]:
    """Return what a COCO file may hold: gaps in ids, twins, outlines, crowds, attributes…"""
    images = [
        {"id": 1007 + 7 * n, "file_name": name, "width": 64, "height": 48, "license": n, "by": "é"}
        for n, name in enumerate(NAMES)
    ]
    rle = {"counts": [10, 5, 3057], "size": [48, 64]}
    other = {"iscrowd": 0, "segmentation": []}
    return {
        "info": {"year": 2017, "url": "x"},
        "licenses": [{"id": 4, "name": "CC BY"}],
        "images": images,
        "annotations": [
            {"id": 50, "image_id": 1007, "category_id": 3, "bbox": [1.1, 2.25, 10.3, 5], **other}
            | {"area": 51.5, "attributes": {"occluded": True}, "score": 0.25},
            {"id": 9, "image_id": 1007, "category_id": 90, "bbox": [60, 40, 10, 10], **other}
            | {"area": 100},
            {"id": 53, "image_id": 1021, "category_id": 3, "bbox": [0, 0, 4, 4], "iscrowd": 1}
            | {"area": 5, "segmentation": rle},
            {"id": 71, "image_id": 1021, "category_id": 7, "bbox": [1, 1, 4, 4], "iscrowd": 0}
            | {"area": 8.0, "segmentation": [[1, 1, 5, 1, 1, 5]]},
            {"id": 1000, "image_id": 1028, "category_id": 7, "bbox": [0.1, 0.2, 0.3, 0.7]}
            | {"area": 0.21, **other},
        ],
        "categories": [
            {"id": 90, "name": "zebra", "supercategory": "animal", "keypoints": []},
            {"id": 3, "name": "mouse", "supercategory": "animal"},
            {"id": 7, "name": "mouse", "supercategory": "device"},
            {"id": 12, "name": "never used", "supercategory": "animal"},
        ],
    }


def coco(folder: Path, content: dict[str, Any] | None = None, name: str = "in.json") -> Path:
    file = folder / name
    file.write_text(json.dumps(document() if content is None else content), encoding="utf-8")
    return file


def by_id(content: dict[str, Any]) -> dict[str, Any]:
    return {
        key: {one["id"]: one for one in value} if isinstance(value, list) else value
        for key, value in content.items()
    }


def yes(collection: Collection, taxonomy: str = "object") -> dict[str, set[str]]:
    matrix, uris = collection.session.matrix(taxonomy), collection.session.uris()
    found: dict[str, set[str]] = {}
    for row, column in np.argwhere(matrix.values == 1).tolist():
        cell = found.setdefault(uris[int(matrix.image_ids[row])], set())
        cell.add(matrix.taxonomy.classes[column])
    return found


def kinds(rows: Any) -> dict[str, int]:
    return {row.kind: row.count for row in rows}


# --------------------------------------------------------------------------- COCO and back


def test_a_coco_file_comes_back_as_it_was(collection: Collection, tmp_path: Path) -> None:
    read = collection.import_(coco(tmp_path))
    assert (read.images, read.regions, read.losses, read.left_out) == (4, 5, (), ())
    assert [note for note in read.notes if "outside" in note] == [
        "1 boxes reach outside their picture; kept as they are"
    ]
    written = collection.export("coco", tmp_path / "out.json")
    assert (written.images, written.regions, written.losses) == (4, 5, ())
    again = json.loads((tmp_path / "out.json").read_text())
    assert by_id(again) == by_id(document())
    assert [c["id"] for c in again["categories"]] == [90, 3, 7, 12]


def test_classes_of_boxes_are_labels_of_their_images(
    collection: Collection, tmp_path: Path
) -> None:
    trial = collection.import_(coco(tmp_path), taxonomy=["animal"], dry_run=True)
    assert trial.regions == 5
    assert collection.catalog.labels.taxonomies() == []
    read = collection.import_(coco(tmp_path), taxonomy=["animal"])
    assert read.labelled == trial.labelled == {"animal": 3}
    mice = "mouse (animal)", "mouse (device)"
    assert yes(collection, "animal") == {
        "a.jpg": {mice[0], "zebra"},
        "sub/a.jpg": set(mice),
        "sub/ä 🐟.jpg": {mice[1]},
    }
    assert collection.catalog.labels.taxonomy("animal").classes == (*mice, "never used", "zebra")


def test_undo_takes_all_of_an_import_back_and_redo_brings_it(
    collection: Collection, tmp_path: Path
) -> None:
    collection.import_(coco(tmp_path))
    collection.undo(including="imports")
    assert len(collection.catalog.regions.table()) == 0
    assert collection.catalog.labels.taxonomies() == []
    collection.redo()
    collection.export("coco", tmp_path / "out.json")
    assert by_id(json.loads((tmp_path / "out.json").read_text())) == by_id(document())


def test_images_that_are_not_here_are_listed(collection: Collection, tmp_path: Path) -> None:
    content = document()
    content["images"].append({"id": 1, "file_name": "gone.jpg", "width": 8, "height": 6})
    content["annotations"].append({"id": 2, "image_id": 1, "category_id": 90, "bbox": [0, 0, 1, 1]})
    read = collection.import_(coco(tmp_path, content))
    assert [row.image for row in read.left_out] == ["gone.jpg"]
    assert read.regions == 5


@pytest.mark.parametrize("name", ["../a.jpg", "/etc/a.jpg", "C:\\a.jpg"])
def test_paths_that_lead_out_are_refused(collection: Collection, tmp_path: Path, name: str) -> None:
    content = document()
    content["images"][0]["file_name"] = name
    with pytest.raises(InvalidLabels, match=r"leads out|absolute"):
        collection.import_(coco(tmp_path, content))
    assert len(collection.catalog.regions.table()) == 0


# --------------------------------------------------------------------------- a second file


def test_the_same_file_again_changes_nothing(collection: Collection, tmp_path: Path) -> None:
    collection.import_(coco(tmp_path))
    before = len(collection.catalog.history.batches())
    collection.import_(coco(tmp_path))
    assert len(collection.catalog.history.batches()) == before


def test_what_is_listed_decides_and_what_stays_keeps_its_statements(
    collection: Collection, tmp_path: Path
) -> None:
    collection.import_(coco(tmp_path))
    regions = collection.catalog.regions
    ids = regions.table().ids.tolist()
    no = RegionStatement(ids[0], "mouse (animal)", "no")
    regions.record("object", [no], source="human:ann", verb="test")
    content = document()
    moved, gone = content["annotations"][1], content["annotations"].pop(2)
    moved["bbox"] = [50, 40, 10, 10]
    content["annotations"][2]["category_id"] = 90
    collection.import_(coco(tmp_path, content))
    now = regions.table().ids.tolist()
    assert now == [ids[0], *ids[3:], ids[-1] + 1]
    assert gone["id"] not in {known.region.foreign_id for known in regions.get(now)}
    said = regions.labels("object")
    first = [said.sources[n] for n in np.flatnonzero(said.region_ids == ids[0])]
    assert first == ["human:ann", "given"]
    changed = np.flatnonzero((said.region_ids == ids[3]) & said.holds)
    assert [said.labels[n] for n in changed] == ["zebra"]
    collection.undo(including="imports")
    assert regions.table().ids.tolist() == ids


def test_a_box_that_went_through_fractions_keeps_its_id(
    collection: Collection, tmp_path: Path
) -> None:
    collection.import_(coco(tmp_path))
    before = collection.catalog.regions.table().ids.tolist()
    collection.export("yolo", tmp_path / "yolo")
    collection.import_(tmp_path / "yolo")
    assert collection.catalog.regions.table().ids.tolist()[:2] == before[:2]
    document_after = collection.export("coco", tmp_path / "out.json")
    assert document_after.regions == 5
    again = by_id(json.loads((tmp_path / "out.json").read_text()))
    assert again["annotations"][50] == by_id(document())["annotations"][50]
    assert again["images"] == by_id(document())["images"]


def test_boxes_of_another_taxonomy_stay(collection: Collection, tmp_path: Path) -> None:
    collection.import_(coco(tmp_path))
    other = document()
    other["annotations"] = other["annotations"][:1]
    other["annotations"][0]["id"] = 1
    collection.import_(coco(tmp_path, other), taxonomy=["faces"])
    assert len(collection.catalog.regions.table()) == 6
    assert len(collection.catalog.regions.table(taxonomy="faces")) == 1


def test_a_file_without_boxes_leaves_them_alone(collection: Collection, tmp_path: Path) -> None:
    collection.import_(coco(tmp_path))
    table = tmp_path / "labels.csv"
    table.write_text("image,object\na.jpg,zebra\n")
    collection.import_(table)
    assert len(collection.catalog.regions.table()) == 5


# --------------------------------------------------------------------------- other formats


@pytest.mark.parametrize("format", ["voc", "yolo", "label-studio", "cvat", "hugging-face"])
def test_boxes_go_out_in_every_format_and_come_in_again(
    collection: Collection, tmp_path: Path, format: str
) -> None:
    collection.import_(coco(tmp_path))
    out = tmp_path / f"out{FORMATS[format].suffix}"
    written = collection.export(format, out, copy=format in ("voc", "yolo", "hugging-face"))
    assert written.regions == 5
    before = collection.catalog.regions.table()
    said = yes(collection)
    collection.undo(including="imports")
    read = collection.import_(out, format="auto")
    assert (read.format, read.images, read.regions) == (format, 4, 5)
    after = collection.catalog.regions.table()
    assert yes(collection) == said
    assert set(collection.catalog.labels.taxonomy("object").classes) >= {"never used", "zebra"}
    within = 1.0 if format == "voc" else 0.005
    for one, other in zip(_inside(before), _inside(after), strict=True):
        if format in ("voc", "yolo") or one[0] == other[0]:
            assert np.abs(np.array(one[1]) - np.array(other[1])).max() <= within
    losses = kinds(written.losses)
    assert ("clipped boxes" in losses) == (format in ("voc", "yolo"))
    assert losses.get("outlines", 0) == (2 if format in ("voc", "yolo", "hugging-face") else 1)


def _inside(table: Any) -> list[tuple[int, list[float]]]:
    """Return the boxes cut at the edge of the picture, by image."""
    rows = []
    for image, (x, y, width, height) in zip(
        table.image_ids.tolist(), table.boxes.tolist(), strict=True
    ):
        rows.append((image, [x, y, min(x + width, SIZE[0]), min(y + height, SIZE[1])]))
    return sorted(rows)


def test_without_boxes_voc_and_yolo_are_refused(collection: Collection, tmp_path: Path) -> None:
    collection.import_(coco(tmp_path))
    for format in ("voc", "yolo"):
        with pytest.raises(UsageError, match="boxes alone"):
            collection.export(format, tmp_path / "out", where="name:empty.jpg")
        assert not (tmp_path / "out").exists()


def test_the_order_of_yolo_classes_stays(collection: Collection, tmp_path: Path) -> None:
    folder = tmp_path / "yolo"
    (folder / "labels").mkdir(parents=True)
    (folder / "data.yaml").write_text("train: images\nval: images\nnames: [zebra, ant, mouse]\n")
    (folder / "labels" / "empty.txt").write_text("2 0.5 0.5 0.25 0.5\n")
    (folder / "images.txt").write_text("images/empty.jpg\n")
    collection.import_(folder)
    collection.export("yolo", tmp_path / "out")
    config = (tmp_path / "out" / "data.yaml").read_text()
    assert config.endswith('nc: 3\nnames:\n  0: "zebra"\n  1: "ant"\n  2: "mouse"\n')
    line = (tmp_path / "out" / "labels" / "empty.txt").read_text()
    assert line == "2 0.5 0.5 0.25 0.5\n"


def test_a_table_of_labels_counts_the_boxes_as_lost(collection: Collection, tmp_path: Path) -> None:
    collection.import_(coco(tmp_path))
    written = collection.export("csv", tmp_path / "out.csv")
    assert kinds(written.losses)["regions"] == 5
    assert written.regions == 0


def test_only_some_boxes(collection: Collection, tmp_path: Path) -> None:
    collection.import_(coco(tmp_path))
    drawn = collection.catalog.regions.get([1])[0]
    collection.catalog.regions.add(
        [NewRegion(drawn.image_id, drawn.region)], source="human:ann", verb="test"
    )
    written = collection.export("coco", tmp_path / "all.json")
    assert kinds(written.losses) == {"unlabelled regions": 1}
    assert written.regions == 5
    only = {"where": "folder:sub", "taxonomy": ["object"]}
    written = collection.export("coco", tmp_path / "b.json", **only)
    assert (written.images, written.regions, written.losses) == (2, 3, ())
    assert collection.export("coco", tmp_path / "c.json", states=["no"]).regions == 0


def test_zero_based_voc(collection: Collection, tmp_path: Path) -> None:
    collection.import_(coco(tmp_path))
    collection.export("voc", tmp_path / "voc")
    collection.undo(including="imports")
    collection.import_(tmp_path / "voc", zero_based=True)
    first = collection.catalog.regions.get([collection.catalog.regions.table().ids[0]])[0]
    assert first.region.box.corners == (2.0, 3.0, 11.0, 7.0)


# --------------------------------------------------------------------------- models


def test_predictions_of_label_studio_are_proposals(collection: Collection, tmp_path: Path) -> None:
    def result(x: float, label: str, **more: Any) -> dict[str, Any]:
        value = {"x": x, "y": 10, "width": 25, "height": 50, "rectanglelabels": [label]}
        return {"type": "rectanglelabels", "from_name": "object", "value": value, **more} | {
            "original_width": 64,
            "original_height": 48,
        }

    tasks = [
        {
            "id": 5,
            "data": {"image": "/data/local-files/?d=a.jpg"},
            "annotations": [{"result": [result(50, "fish", id="q")]}],
            "predictions": [
                {"model_version": "yolo-v8", "result": [result(0, "crab", id="p", score=0.75)]},
                {"result": [result(10, "crab", id="r")]},
            ],
        }
    ]
    file = tmp_path / "tasks.json"
    file.write_text(json.dumps(tasks))
    read = collection.import_(file)
    assert read.regions == 3
    assert yes(collection) == {"a.jpg": {"fish"}}
    assert collection.catalog.regions.counts_by_source() == {
        "given": 1,
        "model:label-studio": 1,
        "model:yolo-v8": 1,
    }
    said = collection.catalog.regions.labels("object")
    assert said.proposed.sum() == 2
    assert np.nanmax(said.probabilities) == 0.75
    written = collection.export("coco", tmp_path / "out.json")
    assert written.regions == 1
    assert "2 regions that a model proposes were left out; --proposals writes them" in written.notes
    out = tmp_path / "out"
    assert collection.export("label-studio", out, proposals=True).regions == 3
    (task, *_) = json.loads((out / "tasks.json").read_text())
    assert [p["model_version"] for p in task["predictions"]] == [
        "model:yolo-v8",
        "model:label-studio",
    ]
    assert len(task["annotations"][0]["result"]) == 1
    before = len(collection.catalog.history.batches())
    collection.import_(out)
    assert collection.catalog.regions.counts_by_source()["model:yolo-v8"] == 1
    assert len(collection.catalog.history.batches()) <= before + 1


def test_an_accepted_proposal_is_exported_as_a_label(
    collection: Collection, tmp_path: Path
) -> None:
    collection.import_(coco(tmp_path), source="model:detector")
    assert yes(collection) == {}
    regions = collection.catalog.regions
    assert regions.labels("object").proposed.all()
    accepted, rejected = regions.table().ids.tolist()[:2]
    for region, label, state in (
        (accepted, "mouse (animal)", "yes"),
        (rejected, "zebra", "no"),
    ):
        said = RegionStatement(region, label, state)  # type: ignore[arg-type]
        regions.record("object", [said], source="human:ann", verb="accept")
    assert yes(collection) == {"a.jpg": {"mouse (animal)"}}
    written = collection.export("coco", tmp_path / "out.json")
    assert written.regions == 1
    assert kinds(written.losses) == {"states": 1, "unlabelled regions": 1}
    (found,) = json.loads((tmp_path / "out.json").read_text())["annotations"]
    assert (found["id"], found["category_id"], "score" in found) == (50, 3, False)


def test_who_a_model_is_must_be_said_as_one(collection: Collection, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="model:NAME"):
        collection.import_(coco(tmp_path), source="human:ann")
    table = tmp_path / "labels.csv"
    table.write_text("image,object\na.jpg,zebra\n")
    with pytest.raises(UsageError, match="other tools"):
        collection.import_(table, source="model:x")


# --------------------------------------------------------------------------- turned and resized


def test_boxes_of_pictures_on_their_side(collection: Collection, tmp_path: Path) -> None:
    root = collection.catalog.images.root()
    assert root is not None
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", SIZE, (1, 2, 3)).save(root / "side.jpg", exif=exif)
    collection.index([root])
    image = {"id": 1, "file_name": "side.jpg", "width": 64, "height": 48}
    content = {
        "images": [image],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 16, 12]}],
    }
    read = collection.import_(coco(tmp_path, content))
    assert "1 images were labelled on their side; their boxes were turned upright" in read.notes
    table = collection.catalog.regions.table()
    assert table.pictures.tolist() == [[48, 64]]
    assert table.boxes.tolist() == [[36, 0, 12, 16]]
    written = collection.export("coco", tmp_path / "upright.json")
    (said,) = (note for note in written.notes if "EXIF" in note)
    assert "--as-stored" in said
    collection.export("coco", tmp_path / "stored.json", as_stored=True)
    found = json.loads((tmp_path / "stored.json").read_text())
    assert found["annotations"][0]["bbox"] == [0, 0, 16, 12]
    (side,) = (one for one in found["images"] if one["file_name"] == "side.jpg")
    assert (side["width"], side["height"]) == (64, 48)


def test_boxes_of_a_picture_of_another_size_are_scaled(
    collection: Collection, tmp_path: Path
) -> None:
    content = document()
    for image in content["images"]:
        image["width"], image["height"] = 128, 96
    read = collection.import_(coco(tmp_path, content))
    assert any("another size" in note for note in read.notes)
    assert collection.catalog.regions.table().pictures[0].tolist() == [128, 96]
    written = collection.export("coco", tmp_path / "out.json")
    assert any("scaled" in note for note in written.notes)
    again = by_id(json.loads((tmp_path / "out.json").read_text()))
    assert again["annotations"][50]["bbox"] == [0.55, 1.125, 5.15, 2.5]
    assert again["annotations"][71]["segmentation"] == [[0.5, 0.5, 2.5, 0.5, 0.5, 2.5]]


# --------------------------------------------------------------------------- tables of boxes

TABLES = {
    "tensorflow": (
        "filename,width,height,class,xmin,ymin,xmax,ymax\n"
        "a.jpg,64,48,cat,1,2,11,7.5\na.jpg,64,48,dog,0,0,64,48\nsub/a.jpg,64,48,cat,3,3,4,4\n"
    ),
    "open images": (
        "ImageID,Source,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded\n"
        "empty,xclick,/m/0x,1,0.25,0.5,0.25,1,0\nempty,xclick,/m/0y,0.5,0,1,0,1,1\n"
    ),
    "retinanet": "path;x1;y1;x2;y2;class_name\na.jpg;1;2;11;7.5;cat\nempty.jpg;;;;;\n",
    "makesense": (
        "label_name,bbox_x,bbox_y,bbox_width,bbox_height,image_name,image_width,image_height\n"
        "cat,1,2,10,5.5,a.jpg,64,48\n"
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_of_boxes_are_read(collection: Collection, tmp_path: Path, name: str) -> None:
    file = tmp_path / "boxes.csv"
    file.write_text(TABLES[name])
    read = collection.import_(file)
    assert read.format == "csv-boxes"
    known = collection.catalog.regions.get(collection.catalog.regions.table().ids)
    uris = collection.session.uris()
    boxes = [(uris[k.image_id], k.region.box.corners) for k in known]
    if name == "open images":
        assert boxes == [("empty.jpg", (16, 12, 32, 48)), ("empty.jpg", (0, 0, 64, 48))]
        assert [k.region.attribute_values()["IsOccluded"] for k in known] == ["0", "1"]
        said = collection.catalog.regions.labels("object")
        assert sorted(said.probabilities.tolist()) == [0.5, 1.0]
    else:
        assert boxes[0] == ("a.jpg", (1, 2, 11, 7.5))
        assert yes(collection)["a.jpg"] >= {"cat"}
    assert read.images == {"tensorflow": 2, "retinanet": 2}.get(name, 1)


def test_a_table_of_boxes_comes_back(collection: Collection, tmp_path: Path) -> None:
    collection.import_(coco(tmp_path))
    before = collection.catalog.regions.table().boxes.tolist()
    written = collection.export("csv-boxes", tmp_path / "boxes.csv")
    assert (written.images, written.regions) == (4, 5)
    collection.undo(including="imports")
    assert collection.import_(tmp_path / "boxes.csv").regions == 5
    after = collection.catalog.regions.table().boxes.tolist()
    np.testing.assert_allclose(after, before, atol=1e-9)


def test_a_table_of_boxes_can_be_read_as_labels(collection: Collection, tmp_path: Path) -> None:
    file = tmp_path / "boxes.csv"
    file.write_text(TABLES["tensorflow"])
    collection.import_(file, format="csv", row="label")
    assert len(collection.catalog.regions.table()) == 0
    assert collection.catalog.labels.taxonomies()[0].name == "class"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("image,label,xmin,ymin,xmax,ymax\na.jpg,cat,1,2,x,4\n", "row 2: a side of the box is 'x'"),
        ("image,label,xmin,ymin,xmax,ymax\na.jpg,,1,2,3,4\n", "row 2: has a box and no label"),
        ("image,label,xmin,ymin,xmax,ymax\n../a.jpg,cat,1,2,3,4\n", "leads out"),
    ],
)
def test_bad_tables_of_boxes_are_refused(
    collection: Collection, tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "boxes.csv"
    file.write_text(text)
    with pytest.raises(InvalidLabels, match=said):
        collection.import_(file)
