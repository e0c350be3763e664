"""The app beside the strongest rival, on the same pictures: a row a thing that a person waits for.

    python benchmarks/app_rival.py --collection grocery.vernis --browser /usr/bin/chromium

The collection (made by ``vernis run`` on a folder of a few thousand pictures with a table of
labels) is copied; the copy is decided on. Photos of 12 megapixels are drawn here. The rival's
figures are of LightlyStudio 1.2.0 on `grocery` and 40 such photos: it was run once, on two quiet
cores, and is not run again here. While this runs the server finds no name of another machine:
whoever looks one up is counted, and gets an error.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from app import Clock, Server
from app_browser import (
    ARGUMENTS,
    Traffic,
    correct_twenty,
    decide_in_browser,
    first_screen,
    jump,
    see_from_elsewhere,
)

ROOT = Path(__file__).parents[1]
PHOTOS, SIZE = 40, (4000, 3000)
PARTS = ("opening", "photos", "work", "write", "manners", "guard")
SCREENS = ROOT / "src/vernis/web/app/screens/index.mjs"
AXE = """axe.run(document, {resultTypes: ["violations"]}).then((found) => found.violations
  .filter((one) => ["serious", "critical"].includes(one.impact)).map((one) => one.id))"""
NO_NAMES = """
import ipaddress, os, sys

def hear(event, given):
    if event not in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        return
    try:
        ipaddress.ip_address(given[0] or "0.0.0.0")
    except ValueError:
        with open(os.environ["VERNIS_LOOK_UPS"], "a") as told:
            print(given[0], file=told)
        raise OSError("no names are looked up here") from None

sys.addaudithook(hear)
"""


@dataclass(frozen=True)
class Row:
    """A thing that is measured: what the rival took, what is to beat, and what Vernis takes."""

    name: str
    rival: str
    bar: str
    ours: str
    met: bool

    def __str__(self) -> str:
        met = "met" if self.met else "**missed**"
        return f"| {self.name} | {self.rival} | {self.bar} | {self.ours} | {met} |"


@contextmanager
def served(place: Path) -> Iterator[Server]:
    """Serve a collection."""
    server = Server(place)
    try:
        yield server
    finally:
        server.end()


def photo(seed: int) -> Image.Image:
    """Draw a photo: each octave has somewhat less contrast than the one before, as nature has it.

    Its thumbnail takes about 7 kB, as those of real photos do.
    """
    random = np.random.default_rng(seed)
    pixels = np.full((3, 4, 3), 128, np.float32)
    for octave in range(11):
        pixels += random.normal(0, 22 * 0.82**octave, (*pixels.shape[:2], 1)).astype(np.float32)
        pixels += random.normal(0, 6 * 0.82**octave, pixels.shape).astype(np.float32)
        larger = (2 * pixels.shape[1], 2 * pixels.shape[0]) if octave < 10 else SIZE
        pixels = np.stack([enlarge(pixels[..., band], larger) for band in range(3)], -1)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def enlarge(band: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.asarray(Image.fromarray(band).resize(size, Image.Resampling.BICUBIC))


def measure_photos(browser: Any, folder: Path) -> list[Row]:
    """Show 40 photos of 12 megapixels that nobody has looked at yet."""
    pictures = folder / "photos"
    pictures.mkdir()
    drawn = np.asarray(photo(0))
    for number in range(PHOTOS):
        shifted = np.roll(drawn, 100 * number, axis=1)
        Image.fromarray(shifted).save(pictures / f"{number:02}.jpg", quality=80)
    size = sum(path.stat().st_size for path in pictures.iterdir()) / 1e6
    place = folder / "photos.vernis"
    command = [sys.executable, "-m", "vernis", "index", str(pictures), "--collection", str(place)]
    subprocess.run(command, check=True, capture_output=True)
    with served(place) as server, opened(browser) as page:
        traffic = Traffic(page)
        began = time.perf_counter()
        page.goto(server.address)
        page.locator("[data-nav]").first.wait_for()
        page.goto(f"{server.address.partition('?')[0]}#/browse")
        filled = """() => [...document.querySelectorAll('.cell:not([hidden]) img')]
            .filter((image) => image.naturalWidth).length"""
        while page.evaluate(filled) < PHOTOS and time.perf_counter() - began < 60:
            page.wait_for_timeout(50)
        taken = time.perf_counter() - began
        page.wait_for_timeout(1000)
        shown = page.evaluate(filled)
        sent = traffic.size(traffic.asked) / 1000
    told = f"{sent:.2f} MB, all {shown} shown after {taken:.1f} s ({size:.0f} MB of files)"
    met = sent <= 0.5 and shown == PHOTOS
    return [Row("first screen of 40 photos of 12 megapixels", "27.3 MB", "≤ 0.5 MB", told, met)]


@contextmanager
def opened(browser: Any) -> Iterator[Any]:
    """Open a page in a browser that has kept nothing."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(90_000)
    yield context.new_page()
    context.close()


