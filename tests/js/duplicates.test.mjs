// What a person chose of a group of duplicates, and how its images differ.
import assert from "node:assert/strict";
import { test } from "node:test";
import { answerOf, differencesOf, firstChoice, isDecided, keepImage, pairOf, setApart, toldOf } from "../../src/vernis/web/app/duplicates.mjs";

const copy = (id, more = {}) => ({ id, uri: id + ".jpg", width: 100, height: 80, size: 2000, format: "JPEG", modified: 0, labels: {}, keeper: false, chosen: false, ...more });
const GROUP = { kind: "near", reason: "largest", images: [copy(3, { keeper: true }), copy(1), copy(2)], pairs: [{ a: 1, b: 3, kind: "near", similarity: 0.9, transform: "scaled" }], merged_labels: {}, conflicts: [] };

test("the keeper stays until a person says otherwise", () => {
  const choice = firstChoice(GROUP);
  assert.deepEqual(answerOf(GROUP, choice), { images: [3, 1, 2], keep: 3, no_copies: [] });
  keepImage(choice, 2);
  assert.deepEqual(answerOf(GROUP, choice), { images: [3, 1, 2], keep: 2, no_copies: [] });
});

test("an image that is set apart is no copy; the one that stays cannot be", () => {
  const choice = firstChoice(GROUP);
  assert.equal(setApart(choice, 3), false);
  assert.equal(setApart(choice, 2), true);
  assert.deepEqual(answerOf(GROUP, choice), { images: [3, 1, 2], keep: 3, no_copies: [2] });
  setApart(choice, 1);
  assert.deepEqual(answerOf(GROUP, choice), { images: [3, 1, 2], keep: null, no_copies: [1, 2] });
  setApart(choice, 1);
  keepImage(choice, 2);
  assert.deepEqual(answerOf(GROUP, choice), { images: [3, 1, 2], keep: 2, no_copies: [] });
});

test("differences are told in words, labels too", () => {
  assert.deepEqual(differencesOf(copy(1), copy(3)), []);
  assert.deepEqual(differencesOf(copy(1, { width: 50, height: 40, format: "PNG", size: 900, labels: { kind: ["tea"] } }), copy(3)),
    ["50 × 40", "PNG", "900 B", "kind: tea"]);
  assert.deepEqual(differencesOf(copy(1), copy(3, { labels: { kind: ["tea"] } })), ["kind: no label"]);
});

test("pairs are found from either side, and a choice of a person is seen", () => {
  assert.equal(pairOf(GROUP, 1, 3).transform, "scaled");
  assert.equal(pairOf(GROUP, 3, 1).transform, "scaled");
  assert.equal(pairOf(GROUP, 2, 3), null);
  assert.equal(isDecided(GROUP), false);
  assert.equal(isDecided({ ...GROUP, images: [copy(3, { chosen: true }), copy(1)] }), true);
});

test("what was recorded is told", () => {
  assert.equal(toldOf({ kept: 1, dismissed: 2 }), "1 image stays, 2 pairs are no copies");
  assert.equal(toldOf({ kept: 0, dismissed: 0 }), "nothing changed");
});
