// What is known of the pictures, and which of them the filters leave. No text becomes HTML.
"use strict";

const data = JSON.parse(document.getElementById("map-data").textContent);
const count = data.uris.length;
const asList = (value) => (Array.isArray(value) ? value : [value]);
for (const facet of data.facets) {
  facet.values = facet.values.map(asList);
  facet.counts = new Array(facet.classes.length).fill(0);
  for (const row of facet.values) for (const code of row) facet.counts[code] += 1;
  facet.chosen = new Set();
}

const shown = {
  facet: data.facets.find((facet) => facet.name === data.color) || null,
  layout: "grid",
  query: "",
  current: -1, // the picture that the keys have reached
  hovered: -1,
  active: new Uint8Array(count).fill(1),
  activeCount: count,
  colors: new Array(count).fill(data.other),
  x: new Float32Array(count),
  y: new Float32Array(count),
};

const baseName = (uri) => uri.slice(uri.lastIndexOf("/") + 1);
const folderName = (uri) => uri.slice(0, uri.lastIndexOf("/") + 1);
const asCount = (value) => value.toLocaleString("en-US");

// The frequent classes have colours of their own; a further one gets one while it is chosen.
function mix(facet) {
  const own = facet.classes.slice(0, data.colors.length).map((name, code) => code);
  const chosen = [...facet.chosen].filter((code) => code >= 0);
  if (!chosen.length) {
    facet.palette = new Map(own.map((code) => [code, data.colors[code]]));
    return;
  }
  facet.palette = new Map(chosen.filter((code) => code < data.colors.length).map((code) => [code, data.colors[code]]));
  const left = data.colors.filter((color, code) => !facet.palette.has(code));
  for (const code of chosen) {
    if (!facet.palette.has(code)) facet.palette.set(code, left.shift() || data.other);
  }
}

// The rarest of the coloured classes says most of a picture that has several.
function colorOf(facet, row) {
  const values = facet.values[row];
  if (!values.length) return data.none;
  let best = -1;
  for (const code of values) if (facet.palette.has(code)) best = Math.max(best, code);
  return best < 0 ? data.other : facet.palette.get(best);
}

function paint() {
  if (shown.facet) mix(shown.facet);
  for (let i = 0; i < count; i += 1) {
    shown.colors[i] = shown.facet ? colorOf(shown.facet, i) : data.other;
  }
}

function filter() {
  const query = shown.query.trim().toLowerCase();
  const facets = data.facets.filter((facet) => facet.chosen.size);
  shown.activeCount = 0;
  for (let i = 0; i < count; i += 1) {
    let keep = !query || data.uris[i].toLowerCase().includes(query);
    for (const facet of facets) {
      keep = keep && (facet.values[i].some((code) => facet.chosen.has(code))
        || (facet.chosen.has(-1) && !facet.values[i].length));
    }
    shown.active[i] = keep ? 1 : 0;
    shown.activeCount += shown.active[i];
  }
}

// Centres of the pictures, in cells of the grid.
function arrange() {
  for (let i = 0; i < count; i += 1) {
    if (shown.layout === "grid") {
      shown.x[i] = data.cells[2 * i] + 0.5;
      shown.y[i] = data.cells[2 * i + 1] + 0.5;
    } else {
      shown.x[i] = (data.places[2 * i] / data.steps) * data.columns;
      shown.y[i] = (data.places[2 * i + 1] / data.steps) * data.rows;
    }
  }
}

function labelsOf(i) {
  return data.facets
    .map((facet) => [facet.name, facet.values[i].map((code) => facet.classes[code]).join(", ")])
    .filter(([, text]) => text);
}

// Sheets are decoded when they are first needed; only the last few large ones are kept.
const KEPT = 48;
const sheets = { pictures: new Map(), onload: () => {} };

function sheet(level, number) {
  const key = level + "-" + number;
  const known = sheets.pictures.get(key);
  if (known) {
    sheets.pictures.delete(key); // the one used last goes to the end
    sheets.pictures.set(key, known);
    return known.complete && known.naturalWidth ? known : null;
  }
  const source = data.levels[level].sheets[number];
  const picture = new Image();
  picture.onload = () => sheets.onload();
  picture.src = source.startsWith("#")
    ? "data:image/jpeg;base64," + document.getElementById(source.slice(1)).textContent : source;
  sheets.pictures.set(key, picture);
  if (level > 0 && sheets.pictures.size > KEPT + data.levels[0].sheets.length) {
    for (const old of sheets.pictures.keys()) {
      if (!old.startsWith("0-")) { sheets.pictures.delete(old); break; }
    }
  }
  return null;
}

// Where the thumbnail of picture i lies: sheet, left, top, width, height. Null when it has none.
function spot(level, i) {
  const { edge, columns, sizes } = data.levels[level];
  if (!sizes[2 * i]) return null;
  const inside = i % (columns * columns);
  return {
    number: Math.floor(i / (columns * columns)),
    left: (inside % columns) * edge,
    top: Math.floor(inside / columns) * edge,
    width: sizes[2 * i],
    height: sizes[2 * i + 1],
  };
}
