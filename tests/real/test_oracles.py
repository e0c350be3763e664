"""What Vernis writes, the libraries of the field read with equal counts, and the other way.

They take 900 MB, so they lie in a virtual environment of their own: name its interpreter in
``VERNIS_ORACLES`` (``tests/oracles/requirements.txt``) and run ``pytest -m oracle``.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from vernis.adapters.interchange.formats.interface import Pictures, ReadSettings
from vernis.adapters.interchange.formats.registry import FORMATS, recognise
from vernis.collection import Collection
from vernis.domain.exchange import (
    ExchangeClass,
    ExchangeImage,
    ExchangeLabel,
    ExchangeRegion,
    ExchangeSet,
    ExchangeTaxonomy,
)
from vernis.domain.regions import Box, Region
from vernis.verbs.steps.exchange_export import Wanted, exchange_set, wanted_regions

SCRIPT = Path(__file__).parents[1] / "oracles" / "read_and_write.py"
PYTHON = os.environ.get("VERNIS_ORACLES", "")

pytestmark = [
    pytest.mark.real,
    pytest.mark.oracle,
    pytest.mark.skipif(not PYTHON, reason="VERNIS_ORACLES names no interpreter"),
    pytest.mark.timeout(600),
]

READERS = [
    *(("pycocotools", "coco"), ("labelformat", "coco"), ("supervision", "coco")),
    *(("datumaro", "coco"), ("labelformat", "voc"), ("supervision", "voc"), ("datumaro", "voc")),
    *(("labelformat", "yolo"), ("supervision", "yolo"), ("datumaro", "yolo")),
    *(("datumaro", "cvat"), ("hugging-face", "hugging-face"), ("label-studio", "label-studio")),
    *(("hugging-face", "hugging-face-parquet"), ("hugging-face", "hugging-face-csv")),
    ("supervision", "folders"),
]
# Boxes in whole pixels where the writer rounds; by format, then where one library differs.
WRITERS = {
    **{("labelformat", "coco"): 0.0, ("supervision", "coco"): 1e-4, ("datumaro", "coco"): 1e-9},
    **{("labelformat", "voc"): 0.0, ("supervision", "voc"): 1.0, ("datumaro", "voc"): 0.01},
    **{("labelformat", "yolo"): 0.005, ("supervision", "yolo"): 0.005},
    ("datumaro", "cvat"): 0.01,
}


def run(*arguments: object) -> str:
    done = subprocess.run(
        [PYTHON, SCRIPT, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="session", params=["aquarium", "coco128_a"])
def collection(request, real_data, tmp_path_factory) -> tuple[Path, ExchangeSet]:
    """Return a set of boxes that went through a collection.

    With odd ids, attributes, an unused class and images without a box.
    """
    root = real_data / request.param
    rows: dict[str, list[dict[str, str]]] = {
        path.relative_to(root).as_posix(): [] for path in sorted((root / "images").rglob("*.jpg"))
    }
    with open(root / "boxes.csv", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            rows[row["image"]].append(row)
    names = sorted({row["label"] for found in rows.values() for row in found})
    classes = [
        ExchangeClass(name, 10 + 3 * at, '{"supercategory":"thing"}')
        for at, name in enumerate([*names, "unused class"])
    ]
    number = 0
    images = []
    for at, (uri, found) in enumerate(rows.items()):
        with Image.open(root / uri) as image:
            size = image.size
        regions = []
        for row in found:
            number += 1
            xmin, ymin, xmax, ymax = (float(row[k]) for k in ("xmin", "ymin", "xmax", "ymax"))
            box = Box(xmin, ymin, round(xmax - xmin, 2), round(ymax - ymin, 2))
            region = Region(box, size, foreign_id=5000 + 3 * number)
            regions.append(ExchangeRegion(region, (ExchangeLabel("object", row["label"]),)))
        images.append(ExchangeImage(uri, size, "", 1000 + 7 * at, "", (), tuple(regions)))
    taxonomy = ExchangeTaxonomy("object", "multi", tuple(classes))
    drawn = ExchangeSet(tuple(images), (taxonomy,))
    folder = tmp_path_factory.mktemp(request.param)
    FORMATS["coco"].write(drawn, folder / "in.json", Pictures())
    with Collection.create(folder / "c.vernis") as opened:
        opened.index([root])
        assert opened.import_(folder / "in.json").losses == ()
        session = opened.session
        wanted = Wanted([session.matrix("object")], beside=False)
        facts = session.catalog.foreign.facts("coco")
        kept = exchange_set(session, wanted, wanted_regions(session, wanted), facts)
    # The folders tell splits; the libraries are to read one list.
    by_uri = {image.uri: replace(image, split="") for image in kept.images}
    assert [by_uri[image.uri] for image in drawn.images] == list(drawn.images)
    assert kept.taxonomies == drawn.taxonomies
    return root, replace(kept, images=tuple(by_uri[image.uri] for image in drawn.images))


def as_labels(exchange: ExchangeSet) -> ExchangeSet:
    """Return the class of the first box as the label of each image."""
    images = tuple(
        replace(image, labels=image.regions[0].labels if image.regions else (), regions=())
        for image in exchange.images
    )
    return replace(exchange, images=images)


def count_classes(exchange: ExchangeSet) -> Counter[str]:
    return Counter(
        label.label
        for image in exchange.images
        for labels in (image.labels, *(found.labels for found in image.regions))
        for label in labels
    )


@pytest.mark.parametrize(("library", "format"), READERS, ids=str)
def test_the_libraries_read_what_was_written(collection, tmp_path, library, format):
    root, exchange = collection
    if format in ("folders", "hugging-face-csv"):
        exchange = as_labels(exchange)
    writer = FORMATS[format]
    out = tmp_path / f"out{writer.suffix}"
    written = writer.write(exchange, out, Pictures(lambda uri: root / uri, "copy"))
    found = json.loads(run("read", library, format, out, root).splitlines()[-1])
    assert found["images"] == written.images
    assert Counter(found["classes"]) == count_classes(exchange)
    # The class without a box is kept where the format lists classes; nothing is invented.
    if library not in ("hugging-face", "supervision") or format == "coco":
        assert found["named"] - len(exchange.taxonomies[0].classes) in (0, 1)
    if library == "pycocotools":
        assert found["average precision"] == pytest.approx(1.0)


@pytest.mark.parametrize(("library", "format"), WRITERS, ids=str)
def test_what_the_libraries_write_is_read(collection, tmp_path, library, format):
    root, exchange = collection
    if format == "voc":  # labelformat writes no subfolders
        flat = (replace(image, uri=image.uri.rpartition("/")[2]) for image in exchange.images)
        exchange = replace(exchange, images=tuple(flat))
        pictures = tmp_path / "pictures"
        pictures.mkdir()
        for path in root.rglob("*.jpg"):
            shutil.copyfile(path, pictures / path.name)  # two of the libraries follow no links
    else:
        pictures = root
    coco = tmp_path / "given.json"
    FORMATS["coco"].write(exchange, coco, Pictures())
    out = tmp_path / ("out.json" if (library, format) == ("labelformat", "coco") else "out")
    if not out.suffix:
        out.mkdir()
    run("write", library, format, coco, pictures, out)
    reader = recognise(out)
    assert reader.name == format
    sizes = {image.uri: image.size for image in exchange.images}
    one_based = library not in ("labelformat", "datumaro")
    found = reader.read(out, ReadSettings(sizes=sizes, one_based=one_based))
    assert count_classes(found) == count_classes(exchange)
    expected = boxes_of(exchange)
    assert boxes_of(found).keys() == expected.keys()
    worst = max(
        min(max(abs(a - b) for a, b in zip(box, other, strict=True)) for other in expected[uri])
        for uri, boxes in boxes_of(found).items()
        for box in boxes
    )
    assert worst <= WRITERS[library, format]


def boxes_of(exchange: ExchangeSet) -> dict[str, list[tuple[float, ...]]]:
    """Return the corners of the boxes by the name of the file."""
    return {
        image.uri.rpartition("/")[2]: [found.region.box.corners for found in image.regions]
        for image in exchange.images
        if image.regions
    }
