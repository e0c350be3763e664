// @ts-check
// Duplicates: groups side by side, the image that stays with its reason, a flicker to compare two.
import { el, say } from "../../shared/dom.mjs";
import { asCount, asSize, baseName, folderName, GROUP_KINDS, transformName } from "../../shared/wording.mjs";
import { get, inTurn, post, takeBack } from "../api.mjs";
import { Decided } from "../decided.mjs";
import { answerOf, differencesOf, firstChoice, isDecided, keepImage, pairOf, setApart, toldOf } from "../duplicates.mjs";
import { previewOf, thumbOf } from "../pictures.mjs";
import { loadStyle } from "../styles.mjs";
import { runVerb } from "../verbs.mjs";

const PAGE = 8; // groups
const FLICKER = 600; // ms that each picture is shown

/** @param {HTMLElement} host @param {import("../main.mjs").App} app @param {import("../router.mjs").Place} place */
export async function open(host, app, place) {
  await loadStyle("/web/app/screens/duplicates.css");
  const screen = new Duplicates(host, app, place);
  await screen.read();
  return { close: () => screen.close() };
}

class Duplicates {
  constructor(host, app, place) {
    this.app = app;
    this.kind = place.parts[0] || "";
    this.offset = Math.max(0, (Number(place.query.get("from")) || 1) - 1);
    this.groups = [];
    this.total = 0;
    this.choices = new Map(); // group (its ids) → choice
    this.at = 0; // the group that has the focus
    this.member = 1; // the image of it that has the focus
    this.done = new Decided();
    this.sending = false; // whether groups are on their way
    this.readings = 0;
    this.build(host);
    this.ends = [
      app.keys.use("Duplicates", this.bindings()),
      app.events.on("undone", () => this.readSoon()),
      app.events.on("catalog", () => this.readSoon()),
      app.events.on("reset", () => this.readSoon()),
    ];
  }

  close() {
    clearTimeout(this.reading);
    this.stopFlicker();
    for (const end of this.ends) end();
  }

  // ---------------------------------------------------------------- what there is

  async read() {
    const reading = ++this.readings;
    const page = await get("/api/duplicates", { offset: this.offset, limit: PAGE, kind: this.kind });
    if (reading !== this.readings) return; // a later one tells more
    if (!page.groups.length && page.total && this.offset) { this.offset = Math.max(0, page.total - PAGE); await this.read(); return; }
    this.groups = page.groups;
    this.total = page.total;
    this.kinds = page.kinds;
    this.at = Math.min(this.at, Math.max(0, this.groups.length - 1));
    this.show();
  }

  readSoon() {
    clearTimeout(this.reading);
    this.reading = setTimeout(() => this.read().catch(() => null), 300);
  }

  get group() { return this.groups[this.at]; }

  choiceOf(group) {
    const key = group.images.map((image) => image.id).sort((a, b) => a - b).join();
    if (!this.choices.has(key)) this.choices.set(key, firstChoice(group));
    return this.choices.get(key);
  }

  // ---------------------------------------------------------------- what is decided

  keep(group, id) {
    keepImage(this.choiceOf(group), id);
    this.show();
    say(baseName(group.images.find((image) => image.id === id).uri) + " stays");
  }

  apart(group, id) {
    if (!setApart(this.choiceOf(group), id)) { this.app.toast("This one stays: choose another to stay first", { kind: "warning" }); return; }
    this.show();
  }

  async confirm(groups) {
    if (!groups.length || this.sending) return; // what is confirmed is not confirmed twice
    this.sending = true;
    const given = groups.map((group) => answerOf(group, this.choiceOf(group)));
    // What is just taken back may be about the same groups.
    const sent = inTurn(() => post("/api/duplicates/decisions", { groups: given }));
    const decision = this.done.add({ told: "", batch: sent.then(({ batch }) => batch) });
    try {
      decision.told = toldOf(await sent);
      this.sending = false;
      this.last.textContent = "Last: " + decision.told;
      if (groups.length === 1) { await this.read(); this.walk(1); return; }
      this.turn(1);
    } catch (error) {
      if (this.sending) this.done.drop(decision);
      this.sending = false;
      this.app.toast(error.message, { kind: "warning" });
    }
  }

