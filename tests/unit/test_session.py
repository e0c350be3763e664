"""The session's snapshot: read once, and again after a change."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.domain.errors import NotFound
from vernis.domain.types import (
    IMAGE_STATES,
    DuplicateGroup,
    DuplicatePair,
    FoundFile,
    Space,
    Statement,
    Taxonomy,
)
from vernis.session import session as module
from vernis.session.session import Session

SPACE = Space("lite0", 2, "float32")


@pytest.fixture
def session() -> Iterator[Session]:
    """Return six images: 1 and 4 of one content, 5 without a vector, that of 6 not finite."""
    with SqliteCatalog.in_memory() as catalog:
        contents = ["one", "two", "three", "one", "five", "six"]
        catalog.images.apply_index(
            [FoundFile(f"{i}.jpg", content, 1, 1) for i, content in enumerate(contents, 1)],
            complete=True,
        )
        catalog.labels.define(Taxonomy("colour", "single", ("blue", "red")))
        vectors = np.array([[1, 1], [2, 2], [3, 3], [np.nan, 6]])
        catalog.vectors.append(SPACE, ["one", "two", "three", "six"], vectors)
        yield Session(catalog)


def test_what_did_not_change_is_not_read_again(session: Session) -> None:
    table, matrix, uris = session.table(), session.matrix("colour"), session.uris()
    vectors = session.vectors(SPACE)
    assert session.table() is table
    assert session.matrix("colour") is matrix
    assert session.vectors(SPACE) is vectors
    said = [Statement(2, "red", "yes")]
    session.catalog.labels.record("colour", said, source="human:ann", verb="edit")
    assert session.table() is table
    assert session.vectors(SPACE) is vectors
    assert session.matrix("colour").labelled.tolist() == [False, True, *[False] * 4]
    session.catalog.images.set_state([3], "trashed")
    assert session.table().ids.tolist() == [1, 2, 4, 5, 6]
    assert session.matrix("colour").image_ids.tolist() == [1, 2, 4, 5, 6]
    assert session.vectors(SPACE).ids.tolist() == [1, 2, 4]
    assert session.uris() == uris  # whatever the state
    assert session.uris() is not uris


def test_present_images_are_taken_from_a_table_that_was_read_with_others(session: Session) -> None:
    with_others = session.table("present", "unreadable")
    assert session.table() is with_others
    session.catalog.images.set_state([3], "unreadable", "cut off")
    assert len(session.table("present", "unreadable")) == 6
    apart = session.table()
    read = session.catalog.images.table()
    assert apart.ids.tolist() == read.ids.tolist() == [1, 2, 4, 5, 6]
    assert apart.uris == read.uris
    assert apart.hashes.tolist() == read.hashes.tolist()
    assert apart.states.equal("present").all()


def test_only_sound_vectors_are_read(session: Session) -> None:
    vectors = session.vectors(SPACE)
    assert vectors.ids.tolist() == [1, 2, 3, 4]
    assert vectors.hashes == ("one", "two", "three", "one")
    assert vectors.X[:, 0].tolist() == [1, 2, 3, 1]
    assert vectors.n_without_vector == 2


def test_duplicates_share_a_code_also_through_a_third_image(session: Session) -> None:
    pair = DuplicatePair(2, 4, "near", 0.9)
    session.catalog.issues.replace_groups([DuplicateGroup("near", (2, 4), 2, "larger", (pair,))])
    assert session.duplicate_codes(np.array([1, 2, 3, 4, 6])).tolist() == [0, 0, 1, 0, 2]
    assert session.duplicate_codes(np.array([1, 2, 3])).tolist() == [0, 1, 2]
    assert session.duplicate_codes(np.array([], dtype=np.int64)).tolist() == []


@pytest.mark.parametrize("few", [0, 100])
def test_paths_of_some_images(session: Session, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FEW", few)
    session.catalog.images.set_state([2], "trashed")
    found = session.uris_of([2, 1, 2])
    assert {image: found[image] for image in (1, 2)} == {1: "1.jpg", 2: "2.jpg"}
    assert len(session.table(*IMAGE_STATES)) == 6
    if few:
        with pytest.raises(NotFound):
            session.uris_of([99])
