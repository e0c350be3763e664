// A verb's settings as a form: what is sent, and the same on the command line.
import assert from "node:assert/strict";
import { test } from "node:test";
import { asTime, commandOf, progressOf, rangeOf, valueOf } from "../../src/vernis/web/app/forms.mjs";

const setting = (name, more = {}) => ({ name, help: "", kind: "text", many: false, required: false, default: null, choices: [], at_least: null, at_most: null, above: null, below: null, ...more });
const share = setting("precision", { kind: "number", default: 0.95, above: 0, at_most: 1 });
const many = setting("sizes", { kind: "whole number", many: true, default: [512], at_least: 32 });

test("only what is not the default is sent", () => {
  assert.equal(valueOf(share, ""), undefined);
  assert.equal(valueOf(share, "0.95"), undefined);
  assert.equal(valueOf(share, " 0.9 "), 0.9);
  assert.equal(valueOf(setting("apply", { kind: "flag", default: false }), false), undefined);
  assert.equal(valueOf(setting("apply", { kind: "flag", default: false }), true), true);
  assert.deepEqual(valueOf(many, "256, 512"), [256, 512]);
  assert.equal(valueOf(many, "512"), undefined);
  assert.equal(valueOf(setting("k", { kind: "choice", choices: [1, 2] }), "2"), 2);
});

test("what cannot be is said", () => {
  assert.throws(() => valueOf(share, "2"), /precision is above 0 and at most 1, not 2/);
  assert.throws(() => valueOf(share, "x"), /is a number/);
  assert.throws(() => valueOf(many, "1.5"), /whole number/);
  assert.throws(() => valueOf(many, "8"), /32 or more/);
  assert.throws(() => valueOf(setting("what_for", { required: true }), " "), /what for is needed/);
  assert.equal(rangeOf(setting("x")), "");
});

test("the same stands on the command line, quoted where it must be", () => {
  const verb = { name: "fill", command: "vernis fill", group: "decide", summary: "", access: "work", settings: [setting("taxonomy", { required: true }), share, setting("apply", { kind: "flag" }), setting("where_to"), many] };
  assert.equal(commandOf(verb, { taxonomy: "my brand", precision: 0.9, apply: true, where_to: "it's", sizes: [1, 2] }),
    "vernis fill 'my brand' --precision 0.9 --apply --where-to 'it'\\''s' --sizes 1 --sizes 2");
});

test("time and progress are told as people say them", () => {
  assert.deepEqual([null, 0.2, 12.4, 100, 7200].map(asTime), ["", "under 1 s", "12 s", "2 min", "2.0 h"]);
  assert.equal(progressOf({ tasks: [] }), null);
  assert.equal(progressOf({ tasks: [{ done: 1, total: 1, left: 0 }, { done: 1, total: 4, left: 3 }] }), 0.25);
});
