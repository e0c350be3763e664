"""Wrong labels among several an image: whole pictures, parts of them, and cleanlab on both.

    pip install -r benchmarks/requirements.txt
    python benchmarks/several_labels.py [--data ../shared/data] [--vectors FOLDER] [--seeds 10]
        [--first-seed 0] [--sets aquarium coco128 chess collages] [--split train]
        [--models logistic knn forest] [--rows FILE] [--minutes N]

Four sets: `aquarium`, `coco128`, `chess`, and 240 `collages` of photos (`collages.py`). 10 %
of the labels are flipped, dropped or added. `whole` is Vernis as it ships, `parts` Vernis with
`--thorough`, each set and noise by the vectors that make its labels likeliest (named). Peers get
5-fold probabilities on the whole vectors and on those that `parts` took (the better counts, by the
truth), each with its best strength by cross-validated log loss (searched on the first seed of a set
and noise, then kept), and their best scorer by the truth: cleanlab's EMA (its default), softmin or
minimum of three class scores. Printed are AP of the images with a wrong label, and the paired
difference to the best peer by seed with its 95 % interval (t).

Every measured figure is a row of ``--rows`` at once, so that a run that was stopped (``--minutes``,
or by hand) goes on where it was; seed by seed, so that all sets have about as many.
`--split` takes other pictures: `test` for collages of the photos that were set aside, and the
validation and test pictures of `aquarium`; `train` for the rest of it.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import KFold
from sklearn.neighbors import KNeighborsClassifier

from collages import draw_collages
from label_errors import peer_scores
from label_issues import read_pictures, read_rows
from vernis.core.labels.block_choice import choose_blocks
from vernis.core.labels.issues import find_label_issues
from vernis.core.labels.predictions import predict_labels
from vernis.core.learn.noise import add_labels, drop_labels, flip_labels
from vernis.core.numeric.components import combine_blocks
from vernis.session.vectors import layer_slices

FOLDERS = {"aquarium": "aquarium", "coco128": "coco128_a", "chess": "chess_a"}
NOISE = {"uniform": flip_labels, "missing": drop_labels, "added": add_labels}
STRENGTHS: dict[str, tuple[float, ...]] = {
    "logistic": (1e-4, 1e-3, 1e-2, 1e-1),
    "knn": (5, 10, 20, 40),
    "forest": (3,),
}
N_COLLAGES = 240
BLOCKS = {
    "whole": ["whole"],
    "whole + tiles": ["whole", "tiles"],
    "whole + stages": ["whole", "stages"],
    "whole + tiles + stages": ["whole", "tiles", "stages"],
    "tiles": ["tiles"],
    "stages": ["stages"],
    "tiles + stages": ["tiles", "stages"],
}
WHOLE, PARTS = "Vernis, whole", "Vernis, parts"
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Given:
    """What `label_errors.peer_scores` reads."""

    given: NDArray[np.int64]


def read_set(options: argparse.Namespace, name: str) -> tuple[dict[str, list[Floats]], Floats]:
    """Return the layers of the three spaces, and the true labels, of the images with any."""
    rows: list[dict[str, str]] = []
    pictures: Iterator[NDArray[np.uint8]]
    if name == "collages":
        seed = 1000 if options.split == "test" else 0
        pictures, truth, _ = draw_collages(options.data, N_COLLAGES, seed, options.split or "train")
    else:
        rows = read_rows(options.data, FOLDERS[name])
        classes = sorted({one for row in rows for one in row["labels"].split("|") if one})
        truth = np.asarray([[c in row["labels"].split("|") for c in classes] for row in rows], "f4")
        pictures = read_pictures(options.data, FOLDERS[name])
    label = name + (f"-{options.split}" if name == "collages" and options.split else "")
    layers = read_layers(pictures, options.vectors / f"{label}.parts.npz")
    kept = truth.any(axis=1)
    if name == "aquarium" and options.split:
        kept &= np.asarray(
            [(row["split"] == "train") == (options.split == "train") for row in rows]
        )
    truth = truth[kept]
    found = {space: [block[kept] for block in blocks] for space, blocks in layers.items()}
    return found, truth[:, truth.any(axis=0)]


def read_layers(pictures: Iterator[NDArray[np.uint8]], path: Path) -> dict[str, list[Floats]]:
    """Return the blocks of each space; computed by the shipped networks when not yet stored."""
    from vernis.adapters.backbones.zoo import open_backbone
    from vernis.session.networks import Networks

    readers = [open_backbone().reader(), *Networks().closer_looks()]
    names = ["whole", "tiles", "stages"]
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        looks = [reader.open() for reader in readers]
        rows = [[look(pixels) for look in looks] for pixels in pictures]
        stacked = {name: np.stack([row[i] for row in rows]) for i, name in enumerate(names)}
        np.savez(path, **stacked)  # type: ignore[arg-type]
    with np.load(path) as stored:
        return {
            name: [
                stored[name][:, start:stop].astype(np.float32)
                for start, stop in layer_slices(reader.space)
            ]
            for name, reader in zip(names, readers, strict=True)
        }


def rank(features: Floats, given: Floats, wrong: NDArray[np.bool_], seed: int) -> float:
    """Return Vernis's AP of the images with a wrong label."""
    probs = predict_labels(features, given, kind="multi", seed=seed)
    return float(average_precision_score(wrong, -find_label_issues(given, probs).score))


