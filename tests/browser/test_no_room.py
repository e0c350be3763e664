"""A server without room on its disk: the decision is shown as not saved, kept, and sent again."""

from __future__ import annotations

import json

import pytest

from vernis.session.session import Session

pytestmark = pytest.mark.browser


def test_a_decision_that_the_server_cannot_keep_stays_here_until_it_can(open_page, server):
    opened = open_page()
    page = opened.page
    page.locator(".review-picture img").wait_for()
    told = {"error": "catalog.sqlite: database or disk is full", "kind": "StorageError"}
    asked = []

    def refuse(route):
        asked.append(route.request.url)
        route.fulfill(status=507, content_type="application/json", body=json.dumps(told))

    page.route("**/api/decisions", refuse)
    first = page.locator("[data-left] strong").inner_text()
    page.keyboard.press("x")
    opened.wait(lambda: page.locator("[data-left] strong").inner_text() != first)  # nobody waits
    page.locator("[data-saved]", has_text="1 kept here").wait_for()
    page.reload()
    page.locator("[data-saved]", has_text="1 kept here").wait_for()
    page.unroute("**/api/decisions")
    opened.wait(lambda: page.locator("[data-saved]").inner_text() == "Saved")
    assert asked
    with Session.open(server.collection, read_only=True) as session:
        verdicts = [one.verdict for one in session.catalog.issues.select(("label",), "kind")]
    assert verdicts.count("dismissed") == 1
    opened.complaints[:] = [one for one in opened.complaints if "507" not in one]
