"""Does fill keep its promise? Random draws on real sets, against the true labels.

    python benchmarks/fill.py [--data ../shared/data] [--draws 20] [--sets grocery aquarium]
    python benchmarks/fill.py --models kernel bagged_mlp
    python benchmarks/fill.py --label-next --sets clothing_a aquarium

Each draw labels a random 80 % of grocery's train split (all of its test split is unknown, coarse
classes), or a random half of another set: single photos, or whole bursts of near-identical shots;
of cifar10n_a 2,500 pictures are drawn first, by the seed. Precision is the share of suggested
labels that are true. Coverage is the share of the unknown images that get a label of a class with
at least 20 unknown images; a draw without any suggestion keeps its promise and covers nothing. The
oracle knows the truth: for each of these classes it takes the threshold of the head's probability
that fills most at the promised precision. ``--label-next`` labels 50 more of the images that cannot
be filled, those that ``vernis fill`` names or as many at random, after a start with 60 % of the
labels, and prints how many of the unknown images then have a label.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage

import label_issues
from vernis.core.fill.head import gather_evidence
from vernis.core.fill.next_labels import choose_next_labels
from vernis.core.learn.heads import make_head
from vernis.core.learn.scaling import BlockScaler

PRECISIONS = (0.90, 0.95)
SINGLE = {"grocery": "coarse", "clothing_a": "label", "cifar10n_a": "clean"}
"""The column of the sets that carry one label an image."""
LEAST_UNKNOWN = 20
"""Unknown images from which a class counts for coverage."""
CIFAR_IMAGES = 2500
N_NEXT = 50
HEADS = {"kernel": (400, {}), "bagged_mlp": (100, {"n_estimators": 8})}
"""Principal components and parameters, as ``vernis fill`` has them."""


def read_set(data: Path, name: str) -> tuple[list[dict], np.ndarray, np.ndarray]:
    """Return the rows, the labels (n, n_classes) and the splits."""
    rows = label_issues.read_rows(data, name)
    single = SINGLE.get(name)
    carried = [
        {row[single]} if single else {c for c in row["labels"].split("|") if c} for row in rows
    ]
    classes = sorted(set().union(*carried))
    Y = np.array([[c in own for c in classes] for own in carried], np.float32)
    if name == "coco128_a":
        Y = Y[:, Y.sum(axis=0) >= 5]
    return rows, Y, np.array([row.get("split", "") for row in rows])


def read_features(data: Path, name: str, cache: Path) -> np.ndarray:
    """Return the default space's vectors, its layers scaled as ``vernis fill`` does."""
    layers = label_issues.read_vectors(data, name, cache)
    blocks = [np.asarray(layers[layer], np.float32) for layer in label_issues.LAYERS]
    ends = np.cumsum([0, *(block.shape[1] for block in blocks)]).tolist()
    scaler = BlockScaler(list(itertools.pairwise(ends)))
    joined = np.hstack(blocks)
    return scaler.fit(joined).transform(joined)


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
    if setup == "cifar10n_a":
        drawn = rng.choice(len(X), CIFAR_IMAGES, replace=False)
        return np.sort(drawn[: CIFAR_IMAGES // 2]), np.sort(drawn[CIFAR_IMAGES // 2 :])
    units = find_bursts(X) if setup.endswith("-bursts") else np.arange(len(X))
    order = rng.permutation(np.unique(units))
    sizes = np.cumsum([(units == u).sum() for u in order])
    known = np.isin(units, order[sizes <= len(X) / 2])
    return np.flatnonzero(known), np.flatnonzero(~known)


def oracle_coverage(
    unknown: np.ndarray, truth: np.ndarray, kind: str, precision: float, counted: np.ndarray
) -> float:
    """Return the coverage of the best threshold per class, chosen with the truth."""
    answers = np.zeros(truth.shape, bool)
    if kind == "single":
        answers[np.arange(len(unknown)), unknown.argmax(axis=1)] = True
    else:
        answers = unknown >= 0.05
    accepted = np.zeros(truth.shape, bool)
    for column in np.flatnonzero(counted):
        rows = np.flatnonzero(answers[:, column])
        rows = rows[np.argsort(-unknown[rows, column], kind="stable")]
        right = np.cumsum(truth[rows, column]) / np.arange(1, len(rows) + 1)
        good = np.flatnonzero(right >= precision)
        if len(good):
            accepted[rows[: good[-1] + 1], column] = True
    return float(accepted.any(axis=1).mean())


def run_draw(
    setup: str, X: np.ndarray, Y: np.ndarray, split: np.ndarray, seed: int, model: str
) -> list[dict]:
    """Fill one draw at every precision."""
    labelled, unknown = draw_labelled(setup, X, split, seed)
    rows = np.concatenate([labelled, unknown])
    given = Y[rows].copy()
    given[len(labelled) :] = np.nan
    kind = "single" if setup in SINGLE else "multi"
    components, parameters = HEADS[model]
    head = make_head(model, kind, n_components=components, seed=seed, parameters=parameters)
    evidence = gather_evidence(X[rows], given, kind=kind, head=head, seed=seed)
    truth = Y[rows[evidence.unlabelled]] == 1
    counted = truth.sum(axis=0) >= LEAST_UNKNOWN
    results = []
    for precision in PRECISIONS:
        plan = evidence.plan(precision, seed=seed)
        right = truth[plan.image, plan.label]
        covered = np.unique(plan.image[counted[plan.label]])
        results.append(
            {
                "promised": precision,
                "achieved": right.mean() if len(right) else np.nan,
                "coverage": len(covered) / len(truth),
                "oracle": oracle_coverage(evidence.unknown, truth, kind, precision, counted),
                "noise": plan.noise,
            }
        )
    return results


def run_label_next(
    setup: str, X: np.ndarray, Y: np.ndarray, split: np.ndarray, seed: int, precision: float
) -> dict[str, float]:
    """Return the share of unknown images with a label: before, by choice and at random."""
    labelled, unknown = draw_labelled(setup, X, split, seed)
    rng = np.random.default_rng([seed, 9])
    labelled = np.sort(rng.choice(labelled, int(0.6 * len(labelled)), replace=False))
    rows = np.concatenate([labelled, unknown])
    given = Y[rows].copy()
    given[len(labelled) :] = np.nan
    kind = "single" if setup in SINGLE else "multi"

    def fill(labels: np.ndarray):
        head = make_head("kernel", kind, n_components=HEADS["kernel"][0], seed=seed)
        evidence = gather_evidence(X[rows], labels, kind=kind, head=head, seed=seed)
        return evidence, evidence.unlabelled[evidence.plan(precision, seed=seed).image]

    evidence, filled = fill(given)
    left = np.setdiff1d(evidence.unlabelled, filled)
    nearest = evidence.holdout.unknown.nearest[np.searchsorted(evidence.unlabelled, left)]
    ways = {
        "by choice": choose_next_labels(X[rows], left, N_NEXT, nearest=nearest, seed=seed),
        "at random, of those left": rng.choice(left, min(N_NEXT, len(left)), replace=False),
        "at random": rng.choice(evidence.unlabelled, N_NEXT, replace=False),
    }
    shares = {"before": len(np.unique(filled)) / len(unknown)}
    for way, chosen in ways.items():
        more = given.copy()
        more[chosen] = Y[rows[chosen]]
        done = np.union1d(fill(more)[1], chosen)
        shares[way] = len(done) / len(unknown)
    return shares


def print_label_next(setup: str, X: np.ndarray, Y: np.ndarray, split: np.ndarray, options) -> None:
    """Print the mean of the shares, and the difference to random with its standard error."""
    for precision in PRECISIONS:
        seeds = range(options.first, options.first + options.draws)
        found = [run_label_next(setup, X, Y, split, seed, precision) for seed in seeds]
        for way in found[0]:
            share = np.array([one[way] for one in found])
            more = share - [one["at random"] for one in found]
            error = more.std(ddof=1) / np.sqrt(len(more))
            found_now = f"{share.mean():.3f} | {more.mean():+.3f}, s.e. {error:.3f}"
            print(f"{setup} | {precision} | {way} | {found_now}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="seed of the first draw")
    setups = ("grocery", "clothing_a", "cifar10n_a", "aquarium", "aquarium-bursts", "chess_a")
    setups += ("coco128_a",)
    parser.add_argument("--sets", nargs="+", choices=setups, default=list(setups))
    parser.add_argument("--models", nargs="+", choices=tuple(HEADS), default=["kernel"])
    parser.add_argument("--cache", type=Path, default=Path("/tmp/vernis-benchmark"))
    parser.add_argument("--label-next", action="store_true", help="what 50 more labels bring")
    parser.add_argument("--verbose", action="store_true", help="print every draw")
    options = parser.parse_args()
    print("set, head | promised | achieved min | median | kept | empty | coverage | oracle | ratio")
    for setup in options.sets:
        name = setup.partition("-")[0]
        _, Y, split = read_set(options.data, name)
        X = read_features(options.data, name, options.cache)
        if options.label_next:
            print_label_next(setup, X, Y, split, options)
            continue
        for model in options.models:
            start, rows = time.perf_counter(), []
            for seed in range(options.first, options.first + options.draws):
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
    low, middle = np.quantile(some, [0, 0.5]) if len(some) else np.full(2, np.nan)
    coverage, oracle = (np.mean([row[key] for row in own]) for key in ("coverage", "oracle"))
    kept = len(own) - (some < precision).sum()
    return (
        f"{name} | {precision:.2f} | {low:.3f} | {middle:.3f} | {kept}/{len(own)} | "
        f"{len(own) - len(some)} | {coverage:.2f} | {oracle:.2f} | {coverage / oracle:.2f}"
    )


if __name__ == "__main__":
    main()