  async undo() {
    try {
      const decision = await this.done.undo();
      const told = decision ? decision.told : await this.undoLatest();
      this.app.toast("Took back: " + told);
      await this.read();
    } catch (error) { this.app.toast(error.message, { kind: "warning" }); }
  }

  // What was decided before the screen was opened, here or anywhere.
  async undoLatest() {
    const { undone } = await takeBack();
    return undone.verb + " by " + undone.source.replace("human:", "");
  }

  // What goes to the trash is said before, file by file.
  async trash() {
    const kind = this.kind || "pixels";
    const settings = { duplicates: true, kind };
    try {
      const plan = await runVerb("trash", { ...settings, dry_run: true });
      if (!plan.moved.length) { this.app.toast("No file would be moved"); return; }
      if (!(await this.ask(plan, kind))) return;
      const done = await runVerb("trash", settings);
      const told = asCount(done.moved.length) + " files moved to the trash";
      this.done.add({ told, batch: Promise.resolve(done.batch) });
      this.last.textContent = "Last: " + told;
      await this.read();
    } catch (error) { this.app.toast(error.message, { kind: "warning" }); }
  }

  ask(plan, kind) {
    return new Promise((resolve) => {
      let said = false;
      const dialog = el("dialog", { class: "trash-plan", "aria-label": "Move to the trash" },
        el("h2", {}, "Move " + asCount(plan.moved.length) + (plan.moved.length === 1 ? " file" : " files") + " to the trash?"),
        el("p", { class: "muted" }, (kind === "near" ? "Near copies and the same pictures" : "The same pictures") + " of images that stay. They lie in the trash folder of the collection, and undo brings them back."),
        el("ul", { class: "trash-list" }, plan.moved.slice(0, 200).map((row) => el("li", {}, el("bdi", {}, row.image), el("span", { class: "muted" }, " for ", el("bdi", {}, row.keeper))))),
        el("div", { class: "trash-actions" },
          el("button", { class: "button primary", onclick: () => { said = true; dialog.close(); } }, "Move to the trash"),
          el("button", { class: "button", onclick: () => dialog.close() }, "Leave them")));
      dialog.addEventListener("close", () => { dialog.remove(); resolve(said); });
      document.body.append(dialog);
      dialog.showModal();
    });
  }

  // ---------------------------------------------------------------- walking

  walk(by) {
    const next = this.at + by;
    if (next >= this.groups.length) { if (this.offset + PAGE < this.total) this.turn(1); return; }
    if (next < 0) { if (this.offset) this.turn(-1); return; }
    this.at = next;
    this.member = 1;
    this.paint();
  }

  step(by) {
    if (!this.group) return;
    const count = this.group.images.length;
    this.member = (this.member + by + count) % count;
    this.paint();
  }

  turn(by) {
    const next = this.offset + by * PAGE;
    if (next < 0 || next >= this.total) { this.read().catch(() => null); return; }
    this.offset = next;
    this.at = 0;
    this.member = 1;
    this.host.scrollTop = 0;
    this.read().catch((error) => this.app.toast(error.message, { kind: "warning" }));
  }

  choose(kind) { this.app.go("duplicates", kind ? [kind] : []); }

  // ---------------------------------------------------------------- compare

