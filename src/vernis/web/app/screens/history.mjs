// @ts-check
// History: every batch of changes, by whom and when, with the pictures it is about; any of them can
// be taken back, and that too.
import { el, say } from "../../shared/dom.mjs";
import { asCount, baseName } from "../../shared/wording.mjs";
import { get, post, Refused } from "../api.mjs";
import { byDay, sayChanges, whereOf, whoOf } from "../history.mjs";
import { readThumbnails } from "../pictures.mjs";
import { loadStyle } from "../styles.mjs";

const PAGE = 100;
const SHOWN = 48; // pictures of a batch that are drawn

/** @typedef {import("../history.mjs").Batch} Batch */

/** @param {HTMLElement} host @param {import("../main.mjs").App} app @param {import("../router.mjs").Place} place */
export async function open(host, app, place) {
  await loadStyle("/web/app/screens/history.css");
  const screen = new History(host, app);
  await screen.read();
  await screen.choose(Number(place.parts[0]) || (screen.batches[0] && screen.batches[0].id) || 0);
  return { close: () => screen.close() };
}

class History {
  /** @param {HTMLElement} host @param {import("../main.mjs").App} app */
  constructor(host, app) {
    this.app = app;
    /** @type {Batch[]} */
    this.batches = [];
    /** @type {number | null} */
    this.next = null;
    this.at = 0; // id of the chosen batch
    /** @type {any[]} */
    this.images = [];
    this.aborter = new AbortController();
    this.timer = 0;
    this.build(host);
    const again = () => this.readSoon();
    this.ends = [
      app.keys.use("History", this.bindings()),
      ...["decided", "undone", "labelled", "duplicates", "changed", "catalog", "reset"].map((kind) => app.events.on(kind, again)),
    ];
  }

  close() {
    clearTimeout(this.timer);
    this.aborter.abort();
    for (const end of this.ends) end();
  }

  async read() {
    const page = await get("/api/batches", { limit: Math.min(500, Math.max(PAGE, this.batches.length)) });
    this.batches = page.batches;
    this.next = page.next;
    this.show();
  }

  readSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.read().catch(() => null), 300);
  }

  async readMore() {
    if (this.next === null) return;
    const page = await get("/api/batches", { limit: PAGE, before: this.next });
    this.batches.push(...page.batches);
    this.next = page.next;
    this.show();
  }

  get batch() { return this.batches.find((one) => one.id === this.at); }

  /** @param {number} id */
  async choose(id) {
    if (!id) { this.showDetail(); return; }
    this.at = id;
    this.images = [];
    this.paint();
    this.app.replace({}, [String(id)]);
    const found = await get("/api/batches/" + id).catch((error) => { this.app.toast(error.message, { kind: "warning" }); return null; });
    if (!found || this.at !== id) return;
    if (!this.batch) this.batches.push(found.batch);
    this.images = found.images;
    this.showDetail(found.batch);
  }

  /** @param {number} by */
  step(by) {
    const at = this.batches.findIndex((one) => one.id === this.at);
    const next = this.batches[Math.max(0, Math.min(this.batches.length - 1, at + by))];
    if (next && next.id !== this.at) this.choose(next.id);
    if (by > 0 && at + by >= this.batches.length) this.readMore();
  }

  async undo() {
    const batch = this.batch;
    if (!batch || batch.undone || this.app.collection.role === "viewer") return;
    const taken = await this.take(batch.id, false);
    if (!taken) return;
    const { undone, images } = taken;
    const told = (batch.undoes ? "Made again: " : "Took back: ") + sayChanges(undone.changes) + " · " + undone.verb + " by " + whoOf(batch);
    const kept = undone.skipped ? "; " + asCount(undone.skipped) + " stay, they were changed later" : "";
    await this.read();
    await this.choose(undone.id);
    this.list.scrollTop = 0;
    say(told + kept);
    this.app.toast(told + kept, images.length ? { action: images.length === 1 ? "See the picture" : "See the pictures", run: () => this.look(images) } : {});
  }

  /** @param {number} id @param {boolean} yes @returns {Promise<any>} */
  async take(id, yes) {
    try {
      return await post("/api/undo", { batch: id, yes });
    } catch (error) {
      const text = /** @type {Error} */ (error).message;
      const asks = error instanceof Refused && error.status === 400 && !yes && /--yes/.test(text);
      if (!asks) { this.app.toast(text, { kind: "warning" }); return null; }
      return (await this.agree(text)) ? this.take(id, true) : null;
    }
  }

  /** @param {string} text @returns {Promise<boolean>} */
  agree(text) {
    return new Promise((resolve) => {
      let said = false;
      const dialog = /** @type {HTMLDialogElement} */ (el("dialog", { class: "history-ask", "aria-label": "Take back" },
        el("h2", {}, "Take all of it back?"), el("p", {}, text.replace(/[;:,]?\s*[^;:,]*--yes.*$/, "") + "."),
        el("div", { class: "job-actions history-actions" },
          el("button", { class: "button primary", onclick: () => { said = true; dialog.close(); } }, "Take it back"),
          el("button", { class: "button", onclick: () => dialog.close() }, "Leave it", el("kbd", {}, "Esc")))));
      dialog.addEventListener("close", () => { dialog.remove(); resolve(said); });
      document.body.append(dialog);
      dialog.showModal();
    });
  }

  /** @param {number[]} [images] */
  look(images = this.images.map((image) => image.id)) {
    if (images.length === 1) this.app.go("image", [String(images[0])]);
    else if (whereOf(images)) this.app.go("browse", [], { where: whereOf(images) });
  }

  // ---------------------------------------------------------------- what is shown

  bindings() {
    return [
      { key: "ArrowDown", shown: "↑ ↓", label: "another batch", run: () => this.step(1) },
      { key: "ArrowUp", label: "", silent: true, run: () => this.step(-1) },
      { key: "PageDown", label: "", silent: true, run: () => this.step(10) },
      { key: "PageUp", label: "", silent: true, run: () => this.step(-10) },
      { key: "z", label: "take the batch back", run: () => this.undo() },
      { key: "Enter", label: "its pictures in browse", run: () => this.look() },
    ];
  }

  /** @param {HTMLElement} host */
  build(host) {
    this.list = el("div", { class: "history-list", tabindex: "0", role: "region", "aria-label": "Batches" });
    this.detail = el("section", { class: "history-detail", "aria-label": "Batch" });
    host.append(el("div", { class: "history" }, this.list, this.detail));
  }

  show() {
    if (!this.batches.length) {
      this.list.replaceChildren(el("div", { class: "blank-page" }, el("h2", {}, "Nothing was changed yet"), el("p", {}, "Each decision and each import will stand here, with who made it and when.")));
      return;
    }
    const days = byDay(this.batches).map(([day, batches]) => el("section", {}, el("h2", {}, day), el("ul", {}, batches.map((batch) => el("li", {}, this.rowOf(batch))))));
    const more = this.next === null ? null : el("button", { type: "button", class: "button", onclick: () => this.readMore() }, "Earlier ones");
    this.list.replaceChildren(...days, ...(more ? [more] : []));
    this.paint();
    if (this.batch) this.showDetail(this.batch);
  }

  /** @param {Batch} batch */
  rowOf(batch) {
    const time = new Date(batch.time).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
    return el("button", { type: "button", class: "batch" + (batch.undone ? " undone" : ""), "data-batch": batch.id, onclick: () => this.choose(batch.id) },
      el("span", { class: "muted number" }, time), el("b", {}, batch.undoes ? "undo of " + batch.undoes : batch.verb), el("span", {}, sayChanges(batch.changes)),
      el("span", { class: "muted small batch-more" }, "by ", el("bdi", {}, whoOf(batch)), batch.note ? [" · ", el("bdi", {}, batch.note)] : "", batch.undone ? el("span", { class: "chip" }, "taken back") : ""));
  }

  paint() {
    for (const row of this.list.querySelectorAll(".batch")) {
      const here = row.dataset.batch === String(this.at);
      row.setAttribute("aria-pressed", String(here));
      if (here) row.scrollIntoView({ block: "nearest" });
    }
  }

  /** @param {Batch} [batch] */
  showDetail(batch) {
    if (!batch) { this.detail.replaceChildren(); return; }
    const may = this.app.collection.role !== "viewer";
    const grid = el("ul", { class: "batch-pictures" });
    this.detail.replaceChildren(
      el("header", {}, el("h2", {}, batch.undoes ? "Undo of batch " + batch.undoes : batch.verb), el("p", { class: "muted" }, "Batch " + batch.id + ", " + new Date(batch.time).toLocaleString("en-GB") + ", by ", el("bdi", {}, whoOf(batch)))),
      el("p", {}, sayChanges(batch.changes), batch.note ? [": ", el("bdi", {}, batch.note)] : ""),
      batch.undone_by ? el("p", { class: "muted" }, "Taken back by batch ", el("button", { type: "button", class: "button quiet", onclick: () => this.choose(batch.undone_by || 0) }, String(batch.undone_by))) : "",
      batch.skipped ? el("p", { class: "muted" }, asCount(batch.skipped) + " were changed later, and stayed as they were.") : "",
      el("div", { class: "history-actions" },
        may && !batch.undone ? el("button", { type: "button", class: "button primary", onclick: () => this.undo() }, batch.undoes ? "Make it again" : "Take it back", el("kbd", {}, "z")) : "",
        this.images.length === 1 || whereOf(this.images.map((image) => image.id)) ? el("button", { type: "button", class: "button", onclick: () => this.look() }, "See in browse", el("kbd", {}, "Enter")) : ""),
      this.images.length > SHOWN ? el("p", { class: "muted small" }, "The first " + SHOWN + " pictures:") : "", grid);
    this.draw(grid);
  }

  /** @param {HTMLElement} grid */
  async draw(grid) {
    const shown = this.images.slice(0, SHOWN);
    if (!shown.length) return;
    const found = await readThumbnails(shown, this.aborter.signal).catch(() => null);
    if (!found) return;
    grid.replaceChildren(...shown.map((image, at) => el("li", {},
      el("button", { type: "button", title: image.uri, "aria-label": image.uri, onclick: () => this.app.go("image", [String(image.id)]) }, found[at] || el("span", { class: "muted small" }, baseName(image.uri))))));
  }
}
