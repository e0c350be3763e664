// The geometry of boxes that are drawn by hand, and the classes that keys give.
import assert from "node:assert/strict";
import { test } from "node:test";
import { asNumbers, boxBetween, boxesOf, ClassKeys, cycled, grown, HANDLES, hitAt, isDrawn, moved, resized } from "../../src/vernis/web/app/boxes.mjs";

const picture = { width: 100, height: 80 };
const box = { x: 20, y: 10, width: 30, height: 40 };

test("a box lies between two points, whichever was first, and ends at the edges", () => {
  assert.deepEqual(boxBetween({ x: 50, y: 50 }, { x: 20, y: 10 }, picture), box);
  assert.deepEqual(boxBetween({ x: -5, y: 60 }, { x: 10, y: 200 }, picture), { x: 0, y: 60, width: 10, height: 20 });
});

test("each handle moves its own sides and no other", () => {
  const to = { x: 60, y: 70 };
  const expected = {
    nw: { x: 50, y: 50, width: 10, height: 20 }, n: { x: 20, y: 50, width: 30, height: 20 }, ne: { x: 20, y: 50, width: 40, height: 20 },
    e: { x: 20, y: 10, width: 40, height: 40 }, se: { x: 20, y: 10, width: 40, height: 60 }, s: { x: 20, y: 10, width: 30, height: 60 },
    sw: { x: 50, y: 10, width: 10, height: 60 }, w: { x: 50, y: 10, width: 10, height: 40 },
  };
  assert.equal(HANDLES.length, 8);
  for (const handle of HANDLES) assert.deepEqual(resized(box, handle, to, picture), expected[handle], handle);
});

test("a moved box stays whole inside the picture, a grown one ends at its edge", () => {
  assert.deepEqual(moved(box, -100, 500, picture), { x: 0, y: 40, width: 30, height: 40 });
  assert.deepEqual(moved(box, 5, -3, picture), { x: 25, y: 7, width: 30, height: 40 });
  assert.deepEqual(grown(box, 500, -500, picture), { x: 20, y: 10, width: 80, height: 1 });
});

test("of boxes in one another the smallest is meant, and a click is no box", () => {
  const outer = { box };
  const inner = { box: { x: 25, y: 15, width: 5, height: 5 } };
  assert.equal(hitAt([outer, inner], 26, 16), inner);
  assert.equal(hitAt([inner, outer], 45, 45), outer);
  assert.equal(hitAt([inner, outer], 90, 5), null);
  assert.equal(isDrawn({ x: 0, y: 0, width: 3, height: 9 }, 4), false);
  assert.equal(isDrawn(box, 4), true);
});

test("boxes are walked round and round", () => {
  assert.equal(cycled(["a", "b", "c"], "c", 1), "a");
  assert.equal(cycled(["a", "b", "c"], null, -1), "c");
  assert.equal(cycled(["a", "b"], null, 1), "a");
  assert.equal(cycled([], null, 1), null);
});

test("the last class repeats, and a class keeps its digit while it is used", () => {
  const keys = new ClassKeys(["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]);
  assert.equal(keys.last, "a");
  keys.use("c");
  assert.deepEqual([keys.last, keys.at(3), keys.at(9)], ["c", "c", "i"]);
  for (const one of ["a", "b", "d", "e", "f", "g", "h"]) keys.use(one);
  keys.use("j"); // i was never used: its digit is free
  assert.deepEqual([keys.at(9), keys.last, keys.at(3)], ["j", "j", "c"]);
  keys.use("k"); // c was not used for the longest time
  assert.deepEqual([keys.at(3), keys.keys.length], ["k", 9]);
  const none = new ClassKeys([]);
  assert.deepEqual([none.last, none.at(1)], ["", undefined]);
  none.use("new");
  assert.equal(none.at(1), "new");
});

test("a region is one box, with the label that holds", () => {
  const row = (region, label, holds) => ({ region, label, holds, taxonomy: "t", probability: null, source: "s", shape: "box", box: [1.04, 2, 3, 4] });
  const found = boxesOf([row(1, "can", false), row(1, "bottle", true), row(2, "can", false)]);
  assert.deepEqual(found.map((one) => [one.region, one.label, one.holds]), [[1, "bottle", true], [2, "can", false]]);
  assert.deepEqual(asNumbers(found[0].box), [1, 2, 3, 4]);
});