  // Two pictures in one place, one after the other: what differs moves.
  compare() {
    const group = this.group;
    if (!group || this.flickering) { this.stopFlicker(); return; }
    const kept = group.images.find((image) => image.id === this.choiceOf(group).keep);
    const other = group.images[this.member].id === kept.id ? group.images.find((image) => image.id !== kept.id) : group.images[this.member];
    const picture = (image) => el("img", { src: previewOf(image), alt: image.uri });
    const pictures = [picture(kept), picture(other)];
    const words = el("p", { class: "flicker-words" });
    const stage = el("div", { class: "flicker-stage" }, pictures);
    const dialog = el("dialog", { class: "flicker", "aria-label": "Compare" }, stage, words,
      el("div", { class: "trash-actions" },
        el("button", { class: "button", onclick: () => hold() }, "Hold", el("kbd", {}, "Space")),
        el("button", { class: "button", onclick: () => dialog.close() }, "Close", el("kbd", {}, "Esc"))));
    let shown = 0;
    const turn = () => {
      shown = 1 - shown;
      pictures.forEach((one, at) => { one.hidden = at !== shown; });
      const image = shown ? other : kept;
      words.textContent = (shown ? "Copy: " : "Stays: ") + image.uri + " · " + image.width + " × " + image.height + " · " + asSize(image.size);
    };
    const hold = () => {
      if (this.flickering) { clearInterval(this.flickering); this.flickering = null; } else this.flickering = setInterval(turn, FLICKER);
    };
    shown = 1;
    turn();
    this.flickering = setInterval(turn, FLICKER);
    dialog.addEventListener("keydown", (event) => {
      if (event.key === " ") { event.preventDefault(); hold(); }
      if (event.key === "f") dialog.close();
      if (event.key === "ArrowLeft" || event.key === "ArrowRight") { clearInterval(this.flickering); this.flickering = null; turn(); }
    });
    dialog.addEventListener("close", () => { this.stopFlicker(); dialog.remove(); });
    document.body.append(dialog);
    dialog.showModal();
  }

  stopFlicker() {
    clearInterval(this.flickering);
    this.flickering = null;
  }

  // ---------------------------------------------------------------- what is shown

  bindings() {
    const focused = (run) => () => { if (this.group) run(this.group, this.group.images[this.member].id); };
    return [
      { key: "ArrowDown", shown: "↑ ↓", label: "next group, or the one before", run: () => this.walk(1) },
      { key: "ArrowUp", label: "", silent: true, run: () => this.walk(-1) },
      { key: "ArrowRight", shown: "← →", label: "walk through the group", run: () => this.step(1) },
      { key: "ArrowLeft", label: "", silent: true, run: () => this.step(-1) },
      { key: "k", label: "this image stays", run: focused((group, id) => this.keep(group, id)) },
      { key: "x", label: "this image is no copy", run: focused((group, id) => this.apart(group, id)) },
      { key: "f", label: "flicker: compare with the one that stays", run: () => this.compare() },
      { key: "Enter", label: "confirm the page", run: () => this.confirm(this.groups) },
      { key: "c", label: "confirm this group", run: () => this.confirm(this.group ? [this.group] : []) },
      { key: "n", label: "next page", run: () => this.turn(1) },
      { key: "p", label: "page before", run: () => this.turn(-1) },
      { key: "z", label: "take the last decision back", run: () => this.undo() },
    ];
  }

  build(host) {
    this.kindBar = el("div", { class: "segment", role: "group", "aria-label": "Kind" });
    this.title = el("p", { class: "muted", "data-left": "" });
    this.host = el("div", { class: "duplicates-body" });
    this.last = el("p", { class: "muted small duplicates-last", "data-last": "" });
    const quiet = (text, key, run) => el("button", { type: "button", class: "button quiet", onclick: run }, text, el("kbd", {}, key));
    this.confirmAll = el("button", { type: "button", class: "key-button yes", onclick: () => this.confirm(this.groups) }, el("span", {}, "Confirm this page"), el("kbd", {}, "Enter"));
    host.append(el("section", { class: "duplicates", "aria-label": "Duplicates" },
      el("header", { class: "duplicates-head" }, this.kindBar, this.title,
        el("button", { type: "button", class: "button", onclick: () => this.trash() }, "Move copies to the trash …")),
      this.host,
      el("footer", { class: "duplicates-foot" }, this.confirmAll,
        quiet("Before", "p", () => this.turn(-1)), quiet("Next", "n", () => this.turn(1)), quiet("Undo", "z", () => this.undo()), this.last)));
  }

