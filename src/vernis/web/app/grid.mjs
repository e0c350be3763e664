// @ts-check
// The arithmetic of the grid: where each picture lies, which are seen, what is selected. Nothing
// here touches a page, so that the place of the 40,000th picture is known without the others.

/** @typedef {{width: number, height: number, cell: number, gap: number, foot: number, count: number}} Measures */

/** Columns, height of a row and of the whole, for a width.
 * @param {Measures} measures */
export function layout({ width, cell, gap, foot, count }) {
  const columns = Math.max(1, Math.floor((width + gap) / (cell + gap)));
  const side = Math.floor((width - gap * (columns - 1)) / columns);
  const row = side + foot + gap;
  const rows = Math.ceil(count / columns);
  return { columns, side, row, rows, height: Math.max(0, rows * row - gap) };
}

/** The first and the last index (exclusive) that a view holds, with some rows before and after.
 * @param {{columns: number, row: number}} made @param {number} top @param {number} height @param {number} count @param {number} spare rows */
export function seen(made, top, height, count, spare) {
  const first = Math.max(0, Math.floor(top / made.row) - spare) * made.columns;
  const last = Math.min(count, (Math.ceil((top + height) / made.row) + spare) * made.columns);
  return [Math.min(first, count), last];
}

/** Where to scroll so that an index is seen whole; null: it is already.
 * @param {{columns: number, row: number}} made @param {number} index @param {number} top @param {number} height @param {number} gap */
export function scrollTo(made, index, top, height, gap) {
  const from = Math.floor(index / made.columns) * made.row;
  const until = from + made.row - gap;
  if (from < top) return from;
  if (until > top + height) return Math.min(from, until - height);
  return null;
}

/** Where a key takes the focus.
 * @param {number} at @param {string} key @param {{columns: number, row: number}} made @param {number} height @param {number} count */
export function move(at, key, made, height, count) {
  const page = Math.max(1, Math.floor(height / made.row)) * made.columns;
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -made.columns, ArrowDown: made.columns, PageUp: -page, PageDown: page };
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  const step = steps[/** @type {keyof typeof steps} */ (key)] || 0;
  const next = at + step;
  if (Math.abs(step) > 1 && next < 0) return at % made.columns;
  return Math.max(0, Math.min(count - 1, next));
}

/** What is selected of an order: ids, by ranges of places. */
export class Selection {
  constructor() {
    /** @type {Set<number>} */
    this.ids = new Set();
    this.anchor = -1;
  }

  get size() { return this.ids.size; }

  /** @param {number} id */
  has(id) { return this.ids.has(id); }

  clear() { this.ids.clear(); this.anchor = -1; }

  /** @param {Uint32Array} order @param {number} at */
  toggle(order, at) {
    if (!this.ids.delete(order[at])) this.ids.add(order[at]);
    this.anchor = at;
  }

  /** From the anchor to a place, as Shift does.
   * @param {Uint32Array} order @param {number} at */
  extend(order, at) {
    const from = this.anchor < 0 ? at : this.anchor;
    for (let place = Math.min(from, at); place <= Math.max(from, at); place++) this.ids.add(order[place]);
    if (this.anchor < 0) this.anchor = at;
  }

  /** @param {Uint32Array} order */
  all(order) { for (const id of order) this.ids.add(id); }
}

/** Whether a filter holds a part, as the facets write it.
 * @param {string} where @param {string} part */
export const holdsPart = (where, part) => where.split(" and ").includes(part);

/** Add a part to a filter, or take it out.
 * @param {string} where @param {string} part */
export function togglePart(where, part) {
  const parts = where.split(" and ").filter(Boolean);
  return (parts.includes(part) ? parts.filter((one) => one !== part) : [...parts, part]).join(" and ");
}
