"""The last stages of the backbone trained on against a head on frozen ones (extra ``torch``).

Run: ``python benchmarks/fine_tuning.py --data ../shared/data/clothing_a``, of several
labels a picture with ``--several``. Printed for each fold: the share of right answers or the micro
F1 at .5 on pictures that were not learned from, and the processor time from pictures to both.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from vernis.adapters.backbones.zoo import open_backbone
from vernis.adapters.pixels import decode
from vernis.adapters.training.classifier_training import ClassifierTraining
from vernis.core.learn.heads import make_head
from vernis.core.learn.models.interface import link
from vernis.core.learn.scaling import BlockScaler
from vernis.core.numeric.folds import stratified_folds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--labels", default="label", help="column of images.csv")
    parser.add_argument("--several", action="store_true", help="labels are joined by |")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument(
        "--epochs", type=int, default=ClassifierTraining.__dataclass_fields__["epochs"].default
    )
    parser.add_argument("--old-rate", type=float)
    parser.add_argument("--only", type=int, help="this many folds alone")
    options = parser.parse_args()
    table = pd.read_csv(options.data / "images.csv").dropna(subset=[options.labels])
    kind = "multi" if options.several else "single"
    given = [set(text.split("|")) if options.several else {text} for text in table[options.labels]]
    classes = sorted(set().union(*given))
    Y = np.array([[c in one for c in classes] for one in given], np.float32)
    groups = np.arange(len(Y))
    pictures = [decode(options.data / name) for name in table.image]

    backbone = open_backbone().reader()
    started = time.process_time()
    read = backbone.open()
    X = np.stack([read(one) for one in pictures]).astype(np.float32)
    embedding = time.process_time() - started
    training = ClassifierTraining().with_epochs(options.epochs)
    if options.old_rate:
        training = replace(training, old_rate=options.old_rate)
    started = time.process_time()
    look = training.open_maps(0)
    maps = [look(one) for one in pictures]
    looking = time.process_time() - started
    print(
        f"{len(Y)} pictures: vectors {embedding:.0f} s, maps of views {looking:.0f} s", flush=True
    )

    widths = [int(width) for _, width in backbone.space.settings["layers"]]
    ends = np.cumsum(widths)
    slices = [(int(e - w), int(e)) for e, w in zip(ends, widths, strict=True)]
    fold = stratified_folds(Y, options.folds, groups=groups, seed=0)
    for number in range(options.only or options.folds):
        train, test = np.flatnonzero(fold != number), np.flatnonzero(fold == number)
        started = time.process_time()
        scaler = BlockScaler(slices).fit_rows(X[train])
        head = make_head("kernel", kind, n_components=400)
        head.fit(scaler.transform(X[train]), Y[train], groups=train)
        frozen = head.predict_proba(scaler.transform(X[test]))
        spent = time.process_time() - started
        print(f"fold {number} frozen: {_worth(frozen, Y[test], kind)}, {spent:.1f} s", flush=True)
        started = time.process_time()
        done = training.train([maps[row] for row in train], Y[train], kind, seed=0)
        tuned = link(done.scores([maps[row] for row in test]), kind)
        spent = time.process_time() - started
        both = (tuned + frozen) / 2
        print(
            f"fold {number} fine-tuned: {_worth(tuned, Y[test], kind)}, {spent:.1f} s, loss "
            f"{done.loss:.3f}; mean of both: {_worth(both, Y[test], kind)}",
            flush=True,
        )


def _worth(probs: NDArray[np.float32], truth: NDArray[np.float32], kind: str) -> str:
    if kind == "single":
        return f"accuracy {(probs.argmax(1) == truth.argmax(1)).mean():.4f}"
    said, true = probs >= 0.5, truth == 1
    best = max(
        2 * ((probs >= t) & true).sum() / ((probs >= t).sum() + true.sum())
        for t in np.arange(0.1, 0.9, 0.02)
    )
    f1 = 2 * (said & true).sum() / max(1, said.sum() + true.sum())
    return f"micro F1 {f1:.4f} at .5, {best:.4f} at the best threshold"


if __name__ == "__main__":
    main()
