"""How well wrong labels are found: Vernis beside cleanlab on three development sets.

    pip install -r benchmarks/requirements.txt
    python benchmarks/label_issues.py [--data ../shared/data] [--vectors FOLDER] [--seeds 3]
        [--first-seed 0] [--sets random1 aggre worse aquarium grocery] [--spaces layers pooled]

Prints the average precision of finding the images with a wrong label. cleanlab gets out-of-fold
probabilities (5 folds) of a logistic regression on the same embedding, standardized and, for speed,
cut to its first 300 principal components (``--peer-components``). Its strength of regularization is
the best of a grid by cross-validated log loss, its scorer the best by the truth, which is more than
a user could have. A seed moves folds, landmarks and planted noise.
Vectors are computed by the shipped backbone once and kept in ``--vectors``.

`random1`, `aggre`, `worse`: the human labels of cifar10n_a. `aquarium` (closed, multi-label):
10 % of the labels dropped, 10 % moved to another class. `grocery` (81 fine classes): 10 % moved,
10 % unknown. `grocery-groups`: the same, where photos of one burst never speak for one another,
in neither method.
"""

from __future__ import annotations

import argparse
import csv
import io
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import GroupKFold, StratifiedKFold

from vernis.core.labels.issues import LabelIssues, find_label_issues
from vernis.core.labels.predictions import predict_labels
from vernis.core.labels.scores import LABEL_SCORERS, as_matrix, label_quality
from vernis.core.learn.noise import drop_labels, flip_labels, flip_uniform, forget_labels
from vernis.core.numeric.components import combine_blocks

LAYERS = ("stage4.pooled", "stage5.pooled", "stage6.pooled", "pooled")
SETS = ("random1", "aggre", "worse", "aquarium", "grocery", "grocery-groups")
GRID = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
Array = NDArray[np.generic]


@dataclass(frozen=True)
class Task:
    """``labels`` and ``truth``: (n,) int for single-label or (n, K); ``wrong``: (n,) bool."""

    folder: str
    labels: Array
    wrong: NDArray[np.bool_]
    n_wrong: int
    n_classes: int
    groups: NDArray[np.int64] | None = None

    @property
    def single(self) -> bool:
        return self.labels.ndim == 1

    @property
    def matrix(self) -> NDArray[np.float32]:
        return as_matrix(self.labels, self.n_classes)

    @property
    def rows(self) -> NDArray[np.bool_]:
        return np.isfinite(self.matrix).any(axis=1)


