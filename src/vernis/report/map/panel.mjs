// The panel, the card, the pointer and the keys.
"use strict";

const one = (selector) => document.querySelector(selector);
const card = one("[data-card]");
const MOST_RESULTS = 40;

function node(name, properties, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties || {})) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== null) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

function say(text) { one("[data-status]").textContent = text; }

// ---------------------------------------------------------------- the card

function drawCard(i) {
  const picture = one("[data-card-picture]");
  const level = data.levels.length - 1;
  const at = level >= 0 ? spot(level, i) : null;
  picture.hidden = !at;
  if (!at) return;
  const grown = Math.min(210 / at.width, 190 / at.height);
  const ratio = view.ratio;
  picture.width = Math.round(at.width * grown * ratio);
  picture.height = Math.round(at.height * grown * ratio);
  picture.style.width = at.width * grown + "px";
  picture.style.height = at.height * grown + "px";
  const on = picture.getContext("2d");
  on.imageSmoothingQuality = "high";
  for (const which of [level, 0]) {
    const place = spot(which, i);
    const from = place && sheet(which, place.number);
    if (!from) continue;
    on.drawImage(from, place.left, place.top, place.width, place.height, 0, 0, picture.width, picture.height);
    return;
  }
}

function showCard(i) {
  if (i < 0) { card.hidden = true; return; }
  one("[data-card-name]").textContent = baseName(data.uris[i]);
  one("[data-card-folder]").textContent = folderName(data.uris[i]);
  one("[data-card-labels]").replaceChildren(
    ...labelsOf(i).map(([name, text]) => node("div", null, node("dt", null, name), node("dd", null, text))));
  card.hidden = false;
  drawCard(i);
  const half = Math.max(10, view.scale / 2) + 10;
  const x = view.left + shown.x[i] * view.scale, y = view.top + shown.y[i] * view.scale;
  const wide = card.offsetWidth, high = card.offsetHeight;
  const left = x + half + wide < view.width ? x + half : x - half - wide;
  card.style.transform = `translate(${Math.max(8, Math.min(left, view.width - wide - 8))}px, ${Math.max(8, Math.min(y - high / 2, view.height - high - 8))}px)`;
}

function reach(i, quietly) {
  shown.current = i;
  shown.hovered = -1;
  if (i >= 0) {
    bringIntoSight(i);
    if (!quietly) say([baseName(data.uris[i]), ...labelsOf(i).map(([name, text]) => `${name}: ${text}`)].join(", "));
  }
  changed();
  showCard(i);
}

// ---------------------------------------------------------------- the panel

function refresh() {
  paint();
  filter();
  fillLegend();
  fillFilters();
  fillResults();
  changed(true);
}

function fillLegend() {
  const facet = shown.facet;
  one("[data-legend-title]").textContent = facet ? facet.name : "No colour";
  one("[data-count]").textContent = shown.activeCount === count
    ? asCount(count) + " pictures" : `${asCount(shown.activeCount)} of ${asCount(count)}`;
  const list = one("[data-legend]");
  list.replaceChildren();
  if (!facet) return;
  const entries = facet.classes.map((name, code) => [code, name, facet.counts[code], facet.palette.get(code) || data.other]);
  const blank = facet.values.filter((row) => !row.length).length;
  if (blank) entries.push([-1, "none", blank, data.none]);
  for (const [code, name, number, color] of entries) {
    const swatch = node("span", { class: "swatch", "aria-hidden": "true" });
    swatch.style.background = color;
    list.append(node("li", null, node("button", {
      type: "button", "aria-pressed": String(facet.chosen.has(code)), "data-code": code,
      onclick: () => choose(facet, code),
    }, swatch, node("bdi", { class: "name" }, name), node("span", { class: "number" }, asCount(number)))));
  }
}

function choose(facet, code) {
  if (facet.chosen.has(code)) facet.chosen.delete(code);
  else facet.chosen.add(code);
  const list = one("[data-legend]"), scrolled = list.scrollTop;
  refresh();
  list.scrollTop = scrolled;
  const again = list.querySelector(`[data-code="${code}"]`);
  if (again) again.focus({ preventScroll: true });
  say(`${asCount(shown.activeCount)} of ${asCount(count)} pictures`);
}

