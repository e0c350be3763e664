// How one row of each list looks. The keys of the rows are those of payload.py.
const CHANGES = { extra: "To be removed", missing: "Missing", replaced: "Another class" };
const GROUP_KINDS = { bytes: "Same file", pixels: "Same pixels", near: "Near duplicate" };
const TRANSFORMS = {
  identity: "same picture", hflip: "mirrored", vflip: "upside-down mirrored", rot180: "turned 180°", rot90: "turned 90° left",
  rot270: "turned 90° right", transpose: "mirrored and turned", transverse: "mirrored and turned", crop: "cropped", gray: "greyscale",
  brightness: "brightness", banner: "banner", scale: "other size",
};
const transformName = (text) => (text ? text.split("+").map((part) => TRANSFORMS[part] || part.replaceAll("_", " ")).join(", ") : "copy");

const imageText = (id) => (vernis.images.get(id) || { uri: "" }).uri;

function chips(labels, kindOf, none) {
  return labels.length ? labels.map((label) => chip(label, kindOf(label))) : [el("span", { class: "muted" }, none)];
}

// What the change takes away and what it adds; the labels on both sides stay as they are.
const isRemoved = (row, label) => row.c !== "missing" && row.g.includes(label) && !row.u.includes(label);
const isAdded = (row, label) => row.c !== "extra" && row.u.includes(label) && !row.g.includes(label);

// A neighbour with several labels has them joined by commas.
function sideOf(row, label) {
  const labels = [label, ...label.split(", ")];
  const added = row.u.filter((one) => isAdded(row, one));
  const removed = row.g.filter((one) => isRemoved(row, one));
  const hasAdded = added.some((one) => labels.includes(one));
  const hasRemoved = removed.some((one) => labels.includes(one));
  if (hasAdded !== hasRemoved) return hasAdded ? "for" : "against";
  return !added.length && removed.length && !hasRemoved ? "for" : "";
}

function issueCard(row) {
  const witness = ([id, label, similarity], kind) => {
    const side = sideOf(row, label);
    const said = "labelled " + label + (side === "for" ? ", speaks for the suggestion" : side === "against" ? ", speaks for the given label" : "");
    return el("li", { class: "neighbor " + side }, picture(id, said), el("bdi", { class: "neighbor-label", title: label }, label || "no label"),
      el("span", { class: "muted" }, kind || (similarity === null ? "" : similarity.toFixed(2))));
  };
  const neighbors = [...row.d.map((twin) => witness(twin, "duplicate")), ...row.n.map((neighbor) => witness(neighbor, ""))].slice(0, 5);
  const agreement = row.a === null ? "" : " · " + asPercent(row.a) + " agree";
  const mark = (verdict, text, key) => el("button", {
    type: "button", class: "mark " + verdict, "data-mark": verdict, "aria-pressed": String(decisions.get(row) === verdict),
    title: text + " (" + key + ")", onclick: () => decisions.toggle(row, verdict),
  }, text);
  return el("li", { class: "item issue", "data-decision": decisions.get(row) || "" },
    picture(row.i, "given " + (row.g.join(", ") || "no label") + ", suggested " + (row.u.join(", ") || "no label")),
    el("div", { class: "item-body" },
      el("p", { class: "overline" }, "#" + asCount(row.r) + " · " + row.t + " · ",
        el("span", { class: "change" }, CHANGES[row.c] || row.c),
        row.v !== "open" ? [" ", el("span", { class: "verdict" }, row.v)] : null,
        row.d.length ? [" ", el("span", { class: "verdict" }, "disagrees with a duplicate")] : null),
      fileName(row.i),
      el("div", { class: "versus" },
        el("span", { class: "who" }, "Given"), el("span", { class: "what" }, chips(row.g, (label) => (isRemoved(row, label) ? "given" : "given stays"), "nothing")),
        el("span", { class: "who" }, "Suggested"), el("span", { class: "what" }, chips(row.u, (label) => (isAdded(row, label) ? "suggested" : "stays"), "nothing in its place"))),
      el("div", { class: "item-foot" },
        row.p === null
          ? el("span", { class: "muted" }, "score " + row.s.toFixed(2))
          : el("span", { class: "sure", title: "score " + row.s.toFixed(3) }, meter(row.p, "suggested"), asPercent(Math.min(row.p, 0.999)) + " sure"),
        el("span", { class: "marks" }, mark("accept", "Accept", "a"), mark("dismiss", "Dismiss", "x")))),
    neighbors.length
      ? el("div", { class: "evidence" }, el("p", { class: "overline" }, "Nearest pictures" + agreement), el("ul", { class: "neighbors" }, neighbors))
      : null);
}

