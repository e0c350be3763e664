// @ts-check
// What was decided on a screen since it was opened, and how the latest of it is taken back.
import { takeBack } from "./api.mjs";

/**
 * @typedef {object} Decision
 * @property {string} told
 * @property {Promise<number | null>} batch what it is recorded as, when it is; null: not at all
 * @property {() => boolean} [recall] take it back before it is sent; tells whether that could be
 */

/** @template {Decision} T */
export class Decided {
  constructor() {
    /** @type {T[]} the latest last */
    this.all = [];
  }

  get size() { return this.all.length; }

  /** @param {T} decision @returns {T} */
  add(decision) {
    this.all.push(decision);
    // Whoever sends it says what went wrong.
    decision.batch.catch(() => null);
    return decision;
  }

  /** Forget one that the server refused.
   * @param {T} decision */
  drop(decision) { this.all = this.all.filter((one) => one !== decision); }

  /** Take the latest back and return it; null where there is none. One that is on its way is waited
   * for, and several are taken back in the order of the calls. Rejects where the server refuses.
   * @returns {Promise<T | null>} */
  async undo() {
    const decision = this.all.pop();
    if (!decision) return null;
    if (!decision.recall || !decision.recall()) await takeBack(decision.batch);
    return decision;
  }
}
