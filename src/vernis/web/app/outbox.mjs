// @ts-check
// Decisions on their way to the server. A person never waits for them: they are kept in the
// browser, sent in the background, and sent again until the server has acknowledged them. The key
// of each makes sure that it is recorded once, also when two tabs send it.
import { ask, Refused, Unreachable } from "./api.mjs";

/**
 * @typedef {object} Answer
 * @property {number} issue
 * @property {"accept" | "dismiss" | "label" | "reopen" | "unsure"} answer
 * @property {string[]} [labels]
 * @property {string} [seen] the verdict that was seen; default "open"
 */
/** @typedef {{key: string, at: number, group: string, answer: Answer}} Entry */
/** @typedef {{issue: number, state: string, verdict: string | null, image: number, taxonomy: string, batch: number, changes: number, by: string, time: string, reason: string}} Outcome */

const DELAY = 250; // ms of rest after which decisions are sent
const LONGEST_REST = 1000; // ms after which they are sent though more of them come
const MOST = 200; // answers of one request
const LONGEST_WAIT = 8000;

export class Outbox extends EventTarget {
  /** @param {string} collection */
  constructor(collection) {
    super();
    this.prefix = "vernis-outbox:" + collection + ":";
    /** @type {Map<string, Entry>} those that the browser could not keep */
    this.loose = new Map();
    /** @type {Set<string>} */
    this.flying = new Set();
    /** @type {Map<string, (outcome: Outcome | null) => void>} */
    this.waiting = new Map();
    this.last = 0;
    this.wait = 0;
    this.timer = 0;
    this.since = 0; // when the first came of those that gather
    this.state = "saved"; // saved, sending, offline, signed-out
    addEventListener("online", () => this.soon(0));
    addEventListener("storage", (event) => { if (!event.key || event.key.startsWith(this.prefix)) this.tell(); });
    addEventListener("beforeunload", (event) => { if (this.loose.size) event.preventDefault(); });
    if (this.size) this.soon(0);
  }

  /** Decisions that the server has not acknowledged. */
  get size() {
    let found = this.loose.size;
    try {
      for (let at = 0; at < localStorage.length; at++) if ((localStorage.key(at) || "").startsWith(this.prefix)) found += 1;
    } catch (refused) { /* see below */ }
    return found;
  }

  /** @returns {Entry[]} oldest first */
  entries() {
    const found = [...this.loose.values()];
    try {
      for (let at = 0; at < localStorage.length; at++) {
        const name = localStorage.key(at);
        if (name && name.startsWith(this.prefix)) found.push(JSON.parse(localStorage.getItem(name) || "null"));
      }
    } catch (refused) { /* a private window: they are all in memory */ }
    return found.filter(Boolean).sort((a, b) => a.at - b.at);
  }

  /** Send an answer; returns its key.
   * @param {Answer} answer */
  add(answer) { return this.addAll([answer], "")[0]; }

  /** Send answers that are one batch; returns their keys.
   * @param {Answer[]} answers */
  addTogether(answers) { return this.addAll(answers, crypto.randomUUID()); }

  /** @param {Answer[]} answers @param {string} group */
  addAll(answers, group) {
    const keys = answers.map((answer) => {
      this.last = Math.max(Date.now(), this.last + 0.001);
      const entry = { key: crypto.randomUUID(), at: this.last, group, answer };
      try { localStorage.setItem(this.prefix + entry.key, JSON.stringify(entry)); } catch (full) { this.loose.set(entry.key, entry); }
      return entry.key;
    });
    this.tell();
    this.since = this.since || Date.now();
    this.soon(Math.max(0, Math.min(DELAY, this.since + LONGEST_REST - Date.now())));
    return keys;
  }

  /** What became of an answer; null where it was taken back before it was sent.
   * @param {string} key @returns {Promise<Outcome | null>} */
  outcome(key) { return new Promise((resolve) => this.waiting.set(key, resolve)); }

  /** Take an answer back that was not sent yet; tells whether it could.
   * @param {string} key */
  recall(key) {
    if (this.flying.has(key) || !this.entries().some((entry) => entry.key === key)) return false;
    this.drop(key);
    this.settle(key, null);
    this.tell();
    return true;
  }

  /** @param {string} key */
  drop(key) {
    this.loose.delete(key);
    try { localStorage.removeItem(this.prefix + key); } catch (refused) { /* see above */ }
  }

  /** @param {string} key @param {Outcome | null} outcome */
  settle(key, outcome) {
    const resolve = this.waiting.get(key);
    this.waiting.delete(key);
    if (resolve) resolve(outcome);
  }

  /** @param {number} delay */
  soon(delay) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), delay);
  }

  async flush() {
    this.since = 0;
    const send = () => this.send();
    // One tab sends at a time.
    if (navigator.locks) await navigator.locks.request(this.prefix, send);
    else await send();
    if (this.size && this.state !== "signed-out") this.soon(this.wait || DELAY);
  }

  async send() {
    const [first, ...rest] = this.entries();
    if (!first || this.flying.size) return;
    // The answers of a group go alone and whole.
    const alike = (/** @type {Entry} */ entry) => entry.group === first.group;
    const until = first.group ? rest.filter(alike) : rest.slice(0, rest.findIndex((entry) => !alike(entry)) < 0 ? rest.length : rest.findIndex((entry) => !alike(entry))).slice(0, MOST - 1);
    const sent = [first, ...until];
    for (const entry of sent) this.flying.add(entry.key);
    this.change("sending");
    try {
      const body = { together: Boolean(first.group), answers: sent.map(({ key, answer }) => ({ key, ...answer })) };
      const answer = await ask("POST", "/api/decisions", body, { accept: [409] });
      const { answers } = await answer.json();
      this.wait = 0;
      for (const { key, outcome } of answers) {
        this.drop(key);
        this.settle(key, outcome);
        this.dispatchEvent(new CustomEvent("outcome", { detail: { key, outcome } }));
      }
      this.change(this.size ? "sending" : "saved");
    } catch (error) {
      this.fail(error, sent);
    } finally {
      for (const entry of sent) this.flying.delete(entry.key);
      this.tell();
    }
  }

  /** @param {unknown} error @param {Entry[]} sent */
  fail(error, sent) {
    if (error instanceof Unreachable || (error instanceof Refused && error.status >= 500)) {
      this.wait = Math.min(LONGEST_WAIT, Math.max(500, this.wait * 2));
      this.change("offline");
    } else if (error instanceof Refused && (error.status === 401 || error.status === 403 || error.status === 421)) {
      this.change("signed-out");
    } else {
      // The server will never take these: keeping them would hold up all others.
      const reason = error instanceof Error ? error.message : String(error);
      for (const entry of sent) {
        this.drop(entry.key);
        const outcome = { issue: entry.answer.issue, state: "refused", verdict: null, image: 0, taxonomy: "", batch: 0, changes: 0, by: "", time: "", reason };
        this.settle(entry.key, outcome);
        this.dispatchEvent(new CustomEvent("outcome", { detail: { key: entry.key, outcome } }));
      }
      this.change("saved");
    }
  }

  /** @param {string} state */
  change(state) { this.state = state; this.tell(); }

  tell() { this.dispatchEvent(new Event("change")); }
}
