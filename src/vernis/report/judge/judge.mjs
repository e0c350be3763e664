"use strict";
const by = (id) => document.getElementById(id);
const key = "vernis-sample-" + sample.key;
let judged = {};
let at = 0;
try { judged = JSON.parse(localStorage.getItem(key) || "{}"); } catch (error) { judged = {}; }

function keep() {
  // Private windows may refuse storage: the judgements then live until the page is closed.
  try { localStorage.setItem(key, JSON.stringify(judged)); } catch (error) { /* see above */ }
}

function choose(label) {
  const name = sample.images[at].image;
  const now = judged[name];
  if (label === null) judged[name] = [];
  else if (sample.kind === "single") judged[name] = [label];
  else if (now && now.includes(label)) judged[name] = now.filter((other) => other !== label);
  else judged[name] = [...(now || []), label].sort();
  // Who takes the last class back has not said that there is none: 0 says so.
  if (label !== null && !judged[name].length) delete judged[name];
  keep();
  if (sample.kind === "single") move(1); else show();
}

function move(step) {
  at = Math.min(sample.images.length - 1, Math.max(0, at + step));
  by("find").value = "";
  show();
}

function button(label, number) {
  const now = judged[sample.images[at].image];
  const made = document.createElement("button");
  made.type = "button";
  if (number !== undefined && number < 10) {
    const mark = document.createElement("kbd");
    mark.textContent = number;
    made.append(mark);
  }
  made.append(label === null ? "none of them" : label);
  const pressed = now !== undefined && (label === null ? now.length === 0 : now.includes(label));
  made.setAttribute("aria-pressed", pressed);
  made.addEventListener("click", () => choose(label));
  return made;
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
  const now = judged[row.image] || [];
  const first = row.candidates.concat(now.filter((label) => !row.candidates.includes(label)));
  by("candidates").replaceChildren(
    ...first.map((label, number) => button(label, number + 1)), button(null, 0));
  const text = by("find").value.trim().toLowerCase();
  const others = sample.classes.filter(
    (label) => !first.includes(label) && label.toLowerCase().includes(text));
  by("others").replaceChildren(...others.slice(0, text ? 40 : 24).map((label) => button(label)));
  const done = sample.images.filter((image) => judged[image.image] !== undefined).length;
  by("bar").max = sample.images.length;
  by("bar").value = done;
  by("count").textContent = done + " of " + sample.images.length + " judged";
}

function cell(text) {
  return /[",\n\r]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
}

function save() {
  const lines = ["image,truth"];
  for (const row of sample.images) {
    const labels = judged[row.image];
    if (labels === undefined) continue;
    lines.push(cell(row.image) + "," + cell(labels.length ? labels.join("|") : sample.nothing));
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }));
  link.download = "truth.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

by("save").addEventListener("click", save);
by("back").addEventListener("click", () => move(-1));
by("next").addEventListener("click", () => move(1));
by("unjudge").addEventListener("click", () => {
  delete judged[sample.images[at].image];
  keep();
  show();
});
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
  else if (event.key === "u") by("unjudge").click();
  else if (event.key === "/") { event.preventDefault(); by("find").focus(); }
  else if (event.key === "0") choose(null);
  else if (/^[1-9]$/.test(event.key)) {
    const buttons = by("candidates").children;
    if (Number(event.key) < buttons.length) buttons[Number(event.key) - 1].click();
  }
});
const open = sample.images.findIndex((row) => judged[row.image] === undefined);
at = open < 0 ? 0 : open;
show();
