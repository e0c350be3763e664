"""A judged sample tells how many labels are wrong, wherever that number is said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.domain.documents import to_document
from vernis.domain.errors import UsageError
from vernis.domain.types import Estimate, FoundFile, Issue, Statement, Taxonomy
from vernis.session.session import Session
from vernis.verbs.decide import issues
from vernis.verbs.decide.fill_basis import judged_images
from vernis.verbs.decide.judged_count import JudgingAdvice, advise_judging, judged_count
from vernis.verbs.decide.label_judgement import LabelJudgement
from vernis.verbs.decide.review_queue import list_queues
from vernis.verbs.lab import truth
from vernis.verbs.lab.sample import draw_truth_sample
from vernis.verbs.lab.truth import record_truth
from vernis.verbs.lab.truth_sample import sample_from
from vernis.verbs.steps import taxonomies

N, LABELLED = 80, 60
CLASSES = ("blue", "green", "red")
WRONG = {f"{n:02}.jpg" for n in range(0, 60, 5)}
ADVICE = JudgingAdvice(300, 0.31)


class Lines:
    """A screen that remembers what is said on it."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def line(self, text: str = "") -> None:
        self.said.append(text)

    def table(self, *_: Any, title: str = "", **__: Any) -> None:
        self.said.append(title)

    def facts(self, *_: Any, **__: Any) -> None: ...

    def note(self, text: str) -> None: ...


def issue(image: int, expected: float) -> Issue:
    evidence = {"expected": expected, "variance": round(expected * (1 - expected), 4)}
    flagged = expected > 0.5
    return Issue("label", image, 1 - expected, flagged, "colour", evidence=evidence)


@pytest.fixture
def session() -> Iterator[Session]:
    """Return 60 labelled images of which 12 are wrong, where a model expects 6, and 20 others."""
    with SqliteCatalog.in_memory() as catalog:
        files = [FoundFile(f"{n:02}.jpg", f"hash{n}", 10, 1) for n in range(N)]
        catalog.images.apply_index(files, complete=True)
        catalog.labels.define(Taxonomy("colour", "single", CLASSES))
        given = [Statement(n + 1, CLASSES[n % 3], "yes") for n in range(LABELLED)]
        catalog.labels.record("colour", given, source="given", verb="import")
        doubts = [issue(n + 1, 0.4 if n % 10 == 0 else 0.0667) for n in range(LABELLED)]
        catalog.issues.replace(("label",), doubts, "colour")
        opened = Session(catalog)
        judgement = LabelJudgement(
            *("colour", "self_confidence", "", 60, 60, 0, Estimate(6, 2, 19), 0, 0.0, 0),
            to_judge=ADVICE,
        )
        opened.results.keep("label_issues:colour", judgement)
        yield opened


def judge(row: Any) -> tuple[str, ...]:
    """Return the truth: the wrong ones are of the next class."""
    (given,) = row.given
    return (CLASSES[(CLASSES.index(given) + 1) % 3],) if row.image in WRONG else (given,)


def judge_all(session: Session, size: int = 40, first: int | None = None) -> truth.Result:
    sample = draw_truth_sample(session, "colour", size=size, by_doubt=True)
    judged = {row.image: judge(row) for row in sample.images[:first]}
    return record_truth(session, sample, judged, who="ada")


def say_issues(session: Session) -> str:
    settings, screen = issues.Settings("colour"), Lines()
    issues.show(issues.work(session, settings), settings, screen)
    return "\n".join(screen.said)


def test_a_sample_by_doubt_is_of_labelled_images_the_doubtful_ones_first(session: Session) -> None:
    sample = draw_truth_sample(session, "colour", size=20, by_doubt=True)
    chances = {row.image: row.chance for row in sample.images}
    assert len(chances) == 20
    assert all(row.given and row.expected is not None for row in sample.images)
    doubtful = [chance for image, chance in chances.items() if image.endswith("0.jpg")]
    assert min(doubtful) == max(doubtful) > 1.5 * min(filter(None, chances.values()))
    assert sample.counted is not None
    assert (sample.counted.images, sample.counted.model) == (60, Estimate(6, 2, 19))
    assert sample.counted.expected == pytest.approx(6 * 0.4 + 54 * 0.0667)
    assert sample_from(json.loads(json.dumps(to_document(sample)))) == sample
    # one drawn evenly is of all images, and counts what is labelled among them
    even = draw_truth_sample(session, "colour", size=40)
    assert {row.chance for row in even.images} == {0.5, None}
    assert sum(row.chance is None for row in even.images) == 10


