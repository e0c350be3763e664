"""Images of several places: folders, buckets, pages that list files; what is fetched and kept."""

from __future__ import annotations

import io
import json
import runpy
import shutil
import threading
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vernis import Collection
from vernis.adapters import buckets, local_copies, objects
from vernis.adapters.files import own_file, path_of
from vernis.adapters.object_copies import fetched
from vernis.adapters.objects import list_objects, stamp
from vernis.cli.main import main
from vernis.domain.errors import AccessRefused, StorageError, UnreadableImage, UsageError

BUCKET = "s3://pictures/shop"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let copies lie in the folder of the test, and tries follow each other at once."""
    monkeypatch.setenv("VERNIS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(buckets.time, "sleep", lambda seconds: None)
    return tmp_path / "cache"


def picture(seed: int, size: tuple[int, int] = (40, 30)) -> bytes:
    """Return a noisy picture as a file of JPEG."""
    rng = np.random.default_rng(seed)
    stream = io.BytesIO()
    Image.fromarray(rng.integers(0, 255, (*size[::-1], 3), dtype=np.uint8)).save(stream, "JPEG")
    return stream.getvalue()


def lay(folder: Path, *names: str) -> Path:
    """Lay a picture under each name."""
    for seed, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(seed + len(str(folder))))
    return folder


def uris(collection: Collection) -> list[str]:
    """Return the uris of the present images, sorted."""
    return sorted(image.uri for image in collection.session.images())


# --------------------------------------------------------------------------- folders


def test_folders_stand_beside_each_other(tmp_path: Path) -> None:
    main_folder = lay(tmp_path / "main", "cat/a.jpg", "cat/b.jpg")
    more = lay(tmp_path / "möre", "dog/c.jpg")
    with Collection.create(tmp_path / "t.vernis") as collection:
        found = collection.index([main_folder, more])
        assert (found.images, found.new) == (3, 3)
        other = f"file://{more.resolve()}/dog/c.jpg"
        assert uris(collection) == ["cat/a.jpg", "cat/b.jpg", other]
        image = collection.session.catalog.images.find(other)
        assert collection.session.files.path_of(image) == more.resolve() / "dog" / "c.jpg"
        # Each is looked at again, and says alone what has vanished of it.
        (more / "dog" / "c.jpg").unlink()
        lay(main_folder, "cat/new.jpg")
        again = collection.index()
        assert (again.new, again.vanished, again.unchanged) == (1, 1, 2)
        assert collection.session.folders_of([other, "cat/a.jpg"]) == ["dog", "cat"]
        # A folder below the collection's own, and a slash at the end, make no place anew.
        collection.index([main_folder, main_folder / "cat", f"file://{more.resolve()}/"])
        assert collection.session.catalog.images.places() == [f"file://{more.resolve()}"]


def test_a_place_can_be_forgotten(tmp_path: Path) -> None:
    main_folder, more = lay(tmp_path / "main", "a.jpg"), lay(tmp_path / "more", "b.jpg")
    with Collection.create(tmp_path / "t.vernis") as collection:
        collection.index([main_folder, more])
        collection.index(forget=[str(more)])
        assert uris(collection) == ["a.jpg"]
        with pytest.raises(UsageError, match="no such place; there are: none"):
            collection.index(forget=["s3://shop"])
        # The image is the one that it was, once its place is named again.
        collection.index([main_folder, more])
        assert len(collection.session.catalog.images.all(("present", "vanished"))) == 2


# --------------------------------------------------------------------------- a bucket


def put(key: str, data: bytes) -> None:
    """Put an object into the bucket of the test."""
    import s3fs

    s3fs.S3FileSystem().pipe_file(f"pictures/shop/{key}", data)


@pytest.mark.remote
def test_a_bucket_is_a_place(bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, key in enumerate(("red/a 1.jpg", "red/b.jpg", "blue/c#2.JPG", "notes.txt")):
        put(key, picture(number))
    monkeypatch.chdir(tmp_path)
    assert main(["index", BUCKET, "--quiet"]) == 0
    with Collection.open(tmp_path / "shop.vernis") as collection:
        first = uris(collection)
        assert first == [f"{BUCKET}/blue/c#2.JPG", f"{BUCKET}/red/a 1.jpg", f"{BUCKET}/red/b.jpg"]
        collection.embed()
        assert len(collection.embeddings()) == 3
        read: list[str] = []
        inspect = objects.inspect_file
        monkeypatch.setattr(
            objects, "inspect_file", lambda *a: read.append(a[1].uri) or inspect(*a)
        )
        # Only put again: the same etag; another content: read; gone: vanished.
        put("red/b.jpg", picture(1))
        put("red/a 1.jpg", picture(77))
        import s3fs

        s3fs.S3FileSystem().rm_file("pictures/shop/blue/c#2.JPG")
        again = collection.index()
        assert read == [f"{BUCKET}/red/a 1.jpg"]
        assert (again.changed, again.vanished, again.unchanged) == (1, 1, 1)
        # Nothing of the credentials is in the collection.
        held = b"".join(path.read_bytes() for path in (tmp_path / "shop.vernis").rglob("*.sqlite*"))
        assert b"nobody" not in held
        assert b"nothing" not in held


@pytest.mark.remote
def test_what_is_gone_in_the_middle_costs_itself_alone(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        put(f"{number}.jpg", picture(number))
    listed = objects.list_objects

    def losing(address: str) -> Iterator[Any]:
        yield from list(listed(address))
        import s3fs

        s3fs.S3FileSystem().rm_file("pictures/shop/2.jpg")

    monkeypatch.setattr(objects, "list_objects", losing)
    with Collection.create(tmp_path / "t.vernis") as collection:
        found = collection.index([BUCKET])
        assert (found.images, found.unreadable) == (4, 1)
        (lost,) = collection.session.images("unreadable")
        assert (lost.uri, lost.reason) == (f"{BUCKET}/2.jpg", "the object is not there")
        assert collection.session.catalog.issues.counts()["broken", ""] == 1


@pytest.mark.remote
def test_a_store_that_is_busy_once_is_asked_again(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication as Door

    put("a.jpg", picture(1))
    answer, refused = Door.__call__, []

    def busy_once(self: Any, environ: Any, start_response: Any) -> Any:
        if environ["REQUEST_METHOD"] == "GET" and len(refused) < 2:
            refused.append(environ["PATH_INFO"])
            start_response("503 Slow Down", [("Content-Type", "application/xml")])
            return [b"<Error><Code>SlowDown</Code><Message>reduce your rate</Message></Error>"]
        return answer(self, environ, start_response)

    monkeypatch.setattr(Door, "__call__", busy_once)
    with Collection.create(tmp_path / "t.vernis") as collection:
        assert collection.index([BUCKET]).new == 1
    assert len(refused) == 2


@pytest.mark.remote
def test_wrong_credentials_are_one_clear_line(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import s3fs

    def refuse(self: Any, *_: Any, **__: Any) -> None:
        raise PermissionError("The AWS Access Key Id you provided does not exist in our records.")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(s3fs.S3FileSystem, "call_s3", refuse)
    assert main(["index", BUCKET, "--quiet"]) == 1
    said = capsys.readouterr().err.strip()
    assert said.count("\n") == 0
    assert said.startswith(f"vernis: {BUCKET}: refused (The AWS Access Key Id")
    assert not (tmp_path / "shop.vernis").exists()


@pytest.mark.remote
def test_no_credentials_are_one_clear_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("s3fs", reason='needs the extra "remote"')
    import s3fs

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(StorageError, match=r"no credentials.*AWS_ACCESS_KEY_ID"):
        list(list_objects("s3://private/x"))
    s3fs.S3FileSystem.clear_instance_cache()


def test_a_password_in_an_address_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["index", "https://anna:secret@example.org/x/"]) == 2
    said = capsys.readouterr().err
    assert "https://example.org/x/: the address holds a password" in said
    assert "secret" not in said


# --------------------------------------------------------------------------- listings


def pages(keys: int) -> Any:
    """Return the benchmark's store of as many objects as one likes."""
    script = Path(__file__).parents[2] / "benchmarks" / "listing.py"
    return runpy.run_path(str(script))["Pages"](keys)


