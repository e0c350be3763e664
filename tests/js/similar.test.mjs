// What a search by pictures is about, as the address tells it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { added, askedOf, imageOf, partName, queryOf, without } from "../../src/vernis/web/app/similar.mjs";

test("examples go through the address and back", () => {
  const asked = { like: ["12", "7@0.1,0.2,0.3,0.4", "sent:a-b_c"], unlike: ["9"] };
  assert.deepEqual(askedOf(new URLSearchParams(queryOf(asked))), asked);
  assert.deepEqual(askedOf(new URLSearchParams("")), { like: [], unlike: [] });
  assert.deepEqual(queryOf({ like: [], unlike: ["9"] }), { like: "", unlike: "" });
});

test("an example is on one side only, and once", () => {
  const asked = added(added({ like: ["1"], unlike: [] }, ["2", "1"], "like"), ["1"], "unlike");
  assert.deepEqual(asked, { like: ["2"], unlike: ["1"] });
  assert.deepEqual(without(asked, "1"), { like: ["2"], unlike: [] });
  assert.deepEqual(without(asked, "2"), { like: [], unlike: [] });
});

test("a name tells its image and its part", () => {
  assert.deepEqual(imageOf("12"), { id: 12, part: null });
  assert.deepEqual(imageOf("7@0.1,0.2,0.3,0.4"), { id: 7, part: [0.1, 0.2, 0.3, 0.4] });
  assert.equal(imageOf("sent:abc"), null);
});

test("a part is named by shares of the sides that do not leave the picture", () => {
  assert.equal(partName(7, { x: 10, y: 0, width: 90, height: 80 }, { width: 100, height: 80 }), "7@0.1,0,0.9,1");
  const [x, , width] = imageOf(partName(7, { x: 33.3333, y: 0, width: 66.6667, height: 5 }, { width: 100, height: 80 })).part;
  assert.ok(x + width <= 1);
});
