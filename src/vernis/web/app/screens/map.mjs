// @ts-check
// Map: every picture where the similar lie together; coloured by label, problem, cluster or year,
// with a stroke around some of them to select these. The grid beside it shows what is selected, or
// in sight; each shows what the other points at.
import { el, say } from "../../shared/dom.mjs";
import { startPointer } from "../../shared/map-pointer.mjs";
import { makeView, nearestTo, nextTowards, pictureAt } from "../../shared/map-view.mjs";
import { asCount, baseName } from "../../shared/wording.mjs";
import { address, ask, get, getIds, Refused } from "../api.mjs";
import { recordLabels } from "../labels.mjs";
import { spread, within } from "../lasso.mjs";
import { MapDrawing } from "../map-drawing.mjs";
import { pickClass } from "../picker.mjs";
import { readBundle } from "../pictures.mjs";
import { loadStyle } from "../styles.mjs";

const UNITS = 1000; // of the longer side of a map
const PICTURE = 46; // pixels of a small picture on the map
const NEAREST = 60; // pixels of a unit at the nearest
const CROWD = 7; // points a picture, from which dots alone are drawn
const AHEAD = 480; // pictures in sight whose thumbnails are drawn
const GRID = 120; // pictures of the grid beside the map
const REST = 160; // ms of rest after which the grid shows what is in sight
const COLORS = 8;
const KINDS = { taxonomy: "", issue: "Problems", cluster: "Clusters", year: "Year" };

/** @param {HTMLElement} host @param {import("../main.mjs").App} app @param {import("../router.mjs").Place} place */
export async function open(host, app, place) {
  const [, known] = await Promise.all([loadStyle("/web/app/screens/map.css"), get("/api/maps")]);
  if (!known.maps.length) {
    host.append(el("div", { class: "blank-page" }, el("h2", {}, "No map was made yet"),
      el("p", {}, "It lays pictures that look alike beside one another."),
      el("button", { type: "button", class: "button primary", onclick: () => app.go("jobs", ["map"]) }, "Make one")));
    return { close() {} };
  }
  const screen = new MapScreen(host, app, place, known);
  await screen.start();
  return { close: () => screen.close() };
}

class MapScreen {
  /** @param {HTMLElement} host @param {import("../main.mjs").App} app @param {import("../router.mjs").Place} place @param {any} known */
  constructor(host, app, place, known) {
    this.app = app;
    this.known = known;
    this.name = known.maps.some((/** @type {any} */ one) => one.name === place.parts[0]) ? place.parts[0] : known.maps[0].name;
    this.where = place.query.get("where") || "";
    const wanted = place.query.get("by");
    this.by = Math.max(0, known.colors.findIndex((/** @type {any} */ one) => keyOf(one) === wanted));
    this.ids = new Uint32Array(0);
    /** @type {{count: number, columns: number, rows: number, shown: {x: Float32Array, y: Float32Array, active: Uint8Array}}} */
    this.map = { count: 0, columns: UNITS, rows: UNITS, shown: { x: new Float32Array(0), y: new Float32Array(0), active: new Uint8Array(0) } };
    this.colors = { classes: /** @type {string[]} */ ([]), counts: /** @type {number[]} */ ([]), codes: /** @type {number[]} */ ([]) };
    /** @type {Set<number>} classes that are left; empty: all */
    this.classes = new Set();
    /** @type {Set<number> | null} images that the filter holds for; null: all */
    this.held = null;
    /** @type {number[]} points */
    this.selected = [];
    this.lit = new Uint8Array(0); // points that are active, and selected where some are
    /** @type {number[]} points that are drawn as pictures */
    this.near = [];
    this.sight = /** @type {number[] | null} */ (null); // see inSight
    this.at = -1;
    this.pointed = -1;
    this.drawing = /** @type {MapDrawing | null} */ (null);
    this.lassoing = false;
    this.frame = 0;
    this.rest = 0;
    this.aborter = new AbortController();
    /** @type {Set<number>} images whose thumbnails are there */
    this.warmed = new Set();
    /** @type {Map<number, string>} image → address of its thumbnail */
    this.thumbs = new Map();
    this.build(host);
    this.place = makeView(this.map, () => this.changed(), NEAREST);
    this.ends = [
      app.keys.use("Map", this.bindings()),
      ...["decided", "undone", "labelled", "changed", "catalog", "reset"].map((kind) => app.events.on(kind, () => this.recolorSoon())),
    ];
    this.theme = () => { this.paint(); this.changed(); };
    addEventListener("themechange", this.theme);
  }

