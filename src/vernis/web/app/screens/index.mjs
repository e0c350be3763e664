// @ts-check
// The screens, in the order of the bar. A screen is a module that exports
//
//   async open(host, app, place) → { close() }
//
// `host` is an empty element that is the screen's own, `app` is described in `main.mjs`, `place` is
// what the address says (`router.mjs`). `close` ends listeners and gives keys back. A module is
// loaded when its screen is opened first.

/** @typedef {{name: string, title: string, key: string, load: () => Promise<{open: Function}>}} Screen */

/** @type {Screen[]} */
export const SCREENS = [
  { name: "review", title: "Review", key: "r", load: () => import("./review.mjs") },
  { name: "wall", title: "Wall", key: "w", load: () => import("./wall.mjs") },
  { name: "duplicates", title: "Duplicates", key: "d", load: () => import("./duplicates.mjs") },
  { name: "quality", title: "Quality", key: "q", load: () => import("./quality.mjs") },
  { name: "fill", title: "Fill", key: "f", load: () => import("./fill.mjs") },
  { name: "brands", title: "Brands", key: "t", load: () => import("./brands.mjs") },
  { name: "merges", title: "Merges", key: "v", load: () => import("./merges.mjs") },
  { name: "clusters", title: "Clusters", key: "c", load: () => import("./clusters.mjs") },
  { name: "browse", title: "Browse", key: "b", load: () => import("./browse.mjs") },
  { name: "map", title: "Map", key: "m", load: () => import("./map.mjs") },
  { name: "image", title: "Image", key: "o", load: () => import("./image.mjs") },
  { name: "history", title: "History", key: "y", load: () => import("./history.mjs") },
  { name: "jobs", title: "Jobs", key: "j", load: () => import("./jobs.mjs") },
];
