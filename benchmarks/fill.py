"""Does fill keep its promise? Random draws on real sets, against the true labels.

    python benchmarks/fill.py [--data ../shared/data] [--draws 20] [--sets grocery aquarium]
    python benchmarks/fill.py --models kernel bagged_mlp

Each draw labels a random 80 % of grocery's train split (all of its test split is unknown, coarse
classes), or a random half of aquarium: single photos, or whole bursts of near-identical shots.
Precision is the share of suggested labels that are true; it holds when it is at least the promised
one, or nothing is suggested. Coverage is the share of the unknown images that get a label.
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage

from vernis.core.fill.head import gather_evidence
from vernis.core.learn.heads import make_head
from vernis.core.learn.scaling import BlockScaler
from vernis.session.vectors import layer_slices

PRECISIONS = (0.90, 0.95)
HEADS = {"kernel": (400, {}), "bagged_mlp": (100, {"n_estimators": 8})}
"""Principal components and parameters, as ``vernis fill`` has them."""


def read_set(data: Path, name: str) -> tuple[list[Path], np.ndarray, np.ndarray]:
    """Return the files, the labels (n, n_classes) and the splits."""
    with (data / name / "images.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    column = "coarse" if name == "grocery" else "labels"
    carried = [{c for c in row[column].split("|") if c} for row in rows]
    classes = sorted(set().union(*carried))
    Y = np.array([[c in own for c in classes] for own in carried], np.float32)
    files = [data / name / row["image"] for row in rows]
    return files, Y, np.array([row["split"] for row in rows])


def embed(files: list[Path], cache: Path, name: str) -> np.ndarray:
    """Return the default space's vectors, its layers scaled as ``vernis fill`` does.

    The vectors are kept in ``cache`` for the next run.
    """
    from vernis.adapters.backbones.zoo import open_backbone
    from vernis.adapters.pixels import decode

    reader = open_backbone().reader()
    kept = cache / f"{name}_{reader.space.name.replace('/', '_')}.npy"
    if not kept.exists():
        measure = reader.open()
        cache.mkdir(parents=True, exist_ok=True)
        np.save(kept, np.stack([measure(decode(path)) for path in files]))
    vectors = np.load(kept).astype(np.float32)
    return BlockScaler(layer_slices(reader.space)).fit(vectors).transform(vectors)


def find_bursts(X: np.ndarray) -> np.ndarray:
    """Return a number for each burst: average linkage, cosine similarity 0.75."""
    rows = X / np.linalg.norm(X, axis=1, keepdims=True)
    return fcluster(linkage(rows, "average", metric="cosine"), 0.25, "distance")


def draw_labelled(setup: str, X: np.ndarray, split: np.ndarray, seed: int) -> tuple:
    """Return rows that are labelled and rows that are unknown."""
    rng = np.random.default_rng([seed, 0xD2A3])
    if setup == "grocery":
        train = np.flatnonzero(split == "train")
        labelled = rng.choice(train, int(0.8 * len(train)), replace=False)
        return np.sort(labelled), np.flatnonzero(split == "test")
    units = np.arange(len(X)) if setup == "aquarium" else find_bursts(X)
    order = rng.permutation(np.unique(units))
    sizes = np.cumsum([(units == u).sum() for u in order])
    known = np.isin(units, order[sizes <= len(X) / 2])
    return np.flatnonzero(known), np.flatnonzero(~known)


def run_draw(
    setup: str, X: np.ndarray, Y: np.ndarray, split: np.ndarray, seed: int, model: str
) -> list[dict]:
    """Fill one draw at every precision."""
    labelled, unknown = draw_labelled(setup, X, split, seed)
    rows = np.concatenate([labelled, unknown])
    given = Y[rows].copy()
    given[len(labelled) :] = np.nan
    kind = "single" if setup == "grocery" else "multi"
    components, parameters = HEADS[model]
    head = make_head(model, kind, n_components=components, seed=seed, parameters=parameters)
    evidence = gather_evidence(X[rows], given, kind=kind, head=head, seed=seed)
    results = []
    for precision in PRECISIONS:
        plan = evidence.plan(precision, seed=seed)
        images = rows[evidence.unlabelled[plan.image]]
        right = Y[images, plan.label] == 1
        filled = np.unique(images)
        results.append(
            {
                "promised": precision,
                "achieved": right.mean() if len(right) else np.nan,
                "holds": not len(right) or right.mean() >= precision,
                "coverage": np.isin(unknown, filled).mean(),
                "recall": right.sum() / Y[unknown].sum(),
                "noise": plan.noise,
            }
        )
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--draws", type=int, default=20)
    setups = ("grocery", "aquarium", "aquarium-bursts")
    parser.add_argument("--sets", nargs="+", choices=setups, default=list(setups))
    parser.add_argument("--models", nargs="+", choices=tuple(HEADS), default=["kernel"])
    parser.add_argument("--cache", type=Path, default=Path("/tmp/vernis-benchmark"))
    parser.add_argument("--verbose", action="store_true", help="print every draw")
    options = parser.parse_args()
    head = [
        "set",
        "promised",
        "achieved min",
        "median",
        "max",
        "holds",
        "empty",
        "coverage",
        "recall",
    ]
    print(" | ".join(head))
    for setup in options.sets:
        files, Y, split = read_set(options.data, setup.partition("-")[0])
        X = embed(files, options.cache, setup.partition("-")[0])
        for model in options.models:
            start, rows = time.perf_counter(), []
            for seed in range(options.draws):
                rows += run_draw(setup, X, Y, split, seed, model)
                if options.verbose:
                    found = (f"{k}={v:.3f}" for r in rows[-2:] for k, v in r.items())
                    print(seed, *found, flush=True)
            for precision in PRECISIONS:
                print(summarize(f"{setup}, {model}", precision, rows), flush=True)
            print(
                f"({setup}, {model}: {(time.perf_counter() - start) / options.draws:.1f} s a draw)"
            )


def summarize(name: str, precision: float, rows: list[dict]) -> str:
    """Return a line of the table."""
    own = [row for row in rows if row["promised"] == precision]
    achieved = np.array([row["achieved"] for row in own])
    some = achieved[~np.isnan(achieved)]
    low, middle, high = np.quantile(some, [0, 0.5, 1]) if len(some) else np.full(3, np.nan)
    coverage = np.median([row["coverage"] for row in own])
    recall = np.median([row["recall"] for row in own])
    kept = sum(row["holds"] for row in own)
    return (
        f"{name} | {precision:.2f} | {low:.3f} | {middle:.3f} | {high:.3f} | "
        f"{kept}/{len(own)} | {len(own) - len(some)} | {coverage:.2f} | {recall:.2f}"
    )


if __name__ == "__main__":
    main()
