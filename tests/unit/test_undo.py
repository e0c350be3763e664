"""Undo and redo through the verbs: files move back, large batches ask, killed work goes on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from vernis.collection import Collection
from vernis.domain.errors import Declined, NotFound, UsageError
from vernis.domain.types import DuplicateGroup, DuplicatePair, Statement, Taxonomy
from vernis.session.session import Session
from vernis.verbs.decide import redo, undo
from vernis.verbs.decide.trashing import plan_trash
from vernis.verbs.see.cluster_decisions import name_clusters
from vernis.verbs.see.cluster_store import Cluster, Clustering, read_clustering, write_clustering
from vernis.verbs.see.label_merges import dismiss_merges, dismissed_merges

MANY = 120


class Paper:
    """A screen that remembers, and gives one answer."""

    def __init__(self, answer: bool | None = None) -> None:
        self.lines: list[str] = []
        self.asked: list[str] = []
        self._answer = answer

    def table(self, rows: Sequence[Any], columns: Sequence[str], **more: Any) -> None:
        """Leave tables out."""

    def facts(self, facts: Mapping[str, Any], *, title: str = "") -> None:
        """Leave facts out."""

    def line(self, text: str = "") -> None:
        self.lines.append(text)

    def note(self, text: str) -> None:
        self.lines.append(text)

    def ask(self, question: str) -> bool | None:
        self.asked.append(question)
        return self._answer


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[Collection]:
    """Yield an indexed folder of five pictures, the last two copies of the first."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(3):
        Image.new("RGB", (8, 8), (80 * number, 10, 10)).save(pictures / f"{number}.png")
    for name in ("3.png", "4.png"):
        shutil.copy2(pictures / "0.png", pictures / name)
    with Collection.create(tmp_path / "pictures.vernis") as opened:
        opened.index([pictures])
        ids = [opened.catalog.images.find(f"{n}.png").id for n in (0, 3, 4)]
        a, b, c = sorted(ids)
        pairs = tuple(DuplicatePair(*pair, "bytes", 1.0) for pair in ((a, b), (a, c), (b, c)))
        group = DuplicateGroup("bytes", (ids[0], *ids[1:]), ids[0], "first", pairs)
        opened.catalog.issues.replace_groups([group])
        yield opened


def lying(collection: Collection) -> set[str]:
    return {path.name for path in collection.session.root().iterdir()}


def say(collection: Collection, count: int = 1, verb: str = "accept") -> int:
    labels = tuple(f"c{number}" for number in range(MANY))
    catalog = collection.catalog
    with catalog.transaction():
        catalog.labels.define(Taxonomy("thing", "multi", labels))
        said = [Statement(1, label, "yes") for label in labels[:count]]
        return catalog.labels.record("thing", said, source="human:ann", verb=verb)


EVERYTHING = {f"{number}.png" for number in range(5)}
KEPT = {"0.png", "1.png", "2.png"}


def test_undo_brings_trashed_files_back_and_redo_trashes_them_again(collection):
    trashed = collection.trash(duplicates=True)
    assert lying(collection) == KEPT
    taken = collection.undo()
    assert (taken.undoes, taken.verb, set(taken.files)) == (
        trashed.batch,
        "trash",
        {"3.png", "4.png"},
    )
    assert taken.changes == {"trash": 2}
    assert lying(collection) == EVERYTHING
    again = collection.redo()
    assert (again.batch, set(again.files)) == (trashed.batch, {"3.png", "4.png"})
    assert lying(collection) == KEPT
    states = collection.images()["state"]
    assert states["3.png"] == states["4.png"] == "trashed"
    collection.undo()
    assert lying(collection) == EVERYTHING


def test_undo_of_a_restore_trashes_again(collection):
    collection.trash(duplicates=True)
    restored = collection.restore(["3.png"])
    assert restored.batch
    collection.undo()
    assert lying(collection) == KEPT
    collection.undo()
    assert lying(collection) == EVERYTHING
    with pytest.raises(NotFound, match="no decision"):
        collection.undo()


