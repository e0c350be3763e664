// @ts-check
// Quality: a page of pictures with one kind of fault, worst first; mark those that are fine, confirm
// the page.
import { el } from "../../shared/dom.mjs";
import { get } from "../api.mjs";
import { areNot, areSo, KINDS, kindsOf, wordOf } from "../quality.mjs";
import { loadStyle } from "../styles.mjs";
import { readSuspects, Wall } from "./wall.mjs";

/** @typedef {import("./wall.mjs").Suspect} Suspect */
/** @typedef {import("./wall.mjs").Group} Group */
/** @typedef {import("./wall.mjs").Subject} Subject */

/** @param {HTMLElement} host @param {import("../main.mjs").App} app @param {import("../router.mjs").Place} place */
export async function open(host, app, place) {
  await loadStyle("/web/app/screens/wall.css");
  const queues = (await get("/api/queues")).filter((/** @type {any} */ queue) => KINDS.includes(queue.kind));
  if (!queues.length) {
    host.append(el("div", { class: "blank-page" },
      el("h2", {}, "No picture is of poor quality"),
      el("p", {}, "Pictures are judged by vernis run, or by vernis quality; odd ones are found by vernis outliers.")));
    return { close() {} };
  }
  const wall = new Wall(host, app, new QualitySubject(app, queues.map((/** @type {any} */ queue) => queue.kind)));
  await wall.start(place.parts[0] || "");
  return { close: () => wall.close() };
}

/** @implements {Subject} */
class QualitySubject {
  /** @param {import("../main.mjs").App} app @param {string[]} kinds */
  constructor(app, kinds) {
    this.app = app;
    this.kinds = kinds;
    this.title = "Quality";
    this.choice = "Kind of fault";
    this.looking = "everything that is known of the picture";
    this.both = true;
    this.choices = /** @type {HTMLElement[]} */ ([]);
    this.rest = null;
  }

  async read() { return (await Promise.all(this.kinds.map((kind) => readSuspects(kind, "")))).flat(); }
  /** @param {Suspect[]} suspects */
  groupsOf(suspects) { return kindsOf(suspects); }
  /** @returns {Suspect[]} */
  marked() { return []; }
  /** @param {Group} group */
  named(group) { return wordOf(group.name).replace(/^./, (letter) => letter.toUpperCase()); }
  /** @param {Group} group */
  question(group) { return ["Are these all ", el("bdi", {}, wordOf(group.name)), "?"]; }
  /** @param {Group} group @param {number} count */
  yes(group, count) { return areSo(group.name, count); }
  /** @param {Group | undefined} group @param {number} count */
  no(group, count) { return areNot(group ? group.name : "", count); }
  /** @param {Group | undefined} group @param {number} rest @param {number} marked @returns {[string, string]} */
  buttons(group, rest, marked) {
    if (!group) return ["Confirm", "None of it"];
    const yes = rest ? "Confirm: " + areSo(group.name, rest) + (marked ? ", " + areNot(group.name, marked) : "") : "Confirm";
    return [yes, marked ? "Only: " + areNot(group.name, marked) : "Mark those that are fine"];
  }

  /** @param {Suspect} suspect */
  foot(suspect) { return [el("bdi", { title: suspect.note }, suspect.note || wordOf(suspect.kind))]; }
  /** @param {Suspect} suspect */
  alt(suspect) { return suspect.note || wordOf(suspect.kind); }
  /** @param {Group} group @returns {[Record<string, unknown>, string[]]} */
  place(group) { return [{}, [group.name]]; }
  /** @param {Suspect} suspect */
  look(suspect) { this.app.go("image", [String(suspect.image.id)]); }
}
