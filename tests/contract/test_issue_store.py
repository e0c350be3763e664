"""What any IssueStore must do."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from vernis.domain.errors import InvalidValue, NotFound, UsageError
from vernis.domain.ports import Catalog
from vernis.domain.types import (
    DuplicateGroup,
    DuplicatePair,
    FoundFile,
    Issue,
    Statement,
    Suggestion,
)


def label_issue(image: int, score: float, given: tuple[str, ...] = ("red",), **more: str) -> Issue:
    evidence = {"change": "extra", "given": list(given), "suggested": [], **more}
    return Issue("label", image, score, taxonomy="colour", label="red", evidence=evidence)


def images_of(issues: list[Issue]) -> list[int]:
    return [issue.image_id for issue in issues]


def test_the_worst_come_first_and_unflagged_ones_when_asked_for(labelled: Catalog) -> None:
    issues = [Issue("dark", i, s, flagged=s < 0.5) for i, s in ((1, 0.4), (2, 0.1), (3, 0.9))]
    labelled.issues.replace(["dark"], issues)
    assert images_of(labelled.issues.select(["dark"])) == [2, 1]
    assert images_of(labelled.issues.select(["dark"], flagged_only=False)) == [2, 1, 3]
    assert labelled.issues.select(["blurry"]) == []


def test_an_issue_comes_back_as_it_was(labelled: Catalog) -> None:
    evidence = {
        "given": ["red"],
        "neighbors": [{"image_id": 2, "label": "ü", "similarity": np.float32(0.5)}],
        "count": np.int64(3),
    }
    issue = Issue("label", 1, 0.25, True, "colour", "red", 0, evidence)
    labelled.issues.replace(["label"], [issue], "colour")
    (stored,) = labelled.issues.select()
    assert stored.id > 0
    assert stored == Issue(
        "label", 1, 0.25, True, "colour", "red", 0, stored.evidence, id=stored.id
    )
    assert stored.evidence == {
        "given": ["red"],
        "neighbors": [{"image_id": 2, "label": "ü", "similarity": 0.5}],
        "count": 3,
    }


def test_replace_touches_only_its_kinds_and_taxonomy(labelled: Catalog) -> None:
    labelled.issues.replace(["dark"], [Issue("dark", 1, 0.1)])
    labelled.issues.replace(["label"], [label_issue(1, 0.2)], "colour")
    labelled.issues.replace(["label"], [Issue("label", 1, 0.3, taxonomy="thing")], "thing")
    labelled.issues.replace(["label"], [], "colour")
    assert [issue.taxonomy for issue in labelled.issues.select(["label"])] == ["thing"]
    assert len(labelled.issues.select(taxonomy="")) == 1
    labelled.issues.replace(["dark", "blurry"], [Issue("blurry", 1, 0.1)])
    assert [issue.kind for issue in labelled.issues.select(taxonomy="")] == ["blurry"]


def test_issues_that_do_not_belong_are_refused(labelled: Catalog) -> None:
    with pytest.raises(InvalidValue, match="dark"):
        labelled.issues.replace(["blurry"], [Issue("dark", 1, 0.1)])
    with pytest.raises(InvalidValue, match="colour"):
        labelled.issues.replace(["label"], [label_issue(1, 0.1)], "thing")
    with pytest.raises(NotFound, match="99"):
        labelled.issues.replace(["dark"], [Issue("dark", 99, 0.1)])
    assert labelled.issues.select() == []


def test_an_issue_keeps_its_id_as_long_as_it_is_found(labelled: Catalog) -> None:
    labelled.issues.replace(["dark"], [Issue("dark", 1, 0.1), Issue("dark", 2, 0.2)])
    before = {issue.image_id: issue.id for issue in labelled.issues.select()}
    labelled.issues.replace(["dark"], [Issue("dark", 3, 0.1), Issue("dark", 2, 0.3)])
    after = {issue.image_id: issue.id for issue in labelled.issues.select()}
    assert after[2] == before[2]
    assert after[3] not in before.values()


def test_of_two_equal_issues_the_worse_one_stays(labelled: Catalog) -> None:
    labelled.issues.replace(["dark"], [Issue("dark", 1, 0.1), Issue("dark", 1, 0.4)])
    assert [issue.score for issue in labelled.issues.select()] == [0.1]


def test_many_issues_are_taken_as_they_come(labelled: Catalog) -> None:
    def issues(last: str) -> Iterator[Issue]:
        for number in range(6000):
            yield Issue("dark", 1 + number % 4, 1 - number / 6000, label=f"{number % 5000}")
        yield Issue(last, 1, 0.5)

    labelled.issues.replace(["dark"], issues("dark"))
    stored = labelled.issues.select()
    assert len(stored) == 5001
    assert stored[0].score == 1 - 5999 / 6000
    assert stored == sorted(stored, key=lambda issue: (issue.score, -issue.id))
    with pytest.raises(InvalidValue, match="blurry"):
        labelled.issues.replace(["dark"], issues("blurry"))
    assert labelled.issues.select() == stored


def test_only_images_that_are_there_have_issues(labelled: Catalog) -> None:
    pairs = [Issue("duplicate", 2, 0.1, other_id=3), Issue("duplicate", 3, 0.1, other_id=4)]
    labelled.issues.replace(["dark"], [Issue("dark", i, 0.1) for i in (1, 2)])
    labelled.issues.replace(["duplicate"], pairs)
    labelled.images.set_state([2], "trashed")
    assert images_of(labelled.issues.select(["dark"])) == [1]
    assert images_of(labelled.issues.select(["duplicate"])) == [3]
    labelled.images.set_state([2], "present")
    assert images_of(labelled.issues.select(["dark"])) == [1, 2]


def test_issues_come_in_the_order_asked_for_and_no_more_than_that(labelled: Catalog) -> None:
    labelled.images.apply_index(
        [
            FoundFile(f"{name}.jpg", f"hash-{old}", 10, 1)
            for name, old in zip("dcba", "abcd", strict=True)
        ],
        complete=True,
    )  # ids 1-4 now lie under d, c, b, a
    several = {1: 0.5, 2: 0.75, 4: 0.5}
    issues = [
        Issue(
            "label",
            i,
            s,
            flagged,
            "colour",
            "red",
            0,
            {"several": several[i]} if i in several else {},
        )
        for i, s, flagged in ((1, 0.5, True), (2, 0.5, True), (3, 0.25, False), (4, 0.75, True))
    ]
    labelled.issues.replace(["label"], issues, "colour")

    def listed(*order: str, **more: object) -> list[int]:
        found = labelled.issues.select(["label"], "colour", flagged_only=False, order=order, **more)  # type: ignore[arg-type]
        return images_of(found)

    assert images_of(labelled.issues.select(flagged_only=False)) == [3, 1, 2, 4]
    assert listed("score") == [3, 1, 2, 4]
    assert listed("score", "uri") == [3, 2, 1, 4]
    assert listed("-score", "uri") == [4, 2, 1, 3]
    assert listed("-flagged", "score", "-image") == [2, 1, 4, 3]
    assert listed("-evidence.several", "score") == [2, 1, 4, 3]
    assert listed("-evidence.several", "-uri", limit=2) == [2, 1]
    assert listed("score", limit=0) == []
    assert images_of(labelled.issues.select(["label", "dark"], limit=1)) == [1]
    for wrong in ("scores", "evidence.", "evidence.a'b", "", "--score", "i.score"):
        with pytest.raises(InvalidValue, match="score, image, uri"):
            listed(wrong)


def test_issues_are_counted_as_they_are_listed(labelled: Catalog) -> None:
    assert labelled.issues.counts() == {}
    labelled.issues.replace(["dark"], [Issue("dark", i, 0.1, flagged=i < 4) for i in (1, 2, 3, 4)])
    labelled.issues.replace(["label"], [label_issue(1, 0.2), label_issue(2, 0.3)], "colour")
    labelled.issues.replace(["duplicate"], [Issue("duplicate", 1, 0.1, other_id=2)])
    judge(labelled, 3)
    labelled.images.set_state([2], "unreadable", "torn")
    expected = {("broken", ""): 1, ("dark", ""): 1, ("label", "colour"): 1}
    assert labelled.issues.counts() == expected
    every = {**expected, ("dark", ""): 3}
    assert labelled.issues.counts(flagged_only=False, verdicts=None) == every
    assert labelled.issues.counts(verdicts=["dismissed", "accepted"]) == {("dark", ""): 1}


# --------------------------------------------------------------------------- verdicts


def judge(catalog: Catalog, image: int, verdict: str = "dismissed") -> int:
    chosen = [issue.id for issue in catalog.issues.select() if issue.image_id == image]
    return catalog.issues.set_verdict(chosen, verdict, who="ann")  # type: ignore[arg-type]


def test_a_verdict_survives_learning_again(labelled: Catalog) -> None:
    labelled.issues.replace(["label"], [label_issue(1, 0.2), label_issue(2, 0.3)], "colour")
    judge(labelled, 1)
    labelled.issues.replace(["label"], [], "colour")
    labelled.issues.replace(
        ["label"], [label_issue(1, 0.4, change="replaced"), label_issue(2, 0.1)], "colour"
    )
    assert images_of(labelled.issues.select(verdicts=["dismissed"])) == [1]
    assert images_of(labelled.issues.select(verdicts=["open", "accepted"])) == [2]


def test_a_verdict_ends_when_the_given_labels_change(labelled: Catalog) -> None:
    labelled.issues.replace(["label"], [label_issue(1, 0.2, ("red", "blue"))], "colour")
    judge(labelled, 1)
    labelled.issues.replace(["label"], [label_issue(1, 0.2, ("blue", "red"))], "colour")
    assert labelled.issues.select()[0].verdict == "dismissed"
    labelled.issues.replace(["label"], [label_issue(1, 0.2, ("red",))], "colour")
    assert labelled.issues.select()[0].verdict == "open"


def test_a_verdict_follows_the_content_of_an_image(labelled: Catalog) -> None:
    dark = [Issue("dark", 1, 0.2)]
    labelled.issues.replace(["dark"], dark)
    judge(labelled, 1)
    labelled.images.apply_index([FoundFile("moved.jpg", "hash-a", 10, 1)], complete=True)
    labelled.issues.replace(["dark"], dark)
    assert labelled.issues.select()[0].verdict == "dismissed"


def test_a_verdict_ends_when_the_content_changes(labelled: Catalog) -> None:
    labelled.issues.replace(["dark"], [Issue("dark", 1, 0.2)])
    judge(labelled, 1)
    labelled.images.apply_index([FoundFile("a.jpg", "edited", 10, 2)], complete=False)
    labelled.issues.replace(["dark"], [Issue("dark", 1, 0.2)])
    assert labelled.issues.select()[0].verdict == "open"


def test_verdicts_are_events_and_can_be_undone(labelled: Catalog) -> None:
    labelled.issues.replace(["dark"], [Issue("dark", i, 0.1) for i in (1, 2)])
    batch = labelled.issues.set_verdict(
        [i.id for i in labelled.issues.select()], "accepted", who="ann"
    )
    (event,) = labelled.history.of_image(1)
    assert (event.batch_id, event.source, event.before, event.after) == (
        batch,
        "human:ann",
        "open",
        "accepted",
    )
    assert judge(labelled, 1, "accepted") == 0
    second = judge(labelled, 1, "dismissed")
    labelled.history.undo(batch)  # of image 2 alone: image 1 was judged again later
    assert {i.image_id: i.verdict for i in labelled.issues.select()} == {1: "dismissed", 2: "open"}
    labelled.history.undo(second)
    assert {i.image_id: i.verdict for i in labelled.issues.select()} == {1: "accepted", 2: "open"}
    with pytest.raises(NotFound, match="99"):
        labelled.issues.set_verdict([99], "open", who="ann")
    with pytest.raises(UsageError):
        labelled.history.undo(batch)


def test_a_correction_and_its_verdict_are_undone_together(labelled: Catalog) -> None:
    labelled.issues.replace(["label"], [label_issue(1, 0.2)], "colour")
    with labelled.transaction():
        judge(labelled, 1, "accepted")
        labelled.labels.record(
            "colour", [Statement(1, "red", "no")], source="human:ann", verb="accept"
        )
    labelled.history.undo()
    assert labelled.issues.select()[0].verdict == "open"
    assert labelled.labels.statements("colour", 1) == []


# --------------------------------------------------------------------------- duplicates


def group(*images: int, keeper: int = 0, similarity: float = 0.75) -> DuplicateGroup:
    pairs = tuple(
        DuplicatePair(a, b, "near", similarity, "flip")
        for a in sorted(images)
        for b in sorted(images)
        if a < b
    )
    return DuplicateGroup(
        "near",
        images,
        keeper or images[0],
        "larger",
        pairs,
        {"thing": ("cup", "glass")},
        ("thing",),
    )


def test_groups_come_back_as_they_were(labelled: Catalog) -> None:
    labelled.issues.replace_groups([group(1, 2)])
    labelled.issues.replace_groups([group(4, 2, 3, keeper=2)])
    assert labelled.issues.groups() == [group(4, 2, 3, keeper=2)]
    issues = labelled.issues.select(["duplicate"])
    assert {(i.image_id, i.other_id, i.score) for i in issues} == {
        (2, 3, 0.25),
        (2, 4, 0.25),
        (3, 4, 0.25),
    }
    assert issues[0].evidence["transform"] == "flip"


def test_groups_hold_only_present_images(labelled: Catalog) -> None:
    labelled.issues.replace_groups([group(1, 2, 3)])
    labelled.images.set_state([3], "trashed")
    assert labelled.issues.groups() == [group(1, 2)]
    labelled.images.set_state([2], "vanished")
    assert labelled.issues.groups() == []


def test_a_pair_that_is_not_a_duplicate_stays_so(labelled: Catalog) -> None:
    labelled.issues.replace_groups([group(1, 2, 3)])
    (pair,) = [i for i in labelled.issues.select() if (i.image_id, i.other_id) == (1, 2)]
    labelled.issues.set_verdict([pair.id], "dismissed", who="ann")
    assert labelled.issues.dismissed_pairs() == {(1, 2)}
    assert labelled.issues.count_groups() == 1
    (left,) = labelled.issues.groups()
    assert left.images == (1, 3)
    assert [(p.a, p.b) for p in left.pairs] == [(1, 3)]
    labelled.issues.replace_groups([])
    assert labelled.issues.dismissed_pairs() == {(1, 2)}
    assert [e.after for e in labelled.history.of_image(2)] == ["dismissed"]
    labelled.images.apply_index([FoundFile("b.jpg", "edited", 1, 1)], complete=False)
    assert labelled.issues.dismissed_pairs() == set()


@pytest.mark.parametrize("keeper", [1, 2, 3])
@pytest.mark.parametrize("gone", [(), (1,), (3,), (1, 4)])
def test_groups_are_counted_as_they_are_listed(
    labelled: Catalog, keeper: int, gone: tuple[int, ...]
) -> None:
    labelled.issues.replace_groups([group(1, 2, 3, keeper=keeper), group(4, 3), group(2, 4)])
    for image in gone:
        labelled.images.set_state([image], "trashed")
    assert labelled.issues.count_groups() == len(labelled.issues.groups())
    for issue in labelled.issues.select(["duplicate"]):
        labelled.issues.set_verdict([issue.id], "dismissed", who="ann")
        assert labelled.issues.count_groups() == len(labelled.issues.groups())
    assert labelled.issues.count_groups() == 0


# --------------------------------------------------------------------------- suggestions


def test_suggestions_are_replaced_by_taxonomy(labelled: Catalog) -> None:
    cup = Suggestion(1, "thing", "cup", 0.5, promised=False, evidence={"threshold": 0.4})
    glass = Suggestion(2, "thing", "glass", 0.75)
    red = Suggestion(1, "colour", "red", 0.5)
    labelled.issues.replace_suggestions("thing", [Suggestion(3, "thing", "cup", 0.1)])
    labelled.issues.replace_suggestions("thing", [cup, glass])
    labelled.issues.replace_suggestions("colour", [red])
    assert labelled.issues.suggestions("thing") == [glass, cup]
    labelled.issues.replace_suggestions("thing", [cup], source="reader")
    assert labelled.issues.suggestions("thing", source="reader") == [cup]
    assert labelled.issues.suggestions("thing") == [glass, cup]
    labelled.images.set_state([2], "vanished")
    assert labelled.issues.suggestions("thing") == [cup]
    for wrong in (Suggestion(1, "thing", "spoon", 0.5), Suggestion(99, "thing", "cup", 0.5), red):
        with pytest.raises(NotFound):
            labelled.issues.replace_suggestions("thing", [wrong])
    assert labelled.issues.suggestions("thing") == [cup]
    with pytest.raises(NotFound):
        labelled.issues.suggestions("nope")


def test_the_images_of_all_suggestions_are_told_by_label(labelled: Catalog) -> None:
    cup, other = Suggestion(1, "thing", "cup", 0.5), Suggestion(3, "thing", "cup", 0.9)
    labelled.issues.replace_suggestions("thing", [cup])
    labelled.issues.replace_suggestions("thing", [cup, other], source="reader")
    labelled.issues.replace_suggestions("colour", [Suggestion(2, "colour", "red", 0.5)])
    found = {label: ids.tolist() for label, ids in labelled.issues.suggested().items()}
    assert found == {"cup": [1, 3], "red": [2]}
    labelled.images.set_state([3], "vanished")
    assert labelled.issues.suggested()["cup"].tolist() == [1]


def test_the_next_ones_follow_also_where_scores_are_equal(labelled: Catalog) -> None:
    issues = [Issue("dark", i, s) for i, s in ((1, 0.4), (2, 0.1), (3, 0.4))]
    labelled.issues.replace(["dark"], issues)
    every = labelled.issues.select(["dark"])
    assert images_of(every) == [2, 1, 3]
    for at, issue in enumerate(every):
        assert labelled.issues.select(["dark"], after=issue.id) == every[at + 1 :]
        assert labelled.issues.select(["dark"], after=issue.id, limit=1) == every[at + 1 : at + 2]
    labelled.issues.set_verdict([every[1].id], "dismissed", who="ann")
    after = labelled.issues.select(["dark"], after=every[1].id, verdicts=["open"])
    assert images_of(after) == [3]
    assert labelled.issues.select(["dark"], after=999) == []
    with pytest.raises(InvalidValue, match="by score"):
        labelled.issues.select(["dark"], after=every[0].id, order=["image"])


def test_issues_are_found_by_their_ids(labelled: Catalog) -> None:
    labelled.issues.replace(["dark"], [Issue("dark", 1, 0.1), Issue("dark", 2, 0.2, flagged=False)])
    one, two = labelled.issues.select(["dark"], flagged_only=False)
    labelled.issues.set_verdict([two.id], "accepted", who="ann")
    found = labelled.issues.get([two.id, one.id, 999])
    assert (found.keys(), found[one.id], found[two.id].verdict) == (
        {one.id, two.id},
        one,
        "accepted",
    )


def test_the_kinds_of_open_issues_of_images_pairs_on_both_sides(labelled: Catalog) -> None:
    labelled.issues.replace(["dark"], [Issue("dark", 1, 0.1), Issue("dark", 2, 0.9, flagged=False)])
    labelled.issues.replace(["duplicate"], [Issue("duplicate", 1, 0.0, other_id=3)])
    assert labelled.issues.kinds_of_images([1, 2, 3]) == {
        1: ("dark", "duplicate"),
        3: ("duplicate",),
    }
    (dark,) = labelled.issues.select(["dark"])
    labelled.issues.set_verdict([dark.id], "dismissed", who="ann")
    assert labelled.issues.kinds_of_images([1]) == {1: ("duplicate",)}


def test_a_number_of_the_open_issues_is_summed(labelled: Catalog) -> None:
    assert labelled.issues.sum_of_open("label", "colour", "probability") is None
    issues = [
        Issue("label", i, 0.1, taxonomy="colour", label="red", evidence={"probability": p})
        for i, p in ((1, 0.5), (2, 0.25), (3, None))
    ]
    labelled.issues.replace(["label"], issues, "colour")
    assert labelled.issues.sum_of_open("label", "colour", "probability") == 0.75
    first = labelled.issues.select(["label"])[0]
    labelled.issues.set_verdict([first.id], "accepted", who="ann")
    left = 0.75 - float(first.evidence["probability"] or 0)
    assert labelled.issues.sum_of_open("label", "colour", "probability") == left


def test_a_number_of_all_issues_is_read_worst_first(labelled: Catalog) -> None:
    told = ((1, 0.9, 0.5), (2, 0.1, 0.25), (3, 0.4, None))
    issues = [
        Issue("label", i, score, flagged=i == 2, taxonomy="colour", evidence={"probability": p})
        for i, score, p in told
    ]
    labelled.issues.replace(["label"], issues, "colour")
    found = labelled.issues.numbers("label", "colour", "probability")
    np.testing.assert_array_equal(found, [0.25, np.nan, 0.5])
    assert len(labelled.issues.numbers("label", "shape", "probability")) == 0
