// Starts the map: canvas, card, panel, pointer, keys.
import { one, readData, say } from "../../web/shared/dom.mjs";
import { startPointer } from "../../web/shared/map-pointer.mjs";
import { nearestTo, nextTowards } from "../../web/shared/map-view.mjs";
import { showHelp, startButtons, switchTheme } from "../../web/shared/theme.mjs";
import { baseName } from "../../web/shared/wording.mjs";
import { makeCanvas } from "./canvas.mjs";
import { makeCard } from "./card.mjs";
import { arrange, labelsOf, makeMap, nextActive } from "./data.mjs";
import { makePanel } from "./panel.mjs";
import { makeSheets } from "./sheets.mjs";

const stage = document.getElementById("stage");
const map = makeMap(readData());
const { shown } = map;
const sheet = makeSheets(map.levels, () => { canvas.changed(true); card.redraw(); });
const canvas = makeCanvas(stage, map, sheet);
const card = makeCard(map, canvas, sheet);
const { view } = canvas;
const panel = makePanel(map, canvas, { reach, showCard: card.show });

function reach(i) {
  shown.current = i;
  shown.hovered = -1;
  if (i >= 0) {
    canvas.bringIntoSight(i);
    say([baseName(map.uris[i]), ...labelsOf(map, i).map(([name, text]) => `${name}: ${text}`)].join(", "));
  }
  canvas.changed();
  card.show(i);
}

function hover(place) {
  const found = place ? canvas.pictureAt(place.x, place.y) : -1;
  if (found !== shown.hovered) { shown.hovered = found; canvas.changed(); }
  card.show(found >= 0 ? found : shown.current);
}

function zoom(how) {
  if (how === "fit") canvas.fit();
  else canvas.zoomAt(view.width / 2, view.height / 2, how === "in" ? 1.5 : 1 / 1.5);
  card.show(shown.current);
}

function step(direction) {
  const next = nextActive(map, shown.current, direction);
  if (next >= 0) reach(next);
}

function walk(across, down) {
  const { current } = shown;
  const middle = [(view.width / 2 - view.left) / view.scale, (view.height / 2 - view.top) / view.scale];
  reach(current < 0 ? nearestTo(map, ...middle) : nextTowards(map, current, across, down));
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const KEYS = {
  "+": () => zoom("in"),
  "=": () => zoom("in"),
  "-": () => zoom("out"),
  0: () => zoom("fit"),
  n: () => step(1),
  p: () => step(-1),
  "/": () => one("#search").focus(),
  t: switchTheme,
  "?": showHelp,
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || one("dialog[open]")) return;
  const typing = event.target.matches("input, select, textarea");
  if (event.key === "Escape") {
    if (event.target.id === "search") { event.target.value = ""; panel.search(""); }
    reach(-1);
    stage.focus();
    return;
  }
  if (typing) return;
  const arrow = ARROWS[event.key];
  if (arrow && event.target === stage) {
    if (event.shiftKey) canvas.moveBy(-90 * arrow[0], -90 * arrow[1]);
    else walk(arrow[0], arrow[1]);
  } else if (KEYS[event.key]) KEYS[event.key]();
  else return;
  event.preventDefault();
});

for (const button of document.querySelectorAll("[data-zoom]")) {
  button.addEventListener("click", () => zoom(button.dataset.zoom));
}
addEventListener("themechange", () => { canvas.readPalette(); canvas.changed(true); });
startPointer(stage, canvas, { hover, reach, hideCard: card.hide });
startButtons();
canvas.readPalette();
arrange(map);
new ResizeObserver(canvas.resize).observe(stage);
canvas.resize();
canvas.fit();
panel.refresh();