def read_rows(data: Path, folder: str) -> list[dict[str, str]]:
    name = "labels.csv" if folder == "cifar10n_a" else "images.csv"
    with (data / folder / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def make_task(data: Path, name: str, seed: int) -> Task:
    """Read a set and plant its noise."""
    if name in ("random1", "aggre", "worse"):
        rows = read_rows(data, "cifar10n_a")
        classes = sorted({row["clean"] for row in rows})
        given = np.asarray([classes.index(row[name]) for row in rows])
        wrong = np.asarray([row[name] != row["clean"] for row in rows])
        return Task("cifar10n_a", given, wrong, int(wrong.sum()), len(classes))
    if name == "aquarium":
        rows = read_rows(data, "aquarium")
        classes = sorted({label for row in rows for label in row["labels"].split("|") if label})
        truth = np.asarray([[c in row["labels"].split("|") for c in classes] for row in rows], "f4")
        given = flip_labels(drop_labels(truth, 0.1, seed), 0.1, seed)
        wrong = (given != truth).any(axis=1)
        return Task("aquarium", given, wrong, int((given != truth).sum()), len(classes))
    rows = read_rows(data, "grocery")
    classes = sorted({row["fine"] for row in rows})
    truth = np.asarray([classes.index(row["fine"]) for row in rows])
    flipped = np.asarray(flip_uniform(truth, 0.1, seed)).astype(np.int64)
    unknown = np.isnan(forget_labels(as_matrix(flipped, len(classes)), 0.1, seed)).all(axis=1)
    given = np.where(unknown, -1, flipped)
    wrong = (flipped != truth) & ~unknown
    # A burst is a run of 10 consecutive photos of a class in a split.
    keys = [(row["split"], row["fine"]) for row in rows]
    runs: dict[tuple[str, str], int] = {}
    burst = []
    for key in keys:
        runs[key] = runs.get(key, 0) + 1
        burst.append((*key, (runs[key] - 1) // 10))
    codes = {key: code for code, key in enumerate(dict.fromkeys(burst))}
    groups = np.asarray([codes[key] for key in burst]) if name == "grocery-groups" else None
    return Task("grocery", given, wrong, int(wrong.sum()), len(classes), groups)


def read_vectors(data: Path, folder: str, store: Path) -> dict[str, NDArray[np.float32]]:
    """Return the vectors of each layer, computed by the shipped backbone when not yet stored."""
    path = store / f"{folder}.layers.npz"
    if not path.exists():
        store.mkdir(parents=True, exist_ok=True)
        np.savez(path, **compute_vectors(data, folder))
    with np.load(path) as found:
        return {name: found[name].astype(np.float32) for name in LAYERS}


def compute_vectors(data: Path, folder: str) -> dict[str, NDArray[np.float16]]:
    from vernis.adapters.backbones.zoo import open_backbone

    reader = open_backbone(arithmetic="fp32").reader("+".join(LAYERS))
    embed = reader.open()
    rows = np.stack([embed(pixels) for pixels in read_pictures(data, folder)])
    widths = [width for _, width in reader.space.settings["layers"]]
    parts = np.split(rows, np.cumsum(widths)[:-1], axis=1)
    return dict(zip(LAYERS, parts, strict=True))


def read_pictures(data: Path, folder: str) -> Iterator[NDArray[np.uint8]]:
    from PIL import Image, ImageOps

    names = [row["image"] for row in read_rows(data, folder)]
    archive = data / folder / "images.zip"
    if archive.exists():
        with zipfile.ZipFile(archive) as file:
            inside = {Path(name).name: name for name in file.namelist()}
            for name in names:
                with Image.open(io.BytesIO(file.read(inside[name]))) as picture:
                    yield np.asarray(picture.convert("RGB"))
        return
    for name in names:
        with Image.open(data / folder / name) as picture:
            yield np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))


def run_vernis(task: Task, blocks: list[NDArray[np.float32]], seed: int) -> LabelIssues:
    features = combine_blocks(blocks, seed=seed)
    kind = "single" if task.single else "multi"
    probs = predict_labels(features, task.matrix, kind=kind, groups=task.groups, seed=seed)
    run_vernis.probs = probs  # type: ignore[attr-defined]
    return find_label_issues(task.labels, probs)


def rotate(blocks: list[NDArray[np.float32]], n_components: int) -> NDArray[np.float32]:
    """Standardize and rotate to the leading principal axes."""
    x = np.concatenate(blocks, axis=1)
    x = (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-7)
    values, axes = np.linalg.eigh((x.T @ x).astype(np.float64))
    kept = axes[:, values > 1e-6 * values[-1]][:, -n_components:]
    return (x @ kept).astype(np.float32)


def out_of_fold(x: NDArray[np.float32], task: Task, strength: float, seed: int) -> Array:
    """Return cross-validated probabilities of the labelled rows, (n_labelled, K)."""
    rows = np.flatnonzero(task.rows)
    x = x[rows]

    def predict(y: Array) -> NDArray[np.float64]:
        if task.groups is None:
            folds = StratifiedKFold(5, shuffle=True, random_state=seed).split(x, y)
        else:
            folds = GroupKFold(5, shuffle=True, random_state=seed).split(x, y, task.groups[rows])
        probs = np.full((len(y), int(y.max()) + 1), 1e-6)
        for train, test in folds:
            model = LogisticRegression(C=strength, max_iter=200).fit(x[train], y[train])
            probs[np.ix_(test, model.classes_.astype(int))] = model.predict_proba(x[test])
        return probs

    if task.single:
        return predict(task.labels[rows])
    columns = task.labels.astype(int).T
    return np.stack([predict(column)[:, 1] for column in columns], axis=1)


def log_loss(task: Task, probs: Array) -> float:
    given = task.matrix[task.rows]
    chance = np.where(given == 1, probs, 1 - probs)
    if task.single:
        chance = np.where(given == 1, probs, 0).sum(axis=1)
    return -float(np.log(np.clip(chance, 1e-6, 1)).mean())


def cleanlab_scorers(task: Task, probs: Array) -> dict[str, float]:
    """Return the average precision of each of cleanlab's scorers."""
    wrong = task.wrong[task.rows]
    if task.single:
        from cleanlab.rank import get_label_quality_scores

        given = task.labels[task.rows]
        names = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
        score: Callable[[str], Array] = lambda m: get_label_quality_scores(  # noqa: E731
            given, probs, method=m
        )
    else:
        from cleanlab.multilabel_classification import get_label_quality_scores as multi

        given_lists = [np.flatnonzero(row == 1).tolist() for row in task.labels]
        joins: dict[str, dict[str, object]] = {
            "EMA 0.8 (default)": {"method": "exponential_moving_average", "alpha": 0.8},
            "softmin 0.1": {"method": "softmin", "temperature": 0.1},
            "min": {"method": np.min},
        }
        names = tuple(joins)
        score = lambda m: multi(given_lists, probs, aggregator_kwargs=joins[m])  # noqa: E731
    return {name: average_precision_score(wrong, -score(name)) for name in names}


def choose_strength(x: NDArray[np.float32], task: Task) -> float:
    losses = {c: log_loss(task, out_of_fold(x, task, c, seed=0)) for c in GRID}
    return min(losses, key=lambda c: losses[c])


def measure(options: argparse.Namespace, name: str, space: str, peers: bool) -> None:
    ours, theirs, counts, seconds = [], [], [], []
    strength = None
    scorers = ""
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    for seed in seeds:
        task = make_task(options.data, name, seed)
        vectors = read_vectors(options.data, task.folder, options.vectors)
        blocks = [vectors[k] for k in (LAYERS if space == "layers" else LAYERS[-1:])]
        started = time.perf_counter()
        issues = run_vernis(task, blocks, seed)
        seconds.append(time.perf_counter() - started)
        rows = task.rows
        ours.append(average_precision_score(task.wrong[rows], -issues.score[rows]))
        counts.append(issues.wrong.count / task.n_wrong)
        if options.all_scorers and seed == seeds[0]:
            probs = run_vernis.probs  # type: ignore[attr-defined]
            scorers = "  ".join(
                f"{s} {average_precision_score(task.wrong[rows], -q[rows]):.3f}"
                for s in LABEL_SCORERS
                for q in [label_quality(task.labels, probs, scorer=s)]
            )
        if peers and len(theirs) < options.peer_seeds:
            x = rotate(blocks, options.peer_components)
            strength = strength or choose_strength(x, task)
            found = cleanlab_scorers(task, out_of_fold(x, task, strength, seed))
            theirs.append(max(found.values()))
    mean = float(np.mean(ours))
    line = f"{name:15} {space:7} {mean:.4f} ±{np.std(ours):.4f}"
    if theirs:
        line += f"  {np.mean(theirs):.4f} ±{np.std(theirs):.4f}  {mean - np.mean(theirs):+.4f}"
        line += f"  C={strength:g} ({len(theirs)} seeds)"
    else:
        line += f"  {'-':>15}"
    line += f"  count/truth {', '.join(f'{c:.2f}' for c in counts)}  {np.median(seconds):.0f} s"
    print(line, flush=True)
    if scorers:
        print(f"{'':24}{scorers}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    store = Path(tempfile.gettempdir()) / "vernis-benchmark-vectors"
    parser.add_argument("--vectors", type=Path, default=store)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument(
        "--peer-components", type=int, default=300, help="PCA before the peer; 0: all"
    )
    parser.add_argument("--peer-seeds", type=int, default=3)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument(
        "--spaces", nargs="+", choices=("layers", "pooled"), default=("layers", "pooled")
    )
    parser.add_argument("--all-scorers", action="store_true", help="list every scorer, first seed")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    try:
        import cleanlab

        peers = options.peer_seeds > 0
        print(f"cleanlab {cleanlab.__version__}; {options.seeds} seeds, mean ± standard deviation")
    except ImportError:
        peers = False
        print("cleanlab is not installed: pip install -r benchmarks/requirements.txt")
    print(f"{'set':15} {'space':7} {'Vernis AP':14}  {'cleanlab AP':15}  difference")
    for name in options.sets:
        for space in options.spaces:
            measure(options, name, space, peers)


if __name__ == "__main__":
    main()