function groupCard(row) {
  const others = row.m.length - 1;
  const ordered = [...row.m].sort((a, b) => (b[0] === row.b) - (a[0] === row.b));
  const members = ordered.map(([id, similarity, transform, labels]) => {
    const keeps = id === row.b;
    const how = keeps ? "keep" : transformName(transform);
    const ref = vernis.images.get(id) || {};
    return el("li", { class: "member" + (keeps ? " keeper" : "") },
      picture(id, keeps ? "to be kept" : "copy"),
      el("p", { class: "member-head" }, keeps ? el("span", { class: "keep" }, "Keep") : el("span", {}, how),
        keeps || similarity === null ? null : el("span", { class: "number" }, similarity.toFixed(3))),
      fileName(id),
      ref.width ? el("p", { class: "muted small" }, ref.width + " × " + ref.height + (ref.size ? " · " + ref.size : "")) : null,
      labels.length ? el("p", { class: "what" }, labels.map((label) => chip(label))) : null);
  });
  const merged = Object.entries(row.l);
  return el("li", { class: "item group" + (row.m.length > 3 ? " wide" : "") },
    el("div", { class: "group-head" },
      el("h3", {}, GROUP_KINDS[row.k] || row.k, el("span", { class: "muted" }, " · keep 1, " + others + (others === 1 ? " copy" : " copies"))),
      row.x.length ? el("span", { class: "chip conflict" }, "Labels disagree: ", el("bdi", {}, row.x.join(", "))) : null),
    row.w ? el("p", { class: "muted" }, "Keeper: " + row.w) : null,
    el("ul", { class: "members" }, members),
    merged.length
      ? el("p", { class: "merged" }, el("span", { class: "muted" }, "Labels of the keeper after merging: "),
        merged.map(([taxonomy, labels]) => [el("span", { class: "muted" }, " " + taxonomy + " "), ...labels.map((label) => chip(label))]))
      : null);
}

function qualityCard(row) {
  return el("li", { class: "item tile-item" },
    picture(row.i, row.k),
    el("p", { class: "tile-head" }, el("span", {}, row.k), el("span", { class: "number" }, row.s === null ? "" : row.s.toFixed(2))),
    meter(row.s, "plain"),
    fileName(row.i),
    row.n ? el("p", { class: "muted small" }, row.n) : null);
}

function fillCard(row) {
  return el("li", { class: "item tile-item" },
    picture(row.i, "suggested " + row.l),
    el("p", { class: "tile-head" }, chip(row.l, "suggested"), el("span", { class: "number" }, asPercent(row.p))),
    fileName(row.i),
    el("p", { class: "muted small" }, row.t),
    row.n.length
      ? el("ul", { class: "alike", "aria-label": "Labelled pictures like it" }, row.n.map(([id, label, similarity]) =>
        el("li", {}, picture(id, "labelled " + label + (similarity === null ? "" : ", similarity " + similarity.toFixed(2))))))
      : null);
}

const LISTS = {
  issues: {
    pageSize: 12, noun: ["label issue", "label issues"], placeholder: "Search file, class or change", card: issueCard,
    filters: {
      taxonomy: { name: "Taxonomy", all: "All", of: (row) => row.t },
      change: { name: "Change", all: "All", of: (row) => row.c, say: (value) => CHANGES[value] || value },
      given: { name: "Given class", all: "Any given class", of: (row) => row.g[0] || "nothing" },
      suggested: { name: "Suggested class", all: "Any suggested class", of: (row) => row.u[0] || "nothing" },
    },
    text: (row) => [imageText(row.i), row.t, row.c, ...row.g, ...row.u],
  },
  duplicates: {
    pageSize: 10, noun: ["group", "groups"], placeholder: "Search file, label or transform", card: groupCard,
    filters: {
      kind: { name: "Kind", all: "All", of: (row) => row.k, say: (value) => GROUP_KINDS[value] || value },
      conflict: { name: "Labels", all: "Any labels", of: (row) => (row.x.length ? "Labels disagree" : "Labels agree") },
    },
    text: (row) => row.m.flatMap(([id, , transform, labels]) => [imageText(id), transformName(transform), ...labels]),
  },
  quality: {
    pageSize: 30, noun: ["picture", "pictures"], placeholder: "Search file", card: qualityCard,
    filters: { kind: { name: "Kind", all: "All", of: (row) => row.k } },
    text: (row) => [imageText(row.i), row.k, row.n],
  },
  fill: {
    pageSize: 30, noun: ["suggestion", "suggestions"], placeholder: "Search file or class", card: fillCard,
    filters: {
      taxonomy: { name: "Taxonomy", all: "All", of: (row) => row.t },
      label: { name: "Class", all: "All classes", of: (row) => row.l },
    },
    text: (row) => [imageText(row.i), row.l],
  },
};
