// Which flows the chosen labels leave, and in what order the table shows them.
import { compareValues } from "../../web/shared/wording.mjs";

// Labels of one side are joined by "or", the two sides by "and".
export function isChosen(pinned, left, right) {
  return (!pinned.left.size || pinned.left.has(left)) && (!pinned.right.size || pinned.right.has(right));
}

export const isFiltered = (pinned) => pinned.left.size + pinned.right.size > 0;

export function shownFlows(flows, pinned, { key, down }) {
  return flows
    .filter((flow) => isChosen(pinned, flow.left, flow.right))
    .sort((a, b) => compareValues(a[key], b[key], !down));
}

// A click on a column turns it round; names begin upwards, numbers downwards.
export function nextSort(sort, key) {
  return { key, down: sort.key === key ? !sort.down : key !== "from" && key !== "to" };
}
