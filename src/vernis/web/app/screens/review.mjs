// @ts-check
// Review: one suspect after another, decided by one key each. What comes next is decoded already,
// and no decision waits for the server.
import { el, say } from "../../shared/dom.mjs";
import { frameOver } from "../../shared/frame.mjs";
import { asCount, asPercent, baseName, judgedWords } from "../../shared/wording.mjs";
import { Refused, get, takeBack } from "../api.mjs";
import { Decided } from "../decided.mjs";
import { pickClass } from "../picker.mjs";
import { decodedAhead, decodeSeveral, previewOf, readThumbnails } from "../pictures.mjs";
import { shareBar } from "../share_bar.mjs";
import { loadStyle } from "../styles.mjs";

const AHEAD = 5; // pictures that are decoded before they are shown, at least: a second of fast keys
const BLOCK = 8; // and at most: so many come by one request
const MOST_ZOOM = 2;
const WITNESSES = 5;
const FIRST = 12; // the first page is small: a picture is wanted soon
const PAGE = 50;
const KEPT_ORDER = 10; // issues that keep their place when all are ordered anew
const FEW = 20; // issues at hand below which the next page is read

let framed = true; // whether frames are shown, for as long as the page is open

/** @param {HTMLElement} host @param {import("../main.mjs").App} app @param {import("../router.mjs").Place} place */
export async function open(host, app, place) {
  await loadStyle("/web/app/screens/review.css");
  const queues = (await get("/api/queues")).filter((queue) => queue.kind !== "duplicate");
  const named = place.parts[0] || "";
  const wanted = queues.find((queue) => nameOf(queue) === named) || queues.find((queue) => queue.open) || queues[0];
  if (!wanted) {
    host.append(el("div", { class: "blank-page" },
      el("h2", {}, "Nothing is suspected"),
      el("p", {}, "Labels are judged by vernis run, or by vernis issues TAXONOMY.")));
    return { close() {} };
  }
  const review = new Review(host, app, queues, wanted);
  await review.start(Number(place.query.get("issue")) || null);
  return { close: () => review.close() };
}

const nameOf = (queue) => queue.taxonomy || queue.kind;

class Review {
  constructor(host, app, queues, queue) {
    this.app = app;
    this.queues = queues;
    this.queue = queue;
    this.items = []; // what comes, the present one first
    /** @type {Decided<import("../decided.mjs").Decision & {item: any, answer: string}>} */
    this.done = new Decided();
    this.seen = new Set(); // issues that were handed out
    this.open = queue.open;
    this.about = queue.about_wrong;
    this.more = true;
    this.after = null;
    this.reading = null;
    this.pictures = new Map(); // issue → picture decoded ahead
    this.witnesses = new Map(); // issue → promise of what speaks for each label
    this.draft = null; // of several labels an image: those that will be recorded
    this.unsure = queue.unsure; // issues that are set aside
    this.aside = false; // whether those are shown that were set aside
    this.kind = (app.collection.taxonomies.find((one) => one.name === queue.taxonomy) || {}).kind || "";
    this.classes = (app.collection.taxonomies.find((one) => one.name === queue.taxonomy) || {}).classes || [];
    this.build(host);
    this.ends = [
      app.keys.use("Review", this.bindings()),
      app.events.on("decided", (data) => this.decidedElsewhere(data)),
      app.events.on("undone", () => this.recount()),
      app.events.on("job", (job) => this.judgedAnew(job)),
      app.events.on("catalog", () => this.recount()),
      app.events.on("reset", () => this.recount()),
    ];
  }

  close() {
    this.closed = true;
    clearTimeout(this.counting);
    for (const end of this.ends) end();
  }

  // ---------------------------------------------------------------- what there is

  async start(issue) {
    if (issue) await this.takeFirst(issue);
    await this.read();
    this.show();
    if (this.app.outbox.size) this.recount();
  }

  async takeFirst(issue) {
    try {
      const item = await get("/api/issues/" + issue);
      if (item.verdict === "open") { this.items.push(item); this.seen.add(item.issue); }
    } catch (error) { if (!(error instanceof Refused)) throw error; }
  }

