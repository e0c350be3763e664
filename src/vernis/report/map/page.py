"""The interactive page of a map: one file, or a folder where the thumbnails are many."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.resources import files
from string import Template
from typing import Any

import numpy as np

from vernis.report.map.model import COLORS, NONE, OTHER, MapView
from vernis.report.markup import Markup, join, tag

GENERATOR = "Vernis map"
"""Content of the page's ``generator`` mark; an index passes over a folder that holds it."""

EMBED_LIMIT = 18_500_000
"""Bytes of sheets up to which they are put into the page itself (a third more as text)."""

_STYLES = ("shared/base.css", "map/map.css")
_SCRIPTS = ("map/data.mjs", "map/canvas.mjs", "map/panel.mjs")
_STEPS = 20_000  # exact places are whole numbers up to this


def render_map(view: MapView) -> dict[str, bytes]:
    """Return the files of the page: path relative to its folder → content, the page last.

    One file alone when the sheets are small enough to lie in it.
    """
    pages: dict[str, bytes] = {}
    size = sum(len(page) for level in view.levels for page in level.pages)
    sheets: list[Markup] = []
    sources: list[list[str]] = []
    for number, level in enumerate(view.levels):
        names = []
        for index, page in enumerate(level.pages):
            if size <= EMBED_LIMIT:
                anchor = f"sheet-{number}-{index}"
                text = Markup(base64.b64encode(page).decode())
                sheets.append(tag("script", text, type="text/plain", id=anchor))
                names.append(f"#{anchor}")
            else:
                digest = hashlib.sha256(page).hexdigest()[:12]
                names.append(f"sheets/{number}-{index:04}.{digest}.jpg")
                pages[names[-1]] = page
        sources.append(names)
    pages["index.html"] = _page(view, sheets, sources)
    return pages


def _page(view: MapView, sheets: list[Markup], sources: list[list[str]]) -> bytes:
    theme = _template("shared/theme.js")
    script = "\n".join(_template(name) for name in _SCRIPTS)
    policy = (
        "default-src 'none'; img-src 'self' file: data:; style-src 'unsafe-inline'; "
        f"script-src {_digest(theme)} {_digest(script)}; base-uri 'none'; form-action 'none'"
    )
    facts = [tag("div", tag("dt", name), tag("dd", value)) for name, value in view.facts.items()]
    page = Template(_template("map/map.html")).substitute(
        policy=tag("meta", http_equiv="Content-Security-Policy", content=policy),
        generator=tag("meta", name="generator", content=f"{GENERATOR} {view.version}"),
        title=tag("title", f"{view.title} · Vernis map"),
        name=tag("bdi", view.title),
        facts=join(facts),
        style=Markup(f"<style>\n{chr(10).join(_template(name) for name in _STYLES)}\n</style>"),
        theme=Markup(f"<script>{theme}</script>"),
        data=Markup(
            f'<script type="application/json" id="map-data">{_data(view, sources)}</script>'
        ),
        sheets=join(sheets),
        script=Markup(f"<script>{script}</script>"),
    )
    return page.encode("utf-8", "replace")


def _data(view: MapView, sources: list[list[str]]) -> str:
    """Return the page's data as JSON in which no tag can begin."""
    low = view.places.min(axis=0) if len(view.places) else np.zeros(2)
    extent = np.ptp(view.places, axis=0) if len(view.places) else np.ones(2)
    scaled = (view.places - low) / np.where(extent > 0, extent, 1.0)
    scaled[:, 1] = 1 - scaled[:, 1]
    document: dict[str, Any] = {
        "title": view.title,
        "uris": list(view.uris),
        "places": np.rint(scaled * _STEPS).astype(int).ravel().tolist(),
        "steps": _STEPS,
        "cells": view.cells.ravel().tolist(),
        "columns": view.columns,
        "rows": view.rows,
        "colors": list(COLORS),
        "other": OTHER,
        "none": NONE,
        "color": view.color,
        "facets": [
            {"name": facet.name, "classes": list(facet.classes), "values": _compact(facet.values)}
            for facet in view.facets
        ],
        "levels": [
            {
                "edge": level.edge,
                "columns": level.columns,
                "sizes": [side for size in level.sizes for side in size],
                "sheets": names,
            }
            for level, names in zip(view.levels, sources, strict=True)
        ],
    }
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def _compact(values: Any) -> list[int | list[int]]:
    """Return each row's classes; a single one without its list."""
    return [row[0] if len(row) == 1 else list(row) for row in values]


def _digest(script: str) -> str:
    """Return the mark by which the page's policy lets this very script run."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _template(name: str) -> str:
    return (files("vernis.report") / name).read_text(encoding="utf-8")
