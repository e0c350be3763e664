// What a map shows: places, colours, filters, and the way from picture to picture.
import assert from "node:assert/strict";
import { test } from "node:test";
import { arrange, filter, labelsOf, makeMap, nextActive, paint, spot } from "../../src/vernis/report/map/data.mjs";
import { nearestTo, nextTowards } from "../../src/vernis/web/shared/map-view.mjs";

// Four pictures in a row; the first has the class x, the second x and y, the third none.
const page = () => ({
  uris: ["a/red.jpg", "a/blue.jpg", "b/red.jpg", "b/green.jpg"],
  places: [0, 0, 10, 5, 20, 10, 5, 10], steps: 20,
  cells: [0, 0, 1, 0, 2, 0, 3, 0], columns: 4, rows: 2,
  colors: ["#1", "#2"], other: "#o", none: "#n", color: "kind",
  facets: [
    { name: "kind", classes: ["x", "y", "z"], values: [0, [0, 1], [], 2] },
    { name: "issue", classes: ["label"], values: [[], 0, [], 0] },
  ],
  levels: [],
});
const active = (map) => { filter(map); return [...map.shown.active]; };

test("classes are decoded and counted, the facet of the colours is found", () => {
  const map = makeMap(page());
  assert.equal(map.count, 4);
  assert.deepEqual(map.facets[0].values, [[0], [0, 1], [], [2]]);
  assert.deepEqual(map.facets[0].counts, [2, 1, 1]);
  assert.equal(map.shown.facet.name, "kind");
  assert.deepEqual(labelsOf(map, 1), [["kind", "x, y"], ["issue", "label"]]);
  assert.deepEqual(labelsOf(map, 2), []);
});

test("the rarest coloured class colours a picture, a chosen one gets a colour of its own", () => {
  const map = makeMap(page());
  paint(map);
  assert.deepEqual(map.shown.colors, ["#1", "#2", "#n", "#o"]);
  map.facets[0].chosen.add(2);
  paint(map);
  assert.deepEqual(map.shown.colors, ["#o", "#o", "#n", "#1"]);
  map.shown.facet = null;
  paint(map);
  assert.deepEqual(map.shown.colors, ["#o", "#o", "#o", "#o"]);
});

test("classes of a facet are joined by or, facets and search by and", () => {
  const map = makeMap(page());
  assert.deepEqual(active(map), [1, 1, 1, 1]);
  map.facets[0].chosen.add(1).add(2);
  assert.deepEqual(active(map), [0, 1, 0, 1]);
  map.facets[0].chosen.add(-1); // none
  assert.deepEqual(active(map), [0, 1, 1, 1]);
  map.facets[1].chosen.add(0);
  assert.deepEqual(active(map), [0, 1, 0, 1]);
  map.shown.query = " GREEN";
  assert.deepEqual(active(map), [0, 0, 0, 1]);
  assert.equal(map.shown.activeCount, 1);
});

test("pictures lie in the middle of their cells or at their exact places", () => {
  const map = makeMap(page());
  arrange(map);
  assert.deepEqual([...map.shown.x], [0.5, 1.5, 2.5, 3.5]);
  assert.deepEqual([...map.shown.y], [0.5, 0.5, 0.5, 0.5]);
  map.shown.layout = "exact";
  arrange(map);
  assert.deepEqual([...map.shown.x], [0, 2, 4, 1]);
  assert.deepEqual([...map.shown.y], [0, 0.5, 1, 1]);
});

test("arrows go to the nearest picture that the filters leave, and stay at the edge", () => {
  const map = makeMap(page());
  arrange(map);
  assert.equal(nextTowards(map, 0, 1, 0), 1);
  map.shown.active[1] = 0;
  assert.equal(nextTowards(map, 0, 1, 0), 2);
  assert.equal(nextTowards(map, 0, -1, 0), 0);
  assert.equal(nearestTo(map, 1.4, 0), 0);
});

test("n and p go round and skip what is filtered", () => {
  const map = makeMap(page());
  map.shown.active.set([0, 1, 0, 1]);
  assert.equal(nextActive(map, -1, 1), 1);
  assert.equal(nextActive(map, 3, 1), 1);
  assert.equal(nextActive(map, 1, -1), 3);
  map.shown.active.fill(0);
  assert.equal(nextActive(map, 1, 1), -1);
});

test("a thumbnail is found in its sheet", () => {
  const level = { edge: 16, columns: 2, sizes: [16, 12, 16, 12, 0, 0, 16, 12, 10, 16] };
  assert.deepEqual(spot(level, 3), { number: 0, left: 16, top: 16, width: 16, height: 12 });
  assert.deepEqual(spot(level, 4), { number: 1, left: 0, top: 0, width: 10, height: 16 });
  assert.equal(spot(level, 2), null);
});
