// @ts-check
// Judge a random sample: which classes does this picture really carry? What it is labelled with, and
// what it is called, are not told. What is judged is kept at once; recording makes labels of it.
import { choose, offered } from "../shared/judging.mjs";
import { el, say } from "../shared/dom.mjs";
import { asCount, judgedWords } from "../shared/wording.mjs";
import { get, post, takeBack } from "./api.mjs";
import { pickClass } from "./picker.mjs";
import { decodedAhead, previewOf } from "./pictures.mjs";
import { shareBar } from "./share_bar.mjs";

const SIZE = 300; // images of a sample: enough for a promise
const AHEAD = 2;

/** @typedef {{image: import("./pictures.mjs").Picture, offered: string[], judged: string[] | null}} Row */
/** @typedef {{taxonomy: string, kind: string, classes: string[], population: number, images: Row[], judged: number, recorded: number, by_doubt: boolean}} Sample */
/** @typedef {{value: number | null, low: number | null, high: number | null}} Share */

/** The sample that is judged; one is drawn where there is none, or where a person wants another.
 * @param {string} taxonomy @param {number} images of the collection @returns {Promise<Sample | null>} null: no sample after all */
export async function findSample(taxonomy, images) {
  const path = "/api/samples/" + encodeURIComponent(taxonomy);
  const known = (await get(path)).sample;
  if (known && !known.recorded) return known;
  const wanted = await askWhich(taxonomy, Math.min(SIZE, images), images);
  return wanted ? post(path, { ...wanted, seed: Math.floor(Math.random() * 1e6) }) : null;
}

/** @param {string} taxonomy @param {number} usual @param {number} most @returns {Promise<{size: number, by_doubt: boolean} | null>} */
function askWhich(taxonomy, usual, most) {
  return new Promise((resolve) => {
    /** @type {{size: number, by_doubt: boolean} | null} */
    let wanted = null;
    const doubtful = /** @type {HTMLInputElement} */ (el("input", { type: "checkbox" }));
    const field = /** @type {HTMLInputElement} */ (el("input", { class: "field", type: "number", min: "1", max: String(most), value: String(usual), "aria-label": "Images" }));
    const form = el("form", { class: "judge-ask" },
      el("h2", {}, "Judge a sample of ", el("bdi", {}, taxonomy)),
      el("p", { class: "muted" }, "Some images are drawn at random, and you say what they show without seeing what they are labelled with. That tells what the labels are worth, and with 200 and more vernis fill rests its promise on it."),
      el("label", {}, "Images ", field),
      el("label", {}, doubtful, " Doubtful labels more often"),
      el("p", { class: "muted small" }, "Then a hundred tell how many labels are wrong, and nothing else."),
      el("div", { class: "draw-pair" }, el("button", { class: "button primary" }, "Draw"), el("button", { class: "button", type: "button", onclick: () => dialog.close() }, "Not now")));
    const dialog = /** @type {HTMLDialogElement} */ (el("dialog", { "aria-label": "Judge a sample" }, form));
    form.addEventListener("submit", (/** @type {Event} */ event) => { event.preventDefault(); wanted = { size: Math.max(1, Math.min(most, Number(field.value) || usual)), by_doubt: doubtful.checked }; dialog.close(); });
    dialog.addEventListener("close", () => { dialog.remove(); resolve(wanted); });
    document.body.append(dialog);
    dialog.showModal();
    field.select();
  });
}

export class JudgePanel {
  /** @param {import("./main.mjs").App} app @param {Sample} sample @param {{step: (by: number) => void, show: (image: number) => Promise<void>, leave: () => void}} screen */
  constructor(app, sample, screen) {
    this.app = app;
    this.sample = sample;
    this.screen = screen;
    this.path = "/api/samples/" + encodeURIComponent(sample.taxonomy);
    /** @type {Row} */
    this.row = sample.images[0];
    /** @type {{row: Row, before: string[] | null}[]} */
    this.done = [];
    /** @type {Promise<unknown>} */
    this.chain = Promise.resolve();
    /** @type {Map<number, unknown>} */
    this.ahead = new Map();
    this.result = /** @type {any} */ (null);
    this.panel = el("aside", { class: "image-side draw-panel" });
    this.end = app.keys.use("Judge", this.bindings());
  }

  close() { this.end(); }

  get ids() { return Uint32Array.from(this.sample.images, (row) => row.image.id); }

  /** The first that is not judged, or else the first. */
  get first() { return (this.sample.images.find((row) => row.judged === null) || this.sample.images[0]).image.id; }

  /** @param {number} id */
  open(id) {
    const at = this.sample.images.findIndex((row) => row.image.id === id);
    if (at < 0) return;
    this.row = this.sample.images[at];
    this.result = null;
    for (const row of this.sample.images.slice(at + 1, at + 1 + AHEAD)) {
      if (!this.ahead.has(row.image.id)) this.ahead.set(row.image.id, decodedAhead(previewOf(row.image), ""));
    }
    for (const known of [...this.ahead.keys()].slice(0, -8)) this.ahead.delete(known);
    this.show();
  }

  // ---------------------------------------------------------------- what is judged

  /** @param {string | null} label null: it carries none */
  judge(label) {
    const { row } = this;
    this.keep(row, choose(row.judged || undefined, label, this.sample.kind) || null);
    if (this.sample.kind === "single" || label === null) this.next();
  }

  /** @param {Row} row @param {string[] | null} labels @param {boolean} [taken] */
  keep(row, labels, taken = false) {
    if (!taken) this.done.push({ row, before: row.judged });
    row.judged = labels;
    const body = { judged: [{ image: row.image.id, labels }] };
    this.chain = this.chain.then(() => post(this.path + "/judgements", body)).catch((error) => this.app.toast("Not kept: " + error.message, { kind: "warning" }));
    say(labels === null ? "not judged" : labels.join(", ") || "none");
    this.show();
  }

