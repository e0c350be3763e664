// The logic of brands: the part of the picture that shows the words, and what is said of it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { cropAddress, partOf, readingOf, sureness } from "../../src/vernis/web/app/brands.mjs";

test("the part has the words in its middle, with something around them", () => {
  const { part, mark } = partOf([400, 300, 100, 40], 1000, 800);
  assert.deepEqual(part, { width: 264, height: 88, x: 318, y: 276 });
  assert.ok(Math.abs(mark.x - 82 / 264) < 1e-9 && Math.abs(mark.width - 100 / 264) < 1e-9);
  assert.ok(Math.abs(mark.y + mark.height / 2 - 0.5) < 1e-9);
});

test("the part stays inside the picture, and the words inside the part", () => {
  for (const box of [[0, 0, 30, 10], [970, 790, 30, 10], [0, 0, 1000, 800], [5, 100, 20, 600]]) {
    const { part, mark } = partOf(box, 1000, 800);
    assert.ok(part.x >= 0 && part.y >= 0 && part.x + part.width <= 1000 && part.y + part.height <= 800);
    assert.ok(mark.x >= -1e-9 && mark.y >= -1e-9 && mark.x + mark.width <= 1 + 1e-9 && mark.y + mark.height <= 1 + 1e-9, JSON.stringify(mark));
  }
});

test("an address names the part and the content", () => {
  assert.equal(cropAddress({ id: 7, hash: "abc" }, { x: 1, y: 2, width: 30, height: 10 }), "/api/images/7/crop?x=1&y=2&width=30&height=10&v=abc");
});

test("what is read is said with how near it comes, and what the picture says", () => {
  const one = { brand: "Korvatt", reading: "korvat", distance: 1, certainty: "sure", box: [0, 0, 1, 1], found_in: "text" };
  assert.equal(readingOf(one), "“korvat”, 1 letter off");
  assert.equal(readingOf({ ...one, distance: 0, found_in: "logo" }), "“korvat”, as a logo");
  assert.equal(sureness({ probability: 0.9, pictures: "" }), "90% likely right");
  assert.equal(sureness({ probability: 0.9, pictures: "differ" }), "90% likely right · the picture looks like another one");
});
