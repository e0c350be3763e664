"""Boxes by hand in a real browser: drawn, named, moved, resized, removed, taken back."""

from __future__ import annotations

import pytest

from toy_collection import locate_by_hand
from vernis.domain.region_store import NewRegion, RegionLabel
from vernis.domain.regions import Box, Region
from vernis.session.session import Session
from vernis.verbs.decide.boxes import boxes_of

pytestmark = pytest.mark.browser

PLACE = "#/image/{}?draw=1"
# Requests that are under way together overtake each other: here they always do.
EARLIER_IS_SLOWER = """() => {
    const { fetch } = window;
    let wait = 500;
    window.fetch = async (path, asked) => {
        if (path === "/api/undo") {
            wait = Math.max(0, wait - 100);
            await new Promise((done) => setTimeout(done, wait));
        }
        return fetch(path, asked);
    };
}"""


def image_id(collection, name: str) -> int:
    with Session.open(collection, read_only=True) as session:
        return next(image.id for image in session.images() if image.uri.endswith(name))


def stored(collection, image: int) -> list[tuple[str, bool, list[int]]]:
    """Return label, whether it holds, and rounded box of each region."""
    with Session.open(collection, read_only=True) as session:
        (record,) = session.catalog.images.get([image])
        rows = boxes_of(session, record)
        return [(row.label, row.holds, [round(side) for side in row.box]) for row in rows]


class Hand:
    """Draws on the layer in shares of its sides."""

    def __init__(self, page) -> None:
        self.page = page
        page.locator(".draw-layer").wait_for()
        page.locator(".image-frame img").wait_for()
        page.wait_for_timeout(300)

    def drag(self, x: float, y: float, to_x: float, to_y: float) -> None:
        seen = self.page.locator(".draw-layer").bounding_box()
        at = [
            (seen["x"] + u * seen["width"], seen["y"] + v * seen["height"])
            for u, v in ((x, y), (to_x, to_y))
        ]
        self.page.mouse.move(*at[0])
        self.page.mouse.down()
        self.page.mouse.move(*at[1], steps=3)
        self.page.mouse.up()


def near(box: list[int], expected: list[int]) -> bool:
    return all(abs(one - other) <= 12 for one, other in zip(box, expected, strict=True))


def test_a_box_is_drawn_named_moved_resized_removed_and_taken_back(open_page, server):
    image = image_id(server.collection, "00.jpg")  # 2400 x 1800
    opened = open_page()
    page = opened.page
    opened.go(PLACE.format(image))
    hand = Hand(page)
    hand.drag(0.1, 0.1, 0.4, 0.5)
    opened.wait(lambda: len(stored(server.collection, image)) == 1)
    (label, holds, box) = stored(server.collection, image)[0]
    classes = page.locator(".draw-class bdi").all_inner_texts()
    assert (label, holds) == (classes[0], True)
    assert near(box, [240, 180, 720, 720])
    page.keyboard.press(str(1 + classes.index("fish")))
    opened.wait(lambda: stored(server.collection, image)[0][0] == "fish")
    hand.drag(0.2, 0.3, 0.3, 0.3)  # inside the chosen one: it is moved
    opened.wait(lambda: near(stored(server.collection, image)[0][2], [480, 180, 720, 720]))
    hand.drag(0.5, 0.5, 0.6, 0.6)  # its lower right handle
    opened.wait(lambda: near(stored(server.collection, image)[0][2], [480, 180, 960, 900]))
    page.keyboard.press("Escape")
    hand.drag(0.7, 0.7, 0.9, 0.9)  # the last class repeats
    opened.wait(lambda: [one[0] for one in stored(server.collection, image)] == ["fish", "fish"])
    page.keyboard.press("x")
    opened.wait(lambda: len(stored(server.collection, image)) == 1)
    page.keyboard.press("ArrowRight")  # the next one is chosen: it goes right by a step
    opened.wait(lambda: stored(server.collection, image)[0][2][0] > 485)
    for left in (480, 480):
        page.keyboard.press("z")
        opened.wait(lambda left=left: abs(stored(server.collection, image)[0][2][0] - left) < 12)
    opened.wait(lambda: len(stored(server.collection, image)) == 2)
    page.evaluate(EARLIER_IS_SLOWER)
    for _ in range(5):
        page.keyboard.press("z")
    opened.wait(lambda: stored(server.collection, image) == [])


def test_what_a_model_proposes_is_accepted_by_a_key_and_the_next_picture_is_drawn_on(
    open_page, server
):
    image = image_id(server.collection, "01.jpg")
    with Session.open(server.collection) as session:
        said = (RegionLabel("tags", "tree", "yes", 0.8),)
        new = [
            NewRegion(image, Region(Box(x, 5, 20, 20), (97, 72)), said) for x in (5.0, 40.0, 70.0)
        ]
        session.catalog.regions.add(new, source="model:finder@1", verb="detect")
    opened = open_page()
    page = opened.page
    opened.go(PLACE.format(image))
    page.locator(".draw-layer .proposed").nth(2).wait_for()
    page.keyboard.press("a")
    opened.wait(lambda: [one[1] for one in stored(server.collection, image)].count(True) == 1)
    page.keyboard.press("A")
    opened.wait(lambda: all(one[1] for one in stored(server.collection, image)))
    page.keyboard.press("z")
    opened.wait(lambda: [one[1] for one in stored(server.collection, image)].count(True) == 1)
    page.keyboard.press("+")
    page.keyboard.press("*")
    shown = page.locator(".image-frame img")
    assert shown.evaluate("one => one.style.filter") == "brightness(110%) contrast(110%)"
    page.keyboard.press("n")
    opened.wait(lambda: page.locator(".draw-layer .image-box").count() == 0)
    assert shown.evaluate("one => one.style.filter") == "brightness(110%) contrast(110%)"
    page.keyboard.press("z")  # it goes back to the picture that it was done on
    opened.wait(lambda: page.locator(".draw-layer .proposed").count() == 3)
    page.keyboard.press("Escape")
    page.locator(".image-side h2 bdi").wait_for()


def test_a_heat_map_lies_over_the_picture(open_page, server):
    with Session.open(server.collection) as session:
        image = locate_by_hand(session, "01.jpg")
    opened = open_page()
    page = opened.page
    opened.go(f"#/image/{image}")
    page.locator(".image-frame img").wait_for()
    page.keyboard.press("m")
    canvas = page.locator("canvas.image-heat")
    canvas.wait_for()
    lit = """one => {
        const { data } = one.getContext("2d").getImageData(0, 0, one.width, one.height);
        const lit = data.filter((value, at) => at % 4 === 3 && value > 0).length;
        return [data[3], data[data.length - 1], lit];
    }"""
    first, last, count = canvas.evaluate(lit)
    assert first > 150
    assert (last, 300 < count < 600) == (0, True)
    page.keyboard.press("m")
    opened.wait(lambda: canvas.count() == 0)
