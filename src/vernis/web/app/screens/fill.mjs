// @ts-check
// Fill: choose how sure the labels shall be, see how many that gives and the least certain of them,
// write them as one batch.
import { el, say } from "../../shared/dom.mjs";
import { frameOver } from "../../shared/frame.mjs";
import { asCount, asPercent, baseName } from "../../shared/wording.mjs";
import { get } from "../api.mjs";
import { Decided } from "../decided.mjs";
import { classAfter, firstPoint, heightsOf, promiseOf, reasonsOf, strictest } from "../fill.mjs";
import { drawThumbnails } from "../pictures.mjs";
import { loadStyle } from "../styles.mjs";
import { runVerb } from "../verbs.mjs";

const ORDERS = { least: "Least certain", spread: "Some of all", most: "Most certain" };
const SAMPLES = 60;

/** @typedef {{image: import("../pictures.mjs").Picture, label: string, probability: number, place: import("../../shared/frame.mjs").LabelPlace | null}} Sample */

/** @param {HTMLElement} host @param {import("../main.mjs").App} app @param {import("../router.mjs").Place} place */
export async function open(host, app, place) {
  await Promise.all([loadStyle("/web/app/screens/wall.css"), loadStyle("/web/app/screens/fill.css")]);
  const taxonomies = app.collection.taxonomies.filter((/** @type {any} */ one) => !one.ignored);
  const taxonomy = taxonomies.find((/** @type {any} */ one) => one.name === place.parts[0]) || taxonomies[0];
  if (!taxonomy) {
    host.append(el("div", { class: "blank-page" },
      el("h2", {}, "Nothing is labelled yet"),
      el("p", {}, "Labels come from a table (vernis import) or from the folders; missing ones are filled from those.")));
    return { close() {} };
  }
  const screen = new Fill(host, app, taxonomies.map((/** @type {any} */ one) => one.name), taxonomy.name);
  await screen.start(Number(place.query.get("precision")) || 0, place.query.get("class") || "");
  return { close: () => screen.close() };
}

class Fill {
  /** @param {HTMLElement} host @param {import("../main.mjs").App} app @param {string[]} taxonomies @param {string} taxonomy */
  constructor(host, app, taxonomies, taxonomy) {
    this.app = app;
    this.taxonomy = taxonomy;
    this.curve = /** @type {any} */ (null);
    this.at = 0; // the point of the curve
    this.label = ""; // of the samples; "" are all
    this.order = "least";
    this.done = new Decided();
    this.working = "";
    /** @type {Promise<void>} */
    this.atWork = Promise.resolve();
    this.complaint = "";
    this.closed = false;
    this.bundles = new AbortController();
    this.turn = 0;
    this.reading = 0;
    this.build(host, taxonomies);
    const again = () => this.readSoon();
    this.ends = [
      app.keys.use("Fill", this.bindings()),
      ...["decided", "undone", "labelled", "catalog", "reset"].map((kind) => app.events.on(kind, again)),
    ];
  }

  close() {
    this.closed = true;
    clearTimeout(this.reading);
    clearTimeout(this.asking);
    this.bundles.abort();
    for (const end of this.ends) end();
  }

  // ---------------------------------------------------------------- what there is

  /** @param {number} precision @param {string} label */
  async start(precision, label) {
    this.label = label;
    await this.read();
    if (this.curve) {
      const named = this.points.findIndex((one) => one.precision === precision);
      this.at = named < 0 ? firstPoint(this.points) : named;
    }
    this.show();
    if (this.learned && (!this.curve || this.curve.changed)) await this.draw();
  }

  async read() {
    const state = await get("/api/fill/" + encodeURIComponent(this.taxonomy));
    this.learned = state.learned;
    this.curve = state.curve;
  }

  readSoon() {
    if (this.working) return;
    clearTimeout(this.reading);
    this.reading = setTimeout(async () => { await this.read().catch(() => null); if (!this.closed) this.show(); }, 400);
  }

  /** @returns {import("../fill.mjs").FillPoint[]} */
  get points() { return this.curve ? this.curve.points : []; }
  get point() { return this.points[this.at]; }

