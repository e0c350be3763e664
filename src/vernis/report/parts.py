"""The parts from which the sections of the report are built."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from vernis.report.markup import Content, Markup, tag
from vernis.report.wording import sentence


@dataclass(frozen=True, slots=True)
class Section:
    """One section of the page; ``count`` stands beside its name in the navigation."""

    anchor: str
    name: str
    count: str
    html: Markup


def section(anchor: str, name: str, badge: str, lead: Content, *contents: Content) -> Section:
    """Return a section with its heading, a lead sentence and the contents."""
    html = tag(
        "section",
        tag(
            "header",
            tag("h2", name, id=f"{anchor}-title"),
            tag("p", lead, class_="lead") if lead else None,
            class_="section-head",
        ),
        *contents,
        id=anchor,
        aria_labelledby=f"{anchor}-title",
        tabindex="-1",
        class_="section",
    )
    return Section(anchor, name, badge, html)


def paged_list(name: str, style: str) -> Markup:
    """Return the place that the script fills with one page of a list."""
    return tag(
        "div",
        tag("div", class_="toolbar", data_toolbar=True),
        tag("ol", class_=f"items {style}", data_items=True),
        tag("nav", class_="pager", data_pager=True, aria_label=f"Pages of {name}"),
        tag("noscript", tag("p", "This list needs JavaScript.", class_="note")),
        data_list=name,
        class_="list",
    )


def tile(name: str, value: str, note: Content = None, anchor: str = "") -> Markup:
    """Return one figure of the summary; with an anchor it is a link."""
    body = (
        tag("span", name, class_="tile-name"),
        tag("span", value, class_="tile-value"),
        tag("span", note, class_="tile-note") if note else None,
    )
    if anchor:
        return tag("a", *body, class_="tile", href=f"#{anchor}")
    return tag("div", *body, class_="tile")


def tile_row(tiles: Sequence[Markup]) -> Markup:
    """Return tiles side by side."""
    return tag("div", list(tiles), class_="tiles")


def note_box(notes: Sequence[str]) -> Markup | None:
    """Return sentences in a box; None when there are none."""
    if not notes:
        return None
    return tag("div", [tag("p", sentence(note)) for note in notes], class_="note", role="note")


def meter(share: float, text: str) -> Markup:
    """Return a number with a small bar below it."""
    width = 0.0 if math.isnan(share) else 100 * min(max(share, 0.0), 1.0)
    bar = tag("i", style=f"width:{width:.1f}%")
    return tag("span", text, tag("span", bar, class_="meter", aria_hidden="true"), class_="metered")


def command(text: str) -> Markup:
    """Return a command line with a button that copies it."""
    return tag(
        "div",
        tag("code", text),
        tag("button", "Copy", type="button", class_="copy", data_copy=text),
        class_="command",
    )


def fact_list(facts: Sequence[tuple[str, str]]) -> Markup | None:
    """Return (name, value) pairs; None when there are none."""
    if not facts:
        return None
    rows = [tag("div", tag("dt", name), tag("dd", tag("bdi", value))) for name, value in facts]
    return tag("dl", rows, class_="facts")


def column(name: str, style: str = "") -> Markup:
    """Return the head of a table column; style "number" sets it to the right."""
    return tag("th", name, scope="col", class_=style or None)


def table(label: str, heads: Sequence[Markup], rows: Sequence[Markup]) -> Markup:
    """Return a table that scrolls sideways when it has to."""
    inner = tag("table", tag("thead", tag("tr", heads)), tag("tbody", rows))
    return tag("div", inner, class_="table-wrap", tabindex="0", role="region", aria_label=label)


def sortable_table(label: str, heads: Sequence[Markup], rows: Sequence[Markup]) -> Markup:
    """Return a table of limited height whose columns sort by a click.

    A cell sorts by its ``data-value`` where it has one, else by its text.
    """
    inner = tag("table", tag("thead", tag("tr", heads)), tag("tbody", rows), data_sortable=True)
    return tag(
        "div", inner, class_="table-wrap tall", tabindex="0", role="region", aria_label=label
    )
