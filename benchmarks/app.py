"""How fast the app is: the server's answers, and what a browser does, as ratios in one run.

    python benchmarks/app.py [--images 57000] [--browser /usr/bin/chromium] [--preact FILE]

A synthetic collection is made (as many images as wanted, one drawn picture for all), served by a
process of its own, and asked. Times are medians of what this machine took just then; a ratio is of
two things that were timed one after the other. With a browser: requests and bytes before the first
picture, requests of a jump to the end, key to next picture, 200 decisions at 5 a second.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import io
import json
import os
import re
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from app_browser import measure_browser, tell
from vernis.adapters.catalog.catalog import SqliteCatalog
from vernis.adapters.thumbnails import ThumbnailCache
from vernis.domain.maps import MapPoints, MapRecord
from vernis.domain.types import FoundFile, Issue, Space, Statement, Taxonomy
from vernis.session.session import Session

N_CLASSES = 40
FLAGGED = 4000
EDGE = 192
FEW = 57_000  # images that are made as Vernis makes them; more are made of these by SQL


def make_collection(place: Path, n_images: int) -> None:
    """Write a collection of images that differ by name, content hash, label and vector."""
    random = np.random.default_rng(0)
    codes = random.integers(0, N_CLASSES, n_images)
    classes = tuple(f"class {number:02}" for number in range(N_CLASSES))
    pictures = place.parent / "pictures"
    pictures.mkdir()
    picture = draw(0, 1280)
    for i in range(3 * FLAGGED // 20):  # of those that come first in the queue
        path = pictures / f"f{i % 50:02}/{i:07}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(picture)
    hashes = [hashlib.sha256(str(i).encode()).hexdigest() for i in range(n_images)]
    with SqliteCatalog.create(place) as catalog:
        catalog.images.set_root(pictures)
        found = (
            FoundFile(f"f{i % 50:02}/{i:07}.jpg", hashes[i], len(picture), i, 1280, 960, "JPEG")
            for i in range(n_images)
        )
        catalog.images.apply_index(found, complete=True)
        ids = catalog.images.table().ids.tolist()
        catalog.labels.define(Taxonomy("brand", "single", classes))
        said = (Statement(ids[i], classes[codes[i]], "yes") for i in range(n_images))
        catalog.labels.record("brand", said, source="given", verb="import")
        space = Space("toy", 64, "float16", {"layers": [["a", 64]]})
        centers = random.normal(size=(N_CLASSES, 64))
        vectors = (centers[codes] + random.normal(size=(n_images, 64))).astype("f2")
        catalog.vectors.append(space, hashes, vectors)
        catalog.issues.replace(["label"], (suspect(i, ids, codes, classes) for i in range(n_images)
                                           if i < 10 * FLAGGED), "brand")  # fmt: skip
    with Session.open(place) as session:
        session.use_space(space)
        store: ThumbnailCache = session.files.thumbnails(EDGE)
        small = [draw(code, EDGE) for code in range(N_CLASSES)]
        drawn = min(n_images, 60_000)
        store.add((hashes[i], small[codes[i]]) for i in range(drawn))


MULTIPLY = (
    """
INSERT INTO image (uri, content_hash, size, mtime_ns, width, height, format)
WITH RECURSIVE n (i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :end)
SELECT printf('f%02d/%07d.jpg', i % 50, i), printf('%064x', i), 20000, i, 1280, 960, 'JPEG' FROM n
""",
    """
INSERT INTO statement (taxonomy_id, source_id, image_id, class_id, state, batch_id)
SELECT taxonomy_id, source_id, image.id, low + image.id % classes, 'yes', batch_id
FROM image, (
  SELECT taxonomy_id, source_id, min(class_id) AS low, count(DISTINCT class_id) AS classes,
    min(batch_id) AS batch_id FROM statement)
WHERE image.id > :first
""",
    """
INSERT INTO issue (key, kind, taxonomy, image_id, score, flagged, evidence)
SELECT printf('many %d', id), 'label', 'brand', id, 0.2 + 0.8 * id / :end, id % 50 = 0,
  '{"change":"replaced","given":["class 01"],"suggested":["class 02"],"probability":0.2}'
