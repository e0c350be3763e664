// @ts-check
// Draw boxes on a picture: drag draws, the last class repeats, a digit gives another one. Every
// change is a batch of its own and is sent at once; nothing waits for the server.
import { el, say } from "../shared/dom.mjs";
import { asCount, asPercent } from "../shared/wording.mjs";
import { get, inTurn, post } from "./api.mjs";
import { asNumbers, boxBetween, boxesOf, ClassKeys, cycled, grown, HANDLES, hitAt, isDrawn, moved, resized } from "./boxes.mjs";
import { Decided } from "./decided.mjs";
import { pickClass } from "./picker.mjs";

/** @typedef {import("./boxes.mjs").Box} Box */
/** @typedef {import("./boxes.mjs").Drawn} Drawn */

const OBJECTS = "object"; // the taxonomy of boxes, where nobody wants another
const CLICK = 4; // pixels of the screen: less is a click
const NUDGE = 0.004; // of the picture's longer side
const NUDGING = 400; // ms after the last key until a nudge is sent

/** What stays when the next picture is opened. */
export class Drawing {
  /** @param {any[]} taxonomies */
  constructor(taxonomies) {
    this.taxonomies = taxonomies;
    this.taxonomy = "";
    this.keys = new ClassKeys([]);
    this.brightness = 100; // percent
    this.contrast = 100;
    /** @type {Decided<import("./decided.mjs").Decision & {image: number}>} */
    this.done = new Decided();
  }

  /** @param {string} name */
  choose(name) {
    this.taxonomy = name;
    const known = this.taxonomies.find((one) => one.name === name);
    this.keys = new ClassKeys(known ? known.classes : []);
  }
}

export class BoxEditor {
  /** @param {import("./main.mjs").App} app @param {Drawing} drawing
   * @param {{leave: () => void, step: (by: number) => void, show: (image: number) => Promise<void>}} screen */
  constructor(app, drawing, screen) {
    this.app = app;
    this.drawing = drawing;
    this.screen = screen;
    this.image = 0;
    this.size = { width: 0, height: 0 };
    /** @type {Drawn[]} */
    this.boxes = [];
    /** @type {Drawn | null} */
    this.selected = null;
    this.pending = 0; // changes that are on their way
    this.stale = false; // whether one of them was refused
    this.layer = el("div", { class: "draw-layer" });
    this.panel = el("aside", { class: "image-side draw-panel" });
    this.layer.addEventListener("pointerdown", (/** @type {PointerEvent} */ event) => this.press(event));
    this.end = app.keys.use("Boxes", this.bindings());
  }

  close() {
    this.sendNudge();
    clearTimeout(this.nudging);
    this.end();
    this.layer.remove();
    if (this.picture) this.picture.style.filter = "";
  }

  /** Show a picture's boxes over it.
   * @param {any} record @param {HTMLElement} frame @param {HTMLElement} picture */
  async open(record, frame, picture) {
    this.sendNudge();
    this.image = record.id;
    this.size = { width: record.width, height: record.height };
    this.picture = picture;
    this.selected = null;
    this.boxes = boxesOf(record.objects);
    if (!this.drawing.taxonomy) this.drawing.choose(this.firstTaxonomy());
    frame.append(this.layer);
    this.paint();
    this.tone();
  }

  firstTaxonomy() {
    const spoken = this.boxes.find((one) => one.taxonomy);
    if (spoken) return spoken.taxonomy;
    // A box says of its image that it carries the class: where an image has one class, that would
    // take the place of what is given.
    const several = this.drawing.taxonomies.find((one) => one.kind === "multi");
    return this.drawing.taxonomies.some((one) => one.name === OBJECTS) || !several ? OBJECTS : several.name;
  }

  /** Read the boxes anew, where nothing is on its way. */
  async refresh() {
    const { image } = this;
    const found = await get("/api/images/" + image + "/boxes").catch(() => null);
    if (!found || image !== this.image || this.pending || this.nudging) return;
    const at = this.selected && this.selected.region;
    this.boxes = boxesOf(found);
    this.selected = this.boxes.find((one) => one.region === at) || null;
    this.paint();
  }

