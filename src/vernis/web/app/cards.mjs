// @ts-check
// Proposals one below the other: walk, decide by a key, take back. What is decided goes at once; it
// comes back when the server refuses it.
import { el, say } from "../shared/dom.mjs";
import { asCount } from "../shared/wording.mjs";
import { Decided } from "./decided.mjs";
import { drawThumbnails } from "./pictures.mjs";

const SHOWN = 40; // cards at once; the next come when these are decided

/** @typedef {import("./pictures.mjs").Picture} Picture */
/** @typedef {{image: Picture, element: HTMLImageElement}} Cell */
/**
 * What the cards are about.
 * @template T
 * @typedef {object} Subject
 * @property {string} title
 * @property {Node[]} choices what stands at the right above
 * @property {() => Promise<T[]>} read
 * @property {(item: T) => string} keyOf
 * @property {(item: T, cells: Cell[], cards: Cards<T>) => Node[]} card what a card shows; its pictures are added to the cells
 * @property {(items: T[]) => string} count
 * @property {{key: string, shown?: string, label: string, kind: string, text: string, run: (item: T, cards: Cards<T>) => void}[]} actions
 * @property {(cards: Cards<T>) => Node} empty
 * @property {{key: string, shown?: string, label: string, text: string, run: (cards: Cards<T>) => void}[]} [more] what holds for the screen
 */

/** @template T */
export class Cards {
  /** @param {HTMLElement} host @param {import("./main.mjs").App} app @param {Subject<T>} subject */
  constructor(host, app, subject) {
    this.app = app;
    this.subject = subject;
    /** @type {T[]} */
    this.items = [];
    this.at = 0;
    /** @type {Decided<import("./decided.mjs").Decision & {items: {item: T, at: number}[]}>} */
    this.done = new Decided();
    this.aside = new Set(); // keys of items that were left: they do not come again here
    this.under = 0; // decisions that are on their way
    this.closed = false;
    this.bundles = new AbortController();
    this.build(host);
    const again = () => this.readSoon();
    this.ends = [
      app.keys.use(subject.title, this.bindings()),
      ...["decided", "undone", "labelled", "catalog", "reset"].map((kind) => app.events.on(kind, again)),
    ];
  }

  close() {
    this.closed = true;
    clearTimeout(this.reading);
    this.bundles.abort();
    for (const end of this.ends) end();
  }

  async read() {
    const found = await this.subject.read();
    const sent = new Set(this.done.all.flatMap((one) => one.items.map(({ item }) => this.subject.keyOf(item))));
    const gone = (/** @type {T} */ item) => this.aside.has(this.subject.keyOf(item)) || (this.under > 0 && sent.has(this.subject.keyOf(item)));
    this.items = found.filter((item) => !gone(item));
    this.at = Math.max(0, Math.min(this.at, this.items.length - 1));
    if (!this.closed) this.show();
  }

  readSoon() {
    clearTimeout(this.reading);
    this.reading = setTimeout(() => {
      // A person who types is not disturbed.
      if (this.under || this.body.contains(document.activeElement) && /** @type {Element} */ (document.activeElement).matches("input")) { this.readSoon(); return; }
      this.read().catch(() => null);
    }, 500);
  }

  /** @returns {T | undefined} */
  get item() { return this.items[this.at]; }

  /** Cards that stand beside one another. */
  get columns() {
    const nodes = this.nodes || [];
    return Math.max(1, nodes.filter((node) => node.offsetTop === nodes[0].offsetTop).length);
  }

  /** @param {number} by */
  walk(by) {
    this.at = Math.max(0, Math.min(Math.min(SHOWN, this.items.length) - 1, this.at + by));
    this.paint();
  }

  // ---------------------------------------------------------------- what is decided

  /** Take items off the screen and send what was decided about them.
   * @param {T[]} items @param {string} told @param {() => Promise<number>} send returns the batch */
  decide(items, told, send) {
    const gone = items.map((item) => ({ item, at: this.items.indexOf(item) })).filter(({ at }) => at >= 0);
    if (!gone.length) return;
    this.items = this.items.filter((item) => !items.includes(item));
    this.at = Math.max(0, Math.min(this.at, this.items.length - 1));
    this.under += 1;
    const decision = this.done.add({ items: gone, told, batch: send() });
    decision.batch.catch((error) => {
      this.done.drop(decision);
      this.bringBack(gone);
      this.app.toast(error.message, { kind: "warning" });
    }).finally(() => { this.under -= 1; });
    this.last.textContent = "Last: " + told;
    say(told);
    this.show();
  }

  /** Leave an item as it is; it does not come again here.
   * @param {T} item @param {string} told */
  leave(item, told) {
    this.aside.add(this.subject.keyOf(item));
    this.decide([item], told, async () => 0);
  }

