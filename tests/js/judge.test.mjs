// The judgements of a sample and the file that they become.
import assert from "node:assert/strict";
import { test } from "node:test";
import { asCsv, choose, furtherClasses, offered } from "../../src/vernis/web/shared/judging.mjs";
import { judgedWords } from "../../src/vernis/web/shared/wording.mjs";

test("taking the last class back is no judgement; none of them is one", () => {
  let now;
  const seen = [];
  for (const label of ["a", "b", "a", "b", null]) { now = choose(now, label, "multi"); seen.push(now); }
  assert.deepEqual(seen, [["a"], ["a", "b"], ["b"], undefined, []]);
});

test("of single labels the last one counts", () => {
  assert.deepEqual(choose(["a"], "b", "single"), ["b"]);
  assert.deepEqual(choose(["a"], "a", "single"), ["a"]);
  assert.deepEqual(choose(["a"], null, "single"), []);
});

test("candidates are offered first, then what was chosen besides", () => {
  const row = { candidates: ["b", "a"] };
  assert.deepEqual(offered(row, undefined), ["b", "a"]);
  assert.deepEqual(offered(row, ["a", "z"]), ["b", "a", "z"]);
});

test("further classes hold the text and are few enough to look through", () => {
  const classes = [...Array(60).keys()].map((i) => "Class " + i);
  assert.equal(furtherClasses(classes, ["Class 0"], " ").length, 24);
  assert.deepEqual(furtherClasses(classes, ["Class 7"], " class 7"), []);
  assert.equal(furtherClasses(classes, [], "CLASS").length, 40);
});

test("the file holds what was judged, in the order of the sample, quoted", () => {
  const sample = { nothing: "(none)", images: [{ image: 'a,"b".jpg' }, { image: "c.jpg" }, { image: "d.jpg" }] };
  const judged = { "d.jpg": ["x", "y"], 'a,"b".jpg': [] };
  assert.equal(asCsv(sample, judged), 'image,truth\n"a,""b"".jpg",(none)\nd.jpg,x|y\n');
});

test("no cell of the file is a formula", () => {
  const sample = { nothing: "(none)", images: [{ image: "=1+1.jpg" }, { image: "it's.jpg" }] };
  const judged = { "=1+1.jpg": ["@SUM(A1)", "b"], "it's.jpg": ["'+2"] };
  assert.equal(asCsv(sample, judged), "image,truth\n'=1+1.jpg,'@SUM(A1)|b\nit's.jpg,''+2\n");
});

test("what a judged sample says of the number of wrong labels", () => {
  const told = (value, low, high) => judgedWords({ wrong: { value, low, high }, judged: 1200 });
  assert.equal(told(240.4, 190, 290), "about 240 wrong (190 to 290) by 1,200 judged");
  assert.equal(told(12, 12, 12), "12 wrong by 1,200 judged");
  assert.equal(told(3, 0, 40.2), "up to 40 wrong by 1,200 judged");
});
