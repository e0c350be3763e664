"""Quality and time of the default head, beside scikit-learn's MLP and logistic regression.

Every learner gets the same embeddings (``pooled`` of the shipped backbone), and the two ensembles
the same five sub-samples and the same principal components. Reported on the test split, mean and
standard deviation over the seeds: accuracy (single-label) or micro-F1 at thresholds tuned out of
bag, macro-F1 and micro average precision (multi-label); processor seconds of fitting, and their
ratio to Vernis's head with the thesis's settings.

* ``grocery``: 81 fine classes, the given split
* ``cifar``: 10 clean classes of ``cifar10n_a``, 4,000 to train, 6,000 to test
* ``aquarium``: 7 classes, several an image, the given split

Run: ``python benchmarks/learn.py [grocery cifar aquarium] [--data ../shared/data] [--seeds 3]``
``--quick`` leaves the slow peers out; ``--ablate`` shows what each choice is worth.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from vernis.adapters.backbones.zoo import open_backbone
from vernis.adapters.engines.threads import ThreadEngine
from vernis.adapters.pixels import decode
from vernis.core.learn.bagged_mlp import BaggedMLP
from vernis.core.learn.bagging import subsample_plan
from vernis.core.learn.heads import make_head
from vernis.core.learn.scaling import fit_projection
from vernis.core.learn.thresholds import tune_thresholds
from vernis.domain.ports import Pixels

Floats = NDArray[np.float32]
STRENGTHS = (1e-3, 1e-2, 1e-1)


@dataclass(frozen=True, eq=False)
class Task:
    """Vectors, a label matrix and which rows are for training."""

    name: str
    X: Floats
    Y: Floats
    train: NDArray[np.bool_]
    is_single: bool


@dataclass(frozen=True)
class Embedding:
    """Decodes one file and embeds it; a stage of the engine."""

    read: Callable[[str], Pixels]

    def open(self) -> Callable[[str], NDArray[Any]]:
        embed = open_backbone().reader("pooled").open()
        return lambda name: embed(self.read(name))


def embed(names: list[str], read: Callable[[str], Pixels], cache: Path) -> Floats:
    """Return the vectors of the pictures, from the cache when they are there."""
    if cache.exists():
        with np.load(cache) as archive:
            if archive["names"].tolist() == names:
                return archive["vectors"].astype(np.float32)
    found = {}
    for outcome in ThreadEngine().run(Embedding(read), names):
        if outcome.error is not None:
            raise outcome.error
        found[outcome.item] = outcome.value
    vectors = np.stack([found[name] for name in names])
    cache.parent.mkdir(parents=True, exist_ok=True)
    np.savez(cache, names=np.array(names), vectors=vectors)
    return vectors.astype(np.float32)


def read_zip(path: Path) -> Callable[[str], Pixels]:
    with zipfile.ZipFile(path) as archive:
        content = {name.split("/")[-1]: archive.read(name) for name in archive.namelist()}
    return lambda name: np.asarray(Image.open(io.BytesIO(content[name])).convert("RGB"))


def load(name: str, data: Path, cache: Path) -> Task:
    if name == "cifar":
        table = pd.read_csv(data / "cifar10n_a" / "labels.csv", dtype=str)
        labels = table["clean"].str.get_dummies()
        train = np.random.default_rng(0).permutation(len(table)) < 4000
        read = read_zip(data / "cifar10n_a" / "images.zip")
    else:
        table = pd.read_csv(data / name / "images.csv", dtype=str, keep_default_na=False)
        labels = table["fine" if name == "grocery" else "labels"].str.get_dummies("|")
        train = (table["split"] == "train").to_numpy()

        def read(file: str) -> Pixels:
            return decode(data / name / file)

    X = embed(table["image"].tolist(), read, cache / f"{name}.npz")
    return Task(name, X, labels.to_numpy(np.float32), train, name != "aquarium")


def vernis_head(**options: Any) -> Callable[[Task, int], tuple[Floats, Floats]]:
    """Return a learner: test probabilities, out-of-bag training probabilities."""

    def learn(task: Task, seed: int) -> tuple[Floats, Floats]:
        loss = "softmax" if task.is_single else "sigmoid"
        model = BaggedMLP(**{"seed": seed, "loss": loss, **options})
        model.fit(task.X[task.train], task.Y[task.train])
        return model.predict_proba(task.X[~task.train]), model.oob_proba_

    return learn


def kernel_head(task: Task, seed: int) -> tuple[Floats, Floats]:
    """Train the default head of ``vernis learn``."""
    kind = "single" if task.is_single else "multi"
    model = make_head("kernel", kind, n_components=400, seed=seed)
    model.fit(task.X[task.train], task.Y[task.train], groups=np.arange(task.train.sum()))
    return model.predict_proba(task.X[~task.train]), model.oob_proba_


def scikit_mlp(task: Task, seed: int) -> tuple[Floats, Floats]:
    """Train scikit-learn's MLP with the thesis's settings on the same samples and components."""
    X, Y = task.X[task.train], task.Y[task.train]
    y = Y.argmax(axis=1) if task.is_single else Y
    plan = subsample_plan(len(X), Y=Y, seed=seed)
    projection = fit_projection(X, seed=seed)
    inputs, test = projection.apply(X), projection.apply(task.X[~task.train])
    total, oob, times = 0.0, np.zeros(Y.shape), np.zeros((len(X), 1))
    for number, sample in enumerate(plan):
        model = MLPClassifier(
            (512, 512), batch_size=64, max_iter=5, random_state=100 * seed + number
        )
        model.fit(inputs[sample], y[sample])
        total = total + model.predict_proba(test)
        oob[~sample] += model.predict_proba(inputs[~sample])
        times[~sample] += 1
    return total / len(plan), oob / times


def logistic_regression(task: Task, seed: int) -> tuple[Floats, Floats]:
    """Fit logistic regression with the strength that cross-validates best."""
    X, Y = task.X[task.train], task.Y[task.train]
    y = Y.argmax(axis=1) if task.is_single else Y
    folds = StratifiedKFold(3, shuffle=True, random_state=seed)
    splits = list(folds.split(X, Y @ 2.0 ** np.arange(Y.shape[1]) if not task.is_single else y))
    best: tuple[float, Any, Any] | None = None
    for strength in STRENGTHS:
        one = LogisticRegression(C=strength, max_iter=100)
        model = make_pipeline(StandardScaler(), one if task.is_single else OneVsRestClassifier(one))
        held_out = cross_val_predict(model, X, y, cv=splits, method="predict_proba")
        kept = np.clip(held_out, 1e-7, 1 - 1e-7)
        loss = -(Y * np.log(kept) + (0 if task.is_single else (1 - Y) * np.log(1 - kept))).mean()
        if best is None or loss < best[0]:
            best = (loss, model, held_out)
    assert best is not None
    return best[1].fit(X, y).predict_proba(task.X[~task.train]), best[2]


def score(task: Task, test: Floats, oob: Floats) -> dict[str, float]:
    truth = task.Y[~task.train]
    if task.is_single:
        own = task.Y[task.train]
        return {
            "accuracy": float((test.argmax(axis=1) == truth.argmax(axis=1)).mean()),
            "out-of-bag accuracy": float((oob.argmax(axis=1) == own.argmax(axis=1)).mean()),
        }
    decided = tune_thresholds(task.Y[task.train], oob).decide(test)
    return {
        "micro-F1": float(f1_score(truth, decided, average="micro")),
        "macro-F1": float(f1_score(truth, decided, average="macro")),
        "micro-AP": float(average_precision_score(truth, test, average="micro")),
    }


THESIS = {"min_updates": 0}
PEERS = {"scikit-learn MLP ×5": scikit_mlp, "logistic regression, best C": logistic_regression}
HEADS = {
    "Vernis, thesis settings": vernis_head(**THESIS),
    "Vernis, networks, default": vernis_head(),
    "Vernis, networks, 256 components": vernis_head(n_components=256),
    "Vernis, kernel (default head)": kernel_head,
}
ABLATIONS = {
    "batch 256, rate 4e-3": vernis_head(batch_size=256, learning_rate=4e-3),
    "no floor of updates": vernis_head(min_updates=0),
    "floor of 1000 updates": vernis_head(min_updates=1000),
    "cosine schedule": vernis_head(schedule="cosine"),
    "no components": vernis_head(n_components=None),
    "columns scaled": vernis_head(scaling="columns"),
    "not scaled": vernis_head(scaling="none"),
    "sigmoid": vernis_head(loss="sigmoid"),
    "balanced classes": vernis_head(class_weight="balanced"),
    "20 estimators": vernis_head(n_estimators=20),
}


def measure(task: Task, learn: Any, seeds: range) -> tuple[pd.DataFrame, float]:
    rows, seconds = [], []
    for seed in seeds:
        started = time.process_time()
        with threadpool_limits(1):  # threads that wait by spinning would count as work
            predicted = learn(task, seed)
        seconds.append(time.process_time() - started)
        rows.append(score(task, *predicted))
    return pd.DataFrame(rows), float(np.mean(seconds))


def report(task: Task, learners: dict[str, Any], seeds: range) -> Iterator[str]:
    sizes = f"{task.train.sum():,} to train, {(~task.train).sum():,} to test"
    yield f"\n## {task.name}: {task.Y.shape[1]} classes, {sizes}, {len(seeds)} seeds"
    reference = 0.0
    for name, learn in learners.items():
        # nothing but its folds is random in logistic regression
        table, seconds = measure(task, learn, seeds[:1] if learn is logistic_regression else seeds)
        reference = reference or seconds
        if name == next(iter(learners)):
            yield "| learner | " + " | ".join(table.columns) + " | processor s | ratio |"
            yield "|---|" + "---:|" * (len(table.columns) + 2)
        cells = [
            f"{100 * mean:.2f} ± {100 * spread:.2f}"
            for mean, spread in zip(table.mean(), table.std(ddof=0), strict=True)
        ]
        cells += [f"{seconds:.1f}", f"{seconds / reference:.2f}"]
        yield f"| {name} | " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", default=["grocery", "cifar", "aquarium"])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    default = Path(tempfile.gettempdir()) / "vernis-benchmarks"
    parser.add_argument("--cache", type=Path, default=default, help="where vectors are kept")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="without the peers")
    parser.add_argument("--ablate", action="store_true", help="each choice alone")
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # scikit-learn warns that five epochs do not converge
    learners = {**HEADS, **({} if options.quick else PEERS)}
    learners |= ABLATIONS if options.ablate else {}
    for name in options.sets:
        task = load(name, options.data, options.cache)
        for line in report(task, learners, range(options.seeds)):
            print(line, flush=True)


if __name__ == "__main__":
    main()
