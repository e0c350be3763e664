"""Regions and what is said of them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vernis.domain.errors import InvalidValue, NotFound, UsageError
from vernis.domain.ports import Catalog
from vernis.domain.region_store import NewRegion, RegionLabel, RegionStatement
from vernis.domain.regions import Box, Region
from vernis.domain.types import FoundFile, Statement, Taxonomy

MODEL = "model:detector@1"


def box(x: float = 1.0, **more: object) -> Region:
    return Region(Box(x, 2, 3, 4), (100, 50), **more)  # type: ignore[arg-type]


def add(catalog: Catalog, *labels: RegionLabel, source: str = "given", image: int = 1) -> int:
    new = [NewRegion(image, box(), labels)]
    return int(catalog.regions.add(new, source=source, verb="import", note="boxes.json")[0])


def cup(state: str = "yes", probability: float = math.nan) -> RegionLabel:
    return RegionLabel("thing", "cup", state, probability)  # type: ignore[arg-type]


def say(
    catalog: Catalog, region: int, label: str, source: str = "human:ann", **said: object
) -> int:
    name = "colour" if label in ("blue", "green", "red") else "thing"
    one = RegionStatement(region, label, **said)  # type: ignore[arg-type]
    return catalog.regions.record(name, [one], source=source, verb="accept")


def said(catalog: Catalog, name: str = "thing") -> list[tuple[int, str, str, bool, bool, bool]]:
    """Return region, class, source, yes, holds and proposed of every statement."""
    found = catalog.regions.labels(name)
    return [
        (
            int(found.region_ids[row]),
            found.labels[row],
            found.sources[row],
            bool(found.yes[row]),
            bool(found.holds[row]),
            bool(found.proposed[row]),
        )
        for row in range(len(found))
    ]


def image_labels(catalog: Catalog, name: str = "thing", image: int = 1) -> dict[str, list[str]]:
    """Return what each source says yes of."""
    found: dict[str, list[str]] = {}
    for source, one in catalog.labels.statements(name, image):
        if one.state == "yes":
            found.setdefault(source, []).append(one.label)
    return found


# --------------------------------------------------------------------------- what is kept


def test_regions_come_back_as_they_were(labelled: Catalog) -> None:
    shapes = [
        Region(Box(0.1, 1 / 3, 1e-300, 123456.789), (4000, 3000)),
        box(foreign_id=7, attributes='{"occluded":true,"x":1.10}'),
        box(foreign_id="7"),
        box(foreign_id=2**70),
        Region(Box(-5.5, 0, 7, 7), (10, 10), "polygon", "[[0.10, 1e2, 3, 4, 5, 6]]", "ä|/🐟"),
        Region(Box(0, 0, 2, 2), (10, 10), "mask", '{"counts":"a","size":[2,2]}'),
        Region(Box(3, 3, 0, 0), (10, 10), "point"),
    ]
    ids = labelled.regions.add(
        (NewRegion(2, region) for region in shapes), source="given", verb="import"
    )
    known = labelled.regions.get(ids)
    assert [one.region for one in known] == shapes
    assert {(one.image_id, one.source) for one in known} == {(2, "given")}
    table = labelled.regions.table()
    assert table.ids.tolist() == ids.tolist()
    assert table.boxes.tolist() == [[r.box.x, r.box.y, r.box.width, r.box.height] for r in shapes]
    assert table.pictures.tolist() == [list(r.picture) for r in shapes]
    assert [table.shapes[row] for row in range(len(table))] == [r.shape for r in shapes]


def test_get_keeps_the_order_and_names_what_is_missing(labelled: Catalog) -> None:
    one, two = add(labelled), add(labelled, image=2)
    assert [found.id for found in labelled.regions.get([two, one])] == [two, one]
    labelled.regions.remove([one], source="human:ann", verb="regions")
    for missing in (one, 99):
        with pytest.raises(NotFound, match=f"no region has the id {missing}"):
            labelled.regions.get([two, missing])


def test_a_table_can_be_narrowed(labelled: Catalog) -> None:
    given = add(labelled, cup())
    drawn = add(labelled, RegionLabel("colour", "red"), source="human:ann", image=2)
    found = add(labelled, source=MODEL, image=2)

    def ids(**only: object) -> list[int]:
        return labelled.regions.table(**only).ids.tolist()  # type: ignore[arg-type]

    assert ids() == [given, drawn, found]
    assert ids(images=[2]) == [drawn, found]
    assert ids(images=[]) == []
    assert ids(source="model:") == [found]
    assert ids(source="model:", images=[1]) == []
    assert ids(taxonomy="colour") == [drawn]
    assert ids(batch=labelled.regions.get([given])[0].batch) == [given]
    assert labelled.regions.counts_by_source() == {"human:ann": 1, "given": 1, MODEL: 1}
    assert len(labelled.regions.table().take(np.array([True, False, True]))) == 2
    with pytest.raises(NotFound, match="no taxonomy 'x'"):
        ids(taxonomy="x")


def test_regions_of_images_that_are_gone_are_not_listed(labelled: Catalog) -> None:
    region = add(labelled, cup())
    labelled.images.set_state([1], "trashed")
    assert len(labelled.regions.table()) == len(labelled.regions.labels("thing")) == 0
    assert labelled.regions.counts_by_source() == {}
    assert labelled.regions.table(states=("trashed",)).ids.tolist() == [region]
    assert len(labelled.regions.labels("thing", states=("trashed",))) == 1
    labelled.images.set_state([1], "present")
    assert said(labelled) == [(region, "cup", "given", True, True, False)]


@pytest.mark.parametrize(
    "bad",
    [
        NewRegion(9, box()),
        NewRegion(1, box(), (RegionLabel("thing", "spoon"),)),
        NewRegion(1, box(), (RegionLabel("food", "soup"),)),
    ],
)
def test_what_is_unknown_is_refused_and_nothing_is_added(labelled: Catalog, bad: NewRegion) -> None:
    with pytest.raises(NotFound):
        labelled.regions.add([NewRegion(1, box()), bad], source="given", verb="import")
    assert len(labelled.regions.table()) == 0
    assert labelled.history.batches() == []


def test_nothing_added_is_no_batch(labelled: Catalog) -> None:
    assert labelled.regions.add([], source="given", verb="import").tolist() == []
    assert labelled.history.batches() == []


def test_more_regions_than_are_held_at_once(labelled: Catalog) -> None:
    new = (NewRegion(1 + n % 4, box(float(n)), (cup(probability=0.5),)) for n in range(10_000))
    ids = labelled.regions.add(new, source=MODEL, verb="detect")
    assert ids.tolist() == list(range(1, 10_001))
    assert labelled.regions.table().boxes[:, 0].tolist() == list(map(float, range(10_000)))
    assert labelled.regions.labels("thing").proposed.all()
    (listed,) = labelled.history.batches()
    assert listed["changes"] == {"region": 10_000, "region label": 10_000}
    labelled.regions.remove(ids[::2], source="human:ann", verb="regions")
    assert labelled.regions.table().ids.tolist() == ids[1::2].tolist()


def test_bad_regions_are_refused() -> None:
    with pytest.raises(InvalidValue):
        RegionStatement(1, "cup", "maybe")  # type: ignore[arg-type]
    with pytest.raises(InvalidValue):
        cup(probability=1.5)
    with pytest.raises(InvalidValue):
        RegionLabel("", "cup")
    with pytest.raises(InvalidValue):
        RegionStatement(1, "")


# --------------------------------------------------------------------------- what is said


def test_the_most_believed_source_holds(labelled: Catalog) -> None:
    region = add(labelled, cup(probability=0.25), source=MODEL)
    assert said(labelled) == [(region, "cup", MODEL, True, False, True)]
    say(labelled, region, "cup", "given")
    assert said(labelled) == [
        (region, "cup", "given", True, True, False),
        (region, "cup", MODEL, True, False, False),
    ]
    say(labelled, region, "cup", state="no")
    assert [(source, yes, holds) for _, _, source, yes, holds, _ in said(labelled)] == [
        ("human:ann", False, True),
        ("given", True, False),
        (MODEL, True, False),
    ]
    assert labelled.regions.labels("thing").probabilities[2] == 0.25
    say(labelled, region, "cup", state="unknown")
    assert said(labelled)[0] == (region, "cup", "given", True, True, False)


def test_what_changes_nothing_is_no_batch(labelled: Catalog) -> None:
    region = add(labelled, cup())
    assert say(labelled, region, "cup", "given") == 0
    assert say(labelled, region, "glass", state="unknown") == 0
    assert say(labelled, region, "cup", "given", probability=0.5) > 0


def test_a_single_taxonomy_holds_one_class_a_region(labelled: Catalog) -> None:
    region = add(labelled, RegionLabel("colour", "red"), RegionLabel("colour", "blue"))
    assert said(labelled, "colour") == [(region, "blue", "given", True, True, False)]
    say(labelled, region, "green", "given")
    assert said(labelled, "colour") == [(region, "green", "given", True, True, False)]
    say(labelled, region, "red")
    assert [(label, holds) for _, label, _, _, holds, _ in said(labelled, "colour")] == [
        ("green", False),
        ("red", True),
    ]
    say(labelled, region, "blue", MODEL)
    assert not labelled.regions.labels("colour").proposed.any()


def test_a_region_may_show_several_classes(labelled: Catalog) -> None:
    region = add(labelled, cup(), RegionLabel("thing", "plate"), RegionLabel("colour", "red"))
    assert [(label, holds) for _, label, _, _, holds, _ in said(labelled)] == [
        ("cup", True),
        ("plate", True),
    ]
    assert said(labelled, "colour") == [(region, "red", "given", True, True, False)]


def test_labels_of_some_images(labelled: Catalog) -> None:
    add(labelled, cup())
    two = add(labelled, cup(), image=2)
    assert labelled.regions.labels("thing", images=[2, 3]).region_ids.tolist() == [two]
    assert len(labelled.regions.labels("thing", images=[])) == 0


def test_unknown_regions_and_classes_are_refused(labelled: Catalog) -> None:
    region = add(labelled)
    with pytest.raises(NotFound, match="no class 'spoon'"):
        say(labelled, region, "spoon")
    with pytest.raises(NotFound, match="no region has the id 99"):
        say(labelled, 99, "cup")
    with pytest.raises(NotFound, match="no region has the id 99"):
        labelled.regions.remove([region, 99], source="human:ann", verb="regions")
    labelled.regions.remove([region], source="human:ann", verb="regions")
    with pytest.raises(NotFound, match=f"no region has the id {region}"):
        say(labelled, region, "cup")


# --------------------------------------------------------------------------- the image


def test_who_says_yes_of_a_region_says_so_of_the_image(labelled: Catalog) -> None:
    region = add(labelled, cup(), RegionLabel("thing", "glass", "no"))
    assert image_labels(labelled) == {"given": ["cup"]}
    say(labelled, region, "plate")
    assert image_labels(labelled) == {"human:ann": ["plate"], "given": ["cup"]}
    values = labelled.labels.matrix("thing").values[0]
    np.testing.assert_array_equal(values, [1, np.nan, 1])


def test_a_model_says_nothing_of_the_image_until_a_person_accepts(labelled: Catalog) -> None:
    region = add(labelled, cup(probability=0.9), source=MODEL)
    assert image_labels(labelled) == {}
    assert np.isnan(labelled.labels.matrix("thing").values).all()
    say(labelled, region, "cup")
    assert image_labels(labelled) == {"human:ann": ["cup"]}


def test_what_the_source_said_of_the_image_itself_stays(labelled: Catalog) -> None:
    labelled.labels.record("thing", [Statement(1, "cup", "no")], source="given", verb="import")
    labelled.labels.record("colour", [Statement(1, "red", "yes")], source="given", verb="import")
    add(labelled, cup(), RegionLabel("colour", "blue"))
    assert image_labels(labelled) == {}
    assert image_labels(labelled, "colour") == {"given": ["red"]}


def test_the_image_keeps_its_label_when_the_region_goes(labelled: Catalog) -> None:
    region = add(labelled, cup())
    labelled.regions.remove([region], source="human:ann", verb="regions")
    assert image_labels(labelled) == {"given": ["cup"]}


# --------------------------------------------------------------------------- history and undo


def test_undo_takes_regions_back_with_all_that_was_said(labelled: Catalog) -> None:
    region = add(labelled, cup())
    (listed,) = labelled.history.batches()
    assert listed["changes"] == {"label": 1, "region": 1, "region label": 1}
    undoing = labelled.history.undo(listed["id"])
    assert len(labelled.regions.table()) == 0
    assert said(labelled) == []
    assert image_labels(labelled) == {}
    labelled.history.undo(undoing)
    assert labelled.regions.table().ids.tolist() == [region]
    assert said(labelled) == [(region, "cup", "given", True, True, False)]
    assert image_labels(labelled) == {"given": ["cup"]}


def test_an_accepted_proposal_is_taken_back_alone(labelled: Catalog) -> None:
    region = add(labelled, cup(), source=MODEL)
    say(labelled, region, "cup")
    labelled.history.undo()
    assert said(labelled) == [(region, "cup", MODEL, True, False, True)]
    assert image_labels(labelled) == {}


def test_a_removal_is_taken_back(labelled: Catalog) -> None:
    ids = [add(labelled, cup()) for _ in range(5)]
    batch = labelled.regions.remove([ids[0], ids[1], ids[3]], source="human:ann", verb="regions")
    assert labelled.history.batch(batch)["changes"] == {"region": 3}
    assert labelled.regions.remove([ids[0]], source="human:ann", verb="regions") == 0
    assert labelled.regions.table().ids.tolist() == [ids[2], ids[4]]
    labelled.history.undo()
    assert labelled.regions.table().ids.tolist() == ids
    assert len(said(labelled)) == 5


def test_undo_leaves_what_was_changed_later(labelled: Catalog) -> None:
    new = [NewRegion(1, box(), (cup(),)) for _ in range(5)]
    ids = labelled.regions.add(new, source=MODEL, verb="detect").tolist()
    made = labelled.history.batches(1)[0]["id"]
    say(labelled, ids[1], "cup")
    labelled.regions.remove([ids[3]], source="human:ann", verb="regions")
    undoing = labelled.history.undo(made)
    # A person spoke of the second, and the fourth was gone already.
    assert labelled.regions.table().ids.tolist() == [ids[1]]
    assert said(labelled) == [(ids[1], "cup", "human:ann", True, True, False)]
    assert labelled.history.batch(undoing)["skipped"] == 2
    labelled.history.undo(undoing)
    assert labelled.regions.table().ids.tolist() == [ids[0], ids[1], ids[2], ids[4]]
    labelled.history.undo()
    assert labelled.regions.table().ids.tolist() == ids


def test_nothing_left_to_undo_is_said(labelled: Catalog) -> None:
    region = add(labelled)
    made = labelled.regions.get([region])[0].batch
    say(labelled, region, "cup")
    with pytest.raises(UsageError, match="changed again later"):
        labelled.history.undo(made)
    assert labelled.regions.table().ids.tolist() == [region]


def test_one_transaction_is_one_batch(labelled: Catalog) -> None:
    """Moving a region is removing it and drawing another."""
    old = add(labelled, cup())
    with labelled.transaction():
        labelled.regions.remove([old], source="human:ann", verb="regions")
        new = labelled.regions.add(
            [NewRegion(1, box(9.0), (cup(),))], source="human:ann", verb="regions"
        )
    assert labelled.regions.table().ids.tolist() == new.tolist()
    labelled.history.undo()
    assert labelled.regions.table().ids.tolist() == [old]
    assert image_labels(labelled) == {"given": ["cup"]}


def test_a_taxonomy_goes_with_the_import_that_made_it(catalog: Catalog) -> None:
    catalog.images.apply_index([FoundFile("a.jpg", "h", 1, 1)], complete=True)
    with catalog.transaction():
        catalog.labels.define(Taxonomy("thing", "multi", ("cup",)))
        region = add(catalog, cup())
    made = catalog.history.batches(1)[0]
    assert made["changes"] == {"label": 1, "region": 1, "region label": 1, "taxonomy": 1}
    undoing = catalog.history.undo(made["id"])
    assert catalog.labels.taxonomies() == []
    catalog.history.undo(undoing)
    say(catalog, region, "cup", MODEL, state="no")
    catalog.history.undo(made["id"])
    assert [taxonomy.name for taxonomy in catalog.labels.taxonomies()] == ["thing"]


def test_a_removed_taxonomy_takes_what_is_said_of_regions_along(labelled: Catalog) -> None:
    region = add(labelled, cup())
    labelled.labels.change_taxonomy("thing", {"removed": True}, source="human:ann", verb="t")
    assert labelled.regions.table().ids.tolist() == [region]
    with pytest.raises(NotFound):
        labelled.regions.labels("thing")
    labelled.history.undo()
    assert len(labelled.regions.labels("thing")) == 1


def test_the_history_of_an_image_tells_of_its_regions(labelled: Catalog) -> None:
    both = labelled.regions.add(
        [NewRegion(1, box(), (cup(),)), NewRegion(2, box())], source="given", verb="import"
    )
    labelled.regions.remove(both, source="human:ann", verb="regions")
    events = labelled.history.of_image(1)
    assert [(e.region, e.label, e.before, e.after) for e in events] == [
        (both[0], "cup", "unknown", "yes"),
        (0, "cup", "unknown", "yes"),
    ]
    for image in (1, 2):
        changes = [change for _, change in labelled.history.changes_of_image(image)]
        assert [(c.subject, c.before, c.after, c.size) for c in changes] == [
            ("region", None, True, 1),
            ("region", True, False, 1),
        ]


def test_a_snapshot_shows_one_state_and_takes_no_writes(labelled: Catalog) -> None:
    region = add(labelled, cup())
    with labelled.snapshot():
        assert [one.id for one in labelled.regions.get([region])] == [region]
        with pytest.raises(RuntimeError, match="nothing may be written"), labelled.transaction():
            pass
        with pytest.raises(RuntimeError, match="nothing may be written"):
            labelled.images.set_root(labelled.folder)
    say(labelled, region, "plate")  # afterwards it may
    assert image_labels(labelled)["human:ann"] == ["plate"]
