"""Names that are markup, in every screen: they are texts, and the page's policy holds.

Files, classes, taxonomies, clusters, people and batches bear them: what Label Studio let through
(CVE-2023-47115, CVE-2024-26152, CVE-2025-25296, CVE-2025-47783).
"""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest

from vernis.domain.types import Statement, Taxonomy
from vernis.session.session import Session

pytestmark = pytest.mark.browser

EVIL = "<img src=x onerror=window.hit=1><script>window.hit=1</script>\"'&"
HIT = """() => [window.hit === undefined, document.querySelectorAll("img[src=x], [onerror]").length,
  [...document.scripts].every((one) => one.src)]"""
INLINE = """() => { const script = document.createElement("script");
  script.textContent = "window.hit = 1"; document.head.append(script);
  return window.hit === undefined; }"""


def rename(folder: Any) -> None:
    """Give everything of a toy collection that has a name one that is markup."""
    with sqlite3.connect(folder / "catalog.sqlite") as ledger:
        ledger.execute("UPDATE image SET uri = ? || uri", (EVIL.replace("/", "") + "/",))
        ledger.execute("UPDATE class SET name = ? || name", (EVIL,))
        ledger.execute("UPDATE issue SET evidence = replace(evidence, 'bird', ?)",
                       ("bird" + EVIL.replace('"', ""),))  # fmt: skip
    ledger.close()
    with Session.open(folder) as session:
        session.catalog.labels.define(Taxonomy(EVIL, "single", (EVIL,)))
        image = session.images()[0].id
        session.catalog.labels.record(
            EVIL, [Statement(image, EVIL, "yes")], source=f"human:{EVIL}", verb="label", note=EVIL
        )


def test_no_name_becomes_markup_on_any_screen(open_page, mapped, screens, server):
    server.end()
    rename(server.collection)
    server.start()
    opened = open_page()
    page = opened.page
    seen = 0
    for name in screens:
        opened.go(f"#/{name}/1" if name == "image" else f"#/{name}")
        page.locator(f".screen-host[data-screen={name}] > *").first.wait_for()
        page.wait_for_timeout(700)
        assert (name, page.evaluate(HIT)) == (name, [True, 0, True])
        seen += EVIL[:20] in page.locator("body").inner_text()
    assert seen >= 5  # the names are shown, as they are
    assert page.evaluate(INLINE)
    opened.complaints[:] = [
        one
        for one in opened.complaints
        if "Content Security Policy" not in one and "404" not in one  # files have other names
    ]
