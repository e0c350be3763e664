// Draws the map: dots far out, thumbnails near in. While a hand moves a map that takes long to
// draw, the last drawing is moved, and drawn anew when there is time.
import { makeView, pictureAt } from "../../web/shared/map-view.mjs";
import { spot } from "./data.mjs";

const PICTURES_FROM = 7; // pixels of a cell

export function makeCanvas(stage, map, sheet) {
  const { shown } = map;
  const pen = stage.getContext("2d", { alpha: false });
  const place = makeView(map, () => changed());
  const { view, fit, zoomAt, moveBy, centerOn, bringIntoSight } = place;
  let palette = {};
  let kept = null; // the last full drawing and where it lies
  let slow = 0; // milliseconds that it took
  let pending = 0;
  let settled = 0;

  function readPalette() {
    const style = getComputedStyle(document.documentElement);
    const probe = document.createElement("span");
    document.body.append(probe);
    const read = (name) => {
      probe.style.color = style.getPropertyValue(name);
      return getComputedStyle(probe).color;
    };
    palette = { page: read("--page"), line: read("--line-strong"), ink: read("--ink"), focus: read("--focus"), dim: read("--line") };
    probe.remove();
  }

  function resize() {
    const box = stage.getBoundingClientRect();
    place.resize(box.width, box.height);
    stage.width = Math.round(view.width * view.ratio);
    stage.height = Math.round(view.height * view.ratio);
    kept = null;
    draw(); // at once: the new size has wiped the stage
  }

  // Ask for a drawing; `whole` when more has changed than the place of the map.
  function changed(whole) {
    if (whole) kept = null;
    if (!pending) pending = requestAnimationFrame(draw);
  }

  function draw() {
    cancelAnimationFrame(pending);
    pending = 0;
    clearTimeout(settled);
    const away = kept && (kept.scale !== view.scale || kept.left !== view.left || kept.top !== view.top);
    if (away && slow > 14) {
      drawKept();
      settled = setTimeout(() => { kept = null; changed(); }, 90);
    } else {
      const began = performance.now();
      drawAll();
      slow = performance.now() - began;
      if (slow > 14) keep();
    }
    drawRings();
  }

  function keep() {
    const copy = (kept && kept.canvas) || document.createElement("canvas");
    copy.width = stage.width;
    copy.height = stage.height;
    copy.getContext("2d").drawImage(stage, 0, 0);
    kept = { canvas: copy, scale: view.scale, left: view.left, top: view.top };
  }

  function drawKept() {
    const grown = view.scale / kept.scale;
    pen.setTransform(view.ratio, 0, 0, view.ratio, 0, 0);
    pen.fillStyle = palette.page;
    pen.fillRect(0, 0, view.width, view.height);
    pen.imageSmoothingEnabled = true;
    pen.drawImage(kept.canvas, view.left - kept.left * grown, view.top - kept.top * grown, view.width * grown, view.height * grown);
  }

  function drawAll() {
    pen.setTransform(view.ratio, 0, 0, view.ratio, 0, 0);
    pen.fillStyle = palette.page;
    pen.fillRect(0, 0, view.width, view.height);
    const reach = view.scale;
    const seen = [];
    for (let i = 0; i < map.count; i += 1) {
      const x = view.left + shown.x[i] * view.scale, y = view.top + shown.y[i] * view.scale;
      if (x > -reach && y > -reach && x < view.width + reach && y < view.height + reach) seen.push(i);
    }
    if (view.scale >= PICTURES_FROM && map.levels.length) drawPictures(seen);
    else drawDots(seen);
  }

  function drawDots(seen) {
    const side = Math.max(1.6, view.scale * 0.86), half = side / 2;
    const piles = new Map([[palette.dim, []]]);
    for (const i of seen) {
      const color = shown.active[i] ? shown.colors[i] : palette.dim;
      if (!piles.has(color)) piles.set(color, []);
      piles.get(color).push(i);
    }
    for (const [color, pile] of piles) {
      pen.beginPath();
      for (const i of pile) {
        pen.rect(view.left + shown.x[i] * view.scale - half, view.top + shown.y[i] * view.scale - half, side, side);
      }
      pen.fillStyle = color;
      pen.fill();
    }
  }

  function drawPictures(seen) {
    const side = view.scale * (view.scale < 14 ? 1 : 0.94);
    const fine = side * view.ratio > map.levels[0].edge * 1.3 && map.levels.length > 1;
    const frame = shown.facet ? Math.max(1, Math.min(5, side * 0.07)) : 0;
    pen.imageSmoothingEnabled = true;
    pen.imageSmoothingQuality = fine ? "high" : "medium";
    for (const wanted of [0, 1]) { // those that the filters leave lie on top
      for (const i of seen) {
        if (shown.active[i] !== wanted) continue;
        const x = view.left + shown.x[i] * view.scale - side / 2;
        const y = view.top + shown.y[i] * view.scale - side / 2;
        pen.globalAlpha = wanted ? 1 : 0.14;
        if (frame) {
          pen.fillStyle = wanted ? shown.colors[i] : palette.line;
          pen.fillRect(x, y, side, side);
        }
        drawSquare(pen, i, fine, x + frame, y + frame, side - 2 * frame);
      }
    }
    pen.globalAlpha = 1;
  }

  // The middle of a thumbnail as a square; from the small sheets while the large one is decoded.
  function drawSquare(on, i, fine, x, y, side) {
    for (const level of fine ? [1, 0] : [0]) {
      const at = spot(map.levels[level], i);
      const from = at && sheet(level, at.number);
      if (!from) continue;
      const least = Math.min(at.width, at.height);
      on.drawImage(from, at.left + (at.width - least) / 2, at.top + (at.height - least) / 2, least, least, x, y, side, side);
      return;
    }
    on.fillStyle = palette.line;
    on.fillRect(x, y, side, side);
  }

  function drawRings() {
    pen.setTransform(view.ratio, 0, 0, view.ratio, 0, 0);
    for (const [i, width] of [[shown.hovered, 2], [shown.current, 3]]) {
      if (i < 0) continue;
      const side = Math.max(9, view.scale * 0.94) + 2;
      const x = view.left + shown.x[i] * view.scale - side / 2, y = view.top + shown.y[i] * view.scale - side / 2;
      pen.lineWidth = width + 2;
      pen.strokeStyle = palette.page;
      pen.strokeRect(x, y, side, side);
      pen.lineWidth = width;
      pen.strokeStyle = i === shown.current ? palette.focus : palette.ink;
      pen.strokeRect(x, y, side, side);
    }
  }

  return { view, readPalette, fit, resize, zoomAt, moveBy, centerOn, bringIntoSight, changed, pictureAt: (x, y) => pictureAt(map, view, x, y) };
}
