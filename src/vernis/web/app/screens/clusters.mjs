// @ts-check
// Clusters: images that look alike, with the name that their labels and words propose; one key makes
// a class of a cluster.
import { el } from "../../shared/dom.mjs";
import { asCount } from "../../shared/wording.mjs";
import { get, post } from "../api.mjs";
import { Cards, pictureRow } from "../cards.mjs";
import { loadStyle } from "../styles.mjs";
import { runVerb } from "../verbs.mjs";

/** @typedef {import("../pictures.mjs").Picture} Picture */
/** @typedef {{number: number, name: string, named_by: string, size: number, silhouette: number, words: string[], central: Picture[], made: {taxonomy: string, label: string} | null, typed?: string}} Item */

/** @param {HTMLElement} host @param {import("../main.mjs").App} app @param {import("../router.mjs").Place} place */
export async function open(host, app, place) {
  await loadStyle("/web/app/screens/cards.css");
  const cards = new Cards(host, app, subjectOf(app, place));
  await cards.read();
  return { close: () => cards.close() };
}

/** @param {import("../main.mjs").App} app @param {import("../router.mjs").Place} place @returns {import("../cards.mjs").Subject<Item>} */
function subjectOf(app, place) {
  const into = /** @type {HTMLInputElement} */ (el("input", { class: "field", type: "text", value: place.query.get("into") || "clusters", list: "cluster-taxonomies", "aria-label": "Taxonomy that the classes go into", size: "14" }));
  const known = el("datalist", { id: "cluster-taxonomies" }, app.collection.taxonomies.map((/** @type {any} */ one) => el("option", { value: one.name })));
  let all = /** @type {any} */ ({ found: false, images: 0, noise: 0, clusters: [] });
  let looking = "";
  /** @param {import("../cards.mjs").Cards<Item>} cards */
  const look = async (cards) => {
    if (looking) return;
    looking = "Looking for images that look alike…";
    cards.show();
    try { await runVerb("clusters", {}); } catch (error) { app.toast(error instanceof Error ? error.message : String(error), { kind: "warning" }); }
    looking = "";
    if (!cards.closed) await cards.read();
  };
  /** @param {Item} item @param {import("../cards.mjs").Cards<Item>} cards */
  const make = (item, cards) => {
    const name = (item.typed === undefined ? item.name : item.typed).trim();
    const taxonomy = into.value.trim();
    if (!name || !taxonomy) { app.toast("A class needs a name, and a taxonomy", { kind: "warning" }); return; }
    cards.decide([item], asCount(item.size) + " images are " + name + " in " + taxonomy, async () => (await post("/api/clusters", { name, numbers: [item.number], into: taxonomy })).batch);
  };
  return {
    title: "Images that look alike",
    choices: [el("label", { class: "muted small cards-into" }, "Classes go into", into), known],
    async read() {
      all = await get("/api/clusters");
      return all.clusters.filter((/** @type {Item} */ one) => !one.made && one.size);
    },
    keyOf: (item) => String(item.number),
    count: (items) => {
      if (looking) return looking;
      if (!all.found) return "";
      const made = all.clusters.filter((/** @type {Item} */ one) => one.made).length;
      return asCount(items.length) + (items.length === 1 ? " cluster" : " clusters") + " to name" + (made ? " · " + asCount(made) + " made" : "") + (all.noise ? " · " + asCount(all.noise) + " images in none" : "");
    },
    card: (item, cells, cards) => {
      const name = /** @type {HTMLInputElement} */ (el("input", { class: "field", type: "text", value: item.typed === undefined ? item.name : item.typed, "aria-label": "Name of the class", autocomplete: "off", spellcheck: "false" }));
      name.addEventListener("input", () => { item.typed = name.value; });
      name.addEventListener("focus", () => { cards.at = cards.items.indexOf(item); cards.paint(); });
      name.addEventListener("keydown", (event) => {
        if (event.key === "Enter") { event.preventDefault(); name.blur(); make(item, cards); }
        if (event.key === "Escape") name.blur();
      });
      return [
        el("div", { class: "card-head" }, el("strong", {}, asCount(item.size) + " images"), el("span", { class: "muted small grow" }, item.words.join(" · "))),
        pictureRow(item.central, cells),
        el("div", { class: "card-name" }, name),
      ];
    },
    actions: [
      { key: "a", label: "make a class of it, by its name", kind: "yes", text: "Make a class", run: make },
      { key: "t", label: "type another name", kind: "", text: "Name", run: (item, cards) => {
        const field = /** @type {HTMLInputElement | null} */ ((cards.nodes || [])[cards.items.indexOf(item)].querySelector(".card-name input"));
        if (field) { field.focus(); field.select(); }
      } },
      { key: "s", label: "leave it", kind: "", text: "Leave", run: (item, cards) => cards.leave(item, item.name + " left") },
    ],
    more: [{ key: "r", label: "look for clusters anew", text: "Look anew", run: look }],
    empty: (cards) => el("div", { class: "blank-page" },
      el("h2", {}, looking || (all.found ? "Every cluster is decided" : "Nobody has looked for clusters yet")),
      looking ? null : el("p", {}, "Images that look alike are put together, and a name is proposed for each group."),
      looking ? null : el("button", { class: "button primary", type: "button", onclick: () => look(cards) }, all.found ? "Look anew" : "Look for them", el("kbd", {}, "r"))),
  };
}
