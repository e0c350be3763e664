"""What a browser has to fetch before the first picture is there."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.browser

MOST_REQUESTS = 12
MOST_BYTES = 60_000


def test_few_small_requests_come_before_the_first_picture(open_page, server):
    opened = open_page()
    opened.page.locator(".review-picture img").wait_for()
    opened.page.goto("about:blank")
    session = opened.page.context.new_cdp_session(opened.page)
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    asked: list[str] = []
    sizes: dict[str, float] = {}
    names: dict[str, str] = {}

    def note(event):
        asked.append(event["request"]["url"])
        names[event["requestId"]] = event["request"]["url"]

    session.on("Network.requestWillBeSent", note)
    session.on(
        "Network.loadingFinished",
        lambda event: sizes.__setitem__(
            names.get(event["requestId"], ""), event["encodedDataLength"]
        ),
    )
    opened.page.goto(server.address)
    opened.page.locator(".review-picture img").wait_for()
    opened.wait(lambda: any("/preview" in url for url in sizes))
    first = next(at for at, url in enumerate(asked) if "/preview" in url)
    before = [url for url in asked[:first] if not url.endswith("icon.svg")]
    assert len(before) <= MOST_REQUESTS, before
    assert len(set(before)) == len(before)
    assert 0 < sum(sizes.get(url, 0) for url in before) <= MOST_BYTES


def test_no_cell_of_the_grid_shows_an_original(open_page, server):
    opened = open_page()
    opened.page.goto("about:blank")
    opened.requests.clear()
    opened.go("#/browse")
    opened.page.locator(".cell img[src]").first.wait_for()
    opened.wait(
        lambda: opened.page.evaluate(
            "[...document.querySelectorAll('.cell img[src]')].every(image => image.naturalWidth)"
        )
    )
    largest = "Math.max(...[...document.querySelectorAll('.cell img[src]')].map(image => "
    largest += "Math.max(image.naturalWidth, image.naturalHeight)))"
    assert 0 < opened.page.evaluate(largest) <= 192
    assert [url for url in opened.requests if "/preview" in url] == []
