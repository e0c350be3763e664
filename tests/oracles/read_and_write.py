"""Read what Vernis wrote with the libraries of the field, and write what Vernis is to read.

Runs in a virtual environment of its own, without Vernis: see ``requirements.txt`` beside it.

    python read_and_write.py read LIBRARY FORMAT PATH [PICTURES]     # prints counts as JSON
    python read_and_write.py write LIBRARY FORMAT COCO PICTURES OUT
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path

warnings.simplefilter("ignore")
os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TQDM_DISABLE="1")


def labelformat_input(format: str, path: Path, pictures: Path):
    from labelformat import formats

    if format == "coco":
        return formats.COCOObjectDetectionInput(path)
    if format == "voc":
        return formats.PascalVOCObjectDetectionInput(
            path / "Annotations", ",".join(line.split(":")[0] for line in names_of(path))
        )
    return formats.YOLOv8ObjectDetectionInput(path / "data.yaml", "train")


def names_of(path: Path) -> list[str]:
    lines = (path / "labelmap.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def read_labelformat(format: str, path: Path, pictures: Path) -> dict[str, object]:
    found = labelformat_input(format, path, pictures)
    labels = list(found.get_labels())
    classes = Counter(o.category.name for label in labels for o in label.objects)
    return counts(len(list(found.get_images())), classes, len(list(found.get_categories())))


def read_supervision(format: str, path: Path, pictures: Path) -> dict[str, object]:
    import supervision as sv

    if format == "folders":
        found = sv.ClassificationDataset.from_folder_structure(str(path))
        classes = Counter(found.classes[a.class_id[0]] for a in found.annotations.values())
        return counts(len(found.annotations), classes, len(found.classes))
    if format == "coco":
        found = sv.DetectionDataset.from_coco(str(pictures), str(path))
    elif format == "voc":
        found = sv.DetectionDataset.from_pascal_voc(
            str(path / "JPEGImages"), str(path / "Annotations")
        )
    else:
        folders = [f for f in sorted((path / "images").iterdir()) if f.is_dir()]
        folders = folders or [path / "images"]
        splits = [
            sv.DetectionDataset.from_yolo(
                str(folder), str(folder).replace("/images", "/labels"), str(path / "data.yaml")
            )
            for folder in folders
        ]
        found = sv.DetectionDataset.merge(splits) if len(splits) > 1 else splits[0]
    classes = Counter(found.classes[c] for a in found.annotations.values() for c in a.class_id)
    return counts(len(found.image_paths), classes, len(found.classes))


DATUMARO = {"coco": "coco_instances", "voc": "voc_detection", "yolo": "yolo", "cvat": "cvat"}


def read_datumaro(format: str, path: Path, pictures: Path) -> dict[str, object]:
    from datumaro.components.annotation import AnnotationType
    from datumaro.components.dataset import Dataset

    beside = Path(tempfile.mkdtemp())
    if format == "cvat":  # it wants the pictures beside the file
        (beside / "images").symlink_to(pictures)
        (beside / "annotations.xml").symlink_to(path)
        path = beside
    if format == "coco":  # and this one in a folder of that name
        path = coco_folder(path, pictures)
    found = Dataset.import_from(str(path), DATUMARO[format])
    names = found.categories()[AnnotationType.label]
    items = list(found)
    classes = Counter(
        names[a.label].name
        for item in items
        for a in item.annotations
        if a.type in (AnnotationType.bbox, AnnotationType.polygon)
    )
    return counts(len(items), classes, len(names))


def coco_folder(coco: Path, pictures: Path) -> Path:
    """Return a folder laid out as the COCO release is, which datumaro wants."""
    folder = Path(tempfile.mkdtemp())
    (folder / "annotations").mkdir()
    (folder / "annotations" / "instances_train.json").symlink_to(coco)
    (folder / "images").symlink_to(pictures)
    return folder


def read_pycocotools(format: str, path: Path, pictures: Path) -> dict[str, object]:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    truth = COCO(str(path))
    results = [
        {key: a[key] for key in ("image_id", "category_id", "bbox")} | {"score": a.get("score", 1)}
        for a in truth.anns.values()
    ]
    evaluation = COCOeval(truth, truth.loadRes(results), "bbox")
    evaluation.params.maxDets = [1, 100, 1000]
    evaluation.evaluate()
    evaluation.accumulate()
    precision = evaluation.eval["precision"][..., 0, -1]  # all sizes, all detections
    classes = Counter(truth.cats[a["category_id"]]["name"] for a in truth.anns.values())
    found = counts(len(truth.imgs), classes, len(truth.cats))
    found["average precision"] = float(precision[precision >= 0].mean())
    return found


def read_hugging_face(format: str, path: Path, pictures: Path) -> dict[str, object]:
    from datasets import load_dataset

    with tempfile.TemporaryDirectory() as cache:
        found = load_dataset("imagefolder", data_dir=str(path), cache_dir=cache)
        rows = [row for split in found.values() for row in split]
        sizes = {row["image"].size for row in rows[:20]}
    classes = Counter(c for row in rows for c in (row.get("objects") or {}).get("category", ()))
    for name in set(rows[0]) - {"image", "objects", "image_id", "license"}:
        cells = [row[name] for row in rows]
        classes.update(
            text for cell in cells for text in (cell if isinstance(cell, list) else [cell]) if text
        )
    return {**counts(len(rows), classes, 0), "sizes": len(sizes)}


def read_label_studio(format: str, path: Path, pictures: Path) -> dict[str, object]:
    from label_studio_converter import Converter

    config = (path / "label_config.xml").read_text()
    with tempfile.TemporaryDirectory() as out:
        converter = Converter(config, str(out), download_resources=False)
        converter.convert_to_coco(str(path / "tasks.json"), out, is_dir=False)
        found = json.loads((Path(out) / "result.json").read_text())
    names = {c["id"]: c["name"] for c in found["categories"]}
    classes = Counter(names[a["category_id"]] for a in found["annotations"])
    return counts(len(found["images"]), classes, len(names))


def counts(images: int, classes: Counter, named: int) -> dict[str, object]:
    return {
        "images": images,
        "boxes": sum(classes.values()),
        "classes": dict(sorted(classes.items())),
        "named": named,
    }


def write_labelformat(format: str, coco: Path, pictures: Path, out: Path) -> None:
    from labelformat import formats

    found = formats.COCOObjectDetectionInput(coco)
    if format == "coco":
        formats.COCOObjectDetectionOutput(out).save(found)
    elif format == "voc":
        formats.PascalVOCObjectDetectionOutput(out).save(found)
    else:
        formats.YOLOv8ObjectDetectionOutput(out / "data.yaml", "train").save(found)


def write_supervision(format: str, coco: Path, pictures: Path, out: Path) -> None:
    import supervision as sv

    found = sv.DetectionDataset.from_coco(str(pictures), str(coco))
    if format == "coco":
        found.as_coco(str(out / "images"), str(out / "annotations.json"))
    elif format == "voc":
        found.as_pascal_voc(str(out / "JPEGImages"), str(out / "Annotations"))
    else:
        found.as_yolo(str(out / "images"), str(out / "labels"), str(out / "data.yaml"))


def write_datumaro(format: str, coco: Path, pictures: Path, out: Path) -> None:
    from datumaro.components.dataset import Dataset

    found = Dataset.import_from(str(coco_folder(coco, pictures)), "coco_instances")
    name = "yolo_ultralytics" if format == "yolo" else DATUMARO[format]
    found.export(str(out), name, save_media=False)


def main() -> None:
    verb, library, format, *paths = sys.argv[1:]
    name = f"{verb}_{library.replace('-', '_')}"
    done = globals()[name](format, *(Path(path) for path in paths))
    if done is not None:
        print("\n" + json.dumps(done, ensure_ascii=False))


if __name__ == "__main__":
    main()
