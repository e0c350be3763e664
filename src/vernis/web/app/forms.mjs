// @ts-check
// A verb's settings as a form: what stands in its fields, and what is sent of it.

/** @typedef {{name: string, help: string, kind: string, many: boolean, required: boolean, default: any, choices: any[], at_least: number | null, at_most: number | null, above: number | null, below: number | null}} Setting */
/** @typedef {{name: string, command: string, group: string, summary: string, access: string, settings: Setting[]}} VerbRow */

export const GROUPS = { start: "Start", steps: "Step by step", decide: "Decide", see: "See what is there", networks: "Networks and spaces", lab: "Try methods" };

/** Settings that a form can ask for; pairs are left to the command line.
 * @param {VerbRow} verb */
export const askedOf = (verb) => verb.settings.filter((setting) => setting.kind !== "pairs");

/** The words of a setting's name. @param {Setting} setting */
export const wordsOf = (setting) => setting.name.replaceAll("_", " ");

/** What a field shows of a value. @param {any} value */
export function asText(value) {
  if (value === null || value === undefined || value === false) return "";
  return Array.isArray(value) ? value.join(", ") : String(value);
}

/** The value of a field, or undefined where the default is meant; throws what is wrong with it.
 * @param {Setting} setting @param {string | boolean | string[]} given */
export function valueOf(setting, given) {
  if (typeof given === "boolean") return given === Boolean(setting.default) ? undefined : given;
  const parts = (Array.isArray(given) ? given : setting.many ? given.split(/[,\n]/) : [given]).map((part) => part.trim()).filter(Boolean);
  if (!parts.length) {
    if (setting.required) throw new Error(wordsOf(setting) + " is needed");
    return undefined;
  }
  const values = parts.map((part) => oneOf(setting, part));
  const value = setting.many ? values : values[0];
  return asText(value) === asText(setting.default) ? undefined : value;
}

/** @param {Setting} setting @param {string} text */
function oneOf(setting, text) {
  if (setting.kind === "choice") return setting.choices.find((choice) => String(choice) === text) ?? text;
  if (setting.kind !== "number" && setting.kind !== "whole number") return text;
  const number = Number(text);
  const name = wordsOf(setting);
  if (!Number.isFinite(number)) throw new Error(name + " is a number, not " + text);
  if (setting.kind === "whole number" && !Number.isInteger(number)) throw new Error(name + " is a whole number, not " + text);
  const range = rangeOf(setting);
  const outside = (setting.at_least !== null && number < setting.at_least) || (setting.at_most !== null && number > setting.at_most)
    || (setting.above !== null && number <= setting.above) || (setting.below !== null && number >= setting.below);
  if (outside) throw new Error(name + " is " + range + ", not " + text);
  return number;
}

/** The range of a number in words, empty without one. @param {Setting} setting */
export function rangeOf(setting) {
  const low = setting.at_least !== null ? setting.at_least + " or more" : setting.above !== null ? "above " + setting.above : "";
  const high = setting.at_most !== null ? "at most " + setting.at_most : setting.below !== null ? "below " + setting.below : "";
  return [low, high].filter(Boolean).join(" and ");
}

/** The same on the command line. @param {VerbRow} verb @param {Record<string, any>} given */
export function commandOf(verb, given) {
  const words = [verb.command];
  for (const setting of verb.settings) {
    const value = given[setting.name];
    if (value === undefined) continue;
    const values = Array.isArray(value) ? value : [value];
    const flag = "--" + setting.name.replaceAll("_", "-");
    if (setting.required) words.push(...values.map(quoted));
    else if (value === true) words.push(flag);
    else if (value !== false) for (const one of values) words.push(flag, quoted(one));
  }
  return words.join(" ");
}

/** @param {any} value */
function quoted(value) {
  const text = String(value);
  return /^[\w./:@%+=,-]+$/.test(text) ? text : "'" + text.replaceAll("'", "'\\''") + "'";
}

/** Seconds as people say them. @param {number | null} seconds */
export function asTime(seconds) {
  if (seconds === null) return "";
  if (seconds < 1) return "under 1 s";
  if (seconds < 90) return Math.round(seconds) + " s";
  if (seconds < 5400) return Math.round(seconds / 60) + " min";
  return (seconds / 3600).toFixed(1) + " h";
}

/** How far a job is, 0 to 1; null where that is not known.
 * @param {{tasks: {done: number, total: number | null, left: number | null}[]}} job */
export function progressOf(job) {
  const task = job.tasks.at(-1);
  return task && task.total ? Math.min(1, task.done / task.total) : null;
}
