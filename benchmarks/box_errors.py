"""Wrong boxes, planted and looked for out of fold, beside cleanlab's ObjectLab where installed.

Run: ``python benchmarks/box_errors.py ../shared/data/aquarium --pictures 50 --seeds 0,1,2``
Of each kind one box in twenty-five is made wrong; the detector learns from the wrong boxes.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from vernis.adapters.detectors.known_cells import open_known_cells
from vernis.adapters.detectors.nanodet import shipped_model
from vernis.core.detect.box_faults import GivenBoxes, area_under_curve, suspect_boxes, try_faults
from vernis.core.detect.cell_head import (
    HeadSettings,
    choose_examples,
    fit_cell_head,
    project_examples,
)
from vernis.core.numeric.boxes import overlaps

SIDES = ["xmin", "ymin", "xmax", "ymax"]
SHARE = 0.04
KINDS = ("swapped", "misplaced", "spurious")
CUTS = (None, 0.05, 0.2, 0.4)
"""Scores from which ObjectLab takes found boxes; None: its own."""


def plant(boxes, codes, size, n_classes, rng):
    """Return boxes with errors, their classes, what is wrong with each, and those that are gone."""
    what = rng.choice(["", *KINDS, "missing"], len(boxes), p=[1 - 4 * SHARE, *[SHARE] * 4])
    boxes, codes = boxes.copy(), codes.copy()
    swapped = what == "swapped"
    codes[swapped] = (codes[swapped] + rng.integers(1, n_classes, swapped.sum())) % n_classes
    moved = what == "misplaced"
    sides = boxes[:, 2:] - boxes[:, :2]
    shift = sides * rng.uniform(0.35, 0.6, sides.shape) * rng.choice([-1, 1], sides.shape)
    boxes[moved] += np.hstack([shift, shift])[moved]
    new = what == "spurious"
    corner = rng.random((new.sum(), 2)) * np.maximum(np.array(size) - sides[new], 0)
    added = np.hstack([corner, corner + sides[new]])
    what[new] = ""
    stays = what != "missing"
    kinds = np.concatenate([what[stays], np.full(new.sum(), "spurious")])
    return (
        np.concatenate([boxes[stays], added]),
        np.concatenate([codes[stays], codes[new]]),
        kinds,
        boxes[~stays],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("data", type=Path)
    parser.add_argument("--pictures", type=int, default=50)
    parser.add_argument("--seeds", default="0,1,2")
    options = parser.parse_args()
    images = pd.read_csv(options.data / "images.csv")
    table = pd.read_csv(options.data / "boxes.csv")
    table = table[table.groupby("label").label.transform("count") > 1]
    classes = sorted(table.label.unique())
    table["code"] = table.label.map(classes.index)
    train = images[(images.split == "train") & images.image.isin(table.image)]
    look = open_known_cells(shipped_model(), side=512)
    rows = []
    for seed in map(int, options.seeds.split(",")):
        names = train.sample(frac=1, random_state=seed).image.tolist()[: options.pictures]
        rows += judge(options.data, names, table, classes, look, seed)
        print(pd.DataFrame(rows).to_string(index=False), flush=True)
    print(pd.DataFrame(rows).groupby(["kind", "by"]).mean(numeric_only=True).drop(columns="seed"))


def judge(folder, names, table, classes, look, seed):
    rng, how, n = np.random.default_rng(seed), HeadSettings(), len(classes)
    pixels, planted, examples, owner = [], [], [], []
    for at, name in enumerate(names):
        own = table[table.image == name]
        with Image.open(folder / name) as opened:
            seen = np.asarray(opened.convert("RGB"))
        pixels.append(seen)
        height, width = seen.shape[:2]
        wrong = plant(own[SIDES].to_numpy(float), own.code.to_numpy(), (width, height), n, rng)
        planted.append(wrong)
        turned = wrong[0].copy()
        turned[:, [0, 2]] = width - turned[:, [2, 0]]
        for view, boxes in ((seen, wrong[0]), (np.ascontiguousarray(seen[:, ::-1]), turned)):
            examples.append(choose_examples(look(view), boxes, wrong[1], n, how, rng))
            owner.append(at)
    folds = rng.permutation(len(names)) % 3
    projection, views = project_examples(examples, how)
    heads = []
    for fold in range(3):
        others = [one for at, one in zip(owner, views, strict=True) if folds[at] != fold]
        head = fit_cell_head(projection, others, n, how)
        heads.append(replace(head, settings=replace(how, least=0.005, at_most=300)))
    found = [heads[folds[at]].find(look(seen)) for at, seen in enumerate(pixels)]
    given = [GivenBoxes(boxes, codes) for boxes, codes, _, _ in planted]
    doubts = [suspect_boxes(*pair) for pair in zip(given, found, strict=True)]
    kinds = np.concatenate([one[2] for one in planted])
    scores = {kind: np.concatenate([one.of(kind) for one in doubts]) for kind in KINDS}
    missing = [one.missing for one in doubts]
    rows = [
        *measure("vernis", scores, kinds, seed),
        find_missing("vernis", missing, found, planted, seed),
    ]
    for kind, power in try_faults(given, found, n, seed).items():
        print(f"{kind}: foreseen {power.auroc:.3f} ({power.low:.3f}-{power.high:.3f})")
    try:
        from cleanlab.object_detection import rank
    except ImportError:
        return rows
    labels = [{"bboxes": one.boxes, "labels": one.classes} for one in given]
    said = [
        np.array(
            [np.hstack([one.boxes, one.scores[:, None]])[one.classes == c] for c in range(n)]
            + [None],
            dtype=object,
        )[:-1]
        for one in found
    ]
    asked = {"labels": labels, "predictions": said}
    for cut in CUTS:
        high = {} if cut is None else {"high_probability_threshold": cut}
        low = {} if cut is None else {"low_probability_threshold": cut}
        peer = {
            "swapped": rank.compute_swap_box_scores(**asked, **high),
            "misplaced": rank.compute_badloc_box_scores(**asked, **low),
        }
        name = "ObjectLab" if cut is None else f"ObjectLab from {cut:g}"
        rows += measure(name, {k: -np.concatenate(v) for k, v in peer.items()}, kinds, seed)
    over = rank.compute_overlooked_box_scores(labels=labels, predictions=said)
    order = [np.concatenate([np.flatnonzero(one.classes == c) for c in range(n)]) for one in found]
    worth = []
    for one, places, values in zip(found, order, over, strict=True):
        score = np.zeros(len(one))
        score[places] = np.nan_to_num(1 - np.asarray(values, float), nan=0.0)
        worth.append(score)
    return [*rows, find_missing("ObjectLab", worth, found, planted, seed)]


def measure(by, scores, kinds, seed):
    return [
        {
            "seed": seed,
            "kind": kind,
            "by": by,
            "n": int((kinds == kind).sum()),
            "auroc": area_under_curve(
                values[(kinds == kind) | (kinds == "")],
                (kinds == kind)[(kinds == kind) | (kinds == "")],
            ),
        }
        for kind, values in scores.items()
    ]


def find_missing(by, suspicions, found, planted, seed):
    """Return which share of as many surest suspicions as boxes are gone are of these."""
    n = sum(len(one[3]) for one in planted)
    hits = []
    for values, one, wrong in zip(suspicions, found, planted, strict=True):
        fit = overlaps(one.boxes.astype(float), wrong[3]).max(axis=1, initial=0) >= 0.5
        hits += [(v, h) for v, h in zip(values, fit, strict=True) if v > 0]
    best = sorted(hits, key=lambda pair: -pair[0])[:n]
    share = sum(hit for _, hit in best) / max(1, n)
    return {"seed": seed, "kind": "missing", "by": by, "n": n, "precision": share}


if __name__ == "__main__":
    main()
