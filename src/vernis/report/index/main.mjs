// Starts the report: the lists, what one can mark, the keys.
import { readData } from "../../web/shared/dom.mjs";
import { startButtons } from "../../web/shared/theme.mjs";
import { GROUP_KINDS, transformName } from "../../web/shared/wording.mjs";
import { CHANGES, makeCards } from "./cards.mjs";
import { startContents } from "./contents.mjs";
import { startCopying } from "./copying.mjs";
import { makeCurves } from "./curves.mjs";
import { makeDecisions } from "./decisions.mjs";
import { startKeys } from "./keys.mjs";
import { makeLightbox } from "./lightbox.mjs";
import { makeList } from "./lists.mjs";
import { fillRows, issueRows, qualityRows } from "./rows.mjs";
import { makeSortable } from "./tables.mjs";

const report = readData();
const images = new Map(report.images.map((image) => [image.id, image]));
const decisions = makeDecisions((id) => images.get(id).uri);
const cards = makeCards(images, decisions);
const uriOf = (id) => cards.imageOf(id).uri;

const LISTS = {
  issues: {
    rows: issueRows(report.label_issues), card: cards.issue, pageSize: 12,
    noun: ["label issue", "label issues"], placeholder: "Search file, class or change",
    filters: {
      taxonomy: { name: "Taxonomy", all: "All", of: (row) => row.taxonomy },
      change: { name: "Change", all: "All", of: (row) => row.change, say: (value) => CHANGES[value] || value },
      given: { name: "Given class", all: "Any given class", of: (row) => row.given[0] || "nothing" },
      suggested: { name: "Suggested class", all: "Any suggested class", of: (row) => row.suggested[0] || "nothing" },
    },
    text: (row) => [uriOf(row.image), row.taxonomy, row.change, ...row.given, ...row.suggested],
  },
  duplicates: {
    rows: report.duplicates, card: cards.group, pageSize: 10,
    noun: ["group", "groups"], placeholder: "Search file, label or transform",
    filters: {
      kind: { name: "Kind", all: "All", of: (row) => row.kind, say: (value) => GROUP_KINDS[value] || value },
      conflict: { name: "Labels", all: "Any labels", of: (row) => (row.conflicts.length ? "Labels disagree" : "Labels agree") },
    },
    text: (row) => row.members.flatMap(({ image, transform, labels }) => [uriOf(image), transformName(transform), ...labels]),
  },
  quality: {
    rows: qualityRows(report.quality), card: cards.poor, pageSize: 30,
    noun: ["picture", "pictures"], placeholder: "Search file",
    filters: { kind: { name: "Kind", all: "All", of: (row) => row.kind } },
    text: (row) => [uriOf(row.image), row.kind, row.note],
  },
  fill: {
    rows: fillRows(report.fills), card: cards.fill, pageSize: 30,
    noun: ["suggestion", "suggestions"], placeholder: "Search file or class",
    filters: {
      taxonomy: { name: "Taxonomy", all: "All", of: (row) => row.taxonomy },
      label: { name: "Class", all: "All classes", of: (row) => row.label },
    },
    text: (row) => [uriOf(row.image), row.label],
  },
};

const lists = [];
for (const host of document.querySelectorAll("[data-list]")) {
  const options = LISTS[host.dataset.list];
  if (options.rows.length) lists.push(makeList(host, options));
  else host.hidden = true;
}
document.querySelectorAll("table[data-sortable]").forEach(makeSortable);
document.querySelectorAll("[data-curve]").forEach((select) => makeCurves(select, report.curves));
startButtons();
startCopying();
const lightbox = makeLightbox(cards);
const sections = startContents();
startKeys({ lists, sections, lightbox, decisions });