  close() {
    cancelAnimationFrame(this.frame);
    clearTimeout(this.rest);
    clearTimeout(this.recoloring);
    removeEventListener("themechange", this.theme);
    if (this.resized) this.resized.disconnect();
    this.aborter.abort();
    if (this.drawing) this.drawing.close();
    for (const src of this.thumbs.values()) URL.revokeObjectURL(src);
    for (const end of this.ends) end();
  }

  // ---------------------------------------------------------------- what there is

  async start() {
    try {
      const lost = () => this.app.toast("The map lost its drawing; open it again", { kind: "warning" });
      this.drawing = new MapDrawing(this.stage, { columns: this.known.sheet, edge: this.known.edge }, this.name, lost);
      await this.drawing.ready;
    } catch (error) {
      this.drawing = null;
      this.stageArea.replaceChildren(el("p", { class: "blank-page", role: "alert" }, /** @type {Error} */ (error).message));
      return;
    }
    await this.readPoints();
    await Promise.all([this.recolor(), this.hold()]);
    startPointer(this.stage, { ...this.place, pictureAt: (/** @type {number} */ x, /** @type {number} */ y) => pictureAt(this.map, this.place.view, x, y) }, {
      hover: (/** @type {any} */ where) => this.point(where ? pictureAt(this.map, this.place.view, where.x, where.y) : -1),
      reach: (/** @type {number} */ point) => this.reach(point),
      hideCard: () => this.point(-1),
      draws: (/** @type {PointerEvent} */ event) => this.lassoing || event.shiftKey,
      draw: (/** @type {any[]} */ stroke, /** @type {boolean} */ ended, /** @type {PointerEvent} */ event) => this.stroke(stroke, ended, event),
    });
    this.resized = new ResizeObserver(() => this.measure());
    this.resized.observe(this.stageArea);
    this.measure();
    this.place.fit();
  }

  async readPoints() {
    const answer = await (await ask("GET", address("/api/map/points", { name: this.name }))).arrayBuffer();
    const [count] = new Uint32Array(answer, 0, 1);
    this.ids = new Uint32Array(answer, 4, count);
    const places = new Float32Array(answer, 4 + 4 * count, 2 * count).map((value) => value * UNITS);
    const { map } = this;
    map.count = count;
    map.shown.x = Float32Array.from({ length: count }, (_, i) => places[2 * i]);
    map.shown.y = Float32Array.from({ length: count }, (_, i) => places[2 * i + 1]);
    map.columns = Math.max(1, map.shown.x.reduce((most, x) => Math.max(most, x), 0));
    map.rows = Math.max(1, map.shown.y.reduce((most, y) => Math.max(most, y), 0));
    map.shown.active = new Uint8Array(count).fill(1);
    if (this.drawing) this.drawing.place(places);
  }

  async recolor() {
    const by = this.known.colors[this.by];
    this.colors = await get("/api/map/colors", { by: by.kind, taxonomy: by.name, name: this.name });
    this.showLegend();
    this.settle();
  }

  recolorSoon() {
    clearTimeout(this.recoloring);
    this.recoloring = setTimeout(() => this.recolor().catch(() => null), 400);
  }

  // Which pictures the filter holds for.
  async hold() {
    this.complaint.textContent = "";
    try {
      this.held = this.where ? new Set(await getIds("/api/images/ids", { where: this.where, order: "id" })) : null;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.complaint.textContent = error.message;
    }
    this.settle();
  }

