// A list with search, filters and pages. Only one page is in the document at a time.
import { el, say } from "../../web/shared/dom.mjs";
import { asCount } from "../../web/shared/wording.mjs";
import { countPages, entriesOf, findRows, makeTextOf, pageOf } from "./finding.mjs";

export function makeList(host, options) {
  const { rows, filters, pageSize } = options;
  const items = host.querySelector("[data-items]");
  const pager = host.querySelector("[data-pager]");
  const toolbar = host.querySelector("[data-toolbar]");
  const state = { query: "", chosen: {}, page: 0, found: rows };
  const counted = el("span", { class: "counted" });
  const noun = options.noun[rows.length === 1 ? 0 : 1];
  const textOf = makeTextOf(options.text);
  const pages = () => countPages(state.found, pageSize);

  function search() {
    state.found = findRows(rows, { query: state.query, chosen: state.chosen, filters, textOf });
    show(0);
  }

  function show(wanted) {
    const page = pageOf(state.found, wanted, pageSize);
    state.page = page.number;
    items.replaceChildren(...page.rows.map((row, i) => {
      const node = options.card(row);
      node.tabIndex = -1;
      node.dataset.item = String(page.from + i);
      node.row = row;
      return node;
    }));
    if (!page.rows.length) items.append(el("li", { class: "nothing" }, "Nothing matches. Clear the search or the filters."));
    counted.textContent = state.found.length === rows.length
      ? asCount(rows.length) + " " + noun
      : asCount(state.found.length) + " of " + asCount(rows.length) + " " + noun;
    drawPager();
  }

  function turn(page) {
    show(page);
    toolbar.scrollIntoView({ block: "start" });
    say("Page " + (state.page + 1) + " of " + pages());
  }

  function drawPager() {
    pager.hidden = pages() < 2;
    const button = (text, page, label) => el("button", {
      type: "button", class: "button", "aria-label": label,
      disabled: page < 0 || page >= pages() || page === state.page,
      onclick: () => turn(page),
    }, text);
    pager.replaceChildren(
      button("First", 0, "First page"),
      button("Previous", state.page - 1, "Previous page"),
      el("span", { class: "pages" }, "Page " + asCount(state.page + 1) + " of " + asCount(pages())),
      button("Next", state.page + 1, "Next page"),
      button("Last", pages() - 1, "Last page"));
  }

  function choice(key, filter, entries) {
    return el("label", { class: "field" }, el("span", { class: "visually-hidden" }, filter.name),
      el("select", { onchange: (event) => { state.chosen[key] = event.target.value; search(); } },
        entries.map(([value, text, count]) => el("option", { value }, value ? text + " (" + asCount(count) + ")" : text))));
  }

  function segments(key, filter, entries) {
    const group = el("div", { class: "segments", role: "group", "aria-label": filter.name });
    group.append(...entries.map(([value, text, count]) => el("button", {
      type: "button", "aria-pressed": String(value === ""),
      onclick: (event) => {
        state.chosen[key] = value;
        for (const other of group.children) other.setAttribute("aria-pressed", String(other === event.currentTarget));
        search();
      },
    }, text, value ? el("span", { class: "badge" }, asCount(count)) : null)));
    return group;
  }

  function drawToolbar() {
    const parts = [];
    for (const [key, filter] of Object.entries(filters)) {
      const entries = entriesOf(rows, filter);
      if (!entries.length) continue;
      const isShort = entries.length <= 6 && entries.map(([, text]) => text).join("").length < 64;
      parts.push(isShort ? segments(key, filter, entries) : choice(key, filter, entries));
    }
    let timer = 0;
    const box = el("input", {
      type: "search", placeholder: options.placeholder, "aria-label": options.placeholder, "data-search": true,
      oninput: (event) => {
        clearTimeout(timer);
        timer = setTimeout(() => { state.query = event.target.value; search(); }, 120);
      },
    });
    toolbar.replaceChildren(el("label", { class: "field search" }, box, el("kbd", { "aria-hidden": "true" }, "/")), ...parts, counted);
  }

  drawToolbar();
  show(0);
  return { host, items, turn, get page() { return state.page; }, get pages() { return pages(); } };
}
