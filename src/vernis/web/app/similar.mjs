// @ts-check
// What a search by pictures is about: examples and counter-examples, as the address tells them.
import { address, ask } from "./api.mjs";

/** @typedef {{like: string[], unlike: string[]}} Asked names of examples: `12`, `12@x,y,w,h`, `sent:TOKEN` */

const BETWEEN = ";";

/** @param {URLSearchParams} query @returns {Asked} */
export const askedOf = (query) => ({ like: listOf(query.get("like")), unlike: listOf(query.get("unlike")) });

/** @param {string | null} text */
const listOf = (text) => (text || "").split(BETWEEN).filter(Boolean);

/** What the address says of a search; nothing where there is none.
 * @param {Asked} asked */
export const queryOf = (asked) => ({ like: asked.like.join(BETWEEN), unlike: asked.like.length ? asked.unlike.join(BETWEEN) : "" });

/** Add examples to one side; they leave the other.
 * @param {Asked} asked @param {string[]} names @param {"like" | "unlike"} side @returns {Asked} */
export function added(asked, names, side) {
  const other = side === "like" ? "unlike" : "like";
  const found = { like: asked.like, unlike: asked.unlike };
  found[side] = [...new Set([...asked[side], ...names])];
  found[other] = asked[other].filter((name) => !names.includes(name));
  return found;
}

/** Without an example; where no example is left, nothing is searched.
 * @param {Asked} asked @param {string} name @returns {Asked} */
export function without(asked, name) {
  const like = asked.like.filter((one) => one !== name);
  return { like, unlike: like.length ? asked.unlike.filter((one) => one !== name) : [] };
}

/** The image of an example, and its part (shares of the sides), if it has one; null: it was sent.
 * @param {string} name @returns {{id: number, part: number[] | null} | null} */
export function imageOf(name) {
  if (name.startsWith("sent:")) return null;
  const [id, part] = name.split("@");
  return { id: Number(id), part: part ? part.split(",").map(Number) : null };
}

/** The name of a part of an image, from a box in its pixels.
 * @param {number} id @param {{x: number, y: number, width: number, height: number}} box @param {{width: number, height: number}} size */
export function partName(id, box, size) {
  const share = (/** @type {number} */ value, /** @type {number} */ whole) => Math.max(0, Math.min(1, Math.floor(1e4 * value / whole) / 1e4));
  return id + "@" + [share(box.x, size.width), share(box.y, size.height), share(box.width, size.width), share(box.height, size.height)].join(",");
}

/** Ids in the order of their likeness, and the likeness of each.
 * @param {Asked} asked @param {string} where @param {AbortSignal} [signal] */
export async function readSimilar(asked, where, signal) {
  const answer = await ask("GET", address("/api/similar", { like: asked.like, unlike: asked.unlike, where }), undefined, { signal });
  const body = await answer.arrayBuffer();
  const count = body.byteLength / 8;
  const ids = new Uint32Array(body, 0, count);
  const values = new Float32Array(body, 4 * count, count);
  return { ids, likeness: new Map(Array.from(ids, (id, at) => [id, values[at]])) };
}

/** Send a picture to search by; returns its name.
 * @param {Blob} picture */
export async function sendPicture(picture) {
  const kind = picture.type.startsWith("image/") ? picture.type : "application/octet-stream";
  const answer = await ask("POST", "/api/examples", undefined, { headers: { "content-type": kind }, raw: picture });
  return (await answer.json()).name;
}
