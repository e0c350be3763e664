"""The ledger: migrations, foreign files, locks, full disks, threads."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from vernis.adapters.catalog import schema
from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.adapters.catalog.ledger import FILE_NAME, connect
from vernis.domain.annotations import Answer, ServiceVersion, Spent
from vernis.domain.errors import (
    CatalogBusy,
    CatalogError,
    NewerCatalog,
    StorageError,
    VernisError,
)
from vernis.domain.region_store import NewRegion, RegionLabel
from vernis.domain.regions import Box, Region
from vernis.domain.types import FoundFile, Statement, Suggestion, Taxonomy

FILES = [FoundFile(f"{i}.jpg", f"h{i}", 10, 1) for i in range(3)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a closed collection with three images and one label."""
    place = tmp_path / "c.vernis"
    with SqliteCatalog.create(place) as catalog:
        catalog.images.apply_index(FILES, complete=True)
        catalog.labels.define(Taxonomy("t", "single", ("a", "b")))
        catalog.labels.record("t", [Statement(1, "a", "yes")], source="given", verb="index")
    return place


def one_line(error: pytest.ExceptionInfo[VernisError]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


# --------------------------------------------------------------------------- opening


def test_what_was_written_is_there_after_reopening(folder: Path) -> None:
    with SqliteCatalog.open(folder) as catalog:
        assert len(catalog.images.all()) == 3
        assert catalog.labels.matrix("t").labelled.sum() == 1
        assert catalog.integrity() == []
        catalog.close()  # a second close does nothing


def test_a_closed_catalog_says_so(folder: Path) -> None:
    catalog = SqliteCatalog.open(folder)
    catalog.close()
    with pytest.raises(CatalogError, match="closed"):
        catalog.images.all()


def test_a_folder_that_holds_no_collection_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="not a Vernis collection") as error:
        SqliteCatalog.open(tmp_path)
    assert str(tmp_path) in one_line(error)
    assert list(tmp_path.iterdir()) == []


def test_a_collection_is_not_created_twice_or_over_other_files(folder: Path) -> None:
    with pytest.raises(CatalogError, match="already"):
        SqliteCatalog.create(folder)
    other = folder.parent / "pictures"
    other.mkdir()
    (other / "a.jpg").write_bytes(b"x")
    with pytest.raises(CatalogError, match=r"a\.jpg"):
        SqliteCatalog.create(other)


def test_a_creation_that_was_killed_is_completed(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).touch()
    SqliteCatalog.create(tmp_path).close()
    begun = tmp_path / "begun"
    begun.mkdir()
    connection = sqlite3.connect(begun / FILE_NAME)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    with SqliteCatalog.create(begun) as catalog:
        assert catalog.images.all() == []


@pytest.mark.parametrize(
    "content", [b"not a database at all" * 100, b"SQLite format 3\0" + b"x" * 5000]
)
def test_a_damaged_file_gives_one_clear_line(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    with pytest.raises(CatalogError, match="damaged or not") as error:
        SqliteCatalog.open(tmp_path)
    assert FILE_NAME in one_line(error)


def test_a_damaged_page_gives_one_clear_line(folder: Path) -> None:
    path = folder / FILE_NAME
    size = path.stat().st_size
    with open(path, "r+b") as stream:
        stream.seek(4096)
        stream.write(b"\xff" * (size - 4096))
    with pytest.raises(CatalogError) as error, SqliteCatalog.open(folder) as catalog:
        catalog.images.all()
    assert "damaged" in one_line(error)


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / FILE_NAME)
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    with pytest.raises(CatalogError, match="another program"):
        SqliteCatalog.open(tmp_path)


def test_names_that_need_quoting_are_opened(tmp_path: Path) -> None:
    place = tmp_path / "50% #1 ?é 'x'.vernis"
    SqliteCatalog.create(place).close()
    SqliteCatalog.open(place).close()
    assert (place / FILE_NAME).is_file()


