"""The demo's label file: partly blank and partly wrong, as people leave it."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from vernis.adapters.demo.brands import BRANDS
from vernis.adapters.demo.canvas import Rng, pick
from vernis.adapters.demo.pictures import Picture
from vernis.adapters.demo.truth import PlantedLabel

UNBRANDED = "unbranded"
"""The brand of a picture without any, as editors fill it in."""

FILLED = {"asset_type": 0.66, "brand": 0.62, "keywords": 0.5}
"""Share of the pictures whose field is filled."""

WRONG = {"asset_type": 0.06, "brand": 0.05}
"""Share of the filled fields that hold another class than the true one."""

DROPPED, ADDED = 0.04, 0.12
"""Share of true keywords left out of a filled field; share of fields with one keyword too many."""

BRAND_CLASSES = (*(brand.name for brand in BRANDS), UNBRANDED)
MISTAKEN_FOR = {
    "bottle": ("can", "glass", "crate"),
    "can": ("bottle", "glass"),
    "crate": ("bottle", "poster"),
    "glass": ("bottle", "can"),
    "landscape": ("poster", "people"),
    "logo": ("poster", "can"),
    "people": ("landscape", "poster"),
    "poster": ("logo", "people", "bottle"),
    **{name: tuple(other for other in BRAND_CLASSES if other != name) for name in BRAND_CLASSES},
}
"""What a hasty person types instead."""

Fields = dict[str, dict[str, list[str]]]
"""Taxonomy → image → classes."""


def true_labels(pictures: Mapping[str, Picture]) -> Fields:
    """Return what is true of the pictures; an empty one has no class at all."""
    return {
        "asset_type": {n: [p.asset_type] * bool(p.asset_type) for n, p in pictures.items()},
        "brand": {n: [p.brand or UNBRANDED] * bool(p.asset_type) for n, p in pictures.items()},
        "keywords": {n: sorted(p.keywords) for n, p in pictures.items()},
    }


def plant_wrong_labels(truth: Fields, rng: Rng) -> tuple[Fields, list[PlantedLabel]]:
    """Return the labels as a person would have left them, and each mistake among them.

    Fields are blank or filled at random; the mistakes are planted in filled ones only.
    """
    given: Fields = {taxonomy: {} for taxonomy in truth}
    planted: list[PlantedLabel] = []
    vocabulary = sorted({word for words in truth["keywords"].values() for word in words})
    for taxonomy, fields in truth.items():
        for name, true in fields.items():
            if not true or rng.random() > FILLED[taxonomy]:
                continue
            if taxonomy == "keywords":
                told = [word for word in true if rng.random() >= DROPPED] or true
                if rng.random() < ADDED:
                    told = sorted([*told, pick(rng, sorted(set(vocabulary) - set(true)))])
                missing, extra = sorted(set(true) - set(told)), sorted(set(told) - set(true))
                planted += [PlantedLabel(name, taxonomy, "missing", "", w) for w in missing]
                planted += [PlantedLabel(name, taxonomy, "extra", w, "") for w in extra]
            elif rng.random() < WRONG[taxonomy]:
                told = [pick(rng, MISTAKEN_FOR[true[0]])]
                planted.append(PlantedLabel(name, taxonomy, "replaced", told[0], true[0]))
            else:
                told = true
            given[taxonomy][name] = list(told)
    return given, planted


def write_labels(path: Path, pictures: Mapping[str, Picture], given: Fields, rng: Rng) -> None:
    """Write the label file: one row an image, classes joined by ``|``, blank = unknown."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "title", *given])
        for name, picture in sorted(pictures.items()):
            title = _title(picture) if rng.random() < 0.5 else ""
            writer.writerow([name, title, *("|".join(given[t].get(name, [])) for t in given)])


def _title(picture: Picture) -> str:
    """Return what an editor types into the title field."""
    places = ("beach", "bar", "city", "mountains", "meadow", "studio", "table")
    place = next((f" {word}" for word in places if word in picture.keywords), "")
    return f"{picture.brand} {picture.asset_type}{place}".strip().capitalize()
