// What the reader marks stays in the page; the tray turns it into commands to copy.
const decisions = (function () {
  const marked = new Map();
  const tray = document.querySelector("[data-tray]");
  const quoted = (text) => (/^[\w./@%+=:-]+$/.test(text) ? text : "'" + text.replaceAll("'", "'\\''") + "'");

  function commands() {
    const groups = new Map();
    for (const [row, verdict] of marked) {
      const key = JSON.stringify([verdict, row.t]);
      if (!groups.has(key)) groups.set(key, []);
      groups.get(key).push(row.i);
    }
    return [...groups].map(([key, ids]) => {
      const [verdict, taxonomy] = JSON.parse(key);
      return "vernis " + verdict + " " + quoted(taxonomy) + " " + ids.join(" ");
    });
  }

  function draw() {
    tray.hidden = marked.size === 0;
    const count = (verdict) => [...marked.values()].filter((v) => v === verdict).length;
    const text = commands().join("\n");
    tray.replaceChildren(
      el("p", {}, el("strong", {}, asCount(count("accept"))), " accepted, ", el("strong", {}, asCount(count("dismiss"))), " dismissed. ",
        el("span", { class: "muted" }, "Nothing is changed until you run the commands.")),
      el("button", { type: "button", class: "button primary copy", "data-copy": text }, "Copy commands"),
      el("button", { type: "button", class: "button", onclick: clear }, "Clear"));
  }

  function paint(row) {
    for (const node of document.querySelectorAll(".item.issue")) {
      if (node.row !== row) continue;
      const verdict = marked.get(row) || "";
      node.dataset.decision = verdict;
      for (const button of node.querySelectorAll("[data-mark]")) {
        button.setAttribute("aria-pressed", String(button.dataset.mark === verdict));
      }
    }
  }

  function toggle(row, verdict) {
    if (marked.get(row) === verdict) marked.delete(row);
    else marked.set(row, verdict);
    paint(row);
    draw();
    say(marked.has(row) ? verdict + " marked" : "mark removed");
  }

  function clear() {
    const rows = [...marked.keys()];
    marked.clear();
    rows.forEach(paint);
    draw();
  }

  return { get: (row) => marked.get(row), toggle };
})();
