// Everything is built by createElement and textContent: no text of a collection becomes HTML.

export function el(name, properties, ...children) {
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

export const one = (selector) => document.querySelector(selector);

export function readData() {
  return JSON.parse(document.getElementById("data").textContent);
}

export function say(text) {
  one("[data-status]").textContent = text;
}
