"""A random sample that is judged in the browser, without seeing what it is labelled with."""

from __future__ import annotations

import pytest

from vernis.session.session import Session
from vernis.verbs.lab.judging import JudgedSoFar

pytestmark = pytest.mark.browser


def judged(collection) -> dict[str, tuple[str, ...]]:
    with Session.open(collection, read_only=True) as session:
        found = session.results.find("judging:kind", JudgedSoFar)
        return {} if found is None else dict(found.judged)


def test_a_sample_is_judged_by_digits_and_recorded(open_page, server):
    opened = open_page()
    page = opened.page
    opened.go("#/image?judge=kind")
    page.locator("dialog input[type=number]").wait_for()
    page.keyboard.type("4")
    page.keyboard.press("Enter")
    left = page.locator("[data-left]")
    opened.wait(lambda: left.count() == 1 and left.inner_text() == "0 of 4 judged")
    page.locator(".image-frame img").wait_for()
    # Neither its name nor its labels are told.
    assert page.locator(".image-neighbors").is_hidden()
    assert ".jpg" not in page.locator(".image").inner_text()
    for count, key in enumerate(("1", "2", "0", "3"), 1):
        page.keyboard.press(key)
        opened.wait(lambda count=count: left.inner_text() == f"{count} of 4 judged")
        opened.wait(lambda count=count: len(judged(server.collection)) == count)
        page.wait_for_timeout(150)
    assert sorted(judged(server.collection).values()) == [(), ("bird",), ("fish",), ("tree",)]
    page.keyboard.press("z")
    opened.wait(lambda: left.inner_text() == "3 of 4 judged")
    page.reload()  # what was judged is kept
    opened.wait(lambda: left.count() == 1 and left.inner_text() == "3 of 4 judged")
    page.locator(".image-frame img").wait_for()
    page.keyboard.press("3")
    opened.wait(lambda: left.inner_text() == "4 of 4 judged")
    page.keyboard.press("r")
    page.get_by_text("What the labels are worth").wait_for()
    with Session.open(server.collection, read_only=True) as session:
        carried = session.catalog.labels.images_said_by("kind", "human")
        assert len(carried) == 3  # one of the four carries none
