// The panel: search, colours, filters, legend.
import { el, one, say } from "../../web/shared/dom.mjs";
import { asCount, baseName } from "../../web/shared/wording.mjs";
import { arrange, filter, paint } from "./data.mjs";

const MOST_RESULTS = 40;

// ``reach(i)`` shows a picture that was found.
export function makePanel(map, canvas, { reach, showCard }) {
  const { shown } = map;

  function refresh() {
    paint(map);
    filter(map);
    fillLegend();
    fillFilters();
    fillResults();
    canvas.changed(true);
  }

  function fillLegend() {
    const { facet } = shown;
    one("[data-legend-title]").textContent = facet ? facet.name : "No colour";
    one("[data-count]").textContent = shown.activeCount === map.count
      ? asCount(map.count) + " pictures" : `${asCount(shown.activeCount)} of ${asCount(map.count)}`;
    const list = one("[data-legend]");
    list.replaceChildren();
    if (!facet) return;
    const entries = facet.classes.map((name, code) => [code, name, facet.counts[code], facet.palette.get(code) || map.other]);
    const blank = facet.values.filter((row) => !row.length).length;
    if (blank) entries.push([-1, "none", blank, map.none]);
    for (const [code, name, number, color] of entries) {
      const swatch = el("span", { class: "swatch", "aria-hidden": "true" });
      swatch.style.background = color;
      list.append(el("li", null, el("button", {
        type: "button", "aria-pressed": String(facet.chosen.has(code)), "data-code": String(code),
        onclick: () => choose(facet, code),
      }, swatch, el("bdi", { class: "name" }, name), el("span", { class: "number" }, asCount(number)))));
    }
  }

  function choose(facet, code) {
    if (!facet.chosen.delete(code)) facet.chosen.add(code);
    const list = one("[data-legend]"), scrolled = list.scrollTop;
    refresh();
    list.scrollTop = scrolled;
    const again = list.querySelector(`[data-code="${code}"]`);
    if (again) again.focus({ preventScroll: true });
    say(`${asCount(shown.activeCount)} of ${asCount(map.count)} pictures`);
  }

  function fillFilters() {
    const clearing = (facet) => () => { facet.chosen.clear(); refresh(); };
    const chips = [];
    for (const facet of map.facets) {
      if (!facet.chosen.size || facet === shown.facet) continue;
      const names = [...facet.chosen].map((code) => (code < 0 ? "none" : facet.classes[code])).join(", ");
      chips.push(el("button", { type: "button", "aria-label": `Remove the filter ${facet.name}: ${names}`, onclick: clearing(facet) },
        `${facet.name}: ${names} ×`));
    }
    if (shown.facet && shown.facet.chosen.size) {
      chips.push(el("button", { type: "button", onclick: clearing(shown.facet) }, `clear ${shown.facet.name} ×`));
    }
    one("[data-filters]").replaceChildren(...chips);
  }

  function fillResults() {
    const list = one("[data-results]");
    list.replaceChildren();
    if (!shown.query.trim()) return;
    let listed = 0;
    for (let i = 0; i < map.count && listed < MOST_RESULTS; i += 1) {
      if (!shown.active[i]) continue;
      listed += 1;
      list.append(el("li", null, el("button", { type: "button", title: map.uris[i],
        onclick: () => { canvas.centerOn(i, 48); reach(i); } }, el("bdi", null, baseName(map.uris[i])))));
    }
    const more = shown.activeCount - listed;
    if (more > 0 || !listed) list.append(el("li", { class: "note" }, listed ? `and ${asCount(more)} more` : "nothing found"));
  }

  function search(query) {
    shown.query = query;
    refresh();
  }

  const choice = one("#color");
  choice.append(...map.facets.map((facet) => el("option", { value: facet.name }, facet.name)), el("option", { value: "" }, "nothing"));
  choice.value = shown.facet ? shown.facet.name : "";
  choice.addEventListener("change", () => {
    shown.facet = map.facets.find((facet) => facet.name === choice.value) || null;
    refresh();
  });
  one("#layout").addEventListener("change", (event) => {
    shown.layout = event.target.value;
    arrange(map);
    canvas.changed(true);
    showCard(shown.current);
  });
  one("#search").addEventListener("input", (event) => {
    search(event.target.value);
    say(`${asCount(shown.activeCount)} pictures`);
  });
  one("#search").addEventListener("keydown", (event) => {
    const first = one("[data-results] button");
    if (event.key === "Enter" && first) first.click();
  });
  return { refresh, search };
}
