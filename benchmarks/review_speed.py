"""How many decisions a minute a person takes: one suspect after another against the wall.

    python benchmarks/review_speed.py [--suspects 240] [--reaction 0.3]

A collection is drawn in which a known share of the suspects is right as given. A scripted person
looks at each new thing on the screen for the reaction time, then presses one key:

* **single** (the screen Review): the picture and both labels are one thing; `a` or `x`.
* **wall** (the screen Wall): a page is looked at one picture after the other, but a picture that
  is as the others costs only a glance (`--glance`, default 0.1 s: a page is scanned, not read).
  Each exception costs the reaction time, the walk to it (arrow keys down and across, typed as fast
  as keys repeat) and Space; then one key confirms the page: `c`, or Enter where nothing is marked.

Both decide the same suspects with the same answers, which is checked in the ledger at the end; the
time is that of the browser's clock from the first picture that is seen to the last decision.
Needs the extras `app` and `browser`, and Chromium.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vernis.domain.types import Issue, Space, Statement, Taxonomy
from vernis.session.session import Session
from vernis.verbs.steps import index

SPACE = Space("toy", 8, "float32", {"layers": [["a", 8]]})
CLASSES = ("bird", "fish", "tree")
RIGHT = 0.1  # share of the suspects that are right as given
REPEAT = 0.03  # seconds between two repeats of a key that is held
PATIENCE = 120.0
ROW = "cells => cells.filter((cell) => cell.offsetTop === cells[0].offsetTop).length"


def draw(folder: Path, suspects: int, seed: int) -> tuple[Path, set[str]]:
    """Draw pictures in the colours of their class; returns the collection, and which are right."""
    rng = np.random.default_rng(seed)
    colours = {"bird": (60, 110, 200), "fish": (210, 120, 50), "tree": (60, 160, 80)}
    names = [f"{number:04}.jpg" for number in range(suspects)]
    right = {name for name in names if rng.random() < RIGHT}
    pictures, truth = folder / "pictures", {}
    pictures.mkdir()
    for number, name in enumerate(names):
        given, other = CLASSES[number % 3], CLASSES[(number + 1) % 3]
        truth[name] = given if name in right else other
        ground = rng.integers(-30, 30, (6, 8, 3)) + colours[truth[name]]
        shown = Image.fromarray(np.clip(ground, 0, 255).astype(np.uint8))
        shown.resize((640, 480), Image.Resampling.BICUBIC).save(pictures / name)
    home = folder / "bench.vernis"
    with Session.create(home) as session:
        index.work(session, index.Settings(paths=(pictures,), classes_from="none"))
        _judge(session, right)
    return home, right


def _judge(session: Session, right: set[str]) -> None:
    catalog, images = session.catalog, session.images()
    vectors = np.eye(3, 8, dtype="f4")[[int(image.uri[:4]) % 3 for image in images]]
    catalog.vectors.append(SPACE, [image.content_hash for image in images], vectors)
    session.use_space(SPACE)
    catalog.labels.define(Taxonomy("kind", "single", CLASSES))
    said, issues = [], []
    for image in images:
        number = int(image.uri[:4])
        given, other = CLASSES[number % 3], CLASSES[(number + 1) % 3]
        said.append(Statement(image.id, given, "yes"))
        evidence = {"change": "replaced", "given": [given], "suggested": [other]}
        # Whether it is right cannot be told from the probability: a person has to look.
        evidence["probability"] = 0.8
        issues.append(
            Issue("label", image.id, 0.1 + number / 1e4, taxonomy="kind", evidence=evidence)
        )
    catalog.labels.record("kind", said, source="given", verb="import")
    catalog.issues.replace(["label"], issues, "kind")


def serve(home: Path) -> tuple[subprocess.Popen[str], str]:
    """Start the server; returns its process and its address."""
    command = [sys.executable, "-m", "vernis", "serve", str(home), "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    found = re.search(r"http://127\.0\.0\.1:\d+/\?key=\w+", process.stdout.readline())
    assert found is not None
    return process, found[0]


def wait(holds: Any, page: Any) -> None:
    """Wait until a function is true."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it did not come to hold in time"
        page.wait_for_timeout(5)


