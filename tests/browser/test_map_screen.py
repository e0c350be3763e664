"""The map in a real browser: lit pixels, pictures, a stroke around some, colours."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from vernis.session.session import Session

pytestmark = pytest.mark.browser


def lit(opened) -> tuple[float, int]:
    """The share of the map's pixels that are not of the colour behind, and how many colours."""
    drawn = Image.open(io.BytesIO(opened.page.locator(".map-area").screenshot()))
    pixels = np.asarray(drawn.convert("RGB"), int)
    behind = np.median(pixels.reshape(-1, 3), axis=0)
    differs = np.abs(pixels - behind).sum(axis=2) > 24
    return float(differs.mean()), len(np.unique(pixels[differs] >> 5, axis=0))


def open_map(open_page, **options):
    opened = open_page(**options)
    opened.go("#/map")
    opened.page.locator(".map-grid img").first.wait_for()
    return opened


def draw_around(opened, left, top, right, bottom):
    box = opened.page.locator(".map-stage").bounding_box()
    at = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
    placed = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in at]
    opened.page.mouse.move(*placed[0])
    opened.page.mouse.down()
    for place in placed[1:]:
        opened.page.mouse.move(*place, steps=4)
    opened.page.mouse.up()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_points_are_drawn_and_pictures_where_there_is_room(open_page, mapped, theme):
    opened = open_map(open_page, color_scheme=theme)
    opened.wait(lambda: lit(opened)[0] > 0.04)  # pictures cover more than dots
    share, colors = lit(opened)
    assert share < 0.6
    assert colors > 8
    assert opened.page.locator("[data-left]").inner_text() == f"{mapped} pictures"


def test_a_stroke_selects_and_a_label_is_given_to_all_of_it(open_page, mapped, server):
    opened = open_map(open_page)
    page = opened.page
    page.keyboard.press("l")
    draw_around(opened, 0.02, 0.02, 0.98, 0.5)
    some = page.locator("[data-left]").inner_text()
    count = int(some.split()[0])
    assert some == f"{count} selected"
    assert 0 < count < mapped
    opened.wait(lambda: page.locator(".map-grid button").count() == count)
    page.keyboard.press("a")
    page.locator(".picker input").fill("kind: bird")
    page.keyboard.press("Enter")
    page.locator(".toast", has_text=f"Gave bird to {count} pictures").wait_for()
    with Session.open(server.collection, read_only=True) as session:
        newest = session.catalog.history.batches(1)[0]
    assert newest["verb"] == "label"
    assert f"{count} images" in newest["note"]
    page.keyboard.press("Escape")
    assert page.locator("[data-left]").inner_text() == f"{mapped} pictures"


def test_colours_classes_and_the_filter_leave_some(open_page, mapped):
    opened = open_map(open_page)
    page = opened.page
    names = page.locator(".map-legend bdi").all_inner_texts()
    assert {"bird", "fish", "tree"} <= set(names)
    page.locator(".map-legend button", has_text="bird").click()
    assert page.locator("[data-left]").inner_text().endswith(f"of {mapped} pictures")
    page.keyboard.press("c")
    page.locator(".map-legend bdi").first.wait_for()
    page.get_by_label("Filter").fill("kind:fish")
    page.keyboard.press("Enter")
    opened.wait(lambda: " of " in page.locator("[data-left]").inner_text())
    opened.wait(lambda: "where=kind" in page.url)
    page.keyboard.press("b")
    opened.wait(lambda: "#/browse" in page.url and "where=kind" in page.url)


def test_the_grid_and_the_map_point_at_each_other(open_page, mapped):
    opened = open_map(open_page)
    page = opened.page
    cell = page.locator(".map-grid button").nth(2)
    cell.click()
    assert cell.get_attribute("class") == "is-at"
    page.locator(".map-told", has_text=".").wait_for()
    page.locator(".map-head h2, .map-count").first.click()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    opened.wait(lambda: "#/image/" in page.url)


@pytest.mark.parametrize("lacks", ["canvas", "webgl"])
def test_without_webgl_it_is_said(open_page, mapped, lacks):
    opened = open_page()
    page = opened.page
    if lacks == "canvas":
        page.evaluate("HTMLCanvasElement.prototype.transferControlToOffscreen = undefined")
    else:

        def without(route):
            answer = route.fetch()
            lost = "OffscreenCanvas.prototype.getContext = () => null;"
            route.fulfill(response=answer, body=lost + answer.text())

        page.route("**/map-gl.mjs", without)
    page.evaluate("location.hash = '#/map'")
    page.get_by_text("draws no WebGL2").wait_for()