def test_a_file_that_cannot_move_is_named_and_the_rest_goes_on(collection):
    collection.trash(duplicates=True)
    (collection.session.root() / "3.png").write_bytes(b"a newcomer")
    taken = collection.undo()
    assert taken.files == ("4.png",)
    assert "another file has taken its place" in taken.not_moved["3.png"]
    assert taken.skipped == 1
    paper = Paper()
    undo.show(taken, undo.Settings(), paper)
    assert any("3.png" in line for line in paper.lines)
    assert (collection.session.root() / "3.png").read_bytes() == b"a newcomer"


def test_nothing_is_undone_where_no_file_can_move(collection):
    trashed = collection.trash(duplicates=True)
    for name in ("3.png", "4.png"):
        (collection.session.root() / name).write_bytes(b"a newcomer")
    with pytest.raises(UsageError, match="no file could be changed back"):
        collection.undo()
    assert collection.catalog.history.latest() == trashed.batch
    for name in ("3.png", "4.png"):
        (collection.session.root() / name).unlink()
    collection.undo()
    assert lying(collection) == EVERYTHING


@pytest.mark.parametrize("act", ["trash", "restore", "undo"])
@pytest.mark.parametrize("after", [0, 1])
def test_a_kill_between_move_and_record_leaves_nothing_in_doubt(
    collection, monkeypatch, act, after
):
    """The process ends when a file has moved and its record is not written."""
    if act != "trash":
        collection.trash(duplicates=True)
    images = type(collection.catalog.images)
    real, left = images.set_state, [after]

    def die(self: Any, *arguments: Any) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        real(self, *arguments)

    work = {
        "trash": lambda: collection.trash(duplicates=True),
        "restore": collection.restore,
        "undo": collection.undo,
    }[act]
    with monkeypatch.context() as patch:
        patch.setattr(images, "set_state", die)
        with pytest.raises(KeyboardInterrupt):
            work()
    if act == "undo":  # the same command goes on
        taken = collection.undo()
        assert lying(collection) == EVERYTHING
        assert collection.catalog.history.batch(taken.undoes)["undone"]
        return
    moved = collection.undo()
    assert moved.verb == act
    assert lying(collection) == (EVERYTHING if act == "trash" else KEPT)
    states = dict(collection.images()["state"])
    for name in ("3.png", "4.png"):
        assert states[name] == ("present" if act == "trash" else "trashed")
    collection.redo()
    expected = EVERYTHING - {"3.png", "4.png"} if after else EVERYTHING - {"3.png"}
    left_over = KEPT | {"3.png", "4.png"} if after else KEPT | {"3.png"}
    assert lying(collection) == (expected if act == "trash" else left_over)


@pytest.mark.parametrize("batch", [0, 999])
def test_a_manifest_that_names_no_known_batch_is_settled_without_one(collection, batch):
    """As earlier versions wrote it, and beside a catalog from a backup."""
    trash = collection.session.files.trash()
    (file, _) = plan_trash(collection.session)
    trash.put(replace(file, batch=batch))
    with pytest.raises(NotFound, match="no decision"):
        collection.undo()
    assert collection.images()["state"][file.uri] == "trashed"
    trash.restore(replace(file, restored_by=batch))
    with pytest.raises(NotFound, match="no decision"):
        collection.undo()
    assert set(collection.images()["state"]) == {"present"}
    assert len(collection.batches().rows) == 1


def test_an_undo_without_a_number_takes_no_import(collection):
    imported = say(collection, verb="import")
    with pytest.raises(NotFound, match=f"vernis undo {imported}"):
        collection.undo()
    assert collection.undo(including="imports").undoes == imported
    assert collection.catalog.labels.taxonomies() == []


def test_a_large_batch_asks_and_without_an_answer_names_the_switch(collection):
    batch = say(collection, MANY)
    with pytest.raises(UsageError, match=f"120 labels.*vernis undo {batch} --yes"):
        collection.undo()
    no, nobody, yes = Paper(False), Paper(None), Paper(True)
    with pytest.raises(Declined):
        undo.ask(collection.session, undo.Settings(), no)
    assert "accept by ann" in no.lines[0]
    assert "120 labels" in no.lines[0]
    assert not undo.ask(collection.session, undo.Settings(), nobody).yes
    settings = undo.ask(collection.session, undo.Settings(), yes)
    assert settings == undo.Settings(batch, yes=True)
    undo.work(collection.session, settings)
    with pytest.raises(UsageError, match="vernis redo --yes"):
        collection.redo()
    assert redo.ask(collection.session, redo.Settings(), yes).yes
    collection.redo(yes=True)
    assert collection.catalog.labels.counts_by_source() == {"human:ann": MANY}


