(function () {
  "use strict";
  const root = document.documentElement;
  const diagram = document.getElementById("diagram");
  const ribbons = [...diagram.querySelectorAll(".ribbon")];
  const nodes = [...diagram.querySelectorAll(".node")];
  const state = document.getElementById("state");
  const body = document.getElementById("rows");
  const heads = [...document.querySelectorAll("th")];
  const sideOf = (node) => (node.dataset.left !== undefined ? "left" : "right");
  const pinned = { left: new Set(), right: new Set() };
  let sort = { key: "images", down: true };

  const asked = new URLSearchParams(location.search).get("theme");
  if (asked === "light" || asked === "dark") root.dataset.theme = asked;
  document.getElementById("theme").addEventListener("click", () => {
    const dark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });

  // Labels of one side are joined by "or", the two sides by "and".
  function isChosen(left, right) {
    return (!pinned.left.size || pinned.left.has(left)) && (!pinned.right.size || pinned.right.has(right));
  }
  const isFiltered = () => pinned.left.size + pinned.right.size > 0;

  function light(test) {
    const ends = { left: new Set(), right: new Set() };
    for (const ribbon of ribbons) {
      const on = test(ribbon.dataset.left, ribbon.dataset.right);
      ribbon.classList.toggle("on", on);
      if (on) {
        ends.left.add(ribbon.dataset.left);
        ends.right.add(ribbon.dataset.right);
      }
    }
    for (const node of nodes) {
      const side = sideOf(node);
      node.classList.toggle("on", ends[side].has(node.dataset[side]));
    }
    diagram.classList.add("dim");
  }
  function rest() {
    if (isFiltered()) light(isChosen);
    else diagram.classList.remove("dim");
  }

  function fill() {
    const rows = flows.filter((row) => isChosen(String(row.left), String(row.right)));
    rows.sort((a, b) => {
      const x = a[sort.key], y = b[sort.key];
      const order = typeof x === "string" ? x.localeCompare(y) : (x === null ? -1 : x) - (y === null ? -1 : y);
      return sort.down ? -order : order;
    });
    body.replaceChildren(...rows.map((row) => {
      const line = document.createElement("tr");
      const cells = [row.from, row.to, row.images.toLocaleString("en"),
        (100 * row.share).toFixed(1) + " %", row.lift === null ? "" : row.lift.toFixed(2)];
      cells.forEach((text, number) => {
        const cell = document.createElement("td");
        cell.textContent = text;
        if (number > 1) cell.className = "number";
        line.append(cell);
      });
      return line;
    }));
    for (const head of heads) {
      const own = head.querySelector("button").dataset.key === sort.key;
      if (own) head.setAttribute("aria-sort", sort.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
    const total = rows.reduce((sum, row) => sum + row.images, 0);
    state.textContent = isFiltered()
      ? rows.length.toLocaleString("en") + " of " + flows.length.toLocaleString("en") + " flows, " + total.toLocaleString("en") + " pairs of image and label"
      : "";
  }

  function toggle(node) {
    const side = sideOf(node), number = node.dataset[side];
    if (!pinned[side].delete(number)) pinned[side].add(number);
    node.setAttribute("aria-pressed", String(pinned[side].has(number)));
    rest();
    fill();
  }
  for (const node of nodes) {
    const side = sideOf(node), number = node.dataset[side];
    const follow = () => light((left, right) => (side === "left" ? left : right) === number);
    node.addEventListener("pointerenter", follow);
    node.addEventListener("pointerleave", rest);
    node.addEventListener("focus", follow);
    node.addEventListener("blur", rest);
    node.addEventListener("click", () => toggle(node));
    node.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        toggle(node);
      }
    });
  }
  for (const ribbon of ribbons) {
    const { left, right } = ribbon.dataset;
    ribbon.addEventListener("pointerenter", () => light((l, r) => l === left && r === right));
    ribbon.addEventListener("pointerleave", rest);
  }
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    pinned.left.clear();
    pinned.right.clear();
    nodes.forEach((node) => node.setAttribute("aria-pressed", "false"));
    rest();
    fill();
  });
  for (const head of heads) {
    const key = head.querySelector("button").dataset.key;
    head.addEventListener("click", () => {
      sort = { key, down: sort.key === key ? !sort.down : key !== "from" && key !== "to" };
      fill();
    });
  }
  fill();
})();