def measure_opening(browser: Any, server: Server, copy: Path) -> list[Row]:
    """Open the app for the first time; then start a server and a page anew."""
    with opened(browser) as page:
        found = first_screen(page, server, Traffic(page))
    with opened(browser) as page:
        began = time.perf_counter()
        with served(copy) as started:
            page.goto(started.address)
            page.locator(".review-picture img").wait_for()
            taken, computed = time.perf_counter() - began, started.processor() / 1000
    requests = found["requests before the first picture"]
    size = found["bytes before the first picture, kB"]
    again = found["reopened to first picture, s"]
    told = f"{taken:.1f} s with the start of the server ({computed:.1f} of its processor time); "
    told += f"{again:.1f} s the page alone"
    return [
        Row(
            "before the first picture",
            "94 requests, 1,190 kB",
            "≤ 12 requests, 60 kB",
            f"{requests:.0f} requests, {size:.0f} kB",
            requests <= 12 and size <= 60,
        ),
        Row("reopened to first picture", "9.5–13 s", "≤ 3 s", told, taken <= 3),
    ]


def measure_work(browser: Any, server: Server) -> list[Row]:
    """Walk, decide and correct in one browser, and look from a second one."""
    with opened(browser) as page:
        traffic = Traffic(page)
        page.goto(server.address)
        page.locator(".review-picture img").wait_for()
        page.wait_for_timeout(2000)
        accepted = count_accepted(server)
        corrected = correct_twenty(page, traffic)
        accepted = count_accepted(server) - accepted
        walked = decide_in_browser(page, traffic, 100)
        seen = see_from_elsewhere(page, browser, server)["a second browser sees a decision, s"]
        end = jump(page, server, traffic)
        place = page.evaluate(
            """() => [...document.querySelectorAll('.cell:not([hidden]) img')]
                .filter((image) => !image.naturalWidth).length"""
        )
        count = page.locator("[data-left]").first.inner_text()
    percentile = walked["key to next picture, 95th percentile, ms"]
    asked = walked["requests a picture"]
    taken, requests = (
        corrected["20 labels corrected, s"],
        corrected["20 labels corrected, requests"],
    )
    jumped = end["requests of a jump to the end"]
    status = conflict(server)
    return [
        Row(
            "to the end of 5,421 pictures",
            "120 jumps reach 38 %",
            "one key, ≤ 3 requests, no empty cell",
            f"one key, {jumped:.0f} requests, {place} empty cells, {end['jump filled, ms']:.0f} ms"
            f" ({count})",
            jumped <= 3 and place == 0,
        ),
        Row(
            "next picture",
            "250–1,170 ms, 7–23 requests",
            "≤ 50 ms at the 95th percentile, ≤ 2 requests",
            f"{percentile:.0f} ms at the 95th percentile "
            f"({walked['key to next picture, median, ms']:.0f} median), {asked:.1f} requests",
            percentile <= 50 and asked <= 2,
        ),
        Row(
            "20 labels corrected by script",
            "36.7 s, 40 clicks, 376 requests",
            "≤ 4 s, no click, ≤ 20 requests",
            f"{taken:.1f} s, no click, {requests:.0f} requests ({accepted} in the ledger)",
            taken <= 4 and requests <= 20 and accepted == 20,
        ),
        Row(
            "second browser",
            "never sees it, last write wins",
            "≤ 2 s, conflict 409",
            f"{seen:.1f} s, {status}",
            seen <= 2 and status == 409,
        ),
    ]


def count_accepted(server: Server) -> int:
    """Return how many label issues were accepted so far."""
    found = 0
    for queue in json.loads(server.ask("GET", "/api/queues")):
        if queue["kind"] == "label":
            path = f"/api/queue?taxonomy={queue['taxonomy']}&verdict=accepted&limit=500"
            found += len(json.loads(server.ask("GET", f"{path}&detail=brief"))["items"])
    return found


def status_of(server: Server, method: str, path: str, body: Any = None, **headers: str) -> int:
    """Ask as anybody may; returns the status of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.connection.port, timeout=60)
    connection.putrequest(method, path, skip_host="host" in headers)
    data = b"" if body is None else json.dumps(body).encode()
    told = {name.replace("_", "-"): text for name, text in headers.items()}
    if data:
        told |= {"content-type": "application/json", "content-length": str(len(data))}
    for name, text in told.items():
        connection.putheader(name, text)
    connection.endheaders(data or None)
    status = connection.getresponse().status
    connection.close()
    return status


def conflict(server: Server) -> int:
    """Answer an issue as if nobody had, after somebody has; returns the status."""
    queues = json.loads(server.ask("GET", "/api/queues"))
    taxonomy = next(one["taxonomy"] for one in queues if one["kind"] == "label" and one["open"])
    item = json.loads(server.ask("GET", f"/api/queue?taxonomy={taxonomy}&limit=1"))["items"][0]
    first = {"issue": item["issue"], "answer": "dismiss", "seen": "open"}
    server.ask("POST", "/api/decisions", {"answers": [first]})
    other = {**first, "answer": "accept"}
    key = f"Bearer {server.key}"
    return status_of(server, "POST", "/api/decisions", {"answers": [other]}, authorization=key)


def measure_write(server: Server) -> list[Row]:
    """Decide by the server's route, one after the other."""
    queues = json.loads(server.ask("GET", "/api/queues"))
    taxonomy = next(one["taxonomy"] for one in queues if one["kind"] == "label" and one["open"])
    page = json.loads(server.ask("GET", f"/api/queue?taxonomy={taxonomy}&limit=100&detail=brief"))
    issues = iter([item["issue"] for item in page["items"]])
    clock = Clock(server)

    def decide() -> None:
        answer = {"issue": next(issues), "answer": "accept"}
        server.ask("POST", "/api/decisions", {"answers": [answer]})

    median = clock.time("decision", decide, 60)
    computed = clock.found["decision, processor, ms"]
    quickest = clock.found["decision, quickest, ms"]
    told = f"{median:.1f} ms median, {quickest:.1f} quickest, {computed:.1f} of the processor"
    return [Row("one write", "94 ms", "≤ 5 ms", told, median <= 5)]


