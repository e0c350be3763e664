// Which points lie within a stroke, and which pictures do not cover one another.
import assert from "node:assert/strict";
import { test } from "node:test";
import { spread, within } from "../../src/vernis/web/app/lasso.mjs";

const xs = Float32Array.of(1, 5, 9, 5, 20), ys = Float32Array.of(1, 5, 9, 1, 20);

test("points within a stroke are found, holes are not", () => {
  const square = [{ x: 0, y: 0 }, { x: 10, y: 0 }, { x: 10, y: 10 }, { x: 0, y: 10 }];
  assert.deepEqual(within(square, xs, ys), [0, 1, 2, 3]);
  assert.deepEqual(within(square, xs, ys, Uint8Array.of(1, 0, 1, 0, 1)), [0, 2]);
  const notch = [{ x: 0, y: 0 }, { x: 10, y: 0 }, { x: 10, y: 10 }, { x: 5, y: 3 }, { x: 0, y: 10 }];
  assert.deepEqual(within(notch, xs, ys), [0, 3]);
  assert.deepEqual(within([{ x: 0, y: 0 }, { x: 1, y: 0 }, { x: 0, y: 0 }], xs, ys), []);
});

test("pictures that are drawn do not cover one another, and none that fits is left out", () => {
  const count = 3000;
  let seed = 7;
  const random = () => { seed = (seed * 16807) % 2147483647; return seed / 2147483647; };
  const x = Float32Array.from({ length: count }, () => random() * 1000), y = Float32Array.from({ length: count }, () => random() * 1000);
  const view = { scale: 0.8, left: -50, top: 20, width: 640, height: 480 }, side = 30;
  const among = new Uint8Array(count).fill(1);
  among[5] = 0;
  const found = spread(x, y, view, side, among);
  const place = (i) => [view.left + x[i] * view.scale, view.top + y[i] * view.scale];
  const apart = (a, b) => Math.max(Math.abs(place(a)[0] - place(b)[0]), Math.abs(place(a)[1] - place(b)[1])) >= side;
  for (const a of found) for (const b of found) assert.ok(a === b || apart(a, b));
  const inside = (i) => place(i)[0] >= 0 && place(i)[1] >= 0 && place(i)[0] < view.width && place(i)[1] < view.height;
  for (let i = 0; i < count; i += 1) {
    if (!among[i]) assert.ok(!found.includes(i));
    else if (inside(i)) assert.ok(found.some((other) => other === i || !apart(i, other)));
    else assert.ok(!found.includes(i));
  }
});
