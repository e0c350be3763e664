"""The grid and one picture in a real browser."""

from __future__ import annotations

import re
import struct

import pytest

pytestmark = pytest.mark.browser


def test_the_grid_shows_filters_walks_and_opens_a_picture(open_page):
    opened = open_page()
    page = opened.page
    opened.go("#/browse")
    page.locator(".cell img[src]").first.wait_for()
    count = page.locator("[data-left]")
    assert count.inner_text() == "1 of 30"
    page.keyboard.press("End")
    opened.wait(lambda: count.inner_text() == "30 of 30")
    page.locator(".facet", has_text="bird").first.click()
    opened.wait(lambda: "30 in all" in count.inner_text())
    opened.wait(lambda: "where=kind%3Abird" in page.evaluate("location.hash"))
    page.locator(".cell").first.click()
    page.keyboard.press("Shift+ArrowRight")
    opened.wait(lambda: page.locator(".browse-chosen strong").inner_text() == "2 selected")
    page.keyboard.press("Escape")
    assert page.locator(".browse-chosen").is_hidden()
    page.keyboard.press("Enter")
    page.locator(".image-frame img").wait_for()
    first = page.locator(".image-side h2").inner_text()
    page.keyboard.press("ArrowRight")
    opened.wait(lambda: page.locator(".image-side h2").inner_text() != first)
    page.keyboard.press("Escape")
    page.locator(".cell img[src]").first.wait_for()


def test_a_wrong_filter_is_told_and_the_pictures_stay(open_page):
    opened = open_page()
    page = opened.page
    opened.go("#/browse")
    page.locator(".cell img[src]").first.wait_for()
    page.keyboard.press("/")
    page.keyboard.type("kind:(")
    page.keyboard.press("Enter")
    opened.wait(lambda: page.locator(".browse-complaint").inner_text() != "")
    assert page.locator(".cell img[src]").count() > 10
    opened.complaints.clear()  # the browser itself tells of the refused request


def test_a_selection_gets_a_label_and_undo_takes_it_back(open_page):
    opened = open_page()
    page = opened.page
    opened.go("#/browse")
    page.locator(".cell img[src]").first.wait_for()
    page.locator(".cell").first.click()
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("l")
    page.locator("dialog.picker input").wait_for()
    page.keyboard.type("tags: tree")
    page.keyboard.press("Enter")
    toast = page.locator(".toast", has_text="tree given to 2 images")
    toast.wait_for()
    toast.get_by_role("button", name="Undo").click()
    page.keyboard.press("Enter")
    page.locator(".image-side h2").wait_for()
    opened.wait(lambda: "tree" in page.locator(".image-list.small").inner_text())


def test_pictures_like_some_and_not_like_others_are_found(open_page):
    opened = open_page()
    page = opened.page
    opened.go("#/browse?where=kind:tree")
    page.locator(".cell img[src]").first.wait_for()
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("s")
    page.locator(".browse-example").nth(1).wait_for()
    opened.wait(lambda: "like=" in page.evaluate("location.hash"))
    cells = page.locator(".cell-words")
    opened.wait(lambda: re.match(r"[01]\.\d\d", cells.first.inner_text()) is not None)
    page.keyboard.press("End")
    page.keyboard.press("S")
    opened.wait(lambda: page.locator(".browse-example").count() == 3)
    opened.wait(lambda: "unlike=" in page.evaluate("location.hash"))
    page.reload()
    page.locator(".browse-example").nth(2).wait_for()  # the address tells all of it
    page.locator(".browse-example").first.click()
    opened.wait(lambda: page.locator(".browse-example").count() == 2)
    page.keyboard.press("Escape")
    opened.wait(lambda: page.locator(".browse-examples").is_hidden())
    page.keyboard.press("Enter")
    page.locator(".image-frame img").wait_for()
    page.keyboard.press("s")
    opened.wait(lambda: page.locator(".browse-example").count() == 1)


DROP = """() => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array([255, 216, 255])], "mine.jpg", { type: "image/jpeg" }));
  const stage = document.querySelector(".browse-stage");
  const send = (kind) => stage.dispatchEvent(new DragEvent(kind, { bubbles: true, cancelable: true, dataTransfer: data }));
  send("dragenter");
  const shown = stage.classList.contains("dropping");
  return shown && !send("dragover") && !send("drop") && !stage.classList.contains("dropping");
}"""  # noqa: E501


def test_a_picture_that_is_dropped_is_sent_and_searched_by(open_page):
    """The toy collection has no network: what the server makes of the picture stands in for it."""
    opened = open_page()
    page = opened.page
    sent = []

    def take(route):
        sent.append((route.request.headers["content-type"], route.request.post_data_buffer))
        route.fulfill(status=200, content_type="application/json", body='{"name": "sent:abc"}')

    def answer(route):
        ids = [7, 3, 5]
        body = struct.pack("<3I3f", *ids, 0.9, 0.8, 0.7)
        route.fulfill(status=200, content_type="application/octet-stream", body=body)

    page.route("**/api/examples", take)
    page.route("**/api/similar?*", answer)
    opened.go("#/browse")
    page.locator(".cell img[src]").first.wait_for()
    assert page.evaluate(DROP)
    opened.wait(lambda: page.locator(".browse-example").count() == 1)
    opened.wait(lambda: page.locator(".cell:not([hidden])").count() == 3)
    assert sent == [("image/jpeg", b"\xff\xd8\xff")]
    first = page.locator(".cell:not([hidden]) .cell-words").first
    opened.wait(lambda: first.inner_text().startswith("0.90"))
    opened.wait(lambda: "like=sent" in page.url)