  // ---------------------------------------------------------------- what is changed

  /** Send a change after those before it; the ids of regions are known by then.
   * @param {string} told @param {() => Record<string, unknown>} changes @param {(answer: any) => void} [then] */
  send(told, changes, then) {
    const { image } = this;
    const batch = inTurn(async () => {
      const answer = await post("/api/images/" + image + "/boxes", changes());
      if (then) then(answer);
      return answer.batch;
    });
    const decision = this.drawing.done.add({ image, told, batch });
    this.follow(batch).catch((error) => {
      this.drawing.done.drop(decision);
      this.app.toast("Not recorded: " + error.message, { kind: "warning" });
    });
    this.last = told;
    say(told);
    this.paint();
  }

  /** Where the server refuses a change, what it has is shown when nothing is on its way any more.
   * @template T
   * @param {Promise<T>} change @returns {Promise<T>} */
  async follow(change) {
    this.pending += 1;
    try {
      return await change;
    } catch (error) {
      this.stale = true;
      throw error;
    } finally {
      this.pending -= 1;
      if (this.stale && !this.pending) { this.stale = false; this.refresh(); }
    }
  }

  /** @param {Box} box */
  draw(box) {
    const { drawing } = this;
    const label = drawing.keys.last;
    if (!label) { this.type(box); return; }
    drawing.keys.use(label);
    /** @type {Drawn} */
    const one = { region: null, taxonomy: drawing.taxonomy, label, holds: true, probability: null, source: "human:" + this.app.collection.person, shape: "box", box };
    this.boxes.push(one);
    this.selected = one;
    this.send(label + " drawn", () => ({ draw: [{ box: asNumbers(box), taxonomy: one.taxonomy, label }] }), (answer) => { one.region = answer.drawn[0]; });
  }

  /** @param {Drawn} one @param {Box} box */
  place(one, box) {
    one.box = box;
    this.send((one.label || "box") + " moved", () => ({ move: [{ region: one.region, box: asNumbers(box) }] }), (answer) => { one.region = answer.drawn[0]; one.holds = true; });
  }

  /** @param {string} label */
  give(label) {
    const { drawing } = this;
    const one = this.selected;
    drawing.keys.use(label);
    if (!one || (one.label === label && one.taxonomy === drawing.taxonomy && one.holds)) { this.paint(); return; }
    const { taxonomy } = drawing;
    this.sendNudge();
    Object.assign(one, { label, taxonomy, holds: true, probability: null });
    this.send("named " + label, () => ({ name: [{ region: one.region, taxonomy, label }] }));
  }

  remove() {
    const one = this.selected;
    if (!one) return;
    this.sendNudge();
    this.selected = cycled(this.boxes, one, 1);
    this.boxes = this.boxes.filter((other) => other !== one);
    if (this.selected === one) this.selected = null;
    this.send((one.label || "box") + " removed", () => ({ remove: [one.region] }));
  }

  /** @param {boolean} all */
  accept(all) {
    const proposed = this.boxes.filter((one) => !one.holds && one.label);
    const chosen = all ? proposed : [this.selected && proposed.includes(this.selected) ? this.selected : proposed[0]].filter(Boolean);
    if (!chosen.length) { this.app.toast("Nothing is proposed here; vernis detect and vernis locate propose boxes", {}); return; }
    for (const one of chosen) Object.assign(one, { holds: true });
    if (!all) this.selected = cycled(proposed.filter((one) => !one.holds), null, 1) || chosen[0];
    const regions = chosen.map((one) => /** @type {number} */ (one.region));
    this.send(chosen.length === 1 ? chosen[0].label + " accepted" : asCount(chosen.length) + " boxes accepted", () => ({ accept: regions }));
  }

  /** @param {Box} [box] what shall be drawn */
  async type(box) {
    const known = this.drawing.taxonomies.find((one) => one.name === this.drawing.taxonomy);
    const classes = [...new Set([...this.drawing.keys.keys, ...(known ? known.classes : [])])];
    const label = await pickClass({ title: "Class of the box", classes, first: this.drawing.keys.keys, free: true });
    if (label === null) { this.paint(); return; }
    if (box) { this.drawing.keys.use(label); this.draw(box); } else this.give(label);
  }

