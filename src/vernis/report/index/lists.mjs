// A list with search, filters and pages. Only one page is in the document at a time.
function makeList(host, options) {
  const rows = vernis.rows[options.name];
  if (!rows) return null;
  const items = host.querySelector("[data-items]");
  const pager = host.querySelector("[data-pager]");
  const toolbar = host.querySelector("[data-toolbar]");
  const state = { query: "", filters: {}, page: 0, found: rows };
  const counted = el("span", { class: "counted" });

  const noun = options.noun[rows.length === 1 ? 0 : 1];

  const pages = () => Math.max(1, Math.ceil(state.found.length / options.pageSize));

  function search() {
    const words = state.query.toLowerCase().split(/\s+/).filter(Boolean);
    state.found = rows.filter((row) =>
      Object.entries(state.filters).every(([key, wanted]) => wanted === "" || options.filters[key].of(row) === wanted) &&
      (words.length === 0 || words.every((word) => textOf(row).includes(word))));
    show(0);
  }

  const texts = new Map();
  function textOf(row) {
    let text = texts.get(row);
    if (text === undefined) {
      text = options.text(row).join("\n").toLowerCase();
      texts.set(row, text);
    }
    return text;
  }

  function show(page) {
    state.page = Math.min(Math.max(page, 0), pages() - 1);
    const from = state.page * options.pageSize;
    const shown = state.found.slice(from, from + options.pageSize);
    items.replaceChildren(...shown.map((row, i) => {
      const node = options.card(row);
      node.tabIndex = -1;
      node.dataset.item = String(from + i);
      node.row = row;
      return node;
    }));
    if (!shown.length) items.append(el("li", { class: "nothing" }, "Nothing matches. Clear the search or the filters."));
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
      el("select", { onchange: (event) => { state.filters[key] = event.target.value; search(); } },
        entries.map(([value, text, count]) => el("option", { value }, value ? text + " (" + asCount(count) + ")" : text))));
  }

  function segments(key, filter, entries) {
    const group = el("div", { class: "segments", role: "group", "aria-label": filter.name });
    group.append(...entries.map(([value, text, count]) => el("button", {
      type: "button", "aria-pressed": String(value === ""),
      onclick: (event) => {
        state.filters[key] = value;
        for (const other of group.children) other.setAttribute("aria-pressed", String(other === event.currentTarget));
        search();
      },
    }, text, value ? el("span", { class: "badge" }, asCount(count)) : null)));
    return group;
  }

  function drawToolbar() {
    const parts = [];
    for (const [key, filter] of Object.entries(options.filters)) {
      const values = [...new Set(rows.map(filter.of))];
      if (values.length < 2) continue;
      const counts = new Map();
      for (const row of rows) counts.set(filter.of(row), (counts.get(filter.of(row)) || 0) + 1);
      state.filters[key] = "";
      const entries = [["", filter.all, rows.length], ...values.map((value) => [value, filter.say ? filter.say(value) : value, counts.get(value)])];
      parts.push(entries.length <= 6 && entries.map(([, text]) => text).join("").length < 64
        ? segments(key, filter, entries) : choice(key, filter, entries));
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
  return {
    host, items, rows,
    get page() { return state.page; },
    get pages() { return pages(); },
    get found() { return state.found; },
    turn, show,
    redraw: () => show(state.page),
  };
}
