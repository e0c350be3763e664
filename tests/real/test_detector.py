"""The shipped detector on photos with true boxes."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vernis.adapters.detectors.nanodet import COCO, shipped_model
from vernis.core.detect.evaluation import Evaluation, PlacedBoxes, evaluate_boxes

pytestmark = pytest.mark.real


def measure(folder: Path, order: slice) -> Evaluation:
    with open(folder / "images.csv", newline="") as file:
        names = [row["image"] for row in csv.DictReader(file)]
    with open(folder / "boxes.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    sides = ("xmin", "ymin", "xmax", "ymax")
    truth = PlacedBoxes.of(
        [names.index(row["image"]) for row in rows],
        [COCO.index(row["label"]) for row in rows],
        [[float(row[side]) for side in sides] for row in rows],
    )
    find = shipped_model().open_detector()
    parts = []
    for picture, name in enumerate(names):
        with Image.open(folder / name) as opened:
            seen = find(np.ascontiguousarray(np.asarray(opened.convert("RGB"))[..., order]))
        where = np.full(len(seen), picture)
        parts.append((where, seen.classes, seen.boxes, seen.scores))
    return evaluate_boxes(
        truth, PlacedBoxes.of(*map(np.concatenate, zip(*parts, strict=True))), len(COCO)
    )


def test_the_8_bit_detector_finds_what_stands_in_coco(real_data: Path) -> None:
    found = measure(real_data / "coco128_a", slice(None))
    assert found.mean_ap50() >= 0.455
    assert found.mean_ap() >= 0.315
    swapped = measure(real_data / "coco128_a", slice(None, None, -1))
    assert swapped.mean_ap() < found.mean_ap() - 0.02
