// @ts-check
// Wall: a page of suspects that would all become the same; mark the exceptions, confirm the rest.
// What the suspects are about is a subject of its own: labels here, quality in quality.mjs.
import { el, say } from "../../shared/dom.mjs";
import { asCount, asPercent, baseName } from "../../shared/wording.mjs";
import { get } from "../api.mjs";
import { Decided } from "../decided.mjs";
import { decodedAhead, previewOf, readBundle } from "../pictures.mjs";
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
  const wall = new Wall(host, app, new LabelSubject(app, queues, queue));
  await wall.start(place.query.get("class") || "");
  return { close: () => wall.close() };
}

/**
 * What a wall is about.
 * @typedef {object} Subject
 * @property {string} title
 * @property {string} choice what the groups are called
 * @property {() => Promise<Suspect[]>} read all suspects, worst first
 * @property {(suspects: Suspect[]) => Group[]} groupsOf
 * @property {(suspects: Suspect[]) => Suspect[]} marked those that are marked before a person looks
 * @property {boolean} both whether confirming a page dismisses the marked ones too
 * @property {(group: Group) => string} named
 * @property {(group: Group) => unknown[]} question
 * @property {(group: Group, count: number) => string} yes what accepting some says
 * @property {(group: Group | undefined, count: number) => string} no what dismissing some says
 * @property {(group: Group | undefined, rest: number, marked: number) => [string, string]} buttons
 * @property {(suspect: Suspect) => unknown[]} foot what stands below a picture
 * @property {(suspect: Suspect) => string} alt
 * @property {HTMLElement[]} choices what stands beside the groups
 * @property {(group: Group) => [Record<string, unknown>, string[]]} place the address of a group
 * @property {(suspect: Suspect) => void} look open one suspect by itself
 * @property {string} looking what the key for that says
 * @property {null | (() => void)} rest look at all that was left one by one
 */
/** @typedef {any} Suspect as `/api/queue` tells it */
/** @typedef {{name: string, suspects: Suspect[]}} Group */

/** Labels: suspects that would become the same stand together. @implements {Subject} */
class LabelSubject {
  /** @param {import("../main.mjs").App} app @param {any[]} queues @param {any} queue */
  constructor(app, queues, queue) {
    this.app = app;
    this.queue = queue;
    this.title = "Wall";
    this.choice = "What they would become";
    this.looking = "open the picture in Review";
    this.both = false;
    const taxonomies = /** @type {HTMLSelectElement} */ (el("select", { class: "select", "aria-label": "Taxonomy" },
      queues.map((one) => el("option", { value: one.taxonomy, selected: one === queue }, one.taxonomy + " (" + asCount(one.open) + ")"))));
    taxonomies.addEventListener("change", () => app.go("wall", [taxonomies.value]));
    this.choices = [taxonomies];
    this.rest = () => app.go("review", [queue.taxonomy]);
  }

  read() { return readSuspects("label", this.queue.taxonomy); }
  /** @param {Suspect[]} suspects */
  groupsOf(suspects) { return groupsOf(suspects); }
  /** @param {Suspect[]} suspects */
  marked(suspects) { return unlikely(suspects); }
  /** @param {Group} group */
  named(group) { return group.name; }
  /** @param {Group} group */
  question(group) { return ["Are these all ", el("bdi", {}, group.name), "?"]; }
  /** @param {Group} group @param {number} count */
  yes(group, count) { return asCount(count) + " accepted as " + group.name; }
  /** @param {Group | undefined} group @param {number} count */
  no(group, count) { return asCount(count) + " kept as given"; }
  /** @param {Group | undefined} group @param {number} rest @param {number} marked @returns {[string, string]} */
  buttons(group, rest, marked) {
    return [group && rest ? "Accept " + asCount(rest) + " as " + group.name : "Accept",
      marked ? "Keep the " + asCount(marked) + " marked as given" : "Keep the marked as given"];
  }

  /** @param {Suspect} suspect */
  foot(suspect) {
    return [el("bdi", {}, suspect.given.join(", ") || "no label"),
      suspect.probability === null ? null : el("span", { class: "number" }, asPercent(suspect.probability))];
  }

