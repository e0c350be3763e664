"""Every screen by axe, in both themes: nothing serious."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
RUN = """axe.run(document, {resultTypes: ["violations"]}).then((found) => found.violations
  .filter((one) => ["serious", "critical"].includes(one.impact))
  .map((one) => [one.id, ...one.nodes.slice(0, 3).map((node) => node.html.slice(0, 99))].join(" ")))
"""


def find_axe() -> Path | None:
    """Return axe-core: ``VERNIS_AXE``, or what npm has laid below ``.ci``. It is not shipped."""
    named = os.environ.get("VERNIS_AXE")
    path = Path(named) if named else ROOT / ".ci/node_modules/axe-core/axe.min.js"
    return path if path.is_file() else None


@pytest.fixture(scope="module")
def axe() -> str:
    path = find_axe()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("there is no axe-core here; set VERNIS_AXE")
        pytest.skip("there is no axe-core here (VERNIS_AXE names it; make types fetches it)")
    return path.read_text(encoding="utf-8")


def examine(page: Any, axe: str) -> list[str]:
    """Return what axe finds serious; it is put in beside the page's policy, as a debugger does."""
    session = page.context.new_cdp_session(page)
    session.send("Runtime.evaluate", {"expression": axe})
    found = session.send(
        "Runtime.evaluate", {"expression": RUN, "awaitPromise": True, "returnByValue": True}
    )
    session.detach()
    assert "exceptionDetails" not in found, found
    return list(found["result"]["value"])


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_no_screen_has_a_serious_finding(open_page, mapped, screens, axe, theme):
    opened = open_page(color_scheme=theme, reduced_motion="reduce")
    found = {}
    for name in screens:
        opened.go(f"#/{name}/1" if name == "image" else f"#/{name}")
        opened.page.locator(f".screen-host[data-screen={name}] > *").first.wait_for()
        opened.page.wait_for_timeout(700)
        serious = examine(opened.page, axe)
        if serious:
            found[name] = serious
    opened.page.keyboard.press("?")
    opened.page.locator("dialog.help").wait_for()
    if serious := examine(opened.page, axe):
        found["keys"] = serious
    assert found == {}
