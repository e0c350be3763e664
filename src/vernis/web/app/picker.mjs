// @ts-check
// Type a few letters of a class, Enter takes it.
import { el } from "../shared/dom.mjs";

/** @param {{title: string, classes: string[], first?: string[], free?: boolean}} about `free`: what is typed may be a new class
 * @returns {Promise<string | null>} the class, null when nothing was chosen */
export function pickClass({ title, classes, first = [], free = false }) {
  return new Promise((resolve) => {
    let at = 0;
    /** @type {string[]} */
    let found = [];
    let chosen = /** @type {string | null} */ (null);
    const box = /** @type {HTMLInputElement} */ (el("input", { class: "field", type: "text", placeholder: title, "aria-label": title, autocomplete: "off", spellcheck: "false" }));
    const list = el("div", { class: "picker-list", role: "listbox", "aria-label": title });
    const dialog = el("dialog", { class: "picker", "aria-label": title }, box, list);
    const take = (/** @type {string} */ label) => { chosen = label; dialog.close(); };
    const show = () => {
      list.replaceChildren(...found.map((label, place) =>
        el("button", { type: "button", role: "option", class: place === at ? "on" : "", "aria-selected": String(place === at), onclick: () => take(label) }, label, classes.includes(label) ? null : el("span", { class: "muted small" }, " new"))));
      const on = list.children[at];
      if (on) on.scrollIntoView({ block: "nearest" });
    };
    const search = () => {
      const wanted = box.value.trim().toLowerCase();
      const ranked = [...first, ...classes.filter((label) => !first.includes(label))];
      const starts = ranked.filter((label) => label.toLowerCase().startsWith(wanted));
      const holds = ranked.filter((label) => !starts.includes(label) && label.toLowerCase().includes(wanted));
      found = [...starts, ...holds].slice(0, 100);
      const typed = box.value.trim();
      if (free && typed && !ranked.some((label) => label.toLowerCase() === wanted)) found.push(typed);
      at = 0;
      show();
    };
    box.addEventListener("input", search);
    dialog.addEventListener("keydown", (event) => {
      if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        at = Math.min(found.length - 1, Math.max(0, at + (event.key === "ArrowDown" ? 1 : -1)));
        show();
      } else if (event.key === "Enter" && found[at] !== undefined) {
        event.preventDefault();
        take(found[at]);
      }
    });
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
    dialog.addEventListener("close", () => { dialog.remove(); resolve(chosen); });
    document.body.append(dialog);
    search();
    dialog.showModal();
    box.focus();
  });
}
