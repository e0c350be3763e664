from __future__ import annotations

import pytest

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.domain.errors import UsageError
from vernis.domain.region_store import NewRegion, RegionLabel, RegionStatement
from vernis.domain.regions import Box, Region
from vernis.domain.types import FoundFile, Statement, Taxonomy
from vernis.session.session import Session
from vernis.verbs.see.label_merges import accept_merges


@pytest.fixture
def catalog(tmp_path):
    opened = SqliteCatalog.create(tmp_path / "c.vernis")
    files = [FoundFile(uri=f"{i}.jpg", content_hash=str(i), size=1, mtime_ns=1) for i in range(6)]
    opened.images.apply_index(files, complete=True)
    yield opened
    opened.close()


def said(catalog, image: int) -> set[tuple[str, str, str]]:
    return {(src, s.label, s.state) for src, s in catalog.labels.statements("tags", image)}


def test_every_source_keeps_its_word_and_one_undo_takes_all_back(catalog):
    ids = [image.id for image in catalog.images.all()]
    labels = catalog.labels
    labels.define(Taxonomy("tags", "multi", ("bottel", "bottle", "botle")))
    labels.record("tags", [Statement(ids[0], "bottel", "yes")], source="given", verb="import")
    labels.record("tags", [Statement(ids[1], "bottel", "yes")], source="human:ada", verb="edit")
    both = [Statement(ids[2], "bottel", "yes"), Statement(ids[2], "bottle", "yes")]
    labels.record("tags", both, source="given", verb="import")
    # A person took the misspelling off an image that carries the word.
    labels.record("tags", [Statement(ids[2], "bottel", "no")], source="human:ada", verb="edit")
    labels.record("tags", [Statement(ids[3], "bottel", "no")], source="human:ada", verb="edit")
    labels.record("tags", [Statement(ids[4], "bottel", "yes", 0.7)], source="model:m", verb="learn")
    before = {i: said(catalog, i) for i in ids}

    done = accept_merges(Session(catalog), "tags", [("bottel", "botle"), ("botle", "bottle")])

    assert done.merges == 2
    assert said(catalog, ids[0]) == {("given", "bottle", "yes")}
    assert said(catalog, ids[1]) == {("human:ada", "bottle", "yes")}
    assert said(catalog, ids[2]) == {("given", "bottle", "yes")}
    assert said(catalog, ids[3]) == {("human:ada", "bottle", "no")}
    assert said(catalog, ids[4]) == {("model:m", "bottel", "yes")}
    catalog.history.undo()
    assert {i: said(catalog, i) for i in ids} == before


def test_what_is_said_of_regions_moves_too(catalog):
    labels, regions = catalog.labels, catalog.regions
    labels.define(Taxonomy("tags", "multi", ("bottel", "bottle")))
    region = Region(Box(1, 2, 3, 4), (9, 9))
    word = (RegionLabel("tags", "bottel"),)
    (given,) = regions.add([NewRegion(1, region, word)], source="given", verb="import")
    (found,) = regions.add([NewRegion(2, region, word)], source="model:m", verb="detect")
    regions.record("tags", [RegionStatement(given, "bottel", "no")], source="human:ada", verb="x")

    def state():
        said = regions.labels("tags")
        return [
            (int(said.region_ids[n]), said.labels[n], said.sources[n], bool(said.yes[n]))
            for n in range(len(said))
        ]

    before = state()
    done = accept_merges(Session(catalog), "tags", [("bottel", "bottle")])
    assert done.images == 2
    assert state() == [
        (given, "bottle", "human:ada", False),
        (given, "bottle", "given", True),
        (found, "bottle", "model:m", True),
    ]
    assert said(catalog, 1) == {("given", "bottle", "yes")}
    catalog.history.undo()
    assert state() == before


def test_single_taxonomies_move_too(catalog):
    ids = [image.id for image in catalog.images.all()]
    catalog.labels.define(Taxonomy("tags", "single", ("Can", "can")))
    given = [Statement(ids[0], "Can", "yes"), Statement(ids[1], "can", "yes")]
    catalog.labels.record("tags", given, source="given", verb="import")
    accept_merges(Session(catalog), "tags", [("Can", "can")])
    assert said(catalog, ids[0]) == said(catalog, ids[1]) == {("given", "can", "yes")}


def test_labels_are_named_in_any_form(catalog):
    first, *_ = [image.id for image in catalog.images.all()]
    catalog.labels.define(Taxonomy("tags", "single", ("Cafe\u0301", "bar", "Bar")))
    catalog.labels.record(
        "tags", [Statement(first, "Cafe\u0301", "yes")], source="given", verb="import"
    )
    done = accept_merges(Session(catalog), "tags", [("caf\xe9", "bar\u200b")])
    assert done.accepted == (("Cafe\u0301", "bar"),)
    with pytest.raises(UsageError, match="no label 'BAR'"):  # there are two
        accept_merges(Session(catalog), "tags", [("BAR", "cafe\u0301")])


@pytest.mark.parametrize(
    ("pairs", "message"),
    [
        ([("a", "b"), ("b", "a")], "ring"),
        ([("a", "b"), ("a", "c")], "both"),
    ],
)
def test_contradictions_are_refused(catalog, pairs, message):
    catalog.labels.define(Taxonomy("tags", "multi", ("a", "b", "c")))
    with pytest.raises(UsageError, match=message):
        accept_merges(Session(catalog), "tags", pairs)
