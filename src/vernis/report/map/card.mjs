// The card beside a picture: it large, its name, its labels.
import { el, one } from "../../web/shared/dom.mjs";
import { baseName, folderName } from "../../web/shared/wording.mjs";
import { labelsOf, spot } from "./data.mjs";

export function makeCard(map, canvas, sheet) {
  const card = one("[data-card]");
  const { view } = canvas;

  function drawPicture(i) {
    const picture = one("[data-card-picture]");
    const { levels } = map;
    const at = levels.length ? spot(levels.at(-1), i) : null;
    picture.hidden = !at;
    if (!at) return;
    const grown = Math.min(210 / at.width, 190 / at.height);
    picture.width = Math.round(at.width * grown * view.ratio);
    picture.height = Math.round(at.height * grown * view.ratio);
    picture.style.width = at.width * grown + "px";
    picture.style.height = at.height * grown + "px";
    const on = picture.getContext("2d");
    on.imageSmoothingQuality = "high";
    for (const which of [levels.length - 1, 0]) {
      const place = spot(levels[which], i);
      const from = place && sheet(which, place.number);
      if (!from) continue;
      on.drawImage(from, place.left, place.top, place.width, place.height, 0, 0, picture.width, picture.height);
      return;
    }
  }

  function show(i) {
    if (i < 0) { card.hidden = true; return; }
    one("[data-card-name]").textContent = baseName(map.uris[i]);
    one("[data-card-folder]").textContent = folderName(map.uris[i]);
    one("[data-card-labels]").replaceChildren(
      ...labelsOf(map, i).map(([name, text]) => el("div", null, el("dt", null, name), el("dd", null, text))));
    card.hidden = false;
    drawPicture(i);
    const half = Math.max(10, view.scale / 2) + 10;
    const x = view.left + map.shown.x[i] * view.scale, y = view.top + map.shown.y[i] * view.scale;
    const wide = card.offsetWidth, high = card.offsetHeight;
    const left = x + half + wide < view.width ? x + half : x - half - wide;
    card.style.transform = `translate(${Math.max(8, Math.min(left, view.width - wide - 8))}px, ${Math.max(8, Math.min(y - high / 2, view.height - high - 8))}px)`;
  }

  function redraw() {
    const { hovered, current } = map.shown;
    if (!card.hidden) drawPicture(hovered >= 0 ? hovered : current);
  }

  return { show, redraw, hide: () => { card.hidden = true; } };
}
