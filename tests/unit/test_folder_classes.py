"""When folders become a taxonomy: names, pictures, and what a person says."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.domain.errors import InvalidValue, UsageError
from vernis.domain.types import FoundFile, Space, Statement, Taxonomy
from vernis.session.session import Session
from vernis.verbs.steps import import_
from vernis.verbs.steps.folder_classes import group_bursts, label_by_folders

SPACE = Space("toy", 16, "float32")
N = 120


def digest(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


@pytest.fixture
def make():
    """Return what makes a session of 120 images, by the folder of each."""
    opened = []

    def session_of(folders, *, vectors=None) -> Session:
        catalog = SqliteCatalog.in_memory()
        opened.append(catalog)
        files = [
            FoundFile(f"{folder}/{i:03}.jpg", digest(i), 10, 0, 30, 20, "JPEG")
            for i, folder in enumerate(folders)
        ]
        catalog.images.apply_index(files, complete=True)
        catalog.images.set_root(Path("/pictures"))
        session = Session(catalog)
        if vectors is not None:
            catalog.vectors.append(SPACE, [digest(i) for i in range(len(files))], vectors)
            session.use_space(SPACE)
        return session

    yield session_of
    for catalog in opened:
        catalog.close()


def looks(codes, seed=0) -> np.ndarray:
    """Return vectors that lie in one cluster for each code."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(codes) + 1, 16))
    return (centres[codes] + 0.6 * rng.normal(size=(len(codes), 16))).astype("f4")


CODES = np.arange(N) % 3
ANIMALS = [("cat", "dog", "fish")[code] for code in CODES]
RANDOM = np.random.default_rng(5).integers(0, 3, N)


def names(session: Session) -> list[str]:
    return [taxonomy.name for taxonomy in session.taxonomies()]


def test_names_and_pictures_together_make_a_taxonomy(make):
    session = make(ANIMALS, vectors=looks(CODES))
    found = label_by_folders(session)
    assert found.images == {"class": N}
    assert session.catalog.labels.taxonomy("class").classes == ("cat", "dog", "fish")


def test_pictures_that_do_not_tell_the_folders_apart_overrule_the_names(make):
    session = make(ANIMALS, vectors=looks(RANDOM))
    found = label_by_folders(session)
    assert names(session) == []
    (note,) = found.notes
    assert "cat, dog, fish" in note
    assert "do not tell them apart" in note
    assert "--classes-from folders" in note
    assert label_by_folders(session) == found


def test_names_of_events_overrule_pictures_that_look_alike(make):
    events = [("2019/Rome", "2019/Anna", "2020/Birthday")[code] for code in CODES]
    session = make(events, vectors=looks(CODES))
    (note,) = label_by_folders(session).notes
    assert "keep order" in note
    assert "2 dates (2019, 2020)" in note
    assert names(session) == []


def test_numbers_need_pictures_that_speak_for_them(make):
    few = [str(code) for code in CODES[:24]]
    assert names(make(few)) == []
    clear = make(few, vectors=looks(CODES[:24]))
    label_by_folders(clear)
    assert names(clear) == ["class"]
    unclear = make(few, vectors=looks(RANDOM[:24]))
    label_by_folders(unclear)
    assert names(unclear) == []


def test_few_pictures_do_not_speak_against_names_of_classes(make):
    session = make(ANIMALS[:12], vectors=looks(RANDOM[:12]))
    assert label_by_folders(session).images == {"class": 12}


def test_without_vectors_the_candidates_are_only_named(make):
    session = make(ANIMALS)
    (note,) = label_by_folders(session).notes
    assert "may be classes (cat, dog, fish)" in note
    assert names(session) == []


def test_a_taxonomy_once_taken_follows_its_folders(make):
    session = make(ANIMALS)
    label_by_folders(session, classes_from="folders")
    files = [FoundFile(f"cat/{i:03}.jpg", digest(i), 10, 0, 30, 20, "JPEG") for i in range(60)]
    files += [FoundFile(f"dog/{i:03}.jpg", digest(i), 10, 0, 30, 20, "JPEG") for i in range(60, N)]
    session.catalog.images.apply_index(files, complete=True)
    assert label_by_folders(session).images == {"class": N}
    values = session.matrix("class").values
    assert (values == 1).sum(axis=0).tolist() == [60, 60, 0]


