"""Scoring of the demo: planted against found, on made-up catalogs."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.adapters.demo import DemoTruth, PlantedCopy, PlantedLabel
from vernis.cli.main import main
from vernis.domain.documents import to_document
from vernis.domain.types import (
    DuplicateGroup,
    DuplicatePair,
    FoundFile,
    Issue,
    Suggestion,
    Taxonomy,
)
from vernis.verbs.declare import Verb
from vernis.verbs.start import demo
from vernis.verbs.start.demo_score import ScoreRow, score_demo

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


def test_a_wrong_suggestion_on_the_right_image_counts_as_found_and_not_as_mended(catalog):
    evidence = {"change": "replaced", "given": ["jar"], "suggested": ["jar"]}
    planted = Issue("label", catalog.ids["d.jpg"], 0.1, taxonomy="kind", evidence=evidence)
    catalog.issues.replace(["label"], [planted], "kind")
    score = score_demo(catalog, TRUTH)
    row = next(r for r in score.table if r.planted == "images with a wrong kind label")
    assert counts(row) == (1, 1, 0, 0)
    assert "kind: for 0 of the 1 found the suggestion is right" in score.notes


def test_a_suggestion_is_right_only_with_all_the_true_classes(catalog):
    words = Taxonomy("words", "multi", ("ice", "can", "bar"))
    catalog.labels.define(words)
    truth = replace(
        TRUTH,
        labels={"words": {"a.jpg": ["can", "ice"], "b.jpg": ["can"], "c.jpg": []}},
        given={"words": {"a.jpg": ["can"], "b.jpg": ["bar", "can"]}},
        wrong=(
            PlantedLabel("a.jpg", "words", "missing", "", "ice"),
            PlantedLabel("b.jpg", "words", "extra", "bar", ""),
        ),
    )
    suggested = {"a.jpg": ["ice"], "b.jpg": ["can"], "c.jpg": ["bar"]}
    issues = [
        Issue("label", catalog.ids[n], 0.1, taxonomy="words", evidence={"suggested": labels})
        for n, labels in suggested.items()
    ]
    catalog.issues.replace(["label"], issues, "words")
    score = score_demo(catalog, truth)
    assert counts(score.table[0]) == (2, 2, 0, 1)
    assert "words: for 1 of the 2 found the suggestion is right" in score.notes


def test_a_finding_counts_whatever_a_person_decided_on_it(catalog):
    catalog.issues.replace(["blurry"], [Issue("blurry", catalog.ids["e.jpg"], 0.1)])
    (issue,) = catalog.issues.select(["blurry"])
    catalog.issues.set_verdict([issue.id], "dismissed", who="me")
    assert counts(rows(catalog)["blurred pictures"]) == (1, 1, 0, 0)


def test_only_taxonomies_that_the_catalog_knows_are_scored(catalog):
    truth = replace(
        TRUTH,
        labels={**TRUTH.labels, "brand": {"a.jpg": ["x"]}},
        given={**TRUTH.given, "brand": {}},
    )
    planted = {row.planted for row in score_demo(catalog, truth).table}
    assert "blank kind labels" in planted
    assert not [name for name in planted if "brand" in name]


def test_a_suggestion_for_a_filled_field_or_of_a_wrong_class_is_a_false_alarm(catalog):
    ids = catalog.ids
    suggestions = [("a.jpg", "can"), ("e.jpg", "can"), ("f.jpg", "jar"), ("g.jpg", "can")]
    catalog.issues.replace_suggestions(
        "kind", [Suggestion(ids[name], "kind", label, 0.9) for name, label in suggestions]
    )
    catalog.runs.finish("fill:kind", "x", {"precision": 0.9})
    score = score_demo(catalog, TRUTH)
    row = next(r for r in score.table if r.planted == "blank kind labels")
    assert counts(row) == (4, 2, 2, 2)
    assert "kind: 50.0% of the 4 labels to fill are right, promised were 90%" in score.notes


def test_says_where_no_precision_could_be_promised(catalog):
    catalog.runs.finish("fill:kind", "x", {"precision": 0.9})
    notes = score_demo(catalog, TRUTH).notes
    assert "kind: a precision of 90% could not be promised; none filled" in notes


def test_grey_copies_are_the_planted_grey_pictures(catalog):
    ids = catalog.ids
    catalog.issues.replace(
        ["greyscale"], [Issue("greyscale", ids[n], 0) for n in ("c.jpg", "d.jpg")]
    )
    assert counts(rows(catalog)["grey pictures"]) == (1, 1, 0, 1)


def group(ids, names, kind, pair_kinds=None):
    """Return a group whose pairs are of ``kind`` unless ``pair_kinds`` (names → kind) says else."""
    members = sorted(ids[n] for n in names)
    told = {frozenset(ids[n] for n in pair): k for pair, k in (pair_kinds or {}).items()}
    pairs = tuple(
        DuplicatePair(x, y, told.get(frozenset((x, y)), kind), 0.9)
        for i, x in enumerate(members)
        for y in members[i + 1 :]
    )
    return DuplicateGroup(kind, tuple(members), members[0], "larger", pairs)


def test_an_exact_copy_that_is_found_as_a_near_one_is_found(catalog):
    catalog.issues.replace_groups([group(catalog.ids, ["a.jpg", "b.jpg"], "near")])
    table = rows(catalog)
    assert counts(table["exact copies"]) == (1, 1, 0, 0)
    assert counts(table["near copies"]) == (2, 0, 2, 0)


def test_a_false_alarm_is_counted_once_under_the_kind_of_its_pair(catalog):
    strangers = group(
        catalog.ids, ["d.jpg", "e.jpg", "f.jpg"], "near", {("d.jpg", "e.jpg"): "bytes"}
    )
    catalog.issues.replace_groups([strangers])
    table = rows(catalog)
    assert counts(table["exact copies"]) == (1, 0, 1, 1)
    assert counts(table["near copies"]) == (2, 0, 2, 2)
    assert counts(table["same pixels, other file"]) == (0, 0, 0, 0)


def test_two_copies_of_one_original_are_no_false_alarm(catalog):
    catalog.issues.replace_groups([group(catalog.ids, ["b.jpg", "c.jpg"], "near")])
    table = rows(catalog)
    assert counts(table["near copies"]) == (2, 0, 2, 0)
    assert counts(table["exact copies"]) == (1, 0, 1, 0)


def test_an_unreadable_picture_that_was_not_planted_is_a_false_alarm(catalog):
    truth = replace(TRUTH, broken={})
    row = next(r for r in score_demo(catalog, truth).table if r.planted == "broken files")
    assert counts(row) == (0, 0, 0, 1)


def test_other_files_of_another_suffix_are_missed_and_alarmed(catalog):
    truth = replace(TRUTH, others=("film.mp4", "a.pptx", "b.pptx"))
    catalog.images.set_other_files({".pptx": 1, ".doc": 3})
    row = next(r for r in score_demo(catalog, truth).table if r.planted.startswith("files that"))
    assert counts(row) == (3, 1, 2, 3)


def test_the_parts_of_a_row_add_up(catalog):
    table = score_demo(catalog, TRUTH).table
    assert table
    for row in table:
        assert row.found + row.missed == row.count


def test_pairs_of_one_picture_are_no_false_alarms(catalog):
    ids = catalog.ids

    catalog.issues.replace_groups(
        [
            group(ids, ["a.jpg", "b.jpg", "c.jpg"], "near"),
            group(ids, ["d.jpg", "e.jpg"], "near"),
        ]
    )
    table = rows(catalog)
    assert counts(table["exact copies"]) == (1, 1, 0, 0)
    assert counts(table["near copies"]) == (2, 1, 1, 1)
    notes = " ".join(score_demo(catalog, TRUTH).notes)
    assert "greyscale 1/1, flipped 0/1" in notes


def test_the_demo_prints_one_document_when_told(tmp_path, monkeypatch, capsys):
    found = demo.Result(
        images=3,
        other_files=0,
        unreadable=0,
        quality_issues=0,
        images_with_quality_issues=0,
        duplicate_groups=0,
        images_with_text=None,
        images_with_objects=None,
        taxonomies={},
        report="report/index.html",
        collection="demo.vernis",
        next="vernis status",
        notes=("a note",),
        score=(ScoreRow("dark pictures", 2, 1, 1, 0),),
        score_notes=("all of it",),
    )
    verb = Verb(demo.Settings, lambda session, settings: found, demo.show, home=demo.home)
    monkeypatch.setattr(demo, "VERB", verb)
    assert main(["demo", str(tmp_path), "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out) == to_document(found)
    assert main(["demo", str(tmp_path), "--quiet"]) == 0
    assert "false alarms" in capsys.readouterr().out