  read() {
    if (this.reading || !this.more) return this.reading;
    const query = { kind: this.queue.kind, taxonomy: this.queue.taxonomy, limit: this.after === null ? FIRST : PAGE, after: this.after, unsure: this.aside ? "true" : "" };
    const decided = this.done.size;
    this.reading = get("/api/queue", query).then((page) => {
      const waiting = new Set(this.app.outbox.entries().map((entry) => entry.answer.issue));
      const fresh = page.items.filter((item) => !this.seen.has(item.issue) && !waiting.has(item.issue));
      for (const item of fresh) this.seen.add(item.issue);
      this.items.push(...fresh);
      this.after = page.next;
      this.more = page.next !== null;
      // Those that were decided before the page was opened, and are on their way still.
      const decidedHere = new Set(this.done.all.map((one) => one.item.issue));
      const before = page.items.filter((item) => waiting.has(item.issue) && !decidedHere.has(item.issue));
      if (!this.takeCount(page.open, decided)) this.open -= before.length;
    }).catch((error) => {
      if (error instanceof Refused) throw error; // else the server is away: what is at hand goes on
    }).finally(() => { this.reading = null; });
    return this.reading;
  }

  // What the server counts is known to hold only where no decision was on its way meanwhile: of one
  // that was, nobody can tell whether it is in the number.
  takeCount(open, decided) {
    if (this.app.outbox.size || this.done.size !== decided) return false;
    this.open = open;
    return true;
  }

  recount() {
    clearTimeout(this.counting);
    this.counting = setTimeout(async () => {
      if (this.app.outbox.size) { this.recount(); return; }
      const decided = this.done.size;
      const found = await get("/api/queues").catch(() => null);
      const queue = found && found.find((one) => nameOf(one) === nameOf(this.queue));
      if (!queue || this.closed) return;
      if (!this.takeCount(queue.open, decided)) { this.recount(); return; }
      this.about = queue.about_wrong;
      this.queue.judged = queue.judged;
      this.unsure = queue.unsure;
      if (this.open > 0 && !this.items.length) { this.more = true; this.after = null; this.seen.clear(); await this.read(); this.show(); }
      this.count();
    }, 400);
  }

  // After some decisions all labels are judged anew: what comes behind the next few changes its order.
  async judgedAnew(job) {
    if (job.verb !== "issues" || job.state !== "done" || job.settings.taxonomy !== this.queue.taxonomy) return;
    if (this.reading) await this.reading;
    this.items = this.items.slice(0, KEPT_ORDER);
    this.seen = new Set([...this.items, ...this.done.all.map((one) => one.item)].map((item) => item.issue));
    this.more = true;
    this.after = null;
    await this.read();
    this.recount();
    if (!this.root.contains(this.picture.querySelector("img"))) this.show();
  }

  // ---------------------------------------------------------------- what is decided

  get item() { return this.items[0]; }

  decide(answer, labels, told) {
    const item = this.item;
    if (!item) return;
    const given = { issue: item.issue, answer, seen: item.verdict };
    if (labels) given.labels = labels;
    this.send(item, given, told);
    this.open = Math.max(0, this.open - 1);
    if (this.about !== null && item.probability !== null) this.about = Math.max(0, this.about - item.probability);
    this.next(told);
  }

  send(item, given, told) {
    const { outbox } = this.app;
    const key = outbox.add(given);
    const batch = outbox.outcome(key).then((outcome) => outcome && outcome.batch);
    this.done.add({ item, told, answer: given.answer, batch, recall: () => outbox.recall(key) });
  }

  accept() {
    if (!this.item) return;
    if (this.item.kind === "label" && !this.item.suggested.length) { this.type(); return; }
    const told = this.item.kind === "label" ? list(this.item.given) + " → " + list(this.item.suggested) : "it is so";
    this.decide("accept", null, told);
  }

  dismiss() { this.decide("dismiss", null, this.item && this.item.kind === "label" ? list(this.item.given) + " is right" : "it is none"); }

  choose(label) {
    if (!this.item || this.item.kind !== "label") return;
    if (this.kind === "multi") { this.toggle(label); return; }
    if (same([label], this.item.given)) this.dismiss();
    else if (same([label], this.item.suggested)) this.accept();
    else this.decide("label", [label], list(this.item.given) + " → " + label);
  }

  toggle(label) {
    const draft = new Set(this.draft || this.item.given);
    if (draft.has(label)) draft.delete(label); else draft.add(label);
    this.draft = [...draft].sort();
    if (same(this.draft, this.item.given)) this.draft = null;
    this.showDecision();
  }

  record() {
    if (this.item && this.draft) this.decide("label", this.draft, list(this.item.given) + " → " + list(this.draft));
  }

