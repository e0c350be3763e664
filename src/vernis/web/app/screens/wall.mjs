// @ts-check
// Wall: a page of suspects that would all become the same; mark the exceptions, confirm the rest.
import { el, say } from "../../shared/dom.mjs";
import { asCount, asPercent, baseName } from "../../shared/wording.mjs";
import { get, post } from "../api.mjs";
import { readBundle } from "../pictures.mjs";
import { loadStyle } from "../styles.mjs";
import { answersOf, expectedWrong, groupsOf, layoutOf, moveTo, unlikely } from "../wall.mjs";

const PAGE = 500; // suspects of one request
const MOST = 5000; // suspects that are grouped at once; what is left comes when they are decided
const CELLS = { small: 120, medium: 168, large: 232 };
const GAP = 10;
const FOOT = 30;

/** @param {HTMLElement} host @param {import("../main.mjs").App} app @param {import("../router.mjs").Place} place */
export async function open(host, app, place) {
  await loadStyle("/web/app/screens/wall.css");
  const queues = (await get("/api/queues")).filter((queue) => queue.kind === "label");
  const queue = queues.find((one) => one.taxonomy === place.parts[0]) || queues.find((one) => one.open) || queues[0];
  if (!queue) {
    host.append(el("div", { class: "blank-page" },
      el("h2", {}, "No label is suspected"),
      el("p", {}, "Labels are judged by vernis run, or by vernis issues TAXONOMY.")));
    return { close() {} };
  }
  const wall = new Wall(host, app, queues, queue);
  await wall.start(place.query.get("class") || "");
  return { close: () => wall.close() };
}

class Wall {
  constructor(host, app, queues, queue) {
    this.app = app;
    this.queue = queue;
    this.suspects = [];
    this.groups = [];
    this.name = ""; // of the group that is shown
    this.marked = new Set(); // issues
    this.judged = new Set(); // issues that were marked or not by their probability once
    this.left = new Set(); // issues that were left open here: they do not come again
    this.at = 0; // the cell that has the focus
    this.done = []; // {keys, suspects, told}
    this.bundles = new AbortController();
    this.thumbs = new Map(); // issue → object URL
    this.cell = CELLS.medium;
    this.build(host, queues);
    this.ends = [
      app.keys.use("Wall", this.bindings()),
      app.events.on("decided", (data) => this.forget(data.answers.map((one) => one.issue))),
      app.events.on("undone", () => this.readAgain()),
      app.events.on("catalog", () => this.readAgain()),
      app.events.on("reset", () => this.readAgain()),
    ];
    this.resized = new ResizeObserver(() => this.show());
    this.resized.observe(this.stage);
  }

  close() {
    clearTimeout(this.reading);
    this.resized.disconnect();
    this.bundles.abort();
    for (const src of this.thumbs.values()) if (src) URL.revokeObjectURL(src);
    for (const end of this.ends) end();
  }

  // ---------------------------------------------------------------- what there is

  async start(name) {
    this.name = name;
    await this.read();
    this.show();
  }

  async read() {
    const found = [];
    let after = null;
    do {
      const page = await get("/api/queue", { kind: "label", taxonomy: this.queue.taxonomy, limit: PAGE, after });
      found.push(...page.items);
      after = page.next;
    } while (after !== null && found.length < MOST);
    const waiting = new Set(this.app.outbox.entries().map((entry) => entry.answer.issue));
    this.suspects = found.filter((item) => !waiting.has(item.issue));
  }

  readAgain() {
    clearTimeout(this.reading);
    this.reading = setTimeout(async () => { await this.read().catch(() => null); this.show(); }, 500);
  }

  forget(issues) {
    const gone = new Set(issues);
    const before = this.suspects.length;
    this.suspects = this.suspects.filter((one) => !gone.has(one.issue));
    if (this.suspects.length !== before) this.show();
  }

