"""What any LabelStore must do."""

from __future__ import annotations

import numpy as np
import pytest

from vernis.domain.errors import InvalidValue, NotFound, UsageError
from vernis.domain.ports import Catalog
from vernis.domain.types import FillCount, FoundFile, LabelAccount, LabelState, Statement, Taxonomy

NAN = float("nan")


def say(catalog: Catalog, name: str, source: str, *said: tuple[int, str, LabelState]) -> int:
    """Record ``(image, label, state)``s of one source."""
    return catalog.labels.record(
        name, [Statement(*one) for one in said], source=source, verb="test"
    )


def row(catalog: Catalog, name: str, image: int) -> list[float]:
    matrix = catalog.labels.matrix(name)
    return [float(v) for v in matrix.values[list(matrix.image_ids).index(image)]]


def assert_row(catalog: Catalog, name: str, image: int, expected: list[float]) -> None:
    np.testing.assert_array_equal(row(catalog, name, image), expected)


# --------------------------------------------------------------------------- taxonomies


def test_a_taxonomy_grows_and_stays_sorted(catalog: Catalog) -> None:
    assert catalog.labels.taxonomies() == []
    catalog.labels.define(Taxonomy("t", "multi", ("b", "ü"), origin="folders"))
    stored = catalog.labels.define(Taxonomy("t", "multi", ("a", "b"), closed=True))
    assert stored == Taxonomy("t", "multi", ("a", "b", "ü"), closed=True, origin="folders")
    assert catalog.labels.define(Taxonomy("t", "multi")) == stored
    assert catalog.labels.taxonomies() == [stored]
    with pytest.raises(UsageError, match="multi"):
        catalog.labels.define(Taxonomy("t", "single"))
    with pytest.raises(NotFound, match="there are: t"):
        catalog.labels.taxonomy("x")


# --------------------------------------------------------------------------- matrix


def test_blank_is_unknown(labelled: Catalog) -> None:
    matrix = labelled.labels.matrix("thing")
    assert list(matrix.image_ids) == [1, 2, 3, 4]
    assert matrix.values.dtype == np.float32
    assert np.isnan(matrix.values).all()
    assert not matrix.confirmed.any()
    assert not matrix.labelled.any()


def test_only_present_images_are_in_the_matrix(labelled: Catalog) -> None:
    say(labelled, "thing", "given", (1, "cup", "yes"), (2, "cup", "yes"), (4, "cup", "no"))
    labelled.images.set_state([2], "trashed")
    matrix = labelled.labels.matrix("thing")
    assert list(matrix.image_ids) == [1, 3, 4]
    np.testing.assert_array_equal(matrix.values[:, 0], [1, NAN, 0])


def test_in_a_single_taxonomy_a_yes_means_no_for_the_rest(labelled: Catalog) -> None:
    say(labelled, "colour", "given", (1, "green", "yes"))
    assert_row(labelled, "colour", 1, [0, 1, 0])
    assert_row(labelled, "colour", 2, [NAN, NAN, NAN])


def test_in_a_closed_taxonomy_a_yes_means_no_for_the_rest(labelled: Catalog) -> None:
    labelled.labels.define(Taxonomy("thing", "multi", closed=True))
    say(labelled, "thing", "given", (1, "cup", "yes"), (1, "plate", "yes"), (2, "cup", "no"))
    assert_row(labelled, "thing", 1, [1, 0, 1])
    assert_row(labelled, "thing", 2, [0, NAN, NAN])


def test_the_highest_ranking_source_is_believed(labelled: Catalog) -> None:
    order = ["reader:ocr", "given", "accepted:fill@m", "human:ann"]
    states: list[LabelState] = ["yes", "no", "yes", "no"]
    # Said in the reverse order: the rank decides, not the time.
    for source, state in [*zip(order, states, strict=True)][::-1]:
        say(labelled, "thing", source, (1, "cup", state))
        assert_row(labelled, "thing", 1, [0, NAN, NAN])
    for source, state in [*zip(order, states, strict=True)][::-1]:
        assert_row(labelled, "thing", 1, [float(state == "yes"), NAN, NAN])
        confirmed = labelled.labels.matrix("thing").confirmed[0]
        assert list(confirmed) == [source.startswith("human"), False, False]
        say(labelled, "thing", source, (1, "cup", "unknown"))
    assert_row(labelled, "thing", 1, [NAN, NAN, NAN])


