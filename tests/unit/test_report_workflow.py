"""The report of a collection: collected from the catalog, thumbnails drawn, old ones kept."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.domain.errors import InvalidValue, StorageError, UnreadableImage
from vernis.domain.types import (
    DuplicateGroup,
    DuplicatePair,
    Estimate,
    FoundFile,
    Issue,
    Statement,
    Suggestion,
    Taxonomy,
)
from vernis.report.model import ReportData
from vernis.session.files import Files
from vernis.session.session import Session
from vernis.verbs.decide.fill_summary import FillSummary
from vernis.verbs.decide.label_judgement import LabelJudgement
from vernis.verbs.start import report
from vernis.verbs.start.report_data import collect_report
from vernis.verbs.steps.quality import count_open_quality

NAMES = [f"{letter}/<script>alert({i})</script>.jpg" for i, letter in enumerate("aabbcc")]
CLASSES = ("a", "b", "c")


def found(name: str, reason: str = "") -> FoundFile:
    digest = hashlib.sha256(name.encode()).hexdigest()
    return FoundFile(name, digest, 1000, 1, 40, 30, "JPEG", reason)


@pytest.fixture
def catalog(tmp_path):
    with SqliteCatalog.create(tmp_path / "shop.vernis") as opened:
        files = [found(name) for name in NAMES] + [found("c/broken.jpg", "cut off")]
        opened.images.set_root(tmp_path)
        opened.images.apply_index(files, complete=True)
        opened.images.set_other_files({".mp4": 2})
        fill_with_findings(opened)
        yield opened


def fill_with_findings(catalog: SqliteCatalog) -> None:
    ids = [catalog.images.find(name).id for name in NAMES]
    catalog.labels.define(Taxonomy("letter", "single", CLASSES))
    given = [Statement(i, name[0], "yes") for i, name in zip(ids[:5], NAMES[:5], strict=True)]
    catalog.labels.record("letter", given, source="given", verb="import")
    evidence = {
        "change": "replaced",
        "given": ["a"],
        "suggested": ["b"],
        "probability": 0.9,
        "neighbors": [{"image_id": ids[2], "label": "b", "similarity": 0.8}],
    }
    catalog.issues.replace(
        ("label",),
        [
            Issue("label", ids[1], 0.1, True, "letter", evidence=evidence),
            Issue("label", ids[3], 0.8, False, "letter", evidence={**evidence, "probability": 0.2}),
        ],
        "letter",
    )
    catalog.issues.replace(("dark",), [Issue("dark", ids[0], 0.2, evidence={"mean": 0.1})])
    pair = DuplicatePair(*sorted(ids[2:4]), "pixels", 1.0, "identity")
    catalog.issues.replace_groups(
        [DuplicateGroup("pixels", (ids[2], ids[3]), ids[3], "larger", (pair,), {"letter": ("b",)})]
    )
    catalog.issues.replace_suggestions("letter", [Suggestion(ids[5], "letter", "c", 0.97)])
    results = Session(catalog).results
    judgement = LabelJudgement(
        taxonomy="letter",
        scorer="softmin",
        space="toy",
        n_labelled=5,
        n_judged=5,
        flagged=1,
        wrong=Estimate(1.2, 1, 3),
        n_worth_reading=2,
        n_expected=1.1,
        n_in_duplicates=0,
    )
    results.keep("label_issues:letter", judgement)
    results.keep("fill:letter", FILLED)


FILLED = FillSummary(
    taxonomy="letter",
    model="letter@1",
    precision=0.95,
    confidence=0.95,
    n_images=6,
    n_labelled=5,
    suggested=1,
    filled=1,
    n_abstained=0,
    n_out_of_distribution=0,
    filling_rate_before=5 / 6,
    filling_rate_after=1.0,
    measured=0.97,
    bound=0.951,
    label_noise=0.0,
    held_out=5,
    groups=5,
    basis="",
    bias="",
    classes={},
    notes=("careful",),
)


def read_picture(image):
    return np.full((30, 40, 3), image.id * 20, np.uint8)


class DrawnFiles(Files):
    """Files whose pictures come from a function."""

    def __init__(self, session, reader):
        super().__init__(session)
        self._reader = reader

    def pictures(self, *, full_size=False):
        return self._reader


def write(catalog, out: Path, reader=read_picture, **settings):
    session = Session(catalog)
    session.files = DrawnFiles(session, reader)
    return report.work(
        session,
        report.Settings(out=out, workers=2, **settings),
        created=datetime(2026, 11, 24, 2, 40),
    )


def rows(out: Path, name: str):
    page = (out / "index.html").read_text(encoding="utf-8")
    return json.loads(re.search(r' id="data">(.*?)</script>', page)[1])[name]


def collect(catalog, max_items: int = 100) -> ReportData:
    return collect_report(
        Session(catalog),
        max_items=max_items,
        max_suggestions=max_items,
        created="today",
        version="0.1.0",
    )[0]


def test_every_finding_reaches_the_report(catalog):
    data = collect(catalog)
    assert data.title == "shop"
    assert data.collection.name == "shop.vernis"  # beside it the page's commands are run
    assert data.n_images == 6
    assert dict(data.facts)["Left out"] == "2 videos"
    assert data.left_out == (("Videos", 2, "their frames are read with --inside video"),)
    account = data.accounts["letter"]
    assert (account.at_import, account.now, account.images_now) == (5, 5, 5)
    (audit,) = data.audits
    assert (audit.n_labelled, dict(audit.counts)) == (5, {"a": 2, "b": 2, "c": 1})
    (issues,) = data.label_issues
    assert (issues.wrong.value, issues.wrong.low, issues.depth) == (1.2, 1, 2)
    assert [(i.given, i.suggested) for i in issues.items] == [(("a",), ("b",))]
    assert issues.gain == ((0, 0.0), (1, 0.9), (2, 1.1))
    (group,) = data.duplicates
    assert [m.transform for m in group.members if m.image != group.keeper] == ["identity"]
    assert [kind.kind for kind in data.quality] == ["dark"]
    assert [(b.uri, b.reason) for b in data.broken] == [("c/broken.jpg", "cut off")]
    (fill,) = data.fills
    assert (fill.before, fill.after, fill.n_withheld) == (pytest.approx(5 / 6), 1.0, 0)
    assert (fill.measured.value, fill.measured.low) == (0.97, 0.951)
    commands = [action.command for action in data.actions]
    assert commands == [
        "vernis trash --duplicates --dry-run",
        "vernis issues letter --limit 1",
        "vernis fill letter --precision 0.95 --apply",
        "vernis status",
    ]


def test_decided_issues_are_counted_but_not_shown(catalog):
    (issue,) = catalog.issues.select(("label",), "letter")
    catalog.issues.set_verdict([issue.id], "dismissed", who="ana")
    (issues,) = collect(catalog).label_issues
    assert issues.items == ()
    assert any("1 dismissed" in note for note in issues.notes)


def test_long_lists_are_cut_and_counted(catalog):
    ids = [image.id for image in catalog.images.all()]
    catalog.issues.replace(("dark",), [Issue("dark", i, i / 10) for i in ids])
    data = collect(catalog, max_items=2)
    (dark,) = data.quality
    assert (len(dark.items), dark.n_flagged, data.n_poor) == (2, 6, 6)


def test_the_least_sure_fills_are_listed_first(catalog):
    ids = [catalog.images.find(name).id for name in NAMES]
    sure = {ids[0]: 0.91, ids[2]: 0.99, ids[4]: 0.93, ids[5]: 0.97}
    catalog.issues.replace_suggestions(
        "letter", [Suggestion(image, "letter", "c", p) for image, p in sure.items()]
    )
    (fill,) = collect(catalog).fills
    assert [item.image for item in fill.items] == [ids[0], ids[4], ids[5], ids[2]]
    (cut,) = collect(catalog, max_items=2).fills
    assert [item.image for item in cut.items] == [ids[0], ids[4]]
    assert any("2 least sure of 4" in note for note in cut.notes)


def test_quality_issues_are_counted_as_a_run_counts_them(catalog, tmp_path):
    ids = [image.id for image in catalog.images.all()]
    issues = [Issue("dark", i, 0.1) for i in ids[:3]] + [Issue("blurry", ids[0], 0.2)]
    catalog.issues.replace(("dark", "blurry"), issues)
    page = Path(write(catalog, tmp_path / "report").page).read_text(encoding="utf-8")
    assert re.search(r"Quality issues</span>\s*<span[^>]*>4<", page)
    assert "in 3 images, mostly dark" in page
    assert "3 pictures are poor" in page
    assert count_open_quality(Session(catalog)) == (4, 3)


def test_an_empty_catalog_gives_a_report(tmp_path):
    with SqliteCatalog.create(tmp_path / "empty.vernis") as empty:
        summary = write(empty, tmp_path / "report")
    assert summary.images == 0
    assert "Nothing suspicious" in Path(summary.page).read_text(encoding="utf-8")


def test_thumbnails_are_drawn_once_and_for_shown_images_only(catalog, tmp_path):
    out = tmp_path / "report"
    first = write(catalog, out)
    shown = rows(out, "images")
    assert first.images == len(shown) == first.drawn == 5
    assert all((out / row["thumb"]).read_bytes()[:2] == b"\xff\xd8" for row in shown)
    page = Path(first.page).read_bytes()
    again = write(catalog, out)
    assert again.drawn == 0
    assert Path(again.page).read_bytes() == page


def test_a_picture_that_cannot_be_read_is_shown_without_a_preview(catalog, tmp_path):
    bad = catalog.images.find(NAMES[1]).id

    def reader(image):
        if image.id == bad:
            raise UnreadableImage(image.uri, "gone")
        return read_picture(image)

    summary = write(catalog, tmp_path / "report", reader)
    assert summary.without_thumbnail == 1
    assert {row["id"]: row["thumb"] for row in rows(tmp_path / "report", "images")}[bad] == ""


def test_a_full_disk_ends_the_report_and_leaves_the_old_one(catalog, tmp_path):
    out = tmp_path / "report"
    before = Path(write(catalog, out).page).read_bytes()

    def reader(image):
        raise StorageError("the disk is full")

    with pytest.raises(StorageError):
        write(catalog, out, reader, edge=64)
    assert (out / "index.html").read_bytes() == before


def test_curves_stand_on_the_out_of_bag_predictions(catalog):
    measures = ("f1", "precision", "recall", "f2", "average_precision")
    ids = [catalog.images.find(name).id for name in NAMES]
    oob = np.array(
        [[0.9, 0.1, 0], [0.4, 0.6, 0], [0.2, 0.8, 0], [0.1, 0.9, 0], [0, 0.3, 0.7], [0, 0, 1]],
        np.float32,
    )
    catalog.models.save(
        "letter",
        "space",
        arrays={"w": np.zeros(1)},
        settings={"classes": list(CLASSES), "thresholds": {"a": 0.5}, "notes": ["careful"]},
        metrics={
            "confidence": 0.95,
            "micro": {
                key: {"value": 0.8 - i / 50, "low": 0.7, "high": 0.9}
                for i, key in enumerate(measures)
            },
            "macro": {key: {"value": 0.7, "low": 0.6, "high": 0.8} for key in measures},
            "classes": {},
        },
        fingerprint="x",
        predictions={"image_ids": np.array(ids), "oob": oob, "ensemble": oob},
    )
    (model,) = collect(catalog).models
    assert model.averages["Micro F1"].high == 0.9
    assert "careful" in model.notes
    assert [curve.label for curve in model.curves] == ["All classes together", *CLASSES]
    together, a, b, _ = model.curves
    half = a.thresholds.index(0.5)
    # one of the two images of a is taken, and nothing else; b takes its two and one of a
    assert (a.precision[half], a.recall[half], a.chosen) == (1.0, 0.5, 0.5)
    assert (b.precision[half], b.recall[half]) == (pytest.approx(2 / 3, abs=1e-4), 1.0)
    # at 0 every labelled image gets its most probable class, of which one is wrong
    assert (together.precision[0], together.recall[0]) == (0.8, 0.8)


def test_settings_are_checked():
    with pytest.raises(InvalidValue, match="max_items"):
        report.Settings(max_items=0)


def test_results_of_another_version_are_as_good_as_none(catalog):
    wrong = {"type": "LabelJudgement", "version": 0, "value": {}}
    catalog.runs.finish("label_issues:letter", "x", wrong)
    catalog.runs.finish("fill:letter", "x", {"precision": 0.95, "estimate": 3})
    data = collect(catalog)
    assert data.label_issues == ()
    assert data.fills == ()
