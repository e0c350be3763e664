"""The grid and the map of the app beside other ways to draw them, in the same page of a browser.

What counts is the time of the page's main thread, as the browser itself adds it up: a keyed list of
Preact (from npm, for this benchmark alone) shows the same cells, a 2D canvas all points of a map.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

FRAMES = 60

WALK = """async ([selector, step, frames]) => {
  const stage = document.querySelector(selector);
  for (let frame = 0; frame < frames; frame++) {
    stage.scrollTop += step;
    await new Promise((resolve) => requestAnimationFrame(resolve));
  }
}"""
# A list as the guide of Preact has it: what is seen is computed anew, each cell has its key.
KEYED = """
(() => {
  const { h, render, Component, options } = preact;
  options.debounceRendering = (run) => run(); // else its script is no script to the browser
  const old = document.querySelector(".browse-stage"), inner = old.firstElementChild;
  const cells = [...inner.querySelectorAll(".cell:not([hidden])")].map((cell) => cell.getBoundingClientRect());
  const columns = new Set(cells.map((box) => Math.round(box.left))).size;
  const side = cells[0].width, row = cells[0].height + 8, height = inner.offsetHeight;
  const count = columns * Math.floor(height / row);
  const stage = old.cloneNode(false);
  stage.id = "keyed";
  class List extends Component {
    constructor() { super(); this.state = { top: 0 }; }
    componentDidMount() { stage.addEventListener("scroll", () => this.setState({ top: stage.scrollTop })); }
    render(_, { top }) {
      const first = Math.max(0, Math.floor(top / row) - 2) * columns;
      const last = Math.min(count, (Math.ceil((top + stage.clientHeight) / row) + 2) * columns);
      const shown = [];
      for (let at = first; at < last; at++) {
        const transform = `translate(${(at % columns) * (side + 8)}px,${Math.floor(at / columns) * row}px)`;
        shown.push(h("div", { key: at, class: "cell", role: "option", "aria-selected": "false", style: { transform } },
          h("div", { class: "cell-picture" }, h("img", { src: "/api/images/" + (at + 1) + "/thumb", alt: "" })),
          h("span", { class: "cell-words" }, "class " + at)));
      }
      return h("div", { class: inner.className, style: { height: height + "px" } }, shown);
    }
  }
  stage.style.setProperty("--side", side + "px");
  old.replaceWith(stage);
  render(h(List), stage);
})()
"""  # noqa: E501
# Every point drawn anew, as a frame of a map that is moved has to.
CANVAS = """async (count) => {
  const canvas = document.createElement("canvas");
  canvas.width = 1440; canvas.height = 900;
  document.body.append(canvas);
  const context = canvas.getContext("2d");
  const side = Math.ceil(Math.sqrt(count));
  for (let frame = 0; frame < 20; frame++) {
    context.clearRect(0, 0, 1440, 900);
    for (let at = 0; at < count; at++) {
      context.fillStyle = at % 2 ? "#48c" : "#c84";
      context.beginPath();
      context.arc(frame + (at % side) * 900 / side, Math.floor(at / side) * 900 / side, 1.5, 0, 7);
      context.fill();
    }
    await new Promise((resolve) => requestAnimationFrame(resolve));
  }
  canvas.remove();
}"""
DRAG = """async () => {
  const stage = document.querySelector(".map-stage canvas, canvas");
  const box = stage.getBoundingClientRect();
  const send = (kind, x) => stage.dispatchEvent(new PointerEvent(kind, { bubbles: true, pointerId: 1, isPrimary: true, button: 0, buttons: 1, clientX: box.left + x, clientY: box.top + 300 }));
  send("pointerdown", 400);
  for (let frame = 0; frame < 20; frame++) {
    send("pointermove", 404 + 4 * frame);
    await new Promise((resolve) => requestAnimationFrame(resolve));
  }
  send("pointerup", 484);
}"""  # noqa: E501


def beside_a_keyed_list(page: Any, session: Any, start: str, preact: Path) -> dict[str, float]:
    """Scroll the grid, then a keyed list of the same cells: script and whole task, ms a frame."""
    measure = Threads(page, session)
    found = {}
    for name, step in (("slowly", 120), ("fast", 900)):
        page.goto(f"{start}#/browse")
        page.reload()
        page.locator(".cell img[src]").first.wait_for()
        page.wait_for_timeout(1500)
        own = measure.frames(WALK, [".browse-stage", step, FRAMES], FRAMES)
        page.reload()
        page.locator(".cell img[src]").first.wait_for()
        page.wait_for_timeout(1500)
        for text in (preact.read_text(encoding="utf-8"), KEYED):
            told = session.send("Runtime.evaluate", {"expression": text})
            assert "exceptionDetails" not in told, told
        page.wait_for_timeout(1500)
        assert page.locator("#keyed .cell").count() > 10
        keyed = measure.frames(WALK, ["#keyed", step, FRAMES], FRAMES)
        for what in ("script", "task"):
            found[f"grid scrolled {name}: {what}, ms a frame"] = own[what]
            found[f"grid scrolled {name}: {what} over a keyed list's"] = own[what] / keyed[what]
    return found


def beside_a_canvas(page: Any, session: Any, start: str) -> dict[str, float]:
    """Drag the map, then draw as many points on a 2D canvas: task of the main thread, ms."""
    measure = Threads(page, session)
    page.goto(f"{start}#/map")
    page.reload()
    page.locator("canvas").first.wait_for()
    page.wait_for_timeout(4000)
    box = page.locator("canvas").first.bounding_box()
    for _ in range(40):  # its drawing comes from a thread of its own
        if lit(page.screenshot(clip=box)) > 0.01:
            break
        page.wait_for_timeout(500)
    else:
        raise AssertionError("the map is blank")
    page.evaluate(DRAG)
    own = measure.frames(DRAG, None, 20)
    canvas = measure.frames(CANVAS, 57_000, 20)
    return {
        "map dragged: task, ms a frame": own["task"],
        "map dragged: task over a 2D canvas's of 57,000": own["task"] / canvas["task"],
        "map dragged: script, ms a frame": own["script"],
        "map dragged: script over a 2D canvas's of 57,000": own["script"] / canvas["script"],
    }


def lit(picture: bytes) -> float:
    """Return the share of pixels that differ from the commonest one."""
    import io

    import numpy as np
    from PIL import Image

    pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("L"))
    return float((pixels != np.bincount(pixels.ravel()).argmax()).mean())


class Threads:
    """What the main thread of a page has computed, as the browser adds it up."""

    def __init__(self, page: Any, session: Any) -> None:
        self.page, self.session = page, session
        session.send("Performance.disable")
        session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def frames(self, script: str, given: Any, count: int) -> dict[str, float]:
        """Run a script of so many frames; returns milliseconds a frame."""
        before = self._read()
        self.page.evaluate(script, given)
        after = self._read()
        return {name: 1000 * (after[name] - before[name]) / count for name in before}

    def _read(self) -> dict[str, float]:
        told = self.session.send("Performance.getMetrics")["metrics"]
        values = {one["name"]: one["value"] for one in told}
        return {"script": values["ScriptDuration"], "task": values["TaskDuration"]}
