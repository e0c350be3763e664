// The rows of each list, from the lists of the report: one row an item, with what it is part of.

export function issueRows(labelIssues) {
  return labelIssues.flatMap(({ taxonomy, items }) => items.map((item, i) => ({ ...item, taxonomy, rank: i + 1 })));
}

export function qualityRows(quality) {
  return quality.flatMap(({ name, items }) => items.map((item) => ({ ...item, kind: name })));
}

export function fillRows(fills) {
  return fills.flatMap(({ taxonomy, items }) => items.map((item) => ({ ...item, taxonomy })));
}

// What a change takes away and what it adds; the labels on both sides stay as they are.
export const isRemoved = (row, label) => row.change !== "missing" && row.given.includes(label) && !row.suggested.includes(label);
export const isAdded = (row, label) => row.change !== "extra" && row.suggested.includes(label) && !row.given.includes(label);

// Whether a neighbour speaks for or against the change; several labels of one are joined by commas.
export function sideOf(row, label) {
  const labels = [label, ...label.split(", ")];
  const added = row.suggested.filter((one) => isAdded(row, one));
  const removed = row.given.filter((one) => isRemoved(row, one));
  const hasAdded = added.some((one) => labels.includes(one));
  const hasRemoved = removed.some((one) => labels.includes(one));
  if (hasAdded !== hasRemoved) return hasAdded ? "for" : "against";
  return !added.length && removed.length && !hasRemoved ? "for" : "";
}
