// Tables that sort by a click on a column.
import { el } from "../../web/shared/dom.mjs";
import { compareValues } from "../../web/shared/wording.mjs";

// A cell sorts by its data-value where it has one, else by its text; null where it is unknown.
export function valueOf(cell) {
  const text = cell.dataset.value !== undefined ? cell.dataset.value : cell.textContent.trim();
  if (text === "" || text === "nan" || text === "–") return null;
  const number = Number(text);
  return Number.isNaN(number) ? text : number;
}

export function makeSortable(table) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, i) => {
    const button = el("button", { type: "button", class: "sort" }, head.textContent);
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const sorted = head.getAttribute("aria-sort");
      const up = sorted === "descending" || (sorted !== "ascending" && i === 0);
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const rows = [...body.rows].map((row) => [valueOf(row.cells[i]), row]);
      rows.sort(([a], [b]) => compareValues(a, b, up));
      body.append(...rows.map(([, row]) => row));
    });
  });
}
