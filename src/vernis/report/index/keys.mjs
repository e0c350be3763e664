// Start: draw the lists when their rows are here, then keys, theme, copying and the contents.
(function () {
  const lists = [];
  const root = document.documentElement;

  function start() {
    for (const host of document.querySelectorAll("[data-list]")) {
      const list = makeList(host, { name: host.dataset.list, ...LISTS[host.dataset.list] });
      if (list) lists.push(list);
      else host.closest("section").classList.add("without-rows");
    }
    root.dataset.ready = "true";
  }

  // ------------------------------------------------------------ theme and copying
  function toggleTheme() {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try { localStorage.setItem("vernis-theme", root.dataset.theme); } catch (refused) { /* private window */ }
    nameTheme();
  }

  function nameTheme() {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    document.querySelector("[data-theme-name]").textContent = dark ? "Light theme" : "Dark theme";
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

  function copyByHand(text) {
    const area = el("textarea", { class: "visually-hidden" });
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }

  document.addEventListener("click", (event) => {
    const target = event.target.closest("button");
    if (!target) return;
    if (target.dataset.copy !== undefined) copy(target);
    else if (target.dataset.themeToggle !== undefined) toggleTheme();
    else if (target.dataset.help !== undefined) help();
  });

  function help() {
    const dialog = document.querySelector("[data-help-dialog]");
    if (!dialog.open) dialog.showModal();
  }

  // ------------------------------------------------------------ contents
  const links = [...document.querySelectorAll(".contents a")];
  const sections = links.map((link) => document.getElementById(link.hash.slice(1)));
  let waiting = false;
  function follow() {
    waiting = false;
    const line = innerHeight * 0.3;
    let current = 0;
    sections.forEach((section, i) => { if (section.getBoundingClientRect().top <= line) current = i; });
    if (scrollY + innerHeight >= root.scrollHeight - 2) current = sections.length - 1;
    links.forEach((link, i) => {
      if (i !== current) link.removeAttribute("aria-current");
      else if (!link.hasAttribute("aria-current")) {
        link.setAttribute("aria-current", "true");
        const bar = link.closest("nav");
        if (bar.scrollWidth > bar.clientWidth) bar.scrollTo({ left: link.offsetLeft - bar.clientWidth / 3 });
      }
    });
  }
  addEventListener("scroll", () => { if (!waiting) { waiting = true; requestAnimationFrame(follow); } }, { passive: true });

  // ------------------------------------------------------------ keys
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

  const actions = {
    j: () => step(1),
    k: () => step(-1),
    n: () => { const list = listInView(); if (list) list.turn(list.page + 1); },
    p: () => { const list = listInView(); if (list) list.turn(list.page - 1); },
    o: () => openItem(),
    Enter: () => openItem(),
    a: () => decide("accept"),
    x: () => decide("dismiss"),
    t: toggleTheme,
    "?": help,
    "/": () => {
      const list = listInView();
      if (!list) return;
      const box = list.host.querySelector("[data-search]");
      box.scrollIntoView({ block: "center" });
      box.focus({ preventScroll: true });
      box.select();
    },
  };

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

  nameTheme();
  // Deferred scripts run in order and the rows come last, so wait until all have run.
  if (document.readyState === "complete") start();
  else document.addEventListener("DOMContentLoaded", start);
  document.addEventListener("DOMContentLoaded", follow);
})();