def test_a_long_listing_holds_one_page_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    peaks = []
    for keys in (4_000, 20_000):
        store = pages(keys)
        monkeypatch.setattr(objects, "open_system", lambda address, store=store: (store, "b/x"))
        tracemalloc.start()
        count = sum(1 for _ in list_objects("s3://b/x"))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert count == keys
    assert peaks[1] < 1.3 * peaks[0]  # five times the keys in the memory of one page
    tracemalloc.start()
    listed, _ = objects.tabled(list_objects("s3://b/x"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(listed) == 20_000
    assert peak < 400 * 20_000  # bytes a key, names included


def test_other_stores_are_walked_folder_by_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    folders = {
        "b/x": [("b/x", "directory"), ("b/x/in", "directory"), ("b/x/a.jpg", "file")],
        "b/x/in": [
            ("b/x/in/b.png", "file"),
            ("b/x/in/c.txt", "file"),
            ("b/x/in/../../up.jpg", "file"),
        ],
    }
    told = {"size": 5, "etag": "abc", "updated": "2024-05-01T00:00:00Z"}
    store = SimpleNamespace(
        ls=lambda path, detail: [{"name": n, "type": t, **told} for n, t in folders[path]],
        invalidate_cache=lambda: None,
    )
    monkeypatch.setattr(objects, "open_system", lambda address: (store, "b/x"))
    listed, others = objects.tabled(list_objects("gs://b/x"))
    assert listed.uris == ("gs://b/x/a.jpg", "gs://b/x/in/b.png")
    assert others == {".txt": 1, "(special)": 1}
    assert listed.mtimes[0] == stamp(datetime(2024, 5, 1, tzinfo=UTC), "abc")


def test_an_etag_is_the_fraction_of_the_second() -> None:
    time = datetime(2024, 5, 1, tzinfo=UTC)
    whole = int(time.timestamp())
    assert stamp(time, "") == whole * 10**9
    assert stamp(time, '"abc"') // 10**9 == whole
    assert stamp(time, '"abc"') == stamp(time, "abc") != stamp(time, "abd")
    assert stamp(None, "") == 0


# --------------------------------------------------------------------------- pages that list files


@pytest.fixture
def site() -> Iterator[SimpleNamespace]:
    """Serve pages that list files on this machine; ``busy`` holds paths that answer 503 once."""
    files = {"/x/a.jpg": picture(1), "/x/in/b%20c.png": picture(2), "/x/in/gone.jpg": b""}
    pages = {
        "/x/": '<a href="../">up</a><a href="?C=N">by name</a><a href="a.jpg">a</a>'
        '<a href="in/">in</a><a href="notes.txt">n</a>',
        "/x/in/": '<a href="b%20c.png">b</a><a href="gone.jpg">gone</a>',
    }
    state = SimpleNamespace(busy=set[str](), asked=[], address="")

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, *, body: bool) -> None:
            state.asked.append((self.command, self.path))
            data, kind = files.get(self.path, b""), "image/jpeg"
            if self.path in pages:
                data, kind = pages[self.path].encode(), "text/html"
            status = 200 if data else 404
            if self.path in state.busy and self.command == "GET":
                state.busy.discard(self.path)
                status, data = 503, b"busy"
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.send_header("ETag", f'"{len(data)}"')
            self.end_headers()
            if body:
                self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.address = f"http://127.0.0.1:{server.server_address[1]}/x"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield state
    server.shutdown()
    server.server_close()


@pytest.mark.remote
def test_a_page_that_lists_files_is_a_place(site: SimpleNamespace, tmp_path: Path) -> None:
    pytest.importorskip("aiohttp", reason='needs the extra "remote"')
    site.busy = {"/x/", "/x/a.jpg"}
    with Collection.create(tmp_path / "t.vernis") as collection:
        found = collection.index([site.address])
        assert (found.images, found.unreadable, found.other_files) == (3, 1, 1)
        assert uris(collection) == [f"{site.address}/a.jpg", f"{site.address}/in/b%20c.png"]
        site.asked.clear()
        assert collection.index().unchanged == 3
        # What is known is asked for its etag alone.
        assert ("GET", "/x/a.jpg") not in site.asked


# --------------------------------------------------------------------------- copies


def test_copies_that_were_used_longest_ago_go(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_copies, "_SHARE", 1)
    monkeypatch.setattr(local_copies, "_IN_USE", -1)
    monkeypatch.setenv("VERNIS_CACHE_GB", "0.000025")  # 25 kB
    made = [
        local_copies.local_copy(str(i), ".bin", lambda path: path.write_bytes(b"x" * 10_000))
        for i in range(3)
    ]
    assert [path.exists() for path in made] == [False, True, True]
    assert cache.stat().st_mode & 0o77 == 0 or (cache / "00").stat().st_mode & 0o77 == 0


def test_what_lies_in_a_store_is_never_moved_nor_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="only read, never changed"):
        own_file(tmp_path, "s3://shop/a.jpg")
    assert own_file(tmp_path, "file:///more/a.jpg") == Path("/more/a.jpg")
    assert path_of(tmp_path, "a/b.jpg") == tmp_path / "a" / "b.jpg"