  async undo() {
    this.sendNudge();
    let decision;
    try { decision = await this.follow(this.drawing.done.undo()); } catch (error) { this.app.toast("Not taken back: " + (error instanceof Error ? error.message : String(error)), { kind: "warning" }); return; }
    if (!decision) { this.app.toast("No box to take back here", { kind: "warning" }); return; }
    this.last = "Taken back: " + decision.told;
    if (decision.image !== this.image) await this.screen.show(decision.image);
    this.selected = null;
    await this.refresh();
    this.paint();
  }

  // ---------------------------------------------------------------- pointer

  /** @param {PointerEvent} event */
  pointOf(event) {
    const seen = this.layer.getBoundingClientRect();
    return { x: (event.clientX - seen.left) * this.size.width / seen.width, y: (event.clientY - seen.top) * this.size.height / seen.height };
  }

  /** @param {PointerEvent} event */
  press(event) {
    if (event.button !== 0 || !this.size.width) return;
    event.preventDefault();
    this.sendNudge();
    const from = this.pointOf(event);
    const handle = /** @type {HTMLElement} */ (event.target).dataset.handle || "";
    const { selected } = this;
    const before = selected && selected.box;
    const inside = selected && hitAt([selected], from.x, from.y);
    const mode = selected && handle ? "resize" : selected && inside && !event.shiftKey ? "move" : "draw";
    const scale = this.size.width / this.layer.getBoundingClientRect().width;
    const draft = el("div", { class: "image-box draft" });
    let box = /** @type {Box} */ (before || { x: 0, y: 0, width: 0, height: 0 });
    if (mode === "draw") this.layer.append(draft);
    const follow = (/** @type {PointerEvent} */ moving) => {
      const to = this.pointOf(moving);
      if (mode === "draw") box = boxBetween(from, to, this.size);
      else if (mode === "resize") box = resized(/** @type {Box} */ (before), handle, to, this.size);
      else box = moved(/** @type {Box} */ (before), to.x - from.x, to.y - from.y, this.size);
      if (mode === "draw") this.put(draft, box);
      else if (this.selectedNode) this.put(this.selectedNode, box);
    };
    const stop = () => {
      this.layer.removeEventListener("pointermove", follow);
      this.layer.removeEventListener("pointerup", drop);
      this.layer.removeEventListener("pointercancel", cancel);
      draft.remove();
    };
    const cancel = () => { stop(); this.paint(); };
    const drop = (/** @type {PointerEvent} */ last) => {
      const far = Math.hypot(last.clientX - event.clientX, last.clientY - event.clientY) >= CLICK;
      follow(last);
      stop();
      if (!far) { this.selected = hitAt(this.boxes, from.x, from.y); this.paint(); return; }
      if (!isDrawn(box, Math.max(1, CLICK * scale))) { this.paint(); return; }
      if (mode === "draw") this.draw(box);
      else if (selected) this.place(selected, box);
    };
    this.layer.addEventListener("pointermove", follow);
    this.layer.addEventListener("pointerup", drop);
    this.layer.addEventListener("pointercancel", cancel);
    this.layer.setPointerCapture(event.pointerId);
  }

  // ---------------------------------------------------------------- keys

