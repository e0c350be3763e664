"""Batches of changes that are no labels, and their undoing."""

from __future__ import annotations

import pytest

from vernis.domain.errors import InvalidValue, NotFound, UsageError
from vernis.domain.history import Change
from vernis.domain.ports import Catalog
from vernis.domain.types import Issue, Statement, Taxonomy


def attributes(catalog: Catalog, **values: object) -> int:
    return catalog.labels.change_taxonomy(
        "thing", values, source="human:ann", verb="taxonomies", note="changed"
    )


def say(catalog: Catalog, verb: str = "accept", image: int = 1) -> int:
    said = [Statement(image, "cup", "yes")]
    return catalog.labels.record("thing", said, source=f"human:{verb}", verb=verb)


# --------------------------------------------------------------------------- taxonomies


def test_attributes_of_a_taxonomy_change_and_come_back(labelled: Catalog) -> None:
    batch = attributes(
        labelled, name="item", kind="single", closed=True, ignored=True, description="what it is"
    )
    (listed,) = labelled.history.batches(1)
    assert (listed["id"], listed["verb"], listed["source"]) == (batch, "taxonomies", "human:ann")
    assert listed["changes"] == {"taxonomy": 5}
    changed = labelled.labels.taxonomy("item")
    assert (changed.kind, changed.closed, changed.ignored, changed.description) == (
        "single",
        True,
        True,
        "what it is",
    )
    with pytest.raises(NotFound):
        labelled.labels.taxonomy("thing")
    undoing = labelled.history.undo()
    assert labelled.labels.taxonomy("thing") == Taxonomy(
        "thing", "multi", ("cup", "glass", "plate")
    )
    labelled.history.undo(undoing)
    assert labelled.labels.taxonomy("item") == changed


def test_what_changes_no_attribute_is_no_batch(labelled: Catalog) -> None:
    assert attributes(labelled, name="thing", closed=False) == 0
    assert labelled.history.batches() == []


@pytest.mark.parametrize(
    "values", [{"colour": "red"}, {"kind": "many"}, {"name": " "}, {"closed": "yes"}]
)
def test_wrong_attributes_are_refused(labelled: Catalog, values: dict[str, object]) -> None:
    with pytest.raises(InvalidValue):
        attributes(labelled, **values)
    assert labelled.history.batches() == []


def test_two_taxonomies_never_have_one_name(labelled: Catalog) -> None:
    with pytest.raises(UsageError, match="another taxonomy is named 'colour'"):
        attributes(labelled, name="colour")
    assert labelled.labels.taxonomy("thing").name == "thing"


def test_a_removed_taxonomy_is_gone_with_its_issues_and_comes_back(labelled: Catalog) -> None:
    say(labelled)
    labelled.issues.replace(["label"], [Issue("label", 1, 0.1, taxonomy="thing")], "thing")
    batch = attributes(labelled, removed=True)
    assert [taxonomy.name for taxonomy in labelled.labels.taxonomies()] == ["colour"]
    assert set(labelled.labels.fill_counts()) == {"colour"}
    assert labelled.labels.counts_by_source() == {}
    assert labelled.issues.select() == []
    assert labelled.issues.counts() == {}
    labelled.history.undo(batch)
    assert labelled.labels.fill_counts()["thing"].n_labelled == 1
    assert labelled.issues.counts() == {("label", "thing"): 1}


def test_an_empty_taxonomy_goes_with_the_first_labels_that_its_maker_gave(
    labelled: Catalog,
) -> None:
    made = Taxonomy("words", "multi", ("cup",), origin="api:x")
    labelled.labels.define(made)  # for suggestions: no batch
    own = Taxonomy("mine", "multi", ("cup",))
    labelled.labels.define(own)
    for taxonomy in (made, own):
        with labelled.transaction():
            labelled.labels.define(taxonomy)
            said = [Statement(1, "cup", "yes")]
            labelled.labels.record(taxonomy.name, said, source="given", verb="test")
    labelled.history.undo()
    assert "mine" in {one.name for one in labelled.labels.taxonomies()}  # it was there before
    labelled.history.undo()
    assert "words" not in {one.name for one in labelled.labels.taxonomies()}


def test_the_name_of_a_removed_taxonomy_is_free(labelled: Catalog) -> None:
    say(labelled)
    batch = attributes(labelled, removed=True)
    labelled.labels.define(Taxonomy("thing", "single", ("spoon",)))
    assert labelled.labels.fill_counts()["thing"].n_labelled == 0
    with pytest.raises(UsageError, match="another taxonomy is named 'thing'"):
        labelled.history.undo(batch)


def test_a_new_name_is_known_to_issues_and_verdicts(labelled: Catalog) -> None:
    found = [Issue("label", 1, 0.1, taxonomy="thing", evidence={"given": ["cup"]})]
    labelled.issues.replace(["label"], found, "thing")
    labelled.issues.set_verdict([labelled.issues.select()[0].id], "dismissed", who="ann")
    attributes(labelled, name="item")
    (issue,) = labelled.issues.select(["label"], "item")
    assert issue.verdict == "dismissed"
    again = [Issue("label", 1, 0.2, taxonomy="item", evidence={"given": ["cup"]})]
    labelled.issues.replace(["label"], again, "item")
    assert labelled.issues.select(["label"], "item")[0].verdict == "dismissed"