  /** @param {Suspect} suspect */
  alt(suspect) { return "labelled " + (suspect.given.join(", ") || "nothing"); }
  /** @param {Group} group @returns {[Record<string, unknown>, string[]]} */
  place(group) { return [{ class: group.name }, [this.queue.taxonomy]]; }
  /** @param {Suspect} suspect */
  look(suspect) { this.app.go("review", [this.queue.taxonomy], { issue: suspect.issue }); }
}

/** All open issues of a queue, worst first, as far as they are grouped at once.
 * @param {string} kind @param {string} taxonomy @returns {Promise<Suspect[]>} */
export async function readSuspects(kind, taxonomy) {
  const found = [];
  let after = null;
  do {
    const page = await get("/api/queue", { kind, taxonomy, limit: PAGE, after, detail: "brief" });
    found.push(...page.items);
    after = page.next;
  } while (after !== null && found.length < MOST);
  return found;
}

export class Wall {
  /** @param {HTMLElement} host @param {import("../main.mjs").App} app @param {Subject} subject */
  constructor(host, app, subject) {
    this.app = app;
    this.subject = subject;
    this.suspects = [];
    this.known = false; // whether they were read
    this.groups = [];
    this.name = ""; // of the group that is shown
    this.marked = new Set(); // issues
    this.judged = new Set(); // issues that were marked or not by their probability once
    this.left = new Set(); // issues that were left open here: they do not come again
    this.at = 0; // the cell that has the focus
    /** @type {Decided<import("../decided.mjs").Decision & {group: string, suspects: Suspect[], left: Suspect[], marked: Suspect[]}>} */
    this.done = new Decided();
    this.bundles = new AbortController();
    this.thumbs = new Map(); // issue → object URL
    this.cell = CELLS.medium;
    this.build(host);
    this.ends = [
      app.keys.use(subject.title, this.bindings()),
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
    const before = new Set(this.done.all);
    const found = await this.subject.read();
    const waiting = new Set(this.app.outbox.entries().map((entry) => entry.answer.issue));
    // What was decided meanwhile may stand in the answer still.
    for (const one of this.done.all) if (!before.has(one)) for (const suspect of one.suspects) waiting.add(suspect.issue);
    this.suspects = found.filter((item) => !waiting.has(item.issue));
    this.known = true;
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
    this.paintCell(at);
    this.paintButtons();
    say(baseName(suspect.image.uri) + (this.marked.has(suspect.issue) ? " marked" : " not marked"));
  }

  /** @param {"unmarked" | "marked"} which @param {"accept" | "dismiss"} answer
   * @param {boolean} [both] whether the others are dismissed in the same batch */
  decide(which, answer, both = this.subject.both && which === "unmarked") {
    const group = this.group;
    let chosen = this.page.filter((one) => this.marked.has(one.issue) === (which === "marked"));
    let rest = this.page.filter((one) => !chosen.includes(one));
    if (both && !chosen.length) { [chosen, rest, answer] = [rest, [], "dismiss"]; }
    if (!group || !chosen.length) { this.app.toast(which === "marked" ? "Nothing is marked" : "Everything on this page is marked", { kind: "warning" }); return; }
    const answers = answersOf(chosen, answer);
    let told = answer === "accept" ? this.subject.yes(group, chosen.length) : this.subject.no(group, chosen.length);
    if (both && rest.length) {
      answers.push(...answersOf(rest, "dismiss"));
      told += ", " + this.subject.no(group, rest.length);
      [chosen, rest] = [[...this.page], []];
    }
    const keys = this.app.outbox.addTogether(answers);
    const batch = this.app.outbox.outcome(keys[0]).then((outcome) => outcome && outcome.batch);
    const recall = () => keys.filter((key) => this.app.outbox.recall(key)).length === keys.length;
    this.done.add({ told, batch, recall, group: group.name, suspects: chosen, left: rest, marked: both ? chosen.filter((one) => this.marked.has(one.issue)) : [] });
    // Exceptions of a page that was confirmed are for Review: they would only come again here.
    if (answer === "accept" && which === "unmarked") for (const one of rest) this.left.add(one.issue);
    const decided = new Set(chosen.map((one) => one.issue));
    this.suspects = this.suspects.filter((one) => !decided.has(one.issue));
    for (const one of chosen) this.marked.delete(one.issue);
    this.at = 0;
    this.last.textContent = "Last: " + told;
    this.show();
  }

  leave() {
    for (const one of this.page) this.left.add(one.issue);
    this.at = 0;
    this.show();
  }

  async undo() {
    let decision;
    try { decision = await this.done.undo(); } catch (error) { this.app.toast(error.message, { kind: "warning" }); return; }
    if (!decision) { this.app.toast("Nothing to take back on this wall", { kind: "warning" }); return; }
    const here = new Set(this.suspects.map((one) => one.issue));
    this.suspects = [...decision.suspects.filter((one) => !here.has(one.issue)), ...this.suspects];
    for (const one of decision.suspects) this.marked.delete(one.issue);
    for (const one of decision.marked) this.marked.add(one.issue);
    for (const one of decision.left) { this.left.delete(one.issue); this.marked.add(one.issue); }
    this.name = decision.group;
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
      { key: "Enter", label: this.subject.both ? "confirm the page" : "accept all that are not marked", run: () => this.decide("unmarked", "accept") },
      ...(this.subject.both ? [] : [{ key: "c", label: "both: accept those that are not marked, and the marked are right as given", run: () => this.decide("unmarked", "accept", true) }]),
      { key: "Shift+Enter", label: "accept the marked only", run: () => this.decide("marked", "accept") },
      { key: "x", label: "the marked are right as given", run: () => this.decide("marked", "dismiss") },
      { key: "s", label: "skip this page", run: () => this.leave() },
      { key: "n", label: "next class", run: () => this.step(1) },
      { key: "p", label: "class before", run: () => this.step(-1) },
      { key: "f", label: "the picture large", run: () => this.enlarge() },
      { key: "o", label: this.subject.looking, run: () => this.lookAtOne() },
      { key: "z", label: "take the last page back", run: () => this.undo() },
    ];
  }