# --------------------------------------------------------------------------- migrations


@pytest.fixture
def next_version(tmp_path: Path) -> Path:
    """Return a folder of migrations with one more than this version has."""
    place = tmp_path / "migrations"
    place.mkdir()
    for _, script in schema.steps():
        (place / script.name).write_text(script.read_text(encoding="utf-8"), encoding="utf-8")
    (place / f"{len(schema.steps()) + 1:04}_note.sql").write_text(
        "-- a note; with a semicolon\n"
        "CREATE TABLE note (image_id INTEGER NOT NULL REFERENCES image (id), text TEXT) STRICT;\n"
        "INSERT INTO note SELECT id, 'seen; once' FROM image;\n"
        "CREATE TRIGGER keep BEFORE DELETE ON note BEGIN SELECT RAISE(ABORT, 'no'); END;\n"
        "-- the end\n",
        encoding="utf-8",
    )
    return place


def version_of(folder: Path) -> int:
    connection = sqlite3.connect(folder / FILE_NAME)
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    connection.close()
    return version


def test_an_older_collection_is_migrated_with_its_data(folder: Path, next_version: Path) -> None:
    ledger = connect(folder, migrations=next_version)
    assert ledger.rows("SELECT text FROM note") == [("seen; once",)] * 3
    assert ledger.integrity() == []
    ledger.close()
    assert version_of(folder) == len(schema.steps()) + 1
    connect(folder, migrations=next_version).close()


def collection_of_version(version: int, folder: Path, statements: Sequence[str]) -> Path:
    """Return a collection as an earlier version wrote it, filled by statements."""
    earlier = folder / "earlier"
    earlier.mkdir()
    for number, script in schema.steps():
        if number <= version:
            (earlier / script.name).write_text(script.read_text(encoding="utf-8"), encoding="utf-8")
    place = folder / "old.vernis"
    place.mkdir()
    ledger = connect(place, create=True, migrations=earlier)
    for statement in statements:
        ledger.run(statement)
    ledger.close()
    return place


def test_a_collection_without_other_changes_opens_with_its_labels(tmp_path: Path) -> None:
    place = collection_of_version(
        3,
        tmp_path,
        (
            "INSERT INTO image (uri, content_hash, size, mtime_ns) VALUES ('a.jpg', 'h', 1, 1)",
            "INSERT INTO taxonomy (name, kind, closed, origin) "
            "VALUES ('thing', 'multi', 1, 'x.csv')",
            "INSERT INTO class (taxonomy_id, name) VALUES (1, 'cup')",
            "INSERT INTO source (name, rank) VALUES ('human:ann', 5)",
            "INSERT INTO batch (verb, source_id, time) "
            "VALUES ('accept', 1, '2026-01-01T00:00:00Z')",
            "INSERT INTO statement VALUES (1, 1, 1, 1, 'yes', NULL, 1)",
            "INSERT INTO event (batch_id, source_id, image_id, class_id, before, after, "
            "after_batch) VALUES (1, 1, 1, 1, 'unknown', 'yes', 1)",
        ),
    )
    with SqliteCatalog.open(place) as catalog:
        assert catalog.integrity() == []
        assert catalog.labels.taxonomy("thing") == Taxonomy(
            "thing", "multi", ("cup",), closed=True, origin="x.csv"
        )
        assert catalog.labels.fill_counts()["thing"].n_labelled == 1
        assert catalog.history.batches()[0]["changes"] == {"label": 1}
        catalog.history.undo()
        assert catalog.labels.counts_by_source() == {}


