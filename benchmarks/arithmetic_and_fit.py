"""Which arithmetic, which way of making a picture square, and which side suit the backbone.

* ``arithmetic``: fp32 against int8 on ``cifar10n_a``: overlap of the 10 nearest neighbours, and
  average precision of finding the wrong labels of ``random1`` with the self-confidence of a
  cross-validated logistic regression (a plain stand-in for Vernis's own method), three seeds.
* ``fit``: stretched half-way or wholly, grey bars, repeated edge, centre crop: accuracy on the fine
  classes of ``grocery`` (train to test), by 5 nearest neighbours and logistic regression; search
  precision at 10 (grocery: test against train; clothing_a: leave one out); label ranking average
  precision of 10 neighbours on ``aquarium`` (leave one out).

Run: ``python benchmarks/arithmetic_and_fit.py [arithmetic|fit ...] [--data ../shared/data]``
"""

from __future__ import annotations

import argparse
import io
import itertools
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, label_ranking_average_precision_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from vernis.adapters.backbones.inputs import FITS, Fit
from vernis.adapters.backbones.onnx_backbone import OnnxBackbone
from vernis.adapters.backbones.zoo import ARITHMETICS, Arithmetic, open_backbone
from vernis.adapters.engines.threads import ThreadEngine
from vernis.adapters.pixels import decode
from vernis.domain.ports import Pixels

Vectors = NDArray[np.float32]
# The best of 1e-4, 3e-4, 1e-3, 1e-2 on cifar10n_a's given labels, and what suits clean ones.
NOISY_STRENGTH = 1e-3
CLEAN_STRENGTH = 1e-2


@dataclass(frozen=True)
class Embedding:
    """Decodes one file and embeds it; a stage of the engine."""

    read: Callable[[str], Pixels]
    backbone: OnnxBackbone

    def open(self) -> Callable[[str], NDArray[Any]]:
        embed = self.backbone.reader("pooled").open()
        return lambda name: embed(self.read(name))


def embed(names: Sequence[str], read: Callable[[str], Pixels], backbone: OnnxBackbone) -> Vectors:
    found = {}
    for outcome in ThreadEngine().run(Embedding(read, backbone), names):
        if outcome.error is not None:
            raise outcome.error
        found[outcome.item] = outcome.value
    return np.stack([found[name] for name in names]).astype(np.float32)


def read_zip(path: Path) -> Callable[[str], Pixels]:
    with zipfile.ZipFile(path) as archive:
        content = {name.split("/")[-1]: archive.read(name) for name in archive.namelist()}
    return lambda name: np.asarray(Image.open(io.BytesIO(content[name])).convert("RGB"))


def centre_and_normalize(vectors: Vectors) -> Vectors:
    centred = vectors - vectors.mean(axis=0)
    return centred / np.linalg.norm(centred, axis=1, keepdims=True)


def nearest(queries: Vectors, base: Vectors, k: int, *, skip_self: bool) -> NDArray[np.int64]:
    rows = []
    for start in range(0, len(queries), 500):
        similarity = queries[start : start + 500] @ base.T
        if skip_self:
            index = np.arange(len(similarity))
            similarity[index, index + start] = -2
        rows.append(np.argsort(-similarity, axis=1)[:, :k])
    return np.concatenate(rows)


def standardize(vectors: Vectors, reference: Vectors) -> Vectors:
    scale = reference.std(axis=0) + 1e-6
    return (vectors - reference.mean(axis=0)) / scale


def measure_label_errors(
    vectors: Vectors, given: NDArray[Any], wrong: NDArray[np.bool_], seed: int
) -> float:
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    model = LogisticRegression(C=NOISY_STRENGTH, max_iter=300)
    inputs = standardize(vectors, vectors)
    probabilities = cross_val_predict(model, inputs, given, cv=folds, method="predict_proba")
    classes = np.unique(given)
    own = probabilities[np.arange(len(given)), np.searchsorted(classes, given)]
    return float(average_precision_score(wrong, -own))


def compare_arithmetics(data: Path, sample: int) -> None:
    labels = pd.read_csv(data / "cifar10n_a" / "labels.csv").head(sample)
    read = read_zip(data / "cifar10n_a" / "images.zip")
    names, given = list(labels.image), labels.random1.to_numpy(dtype=object)
    wrong = (labels.random1 != labels.clean).to_numpy()
    neighbors = {}
    print(f"arithmetic: cifar10n_a, {len(names)} pictures, {wrong.mean():.1%} wrong")
    print(f"{'':8}{'neighbours shared with fp32':>30}{'AP of three seeds':>26}{'mean':>8}")
    for arithmetic in ARITHMETICS:
        vectors = embed(names, read, open_backbone(arithmetic=arithmetic))
        unit = centre_and_normalize(vectors)
        neighbors[arithmetic] = nearest(unit, unit, 10, skip_self=True)
        pairs = zip(neighbors["fp32"], neighbors[arithmetic], strict=True)
        overlap = float(np.mean([len(set(a) & set(b)) / 10 for a, b in pairs]))
        scores = [measure_label_errors(vectors, given, wrong, seed) for seed in range(3)]
        shown = " ".join(f"{score:.4f}" for score in scores)
        print(f"{arithmetic:8}{overlap:30.3f}{shown:>26}{np.mean(scores):8.4f}", flush=True)


