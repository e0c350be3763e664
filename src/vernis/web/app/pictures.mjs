// @ts-check
// Addresses of pictures, pictures decoded ahead, and many thumbnails in one request.
import { ask, address } from "./api.mjs";

/** @typedef {{id: number, hash: string, uri: string, width: number, height: number}} Picture */

const MOST_AT_ONCE = 128; // thumbnails of one request
const LONGEST_TURN = 4; // ms of work on what nobody waits for, after which a key may come in between

/** @param {Picture} image */
export const thumbOf = (image) => "/api/images/" + image.id + "/thumb?v=" + image.hash;
/** @param {Picture} image */
export const previewOf = (image) => "/api/images/" + image.id + "/preview?v=" + image.hash;

/** An element that is decoded when it is shown: no flash, no wait.
 * @param {string} src @param {string} alt */
export function decodedAhead(src, alt) {
  const image = new Image();
  image.alt = alt;
  image.src = src;
  const ready = image.decode().then(() => true, () => false);
  return { image, ready };
}

/** The same of several pictures by one request.
 * @param {Picture[]} images @param {string[]} names what they are called aloud */
export function decodeSeveral(images, names) {
  const sources = readBundle(images.map((one) => one.id), versionOf(images), undefined, "preview", true);
  return images.map((_, at) => {
    const image = new Image();
    image.alt = names[at];
    const ready = sources.then(async (found) => {
      if (found[at] === null) return false;
      await decodeFrom(image, found[at]);
      return true;
    }).catch(() => false);
    return { image, ready };
  });
}

/** Decode a picture; then the element holds it, and its address can go.
 * @param {HTMLImageElement} image @param {string} source an object URL */
async function decodeFrom(image, source) {
  image.src = source;
  try { await image.decode(); } finally { URL.revokeObjectURL(source); }
}

/** Names the content of some pictures.
 * @param {Picture[]} images */
const versionOf = (images) => images.map((one) => one.hash.slice(0, 4)).join("");

/** Thumbnails of several images that are shown soon, decoded, each an element to be put into the page; null where
 * there is none.
 * @param {Picture[]} images @param {AbortSignal} [signal]
 * @returns {Promise<(HTMLImageElement | null)[]>} */
export async function readThumbnails(images, signal) {
  const found = [];
  for (let at = 0; at < images.length; at += MOST_AT_ONCE) {
    const some = images.slice(at, at + MOST_AT_ONCE);
    const sources = await readBundle(some.map((one) => one.id), versionOf(some), signal, undefined, true);
    found.push(...await Promise.all(sources.map(async (source, place) => {
      if (source === null) return null;
      const image = new Image();
      image.alt = some[place].uri;
      await decodeFrom(image, source).catch(() => {});
      return image;
    })));
  }
  return found;
}

/** Put thumbnails into elements that stand on the page already, by as few requests as it takes.
 * @param {{element: HTMLImageElement, image: Picture}[]} cells @param {AbortSignal} [signal] */
export async function drawThumbnails(cells, signal) {
  for (let at = 0; at < cells.length; at += MOST_AT_ONCE) {
    const some = cells.slice(at, at + MOST_AT_ONCE);
    const images = some.map((one) => one.image);
    const found = await readBundle(images.map((one) => one.id), versionOf(images), signal);
    for (const [place, source] of found.entries()) {
      if (source === null) continue;
      decodeFrom(some[place].element, source).catch(() => {});
    }
  }
}

/** Thumbnails (or previews) of several images by one request; null where there is none. The
 * addresses are object URLs: whoever asks revokes them, when the pictures are decoded.
 * @param {number[]} ids @param {string} version @param {AbortSignal} [signal] @param {string} [size]
 * @param {boolean} [ahead] whether nobody waits for them: each address asks the browser, and many in
 * one go would hold a key up
 * @returns {Promise<(string | null)[]>} */
export async function readBundle(ids, version, signal, size, ahead = false) {
  const query = { ids: ids.join(","), v: version, size };
  const answer = await ask("GET", address("/api/bundle", query), undefined, { signal });
  const body = await answer.arrayBuffer();
  const count = new DataView(body).getUint32(0, true);
  const sizes = new Uint32Array(body.slice(4, 4 + 4 * count));
  const found = /** @type {(string | null)[]} */ ([]);
  let at = 4 + 4 * count;
  let since = performance.now();
  for (const size of sizes) {
    if (ahead && performance.now() - since > LONGEST_TURN) {
      await new Promise((resolve) => setTimeout(resolve));
      if (signal && signal.aborted) {
        for (const source of found) if (source) URL.revokeObjectURL(source);
        throw new DOMException("nobody waits for them", "AbortError");
      }
      since = performance.now();
    }
    found.push(size ? URL.createObjectURL(new Blob([new Uint8Array(body, at, size)], { type: "image/jpeg" })) : null);
    at += size;
  }
  return found;
}
