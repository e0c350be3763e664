// @ts-check
// Merges: labels that probably mean the same, with pictures of both; one key merges them, another
// keeps them apart for good.
import { el } from "../../shared/dom.mjs";
import { asCount } from "../../shared/wording.mjs";
import { get, post } from "../api.mjs";
import { Cards, pictureRow } from "../cards.mjs";
import { changeOf, evidenceOf, turned } from "../merges.mjs";
import { loadStyle } from "../styles.mjs";

/** @typedef {import("../pictures.mjs").Picture} Picture */
/** @typedef {{merge: import("../merges.mjs").Merge, labelled: Picture[], into: Picture[]}} Item */

/** @param {HTMLElement} host @param {import("../main.mjs").App} app @param {import("../router.mjs").Place} place */
export async function open(host, app, place) {
  await loadStyle("/web/app/screens/cards.css");
  const taxonomies = app.collection.taxonomies.filter((/** @type {any} */ one) => !one.ignored);
  // Where labels are many, some mean the same.
  const most = [...taxonomies].sort((a, b) => b.classes.length - a.classes.length);
  const taxonomy = taxonomies.find((/** @type {any} */ one) => one.name === place.parts[0]) || most[0];
  if (!taxonomy) {
    host.append(el("div", { class: "blank-page" }, el("h2", {}, "Nothing is labelled yet"), el("p", {}, "Labels that mean the same are found among those of a taxonomy.")));
    return { close() {} };
  }
  const cards = new Cards(host, app, subjectOf(app, taxonomies, taxonomy));
  await cards.read();
  app.replace({}, [taxonomy.name]);
  return { close: () => cards.close() };
}

/** @param {import("../main.mjs").App} app @param {any[]} taxonomies @param {any} taxonomy @returns {import("../cards.mjs").Subject<Item>} */
function subjectOf(app, taxonomies, taxonomy) {
  const choice = /** @type {HTMLSelectElement} */ (el("select", { class: "select", "aria-label": "Taxonomy" },
    taxonomies.map((one) => el("option", { value: one.name, selected: one === taxonomy }, one.name + " (" + asCount(one.classes.length) + " classes)"))));
  choice.addEventListener("change", () => app.go("merges", [choice.value]));
  const path = "/api/merges/" + encodeURIComponent(taxonomy.name);
  /** @param {Item} item */
  const pairOf = (item) => [item.merge.label, item.merge.into];
  let dismissed = 0;
  return {
    title: "Labels that may mean the same",
    choices: [choice],
    async read() {
      const found = await get(path);
      dismissed = found.dismissed;
      return found.merges;
    },
    keyOf: (item) => pairOf(item).sort().join(" > "),
    count: (items) => (items.length ? asCount(items.length) + " proposed" : "Nothing is proposed") + (dismissed ? " · " + asCount(dismissed) + " were judged to be different things" : ""),
    card: (item, cells) => [
      el("div", { class: "card-pair" },
        el("div", { class: "card-side" }, el("p", {}, el("span", { class: "chip given" }, el("bdi", {}, item.merge.label)), el("span", { class: "muted small" }, asCount(item.merge.count))), pictureRow(item.labelled, cells)),
        el("span", { class: "card-arrow", "aria-label": "becomes" }, "→"),
        el("div", { class: "card-side" }, el("p", {}, el("span", { class: "chip suggested" }, el("bdi", {}, item.merge.into)), el("span", { class: "muted small" }, asCount(item.merge.into_count))), pictureRow(item.into, cells))),
      el("p", { class: "muted small" }, evidenceOf(item.merge) + " · " + changeOf(item.merge)),
    ],
    actions: [
      { key: "a", label: "they mean the same: merge them", kind: "yes", text: "The same", run: (item, cards) => cards.decide([item], item.merge.label + " is " + item.merge.into + " now, " + changeOf(item.merge), async () => (await post(path, { accept: [pairOf(item)] })).batch) },
      { key: "x", label: "they are different things", kind: "no", text: "Different things", run: (item, cards) => cards.decide([item], item.merge.label + " and " + item.merge.into + " stay apart", async () => (await post(path, { dismiss: [pairOf(item)] })).batch) },
      { key: "w", label: "the other way round", kind: "", text: "Other way round", run: (item, cards) => {
        cards.items[cards.items.indexOf(item)] = { merge: turned(item.merge), labelled: item.into, into: item.labelled };
        cards.show();
      } },
    ],
    empty: () => el("div", { class: "blank-page" }, el("h2", {}, "No two labels look alike enough"), el("p", {}, "Spelling, use and pictures of the labels of " + taxonomy.name + " were compared.")),
  };
}