FROM image WHERE id > :first
""",
)
"""Makes many images of some, by itself: no events are written."""


def multiply(place: Path, first: int, end: int) -> None:
    """Add images by SQL alone: labels as those before, an issue and a vector each."""
    with sqlite3.connect(place / "catalog.sqlite") as ledger:
        for statement in MULTIPLY:
            ledger.execute(statement, {"first": first, "end": end})
    ledger.close()
    random = np.random.default_rng(1)
    with Session.open(place) as session:
        space = session.space(None)
        for low in range(first, end, 100_000):
            hashes = [f"{i:064x}" for i in range(low, min(low + 100_000, end))]
            vectors = random.normal(size=(len(hashes), 64)).astype("f2")
            session.catalog.vectors.append(space, hashes, vectors)


def suspect(i: int, ids: list[int], codes: Any, classes: tuple[str, ...]) -> Issue:
    near = [
        {"image_id": ids[(i + k) % len(ids)], "label": classes[0], "similarity": 0.5}
        for k in range(1, 6)
    ]
    evidence = {
        "change": "replaced",
        "given": [classes[codes[i]]],
        "suggested": [classes[(codes[i] + 1) % N_CLASSES]],
        "probability": 0.5,
        "neighbors": near,
    }
    score = i / (10 * FLAGGED)
    return Issue("label", ids[i], score, flagged=i < FLAGGED, taxonomy="brand", evidence=evidence)


def draw(code: int, edge: int) -> bytes:
    random = np.random.default_rng(code)
    pixels = random.integers(0, 255, (9, 12, 3)).astype(np.uint8)
    picture = Image.fromarray(pixels).resize((edge, edge * 3 // 4), Image.Resampling.BICUBIC)
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=80)
    return stream.getvalue()


class Server:
    """``vernis serve`` in a process of its own."""

    def __init__(self, place: Path) -> None:
        command = [sys.executable, "-m", "vernis", "serve", str(place), "--no-browser"]
        began = time.perf_counter()
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        told = self.process.stdout.readline()
        self.seconds = time.perf_counter() - began
        found = re.search(r"http://127\.0\.0\.1:(\d+)/\?key=(\w+)", told)
        assert found is not None, told
        self.address, self.key = found[0], found[2]
        self.connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=600)

    def ask(self, method: str, path: str, body: Any = None) -> bytes:
        picture = isinstance(body, bytes)
        data = body if picture or body is None else json.dumps(body).encode()
        kind = "image/jpeg" if picture else "application/json"
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": kind}
        try:
            self.connection.request(method, path, data, headers)
            answer = self.connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionError):  # it had rested for too long
            self.connection.close()
            self.connection.request(method, path, data, headers)
            answer = self.connection.getresponse()
        told = answer.read()
        assert answer.status == 200, (path, answer.status, told[:200])
        return told

    def processor(self) -> float:
        """Return the milliseconds that all its threads have computed (Linux)."""
        threads = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(one.read_text().split()[0]) for one in threads) / 1e6

    def memory(self) -> float:
        """Return the largest resident size so far, in MB (Linux)."""
        text = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        found = re.search(r"VmHWM:\s+(\d+) kB", text)
        return int(found[1]) / 1024 if found else float("nan")

    def end(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(30)


class Clock:
    """Times what is asked of a server.

    On a machine that does other work the wall's clock says how busy it is: the quickest of some
    tries, and what the server's threads computed, come nearer to what a quiet core takes.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self.found: dict[str, float] = {}

    def time(
        self, name: str, work: Callable[[], Any], times: int = 15, before: Any = None
    ) -> float:
        """Time some work, and note median, quickest and processor time; returns the median, ms."""
        work()
        taken, computed = [], []
        for _ in range(times):
            if before is not None:
                before()
            mark, began = self.server.processor(), time.perf_counter()
            work()
            taken.append(1e3 * (time.perf_counter() - began))
            computed.append(self.server.processor() - mark)
        of = {
            f"{name}, ms": statistics.median(taken),
            f"{name}, quickest, ms": min(taken),
            f"{name}, processor, ms": statistics.median(computed),
        }
        self.found |= tell(of)
        return statistics.median(taken)


