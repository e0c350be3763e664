"""Indexing tells new, changed, moved, vanished and unreadable images apart."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from PIL import Image

from vernis.adapters.catalog import indexing
from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.adapters.files import FileListSource, FolderSource
from vernis.domain.types import FileTable, FoundFile, Statement, Taxonomy
from vernis.session.session import Session
from vernis.verbs.steps import indexing as workflow
from vernis.verbs.steps.folder_classes import label_by_folders
from vernis.verbs.steps.indexing import index_files


def test_a_listing_finds_the_rows_of_uris_in_any_order():
    listed = FileTable.of(FoundFile(name, "", 1, 1) for name in ("a", "c", "d/x", "e"))
    assert listed.rows_of(["a", "c", "d/x", "e"]).tolist() == [0, 1, 2, 3]
    assert listed.rows_of(["e", "b", "c", "d/x", "z", "a", "a"]).tolist() == [
        *(3, -1, 1, 2, -1, 0, 0)
    ]
    assert listed.rows_of([]).tolist() == []
    assert FileTable.of([]).rows_of(["a"]).tolist() == [-1]


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "pictures"
    for name, color in (("cat/a", "red"), ("cat/b", "green"), ("dog/c", "blue"), ("dog/d", "pink")):
        path = folder / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 12), color).save(path)
    return folder


@pytest.fixture
def catalog(tmp_path):
    with SqliteCatalog.create(tmp_path / "test.vernis") as opened:
        yield opened


def index(catalog, root: Path):
    return index_files(Session(catalog), FolderSource(root), workers=1)


def ids(catalog) -> dict[str, int]:
    return {image.uri: image.id for image in catalog.images.all(("present", "unreadable"))}


def test_first_and_second_indexing(catalog, root):
    (root / "notes.txt").write_text("x")
    summary = index(catalog, root)
    assert (summary.changes.new, summary.images) == (4, 4)
    assert catalog.images.other_files() == {".txt": 1}
    (image, *_) = catalog.images.all()
    assert (image.uri, image.width, image.height, image.format) == ("cat/a.jpg", 16, 12, "JPEG")
    assert index(catalog, root).changes.unchanged == 4


def test_unchanged_files_are_not_read_again(catalog, root, monkeypatch):
    index(catalog, root)

    def refuse(*_):
        raise AssertionError("read again")

    monkeypatch.setattr(FolderSource, "inspect", refuse)
    assert index(catalog, root).changes.unchanged == 4


def test_moved_changed_and_vanished(catalog, root):
    index(catalog, root)
    before = ids(catalog)
    (root / "cat/a.jpg").rename(root / "dog/renamed.jpg")
    Image.new("RGB", (20, 20), "white").save(root / "cat/b.jpg")
    (root / "dog/c.jpg").unlink()
    changes = index(catalog, root).changes
    assert (changes.moved, changes.changed, changes.vanished, changes.unchanged) == (1, 1, 1, 1)
    after = ids(catalog)
    assert after["dog/renamed.jpg"] == before["cat/a.jpg"]
    assert after["cat/b.jpg"] == before["cat/b.jpg"]


def test_touched_file_is_unchanged(catalog, root):
    index(catalog, root)
    os.utime(root / "cat/a.jpg", ns=(1, 1))
    assert index(catalog, root).changes.unchanged == 4


def test_broken_file_is_listed_with_its_reason_until_mended(catalog, root):
    path = root / "cat/broken.jpg"
    path.write_text("<html>not found</html>")
    summary = index(catalog, root)
    assert (summary.images, summary.changes.unreadable) == (5, 1)
    (image,) = catalog.images.all(("unreadable",))
    assert "text" in image.reason
    (issue,) = catalog.issues.select(["broken"])
    assert issue.evidence["reason"] == image.reason
    Image.new("RGB", (5, 5)).save(path)
    assert index(catalog, root).changes.unreadable == 0
    assert catalog.issues.select(["broken"]) == []
    assert ids(catalog)["cat/broken.jpg"] == image.id


def test_file_that_only_decoding_finds_broken_stays_so_until_it_decodes(catalog, root):
    path = root / "cat/half.jpg"
    Image.effect_noise((64, 64), 80).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    index(catalog, root)
    image = catalog.images.find("cat/half.jpg")
    assert image.state == "present"
    catalog.images.set_state([image.id], "unreadable", "cut off, says the decoder")
    index(catalog, root)
    again = catalog.images.find("cat/half.jpg")
    assert again.state == "unreadable"
    assert "cut off" in again.reason
    path.write_bytes(whole)
    index(catalog, root)
    assert catalog.images.find("cat/half.jpg").state == "present"


def test_images_of_an_unreadable_folder_are_not_vanished(catalog, root, monkeypatch):
    index(catalog, root)
    list_files = FolderSource.list_files

    def without_dogs(self):
        files, others = list_files(self)
        left = [file for file in files if not file.uri.startswith("dog/")]
        dogs = FoundFile("dog", "", 0, 0, reason="the folder cannot be read")
        return FileTable.of([*left, dogs]), others

    monkeypatch.setattr(FolderSource, "list_files", without_dogs)
    changes = index(catalog, root).changes
    assert changes.vanished == 0
    assert changes.unreadable == 3
    monkeypatch.undo()
    index(catalog, root)
    assert len(catalog.images.all()) == 4
    assert catalog.issues.select(["broken"]) == []


def test_list_of_files_adds_and_removes_nothing_else(catalog, root):
    index(catalog, root)
    picture = root / "new.png"
    Image.new("RGB", (3, 3)).save(picture)
    summary = index_files(Session(catalog), FileListSource(root, [picture]), workers=1)
    assert (summary.changes.new, summary.changes.vanished) == (1, 0)
    assert len(catalog.images.all()) == 5


def test_splits_come_from_folders_and_outlive_a_move(catalog, tmp_path):
    root = tmp_path / "sets"
    for name in ("train/a.png", "test/b.png"):
        (root / name).parent.mkdir(parents=True)
        Image.new("RGB", (4, 4), "red" if "a" in name else "blue").save(root / name)
    assert index(catalog, root).splits == {"train": 1, "test": 1}
    assert catalog.images.find("test/b.png").split == "test"
    (root / "test/b.png").rename(root / "loose.png")
    index(catalog, root)
    assert catalog.images.find("loose.png").split == "test"


def test_classes_come_from_folders_and_follow_a_move(catalog, root):
    index(catalog, root)
    assert label_by_folders(Session(catalog), classes_from="folders").images == {"class": 4}
    assert catalog.labels.taxonomy("class").classes == ("cat", "dog")
    (root / "cat/a.jpg").rename(root / "dog/a.jpg")
    index(catalog, root)
    label_by_folders(Session(catalog))
    matrix = catalog.labels.matrix("class")
    place = matrix.image_ids.tolist().index(ids(catalog)["dog/a.jpg"])
    assert matrix.values[place].tolist() == [0.0, 1.0]


def test_rare_spellings_of_folders_are_taken_as_the_common_one(catalog, tmp_path):
    folders = {"photo": 8, "PHOTO": 2, "Drawing": 4, "drawing": 3, "Cafe\u0301": 1, "Caf\xe9": 1}
    for name, count in folders.items():
        (tmp_path / name).mkdir(exist_ok=True)
        for number in range(count):
            Image.new("RGB", (4, 4)).save(tmp_path / name / f"{number}.png")
    if len(list(tmp_path.iterdir())) < len(folders):
        pytest.skip("the disk does not tell these names apart")
    index(catalog, tmp_path)
    found = label_by_folders(Session(catalog), classes_from="folders")
    assert catalog.labels.taxonomy("class").classes == ("Caf\xe9", "Drawing", "drawing", "photo")
    assert any("on 2 images: PHOTO > photo; --keep-case" in note for note in found.notes)
    assert any("Drawing (4) / drawing (3) (case)" in note for note in found.notes)
    label_by_folders(Session(catalog), keep_case=True)
    matrix = catalog.labels.matrix("class")
    column = matrix.taxonomy.classes.index("PHOTO")
    assert (matrix.values[:, column] == 1).sum() == 2


def test_another_unicode_form_of_a_name_is_a_move(catalog, tmp_path):
    Image.new("RGB", (4, 4), (1, 2, 3)).save(tmp_path / "cafe\u0301.png")
    index(catalog, tmp_path)
    before = catalog.images.find("caf\xe9.png").id
    (tmp_path / "cafe\u0301.png").rename(tmp_path / "caf\xe9.png")
    changes = index(catalog, tmp_path).changes
    assert (changes.new, changes.vanished) == (0, 0)
    assert catalog.images.find("cafe\u0301.png").id == before


def test_folder_labels_leave_what_people_said(catalog, root):
    index(catalog, root)
    label_by_folders(Session(catalog), classes_from="folders")
    image = ids(catalog)["cat/a.jpg"]
    catalog.labels.record(
        "class", [Statement(image, "dog", "yes")], source="human:ada", verb="accept"
    )
    label_by_folders(Session(catalog))
    matrix = catalog.labels.matrix("class")
    assert matrix.values[matrix.image_ids.tolist().index(image)].tolist() == [0.0, 1.0]


def test_no_class_folders_change_nothing(catalog, tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "x.png")
    index(catalog, tmp_path)
    catalog.labels.define(Taxonomy("class", "single", ("a",)))
    assert label_by_folders(Session(catalog)).images == {}


def test_many_new_files_are_kept_when_the_work_is_cut_off(catalog, root, monkeypatch):
    monkeypatch.setattr(workflow, "_PIECE", 2)
    monkeypatch.setattr(indexing, "_PIECE", 2)
    inspect = FolderSource.inspect

    def stop_at_dogs(self, file):
        if file.uri.startswith("dog/"):
            raise KeyboardInterrupt
        return inspect(self, file)

    with monkeypatch.context() as patched:
        patched.setattr(FolderSource, "inspect", stop_at_dogs)
        with pytest.raises(KeyboardInterrupt):
            index(catalog, root)
    assert list(catalog.images.table().uris) == ["cat/a.jpg", "cat/b.jpg"]
    assert catalog.images.root() == root
    summary = index(catalog, root)
    assert (summary.changes.new, summary.changes.unchanged, summary.images) == (2, 2, 4)
    assert ids(catalog) == {"cat/a.jpg": 1, "cat/b.jpg": 2, "dog/c.jpg": 3, "dog/d.jpg": 4}


def test_another_folder_is_noted_when_it_was_read_to_the_end(catalog, root, tmp_path, monkeypatch):
    index(catalog, root)
    other = tmp_path / "other"
    other.mkdir()
    Image.new("RGB", (4, 4)).save(other / "x.png")

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(FolderSource, "inspect", stop)
        with pytest.raises(KeyboardInterrupt):
            index(catalog, other)
    assert catalog.images.root() == root
    assert index(catalog, other).changes.vanished == 4
    assert catalog.images.root() == other


def test_unchanged_images_follow_a_change_of_the_layout(catalog, tmp_path):
    root = tmp_path / "sets"
    for name in ("train/a.png", "train/b.png", "test/c.png", "test/d.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), (ord(name[-5]), 0, 0)).save(root / name)
    (root / "loose").mkdir()
    for number in range(4):
        Image.new("RGB", (4, 4), (0, number, 0)).save(root / "loose" / f"{number}.png")
    assert index(catalog, root).splits == {}  # half of the images lie elsewhere
    for number in range(4):
        (root / "loose" / f"{number}.png").unlink()
    summary = index(catalog, root)
    assert summary.splits == {"test": 2, "train": 2}
    assert (summary.changes.unchanged, summary.changes.vanished) == (4, 4)
    assert {i.uri: i.split for i in catalog.images.all()} == {
        "test/c.png": "test",
        "test/d.png": "test",
        "train/a.png": "train",
        "train/b.png": "train",
    }
    assert index(catalog, root).splits == {"test": 2, "train": 2}


def test_what_could_not_be_read_is_said(tmp_path, monkeypatch):
    from vernis.collection import Collection

    root = tmp_path / "pictures"
    for name in ("open", "closed", "shut"):
        (root / name).mkdir(parents=True)
        Image.new("RGB", (8, 8), (name == "open" and "red") or "blue").save(root / name / "a.png")
    (root / "open" / "b.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(60))
    scandir = os.scandir

    def refuse(folder):
        if Path(folder).name in ("closed", "shut"):
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    with Collection.create(tmp_path / "c.vernis") as collection:
        notes = collection.index([root]).notes
    said = next(note for note in notes if "folders cannot be read" in note)
    assert all(words in said for words in ("2 folders", "closed, shut", "Permission denied"))
    assert any("1 picture" in note and "vernis[heif]" in note for note in notes)
