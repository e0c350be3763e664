// @ts-check
// Image: one picture large, everything that is known of it, and the ones that look alike.
import { el, say } from "../../shared/dom.mjs";
import { asCount, asPercent, asSize, baseName } from "../../shared/wording.mjs";
import { get, getIds } from "../api.mjs";
import { readingOf } from "../brands.mjs";
import { BoxEditor, Drawing } from "../box_editor.mjs";
import { findSample, JudgePanel } from "../judge_panel.mjs";
import { recordLabels } from "../labels.mjs";
import { boxBetween, isDrawn } from "../boxes.mjs";
import { pickClass } from "../picker.mjs";
import { decodedAhead, previewOf, thumbOf } from "../pictures.mjs";
import { partName } from "../similar.mjs";
import { loadStyle } from "../styles.mjs";

/** @param {HTMLElement} host @param {import("../main.mjs").App} app @param {import("../router.mjs").Place} place */
export async function open(host, app, place) {
  await loadStyle("/web/app/screens/image.css");
  const screen = new ImageScreen(host, app, place);
  await screen.start(Number(place.parts[0]) || 0);
  return { close: () => screen.close() };
}

class ImageScreen {
  constructor(host, app, place) {
    this.app = app;
    this.where = place.query.get("where") || "";
    this.order = place.query.get("order") || "name";
    this.ids = new Uint32Array(0);
    this.id = 0;
    this.build(host);
    /** @type {BoxEditor | null} */
    this.editor = null;
    this.drawing = new Drawing(app.collection.taxonomies.filter((one) => !one.ignored));
    this.draws = place.query.get("draw") === "1";
    this.judges = place.query.get("judge") || ""; // the taxonomy whose sample is judged
    /** @type {JudgePanel | null} */
    this.judge = null;
    this.ends = [
      app.keys.use("Image", this.bindings()),
      ...["decided", "undone", "labelled", "catalog", "reset"].map((kind) => app.events.on(kind, () => this.readSoon())),
    ];
  }

  close() {
    clearTimeout(this.reading);
    if (this.editor) this.editor.close();
    if (this.judge) this.judge.close();
    for (const end of this.ends) end();
  }

  async start(id) {
    if (this.judges && await this.startJudging()) return;
    this.ids = await getIds("/api/images/ids", { where: this.where, order: this.order });
    this.at = Math.max(0, this.ids.indexOf(id));
    await this.show(id || this.ids[0]);
    if (this.draws) this.draw();
  }

  readSoon() {
    clearTimeout(this.reading);
    this.reading = setTimeout(() => {
      if (this.editor) this.editor.refresh();
      if (this.id) this.describe(this.id).catch(() => null); // the first picture may be still to come
    }, 300);
  }

  async show(id) {
    if (!id) { this.picture.replaceChildren(el("p", { class: "muted" }, "There is no picture here")); return; }
    this.id = id;
    const at = this.ids.indexOf(id);
    if (at >= 0) this.at = at;
    this.address();
    this.place.textContent = at >= 0 ? asCount(at + 1) + " of " + asCount(this.ids.length) : "not among the pictures of the filter";
    await this.describe(id, true);
  }

  async describe(id, anew = false) {
    const record = await get("/api/images/" + id);
    if (id !== this.id) return;
    this.record = record;
    if (anew) this.showPicture(record);
    this.showFacts(record);
    if (anew && !this.judge) this.showNeighbors(id);
    if (anew && this.judge) this.judge.open(id);
  }

  address() {
    this.app.replace({ where: this.where, order: this.order === "name" ? "" : this.order, draw: this.draws ? "1" : "", judge: this.judges }, [String(this.id)]);
  }

  // ---------------------------------------------------------------- heat maps

  // The next of the maps over the picture, after the last one none.
  async nextHeat() {
    const { id, frame } = this;
    if (!frame || this.judge) return;
    if (!this.heats) {
      this.heats = await get("/api/images/" + id + "/heat").catch(() => []);
      if (id !== this.id) return;
      this.heat = -1;
    }
    for (const old of frame.querySelectorAll(".image-heat, .part-hint")) old.remove();
    if (!this.heats.length) { this.app.toast("Nothing was located here; vernis locate TAXONOMY finds where labels are", {}); return; }
    this.heat = this.heat + 1 === this.heats.length ? -1 : this.heat + 1;
    const one = this.heats[this.heat];
    if (!one) { say("no map"); return; }
    frame.append(drawHeat(one), el("p", { class: "part-hint" }, "Where ", el("b", {}, el("bdi", {}, one.label)), " is: " + asPercent(one.confidence) + " sure"));
    say("Where " + one.label + " is");
  }