def test_suggestions_of_an_older_collection_stay_those_of_the_model(tmp_path: Path) -> None:
    place = collection_of_version(
        4,
        tmp_path,
        (
            "INSERT INTO image (uri, content_hash, size, mtime_ns) VALUES ('a.jpg', 'h', 1, 1)",
            "INSERT INTO taxonomy (name, kind) VALUES ('thing', 'single')",
            "INSERT INTO class (taxonomy_id, name) VALUES (1, 'cup')",
            "INSERT INTO suggestion VALUES (1, 1, 1, 0.75, 1, '{\"n\": 2}')",
        ),
    )
    with SqliteCatalog.open(place) as catalog:
        assert catalog.integrity() == []
        assert catalog.issues.suggestions("thing") == [
            Suggestion(1, "thing", "cup", 0.75, True, {"n": 2})
        ]
        assert catalog.issues.suggestions("thing", source="reader") == []
        assert catalog.readings.lines(0) == {}


def test_a_collection_that_wrote_no_files_opens_and_can(tmp_path: Path) -> None:
    earlier = tmp_path / "earlier"
    earlier.mkdir()
    for _, script in schema.steps():
        if script.stem < "0006_written":
            (earlier / script.name).write_text(script.read_text(encoding="utf-8"), encoding="utf-8")
    place = tmp_path / "old.vernis"
    place.mkdir()
    ledger = connect(place, create=True, migrations=earlier)
    ledger.run("INSERT INTO image (uri, content_hash, size, mtime_ns) VALUES ('a', 'h0', 1, 1)")
    ledger.close()
    with SqliteCatalog.open(place) as catalog:
        assert catalog.images.contents_of(["h0", "h1"]) == {}
        catalog.images.note_written({"h1": "h0"})
        catalog.images.note_written({"h2": "h1", "h0": "h1"})
        assert catalog.images.contents_of(["h0", "h1", "h2", "x"]) == {"h1": "h0", "h2": "h0"}
        assert catalog.images.hashes_of(["h0"]) == {"h0": {"h0", "h1", "h2"}}
        catalog.images.set_files([1], [7], [8])
        assert [(i.size, i.mtime_ns) for i in catalog.images.all()] == [(7, 8)]


def test_a_collection_without_regions_opens_with_everything_and_can_hold_some(
    tmp_path: Path,
) -> None:
    place = collection_of_version(
        6,
        tmp_path,
        (
            "INSERT INTO image (uri, content_hash, size, mtime_ns) VALUES ('a.jpg', 'h', 1, 1)",
            "INSERT INTO taxonomy (name, kind) VALUES ('thing', 'single')",
            "INSERT INTO class (taxonomy_id, name) VALUES (1, 'cup'), (1, 'glass')",
            "INSERT INTO source (name, rank) VALUES ('human:ann', 5)",
            "INSERT INTO batch (verb, source_id, time) VALUES ('set', 1, '2026-01-01T00:00:00Z'), "
            "('set', 1, '2026-01-02T00:00:00Z')",
            "INSERT INTO statement VALUES (1, 1, 1, 2, 'yes', NULL, 2)",
            "INSERT INTO event (batch_id, source_id, image_id, class_id, before, after, "
            "after_batch) VALUES (1, 1, 1, 1, 'unknown', 'yes', 1)",
            "INSERT INTO event (batch_id, source_id, image_id, class_id, before, before_batch, "
            "after) VALUES (2, 1, 1, 1, 'yes', 1, 'unknown')",
            "INSERT INTO event (batch_id, source_id, image_id, class_id, before, after, "
            "after_batch) VALUES (2, 1, 1, 2, 'unknown', 'yes', 2)",
            "INSERT INTO verdict (key, kind, taxonomy, label, image_id, image_hash, other_hash, "
            "verdict) VALUES ('k', 'dark', '', '', 1, 'h', '', 'dismissed')",
        ),
    )
    with SqliteCatalog.open(place) as catalog:
        assert catalog.integrity() == []
        assert [s.label for _, s in catalog.labels.statements("thing", 1)] == ["glass"]
        assert {event.region for event in catalog.history.of_image(1)} == {0}
        assert len(catalog.regions.table()) == 0
        (box,) = catalog.regions.add(
            [NewRegion(1, Region(Box(1, 2, 3, 4), (9, 9)), (RegionLabel("thing", "cup"),))],
            source="given",
            verb="import",
        )
        catalog.history.undo(2)
        assert [s.label for _, s in catalog.labels.statements("thing", 1)] == ["cup", "cup"]
        assert catalog.regions.get([box])[0].region.box == Box(1, 2, 3, 4)


