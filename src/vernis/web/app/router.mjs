// @ts-check
// Which screen is open: `#/review/brand?from=12` is the screen "review", of "brand".

/** @typedef {{name: string, parts: string[], query: URLSearchParams}} Place */

/** @param {string} [hash] @returns {Place} */
export function readPlace(hash = location.hash) {
  const [path, query] = hash.replace(/^#\/?/, "").split("?", 2);
  const [name, ...parts] = path.split("/").map(decoded);
  return { name: name || "", parts: parts.filter(Boolean), query: new URLSearchParams(query || "") };
}

/** The address of what is shown, written behind the paint of it: a browser works longer on an address
 * than on what a key changes. */
export class Address {
  constructor() {
    this.wanted = "";
    this.timed = false;
  }

  /** @param {string} name @param {string[] | undefined} parts default: those that are there @param {Record<string, unknown>} query */
  replace(name, parts, query) {
    this.wanted = hashOf(name, parts || readPlace(this.wanted || location.hash).parts, query);
    if (document.hidden) { this.write(); return; } // nothing is painted
    if (this.timed) return;
    this.timed = true;
    requestAnimationFrame(() => setTimeout(() => { this.timed = false; this.write(); }));
  }

  write() {
    if (this.wanted) history.replaceState(null, "", this.wanted);
    this.wanted = "";
  }

  /** Forget what was to be written: another place is open. */
  drop() { this.wanted = ""; }
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
