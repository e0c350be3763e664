"""Search by words in folders without labels: average precision and precision at 10.

    python benchmarks/words.py search [--data ../shared/data] [--work DIR]
    python benchmarks/words.py reach [--data …]      # which names of the sets have a meaning
    python benchmarks/words.py cost [--data …]       # time of the measures beside embedding
    python benchmarks/words.py scale                 # one search among 57,000 vectors
    python benchmarks/words.py tags [--data …]       # how often suggested words are right
    python benchmarks/words.py colors [--data …]     # from which share on a picture has a colour

The pictures get names that tell nothing, and no labels. The words were chosen before any result was
seen; an image is relevant where one of its true labels is the word or a kind of it by WordNet. An
image that is not found counts as nothing; precision at 10 is over the relevant ones where they are
fewer. Beside it: the classes of ImageNet whose first name holds the word (*bare names*).
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import shutil
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vernis import Collection
from vernis.core.appearance.measure import measure_appearance
from vernis.core.explore.picture_words import word_probabilities

PLAIN = {
    "red": "Red-Bell-Pepper Royal-Gala Red-Delicious Regular-Tomato Vine-Tomato",
    "green": "Green-Bell-Pepper Granny-Smith Lime Cucumber Zucchini",
    "yellow": "Yellow-Bell-Pepper Lemon Banana",
    "orange": "Orange-Bell-Pepper Orange Carrots Satsumas",
    "purple": "Aubergine",
    "brown": "Ginger",
}
"""Of the set ``grocery``: colour, and fruit and vegetables of that colour."""
SETS = ("coco128_a", "aquarium", "grocery")
WORDS = {
    "coco128_a": {
        "animal": "bird cat dog horse elephant bear zebra giraffe",
        "vehicle": "bicycle car motorcycle airplane bus train truck boat",
        "food": "banana apple sandwich orange broccoli carrot hot_dog pizza donut cake",
        "furniture": "chair couch bed dining_table bench",
        "dog": "dog",
        "car": "car",
        "elephant": "elephant",
        "giraffe": "giraffe",
        "pizza": "pizza",
        "bus": "bus",
        "airplane": "airplane",
        "person": "person",
    },
    "aquarium": {
        "fish": "fish shark stingray",
        "shark": "shark",
        "ray": "stingray",
        "jellyfish": "jellyfish",
        "penguin": "penguin",
        "puffin": "puffin",
        "bird": "penguin puffin",
        "starfish": "starfish",
    },
    "grocery": {
        "fruit": "Fruit",
        "vegetable": "Vegetables",
        "citrus": "Satsumas Orange Lemon Lime Red-Grapefruit",
        "apple": "Apple",
        "banana": "Banana",
        "lemon": "Lemon",
        "mushroom": "Mushroom",
        "drink": "Juice Milk Soy-Milk Oat-Milk Sour-Milk",
        "milk": "Milk Soy-Milk Oat-Milk Sour-Milk",
        "pepper": "Pepper",
    },
}
COLORED = {
    "red apple": "Royal-Gala Red-Delicious Pink-Lady",
    "green apple": "Granny-Smith",
    "red pepper": "Red-Bell-Pepper",
    "green pepper": "Green-Bell-Pepper",
    "yellow pepper": "Yellow-Bell-Pepper",
    "orange pepper": "Orange-Bell-Pepper",
}
"""Of the set ``grocery``: colour and thing."""


def true_labels(row: dict[str, str]) -> set[str]:
    """Return the labels of a row of a set, blanks as ``_``."""
    names = [*row.get("labels", "").split("|")]
    names += [row.get(column, "") for column in ("fine", "coarse", "kind")]
    return {name.replace(" ", "_") for name in names if name}


def open_set(data: Path, work: Path, name: str) -> tuple[Collection, dict[str, set[str]]]:
    """Return an embedded collection of a set under names that tell nothing, and its truth."""
    folder, truth = work / name, {}
    folder.mkdir(parents=True, exist_ok=True)
    with (data / name / "images.csv").open(newline="", encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            path = data / name / row["image"]
            neutral = hashlib.sha256(row["image"].encode()).hexdigest()[:12] + path.suffix
            truth[neutral] = true_labels(row)
            if not (folder / neutral).exists():
                shutil.copyfile(path, folder / neutral)
    place = work / f"{name}.vernis"
    collection = Collection.open(place) if place.exists() else Collection.create(place)
    collection.index(folder)
    collection.embed()
    return collection, truth


def average_precision(ranked: NDArray[np.bool_], n_relevant: int) -> float:
    """Return the mean of the precision at each relevant image; those not ranked count 0."""
    places = np.flatnonzero(ranked)
    return float((np.arange(1, len(places) + 1) / (places + 1)).sum() / n_relevant)


def precision_at(ranked: NDArray[np.bool_], n_relevant: int, k: int = 10) -> float:
    """Return the share of relevant images among the first k, or the first n_relevant."""
    k = min(k, n_relevant)
    return float(ranked[:k].sum() / k)


def bare_names(collection: Collection, word: str) -> list[str]:
    """Rank images by the classes whose first name holds the word; [] where none does."""
    pictures = collection.session.picture_words()
    assert pictures is not None
    names = [name.lower().split() for name in pictures.classifier.nouns.class_names]
    weights = np.array([[word in name for name in names]], np.float32)
    if not weights.any():
        return []
    vectors = pictures._vectors
    said = word_probabilities(pictures.classifier, vectors, weights)[:, 0]
    uris = collection.session.uris()
    return [uris[int(pictures.image_ids[row])] for row in np.argsort(-said, kind="stable")]


def measure(
    collection: Collection, truth: dict[str, set[str]], word: str, kinds: str
) -> tuple[int, list[float]]:
    """Return the number of relevant images; AP and P@10 of Vernis and of bare names."""
    relevant = {name for name, labels in truth.items() if labels & set(kinds.split())}
    found = collection.explore.search([word], k=10**6)
    values = []
    for ranked in ([row.image for row in found.searches[0].results], bare_names(collection, word)):
        hits = np.array([image in relevant for image in ranked], np.bool_)
        values += [average_precision(hits, len(relevant)), precision_at(hits, len(relevant))]
    return len(relevant), values


def search(data: Path, work: Path) -> None:
    """Print the tables of words and of colours with things."""
    every: list[list[float]] = []
    colored: list[list[float]] = []
    chance: list[float] = []
    print(f"{'set':10s} {'word':14s} {'n':>5s}  AP     P@10   bare AP, P@10")
    for name in SETS:
        collection, truth = open_set(data, work, name)
        asked = [(word, kinds, every) for word, kinds in WORDS[name].items()]
        if name == "grocery":
            asked += [(word, kinds, colored) for word, kinds in COLORED.items()]
        with collection:
            for word, kinds, table in asked:
                n, values = measure(collection, truth, word, kinds)
                table.append(values)
                if table is every:
                    chance.append(max(values[2], n / len(truth)))
                print(f"{name:10s} {word:14s} {n:5d}  " + "  ".join(f"{v:.3f}" for v in values))
    for title, table in (("30 words", every), ("6 colours with things", colored)):
        print(f"{title}: " + "  ".join(f"{v:.3f}" for v in np.mean(table, axis=0)))
    print(f"bare names, where none holds the word all in random order: AP {np.mean(chance):.3f}")


def reach(data: Path, work: Path) -> None:
    """Print which names of the sets mean something in the network's classes."""
    for name in SETS:
        with (data / name / "images.csv").open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        column = "coarse" if name == "grocery" else "labels"
        names = sorted({one for row in rows for one in row[column].split("|")} - {""})
        with Collection.create(work / f"{name}-reach.vernis") as collection:
            nouns = collection.session.networks.nouns()
        ways: dict[str, list[str]] = {}
        for one in names:
            meaning = nouns.meaning(one.replace("-", " "))
            ways.setdefault("nothing" if meaning is None else meaning.way, []).append(one)
        print(f"{name}: {len(names)} names")
        for way, those in sorted(ways.items()):
            print(f"  {way:8s}{len(those):3d}  {', '.join(those)}")


