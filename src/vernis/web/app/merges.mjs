// @ts-check
// The words of merges. No page and no server here.
import { asCount, asPercent } from "../shared/wording.mjs";

/**
 * @typedef {object} Merge as the server tells it
 * @property {string} label
 * @property {string} into
 * @property {string} kind
 * @property {number} score
 * @property {number} count
 * @property {number} into_count
 * @property {number} together
 * @property {number | null} visual
 */

/** @type {Record<string, string>} */
const KINDS = { case: "written otherwise", plural: "one and many", misspelling: "a slip of spelling", synonym: "used alike" };

/** What speaks for a merge.
 * @param {Merge} merge @returns {string} */
export function evidenceOf(merge) {
  const parts = [asPercent(merge.score) + " likely the same", KINDS[merge.kind] || merge.kind];
  if (merge.together) parts.push("together on " + asCount(merge.together) + (merge.together === 1 ? " image" : " images"));
  if (merge.visual !== null) parts.push("pictures " + asPercent(merge.visual) + " alike");
  return parts.join(" · ");
}

/** The other way round: the images of `into` get `label`.
 * @template {Merge} T
 * @param {T} merge @returns {T} */
export const turned = (merge) => ({ ...merge, label: merge.into, into: merge.label, count: merge.into_count, into_count: merge.count });

/** How many labels change when a merge is accepted.
 * @param {Merge} merge */
export const changeOf = (merge) => asCount(merge.count) + (merge.count === 1 ? " label changes" : " labels change");