  async type() {
    const item = this.item;
    if (!item || item.kind !== "label") return;
    const label = await pickClass({ title: "Class of " + item.taxonomy, classes: this.classes, first: item.classes.map((one) => one.label) });
    if (label !== null && this.item === item) this.choose(label);
  }

  skip() {
    if (!this.item) return;
    if (this.items.length > 1) this.items.push(this.item);
    this.next("skipped", this.items.length === 1);
  }

  setAside() {
    if (!this.item) return;
    const { item } = this;
    if (this.aside) { this.skip(); return; } // it is set aside already
    this.send(item, { issue: item.issue, answer: "unsure", seen: item.verdict }, "set aside");
    this.unsure += 1;
    this.next("set aside");
  }

  next(told, stays = false) {
    if (!stays) this.items.shift();
    this.draft = null;
    this.last.textContent = told ? "Last: " + told : "";
    if (this.items.length < FEW && this.more) {
      const reading = this.read();
      if (!this.items.length) { reading.then(() => this.show()); return; }
    }
    this.show();
  }

  async undo() {
    let decision;
    try { decision = await this.done.undo(); } catch (error) { this.app.toast(error.message, { kind: "warning" }); return; }
    if (!decision) { await this.undoLatest(); return; }
    if (decision.answer === "unsure") this.unsure -= 1;
    else {
      this.open += 1;
      if (this.about !== null && decision.item.probability !== null) this.about += decision.item.probability;
    }
    this.items.unshift(decision.item);
    this.draft = null;
    this.last.textContent = "Taken back: " + decision.told;
    this.show();
  }

  // What was decided before the page was opened, here or anywhere.
  async undoLatest() {
    try {
      const { undone, images } = await takeBack();
      this.app.toast("Took back batch " + undone.undoes + ": " + undone.verb + " by " + undone.source.replace("human:", ""));
      this.more = true;
      this.after = null;
      this.seen = new Set(this.items.map((item) => item.issue));
      await this.read();
      const at = this.items.findIndex((item) => images.includes(item.image.id));
      if (at > 0) this.items.unshift(...this.items.splice(at, 1));
      this.show();
    } catch (error) { this.app.toast(error.message, { kind: "warning" }); }
  }

  decidedElsewhere({ by, answers }) {
    const own = new Set(this.done.all.map((one) => one.item.issue));
    const others = new Set(answers.map((one) => one.issue).filter((issue) => !own.has(issue)));
    if (!others.size) return;
    const present = this.item;
    const gone = this.items.filter((item) => others.has(item.issue));
    this.items = this.items.filter((item) => !others.has(item.issue));
    this.open = Math.max(0, this.open - gone.length);
    for (const { probability } of gone) if (this.about !== null && probability !== null) this.about = Math.max(0, this.about - probability);
    // Of those that are not at hand only the server knows.
    if (answers.some(({ issue, taxonomy }) => others.has(issue) && taxonomy === this.queue.taxonomy && !gone.some((item) => item.issue === issue))) this.recount();
    if (present && others.has(present.issue)) {
      this.app.toast((by === this.app.collection.person ? "Decided in another window" : "Decided by " + by) + ": " + baseName(present.image.uri));
      this.next("", true); // it is no longer among the items
    } else this.count();
  }

  // ---------------------------------------------------------------- what is shown

  bindings() {
    const digit = (n) => ({ key: String(n), shown: n === 1 ? "1 – 9" : "", label: "another class", silent: n > 1, run: () => this.digit(n) });
    return [
      { key: "a", label: "accept the suggestion", run: () => this.accept() },
      { key: "x", label: "it is right as it is", run: () => this.dismiss() },
      ...[1, 2, 3, 4, 5, 6, 7, 8, 9].map(digit),
      { key: "t", label: "type a class", run: () => this.type() },
      { key: "Enter", label: "record the classes that were toggled", run: () => this.record() },
      { key: "s", label: "skip, it comes again", run: () => this.skip() },
      { key: "u", label: "unsure, set it aside", run: () => this.setAside() },
      { key: "z", label: "take the last decision back", run: () => this.undo() },
      { key: "h", label: "hide the frame where the label is, or show it", run: () => this.showFrames(!framed) },
      { key: "f", label: "picture alone", run: () => this.root.classList.toggle("full") },
    ];
  }

  showFrames(shown) {
    framed = shown;
    this.root.classList.toggle("no-frames", !framed);
    say(framed ? "frames are shown" : "frames are hidden");
  }

  digit(n) {
    const chance = this.item && this.item.classes[n - 1];
    if (chance) this.choose(chance.label);
  }