def test_the_images_of_a_source_are_told_by_the_start_of_its_name(labelled: Catalog) -> None:
    say(labelled, "thing", "human:ann", (1, "cup", "yes"))
    say(labelled, "thing", "human:bob", (2, "cup", "no"))
    say(labelled, "colour", "human:ann", (2, "red", "yes"))
    say(labelled, "thing", "accepted:fill@m", (2, "cup", "yes"))
    assert labelled.labels.images_said_by("thing", "human") == {1}
    assert labelled.labels.images_said_by("thing", "accepted:fill") == {2}
    assert labelled.labels.images_said_by("thing", "reader") == set()


def test_of_two_people_the_later_one_is_believed(labelled: Catalog) -> None:
    say(labelled, "thing", "human:ann", (1, "cup", "yes"))
    say(labelled, "thing", "human:bob", (1, "cup", "no"))
    assert_row(labelled, "thing", 1, [0, NAN, NAN])
    say(labelled, "thing", "human:ann", (1, "cup", "unknown"))
    say(labelled, "thing", "human:ann", (1, "cup", "yes"))
    assert_row(labelled, "thing", 1, [1, NAN, NAN])


def test_a_human_yes_replaces_a_given_one_in_a_single_taxonomy(labelled: Catalog) -> None:
    say(labelled, "colour", "given", (1, "green", "yes"))
    say(labelled, "colour", "human:ann", (1, "red", "yes"))
    assert_row(labelled, "colour", 1, [0, 0, 1])
    assert labelled.labels.matrix("colour").confirmed[0].all()


def test_a_human_no_refutes_a_given_yes_and_what_it_implied(labelled: Catalog) -> None:
    say(labelled, "colour", "given", (1, "green", "yes"))
    say(labelled, "colour", "human:ann", (1, "green", "no"))
    assert_row(labelled, "colour", 1, [NAN, 0, NAN])
    assert list(labelled.labels.matrix("colour").confirmed[0]) == [False, True, False]
    assert not labelled.labels.matrix("colour").labelled[0]
    say(labelled, "colour", "human:ann", (1, "blue", "yes"))
    assert_row(labelled, "colour", 1, [1, 0, 0])


def test_a_model_only_counts_when_it_is_applied(labelled: Catalog) -> None:
    say(labelled, "colour", "model:head@1", (1, "green", "yes"))
    assert_row(labelled, "colour", 1, [NAN, NAN, NAN])
    say(labelled, "colour", "accepted:fill@head", (1, "green", "yes"))
    assert_row(labelled, "colour", 1, [0, 1, 0])


def test_what_models_alone_say_is_proposed(labelled: Catalog) -> None:
    said = ((1, "cup", "yes"), (2, "cup", "yes"), (3, "glass", "yes"), (4, "glass", "no"))
    say(labelled, "thing", "model:a", *said)
    say(labelled, "colour", "model:b@2", (1, "red", "yes"))

    def proposed(images: list[int] | None = None) -> dict[str, list[int]]:
        found = labelled.labels.proposed(images)
        return {label: ids.tolist() for label, ids in found.items()}

    assert proposed() == {"cup": [1, 2], "glass": [3], "red": [1]}
    say(labelled, "thing", "human:ann", (1, "cup", "no"))
    say(labelled, "thing", "given", (3, "glass", "yes"))
    assert proposed() == {"cup": [2], "red": [1]}
    assert proposed([1, 3]) == {"red": [1]}
    assert proposed([]) == {}
    labelled.labels.change_taxonomy("colour", {"removed": True}, source="human:ann", verb="test")
    assert proposed() == {"cup": [2]}


def test_the_filling_is_counted_without_a_matrix(labelled: Catalog) -> None:
    assert labelled.labels.fill_counts() == dict.fromkeys(("colour", "thing"), FillCount(0, 3, 4))
    say(labelled, "colour", "given", (1, "green", "yes"), (2, "red", "yes"), (3, "red", "no"))
    say(labelled, "colour", "model:head@1", (4, "red", "yes"))
    say(labelled, "thing", "given", (1, "cup", "yes"), (1, "glass", "yes"), (2, "cup", "yes"))
    assert labelled.labels.fill_counts() == dict.fromkeys(("colour", "thing"), FillCount(2, 3, 4))
    say(labelled, "colour", "human:ann", (1, "green", "no"))
    say(labelled, "thing", "human:ann", (1, "cup", "no"), (2, "glass", "no"))
    labelled.images.set_state([2], "trashed")
    counts = labelled.labels.fill_counts()
    assert counts == {"colour": FillCount(0, 3, 3), "thing": FillCount(1, 3, 3)}
    assert (counts["thing"].rate, FillCount(0, 3, 0).rate) == (1 / 3, 0.0)


