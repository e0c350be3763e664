// The logic of the report's page: what a list finds and shows, what marks become, what keys do.
import assert from "node:assert/strict";
import { test } from "node:test";
import { readSection } from "../../src/vernis/report/index/contents.mjs";
import { pathOf } from "../../src/vernis/report/index/curves.mjs";
import { commandsOf, fileOf, quoted } from "../../src/vernis/report/index/decisions.mjs";
import { countPages, entriesOf, findRows, makeTextOf, pageOf } from "../../src/vernis/report/index/finding.mjs";
import { startKeys } from "../../src/vernis/report/index/keys.mjs";
import { fillRows, isAdded, isRemoved, issueRows, qualityRows, sideOf } from "../../src/vernis/report/index/rows.mjs";
import { valueOf } from "../../src/vernis/report/index/tables.mjs";
import { asCount, asPercent, asSize, baseName, compareValues, folderName, transformName } from "../../src/vernis/web/shared/wording.mjs";

const ISSUES = issueRows([
  { taxonomy: "kind", items: [
    { image: 1, change: "replaced", given: ["fruit"], suggested: ["milk"] },
    { image: 2, change: "missing", given: ["milk"], suggested: ["milk", "tea"] }] },
  { taxonomy: "brand", items: [{ image: 3, change: "extra", given: ["Arla"], suggested: [] }] },
]);
const FILTERS = {
  taxonomy: { name: "Taxonomy", all: "All", of: (row) => row.taxonomy },
  change: { name: "Change", all: "Any", of: (row) => row.change, say: (value) => value.toUpperCase() },
};
const textOf = makeTextOf((row) => [row.taxonomy, ...row.given, ...row.suggested]);
const find = (query, chosen = {}) => findRows(ISSUES, { query, chosen, filters: FILTERS, textOf }).map((row) => row.image);

test("rows know their taxonomy and their rank in it", () => {
  assert.deepEqual(ISSUES.map(({ image, taxonomy, rank }) => [image, taxonomy, rank]), [[1, "kind", 1], [2, "kind", 2], [3, "brand", 1]]);
  assert.deepEqual(qualityRows([{ kind: "dark", name: "Dark", items: [{ image: 4, score: 0.1 }] }]), [{ image: 4, score: 0.1, kind: "Dark" }]);
  assert.deepEqual(fillRows([{ taxonomy: "kind", items: [{ image: 5, label: "tea" }] }]), [{ image: 5, label: "tea", taxonomy: "kind" }]);
});

test("marks become a file that names images by path and says what was suggested", () => {
  const marked = new Map([[ISSUES[0], "accept"], [ISSUES[2], "dismiss"]]);
  const file = JSON.parse(fileOf(marked, (id) => "a/" + id + ".jpg"));
  assert.deepEqual([file.format, file.version], ["vernis decisions", 1]);
  assert.deepEqual(file.verdicts, [
    { image: "a/1.jpg", kind: "label", taxonomy: "kind", verdict: "accepted", given: ["fruit"], suggested: ["milk"] },
    { image: "a/3.jpg", kind: "label", taxonomy: "brand", verdict: "dismissed", given: ["Arla"], suggested: [] }]);
});

test("a search finds rows with every word, in any case and order", () => {
  assert.deepEqual(find(""), [1, 2, 3]);
  assert.deepEqual(find("  Milk "), [1, 2]);
  assert.deepEqual(find("tea MILK"), [2]);
  assert.deepEqual(find("milk Arla"), []);
});

test("filters and search hold together; the empty value is any", () => {
  assert.deepEqual(find("", { taxonomy: "kind", change: "" }), [1, 2]);
  assert.deepEqual(find("", { taxonomy: "kind", change: "missing" }), [2]);
  assert.deepEqual(find("arla", { taxonomy: "kind" }), []);
});

test("a filter offers its values with their numbers, none where there is one value", () => {
  assert.deepEqual(entriesOf(ISSUES, FILTERS.taxonomy), [["", "All", 3], ["kind", "kind", 2], ["brand", "brand", 1]]);
  assert.deepEqual(entriesOf(ISSUES, FILTERS.change).map(([, text]) => text), ["Any", "REPLACED", "MISSING", "EXTRA"]);
  assert.deepEqual(entriesOf(ISSUES.slice(0, 2), FILTERS.taxonomy), []);
});

test("a page holds its part of what was found, and no page lies outside", () => {
  const rows = [...Array(25).keys()];
  assert.equal(countPages(rows, 12), 3);
  assert.equal(countPages([], 12), 1);
  assert.deepEqual(pageOf(rows, 2, 12), { number: 2, from: 24, rows: [24] });
  assert.equal(pageOf(rows, 99, 12).number, 2);
  assert.equal(pageOf(rows, -1, 12).number, 0);
});

test("the text of a row is made once", () => {
  let made = 0;
  const text = makeTextOf(() => { made += 1; return ["A", "b"]; });
  const row = {};
  assert.equal(text(row) + text(row), "a\nba\nb");
  assert.equal(made, 1);
});

test("a replaced label is taken away and another added; what stays is neither", () => {
  const row = { change: "replaced", given: ["a", "b"], suggested: ["b", "c"] };
  assert.deepEqual(row.given.map((label) => isRemoved(row, label)), [true, false]);
  assert.deepEqual(row.suggested.map((label) => isAdded(row, label)), [false, true]);
  assert.equal(isRemoved({ ...row, change: "missing" }, "a"), false);
  assert.equal(isAdded({ ...row, change: "extra" }, "c"), false);
});

