// @ts-check
// Batches of changes in words.
import { asCount } from "../shared/wording.mjs";

/** @typedef {{id: number, time: string, verb: string, source: string, note: string, events: number, changes: Record<string, number>, undone: boolean, undoes: number | null, undone_by: number | null, skipped: number}} Batch */

const NOUNS = {
  label: ["label", "labels"], verdict: ["verdict", "verdicts"], trash: ["file", "files"], taxonomy: ["taxonomy setting", "taxonomy settings"],
  written: ["written file", "written files"], keeper: ["chosen image", "chosen images"], arrival: ["new image", "new images"],
  index: ["changed image", "changed images"], region: ["region", "regions"], "region label": ["label of a region", "labels of regions"],
  result: ["name", "names"], preference: ["list of preferred folders", "lists of preferred folders"], foreign: ["id of another tool", "ids of another tool"],
};

/** "3 labels, 1 verdict". @param {Record<string, number>} changes */
export function sayChanges(changes) {
  return Object.entries(changes).map(([what, count]) => {
    const [one, many] = NOUNS[/** @type {keyof typeof NOUNS} */ (what)] || [what, what];
    return asCount(count) + " " + (count === 1 ? one : many);
  }).join(", ");
}

/** Who made a batch, as people say it. @param {Batch} batch */
export const whoOf = (batch) => batch.source.replace(/^(human|accepted|reader|given):/, "").replace(/^given$/, "import");

/** Batches of each day, the newest first. @param {Batch[]} batches @param {Date} [today]
 * @returns {[string, Batch[]][]} */
export function byDay(batches, today = new Date()) {
  /** @type {Map<string, Batch[]>} */
  const days = new Map();
  for (const batch of batches) {
    const day = dayOf(new Date(batch.time), today);
    days.set(day, [...(days.get(day) || []), batch]);
  }
  return [...days];
}

/** @param {Date} time @param {Date} today */
function dayOf(time, today) {
  const midnight = (/** @type {Date} */ one) => new Date(one.getFullYear(), one.getMonth(), one.getDate()).getTime();
  const ago = Math.round((midnight(today) - midnight(time)) / 86_400_000);
  if (ago === 0) return "Today";
  if (ago === 1) return "Yesterday";
  return time.toLocaleDateString("en-GB", { day: "numeric", month: "long", year: "numeric" });
}

/** The filter that holds for some images, empty where they are too many to name.
 * @param {number[]} images */
export const whereOf = (images) => (images.length && images.length <= 40 ? images.map((id) => "id:" + id).join(" or ") : "");