  /** What is active, painted and told anew. */
  settle() {
    const { active } = this.map.shown;
    let left = 0;
    for (let i = 0; i < active.length; i += 1) {
      active[i] = (!this.held || this.held.has(this.ids[i])) && (!this.classes.size || this.classes.has(this.colors.codes[i])) ? 1 : 0;
      left += active[i];
    }
    this.left = left;
    this.paint();
    this.changed();
    this.showCount();
    this.showGridSoon();
    this.address();
  }

  address() {
    const by = this.known.colors[this.by];
    this.app.replace({ where: this.where, by: this.by ? keyOf(by) : "" }, [this.name]);
  }

  // ---------------------------------------------------------------- what is drawn

  measure() {
    const box = this.stageArea.getBoundingClientRect();
    this.place.resize(box.width, box.height);
    const { view } = this.place;
    this.over.width = Math.round(view.width * view.ratio);
    this.over.height = Math.round(view.height * view.ratio);
    this.draw();
  }

  changed() {
    if (!this.frame) this.frame = requestAnimationFrame(() => this.draw());
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const { view } = this.place;
    const { x, y } = this.map.shown;
    if (!this.drawing || !this.map.count) return;
    const lit = this.lit;
    // More than these would not be drawn as pictures however they lay: they are not looked for.
    const most = CROWD * Math.ceil(view.width / PICTURE + 1) * Math.ceil(view.height / PICTURE + 1);
    let seen = 0;
    for (let i = 0; i < x.length && seen <= most; i += 1) {
      const px = view.left + x[i] * view.scale, py = view.top + y[i] * view.scale;
      if (lit[i] && px > 0 && py > 0 && px < view.width && py < view.height) seen += 1;
    }
    this.sight = null;
    this.near = seen <= most && seen <= this.inSight().length * CROWD ? this.inSight() : [];
    const size = Math.max(3, Math.min(11, 2 + (120 * Math.sqrt(view.scale)) / Math.sqrt(this.map.count)));
    this.drawing.draw(view, size, this.near, PICTURE);
    this.drawOver();
    this.showGridSoon();
  }

  /** Points in sight whose pictures do not cover one another. */
  inSight() {
    const { x, y } = this.map.shown;
    this.sight = this.sight || spread(x, y, this.place.view, PICTURE + 2, this.lit);
    return this.sight;
  }

  /** @param {{x: number, y: number}[]} [stroke] */
  drawOver(stroke) {
    const drawn = Boolean(stroke) || this.pointed >= 0 || this.at >= 0;
    if (!drawn && !this.over.dataset.drawn) return; // a canvas that is touched is painted anew
    this.over.dataset.drawn = drawn ? "1" : "";
    const pen = /** @type {CanvasRenderingContext2D} */ (this.over.getContext("2d"));
    const { view } = this.place;
    const style = getComputedStyle(this.root);
    pen.setTransform(view.ratio, 0, 0, view.ratio, 0, 0);
    pen.clearRect(0, 0, view.width, view.height);
    const { x, y } = this.map.shown;
    for (const [point, color, width] of /** @type {[number, string, number][]} */ ([[this.pointed, "--ink", 2], [this.at, "--focus", 3]])) {
      if (point < 0) continue;
      const half = (this.near.includes(point) ? PICTURE : 12) / 2 + 2;
      pen.lineWidth = width;
      pen.strokeStyle = style.getPropertyValue(color);
      pen.strokeRect(view.left + x[point] * view.scale - half, view.top + y[point] * view.scale - half, 2 * half, 2 * half);
    }
    if (!stroke) return;
    pen.beginPath();
    for (const place of stroke) pen.lineTo(place.x, place.y);
    pen.closePath();
    pen.lineWidth = 2;
    pen.strokeStyle = style.getPropertyValue("--focus");
    pen.stroke();
    pen.globalAlpha = 0.12;
    pen.fillStyle = style.getPropertyValue("--focus");
    pen.fill();
    pen.globalAlpha = 1;
  }

