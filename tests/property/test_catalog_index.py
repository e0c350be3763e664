"""Whatever happens to the files, the catalog lists what is there and loses no image."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vernis.adapters.catalog import indexing
from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.domain.types import IMAGE_STATES, FoundFile, IndexChanges

# A folder: which content lies under which name. "" is a file that cannot be read at all.
folders = st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["1", "2", "3", ""]))
indexings = st.lists(st.tuples(folders, st.booleans()), min_size=1, max_size=6)


def files(folder: dict[str, str]) -> list[FoundFile]:
    return [
        FoundFile(name, content, 1, 1, reason="" if content else "permission denied")
        for name, content in folder.items()
    ]


@settings(deadline=None, max_examples=30)
@given(indexings)
def test_the_catalog_lists_what_is_there(history: list[tuple[dict[str, str], bool]]) -> None:
    with (
        tempfile.TemporaryDirectory() as place,
        SqliteCatalog.create(Path(place) / "c") as catalog,
    ):
        catalog._ledger.run("PRAGMA synchronous = OFF")
        for folder, complete in history:
            before = {image.id: image for image in catalog.images.all(IMAGE_STATES)}
            changes = catalog.images.apply_index(files(folder), complete=complete)
            images = catalog.images.all(IMAGE_STATES)
            live = {i.uri: i for i in images if i.state in ("present", "unreadable")}
            assert len(live) == sum(i.state in ("present", "unreadable") for i in images)

            # What was found lies where it was found; a complete indexing leaves nothing else.
            assert {uri: live[uri].content_hash for uri in folder} == folder
            assert not complete or live.keys() == folder.keys()
            # No image is ever lost, and every file is exactly one of the four fates.
            assert before.keys() <= {image.id for image in images}
            fates = changes.new + changes.changed + changes.moved + changes.unchanged
            assert fates == len(folder)
            assert changes.new == len(images) - len(before)
            assert changes.unreadable == list(folder.values()).count("")
            # An image that is where it was, as it was, is the same image.
            for image in before.values():
                if image.state == "present" and folder.get(image.uri) == image.content_hash:
                    assert live[image.uri].id == image.id
            # A content that one image alone had, and that is found once, is still that image.
            for image in before.values():
                held = [i.content_hash for i in before.values()].count(image.content_hash)
                found = list(folder.values()).count(image.content_hash)
                if complete and image.content_hash and held == found == 1:
                    assert {
                        i.id for i in live.values() if i.content_hash == image.content_hash
                    } == {image.id}
            broken = {issue.image_id for issue in catalog.issues.select(["broken"])}
            assert broken == {i.id for i in images if i.state == "unreadable"}

            again = catalog.images.apply_index(files(folder), complete=complete)
            assert again == IndexChanges(
                unchanged=len(folder), unreadable=list(folder.values()).count("")
            )
            assert catalog.images.all(IMAGE_STATES) == images
        assert catalog.integrity() == []


@settings(deadline=None, max_examples=12)
@given(st.permutations("abcd"), st.permutations("abcd"))
def test_renaming_keeps_every_image(first: list[str], second: list[str]) -> None:
    with (
        tempfile.TemporaryDirectory() as place,
        SqliteCatalog.create(Path(place) / "c") as catalog,
    ):
        catalog._ledger.run("PRAGMA synchronous = OFF")
        ids: dict[str, int] = {}
        for names in (first, second):
            folder = {name: str(content) for content, name in enumerate(names)}
            catalog.images.apply_index(files(folder), complete=True)
            found = {image.content_hash: image.id for image in catalog.images.all()}
            ids = ids or found
            assert found == ids


@settings(deadline=None, max_examples=150)
@given(indexings, st.sets(st.integers(1, 8)), folders, st.booleans(), st.integers(1, 3))
def test_pieces_and_unchanged_images_make_no_difference(
    history: list[tuple[dict[str, str], bool]],
    trashed: set[int],
    last: dict[str, str],
    complete: bool,
    piece: int,
) -> None:
    def state_after(n_at_a_time: int | None, leave_out: bool) -> object:
        with SqliteCatalog.in_memory() as catalog, pytest.MonkeyPatch.context() as patch:
            for folder, whole in history:
                catalog.images.apply_index(files(folder), complete=whole)
            known = {image.id for image in catalog.images.all()}
            catalog.images.set_state(sorted(known & trashed), "trashed")
            found = files(last)
            same = [i.id for i in catalog.images.all() if last.get(i.uri) == i.content_hash]
            if leave_out:
                found = [f for f in found if f.uri not in {i.uri for i in catalog.images.get(same)}]
            if n_at_a_time:
                patch.setattr(indexing, "_PIECE", n_at_a_time)
            changes = catalog.images.apply_index(
                found, complete=complete, unchanged=same if leave_out else ()
            )
            assert catalog.integrity() == []
            images = catalog.images.all(IMAGE_STATES)
            old = [image for image in images if image.id in known]
            # New images may come in another order, and so get other ids.
            new = sorted((i.uri, i.content_hash, i.state) for i in images if i.id not in known)
            broken = len(catalog.issues.select(["broken"]))
            return changes, old, new, broken

    expected = state_after(None, False)
    assert state_after(None, True) == expected
    assert state_after(piece, False) == expected
    assert state_after(piece, True) == expected
