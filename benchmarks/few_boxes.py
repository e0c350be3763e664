"""A detector from few boxes: mAP against the number of annotated pictures, torch-free or trained.

Run: ``python benchmarks/few_boxes.py ../shared/data/aquarium --pictures 50 --seeds 0,1,2``
``… ../shared/data/chess_a --model ssd`` (extra ``torch``) trains torchvision's SSD for its default
number of steps, ``--model nanodet`` the shipped detector; ``--steps`` names another number.
Scored on valid and test; the training pictures are drawn with ``sample(frac=1, random_state=s)``.
A class of fewer than five boxes is left out.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from vernis.adapters.detectors.known_cells import open_known_cells
from vernis.adapters.detectors.nanodet import shipped_model
from vernis.adapters.training.choice import detector_trainer
from vernis.core.detect.cell_head import (
    HeadSettings,
    choose_examples,
    fit_cell_head,
    project_examples,
)
from vernis.core.detect.cells import Detections
from vernis.core.detect.evaluation import PlacedBoxes, evaluate_boxes
from vernis.domain.training import BoxedPixels
from vernis.verbs.steps.network_training import steps_of

SIDES = ["xmin", "ymin", "xmax", "ymax"]
FEWEST, SURE_FROM = 5, 0.01
Pixels = NDArray[np.uint8]
Find = Callable[[Pixels], Detections]


@dataclass(frozen=True)
class Annotated:
    """Pictures with boxes, read when they are needed; corners in pixels of the picture."""

    folder: Path
    classes: tuple[str, ...]
    given: dict[str, tuple[NDArray[np.float64], NDArray[np.int64]]]
    train: pd.DataFrame
    held: tuple[str, ...]

    @classmethod
    def read(cls, folder: Path) -> Annotated:
        """Return what lies in a folder of `images.csv` and `boxes.csv`."""
        images, boxes = (pd.read_csv(folder / f"{name}.csv") for name in ("images", "boxes"))
        boxes = boxes[boxes.groupby("label").label.transform("size") >= FEWEST]
        classes = sorted(boxes.label.unique())
        codes = boxes.label.map(classes.index)
        given = {
            name: (own[SIDES].to_numpy(float), codes[own.index].to_numpy())
            for name, own in boxes.groupby("image")
        }
        train = images[(images.split == "train") & images.image.isin(given)]
        held = tuple(images[images.split != "train"].image)
        return cls(folder, tuple(classes), given, train, held)

    def load(self, name: str) -> Pixels:
        """Return the picture."""
        with Image.open(self.folder / name) as opened:
            return np.asarray(opened.convert("RGB"))

    def draw(self, pictures: int, seed: int) -> list[str]:
        """Return the pictures that are annotated."""
        return self.train.sample(frac=1, random_state=seed).image.tolist()[:pictures]

    def score(self, find: Find) -> tuple[float, float]:
        """Return mAP50 and mAP on the pictures that are held out."""
        found = [find(self.load(name)) for name in self.held]
        none = (np.empty((0, 4)), np.empty(0, np.int64))
        own = [self.given.get(name, none) for name in self.held]
        result = evaluate_boxes(
            PlacedBoxes.of(
                _rows([len(codes) for _, codes in own]),
                np.concatenate([codes for _, codes in own]),
                np.concatenate([corners for corners, _ in own]),
            ),
            PlacedBoxes.of(
                _rows(list(map(len, found))),
                np.concatenate([one.classes for one in found]),
                np.concatenate([one.boxes for one in found]),
                np.concatenate([one.scores for one in found]),
            ),
            len(self.classes),
        )
        return result.mean_ap50(), result.mean_ap()


def main() -> None:
    """Print mAP50, mAP and processor seconds of each draw, and their means."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--pictures", type=int, default=50)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--model", choices=("detector", "nanodet", "ssd"), default="detector")
    parser.add_argument("--steps", type=int, help="of a network that is trained")
    options = parser.parse_args()
    data = Annotated.read(options.data)
    figures = []
    for seed in map(int, options.seeds.split(",")):
        drawn = data.draw(options.pictures, seed)
        started = time.process_time()
        if options.model == "detector":
            find, about = on_features(data, drawn, seed)
        else:
            steps = options.steps or steps_of(options.model, len(drawn), None)
            find, about = trained(data, drawn, seed, options.model, steps)
        seconds = time.process_time() - started
        figures.append(data.score(find))
        print(f"seed {seed}: {about}{seconds:.1f} processor seconds in all, ", end="")
        print("mAP50 {:.3f} mAP {:.3f}".format(*figures[-1]), flush=True)
    print("mean mAP50 {:.3f} mAP {:.3f}".format(*np.mean(figures, axis=0)))


def on_features(data: Annotated, drawn: Sequence[str], seed: int) -> tuple[Find, str]:
    """Fit a head on the features of networks that stay as they are."""
    look = open_known_cells(shipped_model(), side=512)
    rng, examples, how = np.random.default_rng(seed), [], HeadSettings()
    n_classes = len(data.classes)
    for name in drawn:
        pixels, (corners, codes) = data.load(name), data.given[name]
        width = pixels.shape[1]
        turned = np.stack(
            [width - corners[:, 2], corners[:, 1], width - corners[:, 0], corners[:, 3]], 1
        )
        for view, own in ((pixels, corners), (np.ascontiguousarray(pixels[:, ::-1]), turned)):
            examples.append(choose_examples(look(view), own, codes, n_classes, how, rng))
    started = time.process_time()
    head = fit_cell_head(*project_examples(examples, how), n_classes, how)
    fit = time.process_time() - started
    return (lambda pixels: head.find(look(pixels))), f"fit {fit:.1f}, "


def trained(
    data: Annotated, drawn: Sequence[str], seed: int, network: str, steps: int
) -> tuple[Find, str]:
    """Train a network on the boxes."""
    trainer = detector_trainer(network)
    pictures = [BoxedPixels(data.load(name), *data.given[name]) for name in drawn]
    graphs = trainer.train(pictures, len(data.classes), steps=steps, stops=(steps,), seed=seed)
    (graph,) = graphs
    return trainer.open(graph, len(data.classes), SURE_FROM), f"{network}, {steps} steps, "


def _rows(sizes: Sequence[int]) -> NDArray[np.intp]:
    return np.repeat(np.arange(len(sizes)), sizes)


if __name__ == "__main__":
    main()