def test_a_person_overrules_and_the_choice_holds(make):
    session = make([("2019", "2020", "2021")[code] for code in CODES], vectors=looks(CODES))
    label_by_folders(session, classes_from="folders")
    assert session.catalog.labels.taxonomy("class").classes == ("2019", "2020", "2021")
    label_by_folders(session, classes_from="none")
    assert names(session) == []
    assert label_by_folders(session).notes == ()


def test_none_holds_for_folders_that_look_like_classes(make):
    session = make(ANIMALS, vectors=looks(CODES))
    label_by_folders(session, classes_from="none")
    label_by_folders(session)
    assert names(session) == []
    label_by_folders(session, classes_from=1)
    assert names(session) == ["class"]


def test_undoing_the_removal_brings_the_classes_back(make):
    session = make(ANIMALS)
    label_by_folders(session, classes_from="folders")
    before = session.matrix("class").values.copy()
    label_by_folders(session, classes_from="none")
    session.catalog.history.undo(session.catalog.history.latest(imports=True))
    assert np.array_equal(session.matrix("class").values, before)


@pytest.mark.parametrize("given", ["no", "0", "-1", "1.5"])
def test_other_choices_are_refused(make, given):
    with pytest.raises(InvalidValue, match="number of a level"):
        label_by_folders(make(ANIMALS), classes_from=given)


def test_a_level_that_is_not_there_is_refused(make):
    with pytest.raises(UsageError, match="on level 4"):
        label_by_folders(make(ANIMALS), classes_from="4")


def import_column(session: Session, folder: Path, column: str) -> import_.Result:
    """Import a table in which every image has the name of its folder in capitals."""
    rows = [f"{uri},{uri.partition('/')[0].upper()}" for uri in session.table().uris]
    path = folder / "labels.csv"
    path.write_text("\n".join([f"image,{column}", *rows]), encoding="utf-8")
    return import_.work(session, import_.Settings(path))


@pytest.mark.parametrize("column", ["brand", "class"])
def test_an_import_retires_the_classes_of_folders_until_it_is_undone(make, tmp_path, column):
    session = make(ANIMALS)
    label_by_folders(session, classes_from="folders")
    before = session.matrix("class").values.copy()
    found = import_column(session, tmp_path, column)
    assert any("names of folders are no classes any more" in note for note in found.notes)
    assert names(session) == [column]
    assert session.catalog.labels.taxonomy(column).classes == ("CAT", "DOG", "FISH")
    assert label_by_folders(session).images == {}
    history = session.catalog.history
    history.undo(history.latest(imports=True))
    assert names(session) == ["class"]
    assert np.array_equal(session.matrix("class").values, before)


def test_an_import_keeps_what_a_person_decided(make, tmp_path):
    session = make(ANIMALS)
    label_by_folders(session, classes_from="folders")
    image = int(session.table().ids[0])
    said = [Statement(image, "dog", "yes")]
    session.catalog.labels.record("class", said, source="human:ada", verb="accept")
    found = import_column(session, tmp_path, "brand")
    assert any("class: kept" in note and "1 image carries" in note for note in found.notes)
    assert names(session) == ["brand", "class"]


def test_folders_never_write_into_an_imported_taxonomy(make):
    session = make(ANIMALS)
    session.catalog.labels.define(Taxonomy("class", "single", ("a",), origin="labels.csv"))
    assert label_by_folders(session).images == {}
    with pytest.raises(UsageError, match="--rename class=NEW"):
        label_by_folders(session, classes_from="folders")


def test_bursts_are_one_group_and_no_chain_joins_a_class():
    angles = np.radians([0, 20, 40, 60, 200, 200.1])
    X = np.stack([np.cos(angles), np.sin(angles)], 1).astype("f4")
    groups = group_bursts(X, np.arange(6))
    assert groups[0] == groups[1]
    assert groups[0] != groups[3]
    assert groups[4] == groups[5]
    assert len(set(group_bursts(X, np.array([0, 1, 2, 0, 4, 5]))[[0, 3]])) == 1