  // Looks anew at what each precision would fill.
  async draw() {
    await this.work("Looking what each precision would fill…", async () => {
      await runVerb("fill", { taxonomy: this.taxonomy, curve: true, limit: 1 });
      const first = !this.curve;
      await this.read();
      if (first) this.at = firstPoint(this.points);
    });
  }

  /** @param {string} told @param {() => Promise<void>} run */
  async work(told, run) {
    if (this.working) return;
    this.working = told;
    this.complaint = "";
    this.showHead();
    this.atWork = run().catch((error) => {
      this.complaint = error instanceof Error ? error.message : String(error);
      this.app.toast(this.complaint, { kind: "warning" });
    }).then(() => {
      this.working = "";
      if (!this.closed) this.show();
    });
    await this.atWork;
  }

  // ---------------------------------------------------------------- what is decided

  apply() {
    const point = this.point;
    if (!point || !point.suggested || this.working) return;
    const told = asCount(point.suggested) + " labels of " + this.taxonomy + " filled at " + asPercent(point.precision);
    this.work("Filling…", async () => {
      const result = await runVerb("fill", { taxonomy: this.taxonomy, precision: point.precision, apply: true, limit: 1 });
      if (!result.batch) { this.app.toast("Nothing was left to fill"); return; }
      this.done.add({ told, batch: Promise.resolve(result.batch) });
      this.last.textContent = "Last: " + told;
      say(told);
      this.app.toast(told, { action: "Undo", run: () => this.undo() });
      await runVerb("fill", { taxonomy: this.taxonomy, curve: true, limit: 1 });
      await this.read();
      this.label = "";
    });
  }

  async undo() {
    await this.atWork; // it may be what shall be taken back
    await this.work("Taking back…", async () => {
      const decision = await this.done.undo();
      if (!decision) { this.app.toast("Nothing to take back here", { kind: "warning" }); return; }
      this.last.textContent = "Taken back: " + decision.told;
      await runVerb("fill", { taxonomy: this.taxonomy, curve: true, limit: 1 });
      await this.read();
    });
  }

  /** @param {number} at */
  choose(at) {
    if (!this.points.length) return;
    this.at = Math.max(0, Math.min(this.points.length - 1, at));
    if (this.label && !this.point.classes[this.label]) this.label = "";
    this.show();
  }

  showFrames() {
    const hidden = this.root.classList.toggle("no-frames");
    say(hidden ? "frames are hidden" : "frames are shown");
  }

  /** @param {string} order */
  sort(order) { this.order = order; this.show(); }

  /** @param {string} label */
  only(label) { this.label = label; this.show(); }

  // ---------------------------------------------------------------- what is shown

  bindings() {
    const orders = Object.keys(ORDERS);
    return [
      { key: "ArrowRight", shown: "← →", label: "surer, or more", run: () => this.choose(this.at + 1) },
      { key: "ArrowLeft", label: "", silent: true, run: () => this.choose(this.at - 1) },
      { key: "Home", label: "", silent: true, run: () => this.choose(0) },
      { key: "End", label: "", silent: true, run: () => this.choose(this.points.length - 1) },
      { key: "c", label: "samples of the next class", run: () => this.point && this.only(classAfter(this.point, this.label, 1)) },
      { key: "C", shown: "Shift C", label: "samples of the class before", run: () => this.point && this.only(classAfter(this.point, this.label, -1)) },
      { key: "h", label: "hide the frames where the labels would be, or show them", run: () => this.showFrames() },
      { key: "v", label: "least certain, some of all, most certain", run: () => this.sort(orders[(orders.indexOf(this.order) + 1) % orders.length]) },
      { key: "Enter", label: "fill them, as one batch", run: () => this.apply() },
      { key: "r", label: "look anew", run: () => this.draw() },
      { key: "z", label: "take the last filling back", run: () => this.undo() },
    ];
  }