def test_a_refused_object_is_unreadable(monkeypatch: pytest.MonkeyPatch) -> None:
    from vernis.adapters import object_copies

    def refuse(address: str) -> Any:
        raise AccessRefused(f"{address}: refused")

    monkeypatch.setattr(object_copies, "open_system", refuse)
    with pytest.raises(UnreadableImage, match="refuses to give"):
        fetched("s3://shop/a.jpg")


def test_a_store_that_is_down_ends_the_run_and_costs_no_image(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vernis.adapters import object_copies

    class Store:
        down = False

        def get_file(self, key: str, path: str, callback: Any) -> None:
            if self.down:
                raise OSError("connection reset")
            Path(path).write_bytes(picture(len(key)))

    store = Store()
    monkeypatch.setattr(object_copies, "open_system", lambda address: (store, address))
    monkeypatch.setattr(object_copies, "_limited", lambda address: None)  # of fsspec
    feed = tmp_path / "feed.jsonl"
    write(feed, {"address": "s3://shop/a.jpg"}, {"address": "s3://shop/bb.jpg"})
    with Collection.create(tmp_path / "t.vernis") as collection:
        assert collection.index([feed]).new == 2
        shutil.rmtree(cache)
        store.down = True
        with pytest.raises(StorageError, match=r"does not answer.*run the command again later"):
            collection.embed()
        assert len(uris(collection)) == 2
        store.down = False
        assert collection.embed().computed == 2


# --------------------------------------------------------------------------- feeds


def write(feed: Path, *posts: object) -> None:
    """Add lines to a feed; a text is written as it is."""
    with open(feed, "a") as stream:
        for post in posts:
            stream.write(post if isinstance(post, str) else json.dumps(post) + "\n")


def test_a_feed_is_read_on_from_where_it_was(tmp_path: Path) -> None:
    lay(tmp_path / "in", "a.jpg", "b.jpg", "c.jpg")
    feed = tmp_path / "feed.jsonl"
    write(
        feed,
        {"address": "in/a.jpg", "author": "Anna", "date": "2024-05-01T10:00:00+02:00"},
        {"url": "in/b.jpg", "user": {"screen_name": "bob"}, "created_at": 1714600000},
        "no JSON\n",
        '{"address": "in/c.jpg", "auth',
    )
    with Collection.create(tmp_path / "t.vernis") as collection:
        found = collection.index([feed])
        assert (found.posts, found.new) == (2, 2)
        assert any("1 line of the feed left out" in note for note in found.notes)
        said = {i.uri: i.metadata for i in collection.session.images()}
        assert said["in/a.jpg"]["posted"] == "2024-05-01T08:00:00Z"
        assert said["in/b.jpg"]["author"] == "bob"
        # The rest of the line comes, and the same picture is posted by another.
        write(feed, 'or": "Anna"}\n', {"address": "in/a.jpg", "author": "bob", "text": "again"})
        again = collection.index()
        assert (again.posts, again.new) == (2, 1)
        labels = collection.labels("author")
        assert labels.loc["in/a.jpg"].to_dict() == {"Anna": 1.0, "bob": 1.0}
        assert collection.index().posts == 0
        # Written anew: it is read from its beginning.
        feed.write_text(json.dumps({"address": "in/c.jpg", "author": "Cleo"}) + "\n" * 400)
        assert collection.index().posts == 1


@pytest.mark.parametrize(
    ("value", "posted"),
    [
        ("2024-05-01", "2024-05-01T00:00:00Z"),
        ("Wed Oct 10 20:19:24 +0000 2018", "2018-10-10T20:19:24Z"),
        ("Wed, 10 Oct 2018 20:19:24 +0200", "2018-10-10T18:19:24Z"),
        (1714600000123, "2024-05-01T21:46:40Z"),
        ("1714600000", "2024-05-01T21:46:40Z"),
        ("yesterday", ""),
        (float("nan"), ""),
        (10**30, ""),
        (True, ""),
    ],
)
def test_dates_of_posts(value: object, posted: str) -> None:
    from vernis.adapters.interchange.feed import _as_date

    assert _as_date(value) == posted