def test_a_collection_that_asked_no_service_opens_and_can(tmp_path: Path) -> None:
    place = collection_of_version(
        7,
        tmp_path,
        ("INSERT INTO image (uri, content_hash, size, mtime_ns) VALUES ('a', 'h0', 1, 1)",),
    )
    service = ServiceVersion("google-vision")
    with SqliteCatalog.open(place) as catalog:
        assert [image.uri for image in catalog.images.all()] == ["a"]
        assert catalog.answers.services() == []
        assert catalog.answers.spent(service) == Spent()
        assert not catalog.answers.holds(service, "labels", "", ["h0"]).any()
        number = catalog.answers.begin(service, pictures=1, units=1, price=0.5, bytes=9)
        catalog.answers.add(service, number, "", [Answer("h0", "labels", {"a": 1}, 6, 4)])
        assert catalog.answers.holds(service, "labels", "", ["h0"]).all()
        assert catalog.integrity() == []


def test_a_newer_collection_is_refused_and_left_alone(folder: Path, next_version: Path) -> None:
    connect(folder, migrations=next_version).close()
    before = (folder / FILE_NAME).read_bytes()
    for read_only in (False, True):
        with pytest.raises(NewerCatalog, match="upgrade") as error:
            SqliteCatalog.open(folder, read_only=read_only)
        assert str(folder) in one_line(error)
    assert (folder / FILE_NAME).read_bytes() == before


def test_an_older_collection_is_not_migrated_by_a_reader(folder: Path, next_version: Path) -> None:
    with pytest.raises(StorageError, match="older"):
        connect(folder, read_only=True, migrations=next_version)
    assert version_of(folder) == len(schema.steps())


def test_a_migration_that_fails_leaves_the_old_version(folder: Path, next_version: Path) -> None:
    script = max(next_version.iterdir())
    text = script.read_text(encoding="utf-8")
    for wrong in ("INSERT INTO nowhere VALUES (1);", "INSERT INTO note VALUES (99, 'x');"):
        script.write_text(text + wrong, encoding="utf-8")
        with pytest.raises(CatalogError):
            connect(folder, migrations=next_version)
        assert version_of(folder) == len(schema.steps())
        with SqliteCatalog.open(folder) as catalog:
            assert len(catalog.images.all()) == 3


def test_a_gap_in_the_migrations_is_noticed(folder: Path, next_version: Path) -> None:
    script = max(next_version.iterdir())
    script.rename(script.with_name("0099_note.sql"))
    with pytest.raises(CatalogError, match="1, 2, 3"):
        connect(folder, migrations=next_version)


# --------------------------------------------------------------------------- history


def test_the_history_cannot_be_changed(folder: Path) -> None:
    ledger = connect(folder)
    for statement in ("UPDATE event SET after = 'no'", "DELETE FROM event"):
        with pytest.raises(CatalogError, match="append-only"):
            ledger.run(statement)
    assert ledger.row("SELECT count(*) FROM event") == (1,)
    ledger.close()


# --------------------------------------------------------------------------- storage


def _write_on_after_a_full_disk(catalog: SqliteCatalog, many: list[FoundFile]) -> None:
    with catalog.transaction():
        with suppress(StorageError):
            catalog.images.apply_index(many, complete=False)
        catalog.images.set_other_files({".mp4": 1})  # must not be committed alone


