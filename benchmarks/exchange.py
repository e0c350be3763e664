"""Label formats: what comes back, how exactly, and the memory of a large COCO file.

    python benchmarks/exchange.py trips          # aquarium and coco128_a through each format
    python benchmarks/exchange.py large          # a COCO file of 100 MB: time and peak memory

The large file is made twice: boxes alone, and with outlines. Peak memory is that of a fresh
process, less what the process holds before it reads.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

from vernis.adapters.interchange.formats.interface import Pictures, ReadSettings
from vernis.adapters.interchange.formats.registry import FORMATS
from vernis.domain.exchange import (
    ExchangeClass,
    ExchangeImage,
    ExchangeLabel,
    ExchangeRegion,
    ExchangeSet,
    ExchangeTaxonomy,
)
from vernis.domain.regions import Box, Region

DATA = Path(
    os.environ.get("VERNIS_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data"
)

READ = """
import resource, sys, time, json
from pathlib import Path
from vernis.adapters.interchange.formats.coco import Coco
from vernis.adapters.interchange.formats.interface import ReadSettings
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
start = time.process_time()
if sys.argv[2] == "vernis":
    found = Coco().read(Path(sys.argv[1]), ReadSettings())
    count = sum(len(image.regions) for image in found.images)
else:
    found = json.loads(Path(sys.argv[1]).read_text())
    count = len(found["annotations"])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([count, (peak - before) / 1024, time.process_time() - start]))
"""


def collection(name: str) -> ExchangeSet:
    """Return a development set with odd ids, attributes, an unused class and empty images."""
    root = DATA / name
    rows: dict[str, list[dict[str, str]]] = {
        path.relative_to(root).as_posix(): [] for path in sorted((root / "images").rglob("*.jpg"))
    }
    with open(root / "boxes.csv", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            rows[row["image"]].append(row)
    names = sorted({row["label"] for found in rows.values() for row in found})
    images = []
    number = 0
    for at, (uri, found) in enumerate(rows.items()):
        with Image.open(root / uri) as image:
            size = image.size
        regions = []
        for row in found:
            number += 1
            xmin, ymin, xmax, ymax = (float(row[k]) for k in ("xmin", "ymin", "xmax", "ymax"))
            box = Box(xmin, ymin, round(xmax - xmin, 2), round(ymax - ymin, 2))
            said = '{"attributes":{"occluded":true}}'
            region = Region(box, size, "box", "", 1000 + 7 * number, said)
            label = ExchangeLabel("object", row["label"], probability=0.9)
            regions.append(ExchangeRegion(region, (label,)))
        images.append(
            ExchangeImage(uri, size, "", 17 + 3 * at, '{"license":2}', (), tuple(regions))
        )
    classes = tuple(
        ExchangeClass(c, 5 + 7 * at, '{"supercategory":"thing"}')
        for at, c in enumerate([*names, "unused"])
    )
    taxonomy = ExchangeTaxonomy("object", "multi", classes)
    return ExchangeSet(tuple(images), (taxonomy,), '{"info":{"year":2024}}')


def trips() -> None:
    """Write and read each format; print what is lost and the largest error of a box."""
    for name in ("aquarium", "coco128_a"):
        exchange = collection(name)
        sizes = {image.uri: image.size for image in exchange.images}
        boxes = sum(len(image.regions) for image in exchange.images)
        print(f"{name}: {len(exchange.images)} images, {boxes} boxes")
        for format in ("coco", "label-studio", "cvat", "csv-long", "hugging-face", "yolo", "voc"):
            with tempfile.TemporaryDirectory() as folder:
                start = time.process_time()
                out = Path(folder) / f"out{FORMATS[format].suffix}"
                written = FORMATS[format].write(exchange, out, Pictures())
                found = FORMATS[format].read(out, ReadSettings(sizes=sizes))
                took = time.process_time() - start
                if format == "coco":
                    again = Path(folder) / "again.json"
                    FORMATS[format].write(found, again, Pictures())
                    equal = json.loads(again.read_text()) == json.loads(out.read_text())
                    print(f"  coco, read and written again: equal {equal}")
            there = {image.uri: image for image in found.images}
            worst = max(
                abs(a - b)
                for image in exchange.images
                for x, y in zip(image.regions, there[image.uri].regions, strict=True)
                for a, b in zip(x.region.box.corners, y.region.box.corners, strict=True)
            )
            scaled = worst * 512 / 640 if format == "yolo" else worst
            same = sum(len(image.regions) for image in found.images)
            classes = sum(len(t.classes) for t in found.taxonomies)
            empty = sum(not image.regions for image in found.images)
            lost = ", ".join(f"{loss.kind} {loss.count:,}" for loss in written.losses) or "nothing"
            print(
                f"  {format}: {same} boxes, {classes} classes, {empty} empty images, largest error"
                f" {worst:.2g} px ({scaled:.2g} at 512), {took:.2f} s; lost: {lost}"
            )


def large_file(path: Path, outlines: bool) -> None:
    """Write a COCO file of about 100 MB."""
    draw = random.Random(0)
    images = 5000

    def annotation(number: int) -> str:
        x, y, w, h = (round(draw.uniform(0, 300), 2) for _ in range(4))
        outline = []
        if outlines:
            outline = [[round(draw.uniform(0, 600), 2) for _ in range(44)]]
        return json.dumps(
            {
                **{"id": number, "image_id": number % images, "category_id": number % 80},
                **{"bbox": [x, y, w, h], "area": round(w * h / 2, 4), "iscrowd": 0},
                "segmentation": outline,
            }
        )

    with open(path, "w", encoding="utf-8") as stream:
        stream.write('{"annotations": [')
        number = 0
        while stream.tell() < 100_000_000:
            stream.write((",\n" if number else "") + annotation(number))
            number += 1
        rows = [
            {"id": n, "file_name": f"{n:09d}.jpg", "width": 640, "height": 480}
            for n in range(images)
        ]
        names = [{"id": n, "name": f"class {n}", "supercategory": "x"} for n in range(80)]
        stream.write(f'],\n"images": {json.dumps(rows)},\n"categories": {json.dumps(names)}}}\n')


def large() -> None:
    """Read a file of 100 MB in a fresh process, beside the standard library's ``json``."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "large.json"
        for outlines in (False, True):
            large_file(path, outlines)
            size = path.stat().st_size / 1e6
            for how in ("vernis", "json"):
                done = subprocess.run(
                    [sys.executable, "-c", READ, path, how],
                    capture_output=True,
                    text=True,
                    check=True,
                )
                count, peak, took = json.loads(done.stdout)
                print(
                    f"{size:.0f} MB, {'with outlines' if outlines else 'boxes alone'}, {how}:"
                    f" {count:,} regions, peak {peak:.0f} MiB, {took:.1f} s processor"
                )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["trips", "large"])
    {"trips": trips, "large": large}[parser.parse_args().what]()


if __name__ == "__main__":
    main()