  /** @param {HTMLElement} host @param {string[]} taxonomies */
  build(host, taxonomies) {
    const choice = /** @type {HTMLSelectElement} */ (el("select", { class: "select", "aria-label": "Taxonomy" }, taxonomies.map((name) => el("option", { value: name, selected: name === this.taxonomy }, name))));
    choice.addEventListener("change", () => this.app.go("fill", [choice.value]));
    this.question = el("h2", {});
    this.promise = el("p", { class: "muted", "data-left": "" });
    this.before = el("span", { class: "before" });
    this.after = el("span", { class: "after" });
    this.classes = /** @type {HTMLSelectElement} */ (el("select", { class: "select wall-classes", "aria-label": "Samples of which class" }));
    this.classes.addEventListener("change", () => this.only(this.classes.value));
    this.orders = el("div", { class: "segment", role: "group", "aria-label": "Which samples" },
      Object.entries(ORDERS).map(([order, name]) => el("button", { type: "button", "data-order": order, onclick: () => this.sort(order) }, name)));
    this.bars = el("div", { class: "fill-bars", role: "group", "aria-label": "Precisions" });
    this.slider = /** @type {HTMLInputElement} */ (el("input", { type: "range", min: "0", max: "0", step: "1", value: "0", "aria-label": "Precision" }));
    this.slider.addEventListener("input", () => this.choose(Number(this.slider.value)));
    this.ends_ = el("p", { class: "fill-ends" });
    this.stage = el("div", { class: "fill-stage" });
    this.button = el("button", { class: "key-button yes", type: "button", onclick: () => this.apply() }, el("span", {}, "Fill"), el("kbd", {}, "Enter"));
    this.last = el("p", { class: "review-last muted small", "data-last": "" });
    const small = (/** @type {string} */ text, /** @type {string} */ key, /** @type {() => void} */ run) => el("button", { type: "button", class: "button quiet", onclick: run }, text, el("kbd", {}, key));
    this.root = el("section", { class: "fill", "aria-label": "Fill" },
      el("header", { class: "fill-head" },
        el("div", { class: "fill-title" }, this.question, this.promise, el("div", { class: "fill-rate" }, this.after, this.before),
          el("div", { class: "fill-choice" }, choice, this.classes, this.orders)),
        el("div", { class: "fill-curve" }, this.bars, this.slider, this.ends_)),
      this.stage,
      el("footer", { class: "fill-foot" }, this.button,
        el("div", { class: "fill-small" }, small("Next class", "c", () => this.point && this.only(classAfter(this.point, this.label, 1))), small("Look anew", "r", () => this.draw()), small("Undo", "z", () => this.undo()), this.last)));
    host.append(this.root);
  }

  show() {
    this.showHead();
    this.app.replace({ precision: this.point ? this.point.precision : "", class: this.label }, [this.taxonomy]);
    if (!this.point) { this.showNothing(); return; }
    if (!this.point.suggested) { this.showHeld(); return; }
    clearTimeout(this.asking);
    this.asking = setTimeout(() => this.showSamples(), 80);
  }

  showHead() {
    const { curve, point } = this;
    const count = point ? point.suggested : 0;
    this.button.disabled = !count || Boolean(this.working);
    this.button.firstElementChild.textContent = this.working || (count ? "Fill " + asCount(count) + " at " + asPercent(point.precision) : "Nothing to fill");
    for (const button of /** @type {Iterable<HTMLElement>} */ (this.orders.children)) button.setAttribute("aria-pressed", String(button.dataset.order === this.order));
    this.bars.parentElement.hidden = !curve;
    if (!curve) {
      this.question.textContent = this.working || "Missing labels of " + this.taxonomy;
      this.promise.textContent = "";
      return;
    }
    this.question.replaceChildren("Be ", el("b", {}, asPercent(point.precision)), " sure");
    this.promise.textContent = (this.working && count ? this.working + " " : "") + promiseOf(point, curve.rate);
    this.before.style.width = 100 * curve.rate + "%";
    this.after.style.width = 100 * Math.max(curve.rate, point.rate) + "%";
    const heights = heightsOf(this.points);
    this.bars.replaceChildren(...this.points.map((one, at) => {
      const bar = el("span", {});
      bar.style.height = 100 * heights[at] + "%";
      return el("button", { type: "button", tabindex: "-1", title: asPercent(one.precision) + ": " + asCount(one.suggested) + " labels", "aria-label": asPercent(one.precision) + ": " + asCount(one.suggested) + " labels", "aria-pressed": String(at === this.at), onclick: () => this.choose(at) }, bar);
    }));
    this.slider.max = String(this.points.length - 1);
    this.slider.value = String(this.at);
    this.slider.setAttribute("aria-valuetext", asPercent(point.precision) + ", " + asCount(count) + " labels");
    this.ends_.replaceChildren(el("span", {}, asPercent(this.points[0].precision)), el("span", {}, "← more"), el("span", {}, "surer →"), el("span", {}, asPercent(this.points[this.points.length - 1].precision)));
    this.classes.replaceChildren(el("option", { value: "", selected: !this.label }, "All classes (" + asCount(count) + ")"),
      ...Object.entries(point.classes).map(([name, number]) => el("option", { value: name, selected: name === this.label }, name + " (" + asCount(number) + ")")));
  }