def cost(data: Path, work: Path) -> None:
    """Print the time of the measures of colours and types beside that of embedding."""
    from vernis.adapters.backbones.zoo import open_backbone

    for name in SETS[:2]:
        folder = data / name / "images"
        paths = sorted(p for p in folder.rglob("*.jpg"))[:120]
        with Collection.create(work / f"{name}-cost.vernis") as collection:
            decode = collection.session.files.decoder()
            readers = collection.session.measures.measuring_readers()
            others = [r for r in readers if hasattr(r, "open")]
        embed = open_backbone().reader().open()
        measures = [r.open() for r in others if r.space.name != "appearance"]
        spent = dict.fromkeys(("decode", "network", "other measures", "colours and type"), 0.0)
        for path in [*paths[:5], *paths]:
            marks = [time.process_time()]
            pixels = decode(path)
            marks.append(time.process_time())
            embed(pixels)
            marks.append(time.process_time())
            for one in measures:
                one(pixels)
            marks.append(time.process_time())
            measure_appearance(pixels)
            marks.append(time.process_time())
            for part, seconds in zip(spent, np.diff(marks), strict=True):
                spent[part] += seconds
        whole = sum(spent.values()) - spent["colours and type"]
        ms = {part: f"{1000 * t / (len(paths) + 5):.2f} ms" for part, t in spent.items()}
        print(f"{name}: {ms}; colours and type {spent['colours and type'] / whole:.1%} of the rest")