  lookAtOne() {
    const suspect = this.page[this.at];
    if (suspect) this.subject.look(suspect);
  }

  enlarge() {
    const suspect = this.page[this.at];
    if (suspect) showLarge(suspect.image, this.subject.alt(suspect));
  }

  build(host) {
    const { subject } = this;
    this.classes = el("select", { class: "select wall-classes", "aria-label": subject.choice });
    this.classes.addEventListener("change", () => this.choose(this.classes.value));
    this.question = el("h2", { class: "wall-question" });
    this.count = el("p", { class: "muted", "data-left": "" });
    this.stage = el("div", { class: "wall-stage" });
    this.grid = el("ul", { class: "wall-grid", "aria-label": "Suspects" });
    this.stage.append(this.grid);
    this.confirm = this.button("yes", "Accept", "Enter", () => this.decide("unmarked", "accept"));
    this.keep = this.button("no", "Keep", "x", () => this.decide("marked", "dismiss"));
    this.finish = subject.both ? null : this.button("plain", "Both", "c", () => this.decide("unmarked", "accept", true));
    this.last = el("p", { class: "review-last muted small", "data-last": "" });
    const small = (text, key, run) => el("button", { type: "button", class: "button quiet", onclick: run }, text, el("kbd", {}, key));
    const sizes = el("div", { class: "segment", role: "group", "aria-label": "Size of the pictures" },
      Object.entries(CELLS).map(([name, cell]) => el("button", { type: "button", title: name + " pictures", "aria-pressed": String(cell === this.cell), onclick: (event) => this.resize(cell, event.currentTarget) }, name[0].toUpperCase())));
    this.root = el("section", { class: "wall", "aria-label": subject.title },
      el("header", { class: "wall-head" },
        el("div", { class: "wall-title" }, this.question, this.count),
        el("div", { class: "wall-choice" }, subject.choices, this.classes, sizes)),
      this.stage,
      el("footer", { class: "wall-foot" },
        el("div", { class: "wall-actions" }, this.confirm, this.keep, this.finish),
        el("div", { class: "wall-small" }, small("Skip page", "s", () => this.leave()), small("Large", "f", () => this.enlarge()), small(subject.both ? "Next kind" : "Next class", "n", () => this.step(1)), small("Undo", "z", () => this.undo()), this.last)));
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
    if (!this.known) { this.grid.replaceChildren(el("li", { class: "wall-end muted", role: "status" }, "Reading what is suspected …")); return; }
    this.groups = this.subject.groupsOf(this.suspects.filter((one) => !this.left.has(one.issue)));
    this.layout = layoutOf(this.stage.clientWidth - 2 * GAP, this.stage.clientHeight - 2 * GAP, this.cell, GAP, FOOT);
    const group = this.group;
    this.classes.replaceChildren(...this.groups.map((one) => el("option", { value: one.name, selected: one === group }, this.subject.named(one) + " (" + asCount(one.suspects.length) + ")")));
    if (!group) { this.showEnd(); return; }
    this.name = group.name;
    this.at = Math.min(this.at, this.page.length - 1);
    this.question.replaceChildren(.../** @type {Node[]} */ (this.subject.question(group)));
    const wrong = expectedWrong(this.suspects);
    this.count.textContent = asCount(this.page.length) + " of " + asCount(group.suspects.length) + " here · " + asCount(this.suspects.length) + " suspects left" + (wrong === null ? "" : ", about " + asCount(Math.round(wrong)) + " wrong");
    for (const one of this.subject.marked(this.page.filter((suspect) => !this.judged.has(suspect.issue)))) this.marked.add(one.issue);
    for (const one of this.page) this.judged.add(one.issue);
    this.grid.style.setProperty("--cell", this.cell + "px");
    this.cells = this.page.map((suspect, at) => this.cellOf(suspect, at));
    this.grid.replaceChildren(...this.cells);
    this.paint();
    this.readThumbs();
    this.app.replace(...this.subject.place(group));
  }