  next() {
    const last = this.sample.images[this.sample.images.length - 1];
    if (this.row === last) this.show(); else this.screen.step(1);
  }

  async type() {
    const label = await pickClass({ title: "Class of " + this.sample.taxonomy, classes: this.sample.classes, first: this.row.offered });
    if (label !== null) this.judge(label);
  }

  async undo() {
    const decision = this.done.pop();
    if (!decision) { this.app.toast("Nothing to take back here", { kind: "warning" }); return; }
    this.keep(decision.row, decision.before, true);
    await this.screen.show(decision.row.image.id);
  }

  async record() {
    await this.chain;
    try {
      this.result = await post(this.path + "/record", {});
      this.sample.recorded = this.result.batch;
      const { batch } = this.result;
      this.app.toast(asCount(this.result.judged) + " judged images recorded", batch ? { action: "Undo", run: () => takeBack(batch).catch((error) => this.app.toast(error.message, { kind: "warning" })) } : {});
    } catch (error) { this.app.toast(error instanceof Error ? error.message : String(error), { kind: "warning" }); }
    this.show();
  }

  // ---------------------------------------------------------------- what is shown

  get classes() { return offered({ candidates: this.row.offered }, this.row.judged || undefined); }

  bindings() {
    const digit = (/** @type {number} */ n) => ({ key: String(n), shown: n === 1 ? "1 – 9" : "", label: "it is this class", silent: n > 1, run: () => { const label = this.classes[n - 1]; if (label !== undefined) this.judge(label); } });
    return [
      ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map(digit),
      { key: "0", label: "none of them", run: () => this.judge(null) },
      { key: "t", label: "type a class", run: () => this.type() },
      { key: "Enter", label: "next picture", run: () => this.next() },
      { key: "z", label: "take the last judgement back", run: () => this.undo() },
      { key: "r", label: "record what was judged", run: () => this.record() },
      { key: "Escape", shown: "Esc", label: "end judging, it is kept", run: () => this.screen.leave() },
      { key: "b", label: "", silent: true, run: () => {} },
      { key: "l", label: "", silent: true, run: () => {} },
    ];
  }

  show() {
    const { row, sample } = this;
    const judged = sample.images.filter((one) => one.judged !== null).length;
    const button = (/** @type {string} */ kind, /** @type {string} */ text, /** @type {string} */ key, /** @type {() => void} */ run) => el("button", { type: "button", class: "key-button " + kind, onclick: run }, el("span", {}, text), el("kbd", {}, key));
    const classRow = (/** @type {string | null} */ label, /** @type {string} */ key) => el("button", {
      type: "button", class: "draw-class", onclick: () => this.judge(label),
      "aria-pressed": String(row.judged !== null && (label === null ? !row.judged.length : row.judged.includes(label))),
    }, key ? el("kbd", {}, key) : null, label === null ? "none of them" : el("bdi", {}, label));
    this.panel.replaceChildren(...[
      el("header", { class: "draw-head" },
        el("h2", {}, sample.kind === "single" ? "Which " : "Which ", el("bdi", {}, sample.taxonomy), sample.kind === "single" ? " is it?" : " does it carry?"),
        el("p", { class: "muted small", "data-left": "" }, asCount(judged) + " of " + asCount(sample.images.length) + " judged")),
      shareBar(judged / sample.images.length).bar,
      el("div", { class: "draw-classes" }, ...this.classes.map((label, at) => classRow(label, at < 9 ? String(at + 1) : "")), classRow(null, "0")),
      button("", "Type a class", "t", () => this.type()),
      el("div", { class: "draw-pair" }, button("", "Undo", "z", () => this.undo()), button("", "Next", "Enter", () => this.next())),
      judged ? button("yes", "Record " + asCount(judged) + " judged", "r", () => this.record()) : null,
      this.result ? resultOf(this.result) : el("p", { class: "muted small" }, "Its labels and its name are hidden: they would sway you. What you judge is kept; Record makes labels of it."),
    ].filter((one) => one !== null));
  }
}

/** @param {Share} share */
const asShare = (share) => share.value === null ? "–" : Math.round(100 * share.value) + "%" + (share.low === null || share.high === null ? "" : " (" + Math.round(100 * share.low) + "–" + Math.round(100 * share.high) + ")");

/** What the judged sample says of the labels.
 * @param {any} result */
function resultOf(result) {
  const { measures, changes, wrong } = result;
  const counted = wrong ? el("p", {}, "Of the labels of " + asCount(wrong.images) + " images " + judgedWords(wrong) + (wrong.model ? "; without them about " + asCount(Math.round(wrong.model.value)) : "") + ".") : null;
  const notes = el("p", { class: "muted small" }, result.notes.join(" "));
  if (!measures) return el("section", { class: "judge-result" }, el("h3", {}, "How many labels are wrong"), counted || el("p", {}, "Too few are judged to tell."), notes);
  const line = (/** @type {string} */ name, /** @type {any} */ found) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, asShare(found.accuracy)), el("td", {}, asShare(found.coverage)));
  return el("section", { class: "judge-result" },
    el("h3", {}, "What the labels are worth"),
    el("table", {}, el("thead", {}, el("tr", {}, el("th", {}), el("th", { scope: "col" }, "right"), el("th", { scope: "col" }, "labelled"))),
      el("tbody", {}, line("As given", measures.given), line("Cleaned", measures.cleaned), line("By the model", measures.predicted))),
    el("p", { class: "muted small" }, "In the whole collection cleaning mends about " + asCount(Math.round(changes.mended.value)) + " labels and breaks about " + asCount(Math.round(changes.broken.value)) + "."),
    counted,
    notes);
}
