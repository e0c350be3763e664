// Tables that sort by a click on a column, and threshold curves of the class that is chosen.
function makeSortable(table) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const value = (row, i) => {
    const cell = row.cells[i];
    const text = cell.dataset.value !== undefined ? cell.dataset.value : cell.textContent.trim();
    const number = Number(text);
    return text === "" || text === "nan" || text === "–" ? null : Number.isNaN(number) ? text : number;
  };
  heads.forEach((head, i) => {
    const button = el("button", { type: "button", class: "sort" }, head.textContent);
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") === "descending" || (head.ariaSort !== "ascending" && i === 0);
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const sign = up ? 1 : -1;
      const rows = [...body.rows].map((row) => [value(row, i), row]);
      rows.sort(([a], [b]) => {
        if (a === null || b === null) return (a === null) - (b === null);
        return sign * (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
      });
      body.append(...rows.map(([, row]) => row));
    });
  });
}

function makeCurves(select) {
  const model = Number(select.dataset.curve);
  const host = document.querySelector('[data-curves="' + model + '"]');
  const svg = host.querySelector("svg");
  const [left, top, room, rise] = svg.dataset.frame.split(" ").map(Number);
  select.addEventListener("change", () => {
    const curve = vernis.rows.curves[model][Number(select.value)];
    for (const path of host.querySelectorAll("[data-series]")) {
      const points = curve[path.dataset.series].map((y, i) => [curve.t[i], y]).filter(([, y]) => y !== null);
      path.setAttribute("d", points.length
        ? "M" + points.map(([x, y]) => (left + room * x).toFixed(1) + " " + (top + rise * (1 - y)).toFixed(1)).join("L") : "");
    }
    const marker = host.querySelector("[data-marker]");
    marker.setAttribute("visibility", curve.c === null ? "hidden" : "visible");
    if (curve.c !== null) marker.setAttribute("transform", "translate(" + (left + room * curve.c).toFixed(1) + " 0)");
    svg.setAttribute("aria-label", "Precision, recall and F1 of " + curve.l + " over the threshold");
  });
}

document.querySelectorAll("table[data-sortable]").forEach(makeSortable);
document.querySelectorAll("[data-curve]").forEach(makeCurves);
