"""A fully convolutional classifier against heads on the means of the same maps (extra ``torch``).

Run: ``python benchmarks/fcnn.py --data ../shared/data/clothing_a --labels label``. Each fold is
trained once; it counts only where the loss fell well below that of constant answers.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd

from vernis.adapters.backbones.receptive_fields import main_maps
from vernis.adapters.backbones.zoo import open_backbone
from vernis.adapters.pixels import decode
from vernis.core.learn.models.registry import make_model
from vernis.core.learn.scaling import fit_projection
from vernis.core.numeric.convolution_training import train_convolutional_classifier
from vernis.core.numeric.folds import stratified_folds

COMPONENTS = {"logistic": 100, "kernel": 400}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True, help="a set of one label an image")
    parser.add_argument("--labels", default="label", help="column of images.csv")
    parser.add_argument("--folds", type=int, default=3)
    options = parser.parse_args()
    table = pd.read_csv(options.data / "images.csv")
    backbone = open_backbone()
    layer = main_maps(backbone)[-1]
    read = backbone.reader(layer, "flatten").open()
    rows = [read(decode(options.data / name)) for name in table.image]
    maps = np.stack(rows).reshape(-1, *backbone.layers[layer]).transpose(0, 2, 3, 1)
    pooled = maps.astype(np.float32).mean(axis=(1, 2))
    labels = table[options.labels].to_numpy(str)
    Y = (labels[:, None] == np.unique(labels)).astype(np.float32)
    fold = stratified_folds(Y, options.folds, groups=np.arange(len(Y)), seed=0)
    for number in range(options.folds):
        train, test = fold != number, fold == number
        truth = Y[test].argmax(axis=1)
        for name, components in COMPONENTS.items():
            started = time.process_time()
            projection = fit_projection(pooled[train], components)
            model = make_model(name, "single")
            model.fit(projection.apply(pooled[train]), Y[train], np.flatnonzero(train))
            spent = time.process_time() - started
            said = model.predict_proba(projection.apply(pooled[test])).argmax(axis=1)
            print(f"fold {number} {name}: {(said == truth).mean():.4f}, {spent:.2f} s", flush=True)
        started = time.process_time()
        trained = train_convolutional_classifier(list(maps[train]), Y[train], "single")
        spent = time.process_time() - started
        said = trained.classifier.scores(maps[test]).argmax(axis=1)
        print(
            f"fold {number} fcnn: {(said == truth).mean():.4f}, {spent:.2f} s, loss "
            f"{trained.loss:.3f} of {trained.constant_loss:.3f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
