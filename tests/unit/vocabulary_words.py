"""A vocabulary as a digital asset manager leaves it: planted variants, and look-alikes that are
words of their own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_WORDS = """
bottle can glass crate poster billboard landscape people portrait logo product packaging beach
mountain sunset river forest city skyline restaurant kitchen bar party festival concert dancing
friends family wedding birthday celebration cheers cocktail whiskey vodka champagne wine beer juice
water coffee breakfast dinner picnic barbecue strawberry lemon orange apple banana grape cherry
summer winter autumn spring christmas halloween new_year football basketball tennis skiing surfing
bicycle motorcycle car truck airplane train ship umbrella backpack suitcase handbag sunglasses hat
jacket dress shirt shoe watch necklace smartphone laptop keyboard television camera headphones sofa
chair table lamp mirror curtain bookshelf elephant giraffe zebra horse dog cat bird fish butterfly
flower rose tulip leaf tree grass sky cloud rain snow fire smoke ice crystal gold silver bronze
black_and_white vintage luxury minimal pattern texture background illustration drawing advertisement
"""

_HARD = """
mouse house glass grass car cat beer bear pear spear horse hose bread beard desert dessert angel
angle clown crown cloud plane plate plan sheep sheet ship shirt skirt stripe strip diner dinner
brush bush coast coat boat goat toast cotton button curtain certain marble maple candle handle
bottle battle table cable stable lemon melon peach beach bench lobster monster oyster poster tower
towel flower flour tie tiger lion linen violin violet summer simmer bass brass trail train trial
vest west nest test hiking biking skiing male female indoor outdoor north south man woman
iphone_6 iphone_7 route_66 route_67 polar_bear polar_beer
"""


WORDS, HARD_NEGATIVES = _WORDS.split(), _HARD.split()


@dataclass(frozen=True)
class Planted:
    """Labels with their counts, and which variant belongs to which label."""

    labels: tuple[str, ...]
    counts: tuple[int, ...]
    truth: dict[str, tuple[str, str]]


def misspell(word: str, rng: np.random.Generator) -> str:
    """Return the word with one slip (from nine letters on sometimes two), not the first letter."""
    for _ in range(1 + int(len(word) >= 9 and rng.random() < 0.3)):
        place = int(rng.integers(1, len(word) - 1))
        kind = rng.choice(
            ["swap", "drop", "double", "vowel", "beside"], p=[0.3, 0.3, 0.2, 0.1, 0.1]
        )
        if kind == "swap":
            word = word[:place] + word[place + 1] + word[place] + word[place + 2 :]
        elif kind == "drop":
            word = word[:place] + word[place + 1 :]
        elif kind == "double":
            word = word[:place] + word[place] + word[place:]
        elif kind == "vowel":
            vowels = [i for i in range(1, len(word)) if word[i] in "aeiou"]
            if vowels:
                place = int(rng.choice(vowels))
                word = word[:place] + str(rng.choice(list("aeiou"))) + word[place + 1 :]
        else:
            row = next((r for r in ("qwertyuiop", "asdfghjkl", "zxcvbnm") if word[place] in r), "")
            if row:
                near = row[max(row.index(word[place]) - 1, 0)]
                word = word[:place] + near + word[place + 1 :]
    return word


def plural(word: str) -> str:
    if word.endswith(("s", "x", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return {"leaf": "leaves", "bookshelf": "bookshelves", "people": "peoples"}.get(word, word + "s")


def plant(words: list[str], rng: np.random.Generator) -> Planted:
    """Return the words with Zipf-like counts, half of them with a rarer variant."""
    ranks = rng.permutation(len(words)) + 1
    counts = {w: max(int(900 / r), 3) for w, r in zip(words, ranks, strict=True)}
    truth: dict[str, tuple[str, str]] = {}
    for word in list(words):
        kind = rng.choice(["none", "case", "plural", "misspelling"], p=[0.4, 0.2, 0.2, 0.2])
        if kind == "case":
            variant = word.replace("_", "-").title() if "_" in word else word.capitalize()
        elif kind == "plural":
            variant = plural(word)
        else:
            variant = misspell(word, rng) if len(word) > 3 else word
        if kind == "none" or variant in counts:
            continue
        share = 0.4 if kind != "misspelling" else 0.05
        counts[variant] = max(int(counts[word] * share * rng.random()), 1)
        truth[variant] = (word, str(kind))
    labels = sorted(counts)
    return Planted(tuple(labels), tuple(counts[label] for label in labels), truth)


def scatter(planted: Planted, rng: np.random.Generator, images: int = 3000) -> np.ndarray:
    """Return labels of images in which a variant keeps the company of its word (themes)."""
    themes = {w: int(rng.integers(12)) for w in planted.labels}
    for variant, (word, _) in planted.truth.items():
        themes[variant] = themes[word]
    home = rng.integers(12, size=images)
    Y = np.full((images, len(planted.labels)), np.nan, np.float32)
    for column, (label, count) in enumerate(zip(planted.labels, planted.counts, strict=True)):
        weight = np.where(home == themes[label], 8.0, 1.0)
        base = planted.truth.get(label, (label, ""))[0]
        weight[Y[:, planted.labels.index(base)] == 1] = 0.01
        Y[rng.choice(images, count, replace=False, p=weight / weight.sum()), column] = 1
    return Y
