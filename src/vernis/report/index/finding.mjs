// What a list shows: which rows match, and which of them lie on a page.

// Rows that have every chosen value ("" is any) and hold every word of the query in their text.
export function findRows(rows, { query, chosen, filters, textOf }) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = Object.entries(chosen).filter(([, value]) => value !== "");
  return rows.filter((row) =>
    wanted.every(([key, value]) => filters[key].of(row) === value) &&
    (words.length === 0 || words.every((word) => textOf(row).includes(word))));
}

export const countPages = (found, pageSize) => Math.max(1, Math.ceil(found.length / pageSize));

export function pageOf(found, page, pageSize) {
  const number = Math.min(Math.max(page, 0), countPages(found, pageSize) - 1);
  return { number, from: number * pageSize, rows: found.slice(number * pageSize, (number + 1) * pageSize) };
}

// The values of a filter with their numbers of rows, "any" first; none where there is one value.
export function entriesOf(rows, filter) {
  const counts = new Map();
  for (const row of rows) counts.set(filter.of(row), (counts.get(filter.of(row)) || 0) + 1);
  if (counts.size < 2) return [];
  const values = [...counts].map(([value, count]) => [value, filter.say ? filter.say(value) : value, count]);
  return [["", filter.all, rows.length], ...values];
}

// Text for searching, made once a row.
export function makeTextOf(text) {
  const known = new Map();
  return (row) => {
    if (!known.has(row)) known.set(row, text(row).join("\n").toLowerCase());
    return known.get(row);
  };
}
