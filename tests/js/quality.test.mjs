// The words and groups of quality.
import assert from "node:assert/strict";
import { test } from "node:test";
import { areNot, areSo, KINDS, kindsOf, wordOf } from "../../src/vernis/web/app/quality.mjs";

test("suspects stand together by kind, the most numerous first, in the order of their queue", () => {
  const suspects = [{ issue: 3, kind: "dark" }, { issue: 9, kind: "blurry" }, { issue: 1, kind: "blurry" }];
  assert.deepEqual(kindsOf(suspects).map((group) => [group.name, group.suspects.map((one) => one.issue)]), [["blurry", [9, 1]], ["dark", [3]]]);
  assert.deepEqual(kindsOf([]), []);
});

test("every kind has a word, and one picture is told as one", () => {
  assert.ok(KINDS.includes("damaged") && KINDS.includes("outlier"));
  assert.ok(KINDS.every((kind) => !wordOf(kind).includes("_")));
  assert.equal(areSo("dark", 1), "1 is too dark");
  assert.equal(areSo("low_information", 1200), "1,200 are almost empty");
  assert.equal(areNot("dark", 2), "2 are not");
});
