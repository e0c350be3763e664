// @ts-check
// The words of quality, and its groups: one a kind of fault. No page and no server here.
import { asCount } from "../shared/wording.mjs";

/** What a picture is said to be, by kind of fault. @type {Record<string, string>} */
const WORDS = {
  blurry: "blurry",
  dark: "too dark",
  overexposed: "burnt out",
  low_information: "almost empty",
  odd_aspect_ratio: "oddly long or wide",
  odd_size: "of an odd size",
  greyscale: "without colour",
  uniform_border: "framed by bars",
  damaged: "damaged",
  outlier: "unlike all others",
  refused: "refused by a service",
};

/** The kinds of fault that there are. */
export const KINDS = Object.keys(WORDS);

/** @param {string} kind */
export const wordOf = (kind) => WORDS[kind] || kind.replaceAll("_", " ");

/** Suspects by kind, the most numerous first, each in the order of its queue.
 * @template {{kind: string}} T
 * @param {T[]} suspects @returns {{name: string, suspects: T[]}[]} */
export function kindsOf(suspects) {
  /** @type {Map<string, T[]>} */
  const groups = new Map();
  for (const suspect of suspects) groups.set(suspect.kind, [...(groups.get(suspect.kind) || []), suspect]);
  return [...groups].map(([name, found]) => ({ name, suspects: found }))
    .sort((a, b) => b.suspects.length - a.suspects.length || a.name.localeCompare(b.name));
}

/** @param {string} kind @param {number} count */
export const areSo = (kind, count) => asCount(count) + (count === 1 ? " is " : " are ") + wordOf(kind);

/** @param {string} kind @param {number} count */
export const areNot = (kind, count) => asCount(count) + (count === 1 ? " is not" : " are not");
