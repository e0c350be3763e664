"""The bars that the project holds itself to, measured through the collection on real pictures."""

from __future__ import annotations

import csv
from itertools import combinations

import numpy as np
import pytest

import vernis
from vernis.verbs.decide import duplicates, issues

pytestmark = pytest.mark.real


def read_rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def link_tree(source, target):
    """Lay a folder of links, so that a collection can hold several sets."""
    for path in sorted(source.rglob("*.jpg")):
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(path)


def test_copies_are_found_among_hard_negatives(real_data, tmp_path):
    link_tree(real_data / "copies_a" / "images", tmp_path / "p" / "copies")
    link_tree(real_data / "clothing_a" / "images", tmp_path / "p" / "clothing")
    members: dict[str, list[str]] = {}
    for row in read_rows(real_data / "copies_a" / "truth.csv"):
        name = row["image"].removeprefix("images/")
        members.setdefault(row["group"], []).append(f"copies/{name}")
    truth = {frozenset(pair) for group in members.values() for pair in combinations(group, 2)}
    with vernis.Collection.create(tmp_path / "x.vernis") as collection:
        collection.index(tmp_path / "p")
        collection.embed()
        groups = duplicates.work(collection.session, duplicates.Settings()).groups
    found = {frozenset(pair) for group in groups for pair in combinations(group.images, 2)}
    assert len(truth) == 50 * 36
    assert len(found & truth) / len(truth) >= 0.97
    assert len(found & truth) / len(found) >= 0.995


def test_planted_wrong_labels_rise_to_the_top(real_data, tmp_path):
    rows = read_rows(real_data / "clothing_a" / "images.csv")
    names = sorted({row["label"] for row in rows})
    rng = np.random.default_rng(0)
    wrong = set(rng.choice(len(rows), len(rows) // 10, replace=False).tolist())
    lines = ["image,garment"]
    for number, row in enumerate(rows):
        label = row["label"]
        if number in wrong:
            label = str(rng.choice([name for name in names if name != label]))
        lines.append(f"{row['image'].removeprefix('images/')},{label}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    with vernis.Collection.create(tmp_path / "x.vernis") as collection:
        collection.index(real_data / "clothing_a" / "images")
        collection.import_(tmp_path / "labels.csv")
        collection.embed()
        frame = collection.issues("garment")
        estimate = issues.work(collection.session, issues.Settings("garment")).judgement.wrong
    planted = {rows[number]["image"].removeprefix("images/") for number in wrong}
    hits = np.array([image in planted for image in frame.index])
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    assert len(frame) == len(rows)
    # Chance is 0.10; some given labels of this set are debatable themselves.
    assert precision[hits].mean() > 0.6
    assert estimate.low <= estimate.value <= estimate.high
    assert 0.5 * len(planted) < estimate.value < 2.5 * len(planted)
