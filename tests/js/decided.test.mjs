// What was decided on a screen is taken back in the order of the calls, and never the one before.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inTurn } from "../../src/vernis/web/app/api.mjs";
import { Decided } from "../../src/vernis/web/app/decided.mjs";

const asked = [];
globalThis.fetch = async (path, { body }) => {
  asked.push(path + " " + body);
  return { ok: true, json: async () => ({}) };
};
const later = (value, ms) => new Promise((resolve) => setTimeout(() => resolve(value), ms));

test("one that is on its way is waited for, and those before it are taken back after it", async () => {
  asked.length = 0;
  const done = new Decided();
  done.add({ told: "first", batch: Promise.resolve(1) });
  done.add({ told: "second", batch: later(2, 20) });
  const taken = await Promise.all([done.undo(), done.undo(), done.undo()]);
  assert.deepEqual(taken.map((one) => one && one.told), ["second", "first", null]);
  assert.deepEqual(asked, ['/api/undo {"batch":2,"yes":true}', '/api/undo {"batch":1,"yes":true}']);
  assert.equal(done.size, 0);
});

test("one that was not sent yet, or recorded nothing, needs no request", async () => {
  asked.length = 0;
  const done = new Decided();
  done.add({ told: "empty", batch: Promise.resolve(null) });
  done.add({ told: "unsent", batch: new Promise(() => {}), recall: () => true });
  assert.equal((await done.undo()).told, "unsent");
  assert.equal((await done.undo()).told, "empty");
  assert.deepEqual(asked, []);
});

test("one that was refused is told to whoever takes it back, and holds up no other", async () => {
  asked.length = 0;
  const done = new Decided();
  done.add({ told: "first", batch: Promise.resolve(7) });
  const refused = done.add({ told: "refused", batch: Promise.reject(new Error("no room")) });
  await assert.rejects(done.undo(), /no room/);
  assert.equal((await done.undo()).told, "first");
  assert.equal(asked.length, 1);
  done.add(refused);
  done.drop(refused);
  assert.equal(await done.undo(), null);
});

test("what is done in turn waits for what was taken back before it, though that was refused", async () => {
  asked.length = 0;
  const done = new Decided();
  done.add({ told: "slow", batch: later(3, 20) });
  const taken = done.undo();
  const refused = inTurn(async () => { asked.push("refused"); throw new Error("no"); });
  const last = inTurn(async () => asked.push("sent"));
  await assert.rejects(refused, /no/);
  await Promise.all([taken, last]);
  assert.deepEqual(asked, ['/api/undo {"batch":3,"yes":true}', "refused", "sent"]);
});