def rotate(x: Floats) -> Floats:
    """Return the vectors in as many columns as there are images.

    No distance changes and no penalized linear model, and those cost a tenth.
    """
    u, length, _ = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    return np.asarray(u * length, dtype=np.float32)


def out_of_fold(model: str, strength: float, x: Floats, given: Floats, seed: int) -> Floats:
    """Return the probabilities of each class from the other folds, shape of ``given``."""
    probs = np.repeat(given.mean(axis=0, keepdims=True), len(given), axis=0)
    for train, test in KFold(5, shuffle=True, random_state=seed).split(x):
        if model == "logistic":
            for k in np.flatnonzero(given[train].any(axis=0) & (given[train] == 0).any(axis=0)):
                fitted = LogisticRegression(C=strength, max_iter=200).fit(x[train], given[train, k])
                probs[test, k] = fitted.predict_proba(x[test])[:, 1]
            continue
        whole = int(strength)
        every: Any = KNeighborsClassifier(min(whole, len(train)), weights="distance")
        if model == "forest":
            every = RandomForestClassifier(100, min_samples_leaf=whole, random_state=seed)
        every.fit(x[train], given[train])
        for k, found in enumerate(every.predict_proba(x[test])):
            yes = np.flatnonzero(every.classes_[k] == 1)
            probs[test, k] = found[:, yes[0]] if len(yes) else 0.0
    return probs


def peer_rows(
    models: list[str],
    sights: dict[str, Floats],
    given: Floats,
    wrong: NDArray[np.bool_],
    seed: int,
    strengths: dict[str, float],
) -> Iterator[tuple[str, float, str]]:
    """Yield name, AP and strength of every peer: model, vectors, scorer.

    ``strengths`` holds those of earlier seeds; the missing ones are chosen and added.
    """
    for sight, x in sights.items():
        scaled = (x * np.sqrt(x.shape[1])).astype(np.float32)
        rotated = rotate(scaled)
        found: dict[str, Floats] = {}
        for model in models:
            vectors = scaled if model == "forest" else rotated
            at = f"{model} on {sight}"
            tries = (strengths[at],) if at in strengths else STRENGTHS[model]
            tried = [out_of_fold(model, s, vectors, given, seed) for s in tries]
            losses = [
                -np.log(np.clip(np.where(given == 1, p, 1 - p), 1e-6, 1)).mean() for p in tried
            ]
            strengths[at] = tries[int(np.argmin(losses))]
            found[model] = tried[int(np.argmin(losses))]
        # cleanlab's own ensemble is of the first two; the forest is the weakest of the three.
        for n in range(2, len(models) + 1):
            mean = np.mean([found[model] for model in models[:n]], axis=0)
            found["+".join(models[:n])] = mean.astype(np.float32)
        for model, probs in found.items():
            at = f"{model} on {sight}"
            for scorer, score in peer_scores(Given(given.astype(int)), probs).items():  # type: ignore[arg-type]
                ap = float(average_precision_score(wrong, -score))
                yield f"{at}, {scorer}", ap, str(strengths.get(at, ""))


def say_difference(differences: list[float]) -> str:
    """Return the mean of paired differences with its 95 % interval."""
    mean = float(np.mean(differences))
    if len(differences) < 2:
        return f"{mean:+.3f}"
    half = student.ppf(0.975, len(differences) - 1) * np.std(differences, ddof=1)
    half /= np.sqrt(len(differences))
    return f"{mean:+.3f} ({mean - half:+.3f} to {mean + half:+.3f})"


@dataclass
class Rows:
    """The figures measured so far, in a file: set, split, noise, seed, method, AP, how."""

    path: Path
    found: dict[tuple[str, str, int], dict[str, tuple[float, str]]] = field(default_factory=dict)

    def read(self, split: str) -> None:
        """Read the figures of a split."""
        self.found = defaultdict(dict)
        if self.path.exists():
            with self.path.open(newline="", encoding="utf-8") as file:
                for name, at, kind, seed, method, ap, how in csv.reader(file):
                    if at == split:
                        self.found[name, kind, int(seed)][method] = (float(ap), how)

    def add(
        self, split: str, cell: tuple[str, str, int], rows: dict[str, tuple[float, str]]
    ) -> None:
        """Add the figures of a set, noise and seed."""
        self.found[cell].update(rows)
        with self.path.open("a", newline="", encoding="utf-8") as file:
            name, kind, seed = cell
            csv.writer(file).writerows(
                [name, split, kind, seed, method, f"{ap:.5f}", how]
                for method, (ap, how) in rows.items()
            )

    def lacks(self, cell: tuple[str, str, int], models: list[str]) -> bool:
        """Tell whether the figures of Vernis, some model or the last mean of models are missing."""
        wanted = {"Vernis,", *models, "+".join(models)} - {""}
        return bool(wanted - {method.split(" ")[0] for method in self.found.get(cell, {})})

    def strengths(self, name: str, kind: str) -> dict[str, float]:
        """Return the strengths that were chosen on the first seed of a set and noise."""
        cells = sorted(cell for cell in self.found if cell[:2] == (name, kind))
        return {
            method.partition(",")[0]: float(how)
            for cell in cells[:1]
            for method, (_, how) in self.found[cell].items()
            if " on " in method and how
        }


