// @ts-check
// Browse: every picture of the collection in one grid. As many cells exist as are seen; where each
// lies is arithmetic, so the end of 57,000 pictures is as near as the beginning.
import { el, say } from "../../shared/dom.mjs";
import { asCount, baseName } from "../../shared/wording.mjs";
import { get, getIds, Refused } from "../api.mjs";
import { holdsPart, layout, move, scrollTo, seen, Selection, togglePart } from "../grid.mjs";
import { recordLabels } from "../labels.mjs";
import { pickClass } from "../picker.mjs";
import { readBundle } from "../pictures.mjs";
import { added, askedOf, imageOf, queryOf, readSimilar, sendPicture, without } from "../similar.mjs";
import { loadStyle } from "../styles.mjs";

const GAP = 8;
const FOOT = 38;
const SPARE = 2; // rows that are drawn before and after what is seen
const BUNDLE = 120; // thumbnails of one request
const KEPT = 1500; // thumbnails in memory
const MOST_EXAMPLES = 16;
const CELLS = [88, 120, 156, 208, 280];
const ORDERS = { name: "Name", newest: "Newest first", oldest: "Oldest first", largest: "Largest first", smallest: "Smallest first", id: "As indexed" };

/** @param {HTMLElement} host @param {import("../main.mjs").App} app @param {import("../router.mjs").Place} place */
export async function open(host, app, place) {
  await loadStyle("/web/app/screens/browse.css");
  const browse = new Browse(host, app, place);
  await browse.start(Number(place.query.get("at")) || 0);
  return { close: () => browse.close() };
}

class Browse {
  constructor(host, app, place) {
    this.app = app;
    this.where = place.query.get("where") || "";
    this.order = place.query.get("order") || "name";
    this.size = Math.min(CELLS.length - 1, Math.max(0, Number(place.query.get("size") ?? 2) || 0));
    if (!place.query.has("size")) this.size = 2;
    this.asked = askedOf(place.query); // the examples that pictures shall be like, or not
    this.likeness = new Map(); // id → how like, where examples are asked for
    this.sent = new Map(); // name of a picture that was sent → its address here
    this.ids = new Uint32Array(0);
    this.all = app.collection.images;
    this.at = 0;
    this.selection = new Selection();
    this.rows = new Map(); // id → what its cell says
    this.thumbs = new Map(); // id → object URL, the latest seen last; "" while it is on its way
    this.cells = []; // the pool
    this.range = [0, 0]; // the first and the last place that is drawn
    this.aborter = new AbortController();
    this.build(host);
    this.ends = [
      app.keys.use("Browse", this.bindings()),
      ...["decided", "undone", "labelled", "changed", "catalog", "reset"].map((kind) => app.events.on(kind, () => this.readSoon())),
    ];
    this.resized = new ResizeObserver(() => this.measure());
    this.resized.observe(this.stage);
  }

  close() {
    clearTimeout(this.reading);
    this.resized.disconnect();
    this.aborter.abort();
    for (const src of this.thumbs.values()) if (src) URL.revokeObjectURL(src);
    for (const src of this.sent.values()) URL.revokeObjectURL(src);
    for (const end of this.ends) end();
  }

  // ---------------------------------------------------------------- what there is

  async start(at) {
    await this.read();
    this.at = Math.max(0, Math.min(this.ids.length - 1, at - 1));
    this.measure();
    if (at > 1) this.reveal(true);
  }

  async read() {
    const query = { where: this.where, order: this.order };
    try {
      if (this.asked.like.length) ({ ids: this.ids, likeness: this.likeness } = await readSimilar(this.asked, this.where));
      else { this.ids = await getIds("/api/images/ids", query); this.likeness = new Map(); }
      this.complaint.textContent = "";
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.complaint.textContent = error.message;
      return;
    }
    this.at = Math.max(0, Math.min(this.ids.length - 1, this.at));
    this.showExamples();
    get("/api/facets", { where: this.where }).then((facets) => this.showFacets(facets), () => null);
    this.measure();
  }

