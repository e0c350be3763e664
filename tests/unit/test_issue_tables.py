"""What is suspected goes out in the conventions of the field."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import vernis
from vernis.domain.errors import UsageError
from vernis.domain.types import DuplicateGroup, DuplicatePair, Issue, Taxonomy


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[vernis.Collection]:
    folder = tmp_path / "pictures"
    folder.mkdir()
    pixels = np.random.default_rng(1).integers(0, 255, (4, 60, 80, 3), dtype=np.uint8)
    pixels[2] //= 32
    for name, picture in zip("abcd", pixels, strict=True):
        Image.fromarray(picture).save(folder / f"{name}.png")
    with vernis.Collection.create(tmp_path / "x.vernis") as made:
        made.index(folder)
        yield made


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_issues_have_a_row_an_image(collection, tmp_path):
    catalog = collection.catalog
    catalog.labels.define(Taxonomy("kind", "single", ("cat", "dog")))
    evidence = {"change": "replaced", "given": ["cat"], "suggested": ["dog"]}
    sure = {"change": "", "given": ["dog"], "suggested": []}
    catalog.issues.replace(
        ["label"],
        [
            Issue("label", 1, 0.1, taxonomy="kind", evidence=evidence),
            Issue("label", 2, 0.9, flagged=False, taxonomy="kind", evidence=sure),
        ],
        "kind",
    )
    pair = DuplicatePair(1, 4, "near", 0.75)
    catalog.issues.replace_groups([DuplicateGroup("near", (1, 4), 1, "larger", (pair,))])
    collection.quality()
    collection.export("issues", tmp_path / "issues.csv")
    rows = {row["image"]: row for row in rows_of(tmp_path / "issues.csv")}
    assert len(rows) == 4
    a, b, c, d = (rows[f"{name}.png"] for name in "abcd")
    assert (a["is_label_issue"], a["label_score"]) == ("True", "0.1")
    assert (a["given_label"], a["predicted_label"]) == ("cat", "dog")
    assert (b["is_label_issue"], b["predicted_label"]) == ("False", "dog")
    assert (d["is_label_issue"], d["label_score"], d["given_label"]) == ("False", "", "")
    assert (c["is_dark_issue"], a["is_dark_issue"]) == ("True", "False")
    assert float(c["dark_score"]) < float(a["dark_score"])
    assert (a["is_near_duplicate_issue"], d["is_near_duplicate_issue"]) == ("False", "True")
    assert (a["near_duplicate_score"], b["near_duplicate_score"]) == ("0.25", "1.0")
    assert json.loads(d["near_duplicate_sets"]) == ["a.png"]
    only = collection.export("issues", tmp_path / "some.tsv", where="name:a.png")
    assert only.images == 1
    assert (tmp_path / "some.tsv").read_text().count("\n") == 2


def test_duplicates_have_a_row_a_pair(collection, tmp_path):
    pair = DuplicatePair(1, 4, "near", 0.75, "flipped")
    group = DuplicateGroup("near", (1, 4), 4, "larger", (pair,))
    collection.catalog.issues.replace_groups([group])
    collection.export("duplicates", tmp_path / "similarity.csv")
    assert rows_of(tmp_path / "similarity.csv") == [
        {
            **{"from": "a.png", "to": "d.png", "similarity": "0.75", "kind": "near"},
            **{"transform": "flipped", "group": "0", "keep": "d.png"},
        }
    ]


def test_label_issues_of_several_taxonomies_are_told_apart(collection, tmp_path):
    for name in ("kind", "colour"):
        collection.catalog.labels.define(Taxonomy(name, "multi", ("x", "y")))
        evidence = {"given": ["x", "y"], "suggested": ["x"]}
        issue = Issue("label", 1, 0.5, taxonomy=name, evidence=evidence)
        collection.catalog.issues.replace(["label"], [issue], name)
    collection.export("issues", tmp_path / "both.csv")
    first = rows_of(tmp_path / "both.csv")[0]
    assert first["is_kind_label_issue"] == first["is_colour_label_issue"] == "True"
    assert json.loads(first["kind_given_label"]) == ["x", "y"]
    collection.export("issues", tmp_path / "one.csv", taxonomy=["kind"])
    assert "is_label_issue" in rows_of(tmp_path / "one.csv")[0]


def test_what_was_not_looked_for_is_said(collection, tmp_path):
    written = collection.export("duplicates", tmp_path / "none.csv")
    assert written.notes == ("nothing is suspected yet; what finds it: vernis duplicates",)
    written = collection.export("issues", tmp_path / "issues.csv")
    assert "issues TAXONOMY" in written.notes[0]
    assert rows_of(tmp_path / "issues.csv")[0] == {"image": "a.png"}
    with pytest.raises(UsageError, match=r"ends with \.csv"):
        collection.export("issues", tmp_path / "x.txt")
    with pytest.raises(UsageError, match="there already"):
        collection.export("duplicates", tmp_path / "none.csv")
    collection.export("duplicates", tmp_path / "none.csv", overwrite=True)
