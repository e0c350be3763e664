"""Whatever happens to the files, the catalog lists what is there and loses no image."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

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