  build(host) {
    const button = (kind, text, key, run) => el("button", { class: "key-button " + kind, type: "button", onclick: run }, el("span", {}, text), el("kbd", {}, key));
    const small = (text, key, run) => el("button", { type: "button", onclick: run }, text + " ", el("kbd", {}, key));
    this.picture = el("div", { class: "review-picture" });
    this.path = el("bdi", {});
    this.facts = el("span", {});
    this.left = el("span", { class: "review-left", "data-left": "" });
    this.filled = shareBar();
    this.body = el("div", { class: "review-body" });
    this.body.addEventListener("scroll", () => { this.scrolled = this.body.scrollTop > 0; });
    this.last = el("p", { class: "review-last", "data-last": "" });
    this.yes = button("yes", "Accept", "a", () => this.accept());
    this.no = button("no", "It is right", "x", () => this.dismiss());
    this.back = small("Undo", "z", () => this.undo());
    const options = (queues) => queues.map((queue) => el("option", { value: nameOf(queue), selected: queue === this.queue }, wordsOf(queue) + " (" + asCount(queue.open) + ")"));
    const group = (label, queues) => queues.length ? el("optgroup", { label }, options(queues)) : null;
    const select = el("select", { class: "select", "aria-label": "What is reviewed" },
      group("Labels", this.queues.filter((queue) => queue.taxonomy)), group("Pictures", this.queues.filter((queue) => !queue.taxonomy)));
    select.addEventListener("change", () => this.app.go("review", [select.value]));
    this.root = el("section", { class: "review", "aria-label": "Review" },
      el("div", { class: "review-stage" }, this.picture, el("p", { class: "review-caption" }, this.path, this.facts)),
      el("aside", { class: "review-side" },
        el("div", { class: "review-head" },
          el("div", { class: "review-head-row" }, select, this.left),
          this.filled.bar),
        this.body,
        el("div", { class: "review-actions" },
          el("div", { class: "pair" }, this.yes, this.no),
          el("div", { class: "review-small" },
            small("Type a class", "t", () => this.type()), small("Skip", "s", () => this.skip()),
            small("Unsure", "u", () => this.setAside()), this.back),
          this.last)));
    this.root.classList.toggle("no-frames", !framed);
    host.append(this.root);
  }

  show() {
    this.count();
    const item = this.item;
    if (!item) { this.showEnd(); return; }
    const { image } = item;
    const known = this.pictures.get(item.issue) || this.ahead(item);
    // A small picture is shown larger, but not so large that it is a blur.
    const frame = frameOver(item.places[0], image);
    for (const shown of image.width ? [known.image, frame].filter(Boolean) : []) {
      shown.style.maxWidth = MOST_ZOOM * image.width + "px";
      shown.style.maxHeight = MOST_ZOOM * image.height + "px";
    }
    this.picture.replaceChildren(...[known.image, frame].filter(Boolean));
    known.ready.then((sound) => {
      if (!sound && this.item === item) this.picture.replaceChildren(el("p", { class: "muted" }, "This picture cannot be read"));
    });
    this.path.textContent = image.uri;
    this.path.title = image.uri;
    this.facts.textContent = (image.width ? image.width + " × " + image.height + " · " : "") + "id " + image.id;
    this.showDecision();
    say((item.given.length ? list(item.given) + ", suggested " + list(item.suggested) : item.kind) + ": " + baseName(image.uri));
    this.app.replace({ issue: item.issue }, [nameOf(this.queue)]);
    // What comes later must not hold up the picture that is waited for.
    known.ready.then(() => { if (this.item === item) this.prepare(); });
  }

  // The very first picture comes alone, later ones several by one request.
  ahead(item) {
    if (this.pictures.size) this.decodeSome(this.items.slice(0, 1 + AHEAD));
    else this.pictures.set(item.issue, decodedAhead(previewOf(item.image), nameOfPicture(item)));
    return this.pictures.get(item.issue);
  }

  decodeSome(items) {
    const fresh = items.filter((item) => !this.pictures.has(item.issue));
    if (!fresh.length) return;
    const found = decodeSeveral(fresh.map((item) => item.image), fresh.map(nameOfPicture));
    fresh.forEach((item, at) => this.pictures.set(item.issue, found[at]));
  }