def test_a_small_batch_is_shown_and_not_asked_about(collection):
    batch = say(collection, 2)
    paper = Paper(False)
    assert undo.ask(collection.session, undo.Settings(), paper).batch == batch
    assert paper.asked == []
    assert paper.lines[0].startswith(f"undo batch {batch}: accept by ann, ")
    assert "2 labels" in paper.lines[0]


# --------------------------------------------------------------------------- index


def test_an_index_is_one_batch_and_its_undo_knows_what_came_went_and_moved(collection):
    (first,) = [b for b in collection.batches().rows if b.verb == "index"]
    assert first.changes == {"arrival": 5}
    root, before = collection.session.root(), collection.images()
    (root / "1.png").rename(root / "moved.png")
    (root / "2.png").unlink()
    Image.new("RGB", (9, 9)).save(root / "new.png")
    collection.index()
    second = collection.batches().rows[0]
    assert second.changes == {"arrival": 1, "index": 2}
    assert "1 new, 1 moved, 1 vanished" in second.note
    collection.undo(second.id)
    after = collection.images()
    assert set(after.index[after["state"] == "present"]) == set(before.index)
    collection.redo()
    after = collection.images()
    assert set(after.index[after["state"] == "present"]) == {
        *("0.png", "3.png", "4.png", "moved.png", "new.png")
    }
    collection.index()
    assert collection.batches().rows[0].verb == "redo"


def test_an_index_that_finds_nothing_new_is_no_batch(collection):
    before = len(collection.batches().rows)
    collection.index()
    assert len(collection.batches().rows) == before


def test_two_images_that_swapped_names_swap_back(collection):
    root = collection.session.root()
    ids = {name: collection.catalog.images.find(name).id for name in ("1.png", "2.png")}
    (root / "1.png").rename(root / "x")
    (root / "2.png").rename(root / "1.png")
    (root / "x").rename(root / "2.png")
    collection.index()
    assert collection.catalog.images.find("1.png").id == ids["2.png"]
    collection.undo(collection.batches().rows[0].id)
    assert collection.catalog.images.find("1.png").id == ids["1.png"]


def test_the_history_of_an_image_tells_of_its_file(collection):
    collection.trash(duplicates=True)
    collection.undo()
    rows = collection.history("3.png")
    said = list(zip(rows["verb"], rows["label"], rows["before"], rows["after"], strict=True))
    assert said == [
        ("index", "image", "unknown", "listed"),
        ("trash", "file", "in its folder", "in the trash"),
        ("undo", "file", "in the trash", "in its folder"),
    ]


# --------------------------------------------------------------------------- names and merges


def cluster(number: int, name: str) -> Cluster:
    return Cluster(number, name, "words", 0.5, (1,), (1,), {}, "")


def test_names_of_clusters_are_taken_back(collection):
    session: Session = collection.session
    found = Clustering("s", "m", (2,), 2, (), (), (), (cluster(1, "a"), cluster(2, "b")), "mark")
    write_clustering(session, found)
    name_clusters(session, {2: "kitchen"})
    (batch, *_) = collection.batches().rows
    assert (batch.verb, batch.changes, batch.note) == ("clusters", {"result": 1}, "b > kitchen")
    collection.undo()
    assert read_clustering(session) == found
    collection.redo()
    stored = read_clustering(session)
    assert stored is not None
    assert [(c.name, c.named_by) for c in stored.clusters] == [
        ("a", "words"),
        ("kitchen", "person"),
    ]


def test_dismissed_merges_are_taken_back(collection):
    say(collection)
    dismiss_merges(collection.session, "thing", [("c1", "c2")])
    dismiss_merges(collection.session, "thing", [("c3", "c4")])
    collection.undo()
    assert dismissed_merges(collection.session, "thing") == [frozenset(("c1", "c2"))]
    collection.undo()
    assert not dismissed_merges(collection.session, "thing")
