"""Are the pictures that ``vernis boxes next`` picks worth more than random ones?

    python benchmarks/boxes_next.py ../shared/data/aquarium --n 50 --draws 5

Each draw sets half of the train pictures aside as the pool. Fifty of it are picked by what is known
before a box is drawn (embedding, image labels, sizes of the objects that the shipped detector
sees), fifty at random; a detector learns from the boxes of each and is scored on the valid and test
pictures. The difference is paired by draw.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from scipy import stats

from vernis.adapters.backbones.zoo import open_backbone
from vernis.adapters.detectors.known_cells import open_known_cells
from vernis.adapters.detectors.nanodet import shipped_model
from vernis.core.detect.cell_head import (
    HeadSettings,
    choose_examples,
    fit_cell_head,
    project_examples,
)
from vernis.core.detect.choosing import Candidates, choose_pictures, size_counts
from vernis.core.detect.evaluation import PlacedBoxes, evaluate_boxes

SIDES = ["xmin", "ymin", "xmax", "ymax"]
SURE = 0.3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("data", type=Path)
    parser.add_argument("--n", type=int, default=50)
    parser.add_argument("--draws", type=int, default=5)
    options = parser.parse_args()
    images = pd.read_csv(options.data / "images.csv")
    boxes = pd.read_csv(options.data / "boxes.csv")
    classes = sorted(boxes.label.unique())
    boxes["code"] = boxes.label.map(classes.index)
    given = {
        name: (own[SIDES].to_numpy(float), own.code.to_numpy())
        for name, own in boxes.groupby("image")
    }
    train = images[(images.split == "train") & images.image.isin(given)].image.tolist()
    held = images[images.split != "train"].image.tolist()
    rows = boxes[boxes.image.isin(held)]
    truth = PlacedBoxes.of(rows.image.map(held.index), rows.code, rows[SIDES])
    known = known_before(options.data, train, given, len(classes))
    look = open_known_cells(shipped_model(), side=512)
    rng = np.random.default_rng(11)
    figures = []
    chosen = []
    for _ in range(options.draws):
        pool = rng.permutation(len(train))[: len(train) // 2]
        picked = pool[choose_pictures(part_of(known, pool), options.n).rows]
        chosen.append([picked, pool[: options.n]])
    heads = [
        [
            learn(options.data, [train[row] for row in some], given, look, len(classes))
            for some in two
        ]
        for two in chosen
    ]
    found = [[[] for _ in two] for two in heads]
    for picture, name in enumerate(held):
        cells = look(load(options.data / name))
        for two, parts in zip(heads, found, strict=True):
            for head, part in zip(two, parts, strict=True):
                one = head.find(cells)
                part.append((np.full(len(one), picture), one.classes, one.boxes, one.scores))
    for draw, parts in enumerate(found):
        scored = [
            evaluate_boxes(
                truth, PlacedBoxes.of(*map(np.concatenate, zip(*part, strict=True))), len(classes)
            ).mean_ap50()
            for part in parts
        ]
        figures.append(scored)
        print("draw {}: picked {:.3f}, random {:.3f}".format(draw, *scored))
    off = np.diff(np.array(figures)[:, ::-1], axis=1).ravel()
    low, high = stats.t.interval(0.95, len(off) - 1, off.mean(), stats.sem(off))
    print(f"mAP50 gained by picking: {off.mean():+.3f} ({low:+.3f} to {high:+.3f})")


def load(path: Path) -> np.ndarray:
    with Image.open(path) as opened:
        return np.asarray(opened.convert("RGB"))


def known_before(data: Path, names: list[str], given: dict, n_classes: int) -> Candidates:
    """Return what is known of pictures before anybody draws a box."""
    embed = open_backbone().reader().open()
    detect = shipped_model().open_detector()
    vectors, labels, sizes = [], np.zeros((len(names), n_classes)), []
    for row, name in enumerate(names):
        pixels = load(data / name)
        vectors.append(embed(pixels).astype(np.float32))
        labels[row, np.unique(given[name][1])] = 1
        seen = detect(pixels)
        scale = np.array([pixels.shape[1], pixels.shape[0]] * 2, np.float32)
        sizes.append(size_counts(seen.boxes[seen.scores >= SURE] / scale))
    X = np.stack(vectors)
    X -= X.mean(axis=0)
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    n = len(names)
    return Candidates(X, labels, np.stack(sizes), np.arange(n), np.zeros(n, bool))


def part_of(known: Candidates, rows: np.ndarray) -> Candidates:
    return Candidates(
        known.looks[rows],
        known.classes[rows],
        known.sizes[rows],
        known.groups[rows],
        known.drawn[rows],
    )


def learn(data: Path, names: list[str], given: dict, look, n_classes: int):
    """Fit a head to the boxes of some pictures and their mirror images."""
    how, rng, examples = HeadSettings(), np.random.default_rng(0), []
    for name in names:
        pixels, (corners, codes) = load(data / name), given[name]
        width = pixels.shape[1]
        turned = np.stack(
            [width - corners[:, 2], corners[:, 1], width - corners[:, 0], corners[:, 3]], 1
        )
        for view, own in ((pixels, corners), (np.ascontiguousarray(pixels[:, ::-1]), turned)):
            examples.append(choose_examples(look(view), own, codes, n_classes, how, rng))
    return fit_cell_head(*project_examples(examples, how), n_classes, how)


if __name__ == "__main__":
    main()
