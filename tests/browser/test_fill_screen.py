"""Filling in a real browser: a precision is chosen, what it would write is seen and written."""

from __future__ import annotations

import pytest

from toy_collection import leave_some_to_fill, locate_by_hand
from vernis.session.session import Session

pytestmark = pytest.mark.browser


def labelled(collection) -> int:
    with Session.open(collection, read_only=True) as session:
        return int(session.matrix("kind").labelled.sum())


def test_labels_are_filled_at_a_precision_and_taken_back(open_page, server):
    bare = leave_some_to_fill(server.collection)
    with Session.open(server.collection) as session:
        (first,) = session.catalog.images.get(bare[:1])
        label = first.uri.split("/")[-2]  # what it shows
        assert locate_by_hand(session, first.uri, label) == first.id
    opened = open_page()
    page = opened.page
    opened.go("#/fill/kind")
    # The first look draws the curve; of 24 labels nothing stricter than 60 % can be promised.
    page.locator(".fill-stage .wall-cell img[src]").nth(5).wait_for()
    assert page.locator(".fill-title h2").inner_text() == "Be 60% sure"
    # Where one of the labels would be is framed, as large as the picture is shown.
    frame = page.locator(".wall-cell .place-frame")
    assert frame.count() == 1
    assert frame.get_attribute("aria-label") == f"where {label} is"
    over, under = frame.bounding_box(), frame.locator("xpath=preceding-sibling::img").bounding_box()
    assert over == under
    page.keyboard.press("h")
    assert frame.is_hidden()
    page.keyboard.press("h")
    assert "6 labels, at most about 2 of them wrong" in page.locator("[data-left]").inner_text()
    page.keyboard.press("c")
    opened.wait(lambda: page.locator(".fill-stage .wall-cell").count() == 2)
    page.keyboard.press("End")
    page.locator(".fill-held h2").wait_for()
    assert page.locator(".fill-held h2").inner_text() == "99% cannot be promised"
    assert page.locator(".fill-next .wall-cell").count() == 6
    page.keyboard.press("Enter")  # nothing is promised, so nothing is written
    page.keyboard.press("Home")
    page.locator(".fill-foot .key-button:not(:disabled)").wait_for()
    page.keyboard.press("Enter")
    opened.wait(lambda: labelled(server.collection) == 30)
    opened.wait(lambda: "6 labels of kind filled" in page.locator("[data-last]").inner_text())
    page.locator(".fill-foot .key-button:disabled").get_by_text("Nothing to fill").wait_for()
    page.keyboard.press("z")
    opened.wait(lambda: labelled(server.collection) == 24)
    page.locator(".fill-foot .key-button:not(:disabled)").wait_for()