  paint() {
    if (!this.drawing) return;
    const tones = tonesOf(this.root, this.colors.classes.length, this.known.colors[this.by].kind);
    const { active } = this.map.shown;
    this.lit = active.slice();
    if (this.selected.length) {
      this.lit.fill(0);
      for (const point of this.selected) this.lit[point] = active[point];
    }
    const colors = new Uint8Array(4 * active.length);
    for (let i = 0; i < active.length; i += 1) {
      const code = this.colors.codes[i] ?? -1;
      colors.set(code < 0 ? tones.none : tones.classes[Math.min(code, tones.classes.length - 1)], 4 * i);
      colors[4 * i + 3] = this.lit[i] ? 255 : 0;
    }
    this.drawing.paint(colors, tones.page);
  }

  // ---------------------------------------------------------------- what is pointed at and selected

  /** @param {number} point @param {boolean} [fromGrid] */
  point(point, fromGrid = false) {
    if (point === this.pointed) return;
    this.pointed = point;
    if (!fromGrid) for (const cell of this.grid.children) cell.classList.toggle("is-pointed", Number(cell.dataset.point) === point);
    this.drawOver();
    this.showCard(fromGrid ? -1 : point);
  }

  /** @param {number} point */
  reach(point) {
    this.at = point;
    if (point >= 0) {
      this.place.bringIntoSight(point);
      this.describe(point);
    }
    for (const cell of this.grid.children) cell.classList.toggle("is-at", Number(cell.dataset.point) === point);
    this.drawOver();
  }

  /** @param {number} point */
  async describe(point) {
    const [row] = await get("/api/images/rows", { ids: this.ids[point] }, this.aborter.signal).catch(() => []);
    if (!row || this.at !== point) return;
    const labels = Object.values(row.labels).flat().join(", ");
    this.told.textContent = baseName(row.uri) + (labels ? ": " + labels : "");
    say(this.told.textContent);
  }

  /** @param {{x: number, y: number}[]} stroke @param {boolean} ended @param {PointerEvent} event */
  stroke(stroke, ended, event) {
    if (!ended) { this.drawOver(stroke); return; }
    const { view } = this.place;
    const own = stroke.map((place) => ({ x: (place.x - view.left) / view.scale, y: (place.y - view.top) / view.scale }));
    const found = within(own, this.map.shown.x, this.map.shown.y, this.map.shown.active);
    // With Alt what is in the stroke goes out of the selection; with Ctrl it comes into it too.
    const left = new Set(this.selected);
    if (event.altKey) for (const point of found) left.delete(point);
    else if (event.ctrlKey || event.metaKey) for (const point of found) left.add(point);
    this.select(event.altKey || event.ctrlKey || event.metaKey ? [...left] : found);
    this.setLasso(false);
  }

  /** @param {number[]} points */
  select(points) {
    this.selected = points;
    this.paint();
    this.showCount();
    this.showGrid();
    this.draw();
    say(points.length ? asCount(points.length) + " pictures are selected" : "Nothing is selected");
  }

  /** @param {boolean} on */
  setLasso(on) {
    this.lassoing = on;
    this.lassoButton.setAttribute("aria-pressed", String(on));
    this.stage.classList.toggle("drawing", on);
  }

  /** @param {number} across @param {number} down */
  walk(across, down) {
    const { view } = this.place;
    const middle = [(view.width / 2 - view.left) / view.scale, (view.height / 2 - view.top) / view.scale];
    this.reach(this.at < 0 ? nearestTo(this.map, middle[0], middle[1]) : nextTowards(this.map, this.at, across, down));
  }

  /** @param {boolean} taken */
  async label(taken) {
    const ids = this.selected.map((point) => this.ids[point]);
    if (!ids.length) { this.app.toast("Select pictures first: l, then draw around them"); return; }
    const names = this.app.collection.taxonomies.flatMap((/** @type {any} */ one) => one.classes.map((/** @type {string} */ label) => one.name + ": " + label));
    const count = asCount(ids.length) + (ids.length === 1 ? " picture" : " pictures");
    const picked = await pickClass({ title: (taken ? "Take from " : "Give ") + count, classes: names });
    if (!picked) return;
    const [taxonomy, ...rest] = picked.split(": ");
    const label = rest.join(": ");
    await recordLabels(this.app, { taxonomy, ids, [taken ? "remove" : "add"]: [label] }, (taken ? "Took " : "Gave ") + label + (taken ? " from " : " to ") + count, () => this.recolorSoon());
  }

