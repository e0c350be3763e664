"""The pages of the report: every file that it consists of, but for the thumbnails."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.resources import files
from string import Template

from vernis.report.markup import Markup, join, tag
from vernis.report.model import ReportData
from vernis.report.parts import Section
from vernis.report.payload import as_script, lists
from vernis.report.sections import all_sections

GENERATOR = "Vernis report"
"""Content of the page's ``generator`` mark; a page without it is not ours to replace."""

_SCRIPTS = (
    "shared/dom.mjs",
    "index/lists.mjs",
    "index/cards.mjs",
    "index/lightbox.mjs",
    "index/measures.mjs",
    "index/decisions.mjs",
    "index/keys.mjs",
)
_STYLES = ("shared/base.css", "index/sections.css", "index/items.css", "shared/print.css")


def render(data: ReportData) -> dict[str, bytes]:
    """Return the report's files: path relative to its folder → content.

    The names in ``assets/`` hold a digest of the content, so that a page never meets the style,
    script or rows of another run: ``index.html`` is the one file that decides.

    Parameters
    ----------
    data : ReportData

    Returns
    -------
    dict of str to bytes
        ``index.html`` is the last one.
    """
    pages: dict[str, bytes] = {}

    def add(stem: str, suffix: str, text: str) -> str:
        content = text.encode("utf-8", "replace")
        path = f"assets/{stem}.{hashlib.sha256(content).hexdigest()[:12]}.{suffix}"
        pages[path] = content
        return path

    style = add("report", "css", "\n".join(_template(name) for name in _STYLES))
    theme = add("theme", "js", _template("shared/theme.js"))
    script = add("report", "js", "\n".join(_template(name) for name in _SCRIPTS))
    rows = [add(name, "js", as_script(name, found)) for name, found in lists(data).items()]
    sections = all_sections(data)
    page = Template(_template("index/index.html")).substitute(
        title=tag("title", f"{data.title} · Vernis report"),
        generator=tag("meta", name="generator", content=f"{GENERATOR} {data.version}"),
        style=tag("link", rel="stylesheet", href=style),
        theme=tag("script", "", src=theme),
        scripts=join([tag("script", "", src=path, defer=True) for path in (script, *rows)]),
        name=tag("bdi", data.title),
        navigation=_navigation(sections),
        sections=join([section.html for section in sections]),
        version=join(data.version),
        created=join(data.created),
    )
    pages["index.html"] = page.encode("utf-8", "replace")
    return pages


def _template(name: str) -> str:
    return (files("vernis.report") / name).read_text(encoding="utf-8")


def _navigation(sections: Sequence[Section]) -> Markup:
    return tag(
        "ul",
        [
            tag(
                "li",
                tag(
                    "a",
                    tag("span", section.name),
                    tag("span", section.count, class_="badge") if section.count else None,
                    href=f"#{section.anchor}",
                ),
            )
            for section in sections
        ],
    )
