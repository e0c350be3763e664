// @ts-check
// The logic of the duplicates: what a person chose of a page of groups, and how two images differ.
import { asCount, asSize } from "../shared/wording.mjs";

/** @typedef {{id: number, uri: string, width: number, height: number, size: number, format: string, modified: number, labels: Record<string, string[]>, keeper: boolean, chosen: boolean}} Copy */
/** @typedef {{kind: string, reason: string, images: Copy[], pairs: {a: number, b: number, kind: string, similarity: number, transform: string}[], merged_labels: Record<string, string[]>, conflicts: string[]}} Group */

/** Whether a person chose already which image of a group stays.
 * @param {Group} group */
export const isDecided = (group) => group.images.some((image) => image.chosen);

/** What is chosen of a group before a person says otherwise: its keeper stays, all are copies.
 * @param {Group} group */
export const firstChoice = (group) => ({ keep: group.images[0].id, apart: /** @type {Set<number>} */ (new Set()) });

/** Choose another image to stay; one that was no copy is one again.
 * @param {{keep: number, apart: Set<number>}} choice @param {number} id */
export function keepImage(choice, id) {
  choice.keep = id;
  choice.apart.delete(id);
}

/** Say that an image is no copy of the rest, or that it is one after all. The one that stays is the
 * measure of the others: it cannot be set apart.
 * @param {{keep: number, apart: Set<number>}} choice @param {number} id */
export function setApart(choice, id) {
  if (id === choice.keep) return false;
  if (!choice.apart.delete(id)) choice.apart.add(id);
  return true;
}

/** The answer to a group. Where all others are set apart nothing stays for anything.
 * @param {Group} group @param {{keep: number, apart: Set<number>}} choice */
export function answerOf(group, choice) {
  const images = group.images.map((image) => image.id);
  const alone = choice.apart.size === images.length - 1;
  return { images, keep: alone ? null : choice.keep, no_copies: [...choice.apart].sort((a, b) => a - b) };
}

/** How an image differs from the one that stays, in words: the shortest list that tells them apart.
 * @param {Copy} image @param {Copy} kept */
export function differencesOf(image, kept) {
  const found = [];
  if (image.width !== kept.width || image.height !== kept.height) found.push(image.width + " × " + image.height);
  if (image.format !== kept.format) found.push(image.format);
  if (image.size !== kept.size) found.push(asSize(image.size));
  for (const taxonomy of new Set([...Object.keys(image.labels), ...Object.keys(kept.labels)])) {
    const own = image.labels[taxonomy] || [];
    const others = kept.labels[taxonomy] || [];
    if (own.join("\n") !== others.join("\n")) found.push(taxonomy + ": " + (own.join(", ") || "no label"));
  }
  return found;
}

/** How an image became the one that stays, as the comparison of the two tells it.
 * @param {Group} group @param {number} id @param {number} keep */
export function pairOf(group, id, keep) {
  return group.pairs.find(({ a, b }) => (a === id && b === keep) || (a === keep && b === id)) || null;
}

/** @param {{kept: number, dismissed: number}} recorded */
export const toldOf = ({ kept, dismissed }) =>
  [kept ? asCount(kept) + (kept === 1 ? " image stays" : " images stay") : "", dismissed ? asCount(dismissed) + (dismissed === 1 ? " pair is no copy" : " pairs are no copies") : ""]
    .filter(Boolean).join(", ") || "nothing changed";