  readSoon() {
    clearTimeout(this.reading);
    this.reading = setTimeout(() => { this.rows.clear(); this.read().catch(() => null); }, 400);
  }

  ask(where) {
    this.where = where.trim();
    this.filter.value = this.where;
    this.at = 0;
    this.stage.scrollTop = 0;
    this.read().then(() => this.address());
  }

  // ---------------------------------------------------------------- the grid

  measure() {
    const width = this.stage.clientWidth - 2 * 12;
    this.made = layout({ width, height: this.stage.clientHeight, cell: CELLS[this.size], gap: GAP, foot: CELLS[this.size] < 100 ? 0 : FOOT, count: this.ids.length });
    this.canvas.style.height = this.made.height + "px";
    this.canvas.style.setProperty("--side", this.made.side + "px");
    this.draw();
  }

  seen() { return seen(this.made, this.stage.scrollTop - 12, this.stage.clientHeight, this.ids.length, SPARE); }

  // While the same rows are seen the browser alone moves them.
  scrolled() {
    const [first, last] = this.seen();
    if (first !== this.range[0] || last !== this.range[1]) this.draw();
  }

  draw() {
    const [first, last] = this.seen();
    this.range = [first, last];
    while (this.cells.length < last - first) { const cell = this.makeCell(); this.cells.push(cell); this.canvas.append(cell.root); }
    // A cell keeps its picture while it is seen: place modulo size of the pool.
    const pool = this.cells.length;
    for (const cell of this.cells) cell.wanted = -1;
    for (let index = first; index < last; index++) this.cells[index % pool].wanted = index;
    for (const cell of this.cells) this.fill(cell);
    this.count();
    this.readPictures();
  }

  makeCell() {
    const picture = el("img", { alt: "" });
    const words = el("span", { class: "cell-words" });
    const root = el("div", { class: "cell", role: "option" }, el("div", { class: "cell-picture" }, picture), words);
    const cell = { root, picture, words, index: -1, id: -1, wanted: -1 };
    root.addEventListener("click", (event) => this.press(cell, event));
    root.addEventListener("dblclick", () => this.openImage());
    return cell;
  }

  fill(cell) {
    const index = cell.wanted;
    cell.root.hidden = index < 0;
    if (index < 0) { cell.id = -1; return; }
    const id = this.ids[index];
    const { columns, side, row } = this.made;
    cell.index = index;
    cell.root.style.transform = "translate(" + (index % columns) * (side + GAP) + "px," + Math.floor(index / columns) * row + "px)";
    if (cell.id !== id) {
      cell.id = id;
      cell.picture.removeAttribute("src");
    }
    const src = this.thumbs.get(id);
    if (src && !cell.picture.hasAttribute("src")) cell.picture.src = src;
    cell.root.classList.toggle("is-at", index === this.at);
    cell.root.setAttribute("aria-selected", String(this.selection.has(id)));
    const known = this.rows.get(id);
    const like = this.likeness.get(id);
    const words = (like === undefined ? "" : like.toFixed(2) + (known ? " · " : "")) + (known ? known.words : "");
    if (cell.words.textContent !== words) cell.words.textContent = words;
    cell.root.title = known ? known.uri : "";
    cell.picture.alt = known ? baseName(known.uri) : "";
    cell.root.classList.toggle("has-issue", Boolean(known && known.issues.length));
  }

