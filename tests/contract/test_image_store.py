"""What any ImageStore must do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vernis.domain.errors import InvalidValue, NotFound, UsageError
from vernis.domain.ports import Catalog
from vernis.domain.types import (
    IMAGE_STATES,
    FoundFile,
    ImageRecord,
    IndexChanges,
    hash_texts,
)


def files(**contents: str) -> list[FoundFile]:
    """Return found files ``name.jpg`` with the given hashes."""
    return [FoundFile(f"{name}.jpg", text, 10, 1) for name, text in contents.items()]


def ids(catalog: Catalog) -> dict[str, int]:
    return {image.uri: image.id for image in catalog.images.all(("present", "unreadable"))}


def test_an_empty_catalog_has_no_root_and_no_images(catalog: Catalog) -> None:
    assert catalog.images.root() is None
    assert catalog.images.all() == []
    assert catalog.images.other_files() == {}


def test_the_root_is_remembered(catalog: Catalog, tmp_path: Path) -> None:
    for name in ("pictures", "100% ünïcode # ?"):
        (tmp_path / name).mkdir()
        catalog.images.set_root(tmp_path / name)
        assert catalog.images.root() == tmp_path / name


def test_everything_found_is_stored(catalog: Catalog) -> None:
    found = FoundFile(
        "a/b.png", "h", 5, 7, 30, 40, "PNG", split="train", metadata={"orientation": 6, "n": [1]}
    )
    assert catalog.images.apply_index([found], complete=True) == IndexChanges(new=1)
    (image,) = catalog.images.all()
    assert image == ImageRecord(
        image.id, "a/b.png", "h", 5, 7, 30, 40, "PNG", split="train", metadata=image.metadata
    )
    assert image.metadata == {"orientation": 6, "n": [1]}


def test_a_second_indexing_of_the_same_files_changes_nothing(catalog: Catalog) -> None:
    catalog.images.apply_index(files(a="1", b="2"), complete=True)
    before = catalog.images.all()
    assert catalog.images.apply_index(files(b="2", a="1"), complete=True) == IndexChanges(
        unchanged=2
    )
    assert catalog.images.all() == before


def test_new_changed_moved_and_vanished_are_told_apart(catalog: Catalog) -> None:
    catalog.images.apply_index(files(same="1", edited="2", old="3", gone="4"), complete=True)
    before = ids(catalog)
    changes = catalog.images.apply_index(
        files(same="1", edited="22", renamed="3", fresh="5"), complete=True
    )
    assert changes == IndexChanges(new=1, changed=1, moved=1, vanished=1, unchanged=1)
    after = ids(catalog)
    assert after["edited.jpg"] == before["edited.jpg"]
    assert after["renamed.jpg"] == before["old.jpg"]
    assert after["fresh.jpg"] not in before.values()
    (gone,) = catalog.images.all(["vanished"])
    assert (gone.id, gone.uri) == (before["gone.jpg"], "gone.jpg")


def test_pictures_that_swap_their_names_keep_their_identity(catalog: Catalog) -> None:
    catalog.images.apply_index(files(a="1", b="2"), complete=True)
    before = ids(catalog)
    assert catalog.images.apply_index(files(a="2", b="1"), complete=True).moved == 2
    assert ids(catalog) == {"a.jpg": before["b.jpg"], "b.jpg": before["a.jpg"]}


def test_a_new_picture_in_the_place_of_a_moved_one_is_new(catalog: Catalog) -> None:
    catalog.images.apply_index(files(a="1"), complete=True)
    before = ids(catalog)
    changes = catalog.images.apply_index(files(a="2", b="1"), complete=True)
    assert (changes.moved, changes.new) == (1, 1)
    assert ids(catalog)["b.jpg"] == before["a.jpg"]


def test_a_copy_is_new_and_the_original_stays(catalog: Catalog) -> None:
    catalog.images.apply_index(files(a="1"), complete=True)
    changes = catalog.images.apply_index(files(a="1", copy="1"), complete=True)
    assert changes == IndexChanges(new=1, unchanged=1)


def test_of_several_copies_each_moves_to_the_place_of_the_same_name(catalog: Catalog) -> None:
    def at(folder: str) -> list[FoundFile]:
        return [FoundFile(f"{folder}/{name}.jpg", "1", 10, 1) for name in "xyz"]

    catalog.images.apply_index(at("one"), complete=True)
    before = ids(catalog)
    assert catalog.images.apply_index(at("two")[::-1], complete=True).moved == 3
    assert ids(catalog) == {uri.replace("one", "two"): i for uri, i in before.items()}


def test_a_list_of_files_marks_nothing_as_vanished(catalog: Catalog) -> None:
    catalog.images.apply_index(files(a="1", b="2"), complete=True)
    changes = catalog.images.apply_index(files(c="3", d="1"), complete=False)
    assert changes == IndexChanges(new=2)
    assert len(catalog.images.all()) == 4


def test_a_list_of_files_tells_a_swap(catalog: Catalog) -> None:
    catalog.images.apply_index(files(a="1", b="2"), complete=True)
    changes = catalog.images.apply_index(files(a="2", b="3"), complete=False)
    assert (changes.moved, changes.new, changes.vanished) == (1, 1, 1)


def test_a_vanished_image_comes_back_with_its_id(catalog: Catalog) -> None:
    catalog.images.apply_index(files(a="1", b="2"), complete=True)
    before = ids(catalog)
    catalog.images.apply_index(files(b="2"), complete=True)
    assert catalog.images.apply_index(files(a="1", b="2"), complete=True).moved == 1
    assert ids(catalog) == before
    catalog.images.apply_index(files(b="2"), complete=True)
    assert catalog.images.apply_index(files(z="1", b="2"), complete=True).moved == 1
    assert ids(catalog)["z.jpg"] == before["a.jpg"]


def test_a_trashed_image_stays_trashed_until_its_file_is_back(catalog: Catalog) -> None:
    catalog.images.apply_index(files(a="1", b="1"), complete=True)
    a = ids(catalog)["a.jpg"]
    catalog.images.set_state([a], "trashed", "duplicate of b.jpg")
    assert catalog.images.apply_index(files(b="1"), complete=True) == IndexChanges(unchanged=1)
    assert catalog.images.get([a])[0].state == "trashed"
    # Another picture in its old place is another image.
    catalog.images.apply_index(files(a="9", b="1"), complete=True)
    assert ids(catalog)["a.jpg"] != a
    with pytest.raises(UsageError, match="another image lies there"):
        catalog.images.set_state([a], "present")
    assert catalog.images.apply_index(files(a="1", b="1"), complete=True).moved == 1
    assert ids(catalog)["a.jpg"] == a


def test_an_unreadable_file_is_listed_with_its_reason(catalog: Catalog) -> None:
    bad = FoundFile("bad.jpg", "x", 3, 1, reason="truncated")
    changes = catalog.images.apply_index([*files(a="1"), bad], complete=True)
    assert changes == IndexChanges(new=2, unreadable=1)
    (image,) = catalog.images.all(["unreadable"])
    assert (image.uri, image.reason) == ("bad.jpg", "truncated")
    (issue,) = catalog.issues.select(["broken"])
    assert issue.image_id == image.id
    assert issue.evidence["reason"] == "truncated"
    assert [i.uri for i in catalog.images.all()] == ["a.jpg"]
    catalog.images.apply_index(files(a="1", bad="y"), complete=True)
    assert catalog.issues.select(["broken"]) == []
    assert ids(catalog)["bad.jpg"] == image.id


def test_files_without_a_hash_are_never_taken_for_one_another(catalog: Catalog) -> None:
    found = [FoundFile(f"{n}.jpg", "", 0, 1, reason="permission denied") for n in "ab"]
    catalog.images.apply_index(found[:1], complete=True)
    assert catalog.images.apply_index(found[1:], complete=True).moved == 0


def test_an_image_that_a_workflow_cannot_decode_becomes_a_broken_issue(catalog: Catalog) -> None:
    catalog.images.apply_index(files(a="1"), complete=True)
    (image,) = catalog.images.all()
    catalog.images.set_state([image.id], "unreadable", "bad Huffman code")
    assert [i.evidence["reason"] for i in catalog.issues.select(["broken"])] == ["bad Huffman code"]
    catalog.images.set_state([image.id], "present")
    assert catalog.issues.select(["broken"]) == []


def test_images_are_got_in_the_order_asked_for(catalog: Catalog) -> None:
    catalog.images.apply_index(files(a="1", b="2", c="3"), complete=True)
    wanted = [image.id for image in catalog.images.all()][::-1]
    assert [image.id for image in catalog.images.get([*wanted, wanted[0]])] == [*wanted, wanted[0]]
    assert catalog.images.get([]) == []
    with pytest.raises(NotFound, match="999"):
        catalog.images.get([wanted[0], 999])


def test_an_image_is_found_by_name_or_id(catalog: Catalog) -> None:
    catalog.images.apply_index(
        [FoundFile("dir/cat.jpg", "1", 1, 1), FoundFile("7", "2", 1, 1)], complete=True
    )
    cat = catalog.images.find("dir/cat.jpg")
    assert catalog.images.find("./dir/cat.jpg") == cat
    assert catalog.images.find(str(cat.id)) == cat
    assert catalog.images.find("7").uri == "7"
    for wrong in ("cat.jpg", "dir/cta.jpg"):
        with pytest.raises(NotFound, match=r"dir/cat\.jpg"):
            catalog.images.find(wrong)
    with pytest.raises(NotFound, match="no image"):
        catalog.images.find("bytes-\udcff")


def test_other_files_are_counted(catalog: Catalog) -> None:
    catalog.images.set_other_files({".mp4": 3, ".pptx": 5})
    catalog.images.set_other_files({".mp4": 4, "": 1, ".gone": 0})
    assert catalog.images.other_files() == {".mp4": 4, "": 1}


def test_an_image_is_found_by_its_path_on_disk(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "pictures"
    (root / "dir").mkdir(parents=True)
    catalog.images.set_root(root)
    catalog.images.apply_index([FoundFile("dir/cat.jpg", "1", 10, 1)], complete=True)
    assert catalog.images.find(str(root / "dir" / "cat.jpg")).uri == "dir/cat.jpg"
    monkeypatch.chdir(tmp_path)
    assert catalog.images.find("pictures/dir/cat.jpg").uri == "dir/cat.jpg"
    with pytest.raises(NotFound, match="did you mean dir/cat"):
        catalog.images.find(str(tmp_path / "elsewhere" / "cat.jpg"))


def test_unchanged_images_need_not_be_found(catalog: Catalog) -> None:
    catalog.images.apply_index(files(a="1", b="2", c="3", d="4"), complete=True)
    before = ids(catalog)
    changes = catalog.images.apply_index(
        files(c="33", e="4"), complete=True, unchanged=[before["a.jpg"]]
    )
    assert changes == IndexChanges(changed=1, moved=1, vanished=1, unchanged=1)
    assert ids(catalog) == {
        "a.jpg": before["a.jpg"],
        "c.jpg": before["c.jpg"],
        "e.jpg": before["d.jpg"],
    }
    for wrong in (before["b.jpg"], 99):
        with pytest.raises(InvalidValue, match=str(wrong)):
            catalog.images.apply_index([], complete=True, unchanged=[before["a.jpg"], wrong])
    assert len(ids(catalog)) == 3


def test_splits_are_set(labelled: Catalog) -> None:
    labelled.images.set_splits([1, 3], ["train", "test"])
    labelled.images.set_splits(np.array([3]), [""])
    labelled.images.set_splits([], [])
    assert [image.split for image in labelled.images.all()] == ["train", "", "", ""]


# --------------------------------------------------------------------------- columns


def test_the_table_holds_what_the_records_hold(catalog: Catalog) -> None:
    found = [
        FoundFile("é/b.png", "ff" * 32, 5, 7**20, 30, 40, "PNG", split="train"),
        FoundFile("a.jpg", "", 0, 0, reason="permission denied"),
        *(FoundFile(f"{n}.jpg", f"{n:064x}", n, n, 70_000, n, "JPEG") for n in range(5000)),
    ]
    catalog.images.apply_index(found, complete=True)
    catalog.images.set_state([9], "trashed")
    for states in (("present",), ("present", "unreadable"), IMAGE_STATES, ("vanished",)):
        table, records = catalog.images.table(states), catalog.images.all(states)
        assert len(table) == len(records)
        assert table.ids.tolist() == [r.id for r in records]
        assert list(table.uris) == [r.uri for r in records]
        assert hash_texts(table.hashes) == [r.content_hash for r in records]
        for column, name in (
            (table.sizes, "size"),
            (table.mtimes, "mtime_ns"),
            (table.widths, "width"),
            (table.heights, "height"),
        ):
            assert column.tolist() == [getattr(r, name) for r in records]
        for few, name in ((table.formats, "format"), (table.splits, "split")):
            assert [few[row] for row in range(len(table))] == [getattr(r, name) for r in records]
        assert [table.states[row] for row in range(len(table))] == [r.state for r in records]
    assert catalog.images.count_by_state() == {
        "present": 5000,
        "unreadable": 1,
        "vanished": 0,
        "trashed": 1,
    }


def test_the_table_of_nothing_is_empty(catalog: Catalog) -> None:
    table = catalog.images.table()
    assert (len(table), table.uris, table.row_of([]).tolist()) == (0, (), [])
    assert table.holds([1]).tolist() == [False]
    assert table.states.equal("present").tolist() == []


def test_rows_of_the_table_are_found_by_id(labelled: Catalog) -> None:
    labelled.images.set_state([2], "trashed")
    table = labelled.images.table()
    assert table.row_of([4, 1, 4]).tolist() == [2, 0, 2]
    assert table.uri_of(np.array([3, 1])) == ["c.jpg", "a.jpg"]
    assert table.holds([0, 1, 2, 3, 99]).tolist() == [False, True, False, True, False]
    for missing in (2, 99, -1):
        with pytest.raises(NotFound, match=str(missing)):
            table.row_of([1, missing])
    part = table.take(np.array([True, False, True]))
    assert (part.ids.tolist(), part.uris) == ([1, 4], ("a.jpg", "d.jpg"))
    assert part.hashes.tolist() == [b"hash-a", b"hash-d"]
    assert part.states.equal("present").tolist() == [True, True]
    assert part.states.equal("trashed").tolist() == [False, False]


def test_an_image_is_found_in_another_unicode_form(catalog: Catalog, tmp_path: Path) -> None:
    catalog.images.set_root(tmp_path)
    found = [FoundFile("fo\u0308to/cafe\u0301.jpg", "a", 10, 1), FoundFile("x\xe9.jpg", "b", 10, 1)]
    catalog.images.apply_index([*found, FoundFile("xe\u0301.jpg", "c", 10, 1)], complete=True)
    for text in (
        "f\xf6to/caf\xe9.jpg",
        "f\xf6to/cafe\u0301.jpg",
        str(tmp_path / "f\xf6to/caf\xe9.jpg"),
    ):
        assert catalog.images.find(text).content_hash == "a"
    assert catalog.images.find("x\xe9.jpg").content_hash == "b"
    assert catalog.images.find("xe\u0301.jpg").content_hash == "c"
    with pytest.raises(NotFound):
        catalog.images.find("f\xf6to/Caf\xe9.jpg")


def test_what_is_kept_beside_images_is_a_batch_that_undo_takes_back(catalog: Catalog) -> None:
    catalog.images.apply_index(files(a="1", b="2"), complete=True)
    a, b = (ids(catalog)[name] for name in ("a.jpg", "b.jpg"))
    catalog.images.set_attributes({a: {"title": "x"}}, source="given", verb="import")
    changes = {a: {"title": None, "rating": 4}, b: {"title": "y"}}
    batch = catalog.images.set_attributes(changes, source="given", verb="import", note="n")
    assert [image.metadata for image in catalog.images.all()] == [{"rating": 4}, {"title": "y"}]
    again = catalog.images.set_attributes({b: {"title": "y"}}, source="given", verb="import")
    assert again == 0
    assert catalog.history.batch(batch)["changes"] == {"attribute": 2}
    catalog.images.set_attributes({b: {"title": "z"}}, source="given", verb="import")
    catalog.history.undo(batch)  # what was said since stays
    assert [image.metadata for image in catalog.images.all()] == [{"title": "x"}, {"title": "z"}]


def test_what_is_kept_beside_an_image_stays_when_its_file_changes(catalog: Catalog) -> None:
    found = FoundFile("a.jpg", "1", 10, 1, metadata={"mode": "RGB", "orientation": 6})
    catalog.images.apply_index([found], complete=True)
    (image,) = catalog.images.all()
    catalog.images.set_attributes({image.id: {"title": "x"}}, source="given", verb="import")
    edited = FoundFile("a.jpg", "2", 10, 2, metadata={"mode": "L"})
    catalog.images.apply_index([edited], complete=True)
    (image,) = catalog.images.all()
    assert image.metadata == {"mode": "L", "title": "x"}


def test_what_files_said_is_remembered(catalog: Catalog) -> None:
    catalog.images.apply_index(files(a="1", b="2"), complete=True)
    a, b = (ids(catalog)[name] for name in ("a.jpg", "b.jpg"))
    assert catalog.images.described()[0].tolist() == []
    catalog.images.set_described([a, b], [0, 7], [{}, {"words": ["é"]}])
    catalog.images.set_described([a], [3], [{}])
    read, marks = catalog.images.described()
    assert (read.tolist(), marks.tolist()) == ([a, b], [3, 7])
    assert catalog.images.said_by_files([a, b]) == {b: {"words": ["é"]}}


def test_places_are_kept_in_their_order(catalog):
    assert catalog.images.places() == []
    catalog.images.set_places(["s3://shop/b", "file:///a", "s3://shop/b"])
    assert catalog.images.places() == ["s3://shop/b", "file:///a"]
    catalog.images.set_places(["file:///a"])
    assert catalog.images.places() == ["file:///a"]
    assert catalog.images.root() is None


def test_images_that_lie_elsewhere_are_left_as_they_are(catalog):
    far = FoundFile("s3://shop/b.jpg", "2", 10, 1)
    catalog.images.apply_index([*files(a="1"), far], complete=True)
    elsewhere = catalog.images.find("s3://shop/b.jpg").id
    changes = catalog.images.apply_index([], complete=True, aside=[elsewhere])
    assert (changes.vanished, changes.unchanged) == (1, 0)
    assert [image.uri for image in catalog.images.all()] == ["s3://shop/b.jpg"]