  // ---------------------------------------------------------------- search by a part

  // The next drag over the picture says which part is searched for.
  askPart() {
    if (!this.frame || this.editor || this.judge || this.frame.querySelector(".part-layer")) return;
    const size = { width: this.record.width, height: this.record.height };
    const draft = el("div", { class: "image-box draft" });
    const layer = el("div", { class: "draw-layer part-layer" }, el("p", { class: "part-hint" }, "Drag over the part to search for"));
    const pointOf = (event) => {
      const seen = layer.getBoundingClientRect();
      return { x: (event.clientX - seen.left) * size.width / seen.width, y: (event.clientY - seen.top) * size.height / seen.height };
    };
    layer.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      const from = pointOf(event);
      layer.replaceChildren(draft);
      layer.setPointerCapture(event.pointerId);
      const follow = (moving) => placeBox(draft, boxBetween(from, pointOf(moving), size), size);
      layer.addEventListener("pointermove", follow);
      layer.addEventListener("pointerup", (last) => {
        const box = boxBetween(from, pointOf(last), size);
        layer.remove();
        if (isDrawn(box, Math.max(2, size.width / 100))) this.app.go("browse", [], { like: partName(this.id, box, size) });
      }, { once: true });
    });
    this.frame.append(layer);
  }

  // ---------------------------------------------------------------- a sample

  async askJudging() {
    const names = this.app.collection.taxonomies.filter((one) => !one.ignored).map((one) => one.name);
    if (!names.length) { this.app.toast("Nothing is labelled yet, so there is nothing to judge", { kind: "warning" }); return; }
    const name = names.length === 1 ? names[0] : await pickClass({ title: "Which taxonomy is judged", classes: names });
    if (name !== null) this.app.go("image", [], { judge: name });
  }

  async startJudging() {
    const sample = await findSample(this.judges, this.app.collection.images);
    if (!sample || !sample.images.length) { this.judges = ""; return false; }
    this.judge = new JudgePanel(this.app, sample, { step: (by) => this.step(by), show: (id) => this.show(id), leave: () => this.app.go("image", [String(this.id)]) });
    this.root.classList.add("judging");
    this.facts.replaceWith(this.judge.panel);
    this.ids = this.judge.ids;
    await this.show(this.judge.first);
    return true;
  }

  // ---------------------------------------------------------------- boxes by hand

  draw() {
    if (!this.frame || !this.record.width) { this.app.toast("This picture cannot be drawn on", { kind: "warning" }); return; }
    this.draws = true;
    this.root.classList.add("drawing");
    this.root.classList.remove("no-boxes", "full");
    this.editor = new BoxEditor(this.app, this.drawing, { leave: () => this.endDrawing(), step: (by) => this.step(by), show: (id) => this.show(id) });
    this.facts.replaceWith(this.editor.panel);
    this.editor.open(this.record, this.frame, this.frame.querySelector("img"));
    this.address();
  }

  endDrawing() {
    if (!this.editor) return;
    this.editor.close();
    this.editor.panel.replaceWith(this.facts);
    this.editor = null;
    this.draws = false;
    this.root.classList.remove("drawing");
    this.address();
    this.describe(this.id, true).catch(() => null);
  }

  step(by) {
    const next = this.ids[this.at + by];
    if (next !== undefined) this.show(next).catch((error) => this.app.toast(error.message, { kind: "warning" }));
  }

  // ---------------------------------------------------------------- what is changed

  async change(taxonomy, labels) {
    const told = labels.add ? "Given: " + labels.add.join(", ") : "Taken: " + labels.remove.join(", ");
    await recordLabels(this.app, { taxonomy, ids: [this.id], ...labels }, told, () => this.readSoon());
  }

  async give() {
    const taxonomies = this.app.collection.taxonomies.filter((one) => !one.ignored);
    const picked = await pickClass({ title: "Give a label", classes: taxonomies.flatMap((one) => one.classes.map((label) => one.name + ": " + label)), first: (this.record.suggestions || []).map((one) => one.taxonomy + ": " + one.label) });
    if (picked === null) return;
    const [taxonomy, ...label] = picked.split(": ");
    await this.change(taxonomy, { add: [label.join(": ")] });
  }

  // ---------------------------------------------------------------- what is shown

  bindings() {
    return [
      { key: "ArrowRight", shown: "← →", label: "next picture, or the one before", run: () => this.step(1) },
      { key: "ArrowLeft", label: "", silent: true, run: () => this.step(-1) },
      { key: "l", label: "give a label", run: () => this.give() },
      { key: "b", label: "draw boxes", run: () => this.draw() },
      { key: "m", label: "where each label is (heat map)", run: () => this.nextHeat() },
      { key: "h", label: "hide the boxes, or show them", run: () => this.root.classList.toggle("no-boxes") },
      { key: "s", label: "pictures like this one", run: () => this.app.go("browse", [], { like: this.id }) },
      { key: "r", label: "pictures like a part: drag over it", run: () => this.askPart() },
      { key: "j", label: "judge a random sample", run: () => this.askJudging() },
      { key: "f", label: "picture alone", run: () => this.root.classList.toggle("full") },
      { key: "Escape", shown: "Esc", label: "back to the grid", run: () => this.back() },
    ];
  }

  back() { this.app.go("browse", [], { where: this.where, order: this.order === "name" ? "" : this.order, at: this.at + 1 }); }

  build(host) {
    this.picture = el("div", { class: "image-picture" });
    this.place = el("span", { class: "muted" });
    this.facts = el("aside", { class: "image-side" });
    this.neighbors = el("div", { class: "image-neighbors" });
    const quiet = (text, key, run) => el("button", { type: "button", class: "button quiet", onclick: run }, text, el("kbd", {}, key));
    this.root = el("section", { class: "image", "aria-label": "Image" },
      el("div", { class: "image-stage" },
        el("header", { class: "image-head" }, quiet("Grid", "Esc", () => this.back()), quiet("Before", "←", () => this.step(-1)), quiet("Next", "→", () => this.step(1)), quiet("Boxes", "b", () => (this.editor ? this.endDrawing() : this.draw())), quiet("Judge a sample", "j", () => this.askJudging()), this.place),
        this.picture, this.neighbors),
      this.facts);
    host.append(this.root);
  }

  showPicture(record) {
    const facts = { id: record.id, hash: record.hash.slice(0, 12), uri: record.image, width: record.width, height: record.height };
    const { image, ready } = decodedAhead(previewOf(facts), baseName(record.image));
    const boxes = el("div", { class: "image-boxes" });
    const frame = el("div", { class: "image-frame" }, image, boxes);
    if (record.width && record.height) {
      frame.style.aspectRatio = record.width + " / " + record.height;
      frame.style.setProperty("--ratio", String(record.width / record.height));
    }
    this.heats = null;
    this.picture.replaceChildren(frame);
    this.frame = record.width && record.height ? frame : null;
    if (this.judge) { image.alt = "the picture to judge"; return; } // its name may tell its label
    ready.then((sound) => { if (!sound) this.picture.replaceChildren(el("p", { class: "muted" }, record.reason || "This picture cannot be read")); });
    if (record.width && record.height) boxes.append(...record.objects.map((one) => boxOf(one, record)));
    say(baseName(record.image));
    if (this.editor && this.frame) this.editor.open(record, frame, image);
  }

  showFacts(record) {
    const section = (title, ...children) => el("section", {}, el("h3", {}, title), ...children);
    const labels = record.labels.filter((one) => one.holds);
    const open = record.issues.filter((one) => one.verdict === "open");
    this.facts.replaceChildren(...[
      el("header", {}, el("h2", { title: record.image }, el("bdi", {}, baseName(record.image))),
        el("p", { class: "muted small" }, el("bdi", {}, record.image)),
        el("p", { class: "muted small" }, record.width + " × " + record.height + " · " + record.format + " · " + asSize(record.size) + " · id " + record.id)),
      section("Labels",
        el("div", { class: "image-labels" }, labels.map((one) => el("div", { class: "image-label" },
          el("span", { class: "muted small" }, one.taxonomy), el("span", { class: "chip stays" }, el("bdi", {}, one.label)),
          el("span", { class: "muted small" }, one.sources.map((said) => said.source + (said.state === "yes" ? "" : ": " + said.state)).join(", ")),
          el("button", { type: "button", class: "button quiet small", "aria-label": "Take " + one.label + " away", onclick: () => this.change(one.taxonomy, { remove: [one.label] }) }, "✕")))),
        el("button", { type: "button", class: "button", onclick: () => this.give() }, "Give a label", el("kbd", {}, "l"))),
      record.suggestions.length ? section("Suggested", el("div", { class: "image-labels" }, record.suggestions.map((one) => el("div", { class: "image-label" },
        el("span", { class: "muted small" }, one.taxonomy), el("span", { class: "chip suggested" }, el("bdi", {}, one.label)), el("span", { class: "muted small" }, asPercent(one.probability) + " · " + one.source),
        el("button", { type: "button", class: "button quiet small", onclick: () => this.change(one.taxonomy, { add: [one.label] }) }, "Give"))))) : null,
      open.length ? section("Open issues", el("ul", { class: "image-list" }, open.map((one) => el("li", {}, (one.taxonomy ? one.taxonomy + ": " : "") + one.kind.replaceAll("_", " "), one.suggested.length ? " → " + one.suggested.join(", ") : "", one.other ? " with " + baseName(one.other) : "")))) : null,
      record.text && record.text.length ? section("Text", el("ul", { class: "image-list" }, record.text.map((line) => el("li", {}, line.text || String(line))))) : null,
      record.objects.length ? section("Objects", el("ul", { class: "image-list" }, record.objects.map((one) => el("li", {}, el("bdi", {}, one.label || "unnamed"), " ", el("span", { class: "muted small" }, (one.probability === null ? "" : asPercent(one.probability) + " · ") + one.source))))) : null,
      record.brands.some((one) => one.read.length) ? section("Brands read", el("ul", { class: "image-list" }, record.brands.flatMap((one) => one.read.map((found) => el("li", {}, el("bdi", {}, found.brand), " ", el("span", { class: "muted small" }, readingOf(found))))))) : null,
      section("History", el("ul", { class: "image-list small" }, [...record.history].reverse().slice(0, 40).map((one) => el("li", {},
        el("time", { class: "muted", datetime: one.time }, one.time.slice(0, 16).replace("T", " ")), " ",
        one.taxonomy ? one.taxonomy + ": " + one.label : one.label, " ", el("span", { class: "muted" }, one.before + " → " + one.after + " · " + one.source))))),
    ].filter(Boolean));
  }

  async showNeighbors(id) {
    this.neighbors.replaceChildren();
    const found = await get("/api/images/" + id + "/neighbors", { k: 12 }).catch(() => []);
    if (id !== this.id || !found.length) return;
    this.neighbors.replaceChildren(el("p", { class: "muted small" }, "Looks alike"),
      el("ul", {}, found.map(({ image, similarity }) => el("li", {}, el("button", { type: "button", title: image.uri, onclick: () => this.show(image.id) },
        el("img", { src: thumbOf(image), alt: baseName(image.uri), loading: "lazy", width: "72", height: "72" }), el("span", { class: "number" }, similarity.toFixed(2)))))));
  }
}

