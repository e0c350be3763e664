// The arithmetic of the grid: places, what is seen, keys, selection, filters by facets.
import assert from "node:assert/strict";
import { test } from "node:test";
import { holdsPart, layout, move, scrollTo, seen, Selection, togglePart } from "../../src/vernis/web/app/grid.mjs";

const MEASURES = { width: 1000, height: 600, cell: 156, gap: 8, foot: 38, count: 57000 };

test("the place of every picture is arithmetic", () => {
  const made = layout(MEASURES);
  assert.deepEqual(made, { columns: 6, side: 160, row: 206, rows: 9500, height: 9500 * 206 - 8 });
  assert.equal(layout({ ...MEASURES, width: 50 }).columns, 1);
  assert.equal(layout({ ...MEASURES, count: 0 }).height, 0);
});

test("as many are drawn as are seen, however far down", () => {
  const made = layout(MEASURES);
  for (const top of [0, 100000, made.height - 600]) {
    const [first, last] = seen(made, top, 600, 57000, 2);
    assert.ok(last - first <= 6 * 9);
    assert.ok(first * 1 <= Math.floor(top / made.row) * 6);
    assert.ok(last >= Math.min(57000, Math.ceil((top + 600) / made.row) * 6));
  }
  assert.deepEqual(seen(made, 0, 600, 4, 2), [0, 4]);
  assert.deepEqual(seen(made, 0, 600, 0, 2), [0, 0]);
});

test("keys walk by picture, row and page, and End is the last", () => {
  const made = layout(MEASURES);
  assert.equal(move(0, "End", made, 600, 57000), 56999);
  assert.equal(move(56999, "Home", made, 600, 57000), 0);
  assert.equal(move(3, "ArrowDown", made, 600, 57000), 9);
  assert.equal(move(3, "ArrowUp", made, 600, 57000), 3);
  assert.equal(move(3, "PageDown", made, 600, 57000), 3 + 2 * 6);
  assert.equal(move(56998, "ArrowDown", made, 600, 57000), 56999);
  assert.equal(move(0, "ArrowLeft", made, 600, 57000), 0);
});

test("a picture is scrolled to only where it is not seen whole", () => {
  const made = layout(MEASURES);
  assert.equal(scrollTo(made, 0, 0, 600, 8), null);
  assert.equal(scrollTo(made, 0, 50, 600, 8), 0);
  assert.equal(scrollTo(made, 18, 0, 600, 8), 4 * 206 - 8 - 600);
  assert.equal(scrollTo(made, 56999, 0, 600, 8), 9500 * 206 - 8 - 600);
});

test("Shift selects from the anchor, Ctrl one by one", () => {
  const order = new Uint32Array([5, 3, 9, 7, 1]);
  const chosen = new Selection();
  chosen.toggle(order, 1);
  chosen.extend(order, 3);
  assert.deepEqual([...chosen.ids], [3, 9, 7]);
  chosen.toggle(order, 2);
  assert.equal(chosen.has(9), false);
  chosen.all(order);
  assert.equal(chosen.size, 5);
  chosen.clear();
  chosen.extend(order, 2);
  assert.deepEqual([...chosen.ids], [9]);
});

test("facets add their part to a filter and take it out again", () => {
  assert.equal(togglePart("", "kind:tea"), "kind:tea");
  assert.equal(togglePart("kind:tea", "brand:arla"), "kind:tea and brand:arla");
  assert.equal(togglePart("kind:tea and brand:arla", "kind:tea"), "brand:arla");
  assert.equal(holdsPart("kind:tea and brand:arla", "brand:arla"), true);
  assert.equal(holdsPart("kind:tea", "kind:te"), false);
});