  clear() {
    if (this.lassoing) this.setLasso(false);
    else if (this.selected.length) this.select([]);
    else if (this.classes.size) { this.classes.clear(); this.showLegend(); this.settle(); }
    else if (this.where) this.filterBy("");
  }

  /** @param {string} where */
  filterBy(where) {
    this.where = where.trim();
    this.filter.value = this.where;
    this.hold();
  }

  /** @param {number} by */
  colorBy(by) {
    this.by = (by + this.known.colors.length) % this.known.colors.length;
    this.choice.value = String(this.by);
    this.classes.clear();
    this.recolor().catch((error) => this.app.toast(error.message, { kind: "warning" }));
  }

  // ---------------------------------------------------------------- what is shown beside it

  showCount() {
    const some = this.selected.length;
    this.count.textContent = some ? asCount(some) + " selected" : (this.left === this.map.count ? "" : asCount(this.left || 0) + " of ") + asCount(this.map.count) + " pictures";
    this.actions.hidden = !some;
  }

  showLegend() {
    const by = this.known.colors[this.by];
    const tones = tonesOf(this.root, this.colors.classes.length, by.kind);
    const blank = this.colors.codes.reduce((sum, code) => sum + (code < 0 ? 1 : 0), 0);
    const entries = this.colors.classes.map((name, code) => /** @type {[number, string, number]} */ ([code, name, this.colors.counts[code]]));
    if (blank) entries.push([-1, "none", blank]);
    this.legend.replaceChildren(...entries.slice(0, 200).map(([code, name, count]) => {
      const swatch = el("span", { class: "swatch", "aria-hidden": "true" });
      swatch.style.background = "rgb(" + (code < 0 ? tones.none : tones.classes[Math.min(code, tones.classes.length - 1)]).slice(0, 3).join(" ") + ")";
      return el("li", {}, el("button", { type: "button", "aria-pressed": String(this.classes.has(code)), onclick: () => this.toggle(code) }, swatch, el("bdi", {}, name), el("span", { class: "muted number small" }, asCount(count))));
    }));
  }

  /** @param {number} code */
  toggle(code) {
    if (!this.classes.delete(code)) this.classes.add(code);
    this.showLegend();
    this.settle();
  }

  showGridSoon() {
    clearTimeout(this.rest);
    // While a hand moves the map nothing else is done.
    this.rest = setTimeout(() => { if (this.stage.classList.contains("moving")) this.showGridSoon(); else this.showGrid(); }, REST);
  }

  async showGrid() {
    clearTimeout(this.rest);
    const points = (this.selected.length ? this.selected : this.inSight()).slice(0, GRID);
    this.gridTitle.textContent = this.selected.length ? "Selected" : "In sight";
    const mark = points.join();
    if (mark === this.drawn) return;
    this.drawn = mark;
    const missing = points.map((point) => this.ids[point]).filter((id) => !this.thumbs.has(id));
    if (missing.length) {
      const found = await readBundle(missing, missing.length + "-" + missing[0], this.aborter.signal).catch(() => null);
      if (!found) { this.drawn = ""; return; }
      missing.forEach((id, at) => { if (found[at]) this.thumbs.set(id, /** @type {string} */ (found[at])); });
    }
    if (mark !== this.drawn) return;
    this.grid.replaceChildren(...points.map((point) => el("button", {
      type: "button", class: point === this.at ? "is-at" : "", "data-point": point, "aria-label": "Picture " + this.ids[point],
      onpointerenter: () => this.point(point, true), onpointerleave: () => this.point(-1, true), onclick: () => this.reach(point),
      ondblclick: () => this.app.go("image", [String(this.ids[point])]),
    }, el("img", { src: this.thumbs.get(this.ids[point]) || "", alt: "", draggable: "false" }))));
    this.forget(new Set(points.map((point) => this.ids[point])));
    await this.warm(mark);
  }

