"""How well wrong labels are found in several labels an image: Vernis beside cleanlab.

    pip install -r benchmarks/requirements.txt
    python benchmarks/label_errors.py [--sizes small large] [--seeds 3] [--first-seed 0]

The synthetic sets of Thyagarajan et al., *Identifying Incorrect Annotations in Multi-Label
Classification Data* (2022): `make_multilabel_classification`, 5,000 × 4 labels of 3 features and
30,000 × 50 labels of 20 features (95 % kept), rows of unit length, a random valid 2 × 2 noise
matrix for each class with its mean diagonal 1 - gamma(2, 0.01), at most three wrong labels an
image.

Prints average precision (AP) of finding the images with a wrong label, and with two or more.
cleanlab gets 5-fold probabilities of logistic regression and of a random forest on the standardized
features, each with the setting of least log loss, and their mean; every scorer on every model.
Vernis runs as it ships.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import make_multilabel_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import KFold, train_test_split

from vernis.core.labels.issues import find_label_issues
from vernis.core.labels.predictions import predict_labels
from vernis.core.numeric.components import combine_blocks

SIZES = {
    "small": {"n_samples": 5000, "n_features": 3, "n_classes": 4, "n_labels": 2},
    "large": {"n_samples": 30000, "n_features": 20, "n_classes": 50, "n_labels": 5},
}
STRENGTHS = (1.0, 10.0, 100.0)
LEAVES = (5, 20)
FloatArray = NDArray[np.float32]


@dataclass(frozen=True)
class Task:
    """``given`` and ``truth`` have shape (n, K)."""

    x: FloatArray
    given: NDArray[np.int64]
    truth: NDArray[np.int64]

    @property
    def wrong(self) -> NDArray[np.intp]:
        return np.asarray((self.given != self.truth).sum(axis=1))


def make_task(size: str, seed: int) -> Task:
    """Draw a set, with cleanlab's own generator of noise matrices."""
    from cleanlab.benchmarking.noise_generation import (
        generate_noise_matrix_from_trace,
        generate_noisy_labels,
    )
    from cleanlab.internal.multilabel_scorer import multilabel_py

    np.random.seed(seed)
    n_classes = SIZES[size]["n_classes"]
    traces = 1 - np.random.gamma(2.0, 0.01, size=n_classes)
    traces[np.argsort(traces)] *= 1 - np.exp(-(np.arange(n_classes) ** 2) / n_classes) / (
        2 * n_classes
    )
    traces = np.maximum(traces, 1 - traces)
    x, y = make_multilabel_classification(length=500, random_state=seed, **SIZES[size])
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    x, _, truth, _ = train_test_split(x, y, test_size=0.05, random_state=seed)
    given = truth.copy()
    chances = list(zip(traces, multilabel_py(truth), strict=True))
    np.random.seed(seed + 1000)
    matrices = [
        generate_noise_matrix_from_trace(
            2, trace=2 * trace, py=py, valid_noise_matrix=True, seed=seed + k
        )
        for k, (trace, py) in enumerate(chances)
    ]
    np.random.seed(seed + 1000)
    for k, matrix in enumerate(matrices):
        rows = np.flatnonzero((given != truth).sum(axis=1) < 3)
        given[rows, k] = generate_noisy_labels(given[rows, k], matrix)
    return Task(x.astype(np.float32), given, truth)


def out_of_fold(task: Task, model: str, setting: float, seed: int) -> FloatArray:
    x = (task.x - task.x.mean(axis=0)) / task.x.std(axis=0)
    probs = np.zeros(task.given.shape, dtype=np.float32)
    for train, test in KFold(5, shuffle=True, random_state=seed).split(x):
        if model == "forest":
            forest = RandomForestClassifier(
                100, min_samples_leaf=int(setting), random_state=seed, max_samples=0.5
            ).fit(x[train], task.given[train])
            probs[test] = np.stack([p[:, -1] for p in forest.predict_proba(x[test])], axis=1)
        else:
            for k, column in enumerate(task.given[train].T):
                fitted = LogisticRegression(C=setting).fit(x[train], column)
                probs[test, k] = fitted.predict_proba(x[test])[:, 1]
    return probs


