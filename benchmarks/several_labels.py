"""Wrong labels among several an image: whole pictures, parts of them, and cleanlab on both.

    pip install -r benchmarks/requirements.txt
    python benchmarks/several_labels.py [--data ../shared/data] [--vectors FOLDER] [--seeds 10]
        [--first-seed 0] [--sets aquarium coco128 chess collages] [--models logistic knn forest]

Four sets: `aquarium`, `coco128`, `chess`, and 240 `collages` of photos (`collages.py`). 10 %
of the labels are flipped, dropped or added. `whole` is Vernis as it ships, `parts` Vernis with
`--thorough`, each set and noise by the vectors that make its labels likeliest (named). Peers get
5-fold probabilities on the whole vectors and on all of them joined (the better counts, by the
truth), each with its best strength by cross-validated log loss, and their best scorer by the truth:
cleanlab's EMA (its default), softmin or minimum of three class scores. Printed are AP of the images
with a wrong label, and the paired difference to the best peer by seed with its 95 % interval (t).
`--split` takes other pictures: `test` for collages of the photos that were set aside, and the
validation and test pictures of `aquarium`; `train` for the rest of it.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
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
    "forest": (1, 3, 8),
}
N_COLLAGES = 240
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
            every = RandomForestClassifier(200, min_samples_leaf=whole, random_state=seed)
        every.fit(x[train], given[train])
        for k, found in enumerate(every.predict_proba(x[test])):
            yes = np.flatnonzero(every.classes_[k] == 1)
            probs[test, k] = found[:, yes[0]] if len(yes) else 0.0
    return probs


def best_peer(
    models: list[str], sights: dict[str, Floats], given: Floats, wrong: NDArray[np.bool_], seed: int
) -> dict[str, float]:
    """Return the AP of every peer: model, vectors, scorer."""
    found: dict[str, float] = {}
    for sight, x in sights.items():
        scaled = (x * np.sqrt(x.shape[1])).astype(np.float32)
        chosen = []
        for model in models:
            tried = [out_of_fold(model, s, scaled, given, seed) for s in STRENGTHS[model]]
            losses = [
                -np.log(np.clip(np.where(given == 1, p, 1 - p), 1e-6, 1)).mean() for p in tried
            ]
            chosen.append((model, tried[int(np.argmin(losses))]))
        if len(chosen) > 1:
            mean = np.mean([probs for _, probs in chosen], axis=0)
            chosen.append(("mean", mean.astype(np.float32)))
        for model, probs in chosen:
            for scorer, score in peer_scores(Given(given.astype(int)), probs).items():  # type: ignore[arg-type]
                found[f"{model} on {sight}, {scorer}"] = average_precision_score(wrong, -score)
    return found


def say_difference(differences: list[float]) -> str:
    """Return the mean of paired differences with its 95 % interval."""
    mean = float(np.mean(differences))
    if len(differences) < 2:
        return f"{mean:+.3f}"
    half = student.ppf(0.975, len(differences) - 1) * np.std(differences, ddof=1)
    half /= np.sqrt(len(differences))
    return f"{mean:+.3f} ({mean - half:+.3f} to {mean + half:+.3f})"


def measure(options: argparse.Namespace, name: str) -> None:
    """Print a row for each kind of noise."""
    layers, truth = read_set(options, name)
    sets = {
        "whole": ["whole"],
        "whole + tiles": ["whole", "tiles"],
        "whole + stages": ["whole", "stages"],
        "whole + tiles + stages": ["whole", "tiles", "stages"],
        "tiles": ["tiles"],
        "stages": ["stages"],
        "tiles + stages": ["tiles", "stages"],
    }
    joined = {
        label: combine_blocks([block for part in parts for block in layers[part]])
        for label, parts in sets.items()
    }
    for kind, spoil in NOISE.items():
        whole, parts, peers, taken = [], [], [], []
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            given = spoil(truth, 0.1, seed)
            wrong = (given != truth).any(axis=1)
            makers = {label: (lambda x=x: x) for label, x in joined.items()}
            label, _ = choose_blocks(makers, given, kind="multi", seed=seed)
            whole.append(rank(joined["whole"], given, wrong, seed))
            parts.append(rank(joined[label], given, wrong, seed))
            taken.append(label)
            if options.models:
                sights = {"whole": joined["whole"], "all": joined["whole + tiles + stages"]}
                peers.append(best_peer(options.models, sights, given, wrong, seed))
        line = f"{name:9} {kind:8} {np.mean(whole):.3f} ±{np.std(whole):.3f}"
        line += f"  parts {np.mean(parts):.3f} ±{np.std(parts):.3f}"
        if peers:
            means = {peer: float(np.mean([found[peer] for found in peers])) for peer in peers[0]}
            best = max(means, key=lambda peer: means[peer])
            line += f"  peer {means[best]:.3f} ({best})"
            line += "  " + say_difference([a - b[best] for a, b in zip(parts, peers, strict=True)])
        print(line, " taken:", ", ".join(sorted(set(taken))), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    store = Path(tempfile.gettempdir()) / "vernis-benchmark-vectors"
    parser.add_argument("--vectors", type=Path, default=store)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--sets", nargs="+", default=[*FOLDERS, "collages"])
    parser.add_argument("--models", nargs="*", default=[*STRENGTHS], choices=[*STRENGTHS])
    parser.add_argument("--split", choices=("train", "test"), default="")
    options = parser.parse_args()
    print("set, noise, whole: AP; parts: AP; best peer: AP; difference of parts to it")
    for name in options.sets:
        measure(options, name)


if __name__ == "__main__":
    main()
