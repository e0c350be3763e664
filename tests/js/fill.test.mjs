// The logic of filling: which precision is shown first, what is promised, how samples are walked.
import assert from "node:assert/strict";
import { test } from "node:test";
import { classAfter, firstPoint, heightsOf, promiseOf, reasonsOf, strictest } from "../../src/vernis/web/app/fill.mjs";

const point = (precision, suggested, more = {}) => ({ precision, suggested, filled: suggested, rate: 0.5 + suggested / 1000, measured: null, bound: null, classes: {}, notes: [], ...more });

test("the wanted precision is shown first, or else the strictest that fills anything", () => {
  assert.equal(firstPoint([point(0.8, 90), point(0.95, 40), point(0.99, 5)]), 1);
  assert.equal(firstPoint([point(0.7, 120), point(0.9, 49), point(0.95, 0), point(0.99, 0)]), 1);
  assert.equal(firstPoint([point(0.7, 0), point(0.95, 0), point(0.99, 3)]), 2);
  assert.equal(firstPoint([point(0.7, 0), point(0.95, 0)]), 1);
  assert.equal(strictest([point(0.7, 120), point(0.9, 49), point(0.95, 0)]).precision, 0.9);
  assert.equal(strictest([point(0.7, 0)]), null);
});

test("bars are parts of the highest one, and none is as high where nothing is filled", () => {
  assert.deepEqual(heightsOf([point(0.7, 200), point(0.9, 50), point(0.99, 0)]), [1, 0.25, 0]);
  assert.deepEqual(heightsOf([point(0.7, 0)]), [0]);
});

test("what is promised is said with how many may be wrong", () => {
  assert.equal(promiseOf(point(0.9, 49, { rate: 0.76 }), 0.63), "49 labels, at most about 4 of them wrong; labelled 63% → 76%");
  assert.equal(promiseOf(point(0.95, 1, { rate: 0.76 }), 0.63), "1 label, at most about 0 of them wrong; labelled 63% → 76%");
  assert.equal(promiseOf(point(0.9, 60, { filled: 50, rate: 0.7 }), 0.6), "60 labels on 50 images, at most about 6 of them wrong; labelled 60% → 70%");
  assert.equal(promiseOf(point(0.99, 0), 0.63), "99% cannot be promised for any image");
});

test("samples are walked class by class, with all of them in between", () => {
  const one = point(0.9, 3, { classes: { bird: 2, fish: 1 } });
  assert.deepEqual(["", "bird", "fish"].map((label) => classAfter(one, label, 1)), ["bird", "fish", ""]);
  assert.equal(classAfter(one, "", -1), "fish");
  assert.equal(classAfter(one, "gone", 1), "bird");
});

test("reasons name no files: those are shown", () => {
  const one = point(0.99, 0, { notes: ["too few answers"] });
  const notes = ["about the model", "14 images cannot be filled; most look like bird (3); to label by hand first: a.jpg, b.jpg"];
  assert.deepEqual(reasonsOf(one, notes), ["too few answers", "14 images cannot be filled; most look like bird (3)"]);
});
