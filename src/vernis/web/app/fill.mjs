// @ts-check
// The logic of filling: which precision is chosen, what it would do, how the curve is drawn. No page
// and no server here.
import { asCount, asPercent } from "../shared/wording.mjs";

/**
 * @typedef {object} FillPoint what a precision fills, as the server tells it
 * @property {number} precision
 * @property {number} suggested
 * @property {number} filled
 * @property {number} rate
 * @property {number | null} measured
 * @property {number | null} bound
 * @property {Record<string, number>} classes
 * @property {string[]} notes
 */

const WANTED = 0.95;

/** The place of the point that a person sees first: the wanted precision, or else the strictest one
 * that fills anything.
 * @param {FillPoint[]} points @param {number} [wanted] */
export function firstPoint(points, wanted = WANTED) {
  const at = points.findIndex((one) => one.precision >= wanted - 1e-9);
  const start = at < 0 ? points.length - 1 : at;
  for (let place = start; place >= 0; place--) if (points[place].suggested) return place;
  for (let place = start + 1; place < points.length; place++) if (points[place].suggested) return place;
  return start;
}

/** Heights of the bars of a curve, 0 to 1 of the highest.
 * @param {FillPoint[]} points */
export function heightsOf(points) {
  const most = Math.max(1, ...points.map((one) => one.suggested));
  return points.map((one) => one.suggested / most);
}

/** What a precision does, in one line.
 * @param {FillPoint} point @param {number} before share of the images with a label */
export function promiseOf(point, before) {
  if (!point.suggested) return asPercent(point.precision) + " cannot be promised for any image";
  const wrong = Math.floor((1 - point.precision) * point.suggested + 1e-9);
  const images = point.filled === point.suggested ? "" : " on " + countOf(point.filled, "image");
  return countOf(point.suggested, "label") + images + ", at most about " + asCount(wrong) + " of them wrong; labelled " + asPercent(before) + " → " + asPercent(point.rate);
}

/** @param {number} count @param {string} one */
const countOf = (count, one) => asCount(count) + " " + one + (count === 1 ? "" : "s");

/** The next class that a sample can be of; "" is all of them.
 * @param {FillPoint} point @param {string} label @param {number} by */
export function classAfter(point, label, by) {
  const names = ["", ...Object.keys(point.classes)];
  return names[(Math.max(0, names.indexOf(label)) + by + names.length) % names.length];
}

/** The strictest precision of a curve that fills something; null: none does.
 * @param {FillPoint[]} points @returns {FillPoint | null} */
export const strictest = (points) => [...points].reverse().find((one) => one.suggested) || null;

/** What holds filling back. The images to label are shown, so they are not named.
 * @param {FillPoint} point @param {string[]} notes of the whole curve */
export function reasonsOf(point, notes) {
  const waiting = notes.filter((note) => note.includes("; to label by hand first: ")).slice(-1);
  return [...new Set([...point.notes, ...waiting])].map((note) => note.split("; to label by hand first: ")[0]);
}
