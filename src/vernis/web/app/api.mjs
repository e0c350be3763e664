// @ts-check
// Requests to the server that the page came from.

// What the server refused: its line for people, and the kind of error.
export class Refused extends Error {
  /** @param {number} status @param {{error?: string, kind?: string}} told */
  constructor(status, told) {
    super(told.error || "the server answered " + status);
    this.status = status;
    this.kind = told.kind || "";
  }
}

/** The server could not be reached at all. */
export class Unreachable extends Error {}

/**
 * @param {string} method @param {string} path @param {unknown} [body]
 * @param {{signal?: AbortSignal, accept?: number[], headers?: Record<string, string>, raw?: Blob}} [more] `raw`: a body as it is
 * @returns {Promise<Response>}
 */
export async function ask(method, path, body, more = {}) {
  const headers = { ...(body === undefined ? {} : { "content-type": "application/json" }), ...more.headers };
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers,
      body: more.raw || (body === undefined ? undefined : JSON.stringify(body)),
      signal: more.signal,
      credentials: "same-origin",
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Unreachable("the server cannot be reached");
  }
  if (answer.ok || (more.accept || []).includes(answer.status)) return answer;
  let told = {};
  try { told = await answer.json(); } catch (error) { /* the guard answers in plain text */ }
  throw new Refused(answer.status, told);
}

/** @param {string} path @param {Record<string, unknown>} [query] */
export function address(path, query = {}) {
  const found = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === null || value === "") continue;
    for (const one of Array.isArray(value) ? value : [value]) found.append(name, String(one));
  }
  const text = found.toString();
  return text ? path + "?" + text : path;
}

/** @param {string} path @param {Record<string, unknown>} [query] @param {AbortSignal} [signal] */
export const get = async (path, query, signal) => (await ask("GET", address(path, query), undefined, { signal })).json();

/** @param {string} path @param {unknown} [body] */
export const post = async (path, body = {}) => (await ask("POST", path, body)).json();

/** @type {Promise<unknown>} */
let turn = Promise.resolve();

/** Do something when all that was asked for in this way before is done, however it ended: requests
 * overtake each other, and some changes stand on those before them.
 * @template T
 * @param {() => Promise<T>} work @returns {Promise<T>} */
export function inTurn(work) {
  const done = turn.then(work);
  turn = done.catch(() => null);
  return done;
}

/** Take a batch back, or the latest without one, in the order of the calls, however fast the keys
 * are: the server refuses to take a change back under a later one. One that is on its way is waited
 * for; null: nothing was recorded.
 * @param {number | Promise<number | null>} [batch] @returns {Promise<any>} */
export const takeBack = (batch) => inTurn(async () => {
  const known = await batch;
  if (batch !== undefined && !known) return null;
  return post("/api/undo", known ? { batch: known, yes: true } : {});
});

/** @param {string} path */
export const remove = async (path) => (await ask("DELETE", path)).json();

// Ids in order, as a typed array: place and distance are arithmetic.
/** @param {string} path @param {Record<string, unknown>} [query] @param {AbortSignal} [signal] */
export async function getIds(path, query, signal) {
  const answer = await ask("GET", address(path, query), undefined, { signal });
  return new Uint32Array(await answer.arrayBuffer());
}
