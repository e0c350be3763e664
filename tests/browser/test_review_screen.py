"""The review screen in a real browser: each key, undo, two windows, a server that is gone."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from vernis.session.session import Session

pytestmark = pytest.mark.browser


def left(opened) -> int:
    return int(opened.page.locator("[data-left] strong").inner_text().replace(",", ""))


def given(opened) -> str:
    return opened.page.locator(".review-change .chip").first.inner_text().lstrip("− ")


def review(open_page, **options):
    opened = open_page(**options)
    opened.go("#/review/kind")
    opened.page.locator(".review-picture img").wait_for()
    opened.wait(lambda: "?issue=" in opened.page.url)
    return opened


def saved(opened) -> bool:
    return opened.page.locator("[data-saved]").inner_text() == "Saved"


def verdicts(collection: Path) -> dict[str, int]:
    with Session.open(collection, read_only=True) as session:
        found = session.catalog.issues.select(("label",), "kind")
    counts: dict[str, int] = {}
    for issue in found:
        counts[issue.verdict] = counts.get(issue.verdict, 0) + 1
    return counts


def test_the_first_screen_is_the_worst_suspect_with_what_speaks_for_each_label(open_page):
    opened = open_page()
    page = opened.page
    page.locator(".review-picture img").wait_for()
    opened.wait(lambda: "#/review/kind?issue=" in page.url)
    assert left(opened) == 5
    assert page.locator(".review-change").inner_text().split() == ["fish", "→", "bird"]
    page.locator(".witness-pictures img").nth(9).wait_for()
    titles = page.locator(".witness-title").all_inner_texts()
    assert titles == ["Likest that are fish, as given", "Likest that are bird, as suggested"]
    assert page.locator(".class-row .name").all_inner_texts() == ["bird", "fish", "tree"]
    widths = "[...document.images].map(image => image.complete ? image.naturalWidth : 0)"
    opened.wait(lambda: min(page.evaluate(widths)) > 0)
    assert page.evaluate("document.cookie") == ""


def test_one_key_a_decision_and_z_takes_it_back(open_page, server):
    opened = review(open_page)
    press = opened.page.keyboard.press
    first = opened.page.url
    press("a")
    assert left(opened) == 4
    assert opened.page.locator("[data-last]").inner_text() == "Last: fish → bird"
    press("x")
    press("3")
    assert left(opened) == 2
    opened.wait(lambda: saved(opened))
    assert verdicts(server.collection) == {"accepted": 2, "dismissed": 1, "open": 2}
    for expected in (3, 4, 5):
        press("z")
        opened.wait(lambda expected=expected: left(opened) == expected)
    opened.wait(lambda: opened.page.url == first)
    assert verdicts(server.collection) == {"open": 5}


def test_skipped_and_unsure_ones_are_not_decided(open_page, server):
    opened = review(open_page)
    first = opened.page.url
    opened.page.keyboard.press("s")
    opened.wait(lambda: opened.page.url != first)
    for _ in range(4):
        opened.page.keyboard.press("u")
    opened.wait(lambda: opened.page.url == first)
    opened.page.keyboard.press("u")
    opened.page.get_by_role("button", name="Bring back 5 set aside").wait_for()
    opened.wait(lambda: opened.page.locator("[data-saved]").inner_text() == "Saved")
    opened.page.reload()  # it stands in the ledger, not in the browser
    opened.page.get_by_role("button", name="Bring back 5 set aside").click()
    opened.page.locator(".review-change").wait_for()
    assert left(opened) == 5
    assert verdicts(server.collection) == {"open": 5}


def test_a_class_is_typed(open_page, server):
    opened = review(open_page)
    opened.page.keyboard.press("t")
    opened.page.keyboard.type("tr")
    opened.page.keyboard.press("Enter")
    last = opened.page.locator("[data-last]")
    opened.wait(lambda: last.inner_text() == "Last: fish → tree")
    opened.page.keyboard.press("?")
    keys = opened.page.locator("dialog.help")
    assert "take the last decision back" in keys.inner_text()
    opened.page.keyboard.press("a")  # a dialog is open: no decision
    opened.page.keyboard.press("Escape")
    assert left(opened) == 4


def test_decisions_outlive_a_reload_and_a_server_that_is_gone(open_page, server):
    opened = review(open_page)
    server.end(signal.SIGKILL)
    for key in "axa":
        opened.page.keyboard.press(key)
    assert left(opened) == 2
    shown = opened.page.locator("[data-saved]")
    opened.wait(lambda: "kept here" in shown.inner_text())
    server.start()
    opened.wait(lambda: saved(opened))
    assert verdicts(server.collection) == {"accepted": 2, "dismissed": 1, "open": 2}
    opened.page.reload()
    opened.page.locator(".review-picture img").wait_for()
    assert left(opened) == 2
    opened.complaints.clear()  # the browser tells of each request that failed


def test_two_windows_see_one_another(open_page, server):
    one = review(open_page)
    other = review(open_page)
    one.page.keyboard.press("a")
    other.wait(lambda: left(other) == 4)
    other.wait(lambda: one.page.url == other.page.url)
    assert "Decided in another window" in other.page.locator("[data-toasts]").inner_text()


def test_what_another_window_decides_is_counted_though_it_is_not_at_hand_here(open_page, server):
    one, other = review(open_page), open_page()

    def give_two(route):
        answer = route.fetch()
        told = answer.json()
        route.fulfill(response=answer, json={**told, "items": told["items"][:2], "next": None})

    other.page.route("**/api/queue?*", give_two)
    other.page.reload()
    other.page.locator(".review-picture img").wait_for()
    assert left(other) == 5
    for key in "sssa":
        one.page.keyboard.press(key)
    other.wait(lambda: left(other) == 4)


def test_what_the_command_line_decides_appears_by_itself(open_page, server):
    from vernis.verbs.decide.decisions import dismiss_issues

    opened = review(open_page)
    with Session.open(server.collection) as session:
        issues = session.catalog.issues.select(("label",), "kind")[3:]
        dismiss_issues(session.catalog, issues, who="bob")
    opened.wait(lambda: left(opened) == 3)


def test_the_last_one_leads_on(open_page):
    opened = review(open_page)
    for _ in range(5):
        opened.page.keyboard.press("x")
    assert "Nothing is left here" in opened.page.locator(".review-picture").inner_text()
    opened.page.get_by_role("button", name="Go on with Blurry (2)").click()
    opened.page.locator(".chip", has_text="blurry").wait_for()
    opened.page.keyboard.press("a")
    assert left(opened) == 1


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280, 3840])
def test_nothing_lies_outside_the_window(open_page, theme, width):
    opened = review(open_page, viewport={"width": width, "height": 800}, color_scheme=theme)
    page = opened.page
    page.locator(".witness-pictures img").nth(9).wait_for()
    wide = page.evaluate(
        "[...document.querySelectorAll('.screen-host *, .bar-end *')]"
        ".filter(e => e.getBoundingClientRect().right > innerWidth + 1).map(e => e.className)"
    )
    assert wide == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    picture = page.locator(".review-picture img").bounding_box()
    stage = page.locator(".review-picture").bounding_box()
    for start, length in (("x", "width"), ("y", "height")):
        assert picture[start] >= stage[start]
        assert picture[start] + picture[length] <= stage[start] + stage[length] + 1