test("a neighbour speaks for what it carries", () => {
  const row = { change: "replaced", given: ["a"], suggested: ["c"] };
  assert.deepEqual(["c", "a", "a, c", "d", "c, d"].map((label) => sideOf(row, label)), ["for", "against", "", "", "for"]);
  const extra = { change: "extra", given: ["a"], suggested: [] };
  assert.deepEqual(["a", "d"].map((label) => sideOf(extra, label)), ["against", "for"]);
});

test("marks become one command for each verdict and taxonomy, quoted for the shell", () => {
  const other = { image: 9, taxonomy: "it's new; rm -rf" };
  const marked = new Map([[ISSUES[0], "accept"], [ISSUES[2], "accept"], [ISSUES[1], "accept"], [other, "dismiss"]]);
  assert.deepEqual(commandsOf(marked), [
    "vernis accept kind 1 2",
    "vernis accept brand 3",
    "vernis dismiss 'it'\\''s new; rm -rf' 9",
  ]);
  assert.deepEqual(commandsOf(new Map()), []);
  assert.equal(quoted("a/b.c-d@e+f=g:h%"), "a/b.c-d@e+f=g:h%");
  assert.equal(quoted("$(x)"), "'$(x)'");
  assert.equal(quoted(""), "''");
});

test("a curve is drawn into its frame, unknown places left out", () => {
  assert.equal(pathOf([10, 20, 100, 50], [0, 0.5, 1], [1, null, 0]), "M10.0 20.0L110.0 70.0");
  assert.equal(pathOf([0, 0, 1, 1], [0], [null]), "");
});

test("cells sort by value, the unknown last both ways", () => {
  const cell = (text, value) => ({ textContent: text, dataset: value === undefined ? {} : { value } });
  assert.deepEqual([cell("7"), cell(" fish "), cell("1,200", "1200"), cell("–"), cell("–", "nan"), cell("")].map(valueOf), [7, "fish", 1200, null, null, null]);
  const values = [null, 10, 9, null, 100];
  assert.deepEqual([...values].sort((a, b) => compareValues(a, b, true)), [9, 10, 100, null, null]);
  assert.deepEqual([...values].sort((a, b) => compareValues(a, b, false)), [100, 10, 9, null, null]);
  assert.deepEqual(["b", "ä", "a"].sort((a, b) => compareValues(a, b, true)), ["a", "ä", "b"]);
});

test("numbers and names read well", () => {
  assert.equal(asCount(5421), "5,421");
  assert.deepEqual([null, 0, 0.001, 0.335, 0.999, 1].map(asPercent), ["–", "0%", "<1%", "34%", ">99%", "100%"]);
  assert.deepEqual([0, 999, 1500, 20000, 3400000].map(asSize), ["0 B", "999 B", "1.5 kB", "20 kB", "3.4 MB"]);
  assert.deepEqual([baseName("a/b/c.jpg"), folderName("a/b/c.jpg"), folderName("c.jpg")], ["c.jpg", "a/b/", ""]);
  assert.deepEqual(["", "hflip", "crop+new_thing"].map(transformName), ["copy", "mirrored", "cropped, new thing"]);
});

test("the section that is read is the last above the line, at the end the last of all", () => {
  assert.equal(readSection([-900, -10, 200, 800], 300, false), 2);
  assert.equal(readSection([100, 500], 50, false), 0);
  assert.equal(readSection([-900, -10, 200, 800], 300, true), 3);
});

// ---------------------------------------------------------------- keys

// A document with one list of issues, of which the first has the focus.
function pressKeys(...keys) {
  const nodes = ISSUES.slice(0, 2).map((row, i) => ({
    row, dataset: { item: String(i) }, tagName: "LI",
    closest(selector) { return selector === "[data-list]" ? host : this; },
    focus() { document.activeElement = this; },
    scrollIntoView() {},
    matches: () => false,
    querySelector: () => "its picture",
  }));
  const host = { getBoundingClientRect: () => ({ top: 0, bottom: 10 }), closest: () => host, querySelector: () => null };
  const list = { host, items: { children: nodes, firstElementChild: nodes[0], lastElementChild: nodes[1] }, page: 0, pages: 2, turn(page) { this.page = page; } };
  const marked = new Map(), opened = [];
  let press;
  globalThis.innerHeight = 100;
  globalThis.document = {
    activeElement: nodes[0],
    addEventListener: (name, listener) => { press = listener; },
    querySelector: () => null,
  };
  startKeys({
    lists: [list], sections: [],
    lightbox: { open: (picture) => opened.push(picture) },
    decisions: { get: (row) => marked.get(row), toggle: (row, verdict) => marked.set(row, verdict) },
  });
  for (const key of keys) press({ key, target: document.activeElement, preventDefault() {}, ...(typeof key === "object" ? key : {}) });
  return { marked: [...marked].map(([row, verdict]) => [row.image, verdict]), opened, page: list.page, at: nodes.indexOf(document.activeElement) };
}

test("a and x mark the issue that has the focus and go on to the next", () => {
  assert.deepEqual(pressKeys("a", "x").marked, [[1, "accept"], [2, "dismiss"]]);
  assert.equal(pressKeys("a").at, 1);
});

test("j and k walk, over the end of a page to the next one", () => {
  assert.equal(pressKeys("j").at, 1);
  assert.equal(pressKeys("j", "k").at, 0);
  const over = pressKeys("j", "j");
  assert.deepEqual([over.page, over.at], [1, 0]);
});

test("o opens the picture; keys with Ctrl are the browser's", () => {
  assert.deepEqual(pressKeys("o").opened, ["its picture"]);
  assert.deepEqual(pressKeys({ key: "a", ctrlKey: true }).marked, []);
});
