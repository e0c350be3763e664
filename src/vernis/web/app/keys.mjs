// @ts-check
// The keys: each screen brings its own, `?` tells them all, `g` and a letter goes to a screen.
import { el } from "../shared/dom.mjs";

/**
 * @typedef {object} Binding
 * @property {string} key as `KeyboardEvent.key` says it; `Shift+Enter` with a modifier
 * @property {string} label what it does
 * @property {(event: KeyboardEvent) => void} run
 * @property {string} [shown] how it is told, where that is not the key itself
 * @property {boolean} [silent] not told by `?`
 */

const WAIT = 1200; // ms that a `g` waits for its letter

export class Keys {
  constructor() {
    /** @type {{title: string, bindings: Binding[]}[]} */
    this.layers = [];
    /** @type {Map<string, {label: string, run: () => void}>} */
    this.places = new Map();
    this.leader = 0;
    document.addEventListener("keydown", (event) => this.press(event));
  }

  /** Add keys; the latest added are asked first. Returns what takes them away again.
   * @param {string} title @param {Binding[]} bindings */
  use(title, bindings) {
    const layer = { title, bindings };
    this.layers.unshift(layer);
    return () => { this.layers = this.layers.filter((one) => one !== layer); };
  }

  /** @param {string} letter @param {string} label @param {() => void} run */
  place(letter, label, run) {
    this.places.set(letter, { label, run });
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]")) return;
    const target = /** @type {HTMLElement} */ (event.target);
    if (target.matches("input, select, textarea, [contenteditable]")) return;
    const name = (event.shiftKey && event.key.length > 1 ? "Shift+" : "") + event.key;
    // A focused button answers to these itself.
    if ((name === "Enter" || name === " ") && target.matches("button, a, summary")) return;
    if (this.leader && event.timeStamp - this.leader < WAIT) {
      this.leader = 0;
      const place = this.places.get(event.key);
      if (place) { event.preventDefault(); place.run(); return; }
    }
    if (event.key === "g" && !event.repeat) { this.leader = event.timeStamp; return; }
    for (const layer of this.layers) {
      const found = layer.bindings.find((one) => one.key === name);
      if (!found) continue;
      event.preventDefault();
      found.run(event);
      return;
    }
  }

  /** Tell all keys in a dialog. */
  help() {
    const row = (/** @type {string} */ key, /** @type {string} */ label) =>
      el("div", { class: "help-row" }, el("dt", {}, ...key.split(" ").map((part) => el("kbd", {}, part))), el("dd", {}, label));
    const groups = this.layers
      .map((layer) => ({ title: layer.title, rows: layer.bindings.filter((one) => !one.silent).map((one) => row(one.shown || one.key, one.label)) }))
      .filter((group) => group.rows.length);
    groups.push({ title: "Go to", rows: [...this.places].map(([letter, place]) => row("g " + letter, place.label)) });
    const dialog = el("dialog", { class: "help", "aria-label": "Keys" },
      el("form", { method: "dialog" },
        el("h2", {}, "Keys"),
        el("div", { class: "help-groups" }, groups.map((group) => el("section", {}, el("h3", {}, group.title), el("dl", {}, group.rows)))),
        el("button", { class: "button" }, "Close", el("kbd", {}, "Esc"))));
    // A form of method dialog sends nothing; the policy still refuses to submit it.
    dialog.querySelector("form").addEventListener("submit", (event) => { event.preventDefault(); dialog.close(); });
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
    dialog.addEventListener("keydown", (event) => { if (event.key === "?") dialog.close(); });
    dialog.addEventListener("close", () => dialog.remove());
    document.body.append(dialog);
    dialog.showModal();
  }
}
