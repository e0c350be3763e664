"""How many labels are wrong, by a sample that a person judged.

    python benchmarks/judged_count.py [--data ../shared/data] [--vectors FOLDER] [--draws 100]
        [--sizes 50 100 200 300] [--sets random1 aggre worse planted fine coarse few more aquarium]

Judged by the known truth: the human labels of `cifar10n_a`, and 2 % planted there; 5 % planted on
`grocery` (fine, coarse), 5 and 10 % on `clothing_a`, 10 % of the entries of `aquarium`. Printed
are, in units of the truth, the model's count with its interval, and for each size the mean relative
error, the share of intervals (95 %) that hold the truth and their half-width: of a sample drawn by
doubt and counted as Vernis does, and of one drawn evenly and carried over as it is. ``foretold`` is
the half-width that Vernis tells beforehand, as a share of the model's count.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from label_issues import LAYERS, read_rows, read_vectors
from vernis.core.labels.issues import LabelIssues, find_label_issues
from vernis.core.labels.judged_count import (
    count_by_judged,
    draw_by_doubt,
    drawing_chances,
    foretell_error,
)
from vernis.core.labels.predictions import predict_labels
from vernis.core.labels.scores import as_matrix
from vernis.core.learn.noise import flip_labels, flip_uniform
from vernis.core.numeric.components import combine_blocks

PEOPLE = ("random1", "aggre", "worse")
PLANTED = {
    "planted": ("cifar10n_a", "clean", 0.02),
    "fine": ("grocery", "fine", 0.05),
    "coarse": ("grocery", "coarse", 0.05),
    "few": ("clothing_a", "label", 0.05),
    "more": ("clothing_a", "label", 0.10),
}
Floats = NDArray[np.float64]


def judge(options: argparse.Namespace, name: str) -> tuple[LabelIssues, Floats]:
    """Return what the model says of a set, and the wrong labels of each image."""
    folder = "cifar10n_a" if name in PEOPLE else PLANTED.get(name, (name,))[0]
    rows, vectors = (
        read_rows(options.data, folder),
        read_vectors(options.data, folder, options.vectors),
    )
    features = combine_blocks([vectors[layer] for layer in LAYERS])
    if name == "aquarium":
        classes = sorted({one for row in rows for one in row["labels"].split("|") if one})
        truth = np.asarray([[c in row["labels"].split("|") for c in classes] for row in rows], "f4")
        kept = truth.any(axis=1)
        truth, features = truth[kept], features[kept]
        several = flip_labels(truth, 0.1, 1)
        probs = predict_labels(features, several, kind="multi", seed=0)
        return find_label_issues(several, probs), (several != truth).sum(axis=1).astype(float)
    column = "clean" if name in PEOPLE else PLANTED[name][1]
    names, codes = np.unique([row[column] for row in rows], return_inverse=True)
    if name in PEOPLE:
        given = np.searchsorted(names, [row[name] for row in rows])
    else:
        given = np.asarray(flip_uniform(codes, PLANTED[name][2], 1)).astype(np.int64)
    matrix = as_matrix(given, len(names))
    probs = predict_labels(features, matrix, kind="single", seed=0)
    return find_label_issues(given, probs), (given != codes).astype(float)


def draw(issues: LabelIssues, found: Floats, size: int, seed: int) -> tuple[Floats, Floats]:
    """Return count, low and high, by a sample of Vernis and by one that is drawn evenly."""
    expected, chances = issues.expected.astype(float), drawing_chances(issues.variance, size)
    rows = draw_by_doubt(expected, chances, seed=seed)
    ours = count_by_judged(found[rows], expected[rows], chances[rows], total=float(expected.sum()))
    assert ours is not None
    n, even = len(found), np.random.default_rng([seed, size]).permutation(len(found))[:size]
    value = n * found[even].mean()
    half = 1.96 * n * np.sqrt((1 - size / n) * found[even].var(ddof=1) / size)
    return (
        np.array([ours.value, ours.low, ours.high]),
        np.array([value, max(value - half, 0.0), value + half]),
    )


def summary(draws: Floats, truth: float) -> str:
    """Return the relative error, the coverage and the half-width, in units of the truth."""
    error = np.abs(draws[:, 0] / truth - 1).mean()
    holds = ((draws[:, 1] <= truth) & (truth <= draws[:, 2])).mean()
    half = (draws[:, 2] - draws[:, 1]).mean() / 2 / truth
    return f"{error:.2f}, {holds:.2f}, ±{half:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    store = Path(tempfile.gettempdir()) / "vernis-benchmark-vectors"
    parser.add_argument("--vectors", type=Path, default=store)
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--sizes", type=int, nargs="+", default=[50, 100, 200, 300])
    parser.add_argument("--sets", nargs="+", default=[*PEOPLE, *PLANTED, "aquarium"])
    options = parser.parse_args()
    held: list[bool] = []
    print("set, truth, model; size: error, coverage, half-width by doubt | evenly | foretold")
    for name in options.sets:
        issues, found = judge(options, name)
        truth, wrong = float(found.sum()), issues.wrong
        model = "{:.2f} ({:.2f} to {:.2f})".format(
            *(value / truth for value in (wrong.count, wrong.low, wrong.high))
        )
        print(f"{name}: {truth:.0f} wrong of {len(found)} images, model {model}")
        for size in options.sizes:
            pairs = [draw(issues, found, size, seed) for seed in range(options.draws)]
            ours, even = (np.array(side) for side in zip(*pairs, strict=True))
            held += ((ours[:, 1] <= truth) & (truth <= ours[:, 2])).tolist()
            told = foretell_error(issues.variance, size, wrong.count)
            foretold = "" if told is None else f"±{told:.2f}"
            print(f"  {size:3}: {summary(ours, truth)} | {summary(even, truth)} | {foretold}")
    print(f"intervals that hold the truth, all together: {np.mean(held):.3f}")


if __name__ == "__main__":
    main()
