// The judgements of a sample: name of an image → classes, [] where it carries none. An image that
// is not in it has not been judged.

// What becomes of a judgement when a class is chosen; null says that the image carries none.
// Who takes the last class back has not said that there is none: undefined is "not judged".
export function choose(now, label, kind) {
  if (label === null) return [];
  if (kind === "single") return [label];
  const chosen = now && now.includes(label) ? now.filter((other) => other !== label) : [...(now || []), label].sort();
  return chosen.length ? chosen : undefined;
}

// The classes offered first: the candidates, then what was chosen besides.
export function offered(row, now) {
  return row.candidates.concat((now || []).filter((label) => !row.candidates.includes(label)));
}

// Further classes that hold the text, as many as one can look through.
export function furtherClasses(classes, first, text) {
  const wanted = text.trim().toLowerCase();
  const found = classes.filter((label) => !first.includes(label) && label.toLowerCase().includes(wanted));
  return found.slice(0, wanted ? 40 : 24);
}

// A spreadsheet takes what begins so for a formula; an apostrophe before it makes it text again.
const asText = (text) => (/^'*[=+\-@\t\r]/.test(text) ? "'" + text : text);

const quoted = (text) => (/[",\n\r]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text);

const cell = (text) => quoted(asText(text));

// The judgements as the file that ``vernis lab truth`` reads.
export function asCsv(sample, judged) {
  const lines = ["image,truth"];
  for (const { image } of sample.images) {
    const labels = judged[image];
    if (labels !== undefined) lines.push(cell(image) + "," + cell(labels.length ? labels.join("|") : sample.nothing));
  }
  return lines.join("\n") + "\n";
}
