"""How long a practised person takes to draw boxes on some images, in the app.

    python benchmarks/box_speed.py [--images 50] [--boxes 3] [--reaction 0.3] [--drag 0.8]

A scripted person looks at each new picture for three reaction times, then draws every box: a
reaction time, and a drag that takes `--drag` seconds; every second box is of another class than the
one before, which is one more reaction time and a digit; then `n` for the next picture. The time is
the wall's clock from the first picture to the last box that is saved; what the app adds is what
the person's own times leave of it. Needs the extras `app` and `browser`, and Chromium.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from review_speed import draw, serve, wait
from vernis.session.session import Session

STEPS = 12  # of the mouse in a drag


def draw_boxes(page: Any, n_images: int, n_boxes: int, reaction: float, drag: float) -> float:
    """Draw, and return the seconds that the person took of it."""
    person = 0.0
    for image in range(n_images):
        page.locator(".draw-layer").wait_for()
        wait(lambda: page.evaluate(SHOWN), page)
        time.sleep(3 * reaction)
        person += 3 * reaction
        seen = page.locator(".draw-layer").bounding_box()
        for box in range(n_boxes):
            time.sleep(reaction)
            left, top = 0.08 + 0.3 * (box % 3), 0.1 + 0.28 * (box // 3)
            at = (seen["x"] + left * seen["width"], seen["y"] + top * seen["height"])
            page.mouse.move(*at)
            page.mouse.down()
            for step in range(1, STEPS + 1):
                time.sleep(drag / STEPS)
                page.mouse.move(at[0] + step * 10, at[1] + step * 8)
            page.mouse.up()
            person += reaction + drag
            if box % 2:
                time.sleep(reaction)
                person += reaction
                page.keyboard.press(str(1 + (image + box) % 3))
            page.keyboard.press("Escape")  # no box is chosen: the next drag draws
        time.sleep(reaction)
        person += reaction
        page.keyboard.press("n")
    wait(lambda: page.locator("[data-saved]").inner_text() == "Saved", page)
    return person


SHOWN = """(() => { const image = document.querySelector(".image-frame img");
  return Boolean(image && image.complete && image.naturalWidth); })()"""


def count_boxes(home: Path) -> int:
    """Return how many regions the collection holds."""
    with Session.open(home, read_only=True) as session:
        return len(session.catalog.regions.table())


def main() -> None:
    """Draw boxes on the first images of a drawn collection."""
    from playwright.sync_api import sync_playwright

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=50)
    parser.add_argument("--boxes", type=int, default=3)
    parser.add_argument("--reaction", type=float, default=0.3)
    parser.add_argument("--drag", type=float, default=0.8)
    parser.add_argument("--browser", default=shutil.which("chromium") or "chromium")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        home, _ = draw(Path(name), given.images + 1, 0)
        browser = playwright.chromium.launch(
            executable_path=given.browser, args=["--no-sandbox", "--disable-gpu"]
        )
        process, address = serve(home)
        page = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
        page.goto(address)
        page.locator("[data-nav]").first.wait_for()
        page.goto(f"{address.partition('?')[0]}#/image/1?draw=1")
        page.locator(".draw-layer").wait_for()
        page.locator("select", has=page.locator("option[value=kind]")).select_option("kind")
        page.wait_for_timeout(300)
        began = time.monotonic()
        person = draw_boxes(page, given.images, given.boxes, given.reaction, given.drag)
        wanted = given.images * given.boxes
        wait(lambda: count_boxes(home) >= wanted, page)
        seconds = time.monotonic() - began
        browser.close()
        process.terminate()
        process.wait(30)
    print(f"{wanted} boxes on {given.images} images in {seconds / 60:.1f} minutes")
    print(
        f"a box takes {seconds / wanted:.2f} s, of which the app {(seconds - person) / wanted:.2f}"
    )
    print(
        f"50 images with {given.boxes} boxes each: {seconds / given.images * 50 / 60:.1f} minutes"
    )


if __name__ == "__main__":
    main()
