"""Merges, clusters, brands in a real browser: each is decided by a key and taken back."""

from __future__ import annotations

import pytest

from toy_collection import misspell_some, read_brands
from vernis.session.session import Session

pytestmark = pytest.mark.browser


def carried(collection, taxonomy: str, label: str) -> int:
    with Session.open(collection, read_only=True) as session:
        if taxonomy not in {one.name for one in session.taxonomies()}:
            return 0
        matrix = session.matrix(taxonomy)
        column = matrix.taxonomy.classes.index(label)
        return int((matrix.values[:, column] == 1).sum())


def test_labels_are_merged_turned_round_and_kept_apart(open_page, server):
    with Session.open(server.collection) as session:
        misspell_some(session)
    opened = open_page()
    page = opened.page
    opened.go("#/merges/tags")
    card = page.locator(".card")
    card.locator("img[src]").nth(8).wait_for()
    assert card.locator(".chip").all_inner_texts() == ["Birds", "bird"]
    page.keyboard.press("w")
    assert card.locator(".chip").all_inner_texts() == ["bird", "Birds"]
    page.keyboard.press("w")
    page.keyboard.press("a")
    page.locator(".blank-page h2").wait_for()
    opened.wait(lambda: carried(server.collection, "tags", "Birds") == 0)
    page.keyboard.press("z")
    card.wait_for()
    opened.wait(lambda: carried(server.collection, "tags", "Birds") == 3)
    page.keyboard.press("x")
    page.get_by_text("1 were judged to be different things").wait_for()
    assert card.count() == 0
    page.keyboard.press("z")
    card.wait_for()


def test_a_cluster_is_named_and_becomes_a_class(open_page, server):
    opened = open_page()
    page = opened.page
    page.keyboard.press("g")
    page.keyboard.press("c")
    page.get_by_text("Nobody has looked for clusters yet").wait_for()
    page.keyboard.press("r")
    page.locator(".card img[src]").first.wait_for()
    count = page.locator(".card").count()
    page.keyboard.press("t")
    page.keyboard.type("swimmers")
    page.keyboard.press("Enter")
    opened.wait(lambda: carried(server.collection, "clusters", "swimmers") > 0)
    opened.wait(lambda: page.locator(".card").count() == count - 1)
    page.keyboard.press("s")  # the next one is left
    opened.wait(lambda: page.locator(".card").count() == count - 2)
    page.keyboard.press("z")
    page.keyboard.press("z")
    opened.wait(lambda: page.locator(".card").count() == count)
    opened.wait(lambda: carried(server.collection, "clusters", "swimmers") == 0)


def test_a_brand_that_is_read_is_taken_or_not(open_page, server):
    with Session.open(server.collection) as session:
        read_brands(session)
    birds = carried(server.collection, "kind", "bird")
    opened = open_page()
    page = opened.page
    opened.go("#/brands/kind")
    card = page.locator(".card")
    card.locator(".reading-crop img").wait_for()
    crop = card.locator(".reading-crop img")
    opened.wait(lambda: crop.evaluate("one => one.naturalWidth") > 0)
    assert card.locator(".chip").all_inner_texts() == ["fish", "bird"]
    page.keyboard.press("a")
    opened.wait(lambda: carried(server.collection, "kind", "bird") == birds + 1)
    page.get_by_text("No label differs from what is read").wait_for()
    page.keyboard.press("z")
    card.wait_for()
    opened.wait(lambda: carried(server.collection, "kind", "bird") == birds)
    page.keyboard.press("v")
    page.get_by_text("1 without a label in which one brand is read").wait_for()
    page.keyboard.press("x")
    page.get_by_text("No missing label can be read").wait_for()