  async undo() {
    try {
      const decision = await this.done.undo();
      if (!decision) { this.app.toast("Nothing to take back here", { kind: "warning" }); return; }
      this.bringBack(decision.items);
      this.last.textContent = "Taken back: " + decision.told;
    } catch (error) { this.app.toast(error instanceof Error ? error.message : String(error), { kind: "warning" }); }
  }

  /** @param {{item: T, at: number}[]} gone */
  bringBack(gone) {
    const here = new Set(this.items.map((item) => this.subject.keyOf(item)));
    for (const { item } of gone) this.aside.delete(this.subject.keyOf(item));
    for (const { item, at } of gone) if (!here.has(this.subject.keyOf(item))) this.items.splice(Math.min(at, this.items.length), 0, item);
    this.at = Math.max(0, this.items.indexOf(gone[0].item));
    if (!this.closed) this.show();
  }

  // ---------------------------------------------------------------- what is shown

  bindings() {
    return [
      { key: "ArrowDown", shown: "← → ↑ ↓", label: "walk", run: () => this.walk(this.columns) },
      { key: "ArrowUp", label: "", silent: true, run: () => this.walk(-this.columns) },
      { key: "ArrowRight", label: "", silent: true, run: () => this.walk(1) },
      { key: "ArrowLeft", label: "", silent: true, run: () => this.walk(-1) },
      { key: "Home", label: "", silent: true, run: () => this.walk(-SHOWN) },
      { key: "End", label: "", silent: true, run: () => this.walk(SHOWN) },
      ...this.subject.actions.map((one) => ({ key: one.key, shown: one.shown, label: one.label, run: () => { if (this.item) one.run(this.item, this); } })),
      ...(this.subject.more || []).map((one) => ({ key: one.key, shown: one.shown, label: one.label, run: () => one.run(this) })),
      { key: "z", label: "take the last decision back", run: () => this.undo() },
    ];
  }

  /** @param {HTMLElement} host */
  build(host) {
    const { subject } = this;
    const small = (/** @type {string} */ text, /** @type {string} */ key, /** @type {() => void} */ run) => el("button", { type: "button", class: "button quiet", onclick: run }, text, el("kbd", {}, key));
    this.title = el("h2", {}, subject.title);
    this.left = el("p", { class: "muted", "data-left": "" });
    this.body = el("div", { class: "cards-body" });
    this.last = el("p", { class: "review-last muted small", "data-last": "" });
    host.append(el("section", { class: "cards", "aria-label": subject.title },
      el("header", { class: "cards-head" }, el("div", { class: "cards-title" }, this.title, this.left), el("div", { class: "cards-choice" }, subject.choices)),
      this.body,
      el("footer", { class: "cards-foot" },
        (subject.more || []).map((one) => small(one.text, one.shown || one.key, () => one.run(this))),
        small("Undo", "z", () => this.undo()), this.last)));
  }

  show() {
    this.left.textContent = this.subject.count(this.items);
    if (!this.items.length) { this.nodes = []; this.body.replaceChildren(this.subject.empty(this)); return; }
    /** @type {Cell[]} */
    const cells = [];
    this.nodes = this.items.slice(0, SHOWN).map((item, at) => {
      const node = el("article", { class: "card", onclick: () => { this.at = at; this.paint(); } },
        this.subject.card(item, cells, this),
        el("div", { class: "card-actions" }, this.subject.actions.filter((one) => one.text).map((one) =>
          el("button", { type: "button", class: "key-button " + one.kind, onclick: () => { this.at = at; one.run(item, this); } }, el("span", {}, one.text), el("kbd", {}, one.shown || one.key)))));
      return node;
    });
    this.body.replaceChildren(...this.nodes, ...(this.items.length > SHOWN ? [el("p", { class: "muted small" }, asCount(this.items.length - SHOWN) + " more come when these are decided")] : []));
    this.paint();
    drawThumbnails(cells, this.bundles.signal).catch(() => null);
  }

  paint() {
    for (const [at, node] of (this.nodes || []).entries()) node.classList.toggle("is-at", at === this.at);
    const node = (this.nodes || [])[this.at];
    if (node) node.scrollIntoView({ block: "nearest" });
  }
}

/** A row of thumbnails, which are drawn with all others of the screen.
 * @param {Picture[]} images @param {Cell[]} cells */
export function pictureRow(images, cells) {
  return el("div", { class: "card-pictures" }, images.map((image) => {
    const element = /** @type {HTMLImageElement} */ (el("img", { alt: image.uri, title: image.uri }));
    cells.push({ image, element });
    return element;
  }));
}
