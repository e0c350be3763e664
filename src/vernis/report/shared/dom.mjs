// Everything is built by createElement and textContent: no text of a collection becomes HTML.
"use strict";

const vernis = { rows: {}, images: new Map(), waiting: {} };

vernis.receive = function (name, rows) {
  if (name === "images") {
    for (const [id, uri, width, height, size, thumb] of rows) {
      vernis.images.set(id, { id, uri, width, height, size, thumb });
    }
  }
  vernis.rows[name] = rows;
};

function el(name, properties, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(properties || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "class") node.className = value;
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key in node && typeof value !== "string") node[key] = value;
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

function say(text) {
  document.querySelector("[data-status]").textContent = text;
}

const asCount = (value) => value.toLocaleString("en-US");
const asPercent = (share) => {
  if (share === null) return "–";
  const text = (100 * share).toFixed(0);
  if (text === "100" && share < 1) return ">99%";
  if (text === "0" && share > 0) return "<1%";
  return text + "%";
};
const baseName = (uri) => uri.slice(uri.lastIndexOf("/") + 1);
const folderName = (uri) => uri.slice(0, uri.lastIndexOf("/") + 1);

// A picture that opens in the lightbox. Its alternative text is its file name and what is said of it.
function picture(id, said, extra) {
  const ref = vernis.images.get(id) || { uri: "image " + id, thumb: "" };
  const style = "picture" + (extra ? " " + extra : "");
  const inner = ref.thumb
    ? el("img", { src: ref.thumb, alt: baseName(ref.uri) + (said ? ", " + said : ""), loading: "lazy", decoding: "async" })
    : el("span", { class: "no-picture" }, "no preview");
  return el("button", { type: "button", class: style, "data-image": String(id), title: ref.uri }, inner);
}

function fileName(id) {
  const ref = vernis.images.get(id) || { uri: "image " + id };
  const folder = folderName(ref.uri);
  return el("p", { class: "file", title: ref.uri },
    folder ? el("bdi", { class: "folder" }, folder) : null,
    el("bdi", { class: "name" }, baseName(ref.uri)));
}

function chip(text, kind) {
  return el("span", { class: "chip " + (kind || "") }, el("bdi", {}, text));
}

function meter(share, kind) {
  const fill = el("i");
  fill.style.width = (100 * Math.min(Math.max(share || 0, 0), 1)).toFixed(1) + "%";
  return el("span", { class: "meter " + (kind || ""), "aria-hidden": "true" }, fill);
}
