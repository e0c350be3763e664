"""Brands on real labels of beer: found, blank labels filled, wrong ones noticed."""

from __future__ import annotations

import csv

import numpy as np
import pytest

import vernis

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def beer(real_data, tmp_path_factory):
    place = tmp_path_factory.mktemp("beer")
    with (real_data / "beer_labels_a" / "images.csv").open(encoding="utf-8") as file:
        truth = {row["image"]: row["brand"] for row in csv.DictReader(file)}
    names = sorted(set(truth.values()) - {""})
    rng = np.random.default_rng(3)
    branded = [image for image, brand in truth.items() if brand]
    chosen = rng.permutation(branded).tolist()
    given = dict(truth)
    for image in chosen[:20]:
        given[image] = ""
    for image in chosen[20:26]:
        given[image] = str(rng.choice([name for name in names if name != truth[image]]))
    table = place / "labels.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("image", "brand"), *given.items()])
    with vernis.Collection.create(place / "x.vernis") as collection:
        collection.index(real_data / "beer_labels_a")
        collection.import_(table, taxonomy=["brand"])
        collection.read()
        found = collection.brands(real_data / "beer_labels_a" / "brand_list.csv")
        yield truth, found, chosen


def test_brands_are_found(beer):
    truth, found, _ = beer
    assert found.read == len(truth)
    assert found.with_brand >= 0.82 * len(truth)
    exact = sum(row.found[0] for row in found.gain)
    assert 0.4 * len(truth) < exact < found.with_brand


def test_blank_labels_are_filled_rightly(beer):
    truth, found, chosen = beer
    suggested = {row.image: row.suggested for row in found.suggestions}
    assert set(suggested) <= set(chosen[:20])
    assert len(suggested) >= 14
    right = [truth[image] == brand for image, brand in suggested.items()]
    assert np.mean(right) >= 0.94


def test_swapped_labels_are_found(beer):
    truth, found, chosen = beer
    flagged = {row.image: row.suggested for row in found.issues}
    wrong = set(chosen[20:26])
    assert len(set(flagged) & wrong) >= 4
    assert len(set(flagged) - wrong) <= 1
    assert all(truth[image] == flagged[image] for image in set(flagged) & wrong)
