// One image after the other; what is judged is kept in the browser until the file is saved.
import { el, readData } from "../../web/shared/dom.mjs";
import { asCsv, choose, furtherClasses, offered } from "../../web/shared/judging.mjs";

const by = (id) => document.getElementById(id);
const sample = readData();
const key = "vernis-sample-" + sample.key;
let judged = {};
let at = 0;
try { judged = JSON.parse(localStorage.getItem(key) || "{}"); } catch (error) { judged = {}; }

function judge(label) {
  const name = sample.images[at].image;
  const chosen = label === undefined ? undefined : choose(judged[name], label, sample.kind);
  if (chosen === undefined) delete judged[name];
  else judged[name] = chosen;
  // Private windows may refuse storage: the judgements then live until the page is closed.
  try { localStorage.setItem(key, JSON.stringify(judged)); } catch (error) { /* see above */ }
  if (sample.kind === "single" && label !== undefined) move(1);
  else show();
}

function move(step) {
  at = Math.min(sample.images.length - 1, Math.max(0, at + step));
  by("find").value = "";
  show();
}

function button(label, number) {
  const now = judged[sample.images[at].image];
  const pressed = now !== undefined && (label === null ? now.length === 0 : now.includes(label));
  return el("button", { type: "button", "aria-pressed": String(pressed), onclick: () => judge(label) },
    number !== undefined && number < 10 ? el("kbd", {}, String(number)) : null,
    label === null ? "none of them" : label);
}

function show() {
  const row = sample.images[at];
  const picture = by("picture");
  if (row.thumb) picture.src = row.thumb; else picture.removeAttribute("src");
  picture.alt = "image " + (at + 1);
  // Folders and names often hold the label: they are shown on asking alone.
  by("name").textContent = (at + 1) + " of " + sample.images.length;
  by("name").title = row.image;
  by("question").textContent = sample.kind === "single"
    ? "Which class of “" + sample.taxonomy + "” is it?"
    : "Which classes of “" + sample.taxonomy + "” does it carry?";
  const first = offered(row, judged[row.image]);
  by("candidates").replaceChildren(...first.map((label, number) => button(label, number + 1)), button(null, 0));
  const others = furtherClasses(sample.classes, first, by("find").value);
  by("others").replaceChildren(...others.map((label) => button(label)));
  const done = sample.images.filter((image) => judged[image.image] !== undefined).length;
  by("bar").max = sample.images.length;
  by("bar").value = done;
  by("count").textContent = done + " of " + sample.images.length + " judged";
}

function save() {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([asCsv(sample, judged)], { type: "text/csv" }));
  link.download = "truth.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

by("save").addEventListener("click", save);
by("back").addEventListener("click", () => move(-1));
by("next").addEventListener("click", () => move(1));
by("unjudge").addEventListener("click", () => judge(undefined));
by("find").addEventListener("input", show);
by("find").addEventListener("keydown", (event) => {
  event.stopPropagation();
  if (event.key === "Escape") { by("find").value = ""; by("find").blur(); show(); }
  if (event.key === "Enter" && by("others").firstElementChild && by("find").value.trim()) {
    by("find").blur();
    by("others").firstElementChild.click();
  }
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "ArrowRight") move(1);
  else if (event.key === "Enter" && event.target.tagName !== "BUTTON") move(1);
  else if (event.key === "ArrowLeft") move(-1);
  else if (event.key === "u") judge(undefined);
  else if (event.key === "/") { event.preventDefault(); by("find").focus(); }
  else if (event.key === "0") judge(null);
  else if (/^[1-9]$/.test(event.key)) {
    const buttons = by("candidates").children;
    if (Number(event.key) < buttons.length) buttons[Number(event.key) - 1].click();
  }
});
const open = sample.images.findIndex((row) => judged[row.image] === undefined);
at = open < 0 ? 0 : open;
show();