def scale() -> None:
    """Print the time of one search among 57,000 random vectors."""
    from vernis.adapters.backbones.classifier import classifier_of
    from vernis.adapters.backbones.zoo import open_backbone
    from vernis.core.explore.picture_words import PictureWords

    classifier = classifier_of(open_backbone().reader().space)
    assert classifier is not None
    rng = np.random.default_rng(0)
    vectors = np.maximum(rng.standard_normal((57_000, 1280), np.float32), 0)
    meaning = classifier.nouns.meaning("animal")
    assert meaning is not None
    words = PictureWords(classifier, np.arange(57_000), vectors)
    for turn in ("first", "second"):
        started, busy = time.perf_counter(), time.process_time()
        words.probabilities(meaning.weights[None])
        wall, cpu = time.perf_counter() - started, time.process_time() - busy
        print(f"{turn} search: {wall:.2f} s, {cpu:.2f} s of processor time")


def tags(data: Path, work: Path) -> None:
    """Print how often suggested words are right, of classes and of everyday words above them.

    A word is right where it is a true label, a kind of one, or one is a kind of it; as the sets do
    not name everything that is shown, that is a floor.
    """
    from vernis.core.words.common_nouns import COMMON_NOUNS

    for name in SETS[:2]:
        collection, truth = open_set(data, work, name)
        with collection:
            pictures = collection.session.picture_words()
            assert pictures is not None
            nouns, uris = pictures.classifier.nouns, collection.session.uris()
            chances = pictures.classes(pictures.image_ids)
        labels = [{t.replace("_", " ") for t in truth[uris[int(i)]]} for i in pictures.image_ids]
        below = nouns.words_above(COMMON_NOUNS)
        known = {
            (label, word): nouns.is_kind(label, word) or nouns.is_kind(word, label)
            for label in set().union(*labels)
            for word in below
        }
        firsts = set(nouns.class_names)
        for part, words in (("classes", firsts), ("above", below.keys() - firsts)):
            for sure in (0.2, 0.3, 0.5, 0.7):
                said = right = met = 0
                for row, own in zip(chances, labels, strict=True):
                    told = [word for word in words if row[below[word]].sum() >= sure]
                    said += len(told)
                    right += sum(any(known[label, word] for label in own) for word in told)
                    met += sum(any(known[label, word] for word in told) for label in own)
                total = sum(map(len, labels))
                print(
                    f"{name} {part} from {sure}: {said} words, right {right / max(said, 1):.3f}, "
                    f"of the labels met {met / total:.3f}"
                )


def colors(data: Path) -> None:
    """Print from which share of a picture on it is of the colour of what it shows."""
    from vernis.adapters.pixels import decode
    from vernis.core.appearance.colors import COLORS
    from vernis.core.appearance.measure import color_shares, middle_shares

    with (data / "grocery" / "images.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    vectors, true = [], []
    for color, kinds in PLAIN.items():
        for kind in kinds.split():
            for row in [row for row in rows if row["fine"] == kind][:14]:
                vectors.append(measure_appearance(decode(data / "grocery" / row["image"])))
                true.append(color)
    shares = (color_shares(np.array(vectors)) + middle_shares(np.array(vectors))) / 2
    own = np.array(true)
    for color in PLAIN:
        of = shares[:, COLORS.index(color)]
        told = [
            f"from {least}: recall {(of[own == color] >= least).mean():.2f}, precision "
            f"{(own == color)[of >= least].sum() / max((of >= least).sum(), 1):.2f}"
            for least in (0.05, 0.1, 0.15, 0.2, 0.3)
        ]
        print(f"{color}, {(own == color).sum()} pictures: {'; '.join(told)}")


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("what", choices=("search", "reach", "cost", "scale", "tags", "colors"))
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--work", type=Path, help="where the collections are made, and kept")
    asked = parser.parse_args()
    if asked.what == "scale":
        return scale()
    if asked.what == "colors":
        return colors(asked.data)
    import tempfile

    with tempfile.TemporaryDirectory() as made:
        work = asked.work or Path(made)
        {"search": search, "reach": reach, "cost": cost, "tags": tags}[asked.what](asked.data, work)
    return None


if __name__ == "__main__":
    main()