def measure(
    layers: dict[str, list[Floats]],
    truth: Floats,
    cell: tuple[str, str, int],
    rows: Rows,
    models: list[str],
) -> dict[str, tuple[float, str]]:
    """Return the figures of a set, noise and seed."""
    name, kind, seed = cell
    joined = {
        label: combine_blocks([block for part in parts for block in layers[part]])
        for label, parts in BLOCKS.items()
    }
    given = NOISE[kind](truth, 0.1, seed)
    wrong = (given != truth).any(axis=1)
    makers = {label: (lambda x=x: x) for label, x in joined.items()}
    label, _ = choose_blocks(makers, given, kind="multi", seed=seed)
    figures = {
        WHOLE: (rank(joined["whole"], given, wrong, seed), ""),
        PARTS: (rank(joined[label], given, wrong, seed), label),
    }
    held = {method.split(" ")[0] for method in rows.found.get(cell, {})}
    if {*models, "+".join(models)} <= held:
        return figures  # the peers do not change with Vernis
    sights = {"whole": joined["whole"], "taken": joined[label]}
    strengths = rows.strengths(name, kind)
    for method, ap, how in peer_rows(models, sights, given, wrong, seed, strengths):
        figures[method] = (ap, how)
    return figures


def report(rows: Rows, sets: list[str]) -> None:
    """Print a row for each set and noise, and the lead over all of them."""
    print("set, noise, seeds, whole: AP; parts: AP; best peer: AP; difference of parts to it")
    leads: dict[int, list[float]] = defaultdict(list)
    for name in sets:
        of_set: dict[int, list[float]] = defaultdict(list)
        for kind in NOISE:
            cells = sorted(
                c for c, run in rows.found.items() if c[:2] == (name, kind) and PARTS in run
            )
            if not cells:
                continue
            runs = [rows.found[cell] for cell in cells]
            whole, parts = ([run[which][0] for run in runs] for which in (WHOLE, PARTS))
            line = f"{name:9} {kind:8} {len(runs):2} {np.mean(whole):.3f} ±{np.std(whole):.3f}"
            line += f"  parts {np.mean(parts):.3f} ±{np.std(parts):.3f}"
            peers = [m for m in runs[0] if " on " in m and all(m in run for run in runs)]
            if peers:
                best = max(peers, key=lambda m: np.mean([run[m][0] for run in runs]))
                lead = [a - run[best][0] for a, run in zip(parts, runs, strict=True)]
                line += f"  peer {np.mean([run[best][0] for run in runs]):.3f} ({best})"
                line += "  " + say_difference(lead)
                for cell, value in zip(cells, lead, strict=True):
                    of_set[cell[2]].append(value)
            print(line, " taken:", ", ".join(sorted({run[PARTS][1] for run in runs})), flush=True)
        if of_set:
            print(f"{name:9} all      {say_difference([np.mean(v) for v in of_set.values()])}")
        for seed, values in of_set.items():
            leads[seed] += values
    full = max((len(values) for values in leads.values()), default=0)
    whole_seeds = [float(np.mean(values)) for values in leads.values() if len(values) == full]
    if whole_seeds:
        print(f"mean of all rows, {len(whole_seeds)} seeds: {say_difference(whole_seeds)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    store = Path(tempfile.gettempdir()) / "vernis-benchmark-vectors"
    parser.add_argument("--vectors", type=Path, default=store)
    parser.add_argument("--rows", type=Path, default=store / "several-labels.csv")
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--sets", nargs="+", default=[*FOLDERS, "collages"])
    parser.add_argument("--models", nargs="*", default=[*STRENGTHS], choices=[*STRENGTHS])
    parser.add_argument("--split", choices=("train", "test"), default="")
    options = parser.parse_args()
    until = time.monotonic() + 60 * options.minutes
    rows = Rows(options.rows)
    rows.read(options.split)
    read = {name: read_set(options, name) for name in options.sets}
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        for name in options.sets:
            for kind in NOISE:
                cell = (name, kind, seed)
                if rows.lacks(cell, options.models) and time.monotonic() < until:
                    figures = measure(*read[name], cell, rows, options.models)
                    rows.add(options.split, cell, figures)
    report(rows, options.sets)


if __name__ == "__main__":
    main()
