// @ts-check
// The geometry of boxes that are drawn by hand, and which class each key gives. Numbers are pixels
// of the picture. No page and no server here.

/** @typedef {{x: number, y: number, width: number, height: number}} Box */
/** @typedef {{width: number, height: number}} Size */

export const HANDLES = ["nw", "n", "ne", "e", "se", "s", "sw", "w"];
export const DIGITS = 9;

/** @param {number} value @param {number} least @param {number} most */
const within = (value, least, most) => Math.max(least, Math.min(most, value));

/** The box between two points, cut at the edges of the picture.
 * @param {{x: number, y: number}} a @param {{x: number, y: number}} b @param {Size} picture @returns {Box} */
export function boxBetween(a, b, picture) {
  const [left, right] = [within(a.x, 0, picture.width), within(b.x, 0, picture.width)].sort((one, two) => one - two);
  const [top, low] = [within(a.y, 0, picture.height), within(b.y, 0, picture.height)].sort((one, two) => one - two);
  return { x: left, y: top, width: right - left, height: low - top };
}

/** A box with one of its handles taken to a point; it may be turned over by that.
 * @param {Box} box @param {string} handle one of HANDLES @param {{x: number, y: number}} to @param {Size} picture */
export function resized(box, handle, to, picture) {
  const a = { x: box.x, y: box.y };
  const b = { x: box.x + box.width, y: box.y + box.height };
  if (handle.includes("w")) a.x = to.x;
  if (handle.includes("e")) b.x = to.x;
  if (handle.includes("n")) a.y = to.y;
  if (handle.includes("s")) b.y = to.y;
  return boxBetween(a, b, picture);
}

/** A box at another place, whole inside the picture.
 * @param {Box} box @param {number} dx @param {number} dy @param {Size} picture @returns {Box} */
export const moved = (box, dx, dy, picture) => ({
  ...box,
  x: within(box.x + dx, 0, Math.max(0, picture.width - box.width)),
  y: within(box.y + dy, 0, Math.max(0, picture.height - box.height)),
});

/** A box with its lower right corner elsewhere.
 * @param {Box} box @param {number} dx @param {number} dy @param {Size} picture @returns {Box} */
export const grown = (box, dx, dy, picture) => ({
  ...box,
  width: within(box.width + dx, 1, picture.width - box.x),
  height: within(box.height + dy, 1, picture.height - box.y),
});

/** The smallest of the boxes that hold a point; null: none does.
 * @template {{box: Box}} T
 * @param {T[]} boxes @param {number} x @param {number} y @returns {T | null} */
export function hitAt(boxes, x, y) {
  const hit = boxes.filter(({ box }) => x >= box.x && y >= box.y && x <= box.x + box.width && y <= box.y + box.height);
  return hit.sort((one, two) => one.box.width * one.box.height - two.box.width * two.box.height)[0] || null;
}

/** Whether something was drawn, and not just clicked.
 * @param {Box} box @param {number} least pixels of the picture */
export const isDrawn = (box, least) => box.width >= least && box.height >= least;

/** The one after another in a list, round and round; the first where there was none.
 * @template T
 * @param {T[]} all @param {T | null} one @param {number} by @returns {T | null} */
export function cycled(all, one, by) {
  if (!all.length) return null;
  const at = one === null ? -1 : all.indexOf(one);
  return at < 0 ? all[by > 0 ? 0 : all.length - 1] : all[(at + by + all.length) % all.length];
}

/** Which class each digit gives. A class keeps its digit for as long as it is used: one that has
 * none yet takes that of the one that was not used for the longest time. */
export class ClassKeys {
  /** @param {string[]} classes the most wanted first */
  constructor(classes) {
    this.keys = classes.slice(0, DIGITS);
    /** @type {string[]} the latest last */
    this.used = [];
  }

  /** The class that is given when none is named: the last one.
   * @returns {string} */
  get last() { return this.used[this.used.length - 1] || this.keys[0] || ""; }

  /** @param {number} digit 1 to 9 @returns {string | undefined} */
  at(digit) { return this.keys[digit - 1]; }

  /** Note that a class is given now.
   * @param {string} label */
  use(label) {
    this.used = [...this.used.filter((one) => one !== label), label];
    if (this.keys.includes(label)) return;
    if (this.keys.length < DIGITS) { this.keys.push(label); return; }
    const age = (/** @type {string} */ one) => this.used.indexOf(one);
    const oldest = [...this.keys].sort((one, two) => age(one) - age(two) || this.keys.indexOf(two) - this.keys.indexOf(one))[0];
    this.keys[this.keys.indexOf(oldest)] = label;
  }
}

/** @typedef {{region: number | null, taxonomy: string, label: string, holds: boolean, probability: number | null, source: string, shape: string, box: Box}} Drawn */

/** What the server tells of regions as boxes; of a region with several labels the first that holds.
 * @param {any[]} objects @returns {Drawn[]} */
export function boxesOf(objects) {
  /** @type {Map<number, Drawn>} */
  const found = new Map();
  for (const one of objects) {
    const known = found.get(one.region);
    if (known && (known.holds || !one.holds)) continue;
    const [x, y, width, height] = one.box;
    found.set(one.region, { region: one.region, taxonomy: one.taxonomy, label: one.label, holds: one.holds, probability: one.probability, source: one.source, shape: one.shape, box: { x, y, width, height } });
  }
  return [...found.values()];
}

/** A box as the server wants it. @param {Box} box */
export const asNumbers = (box) => [box.x, box.y, box.width, box.height].map((value) => Math.round(10 * value) / 10);