def measure_grocery(data: Path, backbone: OnnxBackbone) -> list[float]:
    folder = data / "grocery"
    table = pd.read_csv(folder / "images.csv")
    table = table[table.split.isin(["train", "test"])]
    read = lambda name: decode(folder / name)  # noqa: E731
    vectors = embed(list(table.image), read, backbone)
    train = (table.split == "train").to_numpy()
    fine = table.fine.to_numpy(dtype=object)
    unit = centre_and_normalize(vectors)
    found = fine[train][nearest(unit[~train], unit[train], 10, skip_self=False)]
    truth = fine[~train]
    votes = [pd.Series(row[:5]).mode() for row in found]
    # A tie goes to the class of the nearest neighbour among the tied.
    guess = [
        next(label for label in row if label in set(tied))
        for row, tied in zip(found, votes, strict=True)
    ]
    model = LogisticRegression(C=CLEAN_STRENGTH, max_iter=300)
    model.fit(standardize(vectors[train], vectors[train]), fine[train])
    accuracy = model.score(standardize(vectors[~train], vectors[train]), truth)
    return [
        float(np.mean(np.asarray(guess, dtype=object) == truth)),
        float(accuracy),
        float((found == truth[:, None]).mean()),
    ]


def measure_clothing(data: Path, backbone: OnnxBackbone) -> list[float]:
    folder = data / "clothing_a"
    table = pd.read_csv(folder / "images.csv")
    vectors = embed(list(table.image), lambda name: decode(folder / name), backbone)
    label = table.label.to_numpy(dtype=object)
    unit = centre_and_normalize(vectors)
    found = label[nearest(unit, unit, 10, skip_self=True)]
    model = LogisticRegression(C=CLEAN_STRENGTH, max_iter=300)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    guess = cross_val_predict(model, standardize(vectors, vectors), label, cv=folds)
    return [float((found == label[:, None]).mean()), float((guess == label).mean())]


def measure_aquarium(data: Path, backbone: OnnxBackbone) -> list[float]:
    folder = data / "aquarium"
    table = pd.read_csv(folder / "images.csv", keep_default_na=False)
    table = table[table["labels"] != ""]
    truth = table["labels"].str.get_dummies("|").to_numpy()
    vectors = embed(list(table.image), lambda name: decode(folder / name), backbone)
    unit = centre_and_normalize(vectors)
    shares = truth[nearest(unit, unit, 10, skip_self=True)].mean(axis=1)
    return [float(label_ranking_average_precision_score(truth, shares))]


def compare_fits(
    data: Path, sides: Sequence[int], fits: Sequence[Fit], arithmetics: Sequence[Arithmetic]
) -> None:
    columns = ["groc kNN", "groc LR", "groc P@10", "clothP@10", "cloth LR", "aqua LRAP"]
    print("arithmetic, fit and side; layer 'pooled'")
    print(f"{'':20}" + "".join(f"{c:>11}" for c in columns))
    for arithmetic, side, fit in itertools.product(arithmetics, sides, fits):
        backbone = open_backbone(arithmetic=arithmetic, side=side, fit=fit)
        measures = [
            *measure_grocery(data, backbone),
            *measure_clothing(data, backbone),
            *measure_aquarium(data, backbone),
        ]
        row = "".join(f"{value:11.4f}" for value in measures)
        print(f"{arithmetic:6}{fit:8}{side:6}{row}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("parts", nargs="*", default=["arithmetic", "fit"])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--sample", type=int, default=10_000, help="pictures of cifar10n_a")
    parser.add_argument("--sides", type=int, nargs="+", default=[224])
    parser.add_argument("--arithmetics", choices=ARITHMETICS, nargs="+", default=["fp32"])
    parser.add_argument("--fits", choices=FITS, nargs="+", default=FITS)
    options = parser.parse_args()
    if "arithmetic" in options.parts:
        compare_arithmetics(options.data, options.sample)
    if "fit" in options.parts:
        compare_fits(options.data, options.sides, options.fits, options.arithmetics)


if __name__ == "__main__":
    main()
