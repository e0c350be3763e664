// The words of merges.
import assert from "node:assert/strict";
import { test } from "node:test";
import { changeOf, evidenceOf, turned } from "../../src/vernis/web/app/merges.mjs";

const merge = { label: "botle", into: "bottle", kind: "misspelling", score: 0.93, count: 1, into_count: 40, together: 0, visual: null };

test("what speaks for a merge is said as far as it is known", () => {
  assert.equal(evidenceOf(merge), "93% likely the same · a slip of spelling");
  assert.equal(evidenceOf({ ...merge, kind: "synonym", together: 2, visual: 0.98 }), "93% likely the same · used alike · together on 2 images · pictures 98% alike");
});

test("a merge can be turned round, and then other labels change", () => {
  assert.equal(changeOf(merge), "1 label changes");
  const other = turned(merge);
  assert.deepEqual([other.label, other.into, other.count, other.into_count], ["bottle", "botle", 40, 1]);
  assert.equal(changeOf(other), "40 labels change");
  assert.deepEqual(turned(other), merge);
});
