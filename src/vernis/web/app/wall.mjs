// @ts-check
// The logic of the wall: which suspects stand together on a page, what is marked, what the answers
// are. No page and no server here.

/** @typedef {{issue: number, given: string[], suggested: string[], probability: number | null, verdict: string}} Suspect */

/** @param {string[]} labels */
const joined = (labels) => (labels.length ? labels.join(", ") : "no label");

/** What accepting a suspect makes of it: suspects of one change are seen at one glance.
 * @param {Suspect} suspect */
export function changeOf(suspect) {
  const added = suspect.suggested.filter((label) => !suspect.given.includes(label));
  const removed = suspect.given.filter((label) => !suspect.suggested.includes(label));
  return added.length ? joined(added) : "not " + joined(removed);
}

/** The groups of suspects, the largest first, each in the order of the queue. Suspects for which
 * nothing is suggested cannot be confirmed and are left out.
 * @template {Suspect} T
 * @param {T[]} suspects
 * @returns {{name: string, suspects: T[]}[]} */
export function groupsOf(suspects) {
  /** @type {Map<string, T[]>} */
  const groups = new Map();
  for (const suspect of suspects) {
    if (!suspect.suggested.length) continue;
    const name = changeOf(suspect);
    const known = groups.get(name);
    if (known) known.push(suspect); else groups.set(name, [suspect]);
  }
  return [...groups].map(([name, found]) => ({ name, suspects: found }))
    .sort((a, b) => b.suspects.length - a.suspects.length || a.name.localeCompare(b.name));
}

/** How many columns, and cells of a page, fit: whole rows, 60 at most.
 * @param {number} width @param {number} height @param {number} cell @param {number} gap @param {number} foot height below the picture */
export function layoutOf(width, height, cell, gap, foot) {
  const columns = Math.max(1, Math.floor((width + gap) / (cell + gap)));
  const rows = Math.max(1, Math.floor((height + gap) / (cell + foot + gap)));
  return { columns, size: Math.min(columns * rows, Math.max(columns, 60 - (60 % columns))) };
}

/** Where a key takes the focus on a page of `size` cells.
 * @param {number} at @param {string} key @param {number} columns @param {number} size */
export function moveTo(at, key, columns, size) {
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
  if (key === "Home") return 0;
  if (key === "End") return size - 1;
  const next = at + (steps[/** @type {keyof typeof steps} */ (key)] || 0);
  return next < 0 || next >= size ? at : next;
}

/** The answers of a page: what is confirmed is accepted, what keeps its label is dismissed.
 * @param {Suspect[]} chosen @param {"accept" | "dismiss"} answer */
export const answersOf = (chosen, answer) => chosen.map(({ issue, verdict }) => ({ issue, answer, seen: verdict }));

/** How many of these suspects are probably wrong, as the probabilities have it; null: none has one.
 * @param {Suspect[]} suspects */
export function expectedWrong(suspects) {
  const known = suspects.filter((suspect) => suspect.probability !== null);
  return known.length ? known.reduce((sum, suspect) => sum + (suspect.probability || 0), 0) : null;
}

/** The suspects that are rather right as given: marked before a person looks, so that confirming a
 * page accepts nothing that the model itself does not believe.
 * @template {Suspect} T
 * @param {T[]} suspects */
export const unlikely = (suspects) => suspects.filter(({ probability }) => probability !== null && probability < 0.5);