function fillFilters() {
  const chips = [];
  for (const facet of data.facets) {
    if (!facet.chosen.size || facet === shown.facet) continue;
    const names = [...facet.chosen].map((code) => (code < 0 ? "none" : facet.classes[code])).join(", ");
    chips.push(node("button", { type: "button", "aria-label": `Remove the filter ${facet.name}: ${names}`,
      onclick: () => { facet.chosen.clear(); refresh(); } }, `${facet.name}: ${names} ×`));
  }
  if (shown.facet && shown.facet.chosen.size) {
    chips.push(node("button", { type: "button", onclick: () => { shown.facet.chosen.clear(); refresh(); } }, `clear ${shown.facet.name} ×`));
  }
  one("[data-filters]").replaceChildren(...chips);
}

function fillResults() {
  const list = one("[data-results]");
  list.replaceChildren();
  if (!shown.query.trim()) return;
  let listed = 0;
  for (let i = 0; i < count && listed < MOST_RESULTS; i += 1) {
    if (!shown.active[i]) continue;
    listed += 1;
    list.append(node("li", null, node("button", { type: "button", title: data.uris[i],
      onclick: () => { centerOn(i, 48); reach(i); } }, node("bdi", null, baseName(data.uris[i])))));
  }
  const more = shown.activeCount - listed;
  if (more > 0 || !listed) list.append(node("li", { class: "note" }, listed ? `and ${asCount(more)} more` : "nothing found"));
}

const colorChoice = one("#color");
for (const facet of data.facets) colorChoice.append(node("option", { value: facet.name }, facet.name));
colorChoice.append(node("option", { value: "" }, "nothing"));
colorChoice.value = shown.facet ? shown.facet.name : "";
colorChoice.addEventListener("change", () => {
  shown.facet = data.facets.find((facet) => facet.name === colorChoice.value) || null;
  refresh();
});
one("#layout").addEventListener("change", (event) => {
  shown.layout = event.target.value;
  arrange();
  changed(true);
  showCard(shown.current);
});
one("#search").addEventListener("input", (event) => {
  shown.query = event.target.value;
  refresh();
  say(`${asCount(shown.activeCount)} pictures`);
});
one("#search").addEventListener("keydown", (event) => {
  if (event.key === "Enter") { const first = one("[data-results] button"); if (first) first.click(); }
});
for (const button of document.querySelectorAll("[data-zoom]")) {
  button.addEventListener("click", () => act(button.dataset.zoom));
}
function act(what) {
  if (what === "fit") fit();
  else zoomAt(view.width / 2, view.height / 2, what === "in" ? 1.5 : 1 / 1.5);
  showCard(shown.current);
}
function switchTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  try { localStorage.setItem("vernis-theme", root.dataset.theme); } catch (refused) { /* only this once, then */ }
  readPalette();
  changed(true);
}
one("[data-theme-toggle]").addEventListener("click", switchTheme);
one("[data-help]").addEventListener("click", () => one("[data-help-dialog]").showModal());
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readPalette(); changed(true); });

// ---------------------------------------------------------------- the pointer