def best_probs(task: Task, model: str, seed: int) -> FloatArray:
    """Return the probabilities of the setting with the least cross-validated log loss."""
    found = [
        out_of_fold(task, model, s, seed) for s in (LEAVES if model == "forest" else STRENGTHS)
    ]
    losses = [-np.log(np.clip(np.where(task.given == 1, p, 1 - p), 1e-6, 1)).mean() for p in found]
    return found[int(np.argmin(losses))]


def peer_scores(task: Task, probs: FloatArray) -> dict[str, NDArray[np.float64]]:
    """Return the score of every scorer; low = bad."""
    from cleanlab.internal.multilabel_scorer import (
        Aggregator,
        ClassLabelScorer,
        MultilabelScorer,
        exponential_moving_average,
        softmin,
    )

    p = np.clip(probs.astype(np.float64), 1e-6, 1 - 1e-6)
    bases = {
        "self-confidence": ClassLabelScorer.SELF_CONFIDENCE,
        "margin": ClassLabelScorer.NORMALIZED_MARGIN,
        "entropy": ClassLabelScorer.CONFIDENCE_WEIGHTED_ENTROPY,
    }
    joins = {
        "EMA 0.8 (default)": Aggregator(exponential_moving_average, alpha=0.8),
        "softmin 0.1": Aggregator(softmin, temperature=0.1),
        "min": Aggregator(np.min),
    }
    found = {
        f"{base}, {join}": MultilabelScorer(base_scorer=b, aggregator=j)(task.given, p)
        for base, b in bases.items()
        for join, j in joins.items()
    }
    return found | {"mse (thesis)": -((task.given - p) ** 2).mean(axis=1)}


def report(name: str, task: Task, score: NDArray[np.floating]) -> tuple[float, float]:
    found = (
        average_precision_score(task.wrong > 0, -score),
        average_precision_score(task.wrong > 1, -score),
    )
    print(f"  {name:52} {found[0]:.3f}  {found[1]:.3f}", flush=True)
    return found


def measure(size: str, seed: int, peers: bool) -> dict[str, tuple[float, float]]:
    task = make_task(size, seed)
    print(f"{size} {seed}: {(task.wrong > 0).mean():.0%} of {len(task.x):,} wrong", flush=True)
    started = time.process_time()
    given = task.given.astype(np.float32)
    probs = predict_labels(combine_blocks([task.x], seed=seed), given, kind="multi", seed=seed)
    issues = find_label_issues(given, probs)
    seconds = time.process_time() - started
    name = "Vernis, as it ships"
    table = {name: report(name, task, issues.score)}
    several = "Vernis, chance of two or more wrong"
    table[several] = report(several, task, 1.0 - issues.probability_of_multiple)
    right = (task.wrong > 0)[issues.flagged].mean() if issues.flagged.any() else 0.0
    print(
        f"  count/truth {issues.wrong.count / task.wrong.sum():.2f} "
        f"[{issues.wrong.low / task.wrong.sum():.2f}, {issues.wrong.high / task.wrong.sum():.2f}]"
        f"  {issues.flagged.sum():,} flagged, {right:.0%} rightly  {seconds:.0f} s of processor"
    )
    if not peers:
        return table
    models = {kind: best_probs(task, kind, seed) for kind in ("logistic", "forest")}
    models["mean of both"] = (models["logistic"] + models["forest"]) / 2
    for kind, probs in models.items():
        for scorer, score in peer_scores(task, probs).items():
            table[f"{kind}: {scorer}"] = report(f"{kind}: {scorer}", task, score)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", nargs="+", choices=tuple(SIZES), default=tuple(SIZES))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--no-peers", action="store_true")
    options = parser.parse_args()
    for size in options.sizes:
        seeds = range(options.first_seed, options.first_seed + options.seeds)
        runs = [measure(size, seed, not options.no_peers) for seed in seeds]
        means = {name: np.mean([run[name] for run in runs], axis=0) for name in runs[0]}
        spread = {name: np.std([run[name][0] for run in runs]) for name in runs[0]}
        print(f"{size}: mean of {len(runs)} seeds: any wrong (± deviation), two or more wrong")
        for name in sorted(means, key=lambda key: -means[key][0]):
            any_wrong, two = means[name]
            print(f"  {name:52} {any_wrong:.3f} ±{spread[name]:.3f}  {two:.3f}")


if __name__ == "__main__":
    main()
