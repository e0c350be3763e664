// What the keys do.
import { showHelp, switchTheme } from "../../web/shared/theme.mjs";

export function startKeys({ lists, sections, lightbox, decisions }) {
  function listInView() {
    const active = document.activeElement && document.activeElement.closest("[data-list]");
    if (active) return lists.find((list) => list.host === active);
    const line = innerHeight * 0.4;
    const seen = lists.filter((list) => {
      const box = list.host.closest("section").getBoundingClientRect();
      return box.top <= line && box.bottom >= line;
    });
    return seen[0] || lists.find((list) => list.host.getBoundingClientRect().bottom > 0) || lists[0];
  }

  function focusItem(node) {
    if (!node) return;
    node.focus({ preventScroll: true });
    node.scrollIntoView({ block: "nearest" });
  }

  function step(direction) {
    const list = listInView();
    if (!list) return;
    const nodes = [...list.items.children].filter((node) => node.dataset.item !== undefined);
    const active = document.activeElement && document.activeElement.closest("[data-item]");
    const at = active ? nodes.indexOf(active) : direction > 0 ? -1 : 0;
    const next = at + direction;
    if (next >= nodes.length && list.page < list.pages - 1) {
      list.turn(list.page + 1);
      focusItem(list.items.firstElementChild);
    } else if (next < 0 && list.page > 0) {
      list.turn(list.page - 1);
      focusItem(list.items.lastElementChild);
    } else focusItem(nodes[Math.min(Math.max(next, 0), nodes.length - 1)]);
  }

  function turn(direction) {
    const list = listInView();
    if (list) list.turn(list.page + direction);
  }

  function openItem() {
    const item = document.activeElement.closest("[data-item]");
    if (item) lightbox.open(item.querySelector("[data-image]"));
  }

  function decide(verdict) {
    const item = document.activeElement.closest(".item.issue");
    if (!item) return;
    decisions.toggle(item.row, verdict);
    if (decisions.get(item.row)) step(1);
  }

  function search() {
    const list = listInView();
    if (!list) return;
    const box = list.host.querySelector("[data-search]");
    box.scrollIntoView({ block: "center" });
    box.focus({ preventScroll: true });
    box.select();
  }

  const actions = {
    j: () => step(1),
    k: () => step(-1),
    n: () => turn(1),
    p: () => turn(-1),
    o: openItem,
    Enter: openItem,
    a: () => decide("accept"),
    x: () => decide("dismiss"),
    h: () => document.body.classList.toggle("no-frames"),
    t: switchTheme,
    "?": showHelp,
    "/": search,
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const target = event.target;
    if (target.matches("input, select, textarea")) {
      if (event.key === "Escape") target.blur();
      return;
    }
    if (event.key === "Enter" && target.matches("button, a, summary")) return;
    if (/^[1-9]$/.test(event.key)) {
      const section = sections[Number(event.key) - 1];
      if (!section) return;
      section.scrollIntoView();
      section.focus({ preventScroll: true });
    } else if (actions[event.key]) actions[event.key]();
    else return;
    event.preventDefault();
  });
}
