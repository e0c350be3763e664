"""Are the pictures that ``vernis boxes next`` picks worth more than random ones?

    python benchmarks/boxes_next.py ../shared/data/aquarium --n 50 --draws 5

Each draw sets half of the train pictures aside as the pool. Fifty of it are picked by what is known
before a box is drawn (embedding, image labels, sizes of the objects that the shipped detector
sees), fifty at random; a detector learns from the boxes of each and is scored on some of the valid
and test pictures (``--score``). The difference is paired by draw. What is done is kept
(``--keep``), so a run that is stopped goes on: some four minutes of one processor in all.
"""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

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
    parser.add_argument("--score", type=int, default=80, help="pictures that are scored")
    parser.add_argument("--keep", type=Path, default=Path("boxes-next"), help="folder of heads")
    options = parser.parse_args()
    keep = options.keep / options.data.name
    keep.mkdir(parents=True, exist_ok=True)
    data = Boxed(options.data)
    rng = np.random.default_rng(11)
    held = [data.held[row] for row in rng.permutation(len(data.held))[: options.score]]
    known = kept(keep / "known.pkl", lambda: known_before(options.data, data.train, data))
    look = open_known_cells(shipped_model(), side=512)
    figures = []
    for draw in range(options.draws):
        pool = rng.permutation(len(data.train))[: len(data.train) // 2]
        ways = {
            "picked": pool[choose_pictures(part_of(known, pool), options.n).rows],
            "random": pool[: options.n],
        }
        scored = [
            kept(keep / f"{draw}-{name}.pkl", partial(learn_and_score, data, rows, held, look))
            for name, rows in ways.items()
        ]
        figures.append([value for value, _ in scored])
        print(
            "draw {}: picked {:.3f} ({} boxes), random {:.3f} ({} boxes)".format(
                draw, *scored[0], *scored[1]
            ),
            flush=True,
        )
    off = np.diff(np.array(figures)[:, ::-1], axis=1).ravel()
    low, high = stats.t.interval(0.95, len(off) - 1, off.mean(), stats.sem(off))
    print(f"{options.data.name}: mAP50 by picking {off.mean():+.3f} ({low:+.3f} to {high:+.3f})")


class Boxed:
    """Pictures with their boxes: those to learn from, and those that are scored."""

    def __init__(self, folder: Path) -> None:
        images = pd.read_csv(folder / "images.csv")
        boxes = pd.read_csv(folder / "boxes.csv")
        self.folder, self.classes = folder, sorted(boxes.label.unique())
        boxes["code"] = boxes.label.map(self.classes.index)
        self.given = {
            name: (own[SIDES].to_numpy(float), own.code.to_numpy())
            for name, own in boxes.groupby("image")
        }
        self.train = images[
            (images.split == "train") & images.image.isin(self.given)
        ].image.tolist()
        self.held = images[images.split != "train"].image.tolist()
        self.boxes = boxes


def kept(path: Path, make: Callable[[], Any]) -> Any:
    """Return what was made before, or make it: a run that is stopped goes on."""
    if not path.exists():
        path.write_bytes(pickle.dumps(make()))
    return pickle.loads(path.read_bytes())


def learn_and_score(data: Boxed, rows: np.ndarray, held: list[str], look) -> tuple[float, int]:
    """Return the mAP50 of a detector from some pictures, and how many boxes it learned from."""
    names = [data.train[row] for row in rows]
    head = learn(data.folder, names, data.given, look, len(data.classes))
    parts = []
    for picture, name in enumerate(held):
        one = head.find(look(load(data.folder / name)))
        parts.append((np.full(len(one), picture), one.classes, one.boxes, one.scores))
    true = data.boxes[data.boxes.image.isin(held)]
    truth = PlacedBoxes.of(true.image.map(held.index), true.code, true[SIDES])
    found = PlacedBoxes.of(*map(np.concatenate, zip(*parts, strict=True)))
    value = evaluate_boxes(truth, found, len(data.classes)).mean_ap50()
    return value, sum(len(data.given[name][1]) for name in names)


def load(path: Path) -> np.ndarray:
    with Image.open(path) as opened:
        return np.asarray(opened.convert("RGB"))


def known_before(folder: Path, names: list[str], data: Boxed) -> Candidates:
    """Return what is known of pictures before anybody draws a box."""
    embed = open_backbone().reader().open()
    detect = shipped_model().open_detector()
    vectors, labels, sizes = [], np.zeros((len(names), len(data.classes))), []
    for row, name in enumerate(names):
        pixels = load(folder / name)
        vectors.append(embed(pixels).astype(np.float32))
        labels[row, np.unique(data.given[name][1])] = 1
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
