// @ts-check
// Brands: the brand that is read in a picture against the one that is given, with the words cut out.
import { el } from "../../shared/dom.mjs";
import { asCount, baseName } from "../../shared/wording.mjs";
import { get, post } from "../api.mjs";
import { cropAddress, partOf, readingOf, sureness } from "../brands.mjs";
import { Cards } from "../cards.mjs";
import { loadStyle } from "../styles.mjs";

/** @typedef {import("../pictures.mjs").Picture} Picture */
/** @typedef {{issue: number | null, verdict: string, image: Picture, given: string[], suggested: string[], probability: number, pictures: string, read: import("../brands.mjs").Evidence[]}} Item */

const WHICH = { differ: "Other than given", missing: "No label yet" };

/** @param {HTMLElement} host @param {import("../main.mjs").App} app @param {import("../router.mjs").Place} place */
export async function open(host, app, place) {
  await loadStyle("/web/app/screens/cards.css");
  const names = app.collection.taxonomies.filter((/** @type {any} */ one) => !one.ignored).map((/** @type {any} */ one) => one.name);
  const all = await Promise.all(names.map((/** @type {string} */ name) => get("/api/brands/" + encodeURIComponent(name))));
  const found = all.filter((one) => one.found);
  const chosen = found.find((one) => one.taxonomy === place.parts[0]) || found[0];
  if (!chosen) {
    host.append(el("div", { class: "blank-page" },
      el("h2", {}, "Nobody has looked for brands yet"),
      el("p", {}, "vernis read reads the text in the pictures, vernis brands LIST.csv finds the brands of your list in it.")));
    return { close() {} };
  }
  const holder = /** @type {{cards: Cards<Item> | null}} */ ({ cards: null });
  const cards = new Cards(host, app, subjectOf(app, found.map((one) => one.taxonomy), chosen.taxonomy, place.query.get("which") === "missing" ? "missing" : "differ", holder));
  holder.cards = cards;
  await cards.read();
  return { close: () => cards.close() };
}

/** @param {import("../main.mjs").App} app @param {string[]} taxonomies @param {string} taxonomy @param {"differ" | "missing"} first @param {{cards: Cards<Item> | null}} holder @returns {import("../cards.mjs").Subject<Item>} */
function subjectOf(app, taxonomies, taxonomy, first, holder) {
  let which = first;
  /** @type {Item[]} */
  let rows = [];
  const isOne = (/** @type {Item} */ item) => (item.issue === null) === (which === "missing");
  const choice = /** @type {HTMLSelectElement} */ (el("select", { class: "select", "aria-label": "Taxonomy" }, taxonomies.map((name) => el("option", { value: name, selected: name === taxonomy }, name))));
  choice.addEventListener("change", () => app.go("brands", [choice.value]));
  const segment = el("div", { class: "segment", role: "group", "aria-label": "Which readings" });
  const choose = (/** @type {"differ" | "missing"} */ next) => { which = next; if (holder.cards) { holder.cards.at = 0; holder.cards.read(); } };
  const paint = () => segment.replaceChildren(.../** @type {("differ" | "missing")[]} */ (Object.keys(WHICH)).map((name) =>
    el("button", { type: "button", "aria-pressed": String(name === which), onclick: () => choose(name) }, WHICH[name] + " " + asCount(rows.filter((item) => (item.issue === null) === (name === "missing")).length))));
  /** @param {Item} item @param {"accept" | "dismiss"} answer */
  const send = async (item, answer) => {
    if (item.issue !== null) {
      const outcome = await app.outbox.outcome(app.outbox.add({ issue: item.issue, answer, seen: item.verdict }));
      return outcome ? outcome.batch : 0;
    }
    const labels = answer === "accept" ? { add: item.suggested } : { remove: item.suggested };
    return (await post("/api/labels", { taxonomy, ids: [item.image.id], ...labels })).batch;
  };
  return {
    title: "Brands that are read",
    choices: [segment, taxonomies.length > 1 ? choice : el("span", { class: "muted" }, taxonomy)],
    async read() {
      rows = (await get("/api/brands/" + encodeURIComponent(taxonomy))).rows;
      paint();
      app.replace({ which: which === "missing" ? which : "" }, [taxonomy]);
      return rows.filter(isOne);
    },
    keyOf: (item) => item.image.id + " " + item.suggested.join(),
    count: (items) => asCount(items.length) + (which === "differ" ? " where the words name another brand than the label" : " without a label in which one brand is read"),
    card: (item, cells) => {
      const whole = /** @type {HTMLImageElement} */ (el("img", { class: "reading-whole", alt: baseName(item.image.uri), title: item.image.uri }));
      cells.push({ image: item.image, element: whole });
      return [
        el("div", { class: "card-head" },
          item.given.length ? item.given.map((label) => el("span", { class: "chip given" + (item.suggested.includes(label) ? " stays" : "") }, el("bdi", {}, label))) : el("span", { class: "chip stays" }, "no label"),
          el("span", { class: "muted", "aria-label": "becomes" }, "→"),
          item.suggested.map((label) => el("span", { class: "chip suggested" }, el("bdi", {}, label))),
          el("span", { class: "muted small" }, sureness(item))),
        el("div", { class: "reading" }, cropOf(item), whole),
        el("p", { class: "muted small" }, item.read.map(readingOf).join(" · ") + " in " + baseName(item.image.uri)),
      ];
    },
    actions: [
      { key: "a", label: "it is the brand that is read", kind: "yes", text: "As read", run: (item, cards) => cards.decide([item], item.suggested.join(", ") + " in " + baseName(item.image.uri), () => send(item, "accept")) },
      { key: "x", label: "it is not", kind: "no", text: "Not that", run: (item, cards) => cards.decide([item], "not " + item.suggested.join(", ") + " in " + baseName(item.image.uri), () => send(item, "dismiss")) },
      { key: "s", label: "leave it", kind: "", text: "Leave", run: (item, cards) => cards.leave(item, baseName(item.image.uri) + " left") },
      { key: "o", label: "everything that is known of the picture", kind: "", text: "Look", run: (item) => app.go("image", [String(item.image.id)]) },
    ],
    more: [{ key: "v", label: "labels that differ, or missing ones", text: "Differing or missing", run: () => choose(which === "differ" ? "missing" : "differ") }],
    empty: () => el("div", { class: "blank-page" }, el("h2", {}, which === "differ" ? "No label differs from what is read" : "No missing label can be read"), el("p", {}, "vernis brands LIST.csv looks again.")),
  };
}

/** @param {Item} item */
function cropOf(item) {
  const { image } = item;
  const words = item.read.find((one) => item.suggested.includes(one.brand)) || item.read[0];
  if (!words || !image.width) return el("span", { class: "reading-crop" });
  const { part, mark } = partOf(words.box, image.width, image.height);
  const frame = el("span", { class: "mark" });
  frame.style.left = 100 * mark.x + "%";
  frame.style.top = 100 * mark.y + "%";
  frame.style.width = 100 * mark.width + "%";
  frame.style.height = 100 * mark.height + "%";
  const box = el("div", { class: "reading-crop" }, el("img", { src: cropAddress(image, part), alt: "the words " + words.reading, loading: "lazy" }), frame);
  box.style.setProperty("--ratio", String(part.width / part.height));
  return box;
}
