// The contents beside the page follow what is being read.

// The section that is read: the last that begins above a line, the last of all at the page's end.
export function readSection(tops, line, atEnd) {
  if (atEnd) return tops.length - 1;
  return Math.max(0, tops.findLastIndex((top) => top <= line));
}

export function startContents() {
  const links = [...document.querySelectorAll(".contents a")];
  const sections = links.map((link) => document.getElementById(link.hash.slice(1)));
  let waiting = false;
  function follow() {
    waiting = false;
    const atEnd = scrollY + innerHeight >= document.documentElement.scrollHeight - 2;
    const current = readSection(sections.map((section) => section.getBoundingClientRect().top), innerHeight * 0.3, atEnd);
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
  follow();
  return sections;
}
