// @ts-check
// Which screen is open: `#/review/brand?from=12` is the screen "review", of "brand".

/** @typedef {{name: string, parts: string[], query: URLSearchParams}} Place */

/** @param {string} [hash] @returns {Place} */
export function readPlace(hash = location.hash) {
  const [path, query] = hash.replace(/^#\/?/, "").split("?", 2);
  const [name, ...parts] = path.split("/").map(decoded);
  return { name: name || "", parts: parts.filter(Boolean), query: new URLSearchParams(query || "") };
}

/** @param {string} text */
function decoded(text) {
  try { return decodeURIComponent(text); } catch (wrong) { return text; }
}

/** @param {string} name @param {string[]} [parts] @param {Record<string, unknown>} [query] */
export function hashOf(name, parts = [], query = {}) {
  const found = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") found.set(key, String(value));
  }
  const text = found.toString();
  return "#/" + [name, ...parts].map(encodeURIComponent).join("/") + (text ? "?" + text : "");
}