def test_what_was_judged_is_said_wherever_the_number_is(session: Session) -> None:
    assert say_issues(session).endswith(
        "The pictures alone do not tell closely how many labels are wrong; 300 judged ones tell it "
        "within about ±31%: vernis lab sample colour --by-doubt --size 300"
    )
    result = judge_all(session)
    assert (result.measures, result.changes) == (None, None)
    assert "vernis fill does not rest on it" in result.notes[-1]
    assert judged_images(session, "colour") == set()
    found = result.wrong
    assert found is not None
    assert found == judged_count(session, "colour")
    assert (found.judged, found.images, found.model) == (40, 60, Estimate(6, 2, 19))
    assert found.wrong.low <= 12 <= found.wrong.high
    assert abs(found.wrong.value - 12) < 5
    said = found.sentence()
    assert said.startswith("from 40 judged labels: about ")
    assert "; without them: about 6 (2 to 19 with 95% confidence); judging mended " in said
    shown = say_issues(session)
    assert "From 40 judged labels: about" in shown
    assert "The pictures alone" not in shown
    described = taxonomies.work(session, taxonomies.Settings("colour"))
    assert described.notes[-1] == f"colour: {said}"
    screen = Lines()
    truth.show(result, truth.Settings("."), screen)
    assert any(line.startswith("From 40 judged labels") for line in screen.said)


def test_the_queue_of_the_app_tells_it(session: Session) -> None:
    session.catalog.issues.replace(("label",), [issue(1, 0.9), issue(2, 0.1)], "colour")
    assert [queue.judged for queue in list_queues(session)] == [None]
    sample = draw_truth_sample(session, "colour", size=80)
    record_truth(session, sample, {row.image: row.given for row in sample.images}, who="ada")
    assert [queue.judged for queue in list_queues(session)] == [None]  # of two labels


def test_judging_taken_back_counts_no_more(session: Session) -> None:
    result = judge_all(session)
    # who finds another truth later changes the count
    wrong = next(image for image in sorted(WRONG) if image in _vouched(session))
    before = judged_count(session, "colour")
    image = session.catalog.images.find(wrong).id
    given = [Statement(image, CLASSES[int(wrong[:2]) % 3], "yes")]
    batch = session.catalog.labels.record("colour", given, source="human:bob", verb="edit")
    after = judged_count(session, "colour")
    assert before is not None
    assert after is not None
    assert after.found == before.found - 1
    session.catalog.history.undo(batch)
    assert judged_count(session, "colour") == before
    session.catalog.history.undo(result.batch)
    assert judged_count(session, "colour") is None
    assert "The pictures alone" in say_issues(session)


def _vouched(session: Session) -> set[str]:
    names = session.uris()
    return {names[image] for image in session.catalog.labels.images_said_by("colour", "human")}


def test_labels_that_were_imported_anew_and_images_that_are_gone_count_no_more(
    session: Session,
) -> None:
    judge_all(session, size=60)
    exact = judged_count(session, "colour")
    assert exact is not None
    assert exact.wrong == Estimate(12, 12, 12)
    assert exact.sentence().startswith("from 60 judged labels: 12 wrong on 60 images; without")
    anew = [Statement(n + 1, CLASSES[(n + 1) % 3], "yes") for n in range(15)]
    batch = session.catalog.labels.replace_source("colour", anew, source="given", verb="import")
    assert judged_count(session, "colour") is None  # all others lost their labels
    session.catalog.history.undo(batch)
    files = [FoundFile(f"{n:02}.jpg", f"hash{n}", 10, 1) for n in range(5, N)]
    session.catalog.images.apply_index(files, complete=True)
    left = judged_count(session, "colour")
    assert left is not None
    assert (left.judged, left.images, left.changed, left.wrong.value) == (55, 55, 5, 11)
    assert left.sentence().endswith(
        "; 5 images have changed since or got another label, and count no more"
    )


