// @ts-check
// The shell: what is open, which screen, the keys that hold everywhere, what is not saved yet.
import { el, one } from "../shared/dom.mjs";
import { switchTheme } from "../shared/theme.mjs";
import { asCount } from "../shared/wording.mjs";
import { get, Refused } from "./api.mjs";
import { Events } from "./events.mjs";
import { Keys } from "./keys.mjs";
import { Outbox } from "./outbox.mjs";
import { Address, hashOf, readPlace } from "./router.mjs";
import { SCREENS } from "./screens/index.mjs";

/**
 * What a screen gets. See `screens/index.mjs` for what a screen is.
 * @typedef {object} App
 * @property {any} collection as `/api/collection` tells it
 * @property {Outbox} outbox
 * @property {Events} events
 * @property {Keys} keys
 * @property {(name: string, parts?: string[], query?: Record<string, unknown>) => void} go
 * @property {(query: Record<string, unknown>, parts?: string[]) => void} replace change the address without a step in the browser's history, and without opening the screen anew
 * @property {(text: string, more?: {kind?: string, action?: string, run?: () => void}) => void} toast
 */

const TOAST = 5000; // ms

async function start() {
  let collection;
  // The first screen is on its way while the collection is asked for.
  screenOf(readPlace()).load().catch(() => null);
  try {
    collection = await get("/api/collection");
  } catch (error) {
    const text = error instanceof Refused && error.status === 401
      ? "Open the address that vernis serve printed: it holds the key."
      : String(error instanceof Error ? error.message : error);
    one("#screen").replaceChildren(el("p", { class: "blank-page" }, text));
    return;
  }
  const keys = new Keys();
  const address = new Address();
  const app = {
    collection,
    outbox: new Outbox(collection.name),
    events: new Events(),
    keys,
    go: (name, parts, query) => { address.write(); location.hash = hashOf(name, parts, query); },
    replace: (query, parts) => address.replace(screenOf(readPlace()).name, parts, query),
    toast,
  };
  drawBar(app);
  keys.use("Everywhere", [
    { key: "?", label: "tell the keys", run: () => keys.help() },
    { key: "T", label: "light or dark", run: () => switchTheme() },
  ]);
  for (const screen of SCREENS) keys.place(screen.key, screen.title, () => app.go(screen.name));
  one("[data-skip]").addEventListener("click", (event) => { event.preventDefault(); one("#screen").focus(); });
  const opener = new Opener(app);
  addEventListener("hashchange", () => { address.drop(); opener.open(); });
  app.outbox.addEventListener("outcome", (event) => tellTrouble(app, /** @type {CustomEvent} */ (event).detail.outcome));
  opener.open();
}

const screenOf = (place) => SCREENS.find((screen) => screen.name === place.name) || SCREENS[0];

// Opens one screen at a time; what a slow screen draws after another was opened is thrown away.
class Opener {
  /** @param {App} app */
  constructor(app) {
    this.app = app;
    this.turn = 0;
    /** @type {(() => void)[]} what takes the keys of the present screen away */
    this.keys = [];
    /** @type {null | (() => void)} */
    this.close = null;
  }

