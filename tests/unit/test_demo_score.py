"""Scoring of the demo: planted against found, on made-up catalogs."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict

import pytest

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.adapters.demo import DemoTruth, PlantedCopy, PlantedLabel
from vernis.cli.main import main
from vernis.domain.types import (
    DuplicateGroup,
    DuplicatePair,
    FoundFile,
    Issue,
    Suggestion,
    Taxonomy,
)
from vernis.workflows.demo import ScoreRow, score_demo

NAMES = [f"{letter}.jpg" for letter in "abcdefgh"]
TRUTH = DemoTruth(
    pictures="/p",
    labels_csv="/l",
    seed=0,
    labels={"kind": {name: ["can"] for name in NAMES}},
    given={"kind": {name: ["can"] for name in NAMES[:3]} | {"d.jpg": ["jar"]}},
    wrong=(PlantedLabel("d.jpg", "kind", "replaced", "jar", "can"),),
    copies=(
        PlantedCopy("b.jpg", "a.jpg", "bytes", "same bytes"),
        PlantedCopy("c.jpg", "a.jpg", "near", "greyscale"),
        PlantedCopy("h.jpg", "g.jpg", "near", "flipped"),
    ),
    quality={"blurry": ["e.jpg"], "dark": ["f.jpg"]},
    broken={"broken.jpg": "empty file"},
    others=("film.mp4",),
)


@pytest.fixture
def catalog(tmp_path):
    with SqliteCatalog.create(tmp_path / "x.vernis") as opened:
        files = [
            FoundFile(n, hashlib.sha256(n.encode()).hexdigest(), 9, 0, 8, 8, "JPEG") for n in NAMES
        ]
        files.append(FoundFile("broken.jpg", "", 0, 0, reason="empty file"))
        opened.images.apply_index(files, complete=True)
        opened.labels.define(Taxonomy("kind", "single", ("can", "jar")))
        opened.ids = {image.uri: image.id for image in opened.images.all()}
        yield opened


def rows(catalog):
    return {row.planted: row for row in score_demo(catalog, TRUTH).table}


def counts(row):
    return row.count, row.found, row.missed, row.false_alarms


def test_nothing_found_is_all_missed(catalog):
    table = rows(catalog)
    assert counts(table["images with a wrong kind label"]) == (1, 0, 1, 0)
    assert counts(table["blank kind labels"]) == (4, 0, 4, 0)
    assert counts(table["exact copies"]) == (1, 0, 1, 0)
    assert counts(table["near copies"]) == (2, 0, 2, 0)
    assert counts(table["blurred pictures"]) == (1, 0, 1, 0)
    assert counts(table["broken files"]) == (1, 1, 0, 0)
    assert counts(table["files that are no pictures"]) == (1, 0, 1, 0)


def test_hits_and_false_alarms_are_told_apart(catalog):
    ids = catalog.ids

    def issue(name, suggested):
        evidence = {"change": "replaced", "given": ["jar"], "suggested": [suggested]}
        return Issue("label", ids[name], 0.1, taxonomy="kind", evidence=evidence)

    catalog.issues.replace(["label"], [issue("d.jpg", "can"), issue("a.jpg", "jar")], "kind")
    catalog.issues.replace_suggestions(
        "kind",
        [
            Suggestion(ids["e.jpg"], "kind", "can", 0.9),
            Suggestion(ids["f.jpg"], "kind", "jar", 0.8),
        ],
    )
    catalog.issues.replace(["blurry"], [Issue("blurry", ids[n], 0.1) for n in ("e.jpg", "g.jpg")])
    catalog.images.set_other_files({".mp4": 1, ".txt": 2})
    table = rows(catalog)
    assert counts(table["images with a wrong kind label"]) == (1, 1, 0, 1)
    assert counts(table["blank kind labels"]) == (4, 1, 3, 1)
    assert counts(table["blurred pictures"]) == (1, 1, 0, 1)
    assert counts(table["files that are no pictures"]) == (1, 1, 0, 2)
    notes = score_demo(catalog, TRUTH).notes
    assert "kind: for 1 of the 1 found the suggestion is right" in notes


def test_pairs_of_one_picture_are_no_false_alarms(catalog):
    ids = catalog.ids

    def group(names, kind):
        members = sorted(ids[n] for n in names)
        pairs = tuple(
            DuplicatePair(x, y, kind, 0.9) for i, x in enumerate(members) for y in members[i + 1 :]
        )
        return DuplicateGroup(kind, tuple(members), members[0], "larger", pairs)

    catalog.issues.replace_groups(
        [group(["a.jpg", "b.jpg", "c.jpg"], "near"), group(["d.jpg", "e.jpg"], "near")]
    )
    table = rows(catalog)
    assert counts(table["exact copies"]) == (1, 1, 0, 0)
    assert counts(table["near copies"]) == (2, 1, 1, 1)
    notes = " ".join(score_demo(catalog, TRUTH).notes)
    assert "greyscale 1/1, flipped 0/1" in notes


def test_the_demo_prints_one_document_when_told(tmp_path, monkeypatch, capsys):
    summary = {
        "facts": {"images": 3},
        "notes": ["a note"],
        "report": "report/index.html",
        "next": "vernis status",
        "score": [asdict(ScoreRow("dark pictures", 2, 1, 1, 0))],
        "score_notes": ["all of it"],
    }
    monkeypatch.setattr("vernis.demo.run_demo", lambda folder, **how: summary)
    assert main(["demo", str(tmp_path), "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out) == summary
    assert main(["demo", str(tmp_path), "--quiet"]) == 0
    assert "false alarms" in capsys.readouterr().out
