"""Wall and duplicates in a real browser: a page is decided at once, and taken back at once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from vernis.session.session import Session

pytestmark = pytest.mark.browser


def saved(opened) -> bool:
    return opened.page.locator("[data-saved]").inner_text() == "Saved"


def verdicts(collection: Path) -> Counter[str]:
    with Session.open(collection, read_only=True) as session:
        return Counter(issue.verdict for issue in session.catalog.issues.select(("label",), "kind"))


def test_a_page_of_the_wall_is_confirmed_as_one_batch_without_its_exceptions(open_page, server):
    opened = open_page()
    page = opened.page
    opened.go("#/wall/kind")
    page.locator(".wall-cell img[src]").first.wait_for()
    shown = page.locator(".wall-cell").count()
    name = page.locator(".wall-question bdi").inner_text()
    # the toy collection has two wrong birds or more: 0 and 12
    assert (name, shown) == ("bird", 2)
    page.keyboard.press("ArrowRight")
    page.keyboard.press(" ")
    assert page.locator('.wall-cell[aria-pressed="true"]').count() == 1
    page.keyboard.press("Enter")
    opened.wait(lambda: page.locator(".wall-question bdi").inner_text() != name)
    opened.wait(lambda: saved(opened))
    assert verdicts(server.collection) == {"open": 4, "accepted": 1}
    page.keyboard.press("z")
    opened.wait(lambda: verdicts(server.collection) == {"open": 5})
    opened.wait(lambda: "Taken back" in page.locator("[data-last]").inner_text())


def test_one_key_confirms_a_page_of_the_wall_and_keeps_what_is_marked(open_page, server):
    opened = open_page()
    page = opened.page
    opened.go("#/wall/kind")
    page.locator(".wall-cell img[src]").first.wait_for()
    both = page.get_by_role("button", name="Both")
    assert both.is_disabled()
    page.keyboard.press("ArrowRight")
    page.keyboard.press(" ")
    assert both.is_enabled()
    page.keyboard.press("c")
    decided = {"open": 3, "accepted": 1, "dismissed": 1}
    opened.wait(lambda: verdicts(server.collection) == decided)
    page.keyboard.press("z")
    opened.wait(lambda: verdicts(server.collection) == {"open": 5})
    opened.wait(lambda: page.locator('.wall-cell[aria-pressed="true"]').count() == 1)


def test_marked_suspects_keep_their_label(open_page, server):
    opened = open_page()
    page = opened.page
    opened.go("#/wall/kind")
    page.locator(".wall-cell").first.click()
    page.keyboard.press("x")
    opened.wait(lambda: verdicts(server.collection) == {"open": 4, "dismissed": 1})


def test_a_group_of_duplicates_is_decided_and_taken_back(open_page, server):
    opened = open_page()
    page = opened.page
    opened.go("#/duplicates")
    page.locator(".copy").nth(1).wait_for()
    assert page.locator(".copy.stays").count() == 1
    page.keyboard.press("k")  # the second image shall stay
    assert page.locator(".copy").nth(1).get_attribute("class") == "copy stays is-at"
    page.keyboard.press("Enter")
    page.locator(".copies.decided").wait_for()
    with Session.open(server.collection, read_only=True) as session:
        kept = session.catalog.issues.kept()
    assert len(kept) == 1
    page.keyboard.press("z")
    opened.wait(lambda: page.locator(".copies.decided").count() == 0)
    page.keyboard.press("ArrowRight")  # the one that stays cannot be set apart
    page.keyboard.press("x")
    page.keyboard.press("Enter")
    page.locator(".blank-page h2").wait_for()
    assert page.locator(".blank-page h2").inner_text() == "No duplicates here"


def test_two_pictures_flicker_in_one_place(open_page):
    opened = open_page()
    page = opened.page
    opened.go("#/duplicates")
    page.locator(".copy").nth(1).wait_for()
    page.keyboard.press("f")
    words = page.locator(".flicker-words")
    words.wait_for()
    seen: set[str] = set()
    opened.wait(lambda: len(seen.add(words.inner_text()) or seen) == 2)
    assert {text.split(":")[0] for text in seen} == {"Stays", "Copy"}
    page.keyboard.press("Escape")
    opened.wait(lambda: page.locator("dialog").count() == 0)


def test_a_screen_that_was_left_before_it_was_there_hears_no_key(open_page, server):
    opened = open_page()
    page = opened.page
    for _ in range(4):
        opened.go("#/review/kind")
        opened.go("#/wall/kind")
        page.keyboard.press("a")  # a key of the review: nothing that is not seen is decided
    page.locator(".wall-cell img[src]").first.wait_for()
    page.keyboard.press("a")
    page.wait_for_timeout(600)
    assert verdicts(server.collection) == {"open": 5}