def test_a_full_disk_gives_one_clear_line_and_loses_nothing(folder: Path) -> None:
    with SqliteCatalog.open(folder) as catalog:
        ledger = catalog.labels._ledger
        pages = ledger.row("PRAGMA page_count")
        assert pages is not None
        ledger.run(f"PRAGMA max_page_count = {pages[0]}")
        many = [FoundFile(f"new/{i}.jpg", f"n{i}", 1, 1) for i in range(20_000)]
        with pytest.raises(StorageError, match="disk is full") as error:
            catalog.images.apply_index(many, complete=False)
        one_line(error)
        assert len(catalog.images.all()) == 3
        with pytest.raises(StorageError, match="rolled back"):
            _write_on_after_a_full_disk(catalog, many)
        assert catalog.images.other_files() == {}
        ledger.run("PRAGMA max_page_count = 1000000")
        assert catalog.images.apply_index(many, complete=False).new == 20_000
        assert catalog.integrity() == []


def test_a_reader_cannot_write(folder: Path) -> None:
    with SqliteCatalog.open(folder, read_only=True) as catalog:
        assert len(catalog.images.all()) == 3
        assert catalog.labels.matrix("t").labelled.sum() == 1
        with pytest.raises(StorageError, match="read-only") as error:
            catalog.images.set_root(folder)
        one_line(error)


