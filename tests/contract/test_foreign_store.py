"""What other tools call images and classes, kept by format."""

from __future__ import annotations

import pytest

from vernis.domain.errors import InvalidValue, NotFound
from vernis.domain.foreign import ForeignFact, ForeignFacts
from vernis.domain.ports import Catalog

COCO = ForeignFacts(
    {1: ForeignFact(1007, '{"license":4}'), 2: ForeignFact("a7")},
    {
        ("thing", "plate"): ForeignFact(90, '{"supercategory":"kitchen"}'),
        ("thing", "cup"): ForeignFact(7),
        ("colour", "red"): ForeignFact(None, ""),
    },
    '{"info":{"year":2017},"licenses":[]}',
)


def record(catalog: Catalog, facts: ForeignFacts, format: str = "coco") -> int:
    return catalog.foreign.record(format, facts, source="given", verb="import", note="a.json")


def test_facts_come_back_in_the_order_of_the_tool(labelled: Catalog) -> None:
    record(labelled, COCO)
    found = labelled.foreign.facts("coco")
    assert found == COCO
    assert list(found.classes) == list(COCO.classes)
    assert labelled.history.batches()[0]["changes"] == {"foreign": 6}


def test_what_is_known_is_no_change(labelled: Catalog) -> None:
    assert record(labelled, COCO) > 0
    assert record(labelled, COCO) == 0
    assert record(labelled, ForeignFacts()) == 0
    assert record(labelled, ForeignFacts({3: ForeignFact()})) == 0
    assert len(labelled.history.batches()) == 1


def test_the_latest_file_counts_and_others_keep_what_they_said(labelled: Catalog) -> None:
    record(labelled, COCO)
    record(labelled, ForeignFacts({1: ForeignFact(5)}, {("thing", "glass"): ForeignFact(1)}))
    found = labelled.foreign.facts("coco")
    assert found.images == {1: ForeignFact(5), 2: ForeignFact("a7")}
    assert found.classes[("thing", "cup")] == ForeignFact(7)
    labelled.history.undo(labelled.history.latest(imports=True))
    assert labelled.foreign.facts("coco") == COCO


def test_each_format_has_its_own_and_else_those_of_another(labelled: Catalog) -> None:
    record(labelled, COCO)
    record(labelled, ForeignFacts({1: ForeignFact(0)}), "cvat")
    assert labelled.foreign.facts("coco").images[1] == ForeignFact(1007, '{"license":4}')
    cvat = labelled.foreign.facts("cvat")
    assert cvat.images == {1: ForeignFact(0), 2: ForeignFact("a7")}
    assert cvat.attributes == COCO.attributes
    assert labelled.foreign.facts("yolo").images[1] == ForeignFact(0)


def test_undo_and_redo(labelled: Catalog) -> None:
    undoing = labelled.history.undo(record(labelled, COCO))
    assert labelled.foreign.facts("coco") == ForeignFacts()
    assert record(labelled, ForeignFacts({2: ForeignFact(3)})) > 0
    labelled.history.undo(undoing)
    assert labelled.foreign.facts("coco").images == {
        1: ForeignFact(1007, '{"license":4}'),
        2: ForeignFact(3),
    }


def test_unknown_classes_and_bad_attributes_are_refused(labelled: Catalog) -> None:
    with pytest.raises(NotFound, match="no class 'spoon'"):
        record(labelled, ForeignFacts(classes={("thing", "spoon"): ForeignFact(1)}))
    with pytest.raises(InvalidValue):
        ForeignFact(1, "[1]")
    with pytest.raises(InvalidValue):
        ForeignFacts(attributes="{")
    assert labelled.history.batches() == []
