// The diagram and its table: what is pointed at is lit, what is clicked stays alone.
import { el, readData } from "../../web/shared/dom.mjs";
import { startButtons } from "../../web/shared/theme.mjs";
import { asCount } from "../../web/shared/wording.mjs";
import { isChosen, isFiltered, nextSort, shownFlows } from "./choosing.mjs";

const { flows } = readData();
const diagram = document.getElementById("diagram");
const ribbons = [...diagram.querySelectorAll(".ribbon")];
const nodes = [...diagram.querySelectorAll(".node")]; // bars and names
const heads = [...document.querySelectorAll("th")];
const pinned = { left: new Set(), right: new Set() };
let sort = { key: "images", down: true };

const sideOf = (node) => (node.dataset.left !== undefined ? "left" : "right");
const numberOf = (node) => Number(node.dataset[sideOf(node)]);

function light(test) {
  const ends = { left: new Set(), right: new Set() };
  for (const ribbon of ribbons) {
    const left = Number(ribbon.dataset.left), right = Number(ribbon.dataset.right);
    const on = test(left, right);
    ribbon.classList.toggle("on", on);
    if (!on) continue;
    ends.left.add(left);
    ends.right.add(right);
  }
  for (const node of nodes) node.classList.toggle("on", ends[sideOf(node)].has(numberOf(node)));
  diagram.classList.add("dim");
}

function rest() {
  if (isFiltered(pinned)) light((left, right) => isChosen(pinned, left, right));
  else diagram.classList.remove("dim");
}

function fill() {
  const rows = shownFlows(flows, pinned, sort);
  document.getElementById("rows").replaceChildren(...rows.map((row) => el("tr", {},
    el("td", {}, row.from), el("td", {}, row.to), el("td", { class: "number" }, asCount(row.images)),
    el("td", { class: "number" }, (100 * row.share).toFixed(1) + " %"),
    el("td", { class: "number" }, row.lift === null ? "" : row.lift.toFixed(2)))));
  for (const head of heads) {
    const own = head.querySelector("button").dataset.key === sort.key;
    if (own) head.setAttribute("aria-sort", sort.down ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  }
  const total = rows.reduce((sum, row) => sum + row.images, 0);
  document.getElementById("state").textContent = isFiltered(pinned)
    ? asCount(rows.length) + " of " + asCount(flows.length) + " flows, " + asCount(total) + " pairs of image and label"
    : "";
}

function show() {
  for (const node of nodes) {
    const chosen = pinned[sideOf(node)].has(numberOf(node));
    node.classList.toggle("chosen", chosen);
    if (node.hasAttribute("aria-pressed")) node.setAttribute("aria-pressed", String(chosen));
  }
  rest();
  fill();
}

function toggle(node) {
  const side = pinned[sideOf(node)];
  if (!side.delete(numberOf(node))) side.add(numberOf(node));
  show();
}

for (const node of nodes) {
  const side = sideOf(node), number = numberOf(node);
  const follow = () => light((left, right) => (side === "left" ? left : right) === number);
  node.addEventListener("pointerenter", follow);
  node.addEventListener("pointerleave", rest);
  node.addEventListener("focus", follow);
  node.addEventListener("blur", rest);
  node.addEventListener("click", () => toggle(node));
  node.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    toggle(node);
  });
}
for (const ribbon of ribbons) {
  const { left, right } = ribbon.dataset;
  ribbon.addEventListener("pointerenter", () => light((l, r) => l === Number(left) && r === Number(right)));
  ribbon.addEventListener("pointerleave", rest);
}
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  pinned.left.clear();
  pinned.right.clear();
  show();
});
for (const head of heads) {
  head.addEventListener("click", () => { sort = nextSort(sort, head.querySelector("button").dataset.key); fill(); });
}
startButtons();
fill();
