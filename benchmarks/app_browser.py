"""What a browser asks a server of the app for, and how long a person waits in it."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from app_screens import beside_a_canvas, beside_a_keyed_list

if TYPE_CHECKING:
    from app import Server

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--enable-unsafe-swiftshader",  # WebGL2 without a graphics card
    # No name is looked up: whatever is not on this machine fails, and is seen.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


class Traffic:
    """What a page asks a server for, and what it complains of."""

    def __init__(self, page: Any) -> None:
        self.session = page.context.new_cdp_session(page)
        self.asked: list[str] = []  # an id and an address each
        self.complaints: list[str] = []
        self._sizes: dict[str, float] = {}
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.session.send("Network.enable")
        self.session.on("Network.requestWillBeSent", self._note)
        self.session.on("Network.requestServedFromCache", self._forget)
        self.session.on("Network.responseReceived", self._forget_stored)
        self.session.on("Network.loadingFinished", self._count)

    def size(self, requests: list[str]) -> float:
        """Return the kilobytes that came for these requests, heads of the answers included."""
        return sum(self._sizes.get(one.split()[0], 0) for one in requests) / 1000

    @property
    def outside(self) -> list[str]:
        """What was asked of another machine."""
        return [one for one in self.asked if "//127.0.0.1:" not in one]

    def _hear(self, message: Any) -> None:
        if message.type in ("error", "warning") and "GL Driver" not in message.text:
            self.complaints.append(message.text)

    def _note(self, event: Any) -> None:
        if not event["request"]["url"].startswith(("blob:", "data:")):
            self.asked.append(f"{event['requestId']} {event['request']['url']}")

    def _forget(self, event: Any) -> None:
        self.asked[:] = [one for one in self.asked if one.split()[0] != event["requestId"]]

    def _forget_stored(self, event: Any) -> None:
        if event["response"].get("fromDiskCache"):
            self._forget(event)

    def _count(self, event: Any) -> None:
        self._sizes[event["requestId"]] = event["encodedDataLength"]


def measure_browser(server: Server, browser: str, preact: Path | None) -> dict[str, float]:
    """Measure all that is below, and the grid and the map beside others."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser, args=ARGUMENTS)
        page = opened.new_context(viewport={"width": 1440, "height": 900}).new_page()
        traffic = Traffic(page)
        start = server.address.partition("?")[0]
        found: dict[str, float] = {}
        parts: list[Callable[[], dict[str, float]]] = [
            lambda: first_screen(page, server, traffic),
            lambda: decide_in_browser(page, traffic),
            lambda: correct_twenty(page, traffic),
            lambda: see_from_elsewhere(page, opened, server),
            lambda: jump(page, server, traffic),
            lambda: beside_a_canvas(page, traffic.session, start),
        ]
        if preact is not None:
            parts.append(lambda: beside_a_keyed_list(page, traffic.session, start, preact))
        for part in parts:
            found |= tell(part())
        counts = {
            "console errors": len(traffic.complaints),
            "outside requests": len(traffic.outside),
        }
        found |= tell({name: float(count) for name, count in counts.items()})
        opened.close()
    return found


def tell(found: dict[str, float]) -> dict[str, float]:
    """Print what was found; returns it."""
    for name, value in found.items():
        print(f"{name:56} {value:10.2f}", flush=True)
    return found


def first_screen(page: Any, server: Server, traffic: Traffic) -> dict[str, float]:
    """Open the app for the first time, and once more."""
    asked = traffic.asked
    began = time.perf_counter()
    page.goto(server.address)
    page.locator(".review-picture img").wait_for()
    shown = time.perf_counter() - began
    page.wait_for_timeout(2000)
    first = next(at for at, one in enumerate(asked) if "/preview" in one)
    before, whole = asked[:first], traffic.size(asked)
    began = time.perf_counter()
    page.reload()
    page.locator(".review-picture img").wait_for()
    return {
        "requests before the first picture": float(len(before)),
        "bytes before the first picture, kB": traffic.size(before),
        "bytes of the first screen, pictures included, kB": whole,
        "opened to first picture, s": shown,
        "reopened to first picture, s": time.perf_counter() - began,
    }


