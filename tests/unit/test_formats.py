"""Label formats: golden files, files of other programs, and files that cannot be used."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from vernis.adapters.interchange.formats.class_folders import ClassFolders
from vernis.adapters.interchange.formats.coco import Coco
from vernis.adapters.interchange.formats.cvat import Cvat
from vernis.adapters.interchange.formats.files import JsonReader
from vernis.adapters.interchange.formats.hugging_face import HuggingFace
from vernis.adapters.interchange.formats.interface import Pictures, ReadSettings
from vernis.adapters.interchange.formats.label_studio import LabelStudio
from vernis.adapters.interchange.formats.registry import FORMATS, format_named, recognise
from vernis.adapters.interchange.formats.voc import Voc
from vernis.adapters.interchange.formats.yolo import Yolo, read_config
from vernis.domain.errors import InvalidLabels, StorageError, UsageError
from vernis.domain.exchange import (
    ExchangeClass,
    ExchangeImage,
    ExchangeLabel,
    ExchangeRegion,
    ExchangeSet,
    ExchangeTaxonomy,
)
from vernis.domain.regions import Box, Region

sys.path.insert(0, str(Path(__file__).parent))
from golden_collection import COLLECTION, LABELLED, PICTURES

GOLDEN = Path(__file__).parents[1] / "golden"
BINARY = ("xlsx", "parquet", "hugging-face-parquet")
SETTINGS = ReadSettings(sizes=PICTURES)


def contents(path: Path) -> dict[str, str]:
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    base = path.parent if path.is_file() else path
    return {f.relative_to(base).as_posix(): f.read_text(encoding="utf-8") for f in files}


def boxes(exchange: ExchangeSet) -> dict[str, list[tuple[str, tuple[float, ...]]]]:
    return {
        image.uri: [(r.labels[0].label, r.region.box.corners) for r in image.regions]
        for image in exchange.images
    }


def write_files(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content, encoding="utf-8")
    return folder


def picture(folder: Path, *names: str, size: tuple[int, int] = (100, 50)) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size).save(folder / name)


# --------------------------------------------------------------------------- golden files


@pytest.mark.parametrize(
    "name", [n for n in FORMATS if not n.startswith(BINARY) and n not in BINARY]
)
def test_what_is_written_is_as_it_was(name, tmp_path):
    format = FORMATS[name]
    out = tmp_path / f"{name}{format.suffix}"
    exchange = LABELLED if name in ("folders", "csv", "tsv", "hugging-face-csv") else COLLECTION
    if name == "folders":
        ClassFolders().write_folders(exchange, out, Pictures())
    else:
        format.write(exchange, out, Pictures())
    assert contents(out) == contents(GOLDEN / "ours" / out.name)
    assert recognise(out).name == name


THEIRS = {
    **{"labelformat-coco": 0.0, "supervision-coco": 1e-4, "datumaro-coco": 0.0},
    **{"labelformat-voc": 1e-9, "supervision-voc": 1.0, "datumaro-voc": 0.01},
    **{"labelformat-yolo": 0.005, "supervision-yolo": 0.005, "datumaro-cvat": 0.01},
}


@pytest.mark.parametrize("name", THEIRS)
def test_what_other_libraries_write_is_read(name):
    path = GOLDEN / "theirs" / name
    format = recognise(path)
    assert format.name == name.partition("-")[2]
    one_based = not name.startswith(("labelformat", "datumaro"))
    found = boxes(format.read(path, replace(SETTINGS, one_based=one_based)))
    expected = boxes(COLLECTION)
    if name != "datumaro-voc":  # it writes no file for an image without a box
        assert found.keys() == expected.keys()
    for uri, wanted in expected.items():
        assert [label for label, _ in found.get(uri, [])] == [label for label, _ in wanted]
        pairs = zip(sorted(found.get(uri, [])), sorted(wanted), strict=True)
        for (_, box), (_, other) in pairs:
            assert box == pytest.approx(other, abs=THEIRS[name])


def test_fractions_of_pixels_contradict_voc_and_are_told():
    found = Voc().read(GOLDEN / "theirs" / "labelformat-voc", SETTINGS)
    assert "boxes in fractions of pixels" in found.notes[0]
    assert "boxes begin at pixel 0" in found.notes[1]


# --------------------------------------------------------------------------- COCO


def coco_file(folder: Path, **changes: object) -> Path:
    document = {
        "info": {"year": 2024},
        "images": [{"id": 1, "file_name": "a.jpg", "width": 100, "height": 50}],
        "annotations": [{"id": 9, "image_id": 1, "category_id": 3, "bbox": [1.25, 2, 30, 4.1]}],
        "categories": [{"id": 3, "name": "fish"}],
        **changes,
    }
    path = folder / "labels.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_coco_comes_back_with_every_id_attribute_class_and_decimal(tmp_path):
    path = coco_file(
        tmp_path,
        licenses=[{"id": 2, "name": "CC"}],
        images=[
            {"id": 77, "file_name": "b/a.jpg", "width": 100, "height": 50, "license": 2, "n": None},
            {"id": "x", "file_name": "empty.jpg", "width": 1, "height": 1, "split": "val"},
        ],
        annotations=[
            {
                **{"id": 1001, "image_id": 77, "category_id": 30, "bbox": [0.1, 0.2, 33.3, 7]},
                **{"segmentation": [[0.1, 0.2, 33.4, 0.2, 33.4, 7.2]], "area": 12.5, "iscrowd": 1},
                **{"attributes": {"occluded": True}, "score": 0.25},
            },
            {
                **{"id": 1008, "image_id": 77, "category_id": 30, "bbox": [1, 2, 3, 4]},
                **{"segmentation": [], "area": 12, "iscrowd": 0},
            },
            {
                **{"id": 1015, "image_id": 77, "category_id": 10, "bbox": [5, 5, 2.5, 2]},
                **{"segmentation": {"counts": "abc", "size": [50, 100]}, "iscrowd": 0, "area": 9},
            },
        ],
        categories=[
            {"id": 30, "name": "fish", "supercategory": "animal", "color": "#fff"},
            {"id": 10, "name": "crane", "supercategory": "bird"},
            {"id": 11, "name": "crane", "supercategory": "machine"},
        ],
    )
    found = Coco().read(path, ReadSettings())
    assert [c.name for c in found.taxonomies[0].classes] == [
        "fish",
        "crane (bird)",
        "crane (machine)",
    ]
    out = tmp_path / "again.json"
    assert Coco().write(found, out, Pictures()).losses == ()
    before, after = (json.loads(p.read_text()) for p in (path, out))
    assert after == before


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"images": [{"id": 1, "file_name": "../a.jpg"}]}, "leads out"),
        ({"images": [{"id": 1, "file_name": "/etc/a.jpg"}]}, "absolute"),
        ({"images": [{"id": 1, "file_name": "C:\\data\\a.jpg"}]}, "absolute"),
        ({"images": [{"id": 1, "file_name": ""}]}, "names no image"),
        ({"images": []}, "no images"),
        ({"images": [{"file_name": "a.jpg"}]}, "with an id"),
        ({"images": [{"id": 1, "file_name": "a"}, {"id": 1, "file_name": "b"}]}, "twice"),
        ({"annotations": [{"id": 1, "image_id": 1, "bbox": [1, 2, 3]}]}, "four numbers"),
        ({"annotations": [{"id": 1, "image_id": 1, "bbox": [1, 2, 3, "4"]}]}, "four numbers"),
        ({"annotations": [{"id": 1, "image_id": 1}]}, "neither a box"),
        ({"annotations": [{"id": 1, "image_id": 1, "segmentation": [[]]}]}, "neither a box"),
        ({"categories": [{"id": 3, "name": "a"}, {"id": 3, "name": "b"}]}, "twice"),
    ],
)
def test_coco_that_cannot_be_used_is_refused_in_one_line(tmp_path, changes, said):
    with pytest.raises(InvalidLabels, match=said) as refused:
        Coco().read(coco_file(tmp_path, **changes), ReadSettings())
    assert "labels.json" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"annotations": [{"id": 1, "image_id": 5, "bbox": [0, 0, 1, 1]}]}, "no image in the file"),
        ({"annotations": [{"id": 1, "image_id": 1, "category_id": 8, "bbox": [0, 0, 1, 1]}]}, "id"),
        ({"annotations": [{"id": 1, "image_id": 1, "bbox": [-9, 0, 200, 1]}]}, "outside"),
        ({"annotations": [{"id": 1, "image_id": 1, "bbox": [9, 9, -2, -2]}]}, "turned round"),
        ({"images": [{"id": 1, "file_name": "a.jpg"}]}, "size of their picture is unknown"),
        (
            {"annotations": [{"id": 1, "image_id": 1, "segmentation": [[0, 0, 4, 0, 4, 4]]}]},
            "outline",
        ),
        (
            {"images": [{"id": n, "file_name": "a.jpg", "width": 9, "height": 9} for n in (1, 2)]},
            "united",
        ),
    ],
)
def test_what_is_odd_in_coco_is_told(tmp_path, changes, note):
    found = Coco().read(coco_file(tmp_path, **changes), ReadSettings())
    assert any(note in line for line in found.notes), found.notes


def test_a_size_that_coco_lacks_is_taken_from_the_collection(tmp_path):
    path = coco_file(tmp_path, images=[{"id": 1, "file_name": "./sub\\a.jpg"}])
    path.write_text(path.read_text().replace("./sub\\\\a.jpg", "sub\\\\a.jpg"))
    found = Coco().read(path, ReadSettings(sizes={"sub/a.jpg": (8, 9)}))
    assert found.images[0].uri == "sub/a.jpg"
    assert found.images[0].regions[0].region.picture == (8, 9)


def test_files_of_a_folder_are_its_splits(tmp_path):
    for split in ("instances_train2017", "instances_val2017"):
        folder = tmp_path / split
        folder.mkdir()
        uri = f"{split}.jpg"
        path = coco_file(folder, images=[{"id": 1, "file_name": uri, "width": 9, "height": 9}])
        (tmp_path / "annotations").mkdir(exist_ok=True)
        path.rename(tmp_path / "annotations" / f"{split}.json")
    found = Coco().read(tmp_path, ReadSettings())
    assert [(i.split, len(i.regions)) for i in found.images] == [("train", 1), ("val", 1)]
    assert [c.name for c in found.taxonomies[0].classes] == ["fish"]


def test_ids_that_stand_twice_are_given_anew_and_told(tmp_path):
    image = COLLECTION.images[0]
    twice = replace(COLLECTION, images=(image, replace(image, uri="other.jpg")))
    written = Coco().write(twice, tmp_path / "out.json", Pictures())
    assert len(written.notes) == 2
    document = json.loads((tmp_path / "out.json").read_text())
    for things in (document["images"], document["annotations"]):
        assert len({thing["id"] for thing in things}) == len(things)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b'{"images": [{"id": 1}', "too early|no JSON"),
        (b'{"images": [}', "no JSON"),
        (b'{"images" []}', "expected ':'"),
        (b"{1: 2}", "a key is no text"),
        (b"\xff\xfe{", "not UTF-8"),
        (b'{"a": ' + b"[" * 100_000, "nested|no JSON"),
        (b"", "too early"),
    ],
)
def test_damaged_json_is_named_with_its_place(tmp_path, text, said):
    path = tmp_path / "a.json"
    path.write_bytes(text)
    with pytest.raises(InvalidLabels, match=said):
        list(JsonReader(path).members(frozenset({"images"})))


def test_json_is_read_over_the_ends_of_its_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr("vernis.adapters.interchange.formats.files._CHUNK", 3)
    document = {"a": [12345, 'x\u00e9\\"y', {"b": [1.5, None]}, []], "c": -1.25e3, "d": []}
    path = tmp_path / "a.json"
    path.write_text(" " + json.dumps(document, indent=2) + "\n", encoding="utf-8")
    assert list(JsonReader(path).members(frozenset({"a", "d"}))) == [
        *(("a", item) for item in document["a"]),
        ("c", -1250.0),
    ]
    path.write_text(json.dumps(document["a"]), encoding="utf-8")
    assert list(JsonReader(path).items()) == document["a"]


# --------------------------------------------------------------------------- Pascal VOC

OBJECT = "<object><name>fish</name><bndbox>{}</bndbox></object>"
BOX = "<xmin>1</xmin><ymin>2</ymin><xmax>10</xmax><ymax>20</ymax>"


def annotation(inner: str = "", name: str = "a.jpg", size: str = "100") -> str:
    return (
        f"<annotation><filename>{name}</filename><size><width>{size}</width>"
        f"<height>50</height></size>{inner}</annotation>"
    )


def test_voc_counts_pixels_from_one_and_includes_the_last(tmp_path):
    path = write_files(tmp_path, {"a.xml": annotation(OBJECT.format(BOX))}) / "a.xml"
    found = Voc().read(path, ReadSettings())
    assert found.images[0].regions[0].region.box == Box(0, 1, 10, 19)
    zero = Voc().read(path, ReadSettings(one_based=False))
    assert zero.images[0].regions[0].region.box == Box(1, 2, 9, 18)


def test_boxes_are_moved_to_whole_pixels_inside_their_picture(tmp_path):
    box = Box(10.6, 20.4, 0.1, 200)
    region = ExchangeRegion(Region(box, (100, 50)), (ExchangeLabel("object", "fish"),))
    exchange = ExchangeSet((ExchangeImage("a.jpg", (100, 50), regions=(region,)),))
    written = Voc().write(exchange, tmp_path / "out", Pictures())
    assert {loss.kind: loss.count for loss in written.losses} == {
        "clipped boxes": 1,
        "rounded boxes": 1,
    }
    found = Voc().read(tmp_path / "out", ReadSettings())
    assert found.images[0].regions[0].region.box == Box(11, 20, 1, 30)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (annotation("<object><bndbox/></object>"), "has no name"),
        (annotation("<object><name>x</name></object>"), "no bndbox"),
        (annotation(OBJECT.format("<xmin>a</xmin>")), "expected a number"),
        (annotation(OBJECT.format(BOX.replace("10", "nan"))), "expected a number"),
        (annotation(name="../../a.jpg"), "leads out"),
        ("<!DOCTYPE a [<!ENTITY b 'c'>]>" + annotation(), "DTD"),
        ("<annotation>", "damaged XML"),
    ],
)
def test_voc_that_cannot_be_used_is_refused(tmp_path, text, said):
    with pytest.raises(InvalidLabels, match=said):
        Voc().read(write_files(tmp_path, {"a.xml": text}), ReadSettings())


def test_images_of_the_lists_without_a_file_are_kept(tmp_path):
    write_files(
        tmp_path,
        {
            "Annotations/a.xml": annotation(),
            "ImageSets/Main/train.txt": "a\nb\nc\n",
            "ImageSets/Main/fish_train.txt": "a  1\nb -1\n",
        },
    )
    picture(tmp_path, "JPEGImages/b.jpg")
    found = Voc().read(tmp_path, ReadSettings())
    assert [(i.uri, i.split, i.size) for i in found.images] == [
        ("a.jpg", "train", (100, 50)),
        ("b.jpg", "train", (100, 50)),
    ]
    assert found.notes == ("1 images are listed that have neither annotations nor a picture",)


def test_polygons_of_rectlabel_are_read(tmp_path):
    polygon = "<polygon><x1>1</x1><y1>1</y1><x2>9</x2><y2>1</y2><x3>9</x3><y3>7</y3></polygon>"
    text = annotation(f"<object><name>fish</name>{polygon}</object>")
    found = Voc().read(write_files(tmp_path, {"a.xml": text}), ReadSettings())
    region = found.images[0].regions[0].region
    assert (region.shape, region.polygons()) == ("polygon", [[1, 1, 9, 1, 9, 7]])
    assert region.box == Box(1, 1, 8, 6)


# --------------------------------------------------------------------------- subfolders and twins


def subfolders() -> ExchangeSet:
    """Return images that would collide in one folder: twins of one stem, and of one name."""
    label = ExchangeLabel("object", "fish")
    uris = ("x/a.jpg", "y/a.jpg", "y/a.png", "A.jpg", "deep/er/b c.jpg", "caf\u00e9.jpg")
    images = tuple(
        ExchangeImage(
            uri,
            (100, 50),
            regions=(ExchangeRegion(Region(Box(at, 0, 10, 10), (100, 50)), (label,)),),
            labels=(label,),
        )
        for at, uri in enumerate(uris)
    )
    return ExchangeSet(images)


@pytest.mark.parametrize("name", ["voc", "yolo", "folders", "hugging-face", "label-studio"])
@pytest.mark.parametrize("placing", ["copy", "link"])
def test_images_in_subfolders_keep_their_boxes_and_come_back(tmp_path, name, placing):
    exchange = subfolders()
    for image in exchange.images:
        picture(tmp_path / "in", image.uri)
    out = tmp_path / "out"
    format = FORMATS[name]
    format.write(exchange, out, Pictures(lambda uri: tmp_path / "in" / uri, placing))
    placed = [p for p in out.rglob("*") if p.suffix in (".jpg", ".png")]
    assert len(placed) == 6
    assert all(p.is_symlink() == (placing == "link") for p in placed)
    # Nothing needs the pictures to say which image is which, but YOLO and HF their sizes.
    found = format.read(out, ReadSettings())
    assert {i.uri for i in found.images} == {i.uri for i in exchange.images}
    if format.carries.regions:
        expected = {i.uri: i.regions[0].region.box.x for i in exchange.images}
        boxed = {i.uri: i.regions[0].region.box.x for i in found.images}
        assert boxed == pytest.approx(expected, abs=1e-6)


def test_nothing_is_overwritten_and_nothing_half_written_is_left(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "theirs.txt").touch()
    with pytest.raises(UsageError, match="is there already"):
        Voc().write(COLLECTION, out, Pictures())
    (tmp_path / "a.json").touch()
    with pytest.raises(UsageError, match="is there already"):
        Coco().write(COLLECTION, tmp_path / "a.json", Pictures())
    missing = Pictures(lambda uri: tmp_path / "missing" / uri, "copy")
    with pytest.raises(StorageError):
        Yolo().write(COLLECTION, tmp_path / "new", missing)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.json", "out"]


def test_a_new_folder_may_be_there_while_it_is_empty(tmp_path):
    (tmp_path / "out").mkdir()
    Voc().write(COLLECTION, tmp_path / "out", Pictures())
    assert (tmp_path / "out" / "Annotations" / "reef.xml").is_file()


# --------------------------------------------------------------------------- YOLO


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("names: ['a, b', \"c\", d]\nnc: 3\n", ["a, b", "c", "d"]),
        ("names: [a b,\n  c,\n  d]\nnc: 3", ["a b", "c", "d"]),
        ("names:\n- 'it''s'\n- b # not a name\n", ["it's", "b"]),
        ('# head\nnames:\n  0: a\n  2: "b: c"\n', {"0": "a", "2": "b: c"}),
        ("names: {0: 'a', 1: 'b'}", {"0": "a", "1": "b"}),
    ],
)
def test_the_yaml_of_yolo_is_read(tmp_path, text, names):
    write_files(tmp_path, {"data.yaml": text})
    assert read_config(tmp_path / "data.yaml")["names"] == names


def yolo_folder(folder: Path, line: str, config: str = "names: [fish, bird]") -> Path:
    picture(folder, "images/train/a.jpg", "images/train/empty.jpg")
    return write_files(folder, {"data.yaml": config, "labels/train/a.txt": line})


def test_yolo_boxes_polygons_and_confidences(tmp_path):
    lines = "0 0.5 0.5 0.2 0.4\n1 0.5 0.5 0.2 0.4 0.75\n\n1 0.1 0.2 0.5 0.2 0.5 0.9 \n"
    found = Yolo().read(yolo_folder(tmp_path, lines), ReadSettings())
    image, empty = found.images
    assert (image.uri, image.split, empty.regions) == ("images/train/a.jpg", "train", ())
    one, two, three = image.regions
    assert one.region.box.corners == pytest.approx((40, 15, 60, 35))
    assert two.labels[0].probability == 0.75
    assert (three.region.shape, three.labels[0].label) == ("polygon", "bird")
    assert found.notes == ("1 pictures without a label file, taken as empty",)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("0 0.5 0.5 0.2", "a class and four numbers"),
        ("x 0.5 0.5 0.2 0.2", "expected a number"),
        ("0.5 0.5 0.5 0.2 0.2", "a class and four numbers"),
        ("-1 0.5 0.5 0.2 0.2", "a class and four numbers"),
        ("0 0.5 0.5 -0.2 0.2", "sides of 0 or more"),
        ("0 nan 0.5 0.2 0.2", "expected a number"),
    ],
)
def test_yolo_that_cannot_be_used_is_refused(tmp_path, line, said):
    with pytest.raises(InvalidLabels, match=said) as refused:
        Yolo().read(yolo_folder(tmp_path, line), ReadSettings())
    assert "line 1" in str(refused.value)
    with pytest.raises(InvalidLabels, match=r"line 3"):
        Yolo().read(yolo_folder(tmp_path, f"0 0.5 0.5 0.2 0.4\n\n{line}"), ReadSettings())


def test_classes_of_yolo_with_gaps_twins_and_without_a_name(tmp_path):
    config = "names:\n  3: fish\n  7: fish\n"
    found = Yolo().read(yolo_folder(tmp_path, "3 .5 .5 .1 .1\n9 .5 .5 .1 .1", config), SETTINGS)
    assert [c.name for c in found.taxonomies[0].classes] == [
        "fish (class 3)",
        "fish (class 7)",
        "class 9",
    ]
    assert len(found.notes) == 3


def test_labels_of_yolo_without_their_pictures_are_matched_by_name(tmp_path):
    folder = write_files(tmp_path, {"data.yaml": "names: [a]", "labels/x/a.txt": "0 .5 .5 1 1"})
    found = Yolo().read(folder, ReadSettings(sizes={"x/a.jpg": (10, 10), "y/a.jpg": (10, 10)}))
    assert boxes(found) == {"x/a.jpg": [("a", (0, 0, 10, 10))]}
    with pytest.raises(InvalidLabels, match="no known picture"):
        Yolo().read(folder, ReadSettings())


def test_labels_of_yolo_beside_other_pictures_are_told(tmp_path):
    folder = yolo_folder(tmp_path, "0 .5 .5 .1 .1")
    write_files(folder, {"labels/train/other.txt": "0 .5 .5 .1 .1"})
    assert "1 label files of no picture" in " ".join(Yolo().read(folder, SETTINGS).notes)


# --------------------------------------------------------------------------- Label Studio


def tasks(folder: Path, *found: object) -> Path:
    path = folder / "tasks.json"
    path.write_text(json.dumps(found), encoding="utf-8")
    return path


def result(kind: str = "rectanglelabels", **value: object) -> dict[str, object]:
    return {
        **{"id": "r1", "type": kind, "from_name": "label", "to_name": "image"},
        **{"original_width": 200, "original_height": 100, "value": value},
    }


def test_label_studio_exports_are_read(tmp_path):
    path = tasks(
        tmp_path,
        {
            "id": 3,
            "data": {"image": "/data/upload/1/8f-a%20b.jpg", "shop": "x"},
            "annotations": [
                {
                    "result": [
                        result(x=10, y=20, width=30, height=40, rotation=0, rectanglelabels=["a"]),
                        {**result("choices", choices=["sea", "sand"]), "from_name": "scene"},
                        {**result("textarea", text=["hello"]), "id": "t"},
                    ]
                },
                {"was_cancelled": True, "result": [result(x=1, y=1, width=1, height=1)]},
            ],
            "predictions": [
                {
                    "model_version": "v1",
                    "score": 0.5,
                    "result": [
                        {
                            **result(x=0, y=0, width=50, height=50, rectanglelabels=["b"]),
                            **{"id": "p1", "score": 0.25},
                        }
                    ],
                }
            ],
        },
        {"data": {"image": "s3://bucket/in/c.jpg"}},
    )
    assert recognise(path).name == "label-studio"
    found = LabelStudio().read(path, ReadSettings())
    first, second = found.images
    assert (first.uri, first.foreign_id, second.uri) == ("1/8f-a b.jpg", 3, "in/c.jpg")
    assert json.loads(first.attributes) == {"shop": "x"}
    assert [(x.taxonomy, x.label) for x in first.labels] == [("scene", "sea"), ("scene", "sand")]
    box, guess = first.regions
    assert box.region.box == Box(20, 20, 60, 40)
    assert box.region.foreign_id == "r1"
    assert guess.labels == (ExchangeLabel("label", "b", "yes", 0.25, "model:v1"),)
    assert found.notes == ("1 results of type 'textarea' were left out",)


def test_a_turned_rectangle_becomes_a_polygon(tmp_path):
    value = result(x=50, y=50, width=10, height=10, rotation=90, rectanglelabels=["a"])
    path = tasks(tmp_path, {"data": {"image": "a.jpg"}, "annotations": [{"result": [value]}]})
    region = LabelStudio().read(path, ReadSettings()).images[0].regions[0].region
    assert region.shape == "polygon"
    assert region.box.corners == pytest.approx((90, 50, 100, 70))


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ({"data": {"text": "x"}}, "names no image|name no image"),
        ({"id": 1}, "has no data"),
        ({"data": {"image": "/data/local-files/?d=../../etc/a.jpg"}}, "leads out"),
        ({"data": {"image": "../a.jpg"}}, "leads out"),
        (
            {
                "data": {"image": "a.jpg"},
                "annotations": [{"result": [result(x=1, y="b", width=1)]}],
            },
            "no usable",
        ),
    ],
)
def test_label_studio_tasks_that_cannot_be_used_are_refused(tmp_path, task, said):
    with pytest.raises(InvalidLabels, match=said):
        LabelStudio().read(tasks(tmp_path, task), ReadSettings())


def test_what_a_model_said_is_a_prediction(tmp_path):
    labels = (
        ExchangeLabel("object", "fish", "yes", 0.9, "model:kernel@3"),
        ExchangeLabel("object", "bird", "yes", source="human:anna"),
    )
    exchange = ExchangeSet((ExchangeImage("a.jpg", labels=labels),))
    LabelStudio().write(exchange, tmp_path / "out", Pictures())
    (task,) = json.loads((tmp_path / "out" / "tasks.json").read_text())
    assert task["predictions"][0]["model_version"] == "model:kernel@3"
    assert task["annotations"][0]["result"][0]["value"] == {"choices": ["bird"]}


# --------------------------------------------------------------------------- CVAT, folders, HF


def cvat(inner: str) -> str:
    return (
        '<annotations><version>1.1</version><image id="4" name="a/b.jpg" width="100" height="50"'
        f' subset="train">{inner}</image></annotations>'
    )


def test_cvat_shapes_are_read(tmp_path):
    inner = (
        '<box label="a" xtl="1" ytl="2" xbr="11" ybr="22" occluded="1" source="manual">'
        '<attribute name="color">red</attribute><attribute name="n">3</attribute></box>'
        '<polygon label="b" points="1.0,2.0;9.5,2.0;9.5,8.0"/><points label="c" points="5,6"/>'
        '<ellipse label="d" cx="50" cy="20" rx="10" ry="5"/><tag label="e"/>'
        '<mask label="f" rle="1"/><cuboid label="g"/>'
    )
    write_files(tmp_path, {"a.xml": cvat(inner)})
    found = Cvat().read(tmp_path / "a.xml", ReadSettings())
    (image,) = found.images
    assert (image.uri, image.foreign_id, image.split) == ("a/b.jpg", 4, "train")
    assert [x.label for x in image.labels] == ["e"]
    assert [(r.region.shape, r.region.box) for r in image.regions] == [
        ("box", Box(1, 2, 10, 20)),
        ("polygon", Box(1, 2, 8.5, 6)),
        ("point", Box(5, 6, 0, 0)),
        ("box", Box(40, 15, 20, 10)),
    ]
    values = image.regions[0].region.attribute_values()
    assert values == {"occluded": "1", "color": "red", "n": 3}
    assert len(found.notes) == 2


@pytest.mark.parametrize(
    ("inner", "said"),
    [
        ('<box label="a" xtl="1" ytl="2" xbr="11"/>', "expected a number"),
        ('<polygon label="a" points="1,2;3"/>', "points are"),
        ('<polygon label="a" points="1,x"/>', "expected a number"),
    ],
)
def test_cvat_that_cannot_be_used_is_refused(tmp_path, inner, said):
    with pytest.raises(InvalidLabels, match=said):
        Cvat().read(write_files(tmp_path, {"a.xml": cvat(inner)}), ReadSettings())


def test_class_folders_of_others_are_read(tmp_path):
    picture(tmp_path, "train/cat/a.jpg", "valid/dog/b.png", "train/wild/fox/c.jpg", "loose.jpg")
    found = ClassFolders().read(tmp_path, ReadSettings(taxonomy="animal"))
    labels = {i.uri: (i.split, i.labels[0].label) for i in found.images}
    assert labels == {
        "train/cat/a.jpg": ("train", "cat"),
        "valid/dog/b.png": ("val", "dog"),
        "train/wild/fox/c.jpg": ("train", "wild/fox"),
    }
    assert found.taxonomies[0].kind == "single"
    assert found.notes == ("1 pictures lie in no class folder",)
    with pytest.raises(InvalidLabels, match="no pictures"):
        ClassFolders().read(tmp_path / "train" / "cat", ReadSettings())


def test_class_folders_have_safe_names_of_their_own(tmp_path):
    names = ("a/b", "Cat", "cat", "con", "..", "x|y", " z", "caf\u00e9", "cafe\u0301")
    label = tuple(ExchangeLabel("object", name) for name in names)
    exchange = ExchangeSet((ExchangeImage("a.jpg", labels=label),))
    with pytest.raises(UsageError, match="--copy or --link"):
        ClassFolders().write(exchange, tmp_path / "no", Pictures())
    picture(tmp_path, "a.jpg")
    ClassFolders().write(exchange, tmp_path / "out", Pictures(lambda u: tmp_path / u, "copy"))
    folders = [p.name for p in (tmp_path / "out").iterdir() if p.is_dir()]
    assert len({name.casefold() for name in folders}) == len(names)
    assert {"a%2Fb", "%2E%2E", "x%7Cy", "%20z"} <= {f.replace("%2E.", "%2E%2E") for f in folders}
    found = ClassFolders().read(tmp_path / "out", ReadSettings())
    assert [x.label for x in found.images[0].labels] == list(names)


def test_hugging_face_folders_of_others_are_read(tmp_path):
    rows = [
        {"file_name": "a.jpg", "kind": "cat", "tags": ["x", "y"], "width": 5, "text": "long text"},
        {"file_name": "b.jpg", "kind": "dog", "tags": [], "width": 6, "text": "other text"},
        {"file_name": "c.jpg", "kind": "dog", "tags": ["x"], "width": 7, "text": "more text"},
    ]
    rows[0]["objects"] = {"bbox": [[1, 2, 3, 4]], "category": [7]}
    text = "".join(json.dumps(row) + "\n" for row in rows)
    write_files(tmp_path, {"train/metadata.jsonl": text})
    picture(tmp_path, "train/a.jpg")
    assert recognise(tmp_path).name == "hugging-face"
    found = HuggingFace().read(tmp_path, ReadSettings())
    assert [i.uri for i in found.images] == [f"train/{n}.jpg" for n in "abc"]
    assert [(x.taxonomy, x.label) for x in found.images[0].labels] == [
        ("kind", "cat"),
        ("tags", "x"),
        ("tags", "y"),
    ]
    assert {t.name: t.kind for t in found.taxonomies} == {
        "kind": "single",
        "tags": "multi",
        "object": "multi",
    }
    assert json.loads(found.images[0].attributes) == {"width": 5, "text": "long text"}
    assert boxes(found)["train/a.jpg"] == [("class 7", (1, 2, 4, 6))]


def test_words_of_a_split_in_the_path_of_a_picture_are_kept_from_hugging_face(tmp_path):
    uris = ("images/train/a.jpg", "beach_test.jpg", "contest.jpg", "b.jpg")
    for uri in uris:
        picture(tmp_path / "in", uri)
    exchange = ExchangeSet(
        tuple(ExchangeImage(u, labels=(ExchangeLabel("kind", "x"),)) for u in uris)
    )
    out = tmp_path / "out"
    HuggingFace().write(exchange, out, Pictures(lambda u: tmp_path / "in" / u, "copy"))
    placed = sorted(p.name for p in out.rglob("*.jpg"))
    assert placed == ["b.jpg", "contest.jpg", "image-000001.jpg", "image-000002.jpg"]
    assert {i.uri for i in HuggingFace().read(out, ReadSettings()).images} == set(uris)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"kind": "a"}\n', "names no file_name"),
        ('{"file_name": "../a.jpg"}\n', "leads out"),
        ('{"file_name": "a.jpg"}\n{"file_name": "a.jpg"}\n', "twice"),
        ('{"file_name"\n', "no JSON"),
        ("[1]\n", "no object"),
        ('{"file_name": "a.jpg"}\n\n[1]\n', "row 3 is no object"),
        ("", "holds no rows"),
    ],
)
def test_hugging_face_that_cannot_be_used_is_refused(tmp_path, text, said):
    write_files(tmp_path, {"metadata.jsonl": text})
    with pytest.raises(InvalidLabels, match=said):
        HuggingFace().read(tmp_path, ReadSettings())


@pytest.mark.parquet
def test_hugging_face_in_parquet(tmp_path):
    pytest.importorskip("pyarrow")
    HuggingFace("parquet").write(COLLECTION, tmp_path / "out", Pictures())
    assert recognise(tmp_path / "out").name == "hugging-face-parquet"
    found = HuggingFace("parquet").read(tmp_path / "out", SETTINGS)
    assert boxes(found) == boxes(COLLECTION)


# --------------------------------------------------------------------------- which format


def test_formats_are_found_by_name_and_by_content(tmp_path):
    assert format_named("coco").name == "coco"
    with pytest.raises(UsageError, match="did you mean yolo"):
        format_named("yollo")
    with pytest.raises(UsageError, match="there are coco"):
        format_named("zzz")
    with pytest.raises(InvalidLabels, match="no such file"):
        recognise(tmp_path / "missing")
    with pytest.raises(InvalidLabels, match="of no format"):
        recognise(tmp_path)
    write_files(tmp_path, {"a.json": "[1, 2]", "c.xml": "<a/>", "d.csv": "x,y\n1,2"})
    for path in tmp_path.iterdir():
        with pytest.raises(InvalidLabels, match="of no format"):
            recognise(path)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.json", b"{", "is no JSON .*line 1 column 2"),
        ("a.json", b'{"images": [{"file_name": "caf\xe9.jpg"}]}', "is not UTF-8"),
        ("a.json", b"[" * 100_000, "is nested too deeply|is no JSON"),
        ("a.xml", b"<annotation><object>", "no element found"),
        ("a.xml", b"<annotation>\xe9</annotation>", "not well-formed"),
        ("a.xml", b"<other><object>", "is no XML .no element found"),
    ],
)
def test_a_damaged_file_is_called_so(tmp_path, name, data, said):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InvalidLabels, match=said):
        recognise(tmp_path / name).read(tmp_path / name, ReadSettings())


@pytest.mark.parametrize("name", [n for n in FORMATS if n != "folders" and "parquet" not in n])
def test_an_image_without_any_class_is_written_by_every_format(tmp_path, name):
    alone = ExchangeSet((ExchangeImage("a.jpg", (9, 9)),), (ExchangeTaxonomy("object"),))
    format = FORMATS[name]
    out = tmp_path / f"out{format.suffix}"
    assert format.write(alone, out, Pictures()).images == 1
    found = format.read(out, ReadSettings(sizes={"a.jpg": (9, 9)}))
    assert [image.uri for image in found.images] == ["a.jpg"]


def test_class_ids_of_the_other_tool_come_back(tmp_path):
    taxonomy = ExchangeTaxonomy("object", "multi", (ExchangeClass("a", 5), ExchangeClass("b")))
    exchange = ExchangeSet((ExchangeImage("a.jpg", (9, 9)),), (taxonomy,))
    Coco().write(exchange, tmp_path / "a.json", Pictures())
    document = json.loads((tmp_path / "a.json").read_text())
    assert [c["id"] for c in document["categories"]] == [5, 6]
