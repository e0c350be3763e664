"""The image that stays of its duplicates: by name, by a person's choice, by preferred folders."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from vernis.collection import Collection
from vernis.domain.errors import NotFound, UsageError
from vernis.domain.types import Statement, Taxonomy
from vernis.verbs.decide import duplicates
from vernis.verbs.decide.deduplication import find_duplicates

NAMES = ("backup/beach.png", "beach (1).png", "sorted/a/beach.png", "Copy of beach.png")


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[Collection]:
    """Yield an indexed folder: one picture four times, one twice, one alone."""
    root = tmp_path / "pictures"
    for folder in ("backup", "sorted/a", "sorted/b"):
        (root / folder).mkdir(parents=True)
    for place, names in enumerate((NAMES, ("sorted/b/hill.png", "hill.png"), ("alone.png",))):
        Image.new("RGB", (8, 8), (80 * place, 10, 10)).save(root / names[0])
        for name in names[1:]:
            shutil.copy2(root / names[0], root / name)
    with Collection.create(tmp_path / "pictures.vernis") as opened:
        opened.index([root])
        find_duplicates(opened.session)
        yield opened


def keepers(collection: Collection) -> dict[str, str]:
    groups = duplicates.work(collection.session, duplicates.Settings()).groups
    return {group.keeper: group.reason for group in groups}


def lying(collection: Collection) -> set[str]:
    root = collection.session.root()
    return {path.relative_to(root).as_posix() for path in root.rglob("*.png")}


def test_copies_by_name_or_folder_go_and_the_original_stays(collection):
    found = keepers(collection)
    assert set(found) == {"sorted/a/beach.png", "hill.png"}
    assert "its name is no copy's" in found["sorted/a/beach.png"]
    assert found["hill.png"] == "shortest path"
    collection.trash(duplicates=True)
    assert lying(collection) == {"sorted/a/beach.png", "hill.png", "alone.png"}


def test_a_choice_is_seen_at_once_and_undone(collection):
    chosen = collection.keep(["backup/beach.png"], who="ann")
    assert set(chosen.images[0].duplicates) == set(NAMES[1:])
    assert keepers(collection)["backup/beach.png"] == "chosen by ann"
    frame = collection.duplicates()
    assert set(frame.loc[list(NAMES), "keeper"]) == {"backup/beach.png"}
    rows = collection.history("backup/beach.png")
    assert list(rows["label"])[-1] == "the one to keep"
    collection.undo()
    assert "backup/beach.png" not in keepers(collection)
    collection.redo()
    assert "backup/beach.png" in keepers(collection)


def test_a_choice_survives_a_new_search_a_rename_and_an_indexing(collection):
    collection.keep(["backup/beach.png"])
    root = collection.session.root()
    (root / "backup").rename(root / "old")
    shutil.copy2(root / "hill.png", root / "hill (1).png")
    collection.index()
    find_duplicates(collection.session)
    assert "chosen by" in keepers(collection)["old/beach.png"]
    collection.trash(duplicates=True)
    assert lying(collection) == {"old/beach.png", "hill.png", "alone.png"}


def test_the_latest_choice_is_the_keeper_and_no_choice_is_trashed(collection):
    first = collection.keep(["backup/beach.png"])
    collection.keep(["beach (1).png"])
    assert "beach (1).png" in keepers(collection)
    collection.keep(["backup/beach.png"])  # chosen again
    assert "backup/beach.png" in keepers(collection)
    assert collection.keep(["backup/beach.png"]).batch == 0
    collection.undo()
    assert "beach (1).png" in keepers(collection)
    collection.trash(duplicates=True)
    assert {"backup/beach.png", "beach (1).png"} <= lying(collection)
    assert len(lying(collection)) == 4
    collection.undo()
    collection.keep(["beach (1).png"], release=True)
    assert "backup/beach.png" in keepers(collection)
    collection.keep(["backup/beach.png"], release=True)
    assert "sorted/a/beach.png" in keepers(collection)
    assert collection.catalog.history.batch(first.batch)["changes"] == {"keeper": 1}


def test_an_image_without_duplicates_can_be_chosen_and_a_trashed_one_cannot(collection):
    assert collection.keep(["alone.png"]).images[0].duplicates == ()
    collection.trash(duplicates=True)
    with pytest.raises(UsageError, match="restore"):
        collection.keep(["beach (1).png"])
    with pytest.raises(NotFound):
        collection.keep(["nowhere.png"])
    with pytest.raises(UsageError, match="vernis keep IMAGE"):
        collection.keep([])


def test_preferred_folders_hold_until_they_are_changed(collection, monkeypatch):
    root = collection.session.root()
    collection.duplicates(prefer=["sorted/b"])
    assert keepers(collection)["sorted/b/hill.png"] == "lies in sorted/b, a preferred folder"
    collection.duplicates(prefer=[root / "backup", "sorted/"])
    assert set(keepers(collection)) == {"backup/beach.png", "sorted/b/hill.png"}
    find_duplicates(collection.session)
    assert set(keepers(collection)) == {"backup/beach.png", "sorted/b/hill.png"}
    collection.undo()
    assert set(keepers(collection)) == {"sorted/a/beach.png", "sorted/b/hill.png"}
    monkeypatch.chdir(root / "sorted")
    collection.duplicates(prefer="a")
    assert set(keepers(collection)) == {"sorted/a/beach.png", "hill.png"}
    collection.duplicates(prefer=["none"])
    assert keepers(collection)["hill.png"] == "shortest path"
    with pytest.raises(NotFound, match="did you mean sorted"):
        collection.duplicates(prefer=["sortet"])


def test_a_trial_of_trash_changes_no_preference(collection):
    plan = collection.trash(duplicates=True, prefer=["backup"], dry_run=True)
    assert {row.keeper for row in plan.moved} == {"backup/beach.png", "hill.png"}
    assert collection.catalog.issues.preferred_folders() == ()
    collection.trash(duplicates=True, prefer=["backup"])
    assert lying(collection) == {"backup/beach.png", "hill.png", "alone.png"}


def test_no_group_ever_loses_all_its_images(collection):
    """Whatever is chosen, preferred and undone, of each picture one file stays."""
    root = collection.session.root()
    for prefer in ([], ["backup"], ["sorted"], ["none"]):
        for chosen in ([], [NAMES[1]], [NAMES[3], "hill.png"]):
            if chosen:
                collection.keep(chosen)
            collection.trash(duplicates=True, prefer=prefer)
            contents = {(root / name).read_bytes() for name in lying(collection)}
            assert len(contents) == 3
            assert set(chosen) <= lying(collection)
            collection.restore()
            if chosen:
                collection.keep(chosen, release=True)
    assert len(lying(collection)) == 7


def test_the_image_that_stays_is_given_the_labels_it_lacks(collection):
    catalog = collection.catalog
    ids = {name: catalog.images.find(name).id for name in (*NAMES, "hill.png", "sorted/b/hill.png")}
    catalog.labels.define(Taxonomy("kind", "single", ("beach", "hill", "sea")))
    catalog.labels.record(
        "kind",
        [Statement(ids["beach (1).png"], "sea", "yes"), Statement(ids["hill.png"], "hill", "yes")],
        source="given",
        verb="import",
    )
    said = [Statement(ids["sorted/b/hill.png"], "beach", "yes")]
    catalog.labels.record("kind", said, source="human:ann", verb="accept")
    find_duplicates(collection.session)
    done = collection.trash(duplicates=True)
    assert done.carried == 1
    keeper = ids["sorted/a/beach.png"]
    assert [(who, one.label) for who, one in catalog.labels.statements("kind", keeper)] == [
        ("given", "sea")
    ]
    # What it says itself stays.
    hill = catalog.labels.statements("kind", ids["hill.png"])
    assert [(who, one.label) for who, one in hill] == [("given", "hill")]
    collection.undo()
    assert catalog.labels.statements("kind", keeper) == []
    assert len(lying(collection)) == 7


def test_the_older_of_two_stays_whatever_its_place(collection):
    root = collection.session.root()
    os.utime(root / "hill.png", (1_600_000_000, 1_600_000_000))
    os.utime(root / "sorted/b/hill.png", (1_500_000_000, 1_500_000_000))
    collection.index()
    find_duplicates(collection.session)
    assert keepers(collection)["sorted/b/hill.png"] == "oldest file"