def measure_server(server: Server) -> dict[str, float]:
    items = json.loads(server.ask("GET", "/api/queue?taxonomy=brand&limit=500"))["items"]
    issues = iter([item["issue"] for item in items])
    clock = Clock(server)
    n_images = json.loads(server.ask("GET", "/api/collection"))["images"]
    numbers, classes = iter(range(10_000)), iter(range(N_CLASSES))

    def get(path: str) -> Callable[[], bytes]:
        return lambda: server.ask("GET", path)

    def decide() -> None:
        answer = {"issue": next(issues), "answer": "accept"}
        server.ask("POST", "/api/decisions", {"answers": [answer]})

    def browse_class() -> None:
        wanted = f"%22class%20{next(classes):02}%22"
        server.ask("GET", f"/api/images?where=brand:{wanted}")

    ids = np.frombuffer(server.ask("GET", "/api/images/ids"), "<u4")[1000:1064]
    listed = ",".join(map(str, ids))
    clock.found |= tell({"listening, s": server.seconds})
    page, narrow = "/api/queue?taxonomy=brand&limit=50", "brand:%22class%2001%22"
    end = f"/api/images?offset={n_images - 100}"
    clock.time("decision", decide, 40)
    clock.time("queue page of 50", get(page))
    clock.time("queue page after a decision", get(page), before=decide)
    clock.time("queues after a decision", get("/api/queues"), before=decide)
    clock.time("browse at the end", get(end))
    clock.time("browse at the end after a decision", get(end), before=decide)
    clock.time("facets", get("/api/facets"))
    clock.time("facets after a decision", get("/api/facets"), before=decide)
    clock.time("facets of a filter", get(f"/api/facets?where={narrow}"), before=decide)
    clock.time("a filter that is new", browse_class)
    after = f"/api/images?where={narrow}%20and%20not%20is:confirmed"
    clock.time("filtered page after a decision", get(after), before=decide)
    words = lambda: server.ask("GET", f"/api/verbs/search?words={next(numbers):07}.jpg&k=20")  # noqa: E731
    began = time.perf_counter()
    words()
    clock.found |= tell({"first search by words, s": time.perf_counter() - began})
    clock.time("search by words", words, 7)
    clock.time("neighbours", get(f"/api/images/{ids[0]}/neighbors"))
    bundled = clock.time("64 thumbnails in one request", get(f"/api/bundle?ids={listed}"))
    single = clock.time(
        "64 thumbnails one by one",
        lambda: [server.ask("GET", f"/api/images/{image}/thumb") for image in ids],
        3,
    )
    ratio = {"bundle over single requests, ×": single / bundled, "memory, MB": server.memory()}
    return clock.found | tell(ratio)


def draw_map(place: Path) -> None:
    """Give a collection a map: its images lie in rows."""
    with Session.open(place) as session:
        hashes = sorted(image.content_hash for image in session.images())
        side = int(len(hashes) ** 0.5) + 1
        at = np.arange(len(hashes))
        places = np.column_stack([at % side, at // side]).astype(float)
        quality = {"trustworthiness": 1.0, "preservation": 1.0, "n_neighbors": 1, "judged": 1}
        record = MapRecord(
            "m", {"name": "toy"}, {"method": "pca", "components": 2, "seed": 0}, quality
        )
        points = MapPoints(tuple(hashes), places, np.zeros(len(hashes), bool))
        session.catalog.maps.replace(record, points)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=57_000)
    parser.add_argument("--browser", default="")
    parser.add_argument("--preact", type=Path, help="preact.min.umd.js, as npm has it")
    parser.add_argument("--collection", type=Path, help="keep it here, or serve what lies here")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = given.collection or Path(folder) / "big.vernis"
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            make_collection(place, min(given.images, FEW))
            if given.images > FEW:
                multiply(place, FEW, given.images)
            if given.browser:
                draw_map(place)
        server = Server(place)
        try:
            load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
            print(f"{given.images:,} images, {os.cpu_count()} cores, load {load:.1f}", flush=True)
            found = measure_server(server)
            if given.browser:
                found |= measure_browser(server, given.browser, given.preact)
        finally:
            server.end()
    if given.out:
        given.out.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
