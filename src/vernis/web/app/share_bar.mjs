// @ts-check
// A thin bar that is filled to a share. It is scaled, not laid out: while it moves the page stands.
import { el } from "../shared/dom.mjs";

/** @param {number} [share] 0 to 1 */
export function shareBar(share = 0) {
  const filled = el("span", {});
  const set = (/** @type {number} */ to) => { filled.style.transform = "scaleX(" + Math.max(0, Math.min(1, to || 0)) + ")"; };
  set(share);
  return { bar: el("div", { class: "fill-bar", "aria-hidden": "true" }, filled), set };
}
