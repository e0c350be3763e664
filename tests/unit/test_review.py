"""The label issue workflow on a catalog, and what a person's decisions do to it."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.core.labels.issues import CHANGES
from vernis.domain.errors import InvalidValue, NotFound, NothingToLearn, UsageError
from vernis.domain.ports import silent
from vernis.domain.types import (
    DuplicateGroup,
    DuplicatePair,
    FoundFile,
    Issue,
    Space,
    Statement,
    Taxonomy,
)
from vernis.session.session import Session
from vernis.verbs.decide import issues as listing
from vernis.verbs.decide.decisions import accept_issues, dismiss_issues, select_issues
from vernis.verbs.decide.label_judgement import JudgementSettings, evidence_of
from vernis.verbs.decide.label_judgement import judge_labels as judge
from vernis.verbs.decide.told_apart import LeaveOut

SPACE = Space("toy", 12, "float32", {"layers": [["a", 8], ["b", 4]]})
CLASSES = ("bird", "fish", "tree")
N, LABELLED = 210, 180
WRONG = tuple(range(0, 180, 13))


def judge_labels(catalog, taxonomy, settings=None, progress=silent):
    session = Session(catalog, progress=progress)
    session.use_space(SPACE)
    return judge(session, taxonomy, settings)


def digest(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


@pytest.fixture
def catalog(tmp_path):
    rng = np.random.default_rng(0)
    codes = np.arange(N) % 3
    centres = rng.normal(size=(3, 12)) * 1.5
    vectors = (centres[codes] + 0.35 * rng.normal(size=(N, 12))).astype("f4")
    with SqliteCatalog.create(tmp_path / "x.vernis") as opened:
        files = [FoundFile(f"{i:03}.jpg", digest(i), 10, 0, 30, 20, "JPEG") for i in range(N)]
        opened.images.apply_index(files, complete=True)
        opened.vectors.append(SPACE, [digest(i) for i in range(N)], vectors)
        ids = [image.id for image in opened.images.all()]
        given = codes.copy()
        given[list(WRONG)] = (given[list(WRONG)] + 1) % 3
        said = [Statement(ids[i], CLASSES[given[i]], "yes") for i in range(LABELLED)]
        for taxonomy in (
            Taxonomy("kind", "single", CLASSES),
            Taxonomy("tags", "multi", CLASSES),
            Taxonomy("closed", "multi", CLASSES, closed=True),
        ):
            opened.labels.define(taxonomy)
            opened.labels.record(taxonomy.name, said, source="given", verb="import")
        opened.ids = ids
        yield opened


def truth(number: int) -> str:
    return CLASSES[number % 3]


def test_the_planted_labels_are_flagged_with_the_right_class_and_evidence(catalog):
    summary = judge_labels(catalog, "kind")
    issues = catalog.issues.select(("label",), "kind")
    wrong = {catalog.ids[i]: truth(i) for i in WRONG}
    found = [issue for issue in issues if issue.image_id in wrong]
    assert len(found) >= len(WRONG) - 2
    assert issues[: len(found)] == found
    for issue in found:
        assert issue.evidence["change"] == "replaced"
        assert issue.evidence["suggested"] == [wrong[issue.image_id]]
        assert issue.evidence["probability"] > 0.2
        assert {n["label"] for n in issue.evidence["neighbors"]} == {wrong[issue.image_id]}
    assert summary.wrong.low <= len(WRONG) <= summary.wrong.high
    everything = catalog.issues.select(("label",), "kind", flagged_only=False)
    assert len(everything) == summary.n_judged == LABELLED


def test_a_closed_taxonomy_has_replaced_labels_an_open_one_no_missing_ones(catalog):
    judge_labels(catalog, "closed")
    ranked = catalog.issues.select(("label",), "closed", flagged_only=False)[: len(WRONG)]
    assert {issue.image_id for issue in ranked} == {catalog.ids[i] for i in WRONG}
    worst = catalog.issues.select(("label",), "closed")[0]
    assert worst.evidence["change"] == "replaced"
    assert len(worst.evidence["given"]) == len(worst.evidence["suggested"]) == 1
    summary = judge_labels(catalog, "tags")
    changes = {i.evidence["change"] for i in catalog.issues.select(("label",), "tags")}
    assert "missing" not in changes
    assert any("open" in note for note in summary.notes)


def test_nothing_is_judged_again_until_something_changes(catalog):
    calls: list[str] = []

    def progress(task, done, total, note=""):
        calls.append(task)

    first = judge_labels(catalog, "kind", progress=progress)
    assert calls
    calls.clear()
    assert judge_labels(catalog, "kind", progress=progress) == first
    assert not calls
    judge_labels(catalog, "kind", JudgementSettings(scorer="mse"), progress=progress)
    assert calls


def test_accepting_changes_the_label_in_one_batch_that_undo_takes_back(catalog):
    judge_labels(catalog, "kind")
    before = catalog.labels.matrix("kind").values.copy()
    chosen = select_issues(catalog, "kind", worst=3)
    result = accept_issues(catalog, chosen, who="ann")
    assert (result.issues, result.changes, result.verdict) == (3, 3, "accepted")
    matrix = catalog.labels.matrix("kind")
    for issue in chosen:
        row = matrix.image_ids.tolist().index(issue.image_id)
        column = CLASSES.index(issue.evidence["suggested"][0])
        assert matrix.values[row, column] == 1
        assert matrix.values[row].sum() == 1
        assert matrix.confirmed[row, column]
    sources = {event.source for event in catalog.history.of_image(chosen[0].image_id)}
    assert "human:ann" in sources
    catalog.history.undo(result.batch)
    assert np.array_equal(catalog.labels.matrix("kind").values, before, equal_nan=True)
    assert not catalog.issues.select(("label",), "kind", verdicts=("accepted",))


def test_accepting_in_a_multi_label_taxonomy_says_no_and_yes(catalog):
    judge_labels(catalog, "closed")
    issue = select_issues(catalog, "closed", worst=1)[0]
    accept_issues(catalog, [issue], who="ann")
    said = {
        (statement.label, statement.state)
        for source, statement in catalog.labels.statements("closed", issue.image_id)
        if source == "human:ann"
    }
    assert said == {(issue.evidence["given"][0], "no"), (issue.evidence["suggested"][0], "yes")}


def test_a_dismissed_issue_stays_dismissed_and_confirmed_labels_are_not_judged(catalog):
    judge_labels(catalog, "kind")
    kept, mended = select_issues(catalog, "kind", worst=2)
    dismiss_issues(catalog, [kept], who="ann")
    accept_issues(catalog, [mended], who="ann")
    summary = judge_labels(catalog, "kind")
    assert summary.n_judged == LABELLED - 1
    dismissed = catalog.issues.select(("label",), "kind", verdicts=("dismissed",))
    assert [issue.image_id for issue in dismissed] == [kept.image_id]
    everything = catalog.issues.select(("label",), "kind", flagged_only=False)
    assert len(everything) == LABELLED
    vouched = next(issue for issue in everything if issue.image_id == mended.image_id)
    assert (vouched.score, vouched.flagged) == (1.0, False)
    assert vouched.evidence["given"] == mended.evidence["suggested"]


def test_duplicates_that_disagree_are_label_issues(catalog):
    a, b = catalog.ids[3], catalog.ids[4]  # both labels are right for their own vectors
    pair = DuplicatePair(a, b, "pixels", 1.0)
    group = DuplicateGroup("pixels", (a, b), a, "larger", (pair,), conflicts=("kind",))
    catalog.issues.replace_groups([group])
    summary = judge_labels(catalog, "kind")
    evidence = {i.image_id: i.evidence for i in catalog.issues.select(("label",), "kind")}
    assert summary.n_in_duplicates == 2
    flagged = {a, b} & set(evidence)
    assert flagged
    for image in flagged:
        assert evidence[image]["duplicates"] == [b if image == a else a]


def test_a_class_whose_images_are_all_copies_is_not_called_wrong(catalog):
    own = [Statement(catalog.ids[i], "stone", "yes") for i in range(LABELLED, LABELLED + 12)]
    stones = [statement.image_id for statement in own]
    catalog.labels.define(Taxonomy("kind", "single", (*CLASSES, "stone")))
    catalog.labels.record("kind", own, source="given", verb="import")
    pairs = tuple(DuplicatePair(stones[0], other, "near", 0.9) for other in stones[1:])
    catalog.issues.replace_groups(
        [DuplicateGroup("near", tuple(stones), stones[0], "larger", pairs)]
    )
    summary = judge_labels(catalog, "kind")
    assert summary.n_labelled == LABELLED + 12
    assert summary.n_judged == LABELLED
    assert any(note.startswith("The labels of 12 images are not judged") for note in summary.notes)
    flagged = {issue.image_id for issue in catalog.issues.select(("label",), "kind")}
    assert len(flagged & {catalog.ids[i] for i in WRONG}) >= len(WRONG) - 2
    assert not flagged & set(stones)
    everything = catalog.issues.select(("label",), "kind", flagged_only=False)
    mine = [issue for issue in everything if issue.image_id in stones]
    assert len(mine) == 12
    # Nothing is known of them: that is not the same as certainly right.
    assert all("probability" not in issue.evidence for issue in mine)


def test_what_is_meant_must_be_said_and_exist(catalog):
    judge_labels(catalog, "kind")
    with pytest.raises(UsageError, match="--worst"):
        select_issues(catalog, "kind")
    with pytest.raises(UsageError, match="--worst"):
        select_issues(catalog, "kind", ["000.jpg"], worst=2)
    with pytest.raises(NotFound, match="neither a taxonomy"):
        select_issues(catalog, "colour", worst=1)
    with pytest.raises(NotFound, match=r"209\.jpg has no kind issue"):
        select_issues(catalog, "kind", ["209.jpg"])
    assert select_issues(catalog, "kind", ["000.jpg"])[0].image_id == catalog.ids[0]
    with pytest.raises(UsageError, match="--who"):
        dismiss_issues(catalog, select_issues(catalog, "kind", worst=1), who=" ")


def test_too_few_labels_are_refused_in_one_line(catalog):
    catalog.labels.define(Taxonomy("new", "single", ("a", "b")))
    with pytest.raises(NothingToLearn, match="'new' has 0 labelled images"):
        judge_labels(catalog, "new")


def test_issues_can_be_listed_by_the_chance_of_several_wrong_labels(catalog):
    judgement = judge_labels(catalog, "kind")
    chances = {1: (0.1, 0.2), 2: (0.3, 0.9), 3: (0.2, 0.2), 4: (0.4, None)}
    issues = [
        Issue(
            "label",
            catalog.ids[image],
            score,
            taxonomy="kind",
            evidence={"probability_of_multiple": chance},
        )
        for image, (score, chance) in chances.items()
    ]
    catalog.issues.replace(("label",), issues, "kind")

    def listed(sort):
        found = listing.work(Session(catalog), listing.Settings("kind", sort=sort))
        assert found.judgement == judgement
        return [row.image for row in found.rows]

    assert listed("score") == ["001.jpg", "003.jpg", "002.jpg", "004.jpg"]
    assert listed("multiple") == ["002.jpg", "001.jpg", "003.jpg", "004.jpg"]
    assert listed("image") == ["001.jpg", "002.jpg", "003.jpg", "004.jpg"]
    with pytest.raises(InvalidValue, match="expected sort of score, multiple, image, got 'worst'"):
        listing.Settings("kind", sort="worst")


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_that_is_judged_can_be_read_again(change):
    issue = Issue("label", 1, 0.1, taxonomy="kind", evidence={"change": change})
    assert evidence_of(issue).change == change


def label_all(catalog, name, given):
    classes = tuple(sorted(set(given)))
    catalog.labels.define(Taxonomy(name, "single", classes))
    said = [Statement(catalog.ids[i], label, "yes") for i, label in enumerate(given)]
    catalog.labels.record(name, said, source="given", verb="import")


def test_nothing_is_wrong_in_a_column_that_the_pictures_do_not_tell(catalog):
    rng = np.random.default_rng(5)
    label_all(catalog, "season", rng.choice(["spring", "summer", "winter"], N).tolist())
    found = judge_labels(catalog, "season")
    assert found.wrong is None
    assert found.flagged == found.n_judged == 0
    assert catalog.issues.select(("label",), "season", flagged_only=False) == []
    assert "do not tell the classes of 'season' apart" in found.findings[0]


def test_a_class_that_is_another_one_is_said_once_with_its_command(catalog):
    given = [truth(i) for i in range(N)]
    for number in range(0, 75, 3):
        given[number] = "star"  # pictures of a bird
    label_all(catalog, "object", given)
    found = judge_labels(catalog, "object")
    (merge,) = found.told_apart.merges
    assert (merge.label, merge.into, merge.images) == ("star", "bird", 25)
    assert merge.command == "vernis vocabulary object --accept-merge 'star>bird'"
    assert found.findings[0].startswith("'star' looks like 'bird': 25 images")
    assert found.wrong.low <= 25 <= found.wrong.high
    for issue in catalog.issues.select(("label",), "object"):
        assert {*issue.evidence["given"], *issue.evidence["suggested"]} != {"star", "bird"}


@pytest.mark.parametrize("likely", [0.75, 0.99])
def test_a_slip_of_the_pen_is_never_suggested_for_the_class_that_is_meant(
    catalog, likely, monkeypatch
):
    # Judged apart from the class that is meant, or joined with it.
    monkeypatch.setattr("vernis.verbs.decide.told_apart._SURELY_ALIKE", likely)
    names = {"bird": "Yoghurt", "fish": "Milk", "tree": "Cream"}
    given = [names[truth(i)] for i in range(N)]
    for number in (0, 3):
        given[number] = "Yogurt"
    given[30] = given[60] = "Milk"  # pictures of yoghurt
    predicted = LeaveOut._predicted

    def confused(self, states):
        probs = predicted(self, states)
        if probs.shape[1] == 4:  # judged apart: Cream, Milk, Yoghurt, Yogurt
            probs[6:72:6, 3] += probs[6:72:6, 2]
            probs[6:72:6, 2] = 0
        return probs

    monkeypatch.setattr(LeaveOut, "_predicted", confused)
    label_all(catalog, "food", given)
    judge_labels(catalog, "food")
    issues = catalog.issues.select(("label",), "food", flagged_only=False)
    assert all("Yogurt" not in issue.evidence["suggested"] for issue in issues)
    found = {issue.image_id: issue for issue in issues}
    assert found[catalog.ids[30]].evidence["suggested"] == ["Yoghurt"]
    assert found[catalog.ids[12]].score > 0.9
    assert found[catalog.ids[12]].evidence["suggested"] != ["Yoghurt"]


def test_nothing_is_suggested_for_what_a_person_confirmed(catalog):
    said = [Statement(catalog.ids[0], "fish", "yes")]
    catalog.labels.record("kind", said, source="human:mia", verb="review")
    judge_labels(catalog, "kind")
    (issue,) = [
        issue
        for issue in catalog.issues.select(("label",), "kind", flagged_only=False)
        if issue.image_id == catalog.ids[0]
    ]
    assert (issue.score, issue.flagged, issue.evidence["suggested"]) == (1.0, False, [])
    decision = accept_issues(catalog, [issue], who="mia")
    assert decision.changes == 0