  // Decode the next pictures, ask who speaks for their labels, forget what is long past. Whenever
  // one of the next few lacks something, several are asked for at once.
  prepare() {
    const next = this.items.slice(1, 1 + AHEAD);
    const reach = this.pictures.size > 1 ? BLOCK : AHEAD;
    if (next.some((item) => !this.pictures.has(item.issue))) this.decodeSome(this.items.slice(1, 1 + reach));
    if (next.some((item) => !this.witnesses.has(item.issue))) this.askWitnesses(this.items.slice(0, 1 + reach));
    const kept = new Set([...this.items.slice(0, 1 + BLOCK), ...this.done.all.slice(-AHEAD).map((one) => one.item)].map((item) => item.issue));
    for (const issue of this.pictures.keys()) if (!kept.has(issue)) this.pictures.delete(issue);
    for (const issue of this.witnesses.keys()) if (!kept.has(issue)) this.witnesses.delete(issue);
  }

  findWitnesses(item) {
    if (item.kind !== "label") return Promise.resolve([]);
    if (!this.witnesses.has(item.issue)) this.askWitnesses(this.witnesses.size ? this.items.slice(0, 1 + AHEAD) : [item]);
    return this.witnesses.get(item.issue) || Promise.resolve([]);
  }

  askWitnesses(items) {
    const fresh = items.filter((item) => item.kind === "label" && !this.witnesses.has(item.issue));
    if (!fresh.length) return;
    // A picture that was asked for just now goes first: it is asked for when the script rests.
    const found = Promise.resolve().then(() => readWitnesses(fresh.map((item) => item.issue))).catch(() => []);
    fresh.forEach((item, at) => this.witnesses.set(item.issue, found.then((all) => all[at] || [])));
  }

  showDecision() {
    const item = this.item;
    const isLabel = item.kind === "label";
    const witnesses = el("div", { class: "witnesses" });
    const suggested = this.draft || item.suggested;
    this.body.replaceChildren(...[
      el("div", { class: "review-question" },
        isLabel
          ? el("div", { class: "review-change" }, changeChips(item.given, suggested))
          : el("div", { class: "review-change" }, el("span", { class: "chip conflict" }, item.kind.replaceAll("_", " "))),
        item.probability === null ? null : el("div", { class: "review-sure" }, el("span", {}, asPercent(item.probability) + " likely wrong"), shareBar(item.probability).bar),
        item.places.length ? el("p", { class: "muted small" }, "Framed: where ", el("b", {}, el("bdi", {}, item.places[0].label)), " is, by ", item.places[0].source) : null,
        item.note ? el("p", { class: "muted small" }, item.note) : null),
      isLabel ? witnesses : null,
      isLabel ? this.classList(item) : null,
    ].filter(Boolean));
    if (this.scrolled) this.body.scrollTop = 0; // it makes the browser lay out all of it at once
    this.yes.firstElementChild.textContent = !isLabel ? "It is so" : item.suggested.length ? sayChange(item) : "Type a class";
    this.no.firstElementChild.textContent = !isLabel ? "It is none" : stayingOf(item).length ? "Keep all" : "Keep " + list(item.given);
    this.back.disabled = false;
    if (!isLabel) return;
    this.findWitnesses(item).then((found) => {
      if (this.item !== item) return;
      witnesses.replaceChildren(...found.filter((one) => one.images.length).map((one) => witnessRow(one)));
    });
  }

  classList(item) {
    const chosen = new Set(this.draft || (this.kind === "multi" ? item.given : []));
    const rows = item.classes.map((one, at) => el("button", {
      type: "button",
      class: "class-row" + (item.given.includes(one.label) ? " is-given" : "") + (item.suggested.includes(one.label) ? " is-suggested" : ""),
      "aria-pressed": String(chosen.has(one.label)),
      onclick: () => this.choose(one.label),
    },
    el("kbd", {}, String(at + 1)), el("span", { class: "name" }, one.label),
    one.probability === null ? el("span", {}) : shareBar(one.probability).bar,
    el("span", { class: "number" }, one.probability === null ? "" : asPercent(one.probability))));
    return el("div", {},
      el("p", { class: "section-name" }, this.kind === "multi" ? "Classes: a digit toggles, Enter records" : "Or another class"),
      el("div", { class: "class-list" }, rows));
  }

