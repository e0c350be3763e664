// Buttons that copy a command.
import { el, say } from "../../web/shared/dom.mjs";

function copyByHand(text) {
  const area = el("textarea", { class: "visually-hidden" });
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

async function copy(button) {
  const text = button.dataset.copy;
  let done = false;
  try { await navigator.clipboard.writeText(text); done = true; } catch (refused) { done = copyByHand(text); }
  const before = button.textContent;
  button.textContent = done ? "Copied" : "Select and copy";
  say(done ? "Copied" : "Could not copy");
  setTimeout(() => { button.textContent = before; }, 1400);
}

export function startCopying() {
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-copy]");
    if (button) copy(button);
  });
}