def test_a_part_that_was_judged_speaks_for_all(session: Session) -> None:
    part = judge_all(session, first=15).wrong
    assert part is not None
    assert (part.judged, part.images) == (15, 60)
    assert part.wrong.low <= 12 <= part.wrong.high
    whole = judge_all(session).wrong  # drawn anew of those that are left: 45
    assert whole is not None
    assert (whole.judged, whole.images) == (40, 45)


def test_where_pictures_tell_nothing_all_labels_are_drawn_alike(session: Session) -> None:
    known = session.results.find("label_issues:colour", LabelJudgement)
    assert known is not None
    silent = replace(known, wrong=None, to_judge=None)
    session.results.keep("label_issues:colour", silent)
    session.catalog.issues.replace(("label",), [], "colour")
    sample = draw_truth_sample(session, "colour", size=30, by_doubt=True)
    assert [row.chance for row in sample.images] == pytest.approx([0.5] * 30)
    judged = {row.image: judge(row) for row in sample.images}
    found = record_truth(session, sample, judged, who="ada").wrong
    assert found is not None
    assert found.model is None
    assert found.wrong.low <= 12 <= found.wrong.high
    for left in (30, None):
        rest = draw_truth_sample(session, "colour", size=30, by_doubt=True) if left else sample
        record_truth(session, rest, {row.image: judge(row) for row in rest.images}, who="ada")
    with pytest.raises(UsageError, match="no label of colour is left to judge"):
        draw_truth_sample(session, "colour", size=5, by_doubt=True)


def test_a_new_name_keeps_the_count(session: Session) -> None:
    judge_all(session)
    before = judged_count(session, "colour")
    taxonomies.work(session, taxonomies.Settings(rename=[("colour", "hue")], who="ada"))
    assert judged_count(session, "hue") == before


def test_missing_labels_count_where_blanks_mean_no() -> None:
    with SqliteCatalog.in_memory() as catalog:
        files = [FoundFile(f"{n:02}.jpg", f"hash{n}", 10, 1) for n in range(12)]
        catalog.images.apply_index(files, complete=True)
        for name, closed in (("open", False), ("closed", True)):
            catalog.labels.define(Taxonomy(name, "multi", ("big", "old"), closed=closed))
            given = [Statement(n + 1, "big", "yes") for n in range(12)]
            catalog.labels.record(name, given, source="given", verb="import")
            session = Session(catalog)
            judgement = LabelJudgement(name, "posterior", "", 12, 12, 0, None, 0, 0.0, 0)
            session.results.keep(f"label_issues:{name}", judgement)
            sample = draw_truth_sample(session, name, size=12, by_doubt=True)
            judged = {row.image: ("big", "old") for row in sample.images}
            found = record_truth(session, sample, judged, who="ada").wrong
            assert found is not None
            assert found.wrong.value == (12 if closed else 0)


@pytest.mark.parametrize(
    ("wrong", "n", "advised"),
    [
        (Estimate(240, 90, 450), 5000, True),
        (Estimate(240, 200, 280), 5000, False),  # close enough
        (Estimate(2, 0, 8), 5000, False),  # few, however many
        (Estimate(40, 5, 90), 90, False),  # who judges 100 has judged all
    ],
)
def test_judging_is_advised_where_the_model_does_not_know(
    wrong: Estimate, n: int, advised: bool
) -> None:
    variance = np.full(n, wrong.value / n * (1 - wrong.value / n))
    found = advise_judging(wrong, variance, n)
    assert (found is not None) == advised
    if found is not None:
        assert found.labels == 300
        assert found.error is not None
        assert 0.1 < found.error < 0.6
