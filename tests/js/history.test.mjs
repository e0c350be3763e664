// Batches of changes in words.
import assert from "node:assert/strict";
import { test } from "node:test";
import { byDay, sayChanges, whereOf, whoOf } from "../../src/vernis/web/app/history.mjs";

test("changes are counted in their own nouns", () => {
  assert.equal(sayChanges({ label: 1, verdict: 2000 }), "1 label, 2,000 verdicts");
  assert.equal(sayChanges({ strange: 3 }), "3 strange");
  assert.equal(sayChanges({}), "");
});

test("people are named without the word for their kind", () => {
  assert.equal(whoOf({ source: "human:ann" }), "ann");
  assert.equal(whoOf({ source: "given" }), "import");
  assert.equal(whoOf({ source: "model:kernel@1" }), "model:kernel@1");
});

test("batches stand under their days", () => {
  const today = new Date(2026, 4, 17, 12);
  const at = (day, hour) => ({ time: new Date(2026, 4, day, hour).toISOString() });
  const found = byDay([at(17, 11), at(17, 1), at(16, 23), at(3, 1)], today);
  assert.deepEqual(found.map(([day, batches]) => [day, batches.length]), [["Today", 2], ["Yesterday", 1], ["3 May 2026", 1]]);
});

test("few images are named in a filter, many are not", () => {
  assert.equal(whereOf([3, 5]), "id:3 or id:5");
  assert.equal(whereOf([]), "");
  assert.equal(whereOf(Array.from({ length: 41 }, (_, id) => id)), "");
});
