// The table behind a Sankey diagram: what the chosen labels leave, and its order.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isChosen, isFiltered, nextSort, shownFlows } from "../../src/vernis/report/flows/choosing.mjs";

const FLOWS = [
  { from: "Arla", to: "milk", images: 9, lift: 2, left: 0, right: 0 },
  { from: "Arla", to: "other", images: 1, lift: null, left: 0, right: 1 },
  { from: "Oatly", to: "milk", images: 4, lift: 0.5, left: 1, right: 0 },
];
const pinned = (left = [], right = []) => ({ left: new Set(left), right: new Set(right) });
const images = (pins, sort) => shownFlows(FLOWS, pins, sort).map((flow) => flow.images);

test("labels of a side are joined by or, the sides by and", () => {
  assert.equal(isChosen(pinned(), 5, 5), true);
  assert.equal(isChosen(pinned([0, 1], [0]), 1, 0), true);
  assert.equal(isChosen(pinned([0], [1]), 0, 0), false);
  assert.deepEqual([isFiltered(pinned()), isFiltered(pinned([], [1]))], [false, true]);
});

test("the table shows what is chosen in the order that was asked for", () => {
  assert.deepEqual(images(pinned(), { key: "images", down: true }), [9, 4, 1]);
  assert.deepEqual(images(pinned(), { key: "from", down: true }), [4, 9, 1]);
  assert.deepEqual(images(pinned(), { key: "lift", down: false }), [4, 9, 1]);
  assert.deepEqual(images(pinned([0]), { key: "lift", down: true }), [9, 1]);
  assert.deepEqual(FLOWS.map((flow) => flow.images), [9, 1, 4]);
});

test("a second click turns the order round; names begin upwards", () => {
  const first = nextSort({ key: "images", down: true }, "from");
  assert.deepEqual(first, { key: "from", down: false });
  assert.deepEqual(nextSort(first, "from"), { key: "from", down: true });
  assert.deepEqual(nextSort(first, "lift"), { key: "lift", down: true });
});