  // Small pictures come from thumbnails that were drawn before: those in sight are, by and by.
  /** @param {string} mark */
  async warm(mark) {
    for (let at = 0; at < Math.min(AHEAD, this.near.length) && mark === this.drawn; at += GRID) {
      const ids = this.near.slice(at, at + GRID).map((point) => this.ids[point]).filter((id) => !this.warmed.has(id));
      if (!ids.length) continue;
      const found = await readBundle(ids, ids.length + "-" + ids[0], this.aborter.signal).catch(() => []);
      for (const src of found) if (src) URL.revokeObjectURL(src);
      for (const id of ids) this.warmed.add(id);
      if (this.drawing) this.drawing.renew();
    }
  }

  /** @param {Set<number>} shown */
  forget(shown) {
    for (const [id, src] of this.thumbs) {
      if (this.thumbs.size <= 4 * GRID) return;
      if (shown.has(id)) continue;
      URL.revokeObjectURL(src);
      this.thumbs.delete(id);
    }
  }

  /** @param {number} point */
  showCard(point) {
    const id = this.ids[point];
    this.card.hidden = point < 0;
    if (point < 0) return;
    const { view } = this.place;
    const picture = /** @type {HTMLImageElement} */ (this.card.firstElementChild);
    picture.src = this.thumbs.get(id) || "/api/images/" + id + "/thumb";
    const x = view.left + this.map.shown.x[point] * view.scale, y = view.top + this.map.shown.y[point] * view.scale;
    const left = x + 210 < view.width ? x + 34 : x - 206;
    this.card.style.transform = "translate(" + Math.round(left) + "px," + Math.round(Math.max(8, Math.min(view.height - 190, y - 90))) + "px)";
  }

  bindings() {
    return [
      { key: "l", label: "draw around pictures: they are selected (or hold Shift)", run: () => this.setLasso(!this.lassoing) },
      { key: "ArrowLeft", shown: "← → ↑ ↓", label: "the next picture that way", run: () => this.walk(-1, 0) },
      { key: "ArrowRight", label: "", silent: true, run: () => this.walk(1, 0) },
      { key: "ArrowUp", label: "", silent: true, run: () => this.walk(0, -1) },
      { key: "ArrowDown", label: "", silent: true, run: () => this.walk(0, 1) },
      { key: "Enter", label: "open the picture", run: () => { if (this.at >= 0) this.app.go("image", [String(this.ids[this.at])]); } },
      { key: "c", label: "colour by something else", run: () => this.colorBy(this.by + 1) },
      { key: "a", label: "give a label to what is selected", run: () => this.label(false) },
      { key: "x", label: "take a label from what is selected", run: () => this.label(true) },
      { key: "b", label: "the same filter in browse", run: () => this.app.go("browse", [], { where: this.where }) },
      { key: "/", label: "filter", run: () => { this.filter.focus(); this.filter.select(); } },
      { key: "+", shown: "+ − 0", label: "nearer, farther, all of it", run: () => this.zoom(1.5) },
      { key: "=", label: "", silent: true, run: () => this.zoom(1.5) },
      { key: "-", label: "", silent: true, run: () => this.zoom(1 / 1.5) },
      { key: "0", label: "", silent: true, run: () => this.place.fit() },
      { key: "Escape", shown: "Esc", label: "select nothing; then: no filter", run: () => this.clear() },
    ];
  }

  /** @param {number} factor */
  zoom(factor) { this.place.zoomAt(this.place.view.width / 2, this.place.view.height / 2, factor); }

