// @ts-check
// Which points of a map lie within a stroke, and which pictures can be drawn without covering one
// another.

/** @typedef {{x: number, y: number}} Place */

/** Points within a closed stroke, by the even-odd rule.
 * @param {Place[]} stroke in the units of the points @param {Float32Array} xs @param {Float32Array} ys
 * @param {Uint8Array} [among] which points count @returns {number[]} */
export function within(stroke, xs, ys, among) {
  const across = stroke.map((place) => place.x), down = stroke.map((place) => place.y);
  const left = Math.min(...across), right = Math.max(...across), top = Math.min(...down), bottom = Math.max(...down);
  const found = [];
  for (let i = 0; i < xs.length; i += 1) {
    const x = xs[i], y = ys[i];
    if (x < left || x > right || y < top || y > bottom || (among && !among[i])) continue;
    let inside = false;
    for (let a = 0, b = stroke.length - 1; a < stroke.length; b = a, a += 1) {
      const high = down[a] > y;
      if (high !== down[b] > y && x < ((across[b] - across[a]) * (y - down[a])) / (down[b] - down[a]) + across[a]) inside = !inside;
    }
    if (inside) found.push(i);
  }
  return found;
}

/** Points in sight whose pictures, of that side, do not cover one another.
 * @param {Float32Array} xs @param {Float32Array} ys @param {{scale: number, left: number, top: number, width: number, height: number}} view
 * @param {number} side pixels @param {Uint8Array} among which points count @returns {number[]} */
export function spread(xs, ys, view, side, among) {
  const columns = Math.ceil(view.width / side) + 3;
  const taken = new Int32Array(columns * (Math.ceil(view.height / side) + 3)).fill(-1);
  /** @type {number[]} */
  const found = [];
  for (let i = 0; i < xs.length; i += 1) {
    if (!among[i]) continue;
    const x = view.left + xs[i] * view.scale, y = view.top + ys[i] * view.scale;
    if (x < 0 || y < 0 || x >= view.width || y >= view.height) continue;
    const square = (Math.floor(y / side) + 1) * columns + Math.floor(x / side) + 1;
    if (taken[square] >= 0) continue; // two in one square would cover one another
    let free = true;
    for (let row = -columns; row <= columns && free; row += columns) {
      for (let step = -1; step <= 1 && free; step += 1) {
        const other = taken[square + row + step];
        if (other < 0) continue;
        free = Math.abs(xs[other] - xs[i]) * view.scale >= side || Math.abs(ys[other] - ys[i]) * view.scale >= side;
      }
    }
    if (!free) continue;
    taken[square] = i;
    found.push(i);
  }
  return found;
}