def measure_guard(server: Server) -> list[Row]:
    """Ask without the key, by another name of this machine, and from another page."""
    key = f"Bearer {server.key}"
    found = (
        status_of(server, "GET", "/api/collection"),
        status_of(server, "GET", "/api/collection", host="evil.example", authorization=key),
        status_of(server, "POST", "/api/undo", {}, origin="http://evil.example", authorization=key),
    )
    told = " / ".join(map(str, found))
    rows = "no token / foreign Host / foreign Origin"
    return [Row(rows, "200 / 200 / granted", "401 / 421 / 403", told, found == (401, 421, 403))]


def measure_manners(browser: Any, server: Server, axe: str, look_ups: Path) -> list[Row]:
    """Open every screen in both themes."""
    names = re.findall(r'^  \{ name: "(\w+)"', SCREENS.read_text(encoding="utf-8"), re.M)
    complaints, outside, serious = [], [], set()
    for theme in ("dark", "light"):
        context = browser.new_context(color_scheme=theme, reduced_motion="reduce")
        page = context.new_page()
        traffic = Traffic(page)
        page.goto(server.address)
        for name in names:
            place = f"#/{name}/1" if name == "image" else f"#/{name}"
            page.goto(server.address.partition("?")[0] + place)
            page.locator(f".screen-host[data-screen={name}] > *").first.wait_for()
            page.wait_for_timeout(1500)
            if axe:
                traffic.session.send("Runtime.evaluate", {"expression": axe})
                wanted = {"expression": AXE, "awaitPromise": True, "returnByValue": True}
                told = traffic.session.send("Runtime.evaluate", wanted)
                serious |= set(told["result"]["value"])
        complaints += traffic.complaints
        outside += traffic.outside
        context.close()
    looked = look_ups.read_text(encoding="utf-8").split() if look_ups.exists() else []
    for what in (looked, outside, complaints, sorted(serious)):
        if what:
            print(*what, sep="\n", file=sys.stderr)
    kinds = str(len(serious)) if axe else "not looked at"
    told = f"{len(looked)} / {len(outside)} / {len(complaints)} / {kinds}"
    name = f"look-ups / outside requests / console errors / serious axe kinds, {len(names)} screens"
    met = not (looked or outside or complaints or serious) and bool(axe)
    return [Row(name, "6 / 4 / 4 / 5", "0 / 0 / 0 / 0", told, met)]


def main() -> None:
    """Measure every row, and print them as one table."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--collection", type=Path, required=True)
    parser.add_argument("--browser", default=shutil.which("chromium") or "chromium")
    parser.add_argument("--axe", type=Path, default=ROOT / ".ci/node_modules/axe-core/axe.min.js")
    parser.add_argument("--only", nargs="+", choices=PARTS, help="some of the rows")
    given = parser.parse_args()
    axe = given.axe.read_text(encoding="utf-8") if given.axe.is_file() else ""
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        folder = Path(place)
        (folder / "names").mkdir()
        (folder / "names/sitecustomize.py").write_text(NO_NAMES, encoding="utf-8")
        paths = [str(folder / "names"), os.environ.get("PYTHONPATH", "")]
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
        os.environ["VERNIS_LOOK_UPS"] = str(folder / "look-ups")
        copy = folder / "copy.vernis"
        shutil.copytree(given.collection, copy, ignore=shutil.ignore_patterns("writer.lock"))
        browser = playwright.chromium.launch(executable_path=given.browser, args=ARGUMENTS)
        load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
        print(f"{os.cpu_count()} cores, load {load:.1f}\n")
        rows: list[Row] = []
        with served(copy) as server:
            parts: dict[str, Callable[[], list[Row]]] = {
                "opening": lambda: measure_opening(browser, server, copy),
                "photos": lambda: measure_photos(browser, folder),
                "work": lambda: measure_work(browser, server),
                "write": lambda: measure_write(server),
                "manners": lambda: measure_manners(browser, server, axe, folder / "look-ups"),
                "guard": lambda: measure_guard(server),
            }
            for name in given.only or parts:
                rows += parts[name]()
        browser.close()
    print("| | rival | to beat | Vernis | |\n|---|---|---|---|---|")
    print(*rows, sep="\n")


if __name__ == "__main__":
    main()
