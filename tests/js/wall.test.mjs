// The logic of the wall: groups, pages, marks, answers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { answersOf, changeOf, expectedWrong, groupsOf, layoutOf, moveTo, unlikely } from "../../src/vernis/web/app/wall.mjs";

const suspect = (issue, given, suggested, probability = null) => ({ issue, given, suggested, probability, verdict: "open" });

test("suspects that would become the same stand together, the largest group first", () => {
  const groups = groupsOf([
    suspect(1, ["tea"], ["milk"]), suspect(2, ["fruit"], ["tea"]), suspect(3, ["fruit"], ["milk"]),
    suspect(4, ["a", "b"], ["a"]), suspect(5, ["a"], []), suspect(6, [], ["milk"]),
  ]);
  assert.deepEqual(groups.map(({ name, suspects }) => [name, suspects.map((one) => one.issue)]),
    [["milk", [1, 3, 6]], ["not b", [4]], ["tea", [2]]]);
  assert.equal(changeOf(suspect(1, ["a"], ["a", "c", "d"])), "c, d");
});

test("a page holds whole rows, sixty pictures at most and one at least", () => {
  assert.deepEqual(layoutOf(1420, 620, 168, 10, 30), { columns: 8, size: 24 });
  assert.deepEqual(layoutOf(5000, 3000, 120, 10, 30), { columns: 38, size: 38 });
  assert.deepEqual(layoutOf(2000, 3000, 120, 10, 30), { columns: 15, size: 60 });
  assert.deepEqual(layoutOf(60, 40, 168, 10, 30), { columns: 1, size: 1 });
});

test("the focus walks by rows and columns and stays on the page", () => {
  assert.equal(moveTo(0, "ArrowLeft", 4, 10), 0);
  assert.equal(moveTo(0, "ArrowDown", 4, 10), 4);
  assert.equal(moveTo(8, "ArrowDown", 4, 10), 8);
  assert.equal(moveTo(5, "ArrowUp", 4, 10), 1);
  assert.equal(moveTo(5, "End", 4, 10), 9);
  assert.equal(moveTo(5, "Home", 4, 10), 0);
});

test("answers name the issue, the answer and the verdict that was seen", () => {
  assert.deepEqual(answersOf([suspect(7, ["a"], ["b"])], "accept"), [{ issue: 7, answer: "accept", seen: "open" }]);
});

test("what is rather right as given is marked before; without probabilities nothing is", () => {
  const all = [suspect(1, [], ["a"], 0.9), suspect(2, [], ["a"], 0.49), suspect(3, [], ["a"])];
  assert.deepEqual(unlikely(all).map((one) => one.issue), [2]);
  assert.ok(Math.abs(expectedWrong(all) - 1.39) < 1e-9);
  assert.equal(expectedWrong([suspect(3, [], ["a"])]), null);
});
