// @ts-check
// The logic of brands that are read: which part of the picture is shown, and the words. No page and
// no server here.
import { asPercent } from "../shared/wording.mjs";

/** @typedef {{x: number, y: number, width: number, height: number}} Box in pixels */
/** @typedef {{brand: string, reading: string, distance: number, certainty: string, box: number[], found_in: string}} Evidence */

const ASPECT = 3; // width of the part by its height
const AROUND = 2.2; // height of the part by that of the words

/** The part of a picture that shows some words with a little around them, and where in it they are
 * (shares of its sides).
 * @param {number[]} box x, y, width, height @param {number} width of the picture @param {number} height
 * @returns {{part: Box, mark: Box}} */
export function partOf(box, width, height) {
  const [x, y, w, h] = box;
  const wantedHeight = Math.max(AROUND * h, (1.3 * w) / ASPECT, 24);
  const part = { width: Math.round(Math.min(width, Math.max(1.15 * w, ASPECT * wantedHeight))), height: Math.round(Math.min(height, wantedHeight)), x: 0, y: 0 };
  part.x = Math.round(Math.max(0, Math.min(width - part.width, x + w / 2 - part.width / 2)));
  part.y = Math.round(Math.max(0, Math.min(height - part.height, y + h / 2 - part.height / 2)));
  return { part, mark: { x: (x - part.x) / part.width, y: (y - part.y) / part.height, width: w / part.width, height: h / part.height } };
}

/** @param {{id: number, hash: string}} image @param {Box} part */
export const cropAddress = (image, part) => "/api/images/" + image.id + "/crop?x=" + part.x + "&y=" + part.y + "&width=" + part.width + "&height=" + part.height + "&v=" + image.hash;

/** How sure it is, and what the pictures say.
 * @param {{probability: number, pictures: string}} row */
export function sureness(row) {
  const told = asPercent(row.probability) + " likely right";
  if (row.pictures === "agree") return told + " · the picture looks like it, too";
  if (row.pictures === "differ") return told + " · the picture looks like another one";
  return told;
}

/** What is read, and how near it comes.
 * @param {Evidence} one */
export function readingOf(one) {
  const near = one.distance ? ", " + one.distance + (one.distance === 1 ? " letter off" : " letters off") : "";
  return "“" + one.reading + "”" + near + (one.found_in === "logo" ? ", as a logo" : "");
}