READ = """
import os, sys
from pathlib import Path
from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.domain.errors import StorageError
if os.getuid() == 0:
    os.setgid(65534); os.setuid(65534)
folder = Path(sys.argv[1])
with SqliteCatalog.open(folder, read_only=True) as catalog:
    print(len(catalog.images.all()), len(catalog.images.get([1])))
for write in (
    lambda: SqliteCatalog.create(folder / "x"),
    lambda: SqliteCatalog.open(folder).images.set_root(folder),
    lambda: SqliteCatalog.open(folder).lock("x").__enter__(),
):
    try:
        write()
    except StorageError as error:
        print("refused:", error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="folders have no such rights there")
def test_a_read_only_folder_is_read_and_refuses_writes() -> None:
    package = Path(sys.modules["vernis"].__file__ or "")
    if os.geteuid() == 0 and not all(folder.stat().st_mode & 0o001 for folder in package.parents):
        pytest.skip("root runs this as nobody, who may not enter the folder of this package")
    # Not below pytest's own folder, which only its user may enter.
    place = Path(tempfile.mkdtemp())
    try:
        place.chmod(0o755)
        folder = place / "c.vernis"
        with SqliteCatalog.create(folder) as catalog:
            catalog.images.apply_index(FILES, complete=True)
        for path in folder.iterdir():
            path.chmod(0o444)
        folder.chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", READ, str(folder)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )
        lines = done.stdout.splitlines()
        assert lines[0] == "3 1", done.stderr
        assert [line.split(":")[0] for line in lines[1:]] == ["refused"] * 3, done.stderr
        assert all(str(folder) in line for line in lines[1:])
    finally:
        (place / "c.vernis").chmod(0o755)
        shutil.rmtree(place)


# --------------------------------------------------------------------------- several at once


def test_the_lock_is_taken_again_by_its_holder_and_by_nobody_else(folder: Path) -> None:
    with (
        SqliteCatalog.open(folder) as first,
        SqliteCatalog.open(folder, patience=0.1) as second,
        first.lock("learn"),
    ):
        with first.lock("fill"):
            pass
        with pytest.raises(CatalogBusy, match="'learn'") as error, second.lock("index"):
            pass
        one_line(error)
        assert second.images.find("0.jpg").id == 1  # reading is always allowed
    with SqliteCatalog.open(folder, patience=0.1) as second, second.lock("index"):
        pass


def test_a_second_writer_waits_a_little(folder: Path) -> None:
    begun, done = threading.Event(), []

    def hold(catalog: SqliteCatalog) -> None:
        with catalog.lock("learn"):
            begun.set()
            time.sleep(0.2)
            done.append("learn")

    with SqliteCatalog.open(folder) as first, SqliteCatalog.open(folder, patience=30) as second:
        thread = threading.Thread(target=hold, args=(first,))
        thread.start()
        begun.wait()
        with second.lock("index"):
            done.append("index")
        thread.join()
    assert done == ["learn", "index"]


def test_another_thread_does_not_share_the_lock(folder: Path) -> None:
    seen: list[Exception] = []

    def work(catalog: SqliteCatalog) -> None:
        try:
            with catalog.lock("index"):
                pass
        except CatalogBusy as error:
            seen.append(error)

    with SqliteCatalog.open(folder, patience=0.1) as catalog, catalog.lock("learn"):
        thread = threading.Thread(target=work, args=(catalog,))
        thread.start()
        thread.join()
    assert "'learn'" in str(seen[0])


def test_a_write_waits_for_another_transaction_and_then_says_so(folder: Path) -> None:
    with (
        SqliteCatalog.open(folder) as first,
        SqliteCatalog.open(folder, patience=0.1) as second,
        first.transaction(),
    ):
        first.images.set_other_files({".mp4": 1})
        assert second.images.other_files() == {}
        with pytest.raises(CatalogBusy, match="another process"):
            second.images.set_other_files({".mp4": 2})


def test_a_reader_never_sees_half_of_a_transaction(folder: Path) -> None:
    stop, seen = threading.Event(), []

    def read() -> None:
        with SqliteCatalog.open(folder, read_only=True) as reader:
            while not stop.is_set():
                matrix = reader.labels.matrix("t")
                seen.append(len(matrix.image_ids))
                # Each image comes together with its label and its class.
                assert matrix.labelled[3:].all()

    thread = threading.Thread(target=read)
    thread.start()
    with SqliteCatalog.open(folder) as writer:
        for number in range(60):
            name = f"new {number}"
            with writer.transaction():
                writer.images.apply_index([FoundFile(name, name, 1, 1)], complete=False)
                writer.labels.define(Taxonomy("t", "single", (name,)))
                image = writer.images.find(name).id
                said = [Statement(image, name, "yes")]
                writer.labels.record("t", said, source="given", verb="index")
    stop.set()
    thread.join()
    assert len(seen) > 1
    assert seen == sorted(seen)


def test_threads_share_a_catalog(folder: Path) -> None:
    failures: list[Exception] = []

    def edit(catalog: SqliteCatalog, who: int) -> None:
        try:
            for turn in range(20):
                said = [Statement(1 + turn % 3, "ab"[turn % 2], "yes")]
                catalog.labels.record("t", said, source=f"human:{who}", verb="edit")
                catalog.labels.matrix("t")
                catalog.images.get([1, 2])
        except Exception as error:
            failures.append(error)

    with SqliteCatalog.open(folder) as catalog:
        threads = [threading.Thread(target=edit, args=(catalog, who)) for who in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert catalog.integrity() == []
        counts = catalog.labels.counts_by_source()
        assert {counts[f"human:{who}"] for who in range(4)} == {3}


def test_a_commit_of_another_connection_changes_every_revision(folder: Path) -> None:
    stores = ("images", "labels", "labels:t", "issues", "vectors", "models")
    with (
        SqliteCatalog.open(folder) as writer,
        SqliteCatalog.open(folder, read_only=True) as reader,
    ):
        before = [reader.revision(store) for store in stores]
        assert [reader.revision(store) for store in stores] == before
        with writer.transaction():
            writer.labels.record("t", [Statement(2, "b", "yes")], source="given", verb="index")
            assert [reader.revision(store) for store in stores] == before
        after = [reader.revision(store) for store in stores]
        assert set(before).isdisjoint(after)
        assert [reader.revision(store) for store in stores] == after


def test_an_emptied_catalog_beside_vectors_is_damaged_not_new(folder: Path) -> None:
    (folder / "vectors").mkdir(exist_ok=True)
    (folder / "vectors" / "shard.npy").write_bytes(b"x")
    (folder / FILE_NAME).write_bytes(b"")
    with pytest.raises(CatalogError, match="is empty, though the collection holds vectors"):
        connect(folder)