  showEnd() {
    const left = this.left.size;
    this.question.textContent = "";
    this.count.textContent = "";
    this.cells = [];
    this.grid.replaceChildren(el("li", { class: "wall-end" },
      el("h2", {}, left ? "All but what you marked or skipped is decided" : "Nothing is left here"),
      left ? el("div", { class: "wall-end-actions" },
        this.subject.rest ? el("button", { class: "button primary", onclick: this.subject.rest }, "Look at them one by one") : null,
        el("button", { class: "button", onclick: () => { this.left.clear(); this.marked.clear(); this.show(); } }, "Bring back " + asCount(left))) : null));
    this.paint();
  }

  cellOf(suspect, at) {
    const picture = el("img", { alt: baseName(suspect.image.uri) + ", " + this.subject.alt(suspect) });
    const src = this.thumbs.get(suspect.issue);
    if (src) picture.src = src;
    const cell = el("button", { type: "button", class: "wall-cell", title: suspect.image.uri, tabindex: "-1" },
      picture,
      el("span", { class: "wall-given" }, this.subject.foot(suspect)));
    cell.addEventListener("click", () => this.toggle(at));
    return el("li", {}, cell);
  }

  // A key that is held walks far: only the two cells that it is about change.
  focus(at) {
    const before = this.cells[this.at];
    if (before) before.firstElementChild.classList.remove("is-at");
    this.at = at;
    const cell = this.cells[at];
    if (!cell) return;
    cell.firstElementChild.classList.add("is-at");
    if (this.stage.scrollHeight > this.stage.clientHeight) cell.scrollIntoView({ block: "nearest" });
  }

  /** @param {number} at */
  paintCell(at) {
    const button = this.cells[at].firstElementChild;
    button.setAttribute("aria-pressed", String(this.marked.has(this.page[at].issue)));
    button.classList.toggle("is-at", at === this.at);
  }

  paint() {
    for (const at of this.cells.keys()) this.paintCell(at);
    this.paintButtons();
  }

  paintButtons() {
    const { page, group, subject } = this;
    const marked = page.filter((one) => this.marked.has(one.issue)).length;
    const rest = page.length - marked;
    [this.confirm.firstElementChild.textContent, this.keep.firstElementChild.textContent] = subject.buttons(group, rest, marked);
    this.confirm.disabled = !rest;
    this.keep.disabled = !marked;
    if (this.finish) this.finish.disabled = !rest || !marked;
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

/** One picture large, until any key.
 * @param {import("../pictures.mjs").Picture} picture @param {string} told */
function showLarge(picture, told) {
  const { image } = decodedAhead(previewOf(picture), baseName(picture.uri));
  const dialog = /** @type {HTMLDialogElement} */ (el("dialog", { class: "wall-large", "aria-label": baseName(picture.uri) },
    image, el("p", { class: "muted small" }, el("bdi", {}, picture.uri), " · ", told)));
  dialog.addEventListener("click", () => dialog.close());
  dialog.addEventListener("keydown", (event) => { event.preventDefault(); dialog.close(); });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
