// @ts-check
// Addresses of pictures, pictures decoded ahead, and many thumbnails in one request.
import { ask, address } from "./api.mjs";

/** @typedef {{id: number, hash: string, uri: string, width: number, height: number}} Picture */

const MOST_AT_ONCE = 128; // thumbnails of one request

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

/** Thumbnails of several images by one request, decoded, each an element to be put into the page;
 * null where there is none.
 * @param {Picture[]} images @param {AbortSignal} [signal]
 * @returns {Promise<(HTMLImageElement | null)[]>} */
export async function readThumbnails(images, signal) {
  const version = images.map((one) => one.hash.slice(0, 4)).join("");
  const sources = await readBundle(images.map((one) => one.id), version, signal);
  return Promise.all(sources.map(async (source, at) => {
    if (source === null) return null;
    const image = new Image();
    image.alt = images[at].uri;
    image.src = source;
    // Once it is decoded the element holds the picture, and the address can go.
    await image.decode().catch(() => {});
    URL.revokeObjectURL(source);
    return image;
  }));
}

/** Put thumbnails into elements that stand on the page already, by as few requests as it takes.
 * @param {{element: HTMLImageElement, image: Picture}[]} cells @param {AbortSignal} [signal] */
export async function drawThumbnails(cells, signal) {
  for (let at = 0; at < cells.length; at += MOST_AT_ONCE) {
    const some = cells.slice(at, at + MOST_AT_ONCE);
    const version = some.map((one) => one.image.hash.slice(0, 4)).join("");
    const found = await readBundle(some.map((one) => one.image.id), version, signal);
    for (const [place, source] of found.entries()) {
      if (source === null) continue;
      const { element } = some[place];
      element.src = source;
      element.decode().catch(() => {}).finally(() => URL.revokeObjectURL(source));
    }
  }
}

/** Thumbnails of several images by one request; null where there is none. The addresses are
 * object URLs: whoever asks revokes them, when the pictures are decoded.
 * @param {number[]} ids @param {string} version @param {AbortSignal} [signal]
 * @returns {Promise<(string | null)[]>} */
export async function readBundle(ids, version, signal) {
  const query = { ids: ids.join(","), v: version };
  const answer = await ask("GET", address("/api/bundle", query), undefined, { signal });
  const body = await answer.arrayBuffer();
  const count = new DataView(body).getUint32(0, true);
  const sizes = new Uint32Array(body.slice(4, 4 + 4 * count));
  let at = 4 + 4 * count;
  return Array.from(sizes, (size) => {
    if (!size) return null;
    const blob = new Blob([body.slice(at, at + size)], { type: "image/jpeg" });
    at += size;
    return URL.createObjectURL(blob);
  });
}
