"""Which network to embed with: wrong labels, neighbours and classes told apart, on all sets.

    python benchmarks/backbones.py [--data ../shared/data] [--vectors FOLDER] [--seeds 5]
        [--first-seed 0] [--sets clothing fine coarse cifar chess coco128 aquarium]
        [--backbones efficientnet_lite0@fp32 FOLDER/efficientnet_lite2.fp16.onnx]

Each backbone alone and, of two or more, all joined, by their last four pooled layers. Printed are

* AP of the images with a wrong label: 10 % flipped, or the human labels of cifar10n_a (2,000 of its
  images); with several labels an image the mean of flipped, dropped and added labels;
* F1, macro: of the leave-out predictions of the true labels; with several labels their mean AP;
* P@1: share of images whose nearest by the last layer is of the same class.

`grocery` is a sample of 1,200 photos. A seed draws the noise and the landmarks, so that of human
labels only the latter move. What is embedded is kept in ``--vectors``.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, f1_score

from label_issues import LAYERS, read_pictures, read_rows
from vernis.adapters.backbones.choice import parse_choice
from vernis.core.labels.issues import find_label_issues
from vernis.core.labels.predictions import predict_labels
from vernis.core.labels.scores import as_matrix
from vernis.core.learn.noise import add_labels, drop_labels, flip_labels, flip_uniform
from vernis.core.numeric.components import combine_blocks

SETS = {
    "clothing": ("clothing_a", "label"),
    "fine": ("grocery", "fine"),
    "coarse": ("grocery", "coarse"),
    "cifar": ("cifar10n_a", "clean"),
    "chess": ("chess_a", ""),
    "coco128": ("coco128_a", ""),
    "aquarium": ("aquarium", ""),
}
NOISE = {"flipped": flip_labels, "dropped": drop_labels, "added": add_labels}
MOST = {"grocery": 1200, "cifar10n_a": 2000}
HUMAN = ("random1", "aggre", "worse")
FEWEST = 4
"""Images of a class that takes part."""
Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def chosen_rows(data: Path, folder: str) -> Ints:
    n = len(read_rows(data, folder))
    if folder not in MOST:
        return np.arange(n)
    return np.sort(np.random.default_rng(1).choice(n, MOST[folder], replace=False))


def read_blocks(options: argparse.Namespace, folder: str, backbone: str) -> list[Floats]:
    """Return the layers of the chosen images; embedded when not yet stored."""
    path = options.vectors / f"{folder}.{Path(backbone).name}.npz"
    if not path.exists():
        choice = parse_choice(backbone)
        reader = choice.open().reader("+".join(LAYERS))
        embed, wanted = reader.open(), set(chosen_rows(options.data, folder).tolist())
        pictures = enumerate(read_pictures(options.data, folder))
        rows = np.stack([embed(pixels) for i, pixels in pictures if i in wanted])
        bounds = np.cumsum([width for _, width in reader.space.settings["layers"]])[:-1]
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, *np.split(rows, bounds, axis=1))
    with np.load(path) as stored:
        return [stored[name].astype(np.float32) for name in stored.files]


def rank(x: Floats, given: NDArray[np.generic], wrong: NDArray[np.bool_], seed: int) -> float:
    """Return the AP of the images with a wrong label."""
    kind = "single" if given.ndim == 1 else "multi"
    matrix = as_matrix(given, int(given.max()) + 1) if given.ndim == 1 else given
    probs = predict_labels(x, matrix, kind=kind, seed=seed)  # type: ignore[arg-type]
    return float(average_precision_score(wrong, -find_label_issues(given, probs).score))


def same_class_nearest(blocks: list[Floats], truth: Ints) -> float:
    """Return the share of images whose nearest has their class, by the last layer of each."""
    last = [block / np.linalg.norm(block, axis=1, keepdims=True) for block in blocks]
    joined = np.concatenate(last, axis=1)
    near = joined @ joined.T
    np.fill_diagonal(near, -np.inf)
    return float((truth[near.argmax(axis=1)] == truth).mean())


def measure_single(
    blocks: list[Floats], rows: list[dict[str, str]], column: str, seeds: range
) -> dict[str, list[float]]:
    names, codes = np.unique([row[column] for row in rows], return_inverse=True)
    kept = np.flatnonzero(np.bincount(codes)[codes] >= FEWEST)
    truth = np.unique(codes[kept], return_inverse=True)[1]
    x = combine_blocks([block[kept] for block in blocks])
    found: dict[str, list[float]] = {}
    if column == "clean":
        for human in HUMAN:
            given = np.searchsorted(names, [rows[i][human] for i in kept])
            found[human] = [rank(x, given, given != truth, seed) for seed in seeds]
    else:
        flipped = [np.asarray(flip_uniform(truth, 0.1, seed)).astype(np.int64) for seed in seeds]
        found["AP"] = [
            rank(x, given, given != truth, seed) for given, seed in zip(flipped, seeds, strict=True)
        ]
    probs = predict_labels(x, as_matrix(truth, int(truth.max()) + 1), kind="single")
    found["F1"] = [float(f1_score(truth, probs.argmax(axis=1), average="macro"))]
    last = [block[kept] for block in blocks[len(LAYERS) - 1 :: len(LAYERS)]]
    found["P@1"] = [same_class_nearest(last, truth)]
    return found


def measure_several(
    blocks: list[Floats], rows: list[dict[str, str]], seeds: range
) -> dict[str, list[float]]:
    classes = sorted({one for row in rows for one in row["labels"].split("|") if one})
    truth = np.asarray([[c in row["labels"].split("|") for c in classes] for row in rows], "f4")
    kept = truth.any(axis=1)
    x, truth = combine_blocks([block[kept] for block in blocks]), truth[kept]
    found: dict[str, list[float]] = {}
    for name, spoil in {
        "flipped": flip_labels,
        "dropped": drop_labels,
        "added": add_labels,
    }.items():
        given = [spoil(truth, 0.1, seed) for seed in seeds]
        found[name] = [
            rank(x, one, (one != truth).any(axis=1), seed)
            for one, seed in zip(given, seeds, strict=True)
        ]
    probs = predict_labels(x, truth, kind="multi")
    often = np.flatnonzero(truth.sum(axis=0) >= FEWEST)
    found["mAP"] = [float(average_precision_score(truth[:, often], probs[:, often]))]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    store = Path(tempfile.gettempdir()) / "vernis-benchmark-vectors"
    parser.add_argument("--vectors", type=Path, default=store)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--sets", nargs="+", choices=tuple(SETS), default=tuple(SETS))
    parser.add_argument("--backbones", nargs="+", default=("efficientnet_lite0@fp32",))
    options = parser.parse_args()
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    for name in options.sets:
        folder, column = SETS[name]
        every = read_rows(options.data, folder)
        rows = [every[i] for i in chosen_rows(options.data, folder)]
        blocks = {one: read_blocks(options, folder, one) for one in options.backbones}
        if len(blocks) > 1:
            blocks["joined"] = [block for own in list(blocks.values()) for block in own]
        for backbone, own in blocks.items():
            found = (
                measure_single(own, rows, column, seeds)
                if column
                else measure_several(own, rows, seeds)
            )
            told = "  ".join(f"{k} {np.mean(v):.3f} ±{np.std(v):.3f}" for k, v in found.items())
            print(f"{name:9} {Path(backbone).name:28} {told}", flush=True)


if __name__ == "__main__":
    main()
