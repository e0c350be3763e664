// The light and the dark theme: what the reader chose, else what the system says.
import { one } from "./dom.mjs";

const dark = () => {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
};

function nameTheme() {
  const name = one("[data-theme-name]");
  if (name) name.textContent = dark() ? "Light theme" : "Dark theme";
}

export function switchTheme() {
  const theme = dark() ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
  try { localStorage.setItem("vernis-theme", theme); } catch (refused) { /* private window: only this once */ }
  nameTheme();
  dispatchEvent(new Event("themechange"));
}

// The buttons for theme and keys that every page has.
export function startButtons() {
  nameTheme();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    nameTheme();
    dispatchEvent(new Event("themechange"));
  });
  document.addEventListener("click", (event) => {
    const button = /** @type {HTMLElement} */ (event.target).closest("button");
    if (!button) return;
    if (button.dataset.themeToggle !== undefined) switchTheme();
    else if (button.dataset.help !== undefined) showHelp();
  });
}

export function showHelp() {
  const dialog = one("[data-help-dialog]");
  if (dialog && !dialog.open) dialog.showModal();
}