def review(page: Any, right: set[str], reaction: float) -> float:
    """Decide one suspect after another; returns the seconds."""
    path = page.locator(".review-caption bdi")
    page.locator(".review-picture img").first.wait_for()
    started, last = time.monotonic(), ""
    while True:
        # The next is seen when its name stands there and its picture is decoded.
        wait(lambda before=last: path.inner_text() != before, page)
        last = path.inner_text()
        if not last:
            break
        time.sleep(reaction)
        page.keyboard.press("x" if last in right else "a")
    return time.monotonic() - started


def wall(page: Any, right: set[str], reaction: float, glance: float) -> float:
    """Decide page after page; returns the seconds."""
    page.locator(".wall-cell img[src]").first.wait_for()
    started, last = time.monotonic(), None

    def shown() -> list[str]:
        found: list[str] = page.locator(".wall-cell").evaluate_all(
            "cells => cells.map(cell => cell.title)"
        )
        return found

    while True:
        wait(lambda before=last: shown() != before, page)
        last = shown()
        if not last:
            break
        columns = page.locator(".wall-cell").evaluate_all(ROW)
        at = 0
        for number, name in enumerate(last):
            time.sleep(glance)
            if name not in right:
                continue
            time.sleep(reaction)
            down, across = number // columns - at // columns, number % columns - at % columns
            for key, times in (("Down", down), ("Right", across), ("Left", -across)):
                for _ in range(times):
                    page.keyboard.press(f"Arrow{key}")
                    time.sleep(REPEAT)
            at = number
            page.keyboard.press(" ")
        time.sleep(reaction)
        # The marked are right as given, all others become what is suggested.
        page.keyboard.press("c" if any(name in right for name in last) else "Enter")
    return time.monotonic() - started


def verdicts(home: Path, right: set[str]) -> Counter[tuple[bool, str]]:
    """Return how many suspects that are right, or wrong, have which verdict."""
    with Session.open(home, read_only=True) as session:
        uris = session.uris()
        issues = session.catalog.issues.select(("label",), "kind")
        return Counter((uris[one.image_id] in right, one.verdict) for one in issues)


def main() -> None:
    """Measure both ways on copies of one collection."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--suspects", type=int, default=240)
    parser.add_argument("--reaction", type=float, default=0.3, help="seconds")
    parser.add_argument("--glance", type=float, default=0.1, help="seconds a picture of a page")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--browser", default=shutil.which("chromium") or "chromium")
    given = parser.parse_args()
    found: dict[str, Any] = {"suspects": given.suspects, "reaction": given.reaction}
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        home, right = draw(Path(name), given.suspects, given.seed)
        found["right_as_given"] = len(right)
        browser = playwright.chromium.launch(
            executable_path=given.browser, args=["--no-sandbox", "--disable-gpu"]
        )
        for way in ("single", "wall"):
            own = Path(name) / way / "bench.vernis"
            shutil.copytree(home, own)
            process, address = serve(own)
            page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
            page.goto(address)
            page.locator("[data-nav]").first.wait_for()
            screen = "review" if way == "single" else "wall"
            page.goto(f"{address.partition('?')[0]}#/{screen}/kind")
            if way == "single":
                seconds = review(page, right, given.reaction)
            else:
                seconds = wall(page, right, given.reaction, given.glance)
            wait(lambda p=page: p.locator("[data-saved]").inner_text() == "Saved", page)
            page.close()
            process.terminate()
            process.wait(30)
            decided = verdicts(own, right)
            wrong = given.suspects - len(right)
            assert decided == {(True, "dismissed"): len(right), (False, "accepted"): wrong}
            found[way] = {"seconds": round(seconds, 1)}
            found[way]["a_minute"] = round(60 * given.suspects / seconds)
        browser.close()
    found["ratio"] = round(found["single"]["seconds"] / found["wall"]["seconds"], 2)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
