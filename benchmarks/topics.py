"""Topics: are planted themes found in realistic keywords, and at how many topics?

The keywords are those of a picture archive: thirty themes of a dozen words, some shared by several
themes (``people``, ``table``, ``outdoor``…), words on every kind of picture, and strays. An image
is about one theme, or about two, and carries three to ten words. Reported: mean NPMI, how well the
main topic of an image agrees with its main theme (V-measure, adjusted Rand), how many of the themes
have a topic of their own (cosine 0.5 or more), and the topics themselves.

Run: ``python benchmarks/topics.py [--images 2000] [--seeds 2] [--show]``
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from sklearn.metrics import adjusted_rand_score, v_measure_score

from vernis.core.explore.clusters import match_rows
from vernis.core.words.topics import relevant_words, scan_topics

THEMES = {
    "beach": "beach sea sand waves summer sky palm surfing swimming holiday coast umbrella",
    "mountains": "mountain snow hiking peak valley rocks sky trail clouds outdoor alpine backpack",
    "winter sports": "skiing snowboard snow slope helmet winter lift goggles mountain outdoor",
    "forest": "forest trees leaves path moss green autumn nature wood mushroom fern outdoor",
    "city": "city skyline street buildings traffic skyscraper night lights bridge taxi",
    "office": "office desk laptop meeting colleagues screen business chair whiteboard team people",
    "kitchen": "kitchen cooking stove pan knife chef recipe ingredients oven table bowl",
    "restaurant": "restaurant dinner waiter wine table menu candle plate guests glass people",
    "coffee": "coffee cup espresso beans barista cafe latte milk morning table foam",
    "bar": "bar cocktail glass ice bottle bartender whisky lime night counter party",
    "beer": "beer bottle glass foam brewery hops keg pub barley can label",
    "fruit": "fruit apple orange banana grapes basket market fresh juice berry lemon",
    "bakery": "bread bakery flour cake pastry croissant oven baker wheat basket cookie",
    "wedding": "wedding bride groom dress bouquet rings church flowers dance guests celebration",
    "birthday": "birthday cake candle balloons gift party children confetti celebration ribbon",
    "christmas": "christmas tree gift santa lights candle snow family star ornament winter",
    "football": "football stadium goal player ball pitch team fans referee jersey sport",
    "running": "running marathon shoes track athlete sport finish training jersey road fitness",
    "cycling": "bicycle cyclist helmet road race wheel mountain sport trail jersey outdoor",
    "gym": "gym fitness weights training muscles treadmill sport mat yoga athlete mirror",
    "cars": "car road wheel engine driver headlight race garage showroom chrome traffic",
    "aviation": "airplane airport runway pilot sky wing passenger luggage terminal clouds",
    "railway": "train station rails platform locomotive tunnel passenger bridge commuter signal",
    "harbour": "harbour ship boat crane container sea sailor dock rope lighthouse coast",
    "farm": "farm tractor field cow harvest wheat barn hay horse farmer fence",
    "garden": "garden flowers roses lawn watering soil tulip greenhouse bee spring fence",
    "pets": "dog cat puppy kitten leash pet bowl fur basket vet sofa",
    "children": "children school playground toys drawing classroom teacher family swing people",
    "fashion": "fashion model dress runway shoes makeup handbag studio jewellery portrait style",
    "music": "music concert guitar stage singer drums crowd lights microphone festival night",
}
EVERYWHERE = ("colour", "horizontal", "campaign", "archive", "people", "outdoor", "portrait")


def draw_keywords(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, list[str], np.ndarray]:
    """Return presence, main theme, labels and the theme-by-label matrix."""
    rng = np.random.default_rng(seed)
    words = [theme.split() for theme in THEMES.values()]
    labels = sorted({word for theme in words for word in theme} | set(EVERYWHERE))
    place = {label: column for column, label in enumerate(labels)}
    planted = np.zeros((len(words), len(labels)))
    weights = []
    for row, theme in enumerate(words):
        weight = 1.0 / np.arange(1, len(theme) + 1) ** 0.5  # the first words are the commonest
        weights.append(weight / weight.sum())
        planted[row, [place[word] for word in theme]] = weights[-1]
    popularity = rng.dirichlet(np.full(len(words), 5.0))
    presence = np.zeros((n, len(labels)), dtype=bool)
    main = rng.choice(len(words), n, p=popularity)
    for image in range(n):
        themes = [main[image]] * 3
        if rng.random() < 0.3:
            themes.append(rng.choice(len(words), p=popularity))
        for _ in range(rng.integers(3, 11)):
            theme = rng.choice(themes)
            presence[image, place[rng.choice(words[theme], p=weights[theme])]] = True
        if rng.random() < 0.4:
            presence[image, place[rng.choice(EVERYWHERE)]] = True
        if rng.random() < 0.15:  # a stray
            presence[image, rng.integers(len(labels))] = True
    return presence, main, labels, planted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--show", action="store_true", help="list the topics of k = 30")
    options = parser.parse_args()
    ks = (10, 20, 30, 40)
    rows: dict[int, list[tuple[float, ...]]] = {k: [] for k in ks}
    for seed in range(options.seeds):
        presence, theme, labels, planted = draw_keywords(options.images, seed)
        start = time.process_time()
        scan = scan_topics(presence, ks, seed=seed)
        seconds = time.process_time() - start
        for k, model, npmi in zip(scan.ks, scan.models, scan.coherence, strict=True):
            found = model.shares.argmax(axis=1)
            rows[k].append(
                (
                    npmi,
                    v_measure_score(theme, found),
                    adjusted_rand_score(theme, found),
                    len(match_rows(planted, model.words)),
                )
            )
        print(f"seed {seed}: most coherent k = {ks[scan.best]}, {seconds:.1f} s of processor")
        if options.show and seed == 0:
            show(scan.models[ks.index(30)], presence, labels)
    print(f"\n{options.images} images, {len(labels)} labels, {len(THEMES)} themes")
    print(
        "| topics | mean NPMI | V-measure | adjusted Rand | themes with a topic |\n"
        "|---|---|---|---|---|"
    )
    for k in ks:
        mean = np.mean(rows[k], axis=0)
        print(f"| {k} | {mean[0]:.3f} | {mean[1]:.3f} | {mean[2]:.3f} | {mean[3]:.1f} |")


def show(model, presence, labels) -> None:
    names = relevant_words(model.words, presence, 3)
    for number, columns in enumerate(model.top_words(10), 1):
        name = " / ".join(labels[c] for c in names[number - 1])
        print(f"  {number:2} {name}: {', '.join(labels[c] for c in columns)}")


if __name__ == "__main__":
    main()
