// Where a map lies on its stage: fit, zoom, move, and the way from point to point. Of the report's
// map and the app's alike.

const MARGIN = 22;

/** A view of a map that is `columns` × `rows` large; `changed` is called when it lies elsewhere.
 * @param {{columns: number, rows: number, shown: {x: ArrayLike<number>, y: ArrayLike<number>}}} map
 * @param {() => void} changed @param {number} [nearest] pixels of a unit at the nearest */
export function makeView(map, changed, nearest = 400) {
  const { shown } = map;
  const view = { scale: 1, left: 0, top: 0, width: 1, height: 1, ratio: 1 };

  const fitScale = () => Math.min((view.width - 2 * MARGIN) / map.columns, (view.height - 2 * MARGIN) / map.rows);

  function fit() {
    view.scale = Math.max(0.05, fitScale());
    view.left = (view.width - map.columns * view.scale) / 2;
    view.top = (view.height - map.rows * view.scale) / 2;
    changed();
  }

  // The stage has another size: what was in the middle stays there.
  function resize(width, height) {
    view.left += (Math.max(1, width) - view.width) / 2;
    view.top += (Math.max(1, height) - view.height) / 2;
    view.ratio = Math.min(window.devicePixelRatio || 1, 2);
    view.width = Math.max(1, width);
    view.height = Math.max(1, height);
  }

  function zoomAt(x, y, factor) {
    const scale = Math.min(nearest, Math.max(fitScale() * 0.5, view.scale * factor));
    view.left = x - ((x - view.left) * scale) / view.scale;
    view.top = y - ((y - view.top) * scale) / view.scale;
    view.scale = scale;
    changed();
  }

  function moveBy(x, y) {
    // Some of the map stays in sight.
    const wide = map.columns * view.scale, high = map.rows * view.scale;
    view.left = Math.min(view.width - 80, Math.max(80 - wide, view.left + x));
    view.top = Math.min(view.height - 80, Math.max(80 - high, view.top + y));
    changed();
  }

  function centerOn(i, scale) {
    view.scale = Math.max(view.scale, scale || 0);
    view.left = view.width / 2 - shown.x[i] * view.scale;
    view.top = view.height / 2 - shown.y[i] * view.scale;
    changed();
  }

  function bringIntoSight(i) {
    const x = view.left + shown.x[i] * view.scale, y = view.top + shown.y[i] * view.scale;
    const edge = Math.min(120, view.width / 4, view.height / 4);
    if (x < edge || y < edge || x > view.width - edge || y > view.height - edge) centerOn(i);
  }

  return { view, fit, resize, zoomAt, moveBy, centerOn, bringIntoSight };
}

// The picture at a place of the stage, -1 when there is none.
export function pictureAt({ count, shown }, view, x, y, least = 6) {
  const reach = Math.max(least, Math.min(view.scale * 0.5, 40));
  let found = -1, nearest = Infinity;
  for (let i = 0; i < count; i += 1) {
    const across = Math.abs(view.left + shown.x[i] * view.scale - x), down = Math.abs(view.top + shown.y[i] * view.scale - y);
    if (across > reach || down > reach) continue;
    const way = across + down + (shown.active[i] ? 0 : 2 * reach);
    if (way <= nearest) { nearest = way; found = i; }
  }
  return found;
}

// The nearest picture in a direction that the filters leave; sideways counts double.
export function nextTowards({ count, shown }, from, across, down) {
  let found = from, least = Infinity;
  for (let i = 0; i < count; i += 1) {
    if (i === from || !shown.active[i]) continue;
    const x = shown.x[i] - shown.x[from], y = shown.y[i] - shown.y[from];
    const along = x * across + y * down, aside = Math.abs(x * down) + Math.abs(y * across);
    if (along > 1e-6 && along >= aside * 0.5 && along + 2 * aside < least) { least = along + 2 * aside; found = i; }
  }
  return found;
}

export function nearestTo({ count, shown }, x, y) {
  let found = -1, least = Infinity;
  for (let i = 0; i < count; i += 1) {
    const way = (shown.x[i] - x) ** 2 + (shown.y[i] - y) ** 2;
    if (shown.active[i] && way < least) { least = way; found = i; }
  }
  return found;
}