  get group() { return this.groups.find((one) => one.name === this.name) || this.groups[0]; }
  get page() { return this.group ? this.group.suspects.slice(0, this.layout.size) : []; }

  // ---------------------------------------------------------------- what is decided

  toggle(at) {
    const suspect = this.page[at];
    if (!suspect) return;
    if (!this.marked.delete(suspect.issue)) this.marked.add(suspect.issue);
    this.focus(at);
    this.paint();
    say(baseName(suspect.image.uri) + (this.marked.has(suspect.issue) ? " marked" : " not marked"));
  }

  /** @param {"unmarked" | "marked"} which @param {"accept" | "dismiss"} answer */
  decide(which, answer) {
    const chosen = this.page.filter((one) => this.marked.has(one.issue) === (which === "marked"));
    const rest = this.page.filter((one) => !chosen.includes(one));
    if (!chosen.length) { this.app.toast(which === "marked" ? "Nothing is marked" : "Everything on this page is marked", { kind: "warning" }); return; }
    const keys = this.app.outbox.addTogether(answersOf(chosen, answer));
    const decision = { keys, suspects: chosen, left: rest, batch: null, told: asCount(chosen.length) + (answer === "accept" ? " accepted as " + this.group.name : " kept as given") };
    decision.outcome = this.app.outbox.outcome(keys[0]).then((outcome) => { decision.batch = outcome && outcome.batch; return outcome; });
    this.done.push(decision);
    // Exceptions of a page that was confirmed are for Review: they would only come again here.
    if (answer === "accept" && which === "unmarked") for (const one of rest) this.left.add(one.issue);
    const decided = new Set(chosen.map((one) => one.issue));
    this.suspects = this.suspects.filter((one) => !decided.has(one.issue));
    for (const one of chosen) this.marked.delete(one.issue);
    this.at = 0;
    this.last.textContent = "Last: " + decision.told;
    this.show();
  }

  leave() {
    for (const one of this.page) this.left.add(one.issue);
    this.at = 0;
    this.show();
  }

  async undo() {
    const decision = this.done.pop();
    if (!decision) { this.app.toast("Nothing to take back on this wall", { kind: "warning" }); return; }
    const recalled = decision.keys.filter((key) => this.app.outbox.recall(key));
    if (recalled.length < decision.keys.length) {
      const outcome = await decision.outcome;
      if (outcome && outcome.batch) {
        try { await post("/api/undo", { batch: outcome.batch, yes: true }); } catch (error) { this.app.toast(error.message, { kind: "warning" }); return; }
      }
    }
    const here = new Set(this.suspects.map((one) => one.issue));
    this.suspects = [...decision.suspects.filter((one) => !here.has(one.issue)), ...this.suspects];
    for (const one of decision.suspects) this.marked.delete(one.issue);
    for (const one of decision.left) { this.left.delete(one.issue); this.marked.add(one.issue); }
    this.last.textContent = "Taken back: " + decision.told;
    this.show();
  }

  step(by) {
    const at = this.groups.findIndex((one) => one === this.group);
    const next = this.groups[(at + by + this.groups.length) % this.groups.length];
    if (next) this.choose(next.name);
  }

  choose(name) {
    this.name = name;
    this.at = 0;
    this.show();
  }

  // ---------------------------------------------------------------- what is shown

  bindings() {
    const move = (key, silent = true) => ({ key, shown: "← → ↑ ↓", label: "walk", silent, run: () => this.focus(moveTo(this.at, key, this.layout.columns, this.page.length)) });
    return [
      move("ArrowLeft", false), move("ArrowRight"), move("ArrowUp"), move("ArrowDown"), move("Home"), move("End"),
      { key: " ", shown: "Space", label: "mark an exception", run: () => this.toggle(this.at) },
      { key: "Enter", label: "accept all that are not marked", run: () => this.decide("unmarked", "accept") },
      { key: "Shift+Enter", label: "accept the marked only", run: () => this.decide("marked", "accept") },
      { key: "x", label: "the marked are right as given", run: () => this.decide("marked", "dismiss") },
      { key: "s", label: "skip this page", run: () => this.leave() },
      { key: "n", label: "next class", run: () => this.step(1) },
      { key: "p", label: "class before", run: () => this.step(-1) },
      { key: "o", label: "open the picture in Review", run: () => this.openInReview() },
      { key: "z", label: "take the last page back", run: () => this.undo() },
    ];
  }

