// What is known of the pictures of a map, which of them the filters leave, and where they lie.

const asList = (value) => (Array.isArray(value) ? value : [value]);

// The map of a page's data: its facets decoded, and what is shown of it.
export function makeMap(data) {
  const count = data.uris.length;
  const facets = data.facets.map(({ name, classes, values }) => {
    const facet = { name, classes, values: values.map(asList), counts: new Array(classes.length).fill(0), chosen: new Set(), palette: new Map() };
    for (const row of facet.values) for (const code of row) facet.counts[code] += 1;
    return facet;
  });
  const shown = {
    facet: facets.find((facet) => facet.name === data.color) || null,
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
  return { ...data, count, facets, shown };
}

// The frequent classes have colours of their own; a further one gets one while it is chosen.
function mix(facet, map) {
  const chosen = [...facet.chosen].filter((code) => code >= 0);
  if (!chosen.length) {
    facet.palette = new Map(map.colors.slice(0, facet.classes.length).map((color, code) => [code, color]));
    return;
  }
  facet.palette = new Map(chosen.filter((code) => code < map.colors.length).map((code) => [code, map.colors[code]]));
  const left = map.colors.filter((color, code) => !facet.palette.has(code));
  for (const code of chosen) {
    if (!facet.palette.has(code)) facet.palette.set(code, left.shift() || map.other);
  }
}

// The rarest of the coloured classes says most of a picture that has several.
function colorOf(facet, row, map) {
  const values = facet.values[row];
  if (!values.length) return map.none;
  const coloured = values.filter((code) => facet.palette.has(code));
  return coloured.length ? facet.palette.get(Math.max(...coloured)) : map.other;
}

export function paint(map) {
  const { facet, colors } = map.shown;
  if (facet) mix(facet, map);
  for (let i = 0; i < map.count; i += 1) colors[i] = facet ? colorOf(facet, i, map) : map.other;
}

// Classes of one facet are joined by "or", facets and the search by "and"; -1 is "none".
export function filter(map) {
  const { shown } = map;
  const query = shown.query.trim().toLowerCase();
  const facets = map.facets.filter((facet) => facet.chosen.size);
  shown.activeCount = 0;
  for (let i = 0; i < map.count; i += 1) {
    let keep = !query || map.uris[i].toLowerCase().includes(query);
    for (const facet of facets) {
      keep = keep && (facet.values[i].some((code) => facet.chosen.has(code))
        || (facet.chosen.has(-1) && !facet.values[i].length));
    }
    shown.active[i] = keep ? 1 : 0;
    shown.activeCount += shown.active[i];
  }
}

// Centres of the pictures, in cells of the grid.
export function arrange(map) {
  const { shown, cells, places, steps } = map;
  for (let i = 0; i < map.count; i += 1) {
    const inGrid = shown.layout === "grid";
    shown.x[i] = inGrid ? cells[2 * i] + 0.5 : (places[2 * i] / steps) * map.columns;
    shown.y[i] = inGrid ? cells[2 * i + 1] + 0.5 : (places[2 * i + 1] / steps) * map.rows;
  }
}

export function labelsOf(map, i) {
  return map.facets
    .map((facet) => [facet.name, facet.values[i].map((code) => facet.classes[code]).join(", ")])
    .filter(([, text]) => text);
}

// Where the thumbnail of picture i lies: sheet, left, top, width, height. Null when it has none.
export function spot({ edge, columns, sizes }, i) {
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

// ---------------------------------------------------------------- from picture to picture

// The next or previous picture that the filters leave, round the end; -1 when they leave none.
export function nextActive({ count, shown }, from, step) {
  for (let tried = 1; tried <= count; tried += 1) {
    const i = (((from + step * tried) % count) + count) % count;
    if (shown.active[i]) return i;
  }
  return -1;
}