  // Pictures and words of what is seen, by one request of each kind; what left the view is not
  // waited for.
  readPictures() {
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.readNow(), 40);
  }

  async readNow() {
    const [first, last] = this.range;
    const wanted = Array.from(this.ids.subarray(first, last));
    const words = wanted.filter((id) => !this.rows.has(id)).slice(0, 400);
    const pictures = wanted.filter((id) => !this.thumbs.has(id));
    const asked = [];
    if (words.length) asked.push(get("/api/images/rows", { ids: words.join(",") }, this.aborter.signal).then((rows) => this.takeRows(rows)));
    for (let at = 0; at < pictures.length; at += BUNDLE) asked.push(this.readSome(pictures.slice(at, at + BUNDLE)));
    await Promise.all(asked).catch(() => null);
  }

  async readSome(ids) {
    for (const id of ids) this.thumbs.set(id, "");
    const found = await readBundle(ids, ids.length + "-" + ids[0], this.aborter.signal).catch(() => null);
    ids.forEach((id, at) => { if (found && found[at]) this.thumbs.set(id, found[at]); else this.thumbs.delete(id); });
    this.forget();
    for (const cell of this.cells) if (cell.wanted >= 0) this.fill(cell);
  }

  takeRows(rows) {
    for (const row of rows) {
      const labels = Object.values(row.labels).flat();
      this.rows.set(row.id, { uri: row.uri, issues: row.issues, words: labels.length ? labels.join(", ") : baseName(row.uri) });
    }
    for (const cell of this.cells) if (cell.wanted >= 0) this.fill(cell);
  }

  forget() {
    const [first, last] = this.range;
    const seenNow = new Set(this.ids.subarray(first, last));
    for (const [id, src] of this.thumbs) {
      if (this.thumbs.size <= KEPT) break;
      if (seenNow.has(id) || !src) continue;
      URL.revokeObjectURL(src);
      this.thumbs.delete(id);
    }
  }

  // ---------------------------------------------------------------- walking and selecting

  focus(index, extend = false) {
    if (!this.ids.length) return;
    if (extend) { if (this.selection.anchor < 0) this.selection.anchor = this.at; this.selection.extend(this.ids, index); }
    this.at = index;
    this.reveal();
    for (const cell of this.cells) if (cell.wanted >= 0) this.fill(cell);
    this.count();
    this.address();
    const known = this.rows.get(this.ids[index]);
    say((known ? baseName(known.uri) + ", " : "") + asCount(index + 1) + " of " + asCount(this.ids.length));
  }

  reveal(middle = false) {
    const top = scrollTo(this.made, this.at, middle ? -1 : this.stage.scrollTop - 12, this.stage.clientHeight, GAP);
    if (top === null && !middle) return;
    const from = Math.floor(this.at / this.made.columns) * this.made.row;
    this.stage.scrollTop = middle ? from - (this.stage.clientHeight - this.made.row) / 2 : top + 12 - (top === from ? 12 : -12);
    this.draw();
  }

  press(cell, event) {
    if (event.shiftKey) this.selection.extend(this.ids, cell.index);
    else if (event.ctrlKey || event.metaKey) this.selection.toggle(this.ids, cell.index);
    this.focus(cell.index);
  }

  step(key, extend) { this.focus(move(this.at, key, this.made, this.stage.clientHeight, this.ids.length), extend); }

  zoom(by) {
    const size = Math.max(0, Math.min(CELLS.length - 1, this.size + by));
    if (size === this.size) return;
    this.size = size;
    this.slider.value = String(size);
    this.measure();
    this.reveal(true);
    this.address();
  }

  openImage() {
    if (this.ids.length) this.app.go("image", [String(this.ids[this.at])], { where: this.where, order: this.order === "name" ? "" : this.order });
  }

  // ---------------------------------------------------------------- labelling many

  chosen() { return this.selection.size ? [...this.selection.ids] : this.ids.length ? [this.ids[this.at]] : []; }

  async label(taken) {
    const ids = this.chosen();
    if (!ids.length) return;
    const taxonomies = this.app.collection.taxonomies.filter((one) => !one.ignored);
    const names = taxonomies.flatMap((one) => one.classes.map((label) => one.name + ": " + label));
    const known = this.rows.get(this.ids[this.at]);
    const picked = await pickClass({ title: (taken ? "Take from " : "Give ") + asCount(ids.length) + (ids.length === 1 ? " image" : " images"), classes: names, first: taken && known ? names.filter((name) => known.words.split(", ").includes(name.split(": ")[1])) : [] });
    if (picked === null) return;
    const [taxonomy, ...rest] = picked.split(": ");
    const label = rest.join(": ");
    const all = this.selection.size === this.ids.length && this.selection.size > 1;
    const which = all ? { where: this.where, expected: ids.length } : { ids };
    const told = label + (taken ? " taken from " : " given to ") + asCount(ids.length) + (ids.length === 1 ? " image" : " images");
    await recordLabels(this.app, { taxonomy, ...which, [taken ? "remove" : "add"]: [label] }, told, () => this.readSoon());
  }

  // ---------------------------------------------------------------- by pictures

  async search(asked) {
    this.asked = asked;
    this.at = 0;
    this.stage.scrollTop = 0;
    this.selection.clear();
    await this.read();
    this.address();
  }

  // What is selected, or the picture that has the focus, becomes an example.
  like(side) {
    const names = this.chosen().slice(0, MOST_EXAMPLES).map(String);
    if (!names.length) return;
    if (side === "unlike" && !this.asked.like.length) { this.app.toast("Say first what the pictures shall be like: s", {}); return; }
    this.search(added(this.asked, names, side)).catch((error) => this.app.toast(error.message, { kind: "warning" }));
  }

  async take(files) {
    const pictures = [...files].filter((file) => file.type.startsWith("image/") || !file.type).slice(0, MOST_EXAMPLES);
    if (!pictures.length) { this.app.toast("That is no picture", { kind: "warning" }); return; }
    try {
      const names = [];
      for (const picture of pictures) {
        const name = await sendPicture(picture);
        this.sent.set(name, URL.createObjectURL(picture));
        names.push(name);
      }
      await this.search(added(this.asked, names, "like"));
    } catch (error) { this.app.toast(error.message, { kind: "warning" }); }
  }

  async showExamples() {
    const { like, unlike } = this.asked;
    this.examples.hidden = !like.length;
    this.order_.disabled = like.length > 0;
    this.order_.replaceChildren(...(like.length ? [el("option", {}, "Likest first")] : Object.entries(ORDERS).map(([value, text]) => el("option", { value, selected: value === this.order }, text))));
    if (!like.length) return;
    const ids = [...new Set([...like, ...unlike].map(imageOf).filter(Boolean).map((one) => one.id))];
    const facts = new Map((ids.length ? await get("/api/images/rows", { ids: ids.join(",") }).catch(() => []) : []).map((row) => [row.id, row]));
    const chip = (name) => {
      const image = imageOf(name);
      const row = image && facts.get(image.id);
      const src = image ? "/api/images/" + image.id + "/thumb" : this.sent.get(name);
      const told = row ? baseName(row.uri) : "the picture that you gave";
      return el("button", { type: "button", class: "browse-example", title: "Leave out " + told, "aria-label": "Leave out " + told, onclick: () => this.search(without(this.asked, name)) },
        src ? el("span", { class: "browse-example-picture" }, el("img", { src, alt: "" }), image && image.part ? markOf(image.part) : null) : el("span", { class: "muted" }, "?"), el("span", { "aria-hidden": "true" }, "✕"));
    };
    this.examples.replaceChildren(...[
      el("span", {}, "Like"), ...like.map(chip),
      unlike.length ? el("span", {}, "but not like") : null, ...unlike.map(chip),
      el("button", { type: "button", class: "button quiet", onclick: () => this.search({ like: [], unlike: [] }) }, "All pictures"),
    ].filter(Boolean));
  }

  clear() {
    if (!this.selection.size && this.asked.like.length) { this.search({ like: [], unlike: [] }); return; }
    if (!this.selection.size && this.where) { this.ask(""); return; }
    this.selection.clear();
    for (const cell of this.cells) if (cell.wanted >= 0) this.fill(cell);
    this.count();
  }

  // ---------------------------------------------------------------- what is shown

  bindings() {
    const walk = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"];
    return [
      ...walk.map((key, at) => ({ key, shown: "← → ↑ ↓ Home End PgUp PgDn", label: "walk", silent: at > 0, run: () => this.step(key, false) })),
      ...walk.map((key, at) => ({ key: "Shift+" + key, shown: "Shift", label: "and a step: select up to there", silent: at > 0, run: () => this.step(key, true) })),
      { key: " ", shown: "Space", label: "select, or not", run: () => { if (this.ids.length) { this.selection.toggle(this.ids, this.at); this.focus(this.at); } } },
      { key: "A", shown: "Shift A", label: "select all that the filter holds for", run: () => { this.selection.all(this.ids); this.focus(this.at); } },
      { key: "Enter", label: "open the picture", run: () => this.openImage() },
      { key: "l", label: "give a label to what is selected", run: () => this.label(false) },
      { key: "L", shown: "Shift L", label: "take a label from what is selected", run: () => this.label(true) },
      { key: "s", label: "pictures like this, or like all that are selected", run: () => this.like("like") },
      { key: "S", shown: "Shift S", label: "but not like this", run: () => this.like("unlike") },
      { key: "u", label: "pictures like one of yours (or drop it here)", run: () => this.chooser.click() },
      { key: "/", label: "filter", run: () => { this.filter.focus(); this.filter.select(); } },
      { key: "+", shown: "+ −", label: "larger or smaller pictures", run: () => this.zoom(1) },
      { key: "=", label: "", silent: true, run: () => this.zoom(1) },
      { key: "-", label: "", silent: true, run: () => this.zoom(-1) },
      { key: "Escape", shown: "Esc", label: "select nothing; then: no example, no filter", run: () => this.clear() },
    ];
  }

  build(host) {
    this.filter = el("input", { class: "field", type: "search", value: this.where, placeholder: "Filter: brand:absolut and not is:confirmed", "aria-label": "Filter", list: "filter-parts", autocomplete: "off", spellcheck: "false" });
    this.parts = el("datalist", { id: "filter-parts" });
    this.filter.addEventListener("keydown", (event) => {
      if (event.key === "Enter") { event.preventDefault(); this.ask(this.filter.value); this.filter.blur(); }
      if (event.key === "Escape") { this.filter.value = this.where; this.filter.blur(); }
    });
    this.filter.addEventListener("search", () => this.ask(this.filter.value));
    const order = el("select", { class: "select", "aria-label": "Order" }, Object.entries(ORDERS).map(([value, text]) => el("option", { value, selected: value === this.order }, text)));
    order.addEventListener("change", () => { this.order = order.value; this.at = 0; this.stage.scrollTop = 0; this.read().then(() => this.address()); });
    this.order_ = order;
    this.chooser = el("input", { type: "file", accept: "image/*", multiple: true, class: "visually-hidden", tabindex: "-1", "aria-label": "A picture to search by" });
    this.chooser.addEventListener("change", () => { this.take(this.chooser.files); this.chooser.value = ""; });
    this.examples = el("div", { class: "browse-examples", hidden: true, role: "group", "aria-label": "Examples" });
    this.slider = el("input", { type: "range", min: "0", max: String(CELLS.length - 1), step: "1", value: String(this.size), "aria-label": "Size of the pictures" });
    this.slider.addEventListener("input", () => this.zoom(Number(this.slider.value) - this.size));
    this.shown = el("p", { class: "browse-count", "data-left": "" });
    this.complaint = el("p", { class: "browse-complaint", role: "alert" });
    this.chosenBar = el("div", { class: "browse-chosen", hidden: true });
    this.facets = el("nav", { class: "browse-facets", "aria-label": "Facets" });
    this.canvas = el("div", { class: "browse-canvas", role: "listbox", "aria-label": "Pictures", "aria-multiselectable": "true" });
    this.stage = el("div", { class: "browse-stage", tabindex: "0" }, this.canvas);
    this.stage.addEventListener("scroll", () => {
      if (this.frame) return;
      this.frame = requestAnimationFrame(() => { this.frame = 0; this.scrolled(); });
    }, { passive: true });
    const dropping = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files");
    for (const kind of ["dragenter", "dragover"]) this.stage.addEventListener(kind, (event) => { if (dropping(event)) { event.preventDefault(); this.stage.classList.add("dropping"); } });
    this.stage.addEventListener("dragleave", () => this.stage.classList.remove("dropping"));
    this.stage.addEventListener("drop", (event) => {
      if (!dropping(event)) return;
      event.preventDefault();
      this.stage.classList.remove("dropping");
      this.take(event.dataTransfer.files);
    });
    const by = el("button", { class: "button", type: "button", title: "Search by a picture of yours; it can be dropped here, too", onclick: () => this.chooser.click() }, "By picture", el("kbd", {}, "u"));
    const fold = el("button", { class: "button quiet browse-fold", type: "button", onclick: () => this.root.classList.toggle("facets-open") }, "Facets");
    this.root = el("section", { class: "browse", "aria-label": "Browse" },
      this.facets,
      el("div", { class: "browse-main" },
        el("header", { class: "browse-head" }, fold, this.filter, this.parts, by, this.chooser, order, this.slider, this.shown, this.complaint, this.examples),
        this.stage, this.chosenBar));
    host.append(this.root);
  }

  showFacets(facets) {
    this.parts.replaceChildren(...facets.flatMap((facet) => facet.values.map((one) => el("option", { value: one.where }))));
    this.facets.replaceChildren(...facets.filter((facet) => facet.values.length).map((facet) => el("details", { open: true },
      el("summary", {}, facet.name.replaceAll("_", " ")),
      el("ul", {}, facet.values.map((one) => el("li", {}, el("button", {
        type: "button", class: "facet" + (one.shown ? "" : " none"), "aria-pressed": String(holdsPart(this.where, one.where)), title: one.where,
        onclick: () => this.ask(togglePart(this.where, one.where)),
      }, el("bdi", {}, one.value), el("span", { class: "number" }, one.shown === one.total ? asCount(one.total) : asCount(one.shown) + " of " + asCount(one.total)))))),
      facet.more ? el("p", { class: "muted small" }, asCount(facet.more) + " more: type them") : null)));
  }

  count() {
    const total = this.ids.length;
    this.shown.textContent = total ? asCount(this.at + 1) + " of " + asCount(total) + (total < this.all ? " · " + asCount(this.all) + " in all" : "") : "No picture is like that";
    const many = this.selection.size;
    this.chosenBar.hidden = !many;
    if (!many) return;
    this.chosenBar.replaceChildren(
      el("strong", {}, asCount(many) + " selected"),
      el("button", { class: "button primary", type: "button", onclick: () => this.label(false) }, "Give a label", el("kbd", {}, "l")),
      el("button", { class: "button", type: "button", onclick: () => this.label(true) }, "Take a label", el("kbd", {}, "Shift L")),
      el("button", { class: "button", type: "button", onclick: () => this.like("like") }, "Like these", el("kbd", {}, "s")),
      el("button", { class: "button quiet", type: "button", onclick: () => this.clear() }, "Select nothing", el("kbd", {}, "Esc")));
  }

  address() {
    clearTimeout(this.telling);
    this.telling = setTimeout(() => this.app.replace({ where: this.where, ...queryOf(this.asked), order: this.order === "name" ? "" : this.order, size: this.size === 2 ? "" : this.size, at: this.at ? this.at + 1 : "" }, []), 150);
  }
}

// Where the part of an example is, over its thumbnail.
function markOf(part) {
  const mark = el("i", {});
  const shares = part.some((value) => value > 1) ? null : part;
  if (!shares) return null;
  mark.style.left = 100 * shares[0] + "%";
  mark.style.top = 100 * shares[1] + "%";
  mark.style.width = 100 * shares[2] + "%";
  mark.style.height = 100 * shares[3] + "%";
  return mark;
}
