// How one row of each list looks.
import { el } from "../../web/shared/dom.mjs";
import { frameOver } from "../../web/shared/frame.mjs";
import { asCount, asPercent, asSize, baseName, folderName, GROUP_KINDS, transformName } from "../../web/shared/wording.mjs";
import { isAdded, isRemoved, sideOf } from "./rows.mjs";

export const CHANGES = { extra: "To be removed", missing: "Missing", replaced: "Another class" };
const MOST_NEIGHBORS = 5;

export function chip(text, kind) {
  return el("span", { class: "chip " + (kind || "") }, el("bdi", {}, text));
}

function chips(labels, kindOf, none) {
  return labels.length ? labels.map((label) => chip(label, kindOf(label))) : [el("span", { class: "muted" }, none)];
}

function meter(share, kind) {
  const fill = el("i");
  fill.style.width = (100 * Math.min(Math.max(share || 0, 0), 1)).toFixed(1) + "%";
  return el("span", { class: "meter " + kind, "aria-hidden": "true" }, fill);
}

// The cards of one report: its images are known, the marks are kept by ``decisions``.
export function makeCards(images, decisions) {
  const imageOf = (id) => images.get(id) || { id, uri: "image " + id, width: 0, height: 0, size: 0, thumb: "" };

  // A picture that opens in the lightbox. Its alternative text is its file name and what is said of it.
  function picture(id, said, place = null) {
    const { uri, thumb, width, height } = imageOf(id);
    const inner = thumb
      ? el("img", { src: thumb, alt: baseName(uri) + (said ? ", " + said : ""), loading: "lazy", decoding: "async" })
      : el("span", { class: "no-picture" }, "no preview");
    return el("button", { type: "button", class: "picture", "data-image": String(id), title: uri }, inner, thumb ? frameOver(place, { width, height }) : null);
  }

  function fileName(id) {
    const { uri } = imageOf(id);
    const folder = folderName(uri);
    return el("p", { class: "file", title: uri },
      folder ? el("bdi", { class: "folder" }, folder) : null,
      el("bdi", { class: "name" }, baseName(uri)));
  }

  function witness(row, { image, label, similarity }, kind) {
    const side = sideOf(row, label);
    const said = "labelled " + label + (side === "for" ? ", speaks for the suggestion" : side === "against" ? ", speaks for the given label" : "");
    return el("li", { class: "neighbor " + side }, picture(image, said), el("bdi", { class: "neighbor-label", title: label }, label || "no label"),
      el("span", { class: "muted" }, kind || (similarity === null ? "" : similarity.toFixed(2))));
  }

  function issue(row) {
    const neighbors = [
      ...row.twins.map((twin) => witness(row, twin, "duplicate")),
      ...row.neighbors.map((neighbor) => witness(row, neighbor, "")),
    ].slice(0, MOST_NEIGHBORS);
    const agreement = row.agreement === null ? "" : " · " + asPercent(row.agreement) + " agree";
    const mark = (verdict, text, key) => el("button", {
      type: "button", class: "mark " + verdict, "data-mark": verdict, "aria-pressed": String(decisions.get(row) === verdict),
      title: text + " (" + key + ")", onclick: () => decisions.toggle(row, verdict),
    }, text);
    return el("li", { class: "item issue", "data-decision": decisions.get(row) || "" },
      picture(row.image, "given " + (row.given.join(", ") || "no label") + ", suggested " + (row.suggested.join(", ") || "no label"), row.frame),
      el("div", { class: "item-body" },
        el("p", { class: "overline" }, "#" + asCount(row.rank) + " · " + row.taxonomy + " · ",
          el("span", { class: "change" }, CHANGES[row.change] || row.change),
          row.verdict !== "open" ? [" ", el("span", { class: "verdict" }, row.verdict)] : null,
          row.twins.length ? [" ", el("span", { class: "verdict" }, "disagrees with a duplicate")] : null),
        fileName(row.image),
        el("div", { class: "versus" },
          el("span", { class: "who" }, "Given"), el("span", { class: "what" }, chips(row.given, (label) => (isRemoved(row, label) ? "given" : "given stays"), "nothing")),
          el("span", { class: "who" }, "Suggested"), el("span", { class: "what" }, chips(row.suggested, (label) => (isAdded(row, label) ? "suggested" : "stays"), "nothing in its place"))),
        el("div", { class: "item-foot" },
          row.probability === null
            ? el("span", { class: "muted" }, "score " + row.score.toFixed(2))
            : el("span", { class: "sure", title: "score " + row.score.toFixed(3) }, meter(row.probability, "suggested"), asPercent(Math.min(row.probability, 0.999)) + " sure"),
          el("span", { class: "marks" }, mark("accept", "Accept", "a"), mark("dismiss", "Dismiss", "x")))),
      neighbors.length
        ? el("div", { class: "evidence" }, el("p", { class: "overline" }, "Nearest pictures" + agreement), el("ul", { class: "neighbors" }, neighbors))
        : null);
  }

  function member(group, { image, similarity, transform, labels }) {
    const keeps = image === group.keeper;
    const { width, height, size } = imageOf(image);
    return el("li", { class: "member" + (keeps ? " keeper" : "") },
      picture(image, keeps ? "to be kept" : "copy"),
      el("p", { class: "member-head" }, keeps ? el("span", { class: "keep" }, "Keep") : el("span", {}, transformName(transform)),
        keeps || similarity === null ? null : el("span", { class: "number" }, similarity.toFixed(3))),
      fileName(image),
      width ? el("p", { class: "muted small" }, width + " × " + height + (size ? " · " + asSize(size) : "")) : null,
      labels.length ? el("p", { class: "what" }, labels.map((label) => chip(label))) : null);
  }

  function group(row) {
    const others = row.members.length - 1;
    const ordered = [...row.members].sort((a, b) => (b.image === row.keeper) - (a.image === row.keeper));
    const merged = Object.entries(row.merged);
    return el("li", { class: "item group" + (row.members.length > 3 ? " wide" : "") },
      el("div", { class: "group-head" },
        el("h3", {}, GROUP_KINDS[row.kind] || row.kind, el("span", { class: "muted" }, " · keep 1, " + others + (others === 1 ? " copy" : " copies"))),
        row.conflicts.length ? el("span", { class: "chip conflict" }, "Labels disagree: ", el("bdi", {}, row.conflicts.join(", "))) : null),
      row.reason ? el("p", { class: "muted" }, "Keeper: " + row.reason) : null,
      el("ul", { class: "members" }, ordered.map((one) => member(row, one))),
      merged.length
        ? el("p", { class: "merged" }, el("span", { class: "muted" }, "Labels of the keeper after merging: "),
          merged.map(([taxonomy, labels]) => [el("span", { class: "muted" }, " " + taxonomy + " "), ...labels.map((label) => chip(label))]))
        : null);
  }

  function poor(row) {
    return el("li", { class: "item tile-item" },
      picture(row.image, row.kind),
      el("p", { class: "tile-head" }, el("span", {}, row.kind), el("span", { class: "number" }, row.score === null ? "" : row.score.toFixed(2))),
      meter(row.score, "plain"),
      fileName(row.image),
      row.note ? el("p", { class: "muted small" }, row.note) : null);
  }

  function fill(row) {
    return el("li", { class: "item tile-item" },
      picture(row.image, "suggested " + row.label, row.frame),
      el("p", { class: "tile-head" }, chip(row.label, "suggested"), el("span", { class: "number" }, asPercent(row.probability))),
      fileName(row.image),
      el("p", { class: "muted small" }, row.taxonomy),
      row.neighbors.length
        ? el("ul", { class: "alike", "aria-label": "Labelled pictures like it" }, row.neighbors.map(({ image, label, similarity }) =>
          el("li", {}, picture(image, "labelled " + label + (similarity === null ? "" : ", similarity " + similarity.toFixed(2))))))
        : null);
  }

  return { imageOf, fileName, issue, group, poor, fill };
}