def test_a_taxonomy_goes_with_the_batch_that_made_it_unless_it_is_used(catalog: Catalog) -> None:
    from vernis.domain.types import FoundFile

    catalog.images.apply_index([FoundFile("a.jpg", "h", 1, 1)], complete=True)
    with catalog.transaction():
        catalog.labels.define(Taxonomy("thing", "multi", ("cup",)))
        made = catalog.labels.record(
            "thing", [Statement(1, "cup", "yes")], source="given", verb="import"
        )
    undoing = catalog.history.undo(made)
    assert catalog.labels.taxonomies() == []
    catalog.history.undo(undoing)
    assert catalog.labels.taxonomy("thing").classes == ("cup",)
    say(catalog)
    undoing = catalog.history.undo(made)
    assert catalog.labels.taxonomy("thing").classes == ("cup",)
    assert catalog.history.batch(undoing)["skipped"] == 1


# --------------------------------------------------------------------------- what is undone


def test_a_plain_undo_takes_decisions_alone(labelled: Catalog) -> None:
    imported = say(labelled, "import")
    with pytest.raises(NotFound, match=f"vernis undo {imported}"):
        labelled.history.latest()
    decided = say(labelled, "accept", 2)
    say(labelled, "import", 3)
    assert labelled.history.latest() == decided
    labelled.history.undo()
    assert labelled.history.latest(imports=True) == imported + 2
    labelled.history.undo(imported)


def test_redo_goes_forward_through_what_was_undone(labelled: Catalog) -> None:
    with pytest.raises(NotFound, match="nothing is undone"):
        labelled.history.latest_undone()
    first, second = say(labelled, image=1), say(labelled, image=2)
    undone = [labelled.history.undo(), labelled.history.undo()]
    assert labelled.history.latest_undone() == undone[1]
    labelled.history.undo(undone[1])
    assert not labelled.history.batch(first)["undone"]
    assert labelled.history.latest_undone() == undone[0]
    labelled.history.undo(undone[0])
    assert not labelled.history.batch(second)["undone"]
    with pytest.raises(NotFound):
        labelled.history.latest_undone()
    assert labelled.history.latest() == second


def test_a_new_decision_ends_redo_but_not_by_number(labelled: Catalog) -> None:
    say(labelled)
    undoing = labelled.history.undo()
    say(labelled, "import", 3)
    assert labelled.history.latest_undone() == undoing
    say(labelled, "accept", 2)
    with pytest.raises(NotFound, match=f"vernis undo {undoing}"):
        labelled.history.latest_undone()
    labelled.history.undo(undoing)


# --------------------------------------------------------------------------- other changes


def test_changes_join_the_batch_of_their_transaction(labelled: Catalog) -> None:
    with labelled.transaction():
        one = say(labelled)
        two = attributes(labelled, closed=True)
    assert one == two
    assert labelled.history.batch(one)["changes"] == {"label": 1, "taxonomy": 1}
    labelled.history.undo(one)
    assert not labelled.labels.taxonomy("thing").closed
    assert labelled.labels.counts_by_source() == {}


def test_what_was_changed_later_is_kept(labelled: Catalog) -> None:
    first = attributes(labelled, closed=True, description="one")
    attributes(labelled, description="two")
    undoing = labelled.history.undo(first)
    assert labelled.labels.taxonomy("thing").description == "two"
    assert not labelled.labels.taxonomy("thing").closed
    assert labelled.history.batch(undoing)["skipped"] == 1


def test_work_of_several_transactions_is_one_batch(labelled: Catalog) -> None:
    batch = labelled.history.begin("trash", source="human:ann")
    assert labelled.history.batches() == []
    for image in (1, 2):
        with labelled.history.joined(batch):
            labelled.images.set_state([image], "trashed")
            labelled.history.record(
                [Change("trash", str(image), None, {"uri": "x"})], source="given", verb="x"
            )
    assert labelled.history.close(batch, "2 files")
    assert labelled.history.batch(batch)["changes"] == {"trash": 2}
    assert labelled.history.batch(batch)["note"] == "2 files"
    assert [number for number, _ in labelled.history.changes_of_image(2)] == [batch]
    with pytest.raises(UsageError, match="changed files"):
        labelled.history.undo(batch)
    empty = labelled.history.begin("trash", source="human:ann")
    assert not labelled.history.close(empty, "")
    with pytest.raises(NotFound):
        labelled.history.batch(empty)


def test_an_undo_that_was_cut_off_goes_on(labelled: Catalog) -> None:
    batch = say(labelled)
    begun = labelled.history.begin_undo(batch)
    assert labelled.history.latest() == batch
    assert labelled.history.begin_undo(batch) == begun
    labelled.history.finish_undo(batch, begun)
    assert labelled.history.batch(batch)["undone_by"] == begun
