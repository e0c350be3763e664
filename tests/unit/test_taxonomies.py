"""The owner's taxonomies: listed, and changed by batches that undo takes back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import pytest

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.domain.errors import NotFound, UsageError
from vernis.domain.types import FoundFile, Space, Statement, Taxonomy
from vernis.session.session import Session
from vernis.verbs.steps import taxonomies as verb
from vernis.verbs.steps.folder_classes import label_by_folders

N = 90
CODES = np.arange(N) % 3
CLASSES = ("bird", "fish", "tree")
SPACE = Space("toy", 16, "float32")


def digest(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


@pytest.fixture
def session() -> Iterator[Session]:
    """90 pictures in three clusters: kind follows them, season is drawn, tags go by folder."""
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(3, 16))[CODES] + 0.5 * rng.normal(size=(N, 16))
    with SqliteCatalog.in_memory() as catalog:
        files = [
            FoundFile(f"box {i // 30}/{i:03}.jpg", digest(i), 10, 0, 30, 20, "JPEG")
            for i in range(N)
        ]
        catalog.images.apply_index(files, complete=True)
        ids = [image.id for image in catalog.images.all()]
        season = rng.integers(0, 3, N)
        for name, kind, codes in (
            ("kind", "single", CODES),
            ("season", "single", season),
            ("tags", "multi", np.arange(N) // 30),
        ):
            catalog.labels.define(Taxonomy(name, kind, CLASSES, origin="labels.csv"))
            said = [Statement(ids[i], CLASSES[codes[i]], "yes") for i in range(N)]
            catalog.labels.record(name, said, source="given", verb="import")
        catalog.vectors.append(SPACE, [digest(i) for i in range(N)], vectors.astype("f4"))
        opened = Session(catalog)
        opened.use_space(SPACE)
        yield opened


def change(session: Session, **settings) -> verb.Result:
    return verb.work(session, verb.Settings(**settings))


def undo(session: Session) -> None:
    session.catalog.history.undo()


def names(session: Session) -> list[str]:
    return [taxonomy.name for taxonomy in session.taxonomies()]


def test_the_table_says_what_the_pictures_carry(session):
    found = change(session)
    told = {row.taxonomy: row for row in found.taxonomies}
    assert list(told) == ["kind", "season", "tags"]
    assert told["kind"].visual_meaning == "yes"
    assert told["season"].visual_meaning in ("no", "unclear")
    assert told["kind"].separation_low > told["season"].separation_high
    assert told["kind"].origin == "labels.csv"
    assert told["kind"].filling_rate == 1.0
    assert change(session).taxonomies == found.taxonomies


def test_keywords_given_by_folder_are_a_finding(session):
    found = change(session)
    told = {row.taxonomy: row for row in found.taxonomies}
    assert told["tags"].like_their_folder == 1.0
    assert told["kind"].like_their_folder == 0.0
    (note,) = [note for note in found.notes if "folder" in note]
    assert note.startswith("tags: 100% of the labelled images")


@pytest.mark.parametrize(
    ("settings", "attribute", "value"),
    [
        ({"ignore": ["kind"]}, "ignored", True),
        ({"close": ["kind"]}, "closed", True),
        ({"kind": [("kind", "multi")]}, "kind", "multi"),
        ({"describe": [("kind", "what is seen")]}, "description", "what is seen"),
    ],
)
def test_each_change_is_a_batch_that_undo_takes_back(session, settings, attribute, value):
    before = session.catalog.labels.taxonomy("kind")
    found = change(session, **settings)
    assert found.batch
    assert found.changed[0].startswith("kind")
    assert getattr(session.catalog.labels.taxonomy("kind"), attribute) == value
    undo(session)
    assert session.catalog.labels.taxonomy("kind") == before


def test_closed_and_ignored_are_taken_back_by_their_opposites(session):
    change(session, ignore=["kind"], close=["kind"])
    change(session, heed=["kind"], open=["kind"])
    taxonomy = session.catalog.labels.taxonomy("kind")
    assert (taxonomy.ignored, taxonomy.closed) == (False, False)


def test_a_removed_taxonomy_comes_back_with_its_labels(session):
    before = session.matrix("kind").values.copy()
    assert change(session, remove=["kind"]).batch
    assert names(session) == ["season", "tags"]
    with pytest.raises(NotFound, match="season, tags"):
        session.matrix("kind")
    undo(session)
    assert np.array_equal(session.matrix("kind").values, before)


def test_a_new_name_keeps_everything(session):
    before = session.matrix("kind").values.copy()
    found = change(session, taxonomy="kind", rename=[("kind", "animal")])
    assert [row.taxonomy for row in found.taxonomies] == ["animal"]
    assert np.array_equal(session.matrix("animal").values, before)
    undo(session)
    assert names(session) == ["kind", "season", "tags"]


def test_one_call_is_one_batch(session):
    change(session, rename=[("kind", "animal")], ignore=["season"], remove=["tags"])
    assert names(session) == ["animal", "season"]
    undo(session)
    assert names(session) == ["kind", "season", "tags"]
    assert not session.catalog.labels.taxonomy("season").ignored


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"rename": [("kind", "season")]}, "season"),
        ({"rename": [("kind", " ")]}, "blank"),
        ({"kind": [("kind", "both")]}, "kind=single or kind=multi"),
        ({"ignore": ["colour"]}, "no taxonomy 'colour'"),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(session, settings, words):
    before = session.catalog.labels.taxonomies()
    with pytest.raises(UsageError, match=words):
        change(session, close=["tags"], **settings)
    assert session.catalog.labels.taxonomies() == before


def test_one_label_an_image_needs_images_with_one(session):
    image = int(session.table().ids[0])
    said = [Statement(image, "tree", "yes")]
    session.catalog.labels.record("tags", said, source="human:ada", verb="accept")
    with pytest.raises(UsageError, match="1 image carries several labels of 'tags', such as box 0"):
        change(session, kind=[("tags", "single")])


def test_nothing_to_change_is_no_batch(session):
    found = change(session, open=["kind"])
    assert (found.batch, found.changed) == (0, ("kind: nothing to change",))


def test_ignored_taxonomies_are_worked_on_only_when_named(session):
    change(session, ignore=["season"])
    assert [t.name for t in session.worked_on()] == ["kind", "tags"]
    assert [t.name for t in session.worked_on(["season", "season"])] == ["season"]


def test_removed_classes_of_folders_stay_away(session):
    change(session, remove=["kind", "season", "tags"])
    label_by_folders(session, classes_from="folders")
    assert names(session) == ["class"]
    change(session, remove=["class"])
    label_by_folders(session)
    assert names(session) == []
    undo(session)
    label_by_folders(session)
    assert names(session) == ["class"]


def test_renamed_classes_of_folders_follow_their_folders(session):
    change(session, remove=["kind", "season", "tags"])
    label_by_folders(session, classes_from="folders")
    change(session, rename=[("class", "box")])
    change(session, rename=[("box", "crate")])
    files = [FoundFile(f"box {i % 2}/{i:03}.jpg", digest(i), 10, 0, 30, 20) for i in range(N)]
    session.catalog.images.apply_index(files, complete=True)
    label_by_folders(session)
    assert names(session) == ["crate"]
    assert (session.matrix("crate").values == 1).sum(axis=0).tolist() == [45, 45, 0]
    undo(session)
    undo(session)
    label_by_folders(session)
    assert names(session) == ["class"]