def test_a_label_that_two_sources_gave_came_in_once(labelled: Catalog) -> None:
    before = labelled.labels.account("colour")
    said = [Statement(held.image_id, held.label, "yes") for held in labelled.labels.held("colour")]
    labelled.labels.record("colour", said, source="given:xmp", verb="import")
    after = labelled.labels.account("colour")
    assert (after.at_import, after.now) == (before.at_import, before.now)


def test_an_account_by_counting_is_that_of_all_statements(
    labelled: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vernis.adapters.catalog import labels as module

    def accounts() -> list[LabelAccount]:
        return [labelled.labels.account(name) for name in ("colour", "thing")]

    counted = accounts()
    monkeypatch.setattr(module, "_MANY_TOUCHED", -1)
    assert accounts() == counted


def test_the_account_tells_what_became_of_the_labels_that_came_in(labelled: Catalog) -> None:
    say(labelled, "colour", "given", (1, "green", "yes"), (2, "red", "yes"), (3, "red", "no"))
    say(labelled, "thing", "given", (1, "cup", "yes"), (1, "glass", "yes"), (2, "cup", "yes"))
    untouched = LabelAccount(2, 0, 0, 0, 2, 0, 2, 2, {"given": 2})
    assert labelled.labels.account("colour") == untouched
    say(labelled, "colour", "model:head@1", (4, "red", "yes"))
    assert labelled.labels.account("colour") == untouched
    # One label is replaced, one filled in; one is taken away and one added beside another.
    say(labelled, "colour", "human:ann", (1, "red", "yes"))
    say(labelled, "colour", "accepted:head@1", (4, "red", "yes"))
    say(labelled, "thing", "human:ann", (1, "cup", "no"), (2, "glass", "yes"), (2, "cup", "yes"))
    account = labelled.labels.account("colour")
    assert account == LabelAccount(2, 1, 1, 1, 3, 1, 2, 3, {"given": 1, "human": 1, "accepted": 1})
    account = labelled.labels.account("thing")
    assert account == LabelAccount(3, 1, 1, 0, 3, 2, 2, 2, {"human": 2, "given": 1})
    labelled.images.set_state([2], "trashed")
    assert labelled.labels.account("thing") == LabelAccount(2, 1, 0, 0, 1, 1, 1, 1, {"given": 1})
    with pytest.raises(NotFound):
        labelled.labels.account("smell")


def test_of_two_people_in_one_batch_the_same_one_is_believed_everywhere(labelled: Catalog) -> None:
    for first, second in (("human:ann", "human:bob"), ("human:bob", "human:ann")):
        with labelled.transaction():
            say(labelled, "thing", first, (1, "cup", "yes"), (2, "cup", "no"))
            say(labelled, "thing", second, (1, "cup", "no"), (2, "cup", "yes"))
        matrix = labelled.labels.matrix("thing")
        assert labelled.labels.fill_counts()["thing"].n_labelled == matrix.labelled.sum() == 1


# --------------------------------------------------------------------------- recording


def test_every_source_keeps_its_statement(labelled: Catalog) -> None:
    labelled.labels.record(
        "thing", [Statement(1, "cup", "yes", 0.75)], source="model:m@1", verb="learn"
    )
    say(labelled, "thing", "given", (1, "cup", "no"))
    (first, given), (second, model) = labelled.labels.statements("thing", 1)
    assert (first, given.state) == ("given", "no")
    assert np.isnan(given.probability)
    assert (second, model) == ("model:m@1", Statement(1, "cup", "yes", 0.75))
    assert labelled.labels.counts_by_source() == {"given": 1, "model:m@1": 1}


def test_a_new_yes_of_a_source_replaces_its_former_one(labelled: Catalog) -> None:
    say(labelled, "colour", "given", (1, "green", "yes"))
    say(labelled, "colour", "given", (1, "red", "yes"))
    assert [s.label for _, s in labelled.labels.statements("colour", 1)] == ["red"]
    say(labelled, "colour", "given", (2, "red", "yes"), (2, "blue", "yes"))
    assert [s.label for _, s in labelled.labels.statements("colour", 2)] == ["blue"]
    say(labelled, "thing", "given", (1, "cup", "yes"))
    say(labelled, "thing", "given", (1, "plate", "yes"))
    assert_row(labelled, "thing", 1, [1, NAN, 1])


def test_what_changes_nothing_leaves_no_trace(labelled: Catalog) -> None:
    assert say(labelled, "thing", "given", (1, "cup", "yes")) > 0
    assert say(labelled, "thing", "given", (1, "cup", "yes"), (2, "cup", "unknown")) == 0
    assert say(labelled, "thing", "given") == 0
    assert len(labelled.history.of_image(1)) == 1
    assert len(labelled.history.batches()) == 1


def test_the_history_tells_before_and_after(labelled: Catalog) -> None:
    batch = labelled.labels.record(
        "colour", [Statement(1, "red", "yes")], source="given", verb="index", note="folders"
    )
    say(labelled, "colour", "given", (1, "blue", "yes"))
    first, *rest = labelled.history.of_image(1)
    assert (first.batch_id, first.verb, first.source, first.note) == (
        batch,
        "index",
        "given",
        "folders",
    )
    assert (first.taxonomy, first.label, first.before, first.after) == (
        "colour",
        "red",
        "unknown",
        "yes",
    )
    changes = {(event.label, event.before, event.after) for event in rest}
    assert changes == {("red", "yes", "unknown"), ("blue", "unknown", "yes")}
    assert labelled.history.of_image(2) == []


def test_replace_source_withdraws_what_is_not_said_again(labelled: Catalog) -> None:
    say(labelled, "thing", "given", (1, "cup", "yes"), (2, "cup", "yes"))
    say(labelled, "thing", "human:ann", (1, "glass", "yes"))
    said = [Statement(2, "cup", "yes"), Statement(3, "plate", "yes")]
    batch = labelled.labels.replace_source("thing", said, source="given", verb="import")
    assert_row(labelled, "thing", 1, [NAN, 1, NAN])
    assert_row(labelled, "thing", 3, [NAN, NAN, 1])
    assert labelled.history.batches(1)[0]["events"] == 2
    assert labelled.labels.replace_source("thing", said, source="given", verb="import") == 0
    labelled.history.undo(batch)
    assert_row(labelled, "thing", 1, [1, 1, NAN])


def test_wrong_names_are_refused_and_nothing_is_written(labelled: Catalog) -> None:
    for name, image, label, error in (
        ("nope", 1, "cup", NotFound),
        ("thing", 1, "spoon", NotFound),
        ("thing", 99, "cup", NotFound),
    ):
        with pytest.raises(error):
            say(labelled, name, "given", (2, "cup", "yes"), (image, label, "yes"))
    with pytest.raises(InvalidValue, match="human"):
        say(labelled, "thing", "somebody", (1, "cup", "yes"))
    assert labelled.history.batches() == []
    assert labelled.labels.counts_by_source() == {}


# --------------------------------------------------------------------------- undo


def test_undo_takes_back_the_latest_batches_one_by_one(labelled: Catalog) -> None:
    with pytest.raises(NotFound, match="nothing to undo"):
        labelled.history.undo()
    one = say(labelled, "thing", "given", (1, "cup", "yes"), (2, "cup", "yes"))
    two = say(labelled, "thing", "human:ann", (1, "cup", "no"))
    undoing = labelled.history.undo()
    assert_row(labelled, "thing", 1, [1, NAN, NAN])
    labelled.history.undo()
    assert labelled.labels.counts_by_source() == {}
    with pytest.raises(NotFound):
        labelled.history.undo()
    batches = {batch["id"]: batch for batch in labelled.history.batches()}
    assert batches[one]["undone"]
    assert batches[two]["undone"]
    assert not batches[undoing]["undone"]
    assert [event.after for event in labelled.history.of_image(1)] == [
        "yes",
        "no",
        "unknown",
        "unknown",
    ]


def test_undo_of_an_undo_is_redo(labelled: Catalog) -> None:
    batch = say(labelled, "colour", "given", (1, "red", "yes"))
    undoing = labelled.history.undo(batch)
    with pytest.raises(UsageError, match="undone already"):
        labelled.history.undo(batch)
    redoing = labelled.history.undo(undoing)
    assert_row(labelled, "colour", 1, [0, 0, 1])
    labelled.history.undo(redoing)
    assert_row(labelled, "colour", 1, [NAN, NAN, NAN])
    with pytest.raises(UsageError):
        labelled.history.undo(batch)


def test_undo_restores_probability_and_order_of_belief(labelled: Catalog) -> None:
    labels = labelled.labels
    labels.record("thing", [Statement(1, "cup", "yes", 0.5)], source="human:ann", verb="x")
    say(labelled, "thing", "human:bob", (1, "cup", "no"))
    labels.record("thing", [Statement(1, "cup", "yes", 0.9)], source="human:ann", verb="x")
    assert_row(labelled, "thing", 1, [1, NAN, NAN])
    labelled.history.undo()
    assert_row(labelled, "thing", 1, [0, NAN, NAN])
    assert ("human:ann", Statement(1, "cup", "yes", 0.5)) in labels.statements("thing", 1)


def test_undo_keeps_what_was_changed_later(labelled: Catalog) -> None:
    first = say(labelled, "thing", "given", (1, "cup", "yes"), (2, "cup", "yes"))
    later = say(labelled, "thing", "given", (1, "cup", "no"))
    labelled.history.undo(first)
    assert_row(labelled, "thing", 1, [0, NAN, NAN])
    assert_row(labelled, "thing", 2, [NAN, NAN, NAN])
    assert "1 later" in labelled.history.batches(1)[0]["note"]
    assert labelled.history.batches(1)[0]["skipped"] == 1
    labelled.history.undo(later)
    assert_row(labelled, "thing", 1, [1, NAN, NAN])


def test_an_undo_that_could_change_nothing_is_refused(labelled: Catalog) -> None:
    first = say(labelled, "thing", "given", (1, "cup", "yes"))
    say(labelled, "thing", "given", (1, "cup", "no"))
    with pytest.raises(UsageError, match="later"):
        labelled.history.undo(first)
    with pytest.raises(NotFound, match="999"):
        labelled.history.undo(999)


def test_undo_never_leaves_a_source_with_two_classes(labelled: Catalog) -> None:
    say(labelled, "colour", "given", (1, "red", "yes"))
    to_blue = say(labelled, "colour", "given", (1, "blue", "yes"), (2, "blue", "yes"))
    say(labelled, "colour", "given", (1, "green", "yes"))
    labelled.history.undo(to_blue)
    assert [s.label for _, s in labelled.labels.statements("colour", 1)] == ["green"]
    assert labelled.labels.statements("colour", 2) == []
    withdraw = say(labelled, "colour", "given", (1, "green", "unknown"))
    say(labelled, "colour", "given", (1, "red", "yes"))
    with pytest.raises(UsageError):
        labelled.history.undo(withdraw)


def test_one_transaction_is_one_undo(labelled: Catalog) -> None:
    with labelled.transaction():
        one = say(labelled, "thing", "human:ann", (1, "cup", "yes"))
        two = say(labelled, "colour", "human:ann", (1, "red", "yes"))
        say(labelled, "colour", "human:ann", (1, "blue", "yes"))
    assert one == two
    labelled.history.undo()
    assert labelled.labels.counts_by_source() == {}
    labelled.history.undo(labelled.history.batches(1)[0]["id"])
    assert_row(labelled, "colour", 1, [1, 0, 0])


def test_a_model_is_not_undone_by_default(labelled: Catalog) -> None:
    edit = say(labelled, "thing", "human:ann", (1, "cup", "yes"))
    model = say(labelled, "thing", "model:m@1", (1, "cup", "no"))
    labelled.history.undo()
    assert {b["id"]: b["undone"] for b in labelled.history.batches()}[edit]
    labelled.history.undo(model)
    assert labelled.labels.counts_by_source() == {}


# --------------------------------------------------------------------------- transactions


def test_a_transaction_that_fails_leaves_nothing(labelled: Catalog) -> None:
    class Stop(Exception):
        pass

    def say_and_stop(label: str) -> None:
        with labelled.transaction():
            say(labelled, "thing", "given", (1, label, "yes"))
            raise Stop

    with pytest.raises(Stop):
        say_and_stop("cup")
    assert labelled.history.batches() == []
    with labelled.transaction():
        say(labelled, "thing", "given", (1, "cup", "yes"))
        with pytest.raises(Stop):
            say_and_stop("glass")
        with pytest.raises(NotFound):
            say(labelled, "thing", "given", (1, "spoon", "yes"))
        say(labelled, "thing", "given", (1, "plate", "yes"))
    assert_row(labelled, "thing", 1, [1, NAN, 1])
    assert len(labelled.history.batches()) == 1


def test_labels_follow_a_moved_image_and_survive_its_absence(labelled: Catalog) -> None:
    say(labelled, "thing", "given", (1, "cup", "yes"))
    labelled.images.apply_index([], complete=True)
    assert labelled.labels.matrix("thing").values.shape == (0, 3)
    labelled.images.apply_index([FoundFile("new/a.jpg", "hash-a", 10, 1)], complete=True)
    assert_row(labelled, "thing", 1, [1, NAN, NAN])
