"""Quality in a real browser: a page of one fault is confirmed with its exceptions as one batch."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from vernis.session.session import Session

pytestmark = pytest.mark.browser


def verdicts(collection: Path) -> Counter[str]:
    with Session.open(collection, read_only=True) as session:
        return Counter(issue.verdict for issue in session.catalog.issues.select(("blurry",), ""))


def test_a_page_is_confirmed_and_the_marked_ones_are_fine(open_page, server):
    opened = open_page()
    page = opened.page
    page.keyboard.press("g")
    page.keyboard.press("q")
    page.locator(".wall-cell img[src]").nth(1).wait_for()
    assert page.locator(".wall-question").inner_text() == "Are these all blurry?"
    page.keyboard.press("f")
    page.locator("dialog.wall-large img").wait_for()
    page.keyboard.press("f")
    opened.wait(lambda: page.locator("dialog").count() == 0)
    page.keyboard.press(" ")
    told = page.locator(".key-button.yes").inner_text()
    assert "Confirm: 1 is blurry, 1 is not" in told
    page.keyboard.press("Enter")
    opened.wait(lambda: verdicts(server.collection) == {"accepted": 1, "dismissed": 1})
    page.get_by_text("Nothing is left here").wait_for()
    page.keyboard.press("z")
    opened.wait(lambda: verdicts(server.collection) == {"open": 2})
    opened.wait(lambda: page.locator('.wall-cell[aria-pressed="true"]').count() == 1)
    page.keyboard.press("o")
    page.locator(".image-picture img").wait_for()