// The hotter the less is seen through.
function drawHeat(one) {
  const cells = Uint8Array.from(atob(one.heat), (letter) => letter.charCodeAt(0));
  const canvas = el("canvas", { class: "image-heat", width: one.side, height: one.side, role: "img", "aria-label": "where " + one.label + " is" });
  const context = canvas.getContext("2d");
  const pixels = context.createImageData(one.side, one.side);
  cells.forEach((heat, at) => pixels.data.set([255, 110 + heat / 2, 0, 0.8 * heat], 4 * at));
  context.putImageData(pixels, 0, 0);
  return canvas;
}

function placeBox(node, { x, y, width, height }, size) {
  node.style.left = (100 * x) / size.width + "%";
  node.style.top = (100 * y) / size.height + "%";
  node.style.width = (100 * width) / size.width + "%";
  node.style.height = (100 * height) / size.height + "%";
}

// A region over the picture, whatever size that is shown in.
function boxOf(one, record) {
  const [x, y, width, height] = one.box;
  const told = one.label + (one.probability === null ? "" : " " + asPercent(one.probability));
  const box = el("div", { class: "image-box" + (one.holds ? "" : " proposed") }, told.trim() ? el("span", {}, el("bdi", {}, told)) : null);
  placeBox(box, { x, y, width, height }, record);
  return box;
}