PAINTED = """(key) => new Promise((resolve) => {
  const picture = () => document.querySelector(".review-picture img");
  const before = picture(), began = performance.now();
  const there = () => picture() && picture() !== before && picture().complete && picture().naturalWidth;
  const since = () => performance.now() - began;
  // What is shown by then is in this frame; a task after it begins when the frame is painted.
  const told = () => requestAnimationFrame(() => { const drawn = since(); setTimeout(() => resolve([drawn, since()])); });
  const look = () => (there() ? told() : requestAnimationFrame(look));
  document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  look();
})"""  # noqa: E501


def decide_in_browser(page: Any, traffic: Traffic, count: int = 200) -> dict[str, float]:
    """Decide at five a second; returns key to next picture, and whether any was lost.

    The next picture is there when it is decoded and stands in the frame that is drawn next.
    """
    left = lambda: int(page.locator("[data-left] strong").inner_text().replace(",", ""))  # noqa: E731
    before, taken = left(), []
    traffic.asked.clear()
    for _ in range(count):
        began = time.perf_counter()
        taken.append(page.evaluate(PAINTED, "x"))
        time.sleep(max(0.0, 0.2 - (time.perf_counter() - began)))
    page.locator("[data-saved]", has_text=re.compile("^Saved$")).wait_for()
    drawn, painted = zip(*taken, strict=True)
    return {
        "key to next picture, median, ms": statistics.median(drawn),
        "key to next picture, 95th percentile, ms": float(np.percentile(drawn, 95)),
        "until its frame is painted, median, ms": statistics.median(painted),
        "until its frame is painted, 95th percentile, ms": float(np.percentile(painted, 95)),
        "requests a picture": len(traffic.asked) / count,
        f"decisions lost of {count}": float(count - (before - left())),
    }


def correct_twenty(page: Any, traffic: Traffic) -> dict[str, float]:
    """Correct twenty labels: a key when the next picture is shown, until all are saved."""
    traffic.asked.clear()
    began = time.perf_counter()
    for _ in range(20):
        page.evaluate(PAINTED, "a")
    page.locator("[data-saved]", has_text=re.compile("^Saved$")).wait_for()
    return {
        "20 labels corrected, s": time.perf_counter() - began,
        "20 labels corrected, requests": float(len(traffic.asked)),
    }


def see_from_elsewhere(page: Any, opened: Any, server: Server) -> dict[str, float]:
    """Return how long a second browser takes to see a decision of the first."""
    other = opened.new_context().new_page()
    other.goto(server.address)
    other.locator("[data-nav]").first.wait_for()
    other.goto(page.url)  # the same queue, which need not be the fullest any more
    other.locator(".review-picture img").wait_for()
    left = other.locator("[data-left] strong")
    other.wait_for_timeout(1500)
    before, began = left.inner_text(), time.perf_counter()
    page.keyboard.press("x")
    while left.inner_text() == before and time.perf_counter() - began < 20:
        other.wait_for_timeout(20)
    taken = time.perf_counter() - began
    other.context.close()
    return {"a second browser sees a decision, s": taken}


def jump(page: Any, server: Server, traffic: Traffic) -> dict[str, float]:
    """Go to the end of all pictures by one key, until every cell that is seen is filled."""
    page.goto(server.address.partition("?")[0] + "#/browse")
    page.locator(".cell img[src]").first.wait_for()
    page.wait_for_timeout(1500)
    nodes = page.evaluate("document.querySelectorAll('*').length")
    traffic.asked.clear()
    began = time.perf_counter()
    page.locator(".browse-stage").focus()
    page.keyboard.press("End")
    filled = """[...document.querySelectorAll('.cell:not([hidden]) img')]
        .every(image => image.naturalWidth)"""
    page.wait_for_timeout(60)
    while not page.evaluate(filled) and time.perf_counter() - began < 20:
        page.wait_for_timeout(20)
    return {
        "requests of a jump to the end": float(len(traffic.asked)),
        "jump filled, ms": 1e3 * (time.perf_counter() - began),
        "nodes after over before": page.evaluate("document.querySelectorAll('*').length") / nodes,
    }
