// What the reader marks stays in the page; the tray turns it into commands to copy or a file.
import { el, one, say } from "../../web/shared/dom.mjs";
import { asCount } from "../../web/shared/wording.mjs";

export const quoted = (text) => (/^[\w./@%+=:-]+$/.test(text) ? text : "'" + text.replaceAll("'", "'\\''") + "'");

// One command for each verdict and taxonomy, in the order of marking: ``marked`` is row → verdict.
export function commandsOf(marked) {
  const groups = new Map();
  for (const [row, verdict] of marked) {
    const key = JSON.stringify([verdict, row.taxonomy]);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(row.image);
  }
  return [...groups].map(([key, ids]) => {
    const [verdict, taxonomy] = JSON.parse(key);
    return "vernis " + verdict + " " + quoted(taxonomy) + " " + ids.join(" ");
  });
}

// The file of ``vernis apply``; the images are named by their paths: the page knows no contents.
export function fileOf(marked, uriOf) {
  const verdicts = [...marked].map(([row, verdict]) => ({
    image: uriOf(row.image), kind: "label", taxonomy: row.taxonomy,
    verdict: verdict === "accept" ? "accepted" : "dismissed", given: row.given, suggested: row.suggested,
  }));
  return JSON.stringify({ format: "vernis decisions", version: 1, collection: "report", verdicts }, null, 1) + "\n";
}

export function makeDecisions(uriOf) {
  const marked = new Map();
  const tray = one("[data-tray]");

  function draw() {
    tray.hidden = marked.size === 0;
    const count = (verdict) => [...marked.values()].filter((v) => v === verdict).length;
    tray.replaceChildren(
      el("p", {}, el("strong", {}, asCount(count("accept"))), " accepted, ", el("strong", {}, asCount(count("dismiss"))), " dismissed. ",
        el("span", { class: "muted" }, "Nothing is changed until you run the commands, or ", el("code", {}, "vernis apply decisions.json"), ".")),
      el("button", { type: "button", class: "button primary copy", "data-copy": commandsOf(marked).join("\n") }, "Copy commands"),
      el("button", { type: "button", class: "button", onclick: save }, "Save decisions"),
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

  function save() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([fileOf(marked, uriOf)], { type: "application/json" }));
    link.download = "decisions.json";
    link.click();
    URL.revokeObjectURL(link.href);
    say("decisions.json saved; vernis apply decisions.json takes it over");
  }

  function clear() {
    const rows = [...marked.keys()];
    marked.clear();
    rows.forEach(paint);
    draw();
  }

  return { get: (row) => marked.get(row), toggle };
}