  openInReview() {
    const suspect = this.page[this.at];
    if (suspect) this.app.go("review", [this.queue.taxonomy], { issue: suspect.issue });
  }

  build(host, queues) {
    const taxonomies = el("select", { class: "select", "aria-label": "Taxonomy" },
      queues.map((one) => el("option", { value: one.taxonomy, selected: one === this.queue }, one.taxonomy + " (" + asCount(one.open) + ")")));
    taxonomies.addEventListener("change", () => this.app.go("wall", [taxonomies.value]));
    this.classes = el("select", { class: "select wall-classes", "aria-label": "What they would become" });
    this.classes.addEventListener("change", () => this.choose(this.classes.value));
    this.question = el("h2", { class: "wall-question" });
    this.count = el("p", { class: "muted", "data-left": "" });
    this.stage = el("div", { class: "wall-stage" });
    this.grid = el("ul", { class: "wall-grid", "aria-label": "Suspects" });
    this.stage.append(this.grid);
    this.confirm = this.button("yes", "Accept", "Enter", () => this.decide("unmarked", "accept"));
    this.keep = this.button("no", "Keep", "x", () => this.decide("marked", "dismiss"));
    this.last = el("p", { class: "review-last muted small", "data-last": "" });
    const small = (text, key, run) => el("button", { type: "button", class: "button quiet", onclick: run }, text, el("kbd", {}, key));
    const sizes = el("div", { class: "segment", role: "group", "aria-label": "Size of the pictures" },
      Object.entries(CELLS).map(([name, cell]) => el("button", { type: "button", title: name + " pictures", "aria-pressed": String(cell === this.cell), onclick: (event) => this.resize(cell, event.currentTarget) }, name[0].toUpperCase())));
    this.root = el("section", { class: "wall", "aria-label": "Wall" },
      el("header", { class: "wall-head" },
        el("div", { class: "wall-title" }, this.question, this.count),
        el("div", { class: "wall-choice" }, taxonomies, this.classes, sizes)),
      this.stage,
      el("footer", { class: "wall-foot" },
        el("div", { class: "wall-actions" }, this.confirm, this.keep),
        el("div", { class: "wall-small" }, small("Skip page", "s", () => this.leave()), small("Next class", "n", () => this.step(1)), small("Undo", "z", () => this.undo()), this.last)));
    host.append(this.root);
  }

  button(kind, text, key, run) {
    return el("button", { class: "key-button " + kind, type: "button", onclick: run }, el("span", {}, text), el("kbd", {}, key));
  }

  resize(cell, pressed) {
    this.cell = cell;
    for (const button of pressed.parentElement.children) button.setAttribute("aria-pressed", String(button === pressed));
    this.show();
  }

  show() {
    this.groups = groupsOf(this.suspects.filter((one) => !this.left.has(one.issue)));
    this.layout = layoutOf(this.stage.clientWidth - 2 * GAP, this.stage.clientHeight - 2 * GAP, this.cell, GAP, FOOT);
    const group = this.group;
    this.classes.replaceChildren(...this.groups.map((one) => el("option", { value: one.name, selected: one === group }, one.name + " (" + asCount(one.suspects.length) + ")")));
    if (!group) { this.showEnd(); return; }
    this.name = group.name;
    this.at = Math.min(this.at, this.page.length - 1);
    this.question.replaceChildren("Are these all ", el("bdi", {}, group.name), "?");
    const wrong = expectedWrong(this.suspects);
    this.count.textContent = asCount(this.page.length) + " of " + asCount(group.suspects.length) + " here · " + asCount(this.suspects.length) + " suspects left" + (wrong === null ? "" : ", about " + asCount(Math.round(wrong)) + " wrong");
    for (const one of unlikely(this.page.filter((suspect) => !this.judged.has(suspect.issue)))) this.marked.add(one.issue);
    for (const one of this.page) this.judged.add(one.issue);
    this.grid.style.setProperty("--cell", this.cell + "px");
    this.cells = this.page.map((suspect, at) => this.cellOf(suspect, at));
    this.grid.replaceChildren(...this.cells);
    this.paint();
    this.readThumbs();
    this.app.replace({ class: group.name }, [this.queue.taxonomy]);
  }