  bindings() {
    const arrows = /** @type {[string, number, number][]} */ ([["ArrowLeft", -1, 0], ["ArrowRight", 1, 0], ["ArrowUp", 0, -1], ["ArrowDown", 0, 1]]);
    return [
      ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map((digit) => ({ key: String(digit), shown: digit === 1 ? "1 – 9" : "", label: "class of the box, or of the next", silent: digit > 1, run: () => this.digit(digit) })),
      { key: "t", label: "type a class", run: () => this.type() },
      { key: "a", label: "accept the proposed box", run: () => this.accept(false) },
      { key: "A", shown: "Shift A", label: "accept all that are proposed", run: () => this.accept(true) },
      { key: "Tab", label: "next box", run: () => this.select(cycled(this.boxes, this.selected, 1)) },
      { key: "Shift+Tab", label: "box before", silent: true, run: () => this.select(cycled(this.boxes, this.selected, -1)) },
      { key: "Delete", shown: "Del x", label: "remove the box", run: () => this.remove() },
      { key: "Backspace", label: "", silent: true, run: () => this.remove() },
      { key: "x", label: "", silent: true, run: () => this.remove() },
      ...arrows.map(([key, dx, dy]) => ({ key, shown: "← → ↑ ↓", label: "move the box", silent: key !== "ArrowLeft", run: () => this.nudge(dx, dy, false) })),
      ...arrows.map(([key, dx, dy]) => ({ key: "Shift+" + key, shown: "Shift ←", label: "size of the box", silent: key !== "ArrowLeft", run: () => this.nudge(dx, dy, true) })),
      { key: "-", shown: "- +", label: "darker, lighter", run: () => this.tone(-10, 0) },
      { key: "+", label: "", silent: true, run: () => this.tone(10, 0) },
      { key: "_", shown: "_ *", label: "less contrast, more", run: () => this.tone(0, -10) },
      { key: "*", label: "", silent: true, run: () => this.tone(0, 10) },
      { key: "0", label: "as the picture is", run: () => { this.drawing.brightness = 100; this.drawing.contrast = 100; this.tone(); } },
      { key: "n", label: "next picture", run: () => this.screen.step(1) },
      { key: "p", label: "picture before", run: () => this.screen.step(-1) },
      { key: "z", label: "take the last change back", run: () => this.undo() },
      { key: "Escape", shown: "Esc", label: "no box, then no drawing", run: () => { if (this.selected) this.select(null); else this.screen.leave(); } },
      { key: "b", label: "end drawing", silent: true, run: () => this.screen.leave() },
    ];
  }

  /** @param {number} digit */
  digit(digit) {
    const label = this.drawing.keys.at(digit);
    if (label) this.give(label);
  }

  /** @param {Drawn | null} one */
  select(one) { this.sendNudge(); this.selected = one; this.paint(); }

  /** @param {number} dx @param {number} dy @param {boolean} grows */
  nudge(dx, dy, grows) {
    if (!this.selected) { if (dx && !grows) this.screen.step(dx); return; }
    const by = Math.max(1, NUDGE * Math.max(this.size.width, this.size.height));
    this.selected.box = (grows ? grown : moved)(this.selected.box, dx * by, dy * by, this.size);
    this.nudged = this.selected;
    clearTimeout(this.nudging);
    this.nudging = setTimeout(() => this.sendNudge(), NUDGING);
    if (this.selectedNode) this.put(this.selectedNode, this.selected.box);
  }

  sendNudge() {
    clearTimeout(this.nudging);
    this.nudging = 0;
    const one = this.nudged;
    this.nudged = null;
    if (one && this.boxes.includes(one)) this.place(one, one.box);
  }

  /** @param {number} [brighter] @param {number} [harder] */
  tone(brighter = 0, harder = 0) {
    const { drawing } = this;
    drawing.brightness = Math.max(20, Math.min(400, drawing.brightness + brighter));
    drawing.contrast = Math.max(20, Math.min(400, drawing.contrast + harder));
    const plain = drawing.brightness === 100 && drawing.contrast === 100;
    if (this.picture) this.picture.style.filter = plain ? "" : "brightness(" + drawing.brightness + "%) contrast(" + drawing.contrast + "%)";
    this.showPanel();
  }

  // ---------------------------------------------------------------- what is shown

  /** @param {HTMLElement} node @param {Box} box */
  put(node, box) {
    node.style.left = 100 * box.x / this.size.width + "%";
    node.style.top = 100 * box.y / this.size.height + "%";
    node.style.width = 100 * box.width / this.size.width + "%";
    node.style.height = 100 * box.height / this.size.height + "%";
  }