  async open() {
    const place = readPlace();
    const screen = screenOf(place);
    const turn = ++this.turn;
    if (this.close) this.close();
    this.close = null;
    for (const end of this.keys.splice(0)) end();
    const host = el("div", { class: "screen-host", "data-screen": screen.name });
    one("#screen").replaceChildren(host);
    document.title = screen.title + " · " + this.app.collection.name + " · Vernis";
    for (const link of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-nav]"))) {
      if (link.dataset.nav === screen.name) { link.setAttribute("aria-current", "page"); link.scrollIntoView({ block: "nearest", inline: "nearest" }); }
      else link.removeAttribute("aria-current");
    }
    try {
      const { open } = await screen.load();
      // A screen that was left while it was opened changes no address and hears no key: a decision
      // is never about what is not seen.
      const replace = (query, parts) => { if (turn === this.turn) this.app.replace(query, parts); };
      const use = (title, bindings) => {
        if (turn !== this.turn) return () => {};
        const end = this.app.keys.use(title, bindings);
        this.keys.push(end);
        return end;
      };
      const opened = await open(host, { ...this.app, replace, keys: { use } }, place);
      if (turn !== this.turn) { if (opened && opened.close) opened.close(); return; }
      this.close = () => { if (opened && opened.close) opened.close(); };
    } catch (error) {
      if (turn !== this.turn) return;
      host.replaceChildren(el("div", { class: "blank-page" },
        el("p", {}, error instanceof Error ? error.message : String(error)),
        el("button", { class: "button", onclick: () => this.open() }, "Try again")));
      if (!(error instanceof Refused)) throw error;
    }
  }
}

/** @param {App} app */
function drawBar(app) {
  const { collection, outbox, keys, events } = app;
  const saved = el("span", { class: "saved", "data-saved": "", role: "status" });
  const show = () => {
    const n = outbox.size;
    const words = {
      "signed-out": "Signed out: open Vernis again, " + asCount(n) + " kept here",
      offline: n ? asCount(n) + " kept here, no server" : "No server",
    };
    const state = !events.connected && outbox.state !== "signed-out" ? "offline" : outbox.state;
    saved.dataset.state = n || state !== "sending" ? state : "saved";
    saved.textContent = words[state] || (n ? asCount(n) + " on their way" : "Saved");
  };
  outbox.addEventListener("change", show);
  events.on("connection", ({ open }) => { show(); if (open) outbox.soon(0); });
  show();
  const logo = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  logo.setAttribute("viewBox", "0 0 24 24");
  logo.setAttribute("aria-hidden", "true");
  logo.setAttribute("class", "mark");
  for (const [name, shape] of /** @type {[string, Record<string, string>][]} */ ([["rect", { width: "24", height: "24", rx: "6" }], ["path", { d: "M6 7l6 11 6-11" }]])) {
    const part = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(shape)) part.setAttribute(key, value);
    logo.append(part);
  }
  one("[data-bar]").replaceChildren(
    el("a", { class: "home", href: hashOf(SCREENS[0].name), title: asCount(collection.images) + " images" }, logo, el("bdi", {}, collection.name)),
    el("nav", { class: "nav", "aria-label": "Screens" },
      SCREENS.map((screen) => el("a", { href: hashOf(screen.name), "data-nav": screen.name, title: "g " + screen.key }, screen.title))),
    el("div", { class: "bar-end" }, saved,
      el("button", { class: "icon-button", onclick: switchTheme, title: "Light or dark (T)", "aria-label": "Light or dark" }, "◐"),
      el("button", { class: "icon-button", onclick: () => keys.help(), title: "Keys (?)", "aria-label": "Keys" }, "?")));
}

/** @param {string} text @param {{kind?: string, action?: string, run?: () => void}} [more] */
function toast(text, more = {}) {
  const node = el("div", { class: "toast " + (more.kind || "") }, el("span", {}, text),
    more.action ? el("button", { class: "button", onclick: () => { node.remove(); more.run && more.run(); } }, more.action) : null);
  const host = one("[data-toasts]");
  host.append(node);
  while (host.children.length > 3) host.firstElementChild.remove();
  setTimeout(() => node.remove(), TOAST);
}

/** @param {App} app @param {import("./outbox.mjs").Outcome} outcome */
function tellTrouble(app, outcome) {
  if (outcome.state === "conflict") {
    const who = outcome.by && outcome.by !== app.collection.person ? outcome.by : "Another window";
    app.toast(who + " had decided this one already (" + outcome.verdict + "); it stays so", { kind: "warning" });
  } else if (outcome.state === "refused") {
    app.toast("Not recorded: " + outcome.reason, { kind: "warning" });
  }
}

start();
