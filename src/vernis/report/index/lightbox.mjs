// One picture large, with what is known of it. It steps through the pictures of the page that it
// was opened from.
import { el, one, say } from "../../web/shared/dom.mjs";
import { asSize, baseName } from "../../web/shared/wording.mjs";
import { chip } from "./cards.mjs";

export function makeLightbox({ imageOf, fileName }) {
  const dialog = one("[data-lightbox]");
  let sequence = [];
  let at = 0;
  let opener = null;

  function show(step) {
    at = (step + sequence.length) % sequence.length;
    const source = sequence[at];
    const { id, uri, width, height, size, thumb } = imageOf(Number(source.dataset.image));
    const facts = [width ? width + " × " + height + " pixels" : "", size ? asSize(size) : "", "id " + id].filter(Boolean).join(" · ");
    const item = source.closest(".item");
    const versus = item && item.querySelector(".versus");
    const owner = item && item.querySelector(".picture") === source;
    const label = source.parentElement.querySelector(".neighbor-label");
    const image = source.querySelector("img");
    const frame = source.querySelector(".place-frame");
    dialog.replaceChildren(
      el("div", { class: "stage" },
        thumb ? el("img", { src: thumb, alt: image ? image.alt : baseName(uri) }) : el("span", { class: "no-picture" }, "no preview"),
        frame ? frame.cloneNode(true) : null),
      el("div", { class: "about" },
        fileName(id),
        el("p", { class: "muted" }, facts),
        versus && owner ? versus.cloneNode(true) : null,
        label && !owner ? el("p", {}, "Label: ", chip(label.textContent)) : null,
        el("div", { class: "steps-row" },
          el("button", { type: "button", class: "button", onclick: () => show(at - 1), "aria-label": "Previous picture" }, "←"),
          el("span", { class: "muted" }, (at + 1) + " of " + sequence.length),
          el("button", { type: "button", class: "button", onclick: () => show(at + 1), "aria-label": "Next picture" }, "→"),
          el("button", { type: "button", class: "button close", onclick: () => dialog.close() }, "Close"))));
    say(baseName(uri));
  }

  function open(source) {
    sequence = [...source.closest("[data-items]").querySelectorAll("[data-image]")];
    opener = source;
    show(sequence.indexOf(source));
    if (!dialog.open) dialog.showModal();
    dialog.focus();
  }

  dialog.addEventListener("close", () => { if (opener && opener.isConnected) opener.focus(); });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog || event.target.classList.contains("stage")) dialog.close();
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowRight" || event.key === "j") show(at + 1);
    else if (event.key === "ArrowLeft" || event.key === "k") show(at - 1);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  document.addEventListener("click", (event) => {
    const source = event.target.closest("[data-image]");
    if (source) open(source);
  });
  return { open };
}