  showEnd() {
    this.app.replace({}, [nameOf(this.queue)]);
    this.picture.replaceChildren(el("div", { class: "blank-page" },
      el("h2", {}, this.unsure ? "All but what was set aside is decided" : "Nothing is left here"),
      el("p", {}, asCount(this.done.size) + " decided since you came. z takes the last one back."),
      this.unsure ? el("button", { class: "button", onclick: () => this.bringBack() }, "Bring back " + asCount(this.unsure) + " set aside") : null,
      ...this.queues.filter((queue) => queue !== this.queue && queue.open).slice(0, 3).map((queue) =>
        el("button", { class: "button", onclick: () => this.app.go("review", [nameOf(queue)]) }, "Go on with " + wordsOf(queue) + " (" + asCount(queue.open) + ")"))));
    this.path.textContent = "";
    this.facts.textContent = "";
    this.body.replaceChildren();
    this.yes.firstElementChild.textContent = "Accept";
    this.no.firstElementChild.textContent = "It is right";
  }

  async bringBack() {
    // What is on its way is not among those yet.
    const soon = new Promise((resolve) => setTimeout(resolve, 2000));
    await Promise.race([soon, Promise.all(this.done.all.map((one) => one.batch))]);
    this.aside = true;
    this.more = true;
    this.after = null;
    this.seen.clear();
    await this.read();
    this.show();
  }

  count() {
    const done = this.queue.decided + this.done.all.filter((one) => one.answer !== "unsure").length;
    const total = this.open + done;
    this.left.replaceChildren(el("strong", {}, asCount(this.open)), " left" + (this.unsure ? ", " + asCount(this.unsure) + " set aside" : "") + (this.about === null ? "" : " · about " + asCount(Math.round(this.about)) + " wrong") + (this.queue.judged ? " · in all " + judgedWords(this.queue.judged) : ""));
    this.filled.set(total ? done / total : 0);
    const none = !this.item;
    this.yes.disabled = none;
    this.no.disabled = none;
  }
}

const list = (labels) => labels.length ? labels.join(", ") : "none";
const same = (a, b) => a.length === b.length && [...a].sort().every((label, at) => label === [...b].sort()[at]);
const nameOfPicture = (item) => item.given.length ? baseName(item.image.uri) + ", labelled " + list(item.given) : baseName(item.image.uri);
const wordsOf = (queue) => queue.taxonomy ? queue.taxonomy : queue.kind.replaceAll("_", " ").replace(/^./, (letter) => letter.toUpperCase());

/** Labels that an image has and keeps. @param {{given: string[], suggested: string[]}} item */
const stayingOf = ({ given, suggested }) => given.filter((label) => suggested.includes(label));

/** What accepting does: the label, or where others stay what changes. @param {{given: string[], suggested: string[]}} item */
function sayChange({ given, suggested }) {
  if (!stayingOf({ given, suggested }).length) return list(suggested);
  const gone = given.filter((label) => !suggested.includes(label)).map((label) => "− " + label);
  const come = suggested.filter((label) => !given.includes(label)).map((label) => "+ " + label);
  return [...gone, ...come].join(", ") || "Keep them";
}

/** What stays, once; then what goes and what comes. @param {string[]} given @param {string[]} suggested */
function changeChips(given, suggested) {
  const chip = (kind) => (label) => el("span", { class: "chip " + kind }, el("bdi", {}, label));
  const stay = stayingOf({ given, suggested });
  const gone = given.filter((label) => !stay.includes(label)).map(chip("given"));
  const come = suggested.filter((label) => !stay.includes(label)).map(chip("suggested"));
  const none = given.length ? [] : [el("span", { class: "chip stays" }, "no label")];
  const between = come.length && (gone.length || none.length) ? [el("span", { class: "arrow", "aria-label": "becomes" }, "→")] : [];
  return [...stay.map(chip("stays")), ...gone, ...none, ...between, ...come];
}

// Who speaks for each label of several issues, with their thumbnails by one request.
async function readWitnesses(issues) {
  const found = await get("/api/witnesses", { issues: issues.join(","), k: WITNESSES });
  const images = found.flatMap((labels) => (labels || []).flatMap((one) => one.images));
  const thumbs = await readThumbnails(images.map((one) => one.image));
  images.forEach((one, at) => { one.thumb = thumbs[at]; });
  return found;
}

function witnessRow(witness) {
  return el("div", { class: "witness-row" },
    el("p", { class: "witness-title" }, "Likest that are ", el("b", {}, el("bdi", {}, witness.label)), witness.given ? ", as given" : ", as suggested"),
    el("div", { class: "witness-pictures" }, witness.images.map((one) => el("figure", { title: one.image.uri },
      one.thumb || el("span", { class: "no-picture" }),
      el("figcaption", {}, one.similarity.toFixed(2))))));
}