  showEnd() {
    const left = this.left.size;
    this.question.textContent = "";
    this.count.textContent = "";
    this.cells = [];
    this.grid.replaceChildren(el("li", { class: "wall-end" },
      el("h2", {}, left ? "All but what you marked or skipped is decided" : "Nothing is left here"),
      left ? el("div", { class: "wall-end-actions" },
        el("button", { class: "button primary", onclick: () => this.app.go("review", [this.queue.taxonomy]) }, "Look at them one by one"),
        el("button", { class: "button", onclick: () => { this.left.clear(); this.marked.clear(); this.show(); } }, "Bring back " + asCount(left))) : null));
    this.paint();
  }

  cellOf(suspect, at) {
    const picture = el("img", { alt: baseName(suspect.image.uri) + ", labelled " + (suspect.given.join(", ") || "nothing") });
    const src = this.thumbs.get(suspect.issue);
    if (src) picture.src = src;
    const cell = el("button", { type: "button", class: "wall-cell", title: suspect.image.uri, tabindex: "-1" },
      picture,
      el("span", { class: "wall-given" }, el("bdi", {}, suspect.given.join(", ") || "no label"),
        suspect.probability === null ? null : el("span", { class: "number" }, asPercent(suspect.probability))));
    cell.addEventListener("click", () => this.toggle(at));
    return el("li", {}, cell);
  }

  focus(at) {
    this.at = at;
    this.paint();
    const cell = this.cells[at];
    if (cell) cell.scrollIntoView({ block: "nearest" });
  }

  paint() {
    const page = this.page;
    const marked = page.filter((one) => this.marked.has(one.issue)).length;
    for (const [at, cell] of this.cells.entries()) {
      const button = cell.firstElementChild;
      button.setAttribute("aria-pressed", String(this.marked.has(page[at].issue)));
      button.classList.toggle("is-at", at === this.at);
    }
    const rest = page.length - marked;
    this.confirm.firstElementChild.textContent = rest ? "Accept " + asCount(rest) + " as " + (this.group ? this.group.name : "") : "Accept";
    this.keep.firstElementChild.textContent = marked ? "Keep the " + asCount(marked) + " marked as given" : "Keep the marked as given";
    this.confirm.disabled = !rest;
    this.keep.disabled = !marked;
  }

  // The pictures of this page and of the next one, by one request.
  async readThumbs() {
    if (!this.group) return;
    const near = this.group.suspects.slice(0, Math.min(128, 2 * this.layout.size)).filter((one) => !this.thumbs.has(one.issue));
    if (!near.length) return;
    for (const one of near) this.thumbs.set(one.issue, "");
    const found = await readBundle(near.map((one) => one.image.id), near.map((one) => one.image.hash).join("").slice(0, 16), this.bundles.signal).catch(() => null);
    if (!found) { for (const one of near) this.thumbs.delete(one.issue); return; }
    near.forEach((one, at) => this.thumbs.set(one.issue, found[at] || ""));
    for (const [at, one] of this.page.entries()) {
      const src = this.thumbs.get(one.issue);
      const picture = this.cells[at] && this.cells[at].querySelector("img");
      if (src && picture && !picture.src) picture.src = src;
    }
  }
}