const hands = new Map();
let span = 0, moved = 0;
const placeOf = (event) => {
  const box = stage.getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
};
stage.addEventListener("pointerdown", (event) => {
  stage.setPointerCapture(event.pointerId);
  hands.set(event.pointerId, placeOf(event));
  span = 0;
  moved = 0;
});
stage.addEventListener("pointermove", (event) => {
  const now = placeOf(event);
  const before = hands.get(event.pointerId);
  if (!before) { hover(now); return; }
  hands.set(event.pointerId, now);
  moved += Math.abs(now.x - before.x) + Math.abs(now.y - before.y);
  stage.classList.add("moving");
  card.hidden = true;
  moveBy((now.x - before.x) / hands.size, (now.y - before.y) / hands.size);
  if (hands.size === 2) {
    const [a, b] = [...hands.values()];
    const wide = Math.hypot(a.x - b.x, a.y - b.y);
    if (span) zoomAt((a.x + b.x) / 2, (a.y + b.y) / 2, wide / span);
    span = wide;
  }
});
function release(event) {
  const last = hands.get(event.pointerId);
  hands.delete(event.pointerId);
  span = 0;
  stage.classList.remove("moving");
  if (event.type === "pointerup" && moved < 5 && last) reach(pictureAt(last.x, last.y));
}
stage.addEventListener("pointerup", release);
stage.addEventListener("pointercancel", release);
stage.addEventListener("pointerleave", () => { if (!hands.size) hover(null); });
stage.addEventListener("wheel", (event) => {
  event.preventDefault();
  const place = placeOf(event);
  const lines = event.deltaMode === 1 ? 18 : 1;
  zoomAt(place.x, place.y, Math.exp(-Math.max(-240, Math.min(240, event.deltaY * lines)) / (event.ctrlKey ? 120 : 420)));
  hover(place);
}, { passive: false });
stage.addEventListener("dblclick", (event) => { const at = placeOf(event); zoomAt(at.x, at.y, 2); });

function hover(place) {
  const found = place ? pictureAt(place.x, place.y) : -1;
  if (found !== shown.hovered) { shown.hovered = found; changed(); }
  showCard(found >= 0 ? found : shown.current);
}

// ---------------------------------------------------------------- the keys

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// The nearest picture in a direction that the filters leave; sideways counts double.
function nextTowards(across, down) {
  const from = shown.current;
  if (from < 0) return nearestToMiddle();
  let found = from, least = Infinity;
  for (let i = 0; i < count; i += 1) {
    if (i === from || !shown.active[i]) continue;
    const x = shown.x[i] - shown.x[from], y = shown.y[i] - shown.y[from];
    const along = x * across + y * down, aside = Math.abs(x * down) + Math.abs(y * across);
    if (along > 1e-6 && along >= aside * 0.5 && along + 2 * aside < least) { least = along + 2 * aside; found = i; }
  }
  return found;
}

function nearestToMiddle() {
  const x = (view.width / 2 - view.left) / view.scale, y = (view.height / 2 - view.top) / view.scale;
  let found = -1, least = Infinity;
  for (let i = 0; i < count; i += 1) {
    const way = (shown.x[i] - x) ** 2 + (shown.y[i] - y) ** 2;
    if (shown.active[i] && way < least) { least = way; found = i; }
  }
  return found;
}

function step(by) {
  for (let tried = 1; tried <= count; tried += 1) {
    const i = (((shown.current + by * tried) % count) + count) % count;
    if (shown.active[i]) { reach(i); return; }
  }
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || one("dialog[open]")) return;
  const typing = event.target.matches("input, select, textarea");
  if (event.key === "Escape") {
    if (typing && event.target.id === "search") { event.target.value = ""; shown.query = ""; refresh(); }
    reach(-1);
    stage.focus();
    return;
  }
  if (typing) return;
  const arrow = ARROWS[event.key];
  if (arrow && event.target === stage) {
    if (event.shiftKey) moveBy(-90 * arrow[0], -90 * arrow[1]);
    else reach(nextTowards(arrow[0], arrow[1]));
  } else if (event.key === "+" || event.key === "=") act("in");
  else if (event.key === "-") act("out");
  else if (event.key === "0") act("fit");
  else if (event.key === "n") step(1);
  else if (event.key === "p") step(-1);
  else if (event.key === "/") one("#search").focus();
  else if (event.key === "t") switchTheme();
  else if (event.key === "?") one("[data-help-dialog]").showModal();
  else return;
  event.preventDefault();
});

readPalette();
arrange();
paint();
new ResizeObserver(resize).observe(stage);
resize();
fit();
refresh();
const drawn = sheets.onload;
sheets.onload = () => { drawn(); if (!card.hidden) drawCard(shown.hovered >= 0 ? shown.hovered : shown.current); };
