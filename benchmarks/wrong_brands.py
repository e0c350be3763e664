"""Are wrong brands found better by text and image model together than by either alone?

    python benchmarks/wrong_brands.py beer | grocery [--data ../shared/data] [--keep DIR]

The pictures are embedded and read; then every tenth label (``--rate``) is given a wrong brand, in
20 draws (``--seeds``), and all labelled images are ranked by how probably their label is wrong, as
``vernis issues`` does it: by the pictures alone, by what is read alone (with every class as likely
as another), and by both. What is printed is the average precision, and how much better both are
than the better of the two alone, draw by draw, with the 95 % interval of the mean.
``grocery`` are the 155 packages of the readability sample, on a third of which nobody can read the
brand; ``--most`` takes that many of all 1,745. ``--keep`` keeps the collection for the next time.
"""

from __future__ import annotations

import argparse
import csv
import shutil
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student
from sklearn.metrics import average_precision_score

import vernis
from vernis.core.labels.issues import find_label_issues
from vernis.core.labels.predictions import predict_labels
from vernis.core.text.conclusions import probabilities
from vernis.core.text.voice import hear_voice, join_voices, reading_voice
from vernis.session.session import Session
from vernis.verbs.decide.text_voice import TextVoice, hear_text
from vernis.verbs.decide.told_apart import features_of


def read_truth(name: str, data: Path, most: int) -> tuple[Path, Path, dict[str, str]]:
    """Return the folder of the pictures, the list of brands, and the brand of each picture."""
    if name == "beer":
        folder = data / "beer_labels_a"
        rows, listed = _rows(folder / "images.csv"), folder / "brand_list.csv"
        return folder, listed, {row["image"]: row["brand"] for row in rows}
    folder = data / "grocery"
    rows = [row for row in _rows(folder / "images.csv") if row["brand"]]
    chosen = {row["image"] for row in _rows(folder / "brand_readability_sample.csv")}
    if most:
        order = np.random.default_rng(0).permutation(len(rows))[:most]
        chosen = {rows[place]["image"] for place in order}
    truth = {row["image"]: row["brand"] for row in rows if row["image"] in chosen}
    return folder, folder / "brands.csv", truth


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def make_collection(place: Path, folder: Path, listed: Path, truth: dict[str, str]) -> None:
    pictures, table = place / "pictures", place / "labels.csv"
    for image in truth:
        (pictures / image).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / image, pictures / image)
    with table.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("image", "brand"), *truth.items()])
    with vernis.Collection.create(place / "x.vernis") as collection:
        collection.index(pictures)
        collection.import_(table, taxonomy=["brand"])
        collection.embed()
        collection.duplicates()
        collection.read()
        collection.brands(listed)


def measure(session: Session, seeds: int, rate: float) -> None:
    data = session.training_data("brand", session.space())
    voice, features = hear_text(session, data), features_of(data, 0)
    assert voice is not None
    truth = np.where((data.Y == 1).any(axis=1), np.nan_to_num(data.Y).argmax(axis=1), -1)
    rows = np.flatnonzero(truth >= 0)
    found: dict[str, list[float]] = {}
    for seed in range(seeds):
        given = swap(truth, rows, data.Y.shape[1], rate, seed)
        wrong = (given != truth)[rows]
        for name, probs in predict(features, given, data.groups, voice).items():
            score = find_label_issues(given, probs).score[rows]
            found.setdefault(name, []).append(average_precision_score(wrong, -score))
    pictures, text, both = (np.array(values) for values in found.values())
    print(f"{len(rows)} labelled images, {data.Y.shape[1]} classes, {seeds} draws")
    for name, values in found.items():
        print(f"  {name:9} AP {np.mean(values):.3f} (sd {np.std(values, ddof=1):.3f})")
    better = text if text.mean() > pictures.mean() else pictures
    gain = both - better
    half = student.ppf(0.975, seeds - 1) * gain.std(ddof=1) / np.sqrt(seeds)
    low, high = gain.mean() - half, gain.mean() + half
    print(f"  both above the better one: {gain.mean():+.3f} ({low:+.3f} to {high:+.3f})")


def swap(
    truth: NDArray[np.int64], rows: NDArray[np.int64], n_classes: int, rate: float, seed: int
) -> NDArray[np.int64]:
    rng = np.random.default_rng(seed)
    given = truth.copy()
    for row in rng.choice(rows, max(1, round(rate * len(rows))), replace=False):
        given[row] = rng.choice(np.delete(np.arange(n_classes), truth[row]))
    return given


def predict(
    features: NDArray[np.float32],
    given: NDArray[np.int64],
    groups: NDArray[np.int64],
    voice: TextVoice,
) -> dict[str, NDArray[np.float32]]:
    """Return the probabilities by pictures, by text and by both, from the given labels."""
    n_images, n_classes = voice.log_odds.shape
    states = np.full((n_images, n_classes), np.nan, np.float32)
    labelled = given >= 0
    states[labelled] = np.eye(n_classes, dtype=np.float32)[given[labelled]]
    brand_of = {column: brand for brand, column in voice.column_of.items()}
    labels = [frozenset({brand_of[k]}) if k in brand_of else frozenset() for k in given.tolist()]
    right = probabilities(voice.matches, labels)
    said = reading_voice(voice.matches, voice.column_of, n_classes, right)
    pictures = predict_labels(features, states, kind="single", groups=groups)
    even = np.full_like(pictures, 1 / n_classes)
    return {
        "pictures": pictures,
        "text": join_voices(even, said, "single"),
        "both": hear_voice(pictures, said, states, "single"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("beer", "grocery"))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--most", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--keep", type=Path, help="folder of the collection, made where it is not")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        place = options.keep or Path(temporary)
        if not (place / "x.vernis").exists():
            place.mkdir(exist_ok=True)
            make_collection(place, *read_truth(options.what, options.data, options.most))
        with Session.open(place / "x.vernis", read_only=True) as session:
            measure(session, options.seeds, options.rate)


if __name__ == "__main__":
    main()
