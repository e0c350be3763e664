// @ts-check
// The style sheet of a screen, loaded once, before the screen draws.

/** @type {Map<string, Promise<void>>} */
const loaded = new Map();

/** @param {string} path such as "/web/app/screens/review.css" */
export function loadStyle(path) {
  if (!loaded.has(path)) {
    loaded.set(path, new Promise((resolve) => {
      const link = document.createElement("link");
      link.rel = "stylesheet";
      link.href = path;
      link.onload = () => resolve();
      link.onerror = () => resolve();
      document.head.append(link);
    }));
  }
  return /** @type {Promise<void>} */ (loaded.get(path));
}
