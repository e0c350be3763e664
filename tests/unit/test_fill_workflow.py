"""Fill on a catalog: suggestions, summary, applying and undo."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.core.fill.plan import FillPlan
from vernis.domain.errors import InvalidValue, NotFound, UsageError
from vernis.domain.types import FoundFile, Space, Statement, Taxonomy
from vernis.session.session import Session
from vernis.verbs.decide import fill_summary
from vernis.verbs.decide.filling import apply_fill, fill_taxonomy
from vernis.verbs.decide.filling_curve import PRECISIONS, find_curve
from vernis.verbs.steps import learn

SPACE = Space("toy", 12, "float32", {"layers": [["a", 8], ["b", 4]]})
FAST = {"model": "bagged_mlp", "hidden": (24,)}
CLASSES = ("bird", "fish", "tree")
N, LABELLED = 300, 180


def digest(number):
    return hashlib.sha256(str(number).encode()).hexdigest()


KERNEL: dict[str, object] = {}


@pytest.fixture(params=[FAST, KERNEL], ids=["bagged_mlp", "kernel"])
def catalog(tmp_path, request):
    rng = np.random.default_rng(0)
    codes = np.arange(N) % 3
    centres = rng.normal(size=(3, 12))
    vectors = (centres[codes] + 0.35 * rng.normal(size=(N, 12))).astype("f4")
    with SqliteCatalog.create(tmp_path / "x.vernis") as opened:
        files = [FoundFile(f"{i:03}.jpg", digest(i), 10, 0, 30, 20, "JPEG") for i in range(N)]
        opened.images.apply_index(files, complete=True)
        opened.vectors.append(SPACE, [digest(i) for i in range(N)], vectors)
        ids = [image.id for image in opened.images.all()]
        for name, kind in (("kind", "single"), ("tags", "multi")):
            opened.labels.define(Taxonomy(name, kind, CLASSES))
            said = [Statement(ids[i], CLASSES[codes[i]], "yes") for i in range(LABELLED)]
            opened.labels.record(name, said, source="given", verb="import")
            session = Session(opened)
            session.use_space(SPACE)
            learn.work(session, learn.Settings(name, **request.param))
        opened.truth = {ids[i]: CLASSES[codes[i]] for i in range(N)}
        yield opened


@pytest.mark.parametrize("name", ["kind", "tags"])
def test_suggests_for_unlabelled_images_only_and_applies_nothing(catalog, name):
    before = catalog.labels.matrix(name).values.copy()
    summary = fill_taxonomy(Session(catalog), name, precision=0.9)
    after = catalog.labels.matrix(name)
    assert np.array_equal(before, after.values, equal_nan=True)
    suggestions = catalog.issues.suggestions(name)
    assert len(suggestions) == summary.suggested > 60
    assert summary.filling_rate_before == pytest.approx(LABELLED / N)
    assert summary.filling_rate_after == pytest.approx((LABELLED + summary.filled) / N)
    assert summary.filled + summary.n_abstained == N - LABELLED
    assert not {s.image_id for s in suggestions} & set(after.image_ids[after.labelled].tolist())
    right = np.mean([catalog.truth[s.image_id] == s.label for s in suggestions])
    assert right >= 0.9
    assert summary.bound >= 0.9
    assert sum(c.suggested for c in summary.classes.values()) == summary.suggested
    witness = suggestions[0].evidence["neighbors"][0]
    assert catalog.truth[witness["image_id"]] == suggestions[0].label
    assert "given labels" in summary.basis


def test_what_waits_is_counted_by_class_and_the_images_to_label_next_are_named(catalog):
    session = Session(catalog)
    summary = fill_taxonomy(session, "kind", precision=0.99)
    assert summary.n_abstained > 0
    assert sum(found.waiting for found in summary.classes.values()) == summary.n_abstained
    suggested = {s.image_id for s in catalog.issues.suggestions("kind")}
    labelled = set(catalog.labels.matrix("kind").image_ids[catalog.labels.matrix("kind").labelled])
    ids = {uri: number for number, uri in session.uris().items()}
    named = [ids[uri] for uri in summary.label_next]
    assert len(named) == min(50, summary.n_abstained) == len(set(named))
    assert not set(named) & (suggested | labelled)
    assert any("cannot be filled at this precision" in note for note in summary.notes)
    assert all(0 < found.precision <= 1 for found in summary.classes.values())


@pytest.mark.parametrize("head", ["networks", "best"])
def test_other_heads_can_fill(catalog, head):
    kernel = fill_taxonomy(Session(catalog), "kind", precision=0.9)
    summary = fill_taxonomy(Session(catalog), "kind", precision=0.9, head=head)
    right = [catalog.truth[s.image_id] == s.label for s in catalog.issues.suggestions("kind")]
    assert np.mean(right) >= 0.9
    assert summary.suggested >= (kernel.suggested if head == "best" else 30)


def test_one_undo_takes_the_whole_fill_back(catalog):
    before = catalog.labels.matrix("kind").values.copy()
    summary = fill_taxonomy(Session(catalog), "kind", precision=0.9)
    batch = apply_fill(Session(catalog), "kind")
    assert batch > 0
    filled = catalog.labels.matrix("kind")
    assert filled.labelled.mean() == pytest.approx(summary.filling_rate_after)
    assert catalog.labels.counts_by_source()[f"accepted:fill@{summary.model}"] >= summary.suggested
    assert apply_fill(Session(catalog), "kind") == 0
    catalog.history.undo()
    assert np.array_equal(before, catalog.labels.matrix("kind").values, equal_nan=True)
    again = fill_taxonomy(Session(catalog), "kind", precision=0.9)
    assert again == summary
    assert len(catalog.issues.suggestions("kind")) == summary.suggested


def test_a_second_run_keeps_the_first_ones_result(catalog):
    calls = []

    def progress(task, done, total, note=""):
        calls.append(task)

    first = fill_taxonomy(Session(catalog, progress=progress), "kind")
    assert calls
    calls.clear()
    assert fill_taxonomy(Session(catalog, progress=progress), "kind") == first
    assert not calls
    assert fill_taxonomy(Session(catalog, progress=progress), "kind", precision=0.8) != first
    assert calls


def test_labels_that_fill_wrote_are_no_evidence(catalog):
    fill_taxonomy(Session(catalog), "kind", precision=0.9)
    apply_fill(Session(catalog), "kind")
    summary = fill_taxonomy(Session(catalog), "kind", precision=0.9)
    assert summary.held_out == LABELLED
    assert "given labels" in summary.basis
    assert summary.filling_rate_before > LABELLED / N


def test_confirmed_labels_carry_the_promise_once_they_are_many(catalog):
    truth = list(catalog.truth.items())
    said = [Statement(image, label, "yes") for image, label in truth[:220]]
    catalog.labels.record("kind", said, source="human:ada", verb="edit")
    summary = fill_taxonomy(Session(catalog), "kind", precision=0.9)
    assert "a person confirmed" in summary.basis
    assert summary.held_out == 220


def test_nothing_to_fill(catalog):
    said = [Statement(image, label, "yes") for image, label in catalog.truth.items()]
    catalog.labels.record("kind", said, source="given", verb="import")
    summary = fill_taxonomy(Session(catalog), "kind")
    assert (summary.suggested, summary.n_abstained, summary.filling_rate_after) == (0, 0, 1.0)
    assert summary.notes == ("every image with a vector has a label",)


def test_says_what_is_wrong(catalog):
    with pytest.raises(NotFound, match="nothere"):
        fill_taxonomy(Session(catalog), "nothere")
    with pytest.raises(InvalidValue, match="precision"):
        fill_taxonomy(Session(catalog), "kind", precision=95)
    catalog.labels.define(Taxonomy("new", "single", ("a", "b")))
    with pytest.raises(UsageError, match="vernis learn new"):
        fill_taxonomy(Session(catalog), "new")


@pytest.mark.parametrize(
    ("bound", "reason"),
    [
        (0.91, "could be promised, but no unlabelled image is sure enough: 3 unlabelled images"),
        (np.nan, "cannot be promised from 90 held-out answers (labels that the model did"),
    ],
)
def test_an_empty_fill_says_why(catalog, bound, reason):
    plan = FillPlan(
        image=np.empty(0, np.int64),
        label=np.empty(0, np.int64),
        probability=np.empty(0),
        thresholds=np.full(3, 0.99),
        class_bounds=np.full(3, np.nan),
        class_precision=np.full(3, 0.8),
        promised=0.9,
        precision=0.99,
        bound=bound,
        noise=0.0,
        n_held_out=90,
        n_groups=30,
        n_out_of_distribution=3,
        is_matched=True,
        on_confirmed=False,
    )
    session = Session(catalog)
    data = session.training_data("kind", SPACE)
    record = catalog.models.latest("kind")
    summary = fill_summary.summarize(session, data, record, plan, "given", 0.9, 0.95)
    assert reason in summary.notes[0]


def test_a_curve_says_what_each_precision_would_fill(catalog):
    session = Session(catalog)
    before = fill_taxonomy(session, "kind", precision=0.9)
    suggested = catalog.issues.suggestions("kind")
    curve = find_curve(session, "kind")
    assert catalog.issues.suggestions("kind") == suggested
    assert [point.precision for point in curve.points] == list(PRECISIONS)
    at = PRECISIONS.index(0.9)
    point = curve.points[at]
    assert (point.suggested, point.bound) == (before.suggested, before.bound)
    offered = {(o.image_id, o.label) for o in curve.offers if o.points >> at & 1}
    assert offered == {(s.image_id, s.label) for s in suggested}
    counts = [point.suggested for point in curve.points]
    assert counts == sorted(counts, reverse=True)
    assert find_curve(session, "kind") is not curve
    assert find_curve(session, "kind") == curve
