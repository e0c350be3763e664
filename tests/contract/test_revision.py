"""A store's revision differs whenever what it returns may have changed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from vernis.domain.errors import InvalidValue, NotFound
from vernis.domain.ports import Catalog
from vernis.domain.region_store import NewRegion
from vernis.domain.regions import Box, Region
from vernis.domain.types import FoundFile, Issue, Space, Statement, Suggestion, Taxonomy

STORES = ("images", "labels", "regions", "issues", "vectors", "models", "maps", "runs")
SPACE = Space("lite0", 2)


def index(catalog: Catalog) -> None:
    catalog.images.apply_index([FoundFile("new.jpg", "hash-new", 10, 1)], complete=False)


def save_model(catalog: Catalog) -> None:
    catalog.models.save(
        "thing",
        "lite0",
        arrays={"w": np.ones(2)},
        settings={},
        metrics={},
        fingerprint="x",
        predictions={},
    )


def say(catalog: Catalog, name: str = "thing", label: str = "cup", image: int = 1) -> int:
    return catalog.labels.record(
        name, [Statement(image, label, "yes")], source="human:ann", verb="test"
    )


def draw(catalog: Catalog) -> None:
    catalog.regions.add(
        [NewRegion(1, Region(Box(1, 2, 3, 4), (10, 10)))], source="human:ann", verb="test"
    )


def suggest(catalog: Catalog) -> None:
    catalog.issues.replace_suggestions("thing", [Suggestion(1, "thing", "cup", 0.5)])


WRITES: dict[str, tuple[Callable[[Catalog], object], set[str]]] = {
    "index": (index, {"images", "labels", "regions", "issues"}),
    "trash": (
        lambda c: c.images.set_state([1], "trashed"),
        {"images", "labels", "regions", "issues"},
    ),
    "region": (draw, {"labels", "regions"}),
    "other files": (lambda c: c.images.set_other_files({".mp4": 1}), {"images"}),
    "define": (lambda c: c.labels.define(Taxonomy("new", "multi", ("a",))), {"labels", "regions"}),
    "record": (say, {"labels", "regions"}),
    "issues": (lambda c: c.issues.replace(["dark"], [Issue("dark", 2, 0.1)]), {"issues"}),
    "suggestions": (suggest, {"issues"}),
    "vectors": (lambda c: c.vectors.append(SPACE, ["a"], np.ones((1, 2))), {"vectors"}),
    "model": (save_model, {"models"}),
    "run": (lambda c: c.runs.finish("learn", "x", {}), {"runs"}),
}


def revisions(catalog: Catalog) -> dict[str, tuple[int, int]]:
    return {store: catalog.revision(store) for store in STORES}


@pytest.mark.parametrize("write", WRITES)
def test_a_write_is_seen_by_the_stores_that_it_concerns(labelled: Catalog, write: str) -> None:
    act, concerned = WRITES[write]
    before = revisions(labelled)
    act(labelled)
    after = revisions(labelled)
    assert {store for store in STORES if after[store] != before[store]} == concerned


def test_reading_changes_no_revision(labelled: Catalog) -> None:
    say(labelled)
    before = revisions(labelled)
    labelled.images.all()
    labelled.images.get([1, 2])
    labelled.labels.matrix("thing")
    labelled.history.of_image(1)
    labelled.issues.select()
    labelled.issues.groups()
    labelled.vectors.missing(SPACE, ["a"])
    labelled.models.records()
    assert revisions(labelled) == before


def test_verdicts_and_their_undo_are_seen(labelled: Catalog) -> None:
    labelled.issues.replace(["dark"], [Issue("dark", 1, 0.1)])
    seen = [labelled.revision("issues")]
    batch = labelled.issues.set_verdict(
        [issue.id for issue in labelled.issues.select()], "dismissed", who="ann"
    )
    seen.append(labelled.revision("issues"))
    labelled.history.undo(batch)
    seen.append(labelled.revision("issues"))
    assert len(set(seen)) == 3


def test_each_taxonomy_has_a_revision_of_its_own(labelled: Catalog) -> None:
    def seen() -> tuple[tuple[int, int], tuple[int, int]]:
        return labelled.revision("labels:thing"), labelled.revision("labels:colour")

    thing, colour = seen()
    batch = say(labelled)
    said, same = seen()
    assert (said != thing, same == colour) == (True, True)
    assert say(labelled) == 0  # said already
    assert seen() == (said, same)
    labelled.history.undo(batch)
    undone, still = seen()
    assert (undone != said, still == colour) == (True, True)
    labelled.images.set_state([1], "trashed")
    assert {undone, still}.isdisjoint(seen())


def test_what_was_read_inside_a_failed_transaction_is_not_taken_for_true(labelled: Catalog) -> None:
    inside = []

    def say_and_stop() -> None:
        with labelled.transaction():
            say(labelled)
            inside.append(labelled.revision("labels:thing"))
            raise KeyboardInterrupt

    before = labelled.revision("labels:thing")
    with pytest.raises(KeyboardInterrupt):
        say_and_stop()
    assert len({before, inside[0], labelled.revision("labels:thing")}) == 3


def test_a_store_that_is_not_there_is_refused(catalog: Catalog) -> None:
    with pytest.raises(InvalidValue, match="images, labels"):
        catalog.revision("pictures")
    with pytest.raises(NotFound, match="nope"):
        catalog.revision("labels:nope")
