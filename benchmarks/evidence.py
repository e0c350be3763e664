"""Are claims made only where the pictures carry them? Random columns, and counts on clean labels.

    python benchmarks/evidence.py random [--draws 200] [--data ../shared/data] [--vectors FOLDER]
    python benchmarks/evidence.py count [--seeds 3]

`random` draws columns that have nothing to do with the pictures (2 to 30 classes, 40 to 5,000
images, half of them dealt out by groups of nearest images) and prints how many are called
learnable. `count` spoils 0 to 10 % of the true labels (evenly, by habits of each class, or on
pictures that are hard to tell, moved to the likeliest class) and prints the estimated number of
wrong labels beside the planted one, how often its interval holds that, and what is flagged. The
sets' own errors count as right.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from label_issues import LAYERS, read_rows, read_vectors
from vernis.core.labels.issues import find_label_issues
from vernis.core.labels.learnability import measure_learnability
from vernis.core.labels.predictions import predict_labels
from vernis.core.labels.scores import as_matrix
from vernis.core.numeric.components import combine_blocks

COLUMNS = (
    ("cifar10n_a", "clean"),
    ("grocery", "fine"),
    ("grocery", "coarse"),
    ("clothing_a", "label"),
)
SHARES = (0.0, 0.01, 0.02, 0.03, 0.05, 0.1)
KINDS = ("even", "habits", "hard")
Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


def read_sets(options: argparse.Namespace) -> Iterator[tuple[str, Floats, Ints]]:
    for folder, column in COLUMNS:
        vectors = read_vectors(options.data, folder, options.vectors)
        features = combine_blocks([vectors[name] for name in LAYERS])
        values = [row[column] for row in read_rows(options.data, folder)]
        yield f"{folder} {column}", features, np.unique(values, return_inverse=True)[1]


def link_nearest(features: Floats, share: float, rng: np.random.Generator) -> Ints:
    groups = np.arange(len(features))
    near = features @ features.T
    np.fill_diagonal(near, -np.inf)
    for row in rng.choice(len(features), int(share * len(features)), replace=False):
        groups[groups == groups[row]] = groups[near[row].argmax()]
    return groups


def measure_random(options: argparse.Namespace) -> None:
    sets = [features for _, features, _ in read_sets(options)]
    rng = np.random.default_rng(options.first_seed)
    said: Counter[str] = Counter()
    for _ in range(options.draws):
        features = sets[rng.integers(len(sets))]
        most = min(5000, len(features))
        n = int(np.exp(rng.uniform(np.log(40), np.log(most))))
        chosen = features[rng.choice(len(features), n, replace=False)]
        n_classes = int(rng.integers(2, 31))
        shares = rng.dirichlet(np.full(n_classes, rng.choice([0.3, 1.0, 5.0])))
        grouped = rng.random() < 0.5
        groups = link_nearest(chosen, rng.uniform(0.1, 0.6), rng) if grouped else np.arange(n)
        labels = rng.choice(n_classes, n, p=shares)[groups]
        said[measure_learnability(chosen, labels, groups=groups).whole.verdict] += 1
    print(f"{options.draws} random columns:", dict(said))


def spoil(truth: Ints, probs: Floats, share: float, kind: str, rng: np.random.Generator) -> Ints:
    n, n_classes = probs.shape
    index, labels = np.arange(n), truth.copy()
    n_wrong = round(n * share)
    if kind == "even":
        rows = rng.choice(n, n_wrong, replace=False)
        labels[rows] = (truth[rows] + rng.integers(1, n_classes, n_wrong)) % n_classes
        return labels
    table, weight = probs.astype(np.float64) ** 0.7, np.clip(1 - probs[index, truth], 0.02, 1)
    if kind == "habits":
        table = rng.dirichlet(np.full(n_classes, 0.3), n_classes)[truth]
        weight = rng.dirichlet(np.ones(n_classes))[truth]
    table[index, truth] = 0.0
    table += 1e-12
    for row in rng.choice(n, n_wrong, replace=False, p=weight / weight.sum()):
        others = table[row] * (index[:n_classes] != truth[row])
        labels[row] = rng.choice(n_classes, p=others / others.sum())
    return labels


def measure_count(options: argparse.Namespace) -> None:
    print(
        "set, share spoiled: estimate / planted, lowest and highest ratio, interval holds, flagged"
    )
    for name, features, truth in read_sets(options):
        n_classes = int(truth.max()) + 1
        probs = predict_labels(features, as_matrix(truth, n_classes), kind="single")
        for share in SHARES:
            rows = []
            for kind in KINDS if share else KINDS[:1]:
                for seed in range(options.first_seed, options.first_seed + options.seeds):
                    labels = spoil(truth, probs, share, kind, np.random.default_rng(seed))
                    given = as_matrix(labels, n_classes)
                    found = find_label_issues(
                        labels, predict_labels(features, given, kind="single")
                    )
                    wrong = found.wrong
                    planted = int((labels != truth).sum())
                    holds = wrong.low <= planted <= wrong.high
                    rows.append((wrong.count, planted, holds, found.flagged.mean()))
            table = np.asarray(rows, np.float64)
            ratio = table[:, 0] / np.maximum(table[:, 1], 1)
            count, planted, holds, flagged = table.mean(axis=0)
            print(
                f"{name:18} {share:4.0%}: {count:6.1f} / {planted:5.0f}, {ratio.min():.2f} to "
                f"{ratio.max():.2f}, {holds:.2f}, {flagged:.1%}",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("random", "count"))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    store = Path(tempfile.gettempdir()) / "vernis-benchmark-vectors"
    parser.add_argument("--vectors", type=Path, default=store)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    options = parser.parse_args()
    (measure_random if options.what == "random" else measure_count)(options)


if __name__ == "__main__":
    main()
