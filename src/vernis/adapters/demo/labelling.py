"""The demo's label file: partly blank and partly wrong, as people leave it."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from vernis.adapters.demo.brands import BRANDS
from vernis.adapters.demo.compositions import ASSET_TYPES, Picture
from vernis.adapters.demo.truth import PlantedLabel

TAXONOMIES = ("asset_type", "brand", "keywords")

UNBRANDED = "unbranded"
"""The brand of a picture without any, as editors fill it in."""

FILLED = {"asset_type": 0.66, "brand": 0.62, "keywords": 0.5}
"""Share of the pictures whose field is filled."""

WRONG = {"asset_type": 0.06, "brand": 0.05}
"""Share of the filled fields that hold another class than the true one."""

DROPPED, ADDED = 0.04, 0.12
"""Share of true keywords left out of a filled field; share of fields with one keyword too many."""

MISTAKEN_FOR = {
    "bottle": ("can", "glass", "crate"),
    "can": ("bottle", "glass"),
    "crate": ("bottle", "poster"),
    "glass": ("bottle", "can"),
    "landscape": ("poster", "people"),
    "logo": ("poster", "can"),
    "people": ("landscape", "poster"),
    "poster": ("logo", "people", "bottle"),
}
"""What a hasty person types instead."""

Fields = dict[str, dict[str, list[str]]]


def true_labels(pictures: Mapping[str, Picture]) -> Fields:
    """Return taxonomy → image → true classes."""
    return {
        "asset_type": {
            name: [p.asset_type] if p.asset_type else [] for name, p in pictures.items()
        },
        "brand": {
            name: ([p.brand or UNBRANDED] if p.asset_type else []) for name, p in pictures.items()
        },
        "keywords": {name: sorted(p.keywords) for name, p in pictures.items()},
    }


def spoil_labels(truth: Fields, rng: np.random.Generator) -> tuple[Fields, list[PlantedLabel]]:
    """Return the labels as a person would have left them, and each mistake among them.

    Fields are blank or filled at random; the mistakes are planted in filled ones only.
    """
    given: Fields = {taxonomy: {} for taxonomy in TAXONOMIES}
    planted: list[PlantedLabel] = []
    for taxonomy in ("asset_type", "brand"):
        for name, classes in truth[taxonomy].items():
            if not classes or rng.random() > FILLED[taxonomy]:
                continue
            true = classes[0]
            told = true
            if rng.random() < WRONG[taxonomy]:
                told = _mistake(taxonomy, true, rng)
                planted.append(PlantedLabel(name, taxonomy, "replaced", told, true))
            given[taxonomy][name] = [told]
    vocabulary = sorted({word for words in truth["keywords"].values() for word in words})
    for name, words in truth["keywords"].items():
        if not words or rng.random() > FILLED["keywords"]:
            continue
        kept, mistakes = _spoil_keywords(name, words, vocabulary, rng)
        given["keywords"][name] = kept
        planted += mistakes
    return given, planted


def _mistake(taxonomy: str, true: str, rng: np.random.Generator) -> str:
    options: Sequence[str]
    if taxonomy == "brand":
        options = [name for name in (*(b.name for b in BRANDS), UNBRANDED) if name != true]
    else:
        assert true in ASSET_TYPES
        options = MISTAKEN_FOR[true]
    return str(options[int(rng.integers(len(options)))])


def _spoil_keywords(
    name: str, words: Sequence[str], vocabulary: Sequence[str], rng: np.random.Generator
) -> tuple[list[str], list[PlantedLabel]]:
    kept = [word for word in words if rng.random() >= DROPPED] or list(words)
    mistakes = [
        PlantedLabel(name, "keywords", "missing", "", word) for word in words if word not in kept
    ]
    if rng.random() < ADDED:
        wrong = [word for word in vocabulary if word not in words]
        extra = wrong[int(rng.integers(len(wrong)))]
        kept = sorted([*kept, extra])
        mistakes.append(PlantedLabel(name, "keywords", "extra", extra, ""))
    return kept, mistakes


def write_labels(
    path: Path, pictures: Mapping[str, Picture], given: Fields, rng: np.random.Generator
) -> None:
    """Write the label file: one row an image, classes joined by ``|``, blank = unknown."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "title", *TAXONOMIES])
        for name in sorted(pictures):
            title = _title(pictures[name]) if rng.random() < 0.5 else ""
            fields = ("|".join(given[t].get(name, [])) for t in TAXONOMIES)
            writer.writerow([name, title, *fields])


def _title(picture: Picture) -> str:
    """Return what an editor types into the title field."""
    places = ("beach", "bar", "city", "mountains", "meadow", "studio", "table")
    place = next((f" {word}" for word in places if word in picture.keywords), "")
    return f"{picture.brand} {picture.asset_type}{place}".strip().capitalize()