  /** @param {HTMLElement} host */
  build(host) {
    this.stage = /** @type {HTMLCanvasElement} */ (el("canvas", { class: "map-stage", tabindex: "0", role: "img", "aria-label": "Map of the pictures; arrows walk from picture to picture" }));
    this.over = /** @type {HTMLCanvasElement} */ (el("canvas", { class: "map-over", "aria-hidden": "true" }));
    this.card = el("div", { class: "map-card", hidden: true }, el("img", { alt: "" }));
    this.stageArea = el("div", { class: "map-area" }, this.stage, this.over, this.card);
    this.filter = /** @type {HTMLInputElement} */ (el("input", { class: "field", type: "search", value: this.where, placeholder: "Filter: brand:absolut and not is:confirmed", "aria-label": "Filter", autocomplete: "off", spellcheck: "false" }));
    this.filter.addEventListener("keydown", (event) => {
      if (event.key === "Enter") { this.filterBy(this.filter.value); this.filter.blur(); }
      if (event.key === "Escape") { this.filter.value = this.where; this.filter.blur(); }
    });
    this.filter.addEventListener("search", () => this.filterBy(this.filter.value));
    this.choice = /** @type {HTMLSelectElement} */ (el("select", { class: "select", "aria-label": "Colour by" }, this.known.colors.map((/** @type {any} */ one, /** @type {number} */ at) => el("option", { value: String(at), selected: at === this.by }, one.kind === "taxonomy" ? one.name : KINDS[/** @type {keyof typeof KINDS} */ (one.kind)]))));
    this.choice.addEventListener("change", () => { this.colorBy(Number(this.choice.value)); this.choice.blur(); });
    const maps = this.known.maps.length > 1 ? el("select", { class: "select", "aria-label": "Map", onchange: (/** @type {any} */ event) => this.app.go("map", [event.target.value]) }, this.known.maps.map((/** @type {any} */ one) => el("option", { value: one.name, selected: one.name === this.name }, one.name))) : null;
    const button = (/** @type {string} */ text, /** @type {string} */ key, /** @type {() => void} */ run) => /** @type {HTMLButtonElement} */ (el("button", { type: "button", class: "button", onclick: run }, text, el("kbd", {}, key)));
    this.lassoButton = button("Select", "l", () => this.setLasso(!this.lassoing));
    this.count = el("p", { class: "map-count number", "data-left": "" });
    this.complaint = el("p", { class: "map-complaint", role: "alert" });
    this.legend = el("ul", { class: "map-legend", "aria-label": "Colours" });
    this.gridTitle = el("h2", {}, "In sight");
    this.grid = el("div", { class: "map-grid" });
    this.told = el("p", { class: "map-told muted small" });
    this.actions = el("div", { class: "map-actions", hidden: true }, button("Give a label", "a", () => this.label(false)), button("Take one", "x", () => this.label(true)), button("None", "Esc", () => this.clear()));
    this.root = el("section", { class: "map-screen", "aria-label": "Map" },
      el("header", { class: "map-head" }, this.filter, maps, this.choice, this.lassoButton, this.count, this.complaint),
      this.stageArea,
      el("aside", { class: "map-side" }, this.legend, el("div", { class: "map-side-head" }, this.gridTitle, this.told), this.actions, this.grid));
    host.append(this.root);
  }
}

/** @param {{kind: string, name: string}} coloring */
const keyOf = (coloring) => (coloring.kind === "taxonomy" ? "taxonomy:" + coloring.name : coloring.kind);

// The colours of the theme as numbers: of years one ramp, of classes those that are told apart.
/** @param {HTMLElement} root @param {number} count @param {string} kind */
function tonesOf(root, count, kind) {
  const probe = el("span", {});
  root.append(probe);
  const read = (/** @type {string} */ value) => {
    probe.style.color = value;
    const found = (getComputedStyle(probe).color.match(/[\d.]+/g) || []).map(Number);
    return getComputedStyle(probe).color.startsWith("color(") ? found.slice(0, 3).map((part) => Math.round(255 * part)) : found.slice(0, 3);
  };
  let classes;
  if (kind === "year") {
    classes = Array.from({ length: Math.max(1, count) }, (_, at) => read("color-mix(in srgb, var(--c1) " + Math.round((100 * (at + 1)) / Math.max(1, count)) + "%, var(--c0))"));
  } else {
    classes = Array.from({ length: COLORS - 2 }, (_, at) => read("var(--c" + at + ")"));
    classes.push(read("var(--other)"));
  }
  const tones = { classes, none: read("var(--line-strong)"), page: read("var(--page)").map((part) => part / 255) };
  probe.remove();
  return tones;
}