  showNothing() {
    this.stage.replaceChildren(el("div", { class: "blank-page" },
      el("h2", {}, this.working || (this.learned ? "Nothing is known yet" : "No model of " + this.taxonomy + " yet")),
      this.complaint ? el("p", {}, this.complaint) : el("p", {}, this.learned ? "It takes some seconds to see what each precision would fill." : "vernis run, or vernis learn " + this.taxonomy + ", trains one on the labels there are."),
      this.learned && !this.working ? el("button", { class: "button primary", onclick: () => this.draw() }, "Look") : null,
      this.learned || this.working ? null : el("button", { class: "button primary", onclick: () => this.app.go("jobs", ["learn"]) }, "Train one")));
  }

  // Nothing can be promised: why, what could be, and which images to label.
  showHeld() {
    const best = strictest(this.points);
    this.stage.replaceChildren(el("div", { class: "fill-held" },
      el("h2", {}, asPercent(this.point.precision) + " cannot be promised"),
      el("ul", {}, reasonsOf(this.point, this.curve.notes).map((note) => el("li", {}, note))),
      best ? el("div", {}, el("button", { class: "button primary", onclick: () => this.choose(this.points.indexOf(best)) }, "The strictest that fills: " + asPercent(best.precision) + " (" + asCount(best.suggested) + ")")) : null,
      this.nextImages()));
  }

  nextImages() {
    const images = this.curve.label_next;
    if (!images.length) return null;
    const cells = images.map((/** @type {any} */ image) => ({ image, element: /** @type {HTMLImageElement} */ (el("img", { alt: baseName(image.uri) })) }));
    const list = el("ul", { class: "wall-grid" }, cells.map(({ image, element }) => el("li", {},
      el("button", { type: "button", class: "wall-cell", title: image.uri, onclick: () => this.app.go("image", [String(image.id)]) }, element))));
    list.style.setProperty("--cell", "104px");
    drawThumbnails(cells, this.bundles.signal).catch(() => null);
    return el("section", { class: "fill-next" }, el("h3", {}, "Label these next: they help most to fill the others"), list);
  }

  async showSamples() {
    const turn = ++this.turn;
    const query = { precision: this.point.precision, label: this.label, order: this.order, limit: SAMPLES };
    const found = /** @type {Sample[] | null} */ (await get("/api/fill/" + encodeURIComponent(this.taxonomy) + "/samples", query).catch(() => null));
    if (turn !== this.turn || this.closed || !found || !this.point.suggested) return;
    const cells = found.map((one) => ({ image: one.image, one, element: /** @type {HTMLImageElement} */ (el("img", { alt: baseName(one.image.uri) + ", would be " + one.label })) }));
    const grid = el("ul", { class: "wall-grid", "aria-label": "Samples" }, cells.map(({ one, element }) => el("li", {},
      el("button", { type: "button", class: "wall-cell", title: one.image.uri, onclick: () => this.app.go("image", [String(one.image.id)]) }, element, frameOver(one.place, one.image),
        el("span", { class: "wall-given" }, el("bdi", {}, one.label), el("span", { class: "number" }, asPercent(one.probability)))))));
    this.stage.replaceChildren(grid);
    this.stage.scrollTop = 0;
    await drawThumbnails(cells, this.bundles.signal).catch(() => null);
  }
}
