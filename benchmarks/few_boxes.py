"""A detector from few boxes on ``aquarium``: mAP against the number of annotated pictures.

Run: ``python benchmarks/few_boxes.py ../shared/data/aquarium --pictures 50 --seeds 0,1,2``
Scored on valid and test; the training pictures are drawn with ``sample(frac=1, random_state=s)``.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from vernis.adapters.detectors.known_cells import open_known_cells
from vernis.adapters.detectors.nanodet import shipped_model
from vernis.core.detect.cell_head import (
    HeadSettings,
    choose_examples,
    fit_cell_head,
    project_examples,
)
from vernis.core.detect.evaluation import PlacedBoxes, evaluate_boxes

SIDES = ["xmin", "ymin", "xmax", "ymax"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("data", type=Path)
    parser.add_argument("--pictures", type=int, default=50)
    parser.add_argument("--seeds", default="0,1,2")
    options = parser.parse_args()
    images = pd.read_csv(options.data / "images.csv")
    boxes = pd.read_csv(options.data / "boxes.csv")
    classes = sorted(boxes.label.unique())
    boxes["code"] = boxes.label.map(classes.index)
    given = {
        name: (own[SIDES].to_numpy(float), own.code.to_numpy())
        for name, own in boxes.groupby("image")
    }
    look = open_known_cells(shipped_model(), side=512)

    def load(name: str) -> np.ndarray:
        with Image.open(options.data / name) as opened:
            return np.asarray(opened.convert("RGB"))

    held = images[images.split != "train"].image.tolist()
    rows = boxes[boxes.image.isin(held)]
    truth = PlacedBoxes.of(rows.image.map(held.index), rows.code, rows[SIDES])
    train = images[(images.split == "train") & images.image.isin(given)]
    heads = []
    for seed in map(int, options.seeds.split(",")):
        started, rng, examples, how = (
            time.process_time(),
            np.random.default_rng(seed),
            [],
            HeadSettings(),
        )
        for name in train.sample(frac=1, random_state=seed).image.tolist()[: options.pictures]:
            pixels, (corners, codes) = load(name), given[name]
            width = pixels.shape[1]
            turned = np.stack(
                [width - corners[:, 2], corners[:, 1], width - corners[:, 0], corners[:, 3]], 1
            )
            for view, own in ((pixels, corners), (np.ascontiguousarray(pixels[:, ::-1]), turned)):
                examples.append(choose_examples(look(view), own, codes, len(classes), how, rng))
        seen = time.process_time() - started
        started = time.process_time()
        heads.append(fit_cell_head(*project_examples(examples, how), len(classes), how))
        print(f"seed {seed}: features {seen:.1f} s, fit {time.process_time() - started:.1f} s")
    found = [[] for _ in heads]
    for picture, name in enumerate(held):
        cells = look(load(name))
        for head, parts in zip(heads, found, strict=True):
            one = head.find(cells)
            parts.append((np.full(len(one), picture), one.classes, one.boxes, one.scores))
    figures = []
    for parts in found:
        result = evaluate_boxes(
            truth, PlacedBoxes.of(*map(np.concatenate, zip(*parts, strict=True))), len(classes)
        )
        figures.append((result.mean_ap50(), result.mean_ap()))
        print("mAP50 {:.3f} mAP {:.3f}".format(*figures[-1]))
    print("mean mAP50 {:.3f} mAP {:.3f}".format(*np.mean(figures, axis=0)))


if __name__ == "__main__":
    main()
