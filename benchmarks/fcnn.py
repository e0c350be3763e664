"""A fully convolutional classifier against heads on the means of the same maps (extra ``torch``).

Run: ``python benchmarks/fcnn.py --data ../shared/data/clothing_a --labels label``, or with several
labels an image: ``--data ../shared/data/aquarium --labels labels --separator '|'``. Each fold is
trained once; it counts only where the loss fell well below that of constant answers.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score

from vernis.adapters.backbones.receptive_fields import main_maps
from vernis.adapters.backbones.zoo import open_backbone
from vernis.adapters.pixels import decode
from vernis.core.learn.models.registry import make_model
from vernis.core.learn.scaling import fit_projection
from vernis.core.numeric.convolution_training import (
    TrainingSchedule,
    train_convolutional_classifier,
)
from vernis.core.numeric.folds import stratified_folds

COMPONENTS = {"logistic": 100, "kernel": 400}
SCHEDULES = {
    "thesis": TrainingSchedule(),
    "varied": TrainingSchedule(flips=True, dropout=0.5),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--labels", default="label", help="column of images.csv")
    parser.add_argument("--separator", help="between several labels of an image")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--schedules", default="thesis,varied", help="of thesis and varied")
    options = parser.parse_args()
    table = pd.read_csv(options.data / "images.csv")
    table = table[table[options.labels].notna()]
    backbone = open_backbone()
    layer = main_maps(backbone)[-1]
    read = backbone.reader(layer, "flatten").open()
    rows = [read(decode(options.data / name)) for name in table.image]
    maps = np.stack(rows).reshape(-1, *backbone.layers[layer]).transpose(0, 2, 3, 1)
    pooled = maps.astype(np.float32).mean(axis=(1, 2))
    kind = "multi" if options.separator else "single"
    given = [text.split(options.separator) for text in table[options.labels].astype(str)]
    if kind == "single":
        given = [[text] for text in table[options.labels].astype(str)]
    classes = sorted({name for names in given for name in names})
    Y = np.array([[name in names for name in classes] for names in given], np.float32)
    fold = stratified_folds(Y, options.folds, groups=np.arange(len(Y)), seed=0)
    for number in range(options.folds):
        train, test = fold != number, fold == number
        for name, components in COMPONENTS.items():
            started = time.process_time()
            projection = fit_projection(pooled[train], components)
            model = make_model(name, kind)
            model.fit(projection.apply(pooled[train]), Y[train], np.flatnonzero(train))
            spent = time.process_time() - started
            said = model.predict_proba(projection.apply(pooled[test]))
            print(f"fold {number} {name}: {worth(Y[test], said, kind)}, {spent:.2f} s", flush=True)
        for name in options.schedules.split(","):
            started = time.process_time()
            trained = train_convolutional_classifier(
                list(maps[train]), Y[train], kind, SCHEDULES[name]
            )
            spent = time.process_time() - started
            said = trained.classifier.scores(maps[test])
            print(
                f"fold {number} fcnn {name}: {worth(Y[test], said, kind)}, {spent:.2f} s, loss "
                f"{trained.loss:.3f} of {trained.constant_loss:.3f}",
                flush=True,
            )


def worth(truth: np.ndarray, said: Any, kind: str) -> str:
    """Return the accuracy of one label an image; of several, the mean average precision."""
    if kind == "single":
        return f"accuracy {(said.argmax(axis=1) == truth.argmax(axis=1)).mean():.4f}"
    return f"mean average precision {average_precision_score(truth, said, average='macro'):.4f}"


if __name__ == "__main__":
    main()