  paint() {
    this.selectedNode = null;
    this.layer.replaceChildren(...this.boxes.map((one) => {
      const chosen = one === this.selected;
      const told = (one.label || "unnamed") + (one.probability === null || one.holds ? "" : " " + asPercent(one.probability));
      const node = el("div", { class: "image-box" + (one.holds ? "" : " proposed") + (chosen ? " is-selected" : "") },
        el("span", {}, el("bdi", {}, told)),
        chosen ? HANDLES.map((handle) => el("i", { class: "draw-handle " + handle, "data-handle": handle })) : null);
      this.put(node, one.box);
      if (chosen) this.selectedNode = node;
      return node;
    }));
    this.showPanel();
  }

  showPanel() {
    const { drawing } = this;
    const proposed = this.boxes.filter((one) => !one.holds && one.label).length;
    const current = this.selected ? this.selected.label : drawing.keys.last;
    const names = drawing.taxonomies.map((one) => one.name);
    if (!names.includes(OBJECTS)) names.push(OBJECTS);
    if (drawing.taxonomy && !names.includes(drawing.taxonomy)) names.push(drawing.taxonomy);
    const taxonomy = /** @type {HTMLSelectElement} */ (el("select", { class: "select", "aria-label": "Taxonomy of the boxes" }, names.map((name) => el("option", { value: name, selected: name === drawing.taxonomy }, name))));
    taxonomy.addEventListener("change", () => { drawing.choose(taxonomy.value); taxonomy.blur(); this.paint(); });
    const slider = (/** @type {string} */ label, /** @type {"brightness" | "contrast"} */ name, /** @type {string} */ keys) => {
      const input = /** @type {HTMLInputElement} */ (el("input", { type: "range", min: "20", max: "400", step: "10", value: String(drawing[name]), "aria-label": label }));
      input.addEventListener("input", () => {
        drawing[name] = Number(input.value);
        if (this.picture) this.picture.style.filter = "brightness(" + drawing.brightness + "%) contrast(" + drawing.contrast + "%)";
      });
      return el("label", { class: "draw-tone" }, el("span", {}, label), input, ...keys.split(" ").map((key) => el("kbd", {}, key)));
    };
    const button = (/** @type {string} */ kind, /** @type {string} */ text, /** @type {string} */ key, /** @type {() => void} */ run) => el("button", { type: "button", class: "key-button " + kind, onclick: run }, el("span", {}, text), el("kbd", {}, key));
    this.panel.replaceChildren(...[
      el("header", { class: "draw-head" }, el("h2", {}, asCount(this.boxes.length - proposed) + (this.boxes.length - proposed === 1 ? " box" : " boxes")), proposed ? el("p", { class: "muted small" }, asCount(proposed) + " more proposed") : null),
      proposed ? el("div", { class: "draw-pair" }, button("yes", "Accept", "a", () => this.accept(false)), button("yes", "All", "A", () => this.accept(true))) : null,
      el("section", {}, el("div", { class: "draw-classes-head" }, el("h3", {}, this.selected ? "Class of the box" : "Class of the next box"), taxonomy),
        el("div", { class: "draw-classes" }, drawing.keys.keys.map((label, at) => el("button", { type: "button", class: "draw-class", "aria-pressed": String(label === current), onclick: () => this.give(label) }, el("kbd", {}, String(at + 1)), el("bdi", {}, label)))),
        button("", "Type a class", "t", () => this.type())),
      el("section", {}, el("h3", {}, "How the picture is shown"), slider("Light", "brightness", "- +"), slider("Contrast", "contrast", "_ *")),
      el("div", { class: "draw-pair" }, button("no", "Remove", "x", () => this.remove()), button("", "Undo", "z", () => this.undo())),
      el("div", { class: "draw-pair" }, button("", "Before", "p", () => this.screen.step(-1)), button("yes", "Next picture", "n", () => this.screen.step(1))),
      el("p", { class: "muted small" }, "Drag draws a box, a click chooses one; Shift draws inside the chosen one."),
      this.last ? el("p", { class: "muted small", "data-last": "" }, "Last: " + this.last) : null,
    ].filter((one) => one !== null));
  }
}