  show() {
    const all = Object.values(this.kinds).reduce((sum, one) => sum + one, 0);
    const kinds = [["", "All", all], ...Object.entries(GROUP_KINDS).map(([kind, name]) => [kind, name, this.kinds[kind] || 0])];
    this.kindBar.replaceChildren(...kinds.filter(([kind, , count]) => count || !kind).map(([kind, name, count]) =>
      el("button", { type: "button", "aria-pressed": String(kind === this.kind), onclick: () => this.choose(kind) }, name + " " + asCount(count))));
    this.title.textContent = this.total ? "Groups " + asCount(this.offset + 1) + "–" + asCount(this.offset + this.groups.length) + " of " + asCount(this.total) : "";
    this.confirmAll.disabled = !this.groups.length;
    if (!this.groups.length) {
      this.rows = [];
      this.host.replaceChildren(el("div", { class: "blank-page" }, el("h2", {}, "No duplicates here"), el("p", {}, "vernis run and vernis duplicates look for them.")));
      return;
    }
    this.rows = this.groups.map((group, at) => this.rowOf(group, at));
    this.host.replaceChildren(...this.rows);
    this.paint();
    this.app.replace(this.offset ? { from: this.offset + 1 } : {}, this.kind ? [this.kind] : []);
  }

  rowOf(group, at) {
    const choice = this.choiceOf(group);
    const kept = group.images.find((image) => image.id === choice.keep);
    const merged = Object.entries(group.merged_labels).filter(([, labels]) => labels.length);
    return el("article", { class: "copies" + (isDecided(group) ? " decided" : "") },
      el("header", { class: "copies-head" },
        el("span", { class: "chip stays" }, GROUP_KINDS[group.kind] || group.kind),
        el("span", {}, el("b", {}, el("bdi", {}, baseName(kept.uri))), " stays: " + (kept.keeper ? group.reason : "you chose it")),
        isDecided(group) ? el("span", { class: "muted" }, "confirmed") : null,
        group.conflicts.length ? el("span", { class: "chip conflict" }, "labels disagree: " + group.conflicts.join(", ")) : null,
        merged.length ? el("span", { class: "muted small" }, "gets ", merged.map(([taxonomy, labels]) => taxonomy + ": " + labels.join(", ")).join(" · ")) : null),
      el("ul", { class: "copies-list" }, group.images.map((image, place) => this.copyOf(group, choice, kept, image, at, place))));
  }

  copyOf(group, choice, kept, image, at, place) {
    const stays = image.id === choice.keep;
    const apart = choice.apart.has(image.id);
    const pair = stays ? null : pairOf(group, image.id, choice.keep);
    const told = stays ? [image.width + " × " + image.height, image.format, asSize(image.size)] : differencesOf(image, kept);
    const look = (text, key, run, pressed) => el("button", { type: "button", class: "button quiet small", tabindex: "-1", "aria-pressed": String(pressed), onclick: run }, text, el("kbd", {}, key));
    return el("li", { class: "copy" + (stays ? " stays" : apart ? " apart" : ""), onclick: () => { this.at = at; this.member = place; this.paint(); } },
      el("div", { class: "copy-picture" }, el("img", { src: thumbOf(image), alt: baseName(image.uri), loading: "lazy" }),
        el("span", { class: "copy-state" }, stays ? "stays" : apart ? "no copy" : "copy")),
      el("p", { class: "copy-file", title: image.uri }, folderName(image.uri) ? el("bdi", { class: "muted" }, folderName(image.uri)) : null, el("bdi", { class: "name" }, baseName(image.uri))),
      el("p", { class: "muted small" }, [pair && pair.transform && pair.transform !== "identity" ? transformName(pair.transform) : "", ...told].filter(Boolean).join(" · ") || "no difference"),
      el("div", { class: "copy-actions" }, look("Keep", "k", () => this.keep(group, image.id), stays), look("No copy", "x", () => this.apart(group, image.id), apart)));
  }

  paint() {
    for (const [at, row] of this.rows.entries()) {
      row.classList.toggle("is-at", at === this.at);
      [...row.querySelectorAll(".copy")].forEach((copy, place) => copy.classList.toggle("is-at", at === this.at && place === this.member));
    }
    const row = this.rows[this.at];
    if (row) row.scrollIntoView({ block: "nearest" });
  }
}
